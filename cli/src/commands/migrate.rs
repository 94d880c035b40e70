//! `image migrate`.

use std::path::PathBuf;

use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::figures;
use crate::library;
use crate::output::Output;

/// What `image migrate` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A heap that no program has open
    #[arg(value_name = "HEAP")]
    file: PathBuf,
    /// Undo the last migration; possible while no commit was made since
    #[arg(long, required = true)]
    rollback: bool,
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
    /// How long it took.
    pub(crate) seconds: f64,
}

/// Migrates, or undoes it.
pub(crate) fn run(options: &Options, output: &mut Output) -> Result<Exit, Failure> {
    debug_assert!(options.rollback, "nothing else can be asked for");
    library::rollback(&options.file)?.print(output)?;
    Ok(Exit::Done)
}

impl RolledBack {
    fn print(&self, output: &mut Output) -> Result<(), Failure> {
        if output.is_json() {
            return output.json(self);
        }
        output.line(format_args!(
            "rolled back to {} (commit {}) in {:.0} ms; 0 commits were made since, none lost",
            &self.to[..8],
            figures::count(self.as_of),
            self.seconds * 1000.0,
        ))
    }
}
