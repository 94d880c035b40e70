//! Paths to values: `Node#17`, `board`, `.board.tasks[3].title`.

use std::fmt;

use super::{Item, Record, Reference, Value, View};
use crate::error::{Error, Result};

/// A path, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Where it starts.
    pub start: Start,
    /// The way from there.
    pub steps: Vec<Step>,
}

/// Where a path starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// At a root.
    Root(String),
    /// At a record, by type and number.
    Record(String, u64),
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// To a field of a struct or variant.
    Field(String),
    /// To an element of a list or array.
    Index(u64),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Index(position) => write!(f, "[{position}]"),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.start {
            Start::Root(name) if self.needs_no_quotes(name) => write!(f, ".{name}")?,
            Start::Root(name) => write!(f, ".\"{}\"", name.replace('"', "\"\""))?,
            Start::Record(type_name, number) => write!(f, "{type_name}#{number}")?,
        }
        self.steps.iter().try_for_each(|step| write!(f, "{step}"))
    }
}

impl Path {
    /// Whether the root's name can be typed without quotes, and the whole then is no path to a record.
    fn needs_no_quotes(&self, name: &str) -> bool {
        let like_a_record = |step: &Step| matches!(step, Step::Field(name) if name.contains('#'));
        name.chars().all(|sign| sign.is_alphanumeric() || matches!(sign, '-' | '_'))
            && !self.steps.iter().any(like_a_record)
    }
}

impl std::str::FromStr for Path {
    type Err = Error;

    /// Reads `Type#number` or the name of a root, with or without a dot before it, then `.field` and `[position]`.
    /// A root's name that has other signs than letters, digits, `-` and `_` stands in quotes: `."my root"`; a quote in it is written twice.
    fn from_str(path: &str) -> Result<Self> {
        let fault = |what: &str| Error::Syntax { path: path.to_owned(), what: what.to_owned() };
        let (start, mut rest) = start(path).ok_or_else(|| fault("it begins with neither a record nor a root"))?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                if end == 0 {
                    return Err(fault("a field's name is missing behind a dot"));
                }
                steps.push(Step::Field(after[..end].to_owned()));
                rest = &after[end..];
            } else {
                let inside = rest.strip_prefix('[').and_then(|after| after.split_once(']'));
                let (position, after) = inside.ok_or_else(|| fault("neither a dot nor [position] follows"))?;
                steps.push(Step::Index(position.parse().map_err(|_| fault("a position is not a number"))?));
                rest = after;
            }
        }
        Ok(Self { start, steps })
    }
}

fn start(path: &str) -> Option<(Start, &str)> {
    let unquoted = path.strip_prefix('.').unwrap_or(path);
    if let Some(quoted) = unquoted.strip_prefix('"') {
        return quoted_root(quoted);
    }
    // Type names may hold dots and brackets, as in `Pair<[u8; 2]>#3`, but roots named so stand in quotes.
    if let Some((type_name, after)) = unquoted.split_once('#')
        && let end = after.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(after.len())
        && let Ok(number) = after[..end].parse()
        && !type_name.is_empty()
        && !type_name.starts_with('.')
    {
        return Some((Start::Record(type_name.to_owned(), number), &after[end..]));
    }
    let end = unquoted.find(['.', '[']).unwrap_or(unquoted.len());
    let (name, rest) = unquoted.split_at(end);
    (!name.is_empty() && !name.contains('#')).then(|| (Start::Root(name.to_owned()), rest))
}

/// The name up to the closing quote, and what follows. Two quotes stand for one of the name.
fn quoted_root(quoted: &str) -> Option<(Start, &str)> {
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let (before, after) = rest.split_once('"')?;
        name.push_str(before);
        match after.strip_prefix('"') {
            Some(further) => {
                name.push('"');
                rest = further;
            }
            None => return (!name.is_empty()).then_some((Start::Root(name), after)),
        }
    }
}

/// Where a path led.
#[derive(Debug, Clone)]
pub enum Found<'r> {
    /// To a record as a whole.
    Record(Record<'r>),
    /// To a value inside the named record.
    Value(Reference, Value<'r>),
}

impl<'r> View<'r> {
    /// Goes the way that a path says; references on it are followed.
    ///
    /// # Errors
    /// When something is not there, or cannot be read.
    pub fn find(&self, path: &Path) -> Result<Found<'r>> {
        let mut so_far = Path { start: path.start.clone(), steps: Vec::new() };
        let mut record = self.find_start(&path.start)?;
        let mut inside: Option<Item<'r>> = None;
        for step in &path.steps {
            let item = self.through_references(inside.take().unwrap_or(record.value.clone()), &mut record, &so_far)?;
            inside = Some(self.step(&item, step, &so_far)?);
            so_far.steps.push(step.clone());
        }
        let Some(item) = inside else { return Ok(Found::Record(record)) };
        match self.decode(&item)? {
            Value::Reference(reference) => match self.follow(reference)? {
                Some(record) => Ok(Found::Record(record)),
                None => Ok(Found::Value(record.reference, Value::Reference(reference))),
            },
            value => Ok(Found::Value(record.reference, value)),
        }
    }

    fn find_start(&self, start: &Start) -> Result<Record<'r>> {
        let nothing = |what: String, instead: Vec<String>| Error::Unknown { what, instead };
        match start {
            Start::Root(name) => {
                let found = self.roots().find(|root| root.0 == name).map(|root| root.1);
                let names = || self.roots().map(|root| root.0.to_owned());
                let reference = found.ok_or_else(|| nothing(format!("root {name:?}"), similar(name, names())))?;
                self.follow(reference)?.ok_or_else(|| nothing(format!("record behind root {name:?}"), vec![]))
            }
            Start::Record(type_name, number) => {
                let names = || self.types().map(|summary| summary.name.to_owned());
                let table = self.table_of(type_name);
                let table = table.ok_or_else(|| nothing(format!("type {type_name}"), similar(type_name, names())))?;
                let record = self.record(table, *number)?;
                record.ok_or_else(|| nothing(format!("live record {type_name}#{number}"), vec![]))
            }
        }
    }

    /// Where a reference stands on the way, the record it names.
    fn through_references(&self, item: Item<'r>, record: &mut Record<'r>, so_far: &Path) -> Result<Item<'r>> {
        match self.decode(&item)? {
            Value::Reference(reference) => {
                let stale =
                    || Error::Nothing { at: so_far.to_string(), what: "live record behind it".into(), instead: vec![] };
                *record = self.follow(reference)?.ok_or_else(stale)?;
                Ok(record.value.clone())
            }
            _ => Ok(item),
        }
    }

    fn step(&self, item: &Item<'r>, step: &Step, so_far: &Path) -> Result<Item<'r>> {
        let nothing = |what: String, instead: Vec<String>| Error::Nothing { at: so_far.to_string(), what, instead };
        match (self.decode(item)?, step) {
            (Value::Struct(fields) | Value::Variant(_, fields), Step::Field(name)) => {
                let names = fields.iter().map(|field| field.0.to_owned()).collect::<Vec<_>>();
                let found = fields.into_iter().find(|field| field.0 == name);
                found
                    .map(|field| field.1)
                    .ok_or_else(|| nothing(format!("field `{name}`"), similar(name, names.into_iter())))
            }
            (Value::List(list), Step::Index(position)) => self
                .element(&list, *position)?
                .ok_or_else(|| nothing(format!("element {position}, it has {}", list.len), vec![])),
            (_, Step::Field(name)) => Err(nothing(format!("fields, so no `{name}`"), vec![])),
            (_, Step::Index(position)) => Err(nothing(format!("elements, so no [{position}]"), vec![])),
        }
    }
}

/// The names nearest to one that is not there, at most three.
fn similar(name: &str, names: impl Iterator<Item = String>) -> Vec<String> {
    let mut near: Vec<(usize, String)> =
        names.map(|other| (distance(name, &other), other)).filter(|near| near.0 <= name.len().max(3) / 2).collect();
    near.sort();
    near.truncate(3);
    near.into_iter().map(|near| near.1).collect()
}

/// How many letters must be changed, added, removed or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().take(64).collect();
    let to: Vec<char> = to.chars().take(64).collect();
    let mut rows = vec![(0..=to.len()).collect::<Vec<_>>()];
    for at in 1..=from.len() {
        let mut row = vec![at];
        for other in 1..=to.len() {
            let before = &rows[at - 1];
            let changed = before[other - 1] + usize::from(from[at - 1] != to[other - 1]);
            let mut best = changed.min(before[other] + 1).min(row[other - 1] + 1);
            if at > 1 && other > 1 && from[at - 1] == to[other - 2] && from[at - 2] == to[other - 1] {
                best = best.min(rows[at - 2][other - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_they_are_written() {
        for path in
            [".board", ".board.tasks[3].title", "Node#17", "Node#17.edges[2]", "Pair<[u8; 2]>#3.0", ".a[0][1].b"]
        {
            assert_eq!(path.parse::<Path>().unwrap().to_string(), path);
        }
        assert_eq!("board".parse::<Path>().unwrap(), ".board".parse().unwrap());
        for shown in [".\"my root\".x", ".\"a \"\"quoted\"\" root\"[3]", "Pair<[u8; 2]>#3.first", ".board"] {
            assert_eq!(shown.parse::<Path>().unwrap().to_string(), shown);
        }
        assert!(["..#1", ".\"\"", ".\"open"].iter().all(|path| path.parse::<Path>().is_err()));
        let quoted = ".\"my root\".x".parse::<Path>().unwrap();
        assert_eq!((quoted.start, quoted.steps), (Start::Root("my root".into()), vec![Step::Field("x".into())]));
        // They were shown without quotes, as paths to something else.
        for path in [".\"a.b\".c", ".\"a[1]\"", ".\"a#1\"", ".\"a\".b#1"] {
            assert_eq!(path.parse::<Path>().unwrap().to_string(), path);
        }
        for path in ["", ".", ".a..b", ".a[", ".a[x]", ".a[1", ".a[1]b", "#3", "[3]"] {
            assert!(path.parse::<Path>().is_err(), "{path}");
        }
    }

    #[test]
    fn a_slip_of_the_fingers_is_understood() {
        let names = || ["score", "edges", "name"].map(String::from).into_iter();
        assert_eq!(similar("scroe", names()), ["score"]);
        assert!(similar("zzzzz", names()).is_empty());
    }
}
