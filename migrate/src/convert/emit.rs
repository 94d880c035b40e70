//! How steps are put one behind the other: places, branches and loops.

use super::ConversionError;
use super::code::{NONE, Step};
use super::compile::{Between, Compiled, Compiler, Purpose, mismatch};
use super::join::{join, scale, shift, sort_key};
use super::number::{Kind, NumberCast, Rounding};
use crate::layout::ByteOrder;
use crate::plan::Cast;
use crate::schema::OptionTag;

impl Compiler<'_> {
    /// The first elements of an array, each by the same cast.
    pub(super) fn array(&mut self, between: Between<'_>, count: u64, cast: &Cast, levels: u32) -> Compiled {
        let Between { old, from, new, to } = between;
        let strides = (self.old_size(old)?, self.new_size(new)?);
        self.looped((from, to), strides, count, |compiler, (from, to)| {
            compiler.cast(Between { old, from, new, to }, cast, levels)
        })
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
    pub(super) fn looped(
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
        let start = self.label();
        let inner_loops = std::mem::replace(&mut self.code.loops, 0);
        body(self, (0, 0))?;
        self.settle();
        let deepest = std::mem::replace(&mut self.code.loops, inner_loops);
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

    /// A number, handle or tag stays what it is.
    pub(super) fn word(&mut self, from: u64, to: u64, width: u64) -> Compiled {
        let (from, to) = self.places(from, width, to, width)?;
        if self.order == ByteOrder::NATIVE || width == 1 {
            return self.push(Step::Move { from, to, len: width as u32 });
        }
        let kind = Kind::unsigned(width).ok_or_else(|| mismatch(format!("a word of {width} bytes")))?;
        let cast = NumberCast { old: kind, new: kind, order: self.order, rounding: Rounding::Exact };
        self.push(Step::Number { from, to, count: 1, cast, check: NONE })
    }

    /// A place in the old value, held against its size.
    pub(super) fn old_place(&self, from: u64, len: u64) -> Result<u32, ConversionError> {
        self.place(from, len, self.around.0)
    }

    /// A place in the new value, held against its size.
    pub(super) fn new_place(&self, to: u64, len: u64) -> Result<u32, ConversionError> {
        self.place(to, len, self.around.1)
    }

    pub(super) fn place(&self, at: u64, len: u64, around: u64) -> Result<u32, ConversionError> {
        let inside = at.checked_add(len).is_some_and(|end| end <= around);
        u32::try_from(at).ok().filter(|_| inside).ok_or_else(|| mismatch(format!("{at} is outside of {around} bytes")))
    }

    pub(super) fn places(&self, from: u64, old_len: u64, to: u64, new_len: u64) -> Result<(u32, u32), ConversionError> {
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
            | Step::ToBytes { .. }
            | Step::Number { check: NONE, .. } => self.purpose == Purpose::Convert,
            Step::Holds { .. } => self.purpose == Purpose::Scan,
            _ => true,
        };
        if needed {
            self.push_raw(step)?;
        }
        Ok(())
    }

    pub(super) fn push_raw(&mut self, step: Step) -> Result<usize, ConversionError> {
        self.spend()?;
        self.code.steps.push(step);
        Ok(self.code.steps.len() - 1)
    }

    /// Sorts the steps since the last barrier and joins those side by side. They are all straight: no order between
    /// them matters, other than that of what is asked of the outside.
    pub(super) fn settle(&mut self) {
        let mut loose = self.code.steps.split_off(self.barrier);
        let (mut flat, others): (Vec<_>, Vec<_>) = loose.drain(..).partition(|step| step.is_flat());
        // Moves last, since a record that is unfit should be so before it is written.
        flat.sort_by_key(|step| sort_key(*step));
        let mut joined: Vec<Step> = Vec::with_capacity(flat.len());
        for step in flat {
            let counts = self.purpose == Purpose::Scan && matches!(step, Step::Zero { .. });
            match joined.last_mut().filter(|_| !counts).and_then(|last| join(*last, step).map(|longer| (last, longer)))
            {
                Some((last, longer)) => *last = longer,
                None => joined.push(step),
            }
        }
        self.code.steps.extend(joined);
        self.code.steps.extend(others);
        self.barrier = self.code.steps.len();
    }

    /// The steps of `body` all hold, or the check fails of one value.
    pub(super) fn probe(&mut self, from: u64, check: u32, body: impl FnOnce(&mut Self) -> Compiled) -> Compiled {
        if self.purpose == Purpose::Convert {
            return body(self);
        }
        let from = self.old_place(from, 0)?;
        let head = self.open(Step::Probe { from, check, end: 0 })?;
        body(self)?;
        let end = self.label();
        if let [step] = self.code.steps[head + 1..]
            && step.is_flat()
        {
            // It speaks for itself.
            self.code.steps.truncate(head);
            self.branches -= 1;
            self.barrier = head;
            return self.push(step);
        }
        self.code.steps[head] = Step::Probe { from, check, end };
        self.close(head);
        Ok(())
    }

    /// The number of the step to come, to which something jumps.
    pub(super) fn label(&mut self) -> u32 {
        self.settle();
        self.barrier as u32
    }

    pub(super) fn branch(&mut self) {
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
        if let Step::Choice { end: label, .. } = &mut self.code.steps[head] {
            *label = end;
        }
        self.close(head);
    }

    pub(super) fn close(&mut self, head: usize) {
        self.branches -= 1;
        self.barrier = self.code.steps.len();
        if self.branches == 0 {
            self.code.groups.push((head as u32, self.code.steps.len() as u32));
        }
    }
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
