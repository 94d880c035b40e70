//! Random answers: what people choose among what a plan asks, and what else they may write.

use super::edits::default;
use crate::plan::{Answers, Plan, TypeAnswers};
use crate::sample::Random;
use crate::schema::{Body, Field, Schema, TypeDescriptor};

/// Answers to some questions of a plan, and further ones, right and wrong.
pub(super) fn random_answers(random: &mut Random, plan: &Plan) -> Answers {
    let mut answers = Answers::default();
    let most = 30 + random.below(70);
    for question in plan.questions.iter().filter(|question| !question.choices.is_empty()) {
        let choice = &question.choices[random.below(question.choices.len() as u64) as usize];
        // What is written for people to fill in is no answer yet.
        let line = choice.answer.as_ref().filter(|line| !line.contains('…'));
        if let Some(line) = line.filter(|_| random.chance(most)) {
            answers.add(Answers::from_line(line).unwrap_or_else(|| panic!("{line}")));
        }
    }
    for _ in 0..random.below(4) {
        more(random, &plan.old, &plan.new, &mut answers);
    }
    answers
}

fn more(random: &mut Random, old: &Schema, new: &Schema, answers: &mut Answers) {
    let (Some(before), Some(after)) = (any(random, &old.types), any(random, &new.types)) else { return };
    match random.below(12) {
        0 => drop(answers.rename.insert(before.name.clone(), after.name.clone())),
        1 => drop(answers.drop_types.insert(before.name.clone())),
        _ => {
            // Mostly of one type, under either of its names.
            let same =
                new.types.iter().find(|new| new.name == before.name || new.attributes.was.contains(&before.name));
            let after = same.filter(|_| random.chance(95)).unwrap_or(after);
            let name = if random.chance(80) { &after.name } else { &before.name };
            more_of_type(random, before, (after, new), answers.types.entry(name.clone()).or_default());
        }
    }
}

fn more_of_type(
    random: &mut Random,
    old: &TypeDescriptor,
    (new, schema): (&TypeDescriptor, &Schema),
    answers: &mut TypeAnswers,
) {
    let (before, after) = (fields(old), fields(new));
    let (old_field, new_field) = (any(random, &before), any(random, &after));
    match (random.below(10), &old.body, &new.body, old_field, new_field) {
        (0..2, Body::Enum { variants: before, .. }, Body::Enum { variants: after, .. }, ..) => {
            if let (Some(one), Some(other)) = (any(random, before), any(random, after)) {
                answers.becomes.insert(one.name.clone(), other.name.clone());
            }
        }
        (2, Body::Enum { variants: before, .. }, Body::Enum { variants: after, .. }, ..) => {
            if let (Some(one), Some(other)) = (any(random, before), any(random, after)) {
                answers.rename.insert(one.name.clone(), other.name.clone());
            }
        }
        (0..4, .., Some((one, _)), Some((other, _))) => {
            answers.rename.insert(one.clone(), other.clone());
        }
        (4, .., Some((one, _)), _) => {
            answers.drop.insert(one.clone());
        }
        (5, .., Some((one, _)), _) => {
            answers.unsecret.insert(one.clone());
        }
        (6, .., Some((one, _)), _) => {
            answers.lossy.insert(one.clone());
        }
        (.., Some((name, field))) => {
            // Whichever type it is taken for, it is a literal of the field's shape: the oracle knows no others.
            let all = schema.types.iter().flat_map(fields);
            let is_one = all.filter(|other| other.0 == *name).all(|other| other.1.shape == field.shape);
            if let Some(text) = default(random, &field.shape).filter(|_| is_one) {
                answers.default.insert(name.clone(), text);
            }
        }
        _ => {}
    }
}

/// The fields as answers name them.
fn fields(described: &TypeDescriptor) -> Vec<(String, &Field)> {
    match &described.body {
        Body::Struct(fields) => fields.iter().map(|field| (field.name.clone(), field)).collect(),
        Body::Enum { variants, .. } => variants
            .iter()
            .flat_map(|variant| {
                variant.fields.iter().map(move |field| (format!("{}.{}", variant.name, field.name), field))
            })
            .collect(),
    }
}

fn any<'t, T>(random: &mut Random, all: &'t [T]) -> Option<&'t T> {
    if all.is_empty() { None } else { all.get(random.below(all.len() as u64) as usize) }
}
