//! The bytes of a heap file and its log. Nothing outside this module knows an offset inside a file structure.
//!
//! ```text
//! block 0              headers A (offset 0) and B (offset 4096), one page each     -> header
//! block 1              the catalog root                                           -> catalog
//! further blocks       catalog streams and extents, in any order
//! end (images only)    manifest and trailer                                       -> manifest
//! ```
//!
//! All numbers are little-endian; record bytes are in the byte order that the header names.
//! Bytes without a meaning are zero and are checked to be zero.

pub mod catalog;
pub mod frame;
pub mod handle;
pub mod header;
pub mod history;
pub mod slot;

mod bytes;

/// Length of a block, the unit of allocation and of checksums, in bytes.
pub const BLOCK: u64 = 16 * 1024;

/// Bytes of slots that a region holds when it is made, and the length of a full extent.
pub const REGION: u64 = 2 * 1024 * 1024;

/// Number of regions a handle can name.
pub const MAX_REGIONS: u32 = 1 << 20;

/// Rounds `len` up to whole blocks.
pub const fn whole_blocks(len: u64) -> u64 {
    len.next_multiple_of(BLOCK)
}
