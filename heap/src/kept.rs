//! The way back from a migration: the catalog before it, and the extents that only that one names.
//!
//! A migration changes a heap in memory and writes nothing in place. Its commit gives every extent that it changed other
//! room in the file, writes it there as a whole, and names it in one frame together with the streams of the catalog.
//! The room that the extents had stays taken, and the history says what the catalog was. So the way back is a commit of
//! the same kind, which writes the old streams and no extent at all.
//!
//! Later commits go on in place, but not in an extent that both catalogs name. The first one that changes anything in such
//! an extent moves it as the migration would have: written as a whole to other room and synced, and then named by the
//! frame. No frame of the log from the migration's on names room that is kept, so nothing that is folded into the file
//! touches it, whenever that is done and however often; and until a checkpoint holds the commit that gives the way back
//! up, nobody else gets it. So the way back is there after any number of commits, and leads to the same state.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use migrate::Registry;

use crate::announce;
use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::format::catalog::ExtentEntry;
use crate::format::header::ByteOrder;
use crate::format::history::{History, Kept, MAX_HISTORY, Receipt, ReceiptKind};
use crate::open::Door;
use crate::planted::planted;
use crate::raw::Writing;
use crate::shared::Shared;
use crate::sharing::Places;
use crate::state::State;
use crate::storage::{File, Storage};
use crate::transaction::Durability;

/// The catalog as it is in the file, before a migration touched anything.
#[derive(Debug)]
pub(crate) struct Before {
    byte_order: Option<ByteOrder>,
    tables: Vec<u8>,
    extents: Vec<u8>,
    roots: Vec<u8>,
    registry: Vec<u8>,
    /// Length of each extent by its offset in the file.
    runs: BTreeMap<u64, u64>,
}

impl Before {
    /// The catalog of a heap that was just opened, and its registry. Later there may be extents, tables and shapes that
    /// no commit has written yet.
    pub(crate) fn of(catalog: &Catalog, registry: &Registry) -> Self {
        Self {
            byte_order: catalog.byte_order(),
            tables: catalog.tables.iter().flat_map(|table| table.entry.to_bytes()).collect(),
            extents: catalog.extents().iter().flat_map(ExtentEntry::to_bytes).collect(),
            roots: catalog.root_entries().flatten().collect(),
            registry: registry.to_archive(),
            runs: catalog
                .extents()
                .iter()
                .filter(|extent| extent.len > 0)
                .map(|extent| (extent.at, extent.len))
                .collect(),
        }
    }
}

/// What a migration's commit is told besides what the transaction knows.
#[derive(Debug)]
pub(crate) struct Flip {
    /// The catalog before anything was changed.
    pub(crate) before: Before,
    /// Numbers of the extents whose memory was changed past the transaction. Those that it wrote to, those that have
    /// another length than before, and those that are new need not be named.
    pub(crate) replaced: Vec<u32>,
    /// What is remembered of the migration; kind and sequence are filled in.
    pub(crate) receipt: Receipt,
}

impl Flip {
    /// Gives every extent that is changed other room in the file, and notes the room it had, and the catalog before, as
    /// kept. What an earlier migration kept is given up.
    ///
    /// Ownership is settled. On an error everything is as it was.
    pub(crate) fn apply(self, state: &mut State, shared: &Shared, raw: &Writing<'_>) -> Result<()> {
        let Self { before, replaced, receipt } = self;
        let extents = (0..).zip(state.catalog.extents()).filter(|(_, extent)| extent.len > 0);
        let mut numbers = Places::of(extents).touched(state, raw);
        numbers.extend(replaced);
        for (number, extent) in (0..).zip(state.catalog.extents()) {
            if before.runs.get(&extent.at) != Some(&extent.len) {
                numbers.insert(number);
            }
        }
        // What no commit has published yet has room of its own.
        numbers.retain(|number| !state.fresh_extents.contains(number));
        numbers.retain(|&number| state.catalog.extents()[number as usize].len > 0);
        let history = history(state, before, receipt)?;
        give_other_room(state, shared, &numbers)?;
        state.catalog.set_history(history);
        Ok(())
    }
}

/// Before a transaction's changes become operations: extents that it changes, and that the kept catalog names as well,
/// get other room in the file.
///
/// Ownership is settled. On an error everything is as it was.
pub(crate) fn leave_shared_room(state: &mut State, shared: &Shared, raw: &Writing<'_>) -> Result<()> {
    let Some(sharing) = &state.sharing else { return Ok(()) };
    let numbers = sharing.touched(state, raw);
    if numbers.is_empty() || planted!(shared.storage, SharedExtentsWrittenInPlace) {
        return Ok(());
    }
    give_other_room(state, shared, &numbers)
}

/// Gives extents other room in the file, or, where there is none for all of them, leaves everything as it was. The commit
/// writes them there.
fn give_other_room(state: &mut State, shared: &Shared, numbers: &BTreeSet<u32>) -> Result<()> {
    let placed = take_room(state, &*shared.storage, numbers).map_err(|error| shared.no_room(error))?;
    for (number, at) in placed {
        let extent = state.catalog.extents()[number as usize];
        state.catalog.set_extent(number, ExtentEntry { at, ..extent });
        state.replaced.push((number, extent));
    }
    state.map_file_anew();
    Ok(())
}

/// When something happens, and who does it.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    /// Milliseconds since 1970.
    pub(crate) time: u64,
    /// The program and its build.
    pub(crate) program: String,
}

impl Moment {
    /// This program, now.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { time: u64::try_from(since.as_millis()).unwrap_or(u64::MAX), program: announce::program_name() }
    }

    /// The receipt of what happens, without types.
    pub(crate) fn receipt(self, kind: ReceiptKind, sequence: u64, from: [u8; 16], to: [u8; 16]) -> Receipt {
        let (time, program) = (self.time, self.program);
        Receipt { kind, sequence, time, from, to, byte_order: None, program, types: Vec::new() }
    }
}

/// Gives up the way back in one commit; none, when nothing is kept.
pub(crate) fn keep(shared: &Shared, moment: Moment, durability: Durability) -> Result<()> {
    let mut tx = shared.write(None)?;
    let state = &mut *tx.state;
    let Some(sharing) = &state.sharing else { return Ok(()) };
    if planted!(shared.storage, KeptRunsReusedAtOnce) {
        sharing.only_kept().for_each(|(at, len)| state.catalog.file.give_up(0, at, len));
        state.catalog.file.release(0);
    }
    let history = given_up(state.catalog.history(), moment, state.sequence + 1);
    state.catalog.set_history(history);
    tx.commit_with(durability).map(|_| ())
}

/// The history after the commit that gives up the way back.
pub(crate) fn given_up(history: &History, moment: Moment, sequence: u64) -> History {
    let mut history = history.without_kept();
    let migrated = history.receipts.iter().rfind(|receipt| receipt.kind == ReceiptKind::Migrated);
    let (from, to) = migrated.map_or_else(Default::default, |migrated| (migrated.from, migrated.to));
    history.receipts.push(moment.receipt(ReceiptKind::Kept, sequence, from, to));
    history
}

/// The history after the flip.
fn history(state: &State, before: Before, receipt: Receipt) -> Result<History> {
    let sequence = state.sequence + 1;
    let Before { byte_order, tables, extents, roots, registry, .. } = before;
    let kept = Kept { sequence, byte_order, tables, extents, roots, registry };
    let mut receipts = state.catalog.history().receipts.clone();
    receipts.push(Receipt { kind: ReceiptKind::Migrated, sequence, ..receipt });
    checked(History { receipts, kept: Some(kept) })
}

/// A history that is not too long to be read again.
pub(crate) fn checked(history: History) -> Result<History> {
    let len = history.to_bytes().len() as u64;
    if len > MAX_HISTORY {
        return Err(Error::TooLong { what: "the history of migrations", len, max: MAX_HISTORY });
    }
    Ok(history)
}

/// Room for all of these extents, or for none.
fn take_room(state: &mut State, storage: &dyn Storage, numbers: &BTreeSet<u32>) -> io::Result<Vec<(u32, u64)>> {
    let mut placed = Vec::with_capacity(numbers.len());
    for &number in numbers {
        let len = state.catalog.extents()[number as usize].len;
        match state.catalog.file.take(storage, len) {
            Ok(at) => placed.push((number, at)),
            Err(error) => {
                for (number, at) in placed {
                    let len = state.catalog.extents()[number as usize].len;
                    state.catalog.file.give_up(0, at, len);
                }
                state.catalog.file.release(0);
                return Err(error);
            }
        }
    }
    Ok(placed)
}

/// Where the memory of extents shows the file, it shows their new room from now on: the old one may be given up and
/// written to. Both hold the same bytes as the memory.
pub(crate) fn show_new_room(state: &State, shared: &Shared) -> Result<()> {
    if shared.door != Door::Mapped {
        return Ok(());
    }
    let file = shared.storage.descriptor(File::Base).ok_or(Error::NoDisk)?;
    for &(number, _) in &state.replaced {
        let extent = state.catalog.extents()[number as usize];
        let at = shared.space.region_at(extent.region) + u64::from(extent.offset);
        let mapped = shared.space.arena().map_file(at, extent.len, file, extent.at);
        mapped.map_err(|source| Error::Io { action: "map the heap file".into(), source })?;
    }
    Ok(())
}
