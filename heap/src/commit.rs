//! From what a transaction touched to the operations of its frame.

use migrate::{ByteOrder, Programs};

use crate::catalog::PIECE;
use crate::difference;
use crate::error::Result;
use crate::format::REGION;
use crate::format::catalog::{ExtentEntry, TableKind};
use crate::format::frame::Operation;
use crate::format::slot::{self, Kind};
use crate::kept::{self, Flip};
use crate::map;
use crate::ownership;
use crate::planted::planted;
use crate::raw::{Saved, View, What, Writing};
use crate::shared::Shared;
use crate::sorted;
use crate::state::State;

/// From this many bytes on, fresh extents are written to the base at once and published by the frame.
const DIRECT: u64 = 1 << 20;

/// Whether a frame holds the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registry {
    Written,
    Unchanged,
}

/// Settles ownership and puts the transaction's operations into `state.payload`. On an error nothing was appended,
/// and the transaction is to be rolled back. A migration's commit writes nothing in place, and no later one where the
/// heap before the migration is kept.
pub(crate) fn prepare(
    state: &mut State,
    shared: &Shared,
    raw: &mut Writing<'_>,
    flip: Option<Flip>,
) -> Result<Registry> {
    let registry = state.refresh_programs(shared)?;
    zero_padding(state, raw);
    ownership::settle(state, shared, raw)?;
    match flip {
        Some(flip) => flip.apply(state, shared, raw)?,
        None => kept::leave_shared_room(state, shared, raw)?,
    }
    let sequence = state.sequence + 1;
    state.catalog.make_room(&*shared.storage, sequence, registry.as_deref()).map_err(|error| shared.no_room(error))?;
    let mut payload = std::mem::take(&mut state.payload);
    payload.clear();
    if planted!(shared.storage, MovedExtentsNotSynced) && !state.replaced.is_empty() {
        // Only the file's length is durable.
        shared.sync_fresh()?;
        state.catalog.file.synced();
    }
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
    Ok(if registry.is_some() { Registry::Written } else { Registry::Unchanged })
}

/// Padding of everything that typed code wrote becomes zero.
fn zero_padding(state: &State, raw: &mut Writing<'_>) {
    let programs = &*state.programs;
    for number in 0..raw.undo().saved.len() {
        let Saved { at, header, len, what, .. } = raw.undo().saved[number];
        match what {
            What::Record => zero_padding_of(state, programs, raw, header, at, len as u64),
            What::Elements => zero_padding_of_elements(programs, raw, header, at, len as u64),
            What::Slot => zero_padding_of_slot(state, programs, raw, header),
            What::Entries => zero_padding_of_entries(programs, raw, header, at, len as u64),
            What::Plain => {}
        }
    }
    if !state.any_padding {
        return;
    }
    // Slots given out one after the other mostly lie in one region.
    let (mut region, mut padded) = (u32::MAX, true);
    for number in 0..raw.undo().fresh.len() {
        let header = raw.undo().fresh[number];
        if raw.space().region_of(header) != region {
            region = raw.space().region_of(header);
            padded = match state.catalog.tables[state.table_of(raw.space(), header) as usize].entry.kind {
                TableKind::Records(shape) => programs.value(shape).is_some_and(migrate::Program::has_padding),
                TableKind::Class(_) | TableKind::Large => true,
            };
        }
        if padded {
            zero_padding_of_slot(state, programs, raw, header);
        }
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

fn zero_padding_of_entries(programs: &Programs, raw: &mut Writing<'_>, header: u64, at: u64, len: u64) {
    let shape = slot::aux(raw.view().word(header));
    if let Some(entry) = programs.entry(shape).filter(|entry| entry.entry.has_padding()) {
        for bytes in raw.slot_bytes_mut(at, len).chunks_exact_mut(entry.entry.size()) {
            // Zeros are a free place, and need not be an entry.
            if bytes.iter().any(|&byte| byte != 0) {
                entry.entry.zero_padding(bytes, ByteOrder::NATIVE);
            }
        }
    }
}

/// In a buffer of a hash map as a whole, and in a node of a sorted map.
fn zero_padding_of_map(programs: &Programs, raw: &mut Writing<'_>, header: u64) {
    let (view, word) = (raw.view(), raw.view().word(header));
    let shape = slot::aux(word);
    let Some(entry) = programs.entry(shape).filter(|entry| entry.entry.has_padding()) else { return };
    let (within, len) = (view.space().offset_in_region(header), view.slot_end_at(header) - header);
    if slot::kind(word) == Some(Kind::MapBuffer) {
        if let Some(range) = map::entry_range(entry, shape, within, len) {
            zero_padding_of_entries(programs, raw, header, header + range.start as u64, range.len() as u64);
        }
    } else if let Some(range) = sorted::value_range(entry, shape, within, view.slot_bytes(header, len)) {
        let values = raw.slot_bytes_mut(header + range.start as u64, range.len() as u64);
        for value in values.chunks_exact_mut(entry.value.size()) {
            entry.value.zero_padding(value, ByteOrder::NATIVE);
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
        Some(Kind::MapBuffer | Kind::SortedNode) => zero_padding_of_map(programs, raw, header),
        _ => {}
    }
}

/// Places of the arena that were written to the base as a whole.
#[derive(Debug, Default)]
struct Direct {
    /// Offset in the arena and length, sorted, none touching another.
    ranges: Vec<(u64, u64)>,
}

/// Ranges met last, by a part of the region's number: a bulk build gives out slots of several tables by turns.
#[derive(Debug)]
struct LastRanges([(u64, u64); 64]);

impl Direct {
    /// Adds a range behind all others.
    fn add(&mut self, start: u64, len: u64) {
        match self.ranges.last_mut() {
            Some((last, last_len)) if *last + *last_len == start => *last_len += len,
            _ => self.ranges.push((start, len)),
        }
    }

    /// The range that holds an offset: its start and end, or an empty one before the next.
    fn around(&self, at: u64) -> (u64, u64) {
        let position = self.ranges.partition_point(|&(start, _)| start <= at);
        match position.checked_sub(1).map(|position| self.ranges[position]) {
            Some((start, len)) if at < start + len => (start, start + len),
            _ => (0, 0),
        }
    }
}

/// Writes the fresh extents when they are many, and all when some have other room than before; else the frame zeroes
/// their place in the file first.
fn write_fresh_extents(state: &State, shared: &Shared, raw: &mut Writing<'_>, payload: &mut Vec<u8>) -> Result<Direct> {
    let numbers = state.fresh_extents.iter().copied().chain(state.replaced.iter().map(|(number, _)| *number));
    let fresh = numbers.map(|number| state.catalog.extents()[number as usize]);
    let mut fresh: Vec<ExtentEntry> = fresh.filter(|extent| extent.len > 0).collect();
    let mut direct = Direct::default();
    if state.replaced.is_empty() && fresh.iter().map(|extent| extent.len).sum::<u64>() < DIRECT {
        for extent in fresh {
            for (at, len) in pieces(extent.at, extent.len, 1 << 30) {
                Operation::Zero { at, len: len as u32 }.encode(payload);
            }
        }
        return Ok(direct);
    }
    // Memory goes to the file as it is, and flags are not for the file. Nobody asks for them after ownership was
    // settled.
    raw.clear_flags();
    let view = raw.view();
    let mut written = Vec::new();
    fresh.sort_unstable_by_key(|extent| (extent.region, extent.offset));
    for extent in fresh {
        let start = view.space().region_at(extent.region) + u64::from(extent.offset);
        direct.add(start, extent.len);
        let pieces = pieces(0, extent.len, REGION);
        written.extend(pieces.map(|(offset, len)| (extent.at + offset, view.slot_bytes(start + offset, len))));
    }
    let sums = write_pieces(shared, &written)?;
    for (&(at, bytes), crc) in written.iter().zip(sums) {
        Operation::Publish { at, len: bytes.len() as u32, crc }.encode(payload);
    }
    Ok(direct)
}

/// Writes pieces to the base, and sums them meanwhile, on a thread of its own where there is one.
fn write_pieces(shared: &Shared, written: &[(u64, &[u8])]) -> Result<Vec<u32>> {
    let sum = || written.iter().map(|(_, bytes)| crc32fast::hash(bytes)).collect::<Vec<u32>>();
    std::thread::scope(|scope| {
        let summing = std::thread::Builder::new().name("checksums".into()).spawn_scoped(scope, sum);
        written.iter().try_for_each(|&(at, bytes)| shared.write_fresh(at, bytes))?;
        Ok(summing.ok().and_then(|summing| summing.join().ok()).unwrap_or_else(sum))
    })
}

/// The frame may name only what is durable: the bytes of extents that it publishes, and the length of the file.
fn sync_base(state: &mut State, shared: &Shared, direct: &Direct) -> Result<()> {
    let contents = !direct.ranges.is_empty();
    if contents && planted!(shared.storage, FreshExtentsNotSynced) {
        return Ok(());
    }
    if contents && state.sharing.is_some() && planted!(shared.storage, MovedExtentsNotSynced) {
        return Ok(());
    }
    let length = state.catalog.file.outgrew_durable_len() && !planted!(shared.storage, LengthNotSynced);
    if length || contents {
        shared.sync_fresh()?;
        state.catalog.file.synced();
    }
    Ok(())
}

fn pieces(start: u64, len: u64, longest: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..len).step_by(longest as usize).map(move |offset| (start + offset, longest.min(len - offset)))
}

/// A header's word as it goes to log and file.
fn clean_word(view: View<'_>, header: u64) -> u64 {
    view.word(header) & !(slot::TOUCHED | slot::UNOWNED)
}

/// The bytes of a saved range as they are and as they were. Of a large value that was freed since, only the first block is
/// left.
fn new_and_old<'r>(raw: &'r Writing<'_>, saved: Saved) -> (&'r [u8], &'r [u8]) {
    let len = raw.space().mapped_behind(saved.at).min(saved.len as u64);
    if len == 0 {
        return (&[], &[]);
    }
    (raw.view().slot_bytes(saved.at, len), &raw.undo().old_bytes(saved)[..len as usize])
}

/// Whether the frame is to hold anything of a saved range.
pub(crate) fn is_changed(raw: &Writing<'_>, saved: Saved) -> bool {
    let (new, old) = new_and_old(raw, saved);
    if saved.what == What::Slot && !new.is_empty() {
        return clean_word(raw.view(), saved.header).to_ne_bytes()[..] != old[..8] || new[8..] != old[8..];
    }
    new != old
}

fn emit_saved(state: &State, raw: &Writing<'_>, direct: &Direct, payload: &mut Vec<u8>) {
    let view = raw.view();
    for &saved in &raw.undo().saved {
        let (new, old) = new_and_old(raw, saved);
        // Of a range that reaches beyond what was written directly, all goes into the frame: some of it twice.
        if new.is_empty() || saved.at + new.len() as u64 <= direct.around(saved.at).1 {
            continue;
        }
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
#[inline]
fn emit_difference(state: &State, view: View<'_>, at: u64, old: &[u8], new: &[u8], payload: &mut Vec<u8>) {
    difference::each(old, new, |start, end| emit(state, view, at + start as u64, &new[start..end], payload));
}

fn emit_fresh(state: &State, raw: &Writing<'_>, direct: &Direct, payload: &mut Vec<u8>) {
    let view = raw.view();
    let mut last = LastRanges([(0, 0); 64]);
    let moved = !state.replaced.is_empty();
    for &header in &raw.undo().fresh {
        let (start, end) = &mut last.0[view.space().region_of(header) as usize % 64];
        if !(*start..*end).contains(&header) {
            (*start, *end) = direct.around(header);
            if *end == 0 {
                emit_slot(state, view, header, payload);
            }
        }
        // The slot may reach into an extent that has the room it had.
        if moved && *end != 0 && view.slot_end_at(header) > *end {
            emit_slot(state, view, header, payload);
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
        if rest.len() <= 64 && rest.len() as u64 <= room {
            Operation::Write { at: file, bytes: rest }.encode(payload);
            return;
        }
        let len = rest.len().min(room as usize);
        let (now, later) = rest.split_at(len);
        if now.len() > 64 && now.iter().all(|&byte| byte == 0) {
            for (at, len) in pieces(file, now.len() as u64, 1 << 30) {
                Operation::Zero { at, len: len as u32 }.encode(payload);
            }
        } else {
            for (number, bytes) in now.chunks(PIECE).enumerate() {
                Operation::Write { at: file + (number * PIECE) as u64, bytes }.encode(payload);
            }
        }
        offset += len as u64;
        rest = later;
    }
}
