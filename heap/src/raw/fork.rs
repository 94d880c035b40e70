//! Telling a forked child from the process that opened the heap, for the price of a load.

use std::io;
use std::ptr::NonNull;

use rustix::mm::{Advice, MapFlags, ProtFlags};

const PAGE: usize = 4096;

/// A page that the kernel gives a forked child empty.
#[derive(Debug)]
pub(crate) struct ForkMark(NonNull<u8>);

// SAFETY: the page is written once, before anybody else knows it, and only read after.
unsafe impl Send for ForkMark {}
// SAFETY: as above.
unsafe impl Sync for ForkMark {}

impl ForkMark {
    /// Marks this process.
    pub(crate) fn new() -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a fresh mapping touches nothing that exists.
        let page = unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), PAGE, access, MapFlags::PRIVATE)? };
        let page = NonNull::new(page.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        let mark = Self(page);
        // SAFETY: the page is ours and mapped.
        unsafe {
            rustix::mm::madvise(page.as_ptr().cast(), PAGE, Advice::LinuxWipeOnFork)?;
            page.as_ptr().write_volatile(1);
        }
        Ok(mark)
    }

    /// Whether this is the process that made the mark.
    #[inline(always)]
    pub(crate) fn is_here(&self) -> bool {
        // SAFETY: the page is mapped until the mark is dropped; in a child it reads as zeros.
        unsafe { self.0.as_ptr().read_volatile() == 1 }
    }
}

impl Drop for ForkMark {
    fn drop(&mut self) {
        // SAFETY: nobody holds a pointer into the page.
        let _ = unsafe { rustix::mm::munmap(self.0.as_ptr().cast(), PAGE) };
    }
}
