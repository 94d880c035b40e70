//! A log's operations laid over a heap file, without changing it.

use std::collections::BTreeMap;
use std::io;

use super::damaged;
use super::source::{Source, len_of, zeroed};
use crate::error::{Error, Place, Result};
use crate::format::BLOCK;
use crate::format::frame::Operation;
use crate::format::header::Header;
use crate::log::{Segments, Tail, scan};
use crate::storage::Storage;

/// Operations are kept by the pieces of the file that they touch; length of a piece in bytes.
const PIECE: u64 = 256 * 1024;

/// A piece with this many bytes of changes holds what comes of them instead.
const MANY: usize = PIECE as usize;

/// A source under operations, which reads see. Memory is linear in the part of the file that they touch, from its start
/// on.
#[derive(Debug)]
pub struct Overlay<S> {
    base: S,
    len: u64,
    /// Empty without any change.
    pieces: Vec<Piece>,
    /// A bit for each block that some operation touches.
    touched: Vec<u64>,
    /// By offset; no two overlap.
    published: BTreeMap<u64, Published>,
}

/// What becomes of a piece of the file.
#[derive(Debug, Clone)]
enum Piece {
    /// The operations, one behind the other: each a [`Change`] and its bytes.
    Few(Vec<u8>),
    /// What comes of many. Nothing of the file is read for it, of which parts may be written before the log names them.
    Many {
        /// The piece's bytes, where they were changed.
        bytes: Vec<u8>,
        /// A bit for each of them, which says so.
        changed: Vec<u64>,
    },
}

/// A change of a piece.
#[derive(Debug, Clone, Copy)]
struct Change {
    /// Offset in the piece.
    at: usize,
    len: usize,
    /// Zeros, and not the bytes that follow.
    zeros: bool,
}

impl Change {
    const LEN: usize = 8;

    fn to_bytes(self) -> [u8; Self::LEN] {
        let word = self.at as u64 | (self.len as u64) << 31 | u64::from(self.zeros) << 63;
        word.to_ne_bytes()
    }

    fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let word = u64::from_ne_bytes(bytes);
        let number = |bits: u64| (bits & 0x7fff_ffff) as usize;
        Self { at: number(word), len: number(word >> 31), zeros: word >> 63 != 0 }
    }

    /// Fills a part of what it changes with the bytes written there, which are none for zeros.
    fn make(self, target: &mut [u8], written: &[u8]) {
        if self.zeros {
            target.fill(0);
        } else {
            target.copy_from_slice(written);
        }
    }
}

impl Piece {
    /// Makes a change of the piece; `written` is empty for zeros.
    fn change(&mut self, change: Change, written: &[u8]) -> Result<()> {
        match self {
            Self::Few(changes) => {
                if change.len == PIECE as usize {
                    changes.clear();
                }
                changes.extend_from_slice(&change.to_bytes());
                changes.extend_from_slice(written);
                if changes.len() >= MANY {
                    *self = many(changes)?;
                }
            }
            Self::Many { bytes, changed } => {
                change.make(&mut bytes[change.at..change.at + change.len], written);
                mark(changed, change.at, change.at + change.len);
            }
        }
        Ok(())
    }

    /// Lays the changes over `bytes`, which are the file's from `start` of the piece on.
    fn lay_over(&self, start: usize, bytes: &mut [u8]) {
        let end = start + bytes.len();
        match self {
            Self::Few(changes) => for_each(changes, |change, written| {
                let (from, to) = (change.at.max(start), (change.at + change.len).min(end));
                if from < to {
                    let written = if change.zeros { written } else { &written[from - change.at..to - change.at] };
                    change.make(&mut bytes[from - start..to - start], written);
                }
            }),
            Self::Many { bytes: made, changed } => {
                for (from, to) in words(start, end) {
                    match changed[from / 64] {
                        0 => {}
                        u64::MAX => bytes[from - start..to - start].copy_from_slice(&made[from..to]),
                        bits => {
                            for at in (from..to).filter(|at| bits >> (at % 64) & 1 != 0) {
                                bytes[at - start] = made[at];
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Makes a list long enough to have this position, or an error where memory is short.
fn grow<T: Clone>(list: &mut Vec<T>, position: u64, empty: T) -> Result<()> {
    let missing = (position + 1).saturating_sub(list.len() as u64);
    if missing > 0 {
        let room = usize::try_from(missing).ok().filter(|&missing| list.try_reserve(missing).is_ok());
        let Some(missing) = room else {
            let source = io::ErrorKind::OutOfMemory.into();
            return Err(Error::Io { action: "taking memory for what the log changes".into(), source });
        };
        list.resize(list.len() + missing, empty);
    }
    Ok(())
}

/// What comes of these changes.
fn many(changes: &[u8]) -> Result<Piece> {
    let mut bytes = zeroed(PIECE)?;
    let mut changed = vec![0; PIECE as usize / 64];
    for_each(changes, |change, written| {
        change.make(&mut bytes[change.at..change.at + change.len], written);
        mark(&mut changed, change.at, change.at + change.len);
    });
    Ok(Piece::Many { bytes, changed })
}

/// Takes changes apart, in their order.
fn for_each(mut changes: &[u8], mut visit: impl FnMut(Change, &[u8])) {
    while let Some((head, rest)) = changes.split_first_chunk() {
        let change = Change::from_bytes(*head);
        let (written, rest) = rest.split_at(if change.zeros { 0 } else { change.len });
        visit(change, written);
        changes = rest;
    }
}

/// Sets the bits of a range.
fn mark(bits: &mut [u64], start: usize, end: usize) {
    for (from, to) in words(start, end) {
        bits[from / 64] |= u64::MAX >> (64 - (to - from)) << (from % 64);
    }
}

/// A range, cut where a word of bits ends.
fn words(start: usize, end: usize) -> impl Iterator<Item = (usize, usize)> {
    (start / 64..end.div_ceil(64)).map(move |word| ((word * 64).max(start), (word * 64 + 64).min(end)))
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

impl<S: Source> Overlay<S> {
    /// A heap's base file under the whole transactions of its log, which `storage` has both, and where the log ends.
    /// Another process may be writing to both. A heap whose header names no log is its base file.
    ///
    /// # Errors
    /// When the log cannot be read, or one of its operations cannot be.
    pub fn under_log(storage: &dyn Storage, header: &Header, base: S) -> Result<(Self, Tail)> {
        let mut overlay = Self::new(base)?;
        if header.log.epoch == 0 {
            let (end, sequence) = (header.log, header.sequence);
            return Ok((overlay, Tail { end, sequence, frames: 0, accepted: Vec::new(), found: true }));
        }
        let segments = Segments::read(storage, header.log.epoch)?;
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
        Ok(Self { base, len, pieces: Vec::new(), touched: Vec::new(), published: BTreeMap::new() })
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
        self.touch(at, len)?;
        self.forget_published(at, at + len);
        let bytes = match operation {
            Operation::Publish { len, crc, .. } => {
                self.published.insert(at, Published { at, len, crc });
                return Ok(());
            }
            Operation::Zero { .. } => None,
            Operation::Write { bytes, .. } => Some(bytes),
        };
        let mut start = at;
        while start < at + len {
            let (number, offset) = (start / PIECE, start % PIECE);
            let stop = (at + len).min((number + 1) * PIECE);
            let piece = &mut self.pieces[number as usize];
            let change = Change { at: offset as usize, len: (stop - start) as usize, zeros: bytes.is_none() };
            piece.change(change, bytes.map_or(&[], |bytes| &bytes[(start - at) as usize..(stop - at) as usize]))?;
            start = stop;
        }
        Ok(())
    }

    /// What was published there is written to, or published anew.
    fn forget_published(&mut self, start: u64, end: u64) {
        while let Some((&at, published)) = self.published.range(..end).next_back()
            && at + u64::from(published.len) > start
        {
            self.published.remove(&at);
        }
    }

    fn touch(&mut self, at: u64, len: u64) -> Result<()> {
        let last = at + len - 1;
        grow(&mut self.touched, last / BLOCK / 64, 0)?;
        grow(&mut self.pieces, last / PIECE, Piece::Few(Vec::new()))?;
        for block in at / BLOCK..=(at + len - 1) / BLOCK {
            self.touched[(block / 64) as usize] |= 1 << (block % 64);
        }
        Ok(())
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
        self.published.values().copied()
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
        while start < end && !self.pieces.is_empty() {
            let stop = end.min((start / PIECE + 1) * PIECE);
            if let Some(piece) = self.pieces.get((start / PIECE) as usize) {
                piece.lay_over(
                    (start % PIECE) as usize,
                    &mut bytes[(start - offset) as usize..(stop - offset) as usize],
                );
            }
            start = stop;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn reads_see_the_operations_in_their_order_wherever_they_are_cut() {
        let len = 3 * PIECE as usize - 5000;
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

    /// A file that another process makes longer whenever its length is asked for.
    struct Growing(AtomicU64);

    impl Source for Growing {
        fn len(&self) -> io::Result<u64> {
            Ok(self.0.fetch_add(BLOCK, Ordering::Relaxed))
        }

        fn read_at(&self, _: u64, bytes: &mut [u8]) -> io::Result<()> {
            bytes.fill(0);
            Ok(())
        }
    }

    #[test]
    fn a_file_may_have_become_longer_since_the_log_was_looked_at_first() {
        let mut overlay = Overlay::new(Growing(AtomicU64::new(2 * BLOCK))).unwrap();
        for block in 2..200 {
            let at = block * BLOCK + 7;
            assert!(overlay.apply(Operation::Write { at: at + BLOCK, bytes: &[9] }).is_err());
            overlay.apply(Operation::Write { at, bytes: &[1, 2] }).unwrap();
            assert!(overlay.touches(block));
            let mut found = [0; 4];
            overlay.read_at(at - 1, &mut found).unwrap();
            assert_eq!(found, [0, 1, 2, 0]);
        }
    }

    /// Room for the pieces was asked for by the length of the file, of which a sparse one has as much as it says: the
    /// process ended.
    #[test]
    fn a_file_that_says_that_it_is_endless_takes_no_memory() {
        struct Endless;
        impl Source for Endless {
            fn len(&self) -> io::Result<u64> {
                Ok(i64::MAX as u64 / BLOCK * BLOCK)
            }

            fn read_at(&self, _: u64, bytes: &mut [u8]) -> io::Result<()> {
                bytes.fill(0);
                Ok(())
            }
        }
        let mut overlay = Overlay::new(Endless).unwrap();
        overlay.apply(Operation::Write { at: 3 * PIECE - 1, bytes: &[1, 2] }).unwrap();
        overlay.apply(Operation::Write { at: BLOCK, bytes: &[3] }).unwrap();
        let mut found = [9; 4];
        overlay.read_at(3 * PIECE - 2, &mut found).unwrap();
        assert_eq!(found, [0, 1, 2, 0]);
        assert!(overlay.touches(1) && overlay.touches(3 * PIECE / BLOCK) && !overlay.touches(1 << 40));
        // There is no memory for this one.
        assert!(overlay.apply(Operation::Write { at: 1 << 62, bytes: &[1] }).is_err());
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
