//! What handles name: lists, maps and records that are converted, made or taken apart.

use super::ConversionError;
use super::code::{JobData, JobKind, NONE, Step};
use super::compile::{Between, Compiled, Compiler, Purpose, mismatch};
use crate::plan::Cast;
use crate::schema::Shape;

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
            let (_, (_, inner)) = parts_of_job(kind, old, new)?;
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
            secret,
        });
        Ok(self.table.jobs.len() as u32 - 1)
    }
}

type KeyAndValue = (Option<Shape>, Shape);

/// The shapes that a job's conversions are between: keys, and values, elements or records.
pub(super) fn parts_of_job(
    kind: JobKind,
    old: &Shape,
    new: &Shape,
) -> Result<(KeyAndValue, KeyAndValue), ConversionError> {
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
