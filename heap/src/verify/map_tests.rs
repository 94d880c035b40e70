//! Maps written by their own code into a heap laid out by hand.

use std::path::Path;

use migrate::{Body, Field, FieldAttributes, Integer, Shape, TypeAttributes, TypeDescriptor};

use crate::error::Result;
use crate::format::slot::Kind;
use crate::read::fixture::Fixture;
use crate::read::{Checks, Reader};
use crate::verify::{Report, verify};

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
        let names: Vec<_> = (0..count)
            .map(|entry| (fixture.text(&format!("name {entry}")).to_ne_bytes().to_vec(), entry.to_ne_bytes().to_vec()))
            .collect();
        let numbers: Vec<_> = (0..count)
            .map(|entry| {
                let key = entry.wrapping_mul(7919) % 10_007;
                (key.to_ne_bytes().to_vec(), fixture.text(&format!("value {entry}")).to_ne_bytes().to_vec())
            })
            .collect();
        let (by_name, buffer) = fixture.hash_map(&Shape::Text, &integer(), &names);
        let (by_number, root) = fixture.sorted_map(&integer(), &Shape::Text, &numbers);
        let maps = [by_name, by_number];
        let holder = fixture.record("Holder", &maps.map(u64::to_ne_bytes).concat());
        fixture.root("holder", holder);
        Self { fixture, holder, maps, buffers: [buffer, root] }
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
