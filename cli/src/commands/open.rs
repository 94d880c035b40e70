//! `image open`: what a colleague sees first.

use std::path::PathBuf;

use serde::Serialize;

use crate::commands::{info, types};
use crate::escape::{quoted, visible};
use crate::failure::{Exit, Failure};
use crate::library;
use crate::output::Output;

/// What `image open` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A heap file or an image
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// What the file is and what types it holds.
#[derive(Debug, Serialize)]
struct Summary {
    info: info::Report,
    types: types::Report,
}

/// Prints the summary.
pub(crate) fn run(options: &Options, output: &mut Output) -> Result<Exit, Failure> {
    let summary = Summary { info: library::info(&options.file)?, types: library::types(&options.file)? };
    summary.print(output)?;
    Ok(Exit::Done)
}

impl Summary {
    fn print(&self, output: &mut Output) -> Result<(), Failure> {
        if output.is_json() {
            return output.json(self);
        }
        output.line(self.info.headline())?;
        output.table(&self.types.table())?;
        for root in &self.info.roots {
            output.line(format_args!("root {} is {}", quoted(&root.name, 64), visible(&root.record)))?;
        }
        let Some(root) = self.info.roots.first() else { return Ok(()) };
        let file = visible(&self.info.file);
        output.line(format_args!("look closer: image show {file} '{}'", visible(&root.record)))
    }
}
