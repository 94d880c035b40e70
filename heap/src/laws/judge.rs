//! What must hold after a power cut.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::life::{Life, Story, dump, options};
use super::workload;
use crate::format::BLOCK;
use crate::storage::Storage;
use crate::storage::simulated::{Cut, Image, Journal, Random, Replay, SimulatedDisk};
use crate::{Durability, recover, simulated};

/// How thoroughly a story is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// States after each event, the two extreme ones included.
    pub(super) states: u64,
    /// One state in so many is opened as a heap, whatever it looks like, and worked with.
    pub(super) open_every: u64,
    pub(super) seed: u64,
}

/// Recovered files that were opened and found good: the sequence, and what tells their contents and the state that was
/// expected from others. Each is opened once.
#[derive(Debug, Default)]
pub(super) struct Good(Mutex<HashSet<(u64, u64, u64)>>);

impl Good {
    fn known(&self) -> MutexGuard<'_, HashSet<(u64, u64, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of those who judge a story.
pub(super) struct Judge<'a> {
    story: &'a Story,
    good: &'a Good,
    pub(super) states: u64,
    pub(super) opened: u64,
}

/// A law that does not hold, and the seed with which it can be seen again.
pub(super) type Verdict = Result<(), String>;

impl<'a> Judge<'a> {
    pub(super) const fn new(story: &'a Story, good: &'a Good) -> Self {
        Self { story, good, states: 0, opened: 0 }
    }

    /// Cuts the power after every `of`-th event from `part` on, in many ways.
    pub(super) fn judge(&mut self, budget: Budget, part: usize, of: usize) -> Verdict {
        let journal = &self.story.journal;
        let mut replay = Replay::new(journal);
        loop {
            if replay.position() >= self.story.from && replay.position() % of == part {
                let count = if replay.is_settled() { 1 } else { budget.states };
                for number in 0..count {
                    let seed = budget.seed ^ (replay.position() as u64) << 32 ^ number;
                    let cut = Cut::numbered(number, seed);
                    let open = self.states.is_multiple_of(budget.open_every);
                    self.judge_state(replay.position(), replay.state(cut), cut, seed, open)
                        .map_err(|why| format!("after event {}, {cut:?}: {why}", replay.position()))?;
                }
            }
            if !replay.advance() {
                return Ok(());
            }
        }
    }

    fn judge_state(&mut self, position: usize, image: Image, cut: Cut, seed: u64, open: bool) -> Verdict {
        self.states += 1;
        let told = self.story.told_at(position);
        let least = if cut == Cut::AllKept { told.returned } else { told.durable };
        let disk = self.story.disk(image.clone());
        if !open {
            disk.forget_events();
        }
        let sequence = quietly(|| self.recovered(&disk, position))?;
        if sequence < least || sequence > told.begun {
            return Err(format!("commit {sequence} is the last; {told:?}"));
        }
        if !open {
            return Ok(());
        }
        // The power is cut during the recovery as well; that may not change what is recovered.
        let mut random = Random::new(seed);
        let journal = disk.journal();
        let at = random.below(disk.position() as u64 + 1);
        let again = self.story.disk(after(&journal, at as usize, Cut::Chance(seed)));
        let second = quietly(|| self.recovered(&again, position))
            .map_err(|why| format!("cut again after event {at} of the recovery: {why}"))?;
        if second != sequence {
            return Err(format!("commit {sequence} was the last, and {second} after another cut at event {at}"));
        }
        self.opened += 1;
        let (_, state) = self.story.version_at(sequence, position).unwrap_or_default();
        quietly(|| live_on(self.story.disk(image), sequence, state, &mut random))
            .map_err(|why| format!("living on: {why}"))
    }

    /// Recovers, and compares what the file then holds with the story; the last commit it holds.
    fn recovered(&mut self, disk: &Arc<SimulatedDisk>, position: usize) -> Result<u64, String> {
        let storage: Arc<dyn Storage> = Arc::clone(disk) as Arc<dyn Storage>;
        let draw = |counter: u64| counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let recovered = recover::recover(&storage, Path::new("simulated"), draw).map_err(|error| error.to_string())?;
        let header = recovered.headers.header;
        let Some((_, expected)) = self.story.version_at(header.sequence, position) else {
            return Err(format!("commit {} never was", header.sequence));
        };
        let mut hasher = DefaultHasher::new();
        expected.hash(&mut hasher);
        let key = (header.sequence, hasher.finish(), disk.image().digest(BLOCK, header.file_len));
        if self.good.known().contains(&key) {
            return Ok(header.sequence);
        }
        let heap = simulated::open(disk, options()).map_err(|error| error.to_string())?;
        let found = dump(&heap.read());
        let history = heap.history().map_err(|error| error.to_string())?;
        disk.kill();
        if expected != found {
            return Err(format!("commit {} is\n{found}and was\n{expected}", header.sequence));
        }
        if let Some(kept) = history.kept {
            let lost = header.sequence - kept.sequence;
            self.way_back(disk.image(), kept.sequence, lost, position)
                .map_err(|why| format!("the way back from {}, losing {lost}: {why}", header.sequence))?;
        }
        self.good.known().insert(key);
        self.opened += 1;
        Ok(header.sequence)
    }

    /// A migration can be rolled back with all that was committed since, and the state is then that of the commit before
    /// it.
    fn way_back(&self, image: Image, migrated: u64, lost: u64, position: usize) -> Verdict {
        let disk = self.story.disk(image);
        disk.revive();
        simulated::rollback_losing(&disk, &options(), lost).map_err(|error| error.to_string())?;
        let heap = simulated::open(&disk, options()).map_err(|error| error.to_string())?;
        let found = dump(&heap.read());
        disk.kill();
        match self.story.version_at(migrated - 1, position) {
            Some((_, expected)) if expected == found => Ok(()),
            expected => Err(format!("found\n{found}expected\n{expected:?}")),
        }
    }
}

/// What a cut leaves after so many events.
fn after(journal: &Journal, events: usize, cut: Cut) -> Image {
    let mut replay = Replay::new(journal);
    while replay.position() < events && replay.advance() {}
    replay.state(cut)
}

/// Opens the heap, works with it, kills it now and then, and cuts the power once more.
fn live_on(disk: Arc<SimulatedDisk>, sequence: u64, state: &str, random: &mut Random) -> Verdict {
    let failed = |error: crate::Error| error.to_string();
    let mut life = Life::with_state(disk, sequence, state);
    life.open().map_err(failed)?;
    for _ in 0..random.below(3) {
        life.kill();
        life.open().map_err(failed)?;
    }
    for _ in 0..=random.below(3) {
        let strength = if random.below(3) == 0 { Durability::Disk } else { Durability::Process };
        life.commit(strength, workload::touch).map_err(failed)?;
        match random.below(6) {
            0 => life.checkpoint().map_err(failed)?,
            1 => life.wait().map_err(failed)?,
            _ => {}
        }
    }
    let story = life.story();
    let position = life.disk.position();
    let told = story.told_at(position);
    let disk = story.disk(after(&story.journal, position, Cut::Chance(random.next())));
    let heap = simulated::open(&disk, options()).map_err(failed)?;
    let found = dump(&heap.read());
    let last = heap.stats().sequence;
    disk.kill();
    if last < told.durable || last > told.begun {
        return Err(format!("commit {last} is the last; {told:?}"));
    }
    match story.version_at(last, position) {
        Some((_, expected)) if expected == found => Ok(()),
        _ => Err(format!("commit {last} is\n{found}")),
    }
}

/// A panic is a verdict too.
pub(super) fn quietly<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            Err(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
        }
    }
}
