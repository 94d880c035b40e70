//! The history: what migrations did, and what is kept of the catalog before the last one.
//!
//! It is written anew as a whole when it changes, so its parts follow each other without room between them; each begins
//! at a multiple of 8. An empty stream is an empty history. A history has one encoding only, and a reader refuses any
//! other.
//!
//! History:
//!
//! | OFFSET | SIZE | MEANING |
//! |--------|------|---------|
//! | 0      | 4    | number of receipts |
//! | 4      | 4    | kept: 0 nothing, 1 the catalog as it was |
//! | 8      | 8    | reserved |
//! | 16     | …    | the receipts, oldest first, and what is kept |
//!
//! Receipt:
//!
//! | OFFSET | SIZE | MEANING |
//! |--------|------|---------|
//! | 0      | 4    | kind: 1 migrated, 2 rolled back, 3 given up the way back |
//! | 4      | 4    | number of types |
//! | 8      | 8    | sequence of the commit |
//! | 16     | 8    | time in milliseconds since 1970 |
//! | 24     | 16   | fingerprint of the schema before |
//! | 40     | 16   | fingerprint of the schema after |
//! | 56     | 1    | byte order that all values were brought to: 1 little, 2 big; 0 they have the one they had |
//! | 57     | 7    | reserved |
//! | 64     | …    | text: the program and its build; then the types |
//!
//! Type of a receipt:
//!
//! | OFFSET | SIZE | MEANING |
//! |--------|------|---------|
//! | 0      | 8    | number of records |
//! | 8      | 4    | number of census lines |
//! | 12     | 4    | number of dropped fields |
//! | 16     | …    | texts: the name; the census lines; of each dropped field its name and its shape |
//!
//! Text:
//!
//! | OFFSET | SIZE | MEANING |
//! |--------|------|---------|
//! | 0      | 4    | length in bytes |
//! | 4      | …    | characters, UTF-8, then zeros up to a multiple of 8 |
//!
//! What is kept:
//!
//! | OFFSET | SIZE | MEANING |
//! |--------|------|---------|
//! | 0      | 8    | sequence of the migration's commit |
//! | 8      | 8    | length of the tables as they were |
//! | 16     | 8    | length of the extents as they were |
//! | 24     | 8    | length of the roots as they were |
//! | 32     | 8    | length of the registry as it was |
//! | 40     | 4    | reserved |
//! | 44     | 4    | byte order of the records as it was: 0 as the header says, 1 little, 2 big |
//! | 48     | …    | these four streams, each with zeros up to a multiple of 8 |
//!
//! Every extent of the catalog as it was holds what it held then, until the way back is given up. The catalog as it is
//! names some of them too: those that no commit has changed anything in since. Such an extent is the same in both, at one
//! place of the file and for one place of the arena; the others share no block with anything of the catalog as it is.

use super::bytes::{array_at, put, u32_at, u64_at};
use super::catalog::{CatalogFault, EXTENT_ENTRY, ExtentEntry};
use super::header::ByteOrder;

/// The longest history in bytes.
pub const MAX_HISTORY: u64 = 1 << 30;

const HISTORY: usize = 16;
const RECEIPT: usize = 64;
const TYPE: usize = 16;
const TEXT: usize = 4;
const KEPT: usize = 48;

/// What migrations did to the heap, and the way back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// Oldest first.
    pub receipts: Vec<Receipt>,
    /// The catalog before the last migration, until the program is content.
    pub kept: Option<Kept>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum ReceiptKind {
    /// A migration.
    Migrated = 1,
    /// A migration was rolled back.
    RolledBack = 2,
    /// The way back was given up.
    Kept = 3,
}

/// What is remembered of a migration, or of its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What happened.
    pub kind: ReceiptKind,
    /// Sequence of the commit.
    pub sequence: u64,
    /// Milliseconds since 1970.
    pub time: u64,
    /// Fingerprint of the schema before.
    pub from: [u8; 16],
    /// Fingerprint of the schema after.
    pub to: [u8; 16],
    /// The byte order that all values were brought to, where they had the other one.
    pub byte_order: Option<ByteOrder>,
    /// The program that did it, and its build.
    pub program: String,
    /// The types whose records were converted.
    pub types: Vec<TypeReceipt>,
}

/// What a migration did to one type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TypeReceipt {
    /// Declared name.
    pub name: String,
    /// Records converted.
    pub records: u64,
    /// What became of each field, and what was proved of its values: `score f64 → f32: 1,000,000 values, exact`.
    pub census: Vec<String>,
    /// The fields that are no more.
    pub dropped: Vec<DroppedField>,
}

/// A field that a migration dropped: its name is reserved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DroppedField {
    /// Its name.
    pub name: String,
    /// Its shape as text.
    pub shape: String,
}

/// The catalog as it was before a migration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kept {
    /// Sequence of the migration's commit. While it is the heap's last one, the way back loses nothing.
    pub sequence: u64,
    /// The byte order that the catalog's root named.
    pub byte_order: Option<ByteOrder>,
    /// The stream of tables.
    pub tables: Vec<u8>,
    /// The stream of extents.
    pub extents: Vec<u8>,
    /// The stream of roots.
    pub roots: Vec<u8>,
    /// The stream of descriptors.
    pub registry: Vec<u8>,
}

impl History {
    /// The history's bytes: none when it is empty.
    pub fn to_bytes(&self) -> Vec<u8> {
        if *self == Self::default() {
            return Vec::new();
        }
        let mut bytes = vec![0; HISTORY];
        put(&mut bytes, 0, &(self.receipts.len() as u32).to_le_bytes());
        put(&mut bytes, 4, &u32::from(self.kept.is_some()).to_le_bytes());
        for receipt in &self.receipts {
            receipt.encode(&mut bytes);
        }
        if let Some(kept) = &self.kept {
            kept.encode(&mut bytes);
        }
        bytes
    }

    /// Takes a history apart and checks it on its own. What the streams that are kept say is not looked at.
    ///
    /// Memory is linear in the length of the bytes.
    ///
    /// # Errors
    /// Names the offset of the first impossible value.
    pub fn parse(bytes: &[u8]) -> Result<Self, CatalogFault> {
        let mut input = Input { bytes, at: 0 };
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let head = input.take(HISTORY)?;
        let count = u32_at(head, 0);
        let kept = match u32_at(head, 4) {
            0 => false,
            1 => true,
            _ => return input.fault(),
        };
        if head[8..] != [0; 8] || (count == 0 && !kept) {
            return input.fault();
        }
        let mut history = Self::default();
        for _ in 0..count {
            history.receipts.push(Receipt::decode(&mut input)?);
        }
        if kept {
            history.kept = Some(Kept::decode(&mut input)?);
        }
        if input.at == bytes.len() { Ok(history) } else { input.fault() }
    }

    /// What travels in an image: without the way back, whose extents stay behind.
    #[must_use]
    pub fn without_kept(&self) -> Self {
        Self { receipts: self.receipts.clone(), kept: None }
    }
}

impl Receipt {
    fn encode(&self, bytes: &mut Vec<u8>) {
        let mut head = [0; RECEIPT];
        put(&mut head, 0, &(self.kind as u32).to_le_bytes());
        put(&mut head, 4, &(self.types.len() as u32).to_le_bytes());
        put(&mut head, 8, &self.sequence.to_le_bytes());
        put(&mut head, 16, &self.time.to_le_bytes());
        put(&mut head, 24, &self.from);
        put(&mut head, 40, &self.to);
        head[56] = ByteOrder::optional_number(self.byte_order);
        bytes.extend_from_slice(&head);
        encode_text(&self.program, bytes);
        for described in &self.types {
            let mut head = [0; TYPE];
            put(&mut head, 0, &described.records.to_le_bytes());
            put(&mut head, 8, &(described.census.len() as u32).to_le_bytes());
            put(&mut head, 12, &(described.dropped.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&head);
            encode_text(&described.name, bytes);
            described.census.iter().for_each(|line| encode_text(line, bytes));
            for field in &described.dropped {
                encode_text(&field.name, bytes);
                encode_text(&field.shape, bytes);
            }
        }
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, CatalogFault> {
        let head = input.take(RECEIPT)?;
        let kind = match u32_at(head, 0) {
            1 => ReceiptKind::Migrated,
            2 => ReceiptKind::RolledBack,
            3 => ReceiptKind::Kept,
            _ => return input.fault(),
        };
        let Ok(byte_order) = ByteOrder::parse_optional(&head[56..]) else { return input.fault() };
        let program = input.text()?;
        let mut types = Vec::new();
        for _ in 0..u32_at(head, 4) {
            let head = input.take(TYPE)?;
            let mut described = TypeReceipt { records: u64_at(head, 0), name: input.text()?, ..TypeReceipt::default() };
            for _ in 0..u32_at(head, 8) {
                described.census.push(input.text()?);
            }
            for _ in 0..u32_at(head, 12) {
                described.dropped.push(DroppedField { name: input.text()?, shape: input.text()? });
            }
            types.push(described);
        }
        Ok(Self {
            kind,
            sequence: u64_at(head, 8),
            time: u64_at(head, 16),
            from: array_at(head, 24),
            to: array_at(head, 40),
            byte_order,
            program,
            types,
        })
    }
}

impl Kept {
    const fn streams(&self) -> [&Vec<u8>; 4] {
        [&self.tables, &self.extents, &self.roots, &self.registry]
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        let mut head = [0; KEPT];
        put(&mut head, 0, &self.sequence.to_le_bytes());
        for (number, stream) in self.streams().into_iter().enumerate() {
            put(&mut head, 8 + 8 * number, &(stream.len() as u64).to_le_bytes());
        }
        head[44] = ByteOrder::optional_number(self.byte_order);
        bytes.extend_from_slice(&head);
        for stream in self.streams() {
            bytes.extend_from_slice(stream);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, CatalogFault> {
        let head = input.take(KEPT)?;
        let Ok(byte_order) = ByteOrder::parse_optional(&head[44..]) else { return input.fault() };
        if head[40..44] != [0; 4] {
            return input.fault();
        }
        let mut stream = |number: usize| input.padded(u64_at(head, 8 + 8 * number)).map(<[u8]>::to_vec);
        Ok(Self {
            sequence: u64_at(head, 0),
            byte_order,
            tables: stream(0)?,
            extents: stream(1)?,
            roots: stream(2)?,
            registry: stream(3)?,
        })
    }

    /// The extents as they were. What is no extent is passed over: whoever read the catalog has checked it.
    pub fn extents(&self) -> impl Iterator<Item = ExtentEntry> {
        let entries = self.extents.as_chunks::<EXTENT_ENTRY>().0.iter();
        entries.filter_map(|entry| ExtentEntry::parse(entry, u64::MAX).ok()).filter(|extent| extent.len > 0)
    }
}

fn encode_text(text: &str, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

/// Bytes that are taken from their start on.
struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    /// What was taken last cannot be.
    fn fault<T>(&self) -> Result<T, CatalogFault> {
        Err(CatalogFault { structure: "history", offset: u32::try_from(self.at).unwrap_or(u32::MAX) })
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], CatalogFault> {
        let Some(bytes) = self.at.checked_add(len).and_then(|end| self.bytes.get(self.at..end)) else {
            return self.fault();
        };
        self.at += len;
        Ok(bytes)
    }

    /// So many bytes, and zeros from there to the next multiple of 8.
    fn padded(&mut self, len: u64) -> Result<&'a [u8], CatalogFault> {
        let Ok(len) = usize::try_from(len) else { return self.fault() };
        let bytes = self.take(len)?;
        let padding = self.take(self.at.next_multiple_of(8) - self.at)?;
        if padding.iter().all(|&byte| byte == 0) { Ok(bytes) } else { self.fault() }
    }

    fn text(&mut self) -> Result<String, CatalogFault> {
        let len = u32_at(self.take(TEXT)?, 0);
        match std::str::from_utf8(self.padded(len.into())?) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => self.fault(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> History {
        let dropped = vec![DroppedField { name: "owner".into(), shape: "Option<Ref<User>>".into() }];
        let census = vec!["score f64 → f32: 1,000,000 values, exact".into(), "id u32 → u64".into()];
        let types = vec![
            TypeReceipt { name: "Node".into(), records: 1_000_000, census, dropped },
            TypeReceipt { name: "Unit".into(), ..TypeReceipt::default() },
        ];
        let receipt = |kind| Receipt {
            kind,
            sequence: 41,
            time: 1_766_000_000_000,
            from: *b"from this schema",
            to: *b"to that schema..",
            byte_order: (kind == ReceiptKind::Migrated).then_some(ByteOrder::Big),
            program: "board 1.2".into(),
            types: types.clone(),
        };
        let kept = Kept {
            sequence: 42,
            byte_order: Some(ByteOrder::Little),
            tables: vec![1; 48],
            extents: vec![2; 96],
            roots: Vec::new(),
            registry: vec![3; 13],
        };
        History {
            receipts: vec![
                receipt(ReceiptKind::Migrated),
                receipt(ReceiptKind::RolledBack),
                receipt(ReceiptKind::Kept),
            ],
            kept: Some(kept),
        }
    }

    #[test]
    fn a_history_is_what_its_bytes_say() {
        for history in [History::default(), sample(), sample().without_kept()] {
            assert_eq!(History::parse(&history.to_bytes()), Ok(history));
        }
        assert!(sample().to_bytes().len().is_multiple_of(8));
    }

    /// Damage gives an error, or another history of which the damaged bytes are the only encoding.
    #[test]
    fn no_byte_of_a_history_is_without_a_meaning() {
        let bytes = sample().to_bytes();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                if let Ok(history) = History::parse(&damaged) {
                    assert_eq!(history.to_bytes(), damaged, "byte {at}, bit {bit}");
                }
            }
            assert!(History::parse(&bytes[..at]).is_err() || at == 0, "cut off at {at}");
        }
        assert!(History::parse(&[&bytes[..], &[0; 8]].concat()).is_err());
    }

    #[test]
    fn entries_that_are_no_extents_are_passed_over() {
        let extent = ExtentEntry { at: 1 << 20, len: 1 << 14, region: 3, offset: 0, table: 1, slots: 7 };
        let mut kept = sample().kept.unwrap();
        kept.extents.extend_from_slice(&extent.to_bytes());
        kept.extents.extend_from_slice(&ExtentEntry::default().to_bytes());
        assert_eq!(kept.extents().collect::<Vec<_>>(), [extent]);
    }
}
