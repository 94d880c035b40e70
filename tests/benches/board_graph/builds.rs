//! Building, and what it takes on the disk.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use heap::{Heap, List, Record, Ref, Result};
use tests::workload::{FlatNode, Graph, Node, Random, RichNode, build};

use crate::figure::Figure;
use crate::harness::{Bench, Failure, delete, open, timed};
use crate::plain;

/// `build`: from the beginning of the transaction until it is durable.
pub(crate) fn build_work(bench: &Bench) -> std::result::Result<(), Failure> {
    let graph = Graph::new(bench.n);
    build_variant::<FlatNode>(bench, &graph, "boxed nodes by malloc", || {
        let begun = Instant::now();
        let boxes = plain::boxes(&graph);
        plain::link(&boxes, &graph);
        begun.elapsed().as_secs_f64()
    })?;
    build_variant::<RichNode>(bench, &graph, "a Vec of nodes with String and Vec", || timed(|| plain::riches(&graph)))
}

fn build_variant<N: Node>(
    bench: &Bench,
    graph: &Graph,
    baseline: &'static str,
    mut theirs: impl FnMut() -> f64,
) -> std::result::Result<(), Failure> {
    let path = bench.path("build.heap");
    let ours = || {
        let heap = open(&path)?;
        let took = timed(|| build::<N>(&heap, graph));
        assert_eq!(heap.read().count::<N>()?, graph.len() as u64);
        drop(heap);
        delete(&path);
        Ok(took)
    };
    let medians = bench.interleave(bench.rounds(7), ours, || Ok(theirs()))?;
    bench.report(&Figure {
        work: "build",
        variant: N::VARIANT,
        n: graph.len(),
        value: medians.ours * 1e3,
        unit: "ms",
        baseline,
        ratio: medians.ratio(),
    });
    Ok(())
}

/// Bytes of blocks that the file system gave a file.
fn allocated(path: &Path) -> std::io::Result<f64> {
    Ok(path.metadata()?.blocks() as f64 * 512.0)
}

/// `space`.
pub(crate) fn space(bench: &Bench) -> std::result::Result<(), Failure> {
    space_variant::<FlatNode>(bench, 72.0)?;
    space_variant::<RichNode>(bench, 40.0 + 16.0 + 32.0)
}

fn space_variant<N: Node>(bench: &Bench, bare: f64) -> std::result::Result<(), Failure> {
    let value = allocated(&bench.heap_of::<N>(bench.n)?)? / bench.n as f64;
    bench.report(&Figure {
        work: "space",
        variant: N::VARIANT,
        n: bench.n,
        value,
        unit: "bytes",
        baseline: "bytes of a node's fields, text and elements",
        ratio: value / bare,
    });
    Ok(())
}

/// Ten record types, each the root of its own name.
macro_rules! ten_types {
    ($($name:ident)*) => {
        $(#[derive(Record)] struct $name { id: u64, score: f64 })*

        fn store_ten(heap: &Heap) -> Result<()> {
            let mut tx = heap.write()?;
            $(tx.root_or_insert(stringify!($name), |_| Ok($name { id: 1, score: 0.5 }))?;)*
            tx.commit()?;
            Ok(())
        }
    };
}
ten_types!(One Two Three Four Five Six Seven Eight Nine Ten);

/// `space-tiny`.
pub(crate) fn space_tiny(bench: &Bench) -> std::result::Result<(), Failure> {
    let path = bench.path("tiny.heap");
    store_ten(&open(&path)?)?;
    let (file, log) = (allocated(&path)?, allocated(&heap::storage::real::log_path(&path))?);
    for (variant, value) in [("heap", file), ("heap-and-log", file + log)] {
        bench.report(&Figure {
            work: "space-tiny",
            variant,
            n: 10,
            value: value / 1024.0,
            unit: "KiB",
            baseline: "1 MiB",
            ratio: value / f64::from(1 << 20),
        });
    }
    delete(&path);
    Ok(())
}

/// `list-push`: into one list or `Vec`, without and with the durable commit.
pub(crate) fn list_push(bench: &Bench) -> std::result::Result<(), Failure> {
    #[derive(Record)]
    struct Numbers {
        numbers: List<u64>,
    }
    let path = bench.path("list.heap");
    let count = bench.n as u64;
    for (variant, committed) in [("push", false), ("push-and-commit", true)] {
        let ours = || {
            let heap = open(&path)?;
            let mut tx = heap.write()?;
            let root: Ref<Numbers> = tx.root_or_insert("numbers", |tx| Ok(Numbers { numbers: tx.list()? }))?;
            let list = tx[root].numbers;
            let begun = Instant::now();
            for number in 0..count {
                list.push(&mut tx, number)?;
            }
            let mut took = begun.elapsed().as_secs_f64();
            tx.commit()?;
            if committed {
                took = begun.elapsed().as_secs_f64();
            }
            drop(heap);
            delete(&path);
            Ok(took)
        };
        let theirs = || {
            Ok(timed(|| {
                let mut numbers = Vec::new();
                for number in 0..count {
                    numbers.push(std::hint::black_box(number));
                }
                numbers
            }))
        };
        let medians = bench.interleave(bench.rounds(11), ours, theirs)?;
        bench.report(&Figure {
            work: "list-push",
            variant,
            n: bench.n,
            value: medians.ours * 1e9 / count as f64,
            unit: "ns",
            baseline: "Vec::push",
            ratio: medians.ratio(),
        });
    }
    Ok(())
}

/// `churn`: every node is removed and another stored in its place, ten times over.
pub(crate) fn churn(bench: &Bench) -> std::result::Result<(), Failure> {
    churn_variant::<FlatNode>(bench)?;
    churn_variant::<RichNode>(bench)
}

fn churn_variant<N: Node>(bench: &Bench) -> std::result::Result<(), Failure> {
    /// Transactions in which the nodes are exchanged.
    const PARTS: usize = 10;
    let path = bench.path("churn.heap");
    let heap = open(&path)?;
    let graph = Graph::new(bench.n);
    let mut nodes = build::<N>(&heap, &graph)?;
    heap.checkpoint()?;
    let before = allocated(&path)?;
    let mut random = Random::new(5);
    for _ in 0..10 {
        for last in (1..nodes.len()).rev() {
            nodes.swap(last, random.below(last + 1));
        }
        let part = nodes.len().div_ceil(PARTS);
        for part in nodes.chunks_mut(part) {
            let mut tx = heap.write()?;
            for node in &*part {
                tx.remove(*node)?;
            }
            tx.commit()?;
            let mut tx = heap.write()?;
            for (id, node) in (0..).zip(part.iter_mut()) {
                *node = N::insert(&mut tx, id)?;
            }
            let first = part[0];
            for &node in &*part {
                N::link(&mut tx, node, first, [first; 4])?;
            }
            tx.commit()?;
        }
    }
    drop(heap);
    let after = allocated(&path)?;
    bench.report(&Figure {
        work: "churn",
        variant: N::VARIANT,
        n: bench.n,
        value: after / 1e6,
        unit: "MB",
        baseline: "the file before",
        ratio: after / before,
    });
    delete(&path);
    Ok(())
}
