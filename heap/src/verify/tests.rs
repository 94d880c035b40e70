use std::path::Path;

use migrate::{
    Body, Field, FieldAttributes, Float, Integer, OptionTag, Shape, TypeAttributes, TypeDescriptor, Variant,
};

use super::*;
use crate::error::Error;
use crate::format::BLOCK;
use crate::format::catalog::{EXTENT_ENTRY, ExtentEntry, RootEntry};
use crate::format::handle::{EMPTY, Handle};
use crate::format::header::ByteOrder as HeaderOrder;
use crate::format::history::{History, Kept};
use crate::format::slot::TOUCHED;
use crate::read::fixture::{Entries, Fixture, GENERATION};
use crate::read::{Checks, Reader};

fn integer(width: u8) -> Shape {
    Shape::Integer(Integer { width, signed: false, align: width })
}

fn reference(name: &str) -> Shape {
    Shape::Reference(name.into())
}

fn field(name: &str, offset: u32, shape: Shape) -> Field {
    Field { name: name.into(), offset, shape, attributes: FieldAttributes::default() }
}

fn described(name: &str, size: u32, body: Body) -> TypeDescriptor {
    TypeDescriptor { name: name.into(), size, align: 8, body, attributes: TypeAttributes::default() }
}

fn optional(inner: Shape) -> Shape {
    Shape::Option { inner: Box::new(inner), size: 8, align: 8, tag: OptionTag::Niche { offset: 0, width: 8, none: 0 } }
}

fn edges() -> Shape {
    Shape::List(Box::new(reference("Node")))
}

/// Nodes with every kind of field, and a `Mark` that lies in them by value.
fn types() -> Vec<TypeDescriptor> {
    let variant = |name: &str, tag, fields| Variant { name: name.into(), tag, fields, was: vec![] };
    let mark = Body::Enum {
        tag_offset: 0,
        tag: Integer { width: 1, signed: false, align: 1 },
        variants: vec![
            variant("Plain", 0, vec![]),
            variant("Named", 1, vec![field("name", 8, Shape::Text)]),
            variant("Lettered", 2, vec![field("letter", 4, Shape::Char)]),
        ],
    };
    let node = Body::Struct(vec![
        field("id", 0, integer(4)),
        field("done", 4, Shape::Bool),
        field("name", 8, Shape::Text),
        field("edges", 16, edges()),
        field("next", 24, optional(reference("Node"))),
        field("mark", 32, Shape::Inline("Mark".into())),
        field("score", 48, Shape::Float(Float { width: 8, align: 8 })),
    ]);
    vec![described("Mark", 16, mark), described("Node", 56, node)]
}

/// A heap of three nodes. What a test damages is public.
struct Heap {
    fixture: Fixture,
    nodes: [u64; 3],
    names: [u64; 3],
    lists: [u64; 3],
}

const NAME: usize = 8;
const EDGES: usize = 16;
const MARK: usize = 32;

impl Heap {
    fn new() -> Self {
        Self::with_order(HeaderOrder::NATIVE)
    }

    fn with_order(order: HeaderOrder) -> Self {
        let mut fixture = Fixture::with_order(types(), order);
        fixture.region_slots = 64;
        fixture.shape(&reference("Node"));
        let nodes = [0; 3].map(|_| fixture.record("Node", &[0; 56]));
        let names =
            ["a name", "naïve, and rather longer than the first of the names", ""].map(|name| fixture.text(name));
        let targets: Vec<u8> = nodes.iter().flat_map(|&node| fixture.word(node)).collect();
        let lists = [
            fixture.inline_list(&reference("Node"), 3, &targets),
            fixture.spilled_list(&reference("Node"), 2, &targets[..16]),
            fixture.inline_list(&reference("Node"), 0, &[]),
        ];
        let mut heap = Self { fixture, nodes, names, lists };
        for number in 0..3 {
            heap.set(number, NAME, names[number]);
            heap.set(number, EDGES, lists[number]);
            heap.record(number)[4] = u8::from(number == 1);
        }
        heap.set(0, 24, nodes[1]);
        let marked = heap.fixture.text("marked");
        heap.set(1, MARK + 8, marked);
        heap.record(1)[MARK] = 1;
        heap.record(2)[MARK] = 2;
        let letter = heap.order_u32(0x00e9);
        heap.record(2)[MARK + 4..MARK + 8].copy_from_slice(&letter);
        heap.fixture.root("first", nodes[0]);
        heap.fixture.root("second", nodes[1]);
        heap
    }

    fn order_u32(&self, number: u32) -> [u8; 4] {
        let wide = self.fixture.word(number.into());
        let start = if wide[0] == number as u8 { 0 } else { 4 };
        [wide[start], wide[start + 1], wide[start + 2], wide[start + 3]]
    }

    fn record(&mut self, number: usize) -> &mut [u8] {
        &mut self.fixture.slot_mut(self.nodes[number])[8..]
    }

    fn set(&mut self, number: usize, at: usize, word: u64) {
        let word = self.fixture.word(word);
        self.record(number)[at..at + 8].copy_from_slice(&word);
    }
}

fn verify_file(file: &[u8]) -> Result<Report> {
    let reader = Reader::open(file, Path::new("test.heap"), Checks::Strict)?;
    verify(&reader.load()?, reader.catalog(), reader.header())
}

fn refusal(file: &[u8]) -> String {
    match verify_file(file) {
        Ok(report) => panic!("accepted: {report:?}"),
        Err(error @ Error::Corrupt { .. }) => error.to_string(),
        Err(error) => panic!("{error}"),
    }
}

/// Damages the values of a heap and returns how they are refused.
fn attack(damage: impl FnOnce(&mut Heap)) -> String {
    let mut heap = Heap::new();
    damage(&mut heap);
    refusal(&heap.fixture.file())
}

/// Damages the catalog of a heap and returns how it is refused.
fn attack_entries(damage: impl FnOnce(&mut Entries)) -> String {
    refusal(&Heap::new().fixture.file_with(damage))
}

/// A heap that keeps another for the way back, with damage to what it says of it.
fn attack_history(damage: impl FnOnce(&mut History)) -> Result<Report> {
    let mut heap = Heap::new();
    let mut before = Heap::new();
    before.fixture.large(Kind::Text, 100_000, "x".repeat(100_000).as_bytes());
    heap.fixture.before = Some(Box::new(before.fixture));
    verify_file(&heap.fixture.file_with(|entries| damage(&mut entries.history)))
}

#[test]
fn what_is_kept_must_be_a_heap_that_lies_apart_from_this_one() {
    fn kept(history: &mut History) -> &mut Kept {
        history.kept.as_mut().unwrap()
    }
    /// Changes the first extent of the catalog that is kept.
    fn first(history: &mut History, change: fn(&mut ExtentEntry)) {
        let kept = kept(history);
        let mut extent = kept.extents().next().unwrap();
        change(&mut extent);
        kept.extents[..EXTENT_ENTRY].copy_from_slice(&extent.to_bytes());
    }
    assert_eq!(attack_history(|_| {}).unwrap().records, 3);
    assert_eq!(attack_history(|history| history.kept = None).unwrap().records, 3);
    let cases: [Case<History>; 9] = [
        ("extent in a live one", "overlaps", |history| first(history, |extent| extent.at -= BLOCK)),
        ("extent in another's place", "overlaps", |history| first(history, |extent| extent.at = 3 * BLOCK)),
        ("extent behind the file", "the catalog before the migration", |history| {
            first(history, |extent| extent.at = 1 << 30);
        }),
        ("extent in another", "overlaps", |history| first(history, |extent| extent.at += BLOCK)),
        ("extent longer than its region", "the catalog before the migration", |history| {
            first(history, |extent| extent.len += 64 * BLOCK);
        }),
        ("table", "table", |history| kept(history).tables[0] = 9),
        ("extent", "extent", |history| kept(history).extents.truncate(47)),
        ("root", "root", |history| kept(history).roots[8] = 77),
        ("registry", "the catalog before the migration: table 0: shape", |history| kept(history).registry.clear()),
    ];
    // At the place of the live extent of the same region, it is one and the same.
    let shared = attack_history(|history| first(history, |extent| extent.at = 2 * BLOCK));
    assert_eq!(shared.unwrap().records, 3);
    for (name, says, damage) in cases {
        let refused = attack_history(damage).expect_err(name).to_string();
        assert!(refused.contains(says), "{name}: {refused}");
    }
}

/// A name, what the refusal says, and the damage.
type Case<T> = (&'static str, &'static str, fn(&mut T));

#[test]
fn a_sound_heap_is_accepted_and_counted_in_both_byte_orders() {
    for order in [HeaderOrder::Little, HeaderOrder::Big] {
        let report = verify_file(&Heap::with_order(order).fixture.file()).unwrap();
        assert_eq!((report.records, report.references, report.stale_references), (3, 6, 0));
        assert_eq!((report.texts, report.lists, report.bytes, report.maps), (4, 3, 0, 0));
        assert_eq!(report.types, [TypeCount { name: "Node".into(), table: 0, records: 3 }]);
    }
}

#[test]
fn tables_of_many_regions_and_free_slots_are_accepted() {
    let mut heap = Heap::new();
    let mut last = 0;
    for _ in 0..200 {
        let name = heap.fixture.text("another");
        let list = heap.fixture.inline_list(&reference("Node"), 0, &[]);
        let mut record = [0; 56];
        record[8..16].copy_from_slice(&heap.fixture.word(name));
        record[16..24].copy_from_slice(&heap.fixture.word(list));
        last = heap.fixture.record("Node", &record);
    }
    for handle in [last, word_of(&heap, last, 8), word_of(&heap, last, 16)] {
        heap.fixture.free(handle);
    }
    let file = heap.fixture.file();
    assert_eq!(verify_file(&file).unwrap().records, 202);
    let reader = Reader::open(&file[..], Path::new(""), Checks::Strict).unwrap();
    let handle = Handle::from_bits(last);
    let catalog = reader.catalog();
    let region = catalog.region(handle.region).unwrap();
    assert_eq!(catalog.slot_name(region, handle.index), "Node#202");
    assert_eq!(catalog.locate(region.table, 202), Some((region, handle.index)));
    assert_eq!(catalog.locate(region.table, 64 * 4), None);
}

fn word_of(heap: &Heap, node: u64, at: usize) -> u64 {
    let mut fixture = heap.fixture.clone();
    word_at(&fixture.slot_mut(node)[8..], at, HeaderOrder::NATIVE.into())
}

#[test]
fn large_values_lie_alone_in_their_runs() {
    let mut heap = Heap::new();
    let long = "long ".repeat(1_000_000);
    let text = heap.fixture.large(Kind::Text, long.len() as u32, long.as_bytes());
    heap.fixture.free(heap.names[0]);
    heap.set(0, NAME, text);
    assert_eq!(verify_file(&heap.fixture.file()).unwrap().texts, 4);
    heap.set(0, NAME, text + 1);
    assert!(refusal(&heap.fixture.file()).contains("Node#0.name: the handle does not name the start of a slot"));
    let mut heap = Heap::new();
    let text = heap.fixture.large(Kind::Text, long.len() as u32, long.as_bytes());
    heap.set(0, NAME, text);
    let file = heap.fixture.file_with(|entries| {
        for extent in entries.extents.iter_mut().filter(|extent| extent.slots == 3) {
            extent.slots = 2;
        }
    });
    assert!(refusal(&file).contains("more bytes than its run"));
}

#[test]
fn damaged_values_are_named_by_record_and_field() {
    let cases: [Case<Heap>; 21] = [
        ("bool", "Node#1.done: a bool", |heap| heap.record(1)[4] = 2),
        ("padding", "Node#1: padding is", |heap| heap.record(1)[6] = 2),
        ("tag", "Node#2.mark: the tag", |heap| heap.record(2)[MARK] = 3),
        ("char", "Node#2.mark.letter: a char", |heap| heap.record(2)[MARK + 4..MARK + 8].fill(0xdd)),
        ("payload", "Node#0.mark: padding is", |heap| heap.record(0)[MARK + 8] = 1),
        ("zero handle", "Node#0.name: a handle is zero", |heap| heap.set(0, NAME, 0)),
        ("middle of a slot", "Node#0.name: the handle does not name the start", |heap| {
            heap.set(0, NAME, heap.names[0] + 1);
        }),
        ("behind the used slots", "Node#0.name: the handle does not name the start", |heap| {
            heap.set(0, NAME, heap.names[0] + 3 * 60);
        }),
        ("no such region", "Node#0.name: the handle names a region not in use", |heap| {
            heap.set(0, NAME, Handle { region: 0xf_ffff, ..Handle::from_bits(heap.names[0]) }.to_bits());
        }),
        ("freed text", "Node#0.name: the handle names a value that is gone", |heap| heap.fixture.free(heap.names[0])),
        ("another kind", "Node#0.name: the handle names a value of another kind", |heap| {
            heap.set(0, NAME, heap.lists[2]);
        }),
        ("a record's handle", "Node#0.name: the handle names a record", |heap| heap.set(0, NAME, heap.nodes[2])),
        ("two owners", "Node#1.name: the value it names has two owners", |heap| heap.set(1, NAME, heap.names[0])),
        ("no owner", "class 24#0: this Text has no owner", |heap| heap.set(0, NAME, EMPTY)),
        ("another element", "Node#0.edges: the handle names a value of another shape", |heap| {
            let shape = heap.fixture.shape(&Shape::Bool);
            heap.fixture.set_header(heap.lists[0], GENERATION, Kind::ListInline, shape);
        }),
        ("list too long", "Node#0.edges: it is longer than the room it has", |heap| {
            let len = heap.fixture.word(u64::MAX / 8);
            heap.fixture.slot_mut(heap.lists[0])[8..16].copy_from_slice(&len);
        }),
        ("behind the elements", "Node#0.edges: what lies behind it", |heap| {
            let len = heap.fixture.word(2);
            heap.fixture.slot_mut(heap.lists[0])[8..16].copy_from_slice(&len);
        }),
        ("an element", "Node#0.edges[2]: the handle names a region not in use", |heap| {
            let handle = heap.fixture.word(u64::MAX);
            heap.fixture.slot_mut(heap.lists[0])[32..40].copy_from_slice(&handle);
        }),
        ("a spilled element", "Node#1.edges[1]: the reference names a record of another type", |heap| {
            let name = heap.fixture.word(heap.names[0]);
            let list = heap.fixture.slot_mut(heap.lists[1])[16..24].to_vec();
            let buffer = word_at(&list, 0, HeaderOrder::NATIVE.into());
            heap.fixture.slot_mut(buffer)[16..24].copy_from_slice(&name);
        }),
        ("generation of none", "Node#0.next: the reference names no slot", |heap| {
            heap.set(0, 24, Handle { generation: 0, ..Handle::from_bits(heap.nodes[1]) }.to_bits());
        }),
        ("slot of none", "Node#0.next: the reference names no slot", |heap| {
            heap.set(0, 24, Handle { index: 64, ..Handle::from_bits(heap.nodes[0]) }.to_bits());
        }),
    ];
    for (name, expected, damage) in cases {
        let found = attack(damage);
        assert!(found.contains(expected), "{name}: {found}");
    }
}

#[test]
fn what_lies_behind_a_small_record_is_zero() {
    let body = Body::Struct(vec![field("at", 0, integer(4))]);
    let mut fixture = Fixture::new(vec![TypeDescriptor { align: 4, ..described("Small", 4, body) }]);
    let record = fixture.record("Small", &[1, 2, 3, 4]);
    assert_eq!(verify_file(&fixture.file()).unwrap().records, 1);
    fixture.slot_mut(record)[12] = 1;
    assert_eq!(refusal(&fixture.file()), "damaged at Small#0: what lies behind it is not zero");
}

/// However much of a region came before the rest, the verifier says the same, and names the same place.
#[test]
fn what_is_seen_on_its_way_makes_no_difference() {
    let mut damaged = Heap::new();
    damaged.record(2)[4] = 2;
    let mut stale = Heap::new();
    stale.set(0, 24, Handle { generation: 5, ..Handle::from_bits(stale.nodes[1]) }.to_bits());
    for file in [Heap::new().fixture.file(), damaged.fixture.file(), stale.fixture.file()] {
        let reader = Reader::open(&file[..], Path::new("test.heap"), Checks::Strict).unwrap();
        let loaded = reader.load().unwrap();
        let said = |verifier: Verifier<'_>| verifier.finish(&loaded).map_err(|error| error.to_string());
        let new = || Verifier::new(reader.catalog(), reader.header()).unwrap();
        let expected = said(new());
        for step in [1, 7, 60, 100, 1 << 20] {
            let mut verifier = new();
            for (position, region) in reader.catalog().regions().iter().enumerate() {
                let bytes = loaded.region(region.number).unwrap();
                for come in (0..bytes.len()).step_by(step) {
                    verifier.see(position, &bytes[..come]);
                }
            }
            assert_eq!(said(verifier), expected, "in steps of {step}");
        }
    }
}

/// Records that hold references and nothing else are looked at once where all of them live; what is counted must be
/// the same where a second look is needed.
#[test]
fn stale_references_are_counted_alike_in_one_pass_and_in_two() {
    for order in [HeaderOrder::Little, HeaderOrder::Big] {
        let fields = vec![field("one", 0, reference("Link")), field("other", 8, optional(reference("Link")))];
        let link = described("Link", 16, Body::Struct(fields));
        let mut fixture = Fixture::with_order(vec![link], order);
        fixture.region_slots = 2;
        let links = [0; 5].map(|_| fixture.record("Link", &[0; 16]));
        let set = |fixture: &mut Fixture, from: usize, at: usize, word: u64| {
            let word = fixture.word(word);
            fixture.slot_mut(links[from])[8 + at..16 + at].copy_from_slice(&word);
        };
        for from in 0..5 {
            set(&mut fixture, from, 0, links[(from + 1) % 5]);
        }
        set(&mut fixture, 3, 8, links[0]);
        let counts = |fixture: &Fixture| {
            let report = verify_file(&fixture.file()).unwrap();
            (report.references, report.stale_references)
        };
        assert_eq!(counts(&fixture), (6, 0));

        let mut older = fixture.clone();
        set(&mut older, 2, 8, links[0] - (1 << 38));
        assert_eq!(counts(&older), (7, 1));
        // The last region has room for one more.
        let mut unused = fixture.clone();
        set(&mut unused, 2, 8, links[4] + 1);
        assert_eq!(counts(&unused), (7, 1));
        let mut removed = fixture.clone();
        removed.free(links[0]);
        assert_eq!(counts(&removed), (5, 2));
        let mut gone = fixture;
        gone.free(links[2]);
        assert_eq!(counts(&gone), (5, 1));

        set(&mut gone, 4, 0, 0);
        assert!(refusal(&gone.file()).contains("zero"));
        set(&mut gone, 4, 0, links[1] + 2);
        assert!(refusal(&gone.file()).contains("no slot"));
    }
}

#[test]
fn stale_references_are_legal_and_counted() {
    let mut heap = Heap::new();
    heap.set(0, 24, Handle { generation: 5, ..Handle::from_bits(heap.nodes[1]) }.to_bits());
    heap.set(1, 24, Handle { index: 63, ..Handle::from_bits(heap.nodes[1]) }.to_bits());
    let report = verify_file(&heap.fixture.file()).unwrap();
    assert_eq!((report.references, report.stale_references), (7, 2));
}

#[test]
fn damaged_slots_are_refused() {
    let cases: [Case<Heap>; 12] = [
        ("UTF-8", "is a text and not UTF-8", |heap| heap.fixture.slot_mut(heap.names[0])[9] = 0xff),
        ("slack", "what lies behind its end", |heap| heap.fixture.slot_mut(heap.names[0])[20] = 1),
        ("length", "is 17 bytes long", |heap| heap.fixture.set_header(heap.names[0], GENERATION, Kind::Text, 17)),
        ("kind", "does not belong into this table", |heap| {
            heap.fixture.set_header(heap.names[0], GENERATION, Kind::Record, 0);
        }),
        ("a text among records", "Node#0: a value of kind Some(Text)", |heap| {
            heap.fixture.set_header(heap.nodes[0], GENERATION, Kind::Text, 0);
        }),
        ("generation", "has no generation", |heap| heap.fixture.set_header(heap.names[0], 0, Kind::Text, 6)),
        ("aux of a record", "its header holds 1", |heap| {
            heap.fixture.set_header(heap.nodes[0], GENERATION, Kind::Record, 1);
        }),
        ("shape", "shape 99 does not exist", |heap| {
            heap.fixture.set_header(heap.lists[0], GENERATION, Kind::ListInline, 99);
        }),
        ("touched", "a flag of its header", |heap| {
            let header = heap.fixture.word(slot::word(GENERATION, Kind::Record, 0) | TOUCHED);
            heap.fixture.slot_mut(heap.nodes[0])[..8].copy_from_slice(&header);
        }),
        ("free and not zero", "is free and not zero", |heap| {
            heap.fixture.free(heap.names[0]);
            heap.fixture.slot_mut(heap.names[0])[12] = 1;
        }),
        ("never used", "region 0: what was never used is not zero", |heap| {
            *heap.fixture.regions[0].bytes.last_mut().unwrap() = 1;
        }),
        ("live", "table 0: counts 2 live slots, 3 are", |heap| heap.fixture.tables[0].live -= 1),
    ];
    for (name, expected, damage) in cases {
        let found = attack(damage);
        assert!(found.contains(expected), "{name}: {found}");
    }
}

#[test]
fn catalogs_that_contradict_themselves_are_refused() {
    let cases: [Case<Entries>; 18] = [
        ("overlapping extents", "extent 1: overlaps extent 0", |entries| entries.extents[1].at = entries.extents[0].at),
        ("an extent in block 1", "extent 0: extent entry", |entries| entries.extents[0].at = BLOCK),
        ("an extent in block 0", "extent 0: extent entry", |entries| entries.extents[0].at = 0),
        ("behind the end", "extent 0: extent entry", |entries| entries.extents[0].at = 1 << 40),
        ("length overflows", "extent 0: extent entry", |entries| entries.extents[0].len = !(BLOCK - 1)),
        ("a hole in a region", "region 0 does not begin", |entries| entries.extents[0].offset = BLOCK as u32),
        ("no such table", "extent 0: table 77", |entries| entries.extents[0].table = 77),
        ("one region twice", "extent 1: contradicts another", |entries| entries.extents[1].region = 0),
        ("too many slots", "more slots or bytes than a region", |entries| entries.extents[1].slots = 100_000),
        ("used without room", "counts 5000000 slots used", |entries| entries.tables[0].used = 5_000_000),
        ("used without bytes", "has used 1000 slots and not the room", |entries| {
            (entries.extents[0].slots, entries.tables[0].used) = (1000, 1000);
        }),
        ("more live than used", "table 0: table entry", |entries| entries.tables[0].live = 4),
        ("a stride too small", "table 0: slots every 32 bytes", |entries| entries.tables[0].stride = 32),
        ("a table of no type", "table 0: shape 0 is no record type", |entries| {
            entries.tables[0].kind = TableKind::Records(0);
        }),
        ("two tables of one type", "holds the same as table 0", |entries| entries.tables.push(entries.tables[0])),
        ("two roots of one name", "root 1: another root is named \"first\"", |entries| {
            entries.roots[1].name = "first".into();
        }),
        ("a root in another table", "root 0: \"first\" is in table 1", |entries| entries.roots[0].table = 1),
        ("a root to nowhere", "root 0: \"first\" is no reference", |entries| {
            entries.roots[0] = RootEntry { reference: u64::MAX, ..entries.roots[0].clone() };
        }),
    ];
    for (name, expected, damage) in cases {
        let found = attack_entries(damage);
        assert!(found.contains(expected), "{name}: {found}");
    }
}

#[test]
fn descriptors_that_cannot_be_are_refused() {
    let found = attack_entries(|entries| entries.archive.truncate(100));
    assert!(found.contains("offset"), "{found}");
    let mut heap = Heap::new();
    let Body::Struct(fields) = &mut heap.fixture.registry.schema.types[1].body else { unreachable!() };
    fields[1].offset = 2;
    let found = refusal(&heap.fixture.file());
    assert!(found.contains("Node.done: overlaps id"), "{found}");
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let file = Heap::new().fixture.file();
    for len in (0..file.len()).step_by(4096 - 8).chain([file.len() - 1]) {
        assert!(verify_file(&file[..len]).is_err(), "{len}");
    }
}

#[test]
fn every_flipped_bit_is_found_or_changes_nothing() {
    let heap = Heap::new();
    let file = heap.fixture.file();
    let sound = verify_file(&file).unwrap();
    let mut used: Vec<std::ops::Range<usize>> = vec![0..512, 4000..4104];
    used.extend((BLOCK as usize..file.len()).step_by(BLOCK as usize).map(|start| start..start + 96));
    used.extend((BLOCK as usize..file.len()).step_by(BLOCK as usize).map(|start| start + 16_380..start + 16_384));
    for at in used.into_iter().flatten() {
        for bit in 0..8 {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << bit;
            if let Ok(report) = verify_file(&damaged) {
                assert_eq!(report, sound);
                // Block 0 outside of its header pages, and checksums of blocks that are not looked at.
                assert!(at < BLOCK as usize || is_checksum_of_unread(&file, at), "byte {at}");
            }
        }
    }
}

/// Whether the byte belongs to the stream of checksums: behind the last entry, or of block 0 or its own blocks.
fn is_checksum_of_unread(file: &[u8], at: usize) -> bool {
    let reader = Reader::open(file, Path::new(""), Checks::Strict).unwrap();
    let run = reader.catalog().root().streams[Stream::Checksums as usize];
    (run.at..run.at + run.capacity).contains(&(at as u64))
}

#[test]
fn damage_below_the_checksums_never_panics() {
    // Flips with the checksums made right again reach the catalog and the verifier.
    let heap = Heap::new();
    let file = heap.fixture.file();
    let mut state = 7_u64;
    for _ in 0..3000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let block = 1 + (state >> 40) as usize % (file.len() / BLOCK as usize - 1);
        let at = block * BLOCK as usize + (state >> 20) as usize % 700;
        let mut damaged = file.clone();
        if state & (1 << 10) == 0 {
            damaged[at] ^= 1 << (state >> 60 & 7);
        } else {
            let word = u64::MAX >> (state >> 50 & 63);
            damaged[at / 8 * 8..at / 8 * 8 + 8].copy_from_slice(&word.to_ne_bytes());
        }
        let _ = Reader::open(&damaged[..], Path::new(""), Checks::None)
            .and_then(|reader| verify(&reader.load()?, reader.catalog(), reader.header()));
    }
}

#[test]
fn a_log_laid_over_a_file_is_verified_with_it() {
    use crate::format::frame::Operation;
    let mut heap = Heap::new();
    let before = heap.fixture.file();
    heap.record(1)[4] = 0;
    let after = heap.fixture.file();
    let changed: Vec<usize> = (2 * BLOCK as usize..before.len()).filter(|&at| before[at] != after[at]).collect();
    let at = changed[0];
    let header = Reader::open(&before[..], Path::new(""), Checks::Strict).unwrap().header().clone();
    let open = |bytes: &[u8]| {
        let operation = Operation::Write { at: at as u64, bytes };
        let reader = Reader::with_operations(&before[..], header.clone(), [operation], Checks::Strict)?;
        verify(&reader.load()?, reader.catalog(), reader.header())
    };
    assert!(open(&after[at..=at]).is_ok());
    assert!(open(&[9]).unwrap_err().to_string().contains("Node#1.done"));
}
