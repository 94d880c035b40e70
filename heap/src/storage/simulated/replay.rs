//! What a power cut leaves.

use std::collections::HashMap;
use std::sync::Arc;

use super::image::{Image, SECTOR};
use super::{File, Pages};

/// What happened to a disk.
#[derive(Debug, Clone)]
pub struct Journal {
    pub(super) start: Image,
    pub(super) events: Vec<Event>,
}

#[derive(Debug, Clone)]
pub(super) enum Event {
    /// Whole sectors, as they were after the write.
    Write {
        file: File,
        start: u64,
        sectors: Arc<[u8]>,
    },
    Len {
        file: File,
        len: u64,
    },
    Sync {
        file: File,
    },
    FailedSync {
        file: File,
    },
}

/// How the power is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nothing that was not synced is there.
    AllLost,
    /// Everything is there.
    AllKept,
    /// Chance decides, by this seed.
    Chance(u64),
}

impl Cut {
    /// The cuts of one moment, by number: the two plain ones first, then as many as are wanted.
    pub const fn numbered(number: u64, seed: u64) -> Self {
        match number {
            0 => Self::AllLost,
            1 => Self::AllKept,
            _ => Self::Chance(seed),
        }
    }
}

/// Numbers from a seed: splitmix64.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The numbers that follow from a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// The next number below a bound.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

const fn mix(mut word: u64) -> u64 {
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

/// A walk along a journal.
#[derive(Debug)]
pub struct Replay<'a> {
    journal: &'a Journal,
    position: usize,
    durable: Image,
    /// Events of each file since its last sync.
    pending: [Vec<&'a Event>; 2],
    /// Sectors whose sync failed, and which were not written since.
    doubtful: HashMap<(File, u64), [u8; SECTOR]>,
}

/// How chance treats the sectors of one file.
#[derive(Debug, Clone, Copy)]
enum Manner {
    /// Each has any of its contents.
    Independent,
    /// They are written in order, up to some point.
    InOrder,
    /// All are kept but those of one write.
    OneLost,
    /// All are lost but those of one write.
    OneKept,
}

impl<'a> Replay<'a> {
    /// At the journal's beginning.
    pub fn new(journal: &'a Journal) -> Self {
        let durable = journal.start.clone();
        Self { journal, position: 0, durable, pending: Default::default(), doubtful: HashMap::new() }
    }

    /// Events behind the walk.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Whether a cut can leave more than one state.
    pub fn is_settled(&self) -> bool {
        self.pending.iter().all(Vec::is_empty) && self.doubtful.is_empty()
    }

    /// Goes behind the next event, if there is one.
    pub fn advance(&mut self) -> bool {
        let journal = self.journal;
        let Some(event) = journal.events.get(self.position) else { return false };
        self.position += 1;
        match *event {
            Event::Write { file, .. } | Event::Len { file, .. } => self.pending[file as usize].push(event),
            Event::Sync { file } => {
                for event in std::mem::take(&mut self.pending[file as usize]) {
                    match event {
                        Event::Len { len, .. } => self.durable.file_mut(file).set_len(*len),
                        Event::Write { start, sectors, .. } => {
                            self.durable.file_mut(file).write(*start, sectors);
                            self.settle(file, *start, sectors.len());
                        }
                        _ => {}
                    }
                }
            }
            Event::FailedSync { file } => {
                // Lengths are the file system's own business, and stay to be synced.
                let (lengths, writes) = std::mem::take(&mut self.pending[file as usize])
                    .into_iter()
                    .partition(|event| matches!(event, Event::Len { .. }));
                self.pending[file as usize] = lengths;
                let writes: Vec<&Event> = writes;
                for event in writes {
                    let Event::Write { start, sectors, .. } = event else { continue };
                    for (number, sector) in (*start / SECTOR as u64..).zip(sectors.chunks_exact(SECTOR)) {
                        self.doubtful.insert((file, number), sector.try_into().unwrap_or([0; SECTOR]));
                    }
                }
            }
        }
        true
    }

    fn settle(&mut self, file: File, start: u64, len: usize) {
        if !self.doubtful.is_empty() {
            for number in start / SECTOR as u64..(start + len as u64) / SECTOR as u64 {
                self.doubtful.remove(&(file, number));
            }
        }
    }

    /// A state in which a power cut now leaves the disk.
    pub fn state(&self, cut: Cut) -> Image {
        let mut image = self.durable.clone();
        for (&(file, number), sector) in &self.doubtful {
            let kept = match cut {
                Cut::AllLost => false,
                Cut::AllKept => true,
                Cut::Chance(seed) => mix(seed ^ mix(number * 2 + file as u64)).is_multiple_of(2),
            };
            if kept {
                image.file_mut(file).write(number * SECTOR as u64, sector);
            }
        }
        for file in [File::Base, File::Log] {
            let pending = &self.pending[file as usize];
            if pending.is_empty() {
                continue;
            }
            match cut {
                Cut::AllLost => {}
                Cut::AllKept => keep_all(image.file_mut(file), pending),
                Cut::Chance(seed) => keep_some(image.file_mut(file), pending, mix(seed ^ file as u64)),
            }
        }
        image
    }
}

fn keep_all(target: &mut Pages, pending: &[&Event]) {
    for event in pending {
        match event {
            Event::Len { len, .. } => target.set_len(*len),
            Event::Write { start, sectors, .. } => target.write(*start, sectors),
            _ => {}
        }
    }
}

fn keep_some(target: &mut Pages, pending: &[&Event], seed: u64) {
    let mut random = Random::new(seed);
    let count = pending.len() as u64;
    // Lengths are kept up to some point; more often than not all or none.
    let lengths = match random.below(4) {
        0 => 0,
        1 => random.below(count + 1),
        _ => count,
    };
    for event in &pending[..lengths as usize] {
        if let Event::Len { len, .. } = event {
            target.set_len(*len);
        }
    }
    let manner = match random.below(8) {
        0 | 1 => Manner::InOrder,
        2 => Manner::OneLost,
        3 => Manner::OneKept,
        _ => Manner::Independent,
    };
    let chosen = random.below(count);
    for (number, event) in (0..).zip(pending) {
        let Event::Write { start, sectors, .. } = event else { continue };
        for (sector, bytes) in (*start / SECTOR as u64..).zip(sectors.chunks_exact(SECTOR)) {
            let draw = mix(seed ^ mix(sector));
            // A sector has what the first so many writes left in it.
            let kept = match manner {
                Manner::Independent => match draw % 3 {
                    0 => false,
                    1 => true,
                    _ => number < (draw >> 8) % (count + 1),
                },
                Manner::InOrder => number < chosen || (number == chosen && draw.is_multiple_of(2)),
                Manner::OneLost => number != chosen || draw.is_multiple_of(2),
                Manner::OneKept => number == chosen && !draw.is_multiple_of(4),
            };
            if kept {
                target.write(sector * SECTOR as u64, bytes);
            }
        }
    }
}
