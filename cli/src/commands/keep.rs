//! `image keep`.

use std::path::PathBuf;

use serde::Serialize;

use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::figures;
use crate::library;
use crate::output::Output;

/// What `image keep` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A heap that no program has open
    #[arg(value_name = "HEAP")]
    file: PathBuf,
}

/// What was given up.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The file.
    pub(crate) file: String,
    /// The commit that did it; null when there was no way back.
    pub(crate) sequence: Option<u64>,
    /// Bytes of the file that were kept, and are free now.
    pub(crate) bytes: u64,
}

/// Gives up the way back.
pub(crate) fn run(options: &Options, output: &mut Output) -> Result<Exit, Failure> {
    library::keep(&options.file)?.print(output)?;
    Ok(Exit::Done)
}

impl Report {
    fn print(&self, output: &mut Output) -> Result<(), Failure> {
        if output.is_json() {
            return output.json(self);
        }
        let file = visible(&self.file);
        match self.sequence {
            None => output.line(format_args!("{file} keeps nothing: there was no way back to give up")),
            Some(sequence) => output.line(format_args!(
                "{file}: {} of before the migration are free; there is no way back from commit {}",
                figures::size(self.bytes),
                figures::count(sequence),
            )),
        }
    }
}
