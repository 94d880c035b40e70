//! What handles name: lists, maps and records that are converted, made or taken apart.

use super::ConversionError;
use super::code::{EntryPlaces, JobData, JobKind, NONE, Step};
use super::compile::{Between, Compiled, Compiler, Purpose, described, mismatch};
use crate::layout::TypeIndex;
use crate::plan::Cast;
use crate::schema::{Field, Shape};

impl Compiler<'_> {
    /// A job's step, for a list or map that stays one.
    pub(super) fn convert(
        &mut self,
        kind: JobKind,
        between: Between<'_>,
        casts: (&Cast, Option<&Cast>),
        check: Option<usize>,
    ) -> Compiled {
        let Between { old, from, new, to } = between;
        let check = self.check(check, old)?;
        let (from, to) = self.places(from, 8, to, 8)?;
        let job = self.job(kind, old, new, casts, check)?;
        self.push(Step::Convert { from, to, job })
    }

    /// A value becomes a list or record.
    pub(super) fn make(&mut self, kind: JobKind, between: Between<'_>, cast: &Cast, levels: u32) -> Compiled {
        let Between { old, from, new, to } = between;
        if self.purpose == Purpose::Scan {
            // What is to be checked lies in the value.
            let (_, inner) = self.parts_of_job(kind, old, new)?.value;
            let size = self.new_size(&inner)?;
            let around = std::mem::replace(&mut self.around.1, size);
            self.cast(Between { old, from, new: &inner, to: 0 }, cast, levels)?;
            self.around.1 = around;
            return Ok(());
        }
        let len = self.old_size(old)?;
        let (from, to) = self.places(from, len, to, 8)?;
        let job = self.job(kind, old, new, (cast, None), NONE)?;
        self.push(Step::Make { from, len: len as u32, to, job })
    }

    /// A list or record becomes a value. `none` is the label to go on at without one.
    pub(super) fn take(
        &mut self,
        kind: JobKind,
        between: Between<'_>,
        cast: &Cast,
        check: usize,
        none: u32,
    ) -> Compiled {
        let Between { old, from, new, to } = between;
        let check = self.check(Some(check), old)?;
        let len = self.new_size(new)?;
        let (from, to) = self.places(from, 8, to, len)?;
        let job = self.job(kind, old, new, (cast, None), check)?;
        self.push(Step::Take { from, to, len: len as u32, job, none })
    }

    pub(super) fn job(
        &mut self,
        kind: JobKind,
        old: &Shape,
        new: &Shape,
        (value, key): (&Cast, Option<&Cast>),
        check: u32,
    ) -> Result<u32, ConversionError> {
        self.budget = self.budget.checked_sub(self.table.jobs.len()).ok_or(ConversionError::TooMany)?;
        let secret = self.secret;
        let same = |job: &JobData| {
            (job.kind, job.check, job.secret) == (kind, check, secret)
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
            entry: None,
            secret,
        });
        Ok(self.table.jobs.len() as u32 - 1)
    }
    /// Whether values of a list's entries may not be shown.
    pub(super) fn is_secret_entry(&self, element: &Shape) -> Result<bool, ConversionError> {
        let Shape::Inline(name) = element else { return Ok(false) };
        let described = described(&self.old, name)?;
        let mut fields = described.fields();
        Ok(described.attributes.secret.is_some() || fields.any(|field| field.attributes.secret.is_some()))
    }

    /// The shapes that a job's conversions are between.
    pub(super) fn parts_of_job(&self, kind: JobKind, old: &Shape, new: &Shape) -> Result<JobParts, ConversionError> {
        let nothing = |shape: &Shape| mismatch(format!("{shape} names nothing of the kind"));
        let one = |shape: &Shape| match shape {
            Shape::List(element) => Ok((**element).clone()),
            Shape::Reference(name) => Ok(Shape::Inline(name.clone())),
            _ => Err(nothing(shape)),
        };
        let map = |shape: &Shape| match shape {
            Shape::Map { key, value } | Shape::SortedMap { key, value } => Ok(((**key).clone(), (**value).clone())),
            _ => Err(nothing(shape)),
        };
        let list = |index: &TypeIndex<'_>, shape: &Shape| {
            let Shape::List(element) = shape else { return Err(nothing(shape)) };
            let (key, value) = index.entry_fields(element).ok_or_else(|| nothing(shape))?;
            let (size, align) = index.size_align(element).ok_or_else(|| nothing(shape))?;
            let inside = |field: &Field| {
                let measured = index.size_align(&field.shape).filter(|part| part.1 <= align);
                let end = measured.and_then(|(len, _)| len.checked_add(field.offset.into()));
                end.filter(|&end| end <= size).map(|_| field.offset as usize).ok_or_else(|| nothing(shape))
            };
            let places = EntryPlaces { size: size as usize, key_at: inside(key)?, value_at: inside(value)? };
            Ok(((key.shape.clone(), value.shape.clone()), places))
        };
        let parts = |old: (Shape, Shape), new: (Shape, Shape), entry| JobParts {
            key: Some((old.0, new.0)),
            value: (old.1, new.1),
            entry,
        };
        Ok(match kind {
            JobKind::Map => parts(map(old)?, map(new)?, None),
            JobKind::ListToMap => {
                let (entry, places) = list(&self.old, old)?;
                parts(entry, map(new)?, Some(places))
            }
            JobKind::MapToList => {
                let (entry, places) = list(&self.new, new)?;
                parts(map(old)?, entry, Some(places))
            }
            JobKind::List => JobParts::value(one(old)?, one(new)?),
            JobKind::ToList | JobKind::ToReference => JobParts::value(old.clone(), one(new)?),
            JobKind::FromList | JobKind::FromReference => JobParts::value(one(old)?, new.clone()),
        })
    }
}

/// What a job consists of: old and new shapes.
pub(super) struct JobParts {
    /// An entry's key.
    pub(super) key: Option<(Shape, Shape)>,
    /// An entry's value, an element, or a record.
    pub(super) value: (Shape, Shape),
    /// Where a list has keys and values.
    pub(super) entry: Option<EntryPlaces>,
}

impl JobParts {
    const fn value(old: Shape, new: Shape) -> Self {
        Self { key: None, value: (old, new), entry: None }
    }
}
