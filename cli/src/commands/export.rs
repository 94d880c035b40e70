//! `image export`.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use crate::commands::dump::refuse_existing;
use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::figures;
use crate::library;
use crate::output::Output;

/// What `image export` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A heap file or an image
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The format to write
    #[arg(long)]
    pub(crate) format: Format,
    /// Where it goes
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Replace the output file if it exists, in one step, once the new one is whole
    #[arg(long)]
    pub(crate) force: bool,
}

/// What records can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON object
    Json,
    /// One JSON object a line for each record
    Jsonl,
}

/// What was written.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The file.
    pub(crate) file: String,
    /// Its length in bytes.
    pub(crate) bytes: u64,
    /// Records in it.
    pub(crate) records: u64,
}

/// Writes the file.
pub(crate) fn run(options: &Options, output: &mut Output) -> Result<Exit, Failure> {
    if !options.force {
        refuse_existing(&options.output)?;
    }
    let report = library::export(options)?;
    if output.is_json() {
        output.json(&report)?;
        return Ok(Exit::Done);
    }
    let (size, records) = (figures::size(report.bytes), figures::counted(report.records, "record"));
    output.line(format_args!("{}  {size}  {records}", visible(&report.file)))?;
    Ok(Exit::Done)
}
