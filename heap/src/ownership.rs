//! The law of ownership, kept at commit: every text, list and map has exactly one owner.
//!
//! What the transaction changed is walked. First the handles that vanished from a place release what they named, and
//! what that holds in turn: its slot is flagged *unowned*, as the slots given out by the transaction are from the
//! start. Then every handle that appeared takes what it names, and what that holds: it must be flagged, and the flag is
//! cleared. What is still flagged at the end has no owner and is freed.
//!
//! Only what a place held before the transaction can vanish from it. So a released value does not release what appeared
//! in it since, and what was written into a record between its first change and its removal was never its own.

use std::cell::Cell;
use std::collections::HashSet;

use migrate::{ByteOrder, HandleAt, Program, Programs, Target};

use crate::difference;
use crate::error::{Error, Result};
use crate::format::catalog::TableKind;
use crate::format::handle::{EMPTY, Handle};
use crate::format::slot::{self, Kind};
use crate::raw::{Saved, Space, View, What, Writing};
use crate::shared::Shared;
use crate::state::State;
use crate::walk::{self, Held, Named};

/// A handle that appeared in the slot with this header.
#[derive(Debug, Clone, Copy)]
struct Appeared {
    header: u64,
    held: Held,
}

/// Records that a migration wrote anew, past the transaction's undo: what each held before. What it holds now is seen at
/// the commit.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    /// Tables of such records: their saved bytes say nothing more.
    tables: HashSet<u32>,
    /// Offset of a record's header, and where its handles end in `held`.
    records: Vec<(u64, usize)>,
    held: Vec<Held>,
}

impl Moved {
    /// A record of this table, with its header at this offset, held these handles.
    pub(crate) fn note(&mut self, table: u32, header: u64, before: impl FnOnce(&mut Vec<Held>)) {
        self.tables.insert(table);
        before(&mut self.held);
        self.records.push((header, self.held.len()));
    }

    /// What vanished from the records, and what appeared in them.
    fn changes(
        &self,
        state: &State,
        programs: &Programs,
        view: View<'_>,
        released: &mut Vec<u64>,
        appeared: &mut Vec<Appeared>,
    ) {
        let mut start = 0;
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for &(header, end) in &self.records {
            before.clear();
            after.clear();
            before.extend_from_slice(&self.held[start..end]);
            start = end;
            // It may have been removed since.
            if slot::kind_number(view.word(header)) > Kind::Free as u8 {
                slot_handles(state, programs, view, header, &mut |held| after.push(held));
            }
            note_changes(view, header, &mut before, &mut after, released, appeared);
        }
    }
}

/// Settles who owns what, and frees what nobody owns; on an error the transaction is to be rolled back.
pub(crate) fn settle(state: &mut State, shared: &Shared, raw: &mut Writing<'_>) -> Result<()> {
    let moved = std::mem::take(&mut state.moved);
    let released = transfer(state, shared, raw, &moved)?;
    free_unowned(state, raw, &released);
    Ok(())
}

/// Gives every value that changed hands its new owner; the values that lost theirs, some of which found another.
fn transfer(state: &State, shared: &Shared, raw: &mut Writing<'_>, moved: &Moved) -> Result<Vec<u64>> {
    let programs = &*state.programs;
    let mut released = Vec::new();
    let mut appeared = Vec::new();
    moved.changes(state, programs, raw.view(), &mut released, &mut appeared);
    for number in 0..raw.undo().saved.len() {
        let saved = raw.undo().saved[number];
        if !moved.tables.is_empty() && moved.tables.contains(&state.table_of(raw.space(), saved.header)) {
            continue;
        }
        changes_of(state, programs, raw.view(), raw.undo().old_bytes(saved), saved, &mut released, &mut appeared);
    }
    release(state, programs, raw, &mut released, &appeared);
    // What lies in a released or fresh value is taken with it, if at all.
    appeared.retain(|appeared| {
        let word = raw.view().word(appeared.header);
        word & slot::UNOWNED == 0 || slot::kind_number(word) == Kind::Record as u8
    });
    let mut taker =
        Taker { state, shared, programs, waiting: Vec::new(), found: Vec::new(), last_type: Cell::new((0, None)) };
    let taken = taker.take_all(raw, &appeared);
    if let Err(error) = taken {
        for header in released {
            raw.flag(header, slot::UNOWNED, false);
        }
        return Err(error);
    }
    Ok(released)
}

/// What vanished from a saved range, and what appeared in it.
fn changes_of(
    state: &State,
    programs: &Programs,
    view: View<'_>,
    old: &[u8],
    saved: Saved,
    released: &mut Vec<u64>,
    appeared: &mut Vec<Appeared>,
) {
    if saved.what == What::Plain || was_kept_before(saved, old) {
        return;
    }
    let new = view.slot_bytes(saved.at, saved.len as u64);
    if !may_change_handles(state, programs, view, old, new, saved) {
        return;
    }
    let mut before = Vec::new();
    handles_of(state, programs, view, saved, old, &mut |held| before.push(held));
    let mut after = Vec::new();
    if slot::kind_number(view.word(saved.header)) > Kind::Free as u8 {
        handles_of(state, programs, view, saved, new, &mut |held| after.push(held));
    }
    note_changes(view, saved.header, &mut before, &mut after, released, appeared);
}

fn note_changes(
    view: View<'_>,
    header: u64,
    before: &mut Vec<Held>,
    after: &mut Vec<Held>,
    released: &mut Vec<u64>,
    appeared: &mut Vec<Appeared>,
) {
    forget_moved(before, after);
    let gone = before.iter().filter(|held| held.named.is_owned()).filter_map(|held| view.value(held.bits));
    released.extend(gone.map(|value| value.at));
    appeared.extend(after.iter().map(|&held| Appeared { header, held }));
}

/// Whether a slot that was kept because it was freed had been kept by the same transaction, with older bytes.
fn was_kept_before(saved: Saved, old: &[u8]) -> bool {
    saved.what == What::Slot && word_of(old) & slot::TOUCHED != 0
}

/// The header's word of a slot that was kept.
fn word_of(old: &[u8]) -> u64 {
    u64::from_ne_bytes(old[..8].try_into().expect("a slot is kept from its header on"))
}

/// Takes what is on both sides from both: what stayed, and what only moved within the range, as the children of a node
/// do when one is put before them. To release those would mean a walk over all that they hold.
fn forget_moved(before: &mut Vec<Held>, after: &mut Vec<Held>) {
    forget_shifted(before, after);
    if before.is_empty() || after.is_empty() {
        return;
    }
    before.sort_unstable_by_key(|held| held.bits);
    after.sort_unstable_by_key(|held| held.bits);
    let (mut gone, mut came) = (Vec::new(), Vec::new());
    let (mut old, mut new) = (before.drain(..).peekable(), after.drain(..).peekable());
    loop {
        match (old.peek(), new.peek()) {
            (Some(left), Some(right)) if is_same(left, right) => {
                old.next();
                new.next();
            }
            (Some(left), right) if right.is_none_or(|right| left.bits <= right.bits) => gone.extend(old.next()),
            (_, Some(_)) => came.extend(new.next()),
            (_, None) => break,
        }
    }
    drop((old, new));
    (*before, *after) = (gone, came);
}

/// Does this for what kept its place in the order, which is nearly everything where one handle was put in or taken
/// out.
fn forget_shifted(before: &mut Vec<Held>, after: &mut Vec<Held>) {
    let (mut old, mut new) = (0, 0);
    let (mut gone, mut came) = (Vec::new(), Vec::new());
    while let (Some(left), Some(right)) = (before.get(old), after.get(new)) {
        if is_same(left, right) {
            (old, new) = (old + 1, new + 1);
        } else if after.get(new + 1).is_some_and(|next| is_same(left, next)) {
            came.push(*right);
            new += 1;
        } else if before.get(old + 1).is_some_and(|next| is_same(next, right)) {
            gone.push(*left);
            old += 1;
        } else {
            gone.push(*left);
            came.push(*right);
            (old, new) = (old + 1, new + 1);
        }
    }
    gone.extend_from_slice(&before[old..]);
    came.extend_from_slice(&after[new..]);
    (*before, *after) = (gone, came);
}

fn is_same(one: &Held, other: &Held) -> bool {
    one.bits == other.bits && one.named == other.named
}

/// Whether handles may differ between the old bytes of a saved range and the new ones.
#[inline]
fn may_change_handles(
    state: &State,
    programs: &Programs,
    view: View<'_>,
    old: &[u8],
    new: &[u8],
    saved: Saved,
) -> bool {
    if saved.what == What::Record && old.len() <= difference::LONGEST {
        let table = &state.catalog.tables[state.table_of(view.space(), saved.header) as usize];
        // A removed record lets go of what it held, whatever its bytes are now.
        if let TableKind::Records(shape) = table.entry.kind
            && slot::kind_number(view.word(saved.header)) == Kind::Record as u8
        {
            let changed = difference::words(old, new);
            return changed != 0 && programs.value(shape).is_some_and(|program| program.holds_handles_in(changed));
        }
    }
    old != new
}

fn handles_of(
    state: &State,
    programs: &Programs,
    view: View<'_>,
    saved: Saved,
    bytes: &[u8],
    visit: &mut impl FnMut(Held),
) {
    let space = view.space();
    let table = state.catalog.tables[state.table_of(space, saved.header) as usize].entry.kind;
    match (saved.what, table) {
        (What::Plain, _) => {}
        (What::Record, TableKind::Records(shape)) => walk::elements(programs, shape, bytes, 0, visit),
        (What::Record | What::Elements, _) => {
            walk::elements(programs, slot::aux(view.word(saved.header)), bytes, 0, visit);
        }
        (What::Entries, _) => walk::entries(programs, slot::aux(view.word(saved.header)), bytes, 0, visit),
        (What::Slot, table) => {
            let within = saved.header - space.region_at(space.region_of(saved.header));
            walk::slot(programs, table, word_of(bytes), within, bytes, visit);
        }
    }
}

/// Shows each handle in a slot as it is now.
pub(crate) fn slot_handles(
    state: &State,
    programs: &Programs,
    view: View<'_>,
    header: u64,
    visit: &mut impl FnMut(Held),
) {
    let space = view.space();
    let word = view.word(header);
    let kind = slot::kind_number(word);
    if kind == Kind::Text as u8 || kind == Kind::Bytes as u8 {
        return;
    }
    let region = space.region_of(header);
    let table = &state.catalog.tables[state.table_of(space, header) as usize];
    let within = header - space.region_at(region);
    let len = match table.entry.kind {
        TableKind::Large => space.mapped(region),
        // A record's slot begins before its header where its alignment asks for it; from there on it is shorter.
        _ => u64::from(table.entry.stride).min(space.mapped(region) - within),
    };
    walk::slot(programs, table.entry.kind, word, within, view.slot_bytes(header, len), visit);
}

/// Flags what was released, and what it held before the transaction.
fn release(state: &State, programs: &Programs, raw: &mut Writing<'_>, released: &mut Vec<u64>, appeared: &[Appeared]) {
    let mut held = Vec::new();
    // What appeared in which slot, in order; most transactions release texts, and never ask.
    let mut since: Option<Vec<(u64, u64)>> = None;
    let mut position = 0;
    while let Some(&header) = released.get(position) {
        position += 1;
        if raw.view().word(header) & slot::UNOWNED != 0 {
            continue;
        }
        raw.flag(header, slot::UNOWNED, true);
        held.clear();
        slot_handles(state, programs, raw.view(), header, &mut |handle| held.push(handle));
        if held.is_empty() {
            continue;
        }
        let since = since.get_or_insert_with(|| {
            let mut pairs: Vec<_> = appeared.iter().map(|appeared| (appeared.header, appeared.held.bits)).collect();
            pairs.sort_unstable();
            pairs
        });
        let was_there = |held: &&Held| since.binary_search(&(header, held.bits)).is_err();
        for handle in held.iter().filter(|held| held.named.is_owned()).filter(was_there) {
            released.extend(raw.view().value(handle.bits).map(|value| value.at));
        }
    }
}

/// Gives what appeared its owner.
struct Taker<'a> {
    state: &'a State,
    shared: &'a Shared,
    programs: &'a Programs,
    /// Headers of values that were taken and whose contents are to be taken.
    waiting: Vec<u64>,
    found: Vec<Held>,
    /// The type that a reference named last, and the table that was found to be its.
    last_type: Cell<(u32, Option<u32>)>,
}

impl Taker<'_> {
    fn take_all(&mut self, raw: &mut Writing<'_>, appeared: &[Appeared]) -> Result<()> {
        for &Appeared { header, held } in appeared {
            self.take(raw, header, held)?;
            self.take_waiting(raw)?;
        }
        // Slots given out one after the other mostly lie in one region, or in one of each of a few tables.
        let (mut region, mut program) = (u32::MAX, None);
        for number in 0..raw.undo().fresh.len() {
            let header = raw.undo().fresh[number];
            if raw.space().region_of(header) != region {
                region = raw.space().region_of(header);
                program = match self.state.catalog.tables[self.state.table_of(raw.space(), header) as usize].entry.kind
                {
                    TableKind::Records(shape) => self.programs.value(shape).filter(|program| program.holds_handles()),
                    TableKind::Class(_) | TableKind::Large => None,
                };
            }
            let Some(program) = program else { continue };
            if slot::kind_number(raw.view().word(header)) == Kind::Record as u8 {
                self.take_record(raw, header, program)?;
                self.take_waiting(raw)?;
            }
        }
        Ok(())
    }

    /// Gives what a fresh record holds its owner. References need none, and are checked as they are met.
    #[inline]
    fn take_record(&mut self, raw: &mut Writing<'_>, header: u64, program: &Program) -> Result<()> {
        let mut found = std::mem::take(&mut self.found);
        found.clear();
        let bytes = raw.view().slot_bytes(header + slot::HEADER, program.size() as u64);
        let walked = program.handles(bytes, ByteOrder::NATIVE, |HandleAt { offset, target, word }| {
            let held = Held { offset, named: Named::Value(target), bits: word };
            match target {
                Target::Reference(number) if self.is_reference_to(raw.space(), word, number) => return Ok(()),
                Target::Reference(_) => return Err(held),
                _ => {}
            }
            found.push(held);
            Ok(())
        });
        if let Err(held) = walked {
            return Err(self.dangling(raw, header, held));
        }
        for &held in &found {
            self.take(raw, header, held)?;
        }
        self.found = found;
        Ok(())
    }

    fn take_waiting(&mut self, raw: &mut Writing<'_>) -> Result<()> {
        while let Some(header) = self.waiting.pop() {
            self.take_contents(raw, header)?;
        }
        Ok(())
    }

    fn take_contents(&mut self, raw: &mut Writing<'_>, header: u64) -> Result<()> {
        if self.holds_good_references(raw, header) {
            return Ok(());
        }
        let mut found = std::mem::take(&mut self.found);
        found.clear();
        slot_handles(self.state, self.programs, raw.view(), header, &mut |held| found.push(held));
        for &held in &found {
            self.take(raw, header, held)?;
        }
        self.found = found;
        Ok(())
    }

    /// Whether the slot is a short list of references, all of them to the right table, as most lists are.
    #[inline]
    fn holds_good_references(&self, raw: &Writing<'_>, header: u64) -> bool {
        let view = raw.view();
        let word = view.word(header);
        if slot::kind_number(word) != Kind::ListInline as u8 {
            return false;
        }
        let Some((Target::Reference(number), _)) = self.programs.value(slot::aux(word)).and_then(Program::only_handle)
        else {
            return false;
        };
        let elements = view.slot_bytes(header + 16, view.word(header + 8) * 8);
        elements
            .as_chunks::<8>()
            .0
            .iter()
            .all(|word| self.is_reference_to(raw.space(), u64::from_ne_bytes(*word), number))
    }

    /// What a handle names must be there, of the right kind, and without an owner.
    #[inline]
    fn take(&mut self, raw: &mut Writing<'_>, header: u64, held: Held) -> Result<()> {
        match held.named {
            Named::Value(Target::Reference(type_number)) => {
                return self.check_reference(raw, header, held, type_number);
            }
            Named::Value(Target::Text | Target::Bytes) if held.bits == EMPTY => return Ok(()),
            _ => {}
        }
        let Some(value) = raw.view().value(held.bits).filter(|value| held.named.fits(value.word)) else {
            return Err(self.dangling(raw, header, held));
        };
        if value.word & slot::UNOWNED == 0 {
            return Err(self.second_owner(raw, header, held));
        }
        raw.flag(value.at, slot::UNOWNED, false);
        if !matches!(held.named, Named::Value(Target::Text | Target::Bytes)) {
            self.waiting.push(value.at);
        }
        Ok(())
    }

    /// A reference may be stale, but it must name the table of its type: whoever opens the file relies on it.
    #[inline]
    fn check_reference(&self, raw: &Writing<'_>, header: u64, held: Held, type_number: u32) -> Result<()> {
        let right = self.is_reference_to(raw.space(), held.bits, type_number);
        if right { Ok(()) } else { Err(self.dangling(raw, header, held)) }
    }

    #[inline(always)]
    fn is_reference_to(&self, space: &Space, bits: u64, type_number: u32) -> bool {
        let handle = Handle::from_bits(bits);
        let table = space.table(handle.region);
        if self.last_type.get() != (type_number, table) || table.is_none() {
            let Some(number) = table else { return false };
            if self.state.catalog.tables[number as usize].type_number != Some(type_number) {
                return false;
            }
            self.last_type.set((type_number, table));
        }
        handle.index < space.record_slots(handle.region) && handle.generation > 0
    }

    #[cold]
    fn dangling(&self, raw: &Writing<'_>, header: u64, held: Held) -> Error {
        let binder = self.shared.binder();
        let registry = binder.registry();
        Error::Dangling {
            place: self.state.place(registry, raw.view(), header, held.offset),
            what: self.state.name_held(registry, held),
        }
    }

    #[cold]
    fn second_owner(&self, raw: &Writing<'_>, header: u64, held: Held) -> Error {
        let binder = self.shared.binder();
        let registry = binder.registry();
        let second = self.state.place(registry, raw.view(), header, held.offset);
        Error::SecondOwner {
            what: self.state.name_held(registry, held),
            first: self.state.find_owner(registry, raw.view(), held.bits, header).unwrap_or_else(|| second.clone()),
            second,
        }
    }
}

/// Frees every value that is still without an owner.
fn free_unowned(state: &mut State, raw: &mut Writing<'_>, released: &[u64]) {
    let fresh = raw.undo().fresh.len();
    for number in 0..fresh + released.len() {
        let header = if number < fresh { raw.undo().fresh[number] } else { released[number - fresh] };
        let word = raw.view().word(header);
        let kind = slot::kind_number(word);
        if word & slot::UNOWNED != 0 && kind != Kind::Record as u8 && kind > Kind::Free as u8 {
            state.free(raw, header, number < fresh);
        }
    }
}
