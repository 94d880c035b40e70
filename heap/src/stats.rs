//! Figures about an open heap.

use crate::format::catalog::TableKind;
use crate::shared::Shared;

/// Figures about an open heap, all at one moment. Lengths are in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Length of the used part of the heap file.
    pub file_len: u64,
    /// Length of the log that a recovery would read.
    pub log_len: u64,
    /// Bytes of extents: the memory that tables take.
    pub arena_len: u64,
    /// Live records.
    pub records: u64,
    /// Slots that live, of all kinds.
    pub slots_live: u64,
    /// Slots that are free.
    pub slots_free: u64,
    /// Sequence of the last commit.
    pub sequence: u64,
    /// Sequence of the last commit that survives a power cut.
    pub durable_sequence: u64,
    /// Sequence of the last commit that the heap file holds.
    pub checkpoint_sequence: u64,
    /// Syncs of the log since the heap was opened.
    pub syncs: u64,
    /// Nanoseconds spent in them.
    pub sync_nanoseconds: u64,
}

impl Stats {
    pub(crate) fn of(shared: &Shared) -> Self {
        let mut stats = Self::default();
        {
            let state = shared.state();
            stats.sequence = state.sequence;
            stats.file_len = state.catalog.file.end();
            for table in &state.catalog.tables {
                stats.arena_len += table.bytes;
                stats.slots_live += table.entry.live;
                stats.slots_free += table.entry.used - table.entry.live;
                if matches!(table.entry.kind, TableKind::Records(_)) {
                    stats.records += table.entry.live;
                }
            }
        }
        shared.add_log_figures(&mut stats);
        stats
    }
}
