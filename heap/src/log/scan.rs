//! Following the chain.

use std::collections::{HashMap, HashSet};

use crate::error::{Corruption, Error, Place, Result};
use crate::format::frame::{
    FRAME_HEADER, FrameHeader, MAX_PAYLOAD, Operation, SEGMENT, SEGMENT_HEADER, SegmentHeader, operations,
};
use crate::format::header::LogStart;
use crate::planted::planted;
use crate::storage::{File, Storage};

/// Which segment of the file has which ordinal, of one epoch.
#[derive(Debug, Clone, Default)]
pub struct Segments {
    epoch: u64,
    by_ordinal: HashMap<u64, u64>,
}

/// A frame of the chain.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Its header.
    pub header: FrameHeader,
    /// Its operations.
    pub payload: &'a [u8],
    /// Where in the log file the frame begins.
    pub at: u64,
}

impl Frame<'_> {
    /// The operations, in order.
    ///
    /// # Errors
    /// In place of one that cannot be.
    pub fn operations(&self) -> impl Iterator<Item = Result<Operation<'_>>> {
        operations(self.payload).map(|operation| {
            operation.ok_or_else(|| Error::Corrupt {
                at: Place::LogOffset(self.at),
                what: Corruption::Structure("a frame holds an operation that cannot be".into()),
            })
        })
    }
}

/// Where the chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// Behind the last whole transaction.
    pub end: LogStart,
    /// Its sequence, or the one before the first when there is none.
    pub sequence: u64,
    /// Frames of whole transactions.
    pub frames: u64,
    /// Ranges of the log file that hold them, segment headers included: offset and length.
    pub accepted: Vec<(u64, u64)>,
    /// Whether the segment where the chain begins is there at all, if one is named.
    pub found: bool,
}

impl Segments {
    pub(super) fn from_live(epoch: u64, live: impl Iterator<Item = (u64, u64)>) -> Self {
        Self { epoch, by_ordinal: live.collect() }
    }

    /// The segments of an epoch in a log file, by their headers.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(storage: &dyn Storage, epoch: u64) -> Result<Self> {
        let mut by_ordinal = HashMap::new();
        for_each_segment(storage, |segment, header| {
            if header.epoch == epoch {
                by_ordinal.insert(header.ordinal, segment);
            }
        })?;
        Ok(Self { epoch, by_ordinal })
    }

    /// Positions in the file of all segments, of whatever epoch.
    ///
    /// # Errors
    /// When the file's length cannot be found.
    pub fn all(storage: &dyn Storage) -> Result<Vec<u64>> {
        Ok((0..storage.len(File::Log).map_err(failed)? / SEGMENT).collect())
    }

    /// The epochs that the segments of a log file have.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn epochs(storage: &dyn Storage) -> Result<HashSet<u64>> {
        let mut epochs = HashSet::new();
        for_each_segment(storage, |_, header| {
            epochs.insert(header.epoch);
        })?;
        Ok(epochs)
    }

    /// Positions in the file.
    pub fn positions(&self) -> Vec<u64> {
        self.by_ordinal.values().copied().collect()
    }
}

fn failed(source: std::io::Error) -> Error {
    Error::Io { action: "read the log".into(), source }
}

fn for_each_segment(storage: &dyn Storage, mut visit: impl FnMut(u64, SegmentHeader)) -> Result<()> {
    let len = storage.len(File::Log).map_err(failed)?;
    for segment in 0..len / SEGMENT {
        let mut bytes = [0; SEGMENT_HEADER];
        storage.read_at(File::Log, segment * SEGMENT, &mut bytes).map_err(failed)?;
        if let Some((header, _)) = SegmentHeader::parse(&bytes) {
            visit(segment, header);
        }
    }
    Ok(())
}

/// Follows the chain from `start`, whose transactions have sequences after `sequence`, and shows each frame of a whole
/// transaction to `visit`, up to and including the transaction `until`.
///
/// The log is read once, and no frame is shown whose transaction is not complete: one that spans frames is read again
/// when its last frame is found.
///
/// # Errors
/// When the log cannot be read, or what `visit` returned.
pub fn scan(
    storage: &dyn Storage,
    segments: &Segments,
    start: LogStart,
    sequence: u64,
    until: u64,
    mut visit: impl FnMut(Frame<'_>) -> Result<()>,
) -> Result<Tail> {
    follow(storage, segments, start, sequence, until, Some(&mut visit))
}

/// The end of the chain, as [`scan`] finds it.
///
/// # Errors
/// When the log cannot be read.
pub fn find_end(
    storage: &dyn Storage,
    segments: &Segments,
    start: LogStart,
    sequence: u64,
    until: u64,
) -> Result<Tail> {
    follow(storage, segments, start, sequence, until, None)
}

/// What is shown the frames of whole transactions.
type Visit<'a> = &'a mut dyn FnMut(Frame<'_>) -> Result<()>;

fn follow(
    storage: &dyn Storage,
    segments: &Segments,
    start: LogStart,
    sequence: u64,
    until: u64,
    mut visit: Option<Visit<'_>>,
) -> Result<Tail> {
    let mut tail = Tail { end: start, sequence, frames: 0, accepted: Vec::new(), found: false };
    let mut pending = 0;
    let mut touched: Vec<(u64, u64)> = Vec::new();
    let mut chain = Chain::new(storage, segments, start);
    tail.found = chain.enter(start.ordinal, None)?;
    while let Some(frame) = chain.next()? {
        // A transaction's frames stand together, and transactions follow each other without a gap.
        if tail.sequence.checked_add(1) != Some(frame.header.sequence) || frame.header.sequence > until {
            break;
        }
        pending += 1;
        let (sequence, whole) = (frame.header.sequence, frame.header.last || planted!(storage, FirstFrameCommits));
        if let Some(visit) = &mut visit
            && whole
        {
            if pending > 1 {
                show_again(storage, segments, tail.end, pending - 1, visit)?;
            }
            visit(frame)?;
        }
        let (segment, end) = chain.reached();
        match touched.last_mut() {
            Some((at, len)) if *at == segment => *len = end,
            _ => touched.push((segment, end)),
        }
        if whole {
            tail.end = chain.position();
            tail.sequence = sequence;
            tail.frames += pending;
            pending = 0;
            for (segment, len) in touched.drain(..) {
                match tail.accepted.last_mut() {
                    Some((at, before)) if *at == segment => *before = len,
                    _ => tail.accepted.push((segment, len)),
                }
            }
        }
    }
    Ok(tail)
}

/// Shows so many frames of the chain from a place in it on, where they were found before.
fn show_again(
    storage: &dyn Storage,
    segments: &Segments,
    start: LogStart,
    frames: u64,
    visit: &mut Visit<'_>,
) -> Result<()> {
    let gone = || Error::Corrupt {
        at: Place::LogOffset(u64::from(start.offset)),
        what: Corruption::Structure("a frame that was there is not there any more".into()),
    };
    let mut chain = Chain::new(storage, segments, start);
    chain.enter(start.ordinal, None)?;
    for _ in 0..frames {
        visit(chain.next()?.ok_or_else(gone)?)?;
    }
    Ok(())
}

/// A walk along the chain, a segment in memory at a time, and of that only as much as the frames reach.
struct Chain<'a> {
    storage: &'a dyn Storage,
    segments: &'a Segments,
    /// The segment's bytes from `from` on, as far as they were read.
    bytes: Vec<u8>,
    from: usize,
    entered: bool,
    segment: u64,
    at: LogStart,
}

/// Bytes of a segment that are read at a time.
const PIECE: usize = 16 * 1024;

impl<'a> Chain<'a> {
    fn new(storage: &'a dyn Storage, segments: &'a Segments, start: LogStart) -> Self {
        Self { storage, segments, bytes: Vec::new(), from: 0, entered: false, segment: 0, at: start }
    }

    /// Goes to a segment; with a link, only if it links to that chain value, and at its start.
    fn enter(&mut self, ordinal: u64, link: Option<u32>) -> Result<bool> {
        let Some(&segment) = self.segments.by_ordinal.get(&ordinal) else { return Ok(false) };
        let mut head = [0; SEGMENT_HEADER];
        self.storage.read_at(File::Log, segment * SEGMENT, &mut head).map_err(failed)?;
        let Some((header, chain)) = SegmentHeader::parse(&head) else { return Ok(false) };
        if header.epoch != self.segments.epoch || header.ordinal != ordinal {
            return Ok(false);
        }
        if let Some(link) = link {
            if header.link != link && !planted!(self.storage, LinkNotChecked) {
                return Ok(false);
            }
            self.at = LogStart { epoch: header.epoch, ordinal, offset: SEGMENT_HEADER as u32, chain };
        }
        self.bytes.clear();
        // What lies before the first frame is not asked for.
        self.from = self.at.offset as usize / PIECE * PIECE;
        self.entered = true;
        self.segment = segment;
        Ok(true)
    }

    /// Reads on until `end`, or the segment's end.
    fn read_to(&mut self, end: usize) -> Result<()> {
        let end = end.next_multiple_of(PIECE).min(SEGMENT as usize);
        let read = self.from + self.bytes.len();
        if end > read {
            self.bytes.resize(end - self.from, 0);
            let at = self.segment * SEGMENT + read as u64;
            self.storage.read_at(File::Log, at, &mut self.bytes[read - self.from..]).map_err(failed)?;
        }
        Ok(())
    }

    /// The header of the frame that follows the chain here, in this segment, and the chain value after it. All of the
    /// frame is in memory then.
    fn find(&mut self) -> Result<Option<(FrameHeader, u32)>> {
        let offset = self.at.offset as usize;
        self.read_to(offset + FRAME_HEADER)?;
        let start = offset - self.from;
        let Some(len) = self.bytes.get(start..start + 4) else { return Ok(None) };
        let payload = u32::from_le_bytes(len.try_into().unwrap_or_default()) as usize;
        if payload > MAX_PAYLOAD {
            return Ok(None);
        }
        self.read_to(offset + FRAME_HEADER + payload)?;
        Ok(self.parse(&self.bytes[start..]).map(|(header, _, chain)| (header, chain)))
    }

    fn next(&mut self) -> Result<Option<Frame<'_>>> {
        if !self.entered {
            return Ok(None);
        }
        let mut found = self.find()?;
        if found.is_none()
            && let Some(ordinal) = self.at.ordinal.checked_add(1)
            && self.enter(ordinal, Some(self.at.chain))?
        {
            found = self.find()?;
        }
        let Some((header, chain)) = found else { return Ok(None) };
        let start = self.at.offset as usize;
        let end = start + FRAME_HEADER + header.payload as usize;
        self.at.offset = end as u32;
        self.at.chain = chain;
        let payload = &self.bytes[start + FRAME_HEADER - self.from..end - self.from];
        Ok(Some(Frame { header, payload, at: self.segment * SEGMENT + start as u64 }))
    }

    /// The frame at the start of `bytes` when it follows the chain.
    fn parse<'b>(&self, bytes: &'b [u8]) -> Option<(FrameHeader, &'b [u8], u32)> {
        #[cfg(planted)]
        if let Some(bug) = self.storage.planted() {
            return crate::planted::parse_frame(bug, bytes, self.at.chain);
        }
        FrameHeader::parse(bytes, self.at.chain)
    }

    /// Offset in the file of the segment the walk is in, and how far into it it is.
    fn reached(&self) -> (u64, u64) {
        (self.segment * SEGMENT, u64::from(self.at.offset))
    }

    const fn position(&self) -> LogStart {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Lock, LockMode};

    /// A log of one segment.
    #[derive(Debug)]
    struct OneSegment(Vec<u8>);

    impl Storage for OneSegment {
        fn read_at(&self, _: File, offset: u64, bytes: &mut [u8]) -> std::io::Result<()> {
            bytes.copy_from_slice(&self.0[offset as usize..][..bytes.len()]);
            Ok(())
        }

        fn write_at(&self, _: File, _: u64, _: &[u8]) -> std::io::Result<()> {
            Ok(())
        }

        fn sync(&self, _: File) -> std::io::Result<()> {
            Ok(())
        }

        fn allocate(&self, _: File, _: u64, _: u64) -> std::io::Result<()> {
            Ok(())
        }

        fn len(&self, _: File) -> std::io::Result<u64> {
            Ok(self.0.len() as u64)
        }

        fn set_len(&self, _: File, _: u64) -> std::io::Result<()> {
            Ok(())
        }

        fn lock(&self, _: Lock, _: LockMode) -> std::io::Result<bool> {
            Ok(true)
        }

        #[cfg(unix)]
        fn descriptor(&self, _: File) -> Option<std::os::fd::BorrowedFd<'_>> {
            None
        }
    }

    /// A header and a log may say any ordinal and any sequence. The numbers behind the last ones were asked for, and
    /// there are none.
    #[test]
    fn a_chain_at_the_end_of_all_numbers_ends() {
        let (head, chain) = SegmentHeader { epoch: 1, ordinal: u64::MAX, link: 0 }.to_bytes();
        let mut log = head.to_vec();
        let frame = FrameHeader { payload: 8, last: true, sequence: u64::MAX };
        let (first, after) = frame.to_bytes(chain, &[0; 8]);
        let (second, _) = frame.to_bytes(after, &[0; 8]);
        for head in [first, second] {
            log.extend_from_slice(&head);
            log.extend_from_slice(&[0; 8]);
        }
        log.resize(SEGMENT as usize, 0);
        let storage = OneSegment(log);
        let segments = Segments::read(&storage, 1).unwrap();
        let start = LogStart { epoch: 1, ordinal: u64::MAX, offset: SEGMENT_HEADER as u32, chain };
        let tail = find_end(&storage, &segments, start, u64::MAX - 1, u64::MAX).unwrap();
        assert_eq!((tail.frames, tail.sequence), (1, u64::MAX));
    }
}
