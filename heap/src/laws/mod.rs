//! What must hold whatever the disk does: every commit that was acknowledged is there, every other one wholly or not at
//! all and in order, at every moment at which the power can fail, also while the heap is being recovered.
//!
//! `HEAP_LAW_STATES` multiplies the number of states, `HEAP_LAW_SEED` is where the seeds begin: a law that fails names
//! the seed with which it fails again.

mod judge;
mod life;
#[cfg(planted)]
mod planted;
mod workload;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use judge::{Budget, Judge, Verdict};
use life::{Life, Story};
use workload::{Kind, live};

use crate::simulated;
use crate::storage::simulated::{Fault, SimulatedDisk};

fn number_from(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn new_disk() -> std::sync::Arc<SimulatedDisk> {
    SimulatedDisk::new(simulated::empty(7))
}

/// How many states of the ordinary run, on average.
fn scale() -> u64 {
    number_from("HEAP_LAW_STATES", 1).max(1)
}

fn first_seed() -> u64 {
    number_from("HEAP_LAW_SEED", 1)
}

/// Judges a story on two threads; how many states there were.
fn judge(story: &Story, budget: Budget) -> Result<(u64, u64), String> {
    const PARTS: usize = 2;
    let (states, opened) = (AtomicU64::new(0), AtomicU64::new(0));
    let verdicts: Vec<Verdict> = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..PARTS)
            .map(|part| {
                let (states, opened) = (&states, &opened);
                scope.spawn(move || {
                    let mut judge = Judge::new(story);
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

/// A life without failures, cut off after each of its events.
fn commits_survive(kind: Kind, lives: u64, states: u64, open_every: u64) {
    let begun = std::time::Instant::now();
    let (mut all, mut all_opened, mut events) = (0, 0, 0);
    for seed in first_seed()..first_seed() + lives {
        let mut life = Life::on(new_disk());
        live(&mut life, kind, kind.steps(), seed);
        life.close();
        let story = life.story();
        events += life.disk.position();
        let (states, opened) = judge(&story, Budget { states: states * scale(), open_every, seed })
            .unwrap_or_else(|why| panic!("HEAP_LAW_SEED={seed}, {kind:?}: {why}"));
        all += states;
        all_opened += opened;
    }
    let rate = all as f64 / begun.elapsed().as_secs_f64();
    println!("{kind:?}: {all} states after {events} events, {all_opened} opened as heaps, {rate:.0} states a second");
}

#[test]
fn commits_survive_small_transactions() {
    commits_survive(Kind::Ordinary, 4, 60, 40);
}

#[test]
fn commits_survive_long_transactions_and_a_log_that_is_used_again() {
    commits_survive(Kind::Long, 2, 30, 60);
}

#[test]
fn commits_survive_values_that_are_written_directly() {
    commits_survive(Kind::Bulk, 2, 20, 60);
}

#[test]
fn commits_survive_a_catalog_that_moves() {
    commits_survive(Kind::Roots, 1, 20, 60);
}

#[test]
fn commits_survive_checksums_that_move() {
    commits_survive(Kind::Far, 1, 20, 60);
}

/// The life again, with one call after the other failing: want of room takes a transaction back, and anything else
/// makes the heap refuse everything until it is opened again; and then the power fails.
fn failures_are_endured(kind: Kind, steps: u64, error: io::ErrorKind, every: u64, states: u64) {
    let seed = first_seed();
    let calls = {
        let mut life = Life::on(new_disk());
        live(&mut life, kind, steps, seed);
        life.disk.calls()
    };
    let mut all = 0;
    for call in (0..calls).step_by(every as usize) {
        let mut life = Life::on(new_disk());
        life.disk.set_fault(Some(Fault { call, kind: error, lasting: false }));
        live(&mut life, kind, steps, seed);
        let budget = Budget { states: states * scale(), open_every: 40, seed: seed ^ call << 16 };
        let judged = judge(&life.story(), budget);
        all += judged.unwrap_or_else(|why| panic!("HEAP_LAW_SEED={seed}, {kind:?}, call {call} fails: {why}")).0;
    }
    println!("{kind:?}, {error}: {calls} calls, {all} states");
}

#[test]
fn want_of_room_is_endured() {
    failures_are_endured(Kind::Ordinary, 25, io::ErrorKind::StorageFull, 1, 3);
}

#[test]
fn failed_calls_are_endured() {
    failures_are_endured(Kind::Ordinary, 25, io::ErrorKind::Other, 1, 4);
}

#[test]
fn failed_calls_are_endured_in_long_transactions() {
    failures_are_endured(Kind::Long, 12, io::ErrorKind::Other, 2, 3);
    failures_are_endured(Kind::Long, 12, io::ErrorKind::StorageFull, 3, 3);
}
