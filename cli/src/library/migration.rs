//! What the command asks of the library about a heap whose types are to change.

use std::fs::File;
use std::io;
use std::path::Path;

use heap::format::header::FileState;
use heap::read::read_header;
use heap::storage::real::RealStorage;
use heap::storage::{Lock, LockMode, Storage};
use heap::{OnProgress, Types, control};
use image::FileReport;
use image::inspect::{Item, Value, View};
use migrate::{Answers, Findings, Plan, Schema};

use super::{look, records, values};
use crate::commands::show;
use crate::failure::Failure;

/// A heap whose types are not those that are asked for.
#[derive(Debug)]
pub(crate) struct Pending {
    /// How its records would follow.
    pub(crate) plan: Plan,
    /// What its live values say about that.
    pub(crate) findings: Findings,
}

/// What a heap holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    /// Its last commit.
    pub(crate) sequence: u64,
    /// Its live records.
    pub(crate) records: u64,
}

/// The types of a heap or an image.
pub(crate) fn schema(file: &Path) -> Result<Schema, Failure> {
    look(file, |_, reader| Ok(reader.catalog().registry().schema.current()))
}

/// How the records of a heap or an image would follow these types; none where nothing has to be done.
pub(crate) fn pending(file: &Path, types: &Types, answers: &Answers) -> Result<(State, Option<Pending>), Failure> {
    look(file, |opened, reader| {
        let state = State { sequence: opened.sequence(), records: records(reader.catalog()) };
        let planned = types.plan(reader, answers)?;
        Ok((state, planned.map(|(plan, findings)| Pending { plan, findings })))
    })
}

/// The writer's lock on a heap, which is given up by dropping it.
#[derive(Debug)]
pub(crate) struct Locked {
    _storage: RealStorage,
}

/// Takes the writer's lock.
pub(crate) fn lock(heap: &Path) -> Result<Locked, Failure> {
    let file = File::open(heap).map_err(|error| Failure::reading(heap, &error))?;
    let failed = |error: heap::Error| Failure::about(heap, error.into());
    let (header, _) = read_header(&file, heap).map_err(failed)?;
    if header.state == FileState::Image {
        let (found, remedy) = ("a sealed image", "Heap::open_image");
        return Err(failed(heap::Error::WrongDoor { path: heap.to_owned(), found, remedy }));
    }
    let storage = RealStorage::open(heap).map_err(failed)?;
    match storage.lock(Lock::Writer, LockMode::Exclusive) {
        Ok(true) => Ok(Locked { _storage: storage }),
        Ok(false) => {
            let pid = control::for_heap(heap).map(|info| info.pid);
            Err(failed(heap::Error::Busy { path: heap.to_owned(), pid }))
        }
        Err(source) => Err(failed(heap::Error::Io { action: format!("locking {}", heap.display()), source })),
    }
}

/// Migrates a heap to types that need no hooks.
pub(crate) fn migrate(heap: &Path, types: &Types, answers: &Answers, on_progress: OnProgress) -> Result<(), Failure> {
    // A heap that is gone is not made anew.
    File::open(heap).map_err(|error: io::Error| Failure::reading(heap, &error))?;
    let options = heap::Options {
        types: Some(types.clone()),
        answers: answers.clone(),
        on_progress: Some(on_progress),
        background: false,
        ..heap::Options::default()
    };
    heap::Heap::open_with(heap, options).map(drop).map_err(|error| Failure::about(heap, error.into()))
}

/// Looks at the whole heap: how many references were checked, and how many records there are.
pub(crate) fn verified(heap: &Path) -> Result<(u64, State), Failure> {
    look(heap, |opened, reader| {
        let report = FileReport::of(reader)?;
        let state = State { sequence: opened.sequence(), records: records(reader.catalog()) };
        Ok((report.values.references, state))
    })
}

/// Values of a field with the records they belong to: the first `most` of those that are `wanted`. The field is a path
/// of names; where it leads nowhere, there are none.
pub(crate) fn sample(
    file: &Path,
    type_name: &str,
    field: &str,
    most: usize,
    wanted: impl Fn(&show::Value) -> bool,
) -> Result<Vec<(String, show::Value)>, Failure> {
    look(file, |_, reader| {
        let view = View::of_reader(reader)?;
        let mut sample = Vec::new();
        let Some(table) = view.table_of(type_name) else { return Ok(sample) };
        for record in view.records(table) {
            let record = record?;
            let Some(value) = inner(&view, &record.value, field)? else { continue };
            if wanted(&value) {
                sample.push((view.name(record.reference), value));
            }
            if sample.len() == most {
                break;
            }
        }
        Ok(sample)
    })
}

fn inner<'r>(view: &View<'r>, item: &Item<'r>, path: &str) -> Result<Option<show::Value>, image::Error> {
    let mut item = item.clone();
    for name in path.split('.') {
        let Value::Struct(fields) = view.decode(&item)? else { return Ok(None) };
        let Some((_, found)) = fields.into_iter().find(|(known, _)| *known == name) else { return Ok(None) };
        item = found;
    }
    values::value(view, &view.decode(&item)?).map(Some)
}
