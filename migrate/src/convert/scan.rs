//! The scan: whether what a plan's checks say holds of the live records.
//!
//! It is compiled like a conversion, with the steps that only write left out, and goes through records in the same
//! blocks. Steps that look at numbers run over all records of a block and count; only where something does not hold
//! are the records looked at one by one.

use std::collections::HashMap;

use super::code::{Code, Job, JobKind, NONE, Step, Table};
use super::compile::{Compiler, Purpose};
use super::flat::{Span, count_unfit, holds, unfit_numbers};
use super::number::{Kind, NumberCast, relative_change};
use super::run::{per_block, runs, unsigned};
use super::shapes::handle;
use super::written::{MAX_LEN, written};
use super::{ConversionError, Slots};
use crate::layout::{ByteOrder, MAX_DEPTH, TypeIndex};
use crate::plan::{BodyStep, Cast, Change, CheckKind, Findings, Offender, Plan};
use crate::schema::{Schema, Shape};

/// What lies outside a record's bytes, as a scan needs it. Handles are words in the order of this machine. What cannot
/// be looked at does not hold.
pub trait Lookup {
    /// Whether a text, bytes, list or map is empty.
    fn is_empty(&self, shape: &Shape, handle: u64) -> bool;

    /// Whether bytes are UTF-8.
    fn is_utf8(&self, handle: u64) -> bool;

    /// How many elements a list has.
    fn count(&self, shape: &Shape, handle: u64) -> usize;

    /// Shows the bytes of a text.
    fn text(&self, handle: u64, visit: &mut dyn FnMut(&[u8]));

    /// Whether a reference is the only one to its record, names a live one, and is on no circle of such references.
    fn is_unshared(&self, shape: &Shape, handle: u64) -> bool;

    /// Shows the old bytes of every element of a list, or of every key and value of a map.
    fn each(&self, job: Job<'_>, handle: u64, visit: &mut dyn FnMut(Part, &[u8]));

    /// What a handle names, as people write it, up to about `most` bytes.
    fn written(&self, shape: &Shape, handle: u64, most: usize) -> String;
}

/// What is shown of a list or a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A map's key.
    Key,
    /// A map's value, or an element.
    Value,
}

/// The compiled checks of one record type.
#[derive(Debug, Clone)]
pub struct Scan {
    table: Table,
    /// Position of the type in the old schema.
    record: usize,
    /// Checks that fail of every record.
    fatal: Vec<usize>,
    counts: (usize, usize),
    old: Schema,
    order: ByteOrder,
}

impl Scan {
    /// What is to be looked at in the records of the old type at this position of [`Plan::types`]. `order` is that of
    /// the old heap.
    ///
    /// # Errors
    /// When the plan contradicts itself or its schemas, or the step has no old type.
    pub fn of_type(plan: &Plan, step: usize, order: ByteOrder) -> Result<Self, ConversionError> {
        let missing = || ConversionError::Mismatch(format!("no old type at step {step}"));
        let types = plan.types.get(step).ok_or_else(missing)?;
        let record = types.old.ok_or_else(missing)?;
        let old = plan.old.types.get(record).ok_or_else(missing)?;
        let new = types.new.and_then(|new| plan.new.types.get(new));
        let compiler = Compiler::new(plan, order, Purpose::Scan);
        let shape = Shape::Inline(old.name.clone());
        let table = match (new, &types.body) {
            (Some(new), BodyStep::Same | BodyStep::Struct(_) | BodyStep::Enum(_)) => {
                compiler.compile(&shape, &Shape::Inline(new.name.clone()), &Cast::Type(step))?
            }
            // Nothing is made of the values, or a hook looks for itself.
            _ => compiler.compile_nothing(&shape)?,
        };
        let fatal = plan.checks.iter().enumerate();
        let fatal = fatal.filter(|(_, check)| check.kind == CheckKind::NoRecords && check.record == record);
        Ok(Self {
            table,
            record,
            fatal: fatal.map(|(number, _)| number).collect(),
            counts: (plan.checks.len(), plan.old.types.len()),
            old: plan.old.clone(),
            order,
        })
    }

    /// Whether the records need not be looked at, but only counted.
    pub fn is_trivial(&self) -> bool {
        self.fatal.is_empty() && self.table.codes[0].steps.is_empty()
    }

    /// The old record types whose records become values by themselves where references to them are.
    pub fn taken_types(&self) -> impl Iterator<Item = &str> {
        self.table.jobs.iter().filter_map(|job| match (&job.kind, &job.old) {
            (JobKind::FromReference, Shape::Reference(name)) => Some(&**name),
            _ => None,
        })
    }

    /// Size of a record in bytes.
    pub fn size(&self) -> usize {
        self.table.codes[0].old_size as usize
    }

    /// Looks at the records among `count` slots that `live` says are any, and adds what was found. `name` says how
    /// people call the record of a slot. Slots that the bytes do not reach are not looked at.
    pub fn run_slots(
        &self,
        old: Slots<'_>,
        count: usize,
        live: impl Fn(usize) -> bool,
        findings: &mut Findings,
        name: impl Fn(usize) -> String,
        outside: &impl Lookup,
    ) {
        let index = TypeIndex::new(&self.old);
        let mut looking = Looking {
            scan: self,
            index: &index,
            outside,
            name: &name,
            slot: 0,
            found: Findings::new(self.counts.0, self.counts.1),
            firsts: vec![usize::MAX; self.counts.0],
            largest_at: vec![usize::MAX; self.counts.0],
            waiting: Vec::new(),
        };
        let code = &self.table.codes[0];
        for (start, end) in runs(count, per_block(old.stride), live) {
            looking.found.records[self.record] += (end - start) as u64;
            for &check in &self.fatal {
                looking.slot = start;
                looking.count(check as u32, end - start, end - start);
                looking.offender(check as u32, String::new);
            }
            let range = old.first + start * old.stride..old.first + (end - 1) * old.stride + self.size();
            if let Some(bytes) = old.bytes.get(range).filter(|_| !code.steps.is_empty()) {
                looking.block(code, bytes, old.stride, (start, end));
            }
        }
        findings.merge(looking.found);
    }
}

/// What a scan has come to.
struct Looking<'s, L, N> {
    scan: &'s Scan,
    index: &'s TypeIndex<'s>,
    outside: &'s L,
    name: &'s N,
    /// The record that is looked at.
    slot: usize,
    found: Findings,
    /// The slot of each check's first offender: steps of one check may come to them in another order.
    firsts: Vec<usize>,
    /// The slot of the value that changes most.
    largest_at: Vec<usize>,
    /// Lists and maps that are still to be looked at.
    waiting: Vec<(u32, u64)>,
}

/// A loop that is being run.
#[derive(Clone, Copy, Default)]
struct Loop {
    base: usize,
    left: u32,
}

/// A value that consists of parts: the check holds if it holds of all of them.
struct Probe {
    at: usize,
    check: u32,
    end: usize,
    failed: bool,
    base: usize,
    depth: usize,
}

impl<L: Lookup, N: Fn(usize) -> String> Looking<'_, L, N> {
    fn block(&mut self, code: &Code, bytes: &[u8], stride: usize, (start, end): (usize, usize)) {
        let mut groups = code.groups.iter().peekable();
        let mut next = 0;
        while next < code.steps.len() {
            let first = next;
            let group = groups.next_if(|group| group.0 as usize == next);
            next = group.map_or(next + 1, |group| group.1 as usize);
            let step = code.steps[first];
            if group.is_none() && step.is_flat() {
                let span = Span { old: bytes, new: &mut [], old_stride: stride, new_stride: 0, count: end - start };
                let (seen, failed) = count_unfit(step, code, &span);
                if let Some(check) = check_of(step).filter(|_| failed == 0) {
                    self.count(check, seen, 0);
                    continue;
                }
            }
            for slot in start..end {
                self.slot = slot;
                let at = (slot - start) * stride;
                self.walk(code, (first, next), &bytes[at..at + code.old_size as usize]);
                self.look_further();
            }
        }
    }

    /// The lists and maps that were met, and those met in them, without recursion.
    fn look_further(&mut self) {
        let table = &self.scan.table;
        while let Some((number, handle)) = self.waiting.pop() {
            let job = Job { table, number };
            let (key, value) = (job.key().map(|key| key.code), job.value().code);
            let outside = self.outside;
            let mut look = |code: Option<&Code>, bytes: Option<&[u8]>| {
                if let Some(code) = code
                    && let Some(bytes) = bytes.and_then(|bytes| bytes.get(..code.old_size as usize))
                {
                    self.walk(code, (0, code.steps.len()), bytes);
                }
            };
            let old_entry = job.entry().filter(|_| job.kind() == JobKind::ListToMap);
            outside.each(job, handle, &mut |part, bytes| match (old_entry, part) {
                (Some(places), _) => {
                    look(key, bytes.get(places.key_at..));
                    look(Some(value), bytes.get(places.value_at..));
                }
                (None, Part::Key) => look(key, Some(bytes)),
                (None, Part::Value) => look(Some(value), Some(bytes)),
            });
        }
    }

    fn walk(&mut self, code: &Code, steps: (usize, usize), old: &[u8]) {
        match code.loops {
            0 => self.walk_with::<0>(code, steps, old),
            _ => self.walk_with::<{ 2 * MAX_DEPTH as usize }>(code, steps, old),
        }
    }

    fn walk_with<const LOOPS: usize>(&mut self, code: &Code, (first, end): (usize, usize), old: &[u8]) {
        let scan = self.scan;
        let order = scan.order;
        let mut loops = [Loop::default(); LOOPS];
        let mut depth = 0;
        let mut base = 0;
        let mut probe: Option<Probe> = None;
        let mut next = first;
        loop {
            if let Some(done) = probe.take_if(|probe| probe.end == next) {
                self.result(done.check, !done.failed, old, done.at);
            }
            if next >= end {
                return;
            }
            let step = code.steps[next];
            next += 1;
            let at = |from: u32| base + from as usize;
            // What a step says of a value: which check, whether it holds, and where.
            let mut said = None;
            match step {
                Step::Niche { from, width, none, otherwise } => {
                    let is_nothing = unsigned(old, at(from), width, order) == u128::from(none);
                    next = if is_nothing { otherwise as usize } else { next };
                }
                Step::Tagged { from, width, otherwise } => {
                    let is_something = unsigned(old, at(from), width, order) == 1;
                    next = if is_something { next } else { otherwise as usize };
                }
                Step::Choice { from, width, cases, end } => {
                    let tag = unsigned(old, at(from), width, order);
                    // Whatever is no value at all is found by those who check values.
                    next = code.cases[cases as usize].find(tag).unwrap_or(end) as usize;
                }
                Step::Jump { to } => next = to as usize,
                Step::Repeat { from, count, .. } => {
                    loops[depth] = Loop { base, left: count };
                    depth += 1;
                    base = at(from);
                }
                Step::Again { old_stride, start, .. } => {
                    let current = &mut loops[depth - 1];
                    current.left -= 1;
                    if current.left > 0 {
                        base = at(old_stride);
                        next = start as usize;
                    } else {
                        base = current.base;
                        depth -= 1;
                    }
                }
                Step::Probe { from, check, end } => {
                    probe = Some(Probe { at: at(from), check, end: end as usize, failed: false, base, depth });
                }
                Step::Holds { check } => self.count(check, 1, 0),
                Step::Number { from, count, cast, check, .. } => {
                    let width = cast.old.width();
                    for position in 0..count {
                        let at = at(from + position * width);
                        let holds = unfit_numbers(&old[at..], 0, 1, cast) == 0;
                        self.result(check, holds, old, at);
                        if !holds {
                            self.changed(check, &old[at..], cast);
                        }
                    }
                }
                Step::Zero { from, check, .. } | Step::Equal { from, check, .. } | Step::Never { from, check } => {
                    said = Some((check, holds(step, code, &old[base..]), at(from)));
                }
                Step::EmptyHandle { from, shape, check } => {
                    let shape = &scan.table.shapes[shape as usize];
                    let holds = self.outside.is_empty(shape, handle(old, at(from), order));
                    said = Some((check, holds, at(from)));
                }
                Step::ToText { from, check, .. } => {
                    said = Some((check, self.outside.is_utf8(handle(old, at(from), order)), at(from)));
                }
                Step::Convert { from, job: number, .. } => {
                    let (job, word) = (Job { table: &scan.table, number }, handle(old, at(from), order));
                    if let Some(check) = job.check() {
                        self.unique_keys(check as u32, job, word);
                    }
                    self.waiting.push((number, word));
                }
                Step::Take { from, job: number, none, .. } => {
                    let (job, word) = (Job { table: &scan.table, number }, handle(old, at(from), order));
                    let (holds, further) = match job.kind() {
                        // What is in the record is looked at where the records of its type are.
                        JobKind::FromReference => (self.outside.is_unshared(job.old_shape(), word), false),
                        _ => match self.outside.count(job.old_shape(), word) {
                            1 => (true, true),
                            0 => (none != NONE, false),
                            _ => (false, false),
                        },
                    };
                    if further {
                        self.waiting.push((number, word));
                    }
                    if let Some(check) = job.check() {
                        said = Some((check as u32, holds, at(from)));
                    }
                }
                _ => {}
            }
            match (said, &mut probe) {
                (Some((_, false, _)), Some(probe)) => {
                    // The steps to come may look at a part that is not there: an enum is of another variant.
                    probe.failed = true;
                    (next, base, depth) = (probe.end, probe.base, probe.depth);
                }
                (Some((check, holds, at)), None) => self.result(check, holds, old, at),
                (Some(_), Some(_)) | (None, _) => {}
            }
        }
    }

    /// Keys that are converted keep their value, or do not fit and are counted as such: none that differ become the
    /// same. So only those of a list are compared.
    fn unique_keys(&mut self, check: u32, job: Job<'_>, list: u64) {
        let twice = match job.kind() {
            JobKind::ListToMap => self.key_twice(job, list),
            _ => None,
        };
        self.count(check, 1, usize::from(twice.is_some()));
        let Some((key, times)) = twice else { return };
        let is_secret = self.scan.table.checked.get(&check).is_none_or(|(_, secret)| *secret);
        self.offender(check, || if is_secret { String::new() } else { format!("{key} is there {times} times") });
    }

    /// The first key that is there more than once, as it is written, and how often.
    fn key_twice(&self, job: Job<'_>, list: u64) -> Option<(String, usize)> {
        let Shape::List(element) = job.old_shape() else { return None };
        let (shape, places) = (&self.index.entry_fields(element)?.0.shape, job.entry()?);
        let len = job.key()?.old_size();
        let (mut keys, mut positions, mut first) = (Vec::new(), HashMap::new(), None);
        self.outside.each(job, list, &mut |_, bytes| {
            let Some(stored) = bytes.get(places.key_at..).and_then(|bytes| bytes.get(..len)) else { return };
            let mut key = stored.to_vec();
            if *shape == Shape::Text {
                self.outside.text(handle(stored, 0, self.scan.order), &mut |text| key = text.to_vec());
            }
            let position = *positions.entry(key).or_insert_with(|| {
                keys.push((stored.to_vec(), 0_usize));
                keys.len() - 1
            });
            keys[position].1 += 1;
            if keys[position].1 == 2 {
                first.get_or_insert(position);
            }
        });
        let (stored, times) = &keys[first?];
        let name = |shape: &Shape, handle: u64, most: usize| self.outside.written(shape, handle, most);
        Some((written(self.index, shape, stored, 0, self.scan.order, MAX_LEN, &name), *times))
    }

    fn result(&mut self, check: u32, holds: bool, old: &[u8], at: usize) {
        self.count(check, 1, usize::from(!holds));
        if !holds {
            self.failed(check, old, at);
        }
    }

    fn count(&mut self, check: u32, seen: usize, failed: usize) {
        if let Some(finding) = self.found.checks.get_mut(check as usize) {
            finding.seen += seen as u64;
            finding.failed += failed as u64;
        }
    }

    #[cold]
    fn failed(&mut self, check: u32, old: &[u8], at: usize) {
        let scan = self.scan;
        let Some((shape, secret)) = scan.table.checked.get(&check) else { return };
        let (index, outside) = (self.index, self.outside);
        self.offender(check, || match secret {
            true => String::new(),
            false => {
                let name = |shape: &Shape, handle: u64, most: usize| outside.written(shape, handle, most);
                written(index, shape, old, at, scan.order, MAX_LEN, &name)
            }
        });
    }

    /// Notes by how much a number would change, where one would become another float.
    #[cold]
    fn changed(&mut self, check: u32, bytes: &[u8], cast: NumberCast) {
        let Some(finding) = self.found.checks.get_mut(check as usize) else { return };
        if !matches!(cast.new, Kind::F32 | Kind::F64) {
            return;
        }
        let relative = relative_change(bytes, cast);
        let (slot, at) = (self.slot, &mut self.largest_at[check as usize]);
        let is_larger = |largest: &Change| {
            relative.total_cmp(&largest.relative).is_gt() || (relative >= largest.relative && slot < *at)
        };
        if finding.largest.as_ref().is_none_or(is_larger) {
            *at = slot;
            finding.largest = Some(Change { relative, record: (self.name)(self.slot) });
        }
    }

    /// The record is the check's first offender, unless an earlier one is known.
    fn offender(&mut self, check: u32, value: impl FnOnce() -> String) {
        let number = check as usize;
        if let (Some(finding), Some(first)) = (self.found.checks.get_mut(number), self.firsts.get_mut(number))
            && self.slot < *first
        {
            *first = self.slot;
            finding.first = Some(Offender { record: (self.name)(self.slot), value: value() });
        }
    }
}

/// The check of a flat step.
const fn check_of(step: Step) -> Option<u32> {
    match step {
        Step::Number { check, .. }
        | Step::Zero { check, .. }
        | Step::Equal { check, .. }
        | Step::Never { check, .. }
        | Step::Holds { check } => Some(check),
        _ => None,
    }
}
