//! Folding committed operations into the base: file to file, block by block.
//!
//! Operations are gathered by block; a touched block is read, changed in the order of the log, summed and written once,
//! whatever it takes to write: until the header says otherwise, recovery does the same again.

use std::io;

use crate::error::{Corruption, Error, Place, Result};
use crate::format::BLOCK;
use crate::format::catalog::Run;
use crate::format::frame::Operation;
use crate::storage::{File, Storage};

/// What is folded into: the heap file, or a copy of it.
pub trait Target {
    /// Fills `bytes` from `offset`; what lies behind the end reads as zeros.
    ///
    /// # Errors
    /// When reading fails.
    fn read_block(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;

    /// Writes `bytes` at `offset`.
    ///
    /// # Errors
    /// When writing fails.
    fn write_block(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
}

/// How fast the heap file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As fast as it goes: nobody commits meanwhile.
    Fast,
    /// A piece at a time, so that commits find the disk free in between.
    Gentle,
}

/// Bytes written to the heap file before the disk is waited for, where that is done gently.
const PIECE: u64 = 512 * 1024;

/// The heap file of a storage.
#[derive(Debug)]
pub struct Base<'a> {
    storage: &'a dyn Storage,
    pace: Pace,
    /// What was written since the disk was waited for: from where to where, and how many bytes in between.
    written: (u64, u64, u64),
}

impl<'a> Base<'a> {
    /// The heap file, to be written at this pace.
    pub const fn new(storage: &'a dyn Storage, pace: Pace) -> Self {
        Self { storage, pace, written: (u64::MAX, 0, 0) }
    }
}

impl Target for Base<'_> {
    fn read_block(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let len = self.storage.len(File::Base)?.saturating_sub(offset).min(bytes.len() as u64) as usize;
        bytes[len..].fill(0);
        self.storage.read_at(File::Base, offset, &mut bytes[..len])
    }

    fn write_block(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.storage.write_at(File::Base, offset, bytes)?;
        if self.pace == Pace::Gentle {
            let (start, end, count) = self.written;
            let (start, end) = (start.min(offset), end.max(offset + bytes.len() as u64));
            self.written = (start, end, count + bytes.len() as u64);
            if self.written.2 >= PIECE {
                self.written = (u64::MAX, 0, 0);
                self.storage.write_out(File::Base, start, end - start)?;
            }
        }
        Ok(())
    }
}

/// Operations gathered before they are applied.
#[derive(Debug, Default)]
pub struct Fold {
    /// Block, and the piece of an operation that falls into it, in the order of the log.
    pieces: Vec<(u64, Piece)>,
    bytes: Vec<u8>,
    /// Blocks of extents that were written before their frame.
    published: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Piece {
    offset: u32,
    len: u32,
    /// Where in `bytes` it begins; `ZEROS` for zeros.
    from: usize,
}

const ZEROS: usize = usize::MAX;

/// Blocks whose checksum changed.
pub type Changed = Vec<(u64, u32)>;

impl Fold {
    /// Adds an operation after those before.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for one that touches the headers or ends behind `limit`.
    pub fn add(&mut self, operation: Operation<'_>, at: u64, limit: u64) -> Result<()> {
        let (start, len) = operation.range();
        let end = start.checked_add(len).filter(|&end| end <= limit);
        let Some(end) = end.filter(|_| start >= BLOCK) else {
            let what = Corruption::Structure(format!("an operation on offset {start}, {len} bytes, cannot be"));
            return Err(Error::Corrupt { at: Place::LogOffset(at), what });
        };
        let from = self.bytes.len();
        match operation {
            Operation::Write { bytes, .. } => self.bytes.extend_from_slice(bytes),
            Operation::Zero { .. } => {}
            Operation::Publish { .. } => {
                self.published.extend(start / BLOCK..end.div_ceil(BLOCK));
                return Ok(());
            }
        }
        let mut here = start;
        while here < end {
            let block = here / BLOCK;
            let piece_end = end.min((block + 1) * BLOCK);
            let from = if matches!(operation, Operation::Zero { .. }) { ZEROS } else { from + (here - start) as usize };
            let piece = Piece { offset: (here % BLOCK) as u32, len: (piece_end - here) as u32, from };
            self.pieces.push((block, piece));
            here = piece_end;
        }
        Ok(())
    }

    /// Bytes gathered so far.
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was gathered.
    pub const fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.published.is_empty()
    }

    /// Applies everything; the blocks that changed with their checksums, in order.
    ///
    /// # Errors
    /// When reading or writing fails; then what was written is unknown.
    pub fn apply(mut self, target: &mut dyn Target) -> Result<Changed> {
        let failed = |source| Error::Io { action: "fold the log into the heap file".into(), source };
        // Stable, so that within a block the order of the log stays.
        self.pieces.sort_by_key(|(block, _)| *block);
        let mut changed = Changed::new();
        let mut bytes = vec![0; BLOCK as usize];
        for pieces in self.pieces.chunk_by(|(one, _), (other, _)| one == other) {
            let block = pieces[0].0;
            target.read_block(block * BLOCK, &mut bytes).map_err(failed)?;
            for (_, Piece { offset, len, from }) in pieces {
                let place = &mut bytes[*offset as usize..][..*len as usize];
                if *from == ZEROS {
                    place.fill(0);
                } else {
                    place.copy_from_slice(&self.bytes[*from..][..*len as usize]);
                }
            }
            target.write_block(block * BLOCK, &bytes).map_err(failed)?;
            changed.push((block, crc32fast::hash(&bytes)));
        }
        self.published.sort_unstable();
        self.published.dedup();
        self.published.retain(|block| changed.binary_search_by_key(block, |(block, _)| *block).is_err());
        for &block in &self.published {
            target.read_block(block * BLOCK, &mut bytes).map_err(failed)?;
            changed.push((block, crc32fast::hash(&bytes)));
        }
        changed.sort_unstable();
        Ok(changed)
    }
}

/// The checksum of every block, as the checkpoint keeps them.
#[derive(Debug, Clone, Default)]
pub struct Checksums {
    sums: Vec<u32>,
    /// Where they were last written; elsewhere all are to be written.
    run: Run,
}

impl Checksums {
    /// Reads them from where the catalog says.
    ///
    /// # Errors
    /// When reading fails.
    pub fn read(storage: &dyn Storage, run: Run) -> Result<Self> {
        let mut bytes = vec![0; run.len as usize];
        let read = storage.read_at(File::Base, run.at, &mut bytes);
        read.map_err(|source| Error::Io { action: "read the checksums of blocks".into(), source })?;
        let sums = bytes.chunks_exact(4).map(|sum| u32::from_le_bytes(sum.try_into().unwrap_or_default()));
        Ok(Self { sums: sums.collect(), run })
    }

    /// Whether they lie elsewhere than in this run.
    pub const fn moves_to(&self, run: Run) -> bool {
        run.at != self.run.at
    }

    /// Takes in what a fold changed, and writes what is to be written where the catalog now says.
    ///
    /// # Errors
    /// When writing fails.
    pub fn update(&mut self, target: &mut dyn Target, run: Run, changed: &[(u64, u32)]) -> Result<()> {
        let own = run.at / BLOCK..(run.at + run.capacity) / BLOCK;
        self.sums.resize((run.len / 4) as usize, 0);
        for &(block, sum) in changed {
            if let Some(place) = self.sums.get_mut(block as usize) {
                // The checksums have none themselves.
                *place = if own.contains(&block) { 0 } else { sum };
            }
        }
        let whole = self.moves_to(run);
        if whole {
            for block in own.clone() {
                if let Some(place) = self.sums.get_mut(block as usize) {
                    *place = 0;
                }
            }
        }
        let mut touched: Vec<u64> = changed.iter().map(|(block, _)| block * 4 / BLOCK).collect();
        touched.dedup();
        let blocks = if whole { (0..run.capacity / BLOCK).collect() } else { touched };
        let mut bytes = vec![0; BLOCK as usize];
        for block in blocks {
            let start = (block * BLOCK / 4) as usize;
            bytes.fill(0);
            for (place, sum) in bytes.chunks_exact_mut(4).zip(self.sums.iter().skip(start)) {
                place.copy_from_slice(&sum.to_le_bytes());
            }
            let written = target.write_block(run.at + block * BLOCK, &bytes);
            written.map_err(|source| Error::Io { action: "write the checksums of blocks".into(), source })?;
        }
        self.run = run;
        Ok(())
    }
}
