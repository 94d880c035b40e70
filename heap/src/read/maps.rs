//! Looking into the buffers of maps, whose layouts are described beside the code that writes them.

use std::alloc::Layout;

use migrate::{ByteOrder, EntryProgram};

use super::damaged;
use crate::error::{Place, Result};
use crate::map::{MapHeader, MapKind, entries};
use crate::sorted::{SortedKind, look};

/// Alignment of the contents of a map's buffers.
pub fn contents_align(entry: &EntryProgram) -> u64 {
    entry.layout.align.max(8)
}

/// Offsets of each key and its value in the contents of a hash map's buffer, in the order of their buckets; `log2` is
/// the binary logarithm of the bucket count from the map's slot.
///
/// # Errors
/// When the contents cannot be a map's.
pub fn hash_entries(entry: &EntryProgram, log2: u64, contents: &[u8]) -> Result<Vec<(usize, usize)>> {
    // Each bucket has a control byte.
    if log2 >= 63 || 1 << log2 > contents.len() as u64 {
        return Err(damaged(Place::Offset(0), "a map has more buckets than its buffer bytes"));
    }
    let kind = MapKind::new(0, layout(&entry.key)?, layout(&entry.value)?);
    let header = MapHeader { count: 0, buffer: 1, log2 };
    let value_at = entry.layout.value_at as usize;
    Ok(entries(&kind, &header, contents)?.map(|at| (at, at + value_at)).collect())
}

/// A node of a sorted map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortedNode {
    /// 0 for a leaf; a child's is one less.
    pub level: usize,
    /// Offsets of each key and its value in the node's contents, in ascending order of the keys.
    pub entries: Vec<(usize, usize)>,
    /// Handles of an inner node's children: one before each entry, and one behind the last.
    pub children: Vec<u64>,
}

impl SortedNode {
    /// Takes the contents of a node apart.
    ///
    /// # Errors
    /// When they cannot be a node's.
    pub fn parse(entry: &EntryProgram, order: ByteOrder, contents: &[u8]) -> Result<Self> {
        let kind = SortedKind::new(0, layout(&entry.key)?, layout(&entry.value)?);
        match look(&kind, order, contents) {
            Some(parts) => Ok(Self { level: parts.level, entries: parts.entries, children: parts.children }),
            None => Err(damaged(Place::Offset(0), "a buffer is no node of a sorted map")),
        }
    }
}

fn layout(program: &migrate::Program) -> Result<Layout> {
    Layout::from_size_align(program.size(), program.align())
        .map_err(|_| damaged(Place::Offset(0), "a map's key or value has no layout"))
}
