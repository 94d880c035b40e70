//! Heaps and images of another byte order, as the command and a program see them.

#[path = "../../../heap/tests/foreign/turned.rs"]
mod turned;

use std::fs;

use heap::format::header::ByteOrder;
use heap::read::{Checks, Reader, Regions};
use heap::{Error, Heap, List, Map, Record, Ref, SortedMap, Text};
use serde_json::Value;

use crate::harness::Folder;

#[derive(Record)]
struct Board {
    title: Text,
    tasks: List<Ref<Task>>,
    by_name: Map<Text, Ref<Task>>,
    by_due: SortedMap<i64, u32>,
}

#[derive(Record)]
struct Task {
    id: u64,
    done: Option<bool>,
    weight: f32,
}

/// `board.heap` of the other byte order, and `native.heap` as this machine writes it.
fn boards() -> Folder {
    let folder = Folder::new();
    let heap = Heap::open(folder.file("native.heap")).unwrap();
    let mut tx = heap.write().unwrap();
    let (title, tasks) = (tx.text("a board").unwrap(), tx.list().unwrap());
    let (by_name, by_due) = (tx.map().unwrap(), tx.sorted_map().unwrap());
    tx.root_or_insert("board", |_| Ok(Board { title, tasks, by_name, by_due })).unwrap();
    for id in 0..200_u64 {
        let task = tx.insert(Task { id: id << 33, done: Some(id % 2 == 0), weight: 0.5 }).unwrap();
        let name = tx.text(&format!("task {id}")).unwrap();
        tasks.push(&mut tx, task).unwrap();
        by_name.insert(&mut tx, name, task).unwrap();
        by_due.insert(&mut tx, 1000 - id.cast_signed() * 7, id as u32 * 65_537).unwrap();
    }
    tx.commit().unwrap();
    drop(heap);
    let native = fs::read(folder.file("native.heap")).unwrap();
    fs::write(folder.file("board.heap"), turned::turned(&native)).unwrap();
    folder
}

fn check(heap: &Heap) {
    let read = heap.read();
    let board = &read[read.root::<Board>("board").unwrap().unwrap()];
    assert_eq!((&read[board.title], board.tasks.len(&read).unwrap()), ("a board", 200));
    for (id, &task) in (0_u64..).zip(&read[board.tasks]) {
        let Task { id: found, done, weight } = read[task];
        assert_eq!((found, done, weight.to_bits()), (id << 33, Some(id % 2 == 0), 0.5_f32.to_bits()));
        assert_eq!(board.by_name.get(&read, &*format!("task {id}")).unwrap(), Some(&task));
        assert_eq!(board.by_due.get(&read, &(1000 - id.cast_signed() * 7)).unwrap(), Some(&(id as u32 * 65_537)));
    }
    assert!(board.by_due.iter(&read).unwrap().map(|(due, _)| *due).is_sorted());
}

fn json(folder: &Folder, words: &[&str]) -> Value {
    let said = folder.image(&[words, &["--json"]].concat());
    assert_eq!((said.exit, &*said.errors), (Some(0), ""), "{words:?}");
    said.json()
}

/// What two files export as is the same, whatever their bytes are.
fn same_content(folder: &Folder, one: &str, other: &str) {
    let exported = |file: &str| {
        folder.image(&["export", file, "--format", "jsonl", "--output", "out.jsonl", "--force"]).done();
        fs::read_to_string(folder.file("out.jsonl")).unwrap()
    };
    let (one, other) = (exported(one), exported(other));
    assert!(one.len() > 1000 && one == other);
}

#[test]
fn a_foreign_heap_is_looked_into_as_it_is() {
    let folder = boards();
    let before = fs::read(folder.file("board.heap")).unwrap();
    folder.image(&["verify", "board.heap"]).done();
    let order = |file: &str| json(&folder, &["info", file])["byte_order"].clone();
    assert_ne!(order("board.heap"), order("native.heap"));
    assert_eq!(json(&folder, &["show", "board.heap", ".board.title"])["value"], "a board");
    assert!(fs::read(folder.file("board.heap")).unwrap() == before);
}

/// The image of a foreign heap is a foreign image, and the image of what it becomes is one of this machine.
#[test]
fn an_image_has_the_byte_order_of_its_heap() {
    let folder = boards();
    let order = |file: &str| json(&folder, &["info", file])["byte_order"].clone();
    folder.image(&["dump", "board.heap", "--output", "foreign.img"]).done();
    assert_eq!(order("foreign.img"), order("board.heap"));
    drop(Heap::open(folder.file("board.heap")).unwrap());
    folder.image(&["dump", "board.heap", "--output", "native.img"]).done();
    for image in ["foreign.img", "native.img"] {
        folder.image(&["verify", image]).done();
        let bytes = fs::read(folder.file(image)).unwrap();
        let reader = Reader::open(&bytes[..], &folder.file(image), Checks::Strict).unwrap();
        assert_eq!(reader.catalog().root().byte_order, None, "the header says it");
    }
    assert_eq!(order("native.img"), order("native.heap"));
    let regions = |file: &str| {
        let bytes = fs::read(folder.file(file)).unwrap();
        let reader = Reader::open(&bytes[..], &folder.file(file), Checks::Strict).unwrap();
        let loaded = reader.load().unwrap();
        let numbers = reader.catalog().regions().iter().map(|region| region.number);
        numbers.map(|number| loaded.region(number).unwrap().to_vec()).collect::<Vec<_>>()
    };
    assert!(regions("native.img") == regions("native.heap"));
    assert!(regions("native.img") != regions("foreign.img"));
}

#[test]
fn a_foreign_image_opens_and_stays_as_it_is() {
    let folder = boards();
    folder.image(&["dump", "board.heap", "--output", "foreign.img"]).done();
    let image = folder.file("foreign.img");
    let before = fs::read(&image).unwrap();
    let heap = Heap::open_image(&image).unwrap();
    check(&heap);
    let mut tx = heap.write().unwrap();
    tx.insert(Task { id: 7, done: None, weight: 1.0 }).unwrap();
    tx.commit_with(heap::Durability::Process).unwrap();
    heap.save_as(folder.file("saved.heap")).unwrap();
    drop(heap);
    assert!(fs::read(&image).unwrap() == before);
    let saved = Heap::open(folder.file("saved.heap")).unwrap();
    check(&saved);
    assert_eq!(saved.stats().records, 202);
    drop(saved);
    assert_eq!(
        json(&folder, &["info", "saved.heap"])["byte_order"],
        json(&folder, &["info", "native.heap"])["byte_order"]
    );
}

#[test]
fn the_command_plans_transcodes_tells_and_undoes() {
    let folder = boards();
    let before = fs::read(folder.file("board.heap")).unwrap();
    let schema = folder.image(&["schema", "board.heap", "--json"]).done();
    fs::write(folder.file("schema.json"), schema).unwrap();
    let planned = folder.image(&["migrate", "board.heap", "--to", "schema.json", "--plan"]).done();
    assert!(planned.contains("all values are transcoded from "), "{planned}");
    assert!(planned.trim_end().ends_with("nothing was changed"), "{planned}");
    assert!(fs::read(folder.file("board.heap")).unwrap() == before);
    let checked = folder.image(&["migrate", "board.heap", "--to", "schema.json", "--check"]);
    assert_eq!(checked.exit, Some(1), "{checked:?}");
    let planned = folder.image(&["migrate", "native.heap", "--to", "schema.json", "--plan"]).done();
    assert!(planned.starts_with("up to date"), "{planned}");

    let same = folder.image(&["schema", "check", "board.heap", "--against", "schema.json"]).done();
    assert!(same.starts_with("ok: "), "{same}");

    let done = folder.image(&["migrate", "board.heap", "--to", "schema.json", "--yes"]).done();
    assert!(done.contains("201 records"), "{done}");
    let order = if ByteOrder::NATIVE == ByteOrder::Little { "little" } else { "big" };
    let info = json(&folder, &["info", "board.heap", "--history"]);
    assert_eq!((&info["byte_order"], &info["history"][0]["byte_order"]), (&order.into(), &order.into()));
    let told = folder.image(&["info", "board.heap", "--history"]).done();
    assert!(told.contains(" transcoded ") && told.contains(&format!("all values are {order} endian since")), "{told}");
    check(&Heap::open(folder.file("board.heap")).unwrap());
    same_content(&folder, "board.heap", "native.heap");

    folder.image(&["migrate", "board.heap", "--rollback"]).done();
    assert_ne!(json(&folder, &["info", "board.heap"])["byte_order"], order);
    folder.image(&["verify", "board.heap"]).done();
    same_content(&folder, "board.heap", "native.heap");
}

#[test]
fn a_damaged_foreign_image_is_refused() {
    let folder = boards();
    let mut bytes = fs::read(folder.file("board.heap")).unwrap();
    let at = {
        let reader = Reader::open(&bytes[..], &folder.file("board.heap"), Checks::Strict).unwrap();
        let catalog = reader.catalog();
        let tasks = catalog.table_of_name("Task").unwrap();
        catalog.extents().iter().find(|extent| extent.entry.table == tasks).unwrap().entry.at as usize
    };
    // The kind in a slot's header, whichever half it is in.
    bytes[at + 3] ^= 0x0f;
    turned::sum(&mut bytes);
    fs::write(folder.file("board.heap"), &bytes).unwrap();
    folder.image(&["dump", "board.heap", "--output", "foreign.img"]).done();
    assert!(matches!(Heap::open_image(folder.file("foreign.img")), Err(Error::Corrupt { .. })));
}
