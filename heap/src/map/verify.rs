//! Checking a buffer whose bytes may be anything.

use super::layout::{MapHeader, MapKind, Table, control};
use crate::buffers::{ReadBuffers, damaged};
use crate::error::{Error, Result};
use crate::key::Keys;

/// Checks that the contents of `header.buffer` are a table that this module could have written, and shows each
/// entry's key and value to `entry`, which checks them as values of their types. It sees all of them before the first
/// key is hashed or compared, so the keys it lets pass must be resolvable.
///
/// What holds afterwards: each entry's control byte and place are right for its key, no two keys are equal, each
/// `passed` is exact, the header's count is the number of entries, and all other bytes are zero.
///
/// That keys are distinct follows from one look-up for each: two equal keys have one path, so the look-up of the
/// later one on it would end at the earlier one.
///
/// Time is linear in the table's length, but for look-ups, each bounded by the length of a path. Memory is one byte
/// for each group that the contents really have.
///
/// # Errors
/// Says what is wrong. The caller knows where the map is.
pub(crate) fn verify_buffer<B: ReadBuffers + ?Sized, K: Keys<B>>(
    buffers: &B,
    header: &MapHeader,
    kind: &MapKind,
    keys: &K,
    mut entry: impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<()> {
    if header.buffer == 0 {
        return match header {
            MapHeader { count: 0, log2: 0, .. } => Ok(()),
            _ => Err(wrong(header, "a map without a buffer counts entries or buckets")),
        };
    }
    let contents = buffers.contents(header.buffer, kind.shape)?;
    let table = Table::new(kind, header, contents)?;
    if !zero(&contents[table.bytes.len()..]) {
        return Err(wrong(header, "the slack behind the table is not zero"));
    }
    if !zero(&table.bytes[(table.geometry.mask + 1) * 8..table.geometry.entries_at]) {
        return Err(wrong(header, "bytes between control words and slots are not zero"));
    }
    if header.count > table.geometry.capacity {
        return Err(wrong(header, "the map counts more entries than its table may hold"));
    }
    let slots = if table.geometry.capacity == 4 { 4 } else { 7 };
    verify_bytes(header, kind, &table, slots, &mut entry)?;
    verify_places(buffers, header, kind, keys, &table)
}

/// Checks that all bytes are zero that hold nothing, counts the entries, and shows them.
fn verify_bytes(
    header: &MapHeader,
    kind: &MapKind,
    table: &Table<'_>,
    slots: usize,
    entry: &mut impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<()> {
    let layout = kind.entry;
    let mut count = 0;
    for group in 0..=table.geometry.mask {
        let word = table.control(group);
        if (slots..7).any(|slot| word.slot(slot) != 0) {
            return Err(wrong(header, "a slot that is not there has a control byte"));
        }
        for slot in 0..slots {
            let bytes = &table.bytes[table.geometry.entry_at(kind, group, slot)..][..layout.stride];
            if word.slot(slot) == 0 {
                if !zero(bytes) {
                    return Err(wrong(header, "a free slot is not zero"));
                }
                continue;
            }
            let (key, rest) = bytes.split_at(layout.key_size);
            let (gap, rest) = rest.split_at(layout.value_offset - layout.key_size);
            let (value, tail) = rest.split_at(layout.value_size);
            if !zero(gap) || !zero(tail) {
                return Err(wrong(header, "bytes around an entry's value are not zero"));
            }
            entry(key, value)?;
            count += 1;
        }
    }
    if count != header.count {
        return Err(wrong(header, "the map does not hold as many entries as it counts"));
    }
    Ok(())
}

/// Checks that each entry is where its key is looked for, and that each group counts those that passed it.
fn verify_places<B: ReadBuffers + ?Sized, K: Keys<B>>(
    buffers: &B,
    header: &MapHeader,
    kind: &MapKind,
    keys: &K,
    table: &Table<'_>,
) -> Result<()> {
    let key_at = |group, slot| &table.bytes[table.geometry.entry_at(kind, group, slot)..][..kind.entry.key_size];
    let mut passed = vec![0_u8; table.geometry.mask + 1];
    for group in 0..=table.geometry.mask {
        for slot in 0..7 {
            let byte = table.control(group).slot(slot);
            if byte == 0 {
                continue;
            }
            let key = key_at(group, slot);
            let hash = keys.hash_stored(buffers, key)?;
            if byte != control(hash) {
                return Err(wrong(header, "a control byte is not that of its entry's key"));
            }
            let is_same = |other: (usize, usize)| -> Result<bool> {
                Ok(other != (group, slot) && keys.compare_stored(buffers, key_at(other.0, other.1), key)?.is_eq())
            };
            if let Err(what) = walk_path(table, hash, (group, slot), &mut passed, is_same)? {
                return Err(wrong(header, what));
            }
        }
    }
    let exact = |(group, &passed): (usize, &u8)| table.control(group).passed() == passed;
    if !passed.iter().enumerate().all(exact) {
        return Err(wrong(header, "a group does not count the entries that passed it"));
    }
    Ok(())
}

/// Walks a key's path up to its entry, counting it in the groups that it passed. The inner error says why the entry
/// cannot be there.
fn walk_path(
    table: &Table<'_>,
    hash: u64,
    place: (usize, usize),
    passed: &mut [u8],
    is_same: impl Fn((usize, usize)) -> Result<bool>,
) -> Result<Result<(), &'static str>> {
    let mut group = table.geometry.home(hash);
    for _ in 0..table.geometry.path() {
        for slot in table.control(group).matching(control(hash), table.geometry.slots) {
            if (group, slot) == place {
                return Ok(Ok(()));
            }
            if is_same((group, slot))? {
                return Ok(Err("a key occurs twice"));
            }
        }
        let Some(more) = passed[group].checked_add(1) else {
            return Ok(Err("more entries passed a group than it can count"));
        };
        passed[group] = more;
        group = table.geometry.after(group, hash);
    }
    Ok(Err("an entry is not on the path of its key"))
}

fn wrong(header: &MapHeader, what: &'static str) -> Error {
    damaged(header.buffer, what)
}

/// Whether all bytes are zero.
pub(crate) fn zero(bytes: &[u8]) -> bool {
    // Whole chunks without a branch inside, which compilers turn into wide loads.
    bytes.chunks(64).all(|chunk| chunk.iter().fold(0, |any, &byte| any | byte) == 0)
}
