//! Reading heaps without trusting them, on any machine.
//!
//! A [`Source`] is a file or bytes in memory. An [`Overlay`] lays a log's operations over it. The [`Catalog`] says
//! what lies where, and is checked whole before anything it says is used. A [`Reader`] puts these together and hands
//! out extents, their checksums checked; [`Loaded`] is all of them in memory, as the arena is.
//! What the bytes of the regions mean is for [`verify`](crate::verify) to judge.

mod blocks;
mod catalog;
mod loaded;
pub mod maps;
mod overlay;
mod reader;
mod source;

#[cfg(any(test, feature = "fixture"))]
pub mod fixture;

pub use blocks::BlockSums;
pub use catalog::{Catalog, Extent, Region, Root, Table};
pub use loaded::{Loaded, Regions};
pub use overlay::Overlay;
pub use reader::{Checks, Reader, Shown, read_header};
pub use source::Source;

use crate::error::{Corruption, Error, Place};
use crate::format::header;

impl From<header::ByteOrder> for migrate::ByteOrder {
    fn from(order: header::ByteOrder) -> Self {
        match order {
            header::ByteOrder::Little => Self::Little,
            header::ByteOrder::Big => Self::Big,
        }
    }
}

/// Damage, in words.
pub(crate) fn damaged(at: Place, what: impl Into<String>) -> Error {
    Error::Corrupt { at, what: Corruption::Structure(what.into()) }
}

/// Damage of a catalog entry, in words.
pub(crate) fn damaged_entry(structure: &'static str, index: u64, what: impl Into<String>) -> Error {
    damaged(Place::Catalog { structure, index }, what)
}
