//! A memory-mapped persistent heap of typed records.
#![deny(unsafe_code)]

#[cfg(feature = "arena")]
#[allow(dead_code, reason = "the arena's maps are made of it")]
mod buffers;
mod error;
pub mod format;
#[cfg(feature = "arena")]
#[allow(dead_code, reason = "the arena's maps are made of it")]
mod key;
#[cfg(feature = "arena")]
#[allow(dead_code, unused_imports, reason = "the arena's maps are made of it")]
mod map;
#[cfg(feature = "arena")]
#[allow(dead_code, unused_imports, reason = "the arena's maps are made of it")]
mod sorted;
pub mod storage;

pub use error::{Corruption, Error, Place, RecordName, Result};
