//! Hash maps and sorted maps. What must hold of their buffers is judged beside the code that writes them; here their
//! entries are checked as values, and every buffer and node gets its one owner.

use std::alloc::Layout;
use std::cell::RefCell;

use migrate::{ByteOrder, EntryProgram, Program, Shape, field_path};

use super::values::{Fault, Trouble, What, check_bytes, own};
use super::{Context, State, is_zero, word_at};
use crate::buffers::{self, BufferShape, ReadBuffers};
use crate::error::{Corruption, Error, Result};
use crate::format::handle::{EMPTY, Handle};
use crate::format::slot::{self, HEADER, Kind};
use crate::key::{DescribedKeys, HashKey};
use crate::map::{MapHeader, MapKind, verify_buffer};
use crate::sorted::{SortedHeader, SortedKind, verify_tree};

/// Contents of a map's own slot, from its header on: count, buffer or root, and buckets or height.
const SLOT: usize = 32;

/// A hash map's slot, from its header to its end.
pub(super) fn verify_map(context: &Context<'_>, state: &mut State, bytes: &[u8], shape: u32) -> Result<(), Trouble> {
    let parts = Parts::of(context, bytes, shape)?;
    let [count, buffer, log2] = parts.words;
    if buffer != 0 {
        let (info, index) = own(context, state, buffer, Kind::MapBuffer, shape)?;
        check_gap(info.slot(index), info.header_at(index), parts.align())?;
        // Each bucket has a control byte, so more of them than bytes need no closer look; nor do they fit a number of
        // this machine.
        if log2 >= 63 || 1 << log2 > info.slot(index).len() as u64 {
            return Err(What::Room.into());
        }
    }
    let header = MapHeader { count, buffer, log2 };
    let kind = MapKind::new(shape, parts.key_layout()?, parts.value_layout()?);
    let mut entries = Entries::new(context, &parts);
    let checked = verify_buffer(context, &header, &kind, &parts.keys, |key, value| entries.check(state, key, value));
    checked.map_err(|error| entries.trouble(&error))
}

/// A sorted map's slot, from its header to its end.
pub(super) fn verify_sorted(context: &Context<'_>, state: &mut State, bytes: &[u8], shape: u32) -> Result<(), Trouble> {
    let parts = Parts::of(context, bytes, shape)?;
    let [count, root, height] = parts.words;
    let header = SortedHeader { count, root, height };
    let kind = SortedKind::new(shape, parts.key_layout()?, parts.value_layout()?);
    let mut entries = Entries::new(context, &parts);
    let state = RefCell::new(state);
    let node = |handle| {
        let mut state = state.borrow_mut();
        let owned = own(context, &mut state, handle, Kind::SortedNode, shape)
            .and_then(|(info, index)| check_gap(info.slot(index), info.header_at(index), parts.align()));
        owned.map_err(|what| described(what.to_string()))
    };
    let entry = |key: &[u8], value: &[u8]| entries.check(&mut state.borrow_mut(), key, value);
    let checked = verify_tree(context, &header, &kind, &parts.keys, node, entry);
    checked.map_err(|error| entries.trouble(&error))
}

/// What lies between a buffer's header and its aligned contents.
fn check_gap(slot: &[u8], header_at: usize, align: usize) -> Result<(), What> {
    let start = slot::contents_at(header_at as u64, HEADER, align as u64) as usize - header_at;
    match slot.get(HEADER as usize..start) {
        Some(gap) if is_zero(gap) => Ok(()),
        Some(_) => Err(What::Slack),
        None => Err(What::Room),
    }
}

fn described(what: String) -> Error {
    Error::Corrupt { at: crate::error::Place::Offset(0), what: Corruption::Structure(what) }
}

/// A map taken apart.
struct Parts<'b> {
    words: [u64; 3],
    entry: &'b EntryProgram,
    key: &'b Shape,
    value: &'b Shape,
    keys: DescribedKeys,
}

impl<'b> Parts<'b> {
    fn of(context: &'b Context<'_>, bytes: &[u8], shape: u32) -> Result<Self, What> {
        if bytes.len() < SLOT {
            return Err(What::Room);
        }
        if !is_zero(&bytes[SLOT..]) {
            return Err(What::Slack);
        }
        let entry = context.programs.entry(shape).ok_or(What::Shape)?;
        let (Shape::Map { key, value } | Shape::SortedMap { key, value }) = &context.registry.shapes[shape as usize]
        else {
            return Err(What::Shape);
        };
        let keys = DescribedKeys::new(key, HashKey::new(context.hash_key), context.order).ok_or(What::Entries)?;
        let words = [8, 16, 24].map(|at| word_at(bytes, at, context.order));
        Ok(Self { words, entry, key, value, keys })
    }

    fn key_layout(&self) -> Result<Layout, What> {
        layout(&self.entry.key)
    }

    fn value_layout(&self) -> Result<Layout, What> {
        layout(&self.entry.value)
    }

    /// Alignment of the contents of its buffers.
    fn align(&self) -> usize {
        self.entry.entry.align().max(8)
    }
}

fn layout(program: &Program) -> Result<Layout, What> {
    Layout::from_size_align(program.size(), program.align()).map_err(|_| What::Shape)
}

/// Checks entries as values, and remembers what was wrong with the one that was refused.
struct Entries<'c, 'a, 'b> {
    context: &'c Context<'a>,
    parts: &'c Parts<'b>,
    wrong: Option<String>,
}

impl<'c, 'a, 'b> Entries<'c, 'a, 'b> {
    const fn new(context: &'c Context<'a>, parts: &'c Parts<'b>) -> Self {
        Self { context, parts, wrong: None }
    }

    fn check(&mut self, state: &mut State, key: &[u8], value: &[u8]) -> Result<()> {
        let Parts { entry, key: key_shape, value: value_shape, .. } = *self.parts;
        let key_checked = check_bytes(self.context, state, &entry.key, key).map_err(|fault| (fault, "key"));
        let checked = key_checked
            .and_then(|()| check_bytes(self.context, state, &entry.value, value).map_err(|fault| (fault, "value")));
        checked.map_err(|(Fault { offset, what }, part)| {
            let (shape, bytes) = if part == "key" { (key_shape, key) } else { (value_shape, value) };
            let path = field_path(&self.context.index, shape, bytes, self.context.order, offset as usize);
            let place = if path.is_empty() { String::new() } else { format!(", at {path}") };
            let words = format!("the {part} of an entry{place}: {what}");
            self.wrong = Some(words.clone());
            described(words)
        })
    }

    fn trouble(&mut self, error: &Error) -> Trouble {
        Trouble::Map(self.wrong.take().unwrap_or_else(|| match error {
            Error::Corrupt { what, .. } => what.to_string(),
            other => other.to_string(),
        }))
    }
}

/// Buffers and texts whose slots the first pass has checked.
impl ReadBuffers for Context<'_> {
    fn contents(&self, handle: u64, shape: BufferShape) -> Result<&[u8]> {
        let (slot, header_at) = self.live(handle).ok_or_else(|| buffers::damaged(handle, "the buffer is gone"))?;
        let header = word_at(slot, 0, self.order);
        if !matches!(slot::kind(header), Some(Kind::MapBuffer | Kind::SortedNode)) || slot::aux(header) != shape.number
        {
            return Err(buffers::damaged(handle, "the buffer is of another kind or shape"));
        }
        let start = slot::contents_at(header_at as u64, HEADER, shape.align as u64) as usize - header_at;
        slot.get(start..).ok_or_else(|| buffers::damaged(handle, "the buffer is too short"))
    }

    fn text(&self, handle: u64) -> Result<&str> {
        if handle == EMPTY {
            return Ok("");
        }
        let gone = || buffers::damaged(handle, "the text of a key is gone");
        let (slot, _) = self.live(handle).ok_or_else(gone)?;
        let header = word_at(slot, 0, self.order);
        let bytes = slot.get(HEADER as usize..HEADER as usize + slot::aux(header) as usize);
        let text = bytes.filter(|_| slot::kind(header) == Some(Kind::Text));
        text.and_then(|text| std::str::from_utf8(text).ok()).ok_or_else(gone)
    }

    fn order(&self) -> ByteOrder {
        self.order
    }
}

impl Context<'_> {
    /// The slot of a value that is not a record, from its header to its end, and where that is in its region.
    fn live(&self, handle: u64) -> Option<(&[u8], usize)> {
        let handle = Handle::from_bits(handle);
        let info = self.infos.get(*self.catalog.positions().get(handle.region as usize)? as usize)?;
        let index = info.slot_at(handle.index).filter(|&index| index < info.used && info.type_number == u32::MAX)?;
        let slot = info.slot(index);
        let header = word_at(slot, 0, self.order);
        (slot::generation(header) == handle.generation).then(|| (slot, info.header_at(index)))
    }
}
