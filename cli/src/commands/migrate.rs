//! `image migrate`.

mod answers;
mod estimate;
mod questions;
mod refusal;
mod to;

use std::path::PathBuf;

use clap::ArgGroup;
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::figures;
use crate::library;
use crate::output::Output;

/// What `image migrate` takes.
// They are the flags of a command line, each independent of the others.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("wish").required(true).args(["to", "rollback"])))]
pub(crate) struct Options {
    /// A heap that no program has open
    #[arg(value_name = "HEAP")]
    file: PathBuf,
    /// Whose types the records are to have: a program that answers, or a schema.json
    #[arg(long, value_name = "PROGRAM")]
    to: Option<PathBuf>,
    /// The newer program that the heap was written by, whose `down` hooks lead back to --to
    #[arg(long, requires = "to", value_name = "PROGRAM")]
    with: Option<PathBuf>,
    /// Only print the plan
    #[arg(long, requires = "to", conflicts_with = "check")]
    plan: bool,
    /// Only tell whether there is anything to do
    #[arg(long, requires = "to")]
    check: bool,
    /// Ask nothing; what is not answered is refused
    #[arg(long, requires = "to")]
    yes: bool,
    /// Where answers are kept [default: migrations/OLD-NEW.toml]
    #[arg(long, requires = "to", value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Undo the last migration; possible until the way back is given up with keep
    #[arg(long)]
    rollback: bool,
    /// Lose the commits that were made since: exactly so many
    #[arg(long, requires = "rollback", value_name = "N", default_value_t = 0, hide_default_value = true)]
    lose_commits: u64,
}

/// A migration that was undone.
#[derive(Debug, Serialize)]
pub(crate) struct RolledBack {
    /// The file.
    pub(crate) file: String,
    /// Fingerprint of the schema that the migration had led to, in hexadecimal digits.
    pub(crate) from: String,
    /// Fingerprint of the schema that the heap has again.
    pub(crate) to: String,
    /// The commit that did it.
    pub(crate) sequence: u64,
    /// The commit whose state the heap has again.
    pub(crate) as_of: u64,
    /// How many commits that were made since the migration are lost.
    pub(crate) lost: u64,
    /// How long it took.
    pub(crate) seconds: f64,
}

/// Migrates, or undoes it.
pub(crate) fn run(options: &Options, output: &mut Output) -> Result<Exit, Failure> {
    if let Some(to) = &options.to {
        return to::run(options, to, output);
    }
    library::rollback(&options.file, options.lose_commits)?.print(output)?;
    Ok(Exit::Done)
}

impl RolledBack {
    fn print(&self, output: &mut Output) -> Result<(), Failure> {
        if output.is_json() {
            return output.json(self);
        }
        let lost = match self.lost {
            0 => "0 commits were made since, none lost".to_owned(),
            1 => "1 commit was made since, and is lost".to_owned(),
            lost => format!("{} commits were made since, and are lost", figures::count(lost)),
        };
        output.line(format_args!(
            "rolled back to {} (commit {}) in {:.0} ms; {lost}",
            &self.to[..8],
            figures::count(self.as_of),
            self.seconds * 1000.0,
        ))
    }
}
