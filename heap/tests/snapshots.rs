//! Snapshots that outlive what they show.

use heap::{Heap, Options, Reader as _, Record, Ref, Text};

#[derive(Record)]
struct Page {
    text: Text,
}

/// A snapshot of a mapped heap is given pages of its own before the base changes. It was given those of the heap's
/// extents of that moment, and not those of a large value that the heap had freed since: their room in the file was
/// used again, and the snapshot showed what was written there.
#[test]
fn a_snapshot_keeps_a_large_value_that_the_heap_gave_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pages.heap");
    let large = "large ".repeat(200_000);
    let page: Ref<Page> = {
        let heap = Heap::open(&path).unwrap();
        let mut tx = heap.write().unwrap();
        let text = tx.text(&large).unwrap();
        let page = tx.insert(Page { text }).unwrap();
        tx.set_root("page", page).unwrap();
        tx.commit().unwrap();
        page
    };
    let heap = mapped(&path);
    let snapshot = heap.snapshot().unwrap();
    let mut tx = heap.write().unwrap();
    tx[page].text = Text::EMPTY;
    tx.commit().unwrap();
    drop(heap);

    let heap = mapped(&path);
    let mut tx = heap.write().unwrap();
    for _ in 0..4 {
        let text = tx.text(&"other ".repeat(200_000)).unwrap();
        tx.insert(Page { text }).unwrap();
    }
    tx.commit().unwrap();
    heap.checkpoint().unwrap();
    assert!(snapshot.get_text(snapshot[page].text).unwrap() == large, "the snapshot shows something else");
}

#[allow(unsafe_code)]
fn mapped(path: &std::path::Path) -> Heap {
    // SAFETY: the file was made by this test, in a folder of its own.
    unsafe { Heap::open_mapped(path, Options::default()).unwrap() }
}
