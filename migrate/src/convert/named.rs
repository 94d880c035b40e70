//! Structs and enums: fields and variants, each by the step that the plan has for it.

use super::ConversionError;
use super::code::{Cases, Step};
use super::compile::{Between, Compiled, Compiler, Purpose, described, mismatch};
use super::emit::native;
use crate::plan::{BodyStep, Cast, Dropped, FieldStep, Fields, Source, TypeStep, VariantStep};
use crate::schema::{Body, Field, Integer, Shape, TypeDescriptor, Variant};

impl<'a> Compiler<'a> {
    pub(super) fn copy_named(
        &mut self,
        old: &TypeDescriptor,
        from: u64,
        new: &TypeDescriptor,
        to: u64,
        levels: u32,
    ) -> Compiled {
        let unlike = || mismatch(format!("{} and {} are not alike", old.name, new.name));
        let same = |old: &[Field], new: &[Field]| {
            let alike = old.len() == new.len() && old.iter().zip(new).all(|(old, new)| old.name == new.name);
            let made = |field| FieldStep { field, source: Source::Field { path: vec![field], cast: Cast::Copy } };
            alike.then(|| Fields { made: (0..new.len()).map(made).collect(), dropped: Vec::new() }).ok_or_else(unlike)
        };
        match (&old.body, &new.body) {
            (Body::Struct(old), Body::Struct(new)) => self.fields(&same(old, new)?, old, from, new, to, levels),
            (Body::Enum { variants: before, .. }, Body::Enum { variants: after, .. }) => {
                if before.len() != after.len() {
                    return Err(unlike());
                }
                let step = |(number, (old, new)): (usize, (&Variant, &Variant))| {
                    let fields = same(&old.fields, &new.fields)?;
                    if old.name == new.name {
                        Ok(VariantStep { new: Some(number), check: None, fields })
                    } else {
                        Err(unlike())
                    }
                };
                let steps = before.iter().zip(after).enumerate().map(step).collect::<Result<Vec<_>, _>>()?;
                self.choice(&steps, old, from, new, to, levels)
            }
            _ => Err(unlike()),
        }
    }

    pub(super) fn named(&mut self, step: usize, old: &str, from: u64, new: &str, to: u64, levels: u32) -> Compiled {
        let plan = self.plan;
        let TypeStep { old: Some(before), new: Some(after), body, .. } =
            plan.types.get(step).ok_or_else(|| mismatch(format!("there is no step {step}")))?
        else {
            return Err(mismatch(format!("step {step} makes no values of others")));
        };
        let (one, other) = (described(&self.old, old)?, described(&self.new, new)?);
        let suits = plan.old.types.get(*before).is_some_and(|described| described.name == old)
            && plan.new.types.get(*after).is_some_and(|described| described.name == new);
        if !suits {
            return Err(mismatch(format!("step {step} is not about {old} and {new}")));
        }
        let is_secret = one.attributes.secret.is_some() || other.attributes.secret.is_some();
        let before = self.secret;
        self.secret |= is_secret;
        let compiled = match (body, &one.body, &other.body) {
            (BodyStep::Same, ..) => self.copy_named(one, from, other, to, levels),
            (BodyStep::Struct(fields), Body::Struct(old), Body::Struct(new)) => {
                self.fields(fields, old, from, new, to, levels)
            }
            (BodyStep::Enum(variants), Body::Enum { .. }, Body::Enum { .. }) => {
                self.choice(variants, one, from, other, to, levels)
            }
            (BodyStep::Hook, ..) => Err(ConversionError::Hook(new.into())),
            (BodyStep::Unanswered, ..) => Err(ConversionError::Unanswered(new.into())),
            _ => Err(mismatch(format!("step {step} does not suit {old} and {new}"))),
        };
        self.secret = before;
        compiled
    }

    /// Fields are made in the order in which they lie, so that what is side by side moves together.
    pub(super) fn fields(
        &mut self,
        fields: &Fields,
        old: &[Field],
        from: u64,
        new: &[Field],
        to: u64,
        levels: u32,
    ) -> Compiled {
        let levels = levels.checked_sub(1).ok_or(ConversionError::TooMany)?;
        let mut made: Vec<_> = fields.made.iter().collect();
        made.sort_by_key(|step| (new.get(step.field).map(|field| field.offset), step.field));
        let mut numbers: Vec<usize> = made.iter().map(|step| step.field).collect();
        numbers.sort_unstable();
        if numbers.len() != new.len() || numbers.iter().enumerate().any(|(position, &number)| position != number) {
            return Err(mismatch("not every new field has one source"));
        }
        for step in made {
            let field = &new[step.field];
            let to = to + u64::from(field.offset);
            self.spend()?;
            match &step.source {
                Source::Field { path, cast } => {
                    let (shape, offset, secret) = self.resolve(old, path)?;
                    let between = Between { old: shape, from: from + offset, new: &field.shape, to };
                    let before = self.secret;
                    self.secret |= secret || field.attributes.secret.is_some();
                    self.cast(between, cast, levels)?;
                    self.secret = before;
                }
                Source::Gathered(fields) => {
                    let Shape::Inline(name) = &field.shape else {
                        return Err(mismatch(format!("{} is gathered, and no struct", field.name)));
                    };
                    let Body::Struct(inner) = &described(&self.new, name)?.body else {
                        return Err(mismatch(format!("{} is gathered, and no struct", field.name)));
                    };
                    self.fields(fields, old, from, inner, to, levels)?;
                }
                Source::Value(value) => self.value(value, &field.shape, to, levels)?,
                // The hook finds zeros.
                Source::Hook => {}
                Source::Unanswered if self.purpose == Purpose::Scan => {}
                Source::Unanswered => return Err(ConversionError::Unanswered(field.name.clone())),
            }
        }
        for Dropped { path, check } in &fields.dropped {
            let (shape, offset, secret) = self.resolve(old, path)?;
            let from = from + offset;
            if check.is_some() {
                let before = self.secret;
                self.secret |= secret;
                let check = self.check(*check, shape)?;
                self.probe(from, check, |compiler| compiler.empty(shape, from, check, levels))?;
                self.secret = before;
            }
            self.drop_owned(shape, from, levels)?;
        }
        Ok(())
    }

    /// Where a path of positions leads, from the fields of a struct inwards, and whether what lies there is secret.
    pub(super) fn resolve<'f>(
        &mut self,
        fields: &'f [Field],
        path: &[usize],
    ) -> Result<(&'f Shape, u64, bool), ConversionError>
    where
        'a: 'f,
    {
        let nowhere = || mismatch(format!("the path {path:?} leads nowhere"));
        let (first, rest) = path.split_first().ok_or_else(nowhere)?;
        let field = fields.get(*first).ok_or_else(nowhere)?;
        let (mut shape, mut offset) = (&field.shape, u64::from(field.offset));
        let mut secret = field.attributes.secret.is_some();
        for &position in rest {
            self.spend()?;
            let Shape::Inline(name) = shape else { return Err(nowhere()) };
            let described = described(&self.old, name)?;
            let Body::Struct(fields) = &described.body else { return Err(nowhere()) };
            let field = fields.get(position).ok_or_else(nowhere)?;
            (shape, offset) = (&field.shape, offset + u64::from(field.offset));
            secret |= field.attributes.secret.is_some() || described.attributes.secret.is_some();
        }
        Ok((shape, offset, secret))
    }

    pub(super) fn choice(
        &mut self,
        steps: &[VariantStep],
        old: &TypeDescriptor,
        from: u64,
        new: &TypeDescriptor,
        to: u64,
        levels: u32,
    ) -> Compiled {
        let (
            Body::Enum { tag_offset, tag, variants: before },
            Body::Enum { tag_offset: new_tag_offset, tag: new_tag, variants: after },
        ) = (&old.body, &new.body)
        else {
            return Err(mismatch(format!("{} and {} are no enums", old.name, new.name)));
        };
        if steps.len() != before.len() {
            return Err(mismatch(format!("not every variant of {} has a step", old.name)));
        }
        let (tag_from, tag_to) = (from + u64::from(*tag_offset), to + u64::from(*new_tag_offset));
        let (place, _) = self.places(tag_from, tag.width.into(), tag_to, new_tag.width.into())?;
        let is_plain = |step: &VariantStep| {
            let new = step.new.and_then(|new| after.get(new));
            step.fields == Fields::default() && new.is_some_and(|variant| variant.fields.is_empty())
        };
        if self.purpose == Purpose::Convert && steps.iter().all(is_plain) {
            return self.tags(steps, before, (tag_from, *tag), after, (tag_to, *new_tag));
        }
        let (whole, start) = (Shape::Inline(old.name.clone()), self.old_place(from, 0)?);
        let number = self.code.cases.len() as u32;
        self.code.cases.push(Cases::default());
        let head = self.open(Step::Choice { from: place, width: tag.width, cases: number, end: 0 })?;
        let mut by_tag = Vec::with_capacity(steps.len());
        let mut jumps = Vec::with_capacity(steps.len());
        for (step, old) in steps.iter().zip(before) {
            by_tag.push((old.tag, self.label()));
            match step.new.map(|new| after.get(new)) {
                Some(Some(new)) => {
                    for gone in steps.iter().filter(|step| step.new.is_none() && step.check.is_some()) {
                        let check = self.check(gone.check, &whole)?;
                        self.push(Step::Holds { check })?;
                    }
                    self.integer(new.tag, tag_to, new_tag.width)?;
                    self.fields(&step.fields, &old.fields, from, &new.fields, to, levels)?;
                }
                Some(None) => return Err(mismatch(format!("{} becomes a variant that is not there", old.name))),
                None => {
                    let check = self.check(step.check, &whole)?;
                    self.push(Step::Never { from: start, check })?;
                }
            }
            jumps.push(self.jump()?);
        }
        self.code.cases[number as usize] = Cases::new(by_tag);
        self.end(head, &jumps);
        Ok(())
    }

    /// Variants without payload: nothing branches.
    pub(super) fn tags(
        &mut self,
        steps: &[VariantStep],
        before: &[Variant],
        (from, old): (u64, Integer),
        after: &[Variant],
        (to, new): (u64, Integer),
    ) -> Compiled {
        let (from, to) = self.places(from, old.width.into(), to, new.width.into())?;
        let mut by_tag = Vec::with_capacity(steps.len());
        for (step, old) in steps.iter().zip(before) {
            self.spend()?;
            let becomes = step.new.and_then(|new| after.get(new)).map_or(0, |variant| variant.tag);
            by_tag.push((old.tag, self.code.pool.len() as u32));
            self.code.pool.extend_from_slice(&native(becomes, new.width)?);
        }
        let cases = self.code.cases.len() as u32;
        self.code.cases.push(Cases::new(by_tag));
        self.push(Step::Tag { from, to, old_width: old.width, new_width: new.width, cases })
    }
}
