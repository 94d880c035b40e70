//! The header page: which file this is, and where its newest checkpoint stands.
//!
//! Two pages of 4096 bytes, at 0 and 4096. A page is valid when its magic, its version and its checksum are right
//! and its reserved bytes are zero; the valid one with the higher `counter` counts. A checkpoint writes the other
//! one, so a torn header leaves the one before.
//!
//! | OFFSET | SIZE | MEANING |
//! |--------|------|---------|
//! | 0      | 8    | magic `IMGHEAP\n` |
//! | 8      | 2    | major version: another one is refused |
//! | 10     | 2    | minor version: informs |
//! | 12     | 4    | feature flags: an unknown one refuses to read |
//! | 16     | 4    | feature flags: an unknown one refuses to write |
//! | 20     | 4    | feature flags: unknown ones are ignored |
//! | 24     | 1    | byte order of records, unless the catalog's root names one: 1 little, 2 big |
//! | 25     | 1    | pointer width in bytes of the machine that last opened the heap to write: informs |
//! | 26     | 2    | state: 0 live heap, 1 sealed image |
//! | 28     | 4    | first generation of fresh slots, drawn per heap |
//! | 32     | 16   | heap id, drawn at random when the heap is made (from `Options::seed` when given) |
//! | 48     | 16   | key of the hash maps |
//! | 64     | 8    | counter, one more with each header written; like every counter here at most 2^62 |
//! | 72     | 8    | sequence of the last commit that the base holds |
//! | 80     | 8    | epoch of the log, drawn at each open; 0: closed cleanly, the file alone is the heap |
//! | 88     | 8    | ordinal of the log segment where the frames after `sequence` begin |
//! | 96     | 4    | offset in that segment |
//! | 100    | 4    | chain value there |
//! | 104    | 8    | forced: counts foldings of the log over the head of a dump |
//! | 112    | 8    | length of the file's used part in bytes, a multiple of the block length |
//! | 120    | 8    | images: offset of the manifest, else 0 |
//! | 128    | 8    | images: length of the manifest in bytes, else 0 |
//! | 136    | 32   | images: BLAKE3 of all bytes after block 0 and before the manifest, else 0 |
//! | 168    | 3924 | reserved |
//! | 4092   | 4    | CRC-32 of the bytes before |

use super::bytes::{array_at, put, u16_at, u32_at, u64_at};
use super::{BLOCK, handle};

/// Length of a header page in bytes.
pub const PAGE: usize = 4096;
/// The first bytes of every heap and image.
pub const MAGIC: [u8; 8] = *b"IMGHEAP\n";
/// The major version written and read here.
pub const MAJOR: u16 = 1;
/// The minor version written here.
pub const MINOR: u16 = 0;
/// Offset of the byte whose lock makes the one writer.
pub const WRITER_LOCK: u64 = 8192;
/// Offset of the byte whose lock retains the log.
pub const RETAIN_LOCK: u64 = 8193;

/// The largest value of a counter in a header that is believed.
pub const MAX_COUNTER: u64 = 1 << 62;

/// Feature flag (refuse to read): none is defined yet.
pub const KNOWN_READ_FLAGS: u32 = 0;
/// Feature flags (refuse to write): none is defined yet.
pub const KNOWN_WRITE_FLAGS: u32 = 0;
/// Feature flag (ignorable): the image holds values of fields marked secret.
pub const HOLDS_SECRETS: u32 = 1;

/// Byte order of a heap's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    /// This machine's.
    pub const NATIVE: Self = if cfg!(target_endian = "little") { Self::Little } else { Self::Big };

    /// Its number in a file.
    pub const fn number(self) -> u8 {
        match self {
            Self::Little => 1,
            Self::Big => 2,
        }
    }

    /// The byte order of a number, if it is one's.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Little),
            2 => Some(Self::Big),
            _ => None,
        }
    }

    /// The number of one that may not be named: 0.
    pub(super) const fn optional_number(order: Option<Self>) -> u8 {
        match order {
            Some(order) => order.number(),
            None => 0,
        }
    }

    /// What the number of one that may not be named says, and zeros behind it.
    pub(super) fn parse_optional(bytes: &[u8]) -> Result<Option<Self>, NoByteOrder> {
        match bytes {
            [_, rest @ ..] if rest.iter().any(|&byte| byte != 0) => Err(NoByteOrder),
            [0, ..] => Ok(None),
            [number, ..] => Self::from_number(*number).map(Some).ok_or(NoByteOrder),
            [] => Err(NoByteOrder),
        }
    }
}

/// A number that is no byte order's.
pub(super) struct NoByteOrder;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileState {
    /// A heap, with a log beside it.
    Live,
    /// A sealed image.
    Image,
}

/// Where in the log the frames begin that the base does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogStart {
    /// Epoch of the chain.
    pub epoch: u64,
    /// Ordinal of the segment.
    pub ordinal: u64,
    /// Offset in the segment.
    pub offset: u32,
    /// Chain value there.
    pub chain: u32,
}

/// A header page, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Minor version of the writer.
    pub minor: u16,
    /// Feature flags whose unknown members refuse to write.
    pub write_flags: u32,
    /// Feature flags whose unknown members are ignored.
    pub ignorable_flags: u32,
    /// Byte order of records.
    pub byte_order: ByteOrder,
    /// Pointer width of the writer in bytes.
    pub pointer_width: u8,
    /// Heap or image.
    pub state: FileState,
    /// First generation of fresh slots.
    pub first_generation: u32,
    /// The heap's identity.
    pub heap_id: [u8; 16],
    /// Key of the hash maps.
    pub hash_key: [u8; 16],
    /// One more with each header written.
    pub counter: u64,
    /// Sequence of the last commit that the base holds.
    pub sequence: u64,
    /// Where the log's live frames begin.
    pub log: LogStart,
    /// Foldings of the log over the head of a dump.
    pub forced: u64,
    /// Length of the used part in bytes.
    pub file_len: u64,
    /// Offset of the manifest, 0 without one.
    pub manifest_at: u64,
    /// Length of the manifest in bytes.
    pub manifest_len: u64,
    /// BLAKE3 of an image's content.
    pub content_hash: [u8; 32],
}

/// Why a header page is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// Another kind of file, or an empty one.
    #[error("not a heap: the magic bytes are missing")]
    Magic,
    /// A version this build does not know.
    #[error("format version {0}.{1} is not known here")]
    Version(u16, u16),
    /// A feature this build does not know.
    #[error("feature flags {0:#x} are not known here")]
    Features(u32),
    /// The page's bytes are damaged.
    #[error("header checksum is {stored:08x}, computed {computed:08x}")]
    Checksum {
        /// In the file.
        stored: u32,
        /// From the bytes.
        computed: u32,
    },
    /// The checksum is right and a field is not.
    #[error("header field at offset {0} has an impossible value")]
    Field(u32),
}

impl Header {
    /// The page's bytes.
    pub fn to_page(&self) -> [u8; PAGE] {
        let mut page = [0; PAGE];
        put(&mut page, 0, &MAGIC);
        put(&mut page, 8, &MAJOR.to_le_bytes());
        put(&mut page, 10, &self.minor.to_le_bytes());
        put(&mut page, 16, &self.write_flags.to_le_bytes());
        put(&mut page, 20, &self.ignorable_flags.to_le_bytes());
        page[24] = self.byte_order.number();
        page[25] = self.pointer_width;
        let state: u16 = match self.state {
            FileState::Live => 0,
            FileState::Image => 1,
        };
        put(&mut page, 26, &state.to_le_bytes());
        put(&mut page, 28, &self.first_generation.to_le_bytes());
        put(&mut page, 32, &self.heap_id);
        put(&mut page, 48, &self.hash_key);
        for (at, value) in [(64, self.counter), (72, self.sequence), (80, self.log.epoch), (88, self.log.ordinal)] {
            put(&mut page, at, &value.to_le_bytes());
        }
        put(&mut page, 96, &self.log.offset.to_le_bytes());
        put(&mut page, 100, &self.log.chain.to_le_bytes());
        for (at, value) in [(104, self.forced), (112, self.file_len), (120, self.manifest_at), (128, self.manifest_len)]
        {
            put(&mut page, at, &value.to_le_bytes());
        }
        put(&mut page, 136, &self.content_hash);
        let crc = crc32fast::hash(&page[..PAGE - 4]);
        put(&mut page, PAGE - 4, &crc.to_le_bytes());
        page
    }

    /// Checks a page and takes it apart.
    ///
    /// # Errors
    /// Says what is wrong; version and features are judged before the checksum, so that a newer file is called
    /// newer and not damaged.
    pub fn parse(page: &[u8; PAGE]) -> Result<Self, HeaderFault> {
        if page[..8] != MAGIC {
            return Err(HeaderFault::Magic);
        }
        let (major, minor) = (u16_at(page, 8), u16_at(page, 10));
        if major != MAJOR {
            return Err(HeaderFault::Version(major, minor));
        }
        let stored = u32_at(page, PAGE - 4);
        let computed = crc32fast::hash(&page[..PAGE - 4]);
        if stored != computed {
            return Err(HeaderFault::Checksum { stored, computed });
        }
        let unknown = u32_at(page, 12) & !KNOWN_READ_FLAGS;
        if unknown != 0 {
            return Err(HeaderFault::Features(unknown));
        }
        let header = Self {
            minor,
            write_flags: u32_at(page, 16),
            ignorable_flags: u32_at(page, 20),
            byte_order: ByteOrder::from_number(page[24]).ok_or(HeaderFault::Field(24))?,
            pointer_width: page[25],
            state: match u16_at(page, 26) {
                0 => FileState::Live,
                1 => FileState::Image,
                _ => return Err(HeaderFault::Field(26)),
            },
            first_generation: u32_at(page, 28),
            heap_id: array_at(page, 32),
            hash_key: array_at(page, 48),
            counter: u64_at(page, 64),
            sequence: u64_at(page, 72),
            log: LogStart {
                epoch: u64_at(page, 80),
                ordinal: u64_at(page, 88),
                offset: u32_at(page, 96),
                chain: u32_at(page, 100),
            },
            forced: u64_at(page, 104),
            file_len: u64_at(page, 112),
            manifest_at: u64_at(page, 120),
            manifest_len: u64_at(page, 128),
            content_hash: array_at(page, 136),
        };
        header.check(page)
    }

    fn check(self, page: &[u8; PAGE]) -> Result<Self, HeaderFault> {
        if ![4, 8].contains(&self.pointer_width) {
            return Err(HeaderFault::Field(25));
        }
        if self.first_generation == 0 || self.first_generation >= handle::LAST_GENERATION {
            return Err(HeaderFault::Field(28));
        }
        if self.file_len < 2 * BLOCK || !self.file_len.is_multiple_of(BLOCK) {
            return Err(HeaderFault::Field(112));
        }
        // Counters are counted up without a thought of their end, which no heap comes near.
        for (at, counter) in [(64, self.counter), (72, self.sequence), (88, self.log.ordinal), (104, self.forced)] {
            if counter > MAX_COUNTER {
                return Err(HeaderFault::Field(at));
            }
        }
        let sealed = self.state == FileState::Image;
        if (self.manifest_at != 0) != sealed || (sealed && self.manifest_at != self.file_len) {
            return Err(HeaderFault::Field(120));
        }
        if let Some(at) = page[168..PAGE - 4].iter().position(|&byte| byte != 0) {
            return Err(HeaderFault::Field(168 + at as u32));
        }
        Ok(self)
    }

    /// The newest valid header of block 0's two pages, and which of them it is (0 or 1).
    ///
    /// # Errors
    /// When neither page is valid: the fault of the first page, or of the second where only that one has the magic
    /// bytes.
    pub fn choose(pages: &[u8; 2 * PAGE]) -> Result<(Self, u8), HeaderFault> {
        match (Self::parse(&array_at(pages, 0)), Self::parse(&array_at(pages, PAGE))) {
            (Ok(a), Ok(b)) => Ok(if b.counter > a.counter { (b, 1) } else { (a, 0) }),
            (Ok(a), Err(_)) => Ok((a, 0)),
            (Err(_), Ok(b)) => Ok((b, 1)),
            (Err(HeaderFault::Magic), Err(fault)) | (Err(fault), Err(_)) => Err(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log that began at the last ordinal there is made a reader count past it.
    #[test]
    fn a_counter_near_its_end_is_not_believed() {
        let header = Header {
            minor: MINOR,
            write_flags: 0,
            ignorable_flags: 0,
            byte_order: ByteOrder::NATIVE,
            pointer_width: 8,
            state: FileState::Live,
            first_generation: 1,
            heap_id: [0; 16],
            hash_key: [0; 16],
            counter: MAX_COUNTER,
            sequence: MAX_COUNTER,
            log: LogStart { epoch: u64::MAX, ordinal: MAX_COUNTER, offset: 0, chain: 0 },
            forced: MAX_COUNTER,
            file_len: 2 * BLOCK,
            manifest_at: 0,
            manifest_len: 0,
            content_hash: [0; 32],
        };
        assert_eq!(Header::parse(&header.to_page()), Ok(header.clone()));
        let change = |at, change: fn(&mut Header)| {
            let mut changed = header.clone();
            change(&mut changed);
            assert_eq!(Header::parse(&changed.to_page()), Err(HeaderFault::Field(at)));
        };
        change(64, |header| header.counter += 1);
        change(72, |header| header.sequence = u64::MAX);
        change(88, |header| header.log.ordinal = u64::MAX);
        change(104, |header| header.forced += 1);
    }
}
