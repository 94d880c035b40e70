//! Dumps of a heap that a process writes to, and verifying images.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use image::{DumpOptions, DumpSource, Replace, Secrets, dump, verify_file};
use tests::workload::{FlatNode, Node, RichNode};

use crate::child::{self, Role};
use crate::figure::Figure;
use crate::harness::{Bench, Failure, median, timed};
use crate::plain;

fn options() -> DumpOptions {
    DumpOptions { secrets: Secrets::Refuse, replace: Replace::Force, reproducible: false }
}

/// A process that commits 100,000 times a second.
struct Writer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Writer {
    fn start(path: &Path) -> Result<Self, Failure> {
        let mut child = child::start(Role::Write, path, Stdio::piped())?;
        let input = child.stdin.take().ok_or("a child with an input")?;
        let output = BufReader::new(child.stdout.take().ok_or("a child with an output")?);
        let mut writer = Self { child, input, output };
        writer.mark()?;
        Ok(writer)
    }

    /// The 99.9th percentile of the times since the last mark, in nanoseconds.
    fn mark(&mut self) -> Result<f64, Failure> {
        self.input.write_all(b"m\n")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().parse()?)
    }

    fn stop(mut self) -> Result<(), Failure> {
        drop(self.input);
        if self.child.wait()?.success() { Ok(()) } else { Err("the writing process failed".into()) }
    }
}

/// `cp` and fdatasync.
fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let _ = std::fs::remove_file(to);
    std::fs::copy(from, to)?;
    File::open(to)?.sync_data()?;
    Ok(())
}

/// `dump-live` and `dump-live-p999`.
pub(crate) fn live(bench: &Bench, work: &str) -> Result<(), Failure> {
    let path = bench.heap_of::<FlatNode>(bench.n)?;
    let (image, copied) = (bench.path("live.img"), bench.path("live.copy"));
    let mut writer = Writer::start(&path)?;
    let (mut during, mut before) = (Vec::new(), Vec::new());
    let mut times = (Vec::new(), Vec::new());
    for round in 0..=bench.rounds(9) {
        writer.mark()?;
        let took = timed(|| dump(&DumpSource::of_path(&path), &image, &options()).map(|_| ()));
        let slow = writer.mark()?;
        std::thread::sleep(Duration::from_secs_f64(took));
        let quiet = writer.mark()?;
        let plain = timed(|| copy(&path, &copied));
        if round > 0 {
            during.push(slow);
            before.push(quiet);
            times.0.push(took);
            times.1.push(plain);
        }
    }
    writer.stop()?;
    verify_file(&image)?;
    let (took, plain) = (median(&mut times.0), median(&mut times.1));
    let (during, before) = (median(&mut during), median(&mut before));
    let figure = Figure {
        work: "dump-live",
        variant: FlatNode::VARIANT,
        n: bench.n,
        value: took * 1e3,
        unit: "ms",
        baseline: "cp + fdatasync of the heap file",
        ratio: took / plain,
    };
    if work == "dump-live" {
        bench.report(&figure);
    }
    if work == "dump-live-p999" {
        bench.report(&Figure {
            work: "dump-live-p999",
            value: during / 1e3,
            unit: "us",
            baseline: "the same without a dump",
            ratio: during / before,
            ..figure
        });
    }
    Ok(())
}

/// `verify`.
pub(crate) fn verify(bench: &Bench) -> Result<(), Failure> {
    verify_variant::<FlatNode>(bench)?;
    verify_variant::<RichNode>(bench)
}

fn verify_variant<N: Node>(bench: &Bench) -> Result<(), Failure> {
    let image = bench.path("verify.img");
    dump(&DumpSource::of_path(&bench.heap_of::<N>(bench.n)?), &image, &options())?;
    let medians = bench.interleave(
        bench.rounds(9),
        || Ok(timed(|| verify_file(&image).expect("an image without damage"))),
        || Ok(timed(|| plain::checksum(&image))),
    )?;
    bench.report(&Figure {
        work: "verify",
        variant: N::VARIANT,
        n: bench.n,
        value: medians.ours * 1e3,
        unit: "ms",
        baseline: "a CRC-32 pass over the same bytes",
        ratio: medians.ratio(),
    });
    Ok(())
}
