//! Heap files laid out by hand, entry by entry, so that readers are tested against the format and not against the
//! writer; and so that a test can lay out what no writer would.

mod maps;

use migrate::{Registry, Schema, Shape, TypeDescriptor, TypeIndex};

use crate::format::catalog::{CatalogRoot, ExtentEntry, ROOT_AT, RootEntry, Run, Stream, TableEntry, TableKind};
use crate::format::handle::Handle;
use crate::format::header::{ByteOrder, FileState, Header, LogStart, MINOR};
use crate::format::history::{DroppedField, History, Kept, Receipt, ReceiptKind, TypeReceipt};
use crate::format::slot::{self, CLASSES, Kind};
use crate::format::{BLOCK, REGION, whole_blocks};

pub use maps::StoredEntry;

/// Key of a fixture's hash maps.
pub const HASH_KEY: [u8; 16] = [2; 16];
/// Generation of every slot of a fixture.
pub const GENERATION: u32 = 1000;

/// A heap under construction.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// Types and shapes.
    pub registry: Registry,
    /// Table entries.
    pub tables: Vec<TableEntry>,
    /// Roots.
    pub roots: Vec<RootEntry>,
    /// Region `n` of the arena.
    pub regions: Vec<FixtureRegion>,
    /// How many slots a region may have at most.
    pub region_slots: u32,
    /// The heap that a migration made this one of, and that is kept in its file.
    pub before: Option<Box<Fixture>>,
    order: ByteOrder,
}

/// A region under construction.
#[derive(Debug, Clone)]
pub struct FixtureRegion {
    /// Its table.
    pub table: u32,
    /// Slots it may hold, or regions of the run of a large value.
    pub slots: u32,
    /// Slots used.
    pub used: u32,
    /// Its committed bytes, whole blocks.
    pub bytes: Vec<u8>,
}

/// What is written into the file, for a test to change.
#[derive(Debug, Clone)]
pub struct Entries {
    /// The header.
    pub header: Header,
    /// The descriptors, as an archive.
    pub archive: Vec<u8>,
    /// Table entries.
    pub tables: Vec<TableEntry>,
    /// Extent entries.
    pub extents: Vec<ExtentEntry>,
    /// Root entries.
    pub roots: Vec<RootEntry>,
    /// What migrations did, and what is kept.
    pub history: History,
}

impl Fixture {
    /// An empty heap with these types, in this machine's byte order.
    pub fn new(types: Vec<TypeDescriptor>) -> Self {
        Self::with_order(types, ByteOrder::NATIVE)
    }

    /// An empty heap in a byte order.
    pub fn with_order(types: Vec<TypeDescriptor>, order: ByteOrder) -> Self {
        Self {
            registry: Registry { schema: Schema { types }, shapes: Vec::new() },
            tables: Vec::new(),
            roots: Vec::new(),
            regions: Vec::new(),
            region_slots: u32::MAX,
            before: None,
            order,
        }
    }

    /// A word of 8 bytes in the heap's byte order.
    pub fn word(&self, word: u64) -> [u8; 8] {
        match self.order {
            ByteOrder::Little => word.to_le_bytes(),
            ByteOrder::Big => word.to_be_bytes(),
        }
    }

    /// The number of a shape, a new one if it has none.
    pub fn shape(&mut self, shape: &Shape) -> u32 {
        let found = self.registry.shapes.iter().position(|other| other == shape);
        let number = found.unwrap_or_else(|| {
            self.registry.shapes.push(shape.clone());
            self.registry.shapes.len() - 1
        });
        number as u32
    }

    /// Adds a record, and returns its reference.
    pub fn record(&mut self, type_name: &str, value: &[u8]) -> u64 {
        let shape = self.shape(&Shape::Inline(type_name.into()));
        let described = self.registry.schema.get(type_name).expect("the type is described");
        let first = described.align.max(8);
        let stride = (described.size + 8).next_multiple_of(first).max(16);
        let table = self.table(TableKind::Records(shape), stride, first);
        let (region, index) = self.fresh_slot(table);
        let header = (first - 8) as usize + index as usize * stride as usize;
        self.fill(region, header, slot::word(GENERATION, Kind::Record, 0), value);
        Handle { generation: GENERATION, region, index }.to_bits()
    }

    /// Adds a value to a size class, and returns its handle.
    pub fn value(&mut self, kind: Kind, aux: u32, contents: &[u8]) -> u64 {
        let class = slot::class_for(contents.len() as u64 + 8).expect("the value fits a class");
        let table = self.table(TableKind::Class(class as u32), CLASSES[class], 8);
        let (region, index) = self.fresh_slot(table);
        let header = index as usize * CLASSES[class] as usize;
        self.fill(region, header, slot::word(GENERATION, kind, aux), contents);
        Handle { generation: GENERATION, region, index: (header / 8) as u32 }.to_bits()
    }

    /// Adds a value that lies alone in a run of regions, and returns its handle.
    pub fn large(&mut self, kind: Kind, aux: u32, contents: &[u8]) -> u64 {
        let table = self.table(TableKind::Large, 0, 8);
        let len = whole_blocks(contents.len() as u64 + 8);
        let span = len.div_ceil(REGION) as u32;
        let region = self.regions.len() as u32;
        self.regions.push(FixtureRegion { table, slots: span, used: 1, bytes: vec![0; len as usize] });
        // The rest of the run belongs to no table.
        let rest = FixtureRegion { table: u32::MAX, slots: 0, used: 0, bytes: Vec::new() };
        self.regions.resize((region + span) as usize, rest);
        self.count(table);
        self.fill(region, 0, slot::word(GENERATION, kind, aux), contents);
        Handle { generation: GENERATION, region, index: 0 }.to_bits()
    }

    /// Adds a text.
    pub fn text(&mut self, text: &str) -> u64 {
        self.value(Kind::Text, text.len() as u32, text.as_bytes())
    }

    /// Adds a list whose elements lie in its own slot.
    pub fn inline_list(&mut self, element: &Shape, len: u64, elements: &[u8]) -> u64 {
        let shape = self.shape(element);
        let contents = [&self.word(len), elements].concat();
        self.value(Kind::ListInline, shape, &contents)
    }

    /// Adds a list whose elements lie in a buffer.
    pub fn spilled_list(&mut self, element: &Shape, len: u64, elements: &[u8]) -> u64 {
        let shape = self.shape(element);
        let buffer = self.value(Kind::Buffer, shape, elements);
        let contents = [self.word(len), self.word(buffer)].concat();
        self.value(Kind::ListSpilled, shape, &contents)
    }

    /// Names a record.
    pub fn root(&mut self, name: &str, reference: u64) {
        let table = self.regions[Handle::from_bits(reference).region as usize].table;
        self.roots.push(RootEntry { reference, table, name: name.into() });
    }

    /// The slot that a handle names, from its header to its end.
    pub fn slot(&self, handle: u64) -> &[u8] {
        &self.regions[Handle::from_bits(handle).region as usize].bytes[self.slot_range(handle)]
    }

    /// The slot that a handle names, to change it.
    pub fn slot_mut(&mut self, handle: u64) -> &mut [u8] {
        let range = self.slot_range(handle);
        &mut self.regions[Handle::from_bits(handle).region as usize].bytes[range]
    }

    fn slot_range(&self, handle: u64) -> std::ops::Range<usize> {
        let handle = Handle::from_bits(handle);
        let region = &self.regions[handle.region as usize];
        let entry = self.tables[region.table as usize];
        let (start, len) = match entry.kind {
            TableKind::Records(_) => {
                (entry.first as usize - 8 + handle.index as usize * entry.stride as usize, entry.stride as usize)
            }
            TableKind::Class(_) => (handle.index as usize * 8, entry.stride as usize),
            TableKind::Large => (0, region.bytes.len()),
        };
        start..start + len
    }

    /// Overwrites a slot's header.
    pub fn set_header(&mut self, handle: u64, generation: u32, kind: Kind, aux: u32) {
        let header = self.word(slot::word(generation, kind, aux));
        self.slot_mut(handle)[..8].copy_from_slice(&header);
    }

    /// Frees a slot.
    pub fn free(&mut self, handle: u64) {
        self.slot_mut(handle).fill(0);
        self.set_header(handle, GENERATION + 1, Kind::Free, 0);
        let table = self.regions[Handle::from_bits(handle).region as usize].table;
        self.tables[table as usize].live -= 1;
    }

    /// Size and alignment of a shape.
    pub fn size_align(&self, shape: &Shape) -> (u64, u64) {
        TypeIndex::new(&self.registry.schema).size_align(shape).expect("the shape has a size")
    }

    /// The file.
    pub fn file(&self) -> Vec<u8> {
        self.file_with(|_| {})
    }

    /// The file, after `change` has changed what is to be written. Checksums are computed after it.
    pub fn file_with(&self, change: impl FnOnce(&mut Entries)) -> Vec<u8> {
        let mut file = vec![0; 2 * BLOCK as usize];
        let extents = self.lay_out(&mut file);
        let header = self.header();
        let history = self.before.as_ref().map(|before| before.keep(&mut file, header.sequence)).unwrap_or_default();
        let mut entries = Entries {
            header,
            archive: self.registry.to_archive(),
            tables: self.tables.clone(),
            extents,
            roots: self.roots.clone(),
            history,
        };
        change(&mut entries);
        let mut root = CatalogRoot::default();
        let streams = [
            (Stream::Tables, entries.tables.iter().flat_map(TableEntry::to_bytes).collect()),
            (Stream::Extents, entries.extents.iter().flat_map(ExtentEntry::to_bytes).collect()),
            (Stream::Roots, entries.roots.iter().flat_map(RootEntry::to_bytes).collect::<Vec<u8>>()),
            (Stream::Registry, entries.archive),
            (Stream::History, entries.history.to_bytes()),
        ];
        for (stream, bytes) in streams.iter().filter(|(_, bytes)| !bytes.is_empty()) {
            root.streams[*stream as usize] = append(&mut file, bytes);
        }
        let blocks = file.len() / BLOCK as usize;
        // The blocks of the checksums are few enough for a second look at how many those themselves need.
        let own = ((blocks + 8) * 4).div_ceil(BLOCK as usize);
        root.streams[Stream::Checksums as usize] = append(&mut file, &vec![0; (blocks + own) * 4]);
        let root_at = ROOT_AT as usize;
        file[root_at..root_at + root.to_bytes().len()].copy_from_slice(&root.to_bytes());
        entries.header.file_len = entries.header.file_len.max(file.len() as u64);
        file[..4096].copy_from_slice(&entries.header.to_page());
        sum_blocks(&mut file, &root);
        file
    }

    /// Appends the regions to a file, and says where they lie.
    fn lay_out(&self, file: &mut Vec<u8>) -> Vec<ExtentEntry> {
        let mut extents = Vec::new();
        for (number, region) in self.regions.iter().enumerate() {
            // Several extents to a region: its first four blocks, and the rest.
            let cut = region.bytes.len().min(4 * BLOCK as usize);
            for (offset, bytes) in [(0, &region.bytes[..cut]), (cut, &region.bytes[cut..])] {
                if !bytes.is_empty() {
                    extents.push(ExtentEntry {
                        at: file.len() as u64,
                        len: bytes.len() as u64,
                        region: number as u32,
                        offset: offset as u32,
                        table: region.table,
                        slots: region.slots,
                    });
                    file.extend_from_slice(bytes);
                }
            }
        }
        extents
    }

    /// Appends the regions to the file of the heap that this one became by the commit `sequence`.
    fn keep(&self, file: &mut Vec<u8>, sequence: u64) -> History {
        let extents = self.lay_out(file);
        let kept = Kept {
            sequence,
            byte_order: None,
            tables: self.tables.iter().flat_map(TableEntry::to_bytes).collect(),
            extents: extents.iter().flat_map(ExtentEntry::to_bytes).collect(),
            roots: self.roots.iter().flat_map(RootEntry::to_bytes).collect(),
            registry: self.registry.to_archive(),
        };
        let dropped = vec![DroppedField { name: "due".into(), shape: "u32".into() }];
        let census = vec!["id u64 → u128: 3 values".into()];
        let receipt = Receipt {
            kind: ReceiptKind::Migrated,
            sequence,
            time: 1_766_000_000_000,
            from: [1; 16],
            to: [2; 16],
            byte_order: None,
            program: "board 2".into(),
            types: vec![TypeReceipt { name: "Task".into(), records: 3, census, dropped }],
        };
        History { receipts: vec![receipt], kept: Some(kept) }
    }

    fn header(&self) -> Header {
        Header {
            minor: MINOR,
            write_flags: 0,
            ignorable_flags: 0,
            byte_order: self.order,
            pointer_width: 8,
            state: FileState::Live,
            first_generation: GENERATION,
            heap_id: [1; 16],
            hash_key: HASH_KEY,
            counter: 1,
            sequence: 7,
            log: LogStart::default(),
            forced: 0,
            file_len: 0,
            manifest_at: 0,
            manifest_len: 0,
            content_hash: [0; 32],
        }
    }

    fn table(&mut self, kind: TableKind, stride: u32, first: u32) -> u32 {
        let found = self.tables.iter().position(|table| table.kind == kind);
        let number = found.unwrap_or_else(|| {
            self.tables.push(TableEntry { kind, stride, first, used: 0, live: 0 });
            self.tables.len() - 1
        });
        number as u32
    }

    fn count(&mut self, table: u32) {
        self.tables[table as usize].used += 1;
        self.tables[table as usize].live += 1;
    }

    /// A fresh slot: region and index.
    fn fresh_slot(&mut self, table: u32) -> (u32, u32) {
        let entry = self.tables[table as usize];
        self.count(table);
        let open = self.regions.iter().rposition(|region| region.table == table && region.used < region.slots);
        let number = open.unwrap_or_else(|| {
            let most = (REGION as u32 - (entry.first - 8)) / entry.stride;
            let slots = most.min(self.region_slots);
            self.regions.push(FixtureRegion { table, slots, used: 0, bytes: Vec::new() });
            self.regions.len() - 1
        });
        let region = &mut self.regions[number];
        region.used += 1;
        let end = u64::from(entry.first - 8) + u64::from(region.used) * u64::from(entry.stride);
        region.bytes.resize(whole_blocks(end) as usize, 0);
        (number as u32, region.used - 1)
    }

    fn fill(&mut self, region: u32, header: usize, word: u64, contents: &[u8]) {
        let word = self.word(word);
        let bytes = &mut self.regions[region as usize].bytes[header..];
        bytes[..8].copy_from_slice(&word);
        bytes[8..8 + contents.len()].copy_from_slice(contents);
    }
}

fn append(file: &mut Vec<u8>, bytes: &[u8]) -> Run {
    let at = file.len();
    file.extend_from_slice(bytes);
    file.resize(whole_blocks(file.len() as u64) as usize, 0);
    Run { at: at as u64, capacity: (file.len() - at) as u64, len: bytes.len() as u64 }
}

/// Computes the checksum of every block of a file whose root says where they belong.
pub fn sum_blocks(file: &mut [u8], root: &CatalogRoot) {
    let sums = root.streams[Stream::Checksums as usize];
    for block in 1..file.len() as u64 / BLOCK {
        let start = (block * BLOCK) as usize;
        if !(sums.at..sums.at + sums.capacity).contains(&(block * BLOCK)) {
            let sum = crc32fast::hash(&file[start..start + BLOCK as usize]).to_le_bytes();
            let at = (sums.at + 4 * block) as usize;
            file[at..at + 4].copy_from_slice(&sum);
        }
    }
}
