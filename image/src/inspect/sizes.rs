//! How much room records take.

use heap::Place;
use heap::format::handle::EMPTY;
use heap::format::slot::{self, HEADER, Kind};
use migrate::{Shape, Target};

use super::{Slot, View, damaged};
use crate::error::Result;

/// Room in bytes, of one record or of all records of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// Slots of the records themselves.
    pub records: u64,
    /// Texts, lists, maps and buffers that they own.
    pub owned: u64,
}

impl Sizes {
    /// Both together: the shallow size.
    pub const fn total(self) -> u64 {
        self.records + self.owned
    }
}

impl View<'_> {
    /// Room that the live records of a table take, with what they own.
    ///
    /// # Errors
    /// When a value cannot be read.
    pub fn table_sizes(&self, table: u32) -> Result<Sizes> {
        let mut sizes = Sizes::default();
        for number in 0..self.catalog.tables().get(table as usize).map_or(0, |table| table.entry.used) {
            let one = self.record_sizes(table, number)?;
            sizes.records += one.records;
            sizes.owned += one.owned;
        }
        Ok(sizes)
    }

    /// Room that one record takes, with what it owns; zero for one that does not live.
    ///
    /// # Errors
    /// When a value cannot be read.
    pub fn record_sizes(&self, table: u32, number: u64) -> Result<Sizes> {
        let Some((region, index)) = self.catalog.locate(table, number) else { return Ok(Sizes::default()) };
        let Some((slot, shape)) = self.record_slot(region, index)? else { return Ok(Sizes::default()) };
        if slot::kind(slot.header) != Some(Kind::Record) {
            return Ok(Sizes::default());
        }
        let mut pending = Vec::new();
        self.push_owned(slot, slot.at + HEADER, 1, shape, &mut pending)?;
        let mut sizes = Sizes { records: slot.len, owned: 0 };
        // What is owned lies in slots, each owned once; more of them than there are would be a circle.
        let slots: u64 = self.catalog.tables().iter().map(|table| table.entry.used).sum();
        let mut visited = 0;
        while let Some((target, word)) = pending.pop() {
            visited += 1;
            if visited > slots {
                return Err(damaged(Place::Offset(0), "values own each other in a circle".into()));
            }
            sizes.owned += self.owned_size(target, word, &mut pending)?;
        }
        Ok(sizes)
    }

    /// The slot of one owned value and of its buffer; what its elements own is left for later.
    fn owned_size(&self, target: Target, word: u64, pending: &mut Vec<(Target, u64)>) -> Result<u64> {
        let slot = match target {
            Target::Text | Target::Bytes if word == EMPTY => return Ok(0),
            Target::Text => return Ok(self.slot(word, [Kind::Text; 2])?.len),
            Target::Bytes => return Ok(self.slot(word, [Kind::Bytes; 2])?.len),
            Target::Map(shape) => return self.map_size(word, Kind::Map, shape, pending),
            Target::SortedMap(shape) => return self.map_size(word, Kind::SortedMap, shape, pending),
            Target::List(_) => self.slot(word, [Kind::ListInline, Kind::ListSpilled])?,
            Target::Reference(_) => return Ok(0),
        };
        let len = self.word(slot.region, slot.at + 8)?;
        let shape = slot::aux(slot.header);
        if slot::kind(slot.header) == Some(Kind::ListInline) {
            self.push_elements(slot, 16, len, shape, pending)?;
            return Ok(slot.len);
        }
        let held = self.slot(self.word(slot.region, slot.at + 16)?, [Kind::Buffer; 2])?;
        self.push_elements(held, HEADER, len, shape, pending)?;
        Ok(slot.len + held.len)
    }

    fn map_size(&self, word: u64, kind: Kind, shape: u32, pending: &mut Vec<(Target, u64)>) -> Result<u64> {
        let shapes = &self.catalog.registry().shapes;
        let Some(Shape::Map { key, value } | Shape::SortedMap { key, value }) = shapes.get(shape as usize) else {
            return Err(damaged(Place::Offset(0), format!("shape {shape} is no map")));
        };
        let map = self.map(word, kind, key, value)?;
        let mut len = self.slot(word, [kind; 2])?.len;
        self.each_held(&map, |entry, held| {
            len += held.len;
            for &(key_at, value_at) in &held.entries {
                for (program, at) in [(&entry.key, key_at), (&entry.value, value_at)] {
                    let Ok(()) = program.handles(&held.contents[at..], self.order, |handle| {
                        if handle.target.is_owned() {
                            pending.push((handle.target, handle.word));
                        }
                        Ok::<(), std::convert::Infallible>(())
                    });
                }
            }
        })?;
        Ok(len)
    }

    fn push_elements(
        &self,
        held: Slot<'_>,
        fixed: u64,
        len: u64,
        shape: u32,
        pending: &mut Vec<(Target, u64)>,
    ) -> Result<()> {
        let align = self.programs.value(shape).map_or(8, |program| program.align() as u64);
        self.push_owned(held, slot::contents_at(held.at, fixed, align), len, shape, pending)
    }

    /// Remembers what `count` values of a shape, one behind the other, own.
    fn push_owned(
        &self,
        slot: Slot<'_>,
        start: u64,
        count: u64,
        shape: u32,
        pending: &mut Vec<(Target, u64)>,
    ) -> Result<()> {
        let Some(program) = self.programs.value(shape).filter(|program| program.holds_handles()) else { return Ok(()) };
        let size = program.size() as u64;
        if count.checked_mul(size).and_then(|len| len.checked_add(start)).is_none_or(|end| end > slot.at + slot.len) {
            return Err(super::beyond(slot.region));
        }
        let mut bytes = vec![0; program.size()];
        for number in 0..count {
            self.read(slot.region, start + number * size, &mut bytes)?;
            let walked = program.handles(&bytes, self.order, |handle| {
                if handle.target.is_owned() {
                    pending.push((handle.target, handle.word));
                }
                Ok::<(), std::convert::Infallible>(())
            });
            let Ok(()) = walked;
        }
        Ok(())
    }
}
