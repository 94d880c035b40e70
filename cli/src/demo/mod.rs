//! `image demo`: the tour. A real process keeps a heap, is dumped while it writes, and is killed in the middle of
//! it; then the image and the heap must both hold a state that was committed.

mod lockfile;
mod process;
pub(crate) mod program;
mod tour;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::commands::dump::refuse_existing;
use crate::failure::{Exit, Failure};
use crate::figures;
use crate::output::Output;
use process::Program;
use program::{Ledger, Said};
use tour::Tour;

/// How long a program may take to say something. Far more than it needs on a slow machine; it only ends a tour that
/// would never end.
const PATIENCE: Duration = Duration::from_mins(1);

/// What `image demo` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The Cargo.lock to build the state from [default: a built-in one]
    #[arg(long, value_name = "PATH")]
    input: Option<PathBuf>,
    /// Keep the heap and the image in this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Takes the tour.
pub(crate) fn run(options: &Options, output: &mut Output) -> Result<Exit, Failure> {
    let packages = lockfile::read(options.input.as_deref())?;
    let folder = Folder::make(options.keep.as_deref())?;
    Guide::new(&folder, options)?.lead(&mut Tour::new(output), packages.len())?;
    Ok(Exit::Done)
}

/// The steps. They run this same command as the reader would.
struct Guide {
    command: PathBuf,
    input: Option<PathBuf>,
    folder: PathBuf,
}

impl Guide {
    const HEAP: &str = "demo.heap";
    const IMAGE: &str = "demo.img";

    fn new(folder: &Folder, options: &Options) -> Result<Self, Failure> {
        let own = std::env::current_exe().and_then(|command| {
            let input = options.input.as_deref().map(std::path::absolute).transpose()?;
            Ok((command, input))
        });
        let (command, input) =
            own.map_err(|error| Failure::new("IMG-0904", "the command does not find itself").cause(error))?;
        Ok(Self { command, input, folder: folder.path().to_owned() })
    }

    fn lead(&self, tour: &mut Tour, packages: usize) -> Result<(), Failure> {
        let mut program = self.build(tour, packages)?;
        self.dump(tour, &mut program)?;
        let known = self.kill(tour, program)?;
        self.look(tour)?;
        self.check(tour, known)
    }

    fn build(&self, tour: &mut Tour, packages: usize) -> Result<Program, Failure> {
        let title =
            format!("A program makes a heap of the {packages} packages of a Cargo.lock and goes on changing it");
        let step = tour.begin("build", &title)?;
        let mut program = Program::start(&mut self.program(Self::HEAP, Purpose::Run))?;
        let ledger = program.wait_ready(PATIENCE)?;
        ledger.check()?;
        let transfers = program.wait_transfers(0, PATIENCE)?;
        let Ledger { packages, tokens, .. } = ledger;
        let shown = format!(
            "process {}: {} whose tokens move about, {} in all, always",
            program.pid(),
            figures::counted(packages, "package"),
            figures::count(tokens)
        );
        let facts = json!({"pid": program.pid(), "packages": packages, "tokens": tokens, "transfers": transfers});
        tour.end(step, &shown, &facts)?;
        Ok(program)
    }

    fn dump(&self, tour: &mut Tour, program: &mut Program) -> Result<(), Failure> {
        let mut step = tour.begin("dump", "It is dumped while it writes")?;
        let before = program.wait_transfers(0, PATIENCE)?;
        self.image(tour, &mut step, &["dump", "--pid", &program.pid().to_string(), "-o", Self::IMAGE])?;
        // It must still be at work, or the dump proved nothing.
        let after = program.wait_transfers(before, PATIENCE)?;
        let bytes = self.len(Self::IMAGE);
        let shown = format!(
            "{}; the program made {} meanwhile",
            figures::size(bytes),
            figures::counted(after - before, "transfer")
        );
        tour.end(step, &shown, &json!({"bytes": bytes, "transfers_meanwhile": after - before}))
    }

    fn kill(&self, tour: &mut Tour, program: Program) -> Result<u64, Failure> {
        let mut step = tour.begin("kill", "It is killed in the middle of its work")?;
        let command = format!("kill -9 {}", program.pid());
        let known = program.kill()?;
        tour.typed(&mut step, &command, "")?;
        let bytes = self.len(Self::HEAP);
        let shown =
            format!("{} were known; the heap file has {}", figures::counted(known, "transfer"), figures::size(bytes));
        tour.end(step, &shown, &json!({"transfers": known, "heap_bytes": bytes}))?;
        Ok(known)
    }

    fn look(&self, tour: &mut Tour) -> Result<(), Failure> {
        let mut step = tour.begin("look", "The image is checked and looked into, without the program")?;
        self.image(tour, &mut step, &["verify", Self::IMAGE])?;
        self.image(tour, &mut step, &["types", Self::IMAGE])?;
        self.image(tour, &mut step, &["show", Self::IMAGE, ".ledger.packages[0]"])?;
        tour.end(step, "whole", &json!({}))
    }

    fn check(&self, tour: &mut Tour, known: u64) -> Result<(), Failure> {
        let step = tour.begin("check", "A program opens the image, then the heap of the killed one")?;
        let image = self.ledger(Self::IMAGE)?;
        let heap = self.ledger(Self::HEAP)?;
        if heap.transfers < known {
            let cause = format!("{known} transfers were committed, {} are there", heap.transfers);
            return Err(Failure::new("IMG-0110", "committed transfers were lost").cause(cause));
        }
        let shown = format!(
            "{} tokens in both; {} in the image, {} in the heap, none lost",
            figures::count(heap.tokens),
            figures::counted(image.transfers, "transfer"),
            figures::count(heap.transfers)
        );
        let facts =
            json!({"tokens": heap.tokens, "image_transfers": image.transfers, "heap_transfers": heap.transfers});
        tour.end(step, &shown, &facts)
    }

    /// What a program that opens the file finds in it; the law must hold there.
    fn ledger(&self, file: &str) -> Result<Ledger, Failure> {
        let printed = process::run(&mut self.program(file, Purpose::Check))?;
        match printed.trim_end().parse() {
            Ok(Said::Ready(ledger)) => ledger.check().map(|()| ledger),
            _ => Err(Failure::new("IMG-0904", "a program of the tour said something else").cause(printed)),
        }
    }

    fn program(&self, file: &str, purpose: Purpose) -> Command {
        let mut command = self.own();
        command.arg("demo-program").arg(file);
        match purpose {
            Purpose::Run => command.args(self.input.iter().flat_map(|input| ["--input".as_ref(), input.as_os_str()])),
            Purpose::Check => command.arg("--check"),
        };
        command
    }

    /// Runs `image WORDS` and shows it.
    fn image(&self, tour: &mut Tour, step: &mut tour::Step, words: &[&str]) -> Result<(), Failure> {
        let printed = process::run(self.own().args(words))?;
        tour.typed(step, &format!("image {}", words.join(" ")), &printed)
    }

    fn own(&self) -> Command {
        let mut command = Command::new(&self.command);
        command.current_dir(&self.folder);
        command
    }

    fn len(&self, file: &str) -> u64 {
        std::fs::metadata(self.folder.join(file)).map_or(0, |metadata| metadata.len())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Run,
    Check,
}

/// Where the tour's files are.
enum Folder {
    Kept(PathBuf),
    Passing(tempfile::TempDir),
}

impl Folder {
    fn make(keep: Option<&Path>) -> Result<Self, Failure> {
        let Some(kept) = keep else { return Self::passing() };
        std::fs::create_dir_all(kept).map_err(|error| Failure::writing(kept, &error))?;
        for file in [Guide::HEAP, Guide::IMAGE] {
            refuse_existing(&kept.join(file)).map_err(|failure| failure.help("choose an empty folder"))?;
        }
        Ok(Self::Kept(kept.to_owned()))
    }

    /// A temporary folder, removed at the end and also when the tour is interrupted. The programs get the same
    /// signal from the terminal and end with it.
    fn passing() -> Result<Self, Failure> {
        let made = tempfile::Builder::new().prefix("image-demo-").tempdir();
        let folder = made.map_err(|error| Failure::writing(&std::env::temp_dir(), &error))?;
        let path = folder.path().to_owned();
        ctrlc::set_handler(move || {
            // A program that has not died yet may make another file between the two halves of the first attempt.
            for _ in 0..10 {
                if std::fs::remove_dir_all(&path).is_ok() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            std::process::exit(Exit::Interrupted as i32);
        })
        .map_err(|error| Failure::new("IMG-0904", "the tour cannot be made interruptible").cause(error))?;
        Ok(Self::Passing(folder))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Passing(folder) => folder.path(),
        }
    }
}

#[cfg(test)]
mod tests;
