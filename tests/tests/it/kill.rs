//! A process killed at any moment loses no commit that returned and leaves no half of another; the next open needs
//! nobody's help.

use std::time::Duration;

use heap::Heap;
use tests::bank::{self, Random};

use crate::harness::{Folder, verify};

/// Kills a program so often on one heap.
fn kill_again_and_again(seed: u64, runs: u64, wishes: &[&str]) {
    let folder = Folder::new();
    let heap = folder.file("bank.heap");
    let mut random = Random(seed);
    let (mut least, mut known) = (0, 0);
    for run in 0..runs {
        let seeded = format!("seed={}", random.draw());
        let program = folder.program("bank.heap", &[&[&*seeded], wishes].concat());
        // Sometimes it is killed while it opens, sometimes it gets to work.
        std::thread::sleep(Duration::from_micros(random.below(40_000)));
        least = program.kill().max(least);
        if !heap.exists() {
            continue;
        }
        // Every other time the next program is the one that recovers.
        if run % 2 == 0 {
            verify(&heap);
            let opened = Heap::open(&heap).unwrap();
            if opened.read().root_names().is_empty() {
                assert_eq!(least, 0, "run {run}");
                continue;
            }
            let found = bank::check(&opened).commits;
            assert!(found >= least, "run {run}: {least} transactions were told, {found} are there");
            known = found;
        }
    }
    assert!(known > runs, "only {known} transactions in {runs} runs: the programs never got to work");
}

#[test]
fn small_transactions_and_a_checkpoint_every_few() {
    kill_again_and_again(1, 200, &["log-target=8192", "log-limit=1048576"]);
}

#[test]
fn small_and_bulk_transactions() {
    kill_again_and_again(2, 200, &["bulk=10", "log-target=1048576"]);
}

#[test]
fn a_mapped_heap() {
    kill_again_and_again(3, 100, &["mapped=1", "bulk=30", "log-target=65536"]);
}
