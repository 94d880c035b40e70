//! Checksums of blocks.

use super::source::{Source, read_exact, zeroed};
use super::{damaged, overlay::Overlay};
use crate::error::{Corruption, Error, Place, Result};
use crate::format::BLOCK;
use crate::format::catalog::{CatalogRoot, Stream};

/// The checksum of every block of a file, as the file has it.
#[derive(Debug)]
pub struct BlockSums {
    sums: Vec<u8>,
}

impl BlockSums {
    /// Reads the stream of checksums.
    ///
    /// # Errors
    /// When the file ends within it, or memory is short.
    pub fn read<S: Source + ?Sized>(source: &S, root: &CatalogRoot) -> Result<Self> {
        let run = root.streams[Stream::Checksums as usize];
        let mut sums = zeroed(run.len)?;
        read_exact(source, run.at, &mut sums)?;
        Ok(Self { sums })
    }

    /// The checksum of a block, if the file has one.
    pub fn get(&self, block: u64) -> Option<u32> {
        let at = usize::try_from(block).ok()?.checked_mul(4)?;
        let bytes = self.sums.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// Checks whole blocks that lie at `offset`, except those that the log touches.
    ///
    /// # Errors
    /// Names the first block whose bytes are not those that were written.
    pub fn check<S: Source>(&self, overlay: &Overlay<S>, offset: u64, bytes: &[u8]) -> Result<()> {
        for (block, bytes) in (offset / BLOCK..).zip(bytes.chunks(BLOCK as usize)) {
            if overlay.touches(block) {
                continue;
            }
            let at = Place::Offset(block * BLOCK);
            let stored = self.get(block).ok_or_else(|| damaged(at.clone(), "the block has no checksum"))?;
            let computed = crc32fast::hash(bytes);
            if stored != computed {
                return Err(Error::Corrupt { at, what: Corruption::Checksum { stored, computed } });
            }
        }
        Ok(())
    }
}
