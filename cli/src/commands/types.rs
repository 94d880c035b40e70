//! `image types`.

use std::path::PathBuf;

use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::figures;
use crate::library;
use crate::output::Output;
use crate::table::{Align, Table};

/// What `image types` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A heap file or an image
    #[arg(value_name = "HEAP")]
    file: PathBuf,
}

/// The types in a file, the largest first.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// One for each table.
    pub(crate) types: Vec<Row>,
}

/// One type.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// Its declared name.
    pub(crate) name: String,
    /// How many records live.
    pub(crate) count: u64,
    /// Bytes of the records with the texts, lists and maps they own.
    pub(crate) shallow: u64,
    /// Bytes that would be free without them, where that was computed.
    pub(crate) retained: Option<u64>,
}

/// Lists the types.
pub(crate) fn run(options: &Options, output: &mut Output) -> Result<Exit, Failure> {
    library::types(&options.file)?.print(output)?;
    Ok(Exit::Done)
}

impl Report {
    /// As a table or as JSON.
    pub(crate) fn print(&self, output: &mut Output) -> Result<(), Failure> {
        if output.is_json() { output.json(self) } else { output.table(&self.table()) }
    }

    /// As a table; retained sizes only where there are any.
    pub(crate) fn table(&self) -> Table {
        let name = ("TYPE", Align::Left);
        let (count, shallow, retained) =
            (("COUNT", Align::Right), ("SHALLOW", Align::Right), ("RETAINED", Align::Right));
        if self.types.iter().all(|row| row.retained.is_none()) {
            let mut table = Table::new(&[name, count, shallow]);
            for row in &self.types {
                table.row([row.name.clone(), figures::count(row.count), figures::size(row.shallow)]);
            }
            return table;
        }
        let mut table = Table::new(&[name, count, shallow, retained]);
        for row in &self.types {
            let retained = row.retained.map_or_else(|| "-".into(), figures::size);
            table.row([row.name.clone(), figures::count(row.count), figures::size(row.shallow), retained]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_in_their_cell_and_unknown_sizes_are_left_out() {
        let row = |name: &str, count, retained| Row { name: name.into(), count, shallow: 119_957_094, retained };
        let mut report = Report { types: vec![row("Node", 1_000_000, None), row("Us\u{1b}[2J\ner", 1_204, None)] };
        let lines: Vec<String> = report.table().lines().collect();
        let expected = [
            "TYPE                 COUNT  SHALLOW",
            "Node             1,000,000  114 MiB",
            "Us\\u{1b}[2J\\ner      1,204  114 MiB",
        ];
        assert_eq!(lines, expected);
        report.types[0].retained = Some(2048);
        let lines: Vec<String> = report.table().lines().collect();
        assert!(lines[1].ends_with("114 MiB   2.0 KiB") && lines[2].ends_with('-'), "{lines:?}");
    }
}
