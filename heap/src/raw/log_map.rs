//! The log file, written through a shared mapping.

use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::mm::{Advice, MapFlags, ProtFlags};

/// A reserved range of addresses in which the log file's allocated part is mapped.
#[derive(Debug)]
pub(crate) struct LogMap {
    base: NonNull<u8>,
    reserved: usize,
    mapped: AtomicU64,
}

// SAFETY: the mapping is written by copies of plain bytes alone; the log's lock lets one thread append at a time, and
// nobody reads through the mapping.
unsafe impl Send for LogMap {}
// SAFETY: as above.
unsafe impl Sync for LogMap {}

impl LogMap {
    /// Reserves addresses for a log of up to `reserved` bytes.
    pub(crate) fn reserve(reserved: usize) -> io::Result<Self> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a fresh mapping without access touches nothing that exists.
        let address = unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), reserved, ProtFlags::empty(), flags)? };
        let base = NonNull::new(address.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { base, reserved, mapped: AtomicU64::new(0) })
    }

    /// Bytes that are mapped, from the file's start.
    pub(crate) fn mapped(&self) -> u64 {
        self.mapped.load(Ordering::Acquire)
    }

    /// Maps the file up to `len`, which it has allocated and written: storing into a hole could end the process.
    pub(crate) fn extend(&self, file: BorrowedFd<'_>, len: u64) -> io::Result<()> {
        let from = self.mapped();
        if len <= from || len as usize > self.reserved {
            return Ok(());
        }
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the range lies in the reservation, behind what is mapped, so it replaces nothing.
        unsafe {
            let place = self.base.as_ptr().add(from as usize).cast();
            let size = (len - from) as usize;
            rustix::mm::mmap(place, size, access, MapFlags::SHARED | MapFlags::FIXED, file, from)?;
            // Pages must stay small: a byte stored through a mapped large page makes all of it dirty.
            rustix::mm::madvise(place, size, Advice::Random)?;
            rustix::mm::madvise(place, size, Advice::LinuxDontFork)?;
        }
        self.mapped.store(len, Ordering::Release);
        Ok(())
    }

    /// Forgets the mapping from `len` on, before the file is cut there.
    pub(crate) fn cut(&self, len: u64) -> io::Result<()> {
        let mapped = self.mapped();
        if len >= mapped {
            return Ok(());
        }
        self.mapped.store(len, Ordering::Release);
        let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
        // SAFETY: the range lies in the reservation, and writes go only below `mapped` from here on.
        unsafe {
            let place = self.base.as_ptr().add(len as usize).cast();
            rustix::mm::mmap_anonymous(place, (mapped - len) as usize, ProtFlags::empty(), flags)?;
        }
        Ok(())
    }

    /// Copies bytes into the mapping; false, and nothing done, where it does not reach.
    ///
    /// Duty of the caller: one thread at a time.
    #[inline]
    pub(crate) fn write(&self, at: u64, bytes: &[u8]) -> bool {
        if at.checked_add(bytes.len() as u64).is_none_or(|end| end > self.mapped()) {
            return false;
        }
        // SAFETY: the range is mapped, as just checked; the source is a slice of this process's own memory.
        unsafe { self.base.as_ptr().add(at as usize).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) }
        true
    }
}

impl Drop for LogMap {
    fn drop(&mut self) {
        // SAFETY: nobody holds a pointer into it.
        let _ = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.reserved) };
    }
}
