//! From casts to steps.

use super::checks::{checked_types, has_checks};
use super::code::{Code, Conversion, Converter, JobData, JobKind, NONE, Step, Table};
use super::jobs::JobParts;
use super::number::{Kind, NumberCast, Rounding};
use super::{ConversionError, Job};
use crate::layout::{ByteOrder, MAX_DEPTH, MAX_SIZE, TypeIndex};
use crate::plan::{Cast, Plan};
use crate::schema::{Body, OptionTag, Shape, TypeDescriptor};

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
    pub(super) plan: &'a Plan,
    pub(super) old: TypeIndex<'a>,
    pub(super) new: TypeIndex<'a>,
    pub(super) order: ByteOrder,
    pub(super) purpose: Purpose,
    /// Which of the plan's types have anything to check.
    checked: Vec<bool>,
    /// Whether what is looked at may not be shown.
    pub(super) secret: bool,
    /// Steps that may still be made.
    pub(super) budget: usize,
    pub(super) table: Table,
    pub(super) code: Code,
    /// Sizes of what the bases stand at the start of: the values, or a loop's elements.
    pub(super) around: (u64, u64),
    /// How many loops and branches lie around the step to come.
    pub(super) branches: u32,
    /// Steps before this one may not be changed: something jumps here, or they are done with.
    pub(super) barrier: usize,
}

/// An old value and the new one that it becomes: their shapes, and where they lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Between<'s> {
    pub(super) old: &'s Shape,
    pub(super) from: u64,
    pub(super) new: &'s Shape,
    pub(super) to: u64,
}

pub(super) fn mismatch(what: impl Into<String>) -> ConversionError {
    ConversionError::Mismatch(what.into())
}

pub(super) fn unsuited(Between { old, new, .. }: Between<'_>, cast: &str) -> ConversionError {
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
            secret: false,
            budget: (1 << 20) + 16 * (parts(&plan.old.types) + parts(&plan.new.types)),
            table: Table::default(),
            code: Code::new(0, 0, order),
            around: (0, 0),
            branches: 0,
            barrier: 0,
        }
    }

    /// Compiles the conversion, and then, one after the other, what its jobs need, which may need further jobs.
    pub(super) fn compile(mut self, old: &Shape, new: &Shape, cast: &Cast) -> Result<Table, ConversionError> {
        self.whole(old, new, cast)?;
        let mut next = 0;
        while let Some(JobData { kind, old, new, casts, secret, .. }) = self.table.jobs.get(next).cloned() {
            self.secret = secret;
            let JobParts { key, value, entry } = self.parts_of_job(kind, &old, &new)?;
            self.table.jobs[next].entry = entry;
            self.table.jobs[next].value = self.whole(&value.0, &value.1, &casts.0)?;
            if let (Some((old, new)), Some(cast)) = (key, &casts.1) {
                self.table.jobs[next].key = self.whole(&old, &new, cast)?;
            }
            next += 1;
        }
        Ok(self.table)
    }

    /// No steps, for old values of this shape.
    pub(super) fn compile_nothing(mut self, old: &Shape) -> Result<Table, ConversionError> {
        self.table.codes.push(Code::new(self.old_size(old)? as u32, 0, self.order));
        Ok(self.table)
    }

    /// Returns the number of the code.
    fn whole(&mut self, old: &Shape, new: &Shape, cast: &Cast) -> Result<u32, ConversionError> {
        self.around = (self.old_size(old)?, self.new_size(new)?);
        self.code = Code::new(self.around.0 as u32, self.around.1 as u32, self.order);
        self.barrier = 0;
        self.cast(Between { old, from: 0, new, to: 0 }, cast, 2 * MAX_DEPTH)?;
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

    /// `levels` bounds the recursion.
    pub(super) fn cast(&mut self, between: Between<'_>, cast: &Cast, levels: u32) -> Compiled {
        let Between { old, from, new, to } = between;
        let levels = levels.checked_sub(1).ok_or(ConversionError::TooMany)?;
        self.spend()?;
        if self.purpose == Purpose::Scan && !has_checks(cast, &self.checked) {
            return Ok(());
        }
        match (cast, old, new) {
            (Cast::Copy, ..) => self.copy(between, levels),
            (Cast::Number { check }, ..) => self.number(between, *check),
            (Cast::TextToBytes, Shape::Text, Shape::Bytes) => {
                let (from, to) = self.places(from, 8, to, 8)?;
                self.push(Step::ToBytes { from, to })
            }
            (Cast::BytesToText { check }, Shape::Bytes, Shape::Text) => {
                let check = self.check(Some(*check), old)?;
                let (from, to) = self.places(from, 8, to, 8)?;
                self.push(Step::ToText { from, to, check })
            }
            (Cast::Type(step), Shape::Inline(old), Shape::Inline(new)) => self.named(*step, old, from, new, to, levels),
            (Cast::Some(inner), _, Shape::Option { inner: new, tag, .. }) => {
                self.cast(Between { new, to: to + value_at(*tag), ..between }, inner, levels)?;
                self.something(*tag, to)
            }
            (Cast::Option(inner), Shape::Option { .. }, Shape::Option { .. }) => self.option(between, inner, levels),
            (Cast::Unwrap { value, none, check }, Shape::Option { inner, tag, .. }, _) => {
                let head = self.is_something(*tag, from)?;
                if check.is_some() {
                    let check = self.check(*check, old)?;
                    self.push(Step::Holds { check })?;
                }
                let old = inner;
                self.cast(Between { old, from: from + value_at(*tag), ..between }, value, levels)?;
                let jump = self.otherwise(head)?;
                match none {
                    Some(value) if check.is_none() => self.value(value, new, to, levels)?,
                    _ => {
                        let check = self.check(*check, between.old)?;
                        let from = self.old_place(from, 0)?;
                        self.push(Step::Never { from, check })?;
                    }
                }
                self.end(head, &[jump]);
                Ok(())
            }
            (Cast::One(inner), _, Shape::Array { element, count: 1 }) => {
                self.cast(Between { new: element, ..between }, inner, levels)
            }
            (
                Cast::Array { element, fill, check },
                Shape::Array { element: old, count: before },
                Shape::Array { element: new, count: after },
            ) => {
                let count = *before.min(after);
                self.array(Between { old, from, new, to }, count, element, levels)?;
                let (old_stride, new_stride) = (self.old_size(old)?, self.new_size(new)?);
                if after > before {
                    self.repeated(to + count * new_stride, new_stride, after - before, |compiler, to| {
                        compiler.value(fill, new, to, levels)
                    })
                } else {
                    let (start, stride, count) = (from + count * old_stride, old_stride, before - after);
                    if check.is_some() {
                        let check = self.check(*check, between.old)?;
                        self.probe(from, check, |compiler| {
                            compiler.over_old(start, stride, count, |compiler, from| {
                                compiler.empty(old, from, check, levels)
                            })
                        })?;
                    }
                    self.over_old(start, stride, count, |compiler, from| compiler.drop_owned(old, from, levels))
                }
            }
            (Cast::ToList(inner), _, Shape::List(_)) => self.make(JobKind::ToList, between, inner, levels),
            (Cast::ToReference(inner), _, Shape::Reference(_)) => {
                self.make(JobKind::ToReference, between, inner, levels)
            }
            (Cast::FromList { element, check }, Shape::List(_), _) => {
                self.take(JobKind::FromList, between, element, *check, NONE)
            }
            (Cast::FromReference { record, check }, Shape::Reference(_), _) => {
                self.take(JobKind::FromReference, between, record, *check, NONE)
            }
            (Cast::FromListOption { element, check }, Shape::List(_), Shape::Option { inner, tag, .. }) => {
                self.branch();
                self.settle();
                let head = self.code.steps.len();
                // The label is filled in by `otherwise`.
                let value = Between { new: inner, to: to + value_at(*tag), ..between };
                self.take(JobKind::FromList, value, element, *check, 0)?;
                self.label();
                self.something(*tag, to)?;
                let jump = self.otherwise(head)?;
                self.nothing(*tag, to)?;
                self.end(head, &[jump]);
                Ok(())
            }
            (Cast::List(element), Shape::List(_), Shape::List(_)) => {
                self.convert(JobKind::List, between, (element, None), None)
            }
            (
                Cast::Map { key, value, check },
                Shape::Map { .. } | Shape::SortedMap { .. },
                Shape::Map { .. } | Shape::SortedMap { .. },
            ) => self.convert(JobKind::Map, between, (value, Some(key)), *check),
            (
                Cast::ListToMap { key, value, check },
                Shape::List(element),
                Shape::Map { .. } | Shape::SortedMap { .. },
            ) => {
                let is_secret = self.is_secret_entry(element)?;
                let before = self.secret;
                self.secret |= is_secret;
                self.convert(JobKind::ListToMap, between, (value, Some(key)), Some(*check))?;
                self.secret = before;
                Ok(())
            }
            (Cast::MapToList { key, value }, Shape::Map { .. } | Shape::SortedMap { .. }, Shape::List(_)) => {
                self.convert(JobKind::MapToList, between, (value, Some(key)), None)
            }
            (Cast::Unanswered, ..) => Err(ConversionError::Unanswered(format!("{new} of {old}"))),
            (cast, ..) => Err(unsuited(between, name(cast))),
        }
    }

    /// The same value, part by part, so that padding is zero and invalid bytes are found. In a heap of the other byte
    /// order this goes through lists and maps too.
    fn copy(&mut self, between: Between<'_>, levels: u32) -> Compiled {
        let Between { old, from, new, to } = between;
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
                let place = self.old_place(from, 1)?;
                self.push(Step::Bool { from: place, count: 1 })?;
                self.word(from, to, 1)
            }
            (Shape::Char, Shape::Char) => {
                let place = self.old_place(from, 4)?;
                self.push(Step::Char { from: place, count: 1 })?;
                self.word(from, to, 4)
            }
            (Shape::Array { element: old, count }, Shape::Array { element: new, count: same }) if count == same => {
                self.array(Between { old, from, new, to }, *count, &Cast::Copy, levels)
            }
            (Shape::Option { .. }, Shape::Option { .. }) => self.option(between, &Cast::Copy, levels),
            (Shape::Inline(one), Shape::Inline(other)) => {
                let (one, other) = (described(&self.old, one)?, described(&self.new, other)?);
                self.copy_named(one, from, other, to, levels)
            }
            (Shape::Text, Shape::Text)
            | (Shape::Bytes, Shape::Bytes)
            | (Shape::Reference(_), Shape::Reference(_))
            | (Shape::List(_), Shape::List(_))
            | (Shape::Map { .. }, Shape::Map { .. })
            | (Shape::SortedMap { .. }, Shape::SortedMap { .. }) => self.copy_handle(between),
            _ => Err(unsuited(between, "a copy")),
        }
    }

    fn copy_handle(&mut self, between: Between<'_>) -> Compiled {
        if self.order != ByteOrder::NATIVE {
            match between.old {
                Shape::List(_) => {
                    return self.convert(JobKind::List, between, (&Cast::Copy, None), None);
                }
                Shape::Map { .. } | Shape::SortedMap { .. } => {
                    let casts = (&Cast::Copy, Some(&Cast::Copy));
                    return self.convert(JobKind::Map, between, casts, None);
                }
                _ => {}
            }
        }
        let place = self.old_place(between.from, 8)?;
        self.push(Step::Present { from: place, count: 1 })?;
        self.word(between.from, between.to, 8)
    }

    fn option(&mut self, between: Between<'_>, cast: &Cast, levels: u32) -> Compiled {
        let Between { old, from, new, to } = between;
        let (Shape::Option { inner: old_inner, tag: old_tag, .. }, Shape::Option { inner: new_inner, tag, .. }) =
            (old, new)
        else {
            return Err(unsuited(between, "an option"));
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
        let value =
            Between { old: old_inner, from: from + value_at(*old_tag), new: new_inner, to: to + value_at(*tag) };
        self.cast(value, cast, levels)?;
        self.something(*tag, to)?;
        let jump = self.otherwise(head)?;
        self.nothing(*tag, to)?;
        self.end(head, &[jump]);
        Ok(())
    }

    fn number(&mut self, between: Between<'_>, check: Option<usize>) -> Compiled {
        let (Some(before), Some(after)) = (Kind::of(between.old), Kind::of(between.new)) else {
            return Err(unsuited(between, "a number"));
        };
        let waived = check.and_then(|check| self.plan.checks.get(check)).is_some_and(|check| check.waived);
        // What a program allows to be lost is looked for nevertheless, and said.
        let rounding = if waived && self.purpose == Purpose::Convert { Rounding::Nearest } else { Rounding::Exact };
        let check = self.check(check, between.old)?;
        let (from, to) = self.places(between.from, before.width().into(), between.to, after.width().into())?;
        let cast = NumberCast { old: before, new: after, order: self.order, rounding };
        self.push(Step::Number { from, to, count: 1, cast, check })
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

    /// The number of a check, of values of this old shape.
    pub(super) fn check(&mut self, check: Option<usize>, shape: &Shape) -> Result<u32, ConversionError> {
        match check {
            None => Ok(NONE),
            Some(check) if check < self.plan.checks.len() && check < NONE as usize => {
                if self.purpose == Purpose::Scan {
                    let known = self.table.checked.entry(check as u32);
                    known.or_insert_with(|| (shape.clone(), false)).1 |= self.secret;
                }
                Ok(check as u32)
            }
            Some(check) => Err(mismatch(format!("there is no check {check}"))),
        }
    }

    pub(super) fn spend(&mut self) -> Compiled {
        self.budget = self.budget.checked_sub(1).ok_or(ConversionError::TooMany)?;
        Ok(())
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
        Cast::ListToMap { .. } => "a map of entries",
        Cast::MapToList { .. } => "a list of entries",
        Cast::ToReference(_) => "a new record",
        Cast::FromReference { .. } => "a record's value",
        Cast::Unanswered => "nothing",
    }
}
