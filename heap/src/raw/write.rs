//! Writing, and what is kept to take it back.

use super::read::Value;
use super::{Gate, Space, View, settle};
use crate::field::{Field, Record};
use crate::format::slot::{self, Kind};

/// What saved bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// A slot from its header on, as a whole or its fixed part.
    Slot,
    /// The contents of a record.
    Record,
    /// Whole elements of a list.
    Elements,
    /// Whole entries of a map.
    Entries,
    /// Bytes without handles.
    Plain,
}

/// Bytes that were saved before they were handed out for writing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Saved {
    /// Offset in the arena.
    pub(crate) at: u64,
    /// Offset of the header of the slot they lie in.
    pub(crate) header: u64,
    /// Where in [`Undo::old`] they are kept.
    pub(crate) old: usize,
    /// How many.
    pub(crate) len: usize,
    /// What they are.
    pub(crate) what: What,
}

/// What a transaction needs to be taken back, and to find what it changed.
#[derive(Debug, Default)]
pub(crate) struct Undo {
    /// Ranges handed out for writing, in order. A range may be there twice; its first entry holds the oldest bytes.
    pub(crate) saved: Vec<Saved>,
    /// Their old bytes.
    pub(crate) old: Vec<u8>,
    /// Headers of the slots that were given out.
    pub(crate) fresh: Vec<u64>,
}

impl Undo {
    /// The old bytes of a saved range.
    pub(crate) fn old_bytes(&self, saved: Saved) -> &[u8] {
        &self.old[saved.old..saved.old + saved.len]
    }

    fn clear(&mut self) {
        self.saved.clear();
        self.fresh.clear();
        // One large transaction must not hold its memory for good.
        if self.old.capacity() > 1 << 22 {
            self.old = Vec::new();
        }
        self.old.clear();
    }
}

/// The one writer's access to a space.
#[derive(Debug)]
pub(crate) struct Writing<'a> {
    space: &'a Space,
    gate: &'a Gate,
    undo: Undo,
    /// No slot has a flag any more: the transaction is about to end.
    flags_cleared: bool,
}

impl<'a> Writing<'a> {
    pub(super) const fn new(space: &'a Space, gate: &'a Gate, undo: Undo) -> Self {
        Self { space, gate, undo, flags_cleared: false }
    }

    /// A view, while nothing is borrowed for writing.
    #[inline(always)]
    pub(crate) const fn view(&self) -> View<'_> {
        View::new(self.space)
    }

    /// The space.
    pub(crate) const fn space(&self) -> &'a Space {
        self.space
    }

    /// What was saved so far.
    pub(crate) fn undo(&self) -> &Undo {
        &self.undo
    }

    /// Nothing was written yet.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.undo.saved.is_empty() && self.undo.fresh.is_empty()
    }

    #[inline(always)]
    fn set_word(&mut self, at: u64, word: u64) {
        debug_assert!(self.space.counts(at, 8));
        // SAFETY: callers pass places inside slots that they found alive or were given by the allocator (M1), and the
        // writer is exclusive (M6).
        unsafe { self.space.arena.base().add(at as usize).cast::<u64>().write(word) }
    }

    /// Keeps bytes before they change.
    #[inline(always)]
    fn save(&mut self, what: What, header: u64, at: u64, len: usize) {
        let old = self.undo.old.len();
        settle(self.space.arena.base());
        // SAFETY: callers pass ranges inside one live slot, mapped by M1, initialised by M3 and `settle`.
        let bytes = unsafe { self.space.arena.bytes(at, len as u64) };
        self.undo.old.extend_from_slice(bytes);
        self.undo.saved.push(Saved { at, header, old, len, what });
    }

    /// A record, for writing in place. Where the handle names none, `missing` says why, or binds its type.
    #[inline(always)]
    pub(crate) fn record_mut<T: Record, E>(
        &mut self,
        bits: u64,
        missing: impl FnOnce(View<'_>) -> Result<(), E>,
    ) -> Result<&mut T, E> {
        let contents = match self.record_touched::<T>(bits) {
            Some(contents) => contents,
            None => {
                missing(self.view())?;
                self.record_touched::<T>(bits).expect("a record whose handle was found good")
            }
        };
        // SAFETY: by M4 and M7 a valid, aligned `T`; the borrow of the writer is exclusive (M6).
        Ok(unsafe { &mut *contents })
    }

    /// Several different records at once; the position of the first handle that fails, or that is there twice.
    pub(crate) fn records_mut<T: Record, const N: usize>(&mut self, bits: [u64; N]) -> Result<[&mut T; N], Disjoint> {
        let mut places = [std::ptr::null_mut::<T>(); N];
        for (position, bits) in bits.into_iter().enumerate() {
            let place = self.record_touched::<T>(bits).ok_or(Disjoint::Stale(position))?;
            if places[..position].contains(&place) {
                return Err(Disjoint::Twice(position));
            }
            places[position] = place;
        }
        // SAFETY: as in `record_mut`; the places differ, so the borrows do not overlap.
        Ok(places.map(|place| unsafe { &mut *place }))
    }

    #[inline(always)]
    fn record_touched<T: Record>(&mut self, bits: u64) -> Option<*mut T> {
        let contents = self.space.record::<T>(bits)?;
        // SAFETY: the header lies just before the contents, in the same mapped slot (M1).
        let header = unsafe { contents.cast::<u64>().sub(1) };
        // SAFETY: as above.
        let word = unsafe { header.read() };
        if word & slot::TOUCHED == 0 {
            // SAFETY: as above; the writer is exclusive (M6).
            unsafe { header.write(word | slot::TOUCHED) };
            let at = contents as usize as u64 - self.space.arena.base() as usize as u64;
            self.save_record::<T>(at);
        }
        Some(contents)
    }

    /// Keeps a record before it changes: how many bytes is known while compiling.
    #[inline(never)]
    fn save_record<T>(&mut self, at: u64) {
        self.save(What::Record, at - slot::HEADER, at, size_of::<T>());
    }

    /// Keeps a value's slot from its header to `len` bytes, once in a transaction; after that its fixed part may be
    /// changed by [`Writing::set_fixed`].
    #[inline(always)]
    pub(crate) fn touch_value(&mut self, value: Value, len: u64) {
        let word = self.space.word(value.at);
        if word & slot::TOUCHED == 0 {
            self.save(What::Slot, value.at, value.at, len as usize);
            self.set_word(value.at, word | slot::TOUCHED);
        }
    }

    /// Whether the slot was given out or kept whole by this transaction.
    #[inline(always)]
    pub(crate) fn is_touched(&self, value: Value) -> bool {
        self.space.word(value.at) & slot::TOUCHED != 0
    }

    /// Sets a word of a touched value's fixed part: a list's length, the handle of a buffer.
    #[inline(always)]
    pub(crate) fn set_fixed(&mut self, value: Value, offset: u64, word: u64) {
        debug_assert!(self.is_touched(value) && offset >= slot::HEADER);
        self.set_word(value.at + offset, word);
    }

    /// Changes the kind of a touched value's slot, when an inline list moves its elements to a buffer.
    pub(crate) fn set_kind(&mut self, value: Value, kind: Kind) {
        let word = self.space.word(value.at);
        self.set_word(value.at, word & !(15 << 32) | (kind as u64) << 32);
    }

    /// Gives out a slot: its memory is zero but for the header, which is set.
    #[inline(always)]
    pub(crate) fn give_out(&mut self, header: u64, word: u64) {
        self.set_word(header, word | slot::TOUCHED | slot::UNOWNED);
        self.undo.fresh.push(header);
    }

    /// Writes the contents of a record's slot that was just given out.
    #[inline(always)]
    pub(crate) fn write_record<T: Record>(&mut self, header: u64, value: T) {
        debug_assert!(self.space.counts(header, 8 + size_of::<T>() as u64));
        // SAFETY: the allocator gives out slots of T's table only, mapped (M1), with T's size and alignment (M5, M7).
        unsafe { self.space.arena.base().add((header + slot::HEADER) as usize).cast::<T>().write(value) }
    }

    /// Writes bytes into a value's slot, at an offset from its header. Duty of the caller: the slot was given out by
    /// this transaction or the range was kept, and the bytes are what its kind says (M4).
    #[inline(always)]
    pub(crate) fn write_bytes(&mut self, value: Value, offset: u64, bytes: &[u8]) {
        assert!(self.space.counts(value.at, offset + bytes.len() as u64));
        // SAFETY: mapped as just checked (M1); the writer is exclusive (M6).
        unsafe { self.space.arena.bytes_mut(value.at + offset, bytes.len() as u64) }.copy_from_slice(bytes);
    }

    /// Moves elements within a list's slots, as bytes. Duty of the caller: both ranges were kept or are fresh, and
    /// lie in slots of one element shape.
    pub(crate) fn move_bytes(&mut self, from: u64, to: u64, len: u64) {
        assert!(self.space.counts(from, len) && self.space.counts(to, len));
        let base = self.space.arena.base();
        // SAFETY: both ranges are mapped (M1); `copy` allows them to overlap; the writer is exclusive (M6).
        unsafe { base.add(from as usize).copy_to(base.add(to as usize), len as usize) }
    }

    /// Zeroes a range of a slot. Duty of the caller: as for `write_bytes`.
    pub(crate) fn zero(&mut self, at: u64, len: u64) {
        assert!(self.space.counts(at, len));
        // SAFETY: mapped as just checked (M1); the writer is exclusive (M6).
        unsafe { self.space.arena.bytes_mut(at, len) }.fill(0);
    }

    /// Keeps a range of a value's slot before it changes, unless the slot is fresh or whole kept.
    #[inline(always)]
    pub(crate) fn keep_range(&mut self, what: What, value: Value, at: u64, len: u64) {
        if self.is_touched(value) {
            return;
        }
        // Appending to a list one by one keeps one growing range.
        let undo = &mut self.undo;
        if let Some(last) = undo.saved.last_mut()
            && last.header == value.at
            && last.what == what
            && last.at + last.len as u64 == at
            && last.old + last.len == undo.old.len()
        {
            last.len += len as usize;
            settle(self.space.arena.base());
            // SAFETY: the range lies in a live slot (M1, M3).
            let bytes = unsafe { self.space.arena.bytes(at, len) };
            undo.old.extend_from_slice(bytes);
            return;
        }
        self.save(what, value.at, at, len as usize);
    }

    /// Keeps a slot from its header on, whatever flags it has.
    pub(crate) fn keep_slot(&mut self, header: u64, len: u64) {
        assert!(self.space.counts(header, len));
        self.save(What::Slot, header, header, len as usize);
    }

    /// Sets the header's word of a slot that is freed, and zeroes its contents up to `end`. Duty of the caller: the
    /// contents were kept, or the slot is fresh, or the transaction can no longer fail.
    pub(crate) fn free_slot(&mut self, header: u64, word: u64, end: u64) {
        self.set_word(header, word);
        self.zero(header + slot::HEADER, end - header - slot::HEADER);
    }

    /// Sets the header's word of a slot that a migration has written. Duty of the caller: what lies behind it is a valid
    /// record of the region's type (M4).
    pub(crate) fn set_migrated(&mut self, header: u64, word: u64) {
        self.set_word(header, word);
    }

    /// Sets or clears a flag of a slot's header.
    #[inline]
    pub(crate) fn flag(&mut self, header: u64, flag: u64, set: bool) {
        let word = self.space.word(header);
        self.set_word(header, if set { word | flag } else { word & !flag });
    }

    /// One element of a list, for writing in place; the slot's range was kept.
    #[inline(always)]
    pub(crate) fn element_mut<T: Field>(&mut self, list: u64, index: usize) -> Option<&mut T> {
        let (start, len) = self.space.list::<T>(list)?;
        // SAFETY: as in `View::list`; the borrow of the writer is exclusive (M6).
        (index < len).then(|| unsafe { &mut *start.add(index) })
    }

    /// All elements of a list, for writing in place; the slot's range was kept.
    pub(crate) fn elements_mut<T: Field>(&mut self, list: u64) -> Option<&mut [T]> {
        let (start, len) = self.space.list::<T>(list)?;
        // SAFETY: as in `element_mut`.
        Some(unsafe { std::slice::from_raw_parts_mut(start, len) })
    }

    /// Writes an element behind a list's last one. Duty of the caller: there is room, and the range was kept.
    #[inline(always)]
    pub(crate) fn write_element<T: Field>(&mut self, at: u64, value: T) {
        debug_assert!(self.space.counts(at, size_of::<T>() as u64) && at.is_multiple_of(align_of::<T>() as u64));
        // SAFETY: the place lies within a live slot (M1) and is aligned (M7); the writer is exclusive (M6).
        unsafe { self.space.arena.base().add(at as usize).cast::<T>().write(value) }
    }

    /// Bytes of a slot, for zeroing padding.
    pub(crate) fn slot_bytes_mut(&mut self, at: u64, len: u64) -> &mut [u8] {
        assert!(self.space.counts(at, len));
        settle(self.space.arena.base());
        // SAFETY: mapped as just checked (M1), initialised (M3), exclusively borrowed (M6).
        unsafe { self.space.arena.bytes_mut(at, len) }
    }

    /// Puts every kept range back, newest first. The slots given out are left to the caller.
    pub(crate) fn restore(&mut self) {
        // Old bytes of headers may have flags.
        self.flags_cleared = false;
        let undo = &mut self.undo;
        for saved in undo.saved.iter().rev() {
            // SAFETY: these very bytes were read from there (M1, M4); the writer is exclusive (M6).
            let place = unsafe { self.space.arena.bytes_mut(saved.at, saved.len as u64) };
            place.copy_from_slice(&undo.old[saved.old..saved.old + saved.len]);
        }
    }

    /// Ends the transaction: clears the flags of every slot it touched and forgets what was kept.
    pub(crate) fn finish(&mut self) {
        self.clear_flags();
        self.undo.clear();
        self.flags_cleared = false;
    }

    /// Clears the flags of every slot that the transaction touched; from here on it can only be ended or taken back.
    pub(crate) fn clear_flags(&mut self) {
        if std::mem::replace(&mut self.flags_cleared, true) {
            return;
        }
        let flags = !(slot::TOUCHED | slot::UNOWNED);
        for position in 0..self.undo.saved.len() {
            let header = self.undo.saved[position].header;
            let word = self.space.word(header);
            self.set_word(header, word & flags);
        }
        for position in 0..self.undo.fresh.len() {
            let header = self.undo.fresh[position];
            let word = self.space.word(header);
            self.set_word(header, word & flags);
        }
    }
}

/// Why several records could not be had at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disjoint {
    /// The handle at this position names no live record of the type.
    Stale(usize),
    /// The handle at this position was there before.
    Twice(usize),
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.is_unchanged() {
            self.restore();
            self.finish();
        }
        self.gate.leave_writer(std::mem::take(&mut self.undo));
    }
}
