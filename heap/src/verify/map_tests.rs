//! Maps written by their own code into a heap laid out by hand.

use std::alloc::Layout;
use std::ops::Range;
use std::path::Path;

use migrate::{Body, Field, FieldAttributes, Integer, Shape, TypeAttributes, TypeDescriptor};

use crate::buffers::{BufferShape, ReadBuffers, WriteBuffers};
use crate::error::Result;
use crate::format::slot::Kind;
use crate::key::{DescribedKeys, HashKey};
use crate::map::{self, MapHeader, MapKind};
use crate::read::fixture::Fixture;
use crate::read::{Checks, Reader};
use crate::sorted::{self, SortedHeader, SortedKind};
use crate::verify::{Report, verify};

/// A fixture in which maps find their buffers.
struct Buffers {
    fixture: Fixture,
    kind: Kind,
    /// What was read last of a pair.
    copy: Vec<u8>,
}

impl ReadBuffers for Buffers {
    fn contents(&self, handle: u64, _: BufferShape) -> Result<&[u8]> {
        Ok(&self.fixture.slot(handle)[8..])
    }

    fn text(&self, handle: u64) -> Result<&str> {
        let slot = self.fixture.slot(handle);
        let len = u32::from_ne_bytes(slot[..4].try_into().unwrap()) as usize;
        Ok(std::str::from_utf8(&slot[8..8 + len]).unwrap())
    }
}

impl WriteBuffers for Buffers {
    fn allocate(&mut self, len: u64, shape: BufferShape) -> Result<u64> {
        Ok(self.fixture.value(self.kind, shape.number, &vec![0; len as usize]))
    }

    fn free(&mut self, handle: u64) -> Result<()> {
        self.fixture.free(handle);
        Ok(())
    }

    fn contents_mut(&mut self, handle: u64, _: BufferShape, range: Range<usize>) -> Result<&mut [u8]> {
        Ok(&mut self.fixture.slot_mut(handle)[8..][range])
    }

    fn contents_pair(&mut self, from: u64, to: u64, _: BufferShape, range: Range<usize>) -> Result<(&[u8], &mut [u8])> {
        self.copy = self.fixture.slot(from)[8..].to_vec();
        Ok((&self.copy, &mut self.fixture.slot_mut(to)[8..][range]))
    }
}

fn integer() -> Shape {
    Shape::Integer(Integer { width: 4, signed: true, align: 4 })
}

fn hashed() -> Shape {
    Shape::Map { key: Box::new(Shape::Text), value: Box::new(integer()) }
}

fn ordered() -> Shape {
    Shape::SortedMap { key: Box::new(integer()), value: Box::new(Shape::Text) }
}

struct Heap {
    fixture: Fixture,
    holder: u64,
    /// The maps' own slots.
    maps: [u64; 2],
    /// The hash map's buffer and the sorted map's root.
    buffers: [u64; 2],
}

impl Heap {
    fn new(count: u32) -> Self {
        let field = |name: &str, offset, shape| Field {
            name: name.into(),
            offset,
            shape,
            attributes: FieldAttributes::default(),
        };
        let body = Body::Struct(vec![field("by_name", 0, hashed()), field("by_number", 8, ordered())]);
        let attributes = TypeAttributes::default();
        let mut fixture =
            Fixture::new(vec![TypeDescriptor { name: "Holder".into(), size: 16, align: 8, body, attributes }]);
        let shapes = [hashed(), ordered()].map(|shape| fixture.shape(&shape));
        let mut buffers = Buffers { fixture, kind: Kind::MapBuffer, copy: Vec::new() };
        let (text, number) = (Layout::new::<u64>(), Layout::new::<u32>());
        let hash_key = HashKey::new([2; 16]);

        let (mut header, kind) = (MapHeader::default(), MapKind::new(shapes[0], text, number));
        let keys = DescribedKeys::new(&Shape::Text, hash_key).unwrap();
        for entry in 0..count {
            let key = buffers.fixture.text(&format!("name {entry}")).to_ne_bytes();
            map::insert(&mut buffers, &mut header, &kind, &keys, &key, &key, &entry.to_ne_bytes()).unwrap();
        }
        let words = [header.count, header.buffer, header.log2].map(u64::to_ne_bytes).concat();
        let by_name = buffers.fixture.value(Kind::Map, shapes[0], &words);

        buffers.kind = Kind::SortedNode;
        let (mut sorted_header, kind) = (SortedHeader::default(), SortedKind::new(shapes[1], number, text));
        let keys = DescribedKeys::new(&integer(), HashKey::new([2; 16])).unwrap();
        for entry in 0..count {
            let key = (entry.wrapping_mul(7919) % 10_007).to_ne_bytes();
            let value = buffers.fixture.text(&format!("value {entry}")).to_ne_bytes();
            sorted::insert(&mut buffers, &mut sorted_header, &kind, &keys, &key, &key, &value).unwrap();
        }
        let words = [sorted_header.count, sorted_header.root, sorted_header.height].map(u64::to_ne_bytes).concat();
        let by_number = buffers.fixture.value(Kind::SortedMap, shapes[1], &words);

        let mut fixture = buffers.fixture;
        let maps = [by_name, by_number];
        let holder = fixture.record("Holder", &maps.map(u64::to_ne_bytes).concat());
        fixture.root("holder", holder);
        Self { fixture, holder, maps, buffers: [header.buffer, sorted_header.root] }
    }

    fn verify(&self) -> Result<Report> {
        let file = self.fixture.file();
        let reader = Reader::open(&file[..], Path::new(""), Checks::Strict)?;
        verify(&reader.load()?, reader.catalog(), reader.header())
    }

    fn refusal(&self) -> String {
        self.verify().unwrap_err().to_string()
    }
}

#[test]
fn maps_of_all_sizes_are_accepted() {
    for count in [0, 1, 4, 5, 8, 100, 1500] {
        let heap = Heap::new(count);
        let report = heap.verify().unwrap_or_else(|error| panic!("{count}: {error}"));
        assert_eq!((report.maps, report.texts), (2, 2 * u64::from(count)));
    }
}

/// A name, what the refusal says, and the damage.
type Case = (&'static str, &'static str, fn(&mut Heap));

#[test]
fn damaged_maps_are_named_by_the_record_that_owns_them() {
    let cases: [Case; 8] = [
        ("control byte", "Holder#0.by_name: ", |heap| {
            let slot = heap.fixture.slot_mut(heap.buffers[0]);
            let at = 8 + slot[8..].iter().position(|&byte| byte & 0x80 != 0).unwrap();
            slot[at] ^= 1;
        }),
        ("count", "Holder#0.by_name: the map does not hold as many", |heap| {
            heap.fixture.slot_mut(heap.maps[0])[8] ^= 1;
        }),
        ("slack", "Holder#0.by_name: ", |heap| *heap.fixture.slot_mut(heap.buffers[0]).last_mut().unwrap() = 1),
        ("key gone", "Holder#0.by_name: the key of an entry: the handle names a value that is gone", |heap| {
            let slot = heap.fixture.slot(heap.buffers[0]);
            // The first word that is a text's handle.
            let generation = heap.buffers[0] >> 38;
            let words = slot.as_chunks::<8>().0;
            let at = words.iter().rposition(|&word| u64::from_ne_bytes(word) >> 38 == generation).unwrap();
            let stale = u64::from_ne_bytes(words[at]) + (1 << 38);
            heap.fixture.slot_mut(heap.buffers[0])[at * 8..at * 8 + 8].copy_from_slice(&stale.to_ne_bytes());
        }),
        ("order", "Holder#0.by_number: keys are not in ascending order", |heap| {
            heap.fixture.slot_mut(heap.buffers[1])[16..20].copy_from_slice(&i32::MAX.to_ne_bytes());
        }),
        ("node count", "Holder#0.by_number: ", |heap| heap.fixture.slot_mut(heap.buffers[1])[8] += 1),
        ("a map's buffer shared", "has two owners", |heap| {
            let other = heap.fixture.slot(heap.maps[0])[..32].to_vec();
            let shape = heap.fixture.shape(&hashed());
            let second = heap.fixture.value(Kind::Map, shape, &other[8..]);
            heap.fixture.record("Holder", &[second.to_ne_bytes(), second.to_ne_bytes()].concat());
        }),
        ("another kind of map", "Holder#0.by_name: the handle names a value of another kind", |heap| {
            let sorted = heap.maps[1];
            heap.fixture.slot_mut(heap.holder)[8..16].copy_from_slice(&sorted.to_ne_bytes());
        }),
    ];
    for (name, expected, damage) in cases {
        let mut heap = Heap::new(20);
        damage(&mut heap);
        let found = heap.refusal();
        assert!(found.contains(expected), "{name}: {found}");
    }
}

#[test]
fn no_flipped_bit_of_a_maps_buffer_is_harmful() {
    let heap = Heap::new(12);
    for buffer in heap.buffers {
        for bit in 0..heap.fixture.slot(buffer).len() * 8 {
            let mut damaged = Heap { fixture: heap.fixture.clone(), ..heap };
            damaged.fixture.slot_mut(buffer)[bit / 8] ^= 1 << (bit % 8);
            // A number may become another number; everything else is found.
            let _ = damaged.verify();
        }
    }
}
