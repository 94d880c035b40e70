//! A heap and an image of each released format, kept as bytes: this version opens them, and what makes them today makes
//! the same.
//!
//! `GOLDEN_WRITE=1 cargo test -p tests --test it golden_image_byte_by_byte` writes the files of the newest format anew.
//! Those of a format that was released are not written again.

use std::path::{Path, PathBuf};

use heap::read::Checks;
use heap::{Bytes, Heap, List, Map, Maybe, Options, Reader, Record, Ref, Result, SortedMap, Text, Transaction};
use image::export::{Format, export};
use image::inspect::View;
use image::{DumpOptions, DumpSource, Replace, Secrets, dump, open_file};

use crate::harness::{Folder, verify};

// `repr(C)`, because the bytes must not depend on how a compiler orders fields. There is no `Option<char>` for the same
// reason: which number means `None` is the compiler's.

/// A struct that lies inline in others.
#[derive(Record, Debug, Clone, Copy, PartialEq)]
#[repr(C)]
struct Position {
    x: f64,
    y: f32,
    level: i8,
}

/// An enum with and without payloads, which own something.
#[derive(Record, Debug, Clone, Copy, PartialEq)]
#[repr(u8)]
enum Errand {
    Nothing,
    Wait { seconds: u32, exactly: bool },
    Visit(Position, Option<u16>) = 9,
    Say(Text),
}

#[derive(Record, Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
enum Color {
    Red = 1,
    #[record(was = "Azure")]
    Blue = 500,
}

/// Somebody.
#[derive(Record, Debug, Clone, Copy, PartialEq)]
#[repr(C)]
#[record(was = "Person")]
struct Walker {
    id: u64,
    #[record(was = "nick", default = "nobody")]
    name: Text,
    at: Position,
    errand: Errand,
    color: Color,
    next: Option<Ref<Walker>>,
}

/// The root: whatever else a field can be.
#[derive(Record, Debug, Clone, Copy)]
#[repr(C)]
struct World {
    wide: u128,
    signed: i64,
    letter: char,
    flag: bool,
    perhaps: [Option<u32>; 2],
    maybe_not: Option<bool>,
    title: Option<Text>,
    raw: Bytes,
    maybe: [Maybe<Position>; 2],
    grid: [[u16; 3]; 2],
    inline: List<u16>,
    walkers: List<Ref<Walker>>,
    names: Map<Text, u64>,
    days: SortedMap<i32, List<Text>>,
}

/// Files of each format, the newest last.
const FORMATS: &[&str] = &["v1"];

/// Walkers at first; one of them is removed.
const WALKERS: u64 = 40;
const REMOVED: usize = 5;
const POSITION: Position = Position { x: -0.5, y: 3.25, level: -7 };
const LONG: &str = "a text that is longer than those of the smallest size class";

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

fn walker(tx: &mut Transaction<'_>, id: u64) -> Result<Ref<Walker>> {
    let name = tx.text(&format!("walker {id}"))?;
    let errand = match id % 4 {
        0 => Errand::Nothing,
        1 => Errand::Wait { seconds: id as u32, exactly: true },
        2 => Errand::Visit(POSITION, Some(id as u16)),
        _ => Errand::Say(tx.text("hello — 你好")?),
    };
    let color = if id.is_multiple_of(2) { Color::Red } else { Color::Blue };
    tx.insert(Walker { id, name, at: Position { x: id as f64, ..POSITION }, errand, color, next: None })
}

fn world(tx: &mut Transaction<'_>) -> Result<World> {
    let walkers = (0..WALKERS).map(|id| walker(tx, id)).collect::<Result<Vec<_>>>()?;
    for (position, &walker) in walkers.iter().enumerate() {
        tx[walker].next = Some(walkers[(position * 7 + 1) % walkers.len()]);
    }
    let (names, days) = (tx.map()?, tx.sorted_map()?);
    for id in 0..20 {
        let name = tx.text(&format!("name {id}"))?;
        names.insert(tx, name, id)?;
        let (day, note) = (tx.list()?, tx.text(LONG)?);
        day.push(tx, note)?;
        days.insert(tx, 10 - id as i32, day)?;
    }
    Ok(World {
        wide: 1 << 100,
        signed: -2,
        letter: 'ß',
        flag: true,
        perhaps: [Some(7), None],
        maybe_not: Some(false),
        title: Some(tx.text("golden")?),
        raw: tx.bytes(&[0, 255, 1])?,
        maybe: [Maybe::Just(POSITION), Maybe::Nothing],
        grid: [[1, 2, 3], [4, 5, 6]],
        inline: tx.list_from([10, 20, 30])?,
        walkers: tx.list_from(walkers)?,
        names,
        days,
    })
}

/// The heap of the current format, in two transactions.
fn make(path: &Path) -> Result<()> {
    let heap = Heap::open_with(path, Options { seed: Some(1), background: false, ..Options::default() })?;
    let mut tx = heap.write()?;
    let root = tx.root_or_insert("world", world)?;
    tx.commit()?;
    let mut tx = heap.write()?;
    let walkers = tx[root].walkers;
    let removed = walkers.get(&tx)?[REMOVED];
    walkers.remove(&mut tx, REMOVED)?;
    tx.remove(removed)?;
    tx[root].names.remove(&mut tx, "name 3")?;
    tx[root].days.remove(&mut tx, &4)?;
    // More than fits into the list's own slot.
    tx[root].inline.extend(&mut tx, 0..3)?;
    tx.commit()?;
    Ok(())
}

/// What the heap says is what was stored.
fn check(reader: &impl Reader, root: Ref<World>) -> Result<()> {
    let world = reader.get(root)?;
    assert_eq!((world.wide, world.signed, world.letter, world.flag), (1 << 100, -2, 'ß', true));
    assert_eq!((world.perhaps, world.maybe_not, world.grid), ([Some(7), None], Some(false), [[1, 2, 3], [4, 5, 6]]));
    assert_eq!(world.maybe, [Maybe::Just(POSITION), Maybe::Nothing]);
    assert_eq!(world.title.map(|title| reader.get_text(title)).transpose()?, Some("golden"));
    assert_eq!(reader.get_bytes(world.raw)?, [0, 255, 1]);
    assert_eq!(reader.get_list(world.inline)?, [10, 20, 30, 0, 1, 2]);
    let walkers =
        reader.get_list(world.walkers)?.iter().map(|&walker| reader.get(walker)).collect::<Result<Vec<_>>>()?;
    let ids: Vec<u64> = walkers.iter().map(|walker| walker.id).collect();
    assert_eq!(ids, (0..WALKERS).filter(|&id| id != REMOVED as u64).collect::<Vec<_>>());
    for walker in walkers {
        assert_eq!(reader.get_text(walker.name)?, format!("walker {}", walker.id));
        assert_eq!(walker.at, Position { x: walker.id as f64, ..POSITION });
        match walker.errand {
            Errand::Nothing => assert_eq!(walker.id % 4, 0),
            Errand::Wait { seconds, exactly } => assert_eq!((u64::from(seconds), exactly), (walker.id, true)),
            Errand::Visit(at, number) => assert_eq!((at, number), (POSITION, Some(walker.id as u16))),
            Errand::Say(text) => assert_eq!(reader.get_text(text)?, "hello — 你好"),
        }
        assert_eq!(walker.color == Color::Blue, walker.id % 2 == 1);
        let next = (walker.id * 7 + 1) % WALKERS;
        let found = reader.get(walker.next.expect("everybody has one"));
        assert_eq!(found.ok().map(|walker| walker.id), (next != REMOVED as u64).then_some(next));
    }
    assert_eq!(world.names.len(reader)?, 19);
    assert_eq!((world.names.get(reader, "name 3")?, world.names.get(reader, "name 4")?), (None, Some(&4)));
    let days: Vec<i32> = world.days.iter(reader)?.map(|(&day, _)| day).collect();
    assert_eq!(days, (-9..=10).filter(|&day| day != 4).collect::<Vec<_>>());
    let first = world.days.get(reader, &-9)?.expect("the first day");
    assert_eq!(reader.get_text(reader.get_list(*first)?[0])?, LONG);
    Ok(())
}

fn check_heap(heap: &Heap) {
    let read = heap.read();
    let root = read.root("world").unwrap().expect("the root of the golden heap");
    check(&read, root).unwrap();
}

/// The records of an image as JSON Lines.
fn lines(path: &Path) -> String {
    let reader = open_file(path, Checks::Strict).unwrap();
    let mut lines = Vec::new();
    export(&View::of_reader(&reader).unwrap(), Format::JsonLines, &mut lines).unwrap();
    String::from_utf8(lines).unwrap()
}

fn seal(heap: &Path, image: &Path) {
    let options = DumpOptions { secrets: Secrets::Refuse, replace: Replace::Never, reproducible: true };
    dump(&DumpSource::of_path(heap), image, &options).unwrap();
}

#[test]
fn what_is_made_today_is_the_golden_image_byte_by_byte() {
    let folder = Folder::new();
    let (heap, image) = (folder.file("made.heap"), folder.file("made.img"));
    make(&heap).unwrap();
    seal(&heap, &image);
    let name = FORMATS.last().expect("a format");
    if std::env::var_os("GOLDEN_WRITE").is_some() {
        std::fs::create_dir_all(golden("")).unwrap();
        std::fs::copy(&heap, golden(&format!("{name}.heap"))).unwrap();
        std::fs::copy(&image, golden(&format!("{name}.img"))).unwrap();
        std::fs::write(golden(&format!("{name}.jsonl")), lines(&image)).unwrap();
    }
    let kept = std::fs::read(golden(&format!("{name}.img"))).unwrap();
    assert!(std::fs::read(&image).unwrap() == kept, "this version makes other bytes of the same records");
}

#[test]
fn the_heap_of_every_format_opens_and_goes_on() {
    for name in FORMATS {
        let folder = Folder::new();
        let path = folder.file("copy.heap");
        std::fs::copy(golden(&format!("{name}.heap")), &path).unwrap();
        verify(&path);
        let heap = Heap::open(&path).unwrap();
        check_heap(&heap);
        let mut tx = heap.write().unwrap();
        let root: Ref<World> = tx.root("world").unwrap().unwrap();
        // Room that was freed then is given out now.
        let walker = walker(&mut tx, REMOVED as u64).unwrap();
        tx[root].walkers.push(&mut tx, walker).unwrap();
        tx.commit().unwrap();
        drop(heap);
        verify(&path);
        assert_eq!(Heap::open(&path).unwrap().read().count::<Walker>().unwrap(), WALKERS);
    }
}

#[test]
fn the_image_of_every_format_opens_and_says_the_same() {
    for name in FORMATS {
        let path = golden(&format!("{name}.img"));
        check_heap(&Heap::open_image(&path).unwrap());
        let said = Folder::new().image(&["verify", path.to_str().unwrap()]).done();
        assert!(said.starts_with("ok: "), "{said}");
        let kept = std::fs::read_to_string(golden(&format!("{name}.jsonl"))).unwrap();
        assert!(lines(&path) == kept, "{name}.img is exported otherwise than it was");
        // The heap beside it holds the same records.
        let folder = Folder::new();
        let (heap, image) = (folder.file("copy.heap"), folder.file("copy.img"));
        std::fs::copy(golden(&format!("{name}.heap")), &heap).unwrap();
        seal(&heap, &image);
        assert!(lines(&image) == kept, "{name}.heap and {name}.img hold other records");
    }
}
