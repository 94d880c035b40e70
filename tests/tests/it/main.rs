//! Tests of the whole system, in one binary.

mod format_doc;
mod harness;
mod images;
mod kill;
mod live_dump;
