//! Where a place of the arena is in the file.

use crate::format::catalog::ExtentEntry;

/// The extents of each region, in order of their offset in it.
#[derive(Debug, Default)]
pub(crate) struct FileMap {
    regions: Vec<Vec<Piece>>,
}

#[derive(Debug, Clone, Copy)]
struct Piece {
    offset: u64,
    len: u64,
    at: u64,
}

impl FileMap {
    /// Adds an extent.
    pub(crate) fn add(&mut self, extent: &ExtentEntry) {
        let region = extent.region as usize;
        if self.regions.len() <= region {
            self.regions.resize_with(region + 1, Vec::new);
        }
        let piece = Piece { offset: u64::from(extent.offset), len: extent.len, at: extent.at };
        let pieces = &mut self.regions[region];
        let position = pieces.partition_point(|before| before.offset < piece.offset);
        pieces.insert(position, piece);
    }

    /// Removes an extent.
    pub(crate) fn remove(&mut self, extent: &ExtentEntry) {
        self.regions[extent.region as usize].retain(|piece| piece.offset != u64::from(extent.offset));
    }

    /// The file offset of `offset` in `region`, and how many bytes from there on lie side by side in the file.
    #[inline]
    pub(crate) fn locate(&self, region: u32, offset: u64) -> (u64, u64) {
        for piece in &self.regions[region as usize] {
            if offset < piece.offset + piece.len {
                let within = offset - piece.offset;
                return (piece.at + within, piece.len - within);
            }
        }
        unreachable!("a live slot lies in an extent")
    }
}
