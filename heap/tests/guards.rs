//! Who may hold a heap, and where.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use heap::{Durability, Error, Heap, Read, Record, Snapshot, Text, Transaction};

const fn send_and_sync<T: Send + Sync>() {}
const fn sync<T: Sync>() {}

const _: () = send_and_sync::<Heap>();
const _: () = send_and_sync::<Snapshot>();
const _: () = sync::<Read<'static>>();
const _: () = sync::<Transaction<'static>>();

#[derive(Record)]
struct Counter {
    value: u64,
    note: Text,
}

fn heap() -> (tempfile::TempDir, Heap) {
    let folder = tempfile::tempdir().unwrap();
    let heap = Heap::open(folder.path().join("counter.heap")).unwrap();
    (folder, heap)
}

#[test]
fn threads_take_turns_and_no_step_is_lost() {
    let (_folder, heap) = heap();
    let mut tx = heap.write().unwrap();
    let counter = tx.root_or_insert("counter", |_| Ok(Counter { value: 0, note: Text::EMPTY })).unwrap();
    tx.commit().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let mut tx = heap.write().unwrap();
                    tx[counter].value += 1;
                    tx.commit().unwrap();
                    let read = heap.read();
                    assert!(read[counter].value > 0);
                }
            });
        }
    });
    assert_eq!(heap.read()[counter].value, 200);
}

/// A writer that runs may go before one that is still waking up; but whoever waits is let in, however fast others come.
#[test]
fn who_waits_is_let_in_although_writers_keep_coming() {
    let (_folder, heap) = heap();
    let mut tx = heap.write().unwrap();
    let counter = tx.root_or_insert("counter", |_| Ok(Counter { value: 0, note: Text::EMPTY })).unwrap();
    tx.commit().unwrap();
    let stop = AtomicBool::new(false);
    let wait = Duration::from_secs(10);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let mut tx = heap.write().unwrap();
                    tx[counter].value += 1;
                    tx.commit_with(Durability::Process).unwrap();
                }
            });
        }
        let mut last = 0;
        for _ in 0..20 {
            let read = heap.read();
            assert!(read[counter].value >= last);
            last = read[counter].value;
            drop(read);
            drop(heap.write_within(wait).expect("a writer is let in"));
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_guard_that_was_leaked_publishes_nothing_and_is_told_to_its_thread() {
    let (folder, heap) = heap();
    let mut tx = heap.write().unwrap();
    let counter = tx.root_or_insert("counter", |_| Ok(Counter { value: 0, note: Text::EMPTY })).unwrap();
    tx.commit().unwrap();
    let mut tx = heap.write().unwrap();
    tx[counter].value = 13;
    std::mem::forget(tx);
    assert!(matches!(heap.write(), Err(Error::Deadlock { .. })));
    std::thread::scope(|scope| {
        let other = scope.spawn(|| heap.write_within(std::time::Duration::from_millis(20)).map(|_| ()));
        assert!(matches!(other.join().unwrap(), Err(Error::Busy { .. })));
    });
    std::mem::forget(heap);
    // The process that leaked it holds the file's lock; another machine would see this file and its log.
    let copy = folder.path().join("copy.heap");
    std::fs::copy(folder.path().join("counter.heap"), &copy).unwrap();
    std::fs::copy(folder.path().join("counter.heap.log"), folder.path().join("copy.heap.log")).unwrap();
    assert_eq!(Heap::open(&copy).unwrap().read()[counter].value, 0);
}

#[test]
fn a_panic_takes_the_transaction_back() {
    let (_folder, heap) = heap();
    let mut tx = heap.write().unwrap();
    let counter = tx.root_or_insert("counter", |_| Ok(Counter { value: 7, note: Text::EMPTY })).unwrap();
    tx.commit().unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut tx = heap.write().unwrap();
        tx[counter].value = 8;
        let note = tx.text("half done").unwrap();
        tx[counter].note = note;
        panic!("in the middle");
    }));
    assert!(panicked.is_err());
    assert_eq!(heap.read()[counter].value, 7);
    assert_eq!(&heap.read()[heap.read()[counter].note], "");
}

#[test]
fn the_indexing_form_panics_with_the_records_name() {
    let (_folder, heap) = heap();
    let mut tx = heap.write().unwrap();
    let counter = tx.insert(Counter { value: 0, note: Text::EMPTY }).unwrap();
    drop(tx);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| heap.read()[counter].value)).unwrap_err();
    let message = panicked.downcast_ref::<String>().unwrap();
    assert!(message.contains("Counter#0"), "{message}");
}
