//! Heaps of another byte order, and of another pointer width, opened by a program.
#![allow(
    unreachable_pub,
    clippy::float_cmp,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::manual_is_multiple_of,
    reason = "values are made of small numbers, and exact ones are meant"
)]

mod turned;
mod types;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use heap::format::handle::LAST_GENERATION;
use heap::format::header::{ByteOrder, PAGE};
use heap::format::history::ReceiptKind;
use heap::format::slot::{self, Kind};
use heap::read::{Checks, Reader, Regions, read_header};
use heap::verify::verify;
use heap::{Error, Heap, Migrate, OnProgress, Options, Progress, Types};

use turned::{sum, turned};
use types::{All, build, check};

/// A heap with every kind of value, as this machine writes it, and as one of the other byte order would.
struct Twins {
    folder: tempfile::TempDir,
    native: Vec<u8>,
    foreign: Vec<u8>,
}

impl Twins {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("native.heap");
        let heap = Heap::open(&path).unwrap();
        build(&heap).unwrap();
        drop(heap);
        let mut native = fs::read(&path).unwrap();
        retire(&mut native);
        fs::write(path, &native).unwrap();
        let foreign = turned(&native);
        assert!(regions(&turned(&foreign)) == regions(&native), "turned twice, it is the same");
        Self { folder, native, foreign }
    }

    fn store(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("board.heap");
        fs::write(&path, bytes).unwrap();
        path
    }
}

/// The first free slot of each table has used up its generations.
fn retire(file: &mut [u8]) {
    let mut found = BTreeMap::new();
    {
        let reader = Reader::open(&*file, Path::new(""), Checks::Strict).unwrap();
        let catalog = reader.catalog();
        for region in catalog.regions() {
            let entry = catalog.tables()[region.table as usize].entry;
            for index in 0..region.used {
                let at = u64::from(entry.first) - 8 + u64::from(index) * u64::from(entry.stride);
                let mut extents = catalog.extents_of(region).iter().map(|extent| extent.entry);
                let extent = extents.rfind(|extent| u64::from(extent.offset) <= at).unwrap();
                let at = (extent.at + at - u64::from(extent.offset)) as usize;
                let word = u64::from_ne_bytes(file[at..at + 8].try_into().unwrap());
                if slot::kind(word) == Some(Kind::Free) {
                    found.entry(region.table).or_insert(at);
                }
            }
        }
    }
    assert!(found.len() > 3, "{found:?}");
    for at in found.into_values() {
        let word = slot::word(LAST_GENERATION, Kind::Retired, 0);
        file[at..at + 8].copy_from_slice(&word.to_ne_bytes());
    }
    sum(file);
}

/// Turning a file leaves one header page.
fn without_other_page(file: &[u8]) -> Vec<u8> {
    let (header, page) = read_header(&file, Path::new("")).unwrap();
    let mut file = file.to_vec();
    file[..2 * PAGE].fill(0);
    file[usize::from(page) * PAGE..][..PAGE].copy_from_slice(&header.to_page());
    file
}

/// Every byte of every region, with its number.
fn regions(file: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let reader = Reader::open(file, Path::new(""), Checks::Strict).unwrap();
    let loaded = reader.load().unwrap();
    let numbers = reader.catalog().regions().iter().map(|region| region.number);
    numbers.map(|number| (number, loaded.region(number).unwrap().to_vec())).collect()
}

fn order_of(file: &[u8]) -> ByteOrder {
    let reader = Reader::open(file, Path::new(""), Checks::Strict).unwrap();
    reader.catalog().byte_order(reader.header())
}

fn other() -> ByteOrder {
    if ByteOrder::NATIVE == ByteOrder::Little { ByteOrder::Big } else { ByteOrder::Little }
}

/// The verifier reads either order, and finds the same.
#[test]
fn a_foreign_heap_is_verified_as_it_is() {
    let twins = Twins::new();
    let report = |file: &[u8]| {
        let reader = Reader::open(file, Path::new(""), Checks::Strict).unwrap();
        verify(&reader.load().unwrap(), reader.catalog(), reader.header()).unwrap()
    };
    assert_eq!(order_of(&twins.foreign), other());
    let found = report(&twins.foreign);
    assert_eq!(found, report(&twins.native));
    assert!(found.maps > 10 && found.lists > 10 && found.records > 300, "{found:?}");
}

#[allow(unsafe_code, reason = "the door that believes the file is unsafe")]
fn mapped(path: &Path) -> heap::Result<Heap> {
    // SAFETY: nobody else knows the file.
    unsafe { Heap::open_mapped(path, Options::default()) }
}

/// Opened, the heap is byte by byte the one that this machine would have written; and that only once.
#[test]
fn a_foreign_heap_is_transcoded_once() {
    let twins = Twins::new();
    let doors: [fn(&Path) -> heap::Result<Heap>; 3] =
        [|path| Heap::open(path), |path| Heap::open_as::<All>(path), mapped];
    for open in doors {
        let path = twins.store(&twins.foreign);
        for round in 0..2 {
            let heap = open(&path).unwrap();
            check(&heap.read());
            let history = heap.history().unwrap();
            let [receipt] = &history.receipts[..] else { panic!("round {round}: {history:?}") };
            assert_eq!((receipt.kind, receipt.byte_order), (ReceiptKind::Migrated, Some(ByteOrder::NATIVE)));
            assert_eq!((receipt.from == receipt.to, receipt.types.len()), (true, 0));
            assert!(heap.stats().kept_len > 0);
            drop(heap);
            let file = fs::read(&path).unwrap();
            assert_eq!(order_of(&file), ByteOrder::NATIVE);
            assert_eq!(read_header(&&file[..], &path).unwrap().0.byte_order, other(), "the header is as it was");
            assert!(regions(&file) == regions(&twins.native));
        }
    }
}

#[test]
fn a_transcoded_heap_is_written_to_like_any_other() {
    let twins = Twins::new();
    let path = twins.store(&twins.foreign);
    let heap = Heap::open(&path).unwrap();
    types::change(&heap).unwrap();
    heap.keep().unwrap();
    drop(heap);
    let native = twins.folder.path().join("native.heap");
    let heap = Heap::open(&native).unwrap();
    types::change(&heap).unwrap();
    drop(heap);
    assert!(regions(&fs::read(&path).unwrap()) == regions(&fs::read(&native).unwrap()));
    let heap = Heap::open(&path).unwrap();
    assert_eq!(heap.stats().kept_len, 0);
    let saved = twins.folder.path().join("saved.heap");
    heap.save_as(&saved).unwrap();
    let saved = fs::read(saved).unwrap();
    assert_eq!(read_header(&&saved[..], Path::new("")).unwrap().0.byte_order, ByteOrder::NATIVE);
    let read = Reader::open(&saved[..], Path::new(""), Checks::Strict).unwrap();
    assert_eq!(read.catalog().root().byte_order, None);
}

#[test]
fn a_rollback_gives_the_foreign_heap_back() {
    let twins = Twins::new();
    let path = twins.store(&twins.foreign);
    drop(Heap::open(&path).unwrap());
    heap::rollback(&path).unwrap();
    let file = fs::read(&path).unwrap();
    assert_eq!(order_of(&file), other());
    assert!(regions(&file) == regions(&twins.foreign));
    let reader = Reader::open(&file[..], &path, Checks::Strict).unwrap();
    let receipts = &reader.catalog().history().receipts;
    assert_eq!(receipts[1].kind, ReceiptKind::RolledBack);
    assert_eq!(receipts[1].byte_order, Some(other()));
    // And again.
    let heap = Heap::open(&path).unwrap();
    check(&heap.read());
    drop(heap);
    assert!(regions(&fs::read(&path).unwrap()) == regions(&twins.native));
}

/// Both at once, in one commit: rolled back, the heap is the foreign one of the old types.
#[test]
fn a_foreign_heap_is_migrated_in_the_same_commit() {
    let twins = Twins::new();
    let path = twins.store(&twins.foreign);
    let heap = Heap::open_as::<types::Newer>(&path).unwrap();
    types::check_newer(&heap.read());
    let history = heap.history().unwrap();
    let [receipt] = &history.receipts[..] else { panic!("{history:?}") };
    assert_eq!(receipt.byte_order, Some(ByteOrder::NATIVE));
    assert!(receipt.types.iter().any(|described| described.name == "All"), "{receipt:?}");
    drop(heap);
    let native = twins.folder.path().join("native.heap");
    drop(Heap::open_as::<types::Newer>(&native).unwrap());
    assert!(regions(&fs::read(&path).unwrap()) == regions(&fs::read(&native).unwrap()));
    heap::rollback(&path).unwrap();
    assert!(regions(&fs::read(&path).unwrap()) == regions(&twins.foreign));
}

/// What runs after a migration of types does not run when there is none.
#[test]
fn nothing_runs_after_bytes_alone() {
    let twins = Twins::new();
    let path = twins.store(&twins.foreign);
    let failing = || Error::NothingKept { path: "after".into() };
    let open = |types: Types| {
        let types = Some(types.after(move |_| Err(failing())));
        let converted = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&converted);
        let on_progress = OnProgress::new(move |progress| {
            if let Progress::Begun { records } | Progress::Converted { records } = progress {
                told.store(records, Ordering::Relaxed);
            }
        });
        let opened = Heap::open_with(&path, Options { types, on_progress: Some(on_progress), ..Options::default() });
        opened.map(|heap| (heap.stats().records, converted.load(Ordering::Relaxed)))
    };
    let Err(error) = open(Types::of::<types::Newer>().unwrap()) else { panic!("it was opened") };
    assert!(matches!(error, Error::NothingKept { .. }), "{error}");
    assert_eq!(order_of(&fs::read(&path).unwrap()), other());
    let (records, converted) = open(Types::of::<All>().unwrap()).unwrap();
    assert_eq!(converted, records);
}

#[test]
fn a_plan_says_that_a_heap_is_foreign_and_writes_nothing() {
    let twins = Twins::new();
    for types in [None, Some(Types::of::<All>().unwrap()), Some(Types::of::<types::Newer>().unwrap())] {
        let path = twins.store(&twins.foreign);
        let options = Options { types, migrate: Migrate::PlanOnly, ..Options::default() };
        let Err(error) = Heap::open_with(&path, options) else { panic!("it was opened") };
        assert!(fs::read(&path).unwrap() == twins.foreign);
        assert!(error.to_string().contains("transcoded from"), "{error}");
        let Error::Pending { plan, .. } = error else { panic!("{error}") };
        assert!(plan.to_string().starts_with("all values are transcoded from "), "{plan}");
    }
}

#[test]
fn a_refused_migration_leaves_a_foreign_heap_as_it_is() {
    let twins = Twins::new();
    let path = twins.store(&twins.foreign);
    let Err(error) = Heap::open_as::<types::Lossy>(&path) else { panic!("it was opened") };
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert!(error.to_string().contains("wide"), "{error}");
    assert!(fs::read(&path).unwrap() == twins.foreign);
}

/// Any damage of a value is found before anything is written; checksums are right, so that only the verifier finds it.
#[test]
fn a_damaged_foreign_heap_is_left_byte_by_byte() {
    let twins = Twins::new();
    let extents = {
        let reader = Reader::open(&twins.foreign[..], Path::new(""), Checks::Strict).unwrap();
        reader.catalog().extents().iter().map(|extent| (extent.entry.at, extent.entry.len)).collect::<Vec<_>>()
    };
    let (mut refused, mut random) = (0, 1_u64);
    for _ in 0..60 {
        let mut damaged = twins.foreign.clone();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (at, len) = extents[(random >> 33) as usize % extents.len()];
        damaged[(at + (random >> 17) % len.min(2000)) as usize] ^= 1 << (random >> 60 & 7);
        sum(&mut damaged);
        let path = twins.store(&damaged);
        // A number may become another one; nothing else gets through.
        match Heap::open_with(&path, Options { migrate: Migrate::PlanOnly, ..Options::default() }) {
            Err(Error::Corrupt { .. }) => refused += 1,
            Err(Error::Pending { .. }) => {}
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it was opened"),
        }
        assert!(fs::read(&path).unwrap() == damaged);
    }
    assert!(refused > 15, "{refused}");
    let mut damaged = twins.foreign.clone();
    damaged[extents[0].0 as usize + 20] ^= 1;
    let path = twins.store(&damaged);
    assert!(matches!(Heap::open(&path), Err(Error::Corrupt { .. })));
    assert!(fs::read(&path).unwrap() == damaged);
}

/// Only the header says how wide a pointer is, and only for people; its next page says this machine's.
#[test]
fn a_heap_of_another_pointer_width_opens() {
    let twins = Twins::new();
    for file in [&twins.native, &twins.foreign] {
        let mut narrow = without_other_page(file);
        let (mut header, page) = read_header(&&narrow[..], Path::new("")).unwrap();
        header.pointer_width = 4;
        narrow[usize::from(page) * PAGE..][..PAGE].copy_from_slice(&header.to_page());
        let path = twins.store(&narrow);
        let heap = Heap::open_as::<All>(&path).unwrap();
        check(&heap.read());
        assert_eq!(heap.history().unwrap().receipts.len(), usize::from(file == &twins.foreign));
        drop(heap);
        let file = fs::read(&path).unwrap();
        assert_eq!(usize::from(read_header(&&file[..], &path).unwrap().0.pointer_width), size_of::<usize>());
        assert!(regions(&file) == regions(&twins.native));
    }
}
