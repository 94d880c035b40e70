//! Answering the `image` command: a program says what its types are, and migrates a heap to them by its own hooks.
//!
//! The command starts the program with `IMAGE_ASKS` in its environment, `FD WISH`: the number of an inherited
//! descriptor, a space, and what is wanted. The program writes lines of JSON to that descriptor and exits with 0; the
//! rest of its `main` does not run. `docs/answer.md` has every line.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, Mutex, PoisonError};

use migrate::{Answers, Schema};
use serde_json::{Value, json};

use crate::announce;
use crate::error::{Error, Result};
use crate::front::Heap;
use crate::migration::{OnProgress, Progress};
use crate::options::Options;
use crate::raw;
use crate::types::{TypeSet, Types};

/// The variable that says what is wanted.
const ASKS: &str = "IMAGE_ASKS";
/// The variable that names the file of answers for a migration.
const ANSWERS: &str = "IMAGE_ANSWERS";
/// The variable that names the schema of an older program, to which the types are to go back.
const SCHEMA: &str = "IMAGE_SCHEMA";
/// The version of the lines.
const VERSION: u32 = 1;

/// Answers the `image` command, when it is what started the program: says what the record types `S` are, one or a tuple
/// of several, or migrates a heap to them. Then the process ends. Else nothing happens.
///
/// Call it first in `main`, before threads are started and files are opened:
///
/// ```
/// # use heap::{List, Record, Ref};
/// # #[derive(Record)]
/// # struct Board { tasks: List<Ref<Task>> }
/// # #[derive(Record)]
/// # struct Task { id: u64 }
/// fn main() {
///     heap::answer::<Board>();
///     // The program.
/// }
/// ```
///
/// Then `image migrate board.heap --to target/debug/board` knows the program's types and hooks. The heap is opened, and
/// the hooks run, in this process, as the program itself would do it.
pub fn answer<S: TypeSet>() {
    answer_if_asked(Types::of::<S>);
}

/// Answers the `image` command as [`answer`] does, of types with what runs [after](Types::after) a migration.
pub fn answer_with(types: &Types) {
    answer_if_asked(|| Ok(types.clone()));
}

fn answer_if_asked(types: impl FnOnce() -> Result<Types>) {
    let Some(asked) = std::env::var_os(ASKS) else { return };
    let Some((number, wish)) = Wish::parse(&asked) else { return };
    // Nobody listens where the variable has outlived the one who asked.
    let Ok(file) = raw::take_inherited(number) else { return };
    let told = Speaker::new(file).answer(wish, types().and_then(back_to_asked));
    process::exit(i32::from(told.is_err()));
}

/// What is wanted.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    /// What the types are.
    Schema,
    /// A heap migrated to them.
    Migrate(PathBuf),
    /// What a later version of the command knows.
    Unknown(OsString),
}

impl Wish {
    /// `FD schema` or `FD migrate PATH`; the path is the rest, whatever it is made of.
    fn parse(asked: &OsStr) -> Option<(RawFd, Self)> {
        let (number, wish) = split(asked.as_bytes());
        let number = std::str::from_utf8(number).ok()?.parse().ok()?;
        let wish = match split(wish) {
            (b"schema", b"") => Self::Schema,
            (b"migrate", path) if !path.is_empty() => Self::Migrate(OsStr::from_bytes(path).into()),
            _ => Self::Unknown(OsStr::from_bytes(wish).into()),
        };
        Some((number, wish))
    }
}

/// What stands before and behind the first space.
fn split(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|&byte| byte == b' ') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, b""),
    }
}

/// Writes lines to the one who asked.
#[derive(Debug, Clone)]
struct Speaker(Arc<Mutex<File>>);

impl Speaker {
    fn new(file: File) -> Self {
        Self(Arc::new(Mutex::new(file)))
    }

    /// One line, in one write where the system takes it.
    fn say(&self, line: &Value) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(format!("{line}\n").as_bytes())
    }

    fn answer(&self, wish: Wish, types: Result<Types>) -> io::Result<()> {
        let types = match types {
            Ok(types) => types,
            Err(error) => return self.say(&failure(&error, None)),
        };
        match wish {
            Wish::Schema => self.say(&introduction(Some(&types))),
            Wish::Migrate(path) => {
                // The answer to whether there is anybody; opening a large heap takes a while.
                self.say(&introduction(None))?;
                self.migrate(&path, types)
            }
            Wish::Unknown(wish) => {
                let message = format!("the program's version of heap knows no {:?}", wish.to_string_lossy());
                self.say(&json!({ "error": { "code": "IMG-0701", "message": message } }))
            }
        }
    }

    fn migrate(&self, path: &Path, types: Types) -> io::Result<()> {
        let panicked = PanickedAt::watch();
        let speaker = self.clone();
        let on_progress = OnProgress::new(move |progress| {
            let line = match progress {
                Progress::Begun { records } => json!({ "begun": records }),
                Progress::Converted { records } => json!({ "converted": records }),
                Progress::Committed => json!({ "committed": true }),
            };
            if speaker.say(&line).is_err() && progress != Progress::Committed {
                // Whoever asked is gone, before anything was changed.
                process::exit(1);
            }
        });
        let migrated = migrate(path, types, on_progress);
        match migrated {
            Ok(()) => self.say(&json!({ "done": true })),
            Err(error) => self.say(&failure(&error, panicked.place())),
        }
    }
}

fn migrate(path: &Path, types: Types, on_progress: OnProgress) -> Result<()> {
    if !path.exists() {
        return Err(Error::NotFound { path: path.to_owned() });
    }
    let answers = match std::env::var_os(ANSWERS) {
        Some(file) => read_answers(Path::new(&file))?,
        None => Answers::default(),
    };
    let on_progress = Some(on_progress);
    drop(Heap::open_with(path, Options { types: Some(types), answers, on_progress, ..Options::default() })?);
    Ok(())
}

/// The types of the older program that is asked for, with the `down` hooks of these; these, where none is.
fn back_to_asked(types: Types) -> Result<Types> {
    let Some(file) = std::env::var_os(SCHEMA) else { return Ok(types) };
    let file = Path::new(&file);
    let failed = |source| Error::Io { action: format!("read {}", file.display()), source };
    let text = std::fs::read_to_string(file).map_err(failed)?;
    let schema = Schema::from_json(&text);
    types.back_to(schema.map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error)))?)
}

fn read_answers(file: &Path) -> Result<Answers> {
    let failed = |source| Error::Io { action: format!("read {}", file.display()), source };
    let text = std::fs::read_to_string(file).map_err(failed)?;
    Answers::from_toml(&text).map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error)))
}

/// The first line: who answers, and with `types` what they are.
fn introduction(types: Option<&Types>) -> Value {
    let mut line = json!({ "image": VERSION, "program": announce::program_name() });
    if let Some(types) = types {
        line["hooks"] = types.hooked().collect();
        line["after"] = types.after_all().is_some().into();
        // As a text, for its own JSON has more than one line, and numbers that not every reader takes.
        line["schema"] = types.schema().to_json().into();
    }
    line
}

/// The last line where it did not work.
fn failure(error: &Error, panicked: Option<String>) -> Value {
    let (message, cause) = match error {
        Error::Hook { record, what } => {
            let place = panicked.map_or_else(String::new, |place| format!(" ({place})"));
            let message = format!("migration hook of {} failed; the heap is unchanged", record.type_name);
            (message, Some(format!("{}#{}: {what}{place}", record.type_name, record.number)))
        }
        Error::Io { action, source } => (action.clone(), Some(source.to_string())),
        Error::NoRoom(source) => ("no room on the disk".to_owned(), Some(source.to_string())),
        Error::Refused { refusal, .. } => ("the heap is left as it is".to_owned(), Some(refusal.to_string())),
        error => (error.to_string(), None),
    };
    let mut line = json!({ "error": { "code": error.code(), "message": message, "cause": cause } });
    if let Error::Hook { record, .. } = error {
        line["error"]["record"] = format!("{}#{}", record.type_name, record.number).into();
    }
    line
}

/// Where the last panic was. The process only answers, and ends, so its panic hook is ours to set.
#[derive(Debug, Clone, Default)]
struct PanickedAt(Arc<Mutex<Option<String>>>);

impl PanickedAt {
    fn watch() -> Self {
        let watch = Self::default();
        let told = watch.clone();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(ToString::to_string);
            *told.0.lock().unwrap_or_else(PoisonError::into_inner) = place;
        }));
        watch
    }

    fn place(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::error::RecordName;

    #[test]
    fn wishes_are_read_to_the_last_byte() {
        let read = |asked: &[u8]| Wish::parse(OsStr::from_bytes(asked));
        assert_eq!(read(b"3 schema"), Some((3, Wish::Schema)));
        let path = OsStr::from_bytes(b"/a b/\xff ").into();
        assert_eq!(read(b"7 migrate /a b/\xff "), Some((7, Wish::Migrate(path))));
        for later in [&b"7 migrate"[..], b"7 migrate ", b"7", b"7 dance 3", b"7 schema 2"] {
            assert!(matches!(read(later), Some((7, Wish::Unknown(_)))), "{later:?}");
        }
        for nothing in [&b""[..], b"schema", b"x schema", b"99999999999999 schema"] {
            assert_eq!(read(nothing), None);
        }
    }

    #[test]
    fn a_wish_of_a_later_version_is_answered() {
        let (mut reader, writer) = io::pipe().unwrap();
        let speaker = Speaker::new(std::os::fd::OwnedFd::from(writer).into());
        speaker.answer(Wish::Unknown("dance".into()), Ok(Types::default())).unwrap();
        drop(speaker);
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        let line: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(line["error"]["code"], "IMG-0701");
        assert!(said.ends_with('\n') && said.lines().count() == 1);
    }

    #[test]
    fn a_failed_hook_names_its_record_and_the_place_of_the_panic() {
        let record = RecordName { type_name: "Node".into(), number: 4711, generation: 3 };
        let error = Error::Hook { record, what: "it panicked: negative score".into() };
        let line = failure(&error, Some("src/migrate.rs:31:9".into()));
        assert_eq!(line["error"]["code"], "IMG-0705");
        assert_eq!(line["error"]["record"], "Node#4711");
        assert_eq!(line["error"]["cause"], "Node#4711: it panicked: negative score (src/migrate.rs:31:9)");
    }
}
