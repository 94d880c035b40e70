//! Looking at everything in a file.

use std::io;

use heap::read::{Reader, Source};
use image::Result;
use image::export::{Format, export};
use image::inspect::{Path, View};

/// Shows and measures every record, follows every root, goes some ways. Errors are answers.
pub fn everywhere(view: &View<'_>) {
    for summary in view.types().collect::<Vec<_>>() {
        let _ = view.table_sizes(summary.table);
        for (number, record) in view.records(summary.table).enumerate() {
            if let Ok(record) = record {
                let _ = view.show(&record);
            }
            let _ = view.record_sizes(summary.table, number as u64);
        }
    }
    for (_, reference) in view.roots() {
        let _ = (view.name(reference), view.follow(reference));
    }
    for path in [".board.tasks[1].owner.name", ".board.title", "Task#0.sizes[1]", "Index#0.by_name", ".index.by_number"]
    {
        let _ = view.find(&path.parse::<Path>().expect("the path is one"));
    }
}

/// Exports everything in both formats.
///
/// # Errors
/// As of the export.
pub fn exported<S: Source>(reader: &Reader<S>) -> Result<()> {
    let view = View::of_reader(reader)?;
    export(&view, Format::Json, &mut io::sink())?;
    export(&view, Format::JsonLines, &mut io::sink())
}
