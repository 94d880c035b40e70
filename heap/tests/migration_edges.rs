//! What a migration could break, and does not: tables that shrink and grow on, types that come and go, hooks that do as
//! they like, upgrades that fail. Each of these once did.
#![allow(unreachable_pub, missing_docs, reason = "types are declared in modules, one for each version")]

mod one_heap;

use std::panic::{AssertUnwindSafe, catch_unwind};

use heap::{Error, Heap, OnProgress, Options, Progress, Reader as _, Types};
use migrate::Answers;
use one_heap::{Folder, open, open_answered};

mod narrow {
    #[derive(heap::Record)]
    pub struct Part {
        pub number: u64,
    }

    #[derive(heap::Record)]
    pub struct Other {
        pub number: u64,
    }
}

mod wide {
    pub use super::narrow::Other;

    #[derive(heap::Record)]
    pub struct Part {
        pub number: u64,
        pub more: [u64; 15],
    }
}

#[test]
fn a_table_whose_records_shrank_grows_on() {
    let folder = Folder::new();
    let heap = open::<wide::Part>(&folder.heap());
    let mut tx = heap.write().unwrap();
    for number in 0..10 {
        tx.insert(wide::Part { number, more: [number; 15] }).unwrap();
    }
    tx.commit().unwrap();
    drop(heap);
    let heap = open_answered::<narrow::Part>(&folder.heap(), "[Part]\ndrop = [\"more\"]").unwrap();
    let mut tx = heap.write().unwrap();
    let parts: Vec<_> = (0..100_000).map(|number| tx.insert(narrow::Part { number }).unwrap()).collect();
    for (number, &part) in (0..).zip(&parts) {
        assert_eq!(tx.get(part).unwrap().number, number);
    }
    tx.commit().unwrap();
    drop(heap);
    let heap = open::<narrow::Part>(&folder.heap());
    assert_eq!(heap.read().count::<narrow::Part>().unwrap(), 100_010);
}

#[test]
fn a_table_without_a_region_grows_beside_another() {
    let folder = Folder::new();
    let heap = open::<(narrow::Part, narrow::Other)>(&folder.heap());
    let mut tx = heap.write().unwrap();
    // To count makes the table, and no region.
    assert_eq!(tx.records::<narrow::Part>().unwrap().len(), 0);
    tx.insert(narrow::Other { number: 7 }).unwrap();
    tx.commit().unwrap();
    drop(heap);
    let heap = open::<(wide::Part, wide::Other)>(&folder.heap());
    let mut tx = heap.write().unwrap();
    let mut pairs = Vec::new();
    for number in 0..50_000 {
        let part = tx.insert(wide::Part { number, more: [number; 15] }).unwrap();
        pairs.push((part, tx.insert(wide::Other { number }).unwrap()));
    }
    for (number, (part, other)) in (0..).zip(pairs) {
        assert_eq!((tx[part].number, tx[part].more, tx[other].number), (number, [number; 15], number));
    }
}

mod referring {
    use heap::Ref;

    #[derive(heap::Record)]
    pub struct Holder {
        pub part: Ref<Inner>,
    }

    #[derive(heap::Record)]
    pub struct Inner {
        pub one: u32,
        pub two: u32,
    }
}

mod holding {
    #[derive(heap::Record)]
    pub struct Holder {
        pub part: Inner,
    }

    #[derive(heap::Record)]
    pub struct Inner {
        pub two: u64,
        pub one: u64,
    }
}

#[test]
fn a_record_changes_and_becomes_a_value_in_one_step() {
    let folder = Folder::new();
    let heap = open::<referring::Holder>(&folder.heap());
    let mut tx = heap.write().unwrap();
    let part = tx.insert(referring::Inner { one: 1, two: 2 }).unwrap();
    tx.root_or_insert("holder", |_| Ok(referring::Holder { part })).unwrap();
    tx.commit().unwrap();
    drop(heap);
    let heap = open::<holding::Holder>(&folder.heap());
    let (read, records) = (heap.read(), heap.stats().records);
    let holder = read.root::<holding::Holder>("holder").unwrap().unwrap();
    assert_eq!((read[holder].part.one, read[holder].part.two, records), (1, 2, 1));
    drop(read);
    drop(heap);
    // And the way back brings the record, and its reference, again.
    heap::rollback(folder.heap()).unwrap();
    let heap = open::<referring::Holder>(&folder.heap());
    let read = heap.read();
    let holder = read.root::<referring::Holder>("holder").unwrap().unwrap();
    assert_eq!((read[read[holder].part].one, read[read[holder].part].two), (1, 2));
}

mod failing {
    use heap::{Result, Transaction};

    #[derive(heap::Record)]
    #[record(hook = fail)]
    pub struct Part {
        pub number: u128,
    }

    #[derive(heap::Record)]
    #[record(name = "Part")]
    pub struct Before {
        pub number: u64,
    }

    fn fail(before: &Before, _: &mut Transaction<'_>) -> Result<Part> {
        panic!("not {}", before.number)
    }
}

#[test]
fn an_upgrade_that_fails_keeps_the_lock_and_the_heap() {
    let folder = Folder::new();
    let mut heap = open::<narrow::Part>(&folder.heap());
    let mut tx = heap.write().unwrap();
    let part = tx.insert(narrow::Part { number: 1 }).unwrap();
    tx.commit().unwrap();
    let failed = heap.upgrade(Types::of::<failing::Part>().unwrap());
    assert!(matches!(failed, Err(Error::Hook { .. })), "{failed:?}");
    assert!(matches!(Heap::open(folder.heap()), Err(Error::Busy { .. })), "two writers");
    let mut tx = heap.write().unwrap();
    tx[part].number += 1;
    tx.commit().unwrap();
}

#[test]
fn a_heap_whose_upgrade_was_left_half_way_is_not_used_any_more() {
    let folder = Folder::new();
    let on_progress = OnProgress::new(|progress| assert!(progress != Progress::Committed, "enough"));
    let options = Options { on_progress: Some(on_progress), ..Options::default() };
    let mut heap = Heap::open_with(folder.heap(), options).unwrap();
    let mut tx = heap.write().unwrap();
    tx.insert(narrow::Part { number: 1 }).unwrap();
    tx.commit().unwrap();
    let types = Types::of::<wide::Part>().unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| heap.upgrade(types))).is_err());
    assert!(matches!(heap.write(), Err(Error::Poisoned(_))));
    drop(heap);
    assert_eq!(open::<wide::Part>(&folder.heap()).read().count::<wide::Part>().unwrap(), 1);
}

mod held {
    #[derive(heap::Record)]
    pub struct Inner {
        pub number: u32,
    }

    #[derive(heap::Record)]
    pub struct Outer {
        pub inner: Inner,
    }
}

mod grown {
    #[derive(heap::Record)]
    pub struct Inner {
        pub number: u64,
        pub more: u64,
    }

    #[derive(heap::Record)]
    pub struct Outer {
        pub inner: Inner,
    }
}

/// Its table stays, with nothing in it, under the layout that it had; the layout and the type come back apart.
#[test]
fn a_type_that_nobody_names_comes_and_goes() {
    let folder = Folder::new();
    let heap = open::<held::Outer>(&folder.heap());
    let mut tx = heap.write().unwrap();
    tx.insert(held::Inner { number: 1 }).unwrap();
    let outer = tx.insert(held::Outer { inner: held::Inner { number: 2 } }).unwrap();
    tx.commit().unwrap();
    let mut tx = heap.write().unwrap();
    tx.remove(outer).unwrap();
    tx.commit().unwrap();
    drop(heap);
    drop(open::<grown::Inner>(&folder.heap()));
    for round in 1..4 {
        let heap = open_answered::<held::Outer>(&folder.heap(), "[Inner]\ndrop = [\"more\"]").unwrap();
        let mut tx = heap.write().unwrap();
        tx.insert(held::Outer { inner: held::Inner { number: 3 } }).unwrap();
        tx.commit().unwrap();
        drop(heap);
        for _ in 0..2 {
            // What was dropped does not come back as nothing unless somebody says so.
            let heap = open_answered::<grown::Outer>(&folder.heap(), "[Inner]\ndefault = { more = \"0\" }").unwrap();
            let read = heap.read();
            assert_eq!(read.count::<grown::Outer>().unwrap(), round);
            assert!(read.iter::<grown::Outer>().unwrap().all(|(_, outer)| outer.inner.number == 3));
            assert_eq!(read.count::<grown::Inner>().unwrap(), 1);
        }
    }
}

/// Types that come and go with their records.
mod audits {
    use heap::{Bytes, List, Map, Record, Ref, Text};

    #[derive(Record)]
    pub struct Part {
        pub number: u64,
    }

    #[derive(Record)]
    pub struct Audit {
        pub note: Text,
        pub tags: List<Text>,
        pub counts: Map<Text, u64>,
        pub data: Bytes,
        pub part: Ref<Part>,
        pub before: Option<Ref<Audit>>,
    }

    pub mod held {
        use heap::{Record, Ref};

        #[derive(Record)]
        pub struct Holder {
            pub audit: Option<Ref<super::Audit>>,
        }
    }

    pub mod freed {
        use heap::Record;

        #[derive(Record)]
        #[record(dropped("audit"))]
        pub struct Holder {
            pub number: u64,
        }
    }
}

#[test]
fn a_type_is_dropped_with_its_records_by_an_answer() {
    use audits::{Audit, Part, freed, held};
    let folder = Folder::new();
    let heap = open::<(Part, Audit, held::Holder)>(&folder.heap());
    let mut tx = heap.write().unwrap();
    let part = tx.insert(Part { number: 1 }).unwrap();
    let mut before = None;
    for number in 0..500 {
        let (note, tags, counts) = (tx.text("a note of some length").unwrap(), tx.list().unwrap(), tx.map().unwrap());
        for tag in 0..number % 40 {
            let tag = tx.text(&format!("a tag of some length {tag}")).unwrap();
            tags.push(&mut tx, tag).unwrap();
        }
        let key = tx.text(&format!("a key of some length {number}")).unwrap();
        counts.insert(&mut tx, key, number).unwrap();
        // Some have extents of their own.
        let data = tx.bytes(&vec![7; if number == 3 { 5 << 20 } else { number as usize }]).unwrap();
        before = Some(tx.insert(Audit { note, tags, counts, data, part, before }).unwrap());
    }
    tx.set_root("last", before.unwrap()).unwrap();
    tx.set_root("part", part).unwrap();
    tx.insert(held::Holder { audit: before }).unwrap();
    tx.commit().unwrap();
    drop(heap);

    let answers = "drop_types = [\"Audit\"]";
    // The heap's other types, named or not, still speak of it; or the program does.
    let refused = open_answered::<Part>(&folder.heap(), answers).unwrap_err();
    assert!(refused.to_string().contains("Holder holds or refers to some"), "{refused}");
    let refused = open_answered::<Audit>(&folder.heap(), answers).unwrap_err();
    assert!(refused.to_string().contains("the program has a type of this name"), "{refused}");
    assert_eq!(open::<(Part, Audit)>(&folder.heap()).stats().records, 502);

    let heap = open_answered::<(Part, freed::Holder)>(&folder.heap(), answers).unwrap();
    assert_eq!(heap.stats().records, 2);
    let read = heap.read();
    assert_eq!(read.root_names(), ["part"]);
    assert_eq!(read[read.root::<Part>("part").unwrap().unwrap()].number, 1);
    drop(read);
    let receipt = heap.history().unwrap().receipts.pop().unwrap();
    let audit = receipt.types.iter().find(|told| told.name == "Audit").unwrap();
    assert_eq!(
        (audit.records, &audit.census[..]),
        (500, &["- the type and its records".to_owned(), "- the root \"last\"".to_owned()][..])
    );
    drop(heap);
    // What they owned went with them, and what is left is a heap.
    let heap = open::<(Part, freed::Holder)>(&folder.heap());
    assert_eq!(heap.stats().slots_live, 2);
    drop(heap);

    heap::rollback(folder.heap()).unwrap();
    let heap = open::<(Part, Audit, held::Holder)>(&folder.heap());
    let read = heap.read();
    let mut last = Some(read.root::<Audit>("last").unwrap().unwrap());
    let mut count = 0;
    while let Some(audit) = last {
        let audit = &read[audit];
        assert_eq!((&read[audit.note], read[audit.part].number), ("a note of some length", 1));
        last = audit.before;
        count += 1;
    }
    assert_eq!(count, 500);
    drop(read);
    drop(heap);

    // Without another change of types, too; and the type comes back as a new one.
    drop(open_answered::<freed::Holder>(&folder.heap(), answers).unwrap());
    heap::keep(folder.heap()).unwrap();
    let heap = open::<(Part, Audit, freed::Holder)>(&folder.heap());
    assert_eq!((heap.stats().records, heap.read().count::<Audit>().unwrap()), (2, 0));
    let mut tx = heap.write().unwrap();
    let part = tx.root::<Part>("part").unwrap().unwrap();
    let (note, tags, counts) = (tx.text("new").unwrap(), tx.list().unwrap(), tx.map().unwrap());
    tx.insert(Audit { note, tags, counts, data: heap::Bytes::EMPTY, part, before: None }).unwrap();
    tx.commit().unwrap();
    drop(heap);
    let heap = open_answered::<(Part, freed::Holder)>(&folder.heap(), answers).unwrap();
    assert_eq!(heap.stats().records, 2);
}

mod chained {
    use heap::{List, Ref, Text};

    #[derive(heap::Record)]
    pub struct Node {
        pub number: u32,
        pub name: Text,
        pub next: Option<Ref<Node>>,
        pub words: List<Text>,
    }
}

mod busy {
    use heap::{List, Ref, Result, Text, Transaction};

    #[derive(heap::Record)]
    #[record(hook = make)]
    pub struct Node {
        pub number: u64,
        pub name: Text,
        pub next: Option<Ref<Node>>,
        pub words: List<Text>,
        pub extra: Option<Ref<Node>>,
    }

    /// Another name than the type's, and a reference to what it becomes.
    #[derive(heap::Record)]
    pub struct Before {
        pub number: u32,
        pub name: Text,
        pub next: Option<Ref<Node>>,
        pub words: List<Text>,
    }

    /// Makes further nodes, removes some that were made, and exchanges texts with others.
    fn make(before: &Before, tx: &mut Transaction<'_>) -> Result<Node> {
        let number = u64::from(before.number);
        let mut node = Node { number, name: before.name, next: before.next, words: before.words, extra: None };
        if number.is_multiple_of(7) {
            let (name, words) = (tx.text("extra")?, tx.list()?);
            let extra = Node { number: 1_000_000 + number, name, next: None, words, extra: None };
            node.extra = Some(tx.insert(extra)?);
        }
        let made = tx.records::<Node>()?;
        if let Some(&other) = made.iter().find(|&&node| tx[node].number % 13 == 3)
            && number.is_multiple_of(5)
        {
            node.name = std::mem::replace(&mut tx[other].name, before.name);
            let word = tx.text("pushed")?;
            tx[other].words.push(tx, word)?;
        }
        if let Some(&other) = made.iter().find(|&&node| tx[node].number % 13 == 12)
            && number.is_multiple_of(11)
        {
            tx.remove(other)?;
        }
        Ok(node)
    }
}

#[test]
fn a_hook_does_as_it_likes() {
    let folder = Folder::new();
    let heap = open::<chained::Node>(&folder.heap());
    let mut tx = heap.write().unwrap();
    let mut next = None;
    for number in 0..500 {
        let (name, word) = (tx.text(&format!("name {number}")).unwrap(), tx.text("word").unwrap());
        let words = tx.list_from([word]).unwrap();
        next = Some(tx.insert(chained::Node { number, name, next, words }).unwrap());
    }
    tx.commit().unwrap();
    drop(heap);
    let show = |heap: &Heap| {
        let read = heap.read();
        let nodes = read.iter::<busy::Node>().unwrap();
        let words = |node: &busy::Node| read[node.words].iter().map(|&word| read[word].to_owned()).collect::<Vec<_>>();
        nodes.map(|(_, node)| (node.number, read[node.name].to_owned(), words(node))).collect::<Vec<_>>()
    };
    let heap = open::<busy::Node>(&folder.heap());
    let first = show(&heap);
    assert!(first.len() > 500 && first.iter().any(|(_, _, words)| words.len() > 1));
    drop(heap);
    assert_eq!(show(&open::<busy::Node>(&folder.heap())), first, "a heap written by safe code always opens");
    heap::rollback(folder.heap()).unwrap();
    assert_eq!(open::<chained::Node>(&folder.heap()).read().count::<chained::Node>().unwrap(), 500);
}

mod swapping {
    use std::sync::OnceLock;

    use heap::{Heap, Result, Transaction};

    pub static OTHER: OnceLock<&'static Heap> = OnceLock::new();

    #[derive(heap::Record)]
    #[record(hook = swap)]
    pub struct Part {
        pub number: u64,
        pub mark: u64,
    }

    #[derive(heap::Record)]
    #[record(name = "Part")]
    pub struct Before {
        pub number: u64,
    }

    fn swap(before: &Before, tx: &mut Transaction<'_>) -> Result<Part> {
        if before.number == 1 {
            let taken = std::mem::replace(tx, OTHER.get().unwrap().write()?);
            assert!(taken.commit().is_err(), "half a migration");
        }
        Ok(Part { number: before.number, mark: u64::MAX })
    }
}

#[derive(heap::Record)]
struct Bools {
    bools: [bool; 24],
}

#[test]
fn a_hook_cannot_put_another_heaps_transaction_in_the_place_of_its_own() {
    let folder = Folder::new();
    let other: &Heap = Box::leak(Box::new(open::<Bools>(&folder.heap().with_file_name("other.heap"))));
    let mut tx = other.write().unwrap();
    let bools: Vec<_> = (0..1000).map(|_| tx.insert(Bools { bools: [true; 24] }).unwrap()).collect();
    tx.commit().unwrap();
    swapping::OTHER.set(other).unwrap();
    let heap = open::<narrow::Part>(&folder.heap());
    let mut tx = heap.write().unwrap();
    for number in 0..100 {
        tx.insert(narrow::Part { number }).unwrap();
    }
    tx.commit().unwrap();
    drop(heap);
    let failed = Heap::open_as::<swapping::Part>(folder.heap());
    assert!(matches!(failed, Err(Error::Hook { .. })), "{failed:?}");
    let read = other.read();
    assert!(bools.iter().all(|&it| read[it].bools == [true; 24]));
    assert_eq!(open::<narrow::Part>(&folder.heap()).read().count::<narrow::Part>().unwrap(), 100);
}

/// An unnamed type that holds another one by value.
mod around {
    use heap::Record;

    #[derive(Record, Debug, Clone, Copy, PartialEq)]
    pub struct Inner {
        pub number: u32,
    }

    #[derive(Record)]
    pub struct Outer {
        pub inner: Inner,
    }
}

#[test]
fn an_unnamed_type_keeps_what_lies_in_it() {
    let folder = Folder::new();
    let heap = open::<(narrow::Part, around::Outer)>(&folder.heap());
    let mut tx = heap.write().unwrap();
    tx.insert(narrow::Part { number: 1 }).unwrap();
    tx.insert(around::Outer { inner: around::Inner { number: 2 } }).unwrap();
    tx.commit().unwrap();
    drop(heap);
    // Once the other type changed, the one inside was looked for under a former name.
    drop(open::<wide::Part>(&folder.heap()));
    let heap = open::<(wide::Part, around::Outer)>(&folder.heap());
    let read = heap.read();
    assert!(read.iter::<around::Outer>().unwrap().all(|(_, outer)| outer.inner.number == 2));
}

/// Hooks whose records are each a value of their type, and no heap together.
mod wrong {
    use std::cell::Cell;

    use heap::{Heap, List, OldRecord, Record, Ref, Result, Text, Transaction};

    #[derive(Record)]
    #[record(name = "Node")]
    pub struct Old {
        pub number: u64,
    }

    #[derive(Record)]
    pub struct Other {
        pub number: u64,
    }

    /// Two records own one text.
    #[derive(Record)]
    #[record(hook = share, name = "Node")]
    pub struct Shared {
        pub number: u64,
        pub text: Text,
    }

    /// A record owns one list twice.
    #[derive(Record)]
    #[record(hook = double, name = "Node")]
    pub struct Doubled {
        pub number: u64,
        pub one: List<u64>,
        pub other: List<u64>,
    }

    /// A reference leads into another heap.
    #[derive(Record)]
    #[record(hook = lead_away, name = "Node")]
    pub struct Strange {
        pub other: Ref<Other>,
        pub name: Text,
    }

    thread_local! {
        static FIRST: Cell<Option<Text>> = const { Cell::new(None) };
    }

    fn share(old: &OldRecord<'_>, tx: &mut Transaction<'_>) -> Result<Shared> {
        let text = match FIRST.get() {
            Some(text) => text,
            None => tx.text("a text of some length")?,
        };
        FIRST.set(Some(text));
        Ok(Shared { number: old.get("number")?, text })
    }

    fn double(old: &OldRecord<'_>, tx: &mut Transaction<'_>) -> Result<Doubled> {
        let one = tx.list()?;
        Ok(Doubled { number: old.get("number")?, one, other: one })
    }

    fn lead_away(_: &Old, tx: &mut Transaction<'_>) -> Result<Strange> {
        let folder = tempfile::tempdir().unwrap();
        let heap = Heap::open(folder.path().join("another.heap"))?;
        let mut elsewhere = heap.write()?;
        // Its region is none of `Other`'s here.
        for _ in 0..3 {
            let other = super::any_reference(&mut elsewhere)?;
            elsewhere.insert(Strange { other, name: Text::default() })?;
        }
        let other = super::any_reference(&mut elsewhere)?;
        Ok(Strange { other, name: tx.text("strange")? })
    }
}

fn any_reference(tx: &mut heap::Transaction<'_>) -> heap::Result<heap::Ref<wrong::Other>> {
    tx.insert(wrong::Other { number: 1 })
}

/// Each record that a hook makes is checked by itself; that they are a heap together, the commit sees.
#[test]
fn what_hooks_made_is_a_heap_or_nothing_was_made() {
    let folder = Folder::new();
    let heap = open::<wrong::Old>(&folder.heap());
    let mut tx = heap.write().unwrap();
    for number in 0..3 {
        tx.insert(wrong::Old { number }).unwrap();
    }
    tx.commit().unwrap();
    drop(heap);
    let error = Heap::open_as::<wrong::Shared>(folder.heap()).unwrap_err();
    assert!(matches!(error, Error::SecondOwner { .. }), "{error}");
    let error = Heap::open_as::<wrong::Doubled>(folder.heap()).unwrap_err();
    assert!(matches!(error, Error::SecondOwner { .. }), "{error}");
    let error = Heap::open_as::<wrong::Strange>(folder.heap()).unwrap_err();
    assert!(matches!(error, Error::Dangling { .. }), "{error}");
    let heap = open::<wrong::Old>(&folder.heap());
    let numbers: Vec<u64> = heap.read().iter::<wrong::Old>().unwrap().map(|(_, node)| node.number).collect();
    assert_eq!(numbers, [0, 1, 2]);
}

/// A record that others take by value, and that has a hook as well.
mod hooked_within {
    use heap::{OldRecord, Record, Ref, Result, Text, Transaction};

    #[derive(Record)]
    #[record(name = "Holder")]
    pub struct OldHolder {
        pub part: Ref<OldPart>,
        pub id: u32,
    }

    #[derive(Record)]
    #[record(name = "Part")]
    pub struct OldPart {
        pub name: Text,
        pub id: u32,
    }

    #[derive(Record)]
    pub struct Holder {
        pub part: Part,
        pub id: u32,
    }

    #[derive(Record)]
    #[record(hook = grow)]
    pub struct Part {
        pub name: Text,
        pub id: u64,
        pub grown: u32,
    }

    fn grow(old: &OldRecord<'_>, _: &mut Transaction<'_>) -> Result<Part> {
        Ok(Part { name: old.get("name")?, id: old.get("id")?, grown: 1 })
    }
}

#[test]
fn a_record_with_a_hook_is_not_taken_past_it() {
    use hooked_within::{Holder, OldHolder, OldPart};
    let folder = Folder::new();
    let heap = open::<OldHolder>(&folder.heap());
    let mut tx = heap.write().unwrap();
    let name = tx.text("ann").unwrap();
    let part = tx.insert(OldPart { name, id: 1 }).unwrap();
    tx.insert(OldHolder { part, id: 2 }).unwrap();
    tx.commit().unwrap();
    drop(heap);
    let error = Heap::open_as::<Holder>(folder.heap()).map(drop).unwrap_err();
    assert!(error.to_string().contains("holds a Part by value, and only a hook makes those"), "{error}");
    let heap = open::<OldHolder>(&folder.heap());
    assert_eq!((heap.stats().records, heap.read().count::<OldPart>().unwrap()), (2, 1));
}

/// Records that are taken by records that are taken, from tables that change and do not, through lists and options.
mod nested {
    use heap::{List, Map, Record, Ref, Text};

    #[derive(Record)]
    #[record(name = "Top")]
    pub struct OldTop {
        pub mids: List<Ref<OldMid>>,
        pub by_key: Map<u32, Ref<OldMid>>,
        pub maybe: Option<Ref<OldLeaf>>,
        pub id: u32,
    }

    #[derive(Record)]
    #[record(name = "Mid")]
    pub struct OldMid {
        pub leaf: Ref<OldLeaf>,
        pub words: List<Text>,
    }

    #[derive(Record)]
    #[record(name = "Leaf")]
    pub struct OldLeaf {
        pub name: Text,
        pub count: u32,
    }

    pub mod new {
        use heap::{List, Map, Maybe, Record, Text};

        #[derive(Record)]
        pub struct Top {
            pub mids: List<Mid>,
            pub by_key: Map<u32, Mid>,
            pub maybe: Maybe<Leaf>,
            pub id: u64,
        }

        #[derive(Record)]
        pub struct Mid {
            pub leaf: Leaf,
            pub words: List<Text>,
        }

        #[derive(Record)]
        pub struct Leaf {
            pub name: Text,
            pub count: u64,
        }
    }
}

#[test]
fn records_are_taken_by_records_that_are_taken() {
    use nested::{OldLeaf, OldMid, OldTop, new};
    let folder = Folder::new();
    let heap = open::<OldTop>(&folder.heap());
    let mut tx = heap.write().unwrap();
    let mut count = 0;
    let mut leaf = |tx: &mut heap::Transaction<'_>| {
        count += 1;
        let name = tx.text(&format!("leaf {count}")).unwrap();
        tx.insert(OldLeaf { name, count }).unwrap()
    };
    for id in 0..30 {
        let (mids, by_key) = (tx.list().unwrap(), tx.map().unwrap());
        for key in 0..id % 5 {
            for is_listed in [true, false] {
                let words = tx.list().unwrap();
                let word = tx.text(&format!("word {id} {key}")).unwrap();
                words.push(&mut tx, word).unwrap();
                let leaf = leaf(&mut tx);
                let mid = tx.insert(OldMid { leaf, words }).unwrap();
                if is_listed {
                    mids.push(&mut tx, mid).unwrap();
                } else {
                    by_key.insert(&mut tx, key, mid).unwrap();
                }
            }
        }
        let maybe = if id % 2 == 0 { Some(leaf(&mut tx)) } else { None };
        tx.insert(OldTop { mids, by_key, maybe, id }).unwrap();
    }
    // One that nobody takes stays.
    let alone = leaf(&mut tx);
    tx.set_root("alone", alone).unwrap();
    tx.commit().unwrap();
    drop(heap);
    drop(open::<new::Top>(&folder.heap()));
    let heap = open::<new::Top>(&folder.heap());
    assert_eq!(heap.stats().records, 31);
    let read = heap.read();
    for (_, top) in read.iter::<new::Top>().unwrap() {
        let mids = &read[top.mids];
        assert_eq!(mids.len() as u64, top.id % 5);
        for (key, mid) in mids.iter().enumerate() {
            let other = top.by_key.get(&read, &(key as u32)).unwrap().unwrap();
            for mid in [mid, other] {
                assert_eq!(&read[mid.leaf.name], format!("leaf {}", mid.leaf.count));
                assert_eq!(&read[read[mid.words][0]], format!("word {} {key}", top.id));
            }
        }
        assert_eq!(top.maybe.as_ref().is_some(), top.id % 2 == 0);
    }
    let alone = read.root::<new::Leaf>("alone").unwrap().unwrap();
    assert_eq!(&read[read[alone].name], format!("leaf {}", read[alone].count));
    drop(read);
    drop(heap);
    heap::rollback(folder.heap()).unwrap();
    assert_eq!(open::<OldTop>(&folder.heap()).read().count::<OldTop>().unwrap(), 30);
}

/// One reference becomes two values.
mod doubled {
    use heap::Record;

    #[derive(Record)]
    #[record(name = "Holder")]
    pub struct ByWas {
        #[record(was = "part")]
        pub one: super::holding::Inner,
        #[record(was = "part")]
        pub two: super::holding::Inner,
    }

    #[derive(Record)]
    #[record(name = "Holder")]
    pub struct ByFrom {
        #[record(from = "part")]
        pub one: super::holding::Inner,
        #[record(from = "part")]
        pub two: super::holding::Inner,
    }
}

#[test]
fn a_record_is_not_taken_twice() {
    let folder = Folder::new();
    let heap = open::<referring::Holder>(&folder.heap());
    let mut tx = heap.write().unwrap();
    let part = tx.insert(referring::Inner { one: 1, two: 2 }).unwrap();
    tx.root_or_insert("holder", |_| Ok(referring::Holder { part })).unwrap();
    tx.commit().unwrap();
    drop(heap);
    for refused in [
        Heap::open_as::<doubled::ByWas>(folder.heap()).map(drop),
        Heap::open_as::<doubled::ByFrom>(folder.heap()).map(drop),
    ] {
        assert!(matches!(refused, Err(Error::Refused { .. })));
    }
    assert_eq!(open::<referring::Holder>(&folder.heap()).stats().records, 2);
}

/// A dropped type that comes back while it goes.
mod recreated {
    use heap::{List, Record, Text};

    #[derive(Record)]
    pub struct Keep {
        pub id: u32,
    }

    #[derive(Record)]
    pub struct Gone {
        pub name: Text,
        pub words: List<Text>,
    }
}

#[test]
fn a_type_that_is_dropped_may_come_back_in_the_same_migration() {
    use recreated::{Gone, Keep};
    let folder = Folder::new();
    let insert = |tx: &mut heap::Transaction<'_>, name: &str| {
        let [name, word] = [name, "word"].map(|text| tx.text(text).unwrap());
        let words = tx.list_from([word]).unwrap();
        tx.insert(Gone { name, words }).unwrap()
    };
    let heap = open::<(Keep, Gone)>(&folder.heap());
    let mut tx = heap.write().unwrap();
    tx.insert(Keep { id: 1 }).unwrap();
    for number in 0..10 {
        insert(&mut tx, &format!("old {number}"));
    }
    tx.commit().unwrap();
    drop(heap);
    for round in 0..3 {
        let answers = Answers::from_toml("drop_types = [\"Gone\"]").unwrap();
        let types = Types::of::<Keep>().unwrap().after(move |tx| {
            assert_eq!(tx.count::<Gone>()?, 0, "they are not reached any more");
            let gone = insert(tx, &format!("new {round}"));
            tx.set_root("new", gone)
        });
        let options = Options { types: Some(types), answers, ..Options::default() };
        drop(Heap::open_with(folder.heap(), options).unwrap_or_else(|error| panic!("{error}")));
        let heap = open::<(Keep, Gone)>(&folder.heap());
        let read = heap.read();
        let names: Vec<_> = read.iter::<Gone>().unwrap().map(|(_, gone)| read[gone.name].to_owned()).collect();
        assert_eq!(names, [format!("new {round}")]);
        assert_eq!((read.root_names(), heap.stats().records), (vec!["new".to_owned()], 2));
    }
    heap::rollback(folder.heap()).unwrap();
    let heap = open::<(Keep, Gone)>(&folder.heap());
    let read = heap.read();
    let (_, gone) = read.iter::<Gone>().unwrap().next().unwrap();
    assert_eq!((&read[gone.name], &read[read[gone.words][0]]), ("new 1", "word"));
}

/// A reference moves out of a struct that goes on, and becomes a value.
mod moved_out {
    use heap::{Record, Ref};

    #[derive(Record)]
    pub struct Part {
        pub number: u32,
    }

    #[derive(Record)]
    #[record(name = "Inner")]
    pub struct Inner {
        pub part: Ref<Part>,
        pub id: u32,
    }

    #[derive(Record)]
    #[record(name = "Holder")]
    pub struct Before {
        pub inner: Inner,
        pub id: u32,
    }

    /// The struct keeps the reference.
    #[derive(Record)]
    #[record(name = "Holder")]
    pub struct Kept {
        pub inner: Inner,
        pub id: u32,
        #[record(from = "inner.part")]
        pub part: Part,
    }

    #[derive(Record)]
    #[record(name = "Inner")]
    pub struct Taking {
        pub part: Part,
        pub id: u32,
    }

    /// The struct takes the record too.
    #[derive(Record)]
    #[record(name = "Holder")]
    pub struct Both {
        pub inner: Taking,
        pub id: u32,
        #[record(from = "inner.part")]
        pub part: Part,
    }
}

/// The reference was copied and its record taken: the one that was left led nowhere, or the record was taken twice and its
/// slot freed twice.
#[test]
fn a_reference_that_is_there_twice_afterwards_takes_nothing() {
    use moved_out::{Before, Both, Inner, Kept, Part};
    let folder = Folder::new();
    let heap = open::<Before>(&folder.heap());
    let mut tx = heap.write().unwrap();
    for number in 0..10 {
        let part = tx.insert(Part { number }).unwrap();
        tx.insert(Before { inner: Inner { part, id: number }, id: number }).unwrap();
    }
    tx.commit().unwrap();
    drop(heap);
    for (name, refused) in [
        ("kept", Heap::open_as::<Kept>(folder.heap()).map(drop)),
        ("both", Heap::open_as::<Both>(folder.heap()).map(drop)),
    ] {
        assert!(matches!(refused, Err(Error::Refused { .. })), "{name}");
        assert!(refused.unwrap_err().to_string().contains("it is one of two"), "{name}");
    }
    let heap = open::<Before>(&folder.heap());
    let read = heap.read();
    assert!(read.iter::<Before>().unwrap().all(|(_, it)| read[it.inner.part].number == it.id));
}

/// Records of a type that take records of the same type.
mod chained_values {
    use heap::{List, Record, Ref};

    #[derive(Record)]
    #[record(name = "Node")]
    pub struct Before {
        pub next: List<Ref<Before>>,
        pub number: u32,
    }

    #[derive(Record)]
    #[record(name = "Node")]
    pub struct After {
        pub next: List<After>,
        pub number: u32,
    }
}

/// A chain of records that take each other went as deep into the stack as it was long, and the process was aborted.
#[test]
fn a_long_chain_of_records_becomes_values_or_is_refused() {
    use chained_values::{After, Before};
    for count in [60, 100_000] {
        let folder = Folder::new();
        let heap = open::<Before>(&folder.heap());
        let mut tx = heap.write().unwrap();
        let mut last = None;
        for number in 0..count {
            let next = tx.list_from(last).unwrap();
            last = Some(tx.insert(Before { next, number }).unwrap());
        }
        tx.set_root("first", last.unwrap()).unwrap();
        tx.commit().unwrap();
        drop(heap);
        if count == 100_000 {
            let refused = Heap::open_as::<After>(folder.heap()).map(drop).unwrap_err().to_string();
            assert!(refused.contains("values lie in each other in more than 128 levels"), "{refused}");
            assert_eq!(open::<Before>(&folder.heap()).stats().records, u64::from(count));
            continue;
        }
        let heap = open::<After>(&folder.heap());
        assert_eq!(heap.stats().records, 1);
        let read = heap.read();
        let mut node = &read[read.root::<After>("first").unwrap().unwrap()];
        let mut numbers = vec![node.number];
        while let Some(next) = read[node.next].first() {
            node = next;
            numbers.push(node.number);
        }
        assert_eq!(numbers, (0..count).rev().collect::<Vec<_>>());
    }
}
