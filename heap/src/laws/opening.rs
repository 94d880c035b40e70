//! A migration at open, cut off after each of its events: the heap is wholly the old one or wholly the new one, and so
//! it is when any of its calls fails.

use std::sync::Arc;

use super::cuts::{each_cut, each_failing_call};
use super::life::options;
use crate::raw::laws::{NewPart, OldPart};
use crate::storage::simulated::{Image, SimulatedDisk};
use crate::{Error, Heap, Options, Result, Types, simulated};

const COUNT: u64 = 300;

/// A heap with parts of the old kind, whose texts and lists are owned, and free slots between them.
fn disk() -> Arc<SimulatedDisk> {
    let disk = SimulatedDisk::new(simulated::empty(7));
    let heap = simulated::open(&disk, options()).unwrap();
    let mut tx = heap.write().unwrap();
    let mut next = None;
    for id in 0..2 * COUNT {
        let name = tx.text(&format!("part {id}")).unwrap();
        let sizes = tx.list_from(0..(id % 5) as u16).unwrap();
        let part = tx.insert(OldPart { id: id as u32, name, sizes, next }).unwrap();
        if id < COUNT {
            next = Some(part);
        }
    }
    for part in tx.records::<OldPart>().unwrap() {
        if u64::from(tx[part].id) >= COUNT {
            tx.remove(part).unwrap();
        }
    }
    tx.set_root("last", next.unwrap()).unwrap();
    tx.commit().unwrap();
    drop(heap);
    disk
}

fn migrate(disk: &Arc<SimulatedDisk>) -> Result<Heap> {
    simulated::open(disk, Options { types: Some(Types::of::<NewPart>()?), ..options() })
}

/// Whether the heap is the new one; either way it is whole.
fn is_migrated(disk: &Arc<SimulatedDisk>) -> bool {
    let heap = simulated::open(disk, options()).unwrap();
    let is_new = heap.schema().get("Part").is_some_and(|part| part.size as usize == size_of::<NewPart>());
    let read = heap.read();
    if is_new {
        let mut next = read.root::<NewPart>("last").unwrap();
        for id in (0..COUNT).rev() {
            let part = &read[next.unwrap()];
            assert_eq!((part.id, &read[part.name], part.weight), (id, &*format!("part {id}"), 0.0));
            assert!(read[part.sizes].iter().copied().eq(0..id as u32 % 5));
            next = part.next;
        }
    } else {
        let mut next = read.root::<OldPart>("last").unwrap();
        for id in (0..COUNT).rev() {
            let part = &read[next.unwrap()];
            assert_eq!((u64::from(part.id), &read[part.name]), (id, &*format!("part {id}")));
            assert!(read[part.sizes].iter().copied().eq(0..id as u16 % 5));
            next = part.next;
        }
    }
    disk.kill();
    is_new
}

#[test]
fn a_migration_that_is_cut_off_is_whole_or_did_not_happen() {
    let disk = disk();
    let like = |image: Image| disk.like(image);
    let (mut old, mut new) = (0, 0);
    each_cut(&disk, migrate, |position, image| {
        if is_migrated(&like(image.clone())) {
            new += 1;
            let back = like(image);
            simulated::rollback(&back, &options()).unwrap();
            assert!(!is_migrated(&back), "rolled back after event {position}");
        } else {
            old += 1;
            // The next try goes through.
            drop(migrate(&like(image)).unwrap());
        }
    });
    assert!(old > 10 && new > 10, "{old} old, {new} new");
}

#[test]
fn a_migration_of_which_a_call_fails_is_whole_or_did_not_happen() {
    let may_be = |error: &Error| !matches!(error, Error::Corrupt { .. } | Error::Refused { .. });
    let refused = each_failing_call(&disk(), migrate, may_be, |disk| {
        is_migrated(disk);
    });
    assert!(refused > 10, "only {refused} calls made a migration fail");
}
