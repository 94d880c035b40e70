//! Recovery: what the log holds goes into the base, and a new epoch begins.

use std::path::Path;
use std::sync::Arc;

use crate::checkpoint::{self, Headers};
use crate::error::{Corruption, Error, Place, Result};
use crate::event;
use crate::fold::{Checksums, Pace};
use crate::format::BLOCK;
use crate::format::header::{Header, HeaderFault, PAGE};
use crate::log::{Log, Segments, Tail, find_end};
use crate::planted::planted;
use crate::storage::{File, Lock, LockMode, Storage};

/// A heap whose base holds everything that was committed.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) headers: Headers,
    pub(crate) log: Log,
    pub(crate) checksums: Checksums,
}

/// Folds what the log holds into the base, and begins a new epoch in the log, which `draw` draws for a header with this
/// counter. The caller holds the writer's lock.
pub(crate) fn recover(storage: &Arc<dyn Storage>, path: &Path, draw: impl FnOnce(u64) -> u64) -> Result<Recovered> {
    let mut headers = read_headers(&**storage, path)?;
    let header = headers.header.clone();
    if !planted!(storage, HeaderNotWrittenAgain) {
        // A header whose sync failed can be read and may be lost. The next one goes over the one before it, which
        // may go only when this one is durable.
        headers.write(&**storage)?;
        storage.sync(File::Base).map_err(|source| Error::Io { action: "write the header again".into(), source })?;
    }
    let mut checksums = Checksums::read(&**storage, checkpoint::checksum_run(&**storage)?)?;
    let mut sequence = header.sequence;
    let mut kept = Vec::new();
    if header.log.epoch != 0 {
        let segments = Segments::read(&**storage, header.log.epoch)?;
        let tail = find_end(&**storage, &segments, header.log, header.sequence, u64::MAX)?;
        if !tail.found {
            let what = Corruption::Structure("the log that belongs to the heap file is not there".into());
            return Err(Error::Corrupt { at: Place::LogOffset(0), what });
        }
        kept = segments.positions();
        if tail.frames > 0 {
            if !planted!(storage, TailNotWrittenAgain) {
                rewrite(&**storage, &tail)?;
            }
            if is_retained(&**storage)? {
                // A dump may have seen less of the log than is folded now. Who comes from here on sees all of it.
                headers.flip(&**storage, |header| header.forced += 1)?;
            }
            checkpoint::fold_log(&**storage, &segments, &header, tail.sequence, &mut checksums, Pace::Fast)?;
            sequence = tail.sequence;
            event::recovered(tail.frames, sequence);
        }
    }
    if is_retained(&**storage)? {
        // Whoever reads the log may be an opening or more behind.
        kept = Segments::all(&**storage)?;
    }
    let epoch = if planted!(storage, EpochNotRenewed) {
        header.log.epoch.max(1)
    } else {
        fresh_epoch(&**storage, draw(header.counter), &header)?
    };
    let log = Log::begin(Arc::clone(storage), epoch, sequence, &kept)?;
    let start = log.position().start;
    let failed = |source| Error::Io { action: "read the heap file".into(), source };
    let file_len = (storage.len(File::Base).map_err(failed)? / BLOCK * BLOCK).max(header.file_len);
    headers.flip(&**storage, |header| {
        header.sequence = sequence;
        header.log = start;
        header.file_len = file_len;
        header.pointer_width = size_of::<usize>() as u8;
    })?;
    // The old epoch's segments are free, unless a dumper still reads them: then the next checkpoint frees them.
    log.adopt(&kept)?;
    Ok(Recovered { headers, log, checksums })
}

/// Whether somebody needs the log's frames.
fn is_retained(storage: &dyn Storage) -> Result<bool> {
    let failed = |source| Error::Io { action: "lock the log".into(), source };
    let free = storage.lock(Lock::Retain, LockMode::Exclusive).map_err(failed)?;
    if free {
        storage.lock(Lock::Retain, LockMode::Released).map_err(failed)?;
    }
    Ok(!free)
}

/// The first epoch from the one drawn that neither the header nor any segment of the log has: no frame that lies about
/// can belong to it.
fn fresh_epoch(storage: &dyn Storage, drawn: u64, header: &Header) -> Result<u64> {
    let used = Segments::epochs(storage)?;
    let mut epoch = drawn.max(1);
    while epoch == header.log.epoch || used.contains(&epoch) {
        epoch = epoch.wrapping_add(1).max(1);
    }
    Ok(epoch)
}

/// Pages whose sync failed look clean and may be lost: what was accepted is written again before anything is built
/// on it.
fn rewrite(storage: &dyn Storage, tail: &Tail) -> Result<()> {
    let failed = |source| Error::Io { action: "write the log again".into(), source };
    for &(at, len) in &tail.accepted {
        let mut bytes = vec![0; len as usize];
        storage.read_at(File::Log, at, &mut bytes).map_err(failed)?;
        storage.write_at(File::Log, at, &bytes).map_err(failed)?;
    }
    storage.sync(File::Log).map_err(failed)
}

fn read_headers(storage: &dyn Storage, path: &Path) -> Result<Headers> {
    let mut pages = [0; 2 * PAGE];
    storage
        .read_at(File::Base, 0, &mut pages)
        .map_err(|_| Error::Header { path: path.to_owned(), fault: HeaderFault::Magic })?;
    let (header, page) = Header::choose(&pages).map_err(|fault| Error::Header { path: path.to_owned(), fault })?;
    Ok(Headers { header, page })
}
