//! From casts to steps.

use super::code::{Cases, Code, Conversion, Converter, JobData, JobKind, NONE, Step, Table};
use super::number::{Kind, NumberCast, Rounding};
use super::{ConversionError, Job};
use crate::layout::{ByteOrder, MAX_DEPTH, MAX_SIZE, TypeIndex};
use crate::plan::{BodyStep, Cast, Dropped, Fields, Plan, Source, TypeStep, VariantStep};
use crate::schema::{Body, Field, Integer, OptionTag, Shape, TypeDescriptor, Variant};

pub(super) type Compiled = Result<(), ConversionError>;

impl Conversion {
    /// How the values of an old type become those of a new one: the step at this position of [`Plan::types`]. `order`
    /// is that of the old heap; the new values are in the order of this machine.
    ///
    /// What a hook makes stays zero.
    ///
    /// # Errors
    /// When the plan contradicts itself or its schemas, is not answered, or leaves the whole type to a hook or to
    /// nobody.
    pub fn of_type(plan: &Plan, step: usize, order: ByteOrder) -> Result<Self, ConversionError> {
        let types = plan.types.get(step).and_then(|types| Some((types.old?, types.new?)));
        let types = types.and_then(|(old, new)| Some((plan.old.types.get(old)?, plan.new.types.get(new)?)));
        let Some((old, new)) = types else { return Err(mismatch(format!("no two types at step {step}"))) };
        let (old, new) = (Shape::Inline(old.name.clone()), Shape::Inline(new.name.clone()));
        Self::of_shape(plan, &old, &new, &Cast::Type(step), order)
    }

    /// How values of one shape become those of another: elements of lists, keys and values of maps.
    ///
    /// # Errors
    /// When the plan contradicts itself or its schemas, is not answered, or leaves a whole type to a hook.
    pub fn of_shape(
        plan: &Plan,
        old: &Shape,
        new: &Shape,
        cast: &Cast,
        order: ByteOrder,
    ) -> Result<Self, ConversionError> {
        Compiler::new(plan, order, Purpose::Convert).compile(old, new, cast).map(|table| Self { table })
    }

    /// The jobs that the conversion reaches, by number.
    pub fn jobs(&self) -> impl Iterator<Item = Job<'_>> {
        (0..self.table.jobs.len() as u32).map(|number| Job { table: &self.table, number })
    }

    /// Every conversion that this one reaches, itself first.
    pub fn converters(&self) -> impl Iterator<Item = Converter<'_>> {
        self.table.codes.iter().map(|code| Converter { table: &self.table, code })
    }
}

/// What steps are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// New values.
    Convert,
    /// A look whether what the plan's checks say holds; nothing is written.
    Scan,
}

pub(super) struct Compiler<'a> {
    plan: &'a Plan,
    pub(super) old: TypeIndex<'a>,
    pub(super) new: TypeIndex<'a>,
    pub(super) order: ByteOrder,
    pub(super) purpose: Purpose,
    /// Which of the plan's types have anything to check.
    checked: Vec<bool>,
    /// Steps that may still be made.
    pub(super) budget: usize,
    pub(super) table: Table,
    pub(super) code: Code,
    /// Sizes of what the bases stand at the start of: the values, or a loop's elements.
    around: (u64, u64),
    /// How deep loops and branches lie around the step to come.
    loops: u32,
    pub(super) branches: u32,
    /// Steps before this one may not be changed: something jumps here, or they are done with.
    barrier: usize,
}

pub(super) fn mismatch(what: impl Into<String>) -> ConversionError {
    ConversionError::Mismatch(what.into())
}

fn unsuited(old: &Shape, new: &Shape, cast: &str) -> ConversionError {
    mismatch(format!("{cast} from {old} to {new}"))
}

impl<'a> Compiler<'a> {
    pub(super) fn new(plan: &'a Plan, order: ByteOrder, purpose: Purpose) -> Self {
        let parts = |types: &[TypeDescriptor]| types.iter().map(|described| 1 + parts(&described.body)).sum::<usize>();
        Self {
            plan,
            old: TypeIndex::new(&plan.old),
            new: TypeIndex::new(&plan.new),
            order,
            purpose,
            checked: if purpose == Purpose::Scan { checked_types(plan) } else { Vec::new() },
            budget: (1 << 20) + 16 * (parts(&plan.old.types) + parts(&plan.new.types)),
            table: Table::default(),
            code: Code::new(0, 0, order),
            around: (0, 0),
            loops: 0,
            branches: 0,
            barrier: 0,
        }
    }

    /// Compiles the conversion, and then, one after the other, what its jobs need, which may need further jobs.
    pub(super) fn compile(mut self, old: &Shape, new: &Shape, cast: &Cast) -> Result<Table, ConversionError> {
        self.whole(old, new, cast)?;
        let mut next = 0;
        while let Some(JobData { kind, old, new, casts, .. }) = self.table.jobs.get(next).cloned() {
            let ((old_key, old_value), (new_key, new_value)) = parts_of_job(kind, &old, &new)?;
            self.table.jobs[next].value = self.whole(&old_value, &new_value, &casts.0)?;
            if let (Some(old), Some(new), Some(cast)) = (old_key, new_key, &casts.1) {
                self.table.jobs[next].key = self.whole(&old, &new, cast)?;
            }
            next += 1;
        }
        Ok(self.table)
    }

    /// Returns the number of the code.
    fn whole(&mut self, old: &Shape, new: &Shape, cast: &Cast) -> Result<u32, ConversionError> {
        self.around = (self.old_size(old)?, self.new_size(new)?);
        self.code = Code::new(self.around.0 as u32, self.around.1 as u32, self.order);
        self.barrier = 0;
        self.cast(old, 0, new, 0, cast, 2 * MAX_DEPTH)?;
        self.settle();
        let mut code = std::mem::replace(&mut self.code, Code::new(0, 0, self.order));
        code.pure = !code.steps.iter().any(|step| step.asks_outside());
        code.steps.shrink_to_fit();
        self.table.codes.push(code);
        Ok(self.table.codes.len() as u32 - 1)
    }

    pub(super) fn old_size(&self, shape: &Shape) -> Result<u64, ConversionError> {
        size(&self.old, shape)
    }

    pub(super) fn new_size(&self, shape: &Shape) -> Result<u64, ConversionError> {
        size(&self.new, shape)
    }

    /// The value of shape `old` at `from` becomes one of shape `new` at `to`. `levels` bounds the recursion.
    pub(super) fn cast(&mut self, old: &Shape, from: u64, new: &Shape, to: u64, cast: &Cast, levels: u32) -> Compiled {
        let levels = levels.checked_sub(1).ok_or(ConversionError::TooMany)?;
        self.spend()?;
        if self.purpose == Purpose::Scan && !has_checks(cast, &self.checked) {
            return Ok(());
        }
        match (cast, old, new) {
            (Cast::Copy, ..) => self.copy(old, from, new, to, levels),
            (Cast::Number { check }, ..) => self.number(old, from, new, to, *check),
            (Cast::TextToBytes, Shape::Text, Shape::Bytes) => {
                let (from, to) = self.places(from, 8, to, 8)?;
                self.push(Step::ToBytes { from, to })
            }
            (Cast::BytesToText { check }, Shape::Bytes, Shape::Text) => {
                let check = self.check(Some(*check))?;
                let (from, to) = self.places(from, 8, to, 8)?;
                self.push(Step::ToText { from, to, check })
            }
            (Cast::Type(step), Shape::Inline(old), Shape::Inline(new)) => self.named(*step, old, from, new, to, levels),
            (Cast::Some(inner), _, Shape::Option { inner: new, tag, .. }) => {
                self.cast(old, from, new, to + value_at(*tag), inner, levels)?;
                self.something(*tag, to)
            }
            (Cast::Option(inner), Shape::Option { .. }, Shape::Option { .. }) => {
                self.option(old, from, new, to, inner, levels)
            }
            (Cast::Unwrap { value, none, check }, Shape::Option { inner: old, tag, .. }, _) => {
                let head = self.is_something(*tag, from)?;
                self.cast(old, from + value_at(*tag), new, to, value, levels)?;
                let jump = self.otherwise(head)?;
                match none {
                    Some(value) if check.is_none() => self.value(value, new, to, levels)?,
                    _ => {
                        let check = self.check(*check)?;
                        self.push(Step::Never { from: self.place(from, 0, self.around.0)?, check })?;
                    }
                }
                self.end(head, &[jump]);
                Ok(())
            }
            (Cast::One(inner), _, Shape::Array { element, count: 1 }) => {
                self.cast(old, from, element, to, inner, levels)
            }
            (
                Cast::Array { element, fill, check },
                Shape::Array { element: old, count: before },
                Shape::Array { element: new, count: after },
            ) => {
                let count = *before.min(after);
                self.array(old, from, new, to, count, element, levels)?;
                let (old_stride, new_stride) = (self.old_size(old)?, self.new_size(new)?);
                if after > before {
                    self.repeated(to + count * new_stride, new_stride, after - before, |compiler, to| {
                        compiler.value(fill, new, to, levels)
                    })
                } else {
                    let (start, stride, count) = (from + count * old_stride, old_stride, before - after);
                    if let Some(check) = check {
                        let check = self.check(Some(*check))?;
                        self.over_old(start, stride, count, |compiler, from| compiler.empty(old, from, check, levels))?;
                    }
                    self.over_old(start, stride, count, |compiler, from| compiler.drop_owned(old, from, levels))
                }
            }
            (Cast::ToList(inner), _, Shape::List(_)) => self.make(JobKind::ToList, old, from, new, to, inner, levels),
            (Cast::ToReference(inner), _, Shape::Reference(_)) => {
                self.make(JobKind::ToReference, old, from, new, to, inner, levels)
            }
            (Cast::FromList { element, check }, Shape::List(_), _) => {
                self.take(JobKind::FromList, old, from, new, to, element, *check, NONE)
            }
            (Cast::FromReference { record, check }, Shape::Reference(_), _) => {
                self.take(JobKind::FromReference, old, from, new, to, record, *check, NONE)
            }
            (Cast::FromListOption { element, check }, Shape::List(_), Shape::Option { inner, tag, .. }) => {
                self.branch();
                self.settle();
                let head = self.code.steps.len();
                // The label is filled in by `otherwise`.
                self.take(JobKind::FromList, old, from, inner, to + value_at(*tag), element, *check, 0)?;
                self.label();
                self.something(*tag, to)?;
                let jump = self.otherwise(head)?;
                self.nothing(*tag, to)?;
                self.end(head, &[jump]);
                Ok(())
            }
            (Cast::List(element), Shape::List(_), Shape::List(_)) => {
                self.convert(JobKind::List, old, from, new, to, (element, None), None)
            }
            (
                Cast::Map { key, value, check },
                Shape::Map { .. } | Shape::SortedMap { .. },
                Shape::Map { .. } | Shape::SortedMap { .. },
            ) => self.convert(JobKind::Map, old, from, new, to, (value, Some(key)), *check),
            (Cast::Unanswered, ..) => Err(ConversionError::Unanswered(format!("{new} of {old}"))),
            (cast, ..) => Err(unsuited(old, new, name(cast))),
        }
    }

    /// The same value, part by part, so that padding is zero and invalid bytes are found. In a heap of the other byte
    /// order this goes through lists and maps too.
    fn copy(&mut self, old: &Shape, from: u64, new: &Shape, to: u64, levels: u32) -> Compiled {
        let levels = levels.checked_sub(1).ok_or(ConversionError::TooMany)?;
        self.spend()?;
        match (old, new) {
            (Shape::Integer(one), Shape::Integer(other)) if (one.width, one.signed) == (other.width, other.signed) => {
                self.word(from, to, one.width.into())
            }
            (Shape::Float(one), Shape::Float(other)) if one.width == other.width => {
                self.word(from, to, one.width.into())
            }
            (Shape::Bool, Shape::Bool) => {
                let from_place = self.place(from, 1, self.around.0)?;
                self.push(Step::Bool { from: from_place, count: 1 })?;
                self.word(from, to, 1)
            }
            (Shape::Char, Shape::Char) => {
                let from_place = self.place(from, 4, self.around.0)?;
                self.push(Step::Char { from: from_place, count: 1 })?;
                self.word(from, to, 4)
            }
            (Shape::Array { element: old, count }, Shape::Array { element: new, count: same }) if count == same => {
                self.array(old, from, new, to, *count, &Cast::Copy, levels)
            }
            (Shape::Option { .. }, Shape::Option { .. }) => self.option(old, from, new, to, &Cast::Copy, levels),
            (Shape::Inline(one), Shape::Inline(other)) => {
                let (one, other) = (described(&self.old, one)?, described(&self.new, other)?);
                self.copy_named(one, from, other, to, levels)
            }
            (Shape::Text, Shape::Text)
            | (Shape::Bytes, Shape::Bytes)
            | (Shape::Reference(_), Shape::Reference(_))
            | (Shape::List(_), Shape::List(_))
            | (Shape::Map { .. }, Shape::Map { .. })
            | (Shape::SortedMap { .. }, Shape::SortedMap { .. }) => self.copy_handle(old, from, new, to),
            _ => Err(unsuited(old, new, "a copy")),
        }
    }

    fn copy_handle(&mut self, old: &Shape, from: u64, new: &Shape, to: u64) -> Compiled {
        if self.order != ByteOrder::NATIVE {
            match old {
                Shape::List(_) => {
                    return self.convert(JobKind::List, old, from, new, to, (&Cast::Copy, None), None);
                }
                Shape::Map { .. } | Shape::SortedMap { .. } => {
                    let casts = (&Cast::Copy, Some(&Cast::Copy));
                    return self.convert(JobKind::Map, old, from, new, to, casts, None);
                }
                _ => {}
            }
        }
        let place = self.place(from, 8, self.around.0)?;
        self.push(Step::Present { from: place, count: 1 })?;
        self.word(from, to, 8)
    }

    fn copy_named(&mut self, old: &TypeDescriptor, from: u64, new: &TypeDescriptor, to: u64, levels: u32) -> Compiled {
        let unlike = || mismatch(format!("{} and {} are not alike", old.name, new.name));
        let same = |old: &[Field], new: &[Field]| {
            let alike = old.len() == new.len() && old.iter().zip(new).all(|(old, new)| old.name == new.name);
            let made =
                |field| crate::plan::FieldStep { field, source: Source::Field { path: vec![field], cast: Cast::Copy } };
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

    fn named(&mut self, step: usize, old: &str, from: u64, new: &str, to: u64, levels: u32) -> Compiled {
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
        match (body, &one.body, &other.body) {
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
        }
    }

    /// Fields are made in the order in which they lie, so that what is side by side moves together.
    fn fields(&mut self, fields: &Fields, old: &[Field], from: u64, new: &[Field], to: u64, levels: u32) -> Compiled {
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
                    let (shape, offset) = self.resolve(old, path)?;
                    self.cast(shape, from + offset, &field.shape, to, cast, levels)?;
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
                Source::Unanswered => return Err(ConversionError::Unanswered(field.name.clone())),
            }
        }
        for Dropped { path, check } in &fields.dropped {
            let (shape, offset) = self.resolve(old, path)?;
            if check.is_some() {
                let check = self.check(*check)?;
                self.empty(shape, from + offset, check, levels)?;
            }
            self.drop_owned(shape, from + offset, levels)?;
        }
        Ok(())
    }

    /// Where a path of positions leads, from the fields of a struct inwards.
    fn resolve<'f>(&mut self, fields: &'f [Field], path: &[usize]) -> Result<(&'f Shape, u64), ConversionError>
    where
        'a: 'f,
    {
        let nowhere = || mismatch(format!("the path {path:?} leads nowhere"));
        let (first, rest) = path.split_first().ok_or_else(nowhere)?;
        let field = fields.get(*first).ok_or_else(nowhere)?;
        let (mut shape, mut offset) = (&field.shape, u64::from(field.offset));
        for &position in rest {
            self.spend()?;
            let Shape::Inline(name) = shape else { return Err(nowhere()) };
            let Body::Struct(fields) = &described(&self.old, name)?.body else { return Err(nowhere()) };
            let field = fields.get(position).ok_or_else(nowhere)?;
            (shape, offset) = (&field.shape, offset + u64::from(field.offset));
        }
        Ok((shape, offset))
    }

    fn choice(
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
        let number = self.code.cases.len() as u32;
        self.code.cases.push(Cases::default());
        let head = self.open(Step::Choice { from: place, width: tag.width, cases: number })?;
        let mut by_tag = Vec::with_capacity(steps.len());
        let mut jumps = Vec::with_capacity(steps.len());
        for (step, old) in steps.iter().zip(before) {
            by_tag.push((old.tag, self.label()));
            match step.new.map(|new| after.get(new)) {
                Some(Some(new)) => {
                    self.integer(new.tag, tag_to, new_tag.width)?;
                    self.fields(&step.fields, &old.fields, from, &new.fields, to, levels)?;
                }
                Some(None) => return Err(mismatch(format!("{} becomes a variant that is not there", old.name))),
                None => {
                    let check = self.check(step.check)?;
                    self.push(Step::Never { from: place, check })?;
                }
            }
            jumps.push(self.jump()?);
        }
        self.code.cases[number as usize] = Cases::new(by_tag);
        self.end(head, &jumps);
        Ok(())
    }

    /// Variants without payload: nothing branches.
    fn tags(
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

    fn option(&mut self, old: &Shape, from: u64, new: &Shape, to: u64, cast: &Cast, levels: u32) -> Compiled {
        let (Shape::Option { inner: old_inner, tag: old_tag, .. }, Shape::Option { inner: new_inner, tag, .. }) =
            (old, new)
        else {
            return Err(unsuited(old, new, "an option"));
        };
        let alike = old.is_optional_handle() && new.is_optional_handle();
        let kept = match **old_inner {
            Shape::List(_) | Shape::Map { .. } | Shape::SortedMap { .. } => self.order == ByteOrder::NATIVE,
            _ => true,
        };
        if alike && kept && *cast == Cast::Copy && same_handles(old_inner, new_inner) {
            // Nothing and something are the same word.
            return self.word(from, to, 8);
        }
        let head = self.is_something(*old_tag, from)?;
        self.cast(old_inner, from + value_at(*old_tag), new_inner, to + value_at(*tag), cast, levels)?;
        self.something(*tag, to)?;
        let jump = self.otherwise(head)?;
        self.nothing(*tag, to)?;
        self.end(head, &[jump]);
        Ok(())
    }

    /// Opens a branch that goes on where an old option is something. Ends with [`Self::otherwise`] and [`Self::end`].
    pub(super) fn is_something(&mut self, tag: OptionTag, from: u64) -> Result<usize, ConversionError> {
        match tag {
            OptionTag::Niche { offset, width, none } => {
                let from = self.place(from + u64::from(offset), width.into(), self.around.0)?;
                self.open(Step::Niche { from, width, none, otherwise: 0 })
            }
            OptionTag::Tagged { width, .. } => {
                let from = self.place(from, width.into(), self.around.0)?;
                self.open(Step::Tagged { from, width, otherwise: 0 })
            }
        }
    }

    /// A new option is something.
    pub(super) fn something(&mut self, tag: OptionTag, to: u64) -> Compiled {
        match tag {
            OptionTag::Niche { .. } => Ok(()),
            OptionTag::Tagged { width, .. } => self.integer(1, to, width),
        }
    }

    /// A new option is nothing; all its other bytes are zero already.
    pub(super) fn nothing(&mut self, tag: OptionTag, to: u64) -> Compiled {
        match tag {
            OptionTag::Niche { offset, width, none } => self.integer(none.into(), to + u64::from(offset), width),
            OptionTag::Tagged { .. } => Ok(()),
        }
    }

    fn array(
        &mut self,
        old: &Shape,
        from: u64,
        new: &Shape,
        to: u64,
        count: u64,
        cast: &Cast,
        levels: u32,
    ) -> Compiled {
        let strides = (self.old_size(old)?, self.new_size(new)?);
        self.looped((from, to), strides, count, |compiler, (from, to)| compiler.cast(old, from, new, to, cast, levels))
    }

    /// The same steps for old values side by side.
    pub(super) fn over_old(
        &mut self,
        from: u64,
        stride: u64,
        count: u64,
        body: impl FnOnce(&mut Self, u64) -> Compiled,
    ) -> Compiled {
        self.looped((from, 0), (stride, 0), count, |compiler, (from, _)| body(compiler, from))
    }

    /// The same steps for new values side by side.
    pub(super) fn repeated(
        &mut self,
        to: u64,
        stride: u64,
        count: u64,
        body: impl FnOnce(&mut Self, u64) -> Compiled,
    ) -> Compiled {
        self.looped((0, to), (0, stride), count, |compiler, (_, to)| body(compiler, to))
    }

    /// The steps of `body` for elements side by side. Where they are of a kind that says how many there are, no loop is
    /// needed.
    fn looped(
        &mut self,
        (from, to): (u64, u64),
        (old_stride, new_stride): (u64, u64),
        count: u64,
        body: impl FnOnce(&mut Self, (u64, u64)) -> Compiled,
    ) -> Compiled {
        match count {
            0 => return Ok(()),
            1 => return body(self, (from, to)),
            _ => {}
        }
        let extent = |stride: u64| stride.checked_mul(count).ok_or(ConversionError::TooMany);
        let (from, to) = (
            self.place(from, extent(old_stride)?, self.around.0)?,
            self.place(to, extent(new_stride)?, self.around.1)?,
        );
        self.settle();
        self.branch();
        let head = self.push_raw(Step::Repeat { from, to, count: 0 })?;
        let around = std::mem::replace(&mut self.around, (old_stride, new_stride));
        self.loops += 1;
        let start = self.label();
        let inner_loops = std::mem::replace(&mut self.code.loops, 0);
        body(self, (0, 0))?;
        self.settle();
        let deepest = std::mem::replace(&mut self.code.loops, inner_loops);
        self.loops -= 1;
        self.around = around;
        let inner = self.code.steps.split_off(start as usize);
        let scaled = |step: &Step| scale(*step, (old_stride, new_stride), count);
        if let Some(scaled) = inner.iter().map(scaled).collect::<Option<Vec<Step>>>() {
            self.code.steps.truncate(head);
            self.branches -= 1;
            self.barrier = self.code.steps.len();
            for step in scaled {
                let step = shift(step, from, to);
                self.push(step)?;
            }
            return Ok(());
        }
        self.code.steps.extend(inner);
        let count = u32::try_from(count).map_err(|_| ConversionError::TooMany)?;
        self.code.steps[head] = Step::Repeat { from, to, count };
        self.push_raw(Step::Again { old_stride: old_stride as u32, new_stride: new_stride as u32, start })?;
        self.code.loops = self.code.loops.max(deepest + 1);
        self.close(head);
        Ok(())
    }

    fn number(&mut self, old: &Shape, from: u64, new: &Shape, to: u64, check: Option<usize>) -> Compiled {
        let (Some(before), Some(after)) = (Kind::of(old), Kind::of(new)) else {
            return Err(unsuited(old, new, "a number"));
        };
        let waived = check.and_then(|check| self.plan.checks.get(check)).is_some_and(|check| check.waived);
        let rounding = if waived { Rounding::Nearest } else { Rounding::Exact };
        let check = self.check(check)?;
        let (from, to) = self.places(from, before.width().into(), to, after.width().into())?;
        let cast = NumberCast { old: before, new: after, order: self.order, rounding };
        self.push(Step::Number { from, to, count: 1, cast, check })
    }

    /// A number, handle or tag stays what it is.
    fn word(&mut self, from: u64, to: u64, width: u64) -> Compiled {
        let (from, to) = self.places(from, width, to, width)?;
        if self.order == ByteOrder::NATIVE || width == 1 {
            return self.push(Step::Move { from, to, len: width as u32 });
        }
        let kind = Kind::unsigned(width).ok_or_else(|| mismatch(format!("a word of {width} bytes")))?;
        let cast = NumberCast { old: kind, new: kind, order: self.order, rounding: Rounding::Exact };
        self.push(Step::Number { from, to, count: 1, cast, check: NONE })
    }

    /// An integer of `width` bytes that is the same in every new value.
    pub(super) fn integer(&mut self, value: u128, to: u64, width: u8) -> Compiled {
        let bytes = native(value, width)?;
        self.constant(&bytes, to)
    }

    pub(super) fn constant(&mut self, bytes: &[u8], to: u64) -> Compiled {
        let to = self.place(to, bytes.len() as u64, self.around.1)?;
        if bytes.iter().all(|&byte| byte == 0) {
            // It is zero already.
            return Ok(());
        }
        let start = self.code.pool.len() as u32;
        self.budget = self.budget.checked_sub(bytes.len()).ok_or(ConversionError::TooMany)?;
        self.code.pool.extend_from_slice(bytes);
        self.push(Step::Constant { to, start, len: bytes.len() as u32 })
    }

    /// A job's step, for a list or map that stays one.
    fn convert(
        &mut self,
        kind: JobKind,
        old: &Shape,
        from: u64,
        new: &Shape,
        to: u64,
        casts: (&Cast, Option<&Cast>),
        check: Option<usize>,
    ) -> Compiled {
        let check = self.check(check)?;
        let (from, to) = self.places(from, 8, to, 8)?;
        let job = self.job(kind, old, new, casts, check)?;
        self.push(Step::Convert { from, to, job })
    }

    fn make(
        &mut self,
        kind: JobKind,
        old: &Shape,
        from: u64,
        new: &Shape,
        to: u64,
        cast: &Cast,
        levels: u32,
    ) -> Compiled {
        if self.purpose == Purpose::Scan {
            // What is to be checked lies in the value.
            let (_, (_, inner)) = parts_of_job(kind, old, new)?;
            let size = self.new_size(&inner)?;
            let around = std::mem::replace(&mut self.around.1, size);
            self.cast(old, from, &inner, 0, cast, levels)?;
            self.around.1 = around;
            return Ok(());
        }
        let len = self.old_size(old)?;
        let (from, to) = self.places(from, len, to, 8)?;
        let job = self.job(kind, old, new, (cast, None), NONE)?;
        self.push(Step::Make { from, len: len as u32, to, job })
    }

    fn take(
        &mut self,
        kind: JobKind,
        old: &Shape,
        from: u64,
        new: &Shape,
        to: u64,
        cast: &Cast,
        check: usize,
        none: u32,
    ) -> Compiled {
        let check = self.check(Some(check))?;
        let len = self.new_size(new)?;
        let (from, to) = self.places(from, 8, to, len)?;
        let job = self.job(kind, old, new, (cast, None), check)?;
        self.push(Step::Take { from, to, len: len as u32, job, none })
    }

    fn job(
        &mut self,
        kind: JobKind,
        old: &Shape,
        new: &Shape,
        (value, key): (&Cast, Option<&Cast>),
        check: u32,
    ) -> Result<u32, ConversionError> {
        self.budget = self.budget.checked_sub(self.table.jobs.len()).ok_or(ConversionError::TooMany)?;
        let same = |job: &JobData| {
            (job.kind, job.check) == (kind, check)
                && (&job.old, &job.new) == (old, new)
                && (&job.casts.0, job.casts.1.as_ref()) == (value, key)
        };
        if let Some(number) = self.table.jobs.iter().position(same) {
            return Ok(number as u32);
        }
        self.table.jobs.push(JobData {
            kind,
            old: old.clone(),
            new: new.clone(),
            casts: (value.clone(), key.cloned()),
            value: NONE,
            key: NONE,
            check,
        });
        Ok(self.table.jobs.len() as u32 - 1)
    }

    /// Number of a shape in the table.
    pub(super) fn shape(&mut self, shape: &Shape) -> Result<u32, ConversionError> {
        self.budget = self.budget.checked_sub(self.table.shapes.len()).ok_or(ConversionError::TooMany)?;
        let found = self.table.shapes.iter().position(|known| known == shape);
        Ok(found.unwrap_or_else(|| {
            self.table.shapes.push(shape.clone());
            self.table.shapes.len() - 1
        }) as u32)
    }

    pub(super) fn check(&self, check: Option<usize>) -> Result<u32, ConversionError> {
        match check {
            None => Ok(NONE),
            Some(check) if check < self.plan.checks.len() && check < NONE as usize => Ok(check as u32),
            Some(check) => Err(mismatch(format!("there is no check {check}"))),
        }
    }

    pub(super) fn spend(&mut self) -> Compiled {
        self.budget = self.budget.checked_sub(1).ok_or(ConversionError::TooMany)?;
        Ok(())
    }

    /// A place in the old value, held against its size.
    pub(super) fn old_place(&self, from: u64, len: u64) -> Result<u32, ConversionError> {
        self.place(from, len, self.around.0)
    }

    /// A place in the new value, held against its size.
    pub(super) fn new_place(&self, to: u64, len: u64) -> Result<u32, ConversionError> {
        self.place(to, len, self.around.1)
    }

    fn place(&self, at: u64, len: u64, around: u64) -> Result<u32, ConversionError> {
        let inside = at.checked_add(len).is_some_and(|end| end <= around);
        u32::try_from(at).ok().filter(|_| inside).ok_or_else(|| mismatch(format!("{at} is outside of {around} bytes")))
    }

    fn places(&self, from: u64, old_len: u64, to: u64, new_len: u64) -> Result<(u32, u32), ConversionError> {
        Ok((self.old_place(from, old_len)?, self.new_place(to, new_len)?))
    }

    /// Adds a step, unless the purpose does not ask for it; steps that are flat and side by side become one when they
    /// are [settled](Self::settle).
    pub(super) fn push(&mut self, step: Step) -> Compiled {
        let needed = match step {
            Step::Move { .. }
            | Step::Constant { .. }
            | Step::Tag { .. }
            | Step::Bool { .. }
            | Step::Char { .. }
            | Step::Present { .. }
            | Step::Text { .. }
            | Step::Empty { .. }
            | Step::Drop { .. }
            | Step::ToBytes { .. } => self.purpose == Purpose::Convert,
            _ => true,
        };
        if needed {
            self.push_raw(step)?;
        }
        Ok(())
    }

    fn push_raw(&mut self, step: Step) -> Result<usize, ConversionError> {
        self.spend()?;
        self.code.steps.push(step);
        Ok(self.code.steps.len() - 1)
    }

    /// Sorts the steps since the last barrier and joins those side by side. They are all straight: no order between
    /// them matters, other than that of what is asked of the outside.
    fn settle(&mut self) {
        let mut loose = self.code.steps.split_off(self.barrier);
        let (mut flat, others): (Vec<_>, Vec<_>) = loose.drain(..).partition(|step| step.is_flat());
        // Moves last, since a record that is unfit should be so before it is written.
        flat.sort_by_key(|step| sort_key(*step));
        let mut joined: Vec<Step> = Vec::with_capacity(flat.len());
        for step in flat {
            match joined.last_mut().and_then(|last| join(*last, step).map(|longer| (last, longer))) {
                Some((last, longer)) => *last = longer,
                None => joined.push(step),
            }
        }
        self.code.steps.extend(joined);
        self.code.steps.extend(others);
        self.barrier = self.code.steps.len();
    }

    /// The number of the step to come, to which something jumps.
    pub(super) fn label(&mut self) -> u32 {
        self.settle();
        self.barrier as u32
    }

    fn branch(&mut self) {
        self.branches += 1;
    }

    /// Opens a branch with a step whose label is filled in later.
    pub(super) fn open(&mut self, step: Step) -> Result<usize, ConversionError> {
        self.settle();
        self.branch();
        let head = self.push_raw(step)?;
        self.label();
        Ok(head)
    }

    /// Ends a side of a branch; where to is filled in later.
    pub(super) fn jump(&mut self) -> Result<usize, ConversionError> {
        self.settle();
        self.push_raw(Step::Jump { to: 0 })
    }

    /// The other side of a branch begins here; returns the jump that ends the first side.
    pub(super) fn otherwise(&mut self, head: usize) -> Result<usize, ConversionError> {
        let jump = self.jump()?;
        let label = self.label();
        // What came before the head was settled, so the head is the first step since.
        match &mut self.code.steps[head] {
            Step::Niche { otherwise, .. } | Step::Tagged { otherwise, .. } | Step::Take { none: otherwise, .. } => {
                *otherwise = label;
            }
            other => unreachable!("{other:?} opens no branch"),
        }
        Ok(jump)
    }

    /// All sides of a branch meet here.
    pub(super) fn end(&mut self, head: usize, jumps: &[usize]) {
        let end = self.label();
        for &jump in jumps {
            self.code.steps[jump] = Step::Jump { to: end };
        }
        self.close(head);
    }

    fn close(&mut self, head: usize) {
        self.branches -= 1;
        self.barrier = self.code.steps.len();
        if self.branches == 0 {
            self.code.groups.push((head as u32, self.code.steps.len() as u32));
        }
    }
}

/// Where the old option's value lies in it.
pub(super) const fn value_at(tag: OptionTag) -> u64 {
    match tag {
        OptionTag::Niche { .. } => 0,
        OptionTag::Tagged { value_offset, .. } => value_offset as u64,
    }
}

fn same_handles(old: &Shape, new: &Shape) -> bool {
    std::mem::discriminant(old) == std::mem::discriminant(new)
}

fn parts(body: &Body) -> usize {
    match body {
        Body::Struct(fields) => fields.len(),
        Body::Enum { variants, .. } => variants.iter().map(|variant| 1 + variant.fields.len()).sum(),
    }
}

fn size(index: &TypeIndex<'_>, shape: &Shape) -> Result<u64, ConversionError> {
    let size = index.size_align(shape).map(|measured| measured.0);
    size.filter(|&size| size <= MAX_SIZE).ok_or_else(|| mismatch(format!("{shape} has no size")))
}

pub(super) fn described<'a>(index: &TypeIndex<'a>, name: &str) -> Result<&'a TypeDescriptor, ConversionError> {
    index.get(name).ok_or_else(|| mismatch(format!("there is no type {name}")))
}

pub(super) fn native(value: u128, width: u8) -> Result<Vec<u8>, ConversionError> {
    let width = usize::from(width);
    if ![1, 2, 4, 8, 16].contains(&width) || (width < 16 && value >> (8 * width) != 0) {
        return Err(mismatch(format!("{value} in {width} bytes")));
    }
    Ok(match ByteOrder::NATIVE {
        ByteOrder::Little => value.to_le_bytes()[..width].to_vec(),
        ByteOrder::Big => value.to_be_bytes()[16 - width..].to_vec(),
    })
}

type KeyAndValue = (Option<Shape>, Shape);

/// The shapes that a job's conversions are between: keys, and values, elements or records.
fn parts_of_job(kind: JobKind, old: &Shape, new: &Shape) -> Result<(KeyAndValue, KeyAndValue), ConversionError> {
    let contents = |shape: &Shape| match shape {
        Shape::List(element) => Ok((None, (**element).clone())),
        Shape::Reference(name) => Ok((None, Shape::Inline(name.clone()))),
        Shape::Map { key, value } | Shape::SortedMap { key, value } => Ok((Some((**key).clone()), (**value).clone())),
        _ => Err(mismatch(format!("{shape} names nothing"))),
    };
    Ok(match kind {
        JobKind::List | JobKind::Map => (contents(old)?, contents(new)?),
        JobKind::ToList | JobKind::ToReference => ((None, old.clone()), contents(new)?),
        JobKind::FromList | JobKind::FromReference => (contents(old)?, (None, new.clone())),
    })
}

/// Which of the plan's types have anything to check, in themselves or in what they hold and own.
fn checked_types(plan: &Plan) -> Vec<bool> {
    let mut checked = vec![false; plan.types.len()];
    loop {
        let now: Vec<bool> = plan.types.iter().map(|step| body_has_checks(&step.body, &checked)).collect();
        if now == checked {
            return checked;
        }
        checked = now;
    }
}

fn body_has_checks(body: &BodyStep, types: &[bool]) -> bool {
    match body {
        BodyStep::Struct(fields) => fields_have_checks(fields, types),
        BodyStep::Enum(variants) => {
            let checks = |step: &VariantStep| step.new.is_none() || fields_have_checks(&step.fields, types);
            variants.iter().any(checks)
        }
        _ => false,
    }
}

fn fields_have_checks(fields: &Fields, types: &[bool]) -> bool {
    fields.dropped.iter().any(|dropped| dropped.check.is_some())
        || fields.made.iter().any(|step| match &step.source {
            Source::Field { cast, .. } => has_checks(cast, types),
            Source::Gathered(fields) => fields_have_checks(fields, types),
            _ => false,
        })
}

fn has_checks(cast: &Cast, types: &[bool]) -> bool {
    let within = |cast: &Cast| has_checks(cast, types);
    match cast {
        Cast::Copy | Cast::TextToBytes | Cast::Unanswered => false,
        Cast::Number { check } => check.is_some(),
        Cast::BytesToText { .. } | Cast::FromList { .. } | Cast::FromListOption { .. } | Cast::FromReference { .. } => {
            true
        }
        Cast::Type(step) => types.get(*step).copied().unwrap_or(false),
        Cast::Unwrap { value, check, .. } => check.is_some() || within(value),
        Cast::Array { element, check, .. } => check.is_some() || within(element),
        Cast::Map { key, value, check } => check.is_some() || within(key) || within(value),
        Cast::Some(inner)
        | Cast::Option(inner)
        | Cast::One(inner)
        | Cast::ToList(inner)
        | Cast::List(inner)
        | Cast::ToReference(inner) => within(inner),
    }
}

const fn name(cast: &Cast) -> &'static str {
    match cast {
        Cast::Copy => "a copy",
        Cast::Number { .. } => "a number",
        Cast::TextToBytes => "text to bytes",
        Cast::BytesToText { .. } => "bytes to text",
        Cast::Type(_) => "a named type",
        Cast::Some(_) => "something",
        Cast::Option(_) => "an option",
        Cast::Unwrap { .. } => "an option's value",
        Cast::One(_) => "an array of one",
        Cast::Array { .. } => "an array",
        Cast::ToList(_) => "a list of one",
        Cast::FromList { .. } | Cast::FromListOption { .. } => "a list's element",
        Cast::List(_) => "a list",
        Cast::Map { .. } => "a map",
        Cast::ToReference(_) => "a new record",
        Cast::FromReference { .. } => "a record's value",
        Cast::Unanswered => "nothing",
    }
}

/// Checks come first, each kind by where it reads; then constants and moves by where they write.
const fn sort_key(step: Step) -> (u8, u32, u32) {
    match step {
        Step::Never { from, .. } => (0, from, 0),
        Step::Bool { from, .. } => (1, from, 0),
        Step::Char { from, .. } => (2, from, 0),
        Step::Present { from, .. } => (3, from, 0),
        Step::Zero { from, check, .. } => (4, check, from),
        Step::Equal { from, check, .. } => (5, check, from),
        Step::Number { from, to, .. } => (6, to, from),
        Step::Tag { from, to, .. } => (7, to, from),
        Step::Constant { to, .. } => (8, to, 0),
        Step::Move { from, to, .. } => (9, to, from),
        _ => (10, 0, 0),
    }
}

/// Two steps as one.
fn join(one: Step, other: Step) -> Option<Step> {
    match (one, other) {
        (Step::Move { from, to, len }, Step::Move { from: next, to: onto, len: more })
            if (from + len, to + len) == (next, onto) =>
        {
            Some(Step::Move { from, to, len: len + more })
        }
        (Step::Constant { to, start, len }, Step::Constant { to: onto, start: next, len: more })
            if (to + len, start + len) == (onto, next) =>
        {
            Some(Step::Constant { to, start, len: len + more })
        }
        (
            Step::Number { from, to, count, cast, check },
            Step::Number { from: next, to: onto, count: more, cast: same, check: again },
        ) if (cast, check) == (same, again)
            && (from + count * cast.old.width(), to + count * cast.new.width()) == (next, onto) =>
        {
            Some(Step::Number { from, to, count: count + more, cast, check })
        }
        (Step::Bool { from, count }, Step::Bool { from: next, count: more }) if from + count == next => {
            Some(Step::Bool { from, count: count + more })
        }
        (Step::Char { from, count }, Step::Char { from: next, count: more }) if from + 4 * count == next => {
            Some(Step::Char { from, count: count + more })
        }
        (Step::Present { from, count }, Step::Present { from: next, count: more }) if from + 8 * count == next => {
            Some(Step::Present { from, count: count + more })
        }
        (Step::Zero { from, len, check }, Step::Zero { from: next, len: more, check: same })
            if (from + len, check) == (next, same) =>
        {
            Some(Step::Zero { from, len: len + more, check })
        }
        _ => None,
    }
}

/// A step for one element as a step for `count` of them side by side, where it is one for the whole element.
fn scale(step: Step, (old, new): (u64, u64), count: u64) -> Option<Step> {
    let times = |number: u32| u32::try_from(u64::from(number).checked_mul(count)?).ok();
    let whole = |len: u32, stride: u64| u64::from(len) == stride;
    match step {
        Step::Move { from: 0, to: 0, len } if whole(len, old) && whole(len, new) => {
            Some(Step::Move { from: 0, to: 0, len: times(len)? })
        }
        Step::Number { from: 0, to: 0, count: each, cast, check }
            if whole(each * cast.old.width(), old) && whole(each * cast.new.width(), new) =>
        {
            Some(Step::Number { from: 0, to: 0, count: times(each)?, cast, check })
        }
        Step::Bool { from: 0, count: each } if whole(each, old) => Some(Step::Bool { from: 0, count: times(each)? }),
        Step::Char { from: 0, count: each } if whole(4 * each, old) => {
            Some(Step::Char { from: 0, count: times(each)? })
        }
        Step::Present { from: 0, count: each } if whole(8 * each, old) => {
            Some(Step::Present { from: 0, count: times(each)? })
        }
        Step::Zero { from: 0, len, check } if whole(len, old) => Some(Step::Zero { from: 0, len: times(len)?, check }),
        Step::Never { from, check } => Some(Step::Never { from, check }),
        _ => None,
    }
}

/// A step of a loop's body, outside of it.
fn shift(step: Step, by: u32, onto: u32) -> Step {
    match step {
        Step::Move { from, to, len } => Step::Move { from: from + by, to: to + onto, len },
        Step::Number { from, to, count, cast, check } => {
            Step::Number { from: from + by, to: to + onto, count, cast, check }
        }
        Step::Bool { from, count } => Step::Bool { from: from + by, count },
        Step::Char { from, count } => Step::Char { from: from + by, count },
        Step::Present { from, count } => Step::Present { from: from + by, count },
        Step::Zero { from, len, check } => Step::Zero { from: from + by, len, check },
        Step::Never { from, check } => Step::Never { from: from + by, check },
        other => unreachable!("{other:?} is not scaled"),
    }
}
