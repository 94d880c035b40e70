//! What the heaps of the laws go through.

use super::life::Life;
use crate::guard::Reader as _;
use crate::raw::laws::{Board, Item, Left, Right, Wide};
use crate::storage::simulated::{Call, Random};
use crate::{Bytes, Durability, Error, Ref, Result, Text, Transaction};

/// A kind of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Small transactions of all sorts.
    Ordinary,
    /// Transactions longer than a frame, and a log that is used round and round.
    Long,
    /// Values that are written to the file directly.
    Bulk,
    /// So many roots that the catalog moves.
    Roots,
    /// Transactions whose frames all have the same length, and fill several sectors each.
    Even,
    /// A file so long that the checksums move.
    Far,
    /// Migrations, rolled back or kept, at once or after more commits.
    Migrating,
}

impl Kind {
    /// Steps of a life that is judged.
    pub(super) const fn steps(self) -> u64 {
        match self {
            Self::Ordinary | Self::Even => 40,
            Self::Long => 30,
            Self::Bulk => 20,
            Self::Migrating => 28,
            Self::Roots | Self::Far => 8,
        }
    }
}

/// Lives a life of so many steps. Want of room is endured; after any other failure the heap must refuse everything,
/// and is opened again.
pub(super) fn live(life: &mut Life, kind: Kind, steps: u64, seed: u64) {
    let mut random = Random::new(seed);
    while life.open().is_err() {
        endure(life);
    }
    for number in 0..steps {
        let done = match kind {
            Kind::Far => step_far(life, number, &mut random),
            Kind::Even => step_even(life, number, &mut random),
            Kind::Migrating => step_migrating(life, number, &mut random),
            _ => step(life, kind, &mut random),
        };
        match done {
            Ok(()) => {}
            Err(Error::NoRoom(_)) => assert_eq!(life.disk.failed(), Some(Call::Allocate), "no room was only there"),
            Err(error) => {
                assert!(life.disk.failed().is_some(), "{error}");
                if life.is_open() {
                    assert!(matches!(life.heap().write(), Err(Error::Poisoned(_))), "after: {error}");
                    assert!(matches!(life.heap().try_read(), Err(Error::Poisoned(_))), "after: {error}");
                }
                endure(life);
                while life.open().is_err() {
                    endure(life);
                }
            }
        }
    }
}

/// Nobody goes on after a failure but one that the disk was told to make.
fn endure(life: &mut Life) {
    assert!(life.disk.failed().is_some(), "opening failed on a disk that did not");
    life.kill();
}

/// Up to the length at which the checksums move, a checkpoint there, and one more behind it.
fn step_far(life: &mut Life, number: u64, random: &mut Random) -> Result<()> {
    match number {
        3 => {
            life.checkpoint()?;
            life.is_prepared();
            Ok(())
        }
        5 => {
            assert!(life.heap().stats().file_len > 64 << 20, "the checksums move");
            life.checkpoint()
        }
        6 => {
            life.kill();
            life.open()
        }
        7 => life.commit(Durability::Disk, touch),
        _ => life.commit(Durability::Disk, |tx| change(tx, Kind::Far, random)),
    }
}

/// Commits that nobody waits for, after opening the heap and before it is killed.
fn step_even(life: &mut Life, number: u64, random: &mut Random) -> Result<()> {
    match number % 6 {
        4 if random.below(3) == 0 => life.wait(),
        5 => {
            life.kill();
            life.open()
        }
        _ => life.commit(Durability::Process, |tx| change(tx, Kind::Even, random)),
    }
}

/// A heap that is migrated and rolled back; migrated, worked with, and rolled back with what was done; migrated again, and
/// the room that was kept is used again.
fn step_migrating(life: &mut Life, number: u64, random: &mut Random) -> Result<()> {
    let strength = if random.below(2) == 0 { Durability::Disk } else { Durability::Process };
    match number {
        4 => life.is_prepared(),
        7 | 15 | 23 => {
            end(life, random);
            assert!(life.roll_back_migration()? || life.disk.failed().is_some(), "step {number}");
            return life.open();
        }
        6 | 17 | 20 if random.below(2) == 0 => return life.checkpoint(),
        18 => return life.keep(Durability::Process),
        26 => {
            end(life, random);
            life.keep_closed()?;
            return life.open();
        }
        _ => {}
    }
    match number {
        5 | 8 | 16 | 22 | 25 => {
            end(life, random);
            life.open()?;
            life.migrate(strength, |tx| convert(tx, random))
        }
        6 | 17 | 20 => Ok(()),
        11 => life.roll_back(|tx| change(tx, Kind::Ordinary, &mut Random::new(number))),
        12 => life.checkpoint(),
        13 if random.below(2) == 0 => {
            end(life, random);
            life.open()
        }
        // The migration gives the large value up; after the way back is given up its room is the first that fits.
        9 => life.commit(strength, |tx| add_large(tx, 1, random)),
        19 | 27 => life.commit(strength, |tx| add_large(tx, 2, random)),
        3 | 13 | 21 | 24 => life.commit(strength, |tx| change_directly(tx, 1_100_000, random)),
        _ => life.commit(strength, |tx| change(tx, Kind::Ordinary, random)),
    }
}

fn end(life: &mut Life, random: &mut Random) {
    if random.below(2) == 0 { life.close() } else { life.kill() }
}

fn add_large(tx: &mut Transaction<'_>, count: u64, random: &mut Random) -> Result<()> {
    let board = board(tx)?;
    let list = tx.get_mut(board)?.items;
    for _ in 0..count {
        let item = item(tx, 1_100_000, random)?;
        list.push(tx, item)?;
    }
    Ok(())
}

/// Every item is another, some with texts of their own, some without their data.
fn convert(tx: &mut Transaction<'_>, random: &mut Random) -> Result<()> {
    touch(tx)?;
    for handle in tx.records::<Item>()? {
        let text = if random.below(3) == 0 { Some(tx.text("converted")?) } else { None };
        let large = tx.get_bytes(tx.get(handle)?.data)?.len() > 1 << 20;
        let item = tx.get_mut(handle)?;
        item.value = !item.value;
        if random.below(2) == 0 || large {
            item.data = Bytes::EMPTY;
        }
        item.name = text.unwrap_or(item.name);
    }
    Ok(())
}

fn step(life: &mut Life, kind: Kind, random: &mut Random) -> Result<()> {
    let weak = if kind == Kind::Ordinary { 2 } else { 4 };
    let strength = if random.below(weak) == 0 { Durability::Disk } else { Durability::Process };
    match random.below(16) {
        0 => life.wait(),
        1 | 2 => life.checkpoint(),
        3 => {
            life.close();
            life.open()
        }
        4 => {
            life.kill();
            life.open()
        }
        5 => {
            let mut theirs = Random::new(random.next());
            life.roll_back(|tx| change(tx, kind, &mut theirs))
        }
        6 if kind == Kind::Long => {
            life.disk.retain(random.below(2) == 0);
            Ok(())
        }
        _ => life.commit(strength, |tx| change(tx, kind, random)),
    }
}

/// A small change that can be made to any state.
pub(super) fn touch(tx: &mut Transaction<'_>) -> Result<()> {
    let board = board(tx)?;
    let board = tx.get_mut(board)?;
    board.commits += 1;
    let mut words = Random::new(board.commits);
    if let Some(wide) = tx.root::<Wide>("wide")? {
        tx.get_mut(wide)?.words = std::array::from_fn(|_| words.next());
    }
    Ok(())
}

fn board(tx: &mut Transaction<'_>) -> Result<Ref<Board>> {
    tx.root_or_insert("board", |tx| Ok(Board { commits: 0, items: tx.list()? }))
}

pub(super) fn change(tx: &mut Transaction<'_>, kind: Kind, random: &mut Random) -> Result<()> {
    touch(tx)?;
    match kind {
        Kind::Ordinary | Kind::Migrating => (0..=random.below(3)).try_for_each(|_| change_one(tx, random)),
        Kind::Long => change_much(tx, random),
        Kind::Bulk => change_directly(tx, 1_100_000, random),
        Kind::Roots => change_roots(tx, random),
        Kind::Even => tx.root_or_insert("wide", |_| Ok(Wide { words: [0; 160] })).map(|_| ()),
        Kind::Far => change_far(tx, random),
    }
}

fn item(tx: &mut Transaction<'_>, len: u64, random: &mut Random) -> Result<Ref<Item>> {
    let (name, data) = contents(tx, len, random)?;
    tx.insert(Item { id: random.below(1000), value: 0, name, data, next: None, done: false })
}

fn contents(tx: &mut Transaction<'_>, len: u64, random: &mut Random) -> Result<(Text, Bytes)> {
    let name = "x".repeat(random.below(60) as usize);
    let data: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| random.next().to_le_bytes()).collect();
    Ok((tx.text(&name)?, tx.bytes(&data)?))
}

fn change_one(tx: &mut Transaction<'_>, random: &mut Random) -> Result<()> {
    let board = board(tx)?;
    let list = tx.get_mut(board)?.items;
    let items = list.get(tx)?.to_vec();
    let chosen = (!items.is_empty()).then(|| random.below(items.len() as u64) as usize);
    match (random.below(10), chosen) {
        (0, Some(position)) => {
            list.remove(tx, position)?;
            tx.remove(items[position])
        }
        (1..=3, Some(position)) => {
            let other = items[random.below(items.len() as u64) as usize];
            let item = tx.get_mut(items[position])?;
            (item.value, item.next, item.done) = (random.next(), Some(other), !item.done);
            Ok(())
        }
        (4, Some(position)) => {
            let len = random.below(200);
            let (name, data) = contents(tx, len, random)?;
            let item = tx.get_mut(items[position])?;
            (item.name, item.data) = (name, data);
            Ok(())
        }
        (5, _) => {
            let name = tx.text("a name")?;
            let left = tx.insert(Left { id: random.next(), name })?;
            tx.set_root(&format!("left {}", random.below(3)), left)
        }
        (6, _) => {
            let other = tx.root::<Left>("left 1")?;
            let right = tx.insert(Right { id: random.next() as u32, done: true, other })?;
            tx.set_root(&format!("right {}", random.below(3)), right)
        }
        (7, _) => {
            tx.remove_root("right 1");
            Ok(())
        }
        _ => {
            let len = random.below(100);
            let item = item(tx, len, random)?;
            list.push(tx, item)
        }
    }
}

/// Some hundred KiB in the log, and never many more in the heap.
fn change_much(tx: &mut Transaction<'_>, random: &mut Random) -> Result<()> {
    let board = board(tx)?;
    let list = tx.get_mut(board)?.items;
    for _ in 0..random.below(8) {
        let item = item(tx, 50_000, random)?;
        list.push(tx, item)?;
    }
    while list.len(tx)? > 8 {
        let first = list.get(tx)?[0];
        list.remove(tx, 0)?;
        tx.remove(first)?;
    }
    Ok(())
}

/// One large value in place of another.
fn change_directly(tx: &mut Transaction<'_>, len: u64, random: &mut Random) -> Result<()> {
    let board = board(tx)?;
    let list = tx.get_mut(board)?.items;
    if list.len(tx)? > random.below(2) as usize {
        let first = list.get(tx)?[0];
        list.remove(tx, 0)?;
        tx.remove(first)?;
        if random.below(2) == 0 {
            return Ok(());
        }
    }
    let item = item(tx, len, random)?;
    list.push(tx, item)
}

fn change_roots(tx: &mut Transaction<'_>, random: &mut Random) -> Result<()> {
    let count = tx.root_names().len();
    for number in count..count + 700 {
        let right = tx.insert(Right { id: random.next() as u32, done: false, other: None })?;
        tx.set_root(&format!("right {number}"), right)?;
    }
    Ok(())
}

/// First a value of zeros that brings the file's end near the 64 MiB that one block of checksums is enough for.
fn change_far(tx: &mut Transaction<'_>, random: &mut Random) -> Result<()> {
    let board = board(tx)?;
    let list = tx.get_mut(board)?.items;
    let item = if list.is_empty(tx)? {
        let data = tx.bytes(&vec![0; 62 << 20])?;
        tx.insert(Item { id: 0, value: 0, name: Text::EMPTY, data, next: None, done: false })?
    } else {
        item(tx, 700_000, random)?
    };
    list.push(tx, item)
}
