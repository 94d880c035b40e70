//! Records that become values where their references are, and references that are there twice afterwards.
//!
//! What moves out of a struct that goes on is copied. A copied reference takes the record away from the other one, or
//! both take it; so neither may.

use std::collections::HashMap;

use super::between::Planner;
use super::model::{BodyStep, Cast, CheckKind, FieldStep, Fields, Source, TypeStep};
use super::question::joined;
use crate::schema::{Body, Field};

/// Refuses to copy a reference whose record becomes a value.
pub(super) fn refuse(planner: &mut Planner<'_>, types: &[TypeStep]) {
    if planner.checks.iter().all(|check| check.kind != CheckKind::Unshared) {
        return;
    }
    let taking = taking(types);
    let takes = Takes { types, taking: &taking };
    for step in types {
        let (Some(old), Some(new)) = (step.old, step.new) else { continue };
        let (old, new) = (&planner.old.schema().types[old], &planner.new.schema().types[new]);
        match (&step.body, &old.body, &new.body) {
            (BodyStep::Struct(fields), Body::Struct(before), Body::Struct(after)) => {
                takes.refuse(planner, fields, (before, after), &new.name);
            }
            (BodyStep::Enum(steps), Body::Enum { variants: before, .. }, Body::Enum { variants: after, .. }) => {
                for (step, one) in steps.iter().zip(before) {
                    let Some(other) = step.new.map(|position| &after[position]) else { continue };
                    let place = format!("{}::{}", new.name, other.name);
                    takes.refuse(planner, &step.fields, (&one.fields, &other.fields), &place);
                }
            }
            _ => {}
        }
    }
}

/// The steps of all types, and which of them take records.
struct Takes<'t> {
    types: &'t [TypeStep],
    taking: &'t [bool],
}

impl Takes<'_> {
    fn refuse<'a>(&self, planner: &mut Planner<'a>, fields: &Fields, (old, new): (&'a [Field], &[Field]), place: &str) {
        let whole = fields.made.iter().flat_map(sources);
        let going_on: HashMap<usize, &Cast> =
            whole.filter_map(|(path, cast)| if let [only] = path { Some((*only, cast)) } else { None }).collect();
        for made in &fields.made {
            for (path, cast) in sources(made) {
                let [around, part, ..] = *path else { continue };
                let Some(other) = going_on.get(&around) else { continue };
                if self.takes(cast) || self.takes_part(other, part) {
                    let (from, around) = (planner.path_name(old, path), planner.path_name(old, &path[..1]));
                    let what =
                        format!("{from} becomes the record that it refers to, and {around} goes on: it is one of two");
                    planner.fault(joined(place, &new[made.field].name), what);
                }
            }
        }
    }

    /// Whether a struct takes records for its field at this position.
    fn takes_part(&self, cast: &Cast, part: usize) -> bool {
        let Cast::Type(step) = cast else { return self.takes(cast) };
        let BodyStep::Struct(fields) = &self.types[*step].body else { return false };
        let of_part = fields.made.iter().flat_map(sources).filter(|(path, _)| path.first() == Some(&part));
        self.taking[*step] && of_part.into_iter().any(|(_, cast)| self.takes(cast))
    }

    fn takes(&self, cast: &Cast) -> bool {
        cast.all().any(|part| match part {
            Cast::FromReference { .. } => true,
            Cast::Type(step) => self.taking[*step],
            _ => false,
        })
    }
}

/// Which types take records, in themselves or in what lies in them.
fn taking(types: &[TypeStep]) -> Vec<bool> {
    let mut taking = vec![false; types.len()];
    // In which types others lie.
    let mut around = vec![Vec::new(); types.len()];
    for (number, step) in types.iter().enumerate() {
        let made: Vec<&FieldStep> = match &step.body {
            BodyStep::Struct(fields) => fields.made.iter().collect(),
            BodyStep::Enum(steps) => steps.iter().flat_map(|step| &step.fields.made).collect(),
            _ => continue,
        };
        for part in made.into_iter().flat_map(sources).flat_map(|(_, cast)| cast.all()) {
            match part {
                Cast::FromReference { .. } => taking[number] = true,
                Cast::Type(inner) => around[*inner].push(number),
                _ => {}
            }
        }
    }
    let mut open: Vec<usize> = (0..types.len()).filter(|&number| taking[number]).collect();
    while let Some(number) = open.pop() {
        for &outer in &around[number] {
            if !std::mem::replace(&mut taking[outer], true) {
                open.push(outer);
            }
        }
    }
    taking
}

/// The old fields that a new one is made of, and how.
fn sources(made: &FieldStep) -> Vec<(&[usize], &Cast)> {
    match &made.source {
        Source::Field { path, cast } => vec![(path, cast)],
        Source::Gathered(inner) => inner.made.iter().flat_map(sources).collect(),
        _ => Vec::new(),
    }
}
