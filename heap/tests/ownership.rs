//! One owner for each value: what a place held only within a transaction was never its own.

use heap::{Error, Heap, List, Map, Record, Ref, Text};

#[derive(Record)]
struct Owner {
    name: Text,
    names: List<Text>,
    by_number: Map<u32, Text>,
}

struct World {
    heap: Option<Heap>,
    owners: [Ref<Owner>; 2],
    folder: tempfile::TempDir,
}

/// Two owners, each with a list of as many names, and as many in a map.
fn world(count: u32) -> World {
    let folder = tempfile::tempdir().unwrap();
    let heap = Heap::open(folder.path().join("owners.heap")).unwrap();
    let mut tx = heap.write().unwrap();
    let owners = ["one", "other"].map(|name| {
        let names = tx.list().unwrap();
        let by_number = tx.map().unwrap();
        for number in 0..count {
            let text = tx.text(&format!("{name} {number}")).unwrap();
            names.push(&mut tx, text).unwrap();
            let text = tx.text(&format!("{name} at {number}")).unwrap();
            by_number.insert(&mut tx, number, text).unwrap();
        }
        let name = tx.text(name).unwrap();
        tx.insert(Owner { name, names, by_number }).unwrap()
    });
    tx.commit().unwrap();
    World { heap: Some(heap), owners, folder }
}

impl World {
    fn heap(&self) -> &Heap {
        self.heap.as_ref().unwrap()
    }

    /// The second owner has its name still, also after opening the heap again, which verifies it.
    fn check(mut self) {
        let other = self.owners[1];
        let check = |heap: &Heap| assert_eq!(&heap.read()[heap.read()[other].name], "other");
        check(self.heap());
        drop(self.heap.take());
        check(&Heap::open(self.folder.path().join("owners.heap")).unwrap());
    }
}

/// A list that changes hands is released and taken again as a whole. What had been put into it meanwhile was released
/// with it, as if the list had held it before, and so lost the owner that it had: two places held it, and the heap did
/// not open any more.
#[test]
fn a_list_that_changes_hands_brings_no_owner_for_what_was_put_into_it() {
    for count in [0, 3, 200] {
        let world = world(count);
        let [one, other] = world.owners;
        let mut tx = world.heap().write().unwrap();
        let (first, second) = (tx[one].names, tx[other].names);
        (tx[one].names, tx[other].names) = (second, first);
        let name = tx[other].name;
        first.push(&mut tx, name).unwrap();
        assert!(matches!(tx.commit(), Err(Error::SecondOwner { .. })));
        world.check();
    }
}

/// As before, and the list went away with its record: the name went along, and its owner was left with nothing.
#[test]
fn a_list_that_goes_takes_nothing_along_that_it_did_not_own() {
    for count in [0, 3, 200] {
        let world = world(count);
        let [one, other] = world.owners;
        let mut tx = world.heap().write().unwrap();
        let (names, name) = (tx[one].names, tx[other].name);
        names.push(&mut tx, name).unwrap();
        tx.remove(one).unwrap();
        tx.commit().unwrap();
        world.check();
    }
}

/// Removing a record keeps its slot again. What had been written into it since its first change passed for what it had
/// owned.
#[test]
fn a_record_that_goes_takes_nothing_along_that_it_did_not_own() {
    let world = world(3);
    let [one, other] = world.owners;
    let mut tx = world.heap().write().unwrap();
    (tx[one].name, tx[one].names) = (tx[other].name, tx[other].names);
    tx.remove(one).unwrap();
    tx.commit().unwrap();
    assert_eq!(world.heap().read()[world.heap().read()[other].names].len(), 3);
    world.check();
}

/// A map that grows leaves its old buffer behind, in which a name lay that was never the map's.
#[test]
fn a_map_that_grows_brings_no_owner_for_what_was_put_into_it() {
    for count in [0, 3, 200] {
        let world = world(count);
        let [one, other] = world.owners;
        let mut tx = world.heap().write().unwrap();
        let (map, name) = (tx[one].by_number, tx[other].name);
        map.insert(&mut tx, 1000, name).unwrap();
        for number in 2000..2500 {
            map.insert(&mut tx, number, Text::EMPTY).unwrap();
        }
        assert!(matches!(tx.commit(), Err(Error::SecondOwner { .. })));
        world.check();
    }
}
