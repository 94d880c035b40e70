//! Marks that keep values out of dumps. A mark that is lost is asked about: the values it hid would show.

use std::collections::HashMap;

use super::answers::{Answers, TypeAnswers};
use super::between::{At, Planner, answer_line, inline_name};
use super::model::{BodyStep, Cast, Fields, Source, TypeStep, Verdict};
use super::question::{Choice, Question, quoted};
use crate::schema::{Body, Field, Schema, SecretMode, Shape};

/// Stands for the type itself among the names of its fields.
pub(super) const WHOLE: &str = "*";

/// Marks what an answer says stays secret.
pub(super) fn keep(old: &Schema, new: &mut Schema, answers: &Answers) {
    if answers.types.values().all(|answers| answers.keep_secret.is_empty()) {
        return;
    }
    for described in &mut new.types {
        let before = answers.rename.iter().find(|(_, new)| **new == described.name).map(|(old, _)| &**old);
        let before = before.or(described.attributes.was.first().map(|name| &**name)).unwrap_or(&described.name);
        let Some(kept) = answers.of(&described.name, before).filter(|kept| !kept.keep_secret.is_empty()) else {
            continue;
        };
        let before = old.get(&described.name).or_else(|| old.get(before));
        if kept.keep_secret.contains(WHOLE) && described.attributes.secret.is_none() {
            let mode = before.and_then(|before| before.attributes.secret);
            described.attributes.secret = Some(mode.unwrap_or(SecretMode::Default));
        }
        match (&mut described.body, before.map(|before| &before.body)) {
            (Body::Struct(fields), before) => {
                let before = before.and_then(|body| match body {
                    Body::Struct(fields) => Some(&fields[..]),
                    Body::Enum { .. } => None,
                });
                keep_fields(before.unwrap_or_default(), fields, "", kept);
            }
            (Body::Enum { variants, .. }, _) => {
                for variant in variants {
                    keep_fields(&[], &mut variant.fields, &format!("{}.", variant.name), kept);
                }
            }
        }
    }
}

fn keep_fields(old: &[Field], new: &mut [Field], prefix: &str, kept: &TypeAnswers) {
    for field in new.iter_mut().filter(|field| field.attributes.secret.is_none()) {
        let name = format!("{prefix}{}", field.name);
        let renamed = kept.rename.iter().find(|(_, new)| **new == name).map(|(old, _)| old);
        let former = field.attributes.was.iter().find(|was| kept.keep_secret.contains(&format!("{prefix}{was}")));
        let is_kept = kept.keep_secret.contains(&name)
            || renamed.is_some_and(|old| kept.keep_secret.contains(old))
            || former.is_some();
        if is_kept {
            let names = [renamed, former, Some(&field.name)];
            let before = names.into_iter().flatten().find_map(|name| old.iter().find(|field| field.name == *name));
            let mode = before.and_then(|before| before.attributes.secret);
            field.attributes.secret = Some(mode.unwrap_or(SecretMode::Default));
        }
    }
}

/// Asks about every mark that is lost.
pub(super) fn ask(planner: &mut Planner<'_>, types: &[TypeStep]) {
    for (number, step) in types.iter().enumerate() {
        let (Some(old_number), Some(new_number)) = (step.old, step.new) else { continue };
        let (old, new) = (&planner.old.schema().types[old_number], &planner.new.schema().types[new_number]);
        let answers = planner.answers.of(&new.name, &old.name);
        let at = At { step: number, old, old_number, new, variants: None, answers };
        let by_name = |old: &[Field], new: &[Field]| -> Vec<(usize, usize)> {
            let positions: HashMap<&str, usize> =
                old.iter().enumerate().map(|(position, field)| (&*field.name, position)).collect();
            new.iter().enumerate().filter_map(|(at, field)| Some((*positions.get(&*field.name)?, at))).collect()
        };
        match (&step.body, &old.body, &new.body) {
            (BodyStep::Same, Body::Struct(before), Body::Struct(after)) => {
                ask_same(planner, &at, before, after);
            }
            (BodyStep::Struct(fields), Body::Struct(before), Body::Struct(after)) => {
                ask_fields(planner, &at, before, after, &pairs(fields));
                ask_gathered(planner, &at, before, fields, after);
            }
            (BodyStep::Hook, Body::Struct(before), Body::Struct(after)) => {
                for (one, other) in by_name(before, after) {
                    ask_fields(planner, &at, before, after, &[(&[one], &Cast::Copy, other)]);
                }
            }
            (BodyStep::Same, Body::Enum { variants: before, .. }, Body::Enum { variants: after, .. }) => {
                for (one, other) in before.iter().zip(after) {
                    let inner = At { variants: Some((one, other)), ..at };
                    ask_same(planner, &inner, &one.fields, &other.fields);
                }
            }
            (BodyStep::Enum(steps), Body::Enum { variants: before, .. }, Body::Enum { variants: after, .. }) => {
                for (step, one) in steps.iter().zip(before) {
                    let Some(other) = step.new.map(|position| &after[position]) else { continue };
                    let inner = At { variants: Some((one, other)), ..at };
                    ask_fields(planner, &inner, &one.fields, &other.fields, &pairs(&step.fields));
                }
            }
            _ => {}
        }
        if old.attributes.secret.is_some() && new.attributes.secret.is_none() {
            ask_one(planner, &at, WHOLE, WHOLE);
        }
    }
}

/// Fields that lie the same.
fn ask_same<'a>(planner: &mut Planner<'a>, at: &At<'a>, old: &'a [Field], new: &[Field]) {
    for field in 0..new.len() {
        ask_fields(planner, at, old, new, &[(&[field], &Cast::Copy, field)]);
    }
}

/// The path of an old field, how it is converted, and the new field that it becomes.
type Pair<'p> = (&'p [usize], &'p Cast, usize);

fn pairs(fields: &Fields) -> Vec<Pair<'_>> {
    let made = fields.made.iter().filter_map(|step| match &step.source {
        Source::Field { path, cast } => Some((&path[..], cast, step.field)),
        _ => None,
    });
    made.collect()
}

fn ask_fields<'a>(planner: &mut Planner<'a>, at: &At<'a>, old: &'a [Field], new: &[Field], pairs: &[Pair<'_>]) {
    // Where the type as a whole lost its mark, that is asked once.
    let is_whole = at.old.attributes.secret.is_some() && at.new.attributes.secret.is_none();
    for &(path, cast, number) in pairs {
        let after = &new[number];
        let was =
            was_secret(planner, at, old, path) || takes_apart_secrets(planner, cast, old_shape(planner, old, path));
        match (was, is_secret(planner, at, after)) {
            (true, false) if !is_whole => {
                let name = planner.path_name(old, path);
                ask_one(planner, at, &name, &after.name);
            }
            (false, true) if at.new.attributes.secret.is_none() => {
                planner.rule(at.step, at.new_place(&after.name), 40, Verdict::Implicit, "is secret now");
            }
            _ => {}
        }
    }
}

fn ask_gathered<'a>(planner: &mut Planner<'a>, at: &At<'a>, old: &'a [Field], fields: &Fields, new: &'a [Field]) {
    let mut open: Vec<(&Fields, &[Field], bool)> = vec![(fields, new, false)];
    while let Some((fields, new, hidden)) = open.pop() {
        for step in &fields.made {
            let after = &new[step.field];
            let Source::Gathered(inner) = &step.source else { continue };
            let Some(described) = inline_name(&after.shape).and_then(|name| planner.new.get(name)) else { continue };
            let Body::Struct(parts) = &described.body else { continue };
            let hidden = hidden || is_secret(planner, at, after);
            for (path, cast, number) in pairs(inner) {
                let was = was_secret(planner, at, old, path)
                    || takes_apart_secrets(planner, cast, old_shape(planner, old, path));
                if was && !hidden && !is_secret(planner, at, &parts[number]) {
                    let name = planner.path_name(old, path);
                    ask_one(planner, at, &name, &parts[number].name);
                }
            }
            open.push((inner, parts, hidden));
        }
    }
}

/// Whether an old value was hidden by its field, its type, or what is around it.
fn was_secret<'a>(planner: &Planner<'a>, at: &At<'a>, old: &'a [Field], path: &[usize]) -> bool {
    let hides = |len: usize| {
        let Some(field) = planner.field_at(old, &path[..len]) else { return false };
        // The type at the end of the path is the value's own.
        let around = inline_name(&field.shape).filter(|_| len < path.len()).and_then(|name| planner.old.get(name));
        field.attributes.secret.is_some() || around.is_some_and(|around| around.attributes.secret.is_some())
    };
    at.old.attributes.secret.is_some() || (1..=path.len()).any(hides)
}

fn old_shape<'a>(planner: &Planner<'a>, old: &'a [Field], path: &[usize]) -> Option<&'a Shape> {
    planner.field_at(old, path).map(|field| &field.shape)
}

/// Whether a list's entries have marks, and become those of a map, which have none.
fn takes_apart_secrets<'a>(planner: &Planner<'a>, cast: &Cast, shape: Option<&'a Shape>) -> bool {
    let Some(shape) = shape else { return false };
    let within = |cast: &Cast, shape: &'a Shape| takes_apart_secrets(planner, cast, Some(shape));
    match (cast, shape) {
        (Cast::ListToMap { key, value, .. }, Shape::List(element)) => {
            let described = inline_name(element).and_then(|name| planner.old.get(name));
            let Some((described, fields)) = described.and_then(|it| Some((it, it.entry_fields()?))) else {
                return false;
            };
            let marks = [&fields.0.attributes.secret, &fields.1.attributes.secret, &described.attributes.secret];
            marks.iter().any(|mark| mark.is_some()) || within(key, &fields.0.shape) || within(value, &fields.1.shape)
        }
        (Cast::Map { key, value, .. } | Cast::MapToList { key, value }, Shape::Map { key: old, value: inner })
        | (
            Cast::Map { key, value, .. } | Cast::MapToList { key, value },
            Shape::SortedMap { key: old, value: inner },
        ) => within(key, old) || within(value, inner),
        (Cast::Some(cast) | Cast::One(cast) | Cast::ToList(cast), shape) => within(cast, shape),
        (Cast::Option(cast) | Cast::Unwrap { value: cast, .. }, Shape::Option { inner, .. })
        | (
            Cast::List(cast) | Cast::FromList { element: cast, .. } | Cast::FromListOption { element: cast, .. },
            Shape::List(inner),
        )
        | (Cast::Array { element: cast, .. }, Shape::Array { element: inner, .. }) => within(cast, inner),
        _ => false,
    }
}

fn is_secret(planner: &Planner<'_>, at: &At<'_>, field: &Field) -> bool {
    let inner = inline_name(&field.shape).and_then(|name| planner.new.get(name));
    field.attributes.secret.is_some()
        || at.new.attributes.secret.is_some()
        || inner.is_some_and(|inner| inner.attributes.secret.is_some())
}

fn ask_one(planner: &mut Planner<'_>, at: &At<'_>, before: &str, after: &str) {
    let is_whole = before == WHOLE;
    let answer_name = if is_whole { WHOLE.into() } else { at.answer_name(before) };
    let new_name = if is_whole { WHOLE.into() } else { at.answer_new(after) };
    let said = |answers: &TypeAnswers| answers.unsecret.contains(&answer_name) || answers.unsecret.contains(&new_name);
    let place = if is_whole { String::new() } else { at.new_place(after) };
    if at.answers.is_some_and(said) {
        planner.rule(at.step, place, 40, Verdict::Acknowledge, "is no longer secret");
        return;
    }
    let on = if is_whole { at.new.name.clone() } else { at.full_new(after) };
    let line = |key: &str| Some(answer_line(&at.new.name, &format!("{key} = [{}]", quoted(&answer_name))));
    planner.questions.push(Question {
        step: at.step,
        place: if is_whole { at.old.name.clone() } else { at.full_old(before) },
        rule: 40,
        verdict: Verdict::Acknowledge,
        what: "loses its secret mark: its values would appear in future dumps".into(),
        candidates: Vec::new(),
        choices: vec![
            Choice::new("keep it secret", Some(format!("#[record(secret)] on {on}")), line("keep_secret")),
            Choice::new("accept", None, line("unsecret")),
        ],
        unless: None,
    });
}
