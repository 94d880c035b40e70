//! Tables at run time: which slots are used, which are free, and where the next one comes from.

use crate::format::catalog::{TableEntry, TableKind};
use crate::format::{BLOCK, REGION, slot};
use crate::raw::View;

/// A table.
#[derive(Debug)]
pub(crate) struct Table {
    /// What the catalog says of it.
    pub(crate) entry: TableEntry,
    /// Records: position of their type in the schema.
    pub(crate) type_number: Option<u32>,
    /// The entry differs from the one last written.
    pub(crate) dirty: bool,
    /// Its regions, in the order in which they fill.
    pub(crate) regions: Vec<u32>,
    /// Slots a region holds at most.
    pub(crate) slots_per_region: u32,
    /// Slots that are wholly mapped, over all regions.
    pub(crate) capacity: u64,
    /// Bytes of its extents.
    pub(crate) bytes: u64,
    /// Offsets in the arena of the headers of free slots, known so far; the last is used first.
    pub(crate) free: Vec<u64>,
    /// Slots before this number were swept for free ones since the heap was opened.
    swept: u64,
    /// Slots from this number on were given out since the heap was opened.
    sweep_end: u64,
}

/// Slots of a fresh region of a table.
pub(crate) const fn slots_per_region(first: u32, stride: u32) -> u32 {
    ((REGION - (first as u64 - slot::HEADER)) / stride as u64) as u32
}

impl Table {
    /// A table of the catalog; its regions and capacity follow with its extents.
    pub(crate) const fn new(entry: TableEntry, slots_per_region: u32, type_number: Option<u32>) -> Self {
        Self {
            entry,
            type_number,
            dirty: false,
            regions: Vec::new(),
            slots_per_region,
            capacity: 0,
            bytes: 0,
            free: Vec::new(),
            swept: 0,
            sweep_end: entry.used,
        }
    }

    /// Where a slot is: its region, and its number there.
    pub(crate) fn place(&self, number: u64) -> (u32, u32) {
        let per_region = u64::from(self.slots_per_region);
        (self.regions[(number / per_region) as usize], (number % per_region) as u32)
    }

    /// Number of a slot within the table, from its region and its number there.
    pub(crate) fn number(&self, region: u32, slot: u32) -> Option<u64> {
        let position = self.regions.iter().position(|&candidate| candidate == region)?;
        Some(position as u64 * u64::from(self.slots_per_region) + u64::from(slot))
    }

    /// Offset of a slot's header from the start of its region.
    #[inline(always)]
    pub(crate) const fn header_in_region(&self, slot: u32) -> u64 {
        self.entry.first as u64 - slot::HEADER + slot as u64 * self.entry.stride as u64
    }

    /// Offset in the arena of the header of a slot.
    pub(crate) fn header_at(&self, view: View<'_>, number: u64) -> u64 {
        let (region, slot) = self.place(number);
        view.space().region_at(region) + self.header_in_region(slot)
    }

    /// Offset in the arena of the header of the first slot that was never used; there is one.
    #[inline(always)]
    pub(crate) fn next_unused(&self, view: View<'_>) -> u64 {
        let last = self.regions.len() - 1;
        let slot = self.entry.used - last as u64 * u64::from(self.slots_per_region);
        view.space().region_at(self.regions[last]) + self.header_in_region(slot as u32)
    }

    /// The low 38 bits of a handle to the slot whose header is at this offset of the arena.
    #[inline(always)]
    pub(crate) fn place_bits(&self, view: View<'_>, header: u64) -> u64 {
        let space = view.space();
        let region = space.region_of(header);
        let within = header - space.region_at(region);
        let index = match self.entry.kind {
            TableKind::Records(_) => {
                (within + slot::HEADER - u64::from(self.entry.first)) / u64::from(self.entry.stride)
            }
            TableKind::Class(_) | TableKind::Large => within / 8,
        };
        u64::from(region) << 18 | index
    }

    /// A slot that is free, sweeping on for one where the known ones are used up. Each slot is looked at once an
    /// open, and only while the counts say that one is to be found.
    #[inline]
    pub(crate) fn take_free(&mut self, view: View<'_>) -> Option<u64> {
        if let Some(header) = self.free.pop() {
            return Some(header);
        }
        while self.swept < self.sweep_end && self.entry.live < self.entry.used {
            let header = self.header_at(view, self.swept);
            self.swept += 1;
            let word = view.word(header);
            if slot::kind_number(word) == slot::Kind::Free as u8 && word & slot::TOUCHED == 0 {
                return Some(header);
            }
        }
        None
    }

    /// A slot was freed; it is to be given out again. Slots that the sweep will still come to are left to it.
    pub(crate) fn put_free(&mut self, view: View<'_>, header: u64) {
        if self.swept < self.sweep_end {
            let space = view.space();
            let region = space.region_of(header);
            let within = header - space.region_at(region) + slot::HEADER - u64::from(self.entry.first);
            let slot = (within / u64::from(self.entry.stride)) as u32;
            if self.number(region, slot).is_some_and(|number| number >= self.swept && number < self.sweep_end) {
                return;
            }
        }
        self.free.push(header);
    }

    /// Length of the extent to add when the table is full: an eighth of what it has, at least a block and one slot,
    /// at most what the region may still hold.
    pub(crate) fn next_extent(&self, mapped_in_last: u64, region_len: u64) -> NextExtent {
        let slot_len = (u64::from(self.entry.stride) + u64::from(self.entry.first)).next_multiple_of(BLOCK);
        let wanted = (self.bytes / 8).next_multiple_of(BLOCK).max(slot_len).min(region_len);
        // Of a region that records shrank in, more may be mapped than its slots need.
        let left = region_len.saturating_sub(mapped_in_last);
        if self.regions.is_empty() || left == 0 {
            // From here on whole regions are not much more than an eighth.
            let len = if wanted * 2 >= region_len { region_len } else { wanted };
            NextExtent { fresh_region: true, offset: 0, len }
        } else {
            let len = if wanted * 2 >= left { left } else { wanted };
            NextExtent { fresh_region: false, offset: mapped_in_last, len }
        }
    }
}

/// Where a table grows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NextExtent {
    /// In a region of its own, or in the last one.
    pub(crate) fresh_region: bool,
    /// Offset in the region.
    pub(crate) offset: u64,
    /// Length in bytes.
    pub(crate) len: u64,
}
