//! The buffers of maps in a heap's arena.

use std::ops::Range;

use super::{BufferShape, ReadBuffers, WriteBuffers, damaged, slot_len};
use crate::error::Result;
use crate::format::slot::{self, Kind};
use crate::guard::Reader;
use crate::handles::Text;
use crate::key::HashKey;
use crate::raw::{Value, View, What};
use crate::shared::Shared;
use crate::transaction::Transaction;

/// Buffers of one kind, for reading.
#[derive(Clone, Copy)]
pub(crate) struct Buffers<'a> {
    view: View<'a>,
    shared: &'a Shared,
    kind: Kind,
}

impl<'a> Buffers<'a> {
    /// The buffers of this kind that a reader sees.
    #[inline(always)]
    pub(crate) fn new(reader: &'a impl Reader, kind: Kind) -> Self {
        Self { view: reader.view(), shared: reader.shared(), kind }
    }

    /// The view.
    #[inline(always)]
    pub(crate) const fn view(&self) -> View<'a> {
        self.view
    }

    /// Contents of a buffer, for as long as the reader is borrowed.
    #[inline(always)]
    pub(crate) fn whole(&self, handle: u64, shape: BufferShape) -> Result<&'a [u8]> {
        match self.view.contents(handle, self.kind, shape.number, shape.align as u64) {
            Some(contents) => Ok(contents),
            None => Err(damaged(handle, GONE)),
        }
    }
}

impl ReadBuffers for Buffers<'_> {
    #[inline(always)]
    fn contents(&self, handle: u64, shape: BufferShape) -> Result<&[u8]> {
        self.whole(handle, shape)
    }

    #[inline(always)]
    fn text(&self, handle: u64) -> Result<&str> {
        self.view.text(handle).ok_or_else(|| self.shared.bad_value(self.view, "text", handle))
    }
}

const GONE: &str = "no buffer of the map lives here";

/// Buffers of one kind, for writing.
///
/// A buffer that is given back is left alone: its handle has gone from the map's slot or node, so the commit frees it,
/// and what moved on from it is taken by its new place.
pub(crate) struct BuffersMut<'t, 'h> {
    tx: &'t mut Transaction<'h>,
    keep: Keep,
}

/// How bytes are kept before they change.
#[derive(Clone, Copy)]
pub(crate) enum Keep {
    /// Whole entries of a hash map, `stride` bytes each, or single control bytes: no entry is as short.
    Entries {
        /// Length of an entry in bytes.
        stride: usize,
        /// Whether entries own anything.
        owner: bool,
    },
    /// Nodes of a sorted map, as a whole: they are small, and a change moves half of what is in them.
    Nodes,
}

impl Keep {
    #[inline(always)]
    const fn kind(self) -> Kind {
        match self {
            Self::Entries { .. } => Kind::MapBuffer,
            Self::Nodes => Kind::SortedNode,
        }
    }
}

impl<'t, 'h> BuffersMut<'t, 'h> {
    /// Buffers of a transaction.
    #[inline(always)]
    pub(crate) const fn new(tx: &'t mut Transaction<'h>, keep: Keep) -> Self {
        Self { tx, keep }
    }

    #[inline(always)]
    fn find(&self, handle: u64, shape: BufferShape) -> Result<Value> {
        match self.tx.view().value_of_shape(handle, self.keep.kind(), shape.number) {
            Some(value) => Ok(value),
            None => Err(damaged(handle, GONE)),
        }
    }

    /// Keeps a range of a buffer's contents before it changes: the buffer's slot, and where the range is in the arena.
    #[inline(always)]
    pub(crate) fn kept(&mut self, handle: u64, shape: BufferShape, range: Range<usize>) -> Result<(Value, u64)> {
        let value = self.find(handle, shape)?;
        let at = slot::contents_at(value.at, slot::HEADER, shape.align as u64) + range.start as u64;
        if !self.tx.raw.is_touched(value) {
            self.keep_range(value, at, range.len() as u64);
        }
        Ok((value, at))
    }

    #[inline(always)]
    fn keep_range(&mut self, value: Value, at: u64, len: u64) {
        match self.keep {
            Keep::Nodes => {
                let end = self.tx.view().slot_end(value);
                self.tx.raw.touch_value(value, end - value.at);
            }
            Keep::Entries { stride, .. } if len != stride as u64 => {
                self.tx.raw.keep_range(What::Plain, value, at, len);
            }
            // Owned handles are compared old against new, so each entry is kept once, with its oldest bytes.
            Keep::Entries { owner, .. } => {
                if !owner || self.tx.state.kept.insert(at) {
                    self.tx.raw.keep_range(What::Entries, value, at, len);
                }
            }
        }
    }
}

impl ReadBuffers for BuffersMut<'_, '_> {
    #[inline(always)]
    fn contents(&self, handle: u64, shape: BufferShape) -> Result<&[u8]> {
        match self.tx.view().contents(handle, self.keep.kind(), shape.number, shape.align as u64) {
            Some(contents) => Ok(contents),
            None => Err(damaged(handle, GONE)),
        }
    }

    #[inline(always)]
    fn text(&self, handle: u64) -> Result<&str> {
        self.tx.get_text(Text::from_bits(handle))
    }
}

impl WriteBuffers for BuffersMut<'_, '_> {
    fn allocate(&mut self, len: u64, shape: BufferShape) -> Result<u64> {
        let Transaction { state, raw, shared, .. } = &mut *self.tx;
        let header =
            state.give_value(shared, raw, slot_len(len, shape.align as u64), self.keep.kind(), shape.number)?;
        Ok(self.tx.value_bits(header))
    }

    fn free(&mut self, _: u64) -> Result<()> {
        Ok(())
    }

    #[inline(always)]
    fn contents_mut(&mut self, handle: u64, shape: BufferShape, range: Range<usize>) -> Result<&mut [u8]> {
        let len = range.len() as u64;
        let (value, at) = self.kept(handle, shape, range)?;
        Ok(self.tx.raw.slot_range_mut(handle, value, at, len))
    }

    fn contents_pair(
        &mut self,
        from: u64,
        to: u64,
        shape: BufferShape,
        range: Range<usize>,
    ) -> Result<(&[u8], &mut [u8])> {
        let len = range.len() as u64;
        let (_, at) = self.kept(to, shape, range)?;
        let from = self.find(from, shape)?;
        let start = slot::contents_at(from.at, slot::HEADER, shape.align as u64);
        let end = self.tx.view().slot_end(from);
        Ok(self.tx.raw.pair_mut(start..end, at..at + len))
    }
}

/// The live slot of a map: of this kind, and of the shape of `M`.
///
/// # Errors
/// [`Error::Stale`](crate::Error::Stale) or [`Error::Foreign`](crate::Error::Foreign) for a handle that names none.
#[inline(always)]
pub(crate) fn map_slot<M: crate::Field>(reader: &impl Reader, bits: u64, kind: Kind) -> Result<Value> {
    match reader.view().value_of::<M>(bits, kind) {
        Some(value) => Ok(value),
        None => reader.shared().map_slowly::<M>(reader.view(), bits, kind),
    }
}

/// The three words of a map's slot: count, handle, and logarithm or height.
#[inline(always)]
pub(crate) fn map_words(view: View<'_>, map: Value) -> [u64; 3] {
    [8, 16, 24].map(|offset| view.word(map.at + offset))
}

/// Length of a map's slot in bytes.
pub(crate) const MAP_SLOT: u64 = 32;

impl Transaction<'_> {
    /// Writes a word of a map's slot, if it changed.
    ///
    /// Maps call this for one word after the other. To compare all of them at once is to load what was just stored by
    /// parts, for which processors wait until every store before has reached the cache: those into the map's buffer,
    /// which miss it.
    #[inline(always)]
    pub(crate) fn set_map_word(&mut self, map: Value, offset: u64, before: u64, now: u64) {
        if before != now {
            self.raw.touch_value(map, MAP_SLOT);
            self.raw.set_fixed(map, offset, now);
        }
    }

    /// The slot of an empty map: the bits of its handle.
    pub(crate) fn new_map<M: crate::Field>(&mut self, kind: Kind) -> Result<u64> {
        let shape = self.shape::<M>()?;
        let header = self.state.give_value(self.shared, &mut self.raw, MAP_SLOT, kind, shape)?;
        Ok(self.value_bits(header))
    }

    /// The heap's key for hashes.
    #[inline(always)]
    pub(crate) fn hash_key(&self) -> HashKey {
        HashKey::new(self.shared.hash_key)
    }
}
