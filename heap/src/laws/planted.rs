//! The laws find what they are for.

use super::{BULK, EVEN, FAILING, FAILING_LONG, FAR, LONG, Law, MIGRATING, SMALL};
use crate::planted::Bug;
use crate::simulated;
use crate::storage::simulated::SimulatedDisk;

/// The laws, in the order in which they are tried.
const LAWS: [Law; 8] = [SMALL, EVEN, MIGRATING, LONG, FAR, BULK, FAILING, FAILING_LONG];

/// Seeds that each law is tried with before a bug counts as not found.
const SEEDS: u64 = 3;

fn found(bug: Bug, laws: &[Law]) -> Option<(Law, u64, String)> {
    let disk = || SimulatedDisk::with_bug(simulated::empty(7), Some(bug));
    let mut tries = (1..=SEEDS).flat_map(|seed| laws.iter().map(move |&law| (law, seed)));
    tries.find_map(|(law, seed)| Some((law, seed, law.try_on(&disk, seed).err()?)))
}

/// Each of these breaks a migration, also where nothing else would show it.
#[test]
fn the_law_of_migrations_finds_what_breaks_them() {
    for bug in [
        Bug::FreshExtentsNotSynced,
        Bug::KeptRunsReusedAtOnce,
        Bug::NewExtentsFreedEarly,
        Bug::SharedExtentsWrittenInPlace,
        Bug::MovedExtentsNotSynced,
        Bug::LeftRoomReused,
    ] {
        let (_, seed, why) = found(bug, &[MIGRATING]).unwrap_or_else(|| panic!("{bug:?} is not found"));
        println!("{bug:?}, seed {seed}: {}", why.chars().take(160).collect::<String>().escape_debug());
    }
}

/// A law that no bug breaks proves nothing.
#[test]
fn planted_bugs_are_found() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut survivors = Vec::new();
    let chosen = std::env::var("HEAP_LAW_BUG").ok();
    for &bug in Bug::ALL.iter().filter(|bug| chosen.as_ref().is_none_or(|chosen| *chosen == format!("{bug:?}"))) {
        let begun = std::time::Instant::now();
        match found(bug, &LAWS) {
            Some((law, seed, why)) => {
                let why: String = why.chars().take(160).collect::<String>().escape_debug().collect();
                println!("{bug:?}: {:?}, seed {seed}, {law:?}: {why}", begun.elapsed());
            }
            None => {
                println!("{bug:?}: NOT FOUND, {:?}", begun.elapsed());
                survivors.push(bug);
            }
        }
    }
    let _ = std::panic::take_hook();
    assert!(survivors.is_empty(), "not found: {survivors:?}");
}
