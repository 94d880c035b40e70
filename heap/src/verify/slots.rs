//! The first pass: every slot by itself.

use super::values::{Fault, What};
use super::{Context, Info, SlotWord, State, is_zero, place, word_at};
use crate::error::{Place, Result};
use crate::format::catalog::TableKind;
use crate::format::slot::{self, HEADER, Kind, TOUCHED, UNOWNED};
use crate::read::{damaged, damaged_entry};

const HEAD: usize = HEADER as usize;

pub(super) fn check(context: &Context<'_>, state: &mut State) -> Result<()> {
    let mut live = vec![0; context.catalog.tables().len()];
    for (position, info) in context.infos.iter().enumerate() {
        let found = check_region(context, info, state)?;
        live[info.region.table as usize] += found;
        let words = &state.words[info.words..][..info.used as usize];
        if let Some(first) = words.first().filter(|_| found == u64::from(info.used))
            && words.iter().all(|word| word == first)
        {
            state.records[position].generation = first.generation();
        }
    }
    for (number, (table, found)) in context.catalog.tables().iter().zip(live).enumerate() {
        if table.entry.live != found {
            let what = format!("counts {} live slots, {found} are", table.entry.live);
            return Err(damaged_entry("table", number as u64, what));
        }
    }
    Ok(())
}

/// Returns how many slots live.
fn check_region(context: &Context<'_>, info: &Info<'_>, state: &mut State) -> Result<u64> {
    let live = match info.kind {
        TableKind::Records(shape) => check_records(context, info, state, shape)?,
        TableKind::Class(_) | TableKind::Large => check_values(context, info, state)?,
    };
    let end = info.header_at(info.used);
    if !is_zero(&info.bytes[..info.start]) || !is_zero(&info.bytes[end.min(info.bytes.len())..]) {
        return Err(damaged_entry("region", info.region.number.into(), "what was never used is not zero"));
    }
    Ok(live)
}

fn check_records(context: &Context<'_>, info: &Info<'_>, state: &mut State, shape: u32) -> Result<u64> {
    let Some(program) = context.programs.value(shape) else { return Ok(0) };
    // Records without handles need no other slot's word; they are checked while they are at hand.
    let flat = !program.holds_handles();
    let end = HEAD + program.size();
    let words = &mut state.words[info.words..][..info.used as usize];
    let slots = info.bytes[info.start..].chunks_exact(info.stride);
    let mut live = 0;
    for ((index, bytes), word) in (0..).zip(slots).zip(words) {
        let header = word_at(bytes, 0, context.order);
        if header << (64 - 38) != RECORD << (64 - 38) || slot::generation(header) == 0 {
            *word = check_other(context, info, index, header, bytes)?;
            continue;
        }
        *word = SlotWord::new(slot::generation(header), Kind::Record);
        live += 1;
        let mut checked = Ok(());
        if flat {
            checked = program.run(&bytes[HEAD..], context.order, |_| Ok::<(), Fault>(()));
        }
        if checked.is_ok() && !is_zero(&bytes[end..]) {
            checked = Err(Fault::of(What::Slack));
        }
        if let Err(fault) = checked {
            return Err(place::error(context, info, index, fault.into()));
        }
    }
    Ok(live)
}

/// The low 38 bits of a live record's header.
const RECORD: u64 = (Kind::Record as u64) << 32;

fn check_values(context: &Context<'_>, info: &Info<'_>, state: &mut State) -> Result<u64> {
    let mut live = 0;
    for index in 0..info.used {
        let bytes = info.slot(index);
        let header = word_at(bytes, 0, context.order);
        state.words[info.words + index as usize] = check_other(context, info, index, header, bytes)?;
        match slot::kind(header) {
            Some(Kind::Text) => state.report.texts += 1,
            Some(Kind::Bytes) => state.report.bytes += 1,
            Some(Kind::ListInline | Kind::ListSpilled) => state.report.lists += 1,
            Some(Kind::Map | Kind::SortedMap) => state.report.maps += 1,
            Some(Kind::Buffer | Kind::MapBuffer | Kind::SortedNode | Kind::Record) => {}
            Some(Kind::Unused | Kind::Free | Kind::Retired) | None => continue,
        }
        live += 1;
    }
    Ok(live)
}

/// Checks a slot of any kind, and names it if it is damaged.
#[inline]
fn check_other(context: &Context<'_>, info: &Info<'_>, index: u32, header: u64, bytes: &[u8]) -> Result<SlotWord> {
    match check_slot(context, info, header, bytes) {
        Ok(kind) => Ok(SlotWord::new(slot::generation(header), kind)),
        Err(what) => {
            let record = context.catalog.slot_name(info.region, index);
            Err(damaged(Place::Record { record, field: String::new() }, what.in_words(header)))
        }
    }
}

/// What can be wrong with a slot by itself.
#[derive(Debug, Clone, Copy)]
enum Wrong {
    Kind,
    Flags,
    Unused,
    Table,
    Generation,
    Free,
    Length,
    Utf8,
    Slack,
    Shape,
    Low,
}

impl Wrong {
    fn in_words(self, header: u64) -> String {
        let low = slot::aux(header);
        match self {
            Self::Kind => format!("kind {} is none", slot::kind_number(header)),
            Self::Flags => "a flag of its header is set that never is in a file".into(),
            Self::Unused => "is unused and not zero".into(),
            Self::Table => format!("a value of kind {:?} does not belong into this table", slot::kind(header)),
            Self::Generation => "has no generation".into(),
            Self::Free => "is free and not zero".into(),
            Self::Length => format!("is {low} bytes long and has no room for them"),
            Self::Utf8 => "is a text and not UTF-8".into(),
            Self::Slack => "what lies behind its end is not zero".into(),
            Self::Shape => format!("shape {low} does not exist"),
            Self::Low => format!("its header holds {low} in place of 0"),
        }
    }
}

#[inline]
fn check_slot(context: &Context<'_>, info: &Info<'_>, header: u64, bytes: &[u8]) -> Result<Kind, Wrong> {
    let kind = slot::kind(header).ok_or(Wrong::Kind)?;
    if header & (UNOWNED | TOUCHED) != 0 {
        return Err(Wrong::Flags);
    }
    let records = matches!(info.kind, TableKind::Records(_));
    let legal = match kind {
        Kind::Unused => return if header == 0 && is_zero(bytes) { Ok(kind) } else { Err(Wrong::Unused) },
        Kind::Free | Kind::Retired => true,
        Kind::Record => records,
        _ => !records,
    };
    if !legal {
        return Err(Wrong::Table);
    }
    if slot::generation(header) == 0 {
        return Err(Wrong::Generation);
    }
    check_contents(context, kind, slot::aux(header), bytes)?;
    Ok(kind)
}

#[inline]
fn check_contents(context: &Context<'_>, kind: Kind, low: u32, bytes: &[u8]) -> Result<(), Wrong> {
    match kind {
        Kind::Text | Kind::Bytes => {
            let (value, slack) = bytes[HEAD..].split_at_checked(low as usize).ok_or(Wrong::Length)?;
            if kind == Kind::Text && std::str::from_utf8(value).is_err() {
                return Err(Wrong::Utf8);
            }
            if is_zero(slack) { Ok(()) } else { Err(Wrong::Slack) }
        }
        // Their contents need the words of all slots: the second pass.
        Kind::ListInline
        | Kind::ListSpilled
        | Kind::Map
        | Kind::SortedMap
        | Kind::Buffer
        | Kind::MapBuffer
        | Kind::SortedNode => {
            if (low as usize) < context.registry.shapes.len() {
                Ok(())
            } else {
                Err(Wrong::Shape)
            }
        }
        Kind::Free | Kind::Retired if low == 0 => {
            if is_zero(&bytes[HEAD..]) {
                Ok(())
            } else {
                Err(Wrong::Free)
            }
        }
        Kind::Record if low == 0 => Ok(()),
        Kind::Record | Kind::Free | Kind::Retired | Kind::Unused => Err(Wrong::Low),
    }
}
