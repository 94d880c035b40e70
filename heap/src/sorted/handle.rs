//! The sorted map as programs see it.

use std::alloc::Layout;
use std::ops::RangeBounds;

use super::{Inserted, SortedHeader, SortedKind};
use crate::buffers::{Buffers, BuffersMut, Keep, WriteBuffers, map_slot, map_words};
use crate::error::Result;
use crate::field::{Field, Key};
use crate::format::slot::{self, Kind};
use crate::guard::Reader;
use crate::handles::SortedMap;
use crate::key::{HashKey, KeyBytes, StoredKeys, TypedKeys};
use crate::raw::{Loose, Value};
use crate::sorted::entries::{Entries, SortedCursor};
use crate::transaction::Transaction;

/// A map that was found: its slot, what it says, and what all maps of its type have in common.
pub(super) struct Parts {
    slot: Value,
    pub(super) header: SortedHeader,
    pub(super) kind: SortedKind,
}

/// Writes what changed of a map's header into its slot.
#[inline(always)]
fn set_header(tx: &mut Transaction<'_>, slot: Value, before: &SortedHeader, now: &SortedHeader) {
    tx.set_map_word(slot, 8, before.count, now.count);
    tx.set_map_word(slot, 16, before.root, now.root);
    tx.set_map_word(slot, 24, before.height, now.height);
}

/// The methods. A map with texts as keys is asked by `&str`, any other by a reference to a key.
///
/// ```
/// use heap::{Heap, Record, SortedMap};
///
/// #[derive(Record)]
/// struct Journal {
///     lines: SortedMap<u64, u32>,
/// }
///
/// # fn main() -> heap::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let heap = Heap::open(folder.path().join("journal.heap"))?;
/// let mut tx = heap.write()?;
/// let journal = tx.root_or_insert("journal", |tx| Ok(Journal { lines: tx.sorted_map()? }))?;
/// let lines = tx[journal].lines; // a handle is `Copy`, so nothing stays borrowed
/// for time in [30, 10, 20] {
///     lines.insert(&mut tx, time, 1)?;
/// }
/// let mut cursor = lines.cursor();
/// while let Some(time) = cursor.next(&tx)? {
///     *lines.get_mut(&mut tx, &time)?.unwrap() += time as u32;
/// }
/// tx.commit()?;
///
/// let read = heap.read();
/// assert_eq!(lines.range(&read, 15..)?.map(|(time, _)| *time).collect::<Vec<_>>(), [20, 30]);
/// assert_eq!(lines.last(&read)?, Some((&30, &31)));
/// # Ok(())
/// # }
/// ```
impl<K: Key, V: Field> SortedMap<K, V> {
    /// All but the shape number, worked out while compiling.
    const KIND: SortedKind = SortedKind::new(0, Layout::new::<K>(), Layout::new::<V>());

    #[inline(always)]
    pub(super) fn parts(self, reader: &impl Reader) -> Result<Parts> {
        let slot = map_slot::<Self>(reader, self.to_bits(), Kind::SortedMap)?;
        let [count, root, height] = map_words(reader.view(), slot);
        let kind = Self::KIND.of_shape(slot::aux(slot.word));
        Ok(Parts { slot, header: SortedHeader { count, root, height }, kind })
    }

    /// The value of a key.
    ///
    /// # Errors
    /// [`Error::Stale`](crate::Error::Stale) or [`Error::Foreign`](crate::Error::Foreign) for a handle that names no
    /// live map of this type.
    #[inline]
    pub fn get<'r>(self, reader: &'r impl Reader, key: &K::Query) -> Result<Option<&'r V>> {
        let Parts { header, kind, .. } = self.parts(reader)?;
        let buffers = Buffers::new(reader, Kind::SortedNode);
        let keys = TypedKeys::<K>::new(HashKey::new(reader.shared().hash_key));
        let found = super::find(&buffers, &header, &kind, &keys, key)?;
        Ok(found.map(|entry| buffers.view().element(entry.value)))
    }

    /// The value of a key, for writing in place.
    ///
    /// # Errors
    /// As [`get`](SortedMap::get).
    #[inline]
    pub fn get_mut<'t>(self, tx: &'t mut Transaction<'_>, key: &K::Query) -> Result<Option<&'t mut V>> {
        let Parts { header, kind, .. } = self.parts(tx)?;
        let keys = TypedKeys::<K>::new(tx.hash_key());
        let buffers = Buffers::new(tx, Kind::SortedNode);
        let Some(place) = super::find(&buffers, &header, &kind, &keys, key)?.map(|entry| entry.place) else {
            return Ok(None);
        };
        let value = place.value_at..place.value_at + kind.value_size;
        let (_, at) = BuffersMut::new(tx, Keep::Nodes).kept(place.node, kind.shape, value)?;
        Ok(Some(tx.raw.value_mut(at)))
    }

    /// The value of a key of the map as it is stored, for writing in place: where the key is a text that a
    /// [cursor](SortedMap::cursor) gave, nothing of the transaction need be borrowed to ask for it.
    ///
    /// # Errors
    /// As [`get`](SortedMap::get); [`Error::Stale`](crate::Error::Stale) when the key is no live text.
    pub fn get_mut_by<'t>(self, tx: &'t mut Transaction<'_>, key: K) -> Result<Option<&'t mut V>> {
        let Parts { header, kind, .. } = self.parts(tx)?;
        let keys = StoredKeys::<K>::new(tx.hash_key());
        let buffers = Buffers::new(tx, Kind::SortedNode);
        let mut key = Loose::new(key);
        let found = super::find(&buffers, &header, &kind, &keys, key.bytes())?;
        let Some(place) = found.map(|entry| entry.place) else { return Ok(None) };
        let value = place.value_at..place.value_at + kind.value_size;
        let (_, at) = BuffersMut::new(tx, Keep::Nodes).kept(place.node, kind.shape, value)?;
        Ok(Some(tx.raw.value_mut(at)))
    }

    /// Whether a key is there.
    ///
    /// # Errors
    /// As [`get`](SortedMap::get).
    #[inline]
    pub fn contains(self, reader: &impl Reader, key: &K::Query) -> Result<bool> {
        Ok(self.get(reader, key)?.is_some())
    }

    /// Number of entries.
    ///
    /// # Errors
    /// As [`get`](SortedMap::get).
    pub fn len(self, reader: &impl Reader) -> Result<usize> {
        Ok(self.parts(reader)?.header.count as usize)
    }

    /// Whether there is no entry.
    ///
    /// # Errors
    /// As [`get`](SortedMap::get).
    pub fn is_empty(self, reader: &impl Reader) -> Result<bool> {
        Ok(self.len(reader)? == 0)
    }

    /// The entry with the least key.
    ///
    /// # Errors
    /// As [`get`](SortedMap::get).
    pub fn first(self, reader: &impl Reader) -> Result<Option<(&K, &V)>> {
        Ok(self.iter(reader)?.next())
    }

    /// The entry with the greatest key.
    ///
    /// # Errors
    /// As [`get`](SortedMap::get).
    pub fn last(self, reader: &impl Reader) -> Result<Option<(&K, &V)>> {
        Ok(self.iter(reader)?.next_back())
    }

    /// All entries, in the order of their keys, from both ends.
    ///
    /// # Errors
    /// As [`get`](SortedMap::get).
    #[expect(clippy::iter_not_returning_iterator, reason = "it does, where the handle is good")]
    pub fn iter(self, reader: &impl Reader) -> Result<Entries<'_, K, V>> {
        let Parts { header, kind, .. } = self.parts(reader)?;
        let buffers = Buffers::new(reader, Kind::SortedNode);
        Ok(Entries::new(buffers, super::Range::all(&buffers, &header, &kind)?, kind))
    }

    /// The entries whose keys lie in a range, in order, from both ends; none where its ends are the wrong way round.
    ///
    /// Ranges of texts are written as a pair of [`Bound`](std::ops::Bound)s, as for the maps of the standard library.
    ///
    /// # Errors
    /// As [`get`](SortedMap::get).
    pub fn range(
        self,
        reader: &impl Reader,
        range: impl RangeBounds<<K as KeyBytes>::Query>,
    ) -> Result<Entries<'_, K, V>> {
        let Parts { header, kind, .. } = self.parts(reader)?;
        let buffers = Buffers::new(reader, Kind::SortedNode);
        let keys = TypedKeys::<K>::new(HashKey::new(reader.shared().hash_key));
        let bounds = (range.start_bound(), range.end_bound());
        Ok(Entries::new(buffers, super::Range::new(&buffers, &header, &kind, &keys, bounds)?, kind))
    }

    /// A cursor before the first entry, for loops that write.
    pub const fn cursor(self) -> SortedCursor<K, V> {
        SortedCursor::new(self)
    }

    /// Stores a value under a key, in place of the one before; whether there was one. What that one owned goes with
    /// the commit, unless it found another place. So does a text given as key when the map has an equal one.
    ///
    /// # Errors
    /// As [`get`](SortedMap::get); [`Error::NoRoom`](crate::Error::NoRoom) or
    /// [`Error::ArenaFull`](crate::Error::ArenaFull) when there is no room; [`Error::Stale`](crate::Error::Stale) when
    /// the key is no live text.
    #[inline]
    pub fn insert(self, tx: &mut Transaction<'_>, key: K, value: V) -> Result<bool> {
        let Parts { slot, header: before, kind } = self.parts(tx)?;
        let mut header = before;
        let keys = StoredKeys::<K>::new(tx.hash_key());
        let mut buffers = BuffersMut::new(tx, Keep::Nodes);
        let (mut key, mut value) = (Loose::new(key), Loose::new(value));
        let (key, value) = (key.bytes(), value.bytes());
        let inserted = super::insert(&mut buffers, &mut header, &kind, &keys, key, key, value);
        if let Ok(Inserted::Present(place)) = inserted {
            let range = place.value_at..place.value_at + kind.value_size;
            buffers.contents_mut(place.node, kind.shape, range)?.copy_from_slice(value);
            return Ok(true);
        }
        set_header(tx, slot, &before, &header);
        inserted.map(|_| false)
    }

    /// Removes a key with its value; whether it was there. What they owned goes with the commit, unless it found
    /// another place.
    ///
    /// # Errors
    /// As [`get`](SortedMap::get).
    pub fn remove(self, tx: &mut Transaction<'_>, key: &K::Query) -> Result<bool> {
        let Parts { slot, header: before, kind } = self.parts(tx)?;
        let mut header = before;
        let keys = TypedKeys::<K>::new(tx.hash_key());
        let mut buffers = BuffersMut::new(tx, Keep::Nodes);
        let removed = super::remove(&mut buffers, &mut header, &kind, &keys, key, |_| ());
        set_header(tx, slot, &before, &header);
        Ok(removed?.is_some())
    }

    /// Removes every entry.
    ///
    /// # Errors
    /// As [`get`](SortedMap::get).
    pub fn clear(self, tx: &mut Transaction<'_>) -> Result<()> {
        // The root's handle goes from the map's slot, and all nodes go with it at the commit.
        let Parts { slot, header: before, .. } = self.parts(tx)?;
        set_header(tx, slot, &before, &SortedHeader::default());
        Ok(())
    }
}

impl Transaction<'_> {
    /// An empty map that keeps its keys in order. It belongs to the record, list or map that holds its handle at the
    /// commit. See [`SortedMap`].
    ///
    /// # Errors
    /// As [`map`](Transaction::map).
    pub fn sorted_map<K: Key, V: Field>(&mut self) -> Result<SortedMap<K, V>> {
        const { assert!(size_of::<K>() > 0 && size_of::<V>() > 0, "keys and values have a size") };
        const { assert!(!std::mem::needs_drop::<V>(), "values have no destructor") };
        self.new_map::<SortedMap<K, V>>(Kind::SortedMap).map(SortedMap::from_bits)
    }
}
