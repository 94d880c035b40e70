//! Opening, through both doors and after a kill, and snapshots.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use heap::storage::real::lock_file;
use heap::storage::{Lock, LockMode};
use heap::{Durability, Heap};
use tests::workload::{FlatNode, Node, Random, RichNode};

use crate::child::{self, Role};
use crate::commits::{NODES_1_GB, nodes_of, update};
use crate::figure::Figure;
use crate::harness::{Bench, Failure, delete, open, open_mapped, timed};
use crate::plain;

/// Time until a child says that it is there.
fn time_child(role: Role, path: &Path) -> Result<f64, Failure> {
    let begun = Instant::now();
    let mut child = child::start(role, path, Stdio::null())?;
    let mut said = [0; 1];
    child.stdout.as_mut().ok_or("a child with an output")?.read_exact(&mut said)?;
    let took = begun.elapsed().as_secs_f64();
    if child.wait()?.success() { Ok(took) } else { Err("the child failed".into()) }
}

/// `open`: a process that opens a heap through the mapped door and reads its root, less one that does nothing.
pub(crate) fn open_work(bench: &Bench) -> Result<(), Failure> {
    for (variant, count) in [("flat", bench.n), ("flat-1gb", bench.fixed(NODES_1_GB))] {
        let path = bench.heap_of::<FlatNode>(count)?;
        let medians =
            bench.interleave(bench.many(60), || time_child(Role::Open, &path), || time_child(Role::Nothing, &path))?;
        bench.report(&Figure {
            work: "open",
            variant,
            n: count,
            value: (medians.ours - medians.theirs) * 1e3,
            unit: "ms",
            baseline: "an empty process",
            ratio: medians.ratio(),
        });
    }
    Ok(())
}

/// `open-copied`.
pub(crate) fn open_copied(bench: &Bench) -> Result<(), Failure> {
    open_copied_variant::<FlatNode>(bench)?;
    open_copied_variant::<RichNode>(bench)
}

fn open_copied_variant<N: Node>(bench: &Bench) -> Result<(), Failure> {
    let path = bench.heap_of::<N>(bench.n)?;
    let medians = bench.interleave(
        bench.rounds(9),
        || Ok(timed(|| open(&path).map(|heap| assert_eq!(heap.stats().records, bench.n as u64)))),
        || Ok(timed(|| plain::read_and_checksum(&path))),
    )?;
    bench.report(&Figure {
        work: "open-copied",
        variant: N::VARIANT,
        n: bench.n,
        value: medians.ours * 1e3,
        unit: "ms",
        baseline: "reading the file into memory with a CRC-32 pass",
        ratio: medians.ratio(),
    });
    Ok(())
}

/// `reopen-killed`: the log as full as it is aimed at, because somebody retained it until the process was killed.
pub(crate) fn reopen_killed(bench: &Bench) -> Result<(), Failure> {
    let original = bench.heap_of::<FlatNode>(bench.n)?;
    let path = bench.path("killed.heap");
    for (variant, door) in [("mapped", open_mapped as fn(&Path) -> heap::Result<Heap>), ("copied", open)] {
        let kill_and_open = || {
            std::fs::copy(&original, &path)?;
            let file = File::options().read(true).write(true).open(&path)?;
            assert!(lock_file(&file, Lock::Retain, LockMode::Shared)?, "nobody has the heap open");
            let mut child = child::start(Role::Fill(bench.fixed(64 << 20)), &path, Stdio::null())?;
            wait_for_word(&mut child)?;
            child.kill()?;
            child.wait()?;
            drop(file);
            Ok(timed(|| door(&path).expect("a heap that a kill left")))
        };
        let clean = || {
            delete(&path);
            std::fs::copy(&original, &path)?;
            let took = timed(|| door(&path).expect("a heap that was closed"));
            delete(&path);
            Ok(took)
        };
        let medians = bench.interleave(bench.rounds(5), kill_and_open, clean)?;
        bench.report(&Figure {
            work: "reopen-killed",
            variant,
            n: bench.n,
            value: medians.ours * 1e3,
            unit: "ms",
            baseline: "opening the same heap after a clean end",
            ratio: medians.ratio(),
        });
    }
    Ok(())
}

fn wait_for_word(child: &mut Child) -> Result<(), Failure> {
    let mut said = [0; 1];
    child.stdout.as_mut().ok_or("a child with an output")?.read_exact(&mut said)?;
    Ok(())
}

/// `snapshot-hold`: the longest that a commit took while a snapshot was taken.
pub(crate) fn snapshot_hold(bench: &Bench) -> Result<(), Failure> {
    let count = bench.fixed(NODES_1_GB);
    let path = bench.heap_of::<FlatNode>(count)?;
    for (variant, door) in [("mapped", open_mapped as fn(&Path) -> heap::Result<Heap>), ("copied", open)] {
        let heap = door(&path)?;
        let nodes = nodes_of(&heap)?;
        let (stop, longest) = (AtomicBool::new(false), AtomicU64::new(0));
        let medians = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut random = Random::new(6);
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    update(&heap, &nodes, &mut random, Durability::Process).expect("a commit beside snapshots");
                    longest.fetch_max(begun.elapsed().as_nanos() as u64, Ordering::Relaxed);
                    // A program that does something else, too: the log must not grow without bound.
                    std::thread::sleep(Duration::from_micros(20));
                }
            });
            let mut took = Duration::ZERO;
            let window = |took: Duration| {
                std::thread::sleep(Duration::from_millis(20));
                longest.store(0, Ordering::Relaxed);
                std::thread::sleep(took);
                longest.load(Ordering::Relaxed) as f64
            };
            let medians = bench.interleave(
                bench.rounds(11),
                || {
                    std::thread::sleep(Duration::from_millis(20));
                    longest.store(0, Ordering::Relaxed);
                    let begun = Instant::now();
                    let snapshot = heap.snapshot()?;
                    took = begun.elapsed();
                    std::thread::sleep(Duration::from_millis(1));
                    let hold = longest.load(Ordering::Relaxed) as f64;
                    drop(snapshot);
                    Ok(hold)
                },
                || Ok(window(Duration::from_millis(2))),
            );
            stop.store(true, Ordering::Relaxed);
            medians
        })?;
        bench.report(&Figure {
            work: "snapshot-hold",
            variant,
            n: count,
            value: medians.ours / 1e6,
            unit: "ms",
            baseline: "the longest commit in 2 ms without a snapshot",
            ratio: medians.ratio(),
        });
    }
    Ok(())
}
