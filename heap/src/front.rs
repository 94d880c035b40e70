//! The heap: opening, guards, closing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::format::history::History;
use crate::guard::Read;
use crate::kept::{self, Moment};
use crate::open;
use crate::options::Options;
use crate::save;
use crate::shared::Shared;
use crate::snapshot::Snapshot;
use crate::stats::Stats;
use crate::transaction::{Sequence, Transaction};
use crate::types::{TypeSet, Types};

/// A persistent heap of typed records.
///
/// ```
/// use heap::{Heap, Record, Ref, Text};
///
/// #[derive(Record)]
/// struct Task {
///     id: u64,
///     title: Text,
///     done: bool,
/// }
///
/// # fn main() -> heap::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("tasks.heap");
/// let heap = Heap::open(&path)?; // create, or recover and open
/// let mut tx = heap.write()?;
/// let task = tx.root_or_insert("first", |tx| Ok(Task { id: 1, title: tx.text("write the docs")?, done: false }))?;
/// tx[task].done = true;
/// tx.commit()?;
/// drop(heap);
///
/// let heap = Heap::open(&path)?;
/// let read = heap.read();
/// let task: Ref<Task> = read.root("first")?.unwrap();
/// assert!(read[task].done);
/// assert_eq!(&read[read[task].title], "write the docs");
/// # Ok(())
/// # }
/// ```
///
/// It is `Send` and `Sync`: share it by reference or in an [`Arc`]. Dropping it writes a last checkpoint, so that the
/// file alone is the whole heap.
#[derive(Debug)]
pub struct Heap {
    pub(crate) shared: Arc<Shared>,
}

impl Heap {
    /// Opens a heap, or makes it where there is none.
    ///
    /// The file may hold anything: it is read into private memory, and every value in it that could break a reader is
    /// verified. That takes about as long as reading it twice; see [`open_mapped`](Heap::open_mapped) for the other
    /// door.
    ///
    /// A heap of another byte order is transcoded first, once and in one commit, which [`rollback`](crate::rollback)
    /// undoes as it does a migration.
    ///
    /// # Errors
    /// [`Error::Busy`](crate::Error::Busy) while another process has it open; [`Error::Header`](crate::Error::Header)
    /// or [`Error::Corrupt`](crate::Error::Corrupt) for a file that is not a heap or is damaged;
    /// [`Error::WrongDoor`](crate::Error::WrongDoor) for an image; [`Error::Platform`](crate::Error::Platform) for a
    /// file system that cannot carry a heap.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, Options::default())
    }

    /// Opens a heap as [`open`](Heap::open) does, for the record types `S`: one, or a tuple of several. A heap whose
    /// layouts differ is migrated to theirs.
    ///
    /// ```
    /// use heap::{Heap, Record};
    ///
    /// # fn main() -> heap::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("tasks.heap");
    /// mod before {
    ///     #[derive(heap::Record)]
    ///     pub struct Task { pub id: u32 }
    /// }
    /// let heap = Heap::open_as::<before::Task>(&path)?;
    /// let mut tx = heap.write()?;
    /// tx.root_or_insert("first", |_| Ok(before::Task { id: 7 }))?;
    /// tx.commit()?;
    /// drop(heap);
    ///
    /// #[derive(Record)]
    /// struct Task { done: bool, id: u64, #[record(default = 3)] priority: u8 }
    /// let heap = Heap::open_as::<Task>(&path)?;
    /// let read = heap.read();
    /// let task = &read[read.root::<Task>("first")?.unwrap()];
    /// assert_eq!((task.done, task.id, task.priority), (false, 7, 3));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`open`](Heap::open); [`Error::Refused`](crate::Error::Refused) when a value would be lost that the program
    /// did not give up; [`Error::Hook`](crate::Error::Hook) when a hook fails.
    pub fn open_as<S: TypeSet>(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, Options { types: Some(Types::of::<S>()?), ..Options::default() })
    }

    /// Opens a heap as [`open`](Heap::open) does.
    ///
    /// # Errors
    /// As [`open`](Heap::open).
    pub fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Self> {
        open::open(path.as_ref(), options, open::Door::Copied)
    }

    /// Opens a sealed image as a scratch heap: edits live in memory, a commit of strength Disk is an error, and
    /// [`save_as`](Heap::save_as) makes a heap of it.
    ///
    /// # Errors
    /// As [`open`](Heap::open); [`Error::WrongDoor`](crate::Error::WrongDoor) for a live heap.
    pub fn open_image(path: impl AsRef<Path>) -> Result<Self> {
        open::open_image(path.as_ref(), Options::default())
    }

    /// Migrates the open heap to other record types, as opening it for them would. No guard is alive meanwhile, because
    /// the heap is borrowed; a [`Snapshot`] must be dropped first.
    ///
    /// # Errors
    /// As [`open_as`](Heap::open_as); the heap is then open as it was.
    /// [`Error::Deadlock`](crate::Error::Deadlock) while a snapshot lives, [`Error::NoDisk`](crate::Error::NoDisk) for a
    /// scratch heap over an image.
    pub fn upgrade(&mut self, types: Types) -> Result<()> {
        open::open_again(self, types)
    }

    /// Waits for the other transactions and readers before this one, and begins the one transaction.
    ///
    /// # Errors
    /// [`Error::Deadlock`](crate::Error::Deadlock) when this thread already holds a guard;
    /// [`Error::Poisoned`](crate::Error::Poisoned) after a failed write; [`Error::Forked`](crate::Error::Forked) in a
    /// forked child.
    pub fn write(&self) -> Result<Transaction<'_>> {
        self.shared.write(None)
    }

    /// As [`write`](Heap::write), but waits no longer than `wait`.
    ///
    /// # Errors
    /// Those of [`write`](Heap::write), and [`Error::Busy`](crate::Error::Busy) when the time is over.
    pub fn write_within(&self, wait: Duration) -> Result<Transaction<'_>> {
        self.shared.write(Some(wait))
    }

    /// Waits for the transaction before it, and begins to read, beside other readers.
    ///
    /// # Panics
    /// Where [`try_read`](Heap::try_read) returns an error.
    pub fn read(&self) -> Read<'_> {
        self.try_read().unwrap_or_else(|error| crate::raw::give_up(&error))
    }

    /// Waits for the transaction before it, and begins to read, beside other readers.
    ///
    /// # Errors
    /// [`Error::Deadlock`](crate::Error::Deadlock) when this thread holds the transaction;
    /// [`Error::Poisoned`](crate::Error::Poisoned) and [`Error::Forked`](crate::Error::Forked) as for
    /// [`write`](Heap::write).
    pub fn try_read(&self) -> Result<Read<'_>> {
        self.shared.check_usable()?;
        let raw = self.shared.gate.read(&self.shared.space, None).map_err(|refusal| self.shared.refused(refusal))?;
        Ok(Read::new(raw, &self.shared))
    }

    /// The state as of the last commit, to be read for as long as one likes: transactions go on meanwhile.
    ///
    /// Through the door of [`open_mapped`](Heap::open_mapped) it holds the writer up for less than a millisecond
    /// at any size; through [`open`](Heap::open) for as long as it takes to copy the heap's memory.
    ///
    /// # Errors
    /// [`Error::Deadlock`](crate::Error::Deadlock) when this thread holds the transaction;
    /// [`Error::ArenaFull`](crate::Error::ArenaFull) when there is no room for a second arena.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Snapshot::take(&self.shared)
    }

    /// Waits until a commit survives a power cut. Commits in flight share one flush.
    ///
    /// # Errors
    /// [`Error::Poisoned`](crate::Error::Poisoned) when the flush failed; [`Error::NoDisk`](crate::Error::NoDisk) for
    /// a scratch heap.
    pub fn wait_durable(&self, sequence: Sequence) -> Result<()> {
        self.shared.wait_durable(sequence)
    }

    /// Folds the log into the heap file now. It happens by itself in the background as the log grows.
    ///
    /// # Errors
    /// [`Error::Deadlock`](crate::Error::Deadlock) when this thread holds the transaction;
    /// [`Error::Poisoned`](crate::Error::Poisoned) when writing fails; [`Error::NoDisk`](crate::Error::NoDisk) for a
    /// scratch heap; [`Error::Deadlock`](crate::Error::Deadlock) while this thread holds the transaction.
    pub fn checkpoint(&self) -> Result<()> {
        // A checkpoint waits for the transaction, so this thread's own would be waited for without end.
        drop(self.try_read()?);
        self.shared.checkpoint_now()
    }

    /// Writes the heap as of its last commit into a new heap file; it takes part in no further commit. The file appears
    /// whole or not at all, and never in the place of another.
    ///
    /// Transactions wait meanwhile.
    ///
    /// # Errors
    /// [`Error::Deadlock`](crate::Error::Deadlock) when this thread holds the transaction;
    /// [`Error::NoRoom`](crate::Error::NoRoom) without room on the disk; [`Error::Io`](crate::Error::Io) when the file
    /// exists, or cannot be written.
    pub fn save_as(&self, path: impl AsRef<Path>) -> Result<()> {
        save::save(&self.shared, path.as_ref())
    }

    /// Frees the records that no root reaches, cycles included; how many there were.
    ///
    /// # Errors
    /// As [`write`](Heap::write) and [`Transaction::commit`].
    pub fn collect(&self) -> Result<u64> {
        let mut tx = self.write()?;
        let freed = crate::collect::collect(&mut tx)?;
        tx.commit()?;
        Ok(freed)
    }

    /// Gives up the way back from the last migration: the room that the extents before it take is free. From then on
    /// [`rollback`](crate::rollback) refuses. Where nothing is kept, nothing happens.
    ///
    /// As long as a program does not call it, it may go back, after any number of commits; and the file may grow up to
    /// twice its size, because commits write what they change beside what is kept.
    ///
    /// # Errors
    /// As [`write`](Heap::write) and [`Transaction::commit`].
    pub fn keep(&self) -> Result<()> {
        kept::keep(&self.shared, Moment::now(), self.shared.options.durability)
    }

    /// What migrations did to the heap, and what is kept of it as it was before the last one.
    ///
    /// # Errors
    /// As [`try_read`](Heap::try_read).
    pub fn history(&self) -> Result<History> {
        let _reading = self.try_read()?;
        Ok(self.shared.state().catalog.history().clone())
    }

    /// Figures about the heap.
    pub fn stats(&self) -> Stats {
        Stats::of(&self.shared)
    }

    /// The heap's descriptors.
    pub fn schema(&self) -> migrate::Schema {
        self.shared.binder().registry().schema.current()
    }

    /// The heap's file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        open::close(&self.shared);
    }
}
