//! All regions of a heap in memory.

use std::io;

use memmap2::MmapMut;

use super::source::zeroed;
use crate::error::{Error, Result};

/// The committed bytes of regions: an arena, or a file that was read.
pub trait Regions {
    /// The committed bytes of a region, from its start; of a large value those of its whole run, by its first
    /// region. `None` where there is no such region.
    fn region(&self, number: u32) -> Option<&[u8]>;
}

/// The regions of a heap, read into memory.
#[derive(Debug)]
pub struct Loaded {
    /// Numbers, in ascending order, and where each region's bytes end; the next one's follow.
    regions: Vec<(u32, usize)>,
    memory: Memory,
}

impl Loaded {
    /// Zeros for regions of these numbers, which ascend, and lengths.
    pub(super) fn zeros(regions: impl Iterator<Item = (u32, u64)>) -> Result<Self> {
        let mut end = 0_u64;
        let mut ends = Vec::new();
        for (number, len) in regions {
            end = end.saturating_add(len);
            ends.push((number, end as usize));
        }
        Ok(Self { regions: ends, memory: Memory::zeros(end)? })
    }

    fn range(&self, position: usize) -> std::ops::Range<usize> {
        position.checked_sub(1).map_or(0, |before| self.regions[before].1)..self.regions[position].1
    }

    fn position(&self, number: u32) -> Option<usize> {
        self.regions.binary_search_by_key(&number, |region| region.0).ok()
    }

    /// The bytes of the region at this position.
    pub(super) fn at_mut(&mut self, position: usize) -> &mut [u8] {
        let range = self.range(position);
        &mut self.memory.bytes_mut()[range]
    }

    /// A region's bytes, to change them.
    #[cfg(any(test, feature = "arena", feature = "fixture"))]
    pub fn region_mut(&mut self, number: u32) -> Option<&mut [u8]> {
        self.position(number).map(|position| self.at_mut(position))
    }
}

impl Regions for Loaded {
    fn region(&self, number: u32) -> Option<&[u8]> {
        self.position(number).map(|position| &self.memory.bytes()[self.range(position)])
    }
}

/// Memory for what is read: in large pages where the system has them, for what it costs to touch a page first is most
/// of what reading costs.
#[derive(Debug)]
enum Memory {
    Pages(MmapMut),
    Bytes(Vec<u8>),
}

impl Memory {
    fn zeros(len: u64) -> Result<Self> {
        const HUGE: u64 = 2 << 20;
        if len < HUGE {
            return zeroed(len).map(Self::Bytes);
        }
        let short = |source| Error::Io { action: format!("taking {len} bytes of memory"), source };
        let room = usize::try_from(len.next_multiple_of(HUGE)).map_err(|_| short(io::ErrorKind::OutOfMemory.into()))?;
        match MmapMut::map_anon(room) {
            Ok(pages) => {
                // Only a hint: systems without huge pages refuse it.
                #[cfg(target_os = "linux")]
                let _ = pages.advise(memmap2::Advice::HugePage);
                Ok(Self::Pages(pages))
            }
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => Err(short(error)),
            Err(_) => zeroed(len).map(Self::Bytes),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Pages(pages) => pages,
            Self::Bytes(bytes) => bytes,
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Pages(pages) => pages,
            Self::Bytes(bytes) => bytes,
        }
    }
}
