//! Rolling a migration back: one commit, whose frame holds the catalog's streams as they were.
//!
//! It is made on the files, with nothing else alive. What the heap will be is read and verified under the operations of
//! the frame before the frame is written.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::checkpoint;
use crate::error::{Error, Result};
use crate::fold::Pace;
use crate::format::BLOCK;
use crate::format::catalog::EXTENT_ENTRY;
use crate::format::frame::operations;
use crate::format::header::LogStart;
use crate::format::history::{History, Kept, Receipt, ReceiptKind};
use crate::kept::{self, Moment};
use crate::open::{self, BaseSource};
use crate::options::Options;
use crate::planted::planted;
use crate::read::{self, Checks, Reader, damaged_entry};
use crate::recover::{self, Recovered};
use crate::storage::real::RealStorage;
use crate::storage::{File, Lock, LockMode, Storage};
use crate::transaction::Sequence;
use crate::verify;

/// A migration that was rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RolledBack {
    /// The commit that did it.
    pub sequence: Sequence,
    /// Fingerprint of the schema that the migration had led to.
    pub from: [u8; 16],
    /// Fingerprint of the schema that the heap has again.
    pub to: [u8; 16],
}

/// Rolls the last migration of a heap back: the heap is what it was before, and remembers both.
///
/// No process may have the heap open. It is possible until [`Heap::keep`](crate::Heap::keep), and as long as no commit
/// was made since the migration.
///
/// # Errors
/// [`Error::MovedOn`] when commits were made since the migration, [`Error::NothingKept`] when there is no way back:
/// nothing was changed. Else as [`Heap::open`](crate::Heap::open).
pub fn rollback(path: impl AsRef<Path>) -> Result<RolledBack> {
    rollback_with(path, &Options::default())
}

/// Rolls the last migration of a heap back as [`rollback`] does.
///
/// # Errors
/// As [`rollback`].
pub fn rollback_with(path: impl AsRef<Path>, options: &Options) -> Result<RolledBack> {
    let path = path.as_ref();
    let found = path.canonicalize().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::NotFound { path: path.to_owned() },
        _ => Error::Io { action: format!("find {}", path.display()), source },
    })?;
    let storage: Arc<dyn Storage> = Arc::new(RealStorage::open(&found)?);
    rollback_storage(found, &storage, options, Moment::now())
}

/// Rolls back over a storage that holds a heap's files.
pub(crate) fn rollback_storage(
    path: PathBuf,
    storage: &Arc<dyn Storage>,
    options: &Options,
    moment: Moment,
) -> Result<RolledBack> {
    open::lock(&path, &**storage, options)?;
    let done = rollback_locked(path, storage, options, moment);
    let _ = storage.lock(Lock::Writer, LockMode::Released);
    done
}

fn rollback_locked(path: PathBuf, storage: &Arc<dyn Storage>, options: &Options, moment: Moment) -> Result<RolledBack> {
    open::check_writable(&path, storage)?;
    let recovered = recover::recover(storage, &path, |counter| open::draw_epoch(options, counter))?;
    let reader = Reader::open(BaseSource(storage), &path, Checks::Strict)?;
    let header = reader.header().clone();
    let (kept, receipt) = way_back(path, reader.catalog(), header.sequence)?;
    let receipt = moment.receipt(ReceiptKind::RolledBack, header.sequence + 1, receipt.to, receipt.from);
    let done = RolledBack { sequence: Sequence(receipt.sequence), from: receipt.from, to: receipt.to };
    let mut catalog = open::run_time_catalog(reader.catalog());
    let mut receipts = catalog.history().receipts.clone();
    receipts.push(receipt);
    catalog.set_history(kept::checked(History { receipts, kept: None })?);
    let mut payload = Vec::new();
    catalog
        .write_back(&**storage, done.sequence.0, kept, |operation| operation.encode(&mut payload))
        .map_err(no_room)?;
    check_result(storage, &reader, &payload)?;
    if planted!(storage, NewExtentsFreedEarly) {
        forget_extents(&**storage, &catalog, kept);
    }
    if catalog.file.outgrew_durable_len() {
        let synced = storage.sync(File::Base);
        synced.map_err(|source| Error::Io { action: "sync the heap file".into(), source })?;
    }
    commit(&**storage, recovered, &payload, catalog.file.end())?;
    Ok(done)
}

/// What is kept, and the receipt of the migration, when it can be rolled back without a loss.
fn way_back(path: PathBuf, catalog: &read::Catalog, sequence: u64) -> Result<(&Kept, &Receipt)> {
    let Some(kept) = &catalog.history().kept else { return Err(Error::NothingKept { path }) };
    let migrated = catalog.history().receipts.iter().rfind(|receipt| receipt.sequence == kept.sequence);
    let migrated = migrated.filter(|receipt| receipt.kind == ReceiptKind::Migrated);
    let migrated = migrated.ok_or_else(|| damaged_entry("history", 0, "what is kept has no receipt"))?;
    match sequence.checked_sub(kept.sequence) {
        Some(0) => Ok((kept, migrated)),
        Some(commits) => Err(Error::MovedOn { commits }),
        None => Err(damaged_entry("history", 0, "the migration is a commit that never was")),
    }
}

fn no_room(source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Error::NoRoom(source)
        }
        _ => Error::Io { action: "allocate room in the heap file".into(), source },
    }
}

/// What the file will be is a heap, in which every value is one.
fn check_result(storage: &Arc<dyn Storage>, reader: &Reader<BaseSource<'_>>, payload: &[u8]) -> Result<()> {
    let operations = operations(payload).flatten();
    let result = Reader::with_operations(BaseSource(storage), reader.header().clone(), operations, Checks::Strict)?;
    verify::verify(&result.load()?, result.catalog(), result.header()).map(|_| ())
}

/// Writes the frame, and folds it into the file unless somebody reads the log; then the next opening does.
fn commit(storage: &dyn Storage, recovered: Recovered, payload: &[u8], file_end: u64) -> Result<()> {
    let Recovered { mut headers, log, mut checksums } = recovered;
    let sequence = headers.header.sequence + 1;
    log.append(sequence, payload)?;
    log.sync_sequence(sequence)?;
    if log.position_unless_held()?.is_none() {
        return Ok(());
    }
    checkpoint::fold_log(storage, &log.segments(), &headers.header, sequence, &mut checksums, Pace::Fast)?;
    headers.flip(storage, |header| {
        header.sequence = sequence;
        header.log = LogStart::default();
        header.file_len = file_end.max(2 * BLOCK);
    })
}

/// A bug: what only the migrated heap names is written over while that is still the heap.
fn forget_extents(storage: &dyn Storage, catalog: &Catalog, kept: &Kept) {
    let before: Vec<u8> = kept.extents.chunks(EXTENT_ENTRY).flat_map(|entry| &entry[..8]).copied().collect();
    let before: Vec<u64> = before.as_chunks().0.iter().map(|at| u64::from_le_bytes(*at)).collect();
    for extent in catalog.extents().iter().filter(|extent| extent.len > 0 && !before.contains(&extent.at)) {
        let _ = storage.write_at(File::Base, extent.at, &vec![0; extent.len as usize]);
    }
}
