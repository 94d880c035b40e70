//! The processes that the benchmark starts: itself, in another role.

use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, TryRecvError};
use std::time::{Duration, Instant};

use heap::{Durability, Heap, Ref};
use tests::workload::{FlatNode, ROOT, Random};

use crate::commits::{nodes_of, update};
use crate::harness::{Failure, open_mapped, quantile};

/// The argument after which role and path follow.
pub(crate) const FLAG: &str = "--child";

/// Transactions a second of the writing process.
const RATE: u32 = 100_000;

/// What a process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Says that it is there, and ends.
    Nothing,
    /// Opens a heap, reads its root, and says so.
    Open,
    /// Commits until the log has so many bytes, says so, and waits to be killed.
    Fill(usize),
    /// Commits at a steady rate, and says how long it took when asked.
    Write,
}

impl Role {
    fn to_argument(self) -> String {
        match self {
            Self::Nothing => "nothing".into(),
            Self::Open => "open".into(),
            Self::Fill(len) => format!("fill={len}"),
            Self::Write => "write".into(),
        }
    }

    fn parse(argument: &str) -> Option<Self> {
        Some(match argument {
            "nothing" => Self::Nothing,
            "open" => Self::Open,
            "write" => Self::Write,
            fill => Self::Fill(fill.strip_prefix("fill=")?.parse().ok()?),
        })
    }
}

pub(crate) fn start(role: Role, path: &Path, input: Stdio) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(FLAG).arg(role.to_argument()).arg(path);
    command.stdin(input).stdout(Stdio::piped()).spawn()
}

/// What the process does.
pub(crate) fn run(role: &str, path: &Path) -> Result<(), Failure> {
    match Role::parse(role).ok_or("an unknown role")? {
        Role::Nothing => say("."),
        Role::Open => {
            let heap = open_mapped(path)?;
            let read = heap.read();
            let first: Ref<FlatNode> = read.root(ROOT)?.ok_or("a heap with a root")?;
            assert_eq!(read[first].id, 0);
            say(".")
        }
        Role::Fill(len) => fill(&open_mapped(path)?, len as u64),
        Role::Write => write(&open_mapped(path)?),
    }
}

fn say(word: &str) -> Result<(), Failure> {
    let mut output = std::io::stdout();
    output.write_all(word.as_bytes())?;
    output.flush()?;
    Ok(())
}

fn fill(heap: &Heap, len: u64) -> Result<(), Failure> {
    let nodes = nodes_of(heap)?;
    let mut random = Random::new(8);
    while heap.stats().log_len < len {
        for _ in 0..1_000 {
            update(heap, &nodes, &mut random, Durability::Process)?;
        }
    }
    say(".")?;
    loop {
        std::thread::park();
    }
}

fn write(heap: &Heap) -> Result<(), Failure> {
    let nodes = nodes_of(heap)?;
    let (ask, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if line.is_err() || ask.send(()).is_err() {
                return;
            }
        }
    });
    let pace = Duration::from_secs(1) / RATE;
    let mut random = Random::new(9);
    let mut times = Vec::new();
    let mut due = Instant::now();
    loop {
        match asked.try_recv() {
            Ok(()) => {
                say(&format!("{}\n", quantile(&mut times, 999)))?;
                times.clear();
                due = Instant::now();
            }
            Err(TryRecvError::Disconnected) => return Ok(()),
            Err(TryRecvError::Empty) => {}
        }
        while Instant::now() < due {
            std::hint::spin_loop();
        }
        due += pace;
        let begun = Instant::now();
        update(heap, &nodes, &mut random, Durability::Process)?;
        times.push(begun.elapsed().as_nanos() as f64);
    }
}
