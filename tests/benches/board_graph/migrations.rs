//! Migrating: a plan applied in memory, made durable, with a scan, with a hook.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use heap::read::Checks;
use heap::{Heap, OnProgress, Options, Progress, Record, Ref, Transaction, TypeSet, Types};
use migrate::{ByteOrder, Findings, Job, Lookup, Part, Plan, Scan, Shape, Slots};
use tests::workload::{FlatNode, Graph, NextNode, build};

use crate::figure::Figure;
use crate::harness::{Bench, Failure, delete, options, timed};

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

/// The flat node, longer by 40 bytes, which a hook fills in.
#[derive(Record)]
#[record(name = "FlatNode", hook = grow)]
struct GrownNode {
    id: u64,
    score: f64,
    name: [u8; 16],
    next: Option<Ref<GrownNode>>,
    edges: [Option<Ref<GrownNode>>; 4],
    history: [f64; 5],
}

/// The flat node as the hook sees it, with references to what its nodes become.
#[derive(Record)]
#[record(name = "FlatNode")]
struct OldNode {
    id: u64,
    score: f64,
    name: [u8; 16],
    next: Option<Ref<GrownNode>>,
    edges: [Option<Ref<GrownNode>>; 4],
}

#[expect(clippy::unnecessary_wraps, reason = "a hook may fail")]
fn grow(old: &OldNode, _: &mut Transaction<'_>) -> heap::Result<GrownNode> {
    let OldNode { id, score, name, next, edges } = *old;
    Ok(GrownNode { id, score, name, next, edges, history: [score; 5] })
}

/// `migrate-grow-hook`.
pub(crate) fn grow_hook(bench: &Bench) -> Result<(), Failure> {
    let original = bench.heap_of::<FlatNode>(bench.n)?;
    let path = bench.path("grow.heap");
    let nodes = words(bench.n);
    let plain = || {
        Ok(timed(|| {
            let grown = nodes.iter().map(|node| {
                let mut grown = [node[1]; 14];
                grown[..9].copy_from_slice(node);
                grown
            });
            grown.collect::<Vec<[u64; 14]>>()
        }))
    };
    let medians = bench.interleave(bench.rounds(7), || Ok(migrate::<GrownNode>(&original, &path)?.0), plain)?;
    bench.report(&Figure {
        work: "migrate-grow-hook",
        variant: "flat",
        n: bench.n,
        value: medians.ours * 1e3,
        unit: "ms",
        baseline: "a plain loop that copies the structs into longer ones",
        ratio: medians.ratio(),
    });
    Ok(())
}

/// The flat node as serialisers take it; references are numbers.
#[derive(serde::Serialize, serde::Deserialize)]
struct PlainNode {
    id: u64,
    score: f64,
    name: [u8; 16],
    next: u64,
    edges: [u64; 4],
}

/// The same after the change: postcard goes by the order of fields, so the old one is read and moved over.
#[derive(serde::Serialize, serde::Deserialize)]
struct PlainNext {
    name: [u8; 16],
    next: u64,
    edges: [u64; 4],
    id: u64,
    score: f32,
    #[serde(default = "seven")]
    flags: u32,
}

fn seven() -> u32 {
    7
}

fn plain_nodes(count: usize) -> Vec<PlainNode> {
    (0..count as u64)
        .map(|id| PlainNode { id, score: id as f64 * 0.5, name: *b"node-00000000017", next: id, edges: [id; 4] })
        .collect()
}

/// `migrate-postcard` and `migrate-json`: records a second, against out and in through a serialiser.
pub(crate) fn serialisers(bench: &Bench, work: &'static str) -> Result<(), Failure> {
    let original = bench.heap_of::<FlatNode>(bench.n)?;
    let path = bench.path("serialise.heap");
    let nodes = plain_nodes(bench.n);
    let through_postcard = || -> Result<f64, Failure> {
        let begun = Instant::now();
        let bytes = postcard::to_allocvec(&nodes)?;
        let old: Vec<PlainNode> = postcard::from_bytes(&bytes)?;
        let new = old.into_iter().map(|PlainNode { id, score, name, next, edges }| {
            let (score, flags) = (score as f32, 7);
            PlainNext { name, next, edges, id, score, flags }
        });
        std::hint::black_box(new.collect::<Vec<PlainNext>>());
        Ok(begun.elapsed().as_secs_f64())
    };
    let through_json = || -> Result<f64, Failure> {
        let begun = Instant::now();
        let values = nodes.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
        let new = values.into_iter().map(serde_json::from_value).collect::<Result<Vec<PlainNext>, _>>()?;
        std::hint::black_box(new);
        Ok(begun.elapsed().as_secs_f64())
    };
    let ours = || Ok(migrate::<NextNode>(&original, &path)?.0);
    let (rounds, baseline) = (bench.rounds(5), if work == "migrate-json" { "serde_json::Value" } else { "postcard" });
    let medians = if work == "migrate-json" {
        bench.interleave(rounds, ours, through_json)?
    } else {
        bench.interleave(rounds, ours, through_postcard)?
    };
    bench.report(&Figure {
        work,
        variant: "flat",
        n: bench.n,
        value: bench.n as f64 / medians.ours / 1e6,
        unit: "Mrecords/s",
        baseline,
        ratio: medians.theirs / medians.ours,
    });
    Ok(())
}

/// The flat node with half as wide a number.
#[derive(Record)]
#[record(name = "FlatNode")]
struct NarrowNode {
    id: u32,
    score: f64,
    name: [u8; 16],
    next: Option<Ref<NarrowNode>>,
    edges: [Option<Ref<NarrowNode>>; 4],
}

/// `migrate-scan`: whether every number fits, against a loop that sums the numbers, over slots as they lie in a heap.
pub(crate) fn scan(bench: &Bench) -> Result<(), Failure> {
    const STRIDE: usize = 80;
    let plan = Plan::between(Types::of::<FlatNode>()?.schema(), Types::of::<NarrowNode>()?.schema());
    let step = plan.types.iter().position(|step| step.rewritten).ok_or("a type that changes")?;
    let scan = Scan::of_type(&plan, step, ByteOrder::NATIVE)?;
    let mut bytes = Vec::with_capacity(bench.n * STRIDE);
    for node in words(bench.n) {
        // The header of a slot comes first; here it only says that there is a record.
        bytes.extend(1_u64.to_ne_bytes());
        bytes.extend(node.iter().flat_map(|word| word.to_ne_bytes()));
    }
    let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let ours = || {
        let mut findings = Findings::new(plan.checks.len(), plan.old.types.len());
        let took = timed(|| {
            let slots = Slots { bytes: &bytes, first: 8, stride: STRIDE };
            let live = |slot: usize| word(slot * STRIDE) != 0;
            scan.run_slots(slots, bench.n, live, &mut findings, |slot| slot.to_string(), &Nothing);
        });
        assert_eq!((findings.checks[0].seen, findings.checks[0].failed), (bench.n as u64, 0));
        Ok(took)
    };
    let sum = || Ok(timed(|| (0..bench.n).map(|slot| word(slot * STRIDE + 8)).fold(0, u64::wrapping_add)));
    let medians = bench.interleave(bench.rounds(15), ours, sum)?;
    bench.report(&Figure {
        work: "migrate-scan",
        variant: "flat",
        n: bench.n,
        value: medians.ours * 1e3,
        unit: "ms",
        baseline: "a scan that sums the field",
        ratio: medians.ratio(),
    });
    Ok(())
}

/// What lies outside flat nodes.
struct Nothing;

impl Lookup for Nothing {
    fn is_empty(&self, _: &Shape, _: u64) -> bool {
        false
    }

    fn is_utf8(&self, _: u64) -> bool {
        false
    }

    fn count(&self, _: &Shape, _: u64) -> usize {
        0
    }

    fn text(&self, _: u64, _: &mut dyn FnMut(&[u8])) {}

    fn is_unshared(&self, _: &Shape, _: u64) -> bool {
        false
    }

    fn each(&self, _: Job<'_>, _: u64, _: &mut dyn FnMut(Part, &[u8])) {}

    fn written(&self, _: &Shape, _: u64, _: usize) -> String {
        String::new()
    }
}

/// A record beside those that change.
#[derive(Record)]
struct Beside {
    bytes: [u8; 1024],
}

/// `migrate-unchanged`: bytes that a migration writes for a type that does not change.
pub(crate) fn unchanged(bench: &Bench) -> Result<(), Failure> {
    let path = bench.path("unchanged.heap");
    let heap = crate::harness::open(&path)?;
    build::<FlatNode>(&heap, &Graph::new(1_000))?;
    let mut tx = heap.write()?;
    for number in 0..bench.n / 100 {
        tx.insert(Beside { bytes: [number as u8; 1024] })?;
    }
    tx.commit()?;
    drop(heap);
    let places = |path: &Path| -> Result<Vec<(u64, Vec<u8>)>, Failure> {
        let reader = image::open_file(path, Checks::Strict)?;
        let catalog = reader.catalog();
        let table = catalog.table_of_name("Beside").ok_or("a table")?;
        let extents = catalog.extents().iter().filter(|extent| extent.entry.table == table);
        let mut places = Vec::new();
        for extent in extents {
            let mut bytes = vec![0; extent.entry.len as usize];
            reader.read_extent(extent, &mut bytes)?;
            places.push((extent.entry.at, bytes));
        }
        Ok(places)
    };
    let before = places(&path)?;
    let types = Some(Types::of::<NextNode>()?);
    drop(Heap::open_with(&path, Options { types, ..options() })?);
    let touched: usize = before
        .iter()
        .zip(places(&path)?)
        .map(|((at, bytes), (now_at, now))| if *at == now_at && *bytes == now { 0 } else { now.len() })
        .sum();
    delete(&path);
    bench.report(&Figure {
        work: "migrate-unchanged",
        variant: "beside",
        n: bench.n / 100,
        value: touched as f64,
        unit: "bytes",
        baseline: "bytes of the type",
        ratio: touched as f64 / (bench.n / 100 * 1024) as f64,
    });
    Ok(())
}
