//! Freeing what no root reaches.

use migrate::Target;

use crate::error::Result;
use crate::format::catalog::TableKind;
use crate::format::handle::Handle;
use crate::format::slot::{self, Kind};
use crate::ownership;
use crate::raw::View;
use crate::state::State;
use crate::transaction::Transaction;
use crate::walk::Named;

/// One bit for each slot of each region.
struct Marks {
    regions: Vec<Vec<u64>>,
}

impl Marks {
    fn set(&mut self, region: u32, index: u32) -> bool {
        let region = region as usize;
        if self.regions.len() <= region {
            self.regions.resize_with(region + 1, Vec::new);
        }
        let words = &mut self.regions[region];
        let (word, bit) = (index as usize / 64, 1 << (index % 64));
        if words.len() <= word {
            words.resize(word + 1, 0);
        }
        let was = words[word] & bit != 0;
        words[word] |= bit;
        !was
    }

    fn get(&self, region: u32, index: u32) -> bool {
        let word = self.regions.get(region as usize).and_then(|words| words.get(index as usize / 64));
        word.is_some_and(|word| word & 1 << (index % 64) != 0)
    }
}

/// Removes every record that no root reaches; how many. What they own goes with the commit.
pub(crate) fn collect(tx: &mut Transaction<'_>) -> Result<u64> {
    let _ = tx.state.refresh_programs(tx.shared)?;
    let marks = reach(&tx.state, tx.raw.view());
    let mut dead = Vec::new();
    for table in &tx.state.catalog.tables {
        if !matches!(table.entry.kind, TableKind::Records(_)) {
            continue;
        }
        for number in 0..table.entry.used {
            let (region, index) = table.place(number);
            let header = tx.raw.space().region_at(region) + table.header_in_region(index);
            let alive = slot::kind_number(tx.raw.view().word(header)) == Kind::Record as u8;
            if alive && !marks.get(region, index) {
                dead.push(header);
            }
        }
    }
    for &header in &dead {
        let fresh = tx.raw.view().word(header) & slot::UNOWNED != 0;
        tx.state.free(&mut tx.raw, header, fresh);
    }
    Ok(dead.len() as u64)
}

/// Marks every record that a root reaches, by way of what records own.
fn reach(state: &State, view: View<'_>) -> Marks {
    let mut marks = Marks { regions: Vec::new() };
    let mut waiting: Vec<u64> = Vec::new();
    for root in state.catalog.roots() {
        visit_record(view, state, root.reference, &mut marks, &mut waiting);
    }
    let mut found = Vec::new();
    while let Some(header) = waiting.pop() {
        found.clear();
        ownership::slot_handles(state, &state.programs, view, header, &mut |held| found.push(held));
        for held in &found {
            match held.named {
                Named::Value(Target::Reference(_)) => visit_record(view, state, held.bits, &mut marks, &mut waiting),
                Named::Value(Target::Text | Target::Bytes) => {}
                _ => waiting.extend(view.value(held.bits).map(|value| value.at)),
            }
        }
    }
    marks
}

/// Marks the record a reference names, if it is alive; where it was not marked before, its contents are to be walked.
fn visit_record(view: View<'_>, state: &State, bits: u64, marks: &mut Marks, waiting: &mut Vec<u64>) {
    let handle = Handle::from_bits(bits);
    let space = view.space();
    let Some(number) = space.table(handle.region) else { return };
    if handle.index >= space.record_slots(handle.region) {
        return;
    }
    let header = space.region_at(handle.region) + state.catalog.tables[number as usize].header_in_region(handle.index);
    let word = view.word(header);
    let alive = slot::kind_number(word) == Kind::Record as u8 && slot::generation(word) == handle.generation;
    if alive && marks.set(handle.region, handle.index) {
        waiting.push(header);
    }
}
