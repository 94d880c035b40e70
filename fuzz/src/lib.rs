//! What the fuzz targets share.
//!
//! A target's law is always the same: whatever the bytes are, a reader answers with an error or with what they say.
//! It does not panic, it takes no more memory than the input deserves, and it comes to an end.
//!
//! Checksums would stop nearly every input at the door. So targets that read checksummed files compute them anew
//! after the input has had its way: the damage that is left is that of somebody who can compute them as well.

pub mod descriptors;
pub mod disk;
pub mod look;
pub mod patch;
#[path = "../../image/src/sample.rs"]
mod sample;
pub mod samples;
#[path = "../../heap/tests/foreign/turned.rs"]
mod turned;
