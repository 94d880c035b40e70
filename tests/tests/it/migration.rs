//! A migration that is killed, or has no room, or whose hook panics, leaves the heap wholly old or wholly new.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use heap::{Error, Heap, Options, Record, Ref, Transaction, Types};
use tests::workload::{FlatNode, Graph, NextNode, Random, build, name};

use crate::harness::{Folder, Program, verify};

/// Whether a heap is the new one; either way it is whole.
#[expect(clippy::float_cmp, reason = "halves of such numbers are exact")]
fn is_migrated(path: &Path, count: u64) -> bool {
    let heap = Heap::open(path).unwrap();
    let fields = match &heap.schema().get("FlatNode").unwrap().body {
        migrate::Body::Struct(fields) => fields.len(),
        migrate::Body::Enum { .. } => unreachable!("a node is a struct"),
    };
    let read = heap.read();
    let mut ids = 0_u64;
    let sum: u64 = if fields == 5 {
        let nodes = read.iter::<FlatNode>().unwrap();
        nodes
            .inspect(|(_, node)| assert!(node.score == node.id as f64 * 0.5 && node.name == name(node.id)))
            .map(|(_, node)| node.id)
            .inspect(|_| ids += 1)
            .sum()
    } else {
        let nodes = read.iter::<NextNode>().unwrap();
        nodes
            .inspect(|(_, node)| {
                assert!(node.score == node.id as f32 * 0.5 && node.name == name(node.id) && node.flags == 7);
            })
            .map(|(_, node)| node.id)
            .inspect(|_| ids += 1)
            .sum()
    };
    assert_eq!((ids, sum), (count, count * (count - 1) / 2));
    fields == 6
}

/// Kills a migration so often, at times drawn anew; how often the heap was the old one and the new one.
fn kill_again_and_again(count: usize, runs: u64, span: Duration) -> (u64, u64) {
    let folder = Folder::new();
    let path = folder.file("nodes.heap");
    build::<FlatNode>(&Heap::open(&path).unwrap(), &Graph::new(count)).unwrap();
    let mut random = Random::new(count as u64);
    let (mut old, mut new) = (0, 0);
    for run in 0..runs {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tested-migration"));
        let program = Program::start(command.arg(&path).env("XDG_RUNTIME_DIR", folder.file("")));
        program.wait_ready();
        std::thread::sleep(Duration::from_micros(random.below(span.as_micros() as usize) as u64));
        program.kill();
        if run % 8 == 0 {
            verify(&path);
        }
        if is_migrated(&path, count as u64) {
            new += 1;
            heap::rollback(&path).unwrap();
            assert!(!is_migrated(&path, count as u64), "run {run}: rolled back");
        } else {
            old += 1;
        }
    }
    (old, new)
}

#[test]
fn a_killed_migration_is_whole_or_did_not_happen() {
    let (old, new) = kill_again_and_again(1_000_000, 100, Duration::from_millis(120));
    assert!(old > 10 && new > 10, "{old} old, {new} new: the kills were not spread");
}

#[test]
fn a_small_one_too() {
    let (old, new) = kill_again_and_again(2_000, 200, Duration::from_millis(4));
    assert!(old > 10 && new > 10, "{old} old, {new} new: the kills were not spread");
}

/// A node whose hook fails at one number.
#[derive(Record)]
#[record(name = "FlatNode", hook = panics)]
struct Panicking {
    id: u64,
    extra: [u64; 5],
    score: f64,
    name: [u8; 16],
    next: Option<Ref<Panicking>>,
    edges: [Option<Ref<Panicking>>; 4],
}

#[derive(Record)]
#[record(name = "FlatNode")]
struct Before {
    id: u64,
    score: f64,
    name: [u8; 16],
    next: Option<Ref<Panicking>>,
    edges: [Option<Ref<Panicking>>; 4],
}

#[expect(clippy::unnecessary_wraps, reason = "a hook may fail")]
fn panics(old: &Before, _: &mut Transaction<'_>) -> heap::Result<Panicking> {
    assert!(old.id != 4711, "negative score");
    let Before { id, score, name, next, edges } = *old;
    Ok(Panicking { id, extra: [id; 5], score, name, next, edges })
}

#[test]
fn a_hook_that_panics_changes_nothing() {
    let folder = Folder::new();
    let path = folder.file("nodes.heap");
    build::<FlatNode>(&Heap::open(&path).unwrap(), &Graph::new(10_000)).unwrap();
    for _ in 0..2 {
        let Err(error) = Heap::open_as::<Panicking>(&path) else { panic!("the hook panics") };
        let Error::Hook { record, what } = &error else { panic!("{error}") };
        assert_eq!((record.number, &*record.type_name), (4711, "FlatNode"));
        assert!(what.contains("negative score"), "{what}");
        assert_eq!(error.code(), "IMG-0705");
        assert!(!is_migrated(&path, 10_000));
        verify(&path);
    }
}

#[derive(Record)]
struct Beside {
    bytes: [u8; 1000],
}

#[test]
fn a_heap_of_one_type_migrates_while_the_other_costs_nothing() {
    let folder = Folder::new();
    let path = folder.file("nodes.heap");
    let heap = Heap::open(&path).unwrap();
    build::<FlatNode>(&heap, &Graph::new(10_000)).unwrap();
    let mut tx = heap.write().unwrap();
    for number in 0..3000_u32 {
        tx.insert(Beside { bytes: [number as u8; 1000] }).unwrap();
    }
    tx.commit().unwrap();
    drop(heap);
    let before = std::fs::metadata(&path).unwrap().len();
    let converted = std::sync::Arc::new(AtomicU64::new(0));
    let told = std::sync::Arc::clone(&converted);
    let on_progress = heap::OnProgress::new(move |progress| {
        if let heap::Progress::Converted { records } = progress {
            told.fetch_max(records, Ordering::Relaxed);
        }
    });
    let types = Some(Types::of::<NextNode>().unwrap());
    let options = Options { types, on_progress: Some(on_progress), ..Options::default() };
    drop(Heap::open_with(&path, options).unwrap());
    assert_eq!(converted.load(Ordering::Relaxed), 10_000);
    // The nodes lie twice now, and the three megabytes beside them once.
    let grown = std::fs::metadata(&path).unwrap().len() - before;
    assert!(grown < 10_000 * 80 + 2 * (2 << 20), "{grown} bytes more");
}
