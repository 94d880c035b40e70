//! A heap from a program's side: what was committed is there, what was not is not.
#![allow(clippy::float_cmp, reason = "what was stored is what is read, bit by bit")]

use heap::{Error, Heap, List, Options, Reader as _, Record, Ref, Text};

#[derive(Record)]
struct Node {
    id: u64,
    score: f64,
    name: Text,
    next: Option<Ref<Node>>,
    edges: List<Ref<Node>>,
    flag: bool,
}

#[derive(Record)]
struct Board {
    title: Text,
    nodes: List<Ref<Node>>,
}

struct Place {
    _folder: tempfile::TempDir,
    path: std::path::PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    Place { path: folder.path().join("board.heap"), _folder: folder }
}

#[allow(unsafe_code)]
fn mapped(path: &std::path::Path) -> Heap {
    // SAFETY: the file was made by this test, in a folder of its own.
    unsafe { Heap::open_mapped(path, Options::default()).unwrap() }
}

fn build(heap: &Heap, count: u64) -> Vec<Ref<Node>> {
    let mut tx = heap.write().unwrap();
    let board = tx.root_or_insert("board", |tx| Ok(Board { title: tx.text("hello")?, nodes: tx.list()? })).unwrap();
    let mut nodes = Vec::new();
    for id in 0..count {
        let name = tx.text(&format!("node-{id:011}")).unwrap();
        let edges = tx.list_with_capacity(4).unwrap();
        let node = Node { id, score: id as f64 * 0.5, name, next: None, edges, flag: id % 2 == 0 };
        let node = tx.insert(node).unwrap();
        nodes.push(node);
        tx[board].nodes.push(&mut tx, node).unwrap();
    }
    for (position, &node) in nodes.iter().enumerate() {
        tx[node].next = Some(nodes[(position * 7 + 1) % nodes.len()]);
        for step in 0..4 {
            tx[node].edges.push(&mut tx, nodes[(position * step + 3) % nodes.len()]).unwrap();
        }
    }
    tx.commit().unwrap();
    nodes
}

fn check(heap: &Heap, count: u64) {
    let read = heap.read();
    let board: Ref<Board> = read.root("board").unwrap().unwrap();
    assert_eq!(read[read[board].nodes].len() as u64, count);
    for &node in &read[read[board].nodes] {
        let node = &read[node];
        assert_eq!(read[node.name], *format!("node-{:011}", node.id));
        assert_eq!(read[node.edges].len(), 4);
        assert!(read.get(node.next.unwrap()).is_ok());
    }
}

#[test]
fn what_was_committed_is_there_through_both_doors() {
    let place = place();
    for count in [10, 20_000] {
        let _ = std::fs::remove_file(&place.path);
        build(&Heap::open(&place.path).unwrap(), count);
        check(&Heap::open(&place.path).unwrap(), count);
        check(&mapped(&place.path), count);
    }
}

#[test]
fn a_transaction_that_is_dropped_leaves_nothing() {
    let place = place();
    let heap = Heap::open(&place.path).unwrap();
    let nodes = build(&heap, 100);
    let before = heap.stats();
    let lost = {
        let mut tx = heap.write().unwrap();
        tx[nodes[3]].score = -1.0;
        let name = tx.text("another name").unwrap();
        tx[nodes[4]].name = name;
        tx.remove(nodes[5]).unwrap();
        tx[nodes[6]].edges.clear(&mut tx).unwrap();
        for &node in &nodes {
            tx[nodes[7]].edges.push(&mut tx, node).unwrap();
        }
        let name = tx.text("a record that never was").unwrap();
        let edges = tx.list().unwrap();
        tx.insert(Node { id: 0, score: 0.0, name, next: None, edges, flag: false }).unwrap()
    };
    check(&heap, 100);
    assert!(matches!(heap.read().get(lost), Err(Error::Stale(_))));
    let after = heap.stats();
    assert_eq!((after.records, after.slots_live), (before.records, before.slots_live));
    drop(heap);
    check(&Heap::open(&place.path).unwrap(), 100);
}

#[test]
fn a_removed_record_and_what_it_owned_are_gone() {
    let place = place();
    let heap = Heap::open(&place.path).unwrap();
    let nodes = build(&heap, 100);
    let before = heap.stats().slots_live;
    let mut tx = heap.write().unwrap();
    let name = tx[nodes[5]].name;
    let edges = tx[nodes[5]].edges;
    tx.remove(nodes[5]).unwrap();
    tx.commit().unwrap();
    assert_eq!(heap.stats().slots_live, before - 3);
    let read = heap.read();
    assert!(matches!(read.get(nodes[5]), Err(Error::Stale(_))));
    assert!(matches!(read.get_text(name), Err(Error::Stale(_))));
    assert!(matches!(read.get_list(edges), Err(Error::Stale(_))));
}

#[test]
fn a_second_owner_fails_the_commit_and_both_places_are_named() {
    let place = place();
    let heap = Heap::open(&place.path).unwrap();
    let nodes = build(&heap, 10);
    let mut tx = heap.write().unwrap();
    let name = tx[nodes[6]].name;
    tx[nodes[7]].name = name;
    let error = tx.commit().unwrap_err();
    let Error::SecondOwner { first, second, .. } = error else { panic!("{error}") };
    assert_eq!([first, second], ["Node#6.name", "Node#7.name"]);
    check(&heap, 10);
}

#[test]
fn handles_that_change_places_have_one_owner_still() {
    let place = place();
    let heap = Heap::open(&place.path).unwrap();
    let nodes = build(&heap, 10);
    let mut tx = heap.write().unwrap();
    let [a, b] = tx.get_disjoint_mut([nodes[1], nodes[2]]).unwrap();
    std::mem::swap(&mut a.name, &mut b.name);
    std::mem::swap(&mut a.edges, &mut b.edges);
    tx.commit().unwrap();
    let read = heap.read();
    assert_eq!(&read[read[nodes[1]].name], "node-00000000002");
    drop(read);
    drop(heap);
    Heap::open(&place.path).unwrap();
}

#[test]
fn a_handle_of_another_heap_is_an_error() {
    let (one, other) = (place(), place());
    let one = Heap::open(&one.path).unwrap();
    let other = Heap::open(&other.path).unwrap();
    let nodes = build(&one, 10);
    build(&other, 1);
    assert!(other.read().get(nodes[9]).is_err());
    let mut tx = other.write().unwrap();
    let board: Ref<Board> = tx.root("board").unwrap().unwrap();
    let title = one.read()[nodes[9]].name;
    tx[board].title = title;
    assert!(matches!(tx.commit(), Err(Error::Dangling { .. } | Error::SecondOwner { .. })));
}

#[test]
fn what_no_root_reaches_is_collected_cycles_included() {
    let place = place();
    let heap = Heap::open(&place.path).unwrap();
    build(&heap, 100);
    assert_eq!(heap.collect().unwrap(), 0);
    let mut tx = heap.write().unwrap();
    let board: Ref<Board> = tx.root("board").unwrap().unwrap();
    tx[board].nodes.truncate(&mut tx, 0).unwrap();
    tx.commit().unwrap();
    // The nodes refer to each other still.
    assert_eq!(heap.collect().unwrap(), 100);
    let stats = heap.stats();
    assert_eq!(stats.records, 1);
    drop(heap);
    Heap::open(&place.path).unwrap();
}

fn a_snapshot_stays(heap: &Heap, nodes: &[Ref<Node>]) {
    let score = |id: usize| id as f64 * 0.5;
    let first = heap.snapshot().unwrap();
    let mut tx = heap.write().unwrap();
    for &node in &nodes[..50] {
        tx[node].score = -1.0;
    }
    let name = tx.text("a longer name than the one before").unwrap();
    tx[nodes[60]].name = name;
    tx.remove(nodes[0]).unwrap();
    tx.commit().unwrap();
    let second = heap.snapshot().unwrap();
    heap.checkpoint().unwrap();
    let mut tx = heap.write().unwrap();
    for &node in &nodes[50..] {
        tx[node].score = -2.0;
    }
    tx.commit().unwrap();
    heap.checkpoint().unwrap();
    assert!(nodes.iter().enumerate().all(|(id, &node)| first[node].score == score(id)));
    assert_eq!((first.count::<Node>().unwrap(), second.count::<Node>().unwrap()), (100, 99));
    assert_eq!((first.iter::<Node>().unwrap().count(), second.iter::<Node>().unwrap().count()), (100, 99));
    assert!(second.get(nodes[0]).is_err());
    assert!(nodes[1..50].iter().all(|&node| second[node].score == -1.0));
    assert!((50..100).all(|id| second[nodes[id]].score == score(id)));
    assert_eq!(&first[first[nodes[60]].name], "node-00000000060");
    assert_eq!(&second[second[nodes[60]].name], "a longer name than the one before");
    assert!(second.root::<Board>("board").unwrap().is_some());
}

#[test]
fn a_snapshot_stays_what_it_was_through_both_doors() {
    let place = place();
    let heap = Heap::open(&place.path).unwrap();
    let nodes = build(&heap, 100);
    a_snapshot_stays(&heap, &nodes);
    drop(heap);
    std::fs::remove_file(&place.path).unwrap();
    drop(Heap::open(&place.path).unwrap());
    let heap = mapped(&place.path);
    let nodes = build(&heap, 100);
    heap.checkpoint().unwrap();
    a_snapshot_stays(&heap, &nodes);
    // One that outlives the heap is given pages of its own before the last checkpoint.
    let snapshot = heap.snapshot().unwrap();
    let mut tx = heap.write().unwrap();
    tx[nodes[70]].score = 12.0;
    tx.commit().unwrap();
    drop(heap);
    assert_eq!(snapshot[nodes[70]].score, -2.0);
    let heap = Heap::open(&place.path).unwrap();
    assert_eq!(heap.read()[nodes[70]].score, 12.0);
}

#[test]
fn a_thread_is_told_that_it_would_wait_for_itself() {
    let place = place();
    let heap = Heap::open(&place.path).unwrap();
    let read = heap.read();
    assert!(matches!(heap.write(), Err(Error::Deadlock { held: "read" })));
    drop(read);
    let tx = heap.write().unwrap();
    assert!(matches!(heap.try_read(), Err(Error::Deadlock { held: "write" })));
    assert!(matches!(heap.write(), Err(Error::Deadlock { held: "write" })));
    drop(tx);
}

#[test]
fn a_small_reservation_is_an_error_that_leaves_the_heap_usable() {
    let place = place();
    let options = Options { reserve: 64 << 20, ..Options::default() };
    let heap = Heap::open_with(&place.path, options).unwrap();
    build(&heap, 100);
    let mut tx = heap.write().unwrap();
    let list = tx.list::<u64>().unwrap();
    let full = (0..).find_map(|value| list.push(&mut tx, value).err());
    assert!(matches!(full, Some(Error::ArenaFull { .. })));
    drop(tx);
    check(&heap, 100);
    let mut tx = heap.write().unwrap();
    let board: Ref<Board> = tx.root("board").unwrap().unwrap();
    let title = tx.text("goes on").unwrap();
    tx[board].title = title;
    tx.commit().unwrap();
    drop(heap);
    check(&Heap::open(&place.path).unwrap(), 100);
}

#[test]
fn a_second_process_or_handle_is_told_who_has_the_heap() {
    let place = place();
    let heap = Heap::open(&place.path).unwrap();
    let Err(Error::Busy { pid, .. }) = Heap::open(&place.path) else { panic!("opened twice") };
    assert_eq!(pid, Some(std::process::id()));
    drop(heap);
    Heap::open(&place.path).unwrap();
}

#[test]
fn a_large_list_is_lengthened_where_it_is_taken_back_and_freed() {
    #[derive(Record)]
    struct Numbers {
        numbers: List<u64>,
    }
    let place = place();
    let heap = Heap::open(&place.path).unwrap();
    let mut tx = heap.write().unwrap();
    let root = tx.root_or_insert("numbers", |tx| Ok(Numbers { numbers: tx.list()? })).unwrap();
    let list = tx[root].numbers;
    for number in 0..300_000 {
        list.push(&mut tx, number).unwrap();
    }
    tx.commit().unwrap();
    // Lengthened and taken back, together with a list that never was.
    let mut tx = heap.write().unwrap();
    for number in 0..900_000 {
        list.push(&mut tx, !number).unwrap();
    }
    let other = tx.list().unwrap();
    other.extend(&mut tx, 0..500_000_u64).unwrap();
    drop(tx);
    assert!(heap.read()[list].iter().copied().eq(0..300_000));
    let mut tx = heap.write().unwrap();
    list.extend(&mut tx, 300_000..1_000_000).unwrap();
    tx.commit().unwrap();
    drop(heap);
    let heap = Heap::open(&place.path).unwrap();
    assert!(heap.read().get_list(list).unwrap().iter().copied().eq(0..1_000_000));
    let mut tx = heap.write().unwrap();
    tx.remove_root("numbers");
    tx.remove(root).unwrap();
    tx.commit().unwrap();
    assert_eq!(heap.stats().slots_live, 0);
    drop(heap);
    Heap::open(&place.path).unwrap();
}

#[test]
fn appending_goes_on_where_the_list_is_now() {
    let place = place();
    let heap = Heap::open(&place.path).unwrap();
    let mut tx = heap.write().unwrap();
    let (one, other) = (tx.list::<u32>().unwrap(), tx.list::<u32>().unwrap());
    let mut model = (Vec::new(), Vec::new());
    for number in 0..1000 {
        one.push(&mut tx, number).unwrap();
        model.0.push(number);
        if number % 7 == 0 {
            other.push(&mut tx, number).unwrap();
            model.1.push(number);
        }
        match number % 50 {
            11 => {
                one.truncate(&mut tx, model.0.len() - 5).unwrap();
                model.0.truncate(model.0.len() - 5);
            }
            23 => {
                one.insert(&mut tx, 3, number).unwrap();
                model.0.insert(3, number);
            }
            37 => {
                one.remove(&mut tx, 0).unwrap();
                model.0.remove(0);
            }
            41 => {
                one.clear(&mut tx).unwrap();
                model.0.clear();
                one.extend(&mut tx, 0..20).unwrap();
                model.0.extend(0..20);
            }
            _ => {}
        }
        assert_eq!(one.get(&tx).unwrap(), model.0);
    }
    assert_eq!(other.get(&tx).unwrap(), model.1);
}
