//! The first pass: every slot by itself.

use super::{Context, Info, SlotWord, State, is_zero, word_at};
use crate::error::{Place, Result};
use crate::format::catalog::TableKind;
use crate::format::slot::{self, HEADER, Kind, RESERVED, TOUCHED};
use crate::read::{damaged, damaged_entry};

const HEAD: usize = HEADER as usize;

pub(super) fn check(context: &Context<'_>, state: &mut State) -> Result<()> {
    let mut live = vec![0; context.catalog.tables().len()];
    for info in &context.infos {
        live[info.region.table as usize] += check_region(context, info, state)?;
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
    let mut live = 0;
    for index in 0..info.used {
        let bytes = info.slot(index);
        let header = word_at(bytes, 0, context.order);
        let kind = match check_slot(context, info, header, bytes) {
            Ok(kind) => kind,
            Err(what) => {
                let record = context.catalog.slot_name(info.region, index);
                return Err(damaged(Place::Record { record, field: String::new() }, what));
            }
        };
        state.words[info.words + index as usize] = SlotWord::new(slot::generation(header), kind);
        match kind {
            Kind::Unused | Kind::Free | Kind::Retired => continue,
            Kind::Text => state.report.texts += 1,
            Kind::Bytes => state.report.bytes += 1,
            Kind::ListInline | Kind::ListSpilled => state.report.lists += 1,
            Kind::Map | Kind::SortedMap => state.report.maps += 1,
            Kind::Record | Kind::Buffer => {}
        }
        live += 1;
    }
    let end = info.header_at(info.used);
    if !is_zero(&info.bytes[..info.start]) || !is_zero(&info.bytes[end.min(info.bytes.len())..]) {
        return Err(damaged_entry("region", info.region.number.into(), "what was never used is not zero"));
    }
    Ok(live)
}

#[inline]
fn check_slot(context: &Context<'_>, info: &Info<'_>, header: u64, bytes: &[u8]) -> Result<Kind, String> {
    let Some(kind) = slot::kind(header) else {
        return Err(format!("kind {} is none", slot::kind_number(header)));
    };
    if header & (RESERVED | TOUCHED) != 0 {
        return Err("a flag of its header is set that never is in a file".into());
    }
    let legal = match kind {
        Kind::Unused => {
            return if header == 0 && is_zero(bytes) { Ok(kind) } else { Err("is unused and not zero".into()) };
        }
        Kind::Free | Kind::Retired => true,
        Kind::Record => matches!(info.kind, TableKind::Records(_)),
        _ => !matches!(info.kind, TableKind::Records(_)),
    };
    if !legal {
        return Err(format!("a value of kind {kind:?} does not belong into this table"));
    }
    if slot::generation(header) == 0 {
        return Err("has no generation".into());
    }
    check_contents(context, kind, slot::aux(header), bytes)?;
    Ok(kind)
}

#[inline]
fn check_contents(context: &Context<'_>, kind: Kind, aux: u32, bytes: &[u8]) -> Result<(), String> {
    match kind {
        Kind::Record if aux == 0 => Ok(()),
        Kind::Free | Kind::Retired if aux == 0 => {
            if is_zero(&bytes[HEAD..]) {
                Ok(())
            } else {
                Err("is free and not zero".into())
            }
        }
        Kind::Text | Kind::Bytes => {
            let Some((value, slack)) = bytes[HEAD..].split_at_checked(aux as usize) else {
                return Err(format!("is {aux} bytes long and has no room for them"));
            };
            if kind == Kind::Text && std::str::from_utf8(value).is_err() {
                return Err("is a text and not UTF-8".into());
            }
            if is_zero(slack) { Ok(()) } else { Err("what lies behind its end is not zero".into()) }
        }
        // Their contents need the words of all slots: the second pass.
        Kind::ListInline | Kind::ListSpilled | Kind::Map | Kind::SortedMap | Kind::Buffer => {
            if (aux as usize) < context.registry.shapes.len() {
                Ok(())
            } else {
                Err(format!("shape {aux} does not exist"))
            }
        }
        Kind::Record | Kind::Free | Kind::Retired | Kind::Unused => {
            Err(format!("its header holds {aux} in place of 0"))
        }
    }
}
