//! `image migrate`.

mod answers;
mod questions;
mod refusal;
mod to;

use std::path::PathBuf;

use crate::failure::{Exit, Failure};
use crate::output::Output;

/// What `image migrate` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A heap file
    #[arg(value_name = "HEAP")]
    heap: PathBuf,
    /// Whose types the records are to have: a program that calls heap::answer, or a schema.json
    #[arg(long, value_name = "PROGRAM")]
    to: PathBuf,
    /// Only print the plan
    #[arg(long, conflicts_with = "check")]
    plan: bool,
    /// Only tell whether there is anything to do
    #[arg(long)]
    check: bool,
    /// Ask nothing; what is not answered is refused
    #[arg(long)]
    yes: bool,
    /// Where answers are kept [default: migrations/OLD-NEW.toml]
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
}

/// Migrates the heap, or tells what that would do.
pub(crate) fn run(options: &Options, output: &mut Output) -> Result<Exit, Failure> {
    to::run(options, &options.to, output)
}
