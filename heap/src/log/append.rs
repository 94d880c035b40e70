//! Appending.

use std::collections::VecDeque;
use std::io;

use super::{Position, Segments};
use crate::error::{Error, Result};
use crate::format::frame::{
    FRAME_HEADER, FrameHeader, MAX_PAYLOAD, SEGMENT, SEGMENT_HEADER, SegmentHeader, operations,
};
use crate::format::header::LogStart;
use crate::planted::planted;
use crate::storage::{File, Storage};

/// Segments the log grows by at most.
const GROWTH: u64 = 16;

/// The end of the log, and the segments it may go on in.
#[derive(Debug)]
pub(super) struct Writer {
    epoch: u64,
    sequence: u64,
    /// Segments in use, oldest first: their ordinals follow each other.
    live: VecDeque<u64>,
    first_ordinal: u64,
    /// Offset in the last one, and the chain value there.
    offset: u32,
    chain: u32,
    /// Where the oldest frame that a recovery needs begins, in bytes since the epoch began.
    begin: u64,
    free: Vec<u64>,
    /// Segments of the epoch before, which somebody may still read.
    retained: Vec<u64>,
    /// Segments of the file.
    total: u64,
    /// A frame's bytes; kept for its memory.
    frame: Vec<u8>,
}

/// A failed allocation, before anything was appended: want of room leaves everything as it was.
fn no_room(source: io::Error) -> Error {
    Error::no_room_or(source, failed)
}

/// A failed write or sync, for want of room or not: nobody knows what reached the disk.
fn failed(source: io::Error) -> Error {
    Error::Io { action: "write the log".into(), source }
}

impl Writer {
    pub(super) fn begin(storage: &dyn Storage, epoch: u64, sequence: u64, kept: &[u64]) -> Result<Self> {
        let total = storage.len(File::Log).map_err(failed)? / SEGMENT;
        let mut writer = Self {
            epoch,
            sequence,
            live: VecDeque::new(),
            first_ordinal: 1,
            offset: 0,
            chain: 0,
            begin: SEGMENT,
            free: (0..total).rev().filter(|segment| !kept.contains(segment)).collect(),
            retained: Vec::new(),
            total,
            frame: Vec::new(),
        };
        writer.find_room(storage, 1)?;
        writer.next_segment(storage)?;
        writer.begin = writer.position().end;
        Ok(writer)
    }

    fn last_ordinal(&self) -> u64 {
        self.first_ordinal + self.live.len() as u64 - 1
    }

    pub(super) fn position(&self) -> Position {
        let ordinal = self.last_ordinal();
        Position {
            end: ordinal * SEGMENT + u64::from(self.offset),
            sequence: self.sequence,
            start: LogStart { epoch: self.epoch, ordinal, offset: self.offset, chain: self.chain },
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.last_ordinal() * SEGMENT + u64::from(self.offset) - self.begin
    }

    pub(super) fn held_len(&self) -> u64 {
        (self.live.len() + self.retained.len()) as u64 * SEGMENT
    }

    pub(super) fn segments(&self) -> Segments {
        Segments::from_live(self.epoch, (self.first_ordinal..).zip(self.live.iter().copied()))
    }

    pub(super) fn retain(&mut self, segments: &[u64]) {
        self.retained.extend_from_slice(segments);
    }

    pub(super) fn recycle(&mut self, start: LogStart) {
        self.free.append(&mut self.retained);
        self.begin = start.ordinal * SEGMENT + u64::from(start.offset);
        while self.first_ordinal < start.ordinal && self.live.len() > 1 {
            self.free.extend(self.live.pop_front());
            self.first_ordinal += 1;
        }
    }

    #[inline]
    pub(super) fn append(&mut self, storage: &dyn Storage, sequence: u64, payload: &[u8]) -> Result<()> {
        if payload.is_empty() {
            // A commit without operations still counts: it is a frame of one operation that does nothing.
            return self.append(storage, sequence, &nothing());
        }
        if FRAME_HEADER + payload.len() <= (SEGMENT - u64::from(self.offset)) as usize {
            return self.write_frame(storage, sequence, payload, true);
        }
        self.append_long(storage, sequence, payload)
    }

    #[cold]
    fn append_long(&mut self, storage: &dyn Storage, sequence: u64, payload: &[u8]) -> Result<()> {
        let frames = split(payload)?;
        self.find_room(storage, frames.len() as u64 + 1)?;
        let last = frames.len() - 1;
        for (number, frame) in frames.into_iter().enumerate() {
            if FRAME_HEADER + frame.len() > (SEGMENT - u64::from(self.offset)) as usize {
                self.next_segment(storage)?;
            }
            self.write_frame(storage, sequence, frame, number == last)?;
        }
        Ok(())
    }

    #[inline]
    fn write_frame(&mut self, storage: &dyn Storage, sequence: u64, payload: &[u8], last: bool) -> Result<()> {
        let header = FrameHeader { payload: payload.len() as u32, last, sequence };
        let before = if planted!(storage, FramesNotChained) { 0 } else { self.chain };
        let (head, chain) = header.to_bytes(before, payload);
        self.frame.clear();
        self.frame.extend_from_slice(&head);
        self.frame.extend_from_slice(payload);
        let at = self.live[self.live.len() - 1] * SEGMENT + u64::from(self.offset);
        storage.write_at(File::Log, at, &self.frame).map_err(failed)?;
        self.offset += self.frame.len() as u32;
        self.chain = chain;
        if last {
            self.sequence = sequence;
        }
        Ok(())
    }

    /// Makes sure that `count` segments are free, before anything is written to them.
    fn find_room(&mut self, storage: &dyn Storage, count: u64) -> Result<()> {
        let missing = count.saturating_sub(self.free.len() as u64);
        if missing == 0 {
            return Ok(());
        }
        let growth = missing.max(self.total.min(GROWTH));
        let (start, len) = (self.total * SEGMENT, growth * SEGMENT);
        storage.allocate(File::Log, start, len).map_err(no_room)?;
        storage.sync(File::Log).map_err(failed)?;
        self.free.extend((self.total..self.total + growth).rev());
        self.total += growth;
        Ok(())
    }

    fn next_segment(&mut self, storage: &dyn Storage) -> Result<()> {
        let ordinal = self.first_ordinal + self.live.len() as u64;
        let (bytes, chain) = SegmentHeader { epoch: self.epoch, ordinal, link: self.chain }.to_bytes();
        let segment = *self.free.last().expect("room was found before");
        storage.write_at(File::Log, segment * SEGMENT, &bytes).map_err(failed)?;
        self.free.pop();
        self.live.push_back(segment);
        self.offset = SEGMENT_HEADER as u32;
        self.chain = chain;
        Ok(())
    }
}

/// An operation that writes nothing.
fn nothing() -> Vec<u8> {
    let mut payload = Vec::new();
    crate::format::frame::Operation::Zero { at: crate::format::BLOCK, len: 0 }.encode(&mut payload);
    payload
}

/// Cuts a payload between operations into pieces that fit a segment each.
fn split(payload: &[u8]) -> Result<Vec<&[u8]>> {
    if payload.len() <= MAX_PAYLOAD {
        return Ok(vec![payload]);
    }
    let mut frames = Vec::new();
    let (mut start, mut end) = (0, 0);
    for operation in operations(payload) {
        let len = operation.map_or(usize::MAX, |operation| operation.encoded_len());
        if len > MAX_PAYLOAD {
            let max = MAX_PAYLOAD as u64;
            return Err(Error::TooLong { what: "an operation of the log", len: len as u64, max });
        }
        if end + len - start > MAX_PAYLOAD {
            frames.push(&payload[start..end]);
            start = end;
        }
        end += len;
    }
    frames.push(&payload[start..end]);
    Ok(frames)
}
