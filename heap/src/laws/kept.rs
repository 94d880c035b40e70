//! What a migration's commit leaves in the file, and what its end leaves of that.

use std::path::Path;
use std::sync::Arc;

use super::life::options;
use crate::format::BLOCK;
use crate::format::catalog::{Stream, TableKind};
use crate::format::history::ReceiptKind;
use crate::kept::{Before, Flip, Moment};
use crate::open::{self, Door};
use crate::raw::laws::{Board, Item, Wide};
use crate::read::{Checks, Reader};
use crate::storage::simulated::SimulatedDisk;
use crate::storage::{File, Storage};
use crate::{Bytes, Durability, Error, Heap, Options, Ref, Result, Text, Transaction, simulated};

fn moment() -> Moment {
    Moment { time: 5, program: "laws 1".into() }
}

/// A heap with items, texts, a large value and free slots.
pub(super) fn build(heap: &Heap) -> Result<()> {
    let mut tx = heap.write()?;
    let board = tx.root_or_insert("board", |tx| Ok(Board { commits: 0, items: tx.list()? }))?;
    let list = tx[board].items;
    for id in 0..300 {
        let name = tx.text(&format!("item {id}"))?;
        let data = if id == 7 { tx.bytes(&vec![7; 3 << 20])? } else { Bytes::EMPTY };
        let item = tx.insert(Item { id, value: id, name, data, next: None, done: false })?;
        list.push(&mut tx, item)?;
    }
    tx.root_or_insert("wide", |_| Ok(Wide { words: [1; 160] }))?;
    tx.commit()?;
    let mut tx = heap.write()?;
    let last = list.get(&tx)?[299];
    list.remove(&mut tx, 299)?;
    tx.remove(last)?;
    tx.commit().map(|_| ())
}

pub(super) fn disk() -> Arc<SimulatedDisk> {
    let disk = SimulatedDisk::new(simulated::empty(7));
    build(&reopen(&disk)).unwrap();
    disk
}

pub(super) fn reopen(disk: &Arc<SimulatedDisk>) -> Heap {
    simulated::open(disk, options()).unwrap()
}

pub(super) fn flip(heap: &Heap) -> Flip {
    let before = Before::of(&heap.shared.state().catalog, heap.shared.binder().registry());
    let receipt = moment().receipt(ReceiptKind::Migrated, 0, [1; 16], [2; 16]);
    Flip { before, replaced: Vec::new(), receipt }
}

pub(super) fn items(tx: &Transaction<'_>) -> Vec<Ref<Item>> {
    let board: Ref<Board> = tx.root("board").unwrap().unwrap();
    tx[tx[board].items].to_vec()
}

/// Changes every item, gives some new texts, and frees the large value.
fn convert(tx: &mut Transaction<'_>) -> Result<()> {
    for (number, item) in items(tx).into_iter().enumerate() {
        tx[item].value += 1000;
        tx[item].data = Bytes::EMPTY;
        if number % 10 == 0 {
            tx[item].name = tx.text("another name")?;
        }
    }
    Ok(())
}

pub(super) fn migrate(heap: &Heap) -> Result<()> {
    let flip = flip(heap);
    let mut tx = heap.write()?;
    convert(&mut tx)?;
    tx.commit_flip(Durability::Disk, flip).map(|_| ())
}

/// Streams, and extents with their offsets in the file.
pub(super) type Contents = (Vec<Vec<u8>>, Vec<(u64, Vec<u8>)>);

/// The bytes of the streams that a migration changes, and where each extent lies with its bytes.
pub(super) fn contents(disk: &Arc<SimulatedDisk>) -> Contents {
    let mut file = vec![0; disk.len(File::Base).unwrap() as usize];
    disk.read_at(File::Base, 0, &mut file).unwrap();
    contents_of(&file)
}

/// The same of a file.
pub(super) fn contents_of(file: &[u8]) -> Contents {
    let reader = Reader::open(file, Path::new(""), Checks::Strict).unwrap();
    let catalog = reader.catalog();
    let bytes = |at: u64, len: u64| file[at as usize..(at + len) as usize].to_vec();
    let streams = [Stream::Tables, Stream::Extents, Stream::Roots, Stream::Registry];
    let streams = streams.map(|stream| catalog.root().streams[stream as usize]).map(|run| bytes(run.at, run.len));
    let extents = catalog.extents().iter().map(|extent| (extent.entry.at, bytes(extent.entry.at, extent.entry.len)));
    (streams.to_vec(), extents.collect())
}

#[test]
fn a_rollback_gives_the_old_heap_back_bit_by_bit() {
    let disk = disk();
    let before = contents(&disk);
    migrate(&reopen(&disk)).unwrap();
    let after = contents(&disk);
    let place = |extents: &[(u64, Vec<u8>)]| extents.iter().map(|(at, _)| *at).collect::<Vec<u64>>();
    assert_ne!(place(&after.1), place(&before.1));
    // What nobody changed is where it was.
    assert!(after.1.iter().any(|extent| before.1.contains(extent)));
    let done = simulated::rollback(&disk, &options()).unwrap();
    assert_eq!((done.from, done.to), ([2; 16], [1; 16]));
    assert_eq!(contents(&disk), before);
    let heap = reopen(&disk);
    let history = heap.history().unwrap();
    assert_eq!(history.kept, None);
    let kinds: Vec<_> = history.receipts.iter().map(|receipt| (receipt.kind, receipt.sequence)).collect();
    assert_eq!(kinds, [(ReceiptKind::Migrated, 3), (ReceiptKind::RolledBack, 4)]);
    assert!(matches!(refused(heap, &disk), Error::NothingKept { .. }));
}

/// A dump that reads the log holds the file's next header back, and not the rollback.
#[test]
fn a_rollback_beside_a_dump_is_in_the_log() {
    let disk = disk();
    let before = contents(&disk);
    migrate(&reopen(&disk)).unwrap();
    let after = contents(&disk);
    disk.retain(true);
    simulated::rollback(&disk, &options()).unwrap();
    assert_eq!(contents(&disk), after);
    disk.retain(false);
    drop(reopen(&disk));
    assert_eq!(contents(&disk), before);
}

fn refused(heap: Heap, disk: &Arc<SimulatedDisk>) -> Error {
    drop(heap);
    let before = contents(disk);
    let error = simulated::rollback(disk, &options()).unwrap_err();
    assert_eq!(contents(disk), before);
    error
}

#[test]
fn a_rollback_that_would_lose_commits_is_refused() {
    let disk = disk();
    let heap = reopen(&disk);
    migrate(&heap).unwrap();
    for _ in 0..2 {
        let mut tx = heap.write().unwrap();
        let item = items(&tx)[0];
        tx[item].value += 1;
        tx.commit().unwrap();
    }
    let error = refused(heap, &disk);
    assert!(matches!(error, Error::MovedOn { commits: 2, expected: 0, as_of: 2 }), "{error}");
    assert!(error.to_string().starts_with("2 commits were made since the migration; "), "{error}");
}

#[test]
fn what_is_kept_takes_room_until_it_is_given_up() {
    let disk = disk();
    let heap = reopen(&disk);
    heap.keep().unwrap();
    assert_eq!((heap.stats().kept_len, heap.stats().sequence), (0, 2), "nothing is kept, so there is no commit");
    migrate(&heap).unwrap();
    let kept = heap.stats().kept_len;
    // The large value that was freed, and the items' extents.
    assert!(kept >= 3 << 20, "{kept}");
    drop(heap);
    let heap = reopen(&disk);
    assert_eq!(heap.stats().kept_len, kept);
    heap.keep().unwrap();
    assert_eq!((heap.stats().kept_len, heap.stats().sequence), (0, 4));
    let len = heap.stats().file_len;
    heap.checkpoint().unwrap();
    let mut tx = heap.write().unwrap();
    let item = items(&tx)[0];
    tx[item].data = tx.bytes(&vec![1; 2 << 20]).unwrap();
    tx.commit().unwrap();
    assert!(heap.stats().file_len <= len, "the room is used again");
    let kinds: Vec<_> = heap.history().unwrap().receipts.iter().map(|receipt| receipt.kind).collect();
    assert_eq!(kinds, [ReceiptKind::Migrated, ReceiptKind::Kept]);
    assert!(matches!(refused(heap, &disk), Error::NothingKept { .. }));
}

#[test]
fn a_second_migration_gives_up_what_the_first_one_kept() {
    let disk = disk();
    migrate(&reopen(&disk)).unwrap();
    let heap = reopen(&disk);
    let first = only_kept(&heap);
    let before = contents(&disk);
    migrate(&heap).unwrap();
    drop(heap);
    let heap = reopen(&disk);
    assert_eq!(heap.history().unwrap().receipts.len(), 2);
    assert!(only_kept(&heap).iter().all(|run| !first.contains(run)));
    drop(heap);
    simulated::rollback(&disk, &options()).unwrap();
    assert_eq!(contents(&disk), before);
}

/// Records that grow make extents longer.
#[test]
fn an_extent_may_have_another_length_after_the_migration() {
    let disk = disk();
    let before = contents(&disk);
    let heap = reopen(&disk);
    let shared = &heap.shared;
    let flip = flip(&heap);
    let (number, extent) = {
        let state = shared.state();
        let records = |table: u32| matches!(state.catalog.tables[table as usize].entry.kind, TableKind::Records(_));
        let numbered = (0..).zip(state.catalog.extents());
        let (number, extent) = numbered.filter(|(_, extent)| records(extent.table)).last().unwrap();
        (number, *extent)
    };
    let end = u64::from(extent.offset) + extent.len;
    shared.space.arena().map_zeros(shared.space.region_at(extent.region) + end, BLOCK).unwrap();
    shared.space.set_mapped(extent.region, end + BLOCK);
    let mut tx = heap.write().unwrap();
    let longer = crate::format::catalog::ExtentEntry { len: extent.len + BLOCK, ..extent };
    tx.state.catalog.set_extent(number, longer);
    tx.commit_flip(Durability::Disk, flip).unwrap();
    drop(heap);
    let (_, extents) = contents(&disk);
    assert_eq!(extents.iter().filter(|(_, bytes)| bytes.len() as u64 == extent.len + BLOCK).count(), 1);
    drop(reopen(&disk));
    simulated::rollback(&disk, &options()).unwrap();
    assert_eq!(contents(&disk), before);
}

/// Taken back before its commit, a migration leaves nothing.
#[test]
fn a_migration_without_room_leaves_the_heap_as_it_was() {
    let disk = disk();
    let before = contents(&disk);
    let heap = reopen(&disk);
    let flip = flip(&heap);
    let mut tx = heap.write().unwrap();
    convert(&mut tx).unwrap();
    let kind = std::io::ErrorKind::StorageFull;
    let fault = crate::storage::simulated::Fault { call: disk.calls() + 2, kind, lasting: false };
    disk.set_fault(Some(fault));
    assert!(matches!(tx.commit_flip(Durability::Disk, flip), Err(Error::NoRoom(_))));
    assert_eq!(heap.history().unwrap(), crate::format::history::History::default());
    drop(heap);
    let after = contents(&disk);
    assert_eq!(after.1, before.1);
    let heap = reopen(&disk);
    migrate(&heap).unwrap();
    drop(heap);
    simulated::rollback(&disk, &options()).unwrap();
    assert_eq!(contents(&disk).1, before.1);
}

/// A large value that the migration freed, and extents that it moved: nobody gets their room before the program is
/// content.
#[test]
fn room_that_is_kept_is_not_given_out() {
    let disk = disk();
    let heap = reopen(&disk);
    migrate(&heap).unwrap();
    heap.checkpoint().unwrap();
    add_values(&heap).unwrap();
    drop(heap);
    let (_, extents) = contents(&disk);
    let heap = reopen(&disk);
    assert!(heap.stats().kept_len >= 3 << 20);
    let kept = only_kept(&heap);
    let overlaps = |at: u64, len: u64| kept.iter().any(|(kept, kept_len)| at < kept + kept_len && *kept < at + len);
    assert!(extents.iter().all(|(at, bytes)| !overlaps(*at, bytes.len() as u64)));
}

/// What only the catalog names that is kept: offsets in the file, and lengths.
pub(super) fn only_kept(heap: &Heap) -> Vec<(u64, u64)> {
    heap.shared.state().sharing.as_ref().unwrap().only_kept().collect()
}

/// Values of all sizes, in room of the file that was not used before or is used again.
pub(super) fn add_values(heap: &Heap) -> Result<()> {
    for size in [3 << 20, 1 << 20, 20_000, 2000, 200, 20] {
        let mut tx = heap.write()?;
        for _ in 0..=(1 << 16) / size {
            let data = tx.bytes(&vec![0xee; size])?;
            tx.insert(Item { id: 0, value: 0, name: Text::EMPTY, data, next: None, done: false })?;
        }
        tx.commit()?;
    }
    heap.checkpoint()
}

/// Memory that shows the file would show what is written into room that was given up. Nothing is changed in memory
/// here, so that all of it shows the file.
#[test]
fn mapped_memory_follows_the_extents_to_their_new_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mapped.heap");
    build(&Heap::open_with(&path, options()).unwrap()).unwrap();
    let heap = open::open(&path, Options { announce: false, ..options() }, Door::Mapped).unwrap();
    let replaced = (0..heap.shared.state().catalog.extents().len() as u32).collect();
    let flip = Flip { replaced, ..flip(&heap) };
    heap.write().unwrap().commit_flip(Durability::Disk, flip).unwrap();
    heap.keep().unwrap();
    heap.checkpoint().unwrap();
    add_values(&heap).unwrap();
    let values = |heap: &Heap| {
        let read = heap.read();
        let board: Ref<Board> = read.root("board").unwrap().unwrap();
        let value = |item: &Ref<Item>| (read[*item].value, read[read[*item].name].to_owned());
        read[read[board].items].iter().map(value).collect::<Vec<_>>()
    };
    let expected: Vec<_> = (0..299).map(|id| (id, format!("item {id}"))).collect();
    assert_eq!(values(&heap), expected);
    drop(heap);
    assert_eq!(values(&Heap::open_with(&path, options()).unwrap()), expected);
}

#[test]
fn a_saved_heap_has_the_receipts_and_not_the_way_back() {
    let folder = tempfile::tempdir().unwrap();
    let disk = disk();
    let heap = reopen(&disk);
    migrate(&heap).unwrap();
    let saved = folder.path().join("saved.heap");
    heap.save_as(&saved).unwrap();
    let file = std::fs::read(&saved).unwrap();
    // Only the large value that the migration freed is made of sevens.
    assert!(!file.chunks_exact(BLOCK as usize).any(|block| block.iter().all(|&byte| byte == 7)));
    let reader = Reader::open(&file[..], &saved, Checks::Strict).unwrap();
    assert_eq!(*reader.catalog().history(), heap.history().unwrap().without_kept());
}
