//! The hash map, as code over the bytes of its buffer.
//!
//! Entries lie in *groups* of seven. A group has a control word that says what is in it. All control words lie at the
//! front of the buffer, where a miss reads nothing else and they stay in the processor's caches.
//!
//! | OFFSET | SIZE | MEANING |
//! |--------|------|---------|
//! | 8 × group | 7 | control bytes of slots 0 to 6: 0 for a free slot, else 0x80 and the tag of the entry's key |
//! | 8 × group + 7 | 1 | passed: how many entries live further on though their keys' path came through this group |
//! | entries + (7 × group + slot) × stride | stride | the slot: an entry, or zeros |
//!
//! `entries` is the end of the control words, rounded up to the entry's alignment. In an entry the key is at 0 and the
//! value behind it at the next multiple of its alignment; the stride is the end of the value rounded up to the
//! alignment of both. Keys and values lie there as a record would hold them, control words as bytes whose order does
//! not depend on the machine. All bytes that hold no entry and no control byte are zero, slack behind the last slot
//! included.
//!
//! | LOGARITHM IN THE HEADER | GROUPS | ENTRIES AT MOST |
//! |-------------------------|--------|-----------------|
//! | 0 | no buffer | 0 |
//! | 2 | one, with 4 slots only | 4 |
//! | 3 | one | 7 |
//! | n ≥ 4 | 2^(n−3) | 6 × 2^(n−3) |
//!
//! The *hash* of a key is 64 bits, see [`crate::key`]. Its *tag* is the upper 7 bits. Its *path* begins at the group
//! given by the lower bits and goes on in steps of `2 × tag + 1` groups, round the end; it ends after all groups or
//! after [`PATH`] of them. A key lives in a free slot of the first group of its path that had one, and each full group
//! before counts it in `passed`. So a look-up may stop at the first group whose `passed` is 0, and a removal zeroes
//! the entry and takes the counts back: no tombstones, nothing moves, and what was never there leaves no trace.
//!
//! A map grows to twice its groups when it is full, or when a key finds no room on its path or `passed` would exceed
//! 255. The latter two do not happen by chance. Who knows the hash key can bring them about, so they are refused once
//! they would make a map that is less than a [`SPARSEST`]th full.

#[cfg(feature = "arena")]
mod handle;
mod held;
mod layout;
mod table;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use held::{entry_range, handles};
#[cfg(test)]
pub(crate) use layout::next_entry;
pub(crate) use layout::{MapHeader, MapKind, entries};
#[cfg(test)]
pub(crate) use table::clear;
pub(crate) use table::{Entry, Inserted, find, insert, remove, shrink};
pub(crate) use verify::{verify_buffer, zero};

/// The most groups that a key's path visits.
pub(crate) const PATH: usize = 64;
/// A map whose keys crowd grows as long as its capacity is at most so many times its count.
pub(crate) const SPARSEST: u64 = 32;
