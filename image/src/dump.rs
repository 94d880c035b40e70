//! Dumping: a heap that another process may be writing to becomes an image, without stopping it.
//!
//! The dumper retains the log, which keeps the writer's checkpoint from the base; reads the header, and the log to its
//! end; and seals the base under what the log holds. The writer goes on committing to the log meanwhile, and never
//! waits: when the log outgrows its limit it takes the hold away and says so in the header, which is looked at last. So
//! does whoever opens the heap anew and has a log to fold.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use heap::format::frame::SEGMENT;
use heap::format::header::{FileState, Header, LogStart};
use heap::read::{Checks, Overlay, Reader, read_header};
use heap::storage::real::{RealStorage, lock_file, log_path};
use heap::storage::{Lock, LockMode};
use heap::{Corruption, Place};
use migrate::Schema;

use crate::error::{Error, Result};
use crate::manifest::{Provenance, Redaction};
use crate::output::{OutputFile, Replace};
use crate::seal::{SealOptions, Sealed, seal};

/// The files of the heap to dump.
#[derive(Debug, Clone)]
pub struct DumpSource {
    /// The heap file, by its own path or by a descriptor under `/proc`.
    pub heap: PathBuf,
    /// Its log; it need not exist.
    pub log: PathBuf,
    /// The program that has it open, where that is known.
    pub program: String,
}

/// What becomes of values marked secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secrets {
    /// A heap that has any is refused.
    Refuse,
    /// They are in the image, which says so, and why.
    Include {
        /// Why, in the words of who asked.
        reason: Option<String>,
    },
}

/// How to dump.
#[derive(Debug, Clone)]
pub struct DumpOptions {
    /// What becomes of secrets.
    pub secrets: Secrets,
    /// What becomes of a file that has the image's name.
    pub replace: Replace,
    /// Where and when is left out, so that images of one state are equal.
    pub reproducible: bool,
}

/// What a dump did.
#[derive(Debug)]
pub struct Dumped {
    /// The image.
    pub sealed: Sealed,
    /// Bytes of the heap's tables.
    pub arena_len: u64,
    /// How long it took.
    pub took: Duration,
}

impl DumpSource {
    /// A heap file by its path; its log lies beside it.
    pub fn of_path(heap: &Path) -> Self {
        Self { heap: heap.to_owned(), log: log_path(heap), program: String::new() }
    }
}

/// A heap whose log is retained, for as long as this lives.
#[derive(Debug)]
pub struct Held {
    storage: RealStorage,
    path: PathBuf,
    header: Header,
    reader: Reader<File>,
    sequence: u64,
    log_len: u64,
}

impl Held {
    /// Retains the log of a heap and reads its catalog as of the last commit.
    ///
    /// # Errors
    /// When the files cannot be read, are damaged, or are an image.
    pub fn open(source: &DumpSource) -> Result<Self> {
        let base = open(&source.heap)?;
        let log = match File::open(&source.log) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => open(Path::new("/dev/null"))?,
            opened => opened.map_err(|error| Error::io(format!("opening {}", source.log.display()), error))?,
        };
        let storage = RealStorage::read_only(base, log)?;
        let path = source.heap.clone();
        let locked = lock_file(storage.base(), Lock::Retain, LockMode::Shared);
        // Only a checkpoint that is looking for somebody who retains the log holds it otherwise, for microseconds.
        let until = Instant::now() + Duration::from_secs(5);
        let mut locked = locked.map_err(|error| Error::io(format!("locking {}", path.display()), error))?;
        while !locked && Instant::now() < until {
            std::thread::sleep(Duration::from_micros(50));
            locked = lock_file(storage.base(), Lock::Retain, LockMode::Shared)
                .map_err(|error| Error::io(format!("locking {}", path.display()), error))?;
        }
        if !locked {
            return Err(heap::Error::Busy { path, pid: None }.into());
        }
        let (header, _) = read_header(storage.base(), &path)?;
        if header.state == FileState::Image {
            let remedy = "image open, or copy the file";
            return Err(heap::Error::WrongDoor { path, found: "a sealed image already", remedy }.into());
        }
        let file =
            storage.base().try_clone().map_err(|error| Error::io(format!("reading {}", path.display()), error))?;
        let read = overlay(&storage, &header, file).and_then(|(overlay, end)| {
            let reader = Reader::with_overlay(overlay, header.clone(), Checks::Strict)?;
            Ok((reader, end))
        });
        let (reader, LogEnd { sequence, len }) = read.or_else(|error| {
            check_hold(storage.base(), &path, &header)?;
            Err(error)
        })?;
        Ok(Self { storage, path, header, reader, sequence, log_len: len })
    }

    /// Reads something of the heap, as of the commit [`sequence`](Self::sequence).
    ///
    /// # Errors
    /// [`heap::Error::LostHold`] when the log was not retained all the time, whatever `read` made of that; else its
    /// own.
    pub fn read<T, E: From<Error>>(&self, read: impl FnOnce(&Reader<File>) -> Result<T, E>) -> Result<T, E> {
        let result = read(&self.reader);
        self.check()?;
        result
    }

    /// Length of the log that a recovery would read, in bytes.
    pub const fn log_len(&self) -> u64 {
        self.log_len
    }

    /// The heap as of the commit [`sequence`](Self::sequence).
    pub const fn reader(&self) -> &Reader<File> {
        &self.reader
    }

    /// Sequence of the last commit.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Bytes of the heap's tables.
    pub fn arena_len(&self) -> u64 {
        self.reader.catalog().extents().iter().map(|extent| extent.entry.len).sum()
    }

    /// Whether the log was retained all the time until now.
    ///
    /// # Errors
    /// [`heap::Error::LostHold`] when it was not: what was read since is no heap's state.
    pub fn check(&self) -> Result<()> {
        check_hold(self.storage.base(), &self.path, &self.header)
    }
}

/// The writer says so in the header before it lets anything newer reach the base.
fn check_hold(base: &File, path: &Path, header: &Header) -> Result<()> {
    let (now, _) = read_header(base, path)?;
    if now.forced == header.forced { Ok(()) } else { Err(heap::Error::LostHold.into()) }
}

/// Where the log ended when it was read.
struct LogEnd {
    /// Sequence of the last commit.
    sequence: u64,
    /// Bytes of the frames after the header's sequence.
    len: u64,
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => heap::Error::NotFound { path: path.to_owned() }.into(),
        _ => Error::io(format!("opening {}", path.display()), error),
    })
}

/// The heap file under what its log holds.
fn overlay(storage: &RealStorage, header: &Header, file: File) -> Result<(Overlay<File>, LogEnd)> {
    let (overlay, tail) = Overlay::under_log(storage, header, file)?;
    if !tail.found {
        // What was committed since the last checkpoint would silently be missing.
        let what = Corruption::Structure("the log that belongs to the heap file is not there".into());
        return Err(heap::Error::Corrupt { at: Place::LogOffset(0), what }.into());
    }
    let place = |at: LogStart| at.ordinal * SEGMENT + u64::from(at.offset);
    let len = place(tail.end) - place(header.log);
    Ok((overlay, LogEnd { sequence: tail.sequence, len }))
}

/// The fields and types marked secret, as `User.token`; a type by its name alone.
pub fn secret_fields(schema: &Schema) -> Vec<String> {
    let mut found = Vec::new();
    for described in &schema.types {
        if described.attributes.secret.is_some() {
            found.push(described.name.clone());
        }
        let secret = described.fields().filter(|field| field.attributes.secret.is_some());
        found.extend(secret.map(|field| format!("{}.{}", described.name, field.name)));
    }
    found
}

/// Writes an image of the heap to `output`, which appears whole or not at all.
///
/// # Errors
/// [`Error::Secrets`] for a heap with secret fields that are to be refused; [`heap::Error::LostHold`] when the heap's
/// log outgrew its limit meanwhile or the heap was opened anew; when the heap cannot be read or the image cannot be written.
pub fn dump(source: &DumpSource, output: &Path, options: &DumpOptions) -> Result<Dumped> {
    let began = Instant::now();
    let held = Held::open(source)?;
    // No value lies by a former layout, whatever that says of secrets.
    let described = held.reader().catalog().registry().schema.current();
    let secrets = secret_fields(&described);
    let mut schema = [0; 32];
    schema[..16].copy_from_slice(&described.fingerprint().0);
    let redaction = match &options.secrets {
        _ if secrets.is_empty() => None,
        Secrets::Refuse => return Err(Error::Secrets { fields: secrets }),
        Secrets::Include { reason } => Some(Redaction { reason: reason.clone(), ..Redaction::default() }),
    };
    let mut file = OutputFile::create(output, options.replace)?;
    let seal_options = SealOptions {
        program: source.program.clone(),
        schema,
        sequence: held.sequence(),
        // The number of an epoch is drawn at each open: it says nothing of the state.
        epoch: if options.reproducible { 0 } else { held.header.log.epoch },
        durable: held.sequence() == held.header.sequence,
        holds_secrets: redaction.is_some(),
        redaction,
        provenance: (!options.reproducible).then(provenance),
        ..SealOptions::default()
    };
    let sealed = held.read(|reader| seal(reader, &seal_options, &mut file))?;
    let arena_len = held.arena_len();
    // The hold is given up before the image is synced: the writer need not wait for this disk.
    drop(held);
    file.finish()?;
    Ok(Dumped { sealed, arena_len, took: began.elapsed() })
}

/// This machine and this moment.
fn provenance() -> Provenance {
    use std::hash::{BuildHasher, RandomState};
    let mut dump_id = [0; 16];
    for (purpose, half) in dump_id.chunks_exact_mut(8).enumerate() {
        half.copy_from_slice(&RandomState::new().hash_one(purpose).to_le_bytes());
    }
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    Provenance { dump_id, host, time: since.as_secs() }
}
