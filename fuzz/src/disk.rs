//! A heap's two files in memory, to be read.

use std::io;

use heap::format::frame::SEGMENT;
use heap::read::Source;
use heap::storage::{File, Lock, LockMode, Storage};

/// The log is kept as the beginnings of its segments; what lies behind a beginning reads as zero.
#[derive(Debug, Default)]
pub struct Disk {
    /// The heap file.
    pub base: Vec<u8>,
    /// The segments.
    pub segments: Vec<Vec<u8>>,
    /// Bytes behind the last whole segment.
    pub torn: u64,
}

impl Disk {
    fn log_len(&self) -> u64 {
        self.segments.len() as u64 * SEGMENT + self.torn
    }

    fn read_log(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(bytes.len() as u64).is_none_or(|end| end > self.log_len()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (at, byte) in (offset..).zip(bytes) {
            let segment = self.segments.get((at / SEGMENT) as usize);
            *byte = segment.and_then(|segment| segment.get((at % SEGMENT) as usize)).copied().unwrap_or(0);
        }
        Ok(())
    }
}

impl Storage for Disk {
    fn read_at(&self, file: File, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        match file {
            File::Base => Source::read_at(&self.base, offset, bytes),
            File::Log => self.read_log(offset, bytes),
        }
    }

    fn write_at(&self, _: File, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self, _: File) -> io::Result<()> {
        Ok(())
    }

    fn allocate(&self, _: File, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn len(&self, file: File) -> io::Result<u64> {
        Ok(match file {
            File::Base => self.base.len() as u64,
            File::Log => self.log_len(),
        })
    }

    fn set_len(&self, _: File, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn lock(&self, _: Lock, _: LockMode) -> io::Result<bool> {
        Ok(false)
    }

    #[cfg(unix)]
    fn descriptor(&self, _: File) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }
}
