//! Names for damaged places. Only errors come here, so it may take a look at the whole heap.

use std::fmt::Write;

use migrate::{MAX_DEPTH, Program, field_path};

use super::values::{ElementFault, Fault, Trouble, What};
use super::{Context, Info, word_at};
use crate::error::{Error, Place};
use crate::format::catalog::TableKind;
use crate::format::handle::Handle;
use crate::format::slot::{self, HEADER, Kind};
use crate::read::damaged;

/// The error for a fault in a slot's value, named as the record that owns it and the path there.
pub(super) fn error(context: &Context<'_>, info: &Info<'_>, index: u32, trouble: Trouble) -> Error {
    let (element, offset, words) = match trouble {
        Trouble::Fault(ElementFault { element, fault }) => (element, fault.offset, fault.what.to_string()),
        Trouble::Map(words) => (None, Fault::WHOLE, words),
    };
    let mut at = (info, index);
    let mut path = path_in(context, info, index, element, offset);
    for _ in 0..=2 * MAX_DEPTH {
        let Some((holder, element, offset)) = holder_of(context, at) else { break };
        let mut outer = path_in(context, holder.0, holder.1, element, offset);
        if !path.is_empty() && !path.starts_with('[') && !outer.is_empty() {
            outer.push('.');
        }
        path.insert_str(0, &outer);
        at = holder;
    }
    let record = context.catalog.slot_name(at.0.region, at.1);
    damaged(Place::Record { record, field: path }, words)
}

/// The path inside one slot's value.
fn path_in(context: &Context<'_>, info: &Info<'_>, index: u32, element: Option<u64>, offset: u32) -> String {
    let mut path = String::new();
    if let Some(element) = element {
        // Writing into a string does not fail.
        let _ = write!(path, "[{element}]");
    }
    let Some((start, program, shape)) = contents(context, info, index) else { return path };
    let at = start + element.unwrap_or(0) as usize * program.size();
    let slot = info.slot(index);
    if let (Some(shape), Some(bytes)) = (context.registry.shapes.get(shape as usize), slot.get(at..)) {
        let inner = field_path(&context.index, shape, bytes, context.order, offset as usize);
        if !path.is_empty() && !inner.is_empty() && !inner.starts_with('[') {
            path.push('.');
        }
        path.push_str(&inner);
    }
    path
}

/// Where a slot's record or elements begin, the program of each, and its shape; `None` for slots of other kinds.
fn contents<'b>(context: &'b Context<'_>, info: &Info<'_>, index: u32) -> Option<(usize, &'b Program, u32)> {
    if let TableKind::Records(shape) = info.kind {
        return Some((HEADER as usize, context.programs.value(shape)?, shape));
    }
    let header = word_at(info.slot(index), 0, context.order);
    let fixed = match slot::kind(header)? {
        Kind::ListInline => 16,
        Kind::Buffer => 8,
        _ => return None,
    };
    let shape = slot::aux(header);
    let program = context.programs.value(shape)?;
    let header_at = info.header_at(index) as u64;
    let start = slot::contents_at(header_at, fixed, program.align() as u64) - header_at;
    Some((start as usize, program, shape))
}

/// A slot: its region and its index there.
type At<'a, 'b> = (&'b Info<'a>, u32);

/// The slot that holds the handle of a value, and where in it; `None` for records, which nobody owns.
fn holder_of<'a, 'b>(context: &'b Context<'a>, (info, index): At<'a, '_>) -> Option<(At<'a, 'b>, Option<u64>, u32)> {
    if matches!(info.kind, TableKind::Records(_)) {
        return None;
    }
    let generation = slot::generation(word_at(info.slot(index), 0, context.order));
    let handle = Handle { generation, region: info.region.number, index: (info.header_at(index) / 8) as u32 };
    let handle = handle.to_bits();
    for info in &context.infos {
        for index in 0..info.used {
            if let Some((element, offset)) = holds(context, info, index, handle) {
                return Some(((info, index), element, offset));
            }
        }
    }
    None
}

/// Where a slot's value holds this handle, if it does.
fn holds(context: &Context<'_>, info: &Info<'_>, index: u32, handle: u64) -> Option<(Option<u64>, u32)> {
    let slot = info.slot(index);
    let header = word_at(slot, 0, context.order);
    let kind = slot::kind(header)?;
    if kind == Kind::ListSpilled || kind == Kind::Map || kind == Kind::SortedMap {
        return (word_at(slot, 16, context.order) == handle).then_some((None, 0));
    }
    if kind == Kind::MapBuffer || kind == Kind::SortedNode {
        // Every part of them that holds handles is aligned for them.
        let words = slot.as_chunks::<8>().0;
        return words[1..].iter().any(|&word| context.order.u64(word) == handle).then_some((None, Fault::WHOLE));
    }
    let (start, program, _) = contents(context, info, index)?;
    if program.is_trivial() || program.size() == 0 {
        return None;
    }
    let count = if kind == Kind::Record { 1 } else { usize::MAX };
    for (element, bytes) in slot.get(start..)?.chunks_exact(program.size()).take(count).enumerate() {
        // Damage before the place is not looked for here: the search ends at an error of its own.
        let found = program.run(bytes, context.order, |found| {
            let place = Fault { offset: found.offset as u32, what: What::SecondOwner };
            if found.word == handle { Err(place) } else { Ok(()) }
        });
        if let Err(Fault { offset, what: What::SecondOwner }) = found {
            return Some(((kind != Kind::Record).then_some(element as u64), offset));
        }
    }
    None
}
