//! All regions of a heap in memory.

use super::source::{Source, zeroed};
use super::{Catalog, Reader};
use crate::error::Result;

/// The committed bytes of regions: an arena, or a file that was read.
pub trait Regions {
    /// The committed bytes of a region, from its start; of a large value those of its whole run, by its first
    /// region. `None` where there is no such region.
    fn region(&self, number: u32) -> Option<&[u8]>;
}

/// The regions of a heap, read into memory.
#[derive(Debug)]
pub struct Loaded {
    /// In ascending order of their numbers.
    numbers: Vec<u32>,
    regions: Vec<Vec<u8>>,
}

impl Loaded {
    pub(super) fn read<S: Source>(reader: &Reader<S>) -> Result<Self> {
        let catalog: &Catalog = reader.catalog();
        let mut loaded = Self { numbers: Vec::new(), regions: Vec::new() };
        for region in catalog.regions() {
            let mut bytes = zeroed(region.len)?;
            for extent in catalog.extents_of(region) {
                let start = extent.entry.offset as usize;
                reader.read_extent(extent, &mut bytes[start..start + extent.entry.len as usize])?;
            }
            loaded.numbers.push(region.number);
            loaded.regions.push(bytes);
        }
        Ok(loaded)
    }

    /// A region's bytes, to change them.
    #[cfg(any(test, feature = "fixture"))]
    pub fn region_mut(&mut self, number: u32) -> Option<&mut [u8]> {
        let position = self.numbers.binary_search(&number).ok()?;
        Some(&mut self.regions[position])
    }
}

impl Regions for Loaded {
    fn region(&self, number: u32) -> Option<&[u8]> {
        let position = self.numbers.binary_search(&number).ok()?;
        Some(&self.regions[position])
    }
}
