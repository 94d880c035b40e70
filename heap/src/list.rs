//! Lists: a slot of stable identity, with the elements in it or in a buffer that it owns.

use std::any::TypeId;

use crate::error::{Error, Result};
use crate::field::Field;
use crate::format::slot::{self, Kind};
use crate::guard::Reader;
use crate::handles::List;
use crate::raw::{Value, What};
use crate::transaction::Transaction;

/// Length of a list's fixed part in bytes: header and length.
const FIXED: u64 = 16;
/// Length of the slot of a list whose elements are elsewhere, in bytes.
const SPILLED: u64 = 24;
/// Up to this length in bytes, header included, elements lie in the list's own slot.
pub(crate) const INLINE: u64 = 512;

/// The list that elements were last appended to, in a slot that needs no keeping. It is the same list as long as its
/// slot says what it said then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Appending {
    list: u64,
    element: TypeId,
    slot: Value,
    buffer: u64,
    len: u64,
    at: u64,
    end: u64,
}

/// Where a list's elements are.
#[derive(Debug, Clone, Copy)]
struct Parts {
    list: Value,
    /// The slot that holds the elements: the list's own, or its buffer.
    holder: Value,
    /// Offset of the first element in the arena.
    start: u64,
    /// Elements there.
    len: u64,
    /// Elements that fit.
    capacity: u64,
}

impl<T: Field> List<T> {
    const SIZE: u64 = size_of::<T>() as u64;
    const ALIGN: u64 = align_of::<T>() as u64;

    #[inline(always)]
    fn parts(self, tx: &Transaction<'_>) -> Result<Parts> {
        // The element type is checked here, once for all that follows.
        let list = match tx.view().list_slot::<T>(self.to_bits()) {
            Some(list) => list,
            None => {
                tx.get_list(self)?;
                tx.view().value(self.to_bits()).expect("a list that was found a moment ago")
            }
        };
        let view = tx.view();
        let (holder, fixed) = if slot::kind_number(list.word) == Kind::ListInline as u8 {
            (list, FIXED)
        } else {
            (view.value(view.word(list.at + 16)).expect("a list's buffer lives as long as the list"), slot::HEADER)
        };
        let start = slot::contents_at(holder.at, fixed, Self::ALIGN);
        let end = view.slot_end(holder);
        Ok(Parts { list, holder, start, len: view.word(list.at + 8), capacity: (end - start) / Self::SIZE })
    }

    /// The elements, borrowed from a guard, snapshot or transaction.
    ///
    /// # Errors
    /// [`Error::Stale`] or [`Error::Foreign`] for a handle that names no live list of such elements.
    pub fn get(self, reader: &impl Reader) -> Result<&[T]> {
        reader.get_list(self)
    }

    /// Number of elements.
    ///
    /// # Errors
    /// As [`get`](List::get).
    pub fn len(self, reader: &impl Reader) -> Result<usize> {
        Ok(reader.get_list(self)?.len())
    }

    /// Whether there is no element.
    ///
    /// # Errors
    /// As [`get`](List::get).
    pub fn is_empty(self, reader: &impl Reader) -> Result<bool> {
        Ok(reader.get_list(self)?.is_empty())
    }

    /// Appends an element. Amortised, it moves each element less than twice.
    ///
    /// # Errors
    /// As [`get`](List::get); [`Error::NoRoom`] or [`Error::ArenaFull`] when there is no room.
    #[inline]
    pub fn push(self, tx: &mut Transaction<'_>, value: T) -> Result<()> {
        if let Some(appending) = tx.appending
            && appending.list == self.to_bits()
            && appending.element == TypeId::of::<T>()
            && appending.at + Self::SIZE <= appending.end
            && tx.view().word(appending.slot.at) == appending.slot.word
            && tx.view().word(appending.slot.at + 8) == appending.len
            && tx.view().word(appending.slot.at + 16) == appending.buffer
        {
            tx.raw.write_element(appending.at, value);
            tx.raw.set_fixed(appending.slot, 8, appending.len + 1);
            tx.appending = Some(Appending { len: appending.len + 1, at: appending.at + Self::SIZE, ..appending });
            return Ok(());
        }
        self.push_anywhere(tx, value)
    }

    #[inline(never)]
    fn push_anywhere(self, tx: &mut Transaction<'_>, value: T) -> Result<()> {
        let mut parts = self.parts(tx)?;
        if parts.len == parts.capacity {
            parts = self.grow(tx, parts, parts.len + 1)?;
        }
        let at = parts.start + parts.len * Self::SIZE;
        Self::touch(tx, parts.list);
        Self::keep(tx, parts, at, Self::SIZE);
        tx.raw.write_element(at, value);
        tx.raw.set_fixed(parts.list, 8, parts.len + 1);
        if parts.holder.at != parts.list.at && tx.raw.is_touched(parts.holder) {
            tx.appending = Some(Appending {
                list: self.to_bits(),
                element: TypeId::of::<T>(),
                slot: Value { at: parts.list.at, word: tx.view().word(parts.list.at) },
                buffer: tx.view().word(parts.list.at + 16),
                len: parts.len + 1,
                at: at + Self::SIZE,
                end: parts.start + parts.capacity * Self::SIZE,
            });
        }
        Ok(())
    }

    /// Appends elements.
    ///
    /// # Errors
    /// As [`push`](List::push).
    pub fn extend(self, tx: &mut Transaction<'_>, values: impl IntoIterator<Item = T>) -> Result<()> {
        let mut parts = self.parts(tx)?;
        for value in values {
            if parts.len == parts.capacity {
                parts = self.grow(tx, parts, parts.len + 1)?;
            }
            let at = parts.start + parts.len * Self::SIZE;
            Self::touch(tx, parts.list);
            Self::keep(tx, parts, at, Self::SIZE);
            tx.raw.write_element(at, value);
            // An iterator that panics leaves the elements before.
            parts.len += 1;
            tx.raw.set_fixed(parts.list, 8, parts.len);
        }
        Ok(())
    }

    /// Replaces an element.
    ///
    /// # Errors
    /// As [`get`](List::get); [`Error::OutOfRange`].
    pub fn set(self, tx: &mut Transaction<'_>, index: usize, value: T) -> Result<()> {
        *self.get_mut(tx, index)? = value;
        Ok(())
    }

    /// One element, for writing in place: only its bytes are logged.
    ///
    /// # Errors
    /// As [`get`](List::get); [`Error::OutOfRange`].
    pub fn get_mut<'t>(self, tx: &'t mut Transaction<'_>, index: usize) -> Result<&'t mut T> {
        let parts = self.parts(tx)?;
        Self::check(index, parts.len)?;
        Self::keep(tx, parts, parts.start + index as u64 * Self::SIZE, Self::SIZE);
        Ok(tx.raw.element_mut(self.to_bits(), index).expect("an element whose index was checked"))
    }

    /// All elements, for writing in place: those that change are logged.
    ///
    /// # Errors
    /// As [`get`](List::get).
    pub fn as_mut_slice<'t>(self, tx: &'t mut Transaction<'_>) -> Result<&'t mut [T]> {
        let parts = self.parts(tx)?;
        Self::keep(tx, parts, parts.start, parts.len * Self::SIZE);
        Ok(tx.raw.elements_mut::<T>(self.to_bits()).expect("a list that was found a moment ago"))
    }

    /// Removes the last element; whether there was one. What it owned goes with the commit, unless it found another
    /// place.
    ///
    /// # Errors
    /// As [`get`](List::get).
    pub fn pop(self, tx: &mut Transaction<'_>) -> Result<bool> {
        let len = self.parts(tx)?.len;
        self.truncate(tx, len.saturating_sub(1) as usize)?;
        Ok(len > 0)
    }

    /// Removes the elements from `len` on.
    ///
    /// # Errors
    /// As [`get`](List::get).
    pub fn truncate(self, tx: &mut Transaction<'_>, len: usize) -> Result<()> {
        let parts = self.parts(tx)?;
        let len = len as u64;
        if len < parts.len {
            Self::touch(tx, parts.list);
            let at = parts.start + len * Self::SIZE;
            Self::keep(tx, parts, at, (parts.len - len) * Self::SIZE);
            tx.raw.zero(at, (parts.len - len) * Self::SIZE);
            tx.raw.set_fixed(parts.list, 8, len);
        }
        Ok(())
    }

    /// Removes every element.
    ///
    /// # Errors
    /// As [`get`](List::get).
    pub fn clear(self, tx: &mut Transaction<'_>) -> Result<()> {
        self.truncate(tx, 0)
    }

    /// Puts an element before the one at `index`, or at the end.
    ///
    /// # Errors
    /// As [`push`](List::push); [`Error::OutOfRange`].
    pub fn insert(self, tx: &mut Transaction<'_>, index: usize, value: T) -> Result<()> {
        let mut parts = self.parts(tx)?;
        if index as u64 > parts.len {
            return Err(Error::OutOfRange { index: index as u64, len: parts.len });
        }
        if parts.len == parts.capacity {
            parts = self.grow(tx, parts, parts.len + 1)?;
        }
        let at = parts.start + index as u64 * Self::SIZE;
        let behind = (parts.len - index as u64) * Self::SIZE;
        Self::touch(tx, parts.list);
        Self::keep(tx, parts, at, behind + Self::SIZE);
        tx.raw.move_bytes(at, at + Self::SIZE, behind);
        tx.raw.write_element(at, value);
        tx.raw.set_fixed(parts.list, 8, parts.len + 1);
        Ok(())
    }

    /// Removes an element; those behind it move up.
    ///
    /// # Errors
    /// As [`get`](List::get); [`Error::OutOfRange`].
    pub fn remove(self, tx: &mut Transaction<'_>, index: usize) -> Result<()> {
        let parts = self.parts(tx)?;
        Self::check(index, parts.len)?;
        let at = parts.start + index as u64 * Self::SIZE;
        let behind = (parts.len - index as u64 - 1) * Self::SIZE;
        Self::touch(tx, parts.list);
        Self::keep(tx, parts, at, behind + Self::SIZE);
        tx.raw.move_bytes(at + Self::SIZE, at, behind);
        tx.raw.zero(at + behind, Self::SIZE);
        tx.raw.set_fixed(parts.list, 8, parts.len - 1);
        Ok(())
    }

    /// Exchanges two elements.
    ///
    /// # Errors
    /// As [`get`](List::get); [`Error::OutOfRange`].
    pub fn swap(self, tx: &mut Transaction<'_>, a: usize, b: usize) -> Result<()> {
        let parts = self.parts(tx)?;
        Self::check(a.max(b), parts.len)?;
        for index in [a, b] {
            Self::keep(tx, parts, parts.start + index as u64 * Self::SIZE, Self::SIZE);
        }
        tx.raw.elements_mut::<T>(self.to_bits()).expect("a list that was found a moment ago").swap(a, b);
        Ok(())
    }

    const fn check(index: usize, len: u64) -> Result<()> {
        if (index as u64) < len { Ok(()) } else { Err(Error::OutOfRange { index: index as u64, len }) }
    }

    /// Keeps the list's fixed part, and, where the elements lie in its own slot, all of it.
    #[inline(always)]
    fn touch(tx: &mut Transaction<'_>, list: Value) {
        if !tx.raw.is_touched(list) {
            let end = tx.view().slot_end(list);
            tx.raw.touch_value(list, end - list.at);
        }
    }

    /// Keeps a range of elements before it changes, once.
    #[inline(always)]
    fn keep(tx: &mut Transaction<'_>, parts: Parts, at: u64, len: u64) {
        if parts.holder.at == parts.list.at {
            Self::touch(tx, parts.list);
        } else if !tx.raw.is_touched(parts.holder) {
            Self::keep_in_buffer(tx, parts.holder, at, len);
        }
    }

    fn keep_in_buffer(tx: &mut Transaction<'_>, buffer: Value, at: u64, len: u64) {
        if !T::OWNER {
            // Kept twice does no harm: it is put back newest first, and compared with what is there now.
            tx.raw.keep_range(What::Elements, buffer, at, len);
            return;
        }
        // Owned handles are compared old against new, so each place must be kept once, with its oldest bytes.
        for at in (at..at + len).step_by(Self::SIZE as usize) {
            if tx.state.kept.insert(at) {
                tx.raw.keep_range(What::Elements, buffer, at, Self::SIZE);
            }
        }
    }

    /// Finds room for at least `wanted` elements and half as many again: behind those that are there, where a large
    /// buffer can be lengthened, else in a buffer that they move to.
    #[cold]
    fn grow(self, tx: &mut Transaction<'_>, parts: Parts, wanted: u64) -> Result<Parts> {
        let shape = slot::aux(parts.list.word);
        let missing = (wanted - parts.capacity).max(parts.capacity / 2) * Self::SIZE;
        if tx.state.extend_large(tx.shared, tx.raw.space(), parts.holder.at, missing)? {
            let end = tx.view().slot_end(parts.holder);
            return Ok(Parts { capacity: (end - parts.start) / Self::SIZE, ..parts });
        }
        let capacity = wanted.max(parts.capacity * 2).max(4);
        let len = slot::HEADER + Self::ALIGN.saturating_sub(8) + capacity * Self::SIZE;
        let header = tx.state.give_value(tx.shared, &mut tx.raw, len, Kind::Buffer, shape)?;
        let bits = tx.value_bits(header);
        let buffer = tx.view().value(bits).expect("a buffer that was given out a moment ago");
        let start = slot::contents_at(header, slot::HEADER, Self::ALIGN);
        Self::touch(tx, parts.list);
        let used = parts.len * Self::SIZE;
        tx.raw.move_bytes(parts.start, start, used);
        if parts.holder.at == parts.list.at {
            let end = tx.view().slot_end(parts.list);
            tx.raw.zero(parts.list.at + FIXED, end - parts.list.at - FIXED);
            tx.raw.set_kind(parts.list, Kind::ListSpilled);
        } else if T::OWNER {
            // The old buffer goes with the commit; what its elements own moved on.
            Self::keep(tx, parts, parts.start, used);
            tx.raw.zero(parts.start, used);
        }
        tx.raw.set_fixed(parts.list, 16, bits);
        let end = tx.view().slot_end(buffer);
        Ok(Parts { list: parts.list, holder: buffer, start, len: parts.len, capacity: (end - start) / Self::SIZE })
    }
}

impl Transaction<'_> {
    /// An empty list. It belongs to the record, list or map that holds its handle at the commit.
    ///
    /// # Errors
    /// [`Error::NoRoom`] or [`Error::ArenaFull`] when there is no room; [`Error::Schema`], [`Error::SameName`] or
    /// [`Error::Unsupported`] when the element type cannot be bound to this heap.
    pub fn list<T: Field>(&mut self) -> Result<List<T>> {
        self.list_with_capacity(0)
    }

    /// An empty list with room for so many elements; up to 496 bytes of elements lie in the list's own slot.
    ///
    /// # Errors
    /// As [`list`](Transaction::list).
    pub fn list_with_capacity<T: Field>(&mut self, capacity: usize) -> Result<List<T>> {
        const { assert!(size_of::<T>() > 0, "elements have a size") };
        let shape = self.shape::<T>()?;
        let elements = capacity as u64 * List::<T>::SIZE;
        let inline = FIXED + List::<T>::ALIGN.saturating_sub(8) + elements;
        let len = if inline <= INLINE { inline.max(SPILLED) } else { SPILLED };
        let header = self.state.give_value(self.shared, &mut self.raw, len, Kind::ListInline, shape)?;
        let list = List::from_bits(self.value_bits(header));
        if inline > INLINE {
            let parts = list.parts(self)?;
            list.grow(self, parts, capacity as u64)?;
        }
        Ok(list)
    }

    /// A list of these elements, without room for more.
    ///
    /// # Errors
    /// As [`list`](Transaction::list).
    pub fn list_from<T: Field>(
        &mut self,
        values: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
    ) -> Result<List<T>> {
        let values = values.into_iter();
        let list = self.list_with_capacity(values.len())?;
        list.extend(self, values)?;
        Ok(list)
    }
}
