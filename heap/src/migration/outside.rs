//! Values outside a record's bytes, as a conversion asks for them: every list, map or text whose form changes is made
//! anew. The old one is not touched: it vanishes from its owner, and the commit frees it with what nobody took over.

use std::cmp::Ordering;
use std::collections::HashMap;

use migrate::{ByteOrder, Converter, Job, JobKind, Misfit, Outside, Shape, Unfit, ValueFault};

use super::apply::TableWork;
use super::rewrite::Slots;
use crate::buffers::{Buffers, BuffersMut, Keep, MAP_SLOT, ReadBuffers as _, laid_out};
use crate::error::{Error, Result};
use crate::format::handle::{EMPTY, Handle};
use crate::format::slot::{self, Kind};
use crate::guard::Reader as _;
use crate::handles::{Bytes, Text};
use crate::key::{DescribedKeys, Keys as _};
use crate::map::{self, MapHeader, MapKind};
use crate::raw::Value;
use crate::sorted::{self, SortedHeader, SortedKind};
use crate::transaction::Transaction;

/// In how many levels lists, maps and records may lie in each other that are made anew: each takes some of the stack.
pub(crate) const DEEPEST: u32 = 128;

/// Why a record could not be converted.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A value that the scan should have found.
    Unfit(Unfit),
    /// The heap, or the hook, refused.
    Heap(Error),
    /// Values lie in each other in too many levels.
    TooDeep,
    /// What was made is no value of its type.
    Invalid(ValueFault),
    /// The hook put another transaction in the place of the one that it was lent.
    Swapped,
    /// The hook panicked, with this message.
    Panic(String),
}

impl From<Unfit> for Fault {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Heap(error)
    }
}

/// The values of a heap, within a migration's transaction.
pub(crate) struct Values<'t, 'h, 'n> {
    tx: &'t mut Transaction<'h>,
    numbers: &'n HashMap<Shape, u32>,
    tables: &'n [TableWork],
    /// In how many others lies what is being made.
    depth: u32,
}

/// The parts of one entry.
pub(super) type Entry = (Vec<u8>, Vec<u8>);

impl<'t, 'h, 'n> Values<'t, 'h, 'n> {
    /// The values of the transaction's heap. `numbers` are those of the new registry's shapes, `tables` the ones that are
    /// rewritten, for conversions that take records.
    pub(crate) const fn new(
        tx: &'t mut Transaction<'h>,
        numbers: &'n HashMap<Shape, u32>,
        tables: &'n [TableWork],
    ) -> Self {
        Self { tx, numbers, tables, depth: 0 }
    }
}

impl Values<'_, '_, '_> {
    fn number(&self, shape: &Shape) -> u32 {
        // The new registry numbers every shape in the new types.
        *self.numbers.get(shape).expect("a shape of the new schema has a number")
    }

    fn value(&self, handle: u64, kind: &str) -> Result<Value> {
        self.tx.view().value(handle).ok_or_else(|| self.tx.shared.bad_value(self.tx.view(), kind, handle))
    }

    /// The elements of an old list, side by side.
    pub(super) fn elements(&self, handle: u64) -> Result<Vec<u8>> {
        let list = self.value(handle, "list")?;
        let view = self.tx.view();
        let program = self.tx.state.programs.value(slot::aux(list.word)).expect("a list's shape has a program");
        let len = view.word(list.at + 8) * program.size() as u64;
        let (holder, fixed) = if slot::kind(list.word) == Some(Kind::ListInline) {
            (list, 16)
        } else {
            (self.value(view.word(list.at + 16), "buffer")?, slot::HEADER)
        };
        Ok(view.slot_bytes(slot::contents_at(holder.at, fixed, program.align() as u64), len).to_vec())
    }

    /// A new list of elements that lie side by side.
    fn list(&mut self, element: &Shape, bytes: &[u8], count: usize) -> Result<u64> {
        let number = self.number(element);
        let align = self.tx.state.programs.value(number).expect("a numbered shape has a program").align() as u64;
        let Transaction { state, raw, shared, .. } = &mut *self.tx;
        let inline = 16 + align.saturating_sub(8) + bytes.len() as u64;
        let is_inline = inline <= crate::list::INLINE;
        let (len, kind) = if is_inline { (inline.max(24), Kind::ListInline) } else { (24, Kind::ListSpilled) };
        let header = state.give_value(shared, raw, len, kind, number)?;
        let list = Value { at: header, word: raw.view().word(header) };
        raw.set_fixed(list, 8, count as u64);
        if is_inline {
            raw.write_bytes(list, slot::contents_at(header, 16, align) - header, bytes);
        } else {
            let len = slot::HEADER + align.saturating_sub(8) + bytes.len() as u64;
            let header = state.give_value(shared, raw, len, Kind::Buffer, number)?;
            let buffer = Value { at: header, word: raw.view().word(header) };
            raw.write_bytes(buffer, slot::contents_at(header, slot::HEADER, align) - header, bytes);
            let bits = self.tx.value_bits(header);
            self.tx.raw.set_fixed(list, 16, bits);
        }
        Ok(self.tx.value_bits(list.at))
    }

    /// The entries of an old map of either kind.
    pub(super) fn entries(&self, handle: u64) -> Result<Vec<Entry>> {
        let slot = self.value(handle, "map")?;
        let number = slot::aux(slot.word);
        let programs = &self.tx.state.programs;
        let entry = programs.entry(number).expect("a map's shape has a program");
        let (key, value) = laid_out(entry).expect("a map that was verified has a layout");
        let [count, root, third] = [8, 16, 24].map(|offset| self.tx.view().word(slot.at + offset));
        let mut entries = Vec::with_capacity(count as usize);
        if root == 0 {
            return Ok(entries);
        }
        if slot::kind(slot.word) == Some(Kind::Map) {
            let (kind, header) = (MapKind::new(number, key, value), MapHeader { count, buffer: root, log2: third });
            let buffers = Buffers::new(self.tx, Kind::MapBuffer);
            let contents = buffers.contents(root, kind.shape)?;
            for at in map::entries(&kind, &header, contents)? {
                let entry = map::Entry::new(&kind, contents, at);
                entries.push((entry.key(&kind).to_vec(), entry.value(&kind).to_vec()));
            }
        } else {
            let (kind, header) = (SortedKind::new(number, key, value), SortedHeader { count, root, height: third });
            let buffers = Buffers::new(self.tx, Kind::SortedNode);
            let mut range = sorted::Range::all(&buffers, &header, &kind)?;
            while let Some(entry) = range.next(&buffers, &kind)? {
                entries.push((entry.key.to_vec(), entry.value.to_vec()));
            }
        }
        Ok(entries)
    }

    /// The entries of an old map of either kind, in the order of their keys.
    fn sorted_entries(&self, shape: &Shape, handle: u64) -> Result<Vec<Entry>> {
        let mut entries = self.entries(handle)?;
        let Shape::Map { key, .. } = shape else { return Ok(entries) };
        let keys = DescribedKeys::new(key, self.tx.hash_key(), ByteOrder::NATIVE).expect("the registry was checked");
        let buffers = Buffers::new(self.tx, Kind::MapBuffer);
        let mut damage = None;
        entries.sort_by(|one, other| {
            keys.compare_stored(&buffers, &one.0, &other.0).unwrap_or_else(|error| {
                damage.get_or_insert(error);
                Ordering::Equal
            })
        });
        damage.map_or(Ok(entries), Err)
    }

    /// A new map of these entries; `None` when two keys are the same.
    fn map(&mut self, shape: &Shape, entries: &[Entry]) -> Result<Option<u64>> {
        let number = self.number(shape);
        let (Shape::Map { key: key_shape, .. } | Shape::SortedMap { key: key_shape, .. }) = shape else {
            unreachable!("a map's shape is one of both")
        };
        let is_sorted = matches!(shape, Shape::SortedMap { .. });
        let hash_key = self.tx.hash_key();
        let keys = DescribedKeys::new(key_shape, hash_key, ByteOrder::NATIVE).expect("the registry was checked");
        let programs = std::sync::Arc::clone(&self.tx.state.programs);
        let (key, value) =
            laid_out(programs.entry(number).expect("a map's shape has a program")).expect("the registry was checked");
        let kind = if is_sorted { Kind::SortedMap } else { Kind::Map };
        let Transaction { state, raw, shared, .. } = &mut *self.tx;
        let header = state.give_value(shared, raw, MAP_SLOT, kind, number)?;
        let slot = Value { at: header, word: raw.view().word(header) };
        let words = if is_sorted {
            let kind = SortedKind::new(number, key, value);
            let mut buffers = BuffersMut::new(self.tx, Keep::Nodes);
            let mut header = SortedHeader::default();
            for (key, value) in entries {
                let inserted = sorted::insert(&mut buffers, &mut header, &kind, &keys, key, key, value)?;
                if matches!(inserted, sorted::Inserted::Present(_)) {
                    return Ok(None);
                }
            }
            [header.count, header.root, header.height]
        } else {
            let kind = MapKind::new(number, key, value);
            let mut buffers = BuffersMut::new(self.tx, Keep::Entries { stride: kind.entry.stride, owner: true });
            let mut header = MapHeader::default();
            for (key, value) in entries {
                let inserted = map::insert(&mut buffers, &mut header, &kind, &keys, key, key, value)?;
                if matches!(inserted, map::Inserted::Present(_)) {
                    return Ok(None);
                }
            }
            [header.count, header.buffer, header.log2]
        };
        for (offset, word) in [8, 16, 24].into_iter().zip(words) {
            self.tx.raw.set_fixed(slot, offset, word);
        }
        Ok(Some(self.tx.value_bits(slot.at)))
    }

    /// A new record of a type, of these bytes.
    fn record(&mut self, reference: &Shape, bytes: &[u8]) -> Result<u64> {
        let Shape::Reference(name) = reference else { unreachable!("a reference is made") };
        let shape = self.number(&Shape::Inline(name.clone()));
        let binder = self.tx.shared.binder();
        let type_number = binder.type_number(shape);
        let described = type_number.and_then(|number| binder.registry().schema.types.get(number as usize));
        let slots = Slots::of(described.expect("a numbered record type is described"));
        drop(binder);
        let Transaction { state, raw, shared, .. } = &mut *self.tx;
        let table = state.record_table(shape, slots.first, slots.stride, type_number);
        let header = state.give(shared, raw, table, Kind::Record, 0)?;
        raw.slot_bytes_mut(header + slot::HEADER, bytes.len() as u64).copy_from_slice(bytes);
        Ok(state.handle_bits(raw.view(), table, header))
    }

    /// Goes one level down.
    fn deeper<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth == DEEPEST {
            return Err(Fault::TooDeep);
        }
        self.depth += 1;
        let made = run(self);
        self.depth -= 1;
        made
    }

    fn converted(&mut self, converter: Converter<'_>, old: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut new = vec![0; converter.new_size()];
        converter.run(old, &mut new, self)?;
        Ok(new)
    }
}

/// What a job's check says does not hold.
fn unfit(job: Job<'_>) -> Fault {
    Fault::Unfit(Unfit { at: 0, what: job.check().map_or(Misfit::Lost, Misfit::Check) })
}

impl Outside for Values<'_, '_, '_> {
    type Error = Fault;

    fn text(&mut self, text: &str) -> Result<u64, Fault> {
        Ok(self.tx.text(text)?.to_bits())
    }

    fn empty(&mut self, shape: &Shape) -> Result<u64, Fault> {
        match shape {
            Shape::List(element) => Ok(self.list(element, &[], 0)?),
            Shape::Map { .. } | Shape::SortedMap { .. } => {
                Ok(self.map(shape, &[])?.expect("no key is twice in an empty map"))
            }
            _ => Ok(EMPTY),
        }
    }

    fn is_empty(&mut self, shape: &Shape, handle: u64) -> Result<bool, Fault> {
        match shape {
            Shape::List(_) | Shape::Map { .. } | Shape::SortedMap { .. } => {
                let value = self.value(handle, "value")?;
                Ok(self.tx.view().word(value.at + 8) == 0)
            }
            _ => Ok(handle == EMPTY),
        }
    }

    fn drop_value(&mut self, _: &Shape, _: u64) -> Result<(), Fault> {
        // It vanishes from its owner, and the commit frees it.
        Ok(())
    }

    fn to_bytes(&mut self, handle: u64) -> Result<u64, Fault> {
        let text = self.tx.get_text(Text::from_bits(handle))?.to_owned();
        Ok(self.tx.bytes(text.as_bytes())?.to_bits())
    }

    fn to_text(&mut self, handle: u64) -> Result<Option<u64>, Fault> {
        let bytes = self.tx.get_bytes(Bytes::from_bits(handle))?.to_vec();
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(Some(self.tx.text(text)?.to_bits())),
            Err(_) => Ok(None),
        }
    }

    fn convert(&mut self, job: Job<'_>, handle: u64) -> Result<u64, Fault> {
        self.deeper(|values| values.convert_value(job, handle))
    }

    fn make(&mut self, job: Job<'_>, old: &[u8]) -> Result<u64, Fault> {
        self.deeper(|values| values.make_value(job, old))
    }

    fn take(&mut self, job: Job<'_>, handle: u64, new: &mut [u8]) -> Result<usize, Fault> {
        self.deeper(|values| values.take_value(job, handle, new))
    }
}

impl Values<'_, '_, '_> {
    fn convert_value(&mut self, job: Job<'_>, handle: u64) -> Result<u64, Fault> {
        match (job.kind(), job.new_shape()) {
            (JobKind::MapToList, Shape::List(element)) => {
                let (key, value) = (job.key().expect("an entry's job converts keys"), job.value());
                let places = job.entry().expect("an entry has its places");
                let entries = self.sorted_entries(job.old_shape(), handle)?;
                let mut new = vec![0; entries.len() * places.size];
                for ((old_key, old_value), new) in entries.iter().zip(new.chunks_exact_mut(places.size)) {
                    key.run(old_key, &mut new[places.key_at..][..key.new_size()], self)?;
                    value.run(old_value, &mut new[places.value_at..][..value.new_size()], self)?;
                }
                Ok(self.list(element, &new, entries.len())?)
            }
            (JobKind::ListToMap, shape) => {
                let (key, value) = (job.key().expect("an entry's job converts keys"), job.value());
                let places = job.entry().expect("an entry has its places");
                let mut entries = Vec::new();
                for old in self.elements(handle)?.chunks_exact(places.size) {
                    let key = self.converted(key, &old[places.key_at..][..key.old_size()])?;
                    entries.push((key, self.converted(value, &old[places.value_at..][..value.old_size()])?));
                }
                self.map(shape, &entries)?.ok_or_else(|| unfit(job))
            }
            (_, Shape::List(element)) => {
                let old = self.elements(handle)?;
                let converter = job.value();
                let count = old.len() / converter.old_size();
                let mut new = vec![0; count * converter.new_size()];
                let pairs = old.chunks_exact(converter.old_size()).zip(new.chunks_exact_mut(converter.new_size()));
                for (old, new) in pairs {
                    converter.run(old, new, self)?;
                }
                Ok(self.list(element, &new, count)?)
            }
            (_, shape) => {
                let key = job.key().expect("a map's job converts keys");
                let mut entries = Vec::new();
                for (old_key, old_value) in self.entries(handle)? {
                    entries.push((self.converted(key, &old_key)?, self.converted(job.value(), &old_value)?));
                }
                self.map(shape, &entries)?.ok_or_else(|| unfit(job))
            }
        }
    }

    fn make_value(&mut self, job: Job<'_>, old: &[u8]) -> Result<u64, Fault> {
        let new = self.converted(job.value(), old)?;
        match job.new_shape() {
            Shape::List(element) => Ok(self.list(element, &new, 1)?),
            reference => Ok(self.record(reference, &new)?),
        }
    }

    fn take_value(&mut self, job: Job<'_>, handle: u64, new: &mut [u8]) -> Result<usize, Fault> {
        if job.kind() == JobKind::FromList {
            let old = self.elements(handle)?;
            let count = old.len() / job.value().old_size();
            if count == 1 {
                job.value().run(&old, new, self)?;
            }
            return Ok(count);
        }
        let Handle { generation, region, index } = Handle::from_bits(handle);
        if let Some((table, old)) = self.tables.iter().find_map(|table| Some((table, table.before(region, index)?))) {
            let word = u64::from_ne_bytes(old[..8].try_into().expect("a slot begins with its header"));
            if slot::kind(word) != Some(Kind::Record) || slot::generation(word) != generation {
                return Ok(0);
            }
            if table.is_taken(self.tx, (region, index), generation) {
                // A plan that takes a record twice is refused; to free a slot twice would damage the heap.
                return Ok(0);
            }
            let old = &old[slot::HEADER as usize..][..job.value().old_size()];
            job.value().run(old, new, self)?;
            table.take(self.tx, (region, index), old);
            return Ok(1);
        }
        let (view, space) = (self.tx.view(), self.tx.raw.space());
        let Some(table) = space.table(region).filter(|_| index < space.record_slots(region)) else { return Ok(0) };
        let header = space.region_at(region) + self.tx.state.catalog.tables[table as usize].header_in_region(index);
        let word = view.word(header);
        if slot::kind(word) != Some(Kind::Record) || slot::generation(word) != generation {
            return Ok(0);
        }
        let old = view.slot_bytes(header + slot::HEADER, job.value().old_size() as u64).to_vec();
        job.value().run(&old, new, self)?;
        let Transaction { state, raw, .. } = &mut *self.tx;
        state.free(raw, header, false);
        Ok(1)
    }
}
