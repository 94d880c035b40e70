//! The log: segments and frames.
//!
//! Segment `k` of the log file lies at `k * 256 KiB`, in any order of ordinals. Segment header, 64 bytes:
//!
//! | OFFSET | SIZE | MEANING |
//! |--------|------|---------|
//! | 0      | 8    | magic `IMGLOGSG` |
//! | 8      | 8    | epoch |
//! | 16     | 8    | ordinal: the segment that follows in the chain has one more |
//! | 24     | 4    | link: the chain value after the last frame of the segment before; of the first, 0 |
//! | 28     | 32   | reserved |
//! | 60     | 4    | CRC-32 of the bytes before |
//!
//! Frame, 8-byte aligned, never across segments. The chain value before the first frame of a segment is the
//! segment header's CRC; before any other frame it is the CRC of the frame before.
//!
//! | OFFSET | SIZE | MEANING |
//! |--------|------|---------|
//! | 0      | 4    | length of the payload in bytes, a multiple of 8, at least 8 |
//! | 4      | 4    | flags: 1 last frame of its transaction; the others zero |
//! | 8      | 8    | sequence of the transaction |
//! | 16     | 4    | CRC-32 of the chain value before (4 bytes), the frame's bytes 0–16, and the payload |
//! | 20     | 4    | reserved |
//! | 24     | …    | payload |
//!
//! Where no frame follows the chain, it goes on in the segment of the next ordinal, if that one's link is the chain
//! value reached. So neither a lost frame nor a lost segment can be passed over.
//!
//! Payload: operations, each 8-byte aligned.
//!
//! | OFFSET | SIZE | MEANING |
//! |--------|------|---------|
//! | 0      | 8    | low 56 bits: offset in the heap file; high 8 bits: 1 write, 2 zero, 3 publish |
//! | 8      | 8    | low 32 bits: length in bytes; high 32 bits: publish: CRC-32 of the extent's bytes; else zero |
//! | 16     | …    | write: the bytes, padded with zeros to a multiple of 8 |
//!
//! *Write* and *zero* say what the bytes are; *publish* says that they were written and synced before the frame.

use super::bytes::{array_at, put, u32_at, u64_at};

/// Length of a segment in bytes.
pub const SEGMENT: u64 = 256 * 1024;
/// Length of a segment's header in bytes.
pub const SEGMENT_HEADER: usize = 64;
/// Length of a frame's header in bytes.
pub const FRAME_HEADER: usize = 24;
/// The longest payload that fits a fresh segment, in bytes.
pub const MAX_PAYLOAD: usize = SEGMENT as usize - SEGMENT_HEADER - FRAME_HEADER;
/// First bytes of a segment in use.
pub const SEGMENT_MAGIC: [u8; 8] = *b"IMGLOGSG";

/// A segment's header; the chain value before its first frame comes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Epoch of the chain.
    pub epoch: u64,
    /// Place in the chain.
    pub ordinal: u64,
    /// The chain value after the segment before.
    pub link: u32,
}

impl SegmentHeader {
    /// The header's bytes, and the chain value before the segment's first frame.
    pub fn to_bytes(self) -> ([u8; SEGMENT_HEADER], u32) {
        let mut bytes = [0; SEGMENT_HEADER];
        put(&mut bytes, 0, &SEGMENT_MAGIC);
        put(&mut bytes, 8, &self.epoch.to_le_bytes());
        put(&mut bytes, 16, &self.ordinal.to_le_bytes());
        put(&mut bytes, 24, &self.link.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..60]);
        put(&mut bytes, 60, &crc.to_le_bytes());
        (bytes, crc)
    }

    /// The header in these bytes and the chain value before the first frame, if it is one.
    pub fn parse(bytes: &[u8; SEGMENT_HEADER]) -> Option<(Self, u32)> {
        let header = Self { epoch: u64_at(bytes, 8), ordinal: u64_at(bytes, 16), link: u32_at(bytes, 24) };
        let (expected, chain) = header.to_bytes();
        (expected == *bytes).then_some((header, chain))
    }
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Length of the payload in bytes.
    pub payload: u32,
    /// Last frame of its transaction?
    pub last: bool,
    /// Sequence of the transaction.
    pub sequence: u64,
}

/// Up to this many bytes, chain value and header included, are summed in one go.
const SHORT: usize = 256;

impl FrameHeader {
    /// The header's bytes for a frame after chain value `chain`, and the chain value after it.
    #[inline]
    pub fn to_bytes(self, chain: u32, payload: &[u8]) -> ([u8; FRAME_HEADER], u32) {
        let mut bytes = [0; FRAME_HEADER];
        put(&mut bytes, 0, &self.payload.to_le_bytes());
        put(&mut bytes, 4, &u32::from(self.last).to_le_bytes());
        put(&mut bytes, 8, &self.sequence.to_le_bytes());
        let crc = Self::checksum(chain, &bytes, payload);
        put(&mut bytes, 16, &crc.to_le_bytes());
        (bytes, crc)
    }

    #[inline]
    fn checksum(chain: u32, header: &[u8; FRAME_HEADER], payload: &[u8]) -> u32 {
        if payload.len() <= SHORT - 20 {
            return Self::short_checksum(chain, header, payload);
        }
        let mut start = [0; 20];
        put(&mut start, 0, &chain.to_le_bytes());
        put(&mut start, 4, &header[..16]);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&start);
        hasher.update(payload);
        hasher.finalize()
    }

    /// The same for a payload so short that the sum would be made byte by byte. Zeros before the bytes do not change
    /// the register of a CRC that begins as zero, so the bytes are filled up in front to what is summed at once; that
    /// the register begins as ones is the same as ones in the first four bytes.
    #[inline]
    fn short_checksum(chain: u32, header: &[u8; FRAME_HEADER], payload: &[u8]) -> u32 {
        let mut bytes = [0; SHORT];
        let padded = (20 + payload.len()).next_multiple_of(16).max(128);
        let start = padded - 20 - payload.len();
        put(&mut bytes, start, &(!chain).to_le_bytes());
        put(&mut bytes, start + 4, &header[..16]);
        put(&mut bytes, start + 20, payload);
        let mut hasher = crc32fast::Hasher::new_with_initial(u32::MAX);
        hasher.update(&bytes[..padded]);
        hasher.finalize()
    }

    /// The frame at the start of `bytes` (the rest of its segment), when it follows chain value `chain`:
    /// its header, its payload, and the chain value after it.
    pub fn parse(bytes: &[u8], chain: u32) -> Option<(Self, &[u8], u32)> {
        let header: [u8; FRAME_HEADER] = array_at(bytes.get(..FRAME_HEADER)?, 0);
        let flags = u32_at(&header, 4);
        let frame = Self { payload: u32_at(&header, 0), last: flags == 1, sequence: u64_at(&header, 8) };
        let payload = bytes.get(FRAME_HEADER..FRAME_HEADER.checked_add(frame.payload as usize)?)?;
        let crc = u32_at(&header, 16);
        let valid = frame.payload >= 8
            && frame.payload.is_multiple_of(8)
            && flags <= 1
            && u32_at(&header, 20) == 0
            && Self::checksum(chain, &header, payload) == crc;
        valid.then_some((frame, payload, crc))
    }
}

/// One operation of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation<'a> {
    /// The bytes at an offset of the heap file.
    Write {
        /// Offset in the heap file.
        at: u64,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Zeros at an offset of the heap file.
    Zero {
        /// Offset in the heap file.
        at: u64,
        /// How many.
        len: u32,
    },
    /// An extent that was written and synced before.
    Publish {
        /// Offset in the heap file.
        at: u64,
        /// Length in bytes.
        len: u32,
        /// CRC-32 of its bytes.
        crc: u32,
    },
}

impl Operation<'_> {
    /// Where in the heap file, and how many bytes.
    pub const fn range(&self) -> (u64, u64) {
        match *self {
            Self::Write { at, bytes } => (at, bytes.len() as u64),
            Self::Zero { at, len } | Self::Publish { at, len, .. } => (at, len as u64),
        }
    }

    /// Length in a payload, in bytes.
    pub const fn encoded_len(&self) -> usize {
        match self {
            Self::Write { bytes, .. } => 16 + bytes.len().next_multiple_of(8),
            Self::Zero { .. } | Self::Publish { .. } => 16,
        }
    }

    /// Appends the operation to a payload.
    #[inline]
    pub fn encode(&self, payload: &mut Vec<u8>) {
        let (at, len) = self.range();
        let (kind, crc): (u64, u32) = match *self {
            Self::Write { .. } => (1, 0),
            Self::Zero { .. } => (2, 0),
            Self::Publish { crc, .. } => (3, crc),
        };
        let mut head = [0; 16];
        put(&mut head, 0, &(at | kind << 56).to_le_bytes());
        put(&mut head, 8, &(len | u64::from(crc) << 32).to_le_bytes());
        payload.extend_from_slice(&head);
        if let Self::Write { bytes, .. } = *self {
            // Most changes are of one word.
            match <&[u8; 8]>::try_from(bytes) {
                Ok(word) => payload.extend_from_slice(word),
                Err(_) => {
                    payload.extend_from_slice(bytes);
                    payload.resize(payload.len().next_multiple_of(8), 0);
                }
            }
        }
    }
}

/// The operations of a payload, in order; `None` in place of the first that is not one, and then the end.
pub fn operations(payload: &[u8]) -> impl Iterator<Item = Option<Operation<'_>>> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let operation = first_operation(rest);
        rest = operation.map_or(&[], |operation| &rest[operation.encoded_len()..]);
        Some(operation)
    })
}

fn first_operation(payload: &[u8]) -> Option<Operation<'_>> {
    let head = payload.get(..16)?;
    let (place, size) = (u64_at(head, 0), u64_at(head, 8));
    let (at, len, crc) = (place & ((1 << 56) - 1), size as u32, (size >> 32) as u32);
    match place >> 56 {
        1 if crc == 0 => {
            let padded = payload.get(16..16 + (len as usize).next_multiple_of(8))?;
            Some(Operation::Write { at, bytes: &padded[..len as usize] })
        }
        2 if crc == 0 => Some(Operation::Zero { at, len }),
        3 => Some(Operation::Publish { at, len, crc }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{FRAME_HEADER, FrameHeader, SHORT};

    #[test]
    fn the_checksum_is_the_crc_of_chain_header_and_payload() {
        let header: [u8; FRAME_HEADER] = std::array::from_fn(|at| at as u8 * 7);
        for len in (0..=SHORT + 40).step_by(4) {
            let payload: Vec<u8> = (0..len).map(|at| (at * 31 % 251) as u8).collect();
            let mut plain = crc32fast::Hasher::new();
            plain.update(&0xdead_beef_u32.to_le_bytes());
            plain.update(&header[..16]);
            plain.update(&payload);
            assert_eq!(FrameHeader::checksum(0xdead_beef, &header, &payload), plain.finalize(), "{len} bytes");
        }
    }
}
