//! The benchmark over the board graph.
//!
//! `cargo bench -p tests --bench board_graph -- --n 1000000 --json [--work NAME]` prints one figure a line. Baselines
//! run in the same process, in turn with what they are compared with; figures are medians. Under `cargo test` every
//! work runs once over 10,000 nodes, and what it prints is checked.

mod builds;
mod child;
mod commits;
mod dumps;
mod figure;
mod harness;
mod maps;
mod migrations;
mod opens;
mod plain;
mod reads;

use std::path::Path;
use std::process::ExitCode;

use figure::Form;
use harness::{Bench, Failure};

/// Every work, in the order of the table of figures.
const WORKS: &[&str] = &[
    "commit-disk",
    "commit-disk-64",
    "commit-process",
    "steady",
    "build",
    "space",
    "space-tiny",
    "chase",
    "chase-cached",
    "scan",
    "walk",
    "map-get",
    "map-insert",
    "sorted-get",
    "sorted-insert",
    "list-push",
    "churn",
    "collect",
    "readers",
    "snapshot-hold",
    "open",
    "open-copied",
    "reopen-killed",
    "dump-live",
    "dump-live-p999",
    "verify",
    "migrate",
    "migrate-durable",
    "migrate-scan",
    "migrate-grow-hook",
    "migrate-unchanged",
    "migrate-postcard",
    "migrate-json",
];

fn run(bench: &Bench, work: &str) -> Result<(), Failure> {
    match work {
        "commit-disk" => commits::disk(bench),
        "commit-disk-64" => commits::disk_64(bench),
        "commit-process" => commits::process(bench),
        "steady" => commits::steady(bench),
        "build" => builds::build_work(bench),
        "space" => builds::space(bench),
        "space-tiny" => builds::space_tiny(bench),
        "chase" => reads::chase(bench),
        "chase-cached" => reads::chase_cached(bench),
        "scan" => reads::scan(bench),
        "walk" => reads::walk(bench),
        "map-get" => maps::map_get(bench),
        "map-insert" => maps::map_insert(bench),
        "sorted-get" => maps::sorted_get(bench),
        "sorted-insert" => maps::sorted_insert(bench),
        "list-push" => builds::list_push(bench),
        "churn" => builds::churn(bench),
        "collect" => reads::collect(bench),
        "readers" => reads::readers(bench),
        "snapshot-hold" => opens::snapshot_hold(bench),
        "open" => opens::open_work(bench),
        "open-copied" => opens::open_copied(bench),
        "reopen-killed" => opens::reopen_killed(bench),
        "dump-live" | "dump-live-p999" => dumps::live(bench, work),
        "verify" => dumps::verify(bench),
        "migrate" | "migrate-durable" => migrations::flat(bench, work),
        "migrate-scan" => migrations::scan(bench),
        "migrate-unchanged" => migrations::unchanged(bench),
        "migrate-postcard" => migrations::serialisers(bench, "migrate-postcard"),
        "migrate-json" => migrations::serialisers(bench, "migrate-json"),
        "migrate-grow-hook" => migrations::grow_hook(bench),
        _ => Err(format!("there is no work {work}; there are {}", WORKS.join(", ")).into()),
    }
}

struct Arguments {
    n: usize,
    form: Form,
    works: Vec<String>,
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Arguments, Failure> {
    let mut parsed = Arguments { n: 1_000_000, form: Form::Text, works: Vec::new() };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--n" => parsed.n = arguments.next().ok_or("--n needs a number")?.parse()?,
            "--json" => parsed.form = Form::Json,
            "--work" => parsed.works.push(arguments.next().ok_or("--work needs a name")?),
            "--bench" => {}
            _ => return Err(format!("unknown argument {argument}").into()),
        }
    }
    if parsed.works.is_empty() {
        parsed.works = WORKS.iter().map(|&work| work.to_owned()).collect();
    }
    Ok(parsed)
}

fn measure(arguments: &Arguments) -> Result<(), Failure> {
    let bench = Bench::new(arguments.n.max(100), arguments.form)?;
    arguments.works.iter().try_for_each(|work| run(&bench, work))
}

/// Every work runs, and every line it prints is a figure of it.
fn smoke() -> Result<(), Failure> {
    let bench = Bench::new(10_000, Form::Json)?;
    for work in WORKS {
        let before = bench.lines().len();
        run(&bench, work).map_err(|error| format!("{work}: {error}"))?;
        let lines = bench.lines();
        assert!(lines.len() > before, "{work} printed nothing");
        for line in &lines[before..] {
            assert_eq!(figure::parse(line).as_deref(), Some(*work), "{line}");
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.as_slice() {
        [flag, role, path] if flag == child::FLAG => child::run(role, Path::new(path)),
        // `cargo bench` says so; whoever names a size or a work measures, too.
        _ if arguments.iter().any(|argument| matches!(argument.as_str(), "--bench" | "--n" | "--work")) => {
            parse(arguments.into_iter()).and_then(|arguments| measure(&arguments))
        }
        _ if arguments.iter().any(|argument| argument == "--list") => Ok(()),
        _ => smoke(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
