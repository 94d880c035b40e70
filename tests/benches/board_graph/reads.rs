//! Reading: chase, scan, walk, two readers, collection.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use heap::{Heap, Read, Ref, Result};
use tests::workload::{FlatNode, Graph, Node, ROOT, Random, RichNode};

use crate::figure::Figure;
use crate::harness::{Bench, Failure, Medians, open, timed};
use crate::plain::{self, Boxed};

/// Seed of the walks.
const SEED: u64 = 7;

fn root<N: Node>(read: &Read<'_>) -> Result<Ref<N>> {
    Ok(read.root(ROOT)?.expect("a built heap has the root"))
}

fn per_step(work: &'static str, variant: &'static str, n: usize, medians: Medians, steps: usize) -> Figure {
    Figure {
        work,
        variant,
        n,
        value: medians.ours * 1e9 / steps as f64,
        unit: "ns",
        baseline: "",
        ratio: medians.ratio(),
    }
}

fn chase_heap(read: &Read<'_>, start: Ref<FlatNode>, steps: usize) -> u64 {
    let (mut at, mut sum) = (start, 0_u64);
    for _ in 0..steps {
        let node = &read[at];
        sum = sum.wrapping_add(node.id);
        at = node.next.expect("the cycle is closed");
    }
    sum
}

fn chase_boxes<'a>(start: &'a Boxed<'a>, steps: usize) -> u64 {
    let (mut at, mut sum) = (start, 0_u64);
    for _ in 0..steps {
        sum = sum.wrapping_add(at.id);
        at = at.next.get().expect("the cycle is closed");
    }
    sum
}

/// `chase`.
pub(crate) fn chase(bench: &Bench) -> std::result::Result<(), Failure> {
    chase_work(bench, "chase", bench.fixed(4_000_000), 1, bench.rounds(7))
}

/// `chase-cached`.
pub(crate) fn chase_cached(bench: &Bench) -> std::result::Result<(), Failure> {
    chase_work(bench, "chase-cached", 1_000, bench.many(1_000), bench.rounds(25))
}

fn chase_work(
    bench: &Bench,
    work: &'static str,
    count: usize,
    cycles: usize,
    rounds: usize,
) -> std::result::Result<(), Failure> {
    let heap = open(&bench.heap_of::<FlatNode>(count)?)?;
    let graph = Graph::new(count);
    let boxes = plain::boxes(&graph);
    plain::link(&boxes, &graph);
    let read = heap.read();
    let start = root(&read)?;
    let steps = count * cycles;
    assert_eq!(chase_heap(&read, start, steps), chase_boxes(&boxes[0], steps));
    let medians = bench.interleave(
        rounds,
        || Ok(timed(|| chase_heap(&read, black_box(start), steps))),
        || Ok(timed(|| chase_boxes(black_box(&boxes[0]), steps))),
    )?;
    bench.report(&Figure { baseline: "boxed nodes", ..per_step(work, "flat", count, medians, steps) });
    Ok(())
}

/// `scan`.
pub(crate) fn scan(bench: &Bench) -> std::result::Result<(), Failure> {
    let graph = Graph::new(bench.n);
    let heap = open(&bench.heap_of::<FlatNode>(bench.n)?)?;
    let read = heap.read();
    let flats = plain::flats(&graph);
    let medians = bench.interleave(
        bench.rounds(25),
        || {
            let begun = Instant::now();
            let (mut ids, mut scores) = (0_u64, 0.0);
            for (_, node) in read.iter::<FlatNode>()? {
                ids = ids.wrapping_add(node.id);
                scores += node.score;
            }
            black_box((ids, scores));
            Ok(begun.elapsed().as_secs_f64())
        },
        || {
            Ok(timed(|| {
                let (mut ids, mut scores) = (0_u64, 0.0);
                for node in black_box(&flats) {
                    ids = ids.wrapping_add(node.id);
                    scores += node.score;
                }
                (ids, scores)
            }))
        },
    )?;
    let figure = per_step("scan", FlatNode::VARIANT, bench.n, medians, bench.n);
    bench.report(&Figure { baseline: "a Vec of the same structs", ..figure });
    Ok(())
}

fn walk_flat(read: &Read<'_>, start: Ref<FlatNode>, steps: usize) -> u64 {
    let (mut at, mut sum, mut random) = (start, 0_u64, Random::new(SEED));
    for _ in 0..steps {
        let node = &read[at];
        sum = sum.wrapping_add(node.id);
        at = node.edges[random.next() as usize % 4].expect("every edge leads somewhere");
    }
    sum
}

fn walk_rich(read: &Read<'_>, start: Ref<RichNode>, steps: usize) -> u64 {
    let (mut at, mut sum, mut random) = (start, 0_u64, Random::new(SEED));
    for _ in 0..steps {
        let node = &read[at];
        sum = sum.wrapping_add(node.id);
        at = read[node.edges][random.next() as usize % 4];
    }
    sum
}

fn walk_flats(nodes: &[plain::Flat], steps: usize) -> u64 {
    let (mut at, mut sum, mut random) = (0, 0_u64, Random::new(SEED));
    for _ in 0..steps {
        let node = &nodes[at];
        sum = sum.wrapping_add(node.id);
        at = node.edges[random.next() as usize % 4];
    }
    sum
}

fn walk_riches(nodes: &[plain::Rich], steps: usize) -> u64 {
    let (mut at, mut sum, mut random) = (0, 0_u64, Random::new(SEED));
    for _ in 0..steps {
        let node = &nodes[at];
        sum = sum.wrapping_add(node.id);
        at = node.edges[random.next() as usize % 4];
    }
    sum
}

/// `walk`.
pub(crate) fn walk(bench: &Bench) -> std::result::Result<(), Failure> {
    let count = bench.fixed(1_000_000);
    let graph = Graph::new(count);
    let steps = count * 2;
    {
        let heap = open(&bench.heap_of::<FlatNode>(count)?)?;
        let (read, nodes) = (heap.read(), plain::flats(&graph));
        let start = root(&read)?;
        assert_eq!(walk_flat(&read, start, steps), walk_flats(&nodes, steps));
        let medians = bench.interleave(
            bench.rounds(11),
            || Ok(timed(|| walk_flat(&read, black_box(start), steps))),
            || Ok(timed(|| walk_flats(black_box(&nodes), steps))),
        )?;
        let baseline = "a Vec of the same structs linked by index";
        bench.report(&Figure { baseline, ..per_step("walk", FlatNode::VARIANT, count, medians, steps) });
    }
    let heap = open(&bench.heap_of::<RichNode>(count)?)?;
    let (read, nodes) = (heap.read(), plain::riches(&graph));
    let start = root(&read)?;
    assert_eq!(walk_rich(&read, start, steps), walk_riches(&nodes, steps));
    let medians = bench.interleave(
        bench.rounds(11),
        || Ok(timed(|| walk_rich(&read, black_box(start), steps))),
        || Ok(timed(|| walk_riches(black_box(&nodes), steps))),
    )?;
    let baseline = "a Vec of nodes with String and Vec";
    bench.report(&Figure { baseline, ..per_step("walk", RichNode::VARIANT, count, medians, steps) });
    Ok(())
}

/// `readers`: steps a second of two threads that walk, against one.
pub(crate) fn readers(bench: &Bench) -> std::result::Result<(), Failure> {
    let heap = open(&bench.heap_of::<FlatNode>(bench.n)?)?;
    let rate = |threads: u64| -> std::result::Result<f64, Failure> {
        let stop = AtomicBool::new(false);
        let long = bench.time(0.5);
        let begun = Instant::now();
        let steps = std::thread::scope(|scope| {
            let walkers: Vec<_> = (0..threads)
                .map(|seed| {
                    let (heap, stop) = (&heap, &stop);
                    scope.spawn(move || walk_until(heap, seed, stop))
                })
                .collect();
            std::thread::sleep(long);
            stop.store(true, Ordering::Relaxed);
            walkers.into_iter().map(|walker| walker.join().expect("a walking thread")).sum::<Result<u64>>()
        })?;
        Ok(steps as f64 / begun.elapsed().as_secs_f64())
    };
    let medians = bench.interleave(bench.rounds(11), || rate(2), || rate(1))?;
    bench.report(&Figure {
        work: "readers",
        variant: FlatNode::VARIANT,
        n: bench.n,
        value: medians.ours / 1e6,
        unit: "Msteps/s",
        baseline: "one reader",
        ratio: medians.ratio(),
    });
    Ok(())
}

fn walk_until(heap: &Heap, seed: u64, stop: &AtomicBool) -> Result<u64> {
    let read = heap.read();
    let (mut at, mut steps, mut random) = (root::<FlatNode>(&read)?, 0, Random::new(seed));
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..1_000 {
            at = read[at].edges[random.next() as usize % 4].expect("every edge leads somewhere");
        }
        steps += 1_000;
    }
    black_box(at);
    Ok(steps)
}

/// `collect`: against a program that visits all that its root leads to.
pub(crate) fn collect(bench: &Bench) -> std::result::Result<(), Failure> {
    collect_variant::<FlatNode>(bench, |read, node, waiting| {
        let node = &read[node];
        waiting.extend(node.next);
        waiting.extend(node.edges.iter().flatten());
        node.id
    })?;
    collect_variant::<RichNode>(bench, |read, node, waiting| {
        let node = &read[node];
        waiting.extend(node.next);
        waiting.extend(&read[node.edges]);
        black_box(&read[node.name]);
        node.id
    })
}

fn collect_variant<N: Node>(
    bench: &Bench,
    mut visit: impl FnMut(&Read<'_>, Ref<N>, &mut Vec<Ref<N>>) -> u64,
) -> std::result::Result<(), Failure> {
    let heap = open(&bench.heap_of::<N>(bench.n)?)?;
    let medians = bench.interleave(
        bench.rounds(7),
        || {
            let begun = Instant::now();
            let freed = heap.collect()?;
            let took = begun.elapsed().as_secs_f64();
            assert_eq!(freed, 0, "the root leads to every node");
            Ok(took)
        },
        || {
            let begun = Instant::now();
            let read = heap.read();
            let mut waiting = vec![root::<N>(&read)?];
            let (mut seen, mut count) = (vec![false; bench.n], 0);
            while let Some(node) = waiting.pop() {
                let before = waiting.len();
                let id = visit(&read, node, &mut waiting) as usize;
                if std::mem::replace(&mut seen[id], true) {
                    waiting.truncate(before);
                } else {
                    count += 1;
                }
            }
            let took = begun.elapsed().as_secs_f64();
            assert_eq!(count, bench.n);
            Ok(took)
        },
    )?;
    bench.report(&Figure {
        work: "collect",
        variant: N::VARIANT,
        n: bench.n,
        value: medians.ours * 1e3,
        unit: "ms",
        baseline: "a walk to every node from the root",
        ratio: medians.ratio(),
    });
    Ok(())
}
