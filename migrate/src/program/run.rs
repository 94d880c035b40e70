//! The interpreter.

use std::convert::Infallible;
use std::marker::PhantomData;

use super::{HandleAt, Presence, Program, Step, ValueFault};
use crate::layout::{ByteOrder, MAX_DEPTH};

/// What is done with the parts of a value.
pub(super) trait Action {
    type Error;
    fn bytes(&self) -> &[u8];
    fn padding(&mut self, at: usize, len: usize) -> Result<(), Self::Error>;
    fn mask(&mut self, at: usize, check: u64, padding: u64) -> Result<(), Self::Error>;
    fn bool(&mut self, at: usize) -> Result<(), Self::Error>;
    fn char(&mut self, at: usize, order: ByteOrder) -> Result<(), Self::Error>;
    fn handle(&mut self, handle: HandleAt) -> Result<(), Self::Error>;
    /// A tag or handle that cannot be; walking goes on behind it.
    fn fault(&mut self, fault: ValueFault) -> Result<(), Self::Error>;
}

/// Believes nothing.
pub(super) struct Checking<'a, V, E> {
    pub(super) bytes: &'a [u8],
    pub(super) visit: V,
    pub(super) error: PhantomData<E>,
}

impl<E: From<ValueFault>, V: FnMut(HandleAt) -> Result<(), E>> Action for Checking<'_, V, E> {
    type Error = E;

    #[inline(always)]
    fn bytes(&self) -> &[u8] {
        self.bytes
    }

    #[inline(always)]
    fn padding(&mut self, at: usize, len: usize) -> Result<(), E> {
        let padding = &self.bytes[at..at + len];
        if padding.iter().fold(0, |all, &byte| all | byte) == 0 {
            return Ok(());
        }
        let within = padding.iter().position(|&byte| byte != 0).unwrap_or_default();
        Err(ValueFault::Padding(at + within).into())
    }

    #[inline(always)]
    fn mask(&mut self, at: usize, check: u64, padding: u64) -> Result<(), E> {
        if u64::from_ne_bytes(array_at(self.bytes, at)) & check == 0 {
            return Ok(());
        }
        Err(masked_fault(self.bytes, at, check, padding).into())
    }

    #[inline(always)]
    fn bool(&mut self, at: usize) -> Result<(), E> {
        if self.bytes[at] <= 1 { Ok(()) } else { Err(ValueFault::Bool(at).into()) }
    }

    #[inline(always)]
    fn char(&mut self, at: usize, order: ByteOrder) -> Result<(), E> {
        match char::from_u32(order.u32(array_at(self.bytes, at))) {
            Some(_) => Ok(()),
            None => Err(ValueFault::Char(at).into()),
        }
    }

    #[inline(always)]
    fn handle(&mut self, handle: HandleAt) -> Result<(), E> {
        (self.visit)(handle)
    }

    #[inline(always)]
    fn fault(&mut self, fault: ValueFault) -> Result<(), E> {
        Err(fault.into())
    }
}

/// Looks at handles only.
pub(super) struct Walking<'a, V> {
    pub(super) bytes: &'a [u8],
    pub(super) visit: V,
}

impl<E, V: FnMut(HandleAt) -> Result<(), E>> Action for Walking<'_, V> {
    type Error = E;

    #[inline(always)]
    fn bytes(&self) -> &[u8] {
        self.bytes
    }

    #[inline(always)]
    fn padding(&mut self, _: usize, _: usize) -> Result<(), E> {
        Ok(())
    }

    #[inline(always)]
    fn mask(&mut self, _: usize, _: u64, _: u64) -> Result<(), E> {
        Ok(())
    }

    #[inline(always)]
    fn bool(&mut self, _: usize) -> Result<(), E> {
        Ok(())
    }

    #[inline(always)]
    fn char(&mut self, _: usize, _: ByteOrder) -> Result<(), E> {
        Ok(())
    }

    #[inline(always)]
    fn handle(&mut self, handle: HandleAt) -> Result<(), E> {
        (self.visit)(handle)
    }

    #[inline(always)]
    fn fault(&mut self, _: ValueFault) -> Result<(), E> {
        Ok(())
    }
}

/// Writes zeros into padding.
pub(super) struct Zeroing<'a> {
    pub(super) bytes: &'a mut [u8],
}

impl Action for Zeroing<'_> {
    type Error = Infallible;

    #[inline(always)]
    fn bytes(&self) -> &[u8] {
        self.bytes
    }

    #[inline(always)]
    fn padding(&mut self, at: usize, len: usize) -> Result<(), Infallible> {
        self.bytes[at..at + len].fill(0);
        Ok(())
    }

    #[inline(always)]
    fn mask(&mut self, at: usize, _: u64, padding: u64) -> Result<(), Infallible> {
        let word = u64::from_ne_bytes(array_at(self.bytes, at)) & !padding;
        self.bytes[at..at + 8].copy_from_slice(&word.to_ne_bytes());
        Ok(())
    }

    #[inline(always)]
    fn bool(&mut self, _: usize) -> Result<(), Infallible> {
        Ok(())
    }

    #[inline(always)]
    fn char(&mut self, _: usize, _: ByteOrder) -> Result<(), Infallible> {
        Ok(())
    }

    #[inline(always)]
    fn handle(&mut self, _: HandleAt) -> Result<(), Infallible> {
        Ok(())
    }

    #[inline(always)]
    fn fault(&mut self, _: ValueFault) -> Result<(), Infallible> {
        Ok(())
    }
}

/// The first byte that a mask does not allow.
#[cold]
fn masked_fault(bytes: &[u8], at: usize, check: u64, padding: u64) -> ValueFault {
    let word: [u8; 8] = array_at(bytes, at);
    let within = word.iter().zip(check.to_ne_bytes()).position(|(byte, check)| byte & check != 0).unwrap_or_default();
    let byte = at + within;
    if padding.to_ne_bytes()[within] != 0 { ValueFault::Padding(byte) } else { ValueFault::Bool(byte) }
}

/// A loop that is being run.
#[derive(Clone, Copy, Default)]
struct Loop {
    base: usize,
    left: u32,
}

/// Runs a program over a value of its size. Programs without loops, nearly all, pay for no stack of loops.
#[inline(always)]
pub(super) fn drive<A: Action>(program: &Program, action: &mut A, order: ByteOrder) -> Result<(), A::Error> {
    match program.loops {
        0 => drive_with::<A, 0>(program, action, order),
        _ => drive_loops(program, action, order),
    }
}

#[inline(never)]
fn drive_loops<A: Action>(program: &Program, action: &mut A, order: ByteOrder) -> Result<(), A::Error> {
    match program.loops {
        0..=4 => drive_with::<A, 4>(program, action, order),
        _ => drive_with::<A, { MAX_DEPTH as usize * 2 }>(program, action, order),
    }
}

#[inline(always)]
fn drive_with<A: Action, const LOOPS: usize>(
    program: &Program,
    action: &mut A,
    order: ByteOrder,
) -> Result<(), A::Error> {
    let mut loops = [Loop::default(); LOOPS];
    let mut depth = 0;
    let mut base = 0;
    let mut next = 0;
    while let Some(&step) = program.steps.get(next) {
        next += 1;
        match step {
            Step::Handles { at, count, target, presence } => {
                let start = base + at as usize;
                for offset in (start..start + 8 * count as usize).step_by(8) {
                    let word = order.u64(array_at(action.bytes(), offset));
                    if word != 0 {
                        action.handle(HandleAt { offset, target, word })?;
                    } else if presence == Presence::Always {
                        action.fault(ValueFault::Zero(offset))?;
                    }
                }
            }
            Step::Mask { at, check, padding } => action.mask(base + at as usize, check, padding)?,
            Step::Zero { at, len } => action.padding(base + at as usize, len as usize)?,
            Step::Bool { at } => action.bool(base + at as usize)?,
            Step::Char { at } => action.char(base + at as usize, order)?,
            Step::Niche { at, size, niche, width, none, end } => {
                let (start, niche, width) = (base + at as usize, base + niche as usize, usize::from(width));
                if unsigned(action.bytes(), niche, width, order) == u128::from(none) {
                    action.padding(start, niche - start)?;
                    action.padding(niche + width, start + size as usize - niche - width)?;
                    next = end as usize;
                }
            }
            Step::Tagged { at, size, width, end } => {
                let (start, width) = (base + at as usize, usize::from(width));
                match unsigned(action.bytes(), start, width, order) {
                    1 => {}
                    0 => {
                        action.padding(start + width, size as usize - width)?;
                        next = end as usize;
                    }
                    _ => {
                        action.fault(ValueFault::Tag(start))?;
                        next = end as usize;
                    }
                }
            }
            Step::Enum { at, width, cases, end } => {
                let at = base + at as usize;
                let tag = unsigned(action.bytes(), at, width.into(), order);
                if let Some(case) = program.cases[cases as usize].find(tag) {
                    next = case as usize;
                } else {
                    action.fault(ValueFault::Tag(at))?;
                    next = end as usize;
                }
            }
            Step::Jump { to } => next = to as usize,
            Step::Repeat { at, count } => {
                loops[depth] = Loop { base, left: count };
                depth += 1;
                base += at as usize;
            }
            Step::Again { stride, start } => {
                let current = &mut loops[depth - 1];
                current.left -= 1;
                if current.left > 0 {
                    base += stride as usize;
                    next = start as usize;
                } else {
                    base = current.base;
                    depth -= 1;
                }
            }
        }
    }
    Ok(())
}

#[inline(always)]
fn unsigned(bytes: &[u8], at: usize, width: usize, order: ByteOrder) -> u128 {
    match width {
        1 => bytes[at].into(),
        4 => order.u32(array_at(bytes, at)).into(),
        8 => order.u64(array_at(bytes, at)).into(),
        _ => order.unsigned(&bytes[at..at + width]),
    }
}

#[inline(always)]
fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}
