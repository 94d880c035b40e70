//! What the writer knows, and how it finds room for a slot.

use std::any::TypeId;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use migrate::Programs;

use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::file_map::FileMap;
use crate::format::catalog::{ExtentEntry, RootEntry, TableEntry, TableKind};
use crate::format::handle::{Handle, LAST_GENERATION};
use crate::format::slot::{self, CLASS_COUNT, CLASSES, Kind};
use crate::format::{BLOCK, REGION, whole_blocks};
use crate::ownership::Moved;
use crate::raw::{RegionPlan, Space, View, Writing};
use crate::shared::Shared;
use crate::sharing::Sharing;
use crate::table::{self, Table};

/// What only the holder of the writer's guard touches.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) catalog: Catalog,
    pub(crate) map: FileMap,
    /// Table of each record shape.
    pub(crate) record_tables: HashMap<u32, u32>,
    class_tables: [Option<u32>; CLASS_COUNT],
    large_table: Option<u32>,
    next_region: u32,
    /// Extents that no commit has published yet.
    pub(crate) fresh_extents: Vec<u32>,
    /// Extents that the transaction gave other room in the file, as they were before.
    pub(crate) replaced: Vec<(u32, ExtentEntry)>,
    /// What the catalog shares with the one that is kept for the way back; none while none is kept.
    pub(crate) sharing: Option<Box<Sharing>>,
    /// Headers of slots whose generation a rollback counted up; the next commit writes them.
    pub(crate) counted_up: HashSet<u64>,
    /// Sequence of the last commit.
    pub(crate) sequence: u64,
    /// The steps of every shape of the registry.
    pub(crate) programs: Arc<Programs>,
    /// Whether any value may have padding.
    pub(crate) any_padding: bool,
    /// Whether the binder knows of shapes that the programs, or the file, do not have.
    pub(crate) registry_news: Arc<AtomicBool>,
    /// The operations of the frame being built; kept for its memory.
    pub(crate) payload: Vec<u8>,
    /// Slots freed by the transaction.
    freed: Vec<Freed>,
    /// Extents that the transaction gave up.
    dropped: Vec<(u32, ExtentEntry)>,
    /// What the roots were that the transaction changed.
    pub(crate) roots_before: Vec<(String, Option<RootEntry>)>,
    /// What changed hands in records that a migration wrote.
    pub(crate) moved: Moved,
    /// The transaction is a migration's: it writes to no extent that was there before, but to others beside them.
    pub(crate) migrating: bool,
    /// Places of list elements and map entries that the transaction kept already.
    pub(crate) kept: HashSet<u64>,
    /// The tables of the types met last, by a part of their `TypeId`.
    pub(crate) cache: Box<[Option<Cached>; 64]>,
}

/// A type met before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cached {
    pub(crate) id: TypeId,
    pub(crate) shape: u32,
    /// The table of a record type, once it has one.
    pub(crate) table: Option<u32>,
}

/// A slot that a transaction freed.
#[derive(Debug, Clone, Copy)]
struct Freed {
    header: u64,
    table: u32,
    /// It was given out by the same transaction.
    fresh: bool,
}

impl State {
    /// The state of a heap whose catalog was read. Regions are set up in `space` from its extents, which are mapped.
    pub(crate) fn new(catalog: Catalog, space: &Space, programs: Arc<Programs>, sequence: u64) -> Self {
        let mut state = Self {
            map: FileMap::default(),
            record_tables: HashMap::new(),
            class_tables: [None; CLASS_COUNT],
            large_table: None,
            next_region: 0,
            fresh_extents: Vec::new(),
            replaced: Vec::new(),
            sharing: Sharing::of(&catalog),
            counted_up: HashSet::new(),
            sequence,
            registry_news: Arc::default(),
            any_padding: programs.have_padding(),
            programs,
            payload: Vec::new(),
            freed: Vec::new(),
            dropped: Vec::new(),
            roots_before: Vec::new(),
            moved: Moved::default(),
            migrating: false,
            kept: HashSet::new(),
            cache: Box::new([None; 64]),
            catalog,
        };
        for (number, table) in (0..).zip(&state.catalog.tables) {
            match table.entry.kind {
                TableKind::Records(shape) => {
                    state.record_tables.insert(shape, number);
                }
                TableKind::Class(class) => state.class_tables[class as usize] = Some(number),
                TableKind::Large => state.large_table = Some(number),
            }
        }
        let mut extents: Vec<ExtentEntry> =
            state.catalog.extents().iter().copied().filter(|extent| extent.len > 0).collect();
        extents.sort_by_key(|extent| (extent.region, extent.offset));
        for extent in extents {
            state.take_in(&extent, space);
        }
        state
    }

    /// Counts an extent in: its region, its table's capacity, its place in the file.
    fn take_in(&mut self, extent: &ExtentEntry, space: &Space) {
        self.map.add(extent);
        let number = extent.table;
        let table = &mut self.catalog.tables[number as usize];
        table.bytes += extent.len;
        let mapped = u64::from(extent.offset) + extent.len;
        space.set_mapped(extent.region, mapped);
        if extent.offset == 0 {
            let regions = if table.entry.kind == TableKind::Large { extent.slots } else { 1 };
            self.next_region = self.next_region.max(extent.region + regions);
            table.regions.push(extent.region);
            space.set_run(extent.region, regions);
            table.capacity += u64::from(table.entry.kind == TableKind::Large);
        }
        let (first, stride) = (table.entry.first, table.entry.stride);
        let plan = match table.entry.kind {
            TableKind::Large => RegionPlan::Large { table: number },
            kind => {
                let count = ((mapped - u64::from(first) + slot::HEADER) / u64::from(stride)).min(extent.slots.into());
                table.capacity = (table.regions.len() as u64 - 1) * u64::from(table.slots_per_region) + count;
                let count = count as u32;
                match kind {
                    TableKind::Records(_) => RegionPlan::Records { count, table: number, stride },
                    _ => RegionPlan::Values { count, table: number, stride },
                }
            }
        };
        space.set_region(extent.region, plan);
    }

    /// The table of a record shape, made when there is none.
    pub(crate) fn record_table(&mut self, shape: u32, first: u32, stride: u32, type_number: Option<u32>) -> u32 {
        if let Some(&table) = self.record_tables.get(&shape) {
            return table;
        }
        let table = self.add_table(TableKind::Records(shape), first, stride, type_number);
        self.record_tables.insert(shape, table);
        table
    }

    fn add_table(&mut self, kind: TableKind, first: u32, stride: u32, type_number: Option<u32>) -> u32 {
        let entry = TableEntry { kind, stride, first, used: 0, live: 0 };
        let slots = if stride == 0 { 1 } else { table::slots_per_region(first, stride) };
        self.catalog.add_table(Table::new(entry, slots, type_number))
    }

    /// Gives out a slot of a table: the offset of its header. Its memory is zero but for the header.
    #[inline]
    pub(crate) fn give(
        &mut self,
        shared: &Shared,
        raw: &mut Writing<'_>,
        table: u32,
        kind: Kind,
        aux: u32,
    ) -> Result<u64> {
        let entry = &mut self.catalog.tables[table as usize];
        let header = if let Some(header) = entry.take_free(raw.view()) {
            header
        } else {
            if entry.entry.used >= entry.capacity {
                self.grow(shared, raw, table)?;
                let entry = &self.catalog.tables[table as usize];
                assert!(entry.entry.used < entry.capacity, "a table that grew has room for a slot");
            }
            let entry = &mut self.catalog.tables[table as usize];
            let header = entry.next_unused(raw.view());
            entry.entry.used += 1;
            header
        };
        let entry = &mut self.catalog.tables[table as usize];
        entry.entry.live += 1;
        entry.dirty = true;
        let generation = match slot::generation(raw.view().word(header)) {
            0 => shared.first_generation,
            generation => generation,
        };
        raw.give_out(header, slot::word(generation, kind, aux));
        Ok(header)
    }

    /// Gives out a slot for a value of `len` bytes, header included: the offset of its header.
    #[inline]
    pub(crate) fn give_value(
        &mut self,
        shared: &Shared,
        raw: &mut Writing<'_>,
        len: u64,
        kind: Kind,
        aux: u32,
    ) -> Result<u64> {
        let Some(class) = slot::class_for(len) else { return self.give_large(shared, raw, len, kind, aux) };
        let table = match self.class_tables[class] {
            Some(table) => table,
            None => {
                let table = self.add_table(TableKind::Class(class as u32), slot::HEADER as u32, CLASSES[class], None);
                self.class_tables[class] = Some(table);
                table
            }
        };
        self.give(shared, raw, table, kind, aux)
    }

    #[cold]
    fn grow(&mut self, shared: &Shared, raw: &Writing<'_>, number: u32) -> Result<()> {
        let space = raw.space();
        let table = &self.catalog.tables[number as usize];
        let slots = table.slots_per_region;
        // A region that was made for this stride ends where all do. After a migration to a smaller one it ends with its
        // last slot: what lies behind it in the region can have no number.
        let own = whole_blocks(table.header_in_region(slots));
        let is_native = slots == table::slots_per_region(table.entry.first, table.entry.stride);
        let region_len = if is_native { own.max(REGION) } else { own };
        let mapped = table.regions.last().map_or(0, |&region| space.mapped(region));
        let next = table.next_extent(mapped, region_len);
        let region = if next.fresh_region {
            if self.next_region >= space.capacity() {
                return Err(Error::ArenaFull { reserved: space.arena().len() });
            }
            self.next_region
        } else {
            *table.regions.last().expect("a table that grows within a region has one")
        };
        let entry = ExtentEntry { at: 0, len: next.len, region, offset: next.offset as u32, table: number, slots };
        self.add_extent(shared, space, entry)?;
        if let TableKind::Records(shape) = self.catalog.tables[number as usize].entry.kind {
            shared.binder().add_region(space, shape, region);
        }
        Ok(())
    }

    /// Finds room in file and memory for an extent, and counts it in.
    fn add_extent(&mut self, shared: &Shared, space: &Space, entry: ExtentEntry) -> Result<()> {
        let at = space.region_at(entry.region) + u64::from(entry.offset);
        let file = self.catalog.file.take(&*shared.storage, entry.len).map_err(|error| shared.no_room(error))?;
        if let Err(error) = space.arena().map_zeros(at, entry.len) {
            self.catalog.file.give_up(0, file, entry.len);
            self.catalog.file.release(0);
            return Err(Error::Io { action: format!("map {} bytes of memory", entry.len), source: error });
        }
        let entry = ExtentEntry { at: file, ..entry };
        self.take_in(&entry, space);
        let number = self.catalog.add_extent(entry);
        self.fresh_extents.push(number);
        Ok(())
    }

    /// A value too large for any size class: alone in a run of regions, of which the first block stays with the slot
    /// for good, so that its generation goes on when the slot is used again.
    #[cold]
    fn give_large(&mut self, shared: &Shared, raw: &mut Writing<'_>, len: u64, kind: Kind, aux: u32) -> Result<u64> {
        let space = raw.space();
        let number = match self.large_table {
            Some(number) => number,
            None => {
                let number = self.add_table(TableKind::Large, slot::HEADER as u32, 0, None);
                self.large_table = Some(number);
                number
            }
        };
        let len = whole_blocks(len);
        let regions = u32::try_from(len.div_ceil(REGION)).unwrap_or(u32::MAX);
        let region = match self.free_large(raw, number, regions) {
            Some(region) => region,
            None => {
                if self.next_region.checked_add(regions).is_none_or(|end| end > space.capacity()) {
                    return Err(Error::ArenaFull { reserved: space.arena().len() });
                }
                let region = self.next_region;
                let first = ExtentEntry { at: 0, len: BLOCK, region, offset: 0, table: number, slots: regions };
                self.add_extent(shared, space, first)?;
                let table = &mut self.catalog.tables[number as usize];
                table.entry.used += 1;
                table.dirty = true;
                region
            }
        };
        let slots = self.run_of(region);
        if len > BLOCK {
            let rest = ExtentEntry { at: 0, len: len - BLOCK, region, offset: BLOCK as u32, table: number, slots };
            if let Err(error) = self.add_extent(shared, space, rest) {
                // The slot exists; it stays free for the next one.
                let header = space.region_at(region);
                if slot::generation(raw.view().word(header)) == 0 {
                    raw.keep_slot(header, slot::HEADER);
                    raw.free_slot(header, slot::word(shared.first_generation, Kind::Free, 0), header + slot::HEADER);
                    self.counted_up.insert(header);
                }
                return Err(error);
            }
        }
        let table = &mut self.catalog.tables[number as usize];
        table.entry.live += 1;
        table.dirty = true;
        let header = space.region_at(region);
        let generation = match slot::generation(raw.view().word(header)) {
            0 => shared.first_generation,
            generation => generation,
        };
        raw.give_out(header, slot::word(generation, kind, aux));
        Ok(header)
    }

    /// Lengthens the large value with its header at this offset by at least so many bytes, where its run has room, or
    /// can be lengthened because nothing lies behind it. What was written to the value stays where it is; should the
    /// transaction be taken back, the value keeps the room.
    pub(crate) fn extend_large(&mut self, shared: &Shared, space: &Space, header: u64, missing: u64) -> Result<bool> {
        let region = space.region_of(header);
        let number = self.table_of(space, header);
        let mapped = space.mapped(region);
        let Ok(offset) = u32::try_from(mapped) else { return Ok(false) };
        if self.catalog.tables[number as usize].entry.kind != TableKind::Large || space.region_at(region) != header {
            return Ok(false);
        }
        let len = (mapped + missing).next_multiple_of(REGION) - mapped;
        let run = self.run_of(region);
        let regions = (mapped + len).div_ceil(REGION) as u32;
        if regions > run {
            if region + run != self.next_region || region.saturating_add(regions) > space.capacity() {
                return Ok(false);
            }
            let own = (0..).zip(self.catalog.extents()).filter(|(_, extent)| extent.len > 0 && extent.region == region);
            for (number, extent) in own.map(|(number, extent)| (number, *extent)).collect::<Vec<(u32, _)>>() {
                self.catalog.set_extent(number, ExtentEntry { slots: regions, ..extent });
            }
            space.set_run(region, regions);
            self.next_region = region + regions;
        }
        let slots = run.max(regions);
        let entry = ExtentEntry { at: 0, len, region, offset, table: number, slots };
        self.add_extent(shared, space, entry).map(|()| true)
    }

    /// Regions in the run of the large slot at this region.
    pub(crate) fn run_of(&self, region: u32) -> u32 {
        let extents = self.catalog.extents();
        extents.iter().find(|extent| extent.len > 0 && extent.region == region).map_or(0, |extent| extent.slots)
    }

    /// A free large slot whose run is long enough and not more than twice that.
    fn free_large(&self, raw: &Writing<'_>, table: u32, regions: u32) -> Option<u32> {
        let table = &self.catalog.tables[table as usize];
        if table.entry.live == table.entry.used {
            return None;
        }
        table.regions.iter().copied().find(|&region| {
            let word = raw.view().word(raw.space().region_at(region));
            slot::kind_number(word) == Kind::Free as u8 && word & slot::TOUCHED == 0 && {
                let run = self.run_of(region);
                run >= regions && run <= regions.saturating_mul(2)
            }
        })
    }

    /// Compiles the programs anew when shapes were added since; the registry's archive, when the one in the file is
    /// another.
    pub(crate) fn refresh_programs(&mut self, shared: &Shared) -> Result<Option<Vec<u8>>> {
        if !self.registry_news.load(Ordering::Acquire) {
            return Ok(None);
        }
        let mut binder = shared.binder();
        if let Some(programs) = binder.fresh_programs()? {
            self.any_padding = programs.have_padding();
            self.programs = Arc::new(programs);
        }
        Ok(binder.archive_if_changed())
    }

    /// The shape number of a table's records.
    pub(crate) fn shape_of_table(&self, table: u32) -> Option<u32> {
        match self.catalog.tables.get(table as usize)?.entry.kind {
            TableKind::Records(shape) => Some(shape),
            _ => None,
        }
    }

    /// The handle to the live slot of a table with its header at this offset.
    #[inline(always)]
    pub(crate) fn handle_bits(&self, view: View<'_>, table: u32, header: u64) -> u64 {
        let generation = slot::generation(view.word(header));
        u64::from(generation) << 38 | self.catalog.tables[table as usize].place_bits(view, header)
    }

    /// Offset of the header of the record that a good handle names.
    pub(crate) fn record_header(&self, space: &Space, bits: u64) -> u64 {
        let handle = Handle::from_bits(bits);
        let table = space.table(handle.region).expect("a live record lies in a table's region");
        space.region_at(handle.region) + self.catalog.tables[table as usize].header_in_region(handle.index)
    }

    /// Frees a slot: its generation counts up, its contents become zero. What it held is the caller's to free.
    pub(crate) fn free(&mut self, raw: &mut Writing<'_>, header: u64, fresh: bool) {
        let space = raw.space();
        let number = self.table_of(space, header);
        let word = raw.view().word(header);
        let table = &mut self.catalog.tables[number as usize];
        table.entry.live -= 1;
        table.dirty = true;
        let end = match table.entry.kind {
            TableKind::Large => header + BLOCK,
            _ => raw.view().slot_end_at(header),
        };
        if !fresh {
            raw.keep_slot(header, end - header);
        }
        if table.entry.kind == TableKind::Large {
            self.drop_rest_of_large(space, header);
        }
        raw.free_slot(header, Self::freed_word(slot::generation(word)) | slot::TOUCHED, end);
        self.freed.push(Freed { header, table: number, fresh });
    }

    /// Takes all of a large value's extents but the first out of the catalog; memory and file follow with the commit.
    fn drop_rest_of_large(&mut self, space: &Space, header: u64) {
        let region = space.region_of(header);
        let rest = (0..)
            .zip(self.catalog.extents())
            .filter(|(_, extent)| extent.len > 0 && extent.region == region && extent.offset > 0);
        let mut rest: Vec<(u32, ExtentEntry)> = rest.map(|(number, extent)| (number, *extent)).collect();
        // The map of the file gives extents up from the end.
        rest.sort_unstable_by_key(|(_, extent)| std::cmp::Reverse(extent.offset));
        for (number, extent) in rest {
            self.map.remove(&extent);
            self.catalog.set_extent(number, ExtentEntry::default());
            self.catalog.tables[extent.table as usize].bytes -= extent.len;
            self.dropped.push((number, extent));
        }
        space.set_mapped(region, BLOCK);
    }

    /// The transaction is committed: what it freed may be given out again.
    pub(crate) fn committed(&mut self, raw: &Writing<'_>) {
        self.sequence += 1;
        for Freed { header, table, .. } in std::mem::take(&mut self.freed) {
            if slot::kind_number(raw.view().word(header)) == Kind::Free as u8 {
                self.put_free(raw, header, table);
            }
        }
        self.give_up_room(raw);
        self.fresh_extents.clear();
        self.migrating = false;
        self.counted_up.clear();
        self.roots_before.clear();
        self.kept.clear();
        self.catalog.committed();
    }

    /// Room that neither the catalog names any more nor the one that it keeps is free from this commit on.
    fn give_up_room(&mut self, raw: &Writing<'_>) {
        let (replaced, dropped) = (std::mem::take(&mut self.replaced), std::mem::take(&mut self.dropped));
        if let Some(sharing) = &mut self.sharing {
            replaced.iter().chain(&dropped).for_each(|(number, extent)| sharing.leave(*number, extent));
        }
        let mut free = BTreeMap::new();
        for (number, extent) in dropped {
            self.catalog.forget_extent(number);
            free.insert(extent.at, extent.len);
            let at = raw.space().region_at(extent.region) + u64::from(extent.offset);
            // Should the kernel refuse, the memory stays mapped and unused.
            let _ = raw.space().arena().unmap(at, extent.len);
        }
        if self.catalog.has_other_history() {
            let before = std::mem::replace(&mut self.sharing, Sharing::of(&self.catalog));
            free.extend(before.iter().flat_map(|before| before.only_kept()));
        }
        for (at, len) in free {
            if !self.sharing.as_ref().is_some_and(|sharing| sharing.keeps(at)) {
                self.catalog.file.give_up(self.sequence, at, len);
            }
        }
    }

    fn put_free(&mut self, raw: &Writing<'_>, header: u64, table: u32) {
        let table = &mut self.catalog.tables[table as usize];
        if table.entry.kind != TableKind::Large {
            table.put_free(raw.view(), header);
        }
    }

    /// Takes the transaction back: old bytes, counts and roots; the slots it gave out are free, one generation on.
    pub(crate) fn roll_back(&mut self, raw: &mut Writing<'_>) {
        raw.restore();
        self.take_back_room();
        for (number, extent) in std::mem::take(&mut self.dropped).into_iter().rev() {
            self.map.add(&extent);
            raw.space().set_mapped(extent.region, u64::from(extent.offset) + extent.len);
            self.catalog.tables[extent.table as usize].bytes += extent.len;
            self.catalog.set_extent(number, extent);
        }
        for freed in std::mem::take(&mut self.freed) {
            let table = &mut self.catalog.tables[freed.table as usize];
            if freed.fresh {
                continue;
            }
            table.entry.live += 1;
        }
        for number in 0..raw.undo().fresh.len() {
            let header = raw.undo().fresh[number];
            let table = self.table_of(raw.space(), header);
            let word = raw.view().word(header);
            if slot::kind_number(word) > Kind::Free as u8 && slot::kind(word) != Some(Kind::Retired) {
                self.catalog.tables[table as usize].entry.live -= 1;
                let end = raw.view().slot_end_at(header);
                raw.free_slot(header, Self::freed_word(slot::generation(word)), end);
                if self.catalog.tables[table as usize].entry.kind == TableKind::Large {
                    self.drop_rest_of_large(raw.space(), header);
                }
            }
            self.catalog.tables[table as usize].dirty = true;
            self.counted_up.insert(header);
            if slot::kind_number(raw.view().word(header)) == Kind::Free as u8 {
                self.put_free(raw, header, table);
            }
        }
        // Extents of large values that never were: nothing in any file names them.
        for (number, extent) in std::mem::take(&mut self.dropped) {
            self.catalog.forget_extent(number);
            self.catalog.file.give_up(self.sequence, extent.at, extent.len);
            let at = raw.space().region_at(extent.region) + u64::from(extent.offset);
            let _ = raw.space().arena().unmap(at, extent.len);
        }
        for (name, root) in std::mem::take(&mut self.roots_before).into_iter().rev() {
            self.catalog.set_root(&name, root);
        }
        self.kept.clear();
        raw.finish();
    }

    /// Extents lie elsewhere in the file than before.
    pub(crate) fn map_file_anew(&mut self) {
        self.map = FileMap::default();
        let mut extents: Vec<&ExtentEntry> = self.catalog.extents().iter().filter(|extent| extent.len > 0).collect();
        extents.sort_unstable_by_key(|extent| (extent.region, extent.offset));
        for extent in extents {
            self.map.add(extent);
        }
    }

    /// Extents that were given other room have the one they had before, and so has the history.
    fn take_back_room(&mut self) {
        self.catalog.take_back_history();
        if self.replaced.is_empty() {
            return;
        }
        for (number, extent) in std::mem::take(&mut self.replaced) {
            let at = self.catalog.extents()[number as usize].at;
            self.catalog.file.give_up(0, at, extent.len);
            self.catalog.set_extent(number, extent);
        }
        self.catalog.file.release(0);
        self.map_file_anew();
    }

    /// The word of a slot that is freed after holding something of this generation.
    pub(crate) const fn freed_word(generation: u32) -> u64 {
        if generation + 1 >= LAST_GENERATION {
            slot::word(LAST_GENERATION, Kind::Retired, 0)
        } else {
            slot::word(generation + 1, Kind::Free, 0)
        }
    }

    /// The table of the slot with its header at this offset of the arena.
    #[inline]
    pub(crate) fn table_of(&self, space: &Space, header: u64) -> u32 {
        space.table(space.region_of(header)).expect("a slot that was given out lies in a table's region")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A generation given out twice would make an old handle name a new value.
    #[test]
    fn a_slot_whose_generations_are_used_up_is_retired() {
        let mut generation = LAST_GENERATION - 3;
        let mut given = vec![generation];
        loop {
            let word = State::freed_word(generation);
            assert!(slot::generation(word) > generation, "{generation}");
            if slot::kind(word) == Some(Kind::Retired) {
                break;
            }
            assert_eq!(slot::kind(word), Some(Kind::Free));
            generation = slot::generation(word);
            given.push(generation);
        }
        // The last generation is the retired slot's own: no handle ever has it.
        assert_eq!(given, [LAST_GENERATION - 3, LAST_GENERATION - 2, LAST_GENERATION - 1]);
        assert_eq!(State::freed_word(generation), slot::word(LAST_GENERATION, Kind::Retired, 0));
    }
}
