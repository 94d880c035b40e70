//! The way back.

use super::answers::{Answers, TypeAnswers};
use super::model::{BodyStep, Cast, Fields, Plan, Source, Value};
use super::question::{Fault, joined};
use crate::schema::{Body, Field, TypeDescriptor};

impl Plan {
    /// The plan from the new schema to the old one, which undoes this one.
    ///
    /// It has checks and questions of its own: what was written since need not fit the old types.
    ///
    /// # Errors
    /// Names everything that cannot be brought back: values that were dropped or rounded, made by a hook, or mixed with
    /// others; and fields that moved into or out of a struct, for which there is no way back yet.
    pub fn inverse(&self) -> Result<Self, Vec<Fault>> {
        let mut lost = Lost::new(self, self.faults.clone(), Unanswered::Faults);
        for number in 0..self.types.len() {
            lost.type_step(number);
        }
        if !lost.faults.is_empty() {
            return Err(lost.faults);
        }
        let mut inverse = Self::with_answers(&self.new, &self.old, &lost.answers);
        if !inverse.faults.is_empty() {
            return Err(inverse.faults);
        }
        // What was dropped was empty, whatever its default is.
        for (number, variant, field) in lost.empty {
            let fields = match &mut inverse.types[number].body {
                BodyStep::Struct(fields) => Some(fields),
                BodyStep::Enum(steps) => steps.iter_mut().find(|step| step.new == variant).map(|step| &mut step.fields),
                _ => None,
            };
            let made = fields.and_then(|fields| fields.made.iter_mut().find(|step| step.field == field));
            if let Some(step) = made.filter(|step| matches!(step.source, Source::Value(_) | Source::Gathered(_))) {
                step.source = Source::Value(Value::Empty);
            }
        }
        Ok(inverse)
    }

    /// What the plan says of the way back from its new schema to its old one, for the old types that `is_wanted`: the
    /// renames, as answers, and what cannot be brought back. Of what the plan asks, and of fields that it drops, it says
    /// nothing: only whoever knows how the plan was decided can.
    pub fn way_back(&self, is_wanted: impl Fn(&TypeDescriptor) -> bool) -> (Answers, Vec<Fault>) {
        let mut lost = Lost::new(self, Vec::new(), Unanswered::Passed);
        for (number, step) in self.types.iter().enumerate() {
            if step.new.is_some() && step.old.is_some_and(|old| is_wanted(&self.old.types[old])) {
                lost.type_step(number);
            }
        }
        let mut answers = lost.answers;
        answers.rename.retain(|before, after| before != after);
        for answers in answers.types.values_mut() {
            answers.rename.retain(|before, after| before != after);
        }
        answers.types.retain(|_, answers| *answers != TypeAnswers::default());
        (answers, lost.faults)
    }
}

/// What becomes of what a plan leaves unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unanswered {
    Faults,
    Passed,
}

struct Lost<'a> {
    plan: &'a Plan,
    unanswered: Unanswered,
    faults: Vec<Fault>,
    /// What says that the new names are the old ones again.
    answers: Answers,
    /// Old type, old variant, and old field that was dropped because every value was empty.
    empty: Vec<(usize, Option<usize>, usize)>,
}

impl<'a> Lost<'a> {
    fn new(plan: &'a Plan, faults: Vec<Fault>, unanswered: Unanswered) -> Self {
        Self { plan, unanswered, faults, answers: Answers::default(), empty: Vec::new() }
    }

    fn unanswered(&mut self, place: String, what: &str) {
        if self.unanswered == Unanswered::Faults {
            self.fault(place, what);
        }
    }

    fn fault(&mut self, place: String, what: &str) {
        self.faults.push(Fault { place, what: what.into() });
    }

    fn type_step(&mut self, number: usize) {
        let plan = self.plan;
        let step = &plan.types[number];
        let Some(old_number) = step.old else { return };
        let old = &plan.old.types[old_number];
        let Some(new) = step.new.map(|new| &plan.new.types[new]) else {
            let proved = plan.checks.iter().any(|check| check.record == old_number && check.place.is_empty());
            if !proved {
                self.fault(old.name.clone(), "its records are gone");
            }
            return;
        };
        self.answers.rename.insert(new.name.clone(), old.name.clone());
        match (&step.body, &old.body, &new.body) {
            (BodyStep::Struct(fields), Body::Struct(before), Body::Struct(after)) => {
                let mut answers = TypeAnswers::default();
                self.fields(fields, before, after, ("", ""), &old.name, &mut answers);
                self.empty.extend(dropped(fields).map(|field| (old_number, None, field)));
                self.answers.types.insert(old.name.clone(), answers);
            }
            (BodyStep::Enum(steps), Body::Enum { variants: before, .. }, Body::Enum { variants: after, .. }) => {
                let mut answers = TypeAnswers::default();
                for (position, (step, one)) in steps.iter().zip(before).enumerate() {
                    let place = format!("{}::{}", old.name, one.name);
                    let Some(target) = step.new else {
                        if step.check.is_none() {
                            self.fault(place, "is no variant any more");
                        }
                        continue;
                    };
                    let other = &after[target];
                    if answers.rename.insert(other.name.clone(), one.name.clone()).is_some() {
                        self.fault(place.clone(), "two variants became one");
                    }
                    let prefixes = (&*format!("{}.", one.name), &*format!("{}.", other.name));
                    self.fields(&step.fields, &one.fields, &other.fields, prefixes, &place, &mut answers);
                    self.empty.extend(dropped(&step.fields).map(|field| (old_number, Some(position), field)));
                }
                self.answers.types.insert(old.name.clone(), answers);
            }
            (BodyStep::Hook, ..) => self.fault(new.name.clone(), "a hook made it, and only another one can undo that"),
            (BodyStep::Unanswered, ..) => self.unanswered(new.name.clone(), "nobody says how it is made"),
            _ => {}
        }
    }

    /// `prefixes` stand before old and new names in answers.
    fn fields(
        &mut self,
        fields: &Fields,
        old: &[Field],
        new: &[Field],
        prefixes: (&str, &str),
        place: &str,
        answers: &mut TypeAnswers,
    ) {
        for step in &fields.made {
            let after = &new[step.field];
            let place = joined(place, &after.name);
            match &step.source {
                Source::Field { path, cast } => {
                    let [only] = path[..] else {
                        self.fault(place, "it came out of a struct, and nothing says the way back");
                        continue;
                    };
                    let (before, after) = (&old[only].name, &after.name);
                    answers.rename.insert(format!("{}{after}", prefixes.1), format!("{}{before}", prefixes.0));
                    self.cast(cast, &place);
                }
                Source::Gathered(inner) if has_fields(inner) => {
                    self.fault(place, "it was put together from fields, and nothing says the way back");
                }
                Source::Gathered(_) | Source::Value(_) => {}
                Source::Hook => self.fault(place, "a hook made it, and only another one can undo that"),
                Source::Unanswered => self.unanswered(place, "nobody says where it comes from"),
            }
        }
        let lost = fields.dropped.iter().filter(|dropped| dropped.check.is_none());
        for dropped in lost.filter(|_| self.unanswered == Unanswered::Faults).collect::<Vec<_>>() {
            let name = dropped.path.first().and_then(|&first| old.get(first)).map_or("", |field| &field.name);
            self.fault(joined(place, name), "its values were dropped");
        }
    }

    fn cast(&mut self, cast: &Cast, place: &str) {
        for cast in cast.all() {
            if cast.check().is_some_and(|check| self.plan.checks[check].waived) {
                self.fault(place.to_owned(), "it was rounded");
            }
            match cast {
                Cast::Unwrap { none: Some(_), .. } => {
                    self.fault(place.to_owned(), "what was absent cannot be told from the default");
                }
                Cast::ListToMap { .. } => self.fault(place.to_owned(), "the order of its entries is lost"),
                Cast::Unanswered => self.unanswered(place.to_owned(), "nobody says how it is converted"),
                _ => {}
            }
        }
    }
}

fn dropped(fields: &Fields) -> impl Iterator<Item = usize> {
    fields.dropped.iter().filter(|dropped| dropped.check.is_some()).filter_map(|dropped| match dropped.path[..] {
        [only] => Some(only),
        _ => None,
    })
}

fn has_fields(fields: &Fields) -> bool {
    fields.made.iter().any(|step| match &step.source {
        Source::Field { .. } => true,
        Source::Gathered(inner) => has_fields(inner),
        _ => false,
    })
}
