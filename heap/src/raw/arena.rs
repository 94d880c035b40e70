//! The reserved address range and what is mapped into it.

use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};

use crate::format::REGION;

/// A range of reserved addresses, 2 MiB-aligned, of which parts are mapped as private memory.
#[derive(Debug)]
pub(crate) struct Arena {
    base: NonNull<u8>,
    len: u64,
    reserved: NonNull<u8>,
    reserved_len: usize,
}

// SAFETY: an arena is an address range; what may be read and written in it, and when, is ruled by M2 and M6.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

impl Arena {
    /// Reserves `len` bytes of address space, without access and without a claim on memory.
    pub(crate) fn reserve(len: u64) -> io::Result<Self> {
        let reserved_len = usize::try_from(len + REGION).map_err(|_| io::ErrorKind::OutOfMemory)?;
        // SAFETY: a fresh anonymous mapping without access touches nothing that exists.
        let address = unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                reserved_len,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )?
        };
        let reserved = NonNull::new(address.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        let skip = reserved.as_ptr().align_offset(REGION as usize);
        // SAFETY: the reservation is longer than `len` by a whole alignment unit.
        let base = unsafe { reserved.add(skip) };
        let arena = Self { base, len, reserved, reserved_len };
        // A forked child must not write to what it believes is its own copy, nor pay for it; core dumps must not
        // carry the program's state away.
        for advice in [Advice::LinuxDontFork, Advice::LinuxDontDump] {
            // SAFETY: the advice concerns only the reservation.
            unsafe { rustix::mm::madvise(arena.reserved.as_ptr().cast(), reserved_len, advice)? };
        }
        Ok(arena)
    }

    /// Length in bytes.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// The address of offset 0.
    #[inline(always)]
    pub(crate) const fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    fn place(&self, at: u64, len: u64) -> io::Result<*mut u8> {
        if at.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        // SAFETY: `at` lies inside the reservation.
        Ok(unsafe { self.base.as_ptr().add(at as usize) })
    }

    /// Gives the addresses `at..at + len` memory that reads as zeros.
    pub(crate) fn map_zeros(&self, at: u64, len: u64) -> io::Result<()> {
        let place = self.place(at, len)?;
        // The reservation is already anonymous and private, so access is all that is missing; the kernel merges
        // neighbours into one mapping, which keeps huge pages possible across extents.
        // SAFETY: the range lies in the reservation, and nothing was mapped there before (the allocator gives each
        // range once).
        unsafe { rustix::mm::mprotect(place.cast(), len as usize, MprotectFlags::READ | MprotectFlags::WRITE)? };
        if len >= REGION {
            // Only a hint: kernels without huge pages refuse it.
            // SAFETY: the range is mapped; the advice does not change its bytes.
            let _ = unsafe { rustix::mm::madvise(place.cast(), len as usize, Advice::LinuxHugepage) };
        }
        Ok(())
    }

    /// Maps `len` bytes of a file from `offset` privately at `at`.
    pub(crate) fn map_file(&self, at: u64, len: u64, file: BorrowedFd<'_>, offset: u64) -> io::Result<()> {
        let place = self.place(at, len)?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the range lies in the reservation, so the fixed mapping replaces nothing of anybody else's. Bytes
        // of the file are initialised; that nobody changes them is what `open_mapped` asks of its caller (M2).
        unsafe {
            let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
            rustix::mm::mmap(place.cast(), len as usize, access, flags, file, offset)?;
            for advice in [Advice::LinuxDontFork, Advice::LinuxDontDump] {
                rustix::mm::madvise(place.cast(), len as usize, advice)?;
            }
        }
        Ok(())
    }

    /// Takes access and memory away from `at..at + len`.
    ///
    /// No region entry may count slots there any more (M1).
    pub(crate) fn unmap(&self, at: u64, len: u64) -> io::Result<()> {
        let place = self.place(at, len)?;
        // SAFETY: as for `map_file`; no slot there is counted, so nothing refers into the range.
        unsafe {
            let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
            rustix::mm::mmap_anonymous(place.cast(), len as usize, ProtFlags::empty(), flags)?;
            rustix::mm::madvise(place.cast(), len as usize, Advice::LinuxDontFork)?;
            rustix::mm::madvise(place.cast(), len as usize, Advice::LinuxDontDump)?;
        }
        Ok(())
    }

    /// Gives every page of `at..at + len` a private copy, so that later changes of the mapped file stay unseen.
    pub(crate) fn make_private(&self, at: u64, len: u64) -> io::Result<()> {
        let place = self.place(at, len)?;
        // SAFETY: populating writable private pages keeps their bytes.
        unsafe { rustix::mm::madvise(place.cast(), len as usize, Advice::LinuxPopulateWrite)? };
        Ok(())
    }

    /// Whether `at..at + len` may be taken as slices: the caller's region entries say what is mapped.
    #[inline]
    fn within(&self, at: u64, len: u64) -> bool {
        at.checked_add(len).is_some_and(|end| end <= self.len)
    }

    /// Bytes of mapped memory.
    ///
    /// # Safety
    /// `at..at + len` is mapped (M1), holds no padding that was not zeroed (M3), and nobody writes there during `'a`
    /// (M6).
    #[inline]
    pub(crate) unsafe fn bytes<'a>(&self, at: u64, len: u64) -> &'a [u8] {
        debug_assert!(self.within(at, len));
        // SAFETY: promised by the caller.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(at as usize), len as usize) }
    }

    /// Bytes of mapped memory, for writing.
    ///
    /// # Safety
    /// `at..at + len` is mapped (M1), the caller holds the writer's token, and nobody else refers to these bytes
    /// during `'a` (M6).
    #[inline]
    pub(crate) unsafe fn bytes_mut<'a>(&self, at: u64, len: u64) -> &'a mut [u8] {
        debug_assert!(self.within(at, len));
        // SAFETY: promised by the caller.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr().add(at as usize), len as usize) }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: references into the arena borrow from guards that keep it alive.
        let _ = unsafe { rustix::mm::munmap(self.reserved.as_ptr().cast(), self.reserved_len) };
    }
}
