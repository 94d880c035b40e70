//! A heap of another byte order that is opened, cut off after each of its events: it is wholly foreign or wholly of this
//! machine, byte by byte, and so it is when any of its calls fails.

#[path = "../../tests/foreign/turned.rs"]
mod turned;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use migrate::{Body, Field, FieldAttributes, Integer, Shape, TypeAttributes, TypeDescriptor};

use super::cuts::{each_cut, each_failing_call};
use super::life::options;
use crate::format::BLOCK;
use crate::format::handle::LAST_GENERATION;
use crate::format::header::{ByteOrder, FileState, Header, LogStart, PAGE};
use crate::format::slot::Kind;
use crate::open::BaseSource;
use crate::raw::laws::{Names, NewPart, OldPart, Uneven};
use crate::read::fixture::Fixture;
use crate::read::{Checks, Overlay, Reader, Regions, read_header};
use crate::storage::simulated::{Cut, Image, Random, Replay, SimulatedDisk};
use crate::storage::{File, Storage};
use crate::{Error, Heap, Options, Result, Types, simulated};

const COUNT: u64 = 120;

/// A heap with records, texts, lists, both kinds of maps, and free slots between them.
fn native() -> Arc<SimulatedDisk> {
    let disk = SimulatedDisk::new(simulated::empty(7));
    let heap = simulated::open(&disk, options()).unwrap();
    let mut tx = heap.write().unwrap();
    let (by_name, by_number) = (tx.map().unwrap(), tx.sorted_map().unwrap());
    let mut next = None;
    for id in 0..2 * COUNT {
        let name = tx.text(&format!("part {id}")).unwrap();
        let sizes = tx.list_from(0..(id % 9) as u16).unwrap();
        let part = tx.insert(OldPart { id: id as u32, name, sizes, next }).unwrap();
        if id < COUNT {
            next = Some(part);
        }
        let (key, value) = (tx.text(&format!("key {id}")).unwrap(), tx.text(&format!("value {id}")).unwrap());
        by_name.insert(&mut tx, key, id << 40).unwrap();
        by_number.insert(&mut tx, (id as u32).wrapping_mul(0x9e37_79b9), value).unwrap();
    }
    for part in tx.records::<OldPart>().unwrap() {
        if u64::from(tx[part].id) >= COUNT {
            tx.remove(part).unwrap();
        }
    }
    let names = tx.insert(Names { by_name, by_number }).unwrap();
    tx.set_root("names", names).unwrap();
    tx.set_root("last", next.unwrap()).unwrap();
    tx.commit().unwrap();
    drop(heap);
    disk
}

/// What a heap's file is under its log.
#[derive(Debug, PartialEq, Eq)]
struct State {
    order: ByteOrder,
    regions: BTreeMap<u32, Vec<u8>>,
}

impl State {
    fn of(disk: &Arc<SimulatedDisk>) -> Self {
        let storage: Arc<dyn Storage> = Arc::<SimulatedDisk>::clone(disk);
        let (header, _) = read_header(&BaseSource(&storage), Path::new("")).unwrap();
        let (overlay, _) = Overlay::under_log(&*storage, &header, BaseSource(&storage)).unwrap();
        let reader = Reader::with_overlay(overlay, header, Checks::Strict).unwrap();
        reader.check_published().unwrap();
        let loaded = reader.load().unwrap();
        let numbers = reader.catalog().regions().iter().map(|region| region.number);
        let regions = numbers.map(|number| (number, loaded.region(number).unwrap().to_vec())).collect();
        Self { order: reader.catalog().byte_order(reader.header()), regions }
    }
}

/// The heap as a machine of the other byte order would have written it, and both states.
struct Twins {
    disk: Arc<SimulatedDisk>,
    native: State,
    foreign: State,
}

impl Twins {
    fn new() -> Self {
        let native = native();
        let mut file = vec![0; native.len(File::Base).unwrap() as usize];
        native.read_at(File::Base, 0, &mut file).unwrap();
        let disk = native.like(Image::new(&turned::turned(&file)));
        let twins = Self { native: State::of(&native), foreign: State::of(&disk), disk };
        assert_ne!(twins.native.order, twins.foreign.order);
        twins
    }

    /// Whether the heap is this machine's; either way it is whole.
    fn is_native(&self, disk: &Arc<SimulatedDisk>) -> bool {
        let state = State::of(disk);
        assert!(state == self.native || state == self.foreign, "the heap is neither ({:?})", state.order);
        state == self.native
    }
}

fn open(disk: &Arc<SimulatedDisk>) -> Result<Heap> {
    simulated::open(disk, options())
}

#[test]
fn a_foreign_heap_that_is_cut_off_is_whole_or_was_not_touched() {
    let twins = Twins::new();
    let like = |image: Image| twins.disk.like(image);
    let (mut foreign, mut native) = (0, 0);
    each_cut(&twins.disk, open, |position, image| {
        if twins.is_native(&like(image.clone())) {
            native += 1;
            let back = like(image.clone());
            simulated::rollback(&back, &options()).unwrap();
            assert!(!twins.is_native(&back), "rolled back after event {position}");
        } else {
            foreign += 1;
        }
        // The next try goes through, and transcodes once.
        let disk = like(image);
        let heap = open(&disk).unwrap();
        assert_eq!(heap.history().unwrap().receipts.len(), 1);
        drop(heap);
        assert!(twins.is_native(&disk));
    });
    assert!(foreign > 10 && native > 10, "{foreign} foreign, {native} native");
}

#[test]
fn a_foreign_heap_of_which_a_call_fails_is_whole_or_was_not_touched() {
    let twins = Twins::new();
    let may_be = |error: &Error| !matches!(error, Error::Corrupt { .. });
    let refused = each_failing_call(&twins.disk, open, may_be, |disk| {
        twins.is_native(disk);
    });
    assert!(refused > 10, "only {refused} calls made it fail");
}

/// The way here and new types are one commit: there is no heap of this machine with the old ones.
#[test]
fn a_foreign_heap_that_is_migrated_is_cut_off_once() {
    let twins = Twins::new();
    let migrating = twins.disk.like(twins.disk.image());
    let types = Types::of::<NewPart>().unwrap();
    drop(simulated::open(&migrating, Options { types: Some(types), ..options() }).unwrap());
    let migrated = State::of(&migrating);
    let journal = migrating.journal();
    let mut replay = Replay::new(&journal);
    let mut new = 0;
    loop {
        let disk = twins.disk.like(replay.state(Cut::Chance(replay.position() as u64)));
        let state = State::of(&disk);
        assert!(state == migrated || state == twins.foreign);
        new += usize::from(state == migrated);
        if !replay.advance() {
            break;
        }
    }
    assert!(new > 3, "{new}");
    simulated::rollback(&migrating, &options()).unwrap();
    assert!(State::of(&migrating) == twins.foreign);
}

/// A dump that reads the log holds the file's next header back: the file says that the heap is this machine's, and only
/// the log that it is foreign again.
#[test]
fn a_heap_that_is_foreign_by_its_log_alone_is_transcoded() {
    let twins = Twins::new();
    drop(open(&twins.disk).unwrap());
    twins.disk.retain(true);
    simulated::rollback(&twins.disk, &options()).unwrap();
    twins.disk.retain(false);
    assert!(!twins.is_native(&twins.disk));
    let heap = open(&twins.disk).unwrap();
    assert_eq!(heap.history().unwrap().receipts.len(), 3);
    drop(heap);
    assert!(twins.is_native(&twins.disk));
}

/// A machine whose pointers have four bytes may align wider numbers to four: that is another layout, and fields are
/// matched by name.
#[test]
fn a_heap_whose_numbers_are_aligned_otherwise_is_migrated() {
    let integer = |width, align| Shape::Integer(Integer { width, signed: false, align });
    let field =
        |name: &str, offset, shape| Field { name: name.into(), offset, shape, attributes: FieldAttributes::default() };
    let body = Body::Struct(vec![field("a", 0, integer(4, 4)), field("b", 4, integer(8, 4))]);
    let attributes = TypeAttributes::default();
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let described = TypeDescriptor {
            name: "Uneven".into(),
            size: 12,
            align: 4,
            body: body.clone(),
            attributes: attributes.clone(),
        };
        let mut fixture = Fixture::with_order(vec![described], order);
        for number in 1..100_u64 {
            let (wide, narrow) = (fixture.word(number << 35), fixture.word(number * 0x1_0000_0001));
            // The half is the same wherever it is taken from.
            let record = fixture.record("Uneven", &[&narrow[..4], &wide].concat());
            fixture.root(&number.to_string(), record);
        }
        let freed = fixture.record("Uneven", &[1; 12]);
        fixture.free(freed);
        let retired = fixture.record("Uneven", &[1; 12]);
        fixture.free(retired);
        fixture.set_header(retired, LAST_GENERATION, Kind::Retired, 0);
        let file = fixture.file_with(|entries| entries.header.pointer_width = 4);
        let disk = SimulatedDisk::new(Image::new(&file));
        let heap = open(&disk).unwrap();
        assert!(matches!(heap.read().root::<Uneven>("1"), Err(Error::Schema { .. })));
        drop(heap);
        let types = Types::of::<Uneven>().unwrap();
        let heap = simulated::open(&disk, Options { types: Some(types), ..options() }).unwrap();
        let mut tx = heap.write().unwrap();
        for number in 1..100_u64 {
            let record = tx.root::<Uneven>(&number.to_string()).unwrap().unwrap();
            assert_eq!((u64::from(tx[record].a), tx[record].b), (number, number << 35));
        }
        // The free slot is given out again under the generation it was to be given, the retired one never.
        let next = tx.insert(Uneven { a: 1, b: 2 }).unwrap();
        assert_eq!(next.to_bits(), freed + (1 << 38));
        assert_ne!(tx.insert(Uneven { a: 1, b: 2 }).unwrap().to_bits() << 26, retired << 26);
        drop(tx);
        drop(heap);
        let mut page = vec![0; 2 * PAGE];
        disk.read_at(File::Base, 0, &mut page).unwrap();
        assert_eq!(
            usize::from(Header::choose(page[..].try_into().unwrap()).unwrap().0.pointer_width),
            size_of::<usize>()
        );
    }
}

/// An image is transcoded as it is read: what its slots hold may be anything, and is refused or is a heap.
#[test]
fn a_foreign_image_of_anything_is_refused_without_a_panic() {
    use crate::format::catalog::Stream;
    let twins = Twins::new();
    let mut file = vec![0; twins.disk.len(File::Base).unwrap() as usize];
    twins.disk.read_at(File::Base, 0, &mut file).unwrap();
    let reader = Reader::open(&file[..], Path::new(""), Checks::Strict).unwrap();
    let extents: Vec<_> = reader.catalog().extents().iter().map(|extent| extent.entry).collect();
    let sums = reader.catalog().root().streams[Stream::Checksums as usize].at;
    let header = Header {
        state: FileState::Image,
        log: LogStart::default(),
        manifest_at: reader.header().file_len,
        manifest_len: 8,
        ..reader.header().clone()
    };
    drop(reader);
    file.truncate(header.file_len as usize);
    file.extend_from_slice(&[0; 8]);
    file[..2 * PAGE].fill(0);
    file[..PAGE].copy_from_slice(&header.to_page());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("any.img");
    let mut random = Random::new(11);
    let (mut whole, mut refused) = (0, 0);
    for round in 0..400 {
        let mut changed = file.clone();
        for _ in 0..random.below(4) {
            let extent = extents[random.below(extents.len() as u64) as usize];
            // Where slots are used, and most of all in their headers.
            let at = (extent.at + random.below(extent.len.min(6000)) / 8 * 8) as usize;
            let value = match random.below(4) {
                0 => u64::MAX >> random.below(64),
                1 => 1 << random.below(64),
                // A header's word.
                2 => random.below(16) << 32 | random.below(12) | 1 << 40,
                _ => 0,
            };
            let value = if random.below(2) == 0 { value.to_le_bytes() } else { value.to_be_bytes() };
            changed[at..at + 8].copy_from_slice(&value);
            let block = at as u64 / BLOCK;
            let sum = crc32fast::hash(&changed[(block * BLOCK) as usize..][..BLOCK as usize]);
            changed[(sums + 4 * block) as usize..][..4].copy_from_slice(&sum.to_le_bytes());
        }
        std::fs::write(&path, &changed).unwrap();
        match crate::open::open_image(&path, options()) {
            Ok(_) => whole += 1,
            Err(Error::Corrupt { .. }) => refused += 1,
            Err(error) => panic!("round {round}: {error}"),
        }
    }
    assert!(whole > 40 && refused > 40, "{whole} whole, {refused} refused");
}
