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
        Some(word) if !word.is_empty() => panic!("{VARIABLE} may be `write`, and is `{}`", word.display()),
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
pub enum Wish {
    /// Nothing.
    Check,
    /// A file that is missing.
    Begin,
    /// Any, where old heaps follow.
    Renew,
}

/// Whether the types are those of the file, with a note on what was written; else why not.
///
/// # Errors
/// Why the test fails.
pub fn held(types: &Types, file: &Path, wish: Wish) -> Result<Option<String>, String> {
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
