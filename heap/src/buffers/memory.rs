//! Buffers in plain vectors, for the tests of the maps.

use std::ops::Range;

use super::{BufferShape, ReadBuffers, WriteBuffers, damaged};
use crate::error::Result;

/// Buffer `n` has the handle `n + 1`; texts have handles of their own, counted the same way.
#[derive(Default, Clone)]
pub(crate) struct Memory {
    /// The buffers; a freed one is `None`.
    pub(crate) buffers: Vec<Option<Vec<u8>>>,
    /// Handles free to be given again.
    pub(crate) spare: Vec<u64>,
    /// The texts.
    pub(crate) texts: Vec<String>,
    /// Bytes handed out for writing so far.
    pub(crate) registered: usize,
    /// How many more allocations succeed, where they are limited.
    pub(crate) allocations_left: Option<usize>,
}

impl Memory {
    /// Stores a text, and gives its handle.
    pub(crate) fn add_text(&mut self, text: &str) -> u64 {
        self.texts.push(text.to_owned());
        self.texts.len() as u64
    }

    /// Handles of all live buffers.
    pub(crate) fn live(&self) -> Vec<u64> {
        (1..=self.buffers.len() as u64).filter(|&handle| self.buffers[handle as usize - 1].is_some()).collect()
    }

    /// A live buffer's bytes, to damage them.
    pub(crate) fn raw(&mut self, handle: u64) -> &mut Vec<u8> {
        self.buffers[handle as usize - 1].as_mut().unwrap()
    }
}

impl ReadBuffers for Memory {
    #[inline]
    fn contents(&self, handle: u64, _: BufferShape) -> Result<&[u8]> {
        match self.buffers.get((handle as usize).wrapping_sub(1)) {
            Some(Some(bytes)) => Ok(bytes),
            _ => Err(damaged(handle, "no such buffer")),
        }
    }

    fn text(&self, handle: u64) -> Result<&str> {
        let text = self.texts.get((handle as usize).wrapping_sub(1));
        text.map(String::as_str).ok_or_else(|| damaged(handle, "no such text"))
    }
}

impl WriteBuffers for Memory {
    fn allocate(&mut self, len: u64, _: BufferShape) -> Result<u64> {
        if let Some(left) = &mut self.allocations_left {
            *left = left.checked_sub(1).ok_or(crate::Error::ArenaFull { reserved: 0 })?;
        }
        // Slack behind the contents, as slots of size classes have it.
        let bytes = Some(vec![0; (len as usize).next_multiple_of(64)]);
        if let Some(handle) = self.spare.pop() {
            self.buffers[handle as usize - 1] = bytes;
            return Ok(handle);
        }
        self.buffers.push(bytes);
        Ok(self.buffers.len() as u64)
    }

    fn free(&mut self, handle: u64) -> Result<()> {
        self.contents(handle, BufferShape { number: 0, align: 8 })?;
        self.buffers[handle as usize - 1] = None;
        self.spare.push(handle);
        Ok(())
    }

    #[inline]
    fn contents_mut(&mut self, handle: u64, _: BufferShape, range: Range<usize>) -> Result<&mut [u8]> {
        self.registered += range.len();
        match self.buffers.get_mut((handle as usize).wrapping_sub(1)) {
            Some(Some(bytes)) => Ok(&mut bytes[range]),
            _ => Err(damaged(handle, "no such buffer")),
        }
    }

    #[inline]
    fn contents_pair(&mut self, from: u64, to: u64, _: BufferShape, range: Range<usize>) -> Result<(&[u8], &mut [u8])> {
        self.registered += range.len();
        let pair = self.buffers.get_disjoint_mut([from as usize - 1, to as usize - 1]);
        match pair {
            Ok([Some(from), Some(to)]) => Ok((from, &mut to[range])),
            _ => Err(damaged(from, "no such pair of buffers")),
        }
    }
}
