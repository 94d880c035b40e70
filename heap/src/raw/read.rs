//! Following handles.

use std::slice;

use super::Space;
use super::settle;
use crate::field::{Field, Record};
use crate::format::handle::{EMPTY, Handle};
use crate::format::slot::{self, Kind};

const GENERATION: u64 = !((1 << 38) - 1);
const FLAGS: u64 = slot::TOUCHED | slot::UNOWNED;
const LIST_FIXED: u64 = 16;

/// A view of a space while nobody writes to it: borrowed from a guard or from the writer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    space: &'a Space,
}

/// A live slot of a size class, or a large one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value {
    /// Offset of its header in the arena.
    pub(crate) at: u64,
    /// Its header's word, flags included.
    pub(crate) word: u64,
}

impl Space {
    /// Where a record's contents are, when the handle is one of a live `T`.
    #[inline(always)]
    pub(super) fn record<T: Record>(&self, bits: u64) -> Option<*mut T> {
        let handle = Handle::from_bits(bits);
        // SAFETY: a handle's region has 20 bits, and the table has 2^20 entries.
        let region = unsafe { self.regions.get_unchecked(handle.region as usize) };
        if !region.bound.is::<T>() || handle.index >= region.records.load(std::sync::atomic::Ordering::Relaxed) {
            return None;
        }
        let at = ((handle.region as usize) << self.shift) + handle.index as usize * stride_of::<T>() + first_of::<T>();
        // SAFETY: by M1 slots below `records` are mapped, and by M5 stride and first are those of the table.
        let (contents, word) = unsafe {
            let contents = self.arena.base().add(at);
            (contents, contents.sub(8).cast::<u64>().read())
        };
        let expected = bits & GENERATION | (Kind::Record as u64) << 32;
        if word & !FLAGS == expected { Some(contents.cast()) } else { None }
    }

    /// The live slot of a size class that a handle names, of whatever kind.
    #[inline(always)]
    pub(super) fn value(&self, bits: u64) -> Option<Value> {
        let handle = Handle::from_bits(bits);
        // SAFETY: as in `record`.
        let region = unsafe { self.regions.get_unchecked(handle.region as usize) };
        let relaxed = std::sync::atomic::Ordering::Relaxed;
        // The quotient by the stride when the index is a multiple of it, and more than any count otherwise
        // (Granlund and Montgomery, "Division by invariant integers using multiplication", section 9).
        let number = handle.index.wrapping_mul(region.inverse.load(relaxed)).rotate_right(region.rotate.load(relaxed));
        if number >= region.values.load(relaxed) {
            return None;
        }
        let at = (u64::from(handle.region) << self.shift) + u64::from(handle.index) * 8;
        // SAFETY: by M1 slots below `values` are mapped.
        let word = unsafe { self.arena.base().add(at as usize).cast::<u64>().read() };
        ((word ^ bits) & GENERATION == 0 && slot::kind_number(word) > Kind::Record as u8).then_some(Value { at, word })
    }

    /// The slot of a live list of such elements.
    #[inline(always)]
    pub(super) fn list_slot<T: Field>(&self, bits: u64) -> Option<Value> {
        let list = self.value(bits)?;
        let kind = slot::kind_number(list.word);
        let is_list = kind == Kind::ListInline as u8 || kind == Kind::ListSpilled as u8;
        (is_list && self.shape_is::<T>(slot::aux(list.word))).then_some(list)
    }

    /// The word at an offset of mapped memory that is no padding.
    #[inline(always)]
    pub(super) fn word(&self, at: u64) -> u64 {
        debug_assert!(at.is_multiple_of(8) && at + 8 <= self.arena.len());
        // SAFETY: callers pass places inside a live slot's fixed part, mapped by M1 and initialised by M3.
        unsafe { self.arena.base().add(at as usize).cast::<u64>().read() }
    }

    /// The elements of a list: where they are, how many, and the slot that holds them.
    #[inline(always)]
    pub(super) fn list<T: Field>(&self, bits: u64) -> Option<(*mut T, usize)> {
        let list = self.value(bits)?;
        let shape = slot::aux(list.word);
        if self.shape_is::<T>(shape) { self.elements(list, shape) } else { None }
    }

    #[inline(always)]
    fn elements<T: Field>(&self, list: Value, shape: u32) -> Option<(*mut T, usize)> {
        let len = self.word(list.at + 8) as usize;
        let at = match slot::kind_number(list.word) {
            kind if kind == Kind::ListInline as u8 => slot::contents_at(list.at, LIST_FIXED, align_of::<T>() as u64),
            kind if kind == Kind::ListSpilled as u8 => {
                let buffer = self.value(self.word(list.at + 16))?;
                if buffer.word as u32 != shape || slot::kind_number(buffer.word) != Kind::Buffer as u8 {
                    return None;
                }
                slot::contents_at(buffer.at, slot::HEADER, align_of::<T>() as u64)
            }
            _ => return None,
        };
        // SAFETY: by M4 the contents lie in the slot.
        Some((unsafe { self.arena.base().add(at as usize).cast() }, len))
    }
}

/// Ends in a panic with the message of an error: what the indexing forms do.
#[cold]
#[inline(never)]
#[track_caller]
pub(crate) fn give_up(error: &crate::Error) -> ! {
    panic!("{error}")
}

/// Offset of the first record's contents in a region.
pub(crate) const fn first_of<T>() -> usize {
    if align_of::<T>() > 8 { align_of::<T>() } else { 8 }
}

/// Distance of records in bytes.
pub(crate) const fn stride_of<T>() -> usize {
    let align = if align_of::<T>() > 8 { align_of::<T>() } else { 8 };
    let size = if size_of::<T>() < 8 { 8 } else { size_of::<T>() };
    (size + 8).next_multiple_of(align)
}

impl<'a> View<'a> {
    /// A view.
    ///
    /// Duty of the caller: `'a` is the borrow of a guard that keeps writers away, or of the writer itself (M6).
    pub(super) const fn new(space: &'a Space) -> Self {
        Self { space }
    }

    /// A view of a snapshot's own space, which nobody writes to.
    pub(crate) const fn of_snapshot(space: &'a Space) -> Self {
        Self { space }
    }

    /// The space.
    pub(crate) const fn space(self) -> &'a Space {
        self.space
    }

    /// A record.
    #[inline(always)]
    pub(crate) fn record<T: Record>(self, bits: u64) -> Option<&'a T> {
        // SAFETY: by M4 and M7 a valid, aligned `T`; by M6 nobody writes to it during `'a`.
        self.space.record::<T>(bits).map(|contents| unsafe { &*contents })
    }

    /// The live slot of a size class that a handle names.
    #[inline(always)]
    pub(crate) fn value(self, bits: u64) -> Option<Value> {
        self.space.value(bits)
    }

    /// The slot of a live list of such elements.
    #[inline(always)]
    pub(crate) fn list_slot<T: Field>(self, bits: u64) -> Option<Value> {
        self.space.list_slot::<T>(bits)
    }

    /// The word at an offset inside a live slot's header or fixed part.
    #[inline(always)]
    pub(crate) fn word(self, at: u64) -> u64 {
        self.space.word(at)
    }

    /// A text's characters.
    #[inline(always)]
    pub(crate) fn text(self, bits: u64) -> Option<&'a str> {
        let bytes = self.raw_bytes(bits, Kind::Text)?;
        // SAFETY: by M4 the bytes are UTF-8.
        Some(unsafe { std::str::from_utf8_unchecked(bytes) })
    }

    /// The bytes of a `Bytes`.
    #[inline(always)]
    pub(crate) fn bytes(self, bits: u64) -> Option<&'a [u8]> {
        self.raw_bytes(bits, Kind::Bytes)
    }

    #[inline(always)]
    fn raw_bytes(self, bits: u64, kind: Kind) -> Option<&'a [u8]> {
        let Some(value) = self.space.value(bits) else {
            return (bits == EMPTY).then_some(&[]);
        };
        if slot::kind_number(value.word) != kind as u8 {
            return None;
        }
        // SAFETY: by M4 the length lies within the slot, which is mapped by M1 and initialised by M3.
        Some(unsafe { self.space.arena.bytes(value.at + slot::HEADER, u64::from(slot::aux(value.word))) })
    }

    /// A list's elements.
    #[inline(always)]
    pub(crate) fn list<T: Field>(self, bits: u64) -> Option<&'a [T]> {
        // SAFETY: by M4 and M7 that many valid, aligned elements; by M6 nobody writes to them during `'a`.
        self.space.list::<T>(bits).map(|(start, len)| unsafe { slice::from_raw_parts(start, len) })
    }

    /// A list's elements, where the caller knows that the shape number is `T`'s.
    ///
    /// Duty of the caller: `T`'s description equals the shape (M5).
    pub(crate) fn list_of_shape<T: Field>(self, bits: u64, shape: u32) -> Option<&'a [T]> {
        let list = self.space.value(bits).filter(|list| slot::aux(list.word) == shape)?;
        // SAFETY: as in `list`.
        self.space.elements::<T>(list, shape).map(|(start, len)| unsafe { slice::from_raw_parts(start, len) })
    }

    /// The live records of a region bound to `T`, with the bits of their handles.
    pub(crate) fn region_records<T: Record>(self, region: u32) -> impl Iterator<Item = (u64, &'a T)> {
        let count = if self.space.is_bound_to::<T>(region) { self.space.record_slots(region) } else { 0 };
        let start = self.space.region_at(region) as usize + first_of::<T>();
        // SAFETY: by M1 every counted slot is mapped.
        let first = unsafe { self.space.arena.base().add(start) };
        (0..count).filter_map(move |index| {
            // SAFETY: as above; a slot's header lies just before its contents.
            let contents = unsafe { first.add(index as usize * stride_of::<T>()) };
            // SAFETY: as above.
            let word = unsafe { contents.sub(8).cast::<u64>().read() };
            // SAFETY: by M4 and M7 a slot of kind record holds a valid, aligned `T`.
            (slot::kind_number(word) == Kind::Record as u8).then(|| unsafe {
                (word & GENERATION | u64::from(region) << 18 | u64::from(index), &*contents.cast::<T>())
            })
        })
    }

    /// Offset of the end of a live slot of a size class.
    #[inline]
    pub(crate) fn slot_end(self, value: Value) -> u64 {
        let region = self.space.region_of(value.at);
        match self.space.stride(region) {
            0 => self.space.large_end(value.at),
            // A record's slot begins before its header where its alignment asks for it, and ends earlier.
            stride => (value.at + u64::from(stride)).min(self.space.region_at(region) + self.space.mapped(region)),
        }
    }

    /// Offset of the end of the slot with its header at this offset.
    #[inline]
    pub(crate) fn slot_end_at(self, header: u64) -> u64 {
        self.slot_end(Value { at: header, word: 0 })
    }

    /// Bytes of a slot that the space counts, header included, whatever they mean.
    #[inline]
    pub(crate) fn slot_bytes(self, at: u64, len: u64) -> &'a [u8] {
        assert!(self.space.counts(at, len), "a slot's bytes are read only where slots are mapped");
        settle(self.space.arena.base());
        // SAFETY: mapped, as just checked against the region's counts (M1); initialised by M3 and `settle`.
        unsafe { self.space.arena.bytes(at, len) }
    }
}
