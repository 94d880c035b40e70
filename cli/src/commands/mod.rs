//! The commands: one module each, with its options, what it prints, and `run`.

pub(crate) mod completions;
pub(crate) mod dump;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod info;
pub(crate) mod keep;
pub(crate) mod man;
pub(crate) mod migrate;
pub(crate) mod open;
pub(crate) mod ps;
pub(crate) mod schema;
pub(crate) mod secrets;
pub(crate) mod show;
pub(crate) mod types;
pub(crate) mod verify;

use crate::args::Command;
use crate::demo;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Does what was asked for.
///
/// # Errors
/// What kept it from being done.
pub(crate) fn run(command: Command, output: &mut Output) -> Result<Exit, Failure> {
    match command {
        Command::Demo(options) => demo::run(&options, output),
        Command::Ps => ps::run(output),
        Command::Dump(options) => dump::run(&options, output),
        Command::Open(options) => open::run(&options, output),
        Command::Info(options) => info::run(&options, output),
        Command::Types(options) => types::run(&options, output),
        Command::Schema(options) => schema::run(&options, output),
        Command::Show(options) => show::run(&options, output),
        Command::Verify(options) => verify::run(&options, output),
        Command::Migrate(options) => migrate::run(&options, output),
        Command::Keep(options) => keep::run(&options, output),
        Command::Explain(options) => explain::run(&options, output),
        Command::Export(options) => export::run(&options, output),
        Command::Completions(options) => completions::run(&options, output),
        Command::Man(options) => man::run(&options, output),
        Command::DemoProgram(options) => demo::program::run(&options, output),
    }
}
