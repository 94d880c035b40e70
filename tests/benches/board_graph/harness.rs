//! What all works share: sizes, folders, medians.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use heap::{Heap, Options};
use tests::workload::{Graph, Node, build};

use crate::figure::{Figure, Form};

pub(crate) type Failure = Box<dyn std::error::Error>;

/// Below this many nodes the run only shows that the works work: sizes and times that are fixed otherwise shrink.
const SMOKE: usize = 100_000;

/// A run of the benchmark.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) n: usize,
    form: Form,
    folder: tempfile::TempDir,
    lines: RefCell<Vec<String>>,
    heaps: RefCell<HashMap<(&'static str, usize), PathBuf>>,
}

/// Medians of the two sides of a comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Medians {
    pub(crate) ours: f64,
    pub(crate) theirs: f64,
}

impl Medians {
    pub(crate) fn ratio(self) -> f64 {
        self.ours / self.theirs
    }
}

impl Bench {
    /// Files lie beside what Cargo builds: on a real disk, unlike the system's folder for temporary files.
    pub(crate) fn new(n: usize, form: Form) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("board_graph-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        Ok(Self { n, form, folder, lines: RefCell::default(), heaps: RefCell::default() })
    }

    pub(crate) const fn is_smoke(&self) -> bool {
        self.n < SMOKE
    }

    /// A size that the table of figures fixes.
    pub(crate) const fn fixed(&self, size: usize) -> usize {
        if self.is_smoke() && self.n < size { self.n } else { size }
    }

    pub(crate) const fn rounds(&self, rounds: usize) -> usize {
        if self.is_smoke() { 2 } else { rounds }
    }

    /// Rounds of something short.
    pub(crate) const fn many(&self, rounds: usize) -> usize {
        if self.is_smoke() { rounds.div_ceil(20) } else { rounds }
    }

    pub(crate) fn time(&self, seconds: f64) -> Duration {
        Duration::from_secs_f64(if self.is_smoke() { (seconds / 20.0).min(0.5) } else { seconds })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Prints a figure.
    pub(crate) fn report(&self, figure: &Figure) {
        println!("{}", figure.line(self.form));
        self.lines.borrow_mut().push(figure.line(Form::Json));
    }

    /// Every figure so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    /// Ours and theirs in turn, after one of each that does not count; the medians of what they return.
    pub(crate) fn interleave(
        &self,
        rounds: usize,
        mut ours: impl FnMut() -> Result<f64, Failure>,
        mut theirs: impl FnMut() -> Result<f64, Failure>,
    ) -> Result<Medians, Failure> {
        let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
        for round in 0..=rounds {
            let (our_time, their_time) = (ours()?, theirs()?);
            if round > 0 {
                our_times.push(our_time);
                their_times.push(their_time);
            }
        }
        Ok(Medians { ours: median(&mut our_times), theirs: median(&mut their_times) })
    }

    /// The path of a closed heap that holds the graph of so many nodes; works may change scores in it, nothing else.
    pub(crate) fn heap_of<N: Node>(&self, count: usize) -> Result<PathBuf, Failure> {
        if let Some(path) = self.heaps.borrow().get(&(N::VARIANT, count)) {
            return Ok(path.clone());
        }
        let path = self.path(&format!("{}-{count}.heap", N::VARIANT));
        let heap = open(&path)?;
        build::<N>(&heap, &Graph::new(count))?;
        drop(heap);
        self.heaps.borrow_mut().insert((N::VARIANT, count), path.clone());
        Ok(path)
    }
}

/// Options of every heap of the benchmark: the defaults, without telling the system's folder for control files.
pub(crate) fn options() -> Options {
    Options { announce: false, ..Options::default() }
}

pub(crate) fn open(path: &Path) -> heap::Result<Heap> {
    Heap::open_with(path, options())
}

#[allow(unsafe_code)]
pub(crate) fn open_mapped(path: &Path) -> heap::Result<Heap> {
    // SAFETY: the file was made by this benchmark, in a folder of its own that nobody else writes to.
    unsafe { Heap::open_mapped(path, options()) }
}

/// Deletes a heap's files.
pub(crate) fn delete(path: &Path) {
    let _ = std::fs::remove_file(heap::storage::real::log_path(path));
    let _ = std::fs::remove_file(path);
}

/// Seconds that something takes; what it returns is dropped outside of them.
pub(crate) fn timed<R>(run: impl FnOnce() -> R) -> f64 {
    let begun = Instant::now();
    let result = black_box(run());
    let took = begun.elapsed().as_secs_f64();
    drop(result);
    took
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    quantile(values, 500)
}

/// The value below which so many of a thousand lie.
pub(crate) fn quantile(values: &mut [f64], per_mille: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let position = values.len() * per_mille / 1_000;
    values.get(position.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
