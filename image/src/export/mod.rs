//! Heaps as JSON: one object, or a line for each record.
//!
//! Written as a stream: memory does not grow with the heap. Values owned by values are written with a stack of their
//! own, so that no depth of nesting overruns the thread's.

mod json;

use std::io::Write;

use crate::error::{Error, Result};
use crate::inspect::View;

pub use json::{write_record, write_value};

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One object: `{"roots": {…}, "records": {"Node": [{…}, …]}}`.
    Json,
    /// A line for each record: `{"$id":"Node#17","$type":"Node",…}`.
    JsonLines,
}

/// Writes all live records.
///
/// A reference is `{"$ref":"Node#17"}`, or `{"$ref":null,"$gone":"Node#17"}` when its record is gone; bytes are
/// `{"$bytes":"00ff"}`; a map is `{"$map":[[key,value],…]}`; what is marked secret is `{"$secret":true}`; a variant
/// with fields is `{"$variant":"Named",…}`, one without a string; integers of 128 bits
/// and floats that JSON has not are strings.
///
/// # Errors
/// When a value cannot be read, or writing fails. Verify a file of doubtful origin first: damage shows in the middle
/// of the output otherwise.
pub fn export<W: Write>(view: &View<'_>, format: Format, out: &mut W) -> Result<()> {
    match format {
        Format::Json => export_object(view, out),
        Format::JsonLines => {
            for summary in view.types().collect::<Vec<_>>() {
                for record in view.records(summary.table) {
                    write_record(view, &record?, out)?;
                    out.write_all(b"\n").map_err(Error::writing)?;
                }
            }
            Ok(())
        }
    }
}

fn export_object<W: Write>(view: &View<'_>, out: &mut W) -> Result<()> {
    out.write_all(b"{\"roots\":{").map_err(Error::writing)?;
    for (position, (name, reference)) in view.roots().enumerate() {
        if position > 0 {
            out.write_all(b",").map_err(Error::writing)?;
        }
        json::write_string(name, out)?;
        out.write_all(b":").map_err(Error::writing)?;
        json::write_reference(view, reference, out)?;
    }
    out.write_all(b"},\"records\":{").map_err(Error::writing)?;
    for (position, summary) in view.types().enumerate() {
        if position > 0 {
            out.write_all(b",").map_err(Error::writing)?;
        }
        json::write_string(summary.name, out)?;
        out.write_all(b":[").map_err(Error::writing)?;
        for (number, record) in view.records(summary.table).enumerate() {
            out.write_all(if number > 0 { b",\n" } else { b"\n" }).map_err(Error::writing)?;
            write_record(view, &record?, out)?;
        }
        out.write_all(b"]").map_err(Error::writing)?;
    }
    out.write_all(b"}}\n").map_err(Error::writing)
}
