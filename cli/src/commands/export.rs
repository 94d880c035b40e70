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
    /// A table of text for one type
    Csv,
    /// A graph for Graphviz
    Dot,
    /// A heap snapshot for the memory panel of Chrome's developer tools
    Heapsnapshot,
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
    /// References in it.
    pub(crate) references: u64,
    /// Texts that were cut, for formats with a limit.
    pub(crate) cut_texts: u64,
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
    output.line(report.summary(options.format))?;
    Ok(Exit::Done)
}

impl Report {
    fn summary(&self, format: Format) -> String {
        let mut parts = vec![
            visible(&self.file),
            figures::size(self.bytes),
            figures::counted(self.records, "record"),
            figures::counted(self.references, "reference"),
        ];
        if self.cut_texts > 0 {
            parts.push(format!("{} cut", figures::counted(self.cut_texts, "text")));
        }
        let next = match format {
            Format::Heapsnapshot => "; open it in Chrome DevTools › Memory › Load profile",
            _ => "",
        };
        format!("{}{next}", parts.join("  "))
    }
}
