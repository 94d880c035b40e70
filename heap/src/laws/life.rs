//! The life of a heap on a simulated disk, and what it may look like after a power cut at any moment of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::format::history::ReceiptKind;
use crate::guard::Reader;
use crate::kept::{self, Before, Flip, Moment};
use crate::raw::laws::{Board, Left, Right, Wide};
use crate::storage::simulated::{Image, Journal, SimulatedDisk};
use crate::{Durability, Error, Heap, Options, Read, Record, Ref, Result, Transaction, simulated};

/// What a program was told, at one position of the journal.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    /// The last commit that was said to survive a power cut.
    pub(super) durable: u64,
    /// The last commit that was said to survive the process.
    pub(super) returned: u64,
    /// The last commit that was begun.
    pub(super) begun: u64,
}

/// What happened, for the judges.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) journal: Journal,
    versions: Versions,
    /// From which position of the journal on the program was told what.
    told: BTreeMap<usize, Told>,
    /// The disk that it happened on.
    disk: Arc<SimulatedDisk>,
    /// From which position on it is worth judging.
    pub(super) from: usize,
}

/// By sequence, the states that a commit was to have, as text, each from one position of the journal on: a commit that
/// did not survive gives its number to the next.
type Versions = Vec<Vec<(usize, String)>>;

impl Story {
    /// What the program was told when the journal had this length.
    pub(super) fn told_at(&self, position: usize) -> Told {
        self.told.range(..=position).next_back().map(|(_, told)| *told).unwrap_or_default()
    }

    /// The state of a commit as it was to be when the journal had this length, and since when.
    pub(super) fn version_at(&self, sequence: u64, position: usize) -> Option<(usize, &str)> {
        let versions = self.versions.get(sequence as usize)?;
        let (from, version) = versions.iter().rev().find(|(from, _)| *from <= position)?;
        Some((*from, version))
    }

    /// A disk with these files.
    pub(super) fn disk(&self, image: Image) -> Arc<SimulatedDisk> {
        self.disk.like(image)
    }
}

/// A heap that lives, dies and is opened again.
pub(super) struct Life {
    pub(super) disk: Arc<SimulatedDisk>,
    heap: Option<Heap>,
    versions: Versions,
    told: BTreeMap<usize, Told>,
    now: Told,
    from: usize,
    /// The migration that can be rolled back.
    migrated: Option<u64>,
}

/// How the heaps of the laws are opened.
pub(super) fn options() -> Options {
    Options { reserve: 1 << 32, seed: Some(7), ..Options::default() }
}

impl Life {
    /// A heap on a disk that holds one, closed, with nothing known of it.
    pub(super) fn on(disk: Arc<SimulatedDisk>) -> Self {
        let (versions, told, now) = (Vec::new(), BTreeMap::new(), Told::default());
        let mut life = Self { disk, heap: None, versions, told, now, from: 0, migrated: None };
        life.tell();
        life
    }

    /// A heap on a disk on which this state, of this commit, is to be found.
    pub(super) fn with_state(disk: Arc<SimulatedDisk>, sequence: u64, state: &str) -> Self {
        let mut life = Self::on(disk);
        life.versions = vec![Vec::new(); sequence as usize];
        life.versions.push(vec![(0, state.to_owned())]);
        life.now = Told { durable: sequence, returned: sequence, begun: sequence };
        life.tell();
        life
    }

    /// From here on the program was told what `now` says.
    fn tell(&mut self) {
        self.told.insert(self.disk.position(), self.now);
    }

    /// What happened until now only prepares for what is to be judged.
    pub(super) fn is_prepared(&mut self) {
        self.from = self.disk.position();
    }

    /// Opens the heap.
    pub(super) fn open(&mut self) -> Result<()> {
        assert!(self.heap.is_none());
        let heap = simulated::open(&self.disk, options())?;
        let sequence = heap.stats().sequence;
        let state = dump(&heap.read());
        if self.versions.is_empty() {
            self.versions.resize(sequence as usize, Vec::new());
            self.versions.push(vec![(0, state.clone())]);
        }
        assert_eq!(self.version(sequence), Some(&state), "the state at commit {sequence}");
        assert!(sequence >= self.now.returned, "commit {} was returned, and {sequence} is the last", self.now.returned);
        // What opening found was made durable by it.
        self.now = Told { durable: sequence, returned: sequence, begun: sequence };
        self.tell();
        self.migrated = migrated(&heap);
        self.heap = Some(heap);
        Ok(())
    }

    pub(super) const fn is_open(&self) -> bool {
        self.heap.is_some()
    }

    pub(super) const fn heap(&self) -> &Heap {
        self.heap.as_ref().expect("the heap is open")
    }

    /// A commit.
    pub(super) fn commit(
        &mut self,
        durability: Durability,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<()>,
    ) -> Result<()> {
        self.commit_as(durability, change, |tx| tx.commit_with(durability))
    }

    /// A migration, of a heap that was just opened: some extents are written anew although nothing in them changed.
    pub(super) fn migrate(
        &mut self,
        durability: Durability,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<()>,
    ) -> Result<()> {
        let shared = &self.heap().shared;
        let before = Before::of(&shared.state().catalog, shared.binder().registry());
        let replaced = (0..shared.state().catalog.extents().len() as u32).step_by(3).collect();
        let moment = Moment { time: 1, program: "laws".into() };
        let flip = Flip { before, replaced, receipt: moment.receipt(ReceiptKind::Migrated, 0, [1; 16], [2; 16]) };
        self.commit_as(durability, change, |tx| tx.commit_flip(durability, flip))
    }

    /// The way back is given up.
    pub(super) fn keep(&mut self, durability: Durability) -> Result<()> {
        let moment = Moment { time: 2, program: "laws".into() };
        let shared = Arc::clone(&self.heap().shared);
        if shared.state().catalog.history().kept.is_none() {
            return kept::keep(&shared, moment, durability);
        }
        let finish = |tx: Transaction<'_>| {
            drop(tx);
            kept::keep(&shared, moment, durability)?;
            Ok(crate::Sequence(shared.state().sequence))
        };
        self.commit_as(durability, |_| Ok(()), finish)
    }

    /// The way back is given up, while nobody has the heap open.
    pub(super) fn keep_closed(&mut self) -> Result<()> {
        assert!(self.heap.is_none());
        let (before, next) = (self.now.returned, self.now.returned + 1);
        let same = self.version(before).expect("the state is known").clone();
        self.version_begins(next, same);
        let done = simulated::keep(&self.disk, &options());
        match &done {
            Ok(Some(given_up)) => {
                assert_eq!(given_up.sequence.number(), next);
                self.now = Told { durable: next, returned: next, begun: next };
            }
            Ok(None) | Err(Error::NoRoom(_)) => self.now.begun = before,
            Err(_) => {}
        }
        self.tell();
        done.map(|_| ())
    }

    /// The last migration is rolled back, while nobody has the heap open, with all that was committed since; whether there
    /// was one.
    pub(super) fn roll_back_migration(&mut self) -> Result<bool> {
        assert!(self.heap.is_none());
        let (before, next) = (self.now.returned, self.now.returned + 1);
        let Some(migrated) = self.migrated else { return Ok(false) };
        let lost = before - migrated;
        if lost > 0 {
            match simulated::rollback(&self.disk, &options()) {
                Err(Error::MovedOn { commits, expected: 0, as_of }) => {
                    assert_eq!((commits, as_of), (lost, migrated - 1));
                }
                Err(error) if self.disk.failed().is_some() => return Err(error),
                done => panic!("{done:?}, and {lost} commits were made since"),
            }
        }
        let eve = self.version(migrated - 1).expect("the state before the migration is known").clone();
        self.version_begins(next, eve);
        let done = simulated::rollback_losing(&self.disk, &options(), lost);
        match &done {
            Ok(done) => {
                assert_eq!((done.sequence.number(), done.as_of.number(), done.lost), (next, migrated - 1, lost));
                self.now = Told { durable: next, returned: next, begun: next };
            }
            Err(Error::NoRoom(_)) => self.now.begun = before,
            Err(_) => {}
        }
        self.tell();
        done.map(|_| true)
    }

    /// From here on the disk may hold this state as this commit.
    fn version_begins(&mut self, number: u64, state: String) {
        if self.versions.len() as u64 == number {
            self.versions.push(Vec::new());
        }
        self.versions[number as usize].push((self.disk.position(), state));
        self.now.begun = number;
        self.tell();
    }

    fn commit_as(
        &mut self,
        durability: Durability,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<()>,
        finish: impl FnOnce(Transaction<'_>) -> Result<crate::Sequence>,
    ) -> Result<()> {
        let heap = self.heap.take().expect("the heap is open");
        let done = self.commit_to(&heap, durability, change, finish);
        self.migrated = migrated(&heap);
        self.heap = Some(heap);
        done
    }

    fn commit_to(
        &mut self,
        heap: &Heap,
        durability: Durability,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<()>,
        finish: impl FnOnce(Transaction<'_>) -> Result<crate::Sequence>,
    ) -> Result<()> {
        let mut tx = heap.write()?;
        let before = heap_sequence(&tx);
        change(&mut tx)?;
        let next = before + 1;
        self.version_begins(next, dump(&tx));
        let done = finish(tx);
        match done {
            Ok(sequence) => {
                assert_eq!(sequence.number(), next);
                self.now.returned = next;
                if durability == Durability::Disk {
                    self.now.durable = next;
                }
            }
            // Taken back: there is no such commit, and never will be.
            Err(Error::NoRoom(_)) => {
                self.now.begun = before;
            }
            Err(_) => {}
        }
        self.tell();
        if done.is_ok() {
            assert_eq!(Some(&dump(&heap.read())), self.version(next));
        }
        done.map(|_| ())
    }

    /// A transaction that is taken back.
    pub(super) fn roll_back(&mut self, change: impl FnOnce(&mut Transaction<'_>) -> Result<()>) -> Result<()> {
        let before = dump(&self.heap().try_read()?);
        let mut tx = self.heap().write()?;
        change(&mut tx)?;
        tx.rollback();
        assert_eq!(dump(&self.heap().try_read()?), before);
        Ok(())
    }

    /// Waits for the last commit.
    pub(super) fn wait(&mut self) -> Result<()> {
        let sequence = crate::Sequence(self.now.returned);
        self.heap().wait_durable(sequence)?;
        self.now.durable = self.now.returned;
        self.tell();
        Ok(())
    }

    pub(super) fn checkpoint(&mut self) -> Result<()> {
        self.heap().checkpoint()?;
        self.now.durable = self.now.returned;
        self.tell();
        Ok(())
    }

    /// Closes the heap; a failure to is silent, as it is for everybody.
    pub(super) fn close(&mut self) {
        self.heap = None;
    }

    /// The process is killed.
    pub(super) fn kill(&mut self) {
        self.disk.kill();
        self.heap = None;
        self.disk.revive();
    }

    fn version(&self, sequence: u64) -> Option<&String> {
        self.versions.get(sequence as usize)?.last().map(|(_, version)| version)
    }

    pub(super) fn story(&self) -> Story {
        Story {
            journal: self.disk.journal(),
            versions: self.versions.clone(),
            told: self.told.clone(),
            disk: Arc::clone(&self.disk),
            from: self.from,
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The migration that a heap can be rolled back from.
fn migrated(heap: &Heap) -> Option<u64> {
    heap.shared.state().catalog.history().kept.as_ref().map(|kept| kept.sequence)
}

fn heap_sequence(tx: &Transaction<'_>) -> u64 {
    tx.state.sequence
}

/// What has roots.
pub(super) trait Look: Reader {
    fn look<T: Record>(&self, name: &str) -> Result<Option<Ref<T>>>;
    fn names(&self) -> Vec<String>;
}

impl Look for Transaction<'_> {
    fn look<T: Record>(&self, name: &str) -> Result<Option<Ref<T>>> {
        self.root(name)
    }

    fn names(&self) -> Vec<String> {
        self.root_names()
    }
}

impl Look for Read<'_> {
    fn look<T: Record>(&self, name: &str) -> Result<Option<Ref<T>>> {
        self.root(name)
    }

    fn names(&self) -> Vec<String> {
        self.root_names()
    }
}

/// Everything that can be reached, as text, handles included.
pub(super) fn dump(reader: &impl Look) -> String {
    let mut text = String::new();
    for name in reader.names() {
        let _ = write!(text, "{name}: ");
        if name == "board" {
            let board = reader.get(reader.look::<Board>("board").unwrap().unwrap()).unwrap();
            let _ = writeln!(text, "{}", board.commits);
            for &handle in reader.get_list(board.items).unwrap() {
                let item = reader.get(handle).unwrap();
                let (name, data) = (reader.get_text(item.name).unwrap(), reader.get_bytes(item.data).unwrap());
                let crc = crc32fast::hash(data);
                let next = item.next.map(|next| reader.get(next).map_or(0, |next| next.id));
                let (bits, id, value, done) = (handle.to_bits(), item.id, item.value, item.done);
                let _ = writeln!(text, "{bits:x} {id} {value} {name} {}/{crc:x} {next:?} {done}", data.len());
            }
        } else if name == "wide" {
            let wide = reader.get(reader.look::<Wide>("wide").unwrap().unwrap()).unwrap();
            let _ = writeln!(text, "{:x?}", &wide.words[..4]);
        } else if name.starts_with("left") {
            let left = reader.get(reader.look::<Left>(&name).unwrap().unwrap()).unwrap();
            let _ = writeln!(text, "{} {}", left.id, reader.get_text(left.name).unwrap());
        } else {
            let right = reader.get(reader.look::<Right>(&name).unwrap().unwrap()).unwrap();
            let _ = writeln!(text, "{} {} {:?}", right.id, right.done, right.other.map(Ref::to_bits));
        }
    }
    text
}
