//! Migrating: a plan applied in memory, made durable, with a scan, with a hook.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use heap::{Heap, OnProgress, Options, Progress, Record, Ref, TypeSet, Types};
use tests::workload::FlatNode;

use crate::figure::Figure;
use crate::harness::{Bench, Failure, delete, options, timed};

/// The flat node with its fields in another order, half as exact a score, and flags.
#[derive(Record)]
#[record(name = "FlatNode")]
struct NextNode {
    name: [u8; 16],
    next: Option<Ref<NextNode>>,
    edges: [Option<Ref<NextNode>>; 4],
    id: u64,
    score: f32,
    #[record(default = 7)]
    flags: u32,
}

/// When a migration began, when its records were converted, when it was durable.
#[derive(Debug, Default)]
struct Times {
    begun: Option<Instant>,
    converted: Option<Instant>,
    committed: Option<Instant>,
}

/// Opens a copy of a heap for other types; seconds for the conversion in memory, and until it is durable.
fn migrate<S: TypeSet>(original: &Path, path: &Path) -> Result<(f64, f64), Failure> {
    std::fs::copy(original, path)?;
    File::open(path)?.sync_all()?;
    let times = Arc::new(Mutex::new(Times::default()));
    let told = Arc::clone(&times);
    let on_progress = OnProgress::new(move |progress| {
        let mut times = told.lock().unwrap();
        match progress {
            Progress::Begun { .. } => times.begun = Some(Instant::now()),
            Progress::Converted { .. } => times.converted = Some(Instant::now()),
            Progress::Committed => times.committed = Some(Instant::now()),
            _ => {}
        }
    });
    let types = Some(Types::of::<S>()?);
    let heap = Heap::open_with(path, Options { types, on_progress: Some(on_progress), ..options() })?;
    drop(heap);
    delete(path);
    let times = times.lock().unwrap();
    let (Some(begun), Some(converted), Some(committed)) = (times.begun, times.converted, times.committed) else {
        return Err("nothing was migrated".into());
    };
    Ok(((converted - begun).as_secs_f64(), (committed - begun).as_secs_f64()))
}

/// Structs as they lie in words, rewritten in place by a plain loop.
fn rewrite(nodes: &mut [[u64; 9]]) {
    for node in nodes {
        let [id, score, name_0, name_1, next, e0, e1, e2, e3] = *node;
        let score = f64::from_bits(score) as f32;
        *node = [name_0, name_1, next, e0, e1, e2, e3, id, u64::from(score.to_bits()) | 7 << 32];
    }
}

fn words(count: usize) -> Vec<[u64; 9]> {
    (0..count as u64).map(|id| [id, (id as f64 * 0.5).to_bits(), id, id, id, id, id, id, id]).collect()
}

/// `migrate` and `migrate-durable`.
pub(crate) fn flat(bench: &Bench, work: &str) -> Result<(), Failure> {
    let original = bench.heap_of::<FlatNode>(bench.n)?;
    let path = bench.path("migrate.heap");
    if work == "migrate" {
        let mut nodes = words(bench.n);
        let plain = || {
            nodes = words(bench.n);
            Ok(timed(|| rewrite(std::hint::black_box(&mut nodes))))
        };
        let medians = bench.interleave(bench.rounds(7), || Ok(migrate::<NextNode>(&original, &path)?.0), plain)?;
        bench.report(&Figure {
            work: "migrate",
            variant: "flat",
            n: bench.n,
            value: medians.ours * 1e3,
            unit: "ms",
            baseline: "a plain loop that rewrites the same structs in place",
            ratio: medians.ratio(),
        });
        return Ok(());
    }
    let bytes = vec![1_u8; bench.n * 80];
    let raw = bench.path("migrate.raw");
    let write = || {
        let mut file = File::create(&raw)?;
        let begun = Instant::now();
        for piece in bytes.chunks(2 << 20) {
            file.write_all(piece)?;
        }
        file.sync_data()?;
        let took = begun.elapsed().as_secs_f64();
        std::fs::remove_file(&raw)?;
        Ok(took)
    };
    let medians = bench.interleave(bench.rounds(7), || Ok(migrate::<NextNode>(&original, &path)?.1), write)?;
    bench.report(&Figure {
        work: "migrate-durable",
        variant: "flat",
        n: bench.n,
        value: medians.ours * 1e3,
        unit: "ms",
        baseline: "write + fdatasync of the same bytes",
        ratio: medians.ratio(),
    });
    Ok(())
}
