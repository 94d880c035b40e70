//! The entries of maps.

use std::sync::Arc;

use heap::Place;
use heap::format::slot::{self, HEADER, Kind};
use heap::read::maps::{SortedNode, contents_align, hash_entries};
use migrate::{EntryProgram, Shape};

use super::{Item, View, damaged};
use crate::error::Result;

/// A map.
#[derive(Debug, Clone)]
pub struct Map<'r> {
    /// What the keys are.
    pub key: &'r Shape,
    /// What the values are.
    pub value: &'r Shape,
    /// How many entries.
    pub count: u64,
    kind: Kind,
    /// Its shape number.
    pub(super) shape: u32,
    /// Handle of its buffer or root node, or 0.
    buffer: u64,
    /// Bucket count's logarithm, or height.
    log2: u64,
}

/// A key and its value.
pub type Entry<'r> = (Item<'r>, Item<'r>);

/// A buffer or node that was read.
pub(super) struct Held {
    /// Bytes of its slot.
    pub(super) len: u64,
    pub(super) contents: Arc<[u8]>,
    /// Offsets of keys and values.
    pub(super) entries: Vec<(usize, usize)>,
    level: usize,
    children: Vec<u64>,
}

impl<'r> View<'r> {
    pub(super) fn map(&self, word: u64, kind: Kind, key: &'r Shape, value: &'r Shape) -> Result<Map<'r>> {
        let slot = self.slot(word, [kind; 2])?;
        let words = [8, 16, 24].map(|at| self.word(slot.region, slot.at + at));
        let [count, buffer, log2] = words;
        let shape = slot::aux(slot.header);
        let found = self.catalog.registry().shapes.get(shape as usize);
        if !matches!(found, Some(Shape::Map { key: k, value: v } | Shape::SortedMap { key: k, value: v })
            if **k == *key && **v == *value)
        {
            return Err(damaged(Place::Offset(0), "a handle names a map of another shape".into()));
        }
        Ok(Map { key, value, count: count?, kind, shape, buffer: buffer?, log2: log2? })
    }

    /// The entries of a map: of a sorted one in ascending order of the keys, of a hash map in the order of its buckets.
    pub fn entries(&self, map: &Map<'r>) -> impl Iterator<Item = Result<Entry<'r>>> + use<'_, 'r> {
        let mut walk =
            Walk { stack: Vec::new(), next: Some(map.buffer).filter(|&buffer| buffer != 0), left: map.count };
        let map = map.clone();
        std::iter::from_fn(move || self.next_entry(&map, &mut walk).transpose())
    }

    fn next_entry(&self, map: &Map<'r>, walk: &mut Walk) -> Result<Option<Entry<'r>>> {
        loop {
            if let Some(handle) = walk.next.take() {
                match self.held(map, handle) {
                    Ok(held) if walk.stack.last().is_none_or(|(above, _)| above.level == held.level + 1) => {
                        walk.stack.push((held, 0));
                    }
                    wrong => {
                        walk.stack.clear();
                        wrong?;
                        return Err(damaged(Place::Offset(0), "a node of a sorted map is on a wrong level".into()));
                    }
                }
            }
            let Some((held, step)) = walk.stack.last_mut() else { return Ok(None) };
            // In inner nodes children and entries take turns.
            let turn = *step;
            *step += 1;
            let (child, entry) = match held.children.is_empty() {
                true => (None, held.entries.get(turn)),
                false if turn.is_multiple_of(2) => (held.children.get(turn / 2).copied(), None),
                false => (None, held.entries.get(turn / 2)),
            };
            if let Some(&(key, value)) = entry {
                if walk.left == 0 {
                    walk.stack.clear();
                    return Err(damaged(Place::Offset(0), "a map holds more entries than it counts".into()));
                }
                walk.left -= 1;
                return Ok(Some((
                    Item::inside(map.key, &held.contents, key),
                    Item::inside(map.value, &held.contents, value),
                )));
            }
            walk.next = child;
            if child.is_none() {
                walk.stack.pop();
            }
        }
    }

    /// A map's buffer or node.
    fn held(&self, map: &Map<'_>, handle: u64) -> Result<Held> {
        let kind = if map.kind == Kind::Map { Kind::MapBuffer } else { Kind::SortedNode };
        let slot = self.slot(handle, [kind; 2])?;
        let entry = self.entry_program(map.shape)?;
        if slot::aux(slot.header) != map.shape {
            return Err(damaged(Place::Offset(0), "a map's buffer is of another shape".into()));
        }
        let start = slot::contents_at(slot.at, HEADER, contents_align(entry));
        let Some(len) = (slot.at + slot.len).checked_sub(start) else { return Err(super::beyond(slot.region)) };
        let contents = self.bytes(slot.region, start, len)?;
        if kind == Kind::MapBuffer {
            let entries = hash_entries(entry, map.log2, &contents)?;
            return Ok(Held { len: slot.len, contents, entries, level: 0, children: Vec::new() });
        }
        let SortedNode { level, entries, children } = SortedNode::parse(entry, self.order, &contents)?;
        Ok(Held { len: slot.len, contents, entries, level, children })
    }

    fn entry_program(&self, shape: u32) -> Result<&EntryProgram> {
        self.programs.entry(shape).ok_or_else(|| damaged(Place::Offset(0), format!("shape {shape} is no map")))
    }

    /// Each buffer or node of a map once, in no order.
    pub(super) fn each_held(&self, map: &Map<'_>, mut visit: impl FnMut(&EntryProgram, &Held)) -> Result<()> {
        let entry = self.entry_program(map.shape)?;
        let mut pending: Vec<(u64, Option<usize>)> = Vec::new();
        pending.extend(Some((map.buffer, None)).filter(|held| held.0 != 0));
        let mut entries = 0;
        while let Some((handle, level)) = pending.pop() {
            let held = self.held(map, handle)?;
            entries += held.entries.len() as u64;
            // Levels fall and entries are counted, so that this ends whatever the handles.
            if level.is_some_and(|level| level != held.level) || entries > map.count || held.entries.is_empty() {
                return Err(damaged(Place::Offset(0), "a map's nodes do not fit together".into()));
            }
            pending.extend(held.children.iter().map(|&child| (child, held.level.checked_sub(1))));
            visit(entry, &held);
        }
        Ok(())
    }
}

/// Where an iteration stands: the nodes from the root down, and the next turn in each.
struct Walk {
    stack: Vec<(Held, usize)>,
    /// A node to go down to.
    next: Option<u64>,
    /// Entries that may still come.
    left: u64,
}
