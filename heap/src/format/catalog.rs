//! The catalog: what the heap consists of.
//!
//! The root (block 1) names the streams; it and the streams change only through the log, as record bytes do.
//!
//! Root:
//!
//! | OFFSET | SIZE | MEANING |
//! |--------|------|---------|
//! | 0      | 8    | magic `IMGCATLG` |
//! | 8      | 1    | byte order of records: 0 as the header says, 1 little, 2 big |
//! | 9      | 7    | reserved |
//! | 16+24s | 24   | stream s (0 tables, 1 extents, 2 roots, 3 registry, 4 checksums, 5 history): offset in the file (0: no run yet), capacity in bytes (whole blocks), length used in bytes |
//! | 160    | 16224| reserved |
//!
//! Table entry, 48 bytes, number = position in the stream:
//!
//! | OFFSET | SIZE | MEANING |
//! |--------|------|---------|
//! | 0      | 4    | kind: 1 records, 2 size class, 3 large values |
//! | 4      | 4    | records: shape number of the type; size class: its number; else 0 |
//! | 8      | 4    | stride in bytes (large: 0) |
//! | 12     | 4    | offset of the first slot's contents in a region (records: max(8, align); size class: 8; large: 8) |
//! | 16     | 8    | slots ever used; the table's regions fill in ascending order |
//! | 24     | 8    | slots that live |
//! | 32     | 16   | reserved |
//!
//! Extent entry, 48 bytes. An entry of length 0 is free.
//!
//! | OFFSET | SIZE | MEANING |
//! |--------|------|---------|
//! | 0      | 8    | offset in the file |
//! | 8      | 8    | length in bytes, whole blocks |
//! | 16     | 4    | region |
//! | 20     | 4    | offset in the region, whole blocks |
//! | 24     | 4    | table |
//! | 28     | 4    | slots the region may ever hold (large values: regions in the run; all its extents name the first) |
//! | 32     | 4    | schema tag: 0 |
//! | 36     | 12   | reserved |
//!
//! Root entry, 256 bytes. An entry of reference 0 is free.
//!
//! | OFFSET | SIZE | MEANING |
//! |--------|------|---------|
//! | 0      | 8    | reference |
//! | 8      | 4    | table of the record |
//! | 12     | 2    | length of the name in bytes, 1 to 240 |
//! | 14     | 2    | reserved |
//! | 16     | 240  | name, UTF-8, then zeros |
//!
//! Registry: an rkyv archive of [`migrate::Registry`]. Checksums: for each block of the file its CRC-32 (block 0 and
//! blocks of the checksums themselves: 0). History: see [`history`](super::history).

use super::bytes::{put, u16_at, u32_at, u64_at};
use super::header::ByteOrder;
use super::{BLOCK, MAX_REGIONS};

/// Offset of the root in the file.
pub const ROOT_AT: u64 = BLOCK;
/// Bytes of the root that are ever used.
pub const ROOT_LEN: usize = 160;
/// First bytes of the root.
pub const ROOT_MAGIC: [u8; 8] = *b"IMGCATLG";
/// Number of streams.
pub const STREAMS: usize = 6;
/// Length of a table entry in bytes.
pub const TABLE_ENTRY: usize = 48;
/// Length of an extent entry in bytes.
pub const EXTENT_ENTRY: usize = 48;
/// Length of a root entry in bytes.
pub const ROOT_ENTRY: usize = 256;
/// The longest name of a root in bytes.
pub const MAX_ROOT_NAME: usize = 240;

/// Which stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Stream {
    /// Table entries.
    Tables = 0,
    /// Extent entries.
    Extents = 1,
    /// Root entries.
    Roots = 2,
    /// Descriptors.
    Registry = 3,
    /// Block checksums.
    Checksums = 4,
    /// Receipts of migrations.
    History = 5,
}

/// Where a stream lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Run {
    /// Offset in the file; 0 for a stream without a run.
    pub at: u64,
    /// Capacity in bytes, whole blocks.
    pub capacity: u64,
    /// Bytes used.
    pub len: u64,
}

/// The catalog root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CatalogRoot {
    /// Byte order of the records, where they were transcoded since the file was made: it changes with a commit, as the
    /// records do. Else the header says it.
    pub byte_order: Option<ByteOrder>,
    /// The streams, by number.
    pub streams: [Run; STREAMS],
}

/// A structure of the catalog that has an impossible value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{structure} has an impossible value at offset {offset}")]
pub struct CatalogFault {
    /// "catalog root", "table entry", ….
    pub structure: &'static str,
    /// Offset in the structure.
    pub offset: u32,
}

const fn fault<T>(structure: &'static str, offset: u32) -> Result<T, CatalogFault> {
    Err(CatalogFault { structure, offset })
}

impl CatalogRoot {
    /// The root's bytes.
    pub fn to_bytes(&self) -> [u8; ROOT_LEN] {
        let mut bytes = [0; ROOT_LEN];
        put(&mut bytes, 0, &ROOT_MAGIC);
        bytes[8] = ByteOrder::optional_number(self.byte_order);
        for (number, run) in self.streams.iter().enumerate() {
            let at = 16 + 24 * number;
            put(&mut bytes, at, &run.at.to_le_bytes());
            put(&mut bytes, at + 8, &run.capacity.to_le_bytes());
            put(&mut bytes, at + 16, &run.len.to_le_bytes());
        }
        bytes
    }

    /// Takes the root apart, checking each run on its own against a file of `file_len` bytes.
    ///
    /// # Errors
    /// Names the offset of the first impossible value.
    pub fn parse(bytes: &[u8; ROOT_LEN], file_len: u64) -> Result<Self, CatalogFault> {
        if bytes[..8] != ROOT_MAGIC {
            return fault("catalog root", 0);
        }
        let Ok(byte_order) = ByteOrder::parse_optional(&bytes[8..16]) else {
            return fault("catalog root", 8);
        };
        let mut root = Self { byte_order, ..Self::default() };
        for (number, run) in root.streams.iter_mut().enumerate() {
            let at = 16 + 24 * number;
            *run = Run { at: u64_at(bytes, at), capacity: u64_at(bytes, at + 8), len: u64_at(bytes, at + 16) };
            let inside = run.at.checked_add(run.capacity).is_some_and(|end| end <= file_len);
            let aligned = run.at.is_multiple_of(BLOCK) && run.capacity.is_multiple_of(BLOCK);
            let placed = if run.at == 0 { run.capacity == 0 } else { run.at >= 2 * BLOCK && run.capacity > 0 };
            if !inside || !aligned || !placed || run.len > run.capacity {
                return fault("catalog root", at as u32);
            }
        }
        Ok(root)
    }
}

/// What a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableKind {
    /// Records of the type with this shape number.
    Records(u32),
    /// Texts, lists, maps and buffers of the size class with this number.
    Class(u32),
    /// Values too large for any size class, each alone in a run of regions.
    Large,
}

/// A table entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableEntry {
    /// What it holds.
    pub kind: TableKind,
    /// Distance of slots in bytes.
    pub stride: u32,
    /// Offset of the first slot's contents in a region.
    pub first: u32,
    /// Slots ever used.
    pub used: u64,
    /// Slots that live.
    pub live: u64,
}

impl TableEntry {
    /// The entry's bytes.
    pub fn to_bytes(&self) -> [u8; TABLE_ENTRY] {
        let mut bytes = [0; TABLE_ENTRY];
        let (kind, number): (u32, u32) = match self.kind {
            TableKind::Records(shape) => (1, shape),
            TableKind::Class(class) => (2, class),
            TableKind::Large => (3, 0),
        };
        for (at, value) in [(0, kind), (4, number), (8, self.stride), (12, self.first)] {
            put(&mut bytes, at, &value.to_le_bytes());
        }
        put(&mut bytes, 16, &self.used.to_le_bytes());
        put(&mut bytes, 24, &self.live.to_le_bytes());
        bytes
    }

    /// Takes an entry apart and checks it on its own.
    ///
    /// # Errors
    /// Names the offset of the first impossible value.
    pub fn parse(bytes: &[u8; TABLE_ENTRY]) -> Result<Self, CatalogFault> {
        let number = u32_at(bytes, 4);
        let entry = Self {
            kind: match u32_at(bytes, 0) {
                1 => TableKind::Records(number),
                2 => TableKind::Class(number),
                3 => TableKind::Large,
                _ => return fault("table entry", 0),
            },
            stride: u32_at(bytes, 8),
            first: u32_at(bytes, 12),
            used: u64_at(bytes, 16),
            live: u64_at(bytes, 24),
        };
        let stride_fits = match entry.kind {
            TableKind::Records(_) => {
                entry.stride >= 16
                    && entry.stride.is_multiple_of(8)
                    && entry.stride <= super::slot::CLASSES[super::slot::CLASS_COUNT - 1]
            }
            TableKind::Class(class) => super::slot::CLASSES.get(class as usize) == Some(&entry.stride),
            TableKind::Large => entry.stride == 0 && number == 0,
        };
        if !stride_fits {
            return fault("table entry", 8);
        }
        if entry.first < 8 || entry.first > 64 || !entry.first.is_power_of_two() {
            return fault("table entry", 12);
        }
        if entry.live > entry.used {
            return fault("table entry", 24);
        }
        if bytes[32..] != [0; 16] {
            return fault("table entry", 32);
        }
        Ok(entry)
    }
}

/// An extent entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtentEntry {
    /// Offset in the file.
    pub at: u64,
    /// Length in bytes.
    pub len: u64,
    /// Region.
    pub region: u32,
    /// Offset in the region.
    pub offset: u32,
    /// Table.
    pub table: u32,
    /// Slots the region may ever hold; regions in the run of a large value.
    pub slots: u32,
}

impl ExtentEntry {
    /// The entry's bytes.
    pub fn to_bytes(&self) -> [u8; EXTENT_ENTRY] {
        let mut bytes = [0; EXTENT_ENTRY];
        put(&mut bytes, 0, &self.at.to_le_bytes());
        put(&mut bytes, 8, &self.len.to_le_bytes());
        for (at, value) in [(16, self.region), (20, self.offset), (24, self.table), (28, self.slots)] {
            put(&mut bytes, at, &value.to_le_bytes());
        }
        bytes
    }

    /// Takes an entry apart and checks it on its own, against a file of `file_len` bytes.
    ///
    /// # Errors
    /// Names the offset of the first impossible value.
    pub fn parse(bytes: &[u8; EXTENT_ENTRY], file_len: u64) -> Result<Self, CatalogFault> {
        let entry = Self {
            at: u64_at(bytes, 0),
            len: u64_at(bytes, 8),
            region: u32_at(bytes, 16),
            offset: u32_at(bytes, 20),
            table: u32_at(bytes, 24),
            slots: u32_at(bytes, 28),
        };
        if entry.len == 0 {
            return if bytes.iter().all(|&byte| byte == 0) { Ok(entry) } else { fault("extent entry", 8) };
        }
        if entry.at < 2 * BLOCK
            || !entry.at.is_multiple_of(BLOCK)
            || !entry.len.is_multiple_of(BLOCK)
            || entry.at.checked_add(entry.len).is_none_or(|end| end > file_len)
        {
            return fault("extent entry", 0);
        }
        if entry.region >= MAX_REGIONS || !u64::from(entry.offset).is_multiple_of(BLOCK) {
            return fault("extent entry", 16);
        }
        if entry.slots == 0 || entry.slots > MAX_REGIONS {
            return fault("extent entry", 28);
        }
        if bytes[32..] != [0; 16] {
            return fault("extent entry", 32);
        }
        Ok(entry)
    }
}

/// A root entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootEntry {
    /// Bits of the reference.
    pub reference: u64,
    /// Table of the record.
    pub table: u32,
    /// Name.
    pub name: String,
}

impl RootEntry {
    /// The entry's bytes; the name is at most [`MAX_ROOT_NAME`] bytes long.
    pub fn to_bytes(&self) -> [u8; ROOT_ENTRY] {
        let mut bytes = [0; ROOT_ENTRY];
        put(&mut bytes, 0, &self.reference.to_le_bytes());
        put(&mut bytes, 8, &self.table.to_le_bytes());
        put(&mut bytes, 12, &(self.name.len() as u16).to_le_bytes());
        put(&mut bytes, 16, self.name.as_bytes());
        bytes
    }

    /// Takes an entry apart and checks it on its own; `None` for a free one.
    ///
    /// # Errors
    /// Names the offset of the first impossible value.
    pub fn parse(bytes: &[u8; ROOT_ENTRY]) -> Result<Option<Self>, CatalogFault> {
        let reference = u64_at(bytes, 0);
        let len = usize::from(u16_at(bytes, 12));
        if reference == 0 {
            return if bytes.iter().all(|&byte| byte == 0) { Ok(None) } else { fault("root entry", 0) };
        }
        if len == 0 || len > MAX_ROOT_NAME || bytes[14..16] != [0; 2] || bytes[16 + len..].iter().any(|&byte| byte != 0)
        {
            return fault("root entry", 12);
        }
        match std::str::from_utf8(&bytes[16..16 + len]) {
            Ok(name) => Ok(Some(Self { reference, table: u32_at(bytes, 8), name: name.to_owned() })),
            Err(_) => fault("root entry", 16),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_names_a_byte_order_or_none() {
        let root = CatalogRoot::default();
        for byte_order in [None, Some(ByteOrder::Little), Some(ByteOrder::Big)] {
            let root = CatalogRoot { byte_order, ..root };
            assert_eq!(CatalogRoot::parse(&root.to_bytes(), BLOCK), Ok(root));
        }
        for at in 8..16 {
            let mut bytes = root.to_bytes();
            bytes[at] = 3;
            assert_eq!(CatalogRoot::parse(&bytes, BLOCK), fault("catalog root", 8));
        }
    }

    /// Rounding such a length up to blocks overflowed.
    #[test]
    fn an_extent_as_long_as_numbers_go_is_a_fault() {
        for len in [u64::MAX, u64::MAX - BLOCK + 1, u64::MAX - 4095] {
            let entry = ExtentEntry { at: 2 * BLOCK, len, region: 0, offset: 0, table: 0, slots: 1 };
            assert_eq!(ExtentEntry::parse(&entry.to_bytes(), u64::MAX), fault("extent entry", 0));
        }
    }
}
