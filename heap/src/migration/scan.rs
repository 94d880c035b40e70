//! The scan: what the live values say about a plan's checks.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use migrate::{ByteOrder, CheckKind, Findings, Job, JobKind, Lookup, Part, Plan, Programs, Scan, Shape, Slots};

use super::parallel::in_parallel;
use super::references::References;
use super::transcode::Foreign;
use crate::error::{Error, Result};
use crate::format::catalog::TableKind;
use crate::format::handle::{EMPTY, Handle};
use crate::format::slot::{self, Kind};
use crate::read::{Catalog, Loaded, Reader, Region, Regions, Source, maps};

/// What a scan found.
#[derive(Debug)]
pub(crate) struct Scanned {
    pub(crate) findings: Findings,
    /// Handles of the records that become values by themselves where their only references are.
    pub(crate) taken: HashSet<u64>,
}

/// Looks at every live value that a check of the plan is about, and counts the records of each type.
pub(crate) fn scan<S: Source>(reader: &Reader<S>, plan: &Plan) -> Result<Scanned> {
    let catalog = reader.catalog();
    let mut findings = Findings::new(plan.checks.len(), plan.old.types.len());
    let mut scans = Vec::new();
    for (number, step) in plan.types.iter().enumerate() {
        let Some(old) = step.old else { continue };
        let Some(table) = catalog.table_of_name(&plan.old.types[old].name) else { continue };
        let scan = Scan::of_type(plan, number, ByteOrder::NATIVE)
            .map_err(|error| Error::Unsupported { name: plan.old.types[old].name.clone(), why: error.to_string() })?;
        if scan.is_trivial() || plan.checks.is_empty() {
            findings.records[old] = catalog.tables()[table as usize].entry.live;
        } else {
            scans.push((table, scan));
        }
    }
    if scans.is_empty() {
        return Ok(Scanned { findings, taken: HashSet::new() });
    }
    let mut loaded = reader.load()?;
    if reader.byte_order() != ByteOrder::NATIVE {
        // What is migrated is what the heap will be once it is transcoded.
        Foreign::new(catalog.registry(), reader.byte_order())?.transcode_loaded(&mut loaded, catalog)?;
    }
    let programs = Programs::compile(catalog.registry())
        .map_err(|error| Error::Unsupported { name: "the schema".into(), why: error.to_string() })?;
    let mut values =
        Values { loaded: &loaded, catalog, programs, references: References::default(), taken: Mutex::default() };
    if plan.checks.iter().any(|check| check.kind == CheckKind::Unshared) {
        let tables =
            scans.iter().flat_map(|(_, scan)| scan.taken_types()).filter_map(|name| catalog.table_of_name(name));
        values.references = References::of(&values, &tables.collect());
    }
    let mut work = Vec::new();
    for (table, scan) in &scans {
        let regions = &catalog.tables()[*table as usize].regions;
        work.extend(regions.iter().map(|&position| (scan, &catalog.regions()[position as usize])));
    }
    let found = in_parallel(&work, |(scan, region)| {
        let mut findings = Findings::new(plan.checks.len(), plan.old.types.len());
        let entry = &catalog.tables()[region.table as usize].entry;
        let bytes = loaded.region(region.number).unwrap_or_default();
        let header = |slot: usize| (entry.first as usize - slot::HEADER as usize) + slot * entry.stride as usize;
        let live = |slot: usize| {
            bytes
                .get(header(slot)..header(slot) + 8)
                .is_some_and(|word| slot::kind_number(self::word(word)) == Kind::Record as u8)
        };
        let slots = Slots { bytes, first: entry.first as usize, stride: entry.stride as usize };
        let name = |slot: usize| catalog.slot_name(region, slot as u32);
        scan.run_slots(slots, region.used as usize, live, &mut findings, name, &values);
        Ok(findings)
    })?;
    for found in found {
        findings.merge(found);
    }
    let taken = values.taken.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Scanned { findings, taken })
}

/// The heap's values as the scan asks for them. What is not there, no verifier has let through, and does not hold.
pub(super) struct Values<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) catalog: &'a Catalog,
    pub(super) programs: Programs,
    /// Who names which record, where a check asks for it.
    references: References,
    /// The records that are found to have one reference, which takes them.
    taken: Mutex<HashSet<u64>>,
}

/// A slot that was found.
pub(super) struct Found<'a> {
    pub(super) word: u64,
    /// From its header to the region's end.
    bytes: &'a [u8],
    /// Offset of its header in the region.
    within: u64,
    region: &'a Region,
}

impl<'a> Values<'a> {
    pub(super) fn slot(&self, handle: u64) -> Option<Found<'a>> {
        let Handle { generation, region, index } = Handle::from_bits(handle);
        let region = self.catalog.region(region)?;
        let entry = &self.catalog.tables()[region.table as usize].entry;
        let within = match entry.kind {
            TableKind::Records(_) => u64::from(entry.first) - slot::HEADER + u64::from(index) * u64::from(entry.stride),
            TableKind::Class(_) | TableKind::Large => u64::from(index) * 8,
        };
        let bytes = self.loaded.region(region.number)?.get(within as usize..)?;
        let bytes = match entry.kind {
            TableKind::Large => bytes,
            _ => bytes.get(..entry.stride as usize).unwrap_or(bytes),
        };
        let word = word(bytes);
        (slot::generation(word) == generation).then_some(Found { word, bytes, within, region })
    }

    fn of_kind(&self, handle: u64, kinds: &[Kind]) -> Option<Found<'a>> {
        self.slot(handle).filter(|found| slot::kind(found.word).is_some_and(|kind| kinds.contains(&kind)))
    }

    /// Contents of a text or bytes.
    fn contents(&self, handle: u64) -> Option<&'a [u8]> {
        if handle == EMPTY {
            return Some(&[]);
        }
        let found = self.of_kind(handle, &[Kind::Text, Kind::Bytes])?;
        found.bytes.get(slot::HEADER as usize..slot::HEADER as usize + slot::aux(found.word) as usize)
    }

    fn len(&self, handle: u64) -> Option<u64> {
        let kinds = [Kind::ListInline, Kind::ListSpilled, Kind::Map, Kind::SortedMap];
        self.of_kind(handle, &kinds).map(|found| word(&found.bytes[8..]))
    }

    /// The elements of a list, side by side, and the size of one.
    fn elements(&self, handle: u64) -> Option<(&'a [u8], usize)> {
        let list = self.of_kind(handle, &[Kind::ListInline, Kind::ListSpilled])?;
        let program = self.programs.value(slot::aux(list.word))?;
        let len = usize::try_from(word(&list.bytes[8..])).ok()?.checked_mul(program.size())?;
        let (holder, fixed) = if slot::kind(list.word) == Some(Kind::ListInline) {
            (list, 16)
        } else {
            (self.of_kind(word(&list.bytes[16..]), &[Kind::Buffer])?, slot::HEADER)
        };
        let start = (slot::contents_at(holder.within, fixed, program.align() as u64) - holder.within) as usize;
        Some((holder.bytes.get(start..start.checked_add(len)?)?, program.size()))
    }

    /// Shows every key and value of a map.
    fn entries(&self, handle: u64, visit: &mut dyn FnMut(&[u8], &[u8])) -> Option<()> {
        let map = self.of_kind(handle, &[Kind::Map, Kind::SortedMap])?;
        let entry = self.programs.entry(slot::aux(map.word))?;
        let [root, third] = [16, 24].map(|offset| word(&map.bytes[offset..]));
        if root == 0 {
            return Some(());
        }
        let contents = |handle, kind| {
            let found = self.of_kind(handle, &[kind])?;
            let align = maps::contents_align(entry);
            let start = slot::contents_at(found.within, slot::HEADER, align) - found.within;
            found.bytes.get(start as usize..)
        };
        let mut show = |contents: &[u8], (key, value): (usize, usize)| {
            let key = contents.get(key..key + entry.key.size());
            let value = contents.get(value..value + entry.value.size());
            if let (Some(key), Some(value)) = (key, value) {
                visit(key, value);
            }
        };
        if slot::kind(map.word) == Some(Kind::Map) {
            let contents = contents(root, Kind::MapBuffer)?;
            maps::hash_entries(entry, third, contents).ok()?.into_iter().for_each(|at| show(contents, at));
            return Some(());
        }
        let mut open = vec![root];
        while let Some(node) = open.pop() {
            let contents = contents(node, Kind::SortedNode)?;
            let parsed = maps::SortedNode::parse(entry, ByteOrder::NATIVE, contents).ok()?;
            parsed.entries.iter().for_each(|&at| show(contents, at));
            open.extend(parsed.children);
        }
        Some(())
    }

    /// Whether a handle is that of a live record in one of these tables.
    pub(super) fn is_record_of(&self, handle: u64, tables: &HashSet<u32>) -> bool {
        self.of_kind(handle, &[Kind::Record]).is_some_and(|found| tables.contains(&found.region.table))
    }
}

pub(super) fn word(bytes: &[u8]) -> u64 {
    bytes.get(..8).map_or(0, |word| u64::from_ne_bytes(word.try_into().unwrap_or_default()))
}

impl Lookup for Values<'_> {
    fn is_empty(&self, shape: &Shape, handle: u64) -> bool {
        match shape {
            Shape::Text | Shape::Bytes => self.contents(handle).is_some_and(<[u8]>::is_empty),
            _ => self.len(handle) == Some(0),
        }
    }

    fn is_utf8(&self, handle: u64) -> bool {
        self.contents(handle).is_some_and(|bytes| std::str::from_utf8(bytes).is_ok())
    }

    fn count(&self, _: &Shape, handle: u64) -> usize {
        self.len(handle).map_or(usize::MAX, |len| len as usize)
    }

    fn text(&self, handle: u64, visit: &mut dyn FnMut(&[u8])) {
        if let Some(text) = self.contents(handle) {
            visit(text);
        }
    }

    fn is_unshared(&self, _: &Shape, handle: u64) -> bool {
        let is_unshared = self.of_kind(handle, &[Kind::Record]).is_some() && self.references.is_unshared(handle);
        if is_unshared {
            self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(handle);
        }
        is_unshared
    }

    fn each(&self, job: Job<'_>, handle: u64, visit: &mut dyn FnMut(Part, &[u8])) {
        match job.kind() {
            JobKind::List | JobKind::ListToMap | JobKind::FromList => {
                if let Some((bytes, size)) = self.elements(handle) {
                    bytes.chunks_exact(size).for_each(|element| visit(Part::Value, element));
                }
            }
            JobKind::Map | JobKind::MapToList => {
                let _ = self.entries(handle, &mut |key, value| {
                    visit(Part::Key, key);
                    visit(Part::Value, value);
                });
            }
            JobKind::FromReference | JobKind::ToList | JobKind::ToReference => {}
        }
    }

    fn written(&self, shape: &Shape, handle: u64, most: usize) -> String {
        match shape {
            Shape::Text | Shape::Bytes => {
                let bytes = self.contents(handle).unwrap_or_default();
                let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(most)]).into_owned();
                if bytes.len() > most { format!("{shown:?}…") } else { format!("{shown:?}") }
            }
            Shape::Reference(_) => match self.of_kind(handle, &[Kind::Record]) {
                Some(found) => self.catalog.slot_name(found.region, Handle::from_bits(handle).index),
                None => "a stale reference".to_owned(),
            },
            _ => format!("{shape} of {}", self.len(handle).unwrap_or(0)),
        }
    }
}
