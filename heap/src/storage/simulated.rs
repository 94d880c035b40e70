//! A disk in memory that loses what was not synced.
//!
//! It keeps a journal of what was asked of it. `Replay` walks along the journal and makes, after any of its events,
//! the states in which a power cut could leave the disk:
//!
//! - A sector of 512 bytes is written whole or not at all. Between two syncs of a file each sector has, for itself,
//!   any of the contents that it had meanwhile: writes are lost, torn and reordered.
//! - The length of a file is apart from its contents: a file that was lengthened may come back short, or long and
//!   zero, until it is synced.
//! - A sync that failed leaves pages that look clean: what was written before it can be read, no later sync makes it
//!   durable, and whether it reached the disk is open.
//!
//! Any call can be made to fail, once or from then on.

mod image;
mod replay;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use image::{Image, SECTOR};
pub use replay::{Cut, Journal, Random, Replay};

use image::Pages;
use replay::Event;

use super::{File, Lock, LockMode, Storage};

/// A call that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Number of the call among those that change something, from 0.
    pub call: u64,
    /// What it fails with.
    pub kind: io::ErrorKind,
    /// Whether all later ones fail as well.
    pub lasting: bool,
}

/// What a call does, as far as faults tell calls apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Bytes are written.
    Write,
    /// A file is synced.
    Sync,
    /// Room is taken.
    Allocate,
}

/// The two files of a heap on a disk that can be cut off.
#[derive(Debug)]
pub struct SimulatedDisk {
    inner: Mutex<Inner>,
    #[cfg(planted)]
    planted: Option<crate::planted::Bug>,
}

#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // none follows from another
struct Inner {
    /// What reads see.
    now: Image,
    start: Image,
    events: Vec<Event>,
    calls: u64,
    fault: Option<Fault>,
    /// What the call that failed was to do.
    failed: Option<Call>,
    dead: bool,
    locked: bool,
    retained: bool,
    forgetful: bool,
}

impl SimulatedDisk {
    /// A disk with these files, all of it durable.
    pub fn new(image: Image) -> Arc<Self> {
        Arc::new(Self::bare(image))
    }

    /// A disk with these files, on which the library behaves as if a bug were in it.
    #[cfg(planted)]
    pub fn with_bug(image: Image, planted: Option<crate::planted::Bug>) -> Arc<Self> {
        Arc::new(Self { planted, ..Self::bare(image) })
    }

    /// Another disk with these files, and the same bug if there is one.
    pub fn like(&self, image: Image) -> Arc<Self> {
        Arc::new(Self {
            #[cfg(planted)]
            planted: self.planted,
            ..Self::bare(image)
        })
    }

    fn bare(image: Image) -> Self {
        let inner = Inner {
            start: image.clone(),
            now: image,
            events: Vec::new(),
            calls: 0,
            fault: None,
            failed: None,
            dead: false,
            locked: false,
            retained: false,
            forgetful: false,
        };
        Self {
            inner: Mutex::new(inner),
            #[cfg(planted)]
            planted: None,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nothing is written into the journal, which costs half of the time of a write.
    pub fn forget_events(&self) {
        self.inner().forgetful = true;
    }

    /// Lets a call fail.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.inner().fault = fault;
    }

    /// What the call that failed was to do, if one did.
    pub fn failed(&self) -> Option<Call> {
        self.inner().failed
    }

    /// Calls so far that change something.
    pub fn calls(&self) -> u64 {
        self.inner().calls
    }

    /// From now on nothing reaches the disk any more: the process is gone, and so are its locks.
    pub fn kill(&self) {
        let mut inner = self.inner();
        inner.dead = true;
        inner.locked = false;
    }

    /// A new process finds what the one before wrote, synced or not.
    pub fn revive(&self) {
        let mut inner = self.inner();
        inner.dead = false;
        inner.locked = false;
        inner.fault = None;
        inner.failed = None;
    }

    /// Somebody begins, or ends, to need the log's frames.
    pub fn retain(&self, retained: bool) {
        self.inner().retained = retained;
    }

    /// Events so far.
    pub fn position(&self) -> usize {
        self.inner().events.len()
    }

    /// What happened so far.
    pub fn journal(&self) -> Journal {
        let inner = self.inner();
        Journal { start: inner.start.clone(), events: inner.events.clone() }
    }

    /// What reads see.
    pub fn image(&self) -> Image {
        self.inner().now.clone()
    }
}

impl Inner {
    /// Counts a call; an error when it is the one that fails.
    fn enter(&mut self, call: Call) -> io::Result<()> {
        if self.dead {
            return Err(io::Error::other("the process is gone"));
        }
        let number = self.calls;
        self.calls += 1;
        match self.fault {
            Some(fault) if number == fault.call || (fault.lasting && number > fault.call) => {
                self.failed.get_or_insert(call);
                Err(fault.kind.into())
            }
            _ => Ok(()),
        }
    }

    fn write(&mut self, file: File, offset: u64, bytes: &[u8]) {
        let len = self.now.file(file).len();
        if offset + bytes.len() as u64 > len {
            self.lengthen(file, offset + bytes.len() as u64);
        }
        self.now.file_mut(file).write(offset, bytes);
        if self.forgetful {
            return;
        }
        // Whole sectors, as the page cache holds them.
        let sector = SECTOR as u64;
        let (start, end) = (offset / sector * sector, (offset + bytes.len() as u64).next_multiple_of(sector));
        let mut sectors = vec![0; (end - start) as usize];
        self.now.file(file).read_padded(start, &mut sectors);
        self.events.push(Event::Write { file, start, sectors: sectors.into() });
    }

    fn lengthen(&mut self, file: File, len: u64) {
        self.now.file_mut(file).set_len(len);
        if !self.forgetful {
            self.events.push(Event::Len { file, len });
        }
    }
}

impl Storage for SimulatedDisk {
    fn read_at(&self, file: File, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.inner().now.file(file).read(offset, bytes)
    }

    fn write_at(&self, file: File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.inner();
        let entered = inner.enter(Call::Write);
        match entered {
            Ok(()) => inner.write(file, offset, bytes),
            // A write that fails may have written a part.
            Err(_) if !inner.dead => inner.write(file, offset, &bytes[..bytes.len() / 2]),
            Err(_) => {}
        }
        entered
    }

    fn sync(&self, file: File) -> io::Result<()> {
        let mut inner = self.inner();
        let entered = inner.enter(Call::Sync);
        match entered {
            Ok(()) => inner.events.push(Event::Sync { file }),
            Err(_) if !inner.dead => inner.events.push(Event::FailedSync { file }),
            Err(_) => {}
        }
        entered
    }

    fn allocate(&self, file: File, offset: u64, len: u64) -> io::Result<()> {
        let mut inner = self.inner();
        inner.enter(Call::Allocate)?;
        if offset + len > inner.now.file(file).len() {
            inner.lengthen(file, offset + len);
        }
        Ok(())
    }

    fn len(&self, file: File) -> io::Result<u64> {
        Ok(self.inner().now.file(file).len())
    }

    fn set_len(&self, file: File, len: u64) -> io::Result<()> {
        let mut inner = self.inner();
        inner.enter(Call::Allocate)?;
        inner.lengthen(file, len);
        Ok(())
    }

    fn lock(&self, lock: Lock, mode: LockMode) -> io::Result<bool> {
        let mut inner = self.inner();
        if inner.dead {
            return Err(io::Error::other("the process is gone"));
        }
        Ok(match (lock, mode) {
            (Lock::Retain, LockMode::Exclusive) => !inner.retained,
            (Lock::Retain, _) => true,
            (Lock::Writer, LockMode::Released) => {
                inner.locked = false;
                true
            }
            (Lock::Writer, _) => !std::mem::replace(&mut inner.locked, true),
        })
    }

    #[cfg(unix)]
    fn descriptor(&self, _: File) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }

    #[cfg(planted)]
    fn planted(&self) -> Option<crate::planted::Bug> {
        self.planted
    }
}
