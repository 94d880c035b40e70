//! The schema lock as a program adds it: one line.

use std::fs;

use heap::lock::{Wish, held};
use heap::{List, Record, Ref, Text, TypeSet, Types};

#[derive(Record)]
#[repr(C)]
struct Board {
    title: Text,
    tasks: List<Ref<Task>>,
}

#[derive(Record)]
#[repr(C)]
struct Task {
    id: u64,
    done: bool,
    #[record(secret)]
    note: Text,
}

heap::schema_lock!("tests/schema.lock", Board, Task);

mod before {
    use heap::{Record, Text};

    #[derive(Record)]
    pub(super) struct Task {
        pub(super) id: u32,
        pub(super) title: Text,
    }
}

mod answered {
    use heap::{Record, Text};

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
    use heap::{Record, Text};

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
    let answers = {
        let (old, new) = (before.schema().fingerprint(), changed.schema().fingerprint());
        folder.path().join(format!("migrations/{old}-{new}.toml"))
    };
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
