//! The sorted map, as code over the bytes of its nodes.
//!
//! A map is a B-tree: every entry lies in exactly one node, inner nodes included, so that a key that owns a text is
//! stored once. A node is a buffer:
//!
//! | OFFSET | SIZE | MEANING |
//! |--------|------|---------|
//! | 0 | 2 | number of entries |
//! | 2 | 1 | level: 0 for a leaf, one more than its children's for an inner node |
//! | 3 | 1 | form: 1 for a small leaf, else 0 |
//! | 4 | 4 | zero |
//! | keys | capacity × key size | the keys, strictly ascending |
//! | values | capacity × value size | the value of each key |
//! | children | (capacity + 1) × 8 | inner nodes only: handles of nodes. Child `n` holds what is less than key `n` and greater than key `n − 1` |
//!
//! Each part begins where the one before ends, rounded up to its alignment. Numbers, keys, values and handles lie there
//! as records hold them. Keys, values and children beyond the count are zero, and so is everything else that is not in
//! the table.
//!
//! The *capacity* of a form is the most entries with which a node has [`NODE`] bytes or fewer, but at least
//! [`LEAST_CAPACITY`]; inner nodes hold fewer than leaves, because of the children. A map of four entries or fewer that
//! has never been larger is one *small leaf*, of capacity [`SMALL_CAPACITY`].
//!
//! The header says how many levels there are; all leaves are on level 0. The root has at least one entry, any other
//! node at least (capacity − 1) / 2. Nodes on the right edge may have fewer, but one at least: a full node at the right
//! end splits off only what is appended, so that ascending insertions leave full nodes behind.
//!
//! With two entries or more in each node a tree of [`MAX_HEIGHT`] levels would not fit any arena.

mod cursor;
#[cfg(feature = "arena")]
mod entries;
#[cfg(feature = "arena")]
mod handle;
mod held;
mod insert;
mod look;
mod node;
mod remove;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use cursor::Range;
#[cfg(feature = "arena")]
pub use entries::{Entries, SortedCursor};
#[cfg(feature = "arena")]
pub(crate) use held::{NodeParts, parts};
pub(crate) use held::{handles, value_range};
pub(crate) use insert::{Inserted, insert};
pub(crate) use look::look;
pub(crate) use node::{Entry, SortedHeader, SortedKind, find};
#[cfg(test)]
pub(crate) use remove::clear;
pub(crate) use remove::remove;
pub(crate) use verify::verify_tree;

/// Length of a node in bytes, which fills a slot of its size class. Larger nodes read faster (by a tenth at 1016), and
/// smaller ones write less for each insertion.
pub(crate) const NODE: usize = 760;
/// The fewest entries a node has room for, small leaves aside.
pub(crate) const LEAST_CAPACITY: usize = 6;
/// Entries of a small leaf.
pub(crate) const SMALL_CAPACITY: usize = 4;
/// The most levels.
pub(crate) const MAX_HEIGHT: usize = 24;
