//! The second pass: every handle in every live value.

use migrate::{HandleAt, Program, Target, ValueFault};

use super::{Context, Info, SlotWord, State, is_zero, map, place, word_at};
use crate::error::{Place, Result};
use crate::format::catalog::TableKind;
use crate::format::handle::{EMPTY, Handle};
use crate::format::slot::{self, Kind};
use crate::read::damaged;

/// What is wrong with a value, and at which byte of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// Position of the element, for lists and maps.
    pub(super) element: Option<u64>,
    /// Offset in the record or element.
    pub(super) offset: usize,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum What {
    #[error(transparent)]
    Value(ValueFault),
    #[error("{0}")]
    Words(&'static str),
}

impl From<ValueFault> for Fault {
    fn from(fault: ValueFault) -> Self {
        Self { element: None, offset: fault.offset(), what: What::Value(fault) }
    }
}

impl Fault {
    /// A fault of a value as a whole: no field lies at its offset.
    pub(super) const fn of(what: &'static str) -> Self {
        Self { element: None, offset: usize::MAX, what: What::Words(what) }
    }
}

pub(super) fn check(context: &Context<'_>, state: &mut State) -> Result<()> {
    for (position, info) in context.infos.iter().enumerate() {
        if let TableKind::Records(shape) = info.kind {
            check_records(context, state, position, shape)?;
            continue;
        }
        for index in 0..info.used {
            if let Err(fault) = check_value(context, state, info, index) {
                return Err(place::error(context, position, index, fault));
            }
        }
    }
    Ok(())
}

fn check_records(context: &Context<'_>, state: &mut State, position: usize, shape: u32) -> Result<()> {
    let info = &context.infos[position];
    let Some(program) = context.programs.value(shape) else { return Ok(()) };
    let end = slot::HEADER as usize + program.size();
    for index in 0..info.used {
        if !state.words[info.words + index as usize].is(Kind::Record) {
            continue;
        }
        let (record, slack) = info.slot(index).split_at(end);
        let mut checked = check_bytes(context, state, program, &record[slot::HEADER as usize..]);
        if checked.is_ok() && !is_zero(slack) {
            checked = Err(Fault::of("what lies behind the record is not zero"));
        }
        if let Err(fault) = checked {
            return Err(place::error(context, position, index, fault));
        }
    }
    Ok(())
}

fn check_value(context: &Context<'_>, state: &mut State, info: &Info<'_>, index: u32) -> Result<(), Fault> {
    let word = state.words[info.words + index as usize];
    let kind = word.kind();
    if !matches!(kind, Kind::ListInline | Kind::ListSpilled | Kind::Map | Kind::SortedMap) {
        return Ok(());
    }
    let bytes = info.slot(index);
    let shape = slot::aux(word_at(bytes, 0, context.order));
    if bytes.len() < 24 {
        return Err(Fault::of("has no room for what it must hold"));
    }
    let len = word_at(bytes, 8, context.order);
    match kind {
        Kind::ListInline => check_elements(context, state, &Elements { info, index, fixed: 16, shape, len }),
        Kind::ListSpilled => {
            if !is_zero(&bytes[24..]) {
                return Err(Fault::of("what lies behind its header is not zero"));
            }
            let (info, index) = own(context, state, word_at(bytes, 16, context.order), Kind::Buffer, shape)?;
            check_elements(context, state, &Elements { info, index, fixed: 8, shape, len })
        }
        Kind::Map => map::verify_map(context, state, bytes, shape),
        _ => map::verify_sorted(context, state, bytes, shape),
    }
}

/// The elements of a list, in its own slot or in its buffer's.
struct Elements<'a, 'b> {
    info: &'b Info<'a>,
    index: u32,
    /// Bytes between the slot's start and the elements, before alignment.
    fixed: u64,
    shape: u32,
    len: u64,
}

fn check_elements(context: &Context<'_>, state: &mut State, elements: &Elements<'_, '_>) -> Result<(), Fault> {
    let Elements { info, index, fixed, shape, len } = *elements;
    let Some(program) = context.programs.value(shape) else { return Err(Fault::of("its shape does not exist")) };
    let header_at = info.header_at(index);
    let start = slot::contents_at(header_at as u64, fixed, program.align() as u64) as usize - header_at;
    let bytes = info.slot(index);
    let end = usize::try_from(len).ok().and_then(|len| len.checked_mul(program.size())?.checked_add(start));
    let Some(end) = end.filter(|&end| program.size() > 0 && end <= bytes.len()) else {
        return Err(Fault::of("is longer than the room it has"));
    };
    if !is_zero(&bytes[fixed as usize..start]) || !is_zero(&bytes[end..]) {
        return Err(Fault::of("what lies around its elements is not zero"));
    }
    if program.is_trivial() {
        return Ok(());
    }
    for (element, bytes) in bytes[start..end].chunks_exact(program.size()).enumerate() {
        check_bytes(context, state, program, bytes)
            .map_err(|fault| Fault { element: Some(element as u64), ..fault })?;
    }
    Ok(())
}

/// Checks one record, element, key, value or entry; what it owns gets its owner.
#[inline]
pub(super) fn check_bytes(
    context: &Context<'_>,
    state: &mut State,
    program: &Program,
    bytes: &[u8],
) -> Result<(), Fault> {
    program.run(bytes, context.order, |HandleAt { offset, target, word }| {
        let fault = |what| Fault { element: None, offset, what: What::Words(what) };
        check_handle(context, state, target, word).map_err(fault)
    })
}

/// Checks a handle, counts it if it is a reference, and makes its holder the owner of what it names otherwise.
#[inline]
pub(super) fn check_handle(
    context: &Context<'_>,
    state: &mut State,
    target: Target,
    word: u64,
) -> Result<(), &'static str> {
    let (kinds, shape) = match target {
        Target::Reference(type_number) => return check_reference(context, state, type_number, word),
        Target::Text => ((Kind::Text, Kind::Text), None),
        Target::Bytes => ((Kind::Bytes, Kind::Bytes), None),
        Target::List(shape) => ((Kind::ListInline, Kind::ListSpilled), Some(shape)),
        Target::Map(shape) => ((Kind::Map, Kind::Map), Some(shape)),
        Target::SortedMap(shape) => ((Kind::SortedMap, Kind::SortedMap), Some(shape)),
    };
    if word == EMPTY && shape.is_none() {
        return Ok(());
    }
    let (info, index, slot) = find(context, state, word)?;
    if !slot.is(kinds.0) && !slot.is(kinds.1) {
        return Err("the handle names a value of another kind");
    }
    if shape.is_some_and(|shape| shape != slot::aux(word_at(info.slot(index), 0, context.order))) {
        return Err("the handle names a value of another shape");
    }
    take(state, info, index)
}

#[inline]
fn check_reference(context: &Context<'_>, state: &mut State, type_number: u32, word: u64) -> Result<(), &'static str> {
    let handle = Handle::from_bits(word);
    let Some(info) = info_of(context, handle.region) else { return Err("the reference names a region not in use") };
    if info.type_number != type_number {
        return Err("the reference names a record of another type");
    }
    if handle.index >= info.slots || handle.generation == 0 {
        return Err("the reference names no slot");
    }
    state.report.references += 1;
    let live = handle.index < info.used
        && state.words[info.words + handle.index as usize] == SlotWord::new(handle.generation, Kind::Record);
    state.report.stale_references += u64::from(!live);
    Ok(())
}

/// The value of a kind and shape that a handle inside another value's header names, which becomes its owner.
pub(super) fn own<'a, 'b>(
    context: &'b Context<'a>,
    state: &mut State,
    word: u64,
    kind: Kind,
    shape: u32,
) -> Result<(&'b Info<'a>, u32), Fault> {
    let (info, index, slot) = find(context, state, word).map_err(Fault::of)?;
    if !slot.is(kind) || slot::aux(word_at(info.slot(index), 0, context.order)) != shape {
        return Err(Fault::of("its buffer is of another kind or shape"));
    }
    take(state, info, index).map_err(Fault::of)?;
    Ok((info, index))
}

#[inline]
fn info_of<'a, 'b>(context: &'b Context<'a>, region: u32) -> Option<&'b Info<'a>> {
    Some(&context.infos[context.catalog.region_position(region)? as usize])
}

/// The live slot that an owned value's handle names.
#[inline]
fn find<'a, 'b>(
    context: &'b Context<'a>,
    state: &State,
    word: u64,
) -> Result<(&'b Info<'a>, u32, SlotWord), &'static str> {
    let handle = Handle::from_bits(word);
    let Some(info) = info_of(context, handle.region) else { return Err("the handle names a region not in use") };
    if info.type_number != u32::MAX {
        return Err("the handle names a record");
    }
    let Some(index) = info.slot_at(handle.index).filter(|&index| index < info.used) else {
        return Err("the handle does not name the start of a slot");
    };
    let slot = state.words[info.words + index as usize];
    if slot.generation() != handle.generation || handle.generation == 0 {
        return Err("the handle names a value that is gone");
    }
    Ok((info, index, slot))
}

#[inline]
fn take(state: &mut State, info: &Info<'_>, index: u32) -> Result<(), &'static str> {
    let slot = &mut state.words[info.words + index as usize];
    if slot.is_owned() {
        return Err("the value it names has two owners");
    }
    slot.0 |= SlotWord::OWNED;
    Ok(())
}

/// The third pass: every live value but a record has an owner.
pub(super) fn check_owned(context: &Context<'_>, state: &State) -> Result<()> {
    for info in context.infos.iter().filter(|info| info.type_number == u32::MAX) {
        for index in 0..info.used {
            let word = state.words[info.words + index as usize];
            if !word.is_owned() && !matches!(word.kind(), Kind::Unused | Kind::Free | Kind::Retired) {
                let record = context.catalog.slot_name(info.region, index);
                let what = format!("this {:?} has no owner", word.kind());
                return Err(damaged(Place::Record { record, field: String::new() }, what));
            }
        }
    }
    Ok(())
}
