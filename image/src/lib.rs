//! What travels: images of heaps, made, verified, looked into and exported.
//!
//! Files are read by checked reads only; a file that somebody else may change is never mapped.

#![forbid(unsafe_code)]

#[cfg(feature = "dump")]
mod dump;
mod error;
pub mod export;
pub mod inspect;
pub mod manifest;
mod open;
mod output;
#[cfg(test)]
mod sample;
mod seal;
mod verify;
mod write_behind;

#[cfg(feature = "dump")]
pub use dump::{DumpOptions, DumpSource, Dumped, Held, Secrets, dump, secret_fields};
pub use error::{Error, Result};
pub use open::open_file;
pub use output::{OutputFile, Replace};
pub use seal::{SealOptions, Sealed, seal};
pub use verify::{FileReport, verify_file};
