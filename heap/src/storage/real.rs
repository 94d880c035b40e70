//! The real files.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

use super::{File, Lock, LockMode, Storage};
use crate::error::{Error, Result};
use crate::format::header::{RETAIN_LOCK, WRITER_LOCK};
use crate::raw::{LogMap, Writeback};

/// Length of the pieces in which fresh log is written, so that the page cache holds it in small pages.
const PAGE: usize = 4096;

/// A heap file and the log beside it.
#[derive(Debug)]
pub struct RealStorage {
    base: fs::File,
    log: fs::File,
    map: LogMap,
}

/// The path of the log of a heap file.
pub fn log_path(heap: &Path) -> PathBuf {
    let mut name = heap.as_os_str().to_owned();
    name.push(".log");
    PathBuf::from(name)
}

impl RealStorage {
    /// Opens a heap file for reading and writing, and its log, which is made where there is none.
    ///
    /// # Errors
    /// [`Error::NotFound`] without a heap file; [`Error::Platform`] on a file system that cannot carry a heap.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |source: io::Error| match source.kind() {
            ErrorKind::NotFound => Error::NotFound { path: path.to_owned() },
            _ => Error::Io { action: format!("open {}", path.display()), source },
        };
        let base = fs::OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
        refuse_file_system(&base, path)?;
        let mode = base.metadata().map_err(failed)?.mode() & 0o666;
        let log_path = log_path(path);
        let log_failed = |source| Error::Io { action: format!("open {}", log_path.display()), source };
        let mut options = fs::OpenOptions::new();
        let log = options.read(true).write(true).create(true).truncate(false).mode(mode).open(&log_path);
        let log = log.map_err(log_failed)?;
        let map = LogMap::reserve(LOG_ADDRESSES).map_err(log_failed)?;
        let len = log.metadata().map_err(log_failed)?.len();
        map.extend(log.as_fd(), len / PAGE as u64 * PAGE as u64).map_err(log_failed)?;
        Ok(Self { base, log, map })
    }

    /// A heap file and its log that others write to, for reading only: the log may be an empty file.
    ///
    /// # Errors
    /// When addresses are short.
    pub fn read_only(base: fs::File, log: fs::File) -> Result<Self> {
        let map = LogMap::reserve(PAGE);
        let map = map.map_err(|source| Error::Io { action: "reserve addresses".into(), source })?;
        Ok(Self { base, log, map })
    }

    /// The heap file.
    pub const fn base(&self) -> &fs::File {
        &self.base
    }

    const fn file(&self, file: File) -> &fs::File {
        match file {
            File::Base => &self.base,
            File::Log => &self.log,
        }
    }
}

/// Addresses for the log's mapping; what lies behind is written by system calls.
const LOG_ADDRESSES: usize = 4 << 30;

/// Shared maps and locks must mean what they say.
fn refuse_file_system(file: &fs::File, path: &Path) -> Result<()> {
    const REFUSED: [(i64, &str); 5] =
        [(0x6969, "NFS"), (0x0102_1997, "9p"), (0x6573_5546, "FUSE"), (0xFF53_4D42, "CIFS"), (0xFE53_4D42, "SMB")];
    let Ok(status) = rustix::fs::fstatfs(file) else { return Ok(()) };
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
    let kind = status.f_type as i64;
    match REFUSED.iter().find(|(magic, _)| *magic == kind) {
        None => Ok(()),
        Some((_, name)) => Err(Error::Platform(format!(
            "{} lies on {name}, where maps and locks are not coherent; keep the heap on a local file system",
            path.display()
        ))),
    }
}

impl Storage for RealStorage {
    fn read_at(&self, file: File, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file(file).read_exact_at(bytes, offset)
    }

    #[inline]
    fn write_at(&self, file: File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if file == File::Log && self.map.write(offset, bytes) {
            return Ok(());
        }
        self.file(file).write_all_at(bytes, offset)
    }

    fn sync(&self, file: File) -> io::Result<()> {
        self.file(file).sync_data()
    }

    fn begin_sync(&self, file: File, offset: u64, len: u64) {
        begin_writeback(self.file(file), offset, len);
    }

    fn write_out(&self, file: File, offset: u64, len: u64) -> io::Result<()> {
        crate::raw::writeback(self.file(file).as_raw_fd(), offset, len, Writeback::Wait)
    }

    fn allocate(&self, file: File, offset: u64, len: u64) -> io::Result<()> {
        let target = self.file(file);
        let allocated = rustix::fs::fallocate(target, FallocateFlags::empty(), offset, len);
        match allocated {
            Err(rustix::io::Errno::OPNOTSUPP) => write_zeros(target, offset, len)?,
            allocated => allocated?,
        }
        if file == File::Log {
            // Written once, so that a later sync has data to write and nothing else.
            write_zeros(target, offset, len)?;
            if offset <= self.map.mapped() {
                self.map.extend(target.as_fd(), offset + len)?;
            }
        }
        Ok(())
    }

    fn len(&self, file: File) -> io::Result<u64> {
        Ok(self.file(file).metadata()?.len())
    }

    fn set_len(&self, file: File, len: u64) -> io::Result<()> {
        if file == File::Log {
            self.map.cut(len.next_multiple_of(PAGE as u64))?;
        }
        self.file(file).set_len(len)
    }

    fn lock(&self, lock: Lock, mode: LockMode) -> io::Result<bool> {
        lock_file(&self.base, lock, mode)
    }

    fn descriptor(&self, file: File) -> Option<BorrowedFd<'_>> {
        Some(self.file(file).as_fd())
    }
}

fn write_zeros(file: &fs::File, offset: u64, len: u64) -> io::Result<()> {
    let zeros = [0; PAGE];
    (0..len).step_by(PAGE).try_for_each(|at| {
        let piece = (len - at).min(PAGE as u64) as usize;
        file.write_all_at(&zeros[..piece], offset + at)
    })
}

/// Asks the disk to begin with these bytes of a file, which are going to be synced; it promises nothing.
pub fn begin_writeback(file: &fs::File, offset: u64, len: u64) {
    // What this cannot begin, the sync that follows does, and tells.
    let _ = crate::raw::writeback(file.as_raw_fd(), offset, len, Writeback::Begin);
}

/// Takes or gives up a lock of a heap file without waiting; false when somebody else's is in the way.
///
/// The locks belong to the open file description: they cross `execve` with the descriptor, and one process that
/// opens the file twice excludes itself.
///
/// # Errors
/// When the file system does not lock.
pub fn lock_file(file: &fs::File, lock: Lock, mode: LockMode) -> io::Result<bool> {
    let start = match lock {
        Lock::Writer => WRITER_LOCK,
        Lock::Retain => RETAIN_LOCK,
    };
    crate::raw::ofd_lock(file.as_raw_fd(), start, mode)
}
