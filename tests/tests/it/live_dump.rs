//! Dumps of a heap that a program writes to without pause: each is one committed state, and the writer never waits.

use std::path::Path;
use std::time::{Duration, Instant};

use heap::storage::real::lock_file;
use heap::storage::{Lock, LockMode};
use heap::{Durability, Heap};
use image::{DumpOptions, DumpSource, FileReport, Held, Replace, Secrets, dump, verify_file};
use tests::bank::{self, Bulk, Found};

use crate::harness::{Folder, PATIENCE, Program, signal};

const EVERYTHING: &[&str] = &["bulk=12", "disk=20", "checkpoint=500", "log-target=2097152", "told=10"];

fn options() -> DumpOptions {
    DumpOptions { secrets: Secrets::Refuse, replace: Replace::Never, reproducible: false }
}

/// A whole image of a state that was committed.
fn check(image: &Path) -> (u64, Found) {
    let report = verify_file(image).unwrap_or_else(|error| panic!("{}: {error}", image.display()));
    (report.header.sequence, bank::check(&Heap::open_image(image).unwrap()))
}

#[test]
fn every_dump_of_a_busy_heap_is_one_committed_state() {
    dump_again_and_again("mapped=0");
}

#[test]
fn every_dump_of_a_busy_mapped_heap_is_one_committed_state() {
    dump_again_and_again("mapped=1");
}

fn dump_again_and_again(door: &str) {
    let folder = Folder::new();
    let program = folder.program("bank.heap", &[EVERYTHING, &[door]].concat());
    program.wait_ready();
    let pid = program.pid().to_string();
    let mut last = (0, 0);
    for round in 0..24 {
        let told = program.told();
        let name = format!("{round}.img");
        let path = folder.file(&name);
        if round % 2 == 0 {
            dump(&DumpSource::of_path(&folder.file("bank.heap")), &path, &options()).unwrap();
        } else {
            let printed = folder.image(&["dump", "--pid", &pid, "-o", &name]).done();
            assert!(printed.contains("open in a program") && printed.contains("pause  none"), "{printed}");
        }
        let (sequence, found) = check(&path);
        assert!(found.commits >= told, "{told} were told before dump {round}, {} are in it", found.commits);
        assert!((sequence, found.commits) >= last, "dump {round} shows {sequence}, the one before {last:?}");
        last = (sequence, found.commits);
        std::fs::remove_file(&path).unwrap();
    }
    let told = program.kill();
    assert!(told > 200, "the program made only {told} transactions: it hardly wrote");
    assert!(bank::check(&Heap::open(folder.file("bank.heap")).unwrap()).commits >= told);
}

#[test]
fn a_live_heap_is_looked_at_as_one_committed_state() {
    let folder = Folder::new();
    let program = folder.program("bank.heap", EVERYTHING);
    program.wait_ready();
    program.wait_beyond(50);
    for _ in 0..4 {
        let info = folder.image(&["info", "bank.heap", "--json"]).json();
        assert_eq!(info["open_in"], program.pid(), "{info}");
        let stats = &info["stats"];
        let lag = info["sequence"].as_u64().unwrap() - stats["checkpoint_sequence"].as_u64().unwrap();
        assert_eq!(stats["checkpoint_lag"], lag);
        assert!(stats["slots_live"].as_u64() > Some(60), "{info}");
        let verified = folder.image(&["verify", "bank.heap"]).done();
        assert!(verified.starts_with("ok: "), "{verified}");
        let types = folder.image(&["types", "bank.heap", "--json"]).json();
        assert!(types["types"].as_array().unwrap().iter().any(|row| row["name"] == "Account"), "{types}");
        folder.image(&["show", "bank.heap", ".bank.accounts[3].name"]).done();
        let exported = ["export", "bank.heap", "--format", "jsonl", "--force", "-o", "bank.jsonl"];
        folder.image(&exported).done();
        let lines = std::fs::read_to_string(folder.file("bank.jsonl")).unwrap();
        let balances = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let sum: i64 = balances.filter_map(|record| record["balance"].as_i64()).sum();
        assert_eq!(sum, bank::MONEY);
    }
}

/// The program's log may hold 2 MiB for others; every tenth transaction is bulk.
fn impatient(folder: &Folder) -> Program {
    let wishes = ["bulk=10", "disk=1000", "log-target=262144", "log-limit=2097152"];
    let program = folder.program("bank.heap", &wishes);
    program.wait_ready();
    program.wait_beyond(100);
    program
}

/// The program is too fast for some dumps, not for all.
fn dump_in_the_end(folder: &Folder) {
    let (heap, image) = (folder.file("bank.heap"), folder.file("next.img"));
    let until = Instant::now() + PATIENCE;
    while let Err(error) = dump(&DumpSource::of_path(&heap), &image, &options()) {
        assert_eq!(error.code(), "IMG-0804", "{error}");
        assert!(Instant::now() < until, "every dump loses its hold");
    }
    check(&image);
}

#[test]
fn a_reader_that_dawdles_loses_its_hold_and_the_writer_does_not_wait() {
    let folder = Folder::new();
    let program = impatient(&folder);
    let held = Held::open(&DumpSource::of_path(&folder.file("bank.heap"))).unwrap();
    let before = program.told();
    let begun = Instant::now();
    while held.check().is_ok() {
        assert!(begun.elapsed() < PATIENCE, "the hold is kept");
        let told = program.told();
        assert!(program.wait_beyond(told) < Duration::from_secs(5), "the writer waits");
    }
    program.wait_beyond(before);
    let lost = held.read(FileReport::of).unwrap_err();
    assert_eq!(lost.code(), "IMG-0804", "{lost}");
    // It goes on beside the one that lost its hold, and the next one gets its own.
    program.wait_beyond(program.told());
    dump_in_the_end(&folder);
    drop(held);
}

/// A dump that began just after the writer had told the ones before it that they lost their hold was told nothing: the
/// writer folded what this dump had not seen in the log, and then took the log and freed room away from under it.
#[test]
fn who_comes_while_others_lose_their_hold_is_told_as_well() {
    let folder = Folder::new();
    let wishes = ["bulk=10", "disk=1000", "log-target=262144", "log-limit=1048576"];
    let program = folder.program("bank.heap", &wishes);
    program.wait_ready();
    let source = DumpSource::of_path(&folder.file("bank.heap"));
    let mut random = bank::Random(3);
    let (begun, mut whole, mut lost) = (Instant::now(), 0, 0);
    while begun.elapsed() < Duration::from_secs(3) || whole == 0 || lost == 0 {
        assert!(begun.elapsed() < PATIENCE, "{whole} were whole and {lost} lost");
        let Ok(dawdler) = Held::open(&source) else { continue };
        while dawdler.check().is_ok() {}
        let Ok(held) = Held::open(&source) else { continue };
        std::thread::sleep(Duration::from_micros(random.below(8_000)));
        match held.read(FileReport::of) {
            Ok(_) => whole += 1,
            Err(error) => {
                assert_eq!(error.code(), "IMG-0804", "{error}, after {whole} that were whole and {lost} lost");
                lost += 1;
            }
        }
    }
}

/// A recovery folded commits that a dump had not seen into the file under it, and said nothing: the dump found blocks that
/// were not what they had to be, or, where its own log touched them, took them as they were.
#[test]
fn a_recovery_that_folds_what_a_dump_did_not_see_tells_it() {
    let folder = Folder::new();
    let path = folder.file("bank.heap");
    let mut random = bank::Random(5);
    let steps = |random: &mut bank::Random, count: u64| {
        let heap = Heap::open(&path).unwrap();
        let bank = bank::found(&heap).unwrap();
        for _ in 0..count {
            bank::step(&heap, bank, random, Durability::Process, Bulk::Never).unwrap();
        }
    };
    steps(&mut random, 50);
    let source = DumpSource::of_path(&path);
    let held = Held::open(&source).unwrap();
    // What the log holds of these is not folded when the heap is closed.
    steps(&mut random, 50);
    held.read(FileReport::of).unwrap();
    steps(&mut random, 1);
    assert_eq!(held.read(FileReport::of).unwrap_err().code(), "IMG-0804");
    drop(held);
    // Where nothing is left to be folded, the hold is kept.
    drop(Heap::open(&path).unwrap());
    let held = Held::open(&source).unwrap();
    drop(Heap::open(&path).unwrap());
    held.read(FileReport::of).unwrap();
    drop(held);
    dump(&source, &folder.file("next.img"), &options()).unwrap();
    check(&folder.file("next.img"));
}

#[test]
fn a_dump_that_is_stopped_loses_its_hold_and_leaves_nothing() {
    let folder = Folder::new();
    let program = impatient(&folder);
    let heap = std::fs::OpenOptions::new().read(true).write(true).open(folder.file("bank.heap")).unwrap();
    let is_held = || {
        let free = lock_file(&heap, Lock::Retain, LockMode::Exclusive).unwrap();
        lock_file(&heap, Lock::Retain, LockMode::Released).unwrap();
        !free
    };
    let until = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < until, "no dump was caught while it held the log");
        let mut command = folder.command(&["dump", "bank.heap", "--force", "-o", "slow.img"]);
        let mut dumping =
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        while !is_held() && dumping.try_wait().unwrap().is_none() {}
        signal(dumping.id(), "-STOP");
        // The writer's own checkpoints hold the lock too, for microseconds.
        let caught = (0..20).all(|_| {
            std::thread::sleep(Duration::from_micros(200));
            is_held()
        });
        if caught {
            let told = program.told();
            program.wait_beyond(told + 300);
        }
        signal(dumping.id(), "-CONT");
        let said = crate::harness::Said::of(dumping.wait_with_output().unwrap());
        if !caught || said.exit == Some(0) {
            // It was stopped before it began, or after it had read everything.
            let _ = std::fs::remove_file(folder.file("slow.img"));
            continue;
        }
        said.failed(8, "IMG-0804");
        assert!(!folder.file("slow.img").exists());
        break;
    }
    dump_in_the_end(&folder);
}
