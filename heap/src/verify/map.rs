//! Hash maps and sorted maps.
//!
//! The layout of their buffers, and what must hold of it, is written beside their code; here it is told where the
//! bytes are, and what the values in them must be.

use std::alloc::Layout;
use std::cell::RefCell;

use migrate::{ByteOrder, EntryProgram, Shape};

use super::values::{ElementFault, Fault, Problem, What, check_bytes, own};
use super::{Context, Info, State, is_zero, word_at};
use crate::buffers::{BufferShape, ReadBuffers, damaged, laid_out};
use crate::error::{Corruption, Error, Result};
use crate::format::handle::{EMPTY, Handle};
use crate::format::slot::{self, Kind};
use crate::key::{DescribedKeys, HashKey};
use crate::map::{self, MapHeader, MapKind};
use crate::sorted::{self, SortedHeader, SortedKind};

/// A hash map's slot, from its header to its end: count at 8, handle of the buffer at 16, buckets at 24.
pub(super) fn verify_map(
    context: &Context<'_>,
    state: &mut State,
    bytes: &[u8],
    shape: u32,
) -> Result<(), Problem> {
    let [count, buffer, log2] = words(context, bytes)?;
    let header = MapHeader { count, buffer, log2 };
    let of_map = |shape: &Shape| matches!(shape, Shape::Map { .. });
    let MapType { entry, keys, key, value } = MapType::of(context, shape, of_map)?;
    if buffer != 0 {
        own(context, state, buffer, Kind::MapBuffer, shape)?;
    }
    let mut entries = Entries { context, state, entry, number: 0, fault: None };
    let kind = MapKind::new(shape, key, value);
    let checked = map::verify_buffer(&Slots(context), &header, &kind, &keys, |key, value| entries.check(key, value));
    entries.result(checked)
}

/// A sorted map's slot, from its header to its end: count at 8, handle of the root node at 16, height at 24.
pub(super) fn verify_sorted(
    context: &Context<'_>,
    state: &mut State,
    bytes: &[u8],
    shape: u32,
) -> Result<(), Problem> {
    let [count, root, height] = words(context, bytes)?;
    let header = SortedHeader { count, root, height };
    let of_map = |shape: &Shape| matches!(shape, Shape::SortedMap { .. });
    let MapType { entry, keys, key, value } = MapType::of(context, shape, of_map)?;
    let entries = RefCell::new(Entries { context, state, entry, number: 0, fault: None });
    let kind = SortedKind::new(shape, key, value);
    let checked = sorted::verify_tree(
        &Slots(context),
        &header,
        &kind,
        &keys,
        |node| entries.borrow_mut().own_node(node, shape),
        |key, value| entries.borrow_mut().check(key, value),
    );
    entries.into_inner().result(checked)
}

/// The three words of a map's slot, behind which nothing lies.
fn words(context: &Context<'_>, bytes: &[u8]) -> Result<[u64; 3], Problem> {
    if bytes.len() < 32 {
        return Err(What::Room.into());
    }
    if !is_zero(&bytes[32..]) {
        return Err(What::Slack.into());
    }
    if context.order != ByteOrder::NATIVE && !is_zero(&bytes[8..]) {
        return Err(What::Foreign.into());
    }
    Ok([8, 16, 24].map(|at| word_at(bytes, at, context.order)))
}

/// What the registry says of a map's type.
struct MapType<'a> {
    entry: &'a EntryProgram,
    keys: DescribedKeys,
    key: Layout,
    value: Layout,
}

impl<'a> MapType<'a> {
    fn of(context: &'a Context<'_>, shape: u32, of_map: impl Fn(&Shape) -> bool) -> Result<Self, What> {
        let described = context.registry.shapes.get(shape as usize).filter(|shape| of_map(shape));
        let (Some(Shape::Map { key, .. } | Shape::SortedMap { key, .. }), Some(entry)) =
            (described, context.programs.entry(shape))
        else {
            return Err(What::Shape);
        };
        let keys = DescribedKeys::new(key, HashKey::new(context.hash_key)).ok_or(What::Entries)?;
        let (key, value) = laid_out(entry).filter(|(key, _)| keys.layout() == Some(*key)).ok_or(What::Entries)?;
        Ok(Self { entry, keys, key, value })
    }
}

/// The entries of a map while they are checked, one by one.
struct Entries<'a, 'b, 's> {
    context: &'b Context<'a>,
    state: &'s mut State,
    entry: &'b EntryProgram,
    number: u64,
    /// What is wrong, and in which entry, where it is no matter of the map itself.
    fault: Option<ElementFault>,
}

impl Entries<'_, '_, '_> {
    /// Key and value as values of their types; what they own gets its owner.
    fn check(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let checked = check_bytes(self.context, self.state, &self.entry.key, key)
            .and_then(|()| check_bytes(self.context, self.state, &self.entry.value, value));
        let number = self.number;
        self.number += 1;
        checked.map_err(|fault| self.stop(Fault { offset: Fault::WHOLE, ..fault }.in_element(number)))
    }

    /// A node must be one of this map, and have no owner yet.
    fn own_node(&mut self, node: u64, shape: u32) -> Result<()> {
        match own(self.context, self.state, node, Kind::SortedNode, shape) {
            Ok(_) => Ok(()),
            Err(what) => Err(self.stop(what.into())),
        }
    }

    /// Notes a fault, and makes the walk end.
    #[cold]
    fn stop(&mut self, fault: ElementFault) -> Error {
        self.fault = Some(fault);
        damaged(0, "an entry is damaged")
    }

    fn result(self, checked: Result<()>) -> Result<(), Problem> {
        match (checked, self.fault) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(fault)) => Err(fault.into()),
            (Err(Error::Corrupt { what: Corruption::Structure(words), .. }), None) => Err(Problem::Words(words)),
            (Err(error), None) => Err(Problem::Words(error.to_string())),
        }
    }
}

/// The slots of a heap, of which the first pass has checked every one by itself.
struct Slots<'a, 'b>(&'b Context<'a>);

impl<'a> Slots<'a, '_> {
    fn find(&self, handle: u64) -> Option<(&Info<'a>, u32, u64)> {
        let parts = Handle::from_bits(handle);
        let position = *self.0.catalog.positions().get(parts.region as usize)?;
        let info = self.0.infos.get(position as usize).filter(|info| info.type_number == u32::MAX)?;
        let index = info.slot_at(parts.index).filter(|&index| index < info.used)?;
        let word = word_at(info.slot(index), 0, self.0.order);
        (slot::generation(word) == parts.generation).then_some((info, index, word))
    }
}

impl ReadBuffers for Slots<'_, '_> {
    fn contents(&self, handle: u64, shape: BufferShape) -> Result<&[u8]> {
        let (info, index, _) = self.find(handle).ok_or_else(|| damaged(handle, "the map's buffer is not there"))?;
        let header_at = info.header_at(index) as u64;
        let start = slot::contents_at(header_at, slot::HEADER, shape.align as u64) - header_at;
        info.slot(index).get(start as usize..).ok_or_else(|| damaged(handle, "the map's buffer is too small"))
    }

    fn text(&self, handle: u64) -> Result<&str> {
        if handle == EMPTY {
            return Ok("");
        }
        let found = self.find(handle).filter(|(.., word)| slot::kind(*word) == Some(Kind::Text));
        let bytes = found.and_then(|(info, index, word)| {
            info.slot(index).get(slot::HEADER as usize..)?.get(..slot::aux(word) as usize)
        });
        bytes
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .ok_or_else(|| damaged(handle, "a key is no live text"))
    }
}
