//! What a thread asks for while it holds a guard.

use heap::{Error, Heap};
use tests::bank;

use crate::harness::Folder;

/// It waited for itself without end.
#[test]
fn a_checkpoint_inside_of_the_threads_own_transaction_is_an_error() {
    let folder = Folder::new();
    let heap = Heap::open(folder.file("bank.heap")).unwrap();
    bank::found(&heap).unwrap();
    let tx = heap.write().unwrap();
    assert!(matches!(heap.checkpoint(), Err(Error::Deadlock { held: "write" })));
    assert!(matches!(heap.save_as(folder.file("copy.heap")), Err(Error::Deadlock { held: "write" })));
    drop(tx);
    let read = heap.read();
    heap.checkpoint().unwrap();
    heap.save_as(folder.file("copy.heap")).unwrap();
    drop(read);
    bank::check(&Heap::open(folder.file("copy.heap")).unwrap());
}
