//! Applying a plan: tables are rewritten in memory, their new extents go beside the old ones, and one commit flips.
//!
//! Records whose new bytes follow from their old ones alone are converted region by region, before anybody else knows
//! the arena. The others — those with a hook, or with values outside their own bytes that change — need the new tables
//! to stand, and are converted one by one within the migration's transaction; until its turn a record cannot be reached.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use migrate::{BodyStep, ByteOrder, Plan, Programs, Registry, Shape, Unfit, ValueFault};

use super::gate::Passed;
use super::hook::Hook;
use super::how::{How, Seen, how};
use super::old::{OldLayout, OldRecord};
use super::outside::{DEEPEST, Fault, Values};
use super::parallel::in_parallel;
use super::progress::{OnProgress, Progress};
use super::receipt;
use super::rewrite::{Slots, rewrite_region};
use crate::error::{Error, RecordName, Result};
use crate::format::catalog::{ExtentEntry, TableKind};
use crate::format::handle::Handle;
use crate::format::header;
use crate::format::slot::{self, Kind};
use crate::kept::{Before, Flip};
use crate::raw::Space;
use crate::read;
use crate::shared::Shared;
use crate::transaction::{Durability, Transaction};
use crate::types::Types;
use crate::walk;

/// A migration under way.
#[derive(Debug)]
pub(crate) struct Migration {
    passed: Passed,
    /// Numbers of the extents of the rewritten tables.
    replaced: Vec<u32>,
    /// The catalog before anything was changed.
    before: Option<Before>,
    counter: Counter,
}

/// Counts converted records, and tells of them.
#[derive(Debug)]
struct Counter {
    converted: AtomicU64,
    on_progress: Option<OnProgress>,
}

impl Counter {
    fn tell(&self, progress: Progress) {
        if let Some(on_progress) = &self.on_progress {
            on_progress.tell(progress);
        }
    }

    fn add(&self, records: u64) {
        let records = self.converted.fetch_add(records, Ordering::Relaxed) + records;
        self.tell(Progress::Converted { records });
    }
}

/// A table all of whose records are dropped.
#[derive(Debug)]
pub(crate) struct DroppedTable {
    number: u32,
    /// Its type's name.
    name: String,
}

/// A root that goes with the record that it names.
#[derive(Debug)]
pub(crate) struct DroppedRoot {
    pub(crate) type_name: String,
    pub(crate) root: String,
}

/// A table that is rewritten.
#[derive(Debug)]
pub(crate) struct TableWork {
    number: u32,
    /// Position of its type in the plan's steps.
    step: usize,
    /// Its type's name afterwards.
    name: String,
    old: Slots,
    new: Slots,
    /// Shape numbers of its records before and afterwards. The one before speaks of the old layout in the new registry
    /// too.
    old_shape: u32,
    shape: u32,
    /// How many records there are.
    live: u64,
    how: How,
    regions: Vec<RegionWork>,
}

#[derive(Debug)]
struct RegionWork {
    number: u32,
    used: u32,
    old_len: u64,
    new_len: u64,
    slots: u32,
    first_number: u64,
    /// The old slots, from the first one's header on, where they are needed beside the new ones.
    before: Vec<u8>,
}

impl Migration {
    /// Binary logarithm of the distance of regions that the new tables need.
    pub(crate) fn shift(passed: &Passed, catalog: &read::Catalog) -> u32 {
        let regions = passed.tables.iter().flat_map(|table| table.regions.iter().map(|region| (table.new, region)));
        let needed = regions.map(|(slots, region)| slots.header(region.slots as usize) as u64);
        needed.fold(catalog.shift(), |shift, needed| shift.max(needed.next_power_of_two().ilog2()))
    }

    /// Rewrites the tables of an arena that was loaded and verified, and that nobody else knows.
    pub(crate) fn begin(mut passed: Passed, space: &Space, on_progress: Option<OnProgress>) -> Result<Self> {
        let counter = Counter { converted: AtomicU64::new(0), on_progress };
        let converted: u64 = passed.tables.iter().map(|table| table.live).sum();
        let transcoded = if passed.foreign.is_some() { passed.findings.records.iter().sum() } else { converted };
        counter.tell(Progress::Begun { records: transcoded });
        if transcoded > converted {
            // The others need nothing more.
            counter.add(transcoded - converted);
        }
        passed.visits.arrange(&mut passed.tables);
        let mut work = Vec::new();
        for (number, table) in passed.tables.iter().enumerate() {
            for (region, of_table) in table.regions.iter().enumerate() {
                fit_memory(space, of_table)?;
                work.push((number, region));
            }
        }
        passed.visits.arrange(&mut work);
        let before = in_parallel(&work, |&(table, region)| {
            let table = &passed.tables[table];
            table.rewrite(space, &table.regions[region], &counter)
        })?;
        for ((table, region), before) in work.into_iter().zip(before) {
            passed.tables[table].regions[region].before = before;
        }
        // From here on one thing comes after the other, and which is first tells which new value gets which slot. That
        // follows from the heap, and not from the program.
        passed.tables.sort_unstable_by_key(|table| table.number);
        Ok(Self { passed, replaced: Vec::new(), before: None, counter })
    }

    /// The registry afterwards.
    pub(crate) const fn registry(&self) -> &Registry {
        &self.passed.registry
    }

    /// Has the catalog name a new extent for each region of the rewritten tables; the commit finds room for them. The
    /// registry is the one before.
    pub(crate) fn place(&mut self, catalog: &mut crate::catalog::Catalog, registry: &Registry) {
        self.before = Some(Before::of(catalog, registry));
        if self.passed.foreign.is_some() {
            catalog.set_byte_order(header::ByteOrder::NATIVE);
            // Every slot was written to.
            let extents = (0..).zip(catalog.extents()).filter(|(_, extent)| extent.len > 0);
            self.replaced.extend(extents.map(|(number, _)| number));
        }
        let regions = self.passed.tables.iter().flat_map(|table| &table.regions);
        let regions: HashSet<u32> = regions.map(|region| region.number).collect();
        for number in 0..catalog.extents().len() as u32 {
            let extent = &catalog.extents()[number as usize];
            if extent.len > 0 && regions.contains(&extent.region) {
                catalog.keep_extent(number);
            }
        }
        for work in &self.passed.tables {
            let table = &mut catalog.tables[work.number as usize];
            (table.entry.kind, table.dirty) = (TableKind::Records(work.shape), true);
            (table.entry.first, table.entry.stride) = (work.new.first, work.new.stride);
            if work.regions.is_empty() {
                table.slots_per_region = crate::table::slots_per_region(work.new.first, work.new.stride);
            }
            for &RegionWork { number: region, new_len: len, slots, .. } in &work.regions {
                let entry = ExtentEntry { at: 0, len, region, offset: 0, table: work.number, slots };
                self.replaced.push(catalog.add_extent(entry));
            }
        }
    }

    /// Converts what needs more than its own bytes, and commits.
    pub(crate) fn finish(mut self, shared: &Shared) -> Result<()> {
        let mut tx = shared.write(None)?;
        tx.state.migrating = true;
        shared.binder().rewritten();
        let numbers = self.numbers();
        for table in &self.passed.tables {
            if table.how.needs_outside() {
                self.convert_table(table, &mut tx, &numbers)?;
            }
        }
        if let Some(after) = self.passed.types.after_all() {
            lend(&mut tx, |tx| after(tx)).map_err(|fault| match fault {
                Fault::Heap(error) => error,
                fault => named(fault, RecordName { type_name: "the whole heap".into(), number: 0, generation: 0 }),
            })?;
        }
        let roots = drop_tables(&self.passed.dropped, &mut tx);
        let before = self.before.take().expect("the tables have their places");
        let receipt = receipt::of(&self.passed.plan, &self.passed.findings, &roots);
        tx.commit_flip(Durability::Disk, Flip { before, replaced: self.replaced, receipt })?;
        self.counter.tell(Progress::Committed);
        Ok(())
    }

    /// Numbers of the shapes afterwards.
    fn numbers(&self) -> HashMap<Shape, u32> {
        (0..).zip(&self.passed.registry.shapes).map(|(number, shape)| (shape.clone(), number)).collect()
    }

    fn convert_table(&self, table: &TableWork, tx: &mut Transaction<'_>, numbers: &HashMap<Shape, u32>) -> Result<()> {
        let programs = Arc::clone(&tx.state.programs);
        let program = programs.value(table.shape).expect("a record's shape has a program");
        let mut made = vec![0; program.size()];
        let layout = match table.how {
            How::Hook(_, Seen::ByName) => OldLayout::new(&self.passed.plan, table.step, numbers, tx.shared),
            _ => None,
        };
        let mut record = RecordName { type_name: table.name.clone(), number: 0, generation: 0 };
        for region in &table.regions {
            let mut count = 0;
            for (index, old) in region.before.chunks(table.old.stride as usize).enumerate() {
                let word = word_of(old);
                if slot::kind_number(word) != Kind::Record as u8 {
                    continue;
                }
                count += 1;
                let handle = Handle { generation: slot::generation(word), region: region.number, index: index as u32 };
                if self.passed.taken.contains(&handle.to_bits()) {
                    // Where its reference is, it is made.
                    continue;
                }
                let old = &old[slot::HEADER as usize..];
                made.fill(0);
                record.number = region.first_number + index as u64;
                record.generation = slot::generation(word);
                let seen = layout.as_ref().map(|layout| OldRecord::new(layout, old, &record));
                let converted = self.convert_record(table, (old, seen), &mut made, tx, numbers).and_then(|()| {
                    // What is written here is believed by everybody from now on.
                    let checked = program.run(&made, ByteOrder::NATIVE, |_| Ok::<(), ValueFault>(()));
                    checked.map_err(Fault::Invalid)
                });
                converted.map_err(|fault| named(fault, record.clone()))?;
                let header = tx.raw.space().region_at(region.number) + table.new.header(index) as u64;
                tx.raw.slot_bytes_mut(header + slot::HEADER, program.size() as u64).copy_from_slice(&made);
                tx.raw.set_migrated(header, slot::word(slot::generation(word), Kind::Record, 0));
                table.note(tx, &programs, header, old);
            }
            self.counter.add(count);
        }
        Ok(())
    }

    fn convert_record(
        &self,
        table: &TableWork,
        (old, seen): (&[u8], Option<OldRecord<'_>>),
        made: &mut [u8],
        tx: &mut Transaction<'_>,
        numbers: &HashMap<Shape, u32>,
    ) -> Result<(), Fault> {
        let tables = &self.passed.tables;
        match &table.how {
            How::NotAtAll => Ok(()),
            How::Alone(conversion) | How::WithOutside(conversion) => {
                conversion.converter().run(old, made, &mut Values::new(tx, numbers, tables))
            }
            How::Hook(hook, form) => {
                match (&self.passed.types.hooks(&table.name)[*hook], form, seen) {
                    (Hook::ByName(hook), _, Some(seen)) => lend(tx, |tx| hook.run(&seen, made, tx))?,
                    (Hook::Typed(hook), Seen::Converted(conversion), _) => {
                        let mut bytes = vec![0; conversion.new_size()];
                        conversion.converter().run(old, &mut bytes, &mut Values::new(tx, numbers, tables))?;
                        lend(tx, |tx| hook.run(&bytes, made, tx))?;
                    }
                    (Hook::Typed(hook), Seen::AsTheyAre, _) => lend(tx, |tx| hook.run(old, made, tx))?,
                    _ => unreachable!("a hook sees what it was chosen for"),
                }
                if let Some(program) = tx.state.programs.value(table.shape) {
                    program.zero_padding(made, ByteOrder::NATIVE);
                }
                Ok(())
            }
        }
    }
}

/// Removes all records of these tables, with what they own, and the roots that name them; these roots by the tables.
fn drop_tables(tables: &[DroppedTable], tx: &mut Transaction<'_>) -> Vec<DroppedRoot> {
    let mut dropped = Vec::new();
    for DroppedTable { number, name } in tables {
        let space = tx.raw.space();
        let roots = tx.state.catalog.roots().filter(|root| {
            let region = Handle::from_bits(root.reference).region;
            space.table(region) == Some(*number)
        });
        let roots: Vec<String> = roots.map(|root| root.name.clone()).collect();
        for root in roots {
            tx.remove_root(&root);
            dropped.push(DroppedRoot { type_name: name.clone(), root });
        }
        let table = &tx.state.catalog.tables[*number as usize];
        let places = (0..table.entry.used).map(|record| table.place(record));
        let headers = places.map(|(region, index)| space.region_at(region) + table.header_in_region(index));
        let view = tx.raw.view();
        let live = headers.filter(|&header| slot::kind_number(view.word(header)) == Kind::Record as u8);
        for header in live.collect::<Vec<_>>() {
            tx.state.free(&mut tx.raw, header, false);
        }
    }
    dropped
}

/// The tables of types that are dropped with their records.
pub(crate) fn dropped(plan: &Plan, catalog: &read::Catalog) -> Vec<DroppedTable> {
    let gone = plan.types.iter().filter(|step| step.body == BodyStep::Gone).filter_map(|step| step.old);
    let tables = gone.filter_map(|old| {
        let name = &plan.old.types[old].name;
        catalog.table_of_name(name).map(|number| DroppedTable { number, name: name.clone() })
    });
    tables.collect()
}

/// Lends the transaction to code of the program's, which may fail, panic, or put another one in its place.
fn lend<'h>(tx: &mut Transaction<'h>, run: impl FnOnce(&mut Transaction<'h>) -> Result<()>) -> Result<(), Fault> {
    let shared = tx.shared;
    let run = catch_unwind(AssertUnwindSafe(|| run(tx)));
    if !std::ptr::eq(shared, tx.shared) {
        return Err(Fault::Swapped);
    }
    run.map_err(|panic| Fault::Panic(message_of(&*panic)))?.map_err(Fault::Heap)
}

/// A fault with the record that it concerns.
fn named(fault: Fault, record: RecordName) -> Error {
    match fault {
        Fault::Heap(error @ (Error::NoRoom(_) | Error::ArenaFull { .. } | Error::Poisoned(_))) => error,
        Fault::Heap(error) => Error::Hook { record, what: error.to_string() },
        Fault::Unfit(unfit) => Error::Unconverted { record, what: unfit.to_string() },
        Fault::Invalid(fault) => Error::Unconverted { record, what: fault.to_string() },
        Fault::TooDeep => {
            let what = format!("values lie in each other in more than {DEEPEST} levels");
            Error::Unconverted { record, what }
        }
        Fault::Swapped => {
            let what = "it put another transaction in the place of the migration's".to_owned();
            Error::Hook { record, what }
        }
        Fault::Panic(message) => Error::Hook { record, what: format!("it panicked: {message}") },
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

fn word_of(slot: &[u8]) -> u64 {
    u64::from_ne_bytes(slot[..8].try_into().expect("a slot begins with its header"))
}

/// The tables that a plan rewrites, nothing done yet. `registry` is the one afterwards; `taken` are the records that
/// become values by themselves.
pub(crate) fn tables(
    plan: &Plan,
    registry: &Registry,
    types: &Types,
    catalog: &read::Catalog,
    taken: &HashSet<u64>,
) -> Result<Vec<TableWork>> {
    let mut tables = Vec::new();
    let regions = taken.iter().filter_map(|&record| catalog.region(Handle::from_bits(record).region));
    let taken_from: HashSet<u32> = regions.map(|region| region.table).collect();
    for (step, type_step) in plan.types.iter().enumerate().filter(|(_, step)| step.rewritten) {
        let (Some(old), Some(new)) = (type_step.old, type_step.new) else { continue };
        let (old, new) = (&plan.old.types[old], &plan.new.types[new]);
        let Some(number) = catalog.table_of_name(&old.name) else { continue };
        let table = &catalog.tables()[number as usize];
        let TableKind::Records(old_shape) = table.entry.kind else { continue };
        let shape = registry.shapes.iter().position(|shape| *shape == Shape::Inline(new.name.clone()));
        let new_slots = Slots::of(new);
        let regions = table.regions.iter().map(|&position| {
            let region = &catalog.regions()[position as usize];
            RegionWork {
                number: region.number,
                used: region.used,
                old_len: region.len,
                new_len: new_slots.len(region.used),
                slots: region.slots,
                first_number: region.first_number,
                before: Vec::new(),
            }
        });
        tables.push(TableWork {
            number,
            step,
            name: new.name.clone(),
            old: Slots { first: table.entry.first, stride: table.entry.stride },
            new: new_slots,
            old_shape,
            shape: shape.expect("the new registry numbers every record type") as u32,
            live: table.entry.live,
            how: match how(plan, types, step) {
                _ if table.entry.live == 0 => How::NotAtAll,
                Ok(How::Alone(conversion)) if taken_from.contains(&number) => How::WithOutside(conversion),
                how => how?,
            },
            regions: regions.collect(),
        });
    }
    Ok(tables)
}

/// Has as much memory mapped in a region as the longer of its old and new form needs.
fn fit_memory(space: &Space, region: &RegionWork) -> Result<()> {
    if region.new_len > region.old_len {
        let len = region.new_len - region.old_len;
        let mapped = space.arena().map_zeros(space.region_at(region.number) + region.old_len, len);
        mapped.map_err(|source| Error::Io { action: format!("map {len} bytes of memory"), source })?;
    }
    Ok(())
}

impl TableWork {
    /// A slot as it was, from its header on, where such are kept.
    pub(crate) fn before(&self, region: u32, slot: u32) -> Option<&[u8]> {
        let region = self.regions.iter().find(|work| work.number == region)?;
        let stride = self.old.stride as usize;
        region.before.get(slot as usize * stride..).filter(|slot| !slot.is_empty())
    }

    /// Whether a record has become a value already: then its slot is as one that was freed.
    pub(crate) fn is_taken(&self, tx: &Transaction<'_>, (region, slot): (u32, u32), generation: u32) -> bool {
        let header = tx.raw.space().region_at(region) + self.new.header(slot as usize) as u64;
        slot::generation(tx.view().word(header)) != generation
    }

    /// A record has become a value by itself elsewhere, and is no more; `old` are its bytes.
    pub(crate) fn take(&self, tx: &mut Transaction<'_>, (region, slot): (u32, u32), old: &[u8]) {
        let header = tx.raw.space().region_at(region) + self.new.header(slot as usize) as u64;
        let programs = Arc::clone(&tx.state.programs);
        self.note(tx, &programs, header, old);
        let Transaction { state, raw, .. } = tx;
        state.free(raw, header, false);
    }

    /// Says what a record held before, so that it vanishes from it.
    fn note(&self, tx: &mut Transaction<'_>, programs: &Programs, header: u64, old: &[u8]) {
        let size = programs.value(self.old_shape).map_or(0, migrate::Program::size);
        tx.state.moved.note(self.number, header, |before| {
            walk::elements(programs, self.old_shape, &old[..size], 0, &mut |held| before.push(held));
        });
    }

    /// Rewrites one region: converts its records, or sets up their slots and keeps the old ones for later.
    fn rewrite(&self, space: &Space, region: &RegionWork, counter: &Counter) -> Result<Vec<u8>> {
        let mut before = Vec::new();
        let mut count = 0;
        let at = space.region_at(region.number);
        space.fill_with(at, region.old_len.max(region.new_len), |bytes| {
            if self.how.needs_outside() {
                let end = (self.old.header(region.used as usize)).min(bytes.len());
                before = bytes[self.old.header(0).min(end)..end].to_vec();
            }
            rewrite_region(bytes, region.used as usize, (self.old, self.new), |old, new, first| {
                self.rewrite_batch(old, new, &mut count).map_err(|(slot, unfit)| {
                    let number = region.first_number + (first + slot) as u64;
                    let generation = slot::generation(word_of(&old[slot * self.old.stride as usize..]));
                    named(Fault::Unfit(unfit), RecordName { type_name: self.name.clone(), number, generation })
                })
            })
        })?;
        counter.add(count);
        if region.new_len < region.old_len {
            // Should the kernel refuse, the memory stays mapped and unused.
            let _ = space.arena().unmap(at + region.new_len, region.old_len - region.new_len);
        }
        Ok(before)
    }

    fn rewrite_batch(&self, old: &[u8], new: &mut [u8], converted: &mut u64) -> Result<(), (usize, Unfit)> {
        const HEADER: usize = slot::HEADER as usize;
        let (old_stride, new_stride) = (self.old.stride as usize, self.new.stride as usize);
        let word = |slot: usize| word_of(&old[slot * old_stride..]);
        let is_record = |slot: usize| slot::kind_number(word(slot)) == Kind::Record as u8;
        let count = old.len().div_ceil(old_stride);
        for slot in 0..count {
            let header = match self.how {
                How::WithOutside(_) | How::Hook(..) if is_record(slot) => {
                    // Nobody may reach it before it is there again.
                    slot::word(slot::generation(word(slot)), Kind::Free, 0) | slot::TOUCHED
                }
                _ => word(slot),
            };
            new[slot * new_stride..][..HEADER].copy_from_slice(&header.to_ne_bytes());
        }
        let How::Alone(conversion) = &self.how else { return Ok(()) };
        *converted += (0..count).filter(|&slot| is_record(slot)).count() as u64;
        let old = migrate::Slots { bytes: old, first: HEADER, stride: old_stride };
        let mut new = migrate::SlotsMut { bytes: new, first: HEADER, stride: new_stride };
        conversion.run_slots(old, &mut new, count, is_record)
    }
}
