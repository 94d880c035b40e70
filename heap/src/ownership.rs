//! The law of ownership, kept at commit: every text, list and map has exactly one owner.
//!
//! What the transaction changed is walked. First the handles that vanished from a place release what they named, and
//! what that holds in turn: its slot is flagged *unowned*, as the slots given out by the transaction are from the
//! start. Then every handle that appeared takes what it names, and what that holds: it must be flagged, and the flag is
//! cleared. What is still flagged at the end has no owner and is freed.

use std::sync::Arc;

use migrate::{Programs, Target};

use crate::error::{Error, Result};
use crate::format::catalog::TableKind;
use crate::format::handle::{EMPTY, Handle};
use crate::format::slot::{self, Kind};
use crate::raw::{Saved, View, What, Writing};
use crate::shared::Shared;
use crate::state::State;
use crate::walk::{self, Held, Named};

/// A handle that appeared in the slot with this header.
#[derive(Debug, Clone, Copy)]
struct Appeared {
    header: u64,
    held: Held,
}

/// Settles who owns what, and frees what nobody owns; on an error the transaction is to be rolled back.
pub(crate) fn settle(state: &mut State, shared: &Shared, raw: &mut Writing<'_>) -> Result<()> {
    let programs = Arc::clone(&state.programs);
    let mut released = Vec::new();
    let mut appeared = Vec::new();
    for number in 0..raw.undo().saved.len() {
        let saved = raw.undo().saved[number];
        changes_of(state, &programs, raw.view(), raw.undo().old_bytes(saved), saved, &mut released, &mut appeared);
    }
    release(state, &programs, raw, &mut released);
    // What lies in a released or fresh value is taken with it, if at all.
    appeared.retain(|appeared| {
        let word = raw.view().word(appeared.header);
        word & slot::UNOWNED == 0 || slot::kind_number(word) == Kind::Record as u8
    });
    let mut taker = Taker { state, shared, programs: &programs, waiting: Vec::new(), found: Vec::new() };
    let taken = taker.take_all(raw, &appeared);
    if let Err(error) = taken {
        for header in released {
            raw.flag(header, slot::UNOWNED, false);
        }
        return Err(error);
    }
    free_unowned(state, raw, &released);
    Ok(())
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
    if saved.what == What::Plain {
        return;
    }
    let new = view.slot_bytes(saved.at, saved.len as u64);
    if old == new {
        return;
    }
    let mut before = Vec::new();
    handles_of(state, programs, view, saved, old, &mut |held| before.push(held));
    let mut after = Vec::new();
    if slot::kind_number(view.word(saved.header)) > Kind::Free as u8 {
        handles_of(state, programs, view, saved, new, &mut |held| after.push(held));
    }
    forget_moved(&mut before, &mut after);
    let gone = before.into_iter().filter(|held| held.named.is_owned()).filter_map(|held| view.value(held.bits));
    released.extend(gone.map(|value| value.at));
    appeared.extend(after.into_iter().map(|held| Appeared { header: saved.header, held }));
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
            let word = u64::from_ne_bytes(bytes[..8].try_into().expect("a slot is kept from its header on"));
            let within = saved.header - space.region_at(space.region_of(saved.header));
            walk::slot(programs, table, word, within, bytes, visit);
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

/// Flags what was released, and what it holds.
fn release(state: &State, programs: &Programs, raw: &mut Writing<'_>, released: &mut Vec<u64>) {
    let mut held = Vec::new();
    let mut position = 0;
    while let Some(&header) = released.get(position) {
        position += 1;
        if raw.view().word(header) & slot::UNOWNED != 0 {
            continue;
        }
        raw.flag(header, slot::UNOWNED, true);
        held.clear();
        slot_handles(state, programs, raw.view(), header, &mut |handle| held.push(handle));
        for handle in held.iter().filter(|held| held.named.is_owned()) {
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
}

impl Taker<'_> {
    fn take_all(&mut self, raw: &mut Writing<'_>, appeared: &[Appeared]) -> Result<()> {
        for &Appeared { header, held } in appeared {
            self.take(raw, header, held)?;
            self.take_waiting(raw)?;
        }
        for number in 0..raw.undo().fresh.len() {
            let header = raw.undo().fresh[number];
            if slot::kind_number(raw.view().word(header)) == Kind::Record as u8 {
                self.take_contents(raw, header)?;
                self.take_waiting(raw)?;
            }
        }
        Ok(())
    }

    fn take_waiting(&mut self, raw: &mut Writing<'_>) -> Result<()> {
        while let Some(header) = self.waiting.pop() {
            self.take_contents(raw, header)?;
        }
        Ok(())
    }

    fn take_contents(&mut self, raw: &mut Writing<'_>, header: u64) -> Result<()> {
        let mut found = std::mem::take(&mut self.found);
        found.clear();
        slot_handles(self.state, self.programs, raw.view(), header, &mut |held| found.push(held));
        for &held in &found {
            self.take(raw, header, held)?;
        }
        self.found = found;
        Ok(())
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
        let handle = Handle::from_bits(held.bits);
        let space = raw.space();
        let right = space.table(handle.region).is_some_and(|table| {
            self.state.catalog.tables[table as usize].type_number == Some(type_number)
                && handle.index < space.record_slots(handle.region)
                && handle.generation > 0
        });
        if right { Ok(()) } else { Err(self.dangling(raw, header, held)) }
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
