//! Steps that look at nothing but bytes, over one record or many.

use super::code::{Code, Step};
use super::number::{Bool, F32, F64, Kind, Number, NumberCast, Rounding, convert, with_kind};
use crate::layout::ByteOrder;

/// Records side by side, or one.
pub(super) struct Span<'a> {
    pub(super) old: &'a [u8],
    pub(super) new: &'a mut [u8],
    pub(super) old_stride: usize,
    pub(super) new_stride: usize,
    pub(super) count: usize,
}

/// Runs a step; returns whether all records are fit.
#[inline]
pub(super) fn flat(step: Step, code: &Code, span: &mut Span<'_>) -> bool {
    match step {
        Step::Move { from, to, len } => {
            moved(span, from as usize, to as usize, len as usize);
            true
        }
        Step::Constant { to, start, len } => {
            constant(span, to as usize, &code.pool[start as usize..(start + len) as usize]);
            true
        }
        Step::Number { from, to, count, cast, .. } => number(span, from as usize, to as usize, count as usize, cast),
        Step::Tag { from, to, old_width, new_width, cases } => {
            let (from, to) = (from as usize, to as usize);
            let (old_width, new_width) = (usize::from(old_width), usize::from(new_width));
            let cases = &code.cases[cases as usize];
            let mut fits = true;
            for position in 0..span.count {
                let (from, to) = (position * span.old_stride + from, position * span.new_stride + to);
                match cases.find(code.order.unsigned(&span.old[from..from + old_width])) {
                    Some(start) => {
                        let tag = &code.pool[start as usize..start as usize + new_width];
                        span.new[to..to + new_width].copy_from_slice(tag);
                    }
                    None => fits = false,
                }
            }
            fits
        }
        Step::Bool { from, count } => all(span, from, count, |bytes| bytes.iter().fold(0, |or, byte| or | byte) <= 1),
        Step::Char { from, count } => all(span, from, 4 * count, |bytes| {
            let chars = bytes.as_chunks::<4>().0;
            chars.iter().all(|&bytes| char::from_u32(code.order.u32(bytes)).is_some())
        }),
        Step::Present { from, count } => all(span, from, 8 * count, |bytes| {
            bytes.as_chunks::<8>().0.iter().all(|&bytes| u64::from_ne_bytes(bytes) != 0)
        }),
        Step::Zero { from, len, .. } => all(span, from, len, |bytes| bytes.iter().fold(0, |or, byte| or | byte) == 0),
        Step::Equal { from, width, value, .. } => {
            all(span, from, width.into(), |bytes| code.order.unsigned(bytes) == u128::from(value))
        }
        Step::Never { .. } => false,
        Step::Holds { .. } => true,
        other => unreachable!("{other:?} is not flat"),
    }
}

/// Of how many values a step speaks, and of how many what it says does not hold; nothing is written.
pub(super) fn count_unfit(step: Step, code: &Code, span: &Span<'_>) -> (usize, usize) {
    let Step::Number { from, count, cast, .. } = step else {
        let failing = |position: &usize| !holds(step, code, &span.old[position * span.old_stride..]);
        return (span.count, (0..span.count).filter(failing).count());
    };
    let (from, count) = (from as usize, count as usize);
    let failed = if count == 1 {
        unfit_numbers(&span.old[from..], span.old_stride, span.count, cast)
    } else {
        let width = cast.old.width() as usize;
        let record = |position| unfit_numbers(&span.old[position * span.old_stride + from..], width, count, cast);
        (0..span.count).map(record).sum()
    };
    (span.count * count, failed)
}

/// Whether what a step says holds of the record that begins here.
pub(super) fn holds(step: Step, code: &Code, record: &[u8]) -> bool {
    match step {
        Step::Number { from, count, cast, .. } => {
            unfit_numbers(&record[from as usize..], cast.old.width() as usize, count as usize, cast) == 0
        }
        step => flat(step, code, &mut Span { old: record, new: &mut [], old_stride: 0, new_stride: 0, count: 1 }),
    }
}

/// How many of numbers at equal distances do not survive.
pub(super) fn unfit_numbers(old: &[u8], stride: usize, count: usize, cast: NumberCast) -> usize {
    with_kind!(cast.old, Old => with_kind!(cast.new, New => {
        if cast.order == ByteOrder::NATIVE {
            unfit_numbers_of::<Old, New>(old, stride, count, ByteOrder::NATIVE)
        } else {
            unfit_numbers_of::<Old, New>(old, stride, count, cast.order)
        }
    }))
}

#[inline(always)]
fn unfit_numbers_of<Old: Number, New: Number>(old: &[u8], stride: usize, count: usize, order: ByteOrder) -> usize {
    let mut from = 0;
    let mut failed = 0;
    for _ in 0..count {
        let bytes = &old[from..from + Old::WIDTH];
        failed += usize::from(convert::<Old, New>(bytes, order, Rounding::Exact).is_none());
        from += stride;
    }
    failed
}

#[inline(always)]
fn all(span: &Span<'_>, from: u32, len: u32, holds: impl Fn(&[u8]) -> bool) -> bool {
    let (from, len) = (from as usize, len as usize);
    let mut fits = true;
    for position in 0..span.count {
        let from = position * span.old_stride + from;
        fits &= holds(&span.old[from..from + len]);
    }
    fits
}

fn moved(span: &mut Span<'_>, from: usize, to: usize, len: usize) {
    match len {
        1 => moved_fixed::<1>(span, from, to),
        2 => moved_fixed::<2>(span, from, to),
        4 => moved_fixed::<4>(span, from, to),
        8 => moved_fixed::<8>(span, from, to),
        12 => moved_fixed::<12>(span, from, to),
        16 => moved_fixed::<16>(span, from, to),
        20 => moved_fixed::<20>(span, from, to),
        24 => moved_fixed::<24>(span, from, to),
        32 => moved_fixed::<32>(span, from, to),
        40 => moved_fixed::<40>(span, from, to),
        48 => moved_fixed::<48>(span, from, to),
        _ => {
            for position in 0..span.count {
                let (from, to) = (position * span.old_stride + from, position * span.new_stride + to);
                span.new[to..to + len].copy_from_slice(&span.old[from..from + len]);
            }
        }
    }
}

#[inline(always)]
fn moved_fixed<const LEN: usize>(span: &mut Span<'_>, from: usize, to: usize) {
    let (mut from, mut to) = (from, to);
    for _ in 0..span.count {
        span.new[to..to + LEN].copy_from_slice(&span.old[from..from + LEN]);
        (from, to) = (from + span.old_stride, to + span.new_stride);
    }
}

fn constant(span: &mut Span<'_>, to: usize, bytes: &[u8]) {
    if let Ok(bytes) = bytes.try_into() {
        return constant_fixed::<4>(span, to, bytes);
    }
    if let Ok(bytes) = bytes.try_into() {
        return constant_fixed::<8>(span, to, bytes);
    }
    for position in 0..span.count {
        let to = position * span.new_stride + to;
        span.new[to..to + bytes.len()].copy_from_slice(bytes);
    }
}

#[inline(always)]
fn constant_fixed<const LEN: usize>(span: &mut Span<'_>, to: usize, bytes: [u8; LEN]) {
    for position in 0..span.count {
        let to = position * span.new_stride + to;
        span.new[to..to + LEN].copy_from_slice(&bytes);
    }
}

/// Numbers side by side in one record, one number in each of many, or numbers side by side in each.
fn number(span: &mut Span<'_>, from: usize, to: usize, count: usize, cast: NumberCast) -> bool {
    let (old_width, new_width) = (cast.old.width() as usize, cast.new.width() as usize);
    if count == 1 {
        let strides = (span.old_stride, span.new_stride);
        return numbers(&span.old[from..], &mut span.new[to..], strides, span.count, cast);
    }
    let mut fits = true;
    for position in 0..span.count {
        let (from, to) = (position * span.old_stride + from, position * span.new_stride + to);
        fits &= numbers(&span.old[from..], &mut span.new[to..], (old_width, new_width), count, cast);
    }
    fits
}

fn numbers(old: &[u8], new: &mut [u8], strides: (usize, usize), count: usize, cast: NumberCast) -> bool {
    with_kind!(cast.old, Old => with_kind!(cast.new, New => {
        if (cast.order, cast.rounding) == (ByteOrder::NATIVE, Rounding::Exact) {
            numbers_of::<Old, New>(old, new, strides, count, ByteOrder::NATIVE, Rounding::Exact)
        } else {
            numbers_of::<Old, New>(old, new, strides, count, cast.order, cast.rounding)
        }
    }))
}

#[inline(always)]
fn numbers_of<Old: Number, New: Number>(
    old: &[u8],
    new: &mut [u8],
    (old_stride, new_stride): (usize, usize),
    count: usize,
    order: ByteOrder,
    rounding: Rounding,
) -> bool {
    let mut fits = true;
    let (mut from, mut to) = (0, 0);
    for _ in 0..count {
        match convert::<Old, New>(&old[from..from + Old::WIDTH], order, rounding) {
            Some(value) => value.store(&mut new[to..to + New::WIDTH]),
            None => fits = false,
        }
        (from, to) = (from + old_stride, to + new_stride);
    }
    fits
}
