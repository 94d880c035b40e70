//! The hash map as programs see it.

use std::alloc::Layout;

use super::{Inserted, MapHeader, MapKind};
use crate::buffers::{Buffers, BuffersMut, Keep, WriteBuffers, map_slot, map_words};
use crate::error::Result;
use crate::field::{Field, Key};
use crate::format::slot::{self, Kind};
use crate::guard::Reader;
use crate::handles::Map;
use crate::key::{HashKey, StoredKeys, TypedKeys};
use crate::raw::{Loose, Value};
use crate::transaction::Transaction;

/// A map that was found: its slot, what it says, and what all maps of its type have in common.
struct Parts {
    slot: Value,
    header: MapHeader,
    kind: MapKind,
}

/// Writes what changed of a map's header into its slot.
#[inline(always)]
fn set_header(tx: &mut Transaction<'_>, slot: Value, before: &MapHeader, now: &MapHeader) {
    tx.set_map_word(slot, 8, before.count, now.count);
    tx.set_map_word(slot, 16, before.buffer, now.buffer);
    tx.set_map_word(slot, 24, before.log2, now.log2);
}

/// The methods. A map with texts as keys is asked by `&str`, any other by a reference to a key.
///
/// ```
/// use heap::{Heap, Map, Record, Text};
///
/// #[derive(Record)]
/// struct Index {
///     ids: Map<Text, u64>,
/// }
///
/// # fn main() -> heap::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let heap = Heap::open(folder.path().join("index.heap"))?;
/// let mut tx = heap.write()?;
/// let index = tx.root_or_insert("index", |tx| Ok(Index { ids: tx.map()? }))?;
/// let ids = tx[index].ids; // a handle is `Copy`, so nothing stays borrowed
/// let key = tx.text("one")?;
/// ids.insert(&mut tx, key, 1)?;
/// assert_eq!(ids.get(&tx, "one")?, Some(&1));
/// *ids.get_mut(&mut tx, "one")?.unwrap() += 10;
/// tx.commit()?;
///
/// let read = heap.read();
/// for (name, id) in ids.iter(&read)? {
///     assert_eq!((&read[*name], *id), ("one", 11));
/// }
/// # Ok(())
/// # }
/// ```
impl<K: Key, V: Field> Map<K, V> {
    /// All but the shape number, worked out while compiling.
    const KIND: MapKind = MapKind::new(0, Layout::new::<K>(), Layout::new::<V>());
    const KEEP: Keep = Keep::Entries { stride: Self::KIND.entry.stride, owner: K::OWNER || V::OWNER };

    #[inline(always)]
    fn parts(self, reader: &impl Reader) -> Result<Parts> {
        let slot = map_slot::<Self>(reader, self.to_bits(), Kind::Map)?;
        let [count, buffer, log2] = map_words(reader.view(), slot);
        let kind = Self::KIND.of_shape(slot::aux(slot.word));
        Ok(Parts { slot, header: MapHeader { count, buffer, log2 }, kind })
    }

    /// The value of a key.
    ///
    /// # Errors
    /// [`Error::Stale`](crate::Error::Stale) or [`Error::Foreign`](crate::Error::Foreign) for a handle that names no
    /// live map of this type.
    #[inline]
    pub fn get<'r>(self, reader: &'r impl Reader, key: &K::Query) -> Result<Option<&'r V>> {
        let Parts { header, kind, .. } = self.parts(reader)?;
        let buffers = Buffers::new(reader, Kind::MapBuffer);
        let keys = TypedKeys::<K>::new(HashKey::new(reader.shared().hash_key));
        let found = super::find(&buffers, &header, &kind, &keys, key)?;
        Ok(found.map(|entry| buffers.view().element(entry.value(&kind))))
    }

    /// The value of a key, for writing in place: only the entry is logged.
    ///
    /// # Errors
    /// As [`get`](Map::get).
    #[inline]
    pub fn get_mut<'t>(self, tx: &'t mut Transaction<'_>, key: &K::Query) -> Result<Option<&'t mut V>> {
        let Parts { header, kind, .. } = self.parts(tx)?;
        let keys = TypedKeys::<K>::new(tx.hash_key());
        let buffers = Buffers::new(tx, Kind::MapBuffer);
        let Some(at) = super::find(&buffers, &header, &kind, &keys, key)?.map(|entry| entry.at) else {
            return Ok(None);
        };
        let entry = at..at + kind.entry.stride;
        let (_, at) = BuffersMut::new(tx, Self::KEEP).kept(header.buffer, kind.shape, entry)?;
        Ok(Some(tx.raw.value_mut(at + kind.entry.value_offset as u64)))
    }

    /// Whether a key is there.
    ///
    /// # Errors
    /// As [`get`](Map::get).
    #[inline]
    pub fn contains(self, reader: &impl Reader, key: &K::Query) -> Result<bool> {
        Ok(self.get(reader, key)?.is_some())
    }

    /// Number of entries.
    ///
    /// # Errors
    /// As [`get`](Map::get).
    pub fn len(self, reader: &impl Reader) -> Result<usize> {
        Ok(self.parts(reader)?.header.count as usize)
    }

    /// Whether there is no entry.
    ///
    /// # Errors
    /// As [`get`](Map::get).
    pub fn is_empty(self, reader: &impl Reader) -> Result<bool> {
        Ok(self.len(reader)? == 0)
    }

    /// All entries, in an order that says nothing.
    ///
    /// # Errors
    /// As [`get`](Map::get).
    #[expect(clippy::iter_not_returning_iterator, reason = "it does, where the handle is good")]
    pub fn iter(self, reader: &impl Reader) -> Result<impl Iterator<Item = (&K, &V)>> {
        let Parts { header, kind, .. } = self.parts(reader)?;
        let buffers = Buffers::new(reader, Kind::MapBuffer);
        let (contents, offsets) = match header.buffer {
            0 => (&[][..], None),
            buffer => {
                let contents = buffers.whole(buffer, kind.shape)?;
                (contents, Some(super::entries(&kind, &header, contents)?))
            }
        };
        Ok(offsets.into_iter().flatten().map(move |at| {
            let entry = super::Entry::new(&kind, contents, at);
            (buffers.view().element(entry.key(&kind)), buffers.view().element(entry.value(&kind)))
        }))
    }

    /// The keys as they are now. The list borrows nothing, so a loop over it may write.
    ///
    /// # Errors
    /// As [`get`](Map::get).
    pub fn keys(self, reader: &impl Reader) -> Result<Vec<K>> {
        Ok(self.iter(reader)?.map(|(key, _)| *key).collect())
    }

    /// Stores a value under a key, in place of the one before; whether there was one. What that one owned goes with
    /// the commit, unless it found another place. So does a text given as key when the map has an equal one.
    ///
    /// # Errors
    /// As [`get`](Map::get); [`Error::NoRoom`](crate::Error::NoRoom) or
    /// [`Error::ArenaFull`](crate::Error::ArenaFull) when there is no room; [`Error::Crowded`](crate::Error::Crowded)
    /// for keys chosen to collide; [`Error::Stale`](crate::Error::Stale) when the key is no live text.
    #[inline]
    pub fn insert(self, tx: &mut Transaction<'_>, key: K, value: V) -> Result<bool> {
        let Parts { slot, header: before, kind } = self.parts(tx)?;
        let mut header = before;
        let keys = StoredKeys::<K>::new(tx.hash_key());
        let mut buffers = BuffersMut::new(tx, Self::KEEP);
        let (mut key, mut value) = (Loose::new(key), Loose::new(value));
        let (key, value) = (key.bytes(), value.bytes());
        let inserted = super::insert(&mut buffers, &mut header, &kind, &keys, key, key, value);
        if let Ok(Inserted::Present(at)) = inserted {
            let entry = buffers.contents_mut(header.buffer, kind.shape, at..at + kind.entry.stride)?;
            entry[kind.entry.value_offset..][..kind.entry.value_size].copy_from_slice(value);
            return Ok(true);
        }
        set_header(tx, slot, &before, &header);
        inserted.map(|_| false)
    }

    /// Removes a key with its value; whether it was there. What they owned goes with the commit, unless it found
    /// another place.
    ///
    /// # Errors
    /// As [`get`](Map::get).
    pub fn remove(self, tx: &mut Transaction<'_>, key: &K::Query) -> Result<bool> {
        let Parts { slot, header: before, kind } = self.parts(tx)?;
        let mut header = before;
        let keys = TypedKeys::<K>::new(tx.hash_key());
        let mut buffers = BuffersMut::new(tx, Self::KEEP);
        let removed = super::remove(&mut buffers, &mut header, &kind, &keys, key, |_| ());
        set_header(tx, slot, &before, &header);
        Ok(removed?.is_some())
    }

    /// Removes every entry.
    ///
    /// # Errors
    /// As [`get`](Map::get).
    pub fn clear(self, tx: &mut Transaction<'_>) -> Result<()> {
        let Parts { slot, header: before, .. } = self.parts(tx)?;
        set_header(tx, slot, &before, &MapHeader::default());
        Ok(())
    }

    /// Moves the entries into the smallest buffer that holds them.
    ///
    /// # Errors
    /// As [`insert`](Map::insert).
    pub fn shrink_to_fit(self, tx: &mut Transaction<'_>) -> Result<()> {
        let Parts { slot, header: before, kind } = self.parts(tx)?;
        let mut header = before;
        let keys = StoredKeys::<K>::new(tx.hash_key());
        let shrunk = super::shrink(&mut BuffersMut::new(tx, Self::KEEP), &mut header, &kind, &keys);
        set_header(tx, slot, &before, &header);
        shrunk
    }
}

impl Transaction<'_> {
    /// An empty map. It belongs to the record, list or map that holds its handle at the commit. See [`Map`].
    ///
    /// # Errors
    /// [`Error::NoRoom`](crate::Error::NoRoom) or [`Error::ArenaFull`](crate::Error::ArenaFull) when there is no room;
    /// [`Error::Schema`](crate::Error::Schema), [`Error::SameName`](crate::Error::SameName) or
    /// [`Error::Unsupported`](crate::Error::Unsupported) when its types cannot be bound to this heap.
    pub fn map<K: Key, V: Field>(&mut self) -> Result<Map<K, V>> {
        const { assert!(size_of::<K>() > 0 && size_of::<V>() > 0, "keys and values have a size") };
        const { assert!(!std::mem::needs_drop::<V>(), "values have no destructor") };
        self.new_map::<Map<K, V>>(Kind::Map).map(Map::from_bits)
    }
}
