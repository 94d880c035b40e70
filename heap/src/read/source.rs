//! Where bytes come from.

use std::fs::File;
use std::io;

use crate::error::{Corruption, Error, Place, Result};

/// A heap file's bytes, or a part of them. Reading moves no position, so a source can be shared.
pub trait Source {
    /// Length in bytes.
    ///
    /// # Errors
    /// When the system does not say.
    fn len(&self) -> io::Result<u64>;

    /// Fills `bytes` from `offset`.
    ///
    /// # Errors
    /// Of kind `UnexpectedEof` when the source ends before.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;

    /// Whether there are no bytes at all.
    ///
    /// # Errors
    /// When the system does not say.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

impl Source for [u8] {
    fn len(&self) -> io::Result<u64> {
        Ok(<[u8]>::len(self) as u64)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let found = usize::try_from(offset).ok().and_then(|start| self.get(start..)?.get(..bytes.len()));
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl Source for Vec<u8> {
    fn len(&self) -> io::Result<u64> {
        Source::len(&**self)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        Source::read_at(&**self, offset, bytes)
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn len(&self) -> io::Result<u64> {
        S::len(self)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        S::read_at(self, offset, bytes)
    }
}

impl Source for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    #[cfg(unix)]
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, bytes, offset)
    }

    /// Moves the file's position: on these systems one thread at a time may read through one descriptor.
    #[cfg(not(unix))]
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = self;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(bytes)
    }
}

/// Reads exactly, and says of a source that ends too early where it does.
pub(super) fn read_exact<S: Source + ?Sized>(source: &S, offset: u64, bytes: &mut [u8]) -> Result<()> {
    source.read_at(offset, bytes).map_err(|error| {
        if error.kind() != io::ErrorKind::UnexpectedEof {
            return Error::Io {
                action: format!("reading {} bytes at {offset} of the heap", bytes.len()),
                source: error,
            };
        }
        let end = offset.saturating_add(bytes.len() as u64);
        let len = source.len().unwrap_or(offset);
        Error::Corrupt { at: Place::Offset(len), what: Corruption::Truncated { missing: end.saturating_sub(len) } }
    })
}

/// Length of a source, its failure as this crate's error.
pub(super) fn len_of<S: Source + ?Sized>(source: &S) -> Result<u64> {
    source.len().map_err(|error| Error::Io { action: "asking for the heap's length".into(), source: error })
}

/// `len` zero bytes, or an error where memory is short.
pub(super) fn zeroed(len: u64) -> Result<Vec<u8>> {
    // Asked for once in a way that may fail, and then in the way in which the system's zero pages are not touched
    // before they are read into.
    let room = usize::try_from(len).ok().filter(|&len| Vec::<u8>::new().try_reserve_exact(len).is_ok());
    let Some(len) = room else {
        let source = io::ErrorKind::OutOfMemory.into();
        return Err(Error::Io { action: format!("taking {len} bytes of memory"), source });
    };
    Ok(vec![0; len])
}
