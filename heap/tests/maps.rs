//! The laws of maps in a heap: they hold what a model holds, over commits, rollbacks and openings, and own what they
//! hold.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;

use heap::{
    Durability, Error, Heap, List, Map, Maybe, Options, Reader, Record, Ref, Result, SortedMap, Text, Transaction,
};

#[derive(Record)]
struct Item {
    id: u64,
}

/// A value with padding, of which a part is owned.
#[derive(Record)]
struct Padded {
    small: u8,
    large: u64,
    note: Option<Text>,
    wide: Maybe<[u16; 5]>,
}

#[derive(Record)]
struct Hashed {
    numbers: Map<u64, u64>,
    texts: Map<Text, Text>,
    lists: Map<Ref<Item>, List<Text>>,
    padded: Map<[u16; 3], Padded>,
}

#[derive(Record)]
struct Sorted {
    numbers: SortedMap<u64, u64>,
    texts: SortedMap<Text, Text>,
    lists: SortedMap<Ref<Item>, List<Text>>,
    padded: SortedMap<[u16; 3], Padded>,
}

#[derive(Record)]
struct Nested {
    maps: Map<u32, SortedMap<Text, Map<i64, Text>>>,
    other: Option<Map<u64, u64>>,
}

/// Numbers without an end, the same each time.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// A [`Padded`] by value.
type PaddedModel = (u8, u64, Option<String>, Option<[u16; 5]>);

/// What the maps of a heap should hold.
#[derive(Clone, Default, PartialEq, Debug)]
struct Model {
    numbers: BTreeMap<u64, u64>,
    texts: BTreeMap<String, String>,
    lists: BTreeMap<u64, Vec<String>>,
    padded: BTreeMap<[u16; 3], PaddedModel>,
}

impl Model {
    /// Texts, lists, and values with a slot of their own.
    fn owned(&self) -> u64 {
        let texts = self.texts.iter().map(|(key, value)| u64::from(!key.is_empty()) + u64::from(!value.is_empty()));
        let lists = self.lists.values().map(|list| 1 + list.iter().filter(|text| !text.is_empty()).count() as u64);
        let notes = self.padded.values().map(|value| u64::from(value.2.as_ref().is_some_and(|note| !note.is_empty())));
        texts.sum::<u64>() + lists.sum::<u64>() + notes.sum::<u64>()
    }
}

fn commit(tx: Transaction<'_>) -> Result<()> {
    tx.commit_with(Durability::Process).map(drop)
}

#[allow(unsafe_code)]
fn mapped(path: &Path) -> Heap {
    // SAFETY: the file was made by this test, in a folder of its own.
    unsafe { Heap::open_mapped(path, Options::default()).unwrap() }
}

/// A text that is short, empty or long.
fn text_of(number: u64) -> String {
    match number % 7 {
        0 => String::new(),
        1 => format!("{number}").repeat(30),
        _ => format!("text {number}"),
    }
}

macro_rules! model_test {
    ($name:ident, $record:ident, $make:ident) => {
        mod $name {
            use super::*;

            fn step(
                tx: &mut Transaction<'_>,
                root: Ref<$record>,
                items: &[Ref<Item>],
                model: &mut Model,
                dice: &mut Dice,
            ) {
                let range = [8, 60, 3000][dice.next(3) as usize];
                let (key, value) = (dice.next(range), dice.next(1000));
                match dice.next(22) {
                    0..5 => {
                        let was = tx[root].numbers.insert(tx, key, value).unwrap();
                        assert_eq!(was, model.numbers.insert(key, value).is_some());
                    }
                    5..7 => {
                        let was = tx[root].numbers.remove(tx, &key).unwrap();
                        assert_eq!(was, model.numbers.remove(&key).is_some());
                    }
                    7 => {
                        if let Some(number) = tx[root].numbers.get_mut(tx, &key).unwrap() {
                            *number += 1;
                            *model.numbers.get_mut(&key).unwrap() += 1;
                        }
                    }
                    8..12 => {
                        let (text, other) = (tx.text(&text_of(key)).unwrap(), tx.text(&text_of(value)).unwrap());
                        let was = tx[root].texts.insert(tx, text, other).unwrap();
                        assert_eq!(was, model.texts.insert(text_of(key), text_of(value)).is_some());
                    }
                    12..14 => {
                        let was = tx[root].texts.remove(tx, &text_of(key)).unwrap();
                        assert_eq!(was, model.texts.remove(&text_of(key)).is_some());
                    }
                    14 => {
                        // A value moves from one key to another.
                        let (from, to) = (text_of(key), text_of(value));
                        let map = tx[root].texts;
                        if from != to
                            && let Some(&moved) = map.get(tx, &from).unwrap()
                            && map.contains(tx, &to).unwrap()
                        {
                            map.remove(tx, &from).unwrap();
                            *map.get_mut(tx, &to).unwrap().unwrap() = moved;
                            let moved = model.texts.remove(&from).unwrap();
                            model.texts.insert(to, moved);
                        }
                    }
                    15..17 => {
                        let at = key % items.len() as u64;
                        let map = tx[root].lists;
                        let text = tx.text(&text_of(value)).unwrap();
                        let list = match map.get(tx, &items[at as usize]).unwrap() {
                            Some(&list) => list,
                            None => {
                                let list = tx.list::<Text>().unwrap();
                                map.insert(tx, items[at as usize], list).unwrap();
                                list
                            }
                        };
                        list.push(tx, text).unwrap();
                        model.lists.entry(at).or_default().push(text_of(value));
                    }
                    17 => {
                        let at = key % items.len() as u64;
                        let was = tx[root].lists.remove(tx, &items[at as usize]).unwrap();
                        assert_eq!(was, model.lists.remove(&at).is_some());
                    }
                    18..20 => {
                        let note = if value % 3 == 0 { None } else { Some(tx.text(&text_of(value)).unwrap()) };
                        let wide = (value % 2 == 0).then_some([value as u16; 5]);
                        let padded = Padded { small: value as u8, large: value, note, wide: wide.into() };
                        let key = [key as u16, 7, value as u16 % 3];
                        let was = tx[root].padded.insert(tx, key, padded).unwrap();
                        let note = (value % 3 != 0).then(|| text_of(value));
                        assert_eq!(was, model.padded.insert(key, (value as u8, value, note, wide)).is_some());
                    }
                    20 => {
                        let key = [key as u16, 7, value as u16 % 3];
                        if let Some(padded) = tx[root].padded.get_mut(tx, &key).unwrap() {
                            *padded = Padded { small: 9, large: 9, note: padded.note, wide: Maybe::Nothing };
                            let known = model.padded.get_mut(&key).unwrap();
                            *known = (9, 9, known.2.clone(), None);
                        }
                    }
                    _ => {
                        let key = [key as u16, 7, value as u16 % 3];
                        let was = tx[root].padded.remove(tx, &key).unwrap();
                        assert_eq!(was, model.padded.remove(&key).is_some());
                        if dice.next(40) == 0 {
                            tx[root].texts.clear(tx).unwrap();
                            model.texts.clear();
                        }
                    }
                }
            }

            fn read(reader: &impl Reader, root: Ref<$record>) -> Model {
                let root = reader.get(root).unwrap();
                let text = |text: Text| reader.get_text(text).unwrap().to_owned();
                let padded =
                    |value: &Padded| (value.small, value.large, value.note.map(text), value.wide.as_ref().copied());
                let model = Model {
                    numbers: root.numbers.iter(reader).unwrap().map(|(&key, &value)| (key, value)).collect(),
                    texts: root.texts.iter(reader).unwrap().map(|(&key, &value)| (text(key), text(value))).collect(),
                    lists: root
                        .lists
                        .iter(reader)
                        .unwrap()
                        .map(|(&item, list)| {
                            let texts = list.get(reader).unwrap().iter().map(|&element| text(element));
                            (reader.get(item).unwrap().id, texts.collect())
                        })
                        .collect(),
                    padded: root.padded.iter(reader).unwrap().map(|(&key, value)| (key, padded(value))).collect(),
                };
                assert_eq!(root.numbers.len(reader).unwrap(), model.numbers.len());
                for (key, value) in &model.texts {
                    let found = root.texts.get(reader, key).unwrap().copied().map(text);
                    assert_eq!(found.as_ref(), Some(value));
                }
                model
            }

            fn run(path: &Path, seed: u64) {
                let mut dice = Dice(seed);
                let mut heap = Heap::open(path).unwrap();
                let mut tx = heap.write().unwrap();
                let root = tx
                    .root_or_insert("root", |tx| {
                        Ok($record {
                            numbers: tx.$make()?,
                            texts: tx.$make()?,
                            lists: tx.$make()?,
                            padded: tx.$make()?,
                        })
                    })
                    .unwrap();
                let items: Vec<Ref<Item>> = (0..40).map(|id| tx.insert(Item { id }).unwrap()).collect();
                commit(tx).unwrap();
                let empty = heap.stats().slots_live;

                let mut model = Model::default();
                for round in 0..60 {
                    let mut after = model.clone();
                    let snapshot = (round % 4 == 3).then(|| heap.snapshot().unwrap());
                    let mut tx = heap.write().unwrap();
                    for _ in 0..[1, 20, 400][dice.next(3) as usize] {
                        step(&mut tx, root, &items, &mut after, &mut dice);
                    }
                    if round % 8 == 0 {
                        assert_eq!(read(&tx, root), after);
                    }
                    if dice.next(4) > 0 {
                        commit(tx).unwrap();
                        if let Some(snapshot) = snapshot {
                            assert_eq!(read(&snapshot, root), model);
                        }
                        model = after;
                    } else {
                        tx.rollback();
                    }
                    if round % 10 == 9 {
                        assert_eq!(read(&heap.read(), root), model);
                        drop(heap);
                        // Opening verifies every value, and that each has one owner.
                        heap = Heap::open(path).unwrap();
                        assert_eq!(read(&heap.read(), root), model);
                        if round % 20 == 9 {
                            drop(heap);
                            heap = mapped(path);
                            assert_eq!(read(&heap.read(), root), model);
                        }
                    }
                }

                let mut tx = heap.write().unwrap();
                tx[root].numbers.clear(&mut tx).unwrap();
                tx[root].texts.clear(&mut tx).unwrap();
                tx[root].lists.clear(&mut tx).unwrap();
                tx[root].padded.clear(&mut tx).unwrap();
                commit(tx).unwrap();
                assert_eq!(heap.stats().slots_live, empty);
                assert!(model.owned() > 100);
            }

            #[test]
            fn maps_hold_what_a_model_holds() {
                let folder = tempfile::tempdir().unwrap();
                for seed in 0..4 {
                    run(&folder.path().join(format!("{seed}.heap")), seed);
                }
            }
        }
    };
}

model_test!(hashed, Hashed, map);
model_test!(sorted, Sorted, sorted_map);

/// A heap with one empty record of maps.
fn open(folder: &tempfile::TempDir) -> (Heap, Ref<Hashed>, Ref<Sorted>) {
    let heap = Heap::open(folder.path().join("maps.heap")).unwrap();
    let mut tx = heap.write().unwrap();
    let hashed = tx
        .root_or_insert("hashed", |tx| {
            Ok(Hashed { numbers: tx.map()?, texts: tx.map()?, lists: tx.map()?, padded: tx.map()? })
        })
        .unwrap();
    let sorted = tx
        .root_or_insert("sorted", |tx| {
            Ok(Sorted {
                numbers: tx.sorted_map()?,
                texts: tx.sorted_map()?,
                lists: tx.sorted_map()?,
                padded: tx.sorted_map()?,
            })
        })
        .unwrap();
    commit(tx).unwrap();
    (heap, hashed, sorted)
}

#[test]
fn removing_a_record_frees_all_that_its_maps_own() {
    let folder = tempfile::tempdir().unwrap();
    let (heap, hashed, sorted) = open(&folder);
    let before = heap.stats().slots_live;
    let mut tx = heap.write().unwrap();
    let record = Nested { maps: tx.map().unwrap(), other: None };
    let nested = tx.insert(record).unwrap();
    for number in 0..1000_u32 {
        let maps = tx[nested].maps;
        let outer = match maps.get(&tx, &(number % 10)).unwrap() {
            Some(&outer) => outer,
            None => {
                let outer = tx.sorted_map().unwrap();
                maps.insert(&mut tx, number % 10, outer).unwrap();
                outer
            }
        };
        let (inner, name) = (tx.map().unwrap(), tx.text(&format!("name {number}")).unwrap());
        outer.insert(&mut tx, name, inner).unwrap();
        let value = tx.text(&format!("value {number}")).unwrap();
        inner.insert(&mut tx, i64::from(number), value).unwrap();
    }
    commit(tx).unwrap();
    assert!(heap.stats().slots_live > before + 4000);
    drop(heap);
    let (heap, ..) = open(&folder);
    let mut tx = heap.write().unwrap();
    tx.remove(nested).unwrap();
    commit(tx).unwrap();
    assert_eq!(heap.stats().slots_live, before);

    // What no root reaches goes with all it owns, and what a root reaches through maps stays.
    let mut tx = heap.write().unwrap();
    let record = Nested { maps: tx.map().unwrap(), other: Some(tx.map().unwrap()) };
    tx.insert(record).unwrap();
    for id in 0..300 {
        let (item, list) = (tx.insert(Item { id }).unwrap(), tx.list().unwrap());
        if id % 2 == 0 {
            tx[hashed].lists.insert(&mut tx, item, list).unwrap();
        } else {
            tx[sorted].lists.insert(&mut tx, item, list).unwrap();
        }
    }
    commit(tx).unwrap();
    assert_eq!(heap.collect().unwrap(), 1);
    assert_eq!(heap.read().count::<Item>().unwrap(), 300);
    drop(heap);
    open(&folder);
}

#[test]
fn what_two_maps_hold_has_two_owners() {
    let folder = tempfile::tempdir().unwrap();
    let (heap, hashed, sorted) = open(&folder);
    let mut tx = heap.write().unwrap();
    let (key, value) = (tx.text("key").unwrap(), tx.text("value").unwrap());
    tx[hashed].texts.insert(&mut tx, key, value).unwrap();
    commit(tx).unwrap();
    let live = heap.stats().slots_live;

    let second = |put: &dyn Fn(&mut Transaction<'_>) -> Result<()>| {
        let mut tx = heap.write().unwrap();
        put(&mut tx).unwrap();
        let error = commit(tx).unwrap_err();
        assert!(matches!(error, Error::SecondOwner { .. }), "{error}");
        assert_eq!(heap.stats().slots_live, live);
    };
    second(&|tx| tx[sorted].texts.insert(tx, key, Text::EMPTY).map(drop));
    second(&|tx| tx[sorted].texts.insert(tx, Text::EMPTY, value).map(drop));
    second(&|tx| {
        let other = tx.text("other")?;
        tx[hashed].texts.insert(tx, other, value).map(drop)
    });
    second(&|tx| {
        let record = Nested { maps: tx.map()?, other: Some(tx[hashed].numbers) };
        tx.insert(record).map(drop)
    });

    // A key that the map has already is not taken: it goes with the commit.
    let mut tx = heap.write().unwrap();
    let again = tx.text("key").unwrap();
    assert!(tx[hashed].texts.insert(&mut tx, again, value).unwrap());
    commit(tx).unwrap();
    assert_eq!(heap.stats().slots_live, live);
    assert!(heap.read().get_text(again).is_err());
    assert_eq!(heap.read()[hashed].texts.get(&heap.read(), "key").unwrap(), Some(&value));

    // From one map to another is no second owner.
    let mut tx = heap.write().unwrap();
    tx[hashed].texts.remove(&mut tx, "key").unwrap();
    tx[sorted].texts.insert(&mut tx, key, value).unwrap();
    commit(tx).unwrap();
    assert_eq!(heap.read()[sorted].texts.get(&heap.read(), "key").unwrap(), Some(&value));
    drop(heap);
    open(&folder);
}

#[test]
fn a_bad_handle_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (heap, hashed, _) = open(&folder);
    let mut tx = heap.write().unwrap();
    let gone: Map<u64, u64> = tx.map().unwrap();
    gone.insert(&mut tx, 1, 1).unwrap();
    commit(tx).unwrap();
    let mut tx = heap.write().unwrap();
    assert!(matches!(gone.get(&tx, &1), Err(Error::Stale(_))));
    assert!(matches!(gone.insert(&mut tx, 1, 1), Err(Error::Stale(_))));
    // Of another heap, where other types lie in these places.
    let folder = tempfile::tempdir().unwrap();
    let (elsewhere, there, _) = open(&folder);
    let foreign = elsewhere.read()[there].lists;
    assert!(matches!(foreign.len(&tx), Err(Error::Stale(_) | Error::Foreign(..))));
    assert!(matches!(foreign.clear(&mut tx), Err(Error::Stale(_) | Error::Foreign(..))));
    // A dead text cannot be a key: it is resolved while it is compared.
    let dead = tx.text("dead").unwrap();
    tx.rollback();
    let mut tx = heap.write().unwrap();
    assert!(matches!(tx[hashed].texts.insert(&mut tx, dead, Text::EMPTY), Err(Error::Stale(_))));
    // A dead value is found at the commit.
    assert!(!tx[hashed].texts.insert(&mut tx, Text::EMPTY, dead).unwrap());
    assert!(matches!(commit(tx), Err(Error::Dangling { .. })));
    assert!(heap.read()[hashed].texts.is_empty(&heap.read()).unwrap());
}

#[test]
fn a_cursor_goes_on_whatever_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (heap, _, sorted) = open(&folder);
    let mut tx = heap.write().unwrap();
    let map = tx[sorted].texts;
    for number in 0..200 {
        let key = tx.text(&format!("{number:03}")).unwrap();
        map.insert(&mut tx, key, Text::EMPTY).unwrap();
    }
    commit(tx).unwrap();
    let mut tx = heap.write().unwrap();
    let mut cursor = map.cursor();
    let mut seen = 0;
    while let Some(key) = cursor.next(&tx).unwrap() {
        let name = tx.get_text(key).unwrap().to_owned();
        assert_eq!(name, format!("{seen:03}"));
        let value = tx.text(&name).unwrap();
        *map.get_mut_by(&mut tx, key).unwrap().unwrap() = value;
        if seen % 3 == 0 {
            map.remove(&mut tx, &name).unwrap();
        }
        let before = tx.text(&format!("!{seen}")).unwrap();
        map.insert(&mut tx, before, Text::EMPTY).unwrap();
        seen += 1;
    }
    assert_eq!(seen, 200);
    let back = cursor.previous(&tx).unwrap().unwrap();
    assert_eq!(&tx[back], "197");
    commit(tx).unwrap();

    let read = heap.read();
    let names = |range: &mut dyn Iterator<Item = (&Text, &Text)>| -> Vec<String> {
        range.map(|(&key, _)| read[key].to_owned()).collect()
    };
    let between = (Bound::Included("007"), Bound::Excluded("012"));
    assert_eq!(names(&mut map.range(&read, between).unwrap()), ["007", "008", "010", "011"]);
    assert_eq!(names(&mut map.range(&read, between).unwrap().rev()), ["011", "010", "008", "007"]);
    assert_eq!(&read[*map.first(&read).unwrap().unwrap().0], "!0");
    assert_eq!(&read[*map.last(&read).unwrap().unwrap().0], "199");
    assert_eq!(&read[*map.get(&read, "100").unwrap().unwrap()], "100");
    drop(read);
    drop(heap);
    open(&folder);
}

#[test]
fn large_maps_move_to_buffers_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let (heap, hashed, sorted) = open(&folder);
    let before = heap.stats().slots_live;
    for round in 0..3 {
        let mut tx = heap.write().unwrap();
        for number in 0..40_000 {
            tx[hashed].numbers.insert(&mut tx, number, number + round).unwrap();
            tx[sorted].numbers.insert(&mut tx, number * 7 % 40_000, number + round).unwrap();
        }
        let text = tx.text("text").unwrap();
        tx[hashed]
            .padded
            .insert(&mut tx, [1, 2, 3], Padded { small: 1, large: 2, note: Some(text), wide: Maybe::Nothing })
            .unwrap();
        if round == 1 {
            tx.rollback();
            continue;
        }
        commit(tx).unwrap();
        let read = heap.read();
        assert_eq!(read[hashed].numbers.get(&read, &39_999).unwrap(), Some(&(39_999 + round)));
        assert!(read[sorted].numbers.iter(&read).unwrap().map(|(&key, _)| key).eq(0..40_000));
    }
    drop(heap);
    let (heap, ..) = open(&folder);
    let mut tx = heap.write().unwrap();
    tx[hashed].numbers.clear(&mut tx).unwrap();
    tx[sorted].numbers.clear(&mut tx).unwrap();
    tx[hashed].padded.clear(&mut tx).unwrap();
    commit(tx).unwrap();
    assert_eq!(heap.stats().slots_live, before);
    drop(heap);
    open(&folder);
}

#[test]
fn what_a_list_in_a_map_holds_twice_has_two_owners() {
    let folder = tempfile::tempdir().unwrap();
    let (heap, hashed, _) = open(&folder);
    let mut tx = heap.write().unwrap();
    let (item, list): (_, List<Text>) = (tx.insert(Item { id: 1 }).unwrap(), tx.list().unwrap());
    tx[hashed].lists.insert(&mut tx, item, list).unwrap();
    let text = tx.text("a text in a list in a map").unwrap();
    list.push(&mut tx, text).unwrap();
    list.push(&mut tx, text).unwrap();
    assert!(matches!(commit(tx), Err(Error::SecondOwner { .. })));
}

#[derive(Record)]
struct Sizes {
    aligned: Map<u128, [u64; 400]>,
    smallest: Map<u8, bool>,
    /// Each node is larger than any size class.
    large: SortedMap<i16, [u32; 20_000]>,
    owner: SortedMap<char, [Option<Text>; 9000]>,
}

#[test]
#[expect(clippy::large_stack_arrays, reason = "large values are what it is about")]
fn entries_may_have_any_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sizes.heap");
    let heap = Heap::open(&path).unwrap();
    let mut tx = heap.write().unwrap();
    let sizes = Sizes {
        aligned: tx.map().unwrap(),
        smallest: tx.map().unwrap(),
        large: tx.sorted_map().unwrap(),
        owner: tx.sorted_map().unwrap(),
    };
    let sizes = tx.root_or_insert("sizes", |_| Ok(sizes)).unwrap();
    commit(tx).unwrap();
    let before = heap.stats().slots_live;
    for round in 0..2 {
        let mut tx = heap.write().unwrap();
        let Sizes { aligned, smallest, large, owner } = tx[sizes];
        for number in 0..100_u8 {
            aligned.insert(&mut tx, u128::MAX - u128::from(number), [u64::from(number); 400]).unwrap();
            smallest.insert(&mut tx, number, number % 3 == round).unwrap();
            large.insert(&mut tx, i16::from(number % 20) * -3, [u32::from(number); 20_000]).unwrap();
            let mut texts = [None; 9000];
            texts[usize::from(number)] = Some(tx.text(&number.to_string()).unwrap());
            owner.insert(&mut tx, char::from(b'a' + number % 26), texts).unwrap();
        }
        commit(tx).unwrap();
    }
    drop(heap);
    let heap = Heap::open(&path).unwrap();
    let read = heap.read();
    let Sizes { aligned, smallest, large, owner } = read[sizes];
    assert_eq!(aligned.get(&read, &(u128::MAX - 99)).unwrap().unwrap()[399], 99);
    assert_eq!(smallest.iter(&read).unwrap().filter(|&(_, &set)| set).count(), 33);
    assert!(large.iter(&read).unwrap().map(|(&key, _)| key).eq((0..20).rev().map(|key| key * -3)));
    assert_eq!(large.first(&read).unwrap().unwrap().1[7], 99);
    let text = owner.get(&read, &'v').unwrap().unwrap()[99].unwrap();
    assert_eq!(&read[text], "99");
    drop(read);
    // What was written is freed by the same transaction.
    let mut tx = heap.write().unwrap();
    aligned.insert(&mut tx, u128::MAX, [5; 400]).unwrap();
    large.get_mut(&mut tx, &-3).unwrap().unwrap()[19_999] = 5;
    for key in 1..20 {
        large.remove(&mut tx, &(key * -3)).unwrap();
    }
    owner.get_mut(&mut tx, &'b').unwrap().unwrap()[8999] = Some(text);
    owner.clear(&mut tx).unwrap();
    aligned.clear(&mut tx).unwrap();
    commit(tx).unwrap();
    drop(heap);
    let heap = Heap::open(&path).unwrap();
    let mut tx = heap.write().unwrap();
    assert_eq!(large.len(&tx).unwrap(), 1);
    large.clear(&mut tx).unwrap();
    smallest.clear(&mut tx).unwrap();
    commit(tx).unwrap();
    assert_eq!(heap.stats().slots_live, before);
}

#[test]
fn a_large_buffer_that_was_written_to_can_go_with_the_same_commit() {
    let folder = tempfile::tempdir().unwrap();
    let (heap, hashed, _) = open(&folder);
    let before = heap.stats().slots_live;
    let map = heap.read()[hashed].numbers;
    let mut tx = heap.write().unwrap();
    for number in 0..40_000 {
        map.insert(&mut tx, number, number).unwrap();
    }
    commit(tx).unwrap();
    // Once taken back, and once for good.
    for attempt in 0..2 {
        let mut tx = heap.write().unwrap();
        for number in 0..90_000 {
            map.insert(&mut tx, number, 1).unwrap();
        }
        if attempt == 0 {
            tx.rollback();
            assert_eq!(map.get(&heap.read(), &39_000).unwrap(), Some(&39_000));
        } else {
            commit(tx).unwrap();
        }
    }
    drop(heap);
    let (heap, ..) = open(&folder);
    let mut tx = heap.write().unwrap();
    assert!(map.iter(&tx).unwrap().all(|(_, &value)| value == 1));
    map.insert(&mut tx, 80_000, 3).unwrap();
    map.clear(&mut tx).unwrap();
    commit(tx).unwrap();
    assert_eq!(heap.stats().slots_live, before);
    drop(heap);
    open(&folder);
}
