//! Asking a program that links `heap` and calls `heap::answer` in its `main`. The lines are in `docs/answer.md`.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, PipeReader, Read};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::io::FdFlags;
use rustix::process::{Pid, Signal};
use serde::Deserialize;

use crate::explain;
use crate::failure::Failure;

/// How long a program may take to its first line.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest line that is read, in bytes.
const LONGEST: u64 = 64 << 20;
/// The version of the lines.
const VERSION: u32 = 1;

/// What to type where a program does not answer.
const REMEDY: &str = "add heap::answer::<(…)>(); with the program's record types as the first line of its main, or give \
                      a schema.json: image schema HEAP --json";

/// What a program says about its types.
#[derive(Debug)]
pub(crate) struct Introduction {
    /// What it calls itself.
    pub(crate) program: String,
    /// Names of the types that have hooks.
    pub(crate) hooks: Vec<String>,
    /// Whether something runs over the whole heap when all records are converted.
    pub(crate) after: bool,
    /// The types, as a schema's JSON.
    pub(crate) schema: String,
}

/// How far a program is with a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many records are to be converted.
    Begun(u64),
    /// So many are.
    Converted(u64),
    /// The heap is migrated.
    Committed,
}

/// A line of a program; each has one of the parts.
#[derive(Debug, Default, Deserialize)]
struct Line {
    image: Option<u32>,
    #[serde(default)]
    program: String,
    #[serde(default)]
    hooks: Vec<String>,
    #[serde(default)]
    after: bool,
    schema: Option<String>,
    begun: Option<u64>,
    converted: Option<u64>,
    #[serde(default)]
    committed: bool,
    #[serde(default)]
    done: bool,
    error: Option<Told>,
}

/// What went wrong in the program.
#[derive(Debug, Deserialize)]
struct Told {
    code: String,
    message: String,
    cause: Option<String>,
    record: Option<String>,
}

/// What a program is told besides the wish: paths of files.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Files<'f> {
    /// Answers to what a plan asks.
    pub(crate) answers: Option<&'f Path>,
    /// The schema of an older program, to go back to.
    pub(crate) schema: Option<&'f Path>,
}

/// Asks a program what its types are; of the schema of an older program, which of these it can make.
pub(crate) fn introduction(program: &Path, schema: Option<&Path>) -> Result<Introduction, Failure> {
    let asked = Asked::start(program, "schema".into(), Files { schema, answers: None })?;
    let line = asked.first()?;
    let Some(schema) = line.schema else { return Err(asked.nonsense("the line has no schema")) };
    Ok(Introduction { program: line.program, hooks: line.hooks, after: line.after, schema })
}

/// Has a program migrate a heap to its types, by its hooks.
pub(crate) fn migrate(
    program: &Path,
    heap: &Path,
    files: Files<'_>,
    mut tell: impl FnMut(Step),
) -> Result<(), Failure> {
    let absolute = |path: &Path| path.canonicalize().map_err(|error| Failure::reading(path, &error));
    let mut wish = OsString::from("migrate ");
    wish.push(absolute(heap)?);
    let answers = files.answers.map(absolute).transpose()?;
    let asked = Asked::start(program, wish, Files { answers: answers.as_deref(), ..files })?;
    asked.first()?;
    loop {
        let Ok(line) = asked.lines.recv() else { return Err(asked.ended_early(heap)) };
        let line = asked.parse(line)?;
        if let Some(told) = line.error {
            return Err(told.into_failure(heap));
        }
        match (line.begun, line.converted) {
            (Some(records), _) => tell(Step::Begun(records)),
            (_, Some(records)) => tell(Step::Converted(records)),
            _ if line.committed => tell(Step::Committed),
            _ if line.done => return Ok(()),
            // What a later version says as well.
            _ => {}
        }
    }
}

/// A program that was asked something. Dropping it ends the program, and what that started.
#[derive(Debug)]
struct Asked {
    program: PathBuf,
    child: Child,
    lines: Receiver<io::Result<Vec<u8>>>,
}

impl Asked {
    fn start(program: &Path, wish: OsString, files: Files<'_>) -> Result<Self, Failure> {
        // A path, so that the shell's own search for commands does not find another one.
        let path = program.canonicalize().map_err(|error| Failure::reading(program, &error))?;
        let failed = |error: io::Error| not_started(program, &error);
        let (reader, writer) = io::pipe().map_err(failed)?;
        rustix::io::fcntl_setfd(&writer, FdFlags::empty()).map_err(|error| failed(error.into()))?;
        let mut asks = OsString::from(format!("{} ", writer.as_raw_fd()));
        asks.push(wish);
        let mut command = Command::new(path);
        command.env("IMAGE_ASKS", asks);
        for (name, file) in [("IMAGE_ANSWERS", files.answers), ("IMAGE_SCHEMA", files.schema)] {
            match file {
                Some(file) => command.env(name, file),
                None => command.env_remove(name),
            };
        }
        // A group of its own can be ended as a whole.
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn();
        let child = child.map_err(failed)?;
        drop(writer);
        Ok(Self { program: program.to_owned(), child, lines: read_lines(reader) })
    }

    /// The first line, by which the program says that it answers.
    fn first(&self) -> Result<Line, Failure> {
        let line = match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => self.parse(line)?,
            Err(RecvTimeoutError::Timeout) => {
                return Err(self.silent(&format!("it said nothing for {} s and was ended", PATIENCE.as_secs())));
            }
            Err(RecvTimeoutError::Disconnected) => return Err(self.silent("it ended without an answer")),
        };
        match (line.error, line.image) {
            (Some(told), _) => Err(told.into_failure(&self.program)),
            (None, Some(VERSION)) => Ok(Line { error: None, ..line }),
            (None, Some(version)) => {
                Err(self.nonsense(&format!("it speaks version {version} of the lines, this command {VERSION}")))
            }
            (None, None) => Err(self.nonsense("the first line names no version")),
        }
    }

    fn parse(&self, line: io::Result<Vec<u8>>) -> Result<Line, Failure> {
        let line = line.map_err(|error| self.nonsense(&error.to_string()))?;
        serde_json::from_slice(&line)
            .map_err(|error| self.nonsense(&format!("a line is not what it should be: {error}")))
    }

    fn silent(&self, cause: &str) -> Failure {
        Failure::new("IMG-0709", format!("{} does not say what its types are", self.program.display()))
            .cause(cause)
            .help(REMEDY)
    }

    fn nonsense(&self, cause: &str) -> Failure {
        Failure::new("IMG-0709", format!("the answer of {} makes no sense", self.program.display()))
            .cause(cause)
            .help("build the program with the version of heap that this command is of")
    }

    fn ended_early(&self, heap: &Path) -> Failure {
        let (program, heap) = (self.program.display(), heap.display());
        Failure::new("IMG-0709", format!("{program} ended in the middle of its answer"))
            .cause("the heap is either as it was or migrated, nothing between")
            .help(format!("image migrate {heap} --to {program} --check"))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        // Until it is waited for, the number is its own.
        let _ = rustix::process::kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Told {
    fn into_failure(self, file: &Path) -> Failure {
        let code = explain::find(&self.code).map_or("IMG-0709", |explanation| explanation.code);
        let mut failure = Failure::new(code, self.message);
        failure.cause = self.cause;
        if let Some(record) = self.record {
            let file = file.display();
            failure.help =
                Some(format!("image show {file} '{record}'   ; mend the hook or the record, then run again"));
        }
        failure
    }
}

fn not_started(program: &Path, error: &io::Error) -> Failure {
    let shown = program.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied => Failure::new("IMG-0610", format!("{shown} may not be run"))
            .cause(error)
            .help("name a program that links heap, or a schema.json"),
        _ => Failure::new("IMG-0709", format!("{shown} cannot be started")).cause(error).help(REMEDY),
    }
}

/// Lines of the pipe, read on a thread of their own so that they can be waited for with a limit. The thread ends with
/// the pipe, or when nobody waits any more.
fn read_lines(pipe: PipeReader) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, lines) = mpsc::sync_channel(16);
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        loop {
            let mut line = Vec::new();
            let read = pipe.by_ref().take(LONGEST).read_until(b'\n', &mut line);
            let line = match read {
                Ok(0) => return,
                Ok(len) if len as u64 == LONGEST && !line.ends_with(b"\n") => {
                    Err(io::Error::other(format!("a line has more than {LONGEST} bytes")))
                }
                Ok(_) => Ok(line),
                Err(error) => Err(error),
            };
            let is_last = line.is_err();
            if sender.send(line).is_err() || is_last {
                return;
            }
        }
    });
    lines
}
