//! Going through a sorted map: an iterator that borrows the reader, and a cursor that borrows nothing.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Bound;

use super::{Entry, Range, SortedKind};
use crate::buffers::Buffers;
use crate::error::{Error, Result};
use crate::field::{Field, Key};
use crate::format::slot::Kind;
use crate::guard::Reader;
use crate::handles::SortedMap;
use crate::key::{HashKey, StoredKeys};
use crate::raw::{self, Loose};

/// Entries of a sorted map, in the order of their keys, from both ends. See [`SortedMap::range`].
pub struct Entries<'r, K, V> {
    buffers: Buffers<'r>,
    range: Range,
    kind: SortedKind,
    entry: PhantomData<(&'r K, &'r V)>,
}

impl<'r, K: Key, V: Field> Entries<'r, K, V> {
    #[expect(clippy::large_types_passed_by_value, reason = "it moves in")]
    pub(super) const fn new(buffers: Buffers<'r>, range: Range, kind: SortedKind) -> Self {
        Self { buffers, range, kind, entry: PhantomData }
    }
}

/// The entry as typed references. A heap's nodes were verified when it was opened, so they can be read.
#[inline(always)]
fn typed<'r, K: Key, V: Field>(
    buffers: &Buffers<'r>,
    found: Result<Option<Entry<'_>>, Error>,
) -> Option<(&'r K, &'r V)> {
    match found {
        Ok(entry) => entry.map(|entry| (buffers.view().element(entry.key), buffers.view().element(entry.value))),
        Err(error) => raw::give_up(&error),
    }
}

impl<'r, K: Key, V: Field> Iterator for Entries<'r, K, V> {
    type Item = (&'r K, &'r V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        typed(&self.buffers, self.range.next(&self.buffers, &self.kind))
    }
}

impl<K: Key, V: Field> DoubleEndedIterator for Entries<'_, K, V> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        typed(&self.buffers, self.range.next_back(&self.buffers, &self.kind))
    }
}

impl<K, V> fmt::Debug for Entries<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").finish_non_exhaustive()
    }
}

/// A place between two keys of a sorted map, which borrows nothing: a loop that it drives may write, and may insert
/// into and remove from the map itself. See [`SortedMap::cursor`].
///
/// It is kept as the key last given, and finds its place anew each time, in a number of steps that is logarithmic in
/// the number of entries.
pub struct SortedCursor<K, V> {
    map: SortedMap<K, V>,
    /// The key last given.
    key: Option<K>,
}

impl<K: Key, V: Field> SortedCursor<K, V> {
    pub(super) const fn new(map: SortedMap<K, V>) -> Self {
        Self { map, key: None }
    }

    /// Steps over the next key and gives it; at the end `None`, and the cursor stays behind the last.
    ///
    /// # Errors
    /// As [`SortedMap::get`]; [`Error::Stale`] when the key given last was a text that a commit has freed since.
    pub fn next(&mut self, reader: &impl Reader) -> Result<Option<K>> {
        let key = self.beside(reader, |key| (key, Bound::Unbounded), Range::next)?;
        self.key = key.or(self.key);
        Ok(key)
    }

    /// Steps back to the key before the one last given and gives it; at the front `None`, and the cursor stays at the
    /// first. A cursor that has given none yet begins with the last.
    ///
    /// # Errors
    /// As [`next`](SortedCursor::next).
    pub fn previous(&mut self, reader: &impl Reader) -> Result<Option<K>> {
        let key = self.beside(reader, |key| (Bound::Unbounded, key), Range::next_back)?;
        self.key = key.or(self.key);
        Ok(key)
    }

    /// The key that `step` finds in the range that `bounds` makes of the key last given.
    fn beside<'r, R: Reader>(
        &self,
        reader: &'r R,
        bounds: impl for<'k> FnOnce(Bound<&'k [u8]>) -> (Bound<&'k [u8]>, Bound<&'k [u8]>),
        step: impl for<'b> FnOnce(&mut Range, &'b Buffers<'r>, &SortedKind) -> Result<Option<Entry<'b>>>,
    ) -> Result<Option<K>> {
        let parts = self.map.parts(reader)?;
        let buffers = Buffers::new(reader, Kind::SortedNode);
        let keys = StoredKeys::<K>::new(HashKey::new(reader.shared().hash_key));
        let range = |key: Bound<&[u8]>| Range::new(&buffers, &parts.header, &parts.kind, &keys, bounds(key));
        let mut range = match self.key {
            None => range(Bound::Unbounded)?,
            Some(key) => range(Bound::Excluded(Loose::new(key).bytes()))?,
        };
        let found = step(&mut range, &buffers, &parts.kind)?;
        Ok(found.map(|entry| *buffers.view().element::<K>(entry.key)))
    }
}

impl<K: Key, V: Field> fmt::Debug for SortedCursor<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SortedCursor").field("map", &self.map).finish_non_exhaustive()
    }
}
