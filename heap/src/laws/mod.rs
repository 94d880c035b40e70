//! What must hold whatever the disk does: every commit that was acknowledged is there, every other one wholly or not at
//! all and in order, at every moment at which the power can fail, also while the heap is being recovered.
//!
//! `HEAP_LAW_STATES` multiplies the number of states, `HEAP_LAW_SEED` is where the seeds begin: a law that fails names
//! the seed with which it fails again.

mod cuts;
mod foreign;
mod judge;
mod kept;
mod life;
mod opening;
#[cfg(planted)]
mod planted;
mod way_back;
mod workload;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use judge::{Budget, Good, Judge, Verdict, quietly};
use life::{Life, Story};
use workload::{Kind, live};

use crate::log::Segments;
use crate::storage::simulated::{Fault, SimulatedDisk};
use crate::storage::{File, Storage};
use crate::{Durability, Error, simulated};

fn number_from(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// How many states of the ordinary run, on average.
fn scale() -> u64 {
    number_from("HEAP_LAW_STATES", 1).max(1)
}

fn first_seed() -> u64 {
    number_from("HEAP_LAW_SEED", 1)
}

/// Judges a story on two threads; how many states there were.
fn judge(story: &Story, good: &Good, budget: Budget) -> Result<(u64, u64), String> {
    const PARTS: usize = 2;
    let (states, opened) = (AtomicU64::new(0), AtomicU64::new(0));
    let verdicts: Vec<Verdict> = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..PARTS)
            .map(|part| {
                let (states, opened) = (&states, &opened);
                scope.spawn(move || {
                    let mut judge = Judge::new(story, good);
                    let verdict = judge.judge(budget, part, PARTS);
                    states.fetch_add(judge.states, Ordering::Relaxed);
                    opened.fetch_add(judge.opened, Ordering::Relaxed);
                    verdict
                })
            })
            .collect();
        parts.into_iter().map(|part| part.join().expect("a judge does not panic")).collect()
    });
    verdicts.into_iter().collect::<Verdict>()?;
    Ok((states.into_inner(), opened.into_inner()))
}

/// A law, and how much of it is tried.
#[derive(Debug, Clone, Copy)]
enum Law {
    /// A life without failures is cut off after each of its events.
    CommitsSurvive { kind: Kind, states: u64, open_every: u64 },
    /// One call of a life fails, each call in turn. Want of room takes a transaction back; anything else makes the heap
    /// refuse everything until it is opened again. After each event the life is cut off as well.
    FailuresAreEndured { kind: Kind, steps: u64, error: io::ErrorKind, every: usize, states: u64 },
}

/// States that were judged, and how many of them by opening them as heaps.
type Counts = (u64, u64);

impl Law {
    /// Tries the law on such disks.
    fn try_on(self, disk: &dyn Fn() -> Arc<SimulatedDisk>, seed: u64) -> Result<Counts, String> {
        match self {
            Self::CommitsSurvive { kind, states, open_every } => {
                let mut life = Life::on(disk());
                quietly(|| {
                    live(&mut life, kind, kind.steps(), seed);
                    Ok(())
                })?;
                life.close();
                judge(&life.story(), &Good::default(), Budget { states: states * scale(), open_every, seed })
            }
            Self::FailuresAreEndured { kind, steps, error, every, states } => {
                let live_with = |fault| {
                    let mut life = Life::on(disk());
                    life.disk.set_fault(fault);
                    quietly(|| {
                        live(&mut life, kind, steps, seed);
                        Ok(())
                    })?;
                    Ok::<_, String>(life)
                };
                let calls = live_with(None)?.disk.calls();
                let mut all = (0, 0);
                let good = Good::default();
                for call in (0..calls).step_by(every) {
                    let named = |why| format!("call {call} fails: {why}");
                    let life = live_with(Some(Fault { call, kind: error, lasting: false })).map_err(named)?;
                    let budget = Budget { states: states * scale(), open_every: 100, seed: seed ^ call << 16 };
                    let counts = judge(&life.story(), &good, budget).map_err(named)?;
                    all = (all.0 + counts.0, all.1 + counts.1);
                }
                Ok(all)
            }
        }
    }

    /// Tries it as a test.
    fn holds(self, seeds: u64) {
        let begun = Instant::now();
        let mut all = (0, 0);
        for seed in first_seed()..first_seed() + seeds {
            let disk = || SimulatedDisk::new(simulated::empty(7));
            let counts = self.try_on(&disk, seed);
            let counts = counts.unwrap_or_else(|why| panic!("HEAP_LAW_SEED={seed}, {self:?}: {why}"));
            all = (all.0 + counts.0, all.1 + counts.1);
        }
        let rate = all.0 as f64 / begun.elapsed().as_secs_f64();
        println!("{self:?}: {} states, {} opened as heaps, {rate:.0} states a second", all.0, all.1);
    }
}

const SMALL: Law = Law::CommitsSurvive { kind: Kind::Ordinary, states: 60, open_every: 50 };
const LONG: Law = Law::CommitsSurvive { kind: Kind::Long, states: 12, open_every: 50 };
const BULK: Law = Law::CommitsSurvive { kind: Kind::Bulk, states: 3, open_every: 60 };
const ROOTS: Law = Law::CommitsSurvive { kind: Kind::Roots, states: 12, open_every: 60 };
const FAR: Law = Law::CommitsSurvive { kind: Kind::Far, states: 6, open_every: 200 };
const EVEN: Law = Law::CommitsSurvive { kind: Kind::Even, states: 20, open_every: 1 };
const MIGRATING: Law = Law::CommitsSurvive { kind: Kind::Migrating, states: 6, open_every: 60 };
const FAILING_MIGRATING: Law =
    Law::FailuresAreEndured { kind: Kind::Migrating, steps: 16, error: io::ErrorKind::Other, every: 31, states: 2 };
const NO_ROOM_MIGRATING: Law = Law::FailuresAreEndured {
    kind: Kind::Migrating,
    steps: 16,
    error: io::ErrorKind::StorageFull,
    every: 29,
    states: 2,
};
const NO_ROOM: Law =
    Law::FailuresAreEndured { kind: Kind::Ordinary, steps: 25, error: io::ErrorKind::StorageFull, every: 1, states: 3 };
const FAILING: Law =
    Law::FailuresAreEndured { kind: Kind::Ordinary, steps: 25, error: io::ErrorKind::Other, every: 1, states: 3 };
const FAILING_LONG: Law =
    Law::FailuresAreEndured { kind: Kind::Long, steps: 12, error: io::ErrorKind::Other, every: 20, states: 3 };
const NO_ROOM_LONG: Law =
    Law::FailuresAreEndured { kind: Kind::Long, steps: 12, error: io::ErrorKind::StorageFull, every: 20, states: 3 };

#[test]
fn commits_survive_small_transactions() {
    SMALL.holds(3);
}

#[test]
fn commits_survive_long_transactions_and_a_log_that_is_used_again() {
    LONG.holds(1);
}

#[test]
fn commits_survive_values_that_are_written_directly() {
    BULK.holds(1);
}

#[test]
fn commits_survive_a_catalog_that_moves() {
    ROOTS.holds(1);
}

#[test]
fn migrations_are_whole_and_the_way_back_is_there_until_it_is_given_up() {
    MIGRATING.holds(2);
}

/// A checkpoint waits for the transaction to end, so a thread that holds it is told so.
#[test]
fn a_checkpoint_within_a_transaction_is_refused() {
    let heap = simulated::open(&SimulatedDisk::new(simulated::empty(7)), life::options()).unwrap();
    let tx = heap.write().unwrap();
    assert!(matches!(heap.checkpoint(), Err(Error::Deadlock { .. })));
    drop(tx);
    heap.checkpoint().unwrap();
}

/// A dump that begins before the heap is closed, killed and opened again finds the frames that it began with. Once it
/// is gone, they are used again.
#[test]
fn a_dump_keeps_the_log_over_any_number_of_openings() {
    let mut life = Life::on(SimulatedDisk::new(simulated::empty(7)));
    life.open().unwrap();
    life.commit(Durability::Process, workload::touch).unwrap();
    let before = Segments::epochs(&*life.disk).unwrap();
    life.disk.retain(true);
    for number in 0..4 {
        if number % 2 == 0 {
            life.kill();
        } else {
            life.close();
        }
        life.open().unwrap();
        life.commit(Durability::Process, workload::touch).unwrap();
        life.checkpoint().unwrap();
    }
    assert!(Segments::epochs(&*life.disk).unwrap().is_superset(&before));
    life.disk.retain(false);
    let len = life.disk.len(File::Log).unwrap();
    for _ in 0..4 {
        life.kill();
        life.open().unwrap();
    }
    assert!(Segments::epochs(&*life.disk).unwrap().is_disjoint(&before));
    assert_eq!(life.disk.len(File::Log).unwrap(), len);
}

#[test]
fn lost_frames_stay_lost() {
    EVEN.holds(1);
}

#[test]
fn commits_survive_checksums_that_move() {
    FAR.holds(1);
}

#[test]
fn want_of_room_is_endured() {
    NO_ROOM.holds(1);
    NO_ROOM_LONG.holds(1);
    NO_ROOM_MIGRATING.holds(1);
}

#[test]
fn failed_calls_are_endured() {
    FAILING.holds(1);
    FAILING_LONG.holds(1);
    FAILING_MIGRATING.holds(1);
}
