//! Migration as a program sees it.
#![allow(unsafe_code, reason = "the mapped door is unsafe to open")]
#![allow(
    unreachable_pub,
    clippy::float_cmp,
    clippy::items_after_statements,
    clippy::cast_sign_loss,
    clippy::unnecessary_wraps,
    reason = "types are declared where a rule needs them, and exact values are meant"
)]

use heap::{Record, Ref, Result, Text, Transaction, Types};

#[derive(Record)]
#[record(name = "Task")]
struct OldTask {
    id: u64,
    title: Text,
    next: Option<Ref<Task>>,
}

#[derive(Record)]
#[record(hook = from_old)]
struct Task {
    id: u64,
    title: Text,
    next: Option<Ref<Task>>,
    length: u32,
}

fn from_old(old: &OldTask, tx: &mut Transaction<'_>) -> Result<Task> {
    use heap::Reader as _;
    let length = tx.get_text(old.title)?.len() as u32;
    Ok(Task { id: old.id, title: old.title, next: old.next, length })
}

#[test]
fn types_know_their_hooks() {
    let types = Types::of::<(Task,)>().unwrap();
    assert_eq!(types.schema().types.len(), 1);
}

mod before {
    use heap::{Record, Ref, Text};

    #[derive(Record)]
    pub struct Task {
        pub id: u32,
        pub title: Text,
        pub next: Option<Ref<Task>>,
    }
}

mod after {
    use heap::{Record, Ref, Text};

    #[derive(Record)]
    pub struct Task {
        pub next: Option<Ref<Task>>,
        pub id: u64,
        pub title: Text,
        pub done: bool,
    }
}

fn with_tasks(path: &std::path::Path, count: u32) {
    let heap = heap::Heap::open_as::<before::Task>(path).unwrap();
    let mut tx = heap.write().unwrap();
    let mut next = None;
    for id in 0..count {
        let title = tx.text(&format!("task {id}")).unwrap();
        next = Some(tx.insert(before::Task { id, title, next }).unwrap());
    }
    tx.set_root("last", next.unwrap()).unwrap();
    tx.commit().unwrap();
}

fn assert_tasks(heap: &heap::Heap, count: u64) {
    let read = heap.read();
    let mut next = read.root::<after::Task>("last").unwrap();
    for id in (0..count).rev() {
        let task = &read[next.unwrap()];
        assert_eq!((task.id, &read[task.title], task.done), (id, &*format!("task {id}"), false));
        next = task.next;
    }
    assert_eq!(next, None);
}

#[test]
fn an_open_heap_is_upgraded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.heap");
    with_tasks(&path, 5000);
    let mut heap = heap::Heap::open_as::<before::Task>(&path).unwrap();
    let snapshot = heap.snapshot().unwrap();
    let types = Types::of::<after::Task>().unwrap();
    assert!(matches!(heap.upgrade(types.clone()), Err(heap::Error::Deadlock { .. })));
    drop(snapshot);
    heap.upgrade(types.clone()).unwrap();
    assert_tasks(&heap, 5000);
    // It is the one writer still, and goes on committing.
    assert!(matches!(heap::Heap::open(&path), Err(heap::Error::Busy { .. })));
    let mut tx = heap.write().unwrap();
    let last = tx.root::<after::Task>("last").unwrap().unwrap();
    tx[last].done = true;
    tx.commit().unwrap();
    drop(heap);
    let heap = heap::Heap::open_as::<after::Task>(&path).unwrap();
    assert!(heap.read()[last].done);
}

#[test]
fn a_migrated_heap_is_the_same_through_both_doors() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["copied", "mapped"].map(|name| folder.path().join(name));
    for path in &paths {
        with_tasks(path, 40_000);
    }
    let options = || heap::Options { types: Some(Types::of::<after::Task>().unwrap()), ..heap::Options::default() };
    let copied = heap::Heap::open_with(&paths[0], options()).unwrap();
    // SAFETY: the file is this test's own.
    let mapped = unsafe { heap::Heap::open_mapped(&paths[1], options()) }.unwrap();
    for heap in [copied, mapped] {
        assert_tasks(&heap, 40_000);
        let path = heap.path().to_owned();
        drop(heap);
        assert_tasks(&heap::Heap::open(&path).unwrap(), 40_000);
    }
}

fn dump_of_tasks(path: &std::path::Path) -> Vec<(u32, String)> {
    let heap = heap::Heap::open_as::<before::Task>(path).unwrap();
    let read = heap.read();
    let mut next = read.root::<before::Task>("last").unwrap();
    let mut tasks = Vec::new();
    while let Some(task) = next {
        tasks.push((read[task].id, read[read[task].title].to_owned()));
        next = read[task].next;
    }
    tasks
}

#[test]
fn a_migration_is_rolled_back_until_something_was_committed_or_it_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.heap");
    with_tasks(&path, 5000);
    let before = dump_of_tasks(&path);
    assert!(matches!(heap::rollback(&path), Err(heap::Error::NothingKept { .. })));
    for _ in 0..3 {
        drop(heap::Heap::open_as::<after::Task>(&path).unwrap());
        heap::rollback(&path).unwrap();
        assert_eq!(dump_of_tasks(&path), before);
    }
    let heap = heap::Heap::open_as::<after::Task>(&path).unwrap();
    let mut tx = heap.write().unwrap();
    let last = tx.root::<after::Task>("last").unwrap().unwrap();
    tx[last].done = true;
    tx.commit().unwrap();
    drop(heap);
    assert!(matches!(heap::rollback(&path), Err(heap::Error::MovedOn { .. })));
    let heap = heap::Heap::open_as::<after::Task>(&path).unwrap();
    assert!(heap.stats().kept_len > 0);
    heap.keep().unwrap();
    assert_eq!(heap.stats().kept_len, 0);
}

/// How a record would be made that is not there, nobody need say.
#[test]
fn a_type_without_records_changes_as_it_likes() {
    mod old {
        #[derive(heap::Record)]
        pub struct Thing {
            pub name: heap::Text,
        }
    }
    #[derive(Record)]
    struct Thing {
        of: Ref<Task>,
        number: u8,
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("things.heap");
    let heap = heap::Heap::open_as::<old::Thing>(&path).unwrap();
    let mut tx = heap.write().unwrap();
    let name = tx.text("gone").unwrap();
    let thing = tx.insert(old::Thing { name }).unwrap();
    tx.commit().unwrap();
    drop(heap);
    assert!(matches!(heap::Heap::open_as::<Thing>(&path), Err(heap::Error::Refused { .. })));
    let heap = heap::Heap::open_as::<old::Thing>(&path).unwrap();
    let mut tx = heap.write().unwrap();
    tx.remove(thing).unwrap();
    tx.commit().unwrap();
    drop(heap);
    let heap = heap::Heap::open_as::<(Thing, Task)>(&path).unwrap();
    let mut tx = heap.write().unwrap();
    let title = tx.text("task").unwrap();
    let of = tx.insert(Task { id: 1, title, next: None, length: 4 }).unwrap();
    let thing = tx.insert(Thing { of, number: 7 }).unwrap();
    tx.commit().unwrap();
    drop(heap);
    let heap = heap::Heap::open_as::<(Thing, Task)>(&path).unwrap();
    let read = heap.read();
    assert_eq!((read[thing].number, read[read[thing].of].length), (7, 4));
}
