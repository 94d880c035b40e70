//! What a buffer holds, found out from the bytes of its slot alone.

use std::ops::Range;

use migrate::{EntryProgram, Programs};

use super::layout::{Geometry, MapKind};
use crate::buffers::{laid_out, slot_len};
use crate::format::slot::{self, CLASSES};
use crate::format::whole_blocks;
use crate::walk::{self, Held};

/// Shows each handle in a map's buffer. `bytes` are its slot's, from the header on, which is at this offset of its
/// region.
pub(crate) fn handles(
    programs: &Programs,
    shape: u32,
    header_in_region: u64,
    bytes: &[u8],
    visit: &mut impl FnMut(Held),
) {
    let Some(entry) = programs.entry(shape).filter(|entry| entry.entry.holds_handles()) else { return };
    let Some(range) = entry_range(entry, shape, header_in_region, bytes.len() as u64) else { return };
    walk::entries(programs, shape, &bytes[range.clone()], range.start, visit);
}

/// Where the slots for entries lie in a buffer's slot of this length. A free one is all zeros.
///
/// The length says how many there are: whatever the size of an entry, tables of different logarithms lie in slots of
/// different lengths.
pub(crate) fn entry_range(entry: &EntryProgram, shape: u32, header_in_region: u64, len: u64) -> Option<Range<usize>> {
    let (key, value) = laid_out(entry)?;
    let kind = MapKind::new(shape, key, value);
    let geometry =
        (2..).map_while(|log2| Geometry::new(&kind, log2)).find(|geometry| allocated(&kind, geometry) >= len)?;
    if allocated(&kind, &geometry) != len {
        return None;
    }
    let contents = slot::contents_at(header_in_region, slot::HEADER, kind.shape.align as u64) - header_in_region;
    Some(contents as usize + geometry.entries_at..contents as usize + geometry.len)
}

/// Length of the slot that a table is given.
fn allocated(kind: &MapKind, geometry: &Geometry) -> u64 {
    let len = slot_len(geometry.len as u64, kind.shape.align as u64);
    slot::class_for(len).map_or_else(|| whole_blocks(len), |class| u64::from(CLASSES[class]))
}

#[cfg(test)]
mod tests {
    use std::alloc::Layout;

    use super::*;

    /// No size of an entry gives two tables slots of one length.
    #[test]
    fn a_slot_s_length_tells_how_its_table_is_cut_up() {
        for align in [1, 2, 4, 8, 16, 32, 64] {
            for size in (align..=20_000).step_by(align) {
                let key = Layout::from_size_align(align, align).unwrap();
                let value = Layout::from_size_align(size, align).unwrap();
                let kind = MapKind::new(0, key, value);
                let mut before = 0;
                for log2 in 2..30 {
                    let len = allocated(&kind, &Geometry::new(&kind, log2).unwrap());
                    assert!(len > before, "entries of {} bytes, logarithm {log2}", kind.entry.stride);
                    before = len;
                }
            }
        }
    }
}
