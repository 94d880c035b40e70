//! Two plans as one: what the first and then the second would make, in one pass.
//!
//! Where both plans have a conversion, the two become one: `option<T>` within `option<T>`, elements within elements. Of
//! numbers only the first and the last type count, because what passed the checks in between is the same number. So
//! the one plan gives what the two give, wherever the two give anything; it may also accept a value that would not
//! have fitted in between and fits in the end.
//!
//! What cannot be made one is refused, never guessed: hooks, a rounding or a default for what is absent that a further
//! conversion would see, and arrays that first grow and then shrink.

mod casts;
mod values;

use values::cast_value;

use super::between::inline_name;
use super::bytes::find_rewritten;
use super::model::{BodyStep, Cast, Check, CheckKind, Dropped, FieldStep, Fields, Plan, Source, TypeStep, VariantStep};
use super::question::{Fault, joined};
use crate::layout::TypeIndex;
use crate::schema::{Body, Field, Schema, Shape, TypeDescriptor, Variant};

type Composed<T> = Result<T, &'static str>;

impl Plan {
    /// The plan that does what this one and then the next one do.
    ///
    /// # Errors
    /// Names the first place where the two cannot be made one, or says that the next plan does not begin where this one
    /// ends.
    pub fn then(&self, next: &Self) -> Result<Self, Fault> {
        let named =
            |plan: &[TypeDescriptor]| -> Vec<String> { plan.iter().map(|described| described.name.clone()).collect() };
        if self.new.fingerprint() != next.old.fingerprint() || named(&self.new.types) != named(&next.old.types) {
            let what = "the second plan does not begin where the first one ends".into();
            return Err(Fault { place: String::new(), what });
        }
        let mut composer = Composer {
            first: self,
            next,
            checks: Vec::new(),
            first_checks: vec![None; self.checks.len()],
            next_checks: vec![None; next.checks.len()],
            record: 0,
        };
        let mut types = Vec::with_capacity(next.types.len());
        // Where the steps of both plans are in the one.
        let mut places = (vec![None; self.types.len()], vec![None; next.types.len()]);
        for (number, step) in next.types.iter().enumerate() {
            let before = step.old.map(|old| &self.types[old]);
            let old = before.and_then(|before| before.old);
            if old.is_none() && step.new.is_none() {
                continue;
            }
            if let Some(between) = step.old {
                places.0[between] = Some(types.len());
            }
            places.1[number] = Some(types.len());
            let body = match (old, step.new) {
                (None, _) => BodyStep::Added,
                (Some(record), None) => {
                    composer.record = record;
                    // Position by kind: a type has one check of its records.
                    let check = next
                        .checks
                        .iter()
                        .position(|check| Some(check.record) == step.old && check.kind == CheckKind::NoRecords);
                    check.map(|check| composer.next_check(check, String::new()));
                    BodyStep::Gone
                }
                (Some(record), Some(new)) => {
                    composer.record = record;
                    let fault =
                        |what: &'static str| Fault { place: next.new.types[new].name.clone(), what: what.into() };
                    composer.body(step, record).map_err(fault)?
                }
            };
            types.push(TypeStep { old, new: step.new, body, rewritten: true });
        }
        for (number, step) in self.types.iter().enumerate().filter(|(_, step)| step.new.is_none()) {
            places.0[number] = Some(types.len());
            let Some(record) = step.old else { continue };
            composer.record = record;
            let check =
                self.checks.iter().position(|check| check.record == record && check.kind == CheckKind::NoRecords);
            check.map(|check| composer.first_check(check));
            types.push(TypeStep { old: Some(record), new: None, body: BodyStep::Gone, rewritten: true });
        }
        find_rewritten(&mut types, &TypeIndex::new(&self.old), &TypeIndex::new(&next.new));
        let mut plan = Self { old: self.old.clone(), new: next.new.clone(), types, ..Self::default() };
        for (from, places, checks) in
            [(self, &places.0, &composer.first_checks), (next, &places.1, &composer.next_checks)]
        {
            for ruling in &from.rulings {
                if let Some(step) = places[ruling.step] {
                    plan.rulings.push(super::model::Ruling { step, ..ruling.clone() });
                }
            }
            for question in &from.questions {
                let unless = question.unless.map(|check| checks[check]);
                // A check that is needed no more needs no answer either.
                if let (Some(step), None | Some(Some(_))) = (places[question.step], unless) {
                    plan.questions.push(super::question::Question {
                        step,
                        unless: unless.flatten(),
                        ..question.clone()
                    });
                }
            }
            plan.faults.extend(from.faults.iter().cloned());
        }
        plan.checks = composer.checks;
        Ok(plan)
    }
}

struct Composer<'a> {
    first: &'a Plan,
    next: &'a Plan,
    checks: Vec<Check>,
    first_checks: Vec<Option<usize>>,
    next_checks: Vec<Option<usize>>,
    /// The old type that is looked at.
    record: usize,
}

impl<'a> Composer<'a> {
    fn add(&mut self, check: Check) -> usize {
        self.checks.push(check);
        self.checks.len() - 1
    }

    fn first_check(&mut self, number: usize) -> usize {
        let added = self.add(self.first.checks[number].clone());
        self.first_checks[number] = Some(added);
        added
    }

    /// A check of the second plan, at the place of the values that it comes from.
    fn next_check(&mut self, number: usize, place: String) -> usize {
        let check = &self.next.checks[number];
        let added = self.add(Check { record: self.record, place, kind: check.kind, waived: check.waived });
        self.next_checks[number] = Some(added);
        added
    }

    fn body(&mut self, step: &'a TypeStep, record: usize) -> Composed<BodyStep> {
        let (Some(between), Some(new)) = (step.old, step.new) else { return Err("it has no old or no new type") };
        let first = &self.first.types[between];
        let types = (&self.first.old.types[record].body, &self.first.new.types[between].body);
        let last = &self.next.new.types[new].body;
        Ok(match (&first.body, &step.body, types, last) {
            (BodyStep::Same, BodyStep::Same, ..) => BodyStep::Same,
            (BodyStep::Hook, ..) | (_, BodyStep::Hook, ..) => return Err("a hook cannot be composed"),
            (BodyStep::Unanswered, ..) | (_, BodyStep::Unanswered, ..) => return Err("nobody says how it is made"),
            (one, other, (Body::Struct(old), Body::Struct(between)), Body::Struct(new)) => {
                let (one, other) = (struct_fields(one, between.len())?, struct_fields(other, new.len())?);
                BodyStep::Struct(self.fields(&one, &other, (old, between, new), "")?)
            }
            (
                one,
                other,
                (Body::Enum { variants: old, .. }, Body::Enum { variants: between, .. }),
                Body::Enum { variants: new, .. },
            ) => {
                let counts = |variants: &[Variant]| -> Vec<usize> {
                    variants.iter().map(|variant| variant.fields.len()).collect()
                };
                let (one, other) = (enum_steps(one, &counts(between))?, enum_steps(other, &counts(new))?);
                let mut steps = Vec::with_capacity(one.len());
                for (step, before) in one.iter().zip(old) {
                    let place = format!("::{}", before.name);
                    let Some(middle) = step.new else {
                        let check = step.check.map(|check| self.first_check(check));
                        steps.push(VariantStep { new: None, check, fields: Fields::default() });
                        continue;
                    };
                    let second = &other[middle];
                    let Some(target) = second.new else {
                        let check = second.check.map(|check| self.next_check(check, place));
                        steps.push(VariantStep { new: None, check, fields: Fields::default() });
                        continue;
                    };
                    let all = (&before.fields[..], &between[middle].fields[..], &new[target].fields[..]);
                    let fields = self.fields(&step.fields, &second.fields, all, &format!("{place}."))?;
                    steps.push(VariantStep { new: Some(target), check: None, fields });
                }
                BodyStep::Enum(steps)
            }
            _ => return Err("it is a struct in one and an enum in the other"),
        })
    }

    fn fields(
        &mut self,
        first: &Fields,
        next: &Fields,
        all: (&'a [Field], &'a [Field], &'a [Field]),
        prefix: &str,
    ) -> Composed<Fields> {
        let made = self.made(first, next, all, prefix)?;
        let mut dropped = Vec::new();
        for one in &first.dropped {
            let check = one.check.map(|check| self.first_check(check));
            dropped.push(Dropped { path: one.path.clone(), check });
        }
        for other in &next.dropped {
            let (source, _) = self.trace(first, all.1, &other.path)?;
            match source {
                Source::Value(_) => {}
                Source::Field { path, cast } => {
                    let place = format!("{prefix}{}", self.path_name(all.0, &path)?);
                    let check = match other.check {
                        None => None,
                        // Empty before is empty after, and nothing else is.
                        Some(check) if matches!(cast, Cast::Copy | Cast::Number { .. } | Cast::TextToBytes) => {
                            Some(self.next_check(check, place))
                        }
                        Some(_) => return Err("a converted field is dropped if it is empty"),
                    };
                    dropped.push(Dropped { path, check });
                }
                Source::Gathered(_) | Source::Hook | Source::Unanswered => {
                    return Err("a field that was put together is dropped");
                }
            }
        }
        Ok(Fields { made, dropped })
    }

    fn made(
        &mut self,
        first: &Fields,
        next: &Fields,
        all: (&'a [Field], &'a [Field], &'a [Field]),
        prefix: &str,
    ) -> Composed<Vec<FieldStep>> {
        let mut made = Vec::with_capacity(next.made.len());
        for step in &next.made {
            let field = &all.2[step.field];
            let source = match &step.source {
                Source::Value(value) => Source::Value(value.clone()),
                Source::Gathered(inner) => {
                    let name = inline_name(&field.shape).ok_or("what is put together is no struct")?;
                    let Some(Body::Struct(parts)) = self.next.new.get(name).map(|described| &described.body) else {
                        return Err("what is put together is no struct");
                    };
                    let made = self.made(first, inner, (all.0, all.1, parts), prefix)?;
                    Source::Gathered(Fields { made, dropped: Vec::new() })
                }
                Source::Field { path, cast } => {
                    let (source, between) = self.trace(first, all.1, path)?;
                    match source {
                        Source::Field { path, cast: one } => {
                            let place = format!("{prefix}{}", self.path_name(all.0, &path)?);
                            let old = &field_at(&self.first.old, all.0, &path)?.shape;
                            let cast = self.cast(&one, cast, (old, between, &field.shape), &place)?;
                            Source::Field { path, cast }
                        }
                        Source::Value(value) => Source::Value(cast_value(&value, cast, &field.shape)?),
                        Source::Gathered(inner) if *cast == Cast::Copy => {
                            let copied = inner.made.iter().all(|step| match &step.source {
                                Source::Field { cast, .. } => *cast == Cast::Copy,
                                Source::Value(_) => true,
                                _ => false,
                            });
                            if !copied {
                                return Err("a struct that was put together with conversions goes on");
                            }
                            Source::Gathered(inner)
                        }
                        _ => return Err("a field has no source, or one that cannot be composed"),
                    }
                }
                Source::Hook | Source::Unanswered => return Err("a field has no source, or a hook"),
            };
            made.push(FieldStep { field: step.field, source });
        }
        Ok(made)
    }

    /// What the first plan makes the field at a path of the type in between of, and its shape there.
    fn trace(&self, first: &Fields, between: &'a [Field], path: &[usize]) -> Composed<(Source, &'a Shape)> {
        let (&position, rest) = path.split_first().ok_or("a path leads nowhere")?;
        let step = first.made.iter().find(|step| step.field == position).ok_or("a field has no source")?;
        let shape = &between.get(position).ok_or("a path leads nowhere")?.shape;
        if rest.is_empty() {
            return Ok((step.source.clone(), shape));
        }
        let described = inline_name(shape).and_then(|name| self.first.new.get(name));
        let Some(Body::Struct(inner)) = described.map(|described| &described.body) else {
            return Err("a path leads through something else than a struct");
        };
        match &step.source {
            Source::Gathered(fields) => self.trace(fields, inner, rest),
            Source::Field { path: around, cast: Cast::Copy } => {
                let same = copied(inner.len());
                let (source, shape) = self.trace(&same, inner, rest)?;
                Ok((prefixed(around, source)?, shape))
            }
            Source::Field { path: around, cast: Cast::Type(number) } => match &self.first.types[*number].body {
                BodyStep::Struct(fields) => {
                    let (source, shape) = self.trace(fields, inner, rest)?;
                    Ok((prefixed(around, source)?, shape))
                }
                _ => Err("a path leads through a type that is no struct"),
            },
            _ => Err("a path leads through a field that was converted"),
        }
    }

    fn path_name(&self, old: &'a [Field], path: &[usize]) -> Composed<String> {
        let mut name = String::new();
        for len in 1..=path.len() {
            name = joined(&name, &field_at(&self.first.old, old, &path[..len])?.name);
        }
        Ok(name.trim_start_matches('.').to_owned())
    }
}

/// The field at a path of positions through inline structs.
fn field_at<'a>(schema: &'a Schema, fields: &'a [Field], path: &[usize]) -> Composed<&'a Field> {
    let (&position, rest) = path.split_first().ok_or("a path leads nowhere")?;
    let field = fields.get(position).ok_or("a path leads nowhere")?;
    if rest.is_empty() {
        return Ok(field);
    }
    let described = inline_name(&field.shape).and_then(|name| schema.get(name));
    match described.map(|described| &described.body) {
        Some(Body::Struct(inner)) => field_at(schema, inner, rest),
        _ => Err("a path leads through something else than a struct"),
    }
}

/// Each field of itself.
fn copied(count: usize) -> Fields {
    let made = |field| FieldStep { field, source: Source::Field { path: vec![field], cast: Cast::Copy } };
    Fields { made: (0..count).map(made).collect(), dropped: Vec::new() }
}

fn struct_fields(body: &BodyStep, count: usize) -> Composed<Fields> {
    match body {
        BodyStep::Same => Ok(copied(count)),
        BodyStep::Struct(fields) => Ok(fields.clone()),
        _ => Err("a struct has no fields"),
    }
}

/// `counts` are the numbers of fields of the new variants.
fn enum_steps(body: &BodyStep, counts: &[usize]) -> Composed<Vec<VariantStep>> {
    let same =
        |(position, &count): (usize, &usize)| VariantStep { new: Some(position), check: None, fields: copied(count) };
    match body {
        BodyStep::Same => Ok(counts.iter().enumerate().map(same).collect()),
        BodyStep::Enum(steps) => Ok(steps.clone()),
        _ => Err("an enum has no variants"),
    }
}

fn prefixed(around: &[usize], source: Source) -> Composed<Source> {
    match source {
        Source::Field { path, cast } => Ok(Source::Field { path: [around, &path].concat(), cast }),
        Source::Value(value) => Ok(Source::Value(value)),
        _ => Err("a field in a struct cannot be composed"),
    }
}
