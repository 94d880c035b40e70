//! A program that lives on after its migration, is dumped and killed at any moment, and is rolled back with all that it
//! did.

use std::fs;
use std::time::Instant;

use heap::{Error, Heap};
use image::{DumpOptions, DumpSource, Replace, Secrets, dump, verify_file};
use tests::bank::{self, Random};

use crate::harness::{Folder, PATIENCE, verify};

/// Every value of the heap.
fn values(folder: &Folder) -> String {
    folder.image(&["export", "bank.heap", "--format", "jsonl", "--force", "-o", "bank.jsonl"]).done();
    fs::read_to_string(folder.file("bank.jsonl")).unwrap()
}

/// An image of the heap beside its program is one committed state.
fn check_dump(folder: &Folder) {
    let (heap, image) = (folder.file("bank.heap"), folder.file("bank.img"));
    let options = DumpOptions { secrets: Secrets::Refuse, replace: Replace::Force, reproducible: false };
    // A machine that is busy with other things may be too slow for some dumps, not for all.
    let until = Instant::now() + PATIENCE;
    while let Err(error) = dump(&DumpSource::of_path(&heap), &image, &options) {
        assert_eq!(error.code(), "IMG-0804", "{error}");
        assert!(Instant::now() < until, "every dump loses its hold");
    }
    let sequence = verify_file(&image).unwrap().header.sequence;
    let found = bank::check(&Heap::open_image(&image).unwrap());
    // One commit made the bank, and one migrated it; each one since counts itself.
    let migrated = sequence - found.commits;
    assert!(migrated >= 2, "commit {sequence} is transaction {}", found.commits);
}

fn roll_back_again_and_again(seed: u64, runs: u64, wishes: &[&str]) {
    let folder = Folder::new();
    let heap = folder.file("bank.heap");
    bank::before::make(&heap).unwrap();
    let before = values(&folder);
    let mut random = Random(seed);
    let mut most = 0;
    for run in 0..runs {
        let seeded = format!("seed={}", random.draw());
        let program = folder.program("bank.heap", &[&[&*seeded, "migrate=1"], wishes].concat());
        program.wait_ready();
        // What it shares with what is kept moves in the first commits.
        check_dump(&folder);
        program.wait_beyond(random.below(3_000));
        if run % 2 == 0 {
            check_dump(&folder);
        }
        let told = program.kill();
        if run % 3 == 0 {
            verify(&heap);
            let opened = Heap::open(&heap).unwrap();
            assert!(bank::check(&opened).commits >= told);
        }
        let Err(Error::MovedOn { commits, .. }) = heap::rollback(&heap) else { panic!("{told} commits were made") };
        assert!(commits >= told, "{told} transactions were told, and {commits} are there");
        assert!(matches!(heap::rollback_losing(&heap, commits - 1), Err(Error::MovedOn { .. })));
        bank::check(&Heap::open(&heap).unwrap());
        let done = heap::rollback_losing(&heap, commits).unwrap();
        assert_eq!((done.lost, done.sequence.number()), (commits, done.as_of.number() + commits + 2));
        verify(&heap);
        assert!(values(&folder) == before, "run {run}: after {commits} commits it is another heap");
        most = most.max(commits);
    }
    assert!(most > 2_000, "at most {most} commits: the programs hardly worked");
}

#[test]
fn the_way_back_is_there_after_thousands_of_commits() {
    roll_back_again_and_again(1, 8, &["bulk=60", "disk=40", "log-target=262144", "told=10"]);
}

#[test]
fn the_way_back_of_a_mapped_heap_too() {
    roll_back_again_and_again(2, 8, &["mapped=1", "bulk=60", "disk=40", "log-target=262144", "told=10"]);
}
