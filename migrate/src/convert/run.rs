//! The interpreter.
//!
//! One record is converted step by step. Many records are converted a block at a time, small enough that its bytes stay
//! in the nearest cache: a step runs over all records of the block before the next one does, so that the cost of finding
//! out what a step says is shared by them.

use super::code::{Code, Converter, NONE, Step, Table};
use super::flat::{Span, flat};
use super::shapes::handle;
use super::{Conversion, Job, Misfit, Outside, Unfit};
use crate::layout::{ByteOrder, MAX_DEPTH};

/// Old records side by side: number `i` lies at `first + i * stride`.
#[derive(Debug, Clone, Copy)]
pub struct Slots<'a> {
    /// Where they lie.
    pub bytes: &'a [u8],
    /// Offset of the first.
    pub first: usize,
    /// Bytes from one to the next.
    pub stride: usize,
}

/// New records side by side, all zero but for what others keep between them: number `i` lies at `first + i * stride`.
#[derive(Debug)]
pub struct SlotsMut<'a> {
    /// Where they lie.
    pub bytes: &'a mut [u8],
    /// Offset of the first.
    pub first: usize,
    /// Bytes from one to the next.
    pub stride: usize,
}

/// How many records are gone through at a time.
pub(super) fn per_block(strides: usize) -> usize {
    (BLOCK_LEN / strides.max(1)).max(1)
}

/// About how many bytes of old and new records are gone through at a time.
const BLOCK_LEN: usize = 16 * 1024;

impl Conversion {
    /// As [`Converter::run`].
    ///
    /// # Errors
    /// As [`Converter::run`].
    pub fn run<O: Outside>(&self, old: &[u8], new: &mut [u8], outside: &mut O) -> Result<(), O::Error> {
        self.converter().run(old, new, outside)
    }

    /// As [`Converter::run_slots`].
    ///
    /// # Errors
    /// As [`Converter::run_slots`].
    ///
    /// # Panics
    /// As [`Converter::run_slots`].
    pub fn run_slots(
        &self,
        old: Slots<'_>,
        new: &mut SlotsMut<'_>,
        count: usize,
        live: impl Fn(usize) -> bool,
    ) -> Result<(), (usize, Unfit)> {
        self.converter().run_slots(old, new, count, live)
    }
}

impl Converter<'_> {
    /// Converts one value. `new` is zero before; of a value that is unfit, it holds nothing of use.
    ///
    /// # Errors
    /// When the value does not survive, or when `outside` fails.
    #[inline]
    pub fn run<O: Outside>(&self, old: &[u8], new: &mut [u8], outside: &mut O) -> Result<(), O::Error> {
        let (Some(old), Some(new)) = (old.get(..self.old_size()), new.get_mut(..self.new_size())) else {
            return Err(Unfit { at: old.len(), what: Misfit::Short }.into());
        };
        drive(self.table, self.code, (0, self.code.steps.len()), old, new, outside)
    }

    /// Converts the records among `count` slots that `live` says are any. The others are left as they are.
    ///
    /// # Errors
    /// The first slot whose record does not survive, and why.
    ///
    /// # Panics
    /// When the conversion is not [pure](Self::is_pure), or slots are smaller than what they hold.
    pub fn run_slots(
        &self,
        old: Slots<'_>,
        new: &mut SlotsMut<'_>,
        count: usize,
        live: impl Fn(usize) -> bool,
    ) -> Result<(), (usize, Unfit)> {
        assert!(self.is_pure(), "a conversion that asks the outside goes record by record");
        let (old_size, new_size) = (self.old_size(), self.new_size());
        assert!(old.stride >= old_size && new.stride >= new_size, "slots are smaller than their records");
        let per_block = per_block(old.stride + new.stride);
        for (slot, end) in runs(count, per_block, live) {
            let last = end - 1;
            let old_range = old.first + slot * old.stride..old.first + last * old.stride + old_size;
            let new_range = new.first + slot * new.stride..new.first + last * new.stride + new_size;
            let Some(old_bytes) = old.bytes.get(old_range) else {
                return Err((slot, Unfit { at: 0, what: Misfit::Short }));
            };
            let span = Span {
                old: old_bytes,
                new: &mut new.bytes[new_range],
                old_stride: old.stride,
                new_stride: new.stride,
                count: end - slot,
            };
            self.run_block(span).map_err(|(within, unfit)| (slot + within, unfit))?;
        }
        Ok(())
    }

    fn run_block(&self, mut span: Span<'_>) -> Result<(), (usize, Unfit)> {
        let mut groups = self.code.groups.iter().peekable();
        let mut next = 0;
        while next < self.code.steps.len() {
            let fits = match groups.next_if(|group| group.0 as usize == next) {
                Some(&(start, end)) => {
                    next = end as usize;
                    self.run_group(&mut span, (start as usize, next))
                }
                None => {
                    next += 1;
                    flat(self.code.steps[next - 1], self.code, &mut span)
                }
            };
            if !fits {
                return self.first_unfit(&mut span);
            }
        }
        Ok(())
    }

    /// Steps that branch, record by record.
    fn run_group(&self, span: &mut Span<'_>, steps: (usize, usize)) -> bool {
        let mut fits = true;
        for position in 0..span.count {
            let (old, new) = self.record(span, position);
            fits &= drive(self.table, self.code, steps, old, new, &mut Nowhere).is_ok();
        }
        fits
    }

    /// Some record is unfit; the first one is found by converting them again, one by one.
    #[cold]
    fn first_unfit(&self, span: &mut Span<'_>) -> Result<(), (usize, Unfit)> {
        for position in 0..span.count {
            let (old, new) = self.record(span, position);
            self.run(old, new, &mut Nowhere).map_err(|unfit| (position, unfit))?;
        }
        unreachable!("a record that is unfit in a block is unfit alone")
    }

    #[inline(always)]
    fn record<'s>(&self, span: &'s mut Span<'_>, position: usize) -> (&'s [u8], &'s mut [u8]) {
        let (from, to) = (position * span.old_stride, position * span.new_stride);
        (&span.old[from..from + self.old_size()], &mut span.new[to..to + self.new_size()])
    }
}

/// Runs of slots that `live` says are any, none longer than `most`: the first, and the one behind the last.
pub(super) fn runs(count: usize, most: usize, live: impl Fn(usize) -> bool) -> impl Iterator<Item = (usize, usize)> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let start = (next..count).find(|&slot| live(slot))?;
        let limit = count.min(start.saturating_add(most));
        next = (start + 1..limit).find(|&slot| !live(slot)).unwrap_or(limit);
        Some((start, next))
    })
}

/// What a pure conversion asks.
struct Nowhere;

/// Nobody does.
const NOBODY: Unfit = Unfit { at: 0, what: Misfit::Lost };

impl Outside for Nowhere {
    type Error = Unfit;

    fn text(&mut self, _: &str) -> Result<u64, Unfit> {
        Err(NOBODY)
    }

    fn empty(&mut self, _: &crate::Shape) -> Result<u64, Unfit> {
        Err(NOBODY)
    }

    fn is_empty(&mut self, _: &crate::Shape, _: u64) -> Result<bool, Unfit> {
        Err(NOBODY)
    }

    fn drop_value(&mut self, _: &crate::Shape, _: u64) -> Result<(), Unfit> {
        Err(NOBODY)
    }

    fn to_bytes(&mut self, _: u64) -> Result<u64, Unfit> {
        Err(NOBODY)
    }

    fn to_text(&mut self, _: u64) -> Result<Option<u64>, Unfit> {
        Err(NOBODY)
    }

    fn convert(&mut self, _: Job<'_>, _: u64) -> Result<u64, Unfit> {
        Err(NOBODY)
    }

    fn make(&mut self, _: Job<'_>, _: &[u8]) -> Result<u64, Unfit> {
        Err(NOBODY)
    }

    fn take(&mut self, _: Job<'_>, _: u64, _: &mut [u8]) -> Result<usize, Unfit> {
        Err(NOBODY)
    }
}

/// A loop that is being run.
#[derive(Clone, Copy, Default)]
struct Loop {
    old: usize,
    new: usize,
    left: u32,
}

/// Runs steps over a value of the code's sizes. Codes without loops, nearly all, pay for no stack of loops.
#[inline]
fn drive<O: Outside>(
    table: &Table,
    code: &Code,
    steps: (usize, usize),
    old: &[u8],
    new: &mut [u8],
    outside: &mut O,
) -> Result<(), O::Error> {
    match code.loops {
        0 => drive_with::<O, 0>(table, code, steps, old, new, outside),
        1..=4 => drive_with::<O, 4>(table, code, steps, old, new, outside),
        _ => drive_with::<O, { 2 * MAX_DEPTH as usize }>(table, code, steps, old, new, outside),
    }
}

fn drive_with<O: Outside, const LOOPS: usize>(
    table: &Table,
    code: &Code,
    (first, end): (usize, usize),
    old: &[u8],
    new: &mut [u8],
    outside: &mut O,
) -> Result<(), O::Error> {
    let order = code.order;
    let mut loops = [Loop::default(); LOOPS];
    let mut depth = 0;
    let (mut old_base, mut new_base) = (0, 0);
    let mut next = first;
    while next < end {
        let step = code.steps[next];
        next += 1;
        let (old_at, new_at) = (|at: u32| old_base + at as usize, |at: u32| new_base + at as usize);
        match step {
            Step::Niche { from, width, none, otherwise } => {
                if unsigned(old, old_at(from), width, order) == u128::from(none) {
                    next = otherwise as usize;
                }
            }
            Step::Tagged { from, width, otherwise } => match unsigned(old, old_at(from), width, order) {
                0 => next = otherwise as usize,
                1 => {}
                _ => return Err(Unfit { at: old_at(from), what: Misfit::Invalid }.into()),
            },
            Step::Choice { from, width, cases, .. } => {
                let tag = unsigned(old, old_at(from), width, order);
                match code.cases[cases as usize].find(tag) {
                    Some(case) => next = case as usize,
                    None => return Err(Unfit { at: old_at(from), what: Misfit::Invalid }.into()),
                }
            }
            Step::Jump { to } => next = to as usize,
            Step::Repeat { from, to, count } => {
                loops[depth] = Loop { old: old_base, new: new_base, left: count };
                depth += 1;
                (old_base, new_base) = (old_at(from), new_at(to));
            }
            Step::Again { old_stride, new_stride, start } => {
                let current = &mut loops[depth - 1];
                current.left -= 1;
                if current.left > 0 {
                    (old_base, new_base) = (old_at(old_stride), new_at(new_stride));
                    next = start as usize;
                } else {
                    (old_base, new_base) = (current.old, current.new);
                    depth -= 1;
                }
            }
            Step::Text { to, text } => {
                let handle = outside.text(&table.texts[text as usize])?;
                put(new, new_at(to), handle);
            }
            Step::Empty { to, shape } => {
                let handle = outside.empty(&table.shapes[shape as usize])?;
                put(new, new_at(to), handle);
            }
            Step::EmptyHandle { from, shape, check } => {
                let word = take(old, old_at(from), order)?;
                if !outside.is_empty(&table.shapes[shape as usize], word)? {
                    return Err(unfit(check, old_at(from)).into());
                }
            }
            Step::Drop { from, shape } => {
                let word = take(old, old_at(from), order)?;
                outside.drop_value(&table.shapes[shape as usize], word)?;
            }
            Step::ToBytes { from, to } => {
                let word = take(old, old_at(from), order)?;
                let handle = outside.to_bytes(word)?;
                put(new, new_at(to), handle);
            }
            Step::ToText { from, to, check } => {
                let word = take(old, old_at(from), order)?;
                let Some(handle) = outside.to_text(word)? else { return Err(unfit(check, old_at(from)).into()) };
                put(new, new_at(to), handle);
            }
            Step::Convert { from, to, job } => {
                let word = take(old, old_at(from), order)?;
                let handle = outside.convert(Job { table, number: job }, word)?;
                put(new, new_at(to), handle);
            }
            Step::Make { from, len, to, job } => {
                let value = &old[old_at(from)..][..len as usize];
                let handle = outside.make(Job { table, number: job }, value)?;
                put(new, new_at(to), handle);
            }
            Step::Take { from, to, len, job, none } => {
                let word = take(old, old_at(from), order)?;
                let job = Job { table, number: job };
                match outside.take(job, word, &mut new[new_at(to)..][..len as usize])? {
                    1 => {}
                    0 if none != NONE => next = none as usize,
                    _ => {
                        let check = job.check().map_or(NONE, |check| check as u32);
                        return Err(unfit(check, old_at(from)).into());
                    }
                }
            }
            Step::Probe { .. } => unreachable!("a conversion does not count"),
            step => {
                let (old_at, new_at) = (old_base, new_base);
                let mut span =
                    Span { old: &old[old_at..], new: &mut new[new_at..], old_stride: 0, new_stride: 0, count: 1 };
                if !flat(step, code, &mut span) {
                    return Err(misfit(step, old_at).into());
                }
            }
        }
    }
    Ok(())
}

#[inline(always)]
pub(super) fn unsigned(bytes: &[u8], at: usize, width: u8, order: ByteOrder) -> u128 {
    match width {
        1 => bytes[at].into(),
        _ => order.unsigned(&bytes[at..at + usize::from(width)]),
    }
}

/// A handle that must be one.
#[inline]
fn take(old: &[u8], at: usize, order: ByteOrder) -> Result<u64, Unfit> {
    match handle(old, at, order) {
        0 => Err(Unfit { at, what: Misfit::Invalid }),
        word => Ok(word),
    }
}

#[inline]
fn put(new: &mut [u8], at: usize, handle: u64) {
    new[at..at + 8].copy_from_slice(&handle.to_ne_bytes());
}

#[cold]
fn unfit(check: u32, at: usize) -> Unfit {
    Unfit { at, what: if check == NONE { Misfit::Lost } else { Misfit::Check(check as usize) } }
}

/// Why a flat step failed.
#[cold]
fn misfit(step: Step, base: usize) -> Unfit {
    match step {
        Step::Number { from, check, .. }
        | Step::Zero { from, check, .. }
        | Step::Equal { from, check, .. }
        | Step::Never { from, check } => unfit(check, base + from as usize),
        Step::Tag { from, .. } | Step::Bool { from, .. } | Step::Char { from, .. } | Step::Present { from, .. } => {
            Unfit { at: base + from as usize, what: Misfit::Invalid }
        }
        _ => Unfit { at: base, what: Misfit::Lost },
    }
}
