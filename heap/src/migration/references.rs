//! Who names what: how many references there are to each record, and which of those that are to become values by
//! themselves lie on a circle.

use std::collections::{HashMap, HashSet};

use super::scan::{self, Values};
use crate::format::catalog::TableKind;
use crate::format::handle::Handle;
use crate::format::slot::{self, Kind};
use crate::read::Regions as _;
use crate::walk::{self, Named};

/// The handles of a heap, by what they name.
#[derive(Debug, Default)]
pub(super) struct References {
    /// By handle of a record: how many references there are to it, roots included. Of what has an owner, that is one.
    names: HashMap<u64, Naming>,
    /// Records that hold each other by their only references.
    on_circles: HashSet<u64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Naming {
    count: u32,
    /// Handle of the slot that names it; of several, one of them. Zero for a root.
    by: u64,
}

impl References {
    /// Walks the whole heap. `tables` are those whose records may become values by themselves.
    pub(super) fn of(values: &Values<'_>, tables: &HashSet<u32>) -> Self {
        let mut references = Self { names: names(values), on_circles: HashSet::new() };
        references.find_circles(values, tables);
        references
    }

    /// Whether the record has one reference, and may be where that is.
    pub(super) fn is_unshared(&self, record: u64) -> bool {
        self.names.get(&record).is_some_and(|naming| naming.count == 1) && !self.on_circles.contains(&record)
    }

    /// Every record has at most one holder that counts, so each is come to once.
    fn find_circles(&mut self, values: &Values<'_>, tables: &HashSet<u32>) {
        let mut done = HashSet::new();
        for &start in self.names.keys() {
            let mut path = Vec::new();
            let mut at = Some(start).filter(|&start| values.is_record_of(start, tables));
            while let Some(record) = at.filter(|&record| done.insert(record)) {
                path.push(record);
                at = self.holder(values, record).filter(|&holder| values.is_record_of(holder, tables));
            }
            if let Some(first) = at.and_then(|record| path.iter().position(|&passed| passed == record)) {
                self.on_circles.extend(&path[first..]);
            }
        }
    }

    /// The record that holds a record's only reference, in itself or in what it owns.
    fn holder(&self, values: &Values<'_>, record: u64) -> Option<u64> {
        let mut naming = self.names.get(&record).filter(|naming| naming.count == 1)?;
        // Lists and maps lie in each other in far fewer levels than there are handles, unless the heap is damaged.
        for _ in 0..self.names.len() {
            if slot::kind(values.slot(naming.by)?.word) == Some(Kind::Record) {
                return Some(naming.by);
            }
            naming = self.names.get(&naming.by)?;
        }
        None
    }
}

fn names(values: &Values<'_>) -> HashMap<u64, Naming> {
    let mut names: HashMap<u64, Naming> = HashMap::new();
    let mut note = |bits: u64, by: u64| {
        let naming = names.entry(bits).or_default();
        (naming.count, naming.by) = (naming.count.saturating_add(1), by);
    };
    for root in values.catalog.roots() {
        note(root.entry.reference, 0);
    }
    for region in values.catalog.regions() {
        let entry = &values.catalog.tables()[region.table as usize].entry;
        let Some(bytes) = values.loaded.region(region.number) else { continue };
        for number in 0..region.used as usize {
            let (within, index) = match entry.kind {
                TableKind::Large => (0, 0),
                TableKind::Class(_) | TableKind::Records(_) => {
                    let within = entry.first as usize - slot::HEADER as usize + number * entry.stride as usize;
                    (within, if let TableKind::Class(_) = entry.kind { within / 8 } else { number })
                }
            };
            let end = match entry.kind {
                TableKind::Large => bytes.len(),
                _ => bytes.len().min(within + entry.stride as usize),
            };
            let Some(slot) = bytes.get(within..end) else { continue };
            let word = scan::word(slot);
            let by =
                Handle { generation: slot::generation(word), region: region.number, index: index as u32 }.to_bits();
            walk::slot(&values.programs, entry.kind, word, within as u64, slot, &mut |held| {
                let is_reference = matches!(held.named, Named::Value(target) if !target.is_owned());
                if is_reference || held.named.is_owned() {
                    note(held.bits, by);
                }
            });
        }
    }
    names
}
