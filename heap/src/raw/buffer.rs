//! Entries of maps: buffers as bytes, and the typed values in them.

use std::ops::Range;

use super::read::Value;
use super::{Space, View, Writing, settle};
use crate::field::Field;
use crate::format::handle::Handle;
use crate::format::slot::{self, Kind};

/// The kind and the low half of a slot header's word.
const KIND_AND_AUX: u64 = (1 << 36) - 1;

impl Space {
    /// Offset of the end of the live slot of a value that a handle names.
    #[inline(always)]
    fn value_end(&self, bits: u64, value: Value) -> u64 {
        let region = Handle::from_bits(bits).region;
        match self.stride(region) {
            0 => self.region_at(region) + self.mapped(region),
            // Slots of a size class that are counted are mapped as a whole.
            stride => value.at + u64::from(stride),
        }
    }
}

impl<'a> View<'a> {
    /// The live slot that a handle names, when it is of this kind and its shape number is bound to `T`.
    #[inline(always)]
    pub(crate) fn value_of<T: 'static>(self, bits: u64, kind: Kind) -> Option<Value> {
        let value = self.value(bits)?;
        let right = slot::kind_number(value.word) == kind as u8 && self.space().shape_is::<T>(slot::aux(value.word));
        right.then_some(value)
    }

    /// The live slot that a handle names, when it is of this kind and shape number.
    #[inline(always)]
    pub(crate) fn value_of_shape(self, bits: u64, kind: Kind, shape: u32) -> Option<Value> {
        let value = self.value(bits)?;
        ((value.word ^ slot::word(0, kind, shape)) & KIND_AND_AUX == 0).then_some(value)
    }

    /// Contents of a live slot of this kind and shape number, from their aligned start to the slot's end.
    #[inline(always)]
    pub(crate) fn contents(self, bits: u64, kind: Kind, shape: u32, align: u64) -> Option<&'a [u8]> {
        let value = self.value_of_shape(bits, kind, shape)?;
        let start = slot::contents_at(value.at, slot::HEADER, align);
        let end = self.space().value_end(bits, value);
        settle(self.space().arena().base());
        // SAFETY: a live slot is mapped to its end (M1) and initialised (M3); nobody writes there during `'a` (M6).
        Some(unsafe { self.space().arena().bytes(start, end - start) })
    }

    /// The typed value in some bytes of this view's arena.
    ///
    /// Duty of the caller: the bytes are a key or value of a live entry, in a buffer whose shape number is bound to
    /// the map of this type (M4, M5).
    #[inline(always)]
    pub(crate) fn element<T: Field>(self, bytes: &[u8]) -> &'a T {
        let place = bytes.as_ptr().cast::<T>();
        let offset = (place as usize).wrapping_sub(self.space().arena().base() as usize) as u64;
        assert!(bytes.len() == size_of::<T>() && place.is_aligned() && offset < self.space().arena().len());
        // SAFETY: a valid, aligned `T` (M4, M7). It lies in the arena, so it stays mapped (M1) and unwritten (M6) for
        // all of `'a`, however short the borrow of `bytes` is.
        unsafe { &*place }
    }
}

impl Writing<'_> {
    /// Bytes of a value's slot for writing: `len` from this offset of the arena, in the slot that the handle names.
    /// Duty of the caller: the range was kept, and what is written is what the buffer's shape says (M4).
    #[inline(always)]
    pub(crate) fn slot_range_mut(&mut self, bits: u64, value: Value, at: u64, len: u64) -> &mut [u8] {
        assert!(at > value.at && at + len <= self.space().value_end(bits, value));
        settle(self.space().arena().base());
        // SAFETY: the range lies in a live slot, as just checked, which is mapped to its end (M1) and initialised
        // (M3); the borrow of the writer is exclusive (M6).
        unsafe { self.space().arena().bytes_mut(at, len) }
    }

    /// The typed value at an offset of the arena, for writing in place.
    ///
    /// Duty of the caller: it is the value of a live entry whose range was kept, in a buffer whose shape number is
    /// bound to the map of this type (M4, M5).
    #[inline(always)]
    pub(crate) fn value_mut<T: Field>(&mut self, at: u64) -> &mut T {
        assert!(self.space().counts(at, size_of::<T>() as u64) && at.is_multiple_of(align_of::<T>() as u64));
        // SAFETY: mapped as just checked (M1), a valid, aligned `T` (M4, M7); the borrow of the writer is exclusive
        // (M6).
        unsafe { &mut *self.space().arena().base().add(at as usize).cast() }
    }

    /// Bytes of one slot, and bytes of another for writing, both as offsets in the arena. Duty of the caller: as for
    /// `slot_range_mut`.
    #[inline]
    pub(crate) fn pair_mut(&mut self, from: Range<u64>, to: Range<u64>) -> (&[u8], &mut [u8]) {
        let (from_len, to_len) = (from.end - from.start, to.end - to.start);
        assert!(from.end <= to.start || to.end <= from.start);
        assert!(self.space().counts(from.start, from_len) && self.space().counts(to.start, to_len));
        settle(self.space().arena().base());
        // SAFETY: both ranges are mapped (M1) and initialised (M3), they do not overlap, and the borrow of the writer
        // is exclusive (M6).
        unsafe { (self.space().arena().bytes(from.start, from_len), self.space().arena().bytes_mut(to.start, to_len)) }
    }
}

/// A value that is on its way into a map, as bytes.
pub(crate) struct Loose<T>(T);

impl<T: Field> Loose<T> {
    /// Takes a value.
    #[inline(always)]
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }

    /// Its bytes. Those of its padding are whatever the machine holds there.
    #[inline(always)]
    pub(crate) fn bytes(&mut self) -> &[u8] {
        let place = (&raw mut self.0).cast::<u8>();
        settle(place);
        // SAFETY: the bytes are the value's own, and past `settle`, which may have written any of them, the compiler
        // takes all of them for initialised.
        unsafe { std::slice::from_raw_parts(place, size_of::<T>()) }
    }
}
