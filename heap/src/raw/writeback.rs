//! Telling the kernel to write dirty pages to the disk.

use std::io;
use std::os::fd::RawFd;

/// Whether the writing is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writeback {
    /// It begins.
    Begin,
    /// It ends.
    Wait,
}

/// Writes a range of a file. An error that waiting tells is told once: the next sync does not know it.
pub(crate) fn writeback(file: RawFd, offset: u64, len: u64, until: Writeback) -> io::Result<()> {
    let number = |number: u64| i64::try_from(number).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
    let (offset, len) = (number(offset)?, number(len)?);
    let flags = match until {
        Writeback::Begin => libc::SYNC_FILE_RANGE_WRITE,
        Writeback::Wait => {
            libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER
        }
    };
    // SAFETY: the call touches no memory; a bad descriptor or range is an error that it returns.
    match unsafe { libc::sync_file_range(file, offset, len, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
