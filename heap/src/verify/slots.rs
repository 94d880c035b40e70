//! The first pass: every slot by itself.

use std::ops::Range;

use migrate::{ByteOrder, HandleAt, HandleRun, Presence, Program, Target};

use super::values::{self, Fault, What};
use super::{Context, Info, RecordRegion, SlotWord, State, is_zero, place, word_at};
use crate::error::{Error, Place, Result};
use crate::format::catalog::TableKind;
use crate::format::handle::Handle;
use crate::format::slot::{self, HEADER, Kind, TOUCHED, UNOWNED};
use crate::read::{damaged, damaged_entry};

const HEAD: usize = HEADER as usize;

/// Checks what of the regions was not seen yet, and what is to be said of them as a whole.
pub(super) fn check(context: &Context<'_>, state: &mut State, seen: &[u32]) -> Result<()> {
    let mut live = vec![0; context.catalog.tables().len()];
    for ((position, info), &seen) in context.infos.iter().enumerate().zip(seen) {
        check_slots(context, info, position, seen..info.used, state).map_err(|wrong| wrong.named(context, info))?;
        let end = info.header_at(info.used).min(info.bytes.len());
        if !is_zero(&info.bytes[..info.start]) || !is_zero(&info.bytes[end..]) {
            return Err(damaged_entry("region", info.region.number.into(), "what was never used is not zero"));
        }
        let found = state.live[position];
        live[info.region.table as usize] += found;
        let words = &state.words[info.words..][..info.used as usize];
        match words.first() {
            Some(first) if found == u64::from(info.used) && words.iter().all(|word| word == first) => {
                state.records[position].generation = first.generation();
                state.surely_live &= first.generation() == context.first_generation || info.type_number == u32::MAX;
            }
            _ => state.surely_live &= info.type_number == u32::MAX,
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

/// A slot that is damaged, before it has a name: that takes the whole heap.
pub(super) struct Damage {
    index: u32,
    header: u64,
    what: SlotFault,
}

enum SlotFault {
    Slot(Wrong),
    Record(Fault),
}

impl Damage {
    #[cold]
    fn named(self, context: &Context<'_>, info: &Info<'_>) -> Error {
        match self.what {
            SlotFault::Record(fault) => place::error(context, info, self.index, fault.into()),
            SlotFault::Slot(wrong) => {
                let record = context.catalog.slot_name(info.region, self.index);
                damaged(Place::Record { record, field: String::new() }, wrong.in_words(self.header))
            }
        }
    }
}

/// Checks some slots of a region, which are in its bytes.
pub(super) fn check_slots(
    context: &Context<'_>,
    info: &Info<'_>,
    position: usize,
    slots: Range<u32>,
    state: &mut State,
) -> Result<(), Damage> {
    if slots.is_empty() {
        return Ok(());
    }
    state.live[position] += match info.kind {
        TableKind::Records(shape) => check_records(context, info, slots, state, shape)?,
        TableKind::Class(_) | TableKind::Large => check_values(context, info, slots, state)?,
    };
    Ok(())
}

/// Returns how many of the slots live.
fn check_records(
    context: &Context<'_>,
    info: &Info<'_>,
    slots: Range<u32>,
    state: &mut State,
    shape: u32,
) -> Result<u64, Damage> {
    let Some(program) = context.programs.value(shape) else { return Ok(0) };
    // Records that own nothing need no other slot's word; they are checked while they are at hand.
    let flat = !program.owns();
    let runs = if flat && context.order == ByteOrder::NATIVE { ReferenceRun::of(program) } else { None };
    let State { words, records, report, surely_live, .. } = state;
    let words = &mut words[info.words..][slots.start as usize..slots.end as usize];
    let bytes = &info.bytes[info.header_at(slots.start)..info.header_at(slots.end)];
    let mut asked = Asked::default();
    let mut live = 0;
    for ((index, bytes), word) in slots.zip(bytes.chunks_exact(info.stride)).zip(words) {
        let header = word_at(bytes, 0, context.order);
        let damage = |what| Damage { index, header, what };
        if header << (64 - 38) != RECORD << (64 - 38) || slot::generation(header) == 0 {
            let kind = check_slot(context, info, header, bytes).map_err(|wrong| damage(SlotFault::Slot(wrong)))?;
            *word = SlotWord::new(slot::generation(header), kind);
            continue;
        }
        *word = SlotWord::new(slot::generation(header), Kind::Record);
        live += 1;
        let (value, slack) = bytes[HEAD..].split_at(program.size());
        let seen = runs.as_ref().is_some_and(|runs| runs.iter().all(|run| asked.run(context, records, run, value)));
        if flat && !seen {
            let checked = program.run(value, context.order, |HandleAt { offset, target, word }| {
                asked.reference(context, records, target, word).map_err(|what| Fault { offset: offset as u32, what })
            });
            checked.map_err(|fault| damage(SlotFault::Record(fault)))?;
        }
        if !slack.is_empty() && !is_zero(slack) {
            return Err(damage(SlotFault::Record(Fault::of(What::Slack))));
        }
    }
    report.references += asked.references;
    *surely_live &= asked.doubt == 0;
    Ok(live)
}

/// References side by side in every record of a table.
struct ReferenceRun {
    bytes: Range<usize>,
    type_number: u32,
    presence: Presence,
}

impl ReferenceRun {
    /// What a record consists of, apart from bytes that may be anything, if it is nothing but references.
    fn of(program: &Program) -> Option<Vec<Self>> {
        let run = |HandleRun { at, count, target, presence }| match target {
            Target::Reference(type_number) => Some(Self { bytes: at..at + 8 * count, type_number, presence }),
            _ => None,
        };
        program.only_handles()?.into_iter().map(run).collect()
    }
}

/// The references of a region's records, seen before it is known what lives.
#[derive(Default)]
struct Asked {
    references: u64,
    /// Not 0 when one of them may be stale.
    doubt: u32,
}

impl Asked {
    /// Checks references side by side; false when something is wrong with one, and then none counts.
    #[inline(always)]
    fn run(&mut self, context: &Context<'_>, records: &[RecordRegion], run: &ReferenceRun, value: &[u8]) -> bool {
        let (mut references, mut doubt) = (0, 0);
        for &word in value[run.bytes.clone()].as_chunks::<8>().0 {
            let word = u64::from_ne_bytes(word);
            if word == 0 && run.presence == Presence::Optional {
                continue;
            }
            let handle = Handle::from_bits(word);
            let Ok(region) = values::region_named(context, records, run.type_number, handle) else { return false };
            references += 1;
            doubt |= Self::doubt(context, region, handle);
        }
        self.references += references;
        self.doubt |= doubt;
        true
    }

    /// Nearly all slots are of the first generation; whether they all are is known once all were seen.
    #[inline(always)]
    fn doubt(context: &Context<'_>, region: &RecordRegion, handle: Handle) -> u32 {
        (context.first_generation ^ handle.generation) | u32::from(handle.index >= region.used)
    }

    /// Checks one reference.
    #[inline]
    fn reference(
        &mut self,
        context: &Context<'_>,
        records: &[RecordRegion],
        target: Target,
        word: u64,
    ) -> Result<(), What> {
        // A program that owns nothing has no other handles.
        let Target::Reference(type_number) = target else { return Err(What::Kind) };
        let handle = Handle::from_bits(word);
        let region = values::region_named(context, records, type_number, handle)?;
        self.references += 1;
        self.doubt |= Self::doubt(context, region, handle);
        Ok(())
    }
}

/// The low 38 bits of a live record's header.
const RECORD: u64 = (Kind::Record as u64) << 32;

/// Returns how many of the slots live.
fn check_values(context: &Context<'_>, info: &Info<'_>, slots: Range<u32>, state: &mut State) -> Result<u64, Damage> {
    let mut live = 0;
    for index in slots {
        let bytes = info.slot(index);
        let header = word_at(bytes, 0, context.order);
        let checked = check_slot(context, info, header, bytes);
        let kind = checked.map_err(|wrong| Damage { index, header, what: SlotFault::Slot(wrong) })?;
        state.words[info.words + index as usize] = SlotWord::new(slot::generation(header), kind);
        match kind {
            Kind::Text => state.report.texts += 1,
            Kind::Bytes => state.report.bytes += 1,
            Kind::ListInline | Kind::ListSpilled => state.report.lists += 1,
            Kind::Map | Kind::SortedMap => state.report.maps += 1,
            Kind::Buffer | Kind::MapBuffer | Kind::SortedNode | Kind::Record => {}
            Kind::Unused | Kind::Free | Kind::Retired => continue,
        }
        live += 1;
    }
    Ok(live)
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
