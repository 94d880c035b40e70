//! A heap against a plain model of what it holds: whatever safe code does in whatever order, the heap holds what the
//! model holds, and a heap that safe code wrote always opens, which verifies every value in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use heap::{
    Bytes, Durability, Error, Heap, List, Map, Maybe, Options, Reader, Record, Ref, Snapshot, SortedMap, Text,
    Transaction,
};

#[derive(Record, Debug, Clone, Copy)]
struct Item {
    wide: u128,
    name: Text,
    blob: Bytes,
    tags: List<Text>,
    wides: List<u128>,
    links: List<Ref<Item>>,
    by_name: Map<Text, List<Text>>,
    by_number: SortedMap<u16, Text>,
    next: Option<Ref<Item>>,
    state: State,
    place: Maybe<Place>,
    alias: Option<Text>,
    letter: Option<char>,
}

#[derive(Record, Debug, Clone, Copy, PartialEq)]
struct Place {
    level: u8,
    x: f64,
    y: f32,
}

#[derive(Record, Debug, Clone, Copy)]
#[repr(u8)]
enum State {
    Idle,
    Waiting { seconds: u32, exact: bool },
    Named(Text) = 9,
    Steps(List<u16>, Option<Ref<Item>>),
}

/// What an item holds.
#[derive(Debug, Clone, PartialEq)]
struct Plain {
    wide: u128,
    name: String,
    blob: Vec<u8>,
    tags: Vec<String>,
    wides: Vec<u128>,
    links: Vec<u64>,
    by_name: BTreeMap<String, Vec<String>>,
    by_number: BTreeMap<u16, String>,
    next: Option<u64>,
    state: PlainState,
    place: Option<Place>,
    alias: Option<String>,
    letter: Option<char>,
}

#[derive(Debug, Clone, PartialEq)]
enum PlainState {
    Idle,
    Waiting(u32, bool),
    Named(String),
    Steps(Vec<u16>, Option<u64>),
}

/// What the heap holds.
#[derive(Debug, Clone, Default)]
struct Model {
    items: BTreeMap<u64, (Ref<Item>, Plain)>,
    roots: BTreeMap<String, Ref<Item>>,
}

/// A small generator of numbers, so that a failure names its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % end as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn len(&mut self) -> usize {
        match self.below(400) {
            0 => 262_000 + self.below(600_000),
            1..20 => self.below(6000),
            20..60 => 0,
            _ => self.below(60),
        }
    }

    fn text(&mut self) -> String {
        let letter = ["a", "ß", "語", "x", "🦀"][self.below(5)];
        let len = self.len();
        format!("{}{}", self.below(1000), letter.repeat(len / letter.len())).split_off(usize::from(len == 0) * 3 % 2)
    }

    fn bytes(&mut self) -> Vec<u8> {
        let byte = self.below(256) as u8;
        vec![byte; self.len()]
    }
}

/// Reads an item as plain values; whoever reads.
fn plain<R: Reader>(reader: &R, item: &Item) -> Plain {
    let text = |text| reader.get_text(text).unwrap().to_owned();
    Plain {
        wide: item.wide,
        name: text(item.name),
        blob: reader.get_bytes(item.blob).unwrap().to_vec(),
        tags: reader.get_list(item.tags).unwrap().iter().map(|&tag| text(tag)).collect(),
        wides: reader.get_list(item.wides).unwrap().to_vec(),
        links: reader.get_list(item.links).unwrap().iter().map(|link| link.to_bits()).collect(),
        by_name: {
            let entries = item.by_name.iter(reader).unwrap();
            let texts = |list| reader.get_list(list).unwrap().iter().map(|&held| text(held)).collect();
            entries.map(|(&key, &list)| (text(key), texts(list))).collect()
        },
        by_number: item.by_number.iter(reader).unwrap().map(|(&key, &value)| (key, text(value))).collect(),
        next: item.next.map(Ref::to_bits),
        state: match item.state {
            State::Idle => PlainState::Idle,
            State::Waiting { seconds, exact } => PlainState::Waiting(seconds, exact),
            State::Named(name) => PlainState::Named(text(name)),
            State::Steps(steps, next) => {
                PlainState::Steps(reader.get_list(steps).unwrap().to_vec(), next.map(Ref::to_bits))
            }
        },
        place: item.place.into_option(),
        alias: item.alias.map(text),
        letter: item.letter,
    }
}

impl Model {
    fn check<R: Reader>(&self, reader: &R, records: &[Ref<Item>], gone: &[Ref<Item>]) {
        let found: BTreeSet<u64> = records.iter().map(|item| item.to_bits()).collect();
        assert_eq!(found.len(), records.len());
        assert!(found.iter().eq(self.items.keys()), "other records live");
        for (item, expected) in self.items.values() {
            assert_eq!(&plain(reader, reader.get(*item).unwrap()), expected);
        }
        for &item in gone {
            assert!(matches!(reader.get(item), Err(Error::Stale(_))), "a record that is gone can be read");
        }
    }

    fn check_heap(&self, heap: &Heap, gone: &[Ref<Item>]) {
        let read = heap.read();
        let records: Vec<_> = read.iter::<Item>().unwrap().map(|(item, _)| item).collect();
        self.check(&read, &records, gone);
        assert!(read.root_names().iter().eq(self.roots.keys()));
        for (name, root) in &self.roots {
            assert_eq!(read.root::<Item>(name).unwrap().map(Ref::to_bits), Some(root.to_bits()));
        }
    }

    fn check_snapshot(&self, snapshot: &Snapshot) {
        let records: Vec<_> = snapshot.iter::<Item>().unwrap().map(|(item, _)| item).collect();
        self.check(snapshot, &records, &[]);
        assert_eq!(snapshot.count::<Item>().unwrap(), records.len() as u64);
        for (name, root) in &self.roots {
            assert_eq!(snapshot.root::<Item>(name).unwrap().map(Ref::to_bits), Some(root.to_bits()));
        }
    }

    fn any(&self, random: &mut Random) -> Option<Ref<Item>> {
        let at = random.below(self.items.len().max(1));
        self.items.values().nth(at).map(|(item, _)| *item)
    }

    fn of(&mut self, item: Ref<Item>) -> &mut Plain {
        &mut self.items.get_mut(&item.to_bits()).expect("the item lives").1
    }

    /// Removes what no root reaches; how many.
    fn collect(&mut self) -> Vec<Ref<Item>> {
        let mut reached = BTreeSet::new();
        let mut waiting: Vec<u64> = self.roots.values().map(|root| root.to_bits()).collect();
        while let Some(bits) = waiting.pop() {
            let Some((_, item)) = self.items.get(&bits) else { continue };
            if reached.insert(bits) {
                waiting.extend(&item.links);
                waiting.extend(item.next);
                if let PlainState::Steps(_, Some(next)) = item.state {
                    waiting.push(next);
                }
            }
        }
        let dead = self.items.values().map(|(item, _)| *item).filter(|item| !reached.contains(&item.to_bits()));
        let dead: Vec<_> = dead.collect();
        self.items.retain(|bits, _| reached.contains(bits));
        dead
    }
}

/// A transaction under way, and the model as it would be after it.
struct Life<'a, 'h> {
    random: &'a mut Random,
    tx: Transaction<'h>,
    model: Model,
    /// Records that the transaction made or removed.
    made: Vec<Ref<Item>>,
    removed: Vec<Ref<Item>>,
}

impl Life<'_, '_> {
    fn text(&mut self) -> (Text, String) {
        let text = self.random.text();
        (self.tx.text(&text).unwrap(), text)
    }

    fn place(&mut self) -> Option<Place> {
        let level = self.random.below(256) as u8;
        (!self.random.one_in(3)).then(|| Place { level, x: f64::from(level) * 0.5, y: -1.5 })
    }

    fn state(&mut self) -> (State, PlainState) {
        match self.random.below(4) {
            0 => (State::Idle, PlainState::Idle),
            1 => {
                let (seconds, exact) = (self.random.below(1 << 30) as u32, self.random.one_in(2));
                (State::Waiting { seconds, exact }, PlainState::Waiting(seconds, exact))
            }
            2 => {
                let (handle, text) = self.text();
                (State::Named(handle), PlainState::Named(text))
            }
            _ => {
                let steps: Vec<u16> = (0..self.random.below(40) as u16).collect();
                let next = self.model.any(self.random);
                let list = self.tx.list_from(steps.iter().copied()).unwrap();
                (State::Steps(list, next), PlainState::Steps(steps, next.map(Ref::to_bits)))
            }
        }
    }

    fn insert(&mut self) {
        let (name, name_text) = self.text();
        let blob = self.random.bytes();
        let (state, plain_state) = self.state();
        let place = self.place();
        let alias = self.random.one_in(2).then(|| self.text());
        let wide = u128::MAX - self.random.below(1000) as u128;
        let next = self.model.any(self.random);
        let letter = self.random.one_in(2).then_some('ß');
        let capacity = self.random.below(6);
        let item = Item {
            wide,
            name,
            blob: self.tx.bytes(&blob).unwrap(),
            tags: self.tx.list_with_capacity(capacity).unwrap(),
            wides: self.tx.list_with_capacity(capacity).unwrap(),
            links: self.tx.list().unwrap(),
            by_name: self.tx.map().unwrap(),
            by_number: self.tx.sorted_map().unwrap(),
            next,
            state,
            place: place.into(),
            alias: alias.as_ref().map(|alias| alias.0),
            letter,
        };
        let item = self.tx.insert(item).unwrap();
        let plain = Plain {
            wide,
            name: name_text,
            blob,
            tags: vec![],
            wides: vec![],
            links: vec![],
            by_name: BTreeMap::new(),
            by_number: BTreeMap::new(),
            next: next.map(Ref::to_bits),
            state: plain_state,
            place,
            alias: alias.map(|alias| alias.1),
            letter,
        };
        assert!(self.model.items.insert(item.to_bits(), (item, plain)).is_none());
        self.made.push(item);
    }

    fn remove(&mut self, item: Ref<Item>) {
        // A root names a record that lives.
        for name in
            self.model.roots.iter().filter(|(_, root)| **root == item).map(|(name, _)| name.clone()).collect::<Vec<_>>()
        {
            assert!(self.tx.remove_root(&name));
            self.model.roots.remove(&name);
        }
        self.tx.remove(item).unwrap();
        self.model.items.remove(&item.to_bits());
        self.removed.push(item);
    }

    fn update(&mut self, item: Ref<Item>) {
        let wide = self.random.below(1 << 40) as u128;
        match self.random.below(8) {
            0 => (self.tx[item].wide, self.model.of(item).wide) = (wide, wide),
            1 => {
                let (handle, text) = self.text();
                (self.tx[item].name, self.model.of(item).name) = (handle, text);
            }
            2 => {
                let blob = self.random.bytes();
                self.tx[item].blob = self.tx.bytes(&blob).unwrap();
                self.model.of(item).blob = blob;
            }
            3 => {
                let (state, plain) = self.state();
                (self.tx[item].state, self.model.of(item).state) = (state, plain);
            }
            4 => {
                let place = self.place();
                (self.tx[item].place, self.model.of(item).place) = (place.into(), place);
            }
            5 => {
                let alias = self.random.one_in(2).then(|| self.text());
                self.tx[item].alias = alias.as_ref().map(|alias| alias.0);
                self.model.of(item).alias = alias.map(|alias| alias.1);
            }
            6 => {
                let letter = self.random.one_in(2).then_some('語');
                (self.tx[item].letter, self.model.of(item).letter) = (letter, letter);
            }
            _ => {
                let next = self.model.any(self.random);
                (self.tx[item].next, self.model.of(item).next) = (next, next.map(Ref::to_bits));
            }
        }
    }

    fn change_tags(&mut self, item: Ref<Item>) {
        let tags = self.tx[item].tags;
        let len = self.model.of(item).tags.len();
        let (at, other) = (self.random.below(len.max(1)), self.random.below(len.max(1)));
        match self.random.below(8) {
            0..3 => {
                for _ in 0..=self.random.below(5) {
                    let (handle, text) = self.text();
                    tags.push(&mut self.tx, handle).unwrap();
                    self.model.of(item).tags.push(text);
                }
            }
            3 => {
                let (handle, text) = self.text();
                let at = self.random.below(len + 1);
                tags.insert(&mut self.tx, at, handle).unwrap();
                self.model.of(item).tags.insert(at, text);
            }
            4 => {
                assert_eq!(tags.pop(&mut self.tx).unwrap(), len > 0);
                self.model.of(item).tags.pop();
            }
            5 => {
                tags.truncate(&mut self.tx, at).unwrap();
                self.model.of(item).tags.truncate(at);
            }
            _ if len == 0 => {
                assert!(matches!(tags.remove(&mut self.tx, 0), Err(Error::OutOfRange { .. })));
            }
            6 => {
                tags.remove(&mut self.tx, at).unwrap();
                self.model.of(item).tags.remove(at);
            }
            _ => {
                tags.swap(&mut self.tx, at, other).unwrap();
                self.model.of(item).tags.swap(at, other);
            }
        }
    }

    fn change_numbers(&mut self, item: Ref<Item>) {
        let wides = self.tx[item].wides;
        let len = self.model.of(item).wides.len();
        let value = u128::MAX / 3 + self.random.below(1000) as u128;
        match self.random.below(4) {
            0 => {
                let count = self.random.below(40);
                wides.extend(&mut self.tx, (0..count).map(|_| value)).unwrap();
                self.model.of(item).wides.extend((0..count).map(|_| value));
            }
            1 if len > 0 => {
                let at = self.random.below(len);
                wides.set(&mut self.tx, at, value).unwrap();
                self.model.of(item).wides[at] = value;
            }
            2 => {
                wides.as_mut_slice(&mut self.tx).unwrap().fill(value);
                self.model.of(item).wides.fill(value);
            }
            _ => {
                let at = self.random.below(len + 1);
                wides.truncate(&mut self.tx, at).unwrap();
                self.model.of(item).wides.truncate(at);
            }
        }
    }

    fn change_links(&mut self, item: Ref<Item>) {
        let links = self.tx[item].links;
        if self.random.one_in(5) {
            links.clear(&mut self.tx).unwrap();
            self.model.of(item).links.clear();
        }
        for _ in 0..self.random.below(4) {
            let link = self.model.any(self.random).expect("the item itself lives");
            links.push(&mut self.tx, link).unwrap();
            self.model.of(item).links.push(link.to_bits());
        }
    }

    fn change_maps(&mut self, item: Ref<Item>) {
        let (by_name, by_number) = (self.tx[item].by_name, self.tx[item].by_number);
        for _ in 0..=self.random.below(30) {
            let number = self.random.below(200) as u16;
            match self.random.below(5) {
                0 => {
                    let was = self.model.of(item).by_number.remove(&number).is_some();
                    assert_eq!(by_number.remove(&mut self.tx, &number).unwrap(), was);
                }
                1 | 2 => {
                    let (handle, text) = self.text();
                    let replaced = by_number.insert(&mut self.tx, number, handle).unwrap();
                    assert_eq!(replaced, self.model.of(item).by_number.insert(number, text).is_some());
                }
                3 => {
                    let key = format!("key {}", number % 40);
                    let was = self.model.of(item).by_name.remove(&key).is_some();
                    assert_eq!(by_name.remove(&mut self.tx, &key).unwrap(), was);
                }
                _ => {
                    let key = format!("key {}", number % 40);
                    let (handle, text) = self.text();
                    let key_handle = self.tx.text(&key).unwrap();
                    let list = self.tx.list_from([handle]).unwrap();
                    let replaced = by_name.insert(&mut self.tx, key_handle, list).unwrap();
                    assert_eq!(replaced, self.model.of(item).by_name.insert(key, vec![text]).is_some());
                }
            }
        }
        if self.random.one_in(12) {
            by_name.clear(&mut self.tx).unwrap();
            self.model.of(item).by_name.clear();
        }
    }

    /// A value lies for a while in a place that does not own it, which is nobody's loss.
    fn borrow(&mut self, from: Ref<Item>, to: Ref<Item>) {
        let name = self.tx[from].name;
        let (tags, by_number) = (self.tx[to].tags, self.tx[to].by_number);
        match self.random.below(if from == to { 4 } else { 5 }) {
            0 => {
                tags.push(&mut self.tx, name).unwrap();
                self.change_tags_but_last(to);
                tags.pop(&mut self.tx).unwrap();
            }
            1 => {
                let own = self.tx[to].name;
                self.tx[to].name = name;
                self.tx[to].name = own;
            }
            2 => {
                self.tx[to].alias = Some(name);
                (self.tx[to].alias, self.model.of(to).alias) = (None, None);
            }
            3 => {
                by_number.insert(&mut self.tx, 1000, name).unwrap();
                self.change_maps(to);
                let by_number = self.tx[to].by_number;
                assert!(by_number.remove(&mut self.tx, &1000).unwrap());
            }
            _ => {
                tags.push(&mut self.tx, name).unwrap();
                (self.tx[to].name, self.tx[to].by_name) = (name, self.tx[from].by_name);
                self.remove(to);
            }
        }
    }

    /// Changes of a list whose last element is another's.
    fn change_tags_but_last(&mut self, item: Ref<Item>) {
        let tags = self.tx[item].tags;
        let len = self.model.of(item).tags.len();
        if len > 1 {
            tags.swap(&mut self.tx, 0, len - 1).unwrap();
            self.model.of(item).tags.swap(0, len - 1);
        }
        let (handle, text) = self.text();
        tags.insert(&mut self.tx, 0, handle).unwrap();
        self.model.of(item).tags.insert(0, text);
    }

    /// Handles change their places, and keep one owner.
    fn move_between(&mut self, from: Ref<Item>, to: Ref<Item>) {
        if from == to {
            return;
        }
        let [a, b] = self.tx.get_disjoint_mut([from, to]).unwrap();
        let (mut one, mut other) = (self.model.of(from).clone(), self.model.of(to).clone());
        let what = self.random.below(7);
        match what {
            0 => {
                std::mem::swap(&mut a.name, &mut b.name);
                std::mem::swap(&mut one.name, &mut other.name);
            }
            1 => {
                (a.tags, b.tags, a.links, b.links) = (b.tags, a.tags, b.links, a.links);
                std::mem::swap(&mut one.tags, &mut other.tags);
                std::mem::swap(&mut one.links, &mut other.links);
            }
            2 => {
                std::mem::swap(&mut a.state, &mut b.state);
                std::mem::swap(&mut one.state, &mut other.state);
            }
            3 => {
                b.alias = a.alias.take();
                other.alias = one.alias.take();
            }
            4 => {
                // The text before is owned by nobody then.
                b.name = std::mem::replace(&mut a.name, Text::EMPTY);
                other.name = std::mem::take(&mut one.name);
            }
            5 => {
                if let (State::Named(name), PlainState::Named(text)) = (a.state, one.state.clone()) {
                    (a.state, one.state) = (State::Idle, PlainState::Idle);
                    (b.alias, other.alias) = (Some(name), Some(text));
                }
            }
            6 => {
                (a.by_name, b.by_name, a.by_number, b.by_number) = (b.by_name, a.by_name, b.by_number, a.by_number);
                std::mem::swap(&mut one.by_name, &mut other.by_name);
                std::mem::swap(&mut one.by_number, &mut other.by_number);
            }
            _ => {
                let tags = a.tags;
                if let Some(text) = one.tags.first().cloned() {
                    let tag = self.tx[tags][0];
                    self.tx[to].name = tag;
                    tags.remove(&mut self.tx, 0).unwrap();
                    one.tags.remove(0);
                    other.name = text;
                }
            }
        }
        *self.model.of(from) = one;
        *self.model.of(to) = other;
        if self.random.one_in(6) {
            // What was moved out of a record survives it.
            self.remove(from);
        }
    }

    fn step(&mut self) {
        let Some(item) = self.model.any(self.random) else { return self.insert() };
        let what = self.random.below(12);
        match what {
            0 | 1 => self.insert(),
            2 => self.remove(item),
            3 | 4 => self.change_tags(item),
            5 => self.change_numbers(item),
            6 => self.change_links(item),
            7 => {
                let to = self.model.any(self.random).expect("an item lives");
                self.move_between(item, to);
            }
            8 => {
                let name = ["a", "b", "a longer name"][self.random.below(3)];
                if self.random.one_in(4) {
                    assert_eq!(self.tx.remove_root(name), self.model.roots.remove(name).is_some());
                } else {
                    self.tx.set_root(name, item).unwrap();
                    self.model.roots.insert(name.to_owned(), item);
                }
            }
            9 => self.change_maps(item),
            10 => {
                let to = self.model.any(self.random).expect("an item lives");
                self.borrow(item, to);
            }
            _ => self.update(item),
        }
    }

    /// Gives a value a second owner, or writes the handle of none; whether there was one to take.
    fn mix_up(&mut self) -> bool {
        let Some(to) = self.model.any(self.random) else { return false };
        let from = self.model.any(self.random).expect("an item lives");
        let what = self.random.below(4);
        match what {
            0 if from != to && !self.model.of(from).name.is_empty() => self.tx[to].name = self.tx[from].name,
            1 if from != to => self.tx[to].tags = self.tx[from].tags,
            2 if !self.model.of(from).name.is_empty() => {
                let (tags, name) = (self.tx[to].tags, self.tx[from].name);
                tags.push(&mut self.tx, name).unwrap();
            }
            3 if from != to => {
                let (by_number, name) = (self.tx[to].by_number, self.tx[from].name);
                by_number.insert(&mut self.tx, 7, name).unwrap();
                self.model.of(to).by_number.insert(7, String::new());
                return !self.model.of(from).name.is_empty();
            }
            4 if !self.model.of(from).name.is_empty() => {
                let name = self.tx[from].name;
                self.tx[to].state = State::Named(name);
            }
            _ => return false,
        }
        true
    }
}

/// What a life of a heap leaves behind.
struct World {
    random: Random,
    model: Model,
    gone: Vec<Ref<Item>>,
    snapshots: Vec<(Model, Snapshot)>,
}

impl World {
    fn options(&mut self) -> Options {
        Options {
            durability: Durability::Process,
            log_target: 1 << (16 + self.random.below(8)),
            log_limit: 1 << (20 + self.random.below(6)),
            seed: Some(1),
            announce: false,
            background: self.random.one_in(2),
            ..Options::default()
        }
    }

    fn open(&mut self, path: &Path) -> Heap {
        let options = self.options();
        if path.exists() && self.random.one_in(2) {
            return mapped(path, options);
        }
        Heap::open_with(path, options).expect("a heap that safe code wrote opens")
    }

    fn transaction(&mut self, heap: &Heap) {
        let tx = heap.write().unwrap();
        let model = self.model.clone();
        let mut life = Life { random: &mut self.random, tx, model, made: vec![], removed: vec![] };
        for _ in 0..=life.random.below(12) {
            life.step();
        }
        let fate = life.random.below(6);
        let mixed_up = fate == 1 && life.mix_up();
        let Life { tx, model, made, removed, .. } = life;
        if fate == 0 {
            drop(tx);
            self.gone.extend(made);
        } else if mixed_up {
            let error = tx.commit().expect_err("a value has two owners");
            assert!(matches!(error, Error::SecondOwner { .. }), "{error}");
            self.gone.extend(made);
        } else {
            tx.commit().unwrap();
            self.model = model;
            self.gone.extend(removed);
        }
    }

    fn live(&mut self, path: &Path, steps: usize) {
        let mut heap = self.open(path);
        for _ in 0..steps {
            self.transaction(&heap);
            match self.random.below(16) {
                0 => {
                    let dead = self.model.collect();
                    assert_eq!(heap.collect().unwrap(), dead.len() as u64);
                    self.gone.extend(dead);
                }
                1 | 2 => heap.checkpoint().unwrap(),
                3 => self.snapshots.push((self.model.clone(), heap.snapshot().unwrap())),
                4 if !self.snapshots.is_empty() => {
                    let at = self.random.below(self.snapshots.len());
                    let (model, snapshot) = self.snapshots.swap_remove(at);
                    model.check_snapshot(&snapshot);
                }
                5 | 6 => {
                    self.model.check_heap(&heap, &self.gone);
                    drop(heap);
                    // The handles of what a rollback took back are known to nobody but the process that had them.
                    self.gone.clear();
                    heap = self.open(path);
                    self.model.check_heap(&heap, &self.gone);
                }
                _ => {}
            }
        }
        self.model.check_heap(&heap, &self.gone);
        drop(heap);
        for (model, snapshot) in self.snapshots.drain(..) {
            model.check_snapshot(&snapshot);
        }
        let heap = Heap::open_with(path, self.options()).expect("a heap that safe code wrote opens");
        self.model.check_heap(&heap, &[]);
    }
}

#[allow(unsafe_code)]
fn mapped(path: &Path, options: Options) -> Heap {
    // SAFETY: the file was made by this test, in a folder of its own.
    unsafe { Heap::open_mapped(path, options).unwrap() }
}

fn live(seed: u64, steps: usize) {
    let folder = tempfile::tempdir().unwrap();
    let random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut world = World { random, model: Model::default(), gone: vec![], snapshots: vec![] };
    let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        world.live(&folder.path().join("model.heap"), steps);
    }));
    if let Err(panic) = lived {
        eprintln!("the life of seed {seed} went wrong");
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn a_heap_holds_what_its_model_holds() {
    let seeds = std::env::var("MODEL_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(16);
    let first = std::env::var("MODEL_FIRST").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    (first..first + seeds).for_each(|seed| live(seed, 80));
}
