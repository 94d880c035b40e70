use std::alloc::Layout;
use std::collections::HashMap;

use proptest::prelude::*;

use super::verify::zero;
use super::*;
use crate::buffers::memory::Memory;
use crate::buffers::{ReadBuffers, WriteBuffers};
use crate::error::{Error, Result};
use crate::key::tests::TextKey;
use crate::key::{HashKey, Keys, TypedKeys};

fn hash_key() -> HashKey {
    HashKey::new(*b"0123456789abcdef")
}

const NUMBERS: MapKind = MapKind::new(7, Layout::new::<u64>(), Layout::new::<u64>());
const PADDED: MapKind = MapKind::new(7, Layout::new::<u8>(), Layout::new::<u32>());
const WIDE: MapKind = MapKind::new(7, Layout::new::<u32>(), Layout::new::<u128>());

/// Keys that all have one hash.
struct Colliding;

impl<B: ?Sized> Keys<B> for Colliding {
    type Query = u64;
    fn hash(&self, _: &B, _: &u64) -> Result<u64> {
        Ok(0x1234_5678_9abc_def0)
    }
    fn hash_stored(&self, _: &B, _: &[u8]) -> Result<u64> {
        Ok(0x1234_5678_9abc_def0)
    }
    fn compare(&self, _: &B, stored: &[u8], query: &u64) -> Result<std::cmp::Ordering> {
        Ok(u64::from_ne_bytes(stored.try_into().unwrap()).cmp(query))
    }
    fn compare_stored(&self, buffers: &B, one: &[u8], other: &[u8]) -> Result<std::cmp::Ordering> {
        Keys::<B>::compare(self, buffers, one, &u64::from_ne_bytes(other.try_into().unwrap()))
    }
    fn compare_queries(&self, _: &B, one: &u64, other: &u64) -> Result<std::cmp::Ordering> {
        Ok(one.cmp(other))
    }
}

/// A map of numbers with its memory.
#[derive(Default, Clone)]
struct Numbers {
    memory: Memory,
    header: MapHeader,
}

impl Numbers {
    fn insert(&mut self, key: u64, value: u64) -> Result<Inserted> {
        let (memory, header, value) = (&mut self.memory, &mut self.header, value.to_ne_bytes());
        insert(memory, header, &NUMBERS, &TypedKeys::<u64>::new(hash_key()), &key, &key.to_ne_bytes(), &value)
    }

    fn remove(&mut self, key: u64) -> Option<u64> {
        let value = |entry: &[u8]| u64::from_ne_bytes(entry[8..].try_into().unwrap());
        remove(&mut self.memory, &mut self.header, &NUMBERS, &TypedKeys::<u64>::new(hash_key()), &key, value).unwrap()
    }

    fn get(&self, key: u64) -> Option<u64> {
        let entry = find(&self.memory, &self.header, &NUMBERS, &TypedKeys::<u64>::new(hash_key()), &key).unwrap()?;
        Some(u64::from_ne_bytes(entry.value(&NUMBERS).try_into().unwrap()))
    }

    fn verify(&self) -> Result<()> {
        verify_buffer(&self.memory, &self.header, &NUMBERS, &TypedKeys::<u64>::new(hash_key()), |_, _| Ok(()))
    }

    fn entries(&self) -> Vec<(u64, u64)> {
        let (mut entries, mut bucket) = (Vec::new(), 0);
        if self.header.buffer == 0 {
            return entries;
        }
        let contents = self.memory.contents(self.header.buffer, NUMBERS.shape).unwrap();
        while let Some((at, next)) = next_entry(&NUMBERS, &self.header, contents, bucket).unwrap() {
            let entry = Entry::new(&NUMBERS, contents, at);
            let number = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap());
            entries.push((number(entry.key(&NUMBERS)), number(entry.value(&NUMBERS))));
            bucket = next;
        }
        let visited: Vec<_> = super::entries(&NUMBERS, &self.header, contents).unwrap().collect();
        assert_eq!(visited.len(), entries.len());
        entries
    }
}

#[derive(Debug, Clone)]
enum Step {
    Insert(u64, u64),
    Remove(u64),
    Shrink,
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        60 => (0_u64..300, any::<u64>()).prop_map(|(key, value)| Step::Insert(key, value)),
        30 => (0_u64..300).prop_map(Step::Remove),
        1 => Just(Step::Shrink),
        1 => Just(Step::Clear),
    ];
    prop::collection::vec(step, 0..600)
}

fn run(steps: &[Step]) -> (Numbers, HashMap<u64, u64>) {
    let (mut map, mut model) = (Numbers::default(), HashMap::new());
    for step in steps {
        match *step {
            Step::Insert(key, value) => {
                let inserted = map.insert(key, value).unwrap();
                assert_eq!(matches!(inserted, Inserted::Present(_)), model.contains_key(&key));
                model.entry(key).or_insert(value);
            }
            Step::Remove(key) => assert_eq!(map.remove(key), model.remove(&key)),
            Step::Shrink => {
                shrink(&mut map.memory, &mut map.header, &NUMBERS, &TypedKeys::<u64>::new(hash_key())).unwrap();
            }
            Step::Clear => {
                clear(&mut map.memory, &mut map.header).unwrap();
                model.clear();
            }
        }
        assert_eq!(map.header.count, model.len() as u64);
    }
    (map, model)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// A map does what the standard library's does, and what it leaves behind verifies.
    #[test]
    fn a_map_is_a_map(steps in steps()) {
        let (map, model) = run(&steps);
        for key in 0..300 {
            prop_assert_eq!(map.get(key), model.get(&key).copied());
        }
        let mut entries = map.entries();
        entries.sort_unstable();
        let mut expected: Vec<_> = model.into_iter().collect();
        expected.sort_unstable();
        prop_assert_eq!(entries, expected);
        map.verify().unwrap();
        prop_assert_eq!(map.memory.live().len(), usize::from(map.header.buffer != 0));
    }

    /// The same steps give the same bytes.
    #[test]
    fn bytes_are_determined(steps in steps()) {
        let (one, _) = run(&steps);
        let (other, _) = run(&steps);
        prop_assert_eq!(one.header, other.header);
        prop_assert_eq!(one.memory.buffers, other.memory.buffers);
    }

    /// Nothing is left of what was removed.
    #[test]
    fn an_emptied_map_is_all_zeros(steps in steps()) {
        let (mut map, model) = run(&steps);
        for key in model.into_keys() {
            map.remove(key);
        }
        prop_assert_eq!(map.header.count, 0);
        for handle in map.memory.live() {
            prop_assert!(zero(map.memory.raw(handle)));
        }
    }

    /// A byte that changes is noticed, unless it belongs to a value.
    #[test]
    fn a_damaged_byte_is_refused(steps in steps(), at in any::<prop::sample::Index>(), change in 1_u8..=255) {
        let (mut map, _) = run(&steps);
        prop_assume!(map.header.buffer != 0);
        let values: Vec<_> = {
            let contents = map.memory.contents(map.header.buffer, NUMBERS.shape).unwrap();
            let (mut values, mut bucket) = (Vec::new(), 0);
            while let Some((at, next)) = next_entry(&NUMBERS, &map.header, contents, bucket).unwrap() {
                values.push(at + 8..at + 16);
                bucket = next;
            }
            values
        };
        let bytes = map.memory.raw(map.header.buffer);
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        let is_value = values.iter().any(|value| value.contains(&at));
        let is_key = values.iter().any(|value| (value.start - 8..value.start).contains(&at));
        // A changed key may be another one that belongs there, see below.
        prop_assert!(is_key || map.verify().is_ok() == is_value);
    }

    /// Any bytes at all give an answer, and so does every operation on them.
    #[test]
    fn hostile_bytes_are_harmless(
        bytes in prop::collection::vec(prop_oneof![Just(0_u8), Just(0x80), any::<u8>()], 0..1200),
        count in prop_oneof![0_u64..20, any::<u64>()],
        log2 in prop_oneof![0_u64..8, any::<u64>()],
        key in any::<u64>(),
    ) {
        let mut map = Numbers::default();
        map.memory.buffers.push(Some(bytes));
        map.header = MapHeader { count, buffer: 1, log2 };
        map.verify().unwrap_err();
        let keys = TypedKeys::<u64>::new(hash_key());
        drop(find(&map.memory, &map.header, &NUMBERS, &keys, &key));
        drop(remove(&mut map.memory, &mut map.header, &NUMBERS, &keys, &key, |_| ()));
        drop(map.insert(key, 1));
    }
}

#[test]
fn header_numbers_that_lie_are_refused() {
    let mut map = Numbers::default();
    for key in 0..50 {
        map.insert(key, key).unwrap();
    }
    map.verify().unwrap();
    let good = map.header;
    for header in [
        MapHeader { count: 49, ..good },
        MapHeader { count: 51, ..good },
        MapHeader { log2: good.log2 - 1, ..good },
        MapHeader { log2: good.log2 + 1, ..good },
        MapHeader { log2: u64::MAX, ..good },
        MapHeader { buffer: 0, ..good },
        MapHeader { buffer: 99, ..good },
    ] {
        map.header = header;
        map.verify().unwrap_err();
    }
    // Growth notices a wrong count too, since it must not lose an entry.
    map.header = MapHeader { count: 60, ..good };
    let refused = (100..300).find(|&key| map.insert(key, key).is_err());
    assert!(refused.is_some() && map.header.log2 == good.log2);
}

/// A changed key is refused, unless its hash happens to fit, which takes 7 bits and the group.
#[test]
fn damaged_keys_are_refused() {
    let mut map = Numbers::default();
    for key in 0..500 {
        map.insert(key, key).unwrap();
    }
    let keys = TypedKeys::<u64>::new(hash_key());
    let places = (0..500).map(|key| find(&map.memory, &map.header, &NUMBERS, &keys, &key).unwrap().unwrap().at);
    let mut fitting = 0;
    for at in places.collect::<Vec<_>>() {
        for byte in at..at + 8 {
            map.memory.raw(map.header.buffer)[byte] ^= 0x11;
            fitting += u32::from(map.verify().is_ok());
            map.memory.raw(map.header.buffer)[byte] ^= 0x11;
        }
    }
    map.verify().unwrap();
    assert!(fitting < 4, "{fitting} of 4000");
}

/// An insertion without growth writes an entry and a byte, seldom more.
#[test]
fn little_is_written() {
    let mut map = Numbers::default();
    for key in 0..20_000 {
        map.insert(key, key).unwrap();
    }
    let log2 = map.header.log2;
    let before = map.memory.registered;
    for key in 20_000..24_000 {
        map.insert(key, key).unwrap();
    }
    assert_eq!(map.header.log2, log2);
    let each = (map.memory.registered - before) as f64 / 4000.0;
    assert!(each < 18.0, "{each} bytes for each insertion");
}

/// Maps are dense: a full one has at most one slot in seven free.
#[test]
fn growth_doubles() {
    let mut map = Numbers::default();
    let mut full = Vec::new();
    for key in 0..400 {
        let log2 = map.header.log2;
        map.insert(key, key).unwrap();
        if map.header.log2 != log2 {
            full.push(key);
        }
    }
    assert_eq!(full, [0, 4, 7, 12, 24, 48, 96, 192, 384]);
}

/// Whoever makes keys collide gets an error before the map is much larger than what it holds, and keeps the map.
#[test]
fn collisions_are_bounded() {
    let (mut memory, mut header) = (Memory::default(), MapHeader::default());
    let mut count = 0;
    let error = loop {
        let key: u64 = count;
        match insert(&mut memory, &mut header, &NUMBERS, &Colliding, &key, &key.to_ne_bytes(), &[0; 8]) {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Crowded { .. }));
    assert!(count > 100 && header.count == count);
    assert!(memory.contents(header.buffer, NUMBERS.shape).unwrap().len() as u64 <= 17 * 2 * SPARSEST * count);
    assert_eq!(memory.live().len(), 1);
    for key in 0..count {
        assert!(find(&memory, &header, &NUMBERS, &Colliding, &key).unwrap().is_some());
    }
    verify_buffer(&memory, &header, &NUMBERS, &Colliding, |_, _| Ok(())).unwrap();
    for key in 0..count {
        remove(&mut memory, &mut header, &NUMBERS, &Colliding, &key, |_| ()).unwrap().unwrap();
    }
    assert!(zero(memory.raw(header.buffer)));
}

#[test]
fn a_key_that_occurs_twice_is_refused() {
    let (mut memory, mut header) = (Memory::default(), MapHeader::default());
    for key in 0..20_u64 {
        insert(&mut memory, &mut header, &NUMBERS, &Colliding, &key, &key.to_ne_bytes(), &[0; 8]).unwrap();
    }
    for (one, other) in [(0_u64, 1_u64), (1, 0), (3, 19), (19, 3)] {
        let at = find(&memory, &header, &NUMBERS, &Colliding, &one).unwrap().unwrap().at;
        memory.raw(header.buffer)[at..at + 8].copy_from_slice(&other.to_ne_bytes());
        verify_buffer(&memory, &header, &NUMBERS, &Colliding, |_, _| Ok(())).unwrap_err();
        memory.raw(header.buffer)[at..at + 8].copy_from_slice(&one.to_ne_bytes());
        verify_buffer(&memory, &header, &NUMBERS, &Colliding, |_, _| Ok(())).unwrap();
    }
}

#[test]
fn a_map_that_cannot_grow_is_as_it_was() {
    let mut map = Numbers::default();
    map.memory.allocations_left = Some(3);
    for key in 0..12 {
        map.insert(key, key).unwrap();
    }
    let before = map.clone();
    map.insert(12, 12).unwrap_err();
    assert_eq!((map.header, &map.memory.buffers), (before.header, &before.memory.buffers));
    assert_eq!(map.get(11), Some(11));
}

#[test]
fn texts_are_asked_for_by_their_content() {
    let (mut memory, mut header) = (Memory::default(), MapHeader::default());
    let kind = MapKind::new(7, Layout::new::<u64>(), Layout::new::<u32>());
    let keys = TypedKeys::<TextKey>::new(hash_key());
    for number in 0..500_u32 {
        let text = format!("name {number}");
        let key = memory.add_text(&text).to_ne_bytes();
        let inserted = insert(&mut memory, &mut header, &kind, &keys, &text, &key, &number.to_ne_bytes()).unwrap();
        assert!(matches!(inserted, Inserted::New(_)));
    }
    for number in 0..500_u32 {
        let entry = find(&memory, &header, &kind, &keys, &format!("name {number}")).unwrap().unwrap();
        assert_eq!(entry.value(&kind), number.to_ne_bytes());
    }
    assert_eq!(find(&memory, &header, &kind, &keys, "name").unwrap(), None);
    verify_buffer(&memory, &header, &kind, &keys, |_, _| Ok(())).unwrap();
    // Two handles of one content are one key.
    memory.texts[17] = memory.texts[18].clone();
    verify_buffer(&memory, &header, &kind, &keys, |_, _| Ok(())).unwrap_err();
    // A text that is gone is an error and not another text.
    memory.texts.truncate(250);
    verify_buffer(&memory, &header, &kind, &keys, |_, _| Ok(())).unwrap_err();
}

/// Growth that meets a text that is gone leaves the map as it was, and no buffer behind.
#[test]
fn growth_can_be_refused_by_a_key() {
    let (mut memory, mut header) = (Memory::default(), MapHeader::default());
    let keys = TypedKeys::<TextKey>::new(hash_key());
    for number in 0..12 {
        let text = format!("name {number}");
        let key = memory.add_text(&text).to_ne_bytes();
        insert(&mut memory, &mut header, &NUMBERS, &keys, &text, &key, &[0; 8]).unwrap();
    }
    let before = header;
    memory.texts.clear();
    assert!(memory.allocations_left.replace(1).is_none());
    insert(&mut memory, &mut header, &NUMBERS, &keys, "more", &[0; 8], &[0; 8]).unwrap_err();
    assert_eq!(memory.allocations_left, Some(0), "the refusal came too early");
    assert_eq!((header, memory.live()), (before, vec![before.buffer]));
}

#[test]
fn entries_are_aligned_and_padding_is_zero() {
    assert_eq!((PADDED.entry.value_offset, PADDED.entry.stride), (4, 8));
    assert_eq!((WIDE.entry.value_offset, WIDE.entry.stride, WIDE.shape.align), (16, 32, 16));
    let (mut memory, mut header) = (Memory::default(), MapHeader::default());
    let keys = TypedKeys::<u32>::new(hash_key());
    for key in 0..100_u32 {
        let value = u128::from(key).to_ne_bytes();
        let Inserted::New(at) =
            insert(&mut memory, &mut header, &WIDE, &keys, &key, &key.to_ne_bytes(), &value).unwrap()
        else {
            panic!("{key} is new");
        };
        assert_eq!(at % 16, 0);
    }
    verify_buffer(&memory, &header, &WIDE, &keys, |_, _| Ok(())).unwrap();
    let at = find(&memory, &header, &WIDE, &keys, &17).unwrap().unwrap().at;
    memory.contents_mut(header.buffer, WIDE.shape, at + 5..at + 6).unwrap()[0] = 1;
    verify_buffer(&memory, &header, &WIDE, &keys, |_, _| Ok(())).unwrap_err();
}

/// The bytes are a part of the format: this number may never change.
#[test]
#[cfg(target_endian = "little")]
fn the_layout_is_pinned() {
    let mut map = Numbers::default();
    for key in 0..1000_u64 {
        map.insert(key, key * key).unwrap();
    }
    for key in (0..1000_u64).step_by(3) {
        map.remove(key).unwrap();
    }
    assert_eq!((map.header.count, map.header.log2), (666, 11));
    assert_eq!(crc32fast::hash(map.memory.raw(map.header.buffer)), 0x0de4_d753);
}
