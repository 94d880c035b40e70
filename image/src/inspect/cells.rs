//! The bytes of regions, wherever they are.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use heap::format::BLOCK;
use heap::read::{Loaded, Reader, Region, Regions, Source};

use crate::error::Result;

/// Bytes of a region that are read together: whole blocks.
const PIECE: u64 = 4 * BLOCK;
/// Pieces kept: 32 MiB.
const KEPT: usize = 512;

/// The committed bytes of regions, by their place in them.
pub trait Cells {
    /// Fills `bytes` from `at` in the region; they lie within its length.
    ///
    /// # Errors
    /// When they cannot be read, or their checksums are wrong and were to be checked.
    fn read(&self, region: &Region, at: u64, bytes: &mut [u8]) -> Result<()>;
}

impl Cells for &Loaded {
    fn read(&self, region: &Region, at: u64, bytes: &mut [u8]) -> Result<()> {
        let found = self.region(region.number).and_then(|all| all.get(at as usize..)?.get(..bytes.len()));
        bytes.copy_from_slice(found.ok_or_else(|| super::beyond(region))?);
        Ok(())
    }
}

/// A file, of which the pieces read last are kept.
pub struct Cached<'r, S> {
    reader: &'r Reader<S>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    pieces: HashMap<(u32, u64), Arc<[u8]>>,
    /// In the order in which they were read.
    order: VecDeque<(u32, u64)>,
}

impl<'r, S: Source> Cached<'r, S> {
    /// A cache over a file, empty.
    pub fn new(reader: &'r Reader<S>) -> Self {
        Self { reader, kept: Mutex::default() }
    }

    fn piece(&self, region: &Region, number: u64) -> Result<Arc<[u8]>> {
        let key = (region.number, number);
        // A cache holds nothing that a panic elsewhere could leave half-done.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(piece) = kept.pieces.get(&key) {
            return Ok(Arc::clone(piece));
        }
        let piece: Arc<[u8]> = self.read_piece(region, number * PIECE)?.into();
        if kept.order.len() == KEPT
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.pieces.remove(&oldest);
        }
        kept.order.push_back(key);
        kept.pieces.insert(key, Arc::clone(&piece));
        Ok(piece)
    }

    fn read_piece(&self, region: &Region, start: u64) -> Result<Vec<u8>> {
        let end = region.len.min(start + PIECE);
        let mut bytes = vec![0; (end - start) as usize];
        let extents = self.reader.catalog().extents_of(region);
        let first = extents.partition_point(|extent| u64::from(extent.entry.offset) + extent.entry.len <= start);
        let mut at = start;
        for extent in &extents[first..] {
            if at >= end {
                break;
            }
            let within = at - u64::from(extent.entry.offset);
            let len = (extent.entry.len - within).min(end - at);
            let from = (at - start) as usize;
            self.reader.read_blocks(extent.entry.at + within, &mut bytes[from..from + len as usize])?;
            at += len;
        }
        Ok(bytes)
    }
}

impl<S: Source> Cells for Cached<'_, S> {
    fn read(&self, region: &Region, at: u64, bytes: &mut [u8]) -> Result<()> {
        let (mut at, mut rest) = (at, bytes);
        while !rest.is_empty() {
            let piece = self.piece(region, at / PIECE)?;
            let within = (at % PIECE) as usize;
            let len = rest.len().min(piece.len().saturating_sub(within));
            if len == 0 {
                return Err(super::beyond(region));
            }
            let (now, later) = rest.split_at_mut(len);
            now.copy_from_slice(&piece[within..within + len]);
            (at, rest) = (at + len as u64, later);
        }
        Ok(())
    }
}
