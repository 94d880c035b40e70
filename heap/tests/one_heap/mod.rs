//! A folder with one heap in it, which programs of several versions open one after the other.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::path::{Path, PathBuf};

use heap::{Heap, Options, Transaction, TypeSet, Types};
use migrate::Answers;

/// The heap's folder, which is gone when the test is.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn heap(&self) -> PathBuf {
        self.0.path().join("test.heap")
    }
}

/// Opens the heap for these types, which must go.
pub(crate) fn open<S: TypeSet>(path: &Path) -> Heap {
    Heap::open_as::<S>(path).unwrap_or_else(|error| panic!("{error}"))
}

/// Opens the heap for these types with answers, as they stand in a file.
pub(crate) fn open_answered<S: TypeSet>(path: &Path, answers: &str) -> heap::Result<Heap> {
    let answers = Answers::from_toml(answers).unwrap();
    Heap::open_with(path, Options { types: Some(Types::of::<S>()?), answers, ..Options::default() })
}

/// Writes in one transaction.
pub(crate) fn write(heap: &Heap, write: impl FnOnce(&mut Transaction<'_>)) {
    let mut tx = heap.write().unwrap();
    write(&mut tx);
    tx.commit().unwrap();
}
