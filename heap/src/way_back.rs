//! The end of a migration, made on the files, with nothing else alive: it is rolled back, or the way back is given up.
//!
//! Each is one commit. Rolling back writes the catalog's streams as they were; what the heap will be is read and verified
//! under the operations of the frame before the frame is written. It makes no difference to it how many commits there were
//! since the migration: none of them changed an extent of the catalog that is kept.
//!
//! A rollback that loses commits begins another line of them, as a power cut does that loses commits of strength Process:
//! slots are what they were before the migration, so a handle that was given out on the line that is lost may be given out
//! again, for something else. Nobody has the heap open, so no program holds such a handle. What was dumped or saved on that
//! line does; and it can be told, because numbers of commits are never used again: it is of a commit from the migration's
//! on and before the rollback's, and the receipts of the heap name both.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::checkpoint;
use crate::error::{Error, Result};
use crate::file_space::FileSpace;
use crate::fold::Pace;
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
    /// The commit whose state the heap has again.
    pub as_of: Sequence,
    /// How many commits that were made since the migration are lost.
    pub lost: u64,
    /// Fingerprint of the schema that the migration had led to.
    pub from: [u8; 16],
    /// Fingerprint of the schema that the heap has again.
    pub to: [u8; 16],
}

/// A way back that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GivenUp {
    /// The commit that did it.
    pub sequence: Sequence,
    /// Bytes of the heap file that were kept.
    pub len: u64,
}

/// Rolls the last migration of a heap back: the heap is what it was before, and remembers both.
///
/// No process may have the heap open. It is possible until the way back is given up, and loses nothing: where commits were
/// made since the migration, it refuses. See [`rollback_losing`].
///
/// # Errors
/// [`Error::MovedOn`] when commits were made since the migration, [`Error::NothingKept`] when there is no way back:
/// nothing was changed. Else as [`Heap::open`](crate::Heap::open).
pub fn rollback(path: impl AsRef<Path>) -> Result<RolledBack> {
    rollback_losing(path, 0)
}

/// Rolls the last migration of a heap back as [`rollback`] does, and gives up the `commits` that were made since: exactly
/// so many, so that nobody loses what they did not know of.
///
/// The heap is what it was before the migration, to the byte. Commits go on being counted from where they are.
///
/// # Errors
/// [`Error::MovedOn`] when it is another number of commits; else as [`rollback`].
pub fn rollback_losing(path: impl AsRef<Path>, commits: u64) -> Result<RolledBack> {
    let (path, storage) = files(path.as_ref())?;
    rollback_storage(path, &storage, &Options::default(), Moment::now(), commits)
}

/// Gives up the way back from the last migration of a heap that no process has open, as
/// [`Heap::keep`](crate::Heap::keep) does; `None` when nothing is kept.
///
/// # Errors
/// As [`Heap::open`](crate::Heap::open).
pub fn keep(path: impl AsRef<Path>) -> Result<Option<GivenUp>> {
    let (path, storage) = files(path.as_ref())?;
    keep_storage(path, &storage, &Options::default(), Moment::now())
}

fn files(path: &Path) -> Result<(PathBuf, Arc<dyn Storage>)> {
    let found = path.canonicalize().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::NotFound { path: path.to_owned() },
        _ => Error::Io { action: format!("find {}", path.display()), source },
    })?;
    let storage: Arc<dyn Storage> = Arc::new(RealStorage::open(&found)?);
    Ok((found, storage))
}

/// Rolls back over a storage that holds a heap's files.
pub(crate) fn rollback_storage(
    path: PathBuf,
    storage: &Arc<dyn Storage>,
    options: &Options,
    moment: Moment,
    losing: u64,
) -> Result<RolledBack> {
    alone(path, storage, options, |path, recovered| rollback_locked(path, storage, recovered, moment, losing))
}

/// Gives up the way back over a storage that holds a heap's files.
pub(crate) fn keep_storage(
    path: PathBuf,
    storage: &Arc<dyn Storage>,
    options: &Options,
    moment: Moment,
) -> Result<Option<GivenUp>> {
    alone(path, storage, options, |path, recovered| keep_locked(&path, storage, recovered, moment))
}

/// Runs with the writer's lock, on a heap whose file holds every commit.
fn alone<T>(
    path: PathBuf,
    storage: &Arc<dyn Storage>,
    options: &Options,
    run: impl FnOnce(PathBuf, Recovered) -> Result<T>,
) -> Result<T> {
    open::lock(&path, &**storage, options)?;
    let done = open::check_writable(&path, storage)
        .and_then(|_| recover::recover(storage, &path, |counter| open::draw_epoch(options, counter)))
        .and_then(|recovered| run(path, recovered));
    let _ = storage.lock(Lock::Writer, LockMode::Released);
    done
}

fn rollback_locked(
    path: PathBuf,
    storage: &Arc<dyn Storage>,
    recovered: Recovered,
    moment: Moment,
    losing: u64,
) -> Result<RolledBack> {
    let reader = Reader::open(BaseSource(storage), &path, Checks::Strict)?;
    let sequence = reader.header().sequence;
    let (kept, migrated) = way_back(path, reader.catalog(), sequence, losing)?;
    let mut receipt = moment.receipt(ReceiptKind::RolledBack, sequence + 1, migrated.to, migrated.from);
    let order = kept.byte_order.unwrap_or(reader.header().byte_order);
    receipt.byte_order = Some(order).filter(|order| *order != reader.catalog().byte_order(reader.header()));
    let done = RolledBack {
        sequence: Sequence(receipt.sequence),
        as_of: Sequence(kept.sequence.saturating_sub(1)),
        lost: losing,
        from: receipt.from,
        to: receipt.to,
    };
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
    commit(&**storage, recovered, &payload, &catalog.file)?;
    Ok(done)
}

fn keep_locked(
    path: &Path,
    storage: &Arc<dyn Storage>,
    recovered: Recovered,
    moment: Moment,
) -> Result<Option<GivenUp>> {
    let reader = Reader::open(BaseSource(storage), path, Checks::Strict)?;
    let mut catalog = open::run_time_catalog(reader.catalog());
    let sequence = Sequence(reader.header().sequence + 1);
    if catalog.history().kept.is_none() {
        return Ok(None);
    }
    let len = reader.catalog().kept_len();
    catalog.set_history(kept::given_up(catalog.history(), moment, sequence.0));
    catalog.make_room(&**storage, sequence.0, None).map_err(no_room)?;
    let mut payload = Vec::new();
    catalog.changes(None, |operation| operation.encode(&mut payload));
    commit(&**storage, recovered, &payload, &catalog.file)?;
    Ok(Some(GivenUp { sequence, len }))
}

/// What is kept, and the receipt of the migration, when rolling it back loses so many commits.
fn way_back(path: PathBuf, catalog: &read::Catalog, sequence: u64, losing: u64) -> Result<(&Kept, &Receipt)> {
    let Some(kept) = &catalog.history().kept else { return Err(Error::NothingKept { path }) };
    let migrated = catalog.history().receipts.iter().rfind(|receipt| receipt.sequence == kept.sequence);
    let migrated = migrated.filter(|receipt| receipt.kind == ReceiptKind::Migrated);
    let migrated = migrated.ok_or_else(|| damaged_entry("history", 0, "what is kept has no receipt"))?;
    match sequence.checked_sub(kept.sequence) {
        Some(commits) if commits == losing => Ok((kept, migrated)),
        Some(commits) => Err(Error::MovedOn { commits, expected: losing, as_of: kept.sequence.saturating_sub(1) }),
        None => Err(damaged_entry("history", 0, "the migration is a commit that never was")),
    }
}

fn no_room(source: io::Error) -> Error {
    Error::no_room_or(source, |source| Error::Io { action: "allocate room in the heap file".into(), source })
}

/// What the file will be is a heap, in which every value is one.
fn check_result(storage: &Arc<dyn Storage>, reader: &Reader<BaseSource<'_>>, payload: &[u8]) -> Result<()> {
    let operations = operations(payload).flatten();
    let result = Reader::with_operations(BaseSource(storage), reader.header().clone(), operations, Checks::Strict)?;
    verify::verify(&result.load()?, result.catalog(), result.header()).map(|_| ())
}

/// Writes the frame, and folds it into the file unless somebody reads the log; then the next opening does.
fn commit(storage: &dyn Storage, recovered: Recovered, payload: &[u8], room: &FileSpace) -> Result<()> {
    let Recovered { mut headers, log, mut checksums } = recovered;
    if room.outgrew_durable_len() {
        let synced = storage.sync(File::Base);
        synced.map_err(|source| Error::Io { action: "sync the heap file".into(), source })?;
    }
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
        header.file_len = room.end();
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
