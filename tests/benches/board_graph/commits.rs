//! Commits: one at a time, many in flight, of strength Process, and for a minute.

use std::path::Path;
use std::time::Instant;

use heap::{Durability, Heap, Ref, Result};
use tests::workload::{FlatNode, Random};

use crate::figure::Figure;
use crate::harness::{Bench, Failure, median, open, quantile, timed};
use crate::plain::RawLog;

/// Nodes of a flat heap of 73 MB, and of one of 1 GB.
pub(crate) const NODES_73_MB: usize = 73_000_000 / 80;
pub(crate) const NODES_1_GB: usize = 1_000_000_000 / 80;

/// What the durable commits are compared with.
const RAW: &str = "pwrite 4 KiB + fdatasync on a written file";

/// Four small updates and a commit.
pub(crate) fn update(
    heap: &Heap,
    nodes: &[Ref<FlatNode>],
    random: &mut Random,
    durability: Durability,
) -> Result<heap::Sequence> {
    let mut tx = heap.write()?;
    for _ in 0..4 {
        tx[nodes[random.below(nodes.len())]].score += 1.0;
    }
    tx.commit_with(durability)
}

/// The nodes of a heap in the order of their slots.
pub(crate) fn nodes_of(heap: &Heap) -> Result<Vec<Ref<FlatNode>>> {
    Ok(heap.read().iter::<FlatNode>()?.map(|(node, _)| node).collect())
}

fn open_nodes(path: &Path) -> Result<(Heap, Vec<Ref<FlatNode>>)> {
    let heap = open(path)?;
    let nodes = nodes_of(&heap)?;
    Ok((heap, nodes))
}

/// `commit-disk`.
pub(crate) fn disk(bench: &Bench) -> std::result::Result<(), Failure> {
    for (count, variant, after) in
        [(NODES_73_MB, "flat", 0), (NODES_73_MB, "after-process", 16), (NODES_1_GB, "flat-1gb", 0)]
    {
        let count = bench.fixed(count);
        let (heap, nodes) = open_nodes(&bench.heap_of::<FlatNode>(count)?)?;
        let mut raw = RawLog::create(&bench.path("raw"))?;
        let mut random = Random::new(1);
        let medians = bench.interleave(
            bench.many(600),
            || {
                for _ in 0..after {
                    update(&heap, &nodes, &mut random, Durability::Process)?;
                }
                let begun = Instant::now();
                update(&heap, &nodes, &mut random, Durability::Disk)?;
                Ok(begun.elapsed().as_secs_f64())
            },
            || Ok(timed(|| raw.commit())),
        )?;
        bench.report(&Figure {
            work: "commit-disk",
            variant,
            n: count,
            value: medians.ours * 1e6,
            unit: "us",
            baseline: RAW,
            ratio: medians.ratio(),
        });
    }
    Ok(())
}

/// `commit-disk-64`: by 64 threads, and by one that waits for 64 commits at once.
pub(crate) fn disk_64(bench: &Bench) -> std::result::Result<(), Failure> {
    const FLIGHT: usize = 64;
    let count = bench.fixed(NODES_73_MB);
    let (heap, nodes) = open_nodes(&bench.heap_of::<FlatNode>(count)?)?;
    let mut raw = RawLog::create(&bench.path("raw"))?;
    let each = bench.many(40);
    let mut raw_rate = || -> std::result::Result<f64, Failure> {
        let mut times = Vec::new();
        for _ in 0..bench.many(100) {
            times.push(timed(|| raw.commit()));
        }
        Ok(1.0 / median(&mut times))
    };
    let threads = || {
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..FLIGHT as u64)
                .map(|seed| {
                    let (heap, nodes) = (&heap, &nodes);
                    scope.spawn(move || -> Result<()> {
                        let mut random = Random::new(seed);
                        (0..each).try_for_each(|_| update(heap, nodes, &mut random, Durability::Disk).map(|_| ()))
                    })
                })
                .collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("a committing thread"))
        })?;
        Ok((FLIGHT * each) as f64 / begun.elapsed().as_secs_f64())
    };
    let mut random = Random::new(3);
    let pipelined = || {
        let begun = Instant::now();
        for _ in 0..each {
            let mut last = None;
            for _ in 0..FLIGHT {
                last = Some(update(&heap, &nodes, &mut random, Durability::Process)?);
            }
            heap.wait_durable(last.expect("a flight has commits"))?;
        }
        Ok((FLIGHT * each) as f64 / begun.elapsed().as_secs_f64())
    };
    let by_threads = bench.interleave(bench.rounds(7), threads, &mut raw_rate)?;
    let by_one = bench.interleave(bench.rounds(7), pipelined, &mut raw_rate)?;
    for (variant, rate) in [("threads", by_threads), ("one-thread", by_one)] {
        bench.report(&Figure {
            work: "commit-disk-64",
            variant,
            n: count,
            value: rate.ours,
            unit: "commits/s",
            baseline: RAW,
            ratio: rate.ratio(),
        });
    }
    Ok(())
}

/// `commit-process`: whole transactions on nodes touched before.
pub(crate) fn process(bench: &Bench) -> std::result::Result<(), Failure> {
    const HOT: usize = 1_000;
    let count = bench.fixed(NODES_73_MB);
    let (heap, nodes) = open_nodes(&bench.heap_of::<FlatNode>(count)?)?;
    let nodes = &nodes[..HOT.min(nodes.len())];
    let mut raw = RawLog::create(&bench.path("raw"))?;
    let mut random = Random::new(2);
    // The log's pages are touched once, and it is short again.
    for _ in 0..bench.many(400_000) {
        update(&heap, nodes, &mut random, Durability::Process)?;
    }
    heap.checkpoint()?;
    let before = heap.stats().log_len;
    update(&heap, nodes, &mut random, Durability::Process)?;
    let frame = vec![7; (heap.stats().log_len - before) as usize];
    let batch = bench.many(2_000);
    let medians = bench.interleave(
        bench.many(100),
        || {
            let begun = Instant::now();
            for _ in 0..batch {
                update(&heap, nodes, &mut random, Durability::Process)?;
            }
            Ok(begun.elapsed().as_secs_f64() / batch as f64)
        },
        || {
            let begun = Instant::now();
            for _ in 0..batch {
                raw.write(&frame)?;
            }
            Ok(begun.elapsed().as_secs_f64() / batch as f64)
        },
    )?;
    bench.report(&Figure {
        work: "commit-process",
        variant: "flat",
        n: HOT,
        value: medians.ours * 1e9,
        unit: "ns",
        baseline: "one pwrite of as many bytes a transaction",
        ratio: medians.ratio(),
    });
    Ok(())
}

/// `steady`: durable commits for a minute.
pub(crate) fn steady(bench: &Bench) -> std::result::Result<(), Failure> {
    let count = bench.fixed(NODES_73_MB);
    let (heap, nodes) = open_nodes(&bench.heap_of::<FlatNode>(count)?)?;
    let mut random = Random::new(4);
    let mut times = Vec::new();
    let begun = Instant::now();
    let long = bench.time(60.0);
    let (first, mut checkpoints, mut last) = (heap.stats().checkpoint_sequence, 0, 0);
    while begun.elapsed() < long {
        times.push(timed(|| update(&heap, &nodes, &mut random, Durability::Disk)) * 1e6);
        if times.len() % 1024 == 0 {
            let now = heap.stats().checkpoint_sequence;
            checkpoints += u32::from(now != first && now != last);
            last = now;
        }
    }
    eprintln!("steady: {} commits, {checkpoints} checkpoints", times.len());
    let (slow, middle) = (quantile(&mut times, 999), median(&mut times));
    bench.report(&Figure {
        work: "steady",
        variant: "flat",
        n: count,
        value: slow,
        unit: "us",
        baseline: "median of the same commits",
        ratio: slow / middle,
    });
    Ok(())
}
