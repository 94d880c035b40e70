//! The write-ahead log: frames in segments, appended by the one writer, synced by whoever waits.
//!
//! A position in the log is a number of bytes since its epoch began, which only ever grows. A commit of strength
//! Process ends with the copy of its frame into the log's mapping; one of strength Disk waits until a sync that began
//! after its frame was there has ended, and shares it with all that wait.

mod append;
mod scan;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub use scan::{Frame, Segments, Tail, find_end, scan};

use append::Writer;

use crate::error::{Error, Result};
use crate::format::header::LogStart;
use crate::planted::planted;
use crate::storage::{File, Storage};

/// An open log.
#[derive(Debug)]
pub struct Log {
    storage: Arc<dyn Storage>,
    writer: Mutex<Writer>,
    durable: Mutex<Durable>,
    synced: Condvar,
}

/// How far the log is known to be on the disk.
#[derive(Debug, Default)]
struct Durable {
    end: u64,
    sequence: u64,
    syncing: bool,
    poison: Option<String>,
    syncs: u64,
    nanoseconds: u64,
}

/// The end of the log at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Bytes since the epoch began.
    pub end: u64,
    /// Sequence of the last transaction.
    pub sequence: u64,
    /// Where the next frame goes.
    pub start: LogStart,
}

/// What the log has done.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// Bytes that a recovery would read.
    pub len: u64,
    /// Sequence of the last transaction that survives a power cut.
    pub durable_sequence: u64,
    /// Syncs so far.
    pub syncs: u64,
    /// Nanoseconds they took.
    pub nanoseconds: u64,
}

/// Whether segments could be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recycled {
    /// They are free.
    Done,
    /// Somebody needs their frames; they are kept.
    Held,
}

impl Log {
    /// Begins a new epoch, in segments that are none of `kept`, with a first segment that is durable.
    ///
    /// # Errors
    /// When there is no room, or writing fails.
    pub fn begin(storage: Arc<dyn Storage>, epoch: u64, sequence: u64, kept: &[u64]) -> Result<Self> {
        let writer = Writer::begin(&*storage, epoch, sequence, kept)?;
        if !planted!(storage, FirstSegmentNotSynced) {
            storage.sync(File::Log).map_err(|source| Error::Io { action: "sync the log".into(), source })?;
        }
        let durable = Durable { end: writer.position().end, sequence, ..Durable::default() };
        Ok(Self { storage, writer: Mutex::new(writer), durable: Mutex::new(durable), synced: Condvar::new() })
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn durable(&self) -> MutexGuard<'_, Durable> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends the operations of a transaction, which is committed once they are all there; the length that
    /// [`live_len`](Log::live_len) returns then.
    ///
    /// # Errors
    /// [`Error::NoRoom`] when there is none, and nothing was appended; [`Error::Poisoned`] after a failed sync; any
    /// other when writing failed, and nobody knows what reached the disk.
    #[inline]
    pub fn append(&self, sequence: u64, payload: &[u8]) -> Result<u64> {
        let mut writer = self.writer();
        writer.append(&*self.storage, sequence, payload)?;
        Ok(writer.len())
    }

    /// The end of the log.
    pub fn position(&self) -> Position {
        self.writer().position()
    }

    /// Bytes that a recovery would read.
    pub fn live_len(&self) -> u64 {
        self.writer().len()
    }

    /// Which segment of the file holds which part of the chain, from `start` on.
    pub fn segments(&self) -> Segments {
        self.writer().segments()
    }

    /// Waits until the transaction with this sequence, and all before it, survive a power cut.
    ///
    /// # Errors
    /// [`Error::Poisoned`] when a sync failed, now or before: what reached the disk is unknown.
    pub fn sync_sequence(&self, sequence: u64) -> Result<()> {
        let mut durable = self.durable();
        loop {
            if let Some(why) = &durable.poison {
                return Err(Error::Poisoned(why.clone()));
            }
            if durable.sequence >= sequence {
                return Ok(());
            }
            if durable.syncing {
                durable = self.synced.wait(durable).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            durable.syncing = true;
            drop(durable);
            // Everything appended until now is covered, whoever appended it.
            let position = self.position();
            let begun = Instant::now();
            let mut result = self.storage.sync(File::Log);
            if planted!(self.storage, FailedSyncRepeated) && result.is_err() {
                result = self.storage.sync(File::Log);
            }
            durable = self.durable();
            durable.syncing = false;
            durable.syncs += 1;
            durable.nanoseconds += begun.elapsed().as_nanos() as u64;
            match result {
                Ok(()) => {
                    durable.end = durable.end.max(position.end);
                    durable.sequence = durable.sequence.max(position.sequence);
                }
                Err(error) => durable.poison = Some(error.to_string()),
            }
            self.synced.notify_all();
        }
    }

    /// Frees the segments that lie wholly before `start`. Where somebody retains the log they are kept, unless
    /// `force` says that the readers were told.
    ///
    /// # Errors
    /// When the lock cannot be asked for.
    pub fn recycle(&self, start: LogStart, force: bool) -> Result<Recycled> {
        use crate::storage::{Lock, LockMode};
        let failed = |source| Error::Io { action: "lock the log".into(), source };
        if !force && !self.storage.lock(Lock::Retain, LockMode::Exclusive).map_err(failed)? {
            return Ok(Recycled::Held);
        }
        self.writer().recycle(start);
        if !force {
            self.storage.lock(Lock::Retain, LockMode::Released).map_err(failed)?;
        }
        Ok(Recycled::Done)
    }

    /// The end of the log, or `None` while somebody retains it. Who retains it from now on sees at least this far.
    ///
    /// # Errors
    /// When the lock cannot be asked for.
    pub fn position_unless_held(&self) -> Result<Option<Position>> {
        use crate::storage::{Lock, LockMode};
        let failed = |source| Error::Io { action: "lock the log".into(), source };
        if !self.storage.lock(Lock::Retain, LockMode::Exclusive).map_err(failed)? {
            return Ok(None);
        }
        let position = self.position();
        self.storage.lock(Lock::Retain, LockMode::Released).map_err(failed)?;
        Ok(Some(position))
    }

    /// Takes segments of an epoch that ended into use, now or, where somebody retains them, with the next recycling.
    ///
    /// # Errors
    /// When the lock cannot be asked for.
    pub fn adopt(&self, segments: &[u64]) -> Result<()> {
        self.writer().retain(segments);
        let start = self.position().start;
        self.recycle(start, false).map(|_| ())
    }

    /// Bytes of segments that cannot be used again yet.
    pub fn held_len(&self) -> u64 {
        self.writer().held_len()
    }

    /// What the log has done.
    pub fn figures(&self) -> Figures {
        let len = self.live_len();
        let durable = self.durable();
        Figures { len, durable_sequence: durable.sequence, syncs: durable.syncs, nanoseconds: durable.nanoseconds }
    }
}
