//! The second pass: every handle in every live value.

use std::convert::Infallible;

use migrate::{HandleAt, Presence, Program, Target, ValueFault};

use super::{Context, Info, RecordRegion, SlotWord, State, is_zero, map, place, word_at};
use crate::error::{Place, Result};
use crate::format::catalog::TableKind;
use crate::format::handle::{EMPTY, Handle};
use crate::format::slot::{self, Kind};
use crate::read::damaged;

/// What is wrong with a value, and at which byte of it. Small, because every check returns one or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// Offset in the record or element, [`Fault::WHOLE`] for no particular byte.
    pub(super) offset: u32,
    pub(super) what: What,
}

/// What can be wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[repr(u8)]
pub(super) enum What {
    #[error("the value is cut short")]
    Short,
    #[error("padding is not zero")]
    Padding,
    #[error("a bool is neither 0 nor 1")]
    Bool,
    #[error("a char is no Unicode scalar value")]
    Char,
    #[error("the tag is none of the type's")]
    Tag,
    #[error("a handle is zero")]
    Zero,
    #[error("the handle names a region not in use")]
    Region,
    #[error("the handle names a record")]
    NamesRecord,
    #[error("the handle does not name the start of a slot")]
    NoSlot,
    #[error("the handle names a value that is gone")]
    Gone,
    #[error("the handle names a value of another kind")]
    Kind,
    #[error("the handle names a value of another shape")]
    Shape,
    #[error("the value it names has two owners")]
    SecondOwner,
    #[error("the reference names a record of another type")]
    Type,
    #[error("the reference names no slot")]
    NoRecord,
    #[error("what lies behind it is not zero")]
    Slack,
    #[error("it is longer than the room it has")]
    Room,
    #[error("its buffer is of another kind or shape")]
    Buffer,
    #[error("its entries are of a kind that this version does not know")]
    Entries,
}

impl From<ValueFault> for Fault {
    #[cold]
    fn from(fault: ValueFault) -> Self {
        let what = match fault {
            ValueFault::Short(_) => What::Short,
            ValueFault::Padding(_) => What::Padding,
            ValueFault::Bool(_) => What::Bool,
            ValueFault::Char(_) => What::Char,
            ValueFault::Tag(_) => What::Tag,
            ValueFault::Zero(_) => What::Zero,
        };
        Self { offset: fault.offset() as u32, what }
    }
}

impl Fault {
    /// The offset of a value as a whole: no field lies there.
    pub(super) const WHOLE: u32 = u32::MAX;

    pub(super) const fn of(what: What) -> Self {
        Self { offset: Self::WHOLE, what }
    }

    pub(super) const fn in_element(self, element: u64) -> ElementFault {
        ElementFault { element: Some(element), fault: self }
    }
}

/// A fault in a list or map, and in which of its elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ElementFault {
    pub(super) element: Option<u64>,
    pub(super) fault: Fault,
}

impl From<Fault> for ElementFault {
    fn from(fault: Fault) -> Self {
        Self { element: None, fault }
    }
}

/// A fault, or what the code of maps has to say about one of theirs.
#[derive(Debug)]
pub(super) enum Trouble {
    Fault(ElementFault),
    Map(String),
}

impl<F: Into<ElementFault>> From<F> for Trouble {
    fn from(fault: F) -> Self {
        Self::Fault(fault.into())
    }
}

impl From<What> for ElementFault {
    fn from(what: What) -> Self {
        Fault::of(what).into()
    }
}

pub(super) fn check(context: &Context<'_>, state: &mut State) -> Result<()> {
    for info in &context.infos {
        if let TableKind::Records(shape) = info.kind {
            check_records(context, state, info, shape)?;
            continue;
        }
        for index in 0..info.used {
            if let Err(trouble) = check_value(context, state, info, index) {
                return Err(place::error(context, info, index, trouble));
            }
        }
    }
    Ok(())
}

fn check_records(context: &Context<'_>, state: &mut State, info: &Info<'_>, shape: u32) -> Result<()> {
    let Some(program) = context.programs.value(shape) else { return Ok(()) };
    if !program.owns() {
        // The first pass has checked such records, and mostly found that all they refer to lives.
        if program.holds_handles() && !state.surely_live {
            count_stale(context, state, info, program);
        }
        return Ok(());
    }
    for index in 0..info.used {
        if !state.words[info.words + index as usize].is(Kind::Record) {
            continue;
        }
        if let Err(fault) = check_bytes(context, state, program, &info.slot(index)[slot::HEADER as usize..]) {
            return Err(place::error(context, info, index, fault.into()));
        }
    }
    Ok(())
}

/// Counts the stale references in the records of a region, which were checked otherwise.
fn count_stale(context: &Context<'_>, state: &mut State, info: &Info<'_>, program: &Program) {
    let State { words, records, report, .. } = state;
    for (index, word) in (0..info.used).zip(&words[info.words..]) {
        if !word.is(Kind::Record) {
            continue;
        }
        let record = &info.slot(index)[slot::HEADER as usize..];
        let Ok(()) = program.handles(record, context.order, |found| {
            let (Target::Reference(type_number), handle) = (found.target, Handle::from_bits(found.word)) else {
                return Ok::<(), Infallible>(());
            };
            let live =
                region_named(context, records, type_number, handle).is_ok_and(|region| region.holds(words, handle));
            report.stale_references += u64::from(!live);
            Ok(())
        });
    }
}

fn check_value(context: &Context<'_>, state: &mut State, info: &Info<'_>, index: u32) -> Result<(), Trouble> {
    let word = state.words[info.words + index as usize];
    let kind = word.kind();
    if !matches!(kind, Kind::ListInline | Kind::ListSpilled | Kind::Map | Kind::SortedMap) {
        return Ok(());
    }
    let bytes = info.slot(index);
    let shape = slot::aux(word_at(bytes, 0, context.order));
    if bytes.len() < 24 {
        return Err(What::Room.into());
    }
    let len = word_at(bytes, 8, context.order);
    match kind {
        Kind::ListInline => Ok(check_elements(context, state, &Elements { info, index, fixed: 16, shape, len })?),
        Kind::ListSpilled => {
            if !is_zero(&bytes[24..]) {
                return Err(What::Slack.into());
            }
            let (info, index) = own(context, state, word_at(bytes, 16, context.order), Kind::Buffer, shape)?;
            Ok(check_elements(context, state, &Elements { info, index, fixed: 8, shape, len })?)
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

fn check_elements(context: &Context<'_>, state: &mut State, elements: &Elements<'_, '_>) -> Result<(), ElementFault> {
    let Elements { info, index, fixed, shape, len } = *elements;
    let Some(program) = context.programs.value(shape) else { return Err(What::Shape.into()) };
    let header_at = info.header_at(index);
    let start = slot::contents_at(header_at as u64, fixed, program.align() as u64) as usize - header_at;
    let bytes = info.slot(index);
    let end = usize::try_from(len).ok().and_then(|len| len.checked_mul(program.size())?.checked_add(start));
    let Some(end) = end.filter(|&end| program.size() > 0 && end <= bytes.len()) else {
        return Err(What::Room.into());
    };
    if !is_zero(&bytes[fixed as usize..start]) || !is_zero(&bytes[end..]) {
        return Err(What::Slack.into());
    }
    if program.is_trivial() {
        return Ok(());
    }
    if let Some((target, presence)) = program.only_handle() {
        // Most lists are of references or texts.
        let handles = bytes[start..end].as_chunks::<8>().0;
        for (&bytes, element) in handles.iter().zip(0..) {
            let word = context.order.u64(bytes);
            let checked = match (word, presence) {
                (0, Presence::Optional) => Ok(()),
                (0, Presence::Always) => Err(What::Zero),
                _ => check_handle(context, state, target, word),
            };
            checked.map_err(|what| Fault { offset: 0, what }.in_element(element))?;
        }
        return Ok(());
    }
    for (element, bytes) in bytes[start..end].chunks_exact(program.size()).enumerate() {
        check_bytes(context, state, program, bytes).map_err(|fault| fault.in_element(element as u64))?;
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
        check_handle(context, state, target, word).map_err(|what| Fault { offset: offset as u32, what })
    })
}

/// Checks a handle, counts it if it is a reference, and makes its holder the owner of what it names otherwise.
#[inline(always)]
pub(super) fn check_handle(context: &Context<'_>, state: &mut State, target: Target, word: u64) -> Result<(), What> {
    match target {
        Target::Reference(type_number) => check_reference(context, state, type_number, word),
        owned => check_owned_handle(context, state, owned, word),
    }
}

fn check_owned_handle(context: &Context<'_>, state: &mut State, target: Target, word: u64) -> Result<(), What> {
    let (kinds, shape) = match target {
        Target::Text => ((Kind::Text, Kind::Text), None),
        Target::List(shape) => ((Kind::ListInline, Kind::ListSpilled), Some(shape)),
        Target::Map(shape) => ((Kind::Map, Kind::Map), Some(shape)),
        Target::SortedMap(shape) => ((Kind::SortedMap, Kind::SortedMap), Some(shape)),
        Target::Bytes | Target::Reference(_) => ((Kind::Bytes, Kind::Bytes), None),
    };
    if word == EMPTY && shape.is_none() {
        return Ok(());
    }
    let (info, index, slot) = find(context, state, word)?;
    if !slot.is(kinds.0) && !slot.is(kinds.1) {
        return Err(What::Kind);
    }
    if shape.is_some_and(|shape| shape != slot::aux(word_at(info.slot(index), 0, context.order))) {
        return Err(What::Shape);
    }
    take(state, info, index)
}

#[inline(always)]
fn check_reference(context: &Context<'_>, state: &mut State, type_number: u32, word: u64) -> Result<(), What> {
    let handle = Handle::from_bits(word);
    let live = region_named(context, &state.records, type_number, handle)?.holds(&state.words, handle);
    state.report.references += 1;
    state.report.stale_references += u64::from(!live);
    Ok(())
}

/// The region that a reference names, which has such a slot for a record of the type.
#[inline(always)]
pub(super) fn region_named<'r>(
    context: &Context<'_>,
    records: &'r [RecordRegion],
    type_number: u32,
    handle: Handle,
) -> Result<&'r RecordRegion, What> {
    let position = context.catalog.positions().get(handle.region as usize);
    let Some(region) = position.and_then(|&position| records.get(position as usize)) else {
        return Err(What::Region);
    };
    if region.type_number != type_number {
        return Err(What::Type);
    }
    if handle.index >= region.slots || handle.generation == 0 {
        return Err(What::NoRecord);
    }
    Ok(region)
}

/// The value of a kind and shape that a handle inside another value's header names, which becomes its owner.
pub(super) fn own<'a, 'b>(
    context: &'b Context<'a>,
    state: &mut State,
    word: u64,
    kind: Kind,
    shape: u32,
) -> Result<(&'b Info<'a>, u32), What> {
    let (info, index, slot) = find(context, state, word)?;
    if !slot.is(kind) || slot::aux(word_at(info.slot(index), 0, context.order)) != shape {
        return Err(What::Buffer);
    }
    take(state, info, index)?;
    Ok((info, index))
}

#[inline]
fn info_of<'a, 'b>(context: &'b Context<'a>, region: u32) -> Option<&'b Info<'a>> {
    context.infos.get(*context.catalog.positions().get(region as usize)? as usize)
}

/// The live slot that an owned value's handle names.
#[inline]
fn find<'a, 'b>(context: &'b Context<'a>, state: &State, word: u64) -> Result<(&'b Info<'a>, u32, SlotWord), What> {
    let handle = Handle::from_bits(word);
    let Some(info) = info_of(context, handle.region) else { return Err(What::Region) };
    if info.type_number != u32::MAX {
        return Err(What::NamesRecord);
    }
    let Some(index) = info.slot_at(handle.index).filter(|&index| index < info.used) else {
        return Err(What::NoSlot);
    };
    let slot = state.words[info.words + index as usize];
    if slot.generation() != handle.generation || handle.generation == 0 {
        return Err(What::Gone);
    }
    Ok((info, index, slot))
}

#[inline]
fn take(state: &mut State, info: &Info<'_>, index: u32) -> Result<(), What> {
    let slot = &mut state.words[info.words + index as usize];
    if slot.is_owned() {
        return Err(What::SecondOwner);
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
