//! Where a place of the arena is in the file.

use crate::format::catalog::ExtentEntry;

/// The extents of each region, in order of their offset in it; neighbours in arena and file are one piece, so that
/// there are few to look through.
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
        match position.checked_sub(1).map(|before| &mut pieces[before]) {
            Some(before) if before.offset + before.len == piece.offset && before.at + before.len == piece.at => {
                before.len += piece.len;
            }
            _ => pieces.insert(position, piece),
        }
    }

    /// Removes the last extent of a region.
    pub(crate) fn remove(&mut self, extent: &ExtentEntry) {
        let (pieces, offset) = (&mut self.regions[extent.region as usize], u64::from(extent.offset));
        if let Some(last) = pieces.last_mut() {
            debug_assert_eq!(last.offset + last.len, offset + extent.len, "extents go from the end");
            last.len = offset.saturating_sub(last.offset);
        }
        pieces.retain(|piece| piece.len > 0);
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
