//! Every kind of value.

use heap::{Bytes, Heap, List, Map, Maybe, Read, Record, Ref, Result, SortedMap, Text, Transaction};

#[derive(Record, Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub level: u8,
    pub x: f64,
    pub y: f32,
}

#[derive(Record, Debug, Clone, Copy, PartialEq)]
#[repr(u8)]
pub enum Small {
    Nothing,
    Wait { seconds: u32, exact: bool },
    Visit(Point, Option<u16>) = 9,
    Write(Text, Option<Ref<Node>>),
}

#[derive(Record, Debug, Clone, Copy, PartialEq)]
#[repr(i16)]
pub enum Middle {
    Below(u64) = -300,
    Above = 0x1234,
}

#[derive(Record, Debug, Clone, Copy, PartialEq)]
#[repr(u32)]
pub enum Large {
    One([u16; 3]) = 0x0102_0304,
    Other(char) = 7,
}

#[derive(Record, Debug, Clone, Copy, PartialEq)]
#[repr(i64)]
pub enum Wide {
    Small(u8) = i64::MIN,
    Two(u8, i128) = -1,
}

#[derive(Record, Debug, Clone, Copy, PartialEq)]
#[repr(u128)]
pub enum Widest {
    Some(u16) = 1 << 100,
    None = 1,
}

#[derive(Record, Debug, Clone, Copy, PartialEq)]
pub struct Node {
    pub value: u64,
    pub next: Option<Ref<Node>>,
    pub edges: List<Ref<Node>>,
}

macro_rules! all {
    ($name:ident { $($changed:tt)* }) => {
        #[derive(Record)]
        #[record(name = "All")]
        pub struct $name {
            pub flag: bool,
            pub tiny: i8,
            pub short: i16,
            pub long: i64,
            pub longest: u128,
            pub single: f32,
            pub double: f64,
            pub letter: char,
            pub grid: [[u16; 3]; 2],
            pub at: Point,
            pub small: Small,
            pub smalls: [Small; 3],
            pub middle: Middle,
            pub large: Large,
            pub wider: Wide,
            pub widest: Widest,
            pub perhaps: [Option<u32>; 2],
            pub letters: [Option<char>; 2],
            pub flags: [Option<bool>; 2],
            pub points: [Maybe<Point>; 2],
            pub smalls_perhaps: [Maybe<Small>; 2],
            pub parent: Option<Ref<Node>>,
            pub node: Ref<Node>,
            pub name: Text,
            pub raw: Bytes,
            pub short_list: List<Point>,
            pub long_list: List<Small>,
            pub nested: List<List<u16>>,
            pub texts: List<Text>,
            pub by_name: Map<Text, Option<u32>>,
            pub by_number: Map<i64, Small>,
            pub by_letters: Map<[char; 2], List<u32>>,
            pub by_node: Map<Ref<Node>, u128>,
            pub sorted: SortedMap<i32, Text>,
            pub sorted_names: SortedMap<Text, Small>,
            pub sorted_wide: SortedMap<[i16; 3], u128>,
            pub empty_map: Map<u8, u8>,
            pub empty_sorted: SortedMap<u8, u8>,
            $($changed)*
        }
    };
}

all!(All { pub wide: u32, pub last: u16 });
// Fields grow, come and move; an element of a list becomes wider.
all!(Newer { pub last: u64, pub wide: u32, #[record(default = 7)] pub added: u64 });
all!(Lossy { pub wide: u16, pub last: u16 });

const NODES: u64 = 400;
const RECORDS: u64 = 40;
const POINT: Point = Point { level: 200, x: -0.1, y: 16_777_217.0 };

fn small(tx: &mut Transaction<'_>, number: u64, node: Ref<Node>) -> Result<Small> {
    Ok(match number % 4 {
        0 => Small::Nothing,
        1 => Small::Wait { seconds: 0x0102_0304 + number as u32, exact: number % 8 == 1 },
        2 => Small::Visit(visited(number), (number % 8 == 2).then_some(0x0102)),
        _ => Small::Write(tx.text(&format!("small {number}"))?, (number % 8 == 3).then_some(node)),
    })
}

fn visited(number: u64) -> Point {
    Point { level: 3, x: 0.1 * number as f64, y: -1.5 }
}

fn check_small(read: &Read<'_>, found: Small, number: u64, node: Ref<Node>) {
    match found {
        Small::Nothing => assert_eq!(number % 4, 0),
        Small::Wait { seconds, exact } => {
            assert_eq!((number % 4, seconds, exact), (1, 0x0102_0304 + number as u32, number % 8 == 1));
        }
        Small::Visit(point, other) => {
            assert_eq!((number % 4, point, other), (2, visited(number), (number % 8 == 2).then_some(0x0102)));
        }
        Small::Write(text, to) => {
            assert_eq!((number % 4, to), (3, (number % 8 == 3).then_some(node)));
            assert_eq!(&read[text], format!("small {number}"));
        }
    }
}

/// Fills a new heap.
pub fn build(heap: &Heap) -> Result<()> {
    let mut tx = heap.write()?;
    let mut nodes: Vec<Ref<Node>> = Vec::new();
    for value in 0..NODES {
        let edges: Vec<_> = nodes.iter().rev().take(value as usize % 7).copied().collect();
        let edges = tx.list_from(edges)?;
        nodes.push(tx.insert(Node { value: value << 33 | value, next: nodes.last().copied(), edges })?);
    }
    tx.set_root("last", nodes[NODES as usize - 1])?;
    for number in 0..RECORDS {
        let all = all(&mut tx, number, &nodes)?;
        tx.root_or_insert(&format!("all {number}"), |_| Ok(all))?;
    }
    tx.commit()?;
    // Slots of records and values that were free, some of them several times; large ones too.
    for round in 0..4 {
        let mut tx = heap.write()?;
        let mut freed = Vec::new();
        for value in 0..20 {
            let edges = tx.list_from(vec![nodes[0]; value as usize * 9])?;
            freed.push(tx.insert(Node { value, next: None, edges })?);
        }
        let raw = tx.bytes(&vec![1; 300_000])?;
        let large = tx.insert(Blob { raw })?;
        tx.commit()?;
        let mut tx = heap.write()?;
        for node in freed.into_iter().skip(round) {
            tx.remove(node)?;
        }
        tx.remove(large)?;
        tx.commit()?;
    }
    Ok(())
}

#[derive(Record)]
pub struct Blob {
    pub raw: Bytes,
}

fn all(tx: &mut Transaction<'_>, number: u64, nodes: &[Ref<Node>]) -> Result<All> {
    let node = nodes[5];
    let short_list = tx.list_from([POINT; 2])?;
    let (long_list, nested, texts) = (tx.list()?, tx.list()?, tx.list()?);
    for offset in 0..number * 5 {
        let element = small(tx, offset, node)?;
        long_list.push(tx, element)?;
    }
    for len in 0..number % 5 {
        let inner = tx.list_from((0..len as u32 * 40).map(|n| n as u16 * 257))?;
        nested.push(tx, inner)?;
    }
    let (by_name, by_number, by_letters, by_node) = (tx.map()?, tx.map()?, tx.map()?, tx.map()?);
    let (sorted, sorted_names, sorted_wide) = (tx.sorted_map()?, tx.sorted_map()?, tx.sorted_map()?);
    for entry in 0..number * number {
        let text = tx.text(&format!("text {entry}"))?;
        texts.push(tx, text)?;
        let name = tx.text(&called(entry))?;
        by_name.insert(tx, name, (entry % 3 != 0).then_some(entry as u32 * 65_537))?;
        let value = small(tx, entry, node)?;
        by_number.insert(tx, key(entry), value)?;
        let list = tx.list_from((0..entry as u32 % 4).map(|n| n + 0x0a0b_0000))?;
        by_letters.insert(tx, letters(entry), list)?;
        by_node.insert(tx, nodes[entry as usize % 300], u128::MAX / (1 + u128::from(entry)))?;
        let text = tx.text(&format!("sorted {entry}"))?;
        sorted.insert(tx, sorted_key(entry), text)?;
        let (name, value) = (tx.text(&called(entry * 7919 % 10_007))?, small(tx, entry, node)?);
        sorted_names.insert(tx, name, value)?;
        sorted_wide.insert(tx, [-(entry as i16), entry as i16 * 3, 1], u128::from(entry) << 64)?;
    }
    let smalls = [small(tx, number, node)?, small(tx, number + 1, node)?, small(tx, number + 3, node)?];
    let even = number % 2 == 0;
    Ok(All {
        flag: even,
        tiny: -(number as i8),
        short: -300 + number as i16,
        long: i64::MIN + number as i64,
        longest: u128::MAX - u128::from(number),
        single: f32::from_bits(0x7fc0_1234),
        double: -0.1 * number as f64,
        letter: char::from_u32(0x1_f600 + number as u32).unwrap(),
        grid: [[1, 2, 3], [0x0405, 0x0607, number as u16]],
        at: POINT,
        small: small(tx, number + 2, node)?,
        smalls,
        middle: if even { Middle::Below(number << 40) } else { Middle::Above },
        large: if even { Large::One([1, 0x0203, 4]) } else { Large::Other('ß') },
        wider: if even { Wide::Small(7) } else { Wide::Two(8, -i128::from(number) << 70) },
        widest: if even { Widest::Some(0x0102) } else { Widest::None },
        perhaps: [None, Some(0x0102_0304)],
        letters: [None, Some('é')],
        flags: [None, Some(even)],
        points: [Maybe::Nothing, Maybe::Just(POINT)],
        smalls_perhaps: [Maybe::Nothing, Maybe::Just(small(tx, number + 1, node)?)],
        parent: even.then_some(nodes[number as usize]),
        node: nodes[number as usize * 7],
        name: tx.text(&"längere ".repeat(number as usize * 30))?,
        raw: tx.bytes(&raw(number))?,
        short_list,
        long_list,
        nested,
        texts,
        by_name,
        by_number,
        by_letters,
        by_node,
        sorted,
        sorted_names,
        sorted_wide,
        empty_map: tx.map()?,
        empty_sorted: tx.sorted_map()?,
        wide: 0x0001_0000 + number as u32,
        last: 0x0102,
    })
}

/// Of many lengths, one of them large.
fn raw(number: u64) -> Vec<u8> {
    vec![number as u8 + 1; if number == 39 { 2_300_000 } else { number as usize * 300 }]
}

fn called(entry: u64) -> String {
    format!("name {entry}")
}

fn key(entry: u64) -> i64 {
    (entry as i64 - 30) * 0x0102_0304_0506
}

fn letters(entry: u64) -> [char; 2] {
    ['a', char::from_u32(0x100 + entry as u32).unwrap()]
}

fn sorted_key(entry: u64) -> i32 {
    (entry as i32).wrapping_mul(0x1003) ^ -7
}

fn nodes(read: &Read<'_>) -> Vec<Ref<Node>> {
    let mut next: Option<Ref<Node>> = read.root("last").unwrap();
    let mut nodes = Vec::new();
    while let Some(node) = next {
        nodes.push(node);
        next = read[node].next;
    }
    nodes.reverse();
    nodes
}

/// What was built is there.
pub fn check(read: &Read<'_>) {
    let nodes = nodes(read);
    assert_eq!(nodes.len() as u64, NODES);
    for (value, &node) in (0..).zip(&nodes) {
        assert_eq!(read[node].value, value << 33 | value);
        let before = nodes[..value as usize].iter().rev().take(value as usize % 7);
        assert!(read[read[node].edges].iter().eq(before));
    }
    for number in 0..RECORDS {
        let record: Ref<All> = read.root(&format!("all {number}")).unwrap().unwrap();
        check_values(read, &read[record], number, &nodes);
        check_maps(read, &read[record], number, &nodes);
    }
}

fn check_values(read: &Read<'_>, all: &All, number: u64, nodes: &[Ref<Node>]) {
    let (even, node) = (number % 2 == 0, nodes[5]);
    assert_eq!((all.flag, all.tiny, all.short), (even, -(number as i8), -300 + number as i16));
    assert_eq!((all.long, all.longest), (i64::MIN + number as i64, u128::MAX - u128::from(number)));
    assert_eq!((all.single.to_bits(), all.double), (0x7fc0_1234, -0.1 * number as f64));
    assert_eq!(u32::from(all.letter), 0x1_f600 + number as u32);
    assert_eq!((all.grid, all.at), ([[1, 2, 3], [0x0405, 0x0607, number as u16]], POINT));
    check_small(read, all.small, number + 2, node);
    for (&found, offset) in all.smalls.iter().zip([0, 1, 3]) {
        check_small(read, found, number + offset, node);
    }
    if even {
        assert_eq!((all.middle, all.large), (Middle::Below(number << 40), Large::One([1, 0x0203, 4])));
        assert_eq!((all.wider, all.widest), (Wide::Small(7), Widest::Some(0x0102)));
    } else {
        assert_eq!((all.middle, all.large), (Middle::Above, Large::Other('ß')));
        assert_eq!((all.wider, all.widest), (Wide::Two(8, -i128::from(number) << 70), Widest::None));
    }
    assert_eq!(all.perhaps, [None, Some(0x0102_0304)]);
    assert_eq!((all.letters, all.flags), ([None, Some('é')], [None, Some(even)]));
    assert_eq!(all.points, [Maybe::Nothing, Maybe::Just(POINT)]);
    assert_eq!(all.smalls_perhaps[0], Maybe::Nothing);
    check_small(read, *all.smalls_perhaps[1].as_ref().unwrap(), number + 1, node);
    assert_eq!((all.parent, all.node), (even.then_some(nodes[number as usize]), nodes[number as usize * 7]));
    assert_eq!(&read[all.name], "längere ".repeat(number as usize * 30));
    assert_eq!((&read[all.raw], all.last), (&raw(number)[..], 0x0102));
    assert_eq!(&read[all.short_list], [POINT; 2]);
    assert_eq!(all.long_list.len(read).unwrap() as u64, number * 5);
    for (offset, &found) in (0..).zip(&read[all.long_list]) {
        check_small(read, found, offset, node);
    }
    assert_eq!(all.nested.len(read).unwrap() as u64, number % 5);
    for (len, &inner) in (0..).zip(&read[all.nested]) {
        assert!(read[inner].iter().copied().eq((0..len as u32 * 40).map(|n| n as u16 * 257)));
    }
}

fn check_maps(read: &Read<'_>, all: &All, number: u64, nodes: &[Ref<Node>]) {
    let (count, node) = (number * number, nodes[5]);
    let len = count as usize;
    assert_eq!((all.texts.len(read).unwrap(), all.by_name.len(read).unwrap()), (len, len));
    assert_eq!((all.by_number.len(read).unwrap(), all.by_letters.len(read).unwrap()), (len, len));
    assert_eq!(all.by_node.len(read).unwrap(), len.min(300));
    assert_eq!((all.sorted.len(read).unwrap(), all.sorted_wide.len(read).unwrap()), (len, len));
    assert!(all.empty_map.is_empty(read).unwrap() && all.empty_sorted.is_empty(read).unwrap());
    for entry in 0..count {
        assert_eq!(&read[read[all.texts][entry as usize]], format!("text {entry}"));
        let by_name = all.by_name.get(read, &*called(entry)).unwrap();
        assert_eq!(by_name, Some(&(entry % 3 != 0).then_some(entry as u32 * 65_537)));
        check_small(read, *all.by_number.get(read, &key(entry)).unwrap().unwrap(), entry, node);
        let list = *all.by_letters.get(read, &letters(entry)).unwrap().unwrap();
        assert!(read[list].iter().copied().eq((0..entry as u32 % 4).map(|n| n + 0x0a0b_0000)));
        assert!(all.by_node.contains(read, &nodes[entry as usize % 300]).unwrap());
        assert_eq!(&read[*all.sorted.get(read, &sorted_key(entry)).unwrap().unwrap()], format!("sorted {entry}"));
        assert!(all.sorted_names.contains(read, &*called(entry * 7919 % 10_007)).unwrap());
        let wide = all.sorted_wide.get(read, &[-(entry as i16), entry as i16 * 3, 1]).unwrap();
        assert_eq!(wide, Some(&(u128::from(entry) << 64)));
    }
    let keys: Vec<i32> = all.sorted.iter(read).unwrap().map(|(key, _)| *key).collect();
    let mut expected: Vec<i32> = (0..count).map(sorted_key).collect();
    expected.sort_unstable();
    assert_eq!(keys, expected);
    let names: Vec<&str> = all.sorted_names.iter(read).unwrap().map(|(name, _)| &read[*name]).collect();
    assert!(names.is_sorted());
}

/// Commits that write to every kind of value.
pub fn change(heap: &Heap) -> Result<()> {
    let mut tx = heap.write()?;
    for number in 0..RECORDS {
        let record: Ref<All> = tx.root(&format!("all {number}"))?.unwrap();
        tx[record].wide += 1;
        let All { texts, by_number, by_name, sorted, sorted_wide, .. } = tx[record];
        let text = tx.text("new")?;
        texts.push(&mut tx, text)?;
        for entry in (0..number * number).step_by(3) {
            assert!(by_number.remove(&mut tx, &key(entry))?);
            assert!(by_name.remove(&mut tx, &*called(entry))?);
            assert!(sorted.remove(&mut tx, &sorted_key(entry))?);
            let name = tx.text(&format!("other {entry}"))?;
            by_name.insert(&mut tx, name, Some(1))?;
            sorted_wide.insert(&mut tx, [7, entry as i16, 9], 10)?;
        }
    }
    for value in 0..100 {
        let edges = tx.list()?;
        tx.insert(Node { value, next: None, edges })?;
    }
    tx.commit().map(|_| ())
}

/// What was built is there, as the newer types hold it.
pub fn check_newer(read: &Read<'_>) {
    let nodes = nodes(read);
    for number in 0..RECORDS {
        let record: Ref<Newer> = read.root(&format!("all {number}")).unwrap().unwrap();
        let all = &read[record];
        assert_eq!((all.last, all.wide, all.added), (0x0102, 0x0001_0000 + number as u32, 7));
        assert_eq!((all.long, all.longest), (i64::MIN + number as i64, u128::MAX - u128::from(number)));
        check_small(read, all.small, number + 2, nodes[5]);
        for entry in 0..number * number {
            check_small(read, *all.by_number.get(read, &key(entry)).unwrap().unwrap(), entry, nodes[5]);
            assert_eq!(&read[*all.sorted.get(read, &sorted_key(entry)).unwrap().unwrap()], format!("sorted {entry}"));
        }
    }
}
