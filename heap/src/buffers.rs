//! What maps ask of the tables beneath them: buffers named by handles, read whole and written in ranges.
//!
//! The transaction layer implements these traits; maps are written against them alone, so that their algorithms are
//! plain code over bytes.

use std::alloc::Layout;
use std::ops::Range;

use migrate::{ByteOrder, EntryProgram, Program};

use crate::error::{Corruption, Error, Place, Result};
use crate::format::slot;

/// The shape number that a buffer's slot header carries, and how its contents are aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferShape {
    /// Shape number of the map that owns the buffer.
    pub(crate) number: u32,
    /// Alignment of the contents in bytes, a power of two, at least 8.
    pub(crate) align: usize,
}

/// Reading buffers and texts. Public, in no public module, because keys are read through it.
///
/// Handles are the 64 bits of [`crate::format::handle`].
pub trait ReadBuffers {
    /// Contents of a live buffer slot of this shape: all bytes from its aligned start to the slot's end.
    fn contents(&self, handle: u64, shape: BufferShape) -> Result<&[u8]>;

    /// A live text.
    fn text(&self, handle: u64) -> Result<&str>;

    /// The byte order of numbers in buffers. Only who looks into a heap of another machine has another than this one's.
    #[inline(always)]
    fn order(&self) -> ByteOrder {
        ByteOrder::NATIVE
    }
}

/// Writing buffers. A map changes nothing before everything that can be refused has been asked for, so an error
/// leaves it as it was.
pub(crate) trait WriteBuffers: ReadBuffers {
    /// A fresh buffer of at least `len` bytes of contents, all zero.
    fn allocate(&mut self, len: u64, shape: BufferShape) -> Result<u64>;

    /// Gives a buffer back.
    fn free(&mut self, handle: u64) -> Result<()>;

    /// Exactly `range` of a buffer's contents, kept for rollback and noted for the log.
    fn contents_mut(&mut self, handle: u64, shape: BufferShape, range: Range<usize>) -> Result<&mut [u8]>;

    /// All contents of one buffer, and `range` of another's as [`contents_mut`](Self::contents_mut) gives it.
    /// The two handles differ.
    fn contents_pair(
        &mut self,
        from: u64,
        to: u64,
        shape: BufferShape,
        range: Range<usize>,
    ) -> Result<(&[u8], &mut [u8])>;
}

/// Length of the slot of a buffer in bytes, header and room for its alignment included.
#[inline]
pub(crate) const fn slot_len(contents: u64, align: u64) -> u64 {
    slot::HEADER + align.saturating_sub(8) + contents
}

/// Layouts of key and value as the heap's descriptors have them, for maps of a type that need not be known here;
/// `None` for those that no map has.
pub(crate) fn laid_out(entry: &EntryProgram) -> Option<(Layout, Layout)> {
    let of = |program: &Program| Layout::from_size_align(program.size(), program.align()).ok();
    let sized = |layout: &Layout| layout.size() > 0 && layout.align() <= MAX_ALIGN;
    Some((of(&entry.key).filter(sized)?, of(&entry.value).filter(sized)?))
}

/// The largest alignment of a value in bytes.
const MAX_ALIGN: usize = 64;

/// The error for a buffer whose bytes no map could have written.
#[cold]
pub(crate) fn damaged(handle: u64, what: &'static str) -> Error {
    Error::Corrupt {
        at: Place::Record { record: format!("map buffer {handle:#x}"), field: String::new() },
        what: Corruption::Structure(what.to_owned()),
    }
}

/// The `N` bytes at `at`, which the caller knows to be there.
#[inline(always)]
pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

#[cfg(feature = "arena")]
mod arena;
#[cfg(test)]
pub(crate) mod memory;

#[cfg(feature = "arena")]
pub(crate) use arena::{Buffers, BuffersMut, Keep, MAP_SLOT, map_slot, map_words};
