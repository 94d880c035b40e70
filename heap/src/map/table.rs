//! Finding, inserting, removing and growing.

use super::SPARSEST;
use super::layout::{Geometry, MapHeader, MapKind, Table, control, control_at};
use crate::buffers::{ReadBuffers, WriteBuffers, damaged};
use crate::error::{Error, Result};
use crate::key::Keys;

/// Where an inserted key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// The key was not there; its entry is written, at this offset in the buffer.
    New(usize),
    /// The key was there; nothing is changed. Its entry is at this offset in the buffer.
    Present(usize),
}

/// An entry in its buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// Its bytes.
    pub(crate) bytes: &'a [u8],
    /// Their offset in the buffer.
    pub(crate) at: usize,
}

impl<'a> Entry<'a> {
    /// The entry at an offset that [`insert`] or [`super::next_entry`] gave.
    #[inline(always)]
    pub(crate) fn new(kind: &MapKind, contents: &'a [u8], at: usize) -> Self {
        Self { bytes: &contents[at..at + kind.entry.stride], at }
    }

    /// The stored key.
    #[inline(always)]
    pub(crate) fn key(&self, kind: &MapKind) -> &'a [u8] {
        &self.bytes[..kind.entry.key_size]
    }

    /// The stored value.
    #[inline(always)]
    pub(crate) fn value(&self, kind: &MapKind) -> &'a [u8] {
        &self.bytes[kind.entry.value_offset..][..kind.entry.value_size]
    }
}

/// A slot that holds the entry asked for.
struct Found<'a> {
    group: usize,
    slot: usize,
    at: usize,
    bytes: &'a [u8],
}

/// A free slot for a key with this hash.
struct Vacant {
    hash: u64,
    group: usize,
    slot: usize,
}

/// The entry with this key: its bytes, and their offset in the buffer.
///
/// # Errors
/// When the buffer, or a text that is a key, cannot be read.
// Inlined, because half of the time of a look-up in cache would go into handing over the large `Result`.
#[inline(always)]
pub(crate) fn find<'a, B: ReadBuffers + ?Sized, K: Keys<B>>(
    buffers: &'a B,
    header: &MapHeader,
    kind: &MapKind,
    keys: &K,
    query: &K::Query,
) -> Result<Option<Entry<'a>>> {
    if header.buffer == 0 {
        return Ok(None);
    }
    let table = Table::new(kind, header, buffers.contents(header.buffer, kind.shape)?)?;
    let found = search(&table, kind, keys.hash(buffers, query)?, |stored| keys.equals(buffers, stored, query))?;
    Ok(found.map(|found| Entry { bytes: found.bytes, at: found.at }))
}

/// Inserts an entry, unless its key is there already. `key` and `value` are the bytes to be stored, as records hold
/// them; `query` is the same key as it is asked for.
///
/// # Errors
/// When there is no room for a larger buffer, or so many keys collide that growing does not help. The map then holds
/// what it held.
// Inlined for the same reason as `find`.
#[inline(always)]
pub(crate) fn insert<B: WriteBuffers + ?Sized, K: Keys<B>>(
    buffers: &mut B,
    header: &mut MapHeader,
    kind: &MapKind,
    keys: &K,
    query: &K::Query,
    key: &[u8],
    value: &[u8],
) -> Result<Inserted> {
    let hash = keys.hash(buffers, query)?;
    if header.buffer != 0 {
        let table = Table::new(kind, header, buffers.contents(header.buffer, kind.shape)?)?;
        if let Some(found) = search(&table, kind, hash, |stored| keys.equals(buffers, stored, query))? {
            return Ok(Inserted::Present(found.at));
        }
        let geometry = table.geometry;
        if header.count < geometry.capacity
            && let Some(vacant) = vacancy(&table, hash)
        {
            return write_entry(buffers, header, kind, &geometry, &vacant, key, value).map(Inserted::New);
        }
    }
    loop {
        grow(buffers, header, kind, keys)?;
        let table = Table::new(kind, header, buffers.contents(header.buffer, kind.shape)?)?;
        let geometry = table.geometry;
        if let Some(vacant) = vacancy(&table, hash) {
            return write_entry(buffers, header, kind, &geometry, &vacant, key, value).map(Inserted::New);
        }
    }
}

/// Removes the entry with this key, and gives what `taken` makes of its bytes.
///
/// # Errors
/// When the buffer, or a text that is a key, cannot be read. The map is then as it was.
#[inline]
pub(crate) fn remove<B: WriteBuffers + ?Sized, K: Keys<B>, T>(
    buffers: &mut B,
    header: &mut MapHeader,
    kind: &MapKind,
    keys: &K,
    query: &K::Query,
    taken: impl FnOnce(&[u8]) -> T,
) -> Result<Option<T>> {
    if header.buffer == 0 {
        return Ok(None);
    }
    let hash = keys.hash(buffers, query)?;
    let table = Table::new(kind, header, buffers.contents(header.buffer, kind.shape)?)?;
    let geometry = table.geometry;
    let found = search(&table, kind, hash, |stored| keys.equals(buffers, stored, query))?;
    let Some(Found { group: last, slot, at, .. }) = found else {
        return Ok(None);
    };
    let mut group = geometry.home(hash);
    while group != last {
        if table.control(group).passed() == 0 {
            return Err(damaged(header.buffer, "a group does not count an entry that passed it"));
        }
        group = geometry.after(group, hash);
    }
    let Some(count) = header.count.checked_sub(1) else {
        return Err(damaged(header.buffer, "the map holds more entries than it counts"));
    };

    let entry = buffers.contents_mut(header.buffer, kind.shape, at..at + kind.entry.stride)?;
    let taken = taken(entry);
    entry.fill(0);
    let byte = control_at(last, slot);
    buffers.contents_mut(header.buffer, kind.shape, byte..byte + 1)?[0] = 0;
    let mut group = geometry.home(hash);
    while group != last {
        let byte = control_at(group, 7);
        buffers.contents_mut(header.buffer, kind.shape, byte..byte + 1)?[0] -= 1;
        group = geometry.after(group, hash);
    }
    header.count = count;
    Ok(Some(taken))
}

/// Forgets all entries and gives the buffer back.
///
/// # Errors
/// When the buffer's handle is not alive.
pub(crate) fn clear<B: WriteBuffers + ?Sized>(buffers: &mut B, header: &mut MapHeader) -> Result<()> {
    if header.buffer != 0 {
        buffers.free(header.buffer)?;
    }
    *header = MapHeader::default();
    Ok(())
}

/// Moves the entries into the smallest buffer that holds them.
///
/// # Errors
/// When there is no room for the second buffer. The map is then as it was.
pub(crate) fn shrink<B: WriteBuffers + ?Sized, K: Keys<B>>(
    buffers: &mut B,
    header: &mut MapHeader,
    kind: &MapKind,
    keys: &K,
) -> Result<()> {
    if header.count == 0 {
        return clear(buffers, header);
    }
    for log2 in 2..header.log2 {
        if Geometry::new(kind, log2).is_some_and(|geometry| geometry.capacity >= header.count)
            && rebuild(buffers, header, kind, keys, log2)?
        {
            break;
        }
    }
    Ok(())
}

#[inline(always)]
fn table_geometry(kind: &MapKind, header: &MapHeader) -> Result<Geometry> {
    Geometry::new(kind, header.log2).ok_or_else(|| damaged(header.buffer, "the map's number of buckets is impossible"))
}

#[inline(always)]
fn search<'a>(
    table: &Table<'a>,
    kind: &MapKind,
    hash: u64,
    equals: impl Fn(&[u8]) -> Result<bool>,
) -> Result<Option<Found<'a>>> {
    let mut group = table.geometry.home(hash);
    for _ in 0..table.geometry.path() {
        let word = table.control(group);
        for slot in word.matching(control(hash), table.geometry.slots) {
            let at = table.geometry.entry_at(kind, group, slot);
            let bytes = &table.bytes[at..at + kind.entry.stride];
            if equals(&bytes[..kind.entry.key_size])? {
                return Ok(Some(Found { group, slot, at, bytes }));
            }
        }
        if word.passed() == 0 {
            break;
        }
        group = table.geometry.after(group, hash);
    }
    Ok(None)
}

/// The slot that a new key with this hash gets, if its path has room.
#[inline(always)]
fn vacancy(table: &Table<'_>, hash: u64) -> Option<Vacant> {
    let mut group = table.geometry.home(hash);
    for _ in 0..table.geometry.path() {
        let word = table.control(group);
        if let Some(slot) = word.free(table.geometry.slots).first() {
            return Some(Vacant { hash, group, slot });
        }
        if word.passed() == u8::MAX {
            break;
        }
        group = table.geometry.after(group, hash);
    }
    None
}

#[inline(always)]
fn write_entry<B: WriteBuffers + ?Sized>(
    buffers: &mut B,
    header: &mut MapHeader,
    kind: &MapKind,
    geometry: &Geometry,
    &Vacant { hash, group, slot }: &Vacant,
    key: &[u8],
    value: &[u8],
) -> Result<usize> {
    let mut passed = geometry.home(hash);
    while passed != group {
        let byte = control_at(passed, 7);
        buffers.contents_mut(header.buffer, kind.shape, byte..byte + 1)?[0] += 1;
        passed = geometry.after(passed, hash);
    }
    let byte = control_at(group, slot);
    buffers.contents_mut(header.buffer, kind.shape, byte..byte + 1)?[0] = control(hash);
    let at = geometry.entry_at(kind, group, slot);
    let entry = buffers.contents_mut(header.buffer, kind.shape, at..at + kind.entry.stride)?;
    entry[..kind.entry.key_size].copy_from_slice(key);
    entry[kind.entry.value_offset..kind.entry.value_offset + kind.entry.value_size].copy_from_slice(value);
    header.count += 1;
    Ok(at)
}

#[cold]
#[inline(never)]
fn grow<B: WriteBuffers + ?Sized, K: Keys<B>>(
    buffers: &mut B,
    header: &mut MapHeader,
    kind: &MapKind,
    keys: &K,
) -> Result<()> {
    if header.buffer == 0 {
        let len = table_geometry(kind, &MapHeader { log2: 2, ..*header })?.len;
        *header = MapHeader { count: 0, buffer: buffers.allocate(len as u64, kind.shape)?, log2: 2 };
        return Ok(());
    }
    let mut log2 = header.log2;
    loop {
        log2 += 1;
        let capacity = Geometry::new(kind, log2).map_or(u64::MAX, |geometry| geometry.capacity);
        if capacity > header.count.saturating_add(1).saturating_mul(SPARSEST) {
            return Err(Error::Crowded { count: header.count });
        }
        if rebuild(buffers, header, kind, keys, log2)? {
            return Ok(());
        }
    }
}

/// Moves all entries into a new buffer of 2^`log2` buckets. False when a key finds no room there; the map is then as
/// it was.
fn rebuild<B: WriteBuffers + ?Sized, K: Keys<B>>(
    buffers: &mut B,
    header: &mut MapHeader,
    kind: &MapKind,
    keys: &K,
    log2: u64,
) -> Result<bool> {
    let geometry = table_geometry(kind, &MapHeader { log2, ..*header })?;
    let old = Table::new(kind, header, buffers.contents(header.buffer, kind.shape)?)?.geometry;
    let buffer = buffers.allocate(geometry.len as u64, kind.shape)?;
    match move_all(buffers, header, kind, keys, old, buffer, geometry) {
        Ok(true) => {
            buffers.free(header.buffer)?;
            *header = MapHeader { buffer, log2, ..*header };
            Ok(true)
        }
        refused => {
            buffers.free(buffer)?;
            refused
        }
    }
}

/// Entries hashed in one go. Hashing reads texts through `buffers` and placing writes through it, so they take turns.
const BATCH: usize = 64;

fn move_all<B: WriteBuffers + ?Sized, K: Keys<B>>(
    buffers: &mut B,
    header: &MapHeader,
    kind: &MapKind,
    keys: &K,
    old: Geometry,
    buffer: u64,
    new: Geometry,
) -> Result<bool> {
    let (mut group, mut moved) = (0, 0);
    while group <= old.mask {
        let mut batch = [(0, 0); BATCH];
        let mut filled = 0;
        let table = Table::new(kind, header, buffers.contents(header.buffer, kind.shape)?)?;
        while group <= old.mask && filled + 7 <= BATCH {
            for slot in table.control(group).taken(old.slots) {
                let at = old.entry_at(kind, group, slot);
                let hash = keys.hash_stored(buffers, &table.bytes[at..at + kind.entry.key_size])?;
                batch[filled] = (hash, at);
                filled += 1;
            }
            group += 1;
        }
        let (from, to) = buffers.contents_pair(header.buffer, buffer, kind.shape, 0..new.len)?;
        for &(hash, at) in &batch[..filled] {
            let Some(Vacant { group, slot, .. }) = vacancy(&Table { bytes: to, geometry: new }, hash) else {
                return Ok(false);
            };
            let mut passed = new.home(hash);
            while passed != group {
                to[control_at(passed, 7)] += 1;
                passed = new.after(passed, hash);
            }
            to[control_at(group, slot)] = control(hash);
            let new_at = new.entry_at(kind, group, slot);
            to[new_at..new_at + kind.entry.stride].copy_from_slice(&from[at..at + kind.entry.stride]);
        }
        moved += filled as u64;
    }
    if moved != header.count {
        return Err(damaged(header.buffer, "the map does not hold as many entries as it counts"));
    }
    Ok(true)
}
