//! Locks on bytes of a file, which the safe wrappers of the system's calls do not offer.

use std::io;
use std::os::fd::RawFd;

use crate::storage::LockMode;

/// Takes or gives up the lock on the byte at `start` for the open file description; false when it is taken.
pub(crate) fn ofd_lock(file: RawFd, start: u64, mode: LockMode) -> io::Result<bool> {
    let kind = match mode {
        LockMode::Shared => libc::F_RDLCK,
        LockMode::Exclusive => libc::F_WRLCK,
        LockMode::Released => libc::F_UNLCK,
    };
    // SAFETY: all zeros is a valid `flock`, a plain C struct.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = libc::off_t::try_from(start).map_err(|_| io::ErrorKind::InvalidInput)?;
    lock.l_len = 1;
    // SAFETY: the call reads the struct and touches no other memory.
    if unsafe { libc::fcntl(file, libc::F_OFD_SETLK, &raw const lock) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}
