//! Running the command and the program under test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take before a test calls it hanging.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A folder for the files of a test, in which its programs announce their heaps too.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The command, away from the habits of whoever runs the tests.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tested-image"));
        command.args(words).current_dir(self.0.path()).env("XDG_RUNTIME_DIR", self.0.path());
        command.env_remove("NO_COLOR").stdin(Stdio::null());
        command
    }

    /// Runs the command.
    pub(crate) fn image(&self, words: &[&str]) -> Said {
        Said::of(self.command(words).output().unwrap())
    }

    /// Starts the program under test.
    pub(crate) fn program(&self, heap: &str, wishes: &[&str]) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tested-program"));
        command.arg(self.file(heap)).args(wishes).env("XDG_RUNTIME_DIR", self.0.path());
        Program::start(&mut command)
    }
}

/// What the command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) exit: Option<i32>,
    pub(crate) out: String,
    pub(crate) errors: String,
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the command prints UTF-8");
        Self { exit: output.status.code(), out: text(output.stdout), errors: text(output.stderr) }
    }

    /// It was done: what was printed.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!((self.exit, &*self.errors), (Some(0), ""), "{}", self.out);
        self.out
    }

    /// It failed with this exit code and error code, in the shape of all failures.
    #[track_caller]
    pub(crate) fn failed(self, exit: i32, code: &str) -> String {
        assert_eq!(self.exit, Some(exit), "{self:?}");
        assert!(self.errors.starts_with(&format!("error[{code}]: ")), "{self:?}");
        assert!(self.errors.lines().last().unwrap().starts_with("  help:  "), "{self:?}");
        assert!(!self.errors.contains("panicked"), "{self:?}");
        self.errors
    }

    /// The file is damaged, and it says so.
    #[track_caller]
    pub(crate) fn damaged(self, what: &str) {
        assert_eq!(self.exit, Some(4), "{what}: {self:?}");
        assert!(self.errors.starts_with("error[IMG-04") && !self.errors.contains("panicked"), "{what}: {self:?}");
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A running program. Dropping it kills it.
pub(crate) struct Program {
    child: Child,
    told: Arc<AtomicU64>,
    ready: mpsc::Receiver<()>,
    listener: Option<JoinHandle<()>>,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let told = Arc::new(AtomicU64::new(0));
        let (speaker, ready) = mpsc::channel();
        let heard = Arc::clone(&told);
        let listener = std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                match line.parse() {
                    Ok(number) => heard.store(number, SeqCst),
                    Err(_) => speaker.send(()).unwrap_or_default(),
                }
            }
        });
        Self { child, told, ready, listener: Some(listener) }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the heap is open.
    pub(crate) fn wait_ready(&self) {
        self.ready.recv_timeout(PATIENCE).expect("the program gets ready");
    }

    /// The last transaction that it told.
    pub(crate) fn told(&self) -> u64 {
        self.told.load(SeqCst)
    }

    /// Waits until it told of more than `number` transactions; how long that took.
    pub(crate) fn wait_beyond(&self, number: u64) -> Duration {
        let begun = Instant::now();
        while self.told() <= number {
            assert!(begun.elapsed() < PATIENCE, "the program stands still at {}", self.told());
            std::thread::sleep(Duration::from_micros(200));
        }
        begun.elapsed()
    }

    /// Kills it in whatever it is doing; the last transaction that it told.
    pub(crate) fn kill(mut self) -> u64 {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // All that it wrote is read before the pipe ends.
        self.listener.take().unwrap().join().unwrap();
        self.told()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Stops a process, or lets it go on.
pub(crate) fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

/// The whole file, verified under its log.
pub(crate) fn verify(path: &Path) -> image::FileReport {
    let held = image::Held::open(&image::DumpSource::of_path(path)).unwrap();
    held.read(image::FileReport::of).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
