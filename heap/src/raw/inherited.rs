//! Descriptors that the process was started with.

use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Takes a descriptor that this process was started with, once. It is shown by its number only, so nothing can be known
/// of it but what the system says: that it is open, and that it crossed an `exec`, for the descriptors that this process
/// opened itself are marked to be closed then. What is handed out is a duplicate; the descriptor itself stays open, is
/// nobody's, and is marked as taken by the same mark.
///
/// # Errors
/// When it is not open, is one of the three standard ones, or is no inherited one (any more).
pub(crate) fn take_inherited(number: RawFd) -> io::Result<File> {
    if number <= libc::STDERR_FILENO {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the call reads a flag, of any number at all, and touches no memory.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    if flags & libc::FD_CLOEXEC != 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the call makes a new descriptor, of any number at all, and touches no memory.
    let duplicate = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, libc::STDERR_FILENO + 1) };
    if duplicate < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call just made succeeded, so the descriptor is open, and nobody else knows it.
    let duplicate = unsafe { OwnedFd::from_raw_fd(duplicate) };
    // SAFETY: the call sets a flag and touches no memory. An owner of the descriptor, had this process one, would not
    // notice: it crosses no further `exec`.
    if unsafe { libc::fcntl(number, libc::F_SETFD, flags | libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(duplicate.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn only_what_was_inherited_is_taken_and_only_once() {
        let (mut reader, writer) = io::pipe().unwrap();
        let number = writer.as_raw_fd();
        assert!(take_inherited(number).is_err(), "this process opened it itself");
        rustix::io::fcntl_setfd(&writer, rustix::io::FdFlags::empty()).unwrap();
        let mut taken = take_inherited(number).unwrap();
        assert!(take_inherited(number).is_err(), "it is taken");
        taken.write_all(b"here").unwrap();
        drop((taken, writer));
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        assert_eq!(said, "here");
        for number in [-1, 0, 1, 2, RawFd::MAX] {
            assert!(take_inherited(number).is_err(), "{number}");
        }
    }
}
