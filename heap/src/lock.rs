//! The schema lock: a test that fails when a program's types changed, and says how heaps of the old ones will follow.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use migrate::{Answers, Plan, Refusal, Schema};

use crate::types::{TypeSet, Types};

/// The variable that has the file renewed.
const VARIABLE: &str = "HEAP_SCHEMA_LOCK";

/// A test that holds a program's record types against a file beside its `Cargo.toml`, which is committed with the code.
///
/// ```
/// # use heap::{List, Record, Ref};
/// # #[derive(Record)]
/// # struct Board { tasks: List<Ref<Task>> }
/// # #[derive(Record)]
/// # struct Task { id: u64 }
/// heap::schema_lock!("schema.lock", Board, Task);
/// ```
///
/// The first run writes the file. After that the test passes for as long as the types lie as the file says. When they
/// do not, it fails: where it is known how every record of an old heap follows, it says how, and that the file is to be
/// renewed by `HEAP_SCHEMA_LOCK=write cargo test`; where it is not, it lists the lines to add. Known is what the layouts
/// alone decide, what attributes and hooks of the types say, and what is answered in `migrations/OLD-NEW.toml` beside
/// the file. Where the variable `CI` is set, a file that is missing is a failure too.
///
/// The test is named `schema_lock`: of two in one module, put one into a module of its own.
#[macro_export]
macro_rules! schema_lock {
    ($file:literal, $($record:ty),+ $(,)?) => {
        #[cfg(test)]
        #[test]
        fn schema_lock() {
            $crate::lock::hold::<($($record,)+)>(::std::concat!(::std::env!("CARGO_MANIFEST_DIR"), "/", $file));
        }
    };
}

/// What [`schema_lock!`](crate::schema_lock) expands to a call of.
///
/// # Panics
/// When the types are not those of the file, with what to do.
pub fn hold<S: TypeSet>(file: &str) {
    let wish = match std::env::var_os(VARIABLE) {
        Some(word) if word == "write" => Wish::Renew,
        Some(word) if !word.is_empty() => panic!("{VARIABLE} may be `write`, and is {word:?}"),
        _ if std::env::var_os("CI").is_some_and(|word| !word.is_empty()) => Wish::Check,
        _ => Wish::Begin,
    };
    let types = Types::of::<S>().unwrap_or_else(|error| panic!("{error}"));
    match held(&types, Path::new(file), wish) {
        Ok(Some(note)) => eprintln!("{note}"),
        Ok(None) => {}
        Err(why) => panic!("{why}"),
    }
}

/// What may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// Nothing.
    Check,
    /// A file that is missing.
    Begin,
    /// Any, where old heaps follow.
    Renew,
}

/// Whether the types are those of the file, with a note on what was written; else why not.
fn held(types: &Types, file: &Path, wish: Wish) -> Result<Option<String>, String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let schema = types.schema();
    let write = || fs::write(file, schema.to_json()).map_err(|error| format!("writing {}: {error}", file.display()));
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && wish == Wish::Check => {
            return Err(format!("{} is missing: run `cargo test` once and commit the file", file.display()));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write()?;
            return Ok(Some(format!("{name} is written; commit it")));
        }
        read => read.map_err(|error| format!("reading {}: {error}", file.display()))?,
    };
    let locked = Schema::from_json(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    if locked.fingerprint() == schema.fingerprint() {
        return Ok(None);
    }
    let answers = answers(file, &locked, types)?;
    let plan = Plan::with_answers(&locked, schema, &answers);
    if let Some(refusal) = unanswered(&plan) {
        let mut why = format!("{name}: the types have changed, and nothing says how old heaps follow\n{refusal}");
        let _ = write!(why, "\nadd one of these lines for each, or answer in {}", answers_file(&locked, schema));
        let _ = write!(why, " beside {name}; if no heap was ever written by the old types, remove {name}");
        return Err(why);
    }
    if wish == Wish::Renew {
        write()?;
        return Ok(Some(format!("{name} is renewed; commit it\n{plan}")));
    }
    Err(format!(
        "{name}: the types have changed, and old heaps follow\n{plan}\nrenew {name} and commit it: {VARIABLE}=write cargo \
         test"
    ))
}

/// What was answered about the change, and which types have hooks.
fn answers(file: &Path, locked: &Schema, types: &Types) -> Result<Answers, String> {
    let file = file.with_file_name(answers_file(locked, types.schema()));
    let answers = match fs::read_to_string(&file) {
        Ok(text) => Answers::from_toml(&text).map_err(|error| format!("{}: {error}", file.display()))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Answers::default(),
        Err(error) => return Err(format!("reading {}: {error}", file.display())),
    };
    Ok(Answers { hooks: types.hooked().map(str::to_owned).collect(), ..answers })
}

/// Where the answers about a change are kept.
fn answers_file(old: &Schema, new: &Schema) -> String {
    format!("migrations/{}-{}.toml", old.fingerprint(), new.fingerprint())
}

/// What a plan leaves open, whatever a heap may hold. What only a heap's values can decide is decided when it is
/// opened.
fn unanswered(plan: &Plan) -> Option<Refusal> {
    if plan.questions.is_empty() && plan.faults.is_empty() {
        return None;
    }
    let questions = plan.questions.iter().map(|question| (question.clone(), None)).collect();
    Some(Refusal { faults: plan.faults.clone(), questions, failures: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    mod before {
        use crate::{Record, Text};

        #[derive(Record)]
        pub(super) struct Task {
            pub(super) id: u32,
            pub(super) title: Text,
        }
    }

    mod answered {
        use crate::{Record, Text};

        #[derive(Record)]
        pub(super) struct Task {
            pub(super) id: u64,
            #[record(was = "title")]
            pub(super) name: Text,
            #[record(default = 3)]
            pub(super) priority: u8,
        }
    }

    mod unanswered {
        use crate::{Record, Text};

        #[derive(Record)]
        pub(super) struct Task {
            pub(super) id: u32,
            pub(super) name: Text,
        }
    }

    fn types<S: TypeSet>() -> Types {
        Types::of::<S>().unwrap()
    }

    #[test]
    fn the_file_is_begun_once_and_has_the_same_bytes_every_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("schema.lock");
        let types = types::<before::Task>();
        assert!(held(&types, &file, Wish::Check).unwrap_err().contains("run `cargo test` once and commit"));
        assert!(!file.exists());
        assert!(held(&types, &file, Wish::Begin).unwrap().unwrap().contains("commit it"));
        let written = fs::read(&file).unwrap();
        for wish in [Wish::Check, Wish::Begin, Wish::Renew] {
            assert_eq!(held(&types, &file, wish), Ok(None));
        }
        fs::remove_file(&file).unwrap();
        held(&types, &file, Wish::Begin).unwrap();
        assert_eq!(fs::read(&file).unwrap(), written);
    }

    #[test]
    fn a_change_that_is_answered_asks_for_a_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("schema.lock");
        held(&types::<before::Task>(), &file, Wish::Begin).unwrap();
        let written = fs::read(&file).unwrap();
        let changed = types::<answered::Task>();
        for wish in [Wish::Check, Wish::Begin] {
            let why = held(&changed, &file, wish).unwrap_err();
            assert!(why.contains("priority") && why.contains("HEAP_SCHEMA_LOCK=write cargo test"), "{why}");
            assert_eq!(fs::read(&file).unwrap(), written, "a failing test writes nothing");
        }
        assert!(held(&changed, &file, Wish::Renew).unwrap().unwrap().contains("renewed"));
        assert_eq!(held(&changed, &file, Wish::Check), Ok(None));
    }

    #[test]
    fn a_change_that_nobody_explained_is_refused_until_it_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("schema.lock");
        let (before, changed) = (types::<before::Task>(), types::<unanswered::Task>());
        held(&before, &file, Wish::Begin).unwrap();
        for wish in [Wish::Check, Wish::Begin, Wish::Renew] {
            let why = held(&changed, &file, wish).unwrap_err();
            assert!(why.contains("Task.title") && why.contains("was = \"title\""), "{why}");
            assert!(why.contains("migrations/"), "{why}");
        }
        let answers = folder.path().join(answers_file(before.schema(), changed.schema()));
        fs::create_dir(answers.parent().unwrap()).unwrap();
        fs::write(&answers, "[Task]\nrename = { title = \"name\" }\n").unwrap();
        assert!(held(&changed, &file, Wish::Check).unwrap_err().contains("old heaps follow"));
        fs::write(&answers, "[Task]\nrename = { title = \"nmae\" }\n").unwrap();
        assert!(held(&changed, &file, Wish::Check).unwrap_err().contains("nmae"));
    }

    #[test]
    fn a_file_that_is_no_schema_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("schema.lock");
        for text in ["", "{", "[[[[", "{\"types\":7}"] {
            fs::write(&file, text).unwrap();
            assert!(held(&types::<before::Task>(), &file, Wish::Begin).unwrap_err().contains("schema.lock"));
        }
    }
}
