//! Telling the kernel to begin writing dirty pages to the disk.

use std::os::fd::RawFd;

/// Begins writing a range of a file; errors are left to the sync that follows.
pub(crate) fn begin_writeback(file: RawFd, offset: u64, len: u64) {
    let (Ok(offset), Ok(len)) = (i64::try_from(offset), i64::try_from(len)) else { return };
    // SAFETY: the call touches no memory; a bad descriptor or range is an error that it returns.
    let _ = unsafe { libc::sync_file_range(file, offset, len, libc::SYNC_FILE_RANGE_WRITE) };
}
