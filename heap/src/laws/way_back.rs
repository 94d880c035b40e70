//! The way back after more commits: they move what they change away from what is kept, and nothing else.

use std::path::Path;
use std::sync::Arc;

use super::kept::{Contents, add_values, build, contents, contents_of, disk, flip, items, migrate, only_kept, reopen};
use super::life::{dump, options};
use super::workload::{Kind, change};
use crate::format::BLOCK;
use crate::format::history::ReceiptKind;
use crate::open::{self, BaseSource, Door};

use crate::raw::laws::{Board, Item, Wide};
use crate::read::{Checks, Overlay, Reader, Regions, read_header};
use crate::storage::simulated::{Fault, Random, SimulatedDisk};
use crate::storage::{File, Storage};
use crate::{Bytes, Durability, Error, Heap, Options, Ref, Result, Text, simulated};

/// Whether the extents as they were before the migration hold what they held, wherever the heap is by now.
fn is_whole(disk: &Arc<SimulatedDisk>, before: &Contents) -> bool {
    before.1.iter().all(|(at, bytes)| {
        let mut found = vec![0; bytes.len()];
        disk.read_at(File::Base, *at, &mut found).unwrap();
        found == *bytes
    })
}

/// A migration that changes nothing, so that all is shared.
fn flip_only(heap: &Heap) {
    let flip = flip(heap);
    heap.write().unwrap().commit_flip(Durability::Disk, flip).unwrap();
}

/// A commit that changes this item.
fn touch(heap: &Heap, number: usize) -> Result<()> {
    let mut tx = heap.write()?;
    let item = items(&tx)[number];
    tx[item].value += 1;
    tx.commit().map(|_| ())
}

#[test]
fn a_rollback_after_any_commits_gives_the_old_heap_back_bit_by_bit() {
    for seed in 1..=3 {
        let disk = disk();
        let before = contents(&disk);
        let mut heap = reopen(&disk);
        migrate(&heap).unwrap();
        let migrated = heap.stats().sequence;
        let mut random = Random::new(seed);
        for number in 0..150 {
            let strength = if random.below(2) == 0 { Durability::Disk } else { Durability::Process };
            let mut tx = heap.write().unwrap();
            let kind = if random.below(10) == 0 { Kind::Bulk } else { Kind::Ordinary };
            change(&mut tx, kind, &mut random).unwrap();
            if random.below(5) == 0 {
                tx.rollback();
            } else {
                tx.commit_with(strength).unwrap();
            }
            match random.below(12) {
                0 => heap.checkpoint().unwrap(),
                1 => drop(heap.collect().unwrap()),
                2 => {
                    drop(heap);
                    heap = reopen(&disk);
                }
                _ => {}
            }
            assert!(is_whole(&disk, &before), "after change {number}");
        }
        let lost = heap.stats().sequence - migrated;
        drop(heap);
        let error = simulated::rollback_losing(&disk, &options(), lost + 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{lost} commits were made since the migration, not {}; nothing was changed", lost + 1)
        );
        let done = simulated::rollback_losing(&disk, &options(), lost).unwrap();
        assert_eq!((done.lost, done.as_of.number(), done.sequence.number()), (lost, migrated - 1, migrated + lost + 1));
        assert_eq!(contents(&disk), before);
        let kinds: Vec<_> = reopen(&disk).history().unwrap().receipts.iter().map(|receipt| receipt.kind).collect();
        assert_eq!(kinds, [ReceiptKind::Migrated, ReceiptKind::RolledBack]);
    }
}

/// The first change of an extent moves it, later ones find it moved; what is only looked at through a writer's eyes, and
/// what the migration moved already, is not moved at all.
#[test]
fn an_extent_is_moved_by_the_first_commit_that_changes_it() {
    let disk = disk();
    let heap = reopen(&disk);
    migrate(&heap).unwrap();
    let wide = |heap: &Heap| heap.read().root::<Wide>("wide").unwrap().unwrap();
    let calls = |change: &dyn Fn(&mut Wide)| {
        let before = (disk.calls(), heap.stats().kept_len);
        let mut tx = heap.write().unwrap();
        let wide = wide_of(&tx);
        change(&mut tx[wide]);
        tx.commit_with(Durability::Process).unwrap();
        (disk.calls() - before.0, heap.stats().kept_len - before.1)
    };
    assert_eq!(calls(&|wide| wide.words[3] = 1), (1, 0), "the same as before: a frame, and no byte of the file");
    let (count, kept) = calls(&|wide| wide.words[3] = 2);
    assert!(count > 2 && kept >= BLOCK, "room, the extent, a sync, a frame: {count} calls, {kept} bytes");
    assert_eq!(calls(&|wide| wide.words[3] = 3), (1, 0));
    let before = heap.stats().kept_len;
    touch(&heap, 0).unwrap();
    assert_eq!(heap.stats().kept_len, before, "the migration moved the items");
    assert_eq!(heap.read()[wide(&heap)].words[3], 3);
}

fn wide_of(tx: &crate::Transaction<'_>) -> Ref<Wide> {
    tx.root("wide").unwrap().unwrap()
}

/// Where a record lies in two extents of which one was moved before, its other part is moved with the extent, and this
/// one goes into the frame.
#[test]
fn a_record_may_lie_in_one_extent_that_is_shared_and_one_that_is_not() {
    let values = |heap: &Heap| -> Vec<u64> {
        let read = heap.read();
        read.iter::<Wide>().unwrap().flat_map(|(_, wide)| wide.words).collect()
    };
    for first in [Straddling::Head, Straddling::Tail] {
        let disk = SimulatedDisk::new(simulated::empty(7));
        let heap = reopen(&disk);
        for number in 0..100 {
            let mut tx = heap.write().unwrap();
            tx.insert(Wide { words: [number; 160] }).unwrap();
            tx.commit().unwrap();
        }
        drop(heap);
        let before = contents(&disk);
        let heap = reopen(&disk);
        flip_only(&heap);
        let mut expected = values(&heap);
        let mut tx = heap.write().unwrap();
        let wides = tx.records::<Wide>().unwrap();
        drop(tx);
        let per_block = BLOCK as usize / 1288;
        // Slot 12 begins in the first block of the region, the first extent, and ends in the second.
        let alone = if first == Straddling::Head { per_block - 1 } else { per_block + 1 };
        for (number, position) in [alone, per_block, per_block, alone].into_iter().enumerate() {
            let mut tx = heap.write().unwrap();
            tx[wides[position]].words = [1000 + number as u64; 160];
            tx.commit().unwrap();
            expected[position * 160..][..160].fill(1000 + number as u64);
            assert_eq!(values(&heap), expected);
            // What a recovery makes of it.
            let copy = disk.like(disk.image());
            assert_eq!(values(&reopen(&copy)), expected, "{first:?}, change {number}");
        }
        drop(heap);
        assert!(is_whole(&disk, &before));
        assert_eq!(values(&reopen(&disk)), expected);
        simulated::rollback_losing(&disk, &options(), 4).unwrap();
        assert_eq!(contents(&disk), before);
    }
}

/// The same of a slot that was free before the migration, and is given out when one of its two extents was moved already.
#[test]
fn a_new_record_may_lie_in_an_extent_that_is_shared_and_one_that_is_not() {
    let words = |heap: &Heap| -> Vec<u64> {
        let read = heap.read();
        read.iter::<Wide>().unwrap().map(|(_, wide)| wide.words[0] + wide.words[159]).collect()
    };
    let disk = SimulatedDisk::new(simulated::empty(7));
    let heap = reopen(&disk);
    let slot = BLOCK as usize / 1288;
    let mut tx = heap.write().unwrap();
    for _ in 0..12 {
        tx.insert(Wide { words: [1; 160] }).unwrap();
    }
    tx.commit().unwrap();
    let mut tx = heap.write().unwrap();
    for _ in 12..20 {
        tx.insert(Wide { words: [1; 160] }).unwrap();
    }
    tx.commit().unwrap();
    let mut tx = heap.write().unwrap();
    let wides = tx.records::<Wide>().unwrap();
    tx.remove(wides[slot]).unwrap();
    tx.commit().unwrap();
    drop(heap);
    let before = contents(&disk);
    let heap = reopen(&disk);
    flip_only(&heap);
    let mut tx = heap.write().unwrap();
    tx[wides[slot + 1]].words = [2; 160];
    tx.commit().unwrap();
    let kept = heap.stats().kept_len;
    let mut tx = heap.write().unwrap();
    tx.insert(Wide { words: [3; 160] }).unwrap();
    tx.commit().unwrap();
    assert!(heap.stats().kept_len > kept, "it lies in two extents");
    let expected = words(&heap);
    assert_eq!(expected[slot..slot + 2], [6, 4]);
    assert_eq!(words(&reopen(&disk.like(disk.image()))), expected);
    drop(heap);
    simulated::rollback_losing(&disk, &options(), 2).unwrap();
    assert_eq!(contents(&disk), before);
}

/// Which of a record's two extents is moved first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Straddling {
    Head,
    Tail,
}

/// The commit is refused and taken back; the next one goes through.
#[test]
fn without_room_for_what_is_to_be_moved_nothing_happens() {
    let disk = disk();
    let before = contents(&disk);
    let heap = reopen(&disk);
    migrate(&heap).unwrap();
    let state = dump(&heap.read());
    let file = heap.stats().file_len;
    for call in 0..2 {
        let mut tx = heap.write().unwrap();
        let wide = wide_of(&tx);
        tx[wide].words[0] += 1;
        let first = items(&tx)[0];
        tx.remove(first).unwrap();
        let board: Ref<Board> = tx.root("board").unwrap().unwrap();
        let list = tx[board].items;
        list.remove(&mut tx, 0).unwrap();
        disk.set_fault(Some(Fault {
            call: disk.calls() + call,
            kind: std::io::ErrorKind::StorageFull,
            lasting: false,
        }));
        assert!(matches!(tx.commit(), Err(Error::NoRoom(_))), "call {call}");
        disk.set_fault(None);
        assert_eq!((dump(&heap.read()), heap.stats().file_len), (state.clone(), file));
    }
    let mut tx = heap.write().unwrap();
    let wide = wide_of(&tx);
    tx[wide].words[0] += 1;
    tx.commit().unwrap();
    drop(heap);
    simulated::rollback_losing(&disk, &options(), 1).unwrap();
    assert_eq!(contents(&disk), before);
}

#[test]
fn a_second_migration_keeps_what_the_commits_before_it_left() {
    let disk = disk();
    let heap = reopen(&disk);
    migrate(&heap).unwrap();
    for number in 0..20 {
        touch(&heap, number).unwrap();
        let mut tx = heap.write().unwrap();
        change(&mut tx, Kind::Ordinary, &mut Random::new(number as u64)).unwrap();
        tx.commit().unwrap();
    }
    drop(heap);
    let before = contents(&disk);
    let heap = reopen(&disk);
    let first = only_kept(&heap);
    migrate(&heap).unwrap();
    touch(&heap, 3).unwrap();
    heap.checkpoint().unwrap();
    let mut tx = heap.write().unwrap();
    let item = items(&tx)[0];
    tx[item].data = tx.bytes(&vec![1; 2 << 20]).unwrap();
    tx.commit().unwrap();
    // What only the first one kept is used again.
    let (at, len) = first.into_iter().find(|&(_, len)| len == 3 << 20).unwrap();
    let lies_there = heap.shared.state().catalog.extents().iter().any(|extent| (at..at + len).contains(&extent.at));
    assert!(lies_there);
    drop(heap);
    assert!(is_whole(&disk, &before));
    simulated::rollback_losing(&disk, &options(), 2).unwrap();
    assert_eq!(contents(&disk), before);
}

/// The same through the mapped door, with a snapshot from before the extents are moved, and one from after.
#[test]
fn mapped_memory_and_snapshots_follow_and_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mapped.heap");
    build(&Heap::open_with(&path, options()).unwrap()).unwrap();
    let eve = contents_of(&std::fs::read(&path).unwrap());
    let values = |reader: &dyn Fn(Ref<Item>) -> u64, items: &[Ref<Item>]| -> Vec<u64> {
        items.iter().map(|&item| reader(item)).collect()
    };
    let open = || open::open(&path, Options { announce: false, ..options() }, Door::Mapped).unwrap();
    let heap = open();
    let all = items(&heap.write().unwrap());
    flip_only(&heap);
    let migrated = heap.stats().sequence;
    assert_eq!(heap.stats().kept_len, 0);
    let now = |heap: &Heap| {
        let read = heap.read();
        values(&|item| read[item].value, &all)
    };
    let before = heap.snapshot().unwrap();
    let old = now(&heap);
    for number in 0..all.len() {
        touch(&heap, number).unwrap();
    }
    let after = heap.snapshot().unwrap();
    let new = now(&heap);
    assert_eq!(new, old.iter().map(|value| value + 1).collect::<Vec<_>>());
    assert!(heap.stats().kept_len > 0);
    let check = |heap: &Heap| {
        assert_eq!(values(&|item| before[item].value, &all), old);
        assert_eq!(values(&|item| after[item].value, &all), new);
        assert_eq!(now(heap), new);
    };
    check(&heap);
    heap.checkpoint().unwrap();
    add_values(&heap).unwrap();
    check(&heap);
    // A copy of the files as they are is rolled back, the heap itself goes on and gives the way back up.
    let copy = folder.path().join("copy.heap");
    for end in ["", ".log"] {
        std::fs::copy(with_end(&path, end), with_end(&copy, end)).unwrap();
    }
    let lost = heap.stats().sequence - migrated;
    let done = crate::rollback_losing(&copy, lost).unwrap();
    assert_eq!((done.lost, done.as_of.number()), (lost, migrated - 1));
    assert_eq!(contents_of(&std::fs::read(&copy).unwrap()), eve);
    heap.keep().unwrap();
    drop(heap);
    let heap = open();
    add_values(&heap).unwrap();
    assert_eq!((now(&heap), heap.stats().kept_len), (new.clone(), 0));
    drop(heap);
    let heap = Heap::open_with(&path, options()).unwrap();
    assert_eq!(now(&heap), new);
}

fn with_end(path: &Path, end: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Large values: their first block stays with the slot, the rest goes, and comes again elsewhere.
#[test]
fn a_large_value_that_is_shared_may_go_and_another_come() {
    let disk = disk();
    let before = contents(&disk);
    let heap = reopen(&disk);
    flip_only(&heap);
    for (number, len) in [0, 2 << 20, 4 << 20, 0, 3 << 20].into_iter().enumerate() {
        let mut tx = heap.write().unwrap();
        let item = items(&tx)[7];
        tx[item].data = if len == 0 { Bytes::EMPTY } else { tx.bytes(&vec![number as u8; len]).unwrap() };
        tx.commit().unwrap();
        heap.checkpoint().unwrap();
        assert!(is_whole(&disk, &before), "change {number}");
    }
    let mut tx = heap.write().unwrap();
    tx.insert(Item { id: 0, value: 0, name: Text::EMPTY, data: Bytes::EMPTY, next: None, done: false }).unwrap();
    tx.commit().unwrap();
    drop(heap);
    simulated::rollback_losing(&disk, &options(), 6).unwrap();
    assert_eq!(contents(&disk), before);
}

/// A dump reads the file under the log as it found it, for as long as it retains the log: whatever becomes of the heap
/// meanwhile, it reads the same, or is told that it lost its hold.
#[test]
fn what_a_dump_reads_stays_while_it_retains_the_log() {
    let (mut kept, mut told) = (0, 0);
    for seed in 1..=6 {
        let disk = disk();
        let storage: Arc<dyn Storage> = Arc::<SimulatedDisk>::clone(&disk);
        let mut heap = Some(reopen(&disk));
        let mut random = Random::new(seed);
        for _ in 0..12 {
            let work = |heap: &mut Option<Heap>, random: &mut Random| match random.below(14) {
                0 => {
                    *heap = None;
                    *heap = Some(reopen(&disk));
                    let _ = migrate(heap.as_ref().unwrap());
                }
                1 => heap.as_ref().unwrap().keep().unwrap(),
                2 => {
                    let migrated = heap.as_ref().unwrap().history().unwrap().kept.map(|kept| kept.sequence);
                    let sequence = heap.as_ref().unwrap().stats().sequence;
                    *heap = None;
                    if let Some(migrated) = migrated
                        && random.below(2) == 0
                    {
                        simulated::rollback_losing(&disk, &options(), sequence - migrated).unwrap();
                    } else if random.below(2) == 0 {
                        simulated::keep(&disk, &options()).unwrap();
                    }
                    *heap = Some(reopen(&disk));
                }
                3 | 4 => heap.as_ref().unwrap().checkpoint().unwrap(),
                5 => drop(heap.as_ref().unwrap().collect().unwrap()),
                number => {
                    let mut tx = heap.as_ref().unwrap().write().unwrap();
                    let kind = if number < 8 { Kind::Bulk } else { Kind::Ordinary };
                    change(&mut tx, kind, random).unwrap();
                    if number == 6 {
                        tx.rollback();
                    } else {
                        tx.commit_with(Durability::Process).unwrap();
                    }
                }
            };
            for _ in 0..random.below(12) {
                work(&mut heap, &mut random);
            }
            disk.retain(true);
            let (header, _) = read_header(&BaseSource(&storage), Path::new("")).unwrap();
            let overlay = Overlay::under_log(&*storage, &header, BaseSource(&storage)).unwrap().0;
            let reader = Reader::with_overlay(overlay, header.clone(), Checks::Strict).unwrap();
            reader.check_published().unwrap();
            let before = reader.load().unwrap();
            for _ in 0..random.below(25) {
                work(&mut heap, &mut random);
            }
            let after = reader.load();
            if read_header(&BaseSource(&storage), Path::new("")).unwrap().0.forced == header.forced {
                let after = after.unwrap();
                for region in reader.catalog().regions() {
                    assert!(before.region(region.number) == after.region(region.number), "seed {seed}");
                }
                reader.check_published().unwrap();
                kept += 1;
            } else {
                told += 1;
            }
            disk.retain(false);
        }
    }
    assert!(kept > 10 && told > 10, "{kept} were kept, {told} told");
}

/// Through the mapped door memory and files say the same after any commits, and snapshots stay what they were.
#[test]
fn mapped_memory_is_what_the_files_say_after_any_commits() {
    for seed in 1..=2 {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("mapped.heap"), folder.path().join("copy.heap"));
        build(&Heap::open_with(&path, options()).unwrap()).unwrap();
        let own = || Options { announce: false, ..options() };
        let open = || open::open(&path, own(), Door::Mapped).unwrap();
        let mut heap = Some(open());
        let mut random = Random::new(seed);
        let mut snapshots = Vec::new();
        for number in 0..40 {
            let live = heap.as_ref().unwrap();
            match random.below(16) {
                0 => {
                    snapshots.clear();
                    drop(heap.take());
                    heap = Some(open());
                    flip_only(heap.as_ref().unwrap());
                }
                1 => {
                    snapshots.clear();
                    drop(heap.take());
                    heap = Some(open());
                    migrate(heap.as_ref().unwrap()).unwrap();
                }
                2 => live.keep().unwrap(),
                3 | 4 => live.checkpoint().unwrap(),
                5 => _ = live.collect().unwrap(),
                6 => {
                    let taken = live.snapshot().unwrap();
                    let texts = snapshot_text(&taken);
                    assert_eq!(texts, heap_text(live), "seed {seed}, change {number}");
                    snapshots.push((taken, texts));
                }
                kind => {
                    let mut tx = live.write().unwrap();
                    let what = if kind < 8 { Kind::Bulk } else { Kind::Ordinary };
                    change(&mut tx, what, &mut random).unwrap();
                    if kind == 9 {
                        tx.rollback();
                    } else {
                        tx.commit_with(Durability::Process).unwrap();
                    }
                }
            }
            for (snapshot, texts) in &snapshots {
                assert_eq!(snapshot_text(snapshot), *texts, "seed {seed}, change {number}");
            }
            for end in ["", ".log"] {
                std::fs::copy(with_end(&path, end), with_end(&copy, end)).unwrap();
            }
            let copied = Heap::open_with(&copy, own()).unwrap();
            assert_eq!(dump(&heap.as_ref().unwrap().read()), dump(&copied.read()), "seed {seed}, change {number}");
            if number % 8 == 0
                && let Some(kept) = copied.history().unwrap().kept
            {
                let lost = copied.stats().sequence - kept.sequence;
                drop(copied);
                crate::rollback_losing(&copy, lost).unwrap();
            }
        }
    }
}

fn snapshot_text(snapshot: &crate::Snapshot) -> Vec<(u64, u64, String, usize)> {
    use crate::guard::Reader as _;
    let items = snapshot.iter::<Item>().unwrap();
    let text = |item: &Item| (snapshot.get_text(item.name).unwrap().to_owned(), snapshot.get_bytes(item.data).unwrap());
    items
        .map(|(_, item)| {
            let (name, data) = text(item);
            (item.id, item.value, name, crc32fast::hash(data) as usize)
        })
        .collect()
}

fn heap_text(heap: &Heap) -> Vec<(u64, u64, String, usize)> {
    use crate::guard::Reader as _;
    let read = heap.read();
    let items = read.iter::<Item>().unwrap();
    items
        .map(|(_, item)| {
            let (name, data) = (read.get_text(item.name).unwrap(), read.get_bytes(item.data).unwrap());
            (item.id, item.value, name.to_owned(), crc32fast::hash(data) as usize)
        })
        .collect()
}
