//! Logs that somebody wrote by hand: segments of several epochs in any order, chains that break, circle or end, and
//! operations on any place of the heap file.

#![no_main]

use heap::fold::{Fold, Target};
use heap::format::BLOCK;
use heap::format::frame::{FrameHeader, MAX_PAYLOAD, Operation, SEGMENT, SegmentHeader};
use heap::format::header::LogStart;
use heap::log::{Segments, find_end, scan};
use heap::read::{Overlay, Source};
use heap_fuzz::disk::Disk;
use libfuzzer_sys::{arbitrary, arbitrary::Arbitrary, fuzz_target};

/// The epoch that is read.
const EPOCH: u64 = 99;
/// Length of the heap file.
const FILE: u64 = 4 * BLOCK;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    sequence: Number,
    until: Number,
    /// In which segment, where and with which chain value reading begins; by default where the first segment's
    /// frames do.
    start: Option<(u8, u32, u32)>,
    torn: u16,
    segments: Vec<Segment<'a>>,
}

/// A number, preferably one near the beginning or the end of all numbers.
#[derive(Arbitrary, Debug, Clone, Copy)]
enum Number {
    Small(u8),
    Large(u8),
    Any(u64),
}

impl Number {
    fn get(self) -> u64 {
        match self {
            Self::Small(number) => number.into(),
            Self::Large(number) => u64::MAX - u64::from(number),
            Self::Any(number) => number,
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Segment<'a> {
    other_epoch: bool,
    /// By default one more than the segment before.
    ordinal: Option<Number>,
    wrong_link: Option<u32>,
    frames: Vec<Frame<'a>>,
    damage: Option<(u16, u8)>,
}

#[derive(Arbitrary, Debug)]
struct Frame<'a> {
    follows: Follows,
    last: bool,
    wrong_chain: bool,
    operations: Vec<Op<'a>>,
    tail: &'a [u8],
}

#[derive(Arbitrary, Debug)]
enum Follows {
    Same,
    Next,
    Any(Number),
}

#[derive(Arbitrary, Debug)]
enum Op<'a> {
    Write(u16, &'a [u8]),
    Zero(u16, u16),
    Publish(u16, u16, u32),
    Far(Number, u32),
}

impl Op<'_> {
    fn encode(&self, payload: &mut Vec<u8>) {
        let place = |at: u16| BLOCK - 64 + u64::from(at);
        match *self {
            Op::Write(at, bytes) => Operation::Write { at: place(at), bytes },
            Op::Zero(at, len) => Operation::Zero { at: place(at), len: len.into() },
            Op::Publish(at, len, crc) => Operation::Publish { at: place(at), len: len.into(), crc },
            Op::Far(at, len) => Operation::Zero { at: at.get() >> 8, len },
        }
        .encode(payload);
    }
}

/// The log, and where reading begins.
fn write(input: &Input<'_>) -> (Disk, LogStart) {
    let mut disk = Disk { base: vec![7; FILE as usize], segments: Vec::new(), torn: u64::from(input.torn) };
    let mut start = LogStart { epoch: EPOCH, ordinal: 0, offset: 64, chain: 0 };
    let (mut ordinal, mut chain, mut sequence) = (0_u64, 0, input.sequence.get());
    for (number, segment) in input.segments.iter().take(6).enumerate() {
        ordinal = segment.ordinal.map_or(ordinal.wrapping_add(1), Number::get);
        let epoch = if segment.other_epoch { EPOCH + 1 } else { EPOCH };
        let (head, first) = SegmentHeader { epoch, ordinal, link: segment.wrong_link.unwrap_or(chain) }.to_bytes();
        if number == 0 {
            (start.ordinal, start.chain) = (ordinal, first);
        }
        chain = first;
        let mut bytes = head.to_vec();
        for frame in &segment.frames {
            sequence = match frame.follows {
                Follows::Same => sequence,
                Follows::Next => sequence.wrapping_add(1),
                Follows::Any(number) => number.get(),
            };
            let mut payload = Vec::new();
            frame.operations.iter().for_each(|operation| operation.encode(&mut payload));
            payload.extend_from_slice(frame.tail);
            payload.truncate(payload.len() / 8 * 8);
            if payload.len() > MAX_PAYLOAD {
                continue;
            }
            let header = FrameHeader { payload: payload.len() as u32, last: frame.last, sequence };
            let (head, after) = header.to_bytes(chain ^ u32::from(frame.wrong_chain), &payload);
            bytes.extend_from_slice(&head);
            bytes.extend_from_slice(&payload);
            chain = after;
        }
        if let Some((at, flip)) = segment.damage {
            let at = usize::from(at) % bytes.len();
            bytes[at] ^= flip;
        }
        bytes.truncate(SEGMENT as usize);
        disk.segments.push(bytes);
    }
    if let Some((segment, offset, chain)) = input.start {
        start = LogStart { epoch: EPOCH, ordinal: start.ordinal.wrapping_add(segment.into()), offset, chain };
    }
    (disk, start)
}

struct Folded(Vec<u8>);

impl Target for Folded {
    fn read_block(&self, offset: u64, bytes: &mut [u8]) -> std::io::Result<()> {
        Source::read_at(&self.0, offset, bytes)
    }

    fn write_block(&mut self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        self.0[offset as usize..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

fuzz_target!(|input: Input<'_>| {
    let (disk, start) = write(&input);
    let (sequence, until) = (input.sequence.get(), input.until.get());
    Segments::epochs(&disk).expect("the log can be read");
    let segments = Segments::read(&disk, EPOCH).expect("the log can be read");
    assert!(segments.positions().iter().all(|&position| position < disk.segments.len() as u64));
    let tail = find_end(&disk, &segments, start, sequence, until).expect("the log can be read");

    let mut overlay = Overlay::new(&disk.base).expect("memory has a length");
    let mut fold = Fold::default();
    let mut plain = disk.base.clone();
    let mut sequences = Vec::new();
    let mut whole = true;
    let again = scan(&disk, &segments, start, sequence, until, |frame| {
        sequences.push(frame.header.sequence);
        for operation in frame.operations() {
            let Ok(operation) = operation else { return Ok(()) };
            let (laid, folded) = (overlay.apply(operation), fold.add(operation, frame.at, FILE));
            assert_eq!(laid.is_ok(), folded.is_ok(), "{operation:?}: two readers of the log judge it differently");
            if laid.is_err() {
                whole = false;
                continue;
            }
            let (at, len) = operation.range();
            match operation {
                Operation::Write { bytes, .. } => plain[at as usize..][..len as usize].copy_from_slice(bytes),
                Operation::Zero { .. } => plain[at as usize..][..len as usize].fill(0),
                Operation::Publish { .. } => {}
            }
        }
        Ok(())
    });
    assert_eq!(again.expect("the log can be read"), tail);
    assert_eq!(sequences.len() as u64, tail.frames);
    assert!(sequences.first().is_none_or(|&first| first == sequence + 1));
    assert!(sequences.windows(2).all(|pair| pair[1] == pair[0] || pair[1] == pair[0] + 1));
    assert_eq!(sequences.last().copied().unwrap_or(sequence), tail.sequence);
    assert!(tail.frames == 0 || tail.sequence <= until);
    let len = disk.segments.len() as u64 * SEGMENT;
    assert!(tail.accepted.iter().all(|&(at, long)| at % SEGMENT == 0 && long <= SEGMENT && at < len));

    if whole {
        let mut laid = vec![0; FILE as usize];
        overlay.read_at(0, &mut laid).expect("the file can be read");
        let mut target = Folded(disk.base.clone());
        fold.apply(&mut target).expect("memory can be written");
        assert!(laid == plain && target.0 == plain, "the log means one thing");
    }
});
