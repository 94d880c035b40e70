//! The laws find what they are for.

use super::{BULK, EVEN, FAILING, FAILING_LONG, FAR, LONG, Law, MIGRATING, SMALL};
use crate::planted::Bug;
use crate::simulated;
use crate::storage::simulated::SimulatedDisk;

/// The laws, in the order in which they are tried.
const LAWS: [Law; 8] = [SMALL, EVEN, LONG, FAR, BULK, FAILING, FAILING_LONG, MIGRATING];

/// Seeds that each law is tried with before a bug counts as not found.
const SEEDS: u64 = 3;

fn found(bug: Bug) -> Option<(Law, u64, String)> {
    let disk = || SimulatedDisk::with_bug(simulated::empty(7), Some(bug));
    let tries = (1..=SEEDS).flat_map(|seed| LAWS.map(|law| (law, seed)));
    tries.into_iter().find_map(|(law, seed)| Some((law, seed, law.try_on(&disk, seed).err()?)))
}

/// A law that no bug breaks proves nothing.
#[test]
fn planted_bugs_are_found() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut survivors = Vec::new();
    let chosen = std::env::var("HEAP_LAW_BUG").ok();
    for &bug in Bug::ALL.iter().filter(|bug| chosen.as_ref().is_none_or(|chosen| *chosen == format!("{bug:?}"))) {
        let begun = std::time::Instant::now();
        match found(bug) {
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
