//! A memory-mapped persistent heap of typed records.
#![deny(unsafe_code)]

#[cfg(all(feature = "arena", target_os = "linux"))]
pub mod control;
mod error;
pub mod format;
pub mod read;
pub mod storage;
pub mod verify;

pub use error::{Corruption, Error, Place, RecordName, Result};
