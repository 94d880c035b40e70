//! One test for each rule of migration, on real heaps: what is accepted, with its values, and what is refused.
//!
//! Every heap holds a ring of records with shared texts' owners, lists and maps beside the one that the rule is about, so
//! that sharing and cycles are there while it migrates.
#![allow(
    unreachable_pub,
    clippy::float_cmp,
    clippy::items_after_statements,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::unnecessary_wraps,
    reason = "types are declared where a rule needs them, and exact values are meant"
)]

#[path = "foreign/turned.rs"]
mod turned;

use std::path::PathBuf;

use heap::{Error, Heap, Options, Record, Ref, Result, Transaction, Types};
use migrate::Answers;

/// A heap in a folder of its own.
struct Stored {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

/// A record that no rule is about, in every heap.
#[derive(Record)]
struct Other {
    number: u64,
    next: Option<Ref<Other>>,
    names: heap::List<heap::Text>,
    index: heap::Map<u32, Ref<Other>>,
}

impl Stored {
    /// A heap with records of the old type under the roots `0`, `1`, …, and a ring of others beside them.
    fn new<T: Record>(build: impl FnOnce(&mut Transaction<'_>) -> Result<Vec<T>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rule.heap");
        let heap = Heap::open(&path).unwrap();
        let mut tx = heap.write().unwrap();
        for (number, record) in build(&mut tx).unwrap().into_iter().enumerate() {
            tx.root_or_insert(&number.to_string(), |_| Ok(record)).unwrap();
        }
        let mut first = None;
        let mut last: Option<Ref<Other>> = None;
        for number in 0..50 {
            let name = tx.text(&format!("other {number}")).unwrap();
            let names = tx.list_from([name]).unwrap();
            let index = tx.map().unwrap();
            let other = tx.insert(Other { number, next: last, names, index }).unwrap();
            index.insert(&mut tx, number as u32, other).unwrap();
            first.get_or_insert(other);
            last = Some(other);
        }
        let first = first.unwrap();
        tx[first].next = last;
        tx.set_root("other", first).unwrap();
        tx.commit().unwrap();
        Self { _folder: folder, path }
    }

    /// Opens the heap for the new type, twice, and shows what it holds.
    fn migrates<T: Record>(&self, check: impl Fn(&heap::Read<'_>, &[Ref<T>])) {
        for _ in 0..2 {
            let heap = Heap::open_as::<T>(&self.path).unwrap_or_else(|error| panic!("{error}"));
            let read = heap.read();
            let records: Vec<Ref<T>> =
                (0..).map_while(|number: u32| read.root::<T>(&number.to_string()).unwrap()).collect();
            assert!(!records.is_empty());
            check(&read, &records);
            let mut other = read.root::<Other>("other").unwrap().unwrap();
            for number in 0..50 {
                let expected = if number == 0 { 0 } else { 50 - number };
                assert_eq!(read[other].number, expected);
                assert_eq!(&read[read[read[other].names][0]], format!("other {expected}"));
                assert_eq!(read[other].index.get(&read, &(expected as u32)).unwrap(), Some(&other));
                other = read[other].next.unwrap();
            }
        }
    }

    /// Opening for the new type is refused, and the heap is the same byte by byte; why.
    fn refuses<T: Record>(&self) -> String {
        let before = std::fs::read(&self.path).unwrap();
        let Err(error) = Heap::open_as::<T>(&self.path) else { panic!("it was not refused") };
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert!(std::fs::read(&self.path).unwrap() == before, "a refusal writes nothing");
        error.to_string()
    }
}

/// Modules with a type `It` each, of which one follows the other.
macro_rules! version {
    ($module:ident: $($items:item)*) => {
        mod $module {
            #![allow(dead_code, unused_imports)]
            use heap::{Bytes, List, Map, Maybe, Record, Ref, SortedMap, Text};
            $($items)*
        }
    };
}

/// A struct `It` with these fields.
macro_rules! it {
    ($module:ident: $(#[$attribute:meta])* { $($fields:tt)* }) => {
        version! { $module:
            #[derive(Record)]
            $(#[$attribute])*
            pub struct It { $($fields)* }
        }
    };
}

#[test]
fn rule_01_fields_are_reordered() {
    it!(old: { pub a: u8, pub b: u64, pub c: u16 });
    it!(new: #[repr(C)] { pub c: u16, pub b: u64, pub a: u8 });
    let stored = Stored::new(|_| Ok((0..300).map(|n| old::It { a: n as u8, b: n << 40, c: n as u16 + 7 }).collect()));
    stored.migrates::<new::It>(|read, records| {
        assert_eq!(records.len(), 300);
        for (n, &it) in (0_u64..).zip(records) {
            assert_eq!((read[it].a, read[it].b, read[it].c), (n as u8, n << 40, n as u16 + 7));
        }
    });
}

#[test]
fn rule_02_a_field_with_a_default_is_added() {
    it!(old: { pub a: u8 });
    it!(new: { pub a: u8, #[record(default = -7)] pub b: i32, #[record(default = "new")] pub c: Text,
        #[record(default = 2.5)] pub d: f32, #[record(default = true)] pub e: bool, #[record(default = 'x')] pub f: char });
    let stored = Stored::new(|_| Ok(vec![old::It { a: 1 }, old::It { a: 2 }]));
    stored.migrates::<new::It>(|read, records| {
        for (n, &it) in (1..).zip(records) {
            let it = &read[it];
            assert_eq!((it.a, it.b, &read[it.c], it.d, it.e, it.f), (n, -7, "new", 2.5, true, 'x'));
        }
    });
}

#[test]
fn rule_03_a_field_without_a_default_is_empty_where_its_type_has_an_empty_value() {
    it!(old: { pub a: u8 });
    it!(new: { pub a: u8, pub b: u64, pub c: Text, pub d: Option<Ref<It>>, pub e: List<u32>, pub f: Map<u32, u32> });
    it!(bad: { pub a: u8, pub b: Ref<It> });
    let stored = Stored::new(|_| Ok(vec![old::It { a: 1 }, old::It { a: 2 }]));
    let refusal = stored.refuses::<bad::It>();
    assert!(refusal.contains("It.b"), "{refusal}");
    stored.migrates::<new::It>(|read, records| {
        let it = &read[records[1]];
        assert_eq!((it.a, it.b, &read[it.c], it.d, &read[it.e]), (2, 0, "", None, &[][..]));
        assert!(it.f.is_empty(read).unwrap());
    });
}

#[test]
fn rule_04_a_field_is_removed_when_the_program_says_so_or_it_is_empty() {
    it!(old: { pub a: u8, pub b: u64, pub name: Text });
    it!(unsaid: { pub a: u8 });
    it!(said: #[record(dropped("b", "name"))] { pub a: u8 });
    let stored = Stored::new(|tx| Ok(vec![old::It { a: 1, b: 0, name: tx.text("")? }]));
    stored.migrates::<unsaid::It>(|read, records| assert_eq!(read[records[0]].a, 1));
    let stored = Stored::new(|tx| Ok(vec![old::It { a: 1, b: 9, name: tx.text("gone")? }]));
    let refusal = stored.refuses::<unsaid::It>();
    assert!(refusal.contains("dropped(") && refusal.contains("It.b") && refusal.contains("It.name"), "{refusal}");
    stored.migrates::<said::It>(|read, records| assert_eq!(read[records[0]].a, 1));
    // The dropped text was freed: nothing is left of it for a dump to take along.
    let heap = Heap::open(&stored.path).unwrap();

    heap.checkpoint().unwrap();
    drop(heap);
}

#[test]
fn rule_05_a_rename_is_never_guessed() {
    it!(old: { pub a: u64, pub b: u8 });
    it!(new: { pub x: u64, pub b: u8 });
    let stored = Stored::new(|_| Ok(vec![old::It { a: 5, b: 6 }]));
    let refusal = stored.refuses::<new::It>();
    assert!(refusal.contains("was = \"a\"") && refusal.contains("dropped(\"a\")"), "{refusal}");
}

#[test]
fn rule_06_a_field_is_renamed_by_its_former_name() {
    it!(old: { pub a: u64, pub b: u8 });
    it!(new: { pub b: u8, #[record(was = "a")] pub x: u64 });
    let stored = Stored::new(|_| Ok(vec![old::It { a: 5, b: 6 }]));
    stored.migrates::<new::It>(|read, records| assert_eq!((read[records[0]].x, read[records[0]].b), (5, 6)));
}

#[test]
fn rule_07_drop_and_add_of_one_type_is_not_a_rename() {
    it!(old: { pub a: u64 });
    it!(new: #[record(dropped("a"))] { #[record(default = 1)] pub x: u64 });
    let stored = Stored::new(|_| Ok(vec![old::It { a: 5 }]));
    stored.migrates::<new::It>(|read, records| assert_eq!(read[records[0]].x, 1));
}

#[test]
fn rule_08_a_field_is_renamed_and_widened() {
    it!(old: { pub a: i16 });
    it!(new: { #[record(was = "a")] pub x: i64 });
    let stored = Stored::new(|_| Ok(vec![old::It { a: -5 }]));
    stored.migrates::<new::It>(|read, records| assert_eq!(read[records[0]].x, -5));
}

#[test]
fn rule_09_two_fields_change_names() {
    it!(old: { pub a: u64, pub b: u64 });
    it!(new: { #[record(was = "b")] pub a: u64, #[record(was = "a")] pub b: u64 });
    let stored = Stored::new(|_| Ok(vec![old::It { a: 1, b: 2 }]));
    // Each name is still there, and `was` may be years old: to take both from the other one is a decision.
    let refusal = stored.refuses::<new::It>();
    assert!(refusal.contains("It.a") && refusal.contains("rename = { "), "{refusal}");
    let options = || Options {
        types: Some(Types::of::<new::It>().unwrap()),
        answers: Answers::from_toml("[It]\nrename = { a = \"b\", b = \"a\" }").unwrap(),
        ..Options::default()
    };
    drop(Heap::open_with(&stored.path, options()).unwrap());
    stored.migrates::<new::It>(|read, records| assert_eq!((read[records[0]].a, read[records[0]].b), (2, 1)));
    // It happened once: another change, with the same words still there, does not turn them round again.
    it!(more: { #[record(was = "b")] pub a: u64, #[record(was = "a")] pub b: u64, pub c: u8 });
    stored.migrates::<more::It>(|read, records| assert_eq!((read[records[0]].a, read[records[0]].b), (2, 1)));
}

#[test]
fn rule_10_numbers_are_widened() {
    it!(old: { pub a: u8, pub b: i8, pub c: u32, pub d: i64, pub e: f32 });
    it!(new: { pub a: u16, pub b: i128, pub c: u64, pub d: i128, pub e: f64 });
    let stored = Stored::new(|_| Ok(vec![old::It { a: 255, b: -128, c: u32::MAX, d: i64::MIN, e: 0.1 }]));
    stored.migrates::<new::It>(|read, records| {
        let it = &read[records[0]];
        assert_eq!((it.a, it.b, it.c, it.d), (255, -128, u64::from(u32::MAX), i128::from(i64::MIN)));
        assert_eq!(it.e, f64::from(0.1_f32));
    });
}

#[test]
fn rule_11_small_integers_become_floats() {
    it!(old: { pub a: i32, pub b: u32, pub c: u16 });
    it!(new: { pub a: f64, pub b: f64, pub c: f32 });
    let stored = Stored::new(|_| Ok(vec![old::It { a: i32::MIN, b: u32::MAX, c: 65535 }]));
    stored.migrates::<new::It>(|read, records| {
        let it = &read[records[0]];
        assert_eq!((it.a, it.b, it.c), (f64::from(i32::MIN), f64::from(u32::MAX), 65535.0));
    });
}

/// Values that fit are migrated, and one that does not refuses all.
macro_rules! checked {
    ($name:ident: $old:ty => $new:ty, [$($fits:expr => $becomes:expr),*], [$($not:expr),*]) => {
        #[test]
        fn $name() {
            it!(old: { pub a: $old });
            it!(new: { pub a: $new });
            let fits = || vec![$(old::It { a: $fits }),*];
            let stored = Stored::new(|_| Ok(fits()));
            stored.migrates::<new::It>(|read, records| {
                let expected: &[$new] = &[$($becomes),*];
                for (&it, expected) in records.iter().zip(expected) {
                    assert!(read[it].a == *expected, "{:?} is not {expected:?}", read[it].a);
                }
            });
            $({
                let mut all = fits();
                all.push(old::It { a: $not });
                let last = all.len() - 1;
                let refusal = Stored::new(|_| Ok(all)).refuses::<new::It>();
                assert!(refusal.contains("1 of "), "{refusal}");
                assert!(refusal.contains(&format!("It#{last}")), "{refusal}");
            })*
        }
    };
}

checked!(rule_12_wide_integers_become_floats_when_exact: i64 => f64,
    [1 => 1.0, -(1 << 53) => -9_007_199_254_740_992.0], [(1 << 53) + 1, i64::MAX]);
checked!(rule_13_integers_are_narrowed_when_they_fit: u64 => u32, [7 => 7, u64::from(u32::MAX) => u32::MAX], [1 << 32]);
checked!(rule_13_signed_integers_too: i32 => i8, [-128 => -128, 127 => 127], [128, -129]);
checked!(rule_14_doubles_become_singles_when_they_come_back: f64 => f32,
    [0.5 => 0.5, -0.0 => -0.0, f64::INFINITY => f32::INFINITY], [0.1]);
checked!(rule_15_signs_change_when_values_are_on_both_sides: i32 => u32, [0 => 0, i32::MAX => i32::MAX as u32], [-1]);
checked!(rule_15_the_other_way: u8 => i8, [127 => 127], [128]);
checked!(rule_16_bools_become_integers: bool => u8, [false => 0, true => 1], []);
checked!(rule_16_integers_become_bools: u32 => bool, [0 => false, 1 => true], [2]);
checked!(rule_17_floats_become_integers: f64 => i32, [-3.0 => -3, 2_147_483_647.0 => i32::MAX], [0.5, 3e9]);
checked!(rule_18_same_width_is_by_value: f64 => u64, [2.0 => 2], [-1.0]);
checked!(rule_21_a_value_becomes_an_option: u32 => Option<u32>, [0 => Some(0), 9 => Some(9)], []);
checked!(rule_22_an_option_becomes_a_value: Option<u32> => u32, [Some(3) => 3], [None]);
checked!(rule_23_a_value_becomes_an_array_of_one: u16 => [u16; 1], [5 => [5]], []);
checked!(rule_25_arrays_element_by_element: [u16; 3] => [u8; 3], [[1, 2, 255] => [1, 2, 255]], [[1, 256, 0]]);
checked!(rule_26_arrays_grow: [u8; 2] => [u8; 4], [[1, 2] => [1, 2, 0, 0]], []);
checked!(rule_26_arrays_shrink_when_the_rest_is_empty: [u8; 4] => [u8; 2], [[1, 2, 0, 0] => [1, 2]], [[1, 2, 3, 0]]);

#[test]
fn rule_19_texts_and_bytes() {
    it!(old: { pub a: Text });
    it!(new: { pub a: Bytes });
    let stored = Stored::new(|tx| Ok(vec![old::It { a: tx.text("grüße")? }, old::It { a: tx.text("")? }]));
    stored.migrates::<new::It>(|read, records| {
        assert_eq!(&read[read[records[0]].a], "grüße".as_bytes());
        assert_eq!(&read[read[records[1]].a], b"");
    });
    stored.migrates::<old::It>(|read, records| assert_eq!(&read[read[records[0]].a], "grüße"));
    let stored = Stored::new(|tx| Ok(vec![new::It { a: tx.bytes(&[0xff, 0xfe])? }]));
    let refusal = stored.refuses::<old::It>();
    assert!(refusal.contains("UTF-8"), "{refusal}");
}

#[test]
fn rule_20_texts_and_numbers_need_a_hook() {
    it!(old: { pub a: Text });
    it!(new: { pub a: u32 });
    let stored = Stored::new(|tx| Ok(vec![old::It { a: tx.text("12")? }]));
    let refusal = stored.refuses::<new::It>();
    assert!(refusal.contains("hook"), "{refusal}");
}

#[test]
fn rule_23_a_value_becomes_a_list_of_one() {
    it!(old: { pub a: u32 });
    it!(new: { pub a: List<u32> });
    let stored = Stored::new(|_| Ok(vec![old::It { a: 7 }, old::It { a: 8 }]));
    stored.migrates::<new::It>(|read, records| assert_eq!(&read[read[records[1]].a], &[8]));
}

#[test]
fn rule_24_a_list_becomes_its_element() {
    it!(old: { pub a: List<u32> });
    it!(one: { pub a: u32 });
    it!(option: { pub a: Option<u32> });
    let stored = Stored::new(|tx| Ok(vec![old::It { a: tx.list_from([7])? }, old::It { a: tx.list_from([8])? }]));
    stored.migrates::<one::It>(|read, records| assert_eq!(read[records[1]].a, 8));
    let stored = Stored::new(|tx| Ok(vec![old::It { a: tx.list_from([7])? }, old::It { a: tx.list()? }]));
    stored.refuses::<one::It>();
    stored.migrates::<option::It>(|read, records| {
        assert_eq!((read[records[0]].a, read[records[1]].a), (Some(7), None));
    });
    let stored = Stored::new(|tx| Ok(vec![old::It { a: tx.list_from([7, 8])? }]));
    stored.refuses::<option::It>();
}

#[test]
fn rule_25_lists_and_maps_element_by_element() {
    it!(old: { pub a: List<u32>, pub b: Map<u32, u8>, pub c: List<Text>, pub d: SortedMap<Text, List<u16>> });
    it!(new: { pub a: List<u64>, pub b: Map<u32, i32>, pub c: List<Bytes>, pub d: SortedMap<Text, List<u32>> });
    let stored = Stored::new(|tx| {
        let a = tx.list_from(0..1000_u32)?;
        let b = tx.map()?;
        for key in 0..100 {
            b.insert(tx, key, key as u8)?;
        }
        let text = tx.text("text")?;
        let c = tx.list_from([text])?;
        let d = tx.sorted_map()?;
        for name in ["one", "two", "three"] {
            let (key, list) = (tx.text(name)?, tx.list_from([name.len() as u16])?);
            d.insert(tx, key, list)?;
        }
        Ok(vec![old::It { a, b, c, d }])
    });
    stored.migrates::<new::It>(|read, records| {
        let it = &read[records[0]];
        assert!(read[it.a].iter().copied().eq(0..1000));
        assert!((0..100).all(|key| it.b.get(read, &key).unwrap() == Some(&(key as i32))));
        assert_eq!(&read[read[it.c][0]], b"text");
        let list = *it.d.get(read, "three").unwrap().unwrap();
        assert_eq!(&read[list], &[5]);
    });
}

#[test]
fn rule_27_28_29_enum_variants_come_move_and_go() {
    version!(old:
        #[derive(Record, Clone, Copy)] #[repr(u8)] pub enum Kind { A = 1, B(u32) = 2, C { x: u8, y: u64 } = 3, D = 4 }
        #[derive(Record)] pub struct It { pub kind: Kind, pub after: u8 });
    version!(new:
        #[derive(Record, Debug, PartialEq, Clone, Copy)] #[repr(u16)]
        pub enum Kind { C { y: u64, x: u16 } = 7, New = 8, B(u64) = 300, A = 0 }
        #[derive(Record)] pub struct It { pub after: u8, pub kind: Kind });
    use old::Kind as Old;
    let stored = Stored::new(|_| {
        let kinds = [Old::A, Old::B(9), Old::C { x: 1, y: 2 }];
        Ok(kinds.map(|kind| old::It { kind, after: 5 }).into())
    });
    stored.migrates::<new::It>(|read, records| {
        let kinds: Vec<new::Kind> = records.iter().map(|&it| read[it].kind).collect();
        assert_eq!(kinds, [new::Kind::A, new::Kind::B(9), new::Kind::C { y: 2, x: 1 }]);
        assert!(records.iter().all(|&it| read[it].after == 5));
    });
    // A variant in use that is gone.
    let stored = Stored::new(|_| Ok(vec![old::It { kind: Old::D, after: 5 }]));
    let refusal = stored.refuses::<new::It>();
    assert!(refusal.contains('D'), "{refusal}");
}

#[test]
fn rule_31_a_variant_is_renamed() {
    version!(old:
        #[derive(Record)] #[repr(u8)] pub enum Kind { Open, Done }
        #[derive(Record)] pub struct It { pub kind: Kind });
    version!(new:
        #[derive(Record, Debug, PartialEq)] #[repr(u8)] pub enum Kind { #[record(was = "Open")] Todo, Done }
        #[derive(Record)] pub struct It { pub kind: Kind });
    version!(bad:
        #[derive(Record)] #[repr(u8)] pub enum Kind { Todo, Done }
        #[derive(Record)] pub struct It { pub kind: Kind });
    let stored = Stored::new(|_| Ok(vec![old::It { kind: old::Kind::Open }, old::It { kind: old::Kind::Done }]));
    stored.refuses::<bad::It>();
    stored.migrates::<new::It>(|read, records| {
        assert_eq!((&read[records[0]].kind, &read[records[1]].kind), (&new::Kind::Todo, &new::Kind::Done));
    });
}

#[test]
fn rule_33_34_a_type_is_renamed_or_moved() {
    version!(old: #[derive(Record)] pub struct It { pub a: u32, pub next: Option<Ref<It>> });
    version!(new:
        #[derive(Record)] #[record(was = "It")] pub struct Thing { pub a: u32, pub next: Option<Ref<Thing>> });
    version!(moved: pub mod elsewhere {
        use heap::{Record, Ref};
        #[derive(Record)] pub struct It { pub a: u32, pub next: Option<Ref<It>> }
    });
    let stored = Stored::new(|tx| {
        let next = tx.insert(old::It { a: 2, next: None })?;
        Ok(vec![old::It { a: 1, next: Some(next) }])
    });
    stored.migrates::<moved::elsewhere::It>(|read, records| assert_eq!(read[records[0]].a, 1));
    stored.migrates::<new::Thing>(|read, records| {
        let next = read[records[0]].next.unwrap();
        assert_eq!((read[records[0]].a, read[next].a), (1, 2));
    });
}

#[test]
fn rule_35_inline_structs_are_edited_at_any_depth() {
    version!(old:
        #[derive(Record, Clone, Copy)] pub struct Point { pub x: f32, pub y: f32 }
        #[derive(Record, Clone, Copy)] pub struct Line { pub from: Point, pub to: Point, pub width: u8 }
        #[derive(Record)] pub struct It { pub lines: [Line; 2], pub list: List<Line>, pub maybe: Maybe<Line> });
    version!(new:
        #[derive(Record, Clone, Copy, Debug, PartialEq)] pub struct Point { pub y: f64, pub x: f64, pub z: f64 }
        #[derive(Record, Clone, Copy, Debug, PartialEq)] pub struct Line { pub width: u32, pub to: Point, pub from: Point }
        #[derive(Record)] pub struct It { pub maybe: Maybe<Line>, pub list: List<Line>, pub lines: [Line; 2] });
    let point = |x| old::Point { x, y: x + 1.0 };
    let line = |x| old::Line { from: point(x), to: point(x + 10.0), width: x as u8 };
    let stored = Stored::new(|tx| {
        let list = tx.list_from((0..40_u8).map(|x| line(f32::from(x))).collect::<Vec<_>>())?;
        Ok(vec![old::It { lines: [line(1.0), line(2.0)], list, maybe: Maybe::Just(line(3.0)) }])
    });
    use heap::Maybe;
    stored.migrates::<new::It>(|read, records| {
        let point = |x: f64| new::Point { x, y: x + 1.0, z: 0.0 };
        let line = |x: f64| new::Line { from: point(x), to: point(x + 10.0), width: x as u32 };
        let it = &read[records[0]];
        assert_eq!(it.lines, [line(1.0), line(2.0)]);
        assert_eq!(it.maybe, Maybe::Just(line(3.0)));
        assert!(read[it.list].iter().copied().eq((0..40).map(|x| line(f64::from(x)))));
    });
}

#[test]
fn rule_36_fields_move_into_and_out_of_inline_structs() {
    version!(old:
        #[derive(Record)] pub struct Position { pub x: f32, pub y: f32 }
        #[derive(Record)] pub struct It { pub position: Position, pub name: Text });
    version!(new: #[derive(Record)]
        pub struct It { #[record(from = "position.y")] pub top: f32, pub name: Text, #[record(from = "position.x")] pub left: f64 });
    version!(back:
        #[derive(Record)] pub struct Position { #[record(from = "left")] pub x: f64, #[record(from = "top")] pub y: f32 }
        #[derive(Record)] pub struct It { pub position: Position, pub name: Text });
    let stored =
        Stored::new(|tx| Ok(vec![old::It { position: old::Position { x: 1.0, y: 2.0 }, name: tx.text("it")? }]));
    stored.migrates::<new::It>(|read, records| {
        let it = &read[records[0]];
        assert_eq!((it.left, it.top, &read[it.name]), (1.0, 2.0, "it"));
    });
    stored.migrates::<back::It>(|read, records| {
        let it = &read[records[0]];
        assert_eq!((it.position.x, it.position.y, &read[it.name]), (1.0, 2.0, "it"));
    });
}

#[test]
fn rule_37_inline_to_reference_and_back() {
    version!(old:
        #[derive(Record)] pub struct Address { pub street: Text, pub number: u32 }
        #[derive(Record)] pub struct It { pub id: u32, pub address: Address });
    version!(new:
        #[derive(Record)] pub struct Address { pub street: Text, pub number: u32 }
        #[derive(Record)] pub struct It { pub id: u32, pub address: Ref<Address> });
    let stored = Stored::new(|tx| {
        let mut it = |id| -> Result<_> {
            Ok(old::It { id, address: old::Address { street: tx.text(&format!("street {id}"))?, number: id + 1 } })
        };
        Ok(vec![it(1)?, it(2)?])
    });
    stored.migrates::<new::It>(|read, records| {
        for (id, &it) in (1..).zip(records) {
            let address = &read[read[it].address];
            assert_eq!((read[it].id, &read[address.street], address.number), (id, &*format!("street {id}"), id + 1));
        }
    });
    stored.migrates::<old::It>(|read, records| {
        let address = &read[records[1]].address;
        assert_eq!((&read[address.street], address.number), ("street 2", 3));
    });
    // A record that two others refer to cannot lie in both.
    let shared = Stored::new(|tx| {
        let address = new::Address { street: tx.text("shared")?, number: 1 };
        let address = tx.insert(address)?;
        Ok(vec![new::It { id: 1, address }, new::It { id: 2, address }])
    });
    shared.refuses::<old::It>();
}

/// The scan counts references before anything was verified, and walked as many elements as a list said that it has.
#[test]
fn rule_37_a_list_that_is_damaged_is_found_and_walked_no_further() {
    version! { old:
        #[derive(Record)] pub struct It { pub part: Ref<Part>, pub others: List<Ref<It>> }
        #[derive(Record)] pub struct Part { pub number: u64 }
    }
    version! { new:
        #[derive(Record)] pub struct It { pub part: Part, pub others: List<Ref<It>> }
        #[derive(Record, Clone, Copy)] pub struct Part { pub number: u64 }
    }
    let stored = Stored::new(|tx| {
        let part = tx.insert(old::Part { number: 7 })?;
        let inner = old::It { part: tx.insert(old::Part { number: 8 })?, others: tx.list()? };
        let inner = tx.insert(inner)?;
        Ok(vec![old::It { part, others: tx.list_from([inner; 3])? }])
    });
    let sound = std::fs::read(&stored.path).unwrap();
    let handle = {
        let heap = Heap::open(&stored.path).unwrap();
        let read = heap.read();
        let it = read.root::<old::It>("0").unwrap().unwrap();
        read[read[it].others][0].to_bits().to_ne_bytes()
    };
    let at = sound.windows(24).position(|bytes| bytes.chunks_exact(8).all(|word| word == handle)).unwrap();
    for len in [4, 1000, u64::MAX / 8, u64::MAX] {
        let mut damaged = sound.clone();
        damaged[at - 8..at].copy_from_slice(&len.to_ne_bytes());
        turned::sum(&mut damaged);
        std::fs::write(&stored.path, &damaged).unwrap();
        assert!(matches!(Heap::open_as::<new::It>(&stored.path), Err(Error::Corrupt { .. })));
    }
}

version! { addressed:
    #[derive(Record)] pub struct Address { pub street: Text, pub number: u32, pub floors: List<u16>, pub old: Ref<Past> }
    #[derive(Record)] pub struct It { pub id: u32, pub address: Ref<Address>, pub others: List<Ref<Address>> }
    #[derive(Record)] pub struct Past { pub number: u64 }
}
version! { lived_in:
    #[derive(Record)]
    pub struct Address { pub number: u64, pub floors: List<u32>, #[record(default = 7)] pub more: u64, pub street: Text,
        pub old: Ref<Past> }
    #[derive(Record)] pub struct It { pub others: List<Address>, pub id: u32, pub address: Address }
    #[derive(Record)] pub struct Past { pub number: u64 }
}

/// Every third address is nobody's, and stays a record.
fn build_addresses(tx: &mut Transaction<'_>) -> Result<Vec<addressed::It>> {
    let old = tx.insert(addressed::Past { number: 1 })?;
    let address = |tx: &mut Transaction<'_>, number: u32| {
        let (street, floors) = (tx.text(&format!("street {number}"))?, tx.list_from([number as u16, 9])?);
        tx.insert(addressed::Address { street, number, floors, old })
    };
    let mut all = Vec::new();
    for id in 0..100 {
        let mine = address(tx, 10 * id)?;
        let nobodys = address(tx, 10 * id + 1)?;
        tx.set_root(&format!("address {id}"), nobodys)?;
        let others = [address(tx, 10 * id + 2)?, address(tx, 10 * id + 3)?];
        all.push(addressed::It { id, address: mine, others: tx.list_from(others)? });
    }
    Ok(all)
}

#[test]
fn rule_37_a_record_becomes_a_value_while_its_type_changes() {
    let stored = Stored::new(build_addresses);
    stored.migrates::<lived_in::It>(|read, records| {
        let check = |address: &lived_in::Address, number: u32| {
            assert_eq!((&read[address.street], address.number), (&*format!("street {number}"), u64::from(number)));
            assert_eq!((&read[address.floors], address.more), (&[number, 9][..], 7));
            assert_eq!(read[address.old].number, 1);
        };
        assert_eq!(records.len(), 100);
        for (id, &it) in (0..).zip(records) {
            check(&read[it].address, 10 * id);
            let nobodys = read.root::<lived_in::Address>(&format!("address {id}")).unwrap().unwrap();
            check(&read[nobodys], 10 * id + 1);
            let others = &read[read[it].others];
            assert_eq!(others.len(), 2);
            check(&others[0], 10 * id + 2);
            check(&others[1], 10 * id + 3);
        }
    });
    // The records that were taken are gone.
    assert_eq!(Heap::open(&stored.path).unwrap().stats().records, 100 + 100 + 1 + 50);
    // A second reference to any of them, and it is refused as a whole.
    let shared = Stored::new(|tx| {
        let mut all = build_addresses(tx)?;
        all[7].address = tx[all[3].others][1];
        Ok(all)
    });
    let refusal = shared.refuses::<lived_in::It>();
    assert!(refusal.contains("1 of 200 are shared") && refusal.contains("1 of 100 are shared"), "{refusal}");
    assert!(refusal.contains("first It#7"), "{refusal}");
}

#[test]
fn rule_37_a_value_becomes_a_record_while_its_type_changes() {
    version!(old:
        #[derive(Record)] pub struct Address { pub street: Text, pub number: u32, pub floors: List<u16> }
        #[derive(Record)] pub struct Spare { pub spare: Ref<Address> }
        #[derive(Record)] pub struct It { pub id: u32, pub address: Address, pub all: List<Address>, pub spare: Ref<Spare> });
    version!(new:
        #[derive(Record)] pub struct Address { pub number: u64, pub floors: List<u32>, pub street: Bytes, pub more: [u64; 4] }
        #[derive(Record)] pub struct Spare { pub spare: Ref<Address> }
        #[derive(Record)] pub struct It { pub address: Ref<Address>, pub all: List<Ref<Address>>, pub id: u64, pub spare: Ref<Spare> });
    let stored = Stored::new(|tx| {
        let address = |tx: &mut Transaction<'_>, number: u32| -> Result<_> {
            let (street, floors) = (tx.text(&format!("street {number}"))?, tx.list_from([number as u16])?);
            Ok(old::Address { street, number, floors })
        };
        let mut all = Vec::new();
        for id in 0..100 {
            // There are records of the type already, which become others at the same time.
            let spare = address(tx, 1000 + id)?;
            let spare = tx.insert(spare)?;
            let spare = tx.insert(old::Spare { spare })?;
            let list = [address(tx, 100 + id)?, address(tx, 200 + id)?];
            all.push(old::It { id, address: address(tx, id)?, all: tx.list_from(list)?, spare });
        }
        Ok(all)
    });
    stored.migrates::<new::It>(|read, records| {
        let check = |address: heap::Ref<new::Address>, number: u32| {
            let address = &read[address];
            assert_eq!(&read[address.street], format!("street {number}").as_bytes());
            assert_eq!((address.number, &read[address.floors], address.more), (number.into(), &[number][..], [0; 4]));
        };
        for (id, &it) in (0..).zip(records) {
            let it = &read[it];
            assert_eq!(it.id, u64::from(id));
            check(it.address, id);
            check(read[it.all][0], 100 + id);
            check(read[it.all][1], 200 + id);
            check(read[it.spare].spare, 1000 + id);
        }
    });
}

version! { tree:
    #[derive(Record)] pub struct It { pub number: u32, pub kids: List<Ref<It>> }
}
version! { nested:
    #[derive(Record)] pub struct It { pub kids: List<It>, pub number: u64 }
}

#[test]
fn rule_37_records_that_hold_each_other_become_values_in_each_other() {
    let stored = Stored::new(|tx| {
        let mut last = Vec::new();
        for number in 0..40 {
            let kids = tx.list_from(std::mem::take(&mut last))?;
            let leaf = tx.list()?;
            last.push(tx.insert(tree::It { number: 1000 + number, kids: leaf })?);
            last.push(tx.insert(tree::It { number, kids })?);
        }
        Ok(vec![tree::It { number: 40, kids: tx.list_from(last)? }])
    });
    stored.migrates::<nested::It>(|read, records| {
        let mut it = &read[records[0]];
        for number in (0..40).rev() {
            assert_eq!(it.number, number + 1);
            let kids = &read[it.kids];
            assert_eq!((kids.len(), kids[0].number, read[kids[0].kids].len()), (2, 1000 + number, 0));
            it = &kids[1];
        }
        assert_eq!(read[it.kids].len(), 0);
    });
    assert_eq!(Heap::open(&stored.path).unwrap().stats().records, 1 + 50);
}

/// Records that hold each other in a circle, each by its only reference, would be values without an end. To find that
/// out took without an end, too.
#[test]
fn rule_37_a_circle_of_records_is_refused() {
    for count in [1, 2, 5] {
        let stored = Stored::new(|tx| {
            let mut circle = Vec::new();
            for number in 0..count {
                let kids = tx.list()?;
                circle.push(tx.insert(tree::It { number, kids })?);
            }
            for number in 0..count as usize {
                let kids = tx[circle[number]].kids;
                kids.push(tx, circle[(number + 1) % count as usize])?;
            }
            let kids = tx.list()?;
            Ok(vec![tree::It { number: 99, kids }])
        });
        let refusal = stored.refuses::<nested::It>();
        assert!(
            refusal.contains(&format!("{count} of {count} are shared, name no record, or lead in a circle")),
            "{refusal}"
        );
    }
}

/// A hook makes records, and here there would be none.
#[test]
fn rule_37_what_a_hook_makes_is_no_value_of_another() {
    version!(new:
    use heap::{Result, Transaction};
    #[derive(Record)] #[record(hook = longer)]
    pub struct Address { pub street: Text, pub number: u64, pub floors: List<u16>, pub old: Ref<Past> }
    #[derive(Record)] #[record(name = "Address")]
    pub struct Before { pub street: Text, pub number: u32, pub floors: List<u16>, pub old: Ref<Past> }
    #[derive(Record)] pub struct It { pub id: u32, pub address: Address, pub others: List<Ref<Address>> }
    #[derive(Record)] pub struct Past { pub number: u64 }
    fn longer(old: &Before, _: &mut Transaction<'_>) -> Result<Address> {
        Ok(Address { street: old.street, number: old.number.into(), floors: old.floors, old: old.old })
    });
    let refusal = Stored::new(build_addresses).refuses::<new::It>();
    assert!(refusal.contains("It: holds a Address by value, and only a hook makes those"), "{refusal}");
    assert!(refusal.contains("hook for It"), "{refusal}");
}

#[test]
fn rule_38_a_type_is_split_by_a_hook() {
    version!(old: #[derive(Record)] pub struct It { pub name: Text, pub street: Text, pub number: u32 });
    version!(new:
    use heap::{Result, Transaction};
    #[derive(Record)] pub struct Address { pub street: Text, pub number: u32 }
    #[derive(Record)] #[record(hook = split)] pub struct It { pub name: Text, pub address: Ref<Address> }
    #[derive(Record)] #[record(name = "It")] pub struct Before { pub name: Text, pub street: Text, pub number: u32 }
    fn split(old: &Before, tx: &mut Transaction<'_>) -> Result<It> {
        let address = tx.insert(Address { street: old.street, number: old.number })?;
        Ok(It { name: old.name, address })
    });
    let stored = Stored::new(|tx| {
        let mut all = Vec::new();
        for number in 0..500 {
            let (name, street) = (tx.text(&format!("name {number}"))?, tx.text(&format!("street {number}"))?);
            all.push(old::It { name, street, number });
        }
        Ok(all)
    });
    stored.migrates::<new::It>(|read, records| {
        assert_eq!(records.len(), 500);
        for (number, &it) in (0..).zip(records) {
            let address = &read[read[it].address];
            assert_eq!(&read[read[it].name], format!("name {number}"));
            assert_eq!((&read[address.street], address.number), (&*format!("street {number}"), number));
        }
    });
}

#[test]
fn rule_39_a_default_changes() {
    it!(old: { pub a: u8, #[record(default = 1)] pub b: u8 });
    it!(new: { pub a: u8, #[record(default = 2)] pub b: u8 });
    let stored = Stored::new(|_| Ok(vec![old::It { a: 1, b: 1 }]));
    stored.migrates::<new::It>(|read, records| assert_eq!(read[records[0]].b, 1));
}

#[test]
fn rule_40_a_secret_stays_one_until_somebody_says_otherwise() {
    it!(old: { pub a: u8, #[record(secret)] pub token: Text });
    it!(new: { pub a: u64, pub token: Text });
    let is_secret = |stored: &Stored| match &Heap::open(&stored.path).unwrap().schema().get("It").unwrap().body {
        migrate::Body::Struct(fields) => fields.iter().any(|field| field.attributes.secret.is_some()),
        migrate::Body::Enum { .. } => unreachable!("it is a struct"),
    };
    let stored = Stored::new(|tx| Ok(vec![old::It { a: 1, token: tx.text("hush")? }]));
    stored.migrates::<new::It>(|read, records| assert_eq!(&read[read[records[0]].token], "hush"));
    assert!(is_secret(&stored), "a dump would show the values");
    let stored = Stored::new(|tx| Ok(vec![old::It { a: 1, token: tx.text("hush")? }]));
    let answers = Answers::from_toml("[It]\nunsecret = [\"token\"]").unwrap();
    let types = Some(Types::of::<new::It>().unwrap());
    drop(Heap::open_with(&stored.path, Options { types, answers, ..Options::default() }).unwrap());
    assert!(!is_secret(&stored), "somebody said that they may");
}

#[test]
fn rule_41_a_type_that_the_program_does_not_name_stays() {
    version!(old:
        #[derive(Record)] pub struct Extra { pub a: u32 }
        #[derive(Record)] pub struct It { pub a: u32, pub extra: Option<Ref<Extra>> });
    it!(new: #[record(dropped("extra"))] { pub a: u64 });
    let stored = Stored::new(|tx| {
        let extra = tx.insert(old::Extra { a: 77 })?;
        tx.set_root("extra", extra)?;
        Ok(vec![old::It { a: 1, extra: Some(extra) }])
    });
    stored.migrates::<new::It>(|read, records| assert_eq!(read[records[0]].a, 1));
    let heap = Heap::open(&stored.path).unwrap();
    let read = heap.read();
    let extra = read.root::<old::Extra>("extra").unwrap().unwrap();
    assert_eq!(read[extra].a, 77);
}

#[test]
fn rule_42_keys_of_maps_change_when_they_stay_unique() {
    it!(old: { pub a: Map<u32, Text>, pub b: SortedMap<i64, u8> });
    it!(new: { pub a: SortedMap<u64, Text>, pub b: Map<i16, u8> });
    let build = |last: i64| {
        move |tx: &mut Transaction<'_>| {
            let (a, b) = (tx.map()?, tx.sorted_map()?);
            for key in 0..200 {
                let text = tx.text(&key.to_string())?;
                a.insert(tx, key, text)?;
                b.insert(tx, i64::from(key), key as u8)?;
            }
            b.insert(tx, last, 1)?;
            Ok(vec![old::It { a, b }])
        }
    };
    let stored = Stored::new(build(-5));
    stored.migrates::<new::It>(|read, records| {
        let it = &read[records[0]];
        for key in 0..200_u64 {
            let text = *it.a.get(read, &key).unwrap().unwrap();
            assert_eq!(&read[text], key.to_string());
            assert_eq!(it.b.get(read, &(key as i16)).unwrap(), Some(&(key as u8)));
        }
        assert_eq!(it.b.get(read, &-5).unwrap(), Some(&1));
    });
    Stored::new(build(1 << 40)).refuses::<new::It>();
}

/// Lists of entries, and maps of the same keys and values.
macro_rules! entries {
    ($old:ident, $new:ident) => {
        version! { $old:
            #[derive(Record, Clone, Copy)] pub struct Named { pub value: List<Ref<Leaf>>, pub key: Text }
            #[derive(Record, Clone, Copy)] pub struct Counted { pub key: i16, pub value: u8 }
            #[derive(Record)] pub struct Leaf { pub number: u32 }
            #[derive(Record)] pub struct It { pub a: List<Named>, pub b: List<Counted>, pub c: Maybe<List<Counted>> }
        }
        version! { $new:
            #[derive(Record)] pub struct Leaf { pub number: u32 }
            #[derive(Record)]
            pub struct It { pub a: Map<Text, List<Ref<Leaf>>>, pub b: SortedMap<i32, u16>, pub c: Maybe<Map<i16, u8>> }
        }
    };
}

#[test]
fn rule_42_lists_of_entries_become_maps() {
    entries!(old, new);
    use heap::Maybe;
    /// Every leaf is in the lists of two entries. `last` is the last key of `b`.
    fn build(last: i16) -> impl FnOnce(&mut Transaction<'_>) -> Result<Vec<old::It>> {
        move |tx| {
            let mut all = Vec::new();
            for it in 0..3 {
                let mut leaves = Vec::new();
                for number in 0..60 {
                    leaves.push(tx.insert(old::Leaf { number: 100 * it + number })?);
                }
                let mut entries = Vec::new();
                for number in 0..60_usize {
                    let key = tx.text(&format!("key {number}"))?;
                    let value = tx.list_from([leaves[number], leaves[59 - number]])?;
                    entries.push(old::Named { value, key });
                }
                let counted = |key| old::Counted { key, value: (key & 0x7f) as u8 };
                let last = if it == 1 { last } else { -300 };
                let b = tx.list_from((0..200).rev().chain([last]).map(counted).collect::<Vec<_>>())?;
                let c = if it == 2 { Maybe::Nothing } else { Maybe::Just(tx.list_from([counted(9), counted(-1)])?) };
                all.push(old::It { a: tx.list_from(entries)?, b, c });
            }
            Ok(all)
        }
    }
    Stored::new(build(-7)).migrates::<new::It>(|read, records| {
        for (number, &it) in (0..).zip(records) {
            let it = &read[it];
            for key in 0..60_u32 {
                let list = *it.a.get(read, &format!("key {key}")).unwrap().unwrap();
                let leaves: Vec<u32> = read[list].iter().map(|&leaf| read[leaf].number).collect();
                assert_eq!(leaves, [100 * number + key, 100 * number + 59 - key]);
            }
            assert_eq!(it.b.len(read).unwrap(), 201);
            assert!((0..200).all(|key| it.b.get(read, &key).unwrap() == Some(&(key as u16 & 0x7f))));
            match it.c {
                Maybe::Just(map) => assert_eq!(map.get(read, &-1).unwrap(), Some(&0x7f)),
                Maybe::Nothing => assert_eq!(number, 2),
            }
        }
    });
    let refusal = Stored::new(build(17)).refuses::<new::It>();
    assert!(refusal.contains("It.b: 1 of 3 have a key twice, first It#1: 17 is there 2 times"), "{refusal}");
}

#[test]
fn rule_42_maps_become_lists_of_entries_in_the_order_of_their_keys() {
    entries!(new, old);
    use heap::Maybe;
    let build = |most: i32| {
        move |tx: &mut Transaction<'_>| {
            let (a, b, c) = (tx.map()?, tx.sorted_map()?, tx.map()?);
            for number in 0..60_u32 {
                let leaf = tx.insert(old::Leaf { number })?;
                let (key, value) = (tx.text(&format!("key {}", 59 - number))?, tx.list_from([leaf, leaf])?);
                a.insert(tx, key, value)?;
                b.insert(tx, 30 - number as i32, 255)?;
                c.insert(tx, 30 - number as i16, 7)?;
            }
            b.insert(tx, most, 255)?;
            Ok(vec![old::It { a, b, c: Maybe::Just(c) }])
        }
    };
    let stored = Stored::new(build(1000));
    stored.migrates::<new::It>(|read, records| {
        let it = &read[records[0]];
        let mut names: Vec<String> = (0..60).map(|number| format!("key {number}")).collect();
        names.sort();
        assert!(read[it.a].iter().map(|entry| read[entry.key].to_owned()).eq(names));
        for entry in &read[it.a] {
            let leaves: Vec<u32> = read[entry.value].iter().map(|&leaf| read[leaf].number).collect();
            assert_eq!(read[entry.key], format!("key {}", 59 - leaves[0]));
            assert_eq!(leaves[0], leaves[1]);
        }
        assert!(
            read[it.b].iter().map(|entry| (entry.key, entry.value)).eq((-29..=30).chain([1000]).map(|key| (key, 255)))
        );
        let Maybe::Just(c) = it.c else { panic!("it is there") };
        assert!(read[c].iter().map(|entry| (entry.key, entry.value)).eq((-29..=30).map(|key| (key, 7))));
    });
    // And back again: every key is there once.
    stored.migrates::<old::It>(|read, records| {
        let it = &read[records[0]];
        assert_eq!(it.b.get(read, &1000).unwrap(), Some(&255));
        assert_eq!(read[*it.a.get(read, "key 3").unwrap().unwrap()].len(), 2);
    });
    let refusal = Stored::new(build(1 << 20)).refuses::<new::It>();
    assert!(refusal.contains("1 of 61 do not fit, first It#0: 1048576"), "{refusal}");
}

#[test]
fn rule_44_what_is_not_layout_changes_nothing() {
    it!(old: { pub a: u8, pub b: u64 });
    it!(new:
        /// Now with words.
        { pub a: u8, /** And more. */ pub b: u64 });
    let stored = Stored::new(|_| Ok(vec![old::It { a: 1, b: 2 }]));
    let sequence = |stored: &Stored| Heap::open(&stored.path).unwrap().stats().sequence;
    let before = sequence(&stored);
    stored.migrates::<new::It>(|read, records| assert_eq!(read[records[0]].b, 2));
    assert_eq!(sequence(&stored), before);
}

#[test]
fn rule_45_a_heap_of_another_byte_order_is_transcoded() {
    it!(old: { pub a: u16, pub b: f64, pub c: [i32; 3], pub d: Option<char>, pub e: List<u64>, pub f: SortedMap<i16, u32> });
    it!(same: { pub a: u16, pub b: f64, pub c: [i32; 3], pub d: Option<char>, pub e: List<u64>, pub f: SortedMap<i16, u32> });
    it!(new: { pub a: u64, pub b: f64, pub c: [i32; 3], pub d: Option<char>, pub e: List<u64>, pub f: SortedMap<i16, u32> });
    it!(lossy: { pub a: u8, pub b: f64, pub c: [i32; 3], pub d: Option<char>, pub e: List<u64>, pub f: SortedMap<i16, u32> });
    fn scattered(key: i16) -> i16 {
        (i32::from(key) * 7919 % 1009 - 500) as i16
    }
    let stored = Stored::new(|tx| {
        (0..40_u64)
            .map(|n| {
                let (e, f) = (tx.list_from(vec![n << 33 | n; n as usize])?, tx.sorted_map()?);
                for key in 0..n as i16 * 4 {
                    f.insert(tx, scattered(key), key as u32 + 0x0a0b_0000)?;
                }
                let d = (n % 2 == 0).then_some('é');
                Ok(old::It { a: 0x0102 + n as u16, b: 0.1 * n as f64, c: [n as i32, -1, 0x0102_0304], d, e, f })
            })
            .collect()
    });
    let foreign = turned::turned(&std::fs::read(&stored.path).unwrap());
    std::fs::write(&stored.path, &foreign).unwrap();
    // A refusal comes before anything is transcoded.
    assert!(stored.refuses::<lossy::It>().contains("It.a"));
    macro_rules! check {
        ($module:ident) => {
            stored.migrates::<$module::It>(|read, records| {
                for (n, &it) in (0_u64..).zip(records) {
                    let $module::It { a, b, c, d, e, f } = read[it];
                    assert_eq!((u64::from(a), b, c), (0x0102 + n, 0.1 * n as f64, [n as i32, -1, 0x0102_0304]));
                    assert_eq!((d, &read[e]), ((n % 2 == 0).then_some('é'), &vec![n << 33 | n; n as usize][..]));
                    let keys: Vec<i16> = f.iter(read).unwrap().map(|(key, _)| *key).collect();
                    assert!(keys.is_sorted() && keys.len() as u64 == n * 4);
                    for key in 0..n as i16 * 4 {
                        let value = f.get(read, &scattered(key)).unwrap();
                        assert_eq!(value, Some(&(key as u32 + 0x0a0b_0000)));
                    }
                }
            });
        };
    }
    check!(same);
    heap::rollback(&stored.path).unwrap();
    // Type and byte order at once.
    check!(new);
    let history = Heap::open(&stored.path).unwrap().history().unwrap();
    assert_eq!(history.receipts.len(), 3);
    assert!(history.receipts.iter().all(|receipt| receipt.byte_order.is_some()));
}
