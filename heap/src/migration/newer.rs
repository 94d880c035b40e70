//! A heap that is newer than the program: what its history says of the way back to the program's types.
//!
//! A migration's receipt has, for each type, the fingerprints of its layout before and after. So a heap knows that a
//! program's layout is one that it had, and by which migrations it came from there. What they renamed is renamed back;
//! where one of them left nothing to come back to, the heap is refused, unless the program says what is to be there: by
//! a hook, or by a default.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use migrate::{Answers, Body, Fault, Plan, Schema, TypeDescriptor, joined};

use super::receipt::{self, Told};
use crate::error::Error;
use crate::format::history::{History, Receipt};

/// The way back to a program's types.
#[derive(Debug, Default)]
pub(crate) struct WayBack {
    /// What the migrations renamed.
    pub(crate) answers: Answers,
    /// What cannot be brought back.
    pub(crate) faults: Vec<Fault>,
    /// The types that the heap had and that have hooks, which may be meant for still older ones; and what made the heap
    /// newer.
    hooked: BTreeMap<String, String>,
}

impl WayBack {
    /// An error about a type's hook, which may be no wonder.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match error {
            Error::Unsupported { name, why } if self.hooked.contains_key(&name) => {
                let why =
                    format!("{}; a `down` hook of the newer program makes a way back ({why})", self.hooked[&name]);
                Error::Unsupported { name, why }
            }
            error => error,
        }
    }
}

/// The way from a heap's types back to a program's, for those that the heap had once; `answers` are what people said, and
/// `is_live` says whether the heap has records of a type.
pub(crate) fn way_back(
    history: &History,
    heap: &Schema,
    program: &Schema,
    answers: &Answers,
    is_live: impl Fn(&str) -> bool,
) -> WayBack {
    let since: BTreeMap<&str, Since<'_>> = program
        .types
        .iter()
        .filter_map(|described| {
            let before = described.fingerprint(program).to_string();
            let is_current = heap.types.iter().any(|known| known.fingerprint(heap).to_string() == before);
            let since = if is_current { None } else { Since::of(history, &before) };
            since.map(|since| (&*described.name, since))
        })
        .collect();
    if since.is_empty() {
        return WayBack::default();
    }
    let is_hooked = |name: &str| answers.hooks.contains(name);
    let plan = Plan::between(program, heap);
    let (mut renames, mut faults) = plan.way_back(|described| since.contains_key(&*described.name));
    faults.append(&mut settle(&mut renames, program, answers));
    for (&name, since) in &since {
        let described = program.get(name);
        faults.extend(described.into_iter().flat_map(|described| since.faults(described)));
    }
    // What no record holds, or only such as a hook makes, need not be brought back.
    let name_now = |name: &str| {
        let now = renames.rename.iter().find(|(_, program_name)| *program_name == name);
        now.map_or(name, |(heap_name, _)| heap_name).to_owned()
    };
    let names = program.types.iter().map(|described| &*described.name);
    let converted = program.held_by(names.filter(|name| !is_hooked(name) && is_live(&name_now(name))));
    faults.retain(|fault| converted.contains(type_name(fault)) && !says_what_is_there(fault, program, answers));
    faults.sort_by(|one, other| one.place.cmp(&other.place));
    faults.dedup_by(|one, other| one.place == other.place);
    for fault in &mut faults {
        if let Some(since) = since.get(type_name(fault)) {
            fault.what = format!("{since}, and there is no way back: {}; a `down` hook makes one", fault.what);
        }
    }
    let hooked = since.iter().filter(|(name, _)| is_hooked(name));
    let hooked = hooked.map(|(&name, since)| (name.to_owned(), since.to_string())).collect();
    WayBack { answers: renames, faults, hooked }
}

/// Takes from the renames what people said otherwise; and what the program says is dropped, which may be another thing of
/// that name: nobody but a person knows which.
fn settle(renames: &mut Answers, program: &Schema, answers: &Answers) -> Vec<Fault> {
    let mut faults = Vec::new();
    let Answers { rename: types, types: fields, .. } = renames;
    for (name, renames) in fields {
        let heap_name = types.iter().find(|(_, known)| *known == name).map_or(name, |(heap_name, _)| heap_name);
        let said = answers.of(name, heap_name);
        renames
            .rename
            .retain(|field, _| !said.is_some_and(|said| said.drop.contains(field) || said.rename.contains_key(field)));
        let dropped = program.get(name).map_or(&[][..], |described| &described.attributes.dropped);
        for (field, before) in renames.rename.iter().filter(|(field, _)| dropped.contains(field)) {
            let what = format!(
                "the {field} that the program drops was its {before}, which an answer drops \
                 ({name}: drop = [{field:?}]) or keeps (rename = {{ {field:?} = {before:?} }})"
            );
            faults.push(Fault { place: format!("{name}.{field}"), what });
        }
    }
    faults
}

/// The type that a fault is about.
fn type_name(fault: &Fault) -> &str {
    fault.place.split(['.', ':']).next().unwrap_or_default()
}

/// Whether the program or an answer gives a field what it then holds.
fn says_what_is_there(fault: &Fault, program: &Schema, answers: &Answers) -> bool {
    let name = type_name(fault);
    let place = &fault.place[name.len()..];
    // As answers name it: `day`, or `Started.day`.
    let Some(field) = place.strip_prefix("::").or_else(|| place.strip_prefix('.')) else { return false };
    let described = program.get(name);
    let known = described.and_then(|described| match (&described.body, field.split_once('.')) {
        (Body::Struct(fields), _) => fields.iter().find(|known| known.name == field),
        (Body::Enum { variants, .. }, Some((variant, field))) => {
            let variant = variants.iter().find(|known| known.name == variant)?;
            variant.fields.iter().find(|known| known.name == field)
        }
        (Body::Enum { .. }, None) => None,
    });
    known.is_some_and(|known| known.attributes.default.is_some())
        || answers.types.get(name).is_some_and(|answers| answers.default.contains_key(field))
}

/// What migrations did to a type since it had a layout, the oldest first.
struct Since<'h>(Vec<(&'h Receipt, Told<'h>)>);

impl fmt::Display for Since<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the heap is newer than the program")?;
        match self.0.first() {
            Some((receipt, _)) => write!(f, " (by commit {} of {})", receipt.sequence, receipt.program),
            None => Ok(()),
        }
    }
}

impl<'h> Since<'h> {
    fn of(history: &'h History, layout: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let stands = receipt::standing(history);
        // The last time that the heap had the layout.
        let first = stands.iter().rposition(|receipt| receipt::told(receipt).any(|told| told.is_from(layout)))?;
        let mut layout = layout.to_owned();
        for receipt in &stands[first..] {
            if let Some(told) = receipt::told(receipt).find(|told| told.is_from(&layout)) {
                told.to()?.clone_into(&mut layout);
                steps.push((*receipt, told));
            }
        }
        Some(Self(steps))
    }

    /// What is not there any more of the program's type.
    fn faults(&self, described: &TypeDescriptor) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.0.iter().any(|(_, told)| told.is_hooked()) {
            faults.push(Fault { place: described.name.clone(), what: "a hook made its values".into() });
        }
        for name in names(&described.body) {
            let place = joined(&described.name, &name);
            // What it is called after each migration.
            let mut name = name;
            for (_, told) in &self.0 {
                let what = if told.gave_up(&name) {
                    "its values were dropped"
                } else if told.rounded(&name) {
                    "its values were rounded"
                } else {
                    if let Some(after) = told.renamed(&name) {
                        after.clone_into(&mut name);
                    }
                    continue;
                };
                faults.push(Fault { place, what: what.into() });
                break;
            }
        }
        faults.extend(self.merged(described));
        faults
    }

    /// Variants whose values became another one's: nobody knows any more which were which.
    fn merged(&self, described: &TypeDescriptor) -> Vec<Fault> {
        let Body::Enum { variants, .. } = &described.body else { return Vec::new() };
        let mut names_now: BTreeMap<String, &str> = BTreeMap::new();
        let mut faults = Vec::new();
        for variant in variants {
            let mut now = variant.name.clone();
            for (_, told) in &self.0 {
                if let Some(after) = told.renamed(&format!("::{now}")) {
                    after.clone_into(&mut now);
                }
            }
            let place = || format!("{}::{}", described.name, variant.name);
            match names_now.entry(now) {
                Entry::Vacant(entry) => drop(entry.insert(&variant.name)),
                Entry::Occupied(entry) => {
                    let what = format!("its values and those of {} became the same", entry.get());
                    faults.push(Fault { place: place(), what });
                }
            }
        }
        faults
    }
}

/// The fields of a type as receipts name them: `day`, or `::Started.day` in a variant.
fn names(body: &Body) -> Vec<String> {
    match body {
        Body::Struct(fields) => fields.iter().map(|field| field.name.clone()).collect(),
        Body::Enum { variants, .. } => {
            let fields = variants.iter().flat_map(|variant| variant.fields.iter().map(move |field| (variant, field)));
            fields.map(|(variant, field)| format!("::{}.{}", variant.name, field.name)).collect()
        }
    }
}
