//! Figures about an open heap.

use std::sync::PoisonError;

use crate::format::catalog::TableKind;
use crate::shared::Shared;
use crate::sharing::Sharing;
use crate::state::State;

/// Figures about an open heap. Lengths are in bytes. While a transaction runs, those of tables and slots are the ones
/// last asked for before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Length of the used part of the heap file.
    pub file_len: u64,
    /// Length of the log that a recovery would read.
    pub log_len: u64,
    /// Bytes of extents: the memory that tables take.
    pub arena_len: u64,
    /// Bytes of the heap file that are kept for the way back from a migration.
    pub kept_len: u64,
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
        let mut figures = shared.figures.lock().unwrap_or_else(PoisonError::into_inner);
        // A transaction holds the state for as long as it lives, maybe in this very thread.
        if let Ok(state) = shared.state.try_lock() {
            *figures = Self::of_state(&state);
        }
        let mut stats = figures.clone();
        drop(figures);
        shared.add_log_figures(&mut stats);
        stats
    }

    fn of_state(state: &State) -> Self {
        let mut stats = Self { sequence: state.sequence, file_len: state.catalog.file.end(), ..Self::default() };
        stats.kept_len = state.sharing.as_deref().map_or(0, Sharing::kept_len);
        for table in &state.catalog.tables {
            stats.arena_len += table.bytes;
            stats.slots_live += table.entry.live;
            stats.slots_free += table.entry.used - table.entry.live;
            if matches!(table.entry.kind, TableKind::Records(_)) {
                stats.records += table.entry.live;
            }
        }
        stats
    }
}
