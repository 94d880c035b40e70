use std::alloc::Layout;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::{Bound, RangeBounds};

use proptest::prelude::*;

use super::*;
use crate::buffers::memory::Memory;
use crate::buffers::{ReadBuffers, damaged};
use crate::error::Result;
use crate::key::tests::TextKey;
use crate::key::{HashKey, TypedKeys};

const NUMBERS: SortedKind = SortedKind::new(7, Layout::new::<u64>(), Layout::new::<u64>());
/// Nodes of six entries, so that small maps are high.
const LARGE: SortedKind = SortedKind::new(7, Layout::new::<u64>(), Layout::new::<[u64; 20]>());

fn keys() -> TypedKeys<u64> {
    TypedKeys::new(HashKey::new([0; 16]))
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_ne_bytes(bytes[..8].try_into().unwrap())
}

#[derive(Clone)]
struct Numbers {
    memory: Memory,
    header: SortedHeader,
    kind: SortedKind,
}

impl Numbers {
    fn new(kind: SortedKind) -> Self {
        Self { memory: Memory::default(), header: SortedHeader::default(), kind }
    }

    fn insert(&mut self, key: u64, value: u64) -> Result<bool> {
        let mut bytes = vec![0; self.kind.value_size];
        bytes[..8].copy_from_slice(&value.to_ne_bytes());
        let (memory, header) = (&mut self.memory, &mut self.header);
        let inserted = insert(memory, header, &self.kind, &keys(), &key, &key.to_ne_bytes(), &bytes)?;
        let (Inserted::New(place) | Inserted::Present(place)) = inserted;
        assert_eq!(find(&self.memory, &self.header, &self.kind, &keys(), &key)?.unwrap().place, place);
        Ok(matches!(inserted, Inserted::New(_)))
    }

    fn remove(&mut self, key: u64) -> Option<u64> {
        remove(&mut self.memory, &mut self.header, &self.kind, &keys(), &key, |entry| number(entry.value)).unwrap()
    }

    fn get(&self, key: u64) -> Option<u64> {
        find(&self.memory, &self.header, &self.kind, &keys(), &key).unwrap().map(|entry| number(entry.value))
    }

    fn verify(&self) -> Result<()> {
        let mut seen = HashSet::new();
        let node = |handle| if seen.insert(handle) { Ok(()) } else { Err(damaged(handle, "seen")) };
        verify_tree(&self.memory, &self.header, &self.kind, &keys(), node, |_, _| Ok(()))?;
        assert_eq!(seen.len(), self.memory.live().len());
        Ok(())
    }

    fn forward(&self, mut range: Range) -> Vec<u64> {
        std::iter::from_fn(|| range.next(&self.memory, &self.kind).unwrap().map(|entry| number(entry.key))).collect()
    }

    fn backward(&self, mut range: Range) -> Vec<u64> {
        let step = || range.next_back(&self.memory, &self.kind).unwrap().map(|entry| number(entry.key));
        std::iter::from_fn(step).collect()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Insert(u64, u64),
    Remove(u64),
    RemoveFirst,
    Clear,
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let key = 0_u64..500;
    let grow = prop::collection::vec(
        prop_oneof![
            60 => (key.clone(), any::<u64>()).prop_map(|(key, value)| Step::Insert(key, value)),
            20 => key.clone().prop_map(Step::Remove),
        ],
        0..most,
    );
    let shrink = prop::collection::vec(
        prop_oneof![
            20 => (key.clone(), any::<u64>()).prop_map(|(key, value)| Step::Insert(key, value)),
            60 => key.prop_map(Step::Remove),
            20 => Just(Step::RemoveFirst),
            1 => Just(Step::Clear),
        ],
        0..most,
    );
    let ascending = (0_u64..500, 0_u64..300)
        .prop_map(|(from, many)| (from..from + many).map(|key| Step::Insert(key, key)).collect::<Vec<_>>());
    (ascending, grow, shrink).prop_map(|(one, two, three)| [one, two, three].concat())
}

fn run(kind: SortedKind, steps: &[Step]) -> (Numbers, BTreeMap<u64, u64>) {
    let (mut map, mut model) = (Numbers::new(kind), BTreeMap::new());
    for step in steps {
        match *step {
            Step::Insert(key, value) => {
                assert_eq!(map.insert(key, value).unwrap(), !model.contains_key(&key));
                model.entry(key).or_insert(value);
            }
            Step::Remove(key) => assert_eq!(map.remove(key), model.remove(&key)),
            Step::RemoveFirst => {
                let first = model.pop_first();
                let mut all = Range::all(&map.memory, &map.header, &map.kind).unwrap();
                let key = all.next(&map.memory, &map.kind).unwrap().map(|entry| number(entry.key));
                assert_eq!(key, first.map(|(key, _)| key));
                assert_eq!(key.and_then(|key| map.remove(key)), first.map(|(_, value)| value));
            }
            Step::Clear => {
                clear(&mut map.memory, &mut map.header, &map.kind).unwrap();
                model.clear();
                assert!(map.memory.live().is_empty());
            }
        }
        assert_eq!(map.header.count, model.len() as u64);
        map.verify().unwrap();
    }
    (map, model)
}

fn kinds() -> impl Strategy<Value = SortedKind> {
    prop_oneof![Just(NUMBERS), Just(LARGE)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// A sorted map does what the standard library's does, and verifies after every step.
    #[test]
    fn a_sorted_map_is_a_sorted_map(kind in kinds(), steps in steps(300)) {
        let (map, model) = run(kind, &steps);
        for key in 0..800 {
            prop_assert_eq!(map.get(key), model.get(&key).copied());
        }
        let all = Range::all(&map.memory, &map.header, &map.kind).unwrap();
        let expected: Vec<u64> = model.keys().copied().collect();
        prop_assert_eq!(&map.forward(all), &expected);
        prop_assert_eq!(map.backward(all), expected.into_iter().rev().collect::<Vec<_>>());
    }

    /// Ranges of all bounds, from both ends.
    #[test]
    fn ranges_are_ranges(
        kind in kinds(),
        inserted in prop::collection::btree_set(0_u64..300, 0..200),
        bounds in prop::collection::vec((0_u64..310, 0_u64..310, 0..3, 0..3, any::<u64>()), 20),
    ) {
        let mut map = Numbers::new(kind);
        for &key in &inserted {
            map.insert(key * 7 % 2111, key).unwrap();
        }
        let model: BTreeSet<u64> = inserted.iter().map(|&key| key * 7 % 2111).collect();
        for (start, end, start_kind, end_kind, mut turns) in bounds {
            let (start, end) = (start * 7, end * 7);
            let bound = |kind, key| match kind {
                0 => Bound::Included(key),
                1 => Bound::Excluded(key),
                _ => Bound::Unbounded,
            };
            let (from, to) = (bound(start_kind, start), bound(end_kind, end));
            let mut range =
                Range::new(&map.memory, &map.header, &map.kind, &keys(), (from.as_ref(), to.as_ref())).unwrap();
            let expected: Vec<u64> = model.iter().copied().filter(|key| (from, to).contains(key)).collect();
            prop_assert_eq!(&map.forward(range), &expected);
            prop_assert_eq!(map.backward(range), expected.iter().rev().copied().collect::<Vec<_>>());
            let (mut front, mut back) = (Vec::new(), Vec::new());
            loop {
                let entry = if turns & 1 == 0 {
                    range.next(&map.memory, &map.kind).unwrap().map(|entry| front.push(number(entry.key)))
                } else {
                    range.next_back(&map.memory, &map.kind).unwrap().map(|entry| back.push(number(entry.key)))
                };
                turns = turns.rotate_right(1);
                if entry.is_none() {
                    break;
                }
            }
            front.extend(back.into_iter().rev());
            prop_assert_eq!(front, expected);
        }
    }

    /// The same steps give the same bytes.
    #[test]
    fn bytes_are_determined(steps in steps(100)) {
        let ((one, _), (other, _)) = (run(LARGE, &steps), run(LARGE, &steps));
        prop_assert_eq!(one.header, other.header);
        prop_assert_eq!(one.memory.buffers, other.memory.buffers);
    }

    /// An emptied map holds no node.
    #[test]
    fn an_emptied_map_is_nothing(kind in kinds(), steps in steps(200), from_behind in any::<bool>()) {
        let (mut map, model) = run(kind, &steps);
        let mut keys: Vec<u64> = model.into_keys().collect();
        if from_behind {
            keys.reverse();
        }
        for key in keys {
            map.remove(key);
            map.verify().unwrap();
        }
        prop_assert_eq!(map.header, SortedHeader::default());
        prop_assert!(map.memory.live().is_empty());
    }

    /// A byte that changes is noticed, unless it belongs to a value or leaves the keys in order.
    #[test]
    fn a_damaged_byte_is_refused(
        steps in steps(200),
        node in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        change in 1_u8..=255,
    ) {
        let (mut map, model) = run(NUMBERS, &steps);
        prop_assume!(map.header.root != 0);
        let live = map.memory.live();
        let handle = live[node.index(live.len())];
        let bytes = map.memory.raw(handle);
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        let Ok(()) = map.verify() else { return Ok(()) };
        // What verifies holds the same keys, or others in order; and it can be walked.
        let all = Range::all(&map.memory, &map.header, &map.kind).unwrap();
        let found = map.forward(all);
        prop_assert_eq!(found.len(), model.len());
        prop_assert!(found.is_sorted());
        let in_key = found.iter().zip(model.keys()).filter(|(found, expected)| found != expected).count();
        let in_value = model.iter().filter(|&(&key, &value)| map.get(key).is_some_and(|found| found != value)).count();
        prop_assert_eq!(in_key + in_value, 1);
    }

    /// Any bytes at all give an answer, and so does every operation on them.
    #[test]
    fn hostile_bytes_are_harmless(
        mut nodes in prop::collection::vec(
            (0_u16..8, 0_u8..4, prop_oneof![20 => Just(0_u8), 1 => any::<u8>()], prop::collection::vec(0_u64..9, 62)),
            8,
        ),
        count in prop_oneof![0_u64..40, any::<u64>()],
        height in prop_oneof![0_u64..5, any::<u64>()],
        key in 0_u64..9,
    ) {
        let mut map = Numbers::new(NUMBERS);
        for (count, level, form, words) in &mut nodes {
            let mut bytes = vec![0; 8];
            bytes[..2].copy_from_slice(&count.to_ne_bytes());
            (bytes[2], bytes[3]) = (*level, *form);
            // Small numbers everywhere, so that some handles name nodes.
            bytes.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
            map.memory.buffers.push(Some(bytes));
        }
        map.header = SortedHeader { count, root: 1, height };
        let mut seen = HashSet::new();
        let node = |handle| if seen.insert(handle) { Ok(()) } else { Err(damaged(handle, "seen")) };
        drop(verify_tree(&map.memory, &map.header, &map.kind, &keys(), node, |_, _| Ok(())));
        drop(find(&map.memory, &map.header, &map.kind, &keys(), &key));
        if let Ok(mut range) = Range::all(&map.memory, &map.header, &map.kind) {
            for _ in 0..100 {
                drop(range.next(&map.memory, &map.kind));
                drop(range.next_back(&map.memory, &map.kind));
            }
        }
        let mut other = map.clone();
        drop(insert(&mut other.memory, &mut other.header, &NUMBERS, &keys(), &key, &[1; 8], &[1; 8]));
        let mut other = map.clone();
        drop(remove(&mut other.memory, &mut other.header, &NUMBERS, &keys(), &key, |_| ()));
        drop(clear(&mut map.memory, &mut map.header, &NUMBERS));
    }
}

#[test]
fn header_numbers_that_lie_are_refused() {
    let mut map = Numbers::new(NUMBERS);
    for key in 0..500 {
        map.insert(key, key).unwrap();
    }
    map.verify().unwrap();
    let good = map.header;
    for header in [
        SortedHeader { count: 499, ..good },
        SortedHeader { count: 501, ..good },
        SortedHeader { height: good.height - 1, ..good },
        SortedHeader { height: good.height + 1, ..good },
        SortedHeader { height: u64::MAX, ..good },
        SortedHeader { root: 0, ..good },
        SortedHeader { root: 9999, ..good },
    ] {
        map.header = header;
        map.verify().unwrap_err();
    }
}

/// A node that is in the tree twice is refused by the caller's map of owners, and walks of it end.
#[test]
fn a_shared_child_is_refused() {
    let mut map = Numbers::new(LARGE);
    for key in 0..200 {
        map.insert(key, key).unwrap();
    }
    let root = map.header.root;
    let child = map.kind.inner.children_at;
    let first: [u8; 8] = map.memory.raw(root)[child..child + 8].try_into().unwrap();
    map.memory.raw(root)[child + 8..child + 16].copy_from_slice(&first);
    map.verify().unwrap_err();
}

/// A walk ends after as many entries as the map counts, whatever the tree is.
#[test]
fn a_walk_is_bounded_by_the_count() {
    let mut map = Numbers::new(LARGE);
    for key in 0..200 {
        map.insert(key, key).unwrap();
    }
    map.header.count = 100;
    let mut range = Range::all(&map.memory, &map.header, &map.kind).unwrap();
    for _ in 0..50 {
        range.next(&map.memory, &map.kind).unwrap().unwrap();
        range.next_back(&map.memory, &map.kind).unwrap().unwrap();
    }
    assert!(range.next(&map.memory, &map.kind).is_err() && range.next_back(&map.memory, &map.kind).is_err());
}

#[test]
fn a_key_that_occurs_twice_is_refused() {
    let mut map = Numbers::new(NUMBERS);
    for key in 0..1000 {
        map.insert(key * 7 % 1000, key).unwrap();
    }
    for key in 1..1000_u64 {
        let node = find(&map.memory, &map.header, &map.kind, &keys(), &key).unwrap().unwrap().place.node;
        let bytes = map.memory.raw(node);
        let at = (8..760).step_by(8).find(|&at| number(&bytes[at..]) == key).unwrap();
        bytes[at..at + 8].copy_from_slice(&(key - 1).to_ne_bytes());
        map.verify().unwrap_err();
        map.memory.raw(node)[at..at + 8].copy_from_slice(&key.to_ne_bytes());
    }
    map.verify().unwrap();
}

/// Every bit of a node's first eight bytes matters.
#[test]
fn damaged_heads_are_refused() {
    let mut map = Numbers::new(LARGE);
    for key in 0..200 {
        map.insert(key, key).unwrap();
    }
    for handle in map.memory.live() {
        for bit in 0..64 {
            map.memory.raw(handle)[bit / 8] ^= 1 << (bit % 8);
            map.verify().unwrap_err();
            map.memory.raw(handle)[bit / 8] ^= 1 << (bit % 8);
        }
    }
    map.verify().unwrap();
}

#[test]
fn nodes_with_too_few_entries_are_refused() {
    let mut map = Numbers::new(LARGE);
    for key in 0..200 {
        map.insert(key, key).unwrap();
    }
    let mut front = Range::all(&map.memory, &map.header, &map.kind).unwrap();
    let first = front.next(&map.memory, &map.kind).unwrap().unwrap().place.node;
    for left in (0..5).rev() {
        let form = map.kind.leaf;
        let bytes = map.memory.raw(first);
        bytes[..2].copy_from_slice(&(left as u16).to_ne_bytes());
        bytes[node::keys(&LARGE, left..left + 1)].fill(0);
        bytes[node::values(&LARGE, &form, left..left + 1)].fill(0);
        map.header.count -= 1;
        assert_eq!(map.verify().is_ok(), left >= form.least(), "{left}");
    }
}

/// Without values a small leaf differs from a whole one in its form alone.
#[test]
fn a_small_leaf_is_only_a_root() {
    let kind = SortedKind::new(7, Layout::new::<u64>(), Layout::new::<()>());
    let (mut memory, mut header) = (Memory::default(), SortedHeader::default());
    let verify =
        |memory: &Memory, header: &SortedHeader| verify_tree(memory, header, &kind, &keys(), |_| Ok(()), |_, _| Ok(()));
    let last = |memory: &Memory, header: &SortedHeader| {
        Range::all(memory, header, &kind).unwrap().next_back(memory, &kind).unwrap().unwrap().place.node
    };
    let mut key = 0_u64;
    while header.height < 2 {
        insert(&mut memory, &mut header, &kind, &keys(), &key, &key.to_ne_bytes(), &[]).unwrap();
        verify(&memory, &header).unwrap();
        key += 1;
    }
    let leaf = last(&memory, &header);
    memory.raw(leaf)[3] = 1;
    verify(&memory, &header).unwrap_err();
}

#[test]
fn nodes_fill_their_slots() {
    assert_eq!((NUMBERS.leaf.capacity, NUMBERS.leaf.len), (47, 760));
    assert_eq!((NUMBERS.inner.capacity, NUMBERS.inner.len), (31, 760));
    assert_eq!((LARGE.leaf.capacity, LARGE.inner.capacity), (6, 6));
    let wide = SortedKind::new(7, Layout::new::<u8>(), Layout::new::<u128>());
    assert_eq!((wide.keys_at, wide.leaf.values_at % 16, wide.inner.children_at % 8), (8, 0, 0));
}

/// What is appended fills nodes, and a small map is small.
#[test]
fn ascending_insertions_leave_full_nodes() {
    let mut map = Numbers::new(NUMBERS);
    for key in 0..4 {
        map.insert(key, key).unwrap();
    }
    assert_eq!(map.memory.contents(map.header.root, NUMBERS.shape).unwrap().len(), 128);
    for key in 4..10_000 {
        map.insert(key, key).unwrap();
    }
    map.verify().unwrap();
    let nodes = map.memory.live().len();
    assert!(nodes * 45 < 10_000, "{nodes} nodes");
}

/// Insertions in any order leave nodes two thirds full, and write less than a node each.
#[test]
fn little_is_written() {
    let mut map = Numbers::new(NUMBERS);
    for key in 0..10_000_u64 {
        map.insert(key.wrapping_mul(0x9e37_79b9_7f4a_7c15), key).unwrap();
    }
    map.verify().unwrap();
    let (nodes, each) = (map.memory.live().len(), map.memory.registered / 10_000);
    assert!(nodes < 340, "{nodes} nodes");
    assert!(each < 400, "{each} bytes for each insertion");
}

#[test]
fn a_map_that_cannot_grow_is_as_it_was() {
    for allowed in 0..12 {
        let mut map = Numbers::new(LARGE);
        let mut key = 0_u64;
        map.memory.allocations_left = Some(allowed);
        loop {
            let before = map.clone();
            if map.insert(key.wrapping_mul(0x9e37_79b9_7f4a_7c15), key).is_err() {
                assert_eq!(map.header, before.header);
                for handle in before.memory.live() {
                    assert_eq!(map.memory.raw(handle), before.memory.clone().raw(handle));
                }
                assert_eq!(map.memory.live(), before.memory.live());
                map.verify().unwrap();
                break;
            }
            key += 1;
        }
    }
}

#[test]
fn texts_are_ordered_by_their_bytes() {
    let (mut memory, mut header) = (Memory::default(), SortedHeader::default());
    let kind = SortedKind::new(7, Layout::new::<u64>(), Layout::new::<u32>());
    let keys = TypedKeys::<TextKey>::new(HashKey::new([0; 16]));
    let mut model = BTreeMap::new();
    for number in 0..500_u32 {
        let text = format!("{}", number.wrapping_mul(0x9e37_79b9));
        let key = memory.add_text(&text).to_ne_bytes();
        insert(&mut memory, &mut header, &kind, &keys, &text, &key, &number.to_ne_bytes()).unwrap();
        model.insert(text, number);
    }
    let mut all = Range::all(&memory, &header, &kind).unwrap();
    for (text, value) in &model {
        let entry = all.next(&memory, &kind).unwrap().unwrap();
        assert_eq!(memory.text(super::tests::number(entry.key)).unwrap(), text);
        assert_eq!(entry.value, value.to_ne_bytes());
    }
    verify_tree(&memory, &header, &kind, &keys, |_| Ok(()), |_, _| Ok(())).unwrap();
    memory.texts[17] = memory.texts[18].clone();
    verify_tree(&memory, &header, &kind, &keys, |_| Ok(()), |_, _| Ok(())).unwrap_err();
}

/// The bytes are a part of the format: these numbers may never change.
#[test]
#[cfg(target_endian = "little")]
fn the_layout_is_pinned() {
    let mut map = Numbers::new(NUMBERS);
    for key in 0..1000_u64 {
        map.insert(key * 7 % 1000, key).unwrap();
    }
    for key in (0..1000_u64).step_by(3) {
        map.remove(key).unwrap();
    }
    assert_eq!((map.header.count, map.header.height, map.memory.live().len()), (666, 2, 24));
    let nodes: Vec<u8> = map.memory.live().into_iter().flat_map(|handle| map.memory.raw(handle).clone()).collect();
    assert_eq!(crc32fast::hash(&nodes), 0x000f_e5bb);
}
