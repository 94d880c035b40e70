//! Failures: a stable code, an exit code, what happened, why, and what to type next.

use std::fmt;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use crate::escape::visible;
use crate::explain;
use crate::figures;
use crate::output::Output;

/// The exit codes. They are frozen: scripts rest on them. A command that fails nowhere gives `Done` or `No`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// The answer is no: differs, pending, no match.
    No = 1,
    /// Usage or query syntax.
    Usage = 2,
    /// A human decision is needed.
    Decision = 3,
    /// Damaged data.
    Damaged = 4,
    /// Not found or not reachable.
    NotFound = 5,
    /// Not permitted, or a key is missing.
    NotPermitted = 6,
    /// Incompatible version or schema.
    Incompatible = 7,
    /// Busy or timed out.
    Busy = 8,
    /// I/O error.
    Io = 9,
    /// Interrupted.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked to.
///
/// For people it is printed on standard error; with `--json` it is one object on standard output, so that a caller
/// finds the answer, good or bad, in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// `IMG-nnnn`; `image explain` says more.
    pub(crate) code: &'static str,
    /// The process's exit code.
    pub(crate) exit: Exit,
    /// What happened.
    pub(crate) message: String,
    /// Why.
    pub(crate) cause: Option<String>,
    /// What to type next.
    pub(crate) help: Option<String>,
}

impl Failure {
    /// A failure with the exit code that the catalogue gives for `code`.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        let exit = explain::find(code).map_or(Exit::Io, |explanation| explanation.exit);
        Self { code, exit, message: message.into(), cause: None, help: None }
    }

    /// With the reason.
    pub(crate) fn cause(self, cause: impl fmt::Display) -> Self {
        Self { cause: Some(cause.to_string()), ..self }
    }

    /// With what to type next.
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// A file that could not be read.
    pub(crate) fn reading(path: &Path, error: &io::Error) -> Self {
        let shown = path.display();
        match error.kind() {
            io::ErrorKind::NotFound => Self::new("IMG-0502", format!("{shown} does not exist")),
            io::ErrorKind::PermissionDenied => {
                Self::new("IMG-0610", format!("{shown} may not be read")).cause(error).help(format!("ls -l {shown}"))
            }
            _ => Self::new("IMG-0901", format!("reading {shown} failed")).cause(error),
        }
    }

    /// A file that could not be written.
    pub(crate) fn writing(path: &Path, error: &io::Error) -> Self {
        let shown = path.display();
        match error.kind() {
            io::ErrorKind::AlreadyExists => Self::new("IMG-0602", format!("{shown} exists; nothing was written"))
                .help("choose another name, or replace it atomically with --force"),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::new("IMG-0601", format!("{shown} may not be written; nothing was written")).cause(error)
            }
            io::ErrorKind::NotFound => Self::new("IMG-0502", format!("the folder of {shown} does not exist")),
            _ => Self::new("IMG-0903", format!("writing {shown} failed; nothing is left of it")).cause(error),
        }
    }

    /// What went wrong with the file at `path`.
    pub(crate) fn about(path: &Path, error: image::Error) -> Self {
        let code = error.code();
        let shown = path.display();
        match error {
            image::Error::Heap(heap::Error::Corrupt { at, what }) => {
                Self::new(code, format!("{shown} is damaged at {at}")).cause(what).help(format!("image verify {shown}"))
            }
            image::Error::Heap(heap::Error::LostHold) => Self::new(code, format!("{shown} was written to too fast"))
                .cause(heap::Error::LostHold)
                .help("try again, onto a faster disk or with a larger Options::log_limit in the program"),
            image::Error::Heap(heap::Error::WrongDoor { found, .. }) => {
                Self::new(code, format!("{shown} is {found}; nothing was written")).help(format!("image info {shown}"))
            }
            image::Error::Heap(error) => Self::from(error),
            image::Error::Exists { path } => Self::writing(&path, &io::ErrorKind::AlreadyExists.into()),
            image::Error::Secrets { fields } => Self::new(code, "the heap has secret fields; nothing was written")
                .cause(format!("{} cannot be redacted by this version", fields.join(", ")))
                .help("the heap's owner may add: --include-secrets --reason \"…\""),
            image::Error::Manifest(what) | image::Error::Content(what) => {
                Self::new(code, format!("{shown} is not the image that was sealed")).cause(what)
            }
            image::Error::Unknown { ref instead, .. } => {
                let help = did_you_mean(instead).unwrap_or_else(|| format!("image open {shown}"));
                Self::new(code, error.to_string()).help(help)
            }
            image::Error::Nothing { ref at, ref instead, .. } => {
                let help = did_you_mean(instead).unwrap_or_else(|| format!("image show {shown} '{at}'"));
                Self::new(code, error.to_string()).help(help)
            }
            image::Error::Io { action, source } if action.starts_with("writing") => match source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Self::new("IMG-0601", format!("{action} is not permitted; nothing was written")).cause(source)
                }
                io::ErrorKind::NotFound => Self::new("IMG-0502", format!("{action} failed: there is no such folder")),
                _ => Self::new("IMG-0903", format!("{action} failed; nothing is left of it")).cause(source),
            },
            image::Error::Io { action, source } if source.kind() == io::ErrorKind::PermissionDenied => {
                Self::new("IMG-0610", format!("{action} is not permitted")).cause(source).help(format!("ls -l {shown}"))
            }
            image::Error::Io { action, source } => Self::new(code, format!("{action} failed")).cause(source),
            error => Self::new(code, error.to_string()),
        }
    }

    /// Prints it where it belongs. A standard output or error that is closed is no further failure.
    pub(crate) fn print(&self, output: &mut Output) {
        if output.is_json() {
            let _ = output.json(&self.to_json());
            let _ = output.flush();
        } else {
            let _ = output.flush();
            let color = output.color_for(io::stderr().is_terminal());
            // One write, so that lines of several processes do not mix.
            let _ = io::Write::write_all(&mut io::stderr(), self.to_text(color).as_bytes());
        }
    }

    fn to_text(&self, color: bool) -> String {
        use fmt::Write;
        let (red, plain) = if color { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        let mut text = format!("{red}error[{}]{plain}: {}\n", self.code, visible(&self.message));
        if let Some(cause) = &self.cause {
            writeln!(text, "  cause: {}", visible(cause)).expect("a String takes everything");
        }
        writeln!(text, "  help:  {}", visible(&self.next_step())).expect("a String takes everything");
        text
    }

    fn next_step(&self) -> String {
        self.help.clone().unwrap_or_else(|| format!("image explain {}", self.code))
    }

    fn to_json(&self) -> impl Serialize {
        #[derive(Serialize)]
        struct Wrapper {
            error: Body,
        }
        #[derive(Serialize)]
        struct Body {
            code: &'static str,
            message: String,
            cause: Option<String>,
            help: String,
            exit: u8,
        }
        let (message, cause, help) = (self.message.clone(), self.cause.clone(), self.next_step());
        Wrapper { error: Body { code: self.code, message, cause, help, exit: self.exit as u8 } }
    }
}

fn did_you_mean(instead: &[String]) -> Option<String> {
    (!instead.is_empty()).then(|| format!("did you mean {}?", instead.join(" or ")))
}

impl From<heap::Error> for Failure {
    fn from(error: heap::Error) -> Self {
        let code = error.code();
        match error {
            heap::Error::Io { action, source } if source.kind() == io::ErrorKind::PermissionDenied => {
                Self::new("IMG-0610", action).cause(source)
            }
            heap::Error::Io { action, source } => Self::new(code, action).cause(source),
            heap::Error::NoRoom(source) => Self::new(code, "no room on the disk").cause(source).help("df -h"),
            heap::Error::Header { path, fault } => {
                Self::new(code, format!("{} cannot be read as a heap or an image", path.display())).cause(fault)
            }
            heap::Error::Corrupt { at, what } => Self::new(code, format!("damaged at {at}")).cause(what),
            heap::Error::MovedOn { commits, as_of, .. } => {
                let confirm = match commits {
                    0 => "--rollback   alone loses nothing".to_owned(),
                    commits => format!("--lose-commits {commits}   confirms"),
                };
                Self::new(code, error.to_string())
                    .cause(format!("old extents are kept as they were at commit {}", figures::count(as_of)))
                    .help(format!("{confirm};   or migrate back with a down hook or an inverse plan"))
            }
            heap::Error::NothingKept { ref path } => {
                let help = format!("image info --history {}", path.display());
                Self::new(code, error.to_string()).help(help)
            }
            heap::Error::Busy { .. } => Self::new(code, error.to_string()).help("image ps"),
            error => Self::new(code, error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_the_three_lines_and_no_control_characters_of_others() {
        let failure = Failure::new("IMG-0502", "a\u{1b}[2J\nb does not exist").cause("\u{202e}x");
        let text = failure.to_text(false);
        let expected =
            "error[IMG-0502]: a\\u{1b}[2J\\nb does not exist\n  cause: \\u{202e}x\n  help:  image explain IMG-0502\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn errors_of_the_heap_keep_their_code_and_split_off_their_cause() {
        let io = heap::Error::Io { action: "reading a.heap".into(), source: io::Error::other("cable") };
        let failure = Failure::from(io);
        assert_eq!((failure.code, failure.exit), ("IMG-0901", Exit::Io));
        assert_eq!((failure.message.as_str(), failure.cause.as_deref()), ("reading a.heap", Some("cable")));

        let busy = heap::Error::Busy { path: "a.heap".into(), pid: Some(4127) };
        let failure = Failure::from(busy);
        assert_eq!((failure.code, failure.exit, failure.help.as_deref()), ("IMG-0801", Exit::Busy, Some("image ps")));

        let denied =
            heap::Error::Io { action: "opening a.heap".into(), source: io::ErrorKind::PermissionDenied.into() };
        assert_eq!(Failure::from(denied).exit, Exit::NotPermitted);
    }
}
