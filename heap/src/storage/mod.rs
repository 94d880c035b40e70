//! Where a heap's bytes are kept. Everything the heap writes goes through [`Storage`]: the real files, or the
//! simulated disk of the crash tests.

/// The real files.
#[cfg(all(feature = "arena", target_os = "linux"))]
pub mod real;
/// The simulated disk.
#[cfg(feature = "simulated")]
pub mod simulated;

use std::io;

/// One of a heap's two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum File {
    /// The heap file.
    Base,
    /// The log beside it.
    Log,
}

/// One of a heap's two locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lock {
    /// Held by the one process that has the heap open for writing.
    Writer,
    /// Held shared by whoever needs the log's frames kept.
    Retain,
}

/// How a lock is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockMode {
    /// Together with others that ask for it shared.
    Shared,
    /// Alone.
    Exclusive,
    /// Given up.
    Released,
}

/// The files of one heap. Offsets and lengths are in bytes. Errors are the system's, of kind `StorageFull` for want of
/// room.
///
/// Writes are visible to reads at once, and durable after a successful [`sync`](Storage::sync) of their file. After
/// a failed sync nothing is known about the writes before it.
#[allow(clippy::missing_errors_doc, reason = "said once, above")]
pub trait Storage: Send + Sync + std::fmt::Debug {
    /// Fills `bytes` from `offset`; an error of kind `UnexpectedEof` when the file ends before.
    fn read_at(&self, file: File, offset: u64, bytes: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`, lengthening the file where needed.
    fn write_at(&self, file: File, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes all earlier writes, allocations and lengths of the file durable.
    fn sync(&self, file: File) -> io::Result<()>;

    /// A hint that these bytes are going to be synced, so that the disk may begin; it promises nothing.
    fn begin_sync(&self, _: File, _: u64, _: u64) {}

    /// Writes these bytes out and comes back when the disk has taken them, so that a later sync has less to do. It
    /// promises nothing; but an error is one that the sync will not tell again.
    fn write_out(&self, _: File, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    /// Takes room on the disk for `len` bytes at `offset`, lengthening the file where needed: later writes there do
    /// not fail for want of room. Fresh bytes read as zero.
    fn allocate(&self, file: File, offset: u64, len: u64) -> io::Result<()>;

    /// Length of the file.
    fn len(&self, file: File) -> io::Result<u64>;

    /// Cuts or lengthens the file.
    fn set_len(&self, file: File, len: u64) -> io::Result<()>;

    /// Asks for a lock without waiting; false when somebody else's lock is in the way.
    fn lock(&self, lock: Lock, mode: LockMode) -> io::Result<bool>;

    /// The file's descriptor, for mapping it; `None` where there is none.
    #[cfg(unix)]
    fn descriptor(&self, file: File) -> Option<std::os::fd::BorrowedFd<'_>>;

    /// The bug that the library is to have over this storage.
    #[cfg(planted)]
    fn planted(&self) -> Option<crate::planted::Bug> {
        None
    }
}

/// No files at all: the storage of a scratch heap.
#[derive(Debug, Clone, Copy)]
pub struct Nowhere;

impl Storage for Nowhere {
    fn read_at(&self, _: File, _: u64, _: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    fn write_at(&self, _: File, _: u64, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self, _: File) -> io::Result<()> {
        Ok(())
    }

    fn allocate(&self, _: File, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn len(&self, _: File) -> io::Result<u64> {
        Ok(0)
    }

    fn set_len(&self, _: File, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _: Lock, _: LockMode) -> io::Result<bool> {
        Ok(true)
    }

    #[cfg(unix)]
    fn descriptor(&self, _: File) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }
}
