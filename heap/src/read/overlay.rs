//! A log's operations laid over a heap file, without changing it.

use std::io;

use super::damaged;
use super::source::{Source, len_of};
use crate::error::{Place, Result};
use crate::format::BLOCK;
use crate::format::frame::Operation;
use crate::format::header::Header;
use crate::log::{Segments, Tail, scan};
use crate::storage::Storage;

/// Operations are found by the pieces of the file they touch; length of a piece in bytes.
const PIECE: u64 = 256 * 1024;

/// A source under operations, which reads see. Memory is linear in the operations' bytes and the file's blocks.
#[derive(Debug)]
pub struct Overlay<S> {
    base: S,
    len: u64,
    changes: Vec<Change>,
    /// The bytes of all writes, one behind the other.
    written: Vec<u8>,
    /// Which changes touch each piece, in their order; empty without any.
    pieces: Vec<Vec<u32>>,
    /// A bit for each block that some operation touches.
    touched: Vec<u64>,
    published: Vec<Published>,
}

/// An extent that was written and synced before its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Offset in the file.
    pub at: u64,
    /// Length in bytes.
    pub len: u32,
    /// CRC-32 of its bytes.
    pub crc: u32,
}

#[derive(Debug, Clone, Copy)]
struct Change {
    at: u64,
    len: u64,
    /// Where in `written`; `None` for zeros.
    bytes: Option<usize>,
}

impl<S: Source> Overlay<S> {
    /// A heap's base file under the whole transactions of its log, which `storage` has both, and where the log ends.
    /// Another process may be writing to both.
    ///
    /// # Errors
    /// When the log cannot be read, or one of its operations cannot be.
    pub fn under_log(storage: &dyn Storage, header: &Header, base: S) -> Result<(Self, Tail)> {
        let segments = Segments::read(storage, header.log.epoch)?;
        let mut overlay = Self::new(base)?;
        let tail = scan(storage, &segments, header.log, header.sequence, u64::MAX, |frame| {
            frame.operations().try_for_each(|operation| overlay.apply(operation?))
        })?;
        Ok((overlay, tail))
    }

    /// The source alone.
    ///
    /// # Errors
    /// When its length cannot be found.
    pub fn new(base: S) -> Result<Self> {
        let len = len_of(&base)?;
        Ok(Self {
            base,
            len,
            changes: Vec::new(),
            written: Vec::new(),
            pieces: Vec::new(),
            touched: Vec::new(),
            published: Vec::new(),
        })
    }

    /// The source below.
    pub const fn base(&self) -> &S {
        &self.base
    }

    /// Lays one more operation over the source.
    ///
    /// # Errors
    /// When it lies in block 0, which no log changes, or beyond the file, which is lengthened before what lies there is
    /// logged.
    pub fn apply(&mut self, operation: Operation<'_>) -> Result<()> {
        let (at, len) = operation.range();
        if at.checked_add(len).is_some_and(|end| end > self.len) {
            self.len = len_of(&self.base)?;
        }
        if at < BLOCK || at.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(damaged(
                Place::Offset(at),
                format!("the log changes {len} bytes outside of the heap's blocks"),
            ));
        }
        if len == 0 {
            return Ok(());
        }
        self.touch(at, len);
        let bytes = match operation {
            Operation::Publish { len, crc, .. } => {
                self.published.push(Published { at, len, crc });
                return Ok(());
            }
            Operation::Zero { .. } => None,
            Operation::Write { bytes, .. } => {
                self.written.extend_from_slice(bytes);
                Some(self.written.len() - bytes.len())
            }
        };
        let number = self.changes.len() as u32;
        self.changes.push(Change { at, len, bytes });
        for piece in at / PIECE..=(at + len - 1) / PIECE {
            let covered = at <= piece * PIECE && (piece + 1) * PIECE <= at + len;
            let found = &mut self.pieces[piece as usize];
            if covered {
                found.clear();
            }
            found.push(number);
        }
        Ok(())
    }

    fn touch(&mut self, at: u64, len: u64) {
        let pieces = self.len.div_ceil(PIECE) as usize;
        if self.pieces.len() < pieces {
            self.touched.resize((self.len / BLOCK / 64 + 1) as usize, 0);
            self.pieces.resize(pieces, Vec::new());
        }
        for block in at / BLOCK..=(at + len - 1) / BLOCK {
            self.touched[(block / 64) as usize] |= 1 << (block % 64);
        }
    }

    /// Whether some operation touches the block, so that its checksum may not be its bytes' yet.
    pub fn touches(&self, block: u64) -> bool {
        self.touched.get((block / 64) as usize).is_some_and(|bits| bits & 1 << (block % 64) != 0)
    }

    /// Whether there is any operation.
    pub const fn is_changed(&self) -> bool {
        !self.touched.is_empty()
    }

    /// The extents published and not written to afterwards: the bytes of the file have these checksums.
    pub fn published(&self) -> impl Iterator<Item = Published> {
        self.published.iter().copied().filter(|published| {
            let end = published.at + u64::from(published.len);
            !self.changes_of(published.at, end).any(|change| change.at < end && published.at < change.at + change.len)
        })
    }

    /// The changes of all pieces that the range touches, in their order within each piece.
    fn changes_of(&self, start: u64, end: u64) -> impl Iterator<Item = Change> {
        let pieces = if self.changes.is_empty() { 0..0 } else { start / PIECE..end.div_ceil(PIECE) };
        let numbers = pieces.filter_map(|piece| self.pieces.get(piece as usize)).flatten();
        numbers.map(|&number| self.changes[number as usize])
    }
}

impl<S: Source> Source for Overlay<S> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.len)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.base.read_at(offset, bytes)?;
        let mut start = offset;
        let end = offset + bytes.len() as u64;
        while start < end && !self.changes.is_empty() {
            // A change that reaches into the next piece is laid there in its own order with that piece's others.
            let stop = end.min((start / PIECE + 1) * PIECE);
            for change in self.changes_of(start, stop) {
                let (from, to) = (change.at.max(start), (change.at + change.len).min(stop));
                if from < to {
                    let target = &mut bytes[(from - offset) as usize..(to - offset) as usize];
                    match change.bytes {
                        None => target.fill(0),
                        Some(at) => {
                            let at = at + (from - change.at) as usize;
                            target.copy_from_slice(&self.written[at..at + target.len()]);
                        }
                    }
                }
            }
            start = stop;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_see_the_operations_in_their_order_wherever_they_are_cut() {
        let len = 3 * PIECE as usize;
        let base: Vec<u8> = (0..len).map(|at| at as u8).collect();
        let mut expected = base.clone();
        let mut overlay = Overlay::new(base).unwrap();
        let mut state = 1_u64;
        for round in 0..300_u64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round | 1);
            let at = (BLOCK + (state >> 20) % (len as u64 - BLOCK)) as usize;
            let count = ((state >> 8) as usize % 400_000).min(len - at) >> (round % 12);
            if round % 3 == 0 {
                overlay.apply(Operation::Zero { at: at as u64, len: count as u32 }).unwrap();
                expected[at..at + count].fill(0);
            } else {
                let bytes = vec![round as u8; count];
                overlay.apply(Operation::Write { at: at as u64, bytes: &bytes }).unwrap();
                expected[at..at + count].copy_from_slice(&bytes);
            }
            if round % 20 == 0 {
                let mut found = vec![0; len - at];
                overlay.read_at(at as u64, &mut found).unwrap();
                assert!(found == expected[at..]);
            }
        }
        let mut found = vec![0; len];
        overlay.read_at(0, &mut found).unwrap();
        assert!(found == expected);
    }

    #[test]
    fn the_log_changes_neither_the_headers_nor_what_the_file_does_not_have() {
        let mut overlay = Overlay::new(vec![0; 4 * BLOCK as usize]).unwrap();
        assert!(overlay.apply(Operation::Write { at: BLOCK - 1, bytes: &[1, 2] }).is_err());
        assert!(overlay.apply(Operation::Zero { at: 4 * BLOCK - 1, len: 2 }).is_err());
        assert!(overlay.apply(Operation::Zero { at: u64::MAX, len: 2 }).is_err());
        overlay.apply(Operation::Publish { at: 2 * BLOCK, len: 2 * BLOCK as u32, crc: 0 }).unwrap();
        assert_eq!((0..4).filter(|&block| overlay.touches(block)).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(overlay.published().count(), 1);
        overlay.apply(Operation::Zero { at: 3 * BLOCK, len: 1 }).unwrap();
        assert_eq!(overlay.published().count(), 0);
    }
}
