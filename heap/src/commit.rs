//! From what a transaction touched to the operations of its frame.

use std::sync::Arc;

use migrate::{ByteOrder, Programs};

use crate::error::Result;
use crate::format::catalog::{ExtentEntry, TableKind};
use crate::format::frame::Operation;
use crate::format::slot::{self, Kind};
use crate::format::{BLOCK, REGION};
use crate::ownership;
use crate::planted::planted;
use crate::raw::{Saved, View, What, Writing};
use crate::shared::Shared;
use crate::state::State;

/// From this many bytes on, fresh extents are written to the base at once and published by the frame.
const DIRECT: u64 = 1 << 20;

/// Equal bytes between two changes that are not worth an operation of their own.
const GAP: usize = 16;

/// Settles ownership and puts the transaction's operations into `state.payload`. On an error nothing was appended,
/// and the transaction is to be rolled back.
pub(crate) fn prepare(state: &mut State, shared: &Shared, raw: &mut Writing<'_>) -> Result<()> {
    state.refresh_programs(shared)?;
    zero_padding(state, raw);
    ownership::settle(state, shared, raw)?;
    let registry = shared.binder().archive_if_changed();
    let sequence = state.sequence + 1;
    state
        .catalog
        .make_room(&*shared.storage, sequence, registry.as_deref())
        .map_err(|error| shared.no_room(error))?;
    let mut payload = std::mem::take(&mut state.payload);
    payload.clear();
    let direct = write_fresh_extents(state, shared, raw, &mut payload)?;
    sync_base(state, shared, &direct)?;
    emit_saved(state, raw, &direct, &mut payload);
    emit_fresh(state, raw, &direct, &mut payload);
    for &header in &state.counted_up {
        let bytes = clean_word(raw.view(), header).to_ne_bytes();
        emit(state, raw.view(), header, &bytes, &mut payload);
    }
    state.catalog.changes(registry.as_deref(), |operation| operation.encode(&mut payload));
    state.payload = payload;
    Ok(())
}

/// Padding of everything that typed code wrote becomes zero.
fn zero_padding(state: &State, raw: &mut Writing<'_>) {
    let programs = Arc::clone(&state.programs);
    for number in 0..raw.undo().saved.len() {
        let Saved { at, header, len, what, .. } = raw.undo().saved[number];
        match what {
            What::Record => zero_padding_of(state, &programs, raw, header, at, len as u64),
            What::Elements => zero_padding_of_elements(&programs, raw, header, at, len as u64),
            What::Slot => zero_padding_of_slot(state, &programs, raw, header),
            What::Entries | What::Plain => {}
        }
    }
    for number in 0..raw.undo().fresh.len() {
        let header = raw.undo().fresh[number];
        zero_padding_of_slot(state, &programs, raw, header);
    }
}

fn zero_padding_of(state: &State, programs: &Programs, raw: &mut Writing<'_>, header: u64, at: u64, len: u64) {
    let table = state.table_of(raw.space(), header);
    if let TableKind::Records(shape) = state.catalog.tables[table as usize].entry.kind
        && let Some(program) = programs.value(shape).filter(|program| program.has_padding())
        && slot::kind_number(raw.view().word(header)) == Kind::Record as u8
    {
        program.zero_padding(raw.slot_bytes_mut(at, len), ByteOrder::NATIVE);
    }
}

fn zero_padding_of_elements(programs: &Programs, raw: &mut Writing<'_>, header: u64, at: u64, len: u64) {
    let shape = slot::aux(raw.view().word(header));
    if let Some(program) = programs.value(shape).filter(|program| program.has_padding()) {
        for element in raw.slot_bytes_mut(at, len).chunks_exact_mut(program.size()) {
            program.zero_padding(element, ByteOrder::NATIVE);
        }
    }
}

fn zero_padding_of_slot(state: &State, programs: &Programs, raw: &mut Writing<'_>, header: u64) {
    let word = raw.view().word(header);
    match slot::kind(word) {
        Some(Kind::Record) => {
            let table = state.table_of(raw.space(), header);
            if let TableKind::Records(shape) = state.catalog.tables[table as usize].entry.kind
                && let Some(program) = programs.value(shape)
            {
                zero_padding_of(state, programs, raw, header, header + slot::HEADER, program.size() as u64);
            }
        }
        Some(kind @ (Kind::ListInline | Kind::Buffer)) => {
            let Some(program) = programs.value(slot::aux(word)).filter(|program| program.has_padding()) else { return };
            let fixed = if kind == Kind::Buffer { slot::HEADER } else { 16 };
            let start = slot::contents_at(header, fixed, program.align() as u64);
            let end = raw.view().slot_end_at(header);
            let whole = (end - start) / program.size() as u64 * program.size() as u64;
            zero_padding_of_elements(programs, raw, header, start, whole);
        }
        _ => {}
    }
}

/// Places of the arena that were written to the base as a whole.
#[derive(Debug, Default)]
struct Direct {
    /// Offset in the arena and length, sorted.
    ranges: Vec<(u64, u64)>,
}

impl Direct {
    /// The range that holds an offset: its start and end, or an empty one before the next.
    fn around(&self, at: u64) -> (u64, u64) {
        let position = self.ranges.partition_point(|&(start, _)| start <= at);
        match position.checked_sub(1).map(|position| self.ranges[position]) {
            Some((start, len)) if at < start + len => (start, start + len),
            _ => (0, 0),
        }
    }
}

/// Writes the fresh extents when they are many; else the frame zeroes their place in the file first.
fn write_fresh_extents(
    state: &State,
    shared: &Shared,
    raw: &mut Writing<'_>,
    payload: &mut Vec<u8>,
) -> Result<Direct> {
    let fresh = state.fresh_extents.iter().map(|&number| state.catalog.extents()[number as usize]);
    let fresh: Vec<ExtentEntry> = fresh.filter(|extent| extent.len > 0).collect();
    let mut direct = Direct::default();
    if fresh.iter().map(|extent| extent.len).sum::<u64>() < DIRECT {
        for extent in fresh {
            for (at, len) in pieces(extent.at, extent.len, 1 << 30) {
                Operation::Zero { at, len: len as u32 }.encode(payload);
            }
        }
        return Ok(direct);
    }
    let start = |extent: &ExtentEntry| raw.space().region_at(extent.region) + u64::from(extent.offset);
    direct.ranges = fresh.iter().map(|extent| (start(extent), extent.len)).collect();
    direct.ranges.sort_unstable();
    clear_flags(raw, &direct);
    for extent in fresh {
        let start = raw.space().region_at(extent.region) + u64::from(extent.offset);
        for (offset, len) in pieces(0, extent.len, REGION) {
            let bytes = raw.view().slot_bytes(start + offset, len);
            shared.write_fresh(extent.at + offset, bytes)?;
            Operation::Publish { at: extent.at + offset, len: len as u32, crc: crc32fast::hash(bytes) }.encode(payload);
        }
    }
    Ok(direct)
}

/// The frame may name only what is durable: the bytes of extents that it publishes, and the length of the file.
fn sync_base(state: &mut State, shared: &Shared, direct: &Direct) -> Result<()> {
    let contents = !direct.ranges.is_empty();
    if contents && planted!(shared.storage, FreshExtentsNotSynced) {
        return Ok(());
    }
    let length = state.catalog.file.outgrew_durable_len() && !planted!(shared.storage, LengthNotSynced);
    if length || contents {
        shared.sync_fresh()?;
        state.catalog.file.synced();
    }
    Ok(())
}

/// What was written to an extent goes to the file as it is, and the flags of headers are not for the file. Nobody
/// asks for them after ownership was settled.
fn clear_flags(raw: &mut Writing<'_>, direct: &Direct) {
    let written = |header: &u64| direct.around(*header) != (0, 0);
    let saved = raw.undo().saved.iter().map(|saved| saved.header);
    let headers: Vec<u64> = saved.chain(raw.undo().fresh.iter().copied()).filter(written).collect();
    for header in headers {
        raw.flag(header, slot::TOUCHED | slot::UNOWNED, false);
    }
}

fn pieces(start: u64, len: u64, longest: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..len).step_by(longest as usize).map(move |offset| (start + offset, longest.min(len - offset)))
}

/// A header's word as it goes to log and file.
fn clean_word(view: View<'_>, header: u64) -> u64 {
    view.word(header) & !(slot::TOUCHED | slot::UNOWNED)
}

fn emit_saved(state: &State, raw: &Writing<'_>, direct: &Direct, payload: &mut Vec<u8>) {
    let view = raw.view();
    for &saved in &raw.undo().saved {
        if direct.around(saved.at) != (0, 0) {
            continue;
        }
        let new = view.slot_bytes(saved.at, saved.len as u64);
        let old = raw.undo().old_bytes(saved);
        if saved.what == What::Slot {
            // The header's flags are not for the file.
            let word = clean_word(view, saved.header).to_ne_bytes();
            if word[..] != old[..8] {
                emit(state, view, saved.header, &word, payload);
            }
            emit_difference(state, view, saved.at + 8, &old[8..], &new[8..], payload);
        } else {
            emit_difference(state, view, saved.at, old, new, payload);
        }
    }
}

/// The runs in which new bytes differ from old ones.
fn emit_difference(state: &State, view: View<'_>, at: u64, old: &[u8], new: &[u8], payload: &mut Vec<u8>) {
    let mut from = 0;
    while let Some(start) = first_difference(old, new, from) {
        let mut end = start + 1;
        while let Some(next) = first_difference(old, new, end) {
            if next - end > GAP {
                break;
            }
            end = next + 1;
        }
        emit(state, view, at + start as u64, &new[start..end], payload);
        from = end;
    }
}

fn first_difference(old: &[u8], new: &[u8], from: usize) -> Option<usize> {
    let (old, new) = (&old[from..], &new[from..]);
    let words = old.chunks_exact(8).zip(new.chunks_exact(8)).take_while(|(old, new)| old == new).count() * 8;
    old[words..].iter().zip(&new[words..]).position(|(old, new)| old != new).map(|position| from + words + position)
}

fn emit_fresh(state: &State, raw: &Writing<'_>, direct: &Direct, payload: &mut Vec<u8>) {
    let view = raw.view();
    let (mut direct_start, mut direct_end) = (0, 0);
    for &header in &raw.undo().fresh {
        if !(direct_start..direct_end).contains(&header) {
            (direct_start, direct_end) = direct.around(header);
            if direct_end == 0 {
                emit_slot(state, view, header, payload);
            }
        }
    }
}

/// A whole slot, up to its last byte that is not zero.
fn emit_slot(state: &State, view: View<'_>, header: u64, payload: &mut Vec<u8>) {
    let end = view.slot_end_at(header);
    let contents = view.slot_bytes(header, end - header);
    let used = contents.iter().rposition(|&byte| byte != 0).map_or(8, |last| (last + 1).max(8));
    if used <= 512 {
        let mut bytes = [0; 512];
        bytes[..used].copy_from_slice(&contents[..used]);
        bytes[..8].copy_from_slice(&clean_word(view, header).to_ne_bytes());
        emit(state, view, header, &bytes[..used], payload);
    } else {
        emit(state, view, header, &clean_word(view, header).to_ne_bytes(), payload);
        emit(state, view, header + 8, &contents[8..used], payload);
    }
}

/// One change, cut where the file is.
#[inline]
fn emit(state: &State, view: View<'_>, at: u64, bytes: &[u8], payload: &mut Vec<u8>) {
    let space = view.space();
    let mut rest = bytes;
    let region = space.region_of(at);
    let mut offset = at - space.region_at(region);
    while !rest.is_empty() {
        let (file, room) = state.map.locate(region, offset);
        let len = rest.len().min(room as usize);
        let (now, later) = rest.split_at(len);
        if now.len() > 64 && now.iter().all(|&byte| byte == 0) {
            for (at, len) in pieces(file, now.len() as u64, 1 << 30) {
                Operation::Zero { at, len: len as u32 }.encode(payload);
            }
        } else {
            for (start, piece) in now.chunks(BLOCK as usize * 4).enumerate() {
                Operation::Write { at: file + start as u64 * BLOCK * 4, bytes: piece }.encode(payload);
            }
        }
        offset += len as u64;
        rest = later;
    }
}
