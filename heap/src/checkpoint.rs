//! Folding the log into the base, in the order that makes every crash harmless:
//!
//! sync the log → write the base and its checksums → sync the base → write the other header → sync it → recycle.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::announce;
use crate::error::{Corruption, Error, Place, Result};
use crate::event;
use crate::fold::{Base, Checksums, Fold, Pace};
use crate::format::BLOCK;
use crate::format::catalog::{CatalogRoot, ROOT_AT, ROOT_LEN, Run, Stream};
use crate::format::frame::Operation;
use crate::format::header::{Header, LogStart, PAGE};
use crate::log::{Log, Position, Recycled, Segments, scan};
use crate::planted::planted;
use crate::shared::Shared;
use crate::snapshot;
use crate::storage::{File, Storage};

/// Bytes of operations folded in one go.
const BATCH: usize = 64 << 20;

/// The header that counts, and which page has it.
#[derive(Debug, Clone)]
pub(crate) struct Headers {
    pub(crate) header: Header,
    pub(crate) page: u8,
}

impl Headers {
    /// Writes a header to the page that does not count yet, and syncs it.
    pub(crate) fn flip(&mut self, storage: &dyn Storage, change: impl FnOnce(&mut Header)) -> Result<()> {
        let mut header = self.header.clone();
        header.counter += 1;
        change(&mut header);
        let page = if planted!(storage, SameHeaderPage) { self.page } else { 1 - self.page };
        *self = Self { header, page };
        self.write(storage)?;
        if !planted!(storage, RecycledBeforeHeaderSync) {
            storage.sync(File::Base).map_err(header_failed)?;
        }
        Ok(())
    }

    /// Writes the header that counts to its page once more; the caller syncs.
    pub(crate) fn write(&self, storage: &dyn Storage) -> Result<()> {
        storage.write_at(File::Base, u64::from(self.page) * PAGE as u64, &self.header.to_page()).map_err(header_failed)
    }
}

fn header_failed(source: std::io::Error) -> Error {
    Error::Io { action: "write the header".into(), source }
}

/// Folds the transactions after the header's sequence, up to and including `until`, into the base, and syncs it. The
/// log holds them durably.
pub(crate) fn fold_log(
    storage: &dyn Storage,
    segments: &Segments,
    header: &Header,
    until: u64,
    checksums: &mut Checksums,
    pace: Pace,
) -> Result<()> {
    let mut fold = Fold::default();
    let mut changed = Vec::new();
    let limit = storage.len(File::Base).map_err(failed)?.next_multiple_of(BLOCK);
    let tail = scan(storage, segments, header.log, header.sequence, until, |frame| {
        for operation in frame.operations() {
            let operation = operation?;
            prepare_checksums(storage, checksums, operation, limit)?;
            fold.add(operation, frame.at, limit)?;
        }
        if fold.len() >= BATCH {
            changed.extend(std::mem::take(&mut fold).apply(&mut Base::new(storage, pace))?);
        }
        Ok(())
    })?;
    if tail.sequence != until {
        let what = Corruption::Structure(format!("the log ends at commit {}, before {until}", tail.sequence));
        return Err(Error::Corrupt { at: Place::LogOffset(0), what });
    }
    changed.extend(fold.apply(&mut Base::new(storage, pace))?);
    // Of a block that several batches touched, the last checksum counts.
    changed.sort_by_key(|(block, _)| *block);
    let run = checksum_run(storage)?;
    checksums.update(&mut Base::new(storage, pace), run, &changed)?;
    if planted!(storage, BaseNotSyncedBeforeHeader) {
        return Ok(());
    }
    storage.sync(File::Base).map_err(failed)
}

/// Before an operation gives the catalog a new root: where that moves the checksums, they are there first, as they
/// were. A crash in the middle of the fold leaves a base with the new root, and recovery sums anew only the blocks
/// that the log touches; the other checksums it takes from where the root says.
fn prepare_checksums(
    storage: &dyn Storage,
    checksums: &mut Checksums,
    operation: Operation<'_>,
    limit: u64,
) -> Result<()> {
    let Operation::Write { at: ROOT_AT, bytes } = operation else { return Ok(()) };
    let Ok(bytes) = bytes.try_into() else { return Ok(()) };
    let run = parse_root(bytes, limit)?.streams[Stream::Checksums as usize];
    if planted!(storage, ChecksumsMovedInPlace) || !checksums.moves_to(run) {
        return Ok(());
    }
    checksums.update(&mut Base::new(storage, Pace::Fast), run, &[])?;
    storage.sync(File::Base).map_err(failed)
}

fn parse_root(bytes: &[u8; ROOT_LEN], limit: u64) -> Result<CatalogRoot> {
    CatalogRoot::parse(bytes, limit).map_err(|fault| Error::Corrupt { at: Place::Offset(ROOT_AT), what: fault.into() })
}

/// Where the catalog in the base says that the checksums lie.
pub(crate) fn checksum_run(storage: &dyn Storage) -> Result<Run> {
    Ok(base_root(storage)?.streams[Stream::Checksums as usize])
}

/// The catalog's root as the base has it.
pub(crate) fn base_root(storage: &dyn Storage) -> Result<CatalogRoot> {
    let len = storage.len(File::Base).map_err(failed)?;
    if len < ROOT_AT + BLOCK {
        let what = Corruption::Truncated { missing: ROOT_AT + BLOCK - len };
        return Err(Error::Corrupt { at: Place::Offset(len), what });
    }
    let mut bytes = [0; ROOT_LEN];
    storage.read_at(File::Base, ROOT_AT, &mut bytes).map_err(failed)?;
    parse_root(&bytes, len)
}

fn failed(source: std::io::Error) -> Error {
    Error::Io { action: "write the heap file".into(), source }
}

/// The thread that checkpoints as the log grows, and what it works on.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    work: Mutex<Work>,
    signal: Mutex<Signal>,
    changed: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Length of the log at which a checkpoint is due.
    due: u64,
    /// Sequence of the last checkpoint, for whoever cannot wait for one that is being made.
    sequence: AtomicU64,
}

#[derive(Debug)]
struct Work {
    headers: Headers,
    checksums: Checksums,
    /// The readers of the log were told that they lost their hold.
    forced: bool,
}

#[derive(Debug, Default)]
struct Signal {
    asked: bool,
    stop: bool,
}

/// What a checkpoint is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The log is to be short.
    Shorten,
    /// The heap is closed: the file alone is to be the heap.
    Close,
}

impl Checkpointer {
    /// Starts the thread, unless the options say that there is none.
    pub(crate) fn start(shared: &Arc<Shared>, headers: Headers, checksums: Checksums) -> Result<()> {
        let checkpointer = Self {
            signal: Mutex::new(Signal::default()),
            changed: Condvar::new(),
            thread: Mutex::new(None),
            due: shared.options.log_target / 2,
            sequence: AtomicU64::new(headers.header.sequence),
            work: Mutex::new(Work { headers, checksums, forced: false }),
        };
        let _ = shared.checkpointer.set(checkpointer);
        if !shared.options.background {
            return Ok(());
        }
        let theirs = Arc::clone(shared);
        let thread = thread::Builder::new().name("checkpoint".into()).spawn(move || run(&theirs));
        let thread = thread.map_err(|source| Error::Io { action: "start the checkpoint's thread".into(), source })?;
        if let Some(checkpointer) = shared.checkpointer.get() {
            *checkpointer.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        }
        Ok(())
    }

    fn signal(&self) -> MutexGuard<'_, Signal> {
        self.signal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its thread, which shares the heap, is still there.
    pub(crate) fn has_thread(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// The log has this length: a checkpoint may be due.
    #[inline]
    pub(crate) fn notice(&self, len: u64) {
        if len >= self.due {
            self.ask();
        }
    }

    #[cold]
    fn ask(&self) {
        let mut signal = self.signal();
        if !signal.asked {
            signal.asked = true;
            self.changed.notify_all();
        }
    }

    /// A checkpoint of everything committed so far.
    pub(crate) fn now(&self, shared: &Shared) -> Result<()> {
        self.checkpoint(shared, Purpose::Shorten)
    }

    /// Ends the thread, and leaves a file that is the whole heap.
    pub(crate) fn stop(&self, shared: &Shared) {
        {
            let mut signal = self.signal();
            signal.stop = true;
            self.changed.notify_all();
        }
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
        if shared.check_usable().is_ok() {
            let _ = self.checkpoint(shared, Purpose::Close);
        }
    }

    /// Runs while no checkpoint does: the base holds the header's sequence and nothing else.
    pub(crate) fn at_rest<R>(&self, run: impl FnOnce(&Header) -> R) -> R {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        run(&work.headers.header)
    }

    /// Sequence of the last checkpoint.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::Relaxed)
    }

    fn checkpoint(&self, shared: &Shared, purpose: Purpose) -> Result<()> {
        let Some(log) = &shared.log else { return Err(Error::NoDisk) };
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        // Only here: another checkpoint may have failed while this one waited.
        shared.check_usable()?;
        let before = work.headers.header.sequence;
        let done = work.checkpoint(shared, log, purpose);
        event::checkpoint(work.headers.header.sequence, log.live_len());
        self.sequence.store(work.headers.header.sequence, Ordering::Relaxed);
        if work.headers.header.sequence > before && purpose == Purpose::Shorten {
            announce::renew(shared);
        }
        done.inspect_err(|error| shared.poison(error))
    }
}

impl Work {
    fn checkpoint(&mut self, shared: &Shared, log: &Log, purpose: Purpose) -> Result<()> {
        let storage = &*shared.storage;
        // A dump reads the base under the log as it found it, so nothing newer may reach the base meanwhile. The log
        // would grow as much if only its recycling waited.
        let Some(Position { sequence, start, .. }) = self.begin(shared, log)? else { return Ok(()) };
        // Snapshots that show pages of the base keep it as it is, until the log is too long or the heap is closed.
        let pressed = purpose == Purpose::Close || log.held_len() > shared.options.log_limit;
        if shared.has_snapshots() && !(pressed && snapshot::detach_all(shared)) {
            return Ok(());
        }
        let before = self.headers.header.clone();
        let mut file_len = before.file_len;
        if planted!(storage, HeaderBeforeBase) {
            self.headers.flip(storage, |header| (header.sequence, header.log) = (sequence, start))?;
        }
        if sequence > before.sequence {
            // The sync behind the fold makes this length durable before a header names it.
            file_len = shared.state().catalog.file.end();
            // A commit that is in the log may have failed after that, and taken its room back.
            shared.check_usable()?;
            if !planted!(storage, LogNotSyncedBeforeBase) {
                log.sync_sequence(sequence)?;
            }
            let pace = if purpose == Purpose::Close { Pace::Fast } else { Pace::Gentle };
            fold_log(storage, &log.segments(), &before, sequence, &mut self.checksums, pace)?;
        }
        let forced = self.forced;
        let log_start = if purpose == Purpose::Close { LogStart::default() } else { start };
        self.headers.flip(storage, |header| {
            header.sequence = sequence;
            header.log = log_start;
            header.file_len = file_len;
            // Who began to read after the readers were told, and before this header, rests on the log that is about to
            // be recycled too.
            header.forced += u64::from(forced);
        })?;
        self.recycle(shared, log, start, sequence)
    }

    /// The end of the log, up to which it may be folded; `None` while somebody retains it. Past the limit the readers
    /// are told by the header that they lost their hold.
    fn begin(&mut self, shared: &Shared, log: &Log) -> Result<Option<Position>> {
        if let Some(position) = log.position_unless_held()? {
            return Ok(Some(position));
        }
        if log.held_len() <= shared.options.log_limit {
            return Ok(None);
        }
        // Who comes after the header was written is not told by it, and must see all that will be folded: the end is
        // asked for before.
        let position = log.position();
        self.headers.flip(&*shared.storage, |header| header.forced += 1)?;
        self.forced = true;
        Ok(Some(position))
    }

    /// Frees the log before `start`, unless somebody retains it who was not told otherwise.
    fn recycle(&mut self, shared: &Shared, log: &Log, start: LogStart, sequence: u64) -> Result<()> {
        let forced = std::mem::take(&mut self.forced);
        if log.recycle(start, forced)? == Recycled::Done {
            shared.state().catalog.file.release(sequence);
        }
        Ok(())
    }
}

fn run(shared: &Shared) {
    let Some(checkpointer) = shared.checkpointer.get() else { return };
    loop {
        {
            let mut signal = checkpointer.signal();
            while !signal.asked && !signal.stop {
                signal = checkpointer.changed.wait(signal).unwrap_or_else(PoisonError::into_inner);
            }
            if signal.stop {
                return;
            }
            signal.asked = false;
        }
        // A failure poisons the heap, and the next commit says so.
        let _ = checkpointer.checkpoint(shared, Purpose::Shorten);
    }
}
