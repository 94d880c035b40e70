//! Files, opened for reading on any machine.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use heap::format::header::{FileState, Header};
use heap::read::{Checks, Overlay, Reader, Source, read_header};
use heap::storage::{self, Lock, LockMode, Storage};

use crate::error::{Error, Result};

/// Opens an image, or a heap as of its last commit, for checked reads. The log is looked for beside the heap.
///
/// Nothing is locked: while a program has the heap open, its checkpoints may change what is read here. Dump it, and
/// open the image.
///
/// # Errors
/// When a file cannot be read, or the header, the log's operations or the catalog are damaged.
pub fn open_file(path: &Path, checks: Checks) -> Result<Reader<File>> {
    let file = open(path)?;
    let (header, _) = read_header(&file, path)?;
    let overlay = match log_of(path, &header)? {
        None => Overlay::new(file)?,
        Some(log) => {
            let base = file.try_clone().map_err(|error| Error::io(format!("opening {}", path.display()), error))?;
            Overlay::under_log(&ReadOnly { base, log }, &header, file)?.0
        }
    };
    Ok(Reader::with_overlay(overlay, header, checks)?)
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => heap::Error::NotFound { path: path.to_owned() }.into(),
        _ => Error::io(format!("opening {}", path.display()), source),
    })
}

/// The log that holds commits which the file does not.
fn log_of(path: &Path, header: &Header) -> Result<Option<File>> {
    if header.state == FileState::Image || header.log.epoch == 0 {
        return Ok(None);
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".log");
    match open(&PathBuf::from(name)) {
        Ok(log) => Ok(Some(log)),
        // Without a log the last checkpoint is all there is.
        Err(Error::Heap(heap::Error::NotFound { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A heap's two files, to be read.
#[derive(Debug)]
struct ReadOnly {
    base: File,
    log: File,
}

impl ReadOnly {
    const fn file(&self, file: storage::File) -> &File {
        match file {
            storage::File::Base => &self.base,
            storage::File::Log => &self.log,
        }
    }
}

impl Storage for ReadOnly {
    fn read_at(&self, file: storage::File, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        Source::read_at(self.file(file), offset, bytes)
    }

    fn write_at(&self, _: storage::File, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self, _: storage::File) -> io::Result<()> {
        Ok(())
    }

    fn allocate(&self, _: storage::File, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn len(&self, file: storage::File) -> io::Result<u64> {
        Source::len(self.file(file))
    }

    fn set_len(&self, _: storage::File, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn lock(&self, _: Lock, _: LockMode) -> io::Result<bool> {
        Ok(false)
    }

    #[cfg(unix)]
    fn descriptor(&self, file: storage::File) -> Option<std::os::fd::BorrowedFd<'_>> {
        Some(std::os::fd::AsFd::as_fd(self.file(file)))
    }
}

#[cfg(test)]
mod tests {
    use heap::format::frame::{FrameHeader, Operation, SegmentHeader};
    use heap::format::header::LogStart;

    use super::*;
    use crate::inspect::{Found, View};
    use crate::sample::board;
    use crate::verify::verify_file;

    /// A log of one segment whose transactions each write one range.
    fn log_of_writes(epoch: u64, first_sequence: u64, writes: &[(u64, Vec<u8>)]) -> (Vec<u8>, LogStart) {
        let (head, chain) = SegmentHeader { epoch, ordinal: 1, link: 0 }.to_bytes();
        let mut log = head.to_vec();
        let start = LogStart { epoch, ordinal: 1, offset: log.len() as u32, chain };
        let mut chain = chain;
        for (sequence, (at, bytes)) in (first_sequence..).zip(writes) {
            let mut payload = Vec::new();
            Operation::Write { at: *at, bytes }.encode(&mut payload);
            let header = FrameHeader { payload: payload.len() as u32, last: true, sequence };
            let (head, after) = header.to_bytes(chain, &payload);
            log.extend_from_slice(&head);
            log.extend_from_slice(&payload);
            chain = after;
        }
        log.resize(heap::format::frame::SEGMENT as usize, 0);
        (log, start)
    }

    #[test]
    fn a_heap_is_read_as_of_its_last_whole_commit() {
        let fixture = board(3);
        let before = fixture.file();
        let mut changed = board(3);
        let board = changed.roots[0].reference;
        let title = u64::from_ne_bytes(changed.slot(board)[8..16].try_into().unwrap());
        changed.slot_mut(title)[8..16].copy_from_slice(b"renamed!");
        let after = changed.file();
        let at = (heap::format::BLOCK as usize..before.len()).find(|&at| before[at] != after[at]).unwrap();
        let write = (at as u64, after[at..at + 8].to_vec());
        let (log, start) = log_of_writes(99, 8, &[write]);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("board.heap");
        let mut header = read_header(&before[..], &path).unwrap().0;
        header.log = start;
        let mut file = before;
        file[..4096].copy_from_slice(&header.to_page());
        std::fs::write(&path, &file).unwrap();
        let title = || {
            let reader = open_file(&path, Checks::Strict).unwrap();
            let view = View::of_reader(&reader).unwrap();
            match view.find(&".board.title".parse().unwrap()).unwrap() {
                Found::Value(_, value) => view.show_value(&value).unwrap(),
                Found::Record(_) => unreachable!("a title is no record"),
            }
        };
        assert_eq!(title(), "\"my board\"");
        let log_path = folder.path().join("board.heap.log");
        std::fs::write(&log_path, &log).unwrap();
        assert_eq!(title(), "\"renamed!\"");
        verify_file(&path).unwrap();
        // A torn frame was never committed.
        let mut torn = log;
        torn[100] ^= 1;
        std::fs::write(&log_path, &torn).unwrap();
        assert_eq!(title(), "\"my board\"");
    }

    #[test]
    fn a_missing_file_is_said_to_be_missing() {
        let error = open_file(Path::new("/nowhere/board.heap"), Checks::Strict).unwrap_err();
        assert_eq!(error.to_string(), "/nowhere/board.heap does not exist");
        assert_eq!(error.code(), "IMG-0502");
    }
}
