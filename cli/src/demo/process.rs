//! The other processes of the tour.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::demo::program::{Ledger, Said};
use crate::failure::Failure;

/// A running program of the tour. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    said: Receiver<Result<Said, String>>,
    complaints: Option<JoinHandle<String>>,
    transfers: u64,
}

impl Program {
    /// Starts it and listens.
    ///
    /// # Errors
    /// IMG-0904 when it does not start.
    pub(crate) fn start(command: &mut Command) -> Result<Self, Failure> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failed("did not start").cause(error))?;
        let (speaker, said) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().expect("it was asked for")).lines();
        // Reading in a thread of its own lets the tour wait with a limit, and keeps the program from ever waiting
        // for a full pipe. The thread ends with the pipe.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if speaker.send(line.parse()).is_err() {
                    break;
                }
            }
        });
        let mut errors = child.stderr.take().expect("it was asked for");
        let complaints = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read before an error is still worth telling.
            let _ = errors.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Ok(Self { child, said, complaints: Some(complaints), transfers: 0 })
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it says that it is ready.
    ///
    /// # Errors
    /// IMG-0904 when it ends, says something else, or lets `patience` run out.
    pub(crate) fn wait_ready(&mut self, patience: Duration) -> Result<Ledger, Failure> {
        match self.hear(Instant::now() + patience)? {
            Said::Ready(ledger) => Ok(ledger),
            Said::Transfers(_) => Err(failed("did not say that it is ready")),
        }
    }

    /// Waits until it has made more than `number` transfers, and says how many.
    ///
    /// # Errors
    /// As [`wait_ready`](Self::wait_ready).
    pub(crate) fn wait_transfers(&mut self, number: u64, patience: Duration) -> Result<u64, Failure> {
        let limit = Instant::now() + patience;
        while self.transfers <= number {
            if let Said::Transfers(number) = self.hear(limit)? {
                self.transfers = number;
            }
        }
        Ok(self.transfers)
    }

    /// Kills it with SIGKILL, in whatever it is doing, and says how many transfers it had made known.
    ///
    /// # Errors
    /// IMG-0904 when it had ended before.
    pub(crate) fn kill(mut self) -> Result<u64, Failure> {
        if let Ok(Some(_)) = self.child.try_wait() {
            return Err(self.complaint("ended before it was killed"));
        }
        self.child.kill().and_then(|()| self.child.wait()).map_err(|error| failed("cannot be killed").cause(error))?;
        while let Ok(Ok(said)) = self.said.recv() {
            if let Said::Transfers(number) = said {
                self.transfers = number;
            }
        }
        Ok(self.transfers)
    }

    fn hear(&mut self, limit: Instant) -> Result<Said, Failure> {
        match self.said.recv_timeout(limit.saturating_duration_since(Instant::now())) {
            Ok(Ok(said)) => Ok(said),
            Ok(Err(noise)) => Err(failed("said something else").cause(noise)),
            Err(RecvTimeoutError::Timeout) => Err(failed("does not answer")),
            Err(RecvTimeoutError::Disconnected) => Err(self.complaint("ended early")),
        }
    }

    /// What it wrote on standard error, once it has ended.
    fn complaint(&mut self, what: &str) -> Failure {
        // A program that closed its output and goes on would be waited for without end.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let text = self.complaints.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        with_first_line(failed(what), &text)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end and gives what it printed.
///
/// # Errors
/// IMG-0904 when it does not start or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<String, Failure> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| failed("did not start").cause(error))?;
    if !output.status.success() {
        let what = format!("failed ({})", output.status);
        return Err(with_first_line(failed(&what), &String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn failed(what: &str) -> Failure {
    Failure::new("IMG-0904", format!("a program of the tour {what}"))
}

fn with_first_line(failure: Failure, text: &str) -> Failure {
    match text.lines().find(|line| !line.trim().is_empty()) {
        Some(line) => failure.cause(line.trim()),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Program {
        Program::start(Command::new("sh").args(["-c", script])).unwrap()
    }

    fn is_running(pid: u32) -> bool {
        std::path::Path::new(&format!("/proc/{pid}")).exists()
    }

    #[test]
    fn a_program_is_heard_and_killed() {
        let script = "echo ready 3 3000 0; n=0; while :; do n=$((n+1)); echo transfers $n; sleep 0.01; done";
        let mut program = shell(script);
        let pid = program.pid();
        assert_eq!(program.wait_ready(PATIENCE), Ok(Ledger { packages: 3, tokens: 3_000, transfers: 0 }));
        let heard = program.wait_transfers(2, PATIENCE).unwrap();
        assert!(heard > 2);
        assert!(program.kill().unwrap() >= heard);
        assert!(!is_running(pid));
    }

    #[test]
    fn a_program_that_ends_is_a_failure_with_its_own_words() {
        let mut program = shell("echo 'error[IMG-0803]: no room' >&2; exit 9");
        let failure = program.wait_ready(PATIENCE).unwrap_err();
        assert_eq!((failure.code, failure.cause.as_deref()), ("IMG-0904", Some("error[IMG-0803]: no room")));
    }

    #[test]
    fn silence_and_noise_are_failures() {
        let failure = shell("sleep 600").wait_ready(Duration::from_millis(50)).unwrap_err();
        assert!(failure.message.contains("does not answer"), "{}", failure.message);
        let failure = shell("echo hello; sleep 600").wait_ready(PATIENCE).unwrap_err();
        assert!(failure.cause.is_some_and(|cause| cause.contains("hello")));
    }

    #[test]
    fn a_program_does_not_outlive_the_tour() {
        let mut program = shell("echo ready 1 1 1; exec sleep 600");
        program.wait_ready(PATIENCE).unwrap();
        let pid = program.pid();
        drop(program);
        assert!(!is_running(pid));
    }

    #[test]
    fn commands_give_their_output_or_their_first_complaint() {
        assert_eq!(run(Command::new("echo").arg("ok")), Ok("ok\n".into()));
        let failure = run(Command::new("sh").args(["-c", "echo; echo why >&2; exit 4"])).unwrap_err();
        assert_eq!(failure.cause.as_deref(), Some("why"));
    }
}
