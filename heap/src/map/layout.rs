//! Where things are in a map's buffer.

use std::alloc::Layout;

use crate::buffers::{BufferShape, array_at, damaged};
use crate::error::Result;

/// The contents of a map's own slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct MapHeader {
    /// Number of entries.
    pub(crate) count: u64,
    /// Handle of the buffer, or 0.
    pub(crate) buffer: u64,
    /// Binary logarithm of the number of buckets; a group counts as 8.
    pub(crate) log2: u64,
}

/// Where key and value are in an entry. Sizes and offsets in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryLayout {
    /// Size of the key, which is at 0.
    pub(crate) key_size: usize,
    /// Offset of the value.
    pub(crate) value_offset: usize,
    /// Size of the value.
    pub(crate) value_size: usize,
    /// Distance of two entries.
    pub(crate) stride: usize,
    /// Alignment.
    pub(crate) align: usize,
}

impl EntryLayout {
    /// The layout of an entry with such a key and value.
    pub(crate) const fn new(key: Layout, value: Layout) -> Self {
        let align = if key.align() > value.align() { key.align() } else { value.align() };
        let value_offset = key.size().next_multiple_of(value.align());
        Self {
            key_size: key.size(),
            value_offset,
            value_size: value.size(),
            stride: (value_offset + value.size()).next_multiple_of(align),
            align,
        }
    }
}

/// What all maps of one type have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MapKind {
    /// Shape of the buffer.
    pub(crate) shape: BufferShape,
    /// Layout of an entry.
    pub(crate) entry: EntryLayout,
}

impl MapKind {
    /// The same for the shape with this number.
    #[inline(always)]
    pub(crate) const fn of_shape(self, number: u32) -> Self {
        Self { shape: BufferShape { number, ..self.shape }, ..self }
    }

    /// The maps of the shape with this number, with such keys and values.
    pub(crate) const fn new(shape_number: u32, key: Layout, value: Layout) -> Self {
        let entry = EntryLayout::new(key, value);
        let align = if entry.align > 8 { entry.align } else { 8 };
        Self { shape: BufferShape { number: shape_number, align }, entry }
    }
}

/// The tag of a hash as a control byte.
#[inline(always)]
pub(super) const fn control(hash: u64) -> u8 {
    (hash >> 57) as u8 | 0x80
}

/// The control word of a group. Byte 0 is the lowest, whatever the machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Control(u64);

impl Control {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;

    /// How many entries live further on.
    #[inline(always)]
    pub(super) const fn passed(self) -> u8 {
        (self.0 >> 56) as u8
    }

    /// The control byte of a slot.
    #[inline(always)]
    pub(super) const fn slot(self, slot: usize) -> u8 {
        (self.0 >> (8 * slot)) as u8
    }

    /// The slots whose control byte is this one. Exact: no carry crosses a byte.
    #[inline(always)]
    pub(super) const fn matching(self, control: u8, slots: Slots) -> Slots {
        let difference = self.0 ^ (Self::LOW * control as u64);
        let nonzero = ((difference & !Self::HIGH) + !Self::HIGH) | difference;
        Slots(!nonzero & slots.0)
    }

    /// The slots that hold an entry.
    #[inline(always)]
    pub(super) const fn taken(self, slots: Slots) -> Slots {
        Slots(self.0 & slots.0)
    }

    /// The slots that hold nothing.
    #[inline(always)]
    pub(super) const fn free(self, slots: Slots) -> Slots {
        Slots(!self.0 & slots.0)
    }
}

/// Some slots of a group, as the upper bits of their control bytes. Iterates over their numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Slots(u64);

impl Slots {
    /// The lowest of them.
    #[inline(always)]
    pub(super) const fn first(self) -> Option<usize> {
        if self.0 == 0 { None } else { Some(self.0.trailing_zeros() as usize / 8) }
    }
}

#[expect(clippy::copy_iterator, reason = "a mask is taken from a group's geometry and used up, many times over")]
impl Iterator for Slots {
    type Item = usize;
    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let slot = self.first()?;
        self.0 &= self.0 - 1;
        Some(slot)
    }
}

/// How a buffer of some size is cut up.
#[derive(Clone, Copy)]
pub(super) struct Geometry {
    /// Number of groups, less one: a power of two, less one.
    pub(super) mask: usize,
    /// The slots of each group.
    pub(super) slots: Slots,
    /// Offset of the first slot.
    pub(super) entries_at: usize,
    /// Bytes of the whole table.
    pub(super) len: usize,
    /// The most entries.
    pub(super) capacity: u64,
}

impl Geometry {
    /// The table with this logarithm, where there is one and its length is a number.
    #[inline(always)]
    pub(super) const fn new(kind: &MapKind, log2: u64) -> Option<Self> {
        if log2 < 2 || log2 > usize::BITS as u64 - 4 {
            return None;
        }
        let groups = if log2 == 2 { 1 } else { 1_usize << (log2 - 3) };
        let slots = if log2 == 2 { 4 } else { groups * 7 };
        let entries_at = (groups * 8).next_multiple_of(kind.shape.align);
        let Some(entries) = slots.checked_mul(kind.entry.stride) else { return None };
        let Some(len) = entries.checked_add(entries_at) else { return None };
        Some(Self {
            mask: groups - 1,
            slots: Slots(if log2 == 2 { 0x8080_8080 } else { 0x0080_8080_8080_8080 }),
            entries_at,
            len,
            capacity: if groups == 1 { slots as u64 } else { 6 * groups as u64 },
        })
    }

    /// Offset of a slot in the buffer.
    #[inline(always)]
    pub(super) const fn entry_at(&self, kind: &MapKind, group: usize, slot: usize) -> usize {
        self.entries_at + (group * 7 + slot) * kind.entry.stride
    }

    /// The most groups that a path visits here.
    #[inline(always)]
    pub(super) const fn path(&self) -> usize {
        if self.mask < super::PATH { self.mask + 1 } else { super::PATH }
    }

    /// The first group of a hash's path.
    #[inline(always)]
    pub(super) const fn home(&self, hash: u64) -> usize {
        hash as usize & self.mask
    }

    /// The group after `group` on a hash's path. The step is odd and the number of groups a power of two, so that
    /// the path visits each group once before it comes back to the first.
    #[inline(always)]
    pub(super) const fn after(&self, group: usize, hash: u64) -> usize {
        (group + ((hash >> 57) as usize * 2 + 1)) & self.mask
    }
}

/// The table in a buffer.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    /// Exactly the table, without slack.
    pub(super) bytes: &'a [u8],
    /// How it is cut up.
    pub(super) geometry: Geometry,
}

impl<'a> Table<'a> {
    /// Finds the table of a header in its buffer's contents.
    #[inline(always)]
    pub(super) fn new(kind: &MapKind, header: &MapHeader, contents: &'a [u8]) -> Result<Self> {
        let Some(geometry) = Geometry::new(kind, header.log2) else {
            return Err(damaged(header.buffer, "the map's number of buckets is impossible"));
        };
        match contents.get(..geometry.len) {
            Some(bytes) => Ok(Self { bytes, geometry }),
            None => Err(damaged(header.buffer, "the buffer is smaller than the map's number of buckets")),
        }
    }

    #[inline(always)]
    pub(super) fn control(&self, group: usize) -> Control {
        Control(u64::from_le_bytes(array_at(self.bytes, control_at(group, 0))))
    }
}

/// Offset in the buffer of a slot's control byte; slot 7 stands for `passed`.
#[inline(always)]
pub(super) const fn control_at(group: usize, slot: usize) -> usize {
    group * 8 + slot
}

/// The offsets of all entries in a buffer, in the order of their buckets.
///
/// # Errors
/// When the contents cannot be those of the header.
#[inline]
pub(crate) fn entries<'a>(
    kind: &MapKind,
    header: &MapHeader,
    contents: &'a [u8],
) -> Result<impl Iterator<Item = usize> + use<'a>> {
    let (kind, table) = (*kind, Table::new(kind, header, contents)?);
    let geometry = table.geometry;
    let taken = move |group| table.control(group).taken(geometry.slots).map(move |slot| (group, slot));
    Ok((0..=geometry.mask).flat_map(taken).map(move |(group, slot)| geometry.entry_at(&kind, group, slot)))
}

#[cfg(test)]
/// The first entry in a bucket that is not before `bucket`: its offset in the buffer and the bucket after it.
/// Beginning at 0 and going on with the bucket given back visits every entry once; entries keep their buckets while
/// the map does not grow, and `contents` may be another borrow each time.
///
/// # Errors
/// When the contents cannot be those of the header.
pub(crate) fn next_entry(
    kind: &MapKind,
    header: &MapHeader,
    contents: &[u8],
    bucket: usize,
) -> Result<Option<(usize, usize)>> {
    let table = Table::new(kind, header, contents)?;
    let (mut group, mut skipped) = (bucket / 8, bucket % 8);
    while group <= table.geometry.mask {
        let mut taken = table.control(group).taken(table.geometry.slots);
        if let Some(slot) = taken.find(|&slot| slot >= skipped) {
            return Ok(Some((table.geometry.entry_at(kind, group, slot), group * 8 + slot + 1)));
        }
        (group, skipped) = (group + 1, 0);
    }
    Ok(None)
}
