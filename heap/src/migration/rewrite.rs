//! Rewriting a region's records in place: the same slots, at another distance.

use migrate::TypeDescriptor;

use crate::format::{BLOCK, slot, whole_blocks};

/// Where the slots of a record table lie in its regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slots {
    /// Offset of the first slot's contents.
    pub(crate) first: u32,
    /// Distance of slots in bytes.
    pub(crate) stride: u32,
}

impl Slots {
    /// As the compiler's side computes them for a record type.
    pub(crate) fn of(described: &TypeDescriptor) -> Self {
        let align = described.align.max(slot::HEADER as u32);
        Self { first: align, stride: (described.size.max(8) + slot::HEADER as u32).next_multiple_of(align) }
    }

    /// Offset of a slot's header from the start of the region.
    pub(crate) const fn header(self, slot: usize) -> usize {
        self.first as usize - slot::HEADER as usize + slot * self.stride as usize
    }

    /// Length in whole blocks of a region's part that holds so many slots.
    pub(crate) fn len(self, slots: u32) -> u64 {
        whole_blocks(self.header(slots as usize) as u64).max(BLOCK)
    }
}

/// Slots that are copied out together before they are written anew; they stay in the nearest cache meanwhile.
const BATCH: usize = 128;

/// Moves the first `used` slots of a region from their old places to their new ones.
///
/// `convert` is given the old slots of a batch, from the first one's header on, the new ones, which are zero, and the
/// number of the first. It writes headers and contents. `bytes` are as long as the longer of both forms.
pub(crate) fn rewrite_region<E>(
    bytes: &mut [u8],
    used: usize,
    (old, new): (Slots, Slots),
    mut convert: impl FnMut(&[u8], &mut [u8], usize) -> Result<(), E>,
) -> Result<(), E> {
    let mut batch = BATCH;
    // A batch may be written once no old slot that is still wanted lies where it goes. Growing slots are moved from
    // the last batch to the first, shrinking ones the other way; where neither will do, there is one batch.
    let backward = new.stride >= old.stride && new.first >= old.first;
    let forward = new.stride <= old.stride && new.first <= old.first;
    if !(forward || backward) {
        batch = used.max(1);
    }
    let batches = used.div_ceil(batch);
    let mut scratch = vec![0; batch * old.stride as usize];
    for number in 0..batches {
        let number = if backward { batches - 1 - number } else { number };
        let (from, to) = (number * batch, ((number + 1) * batch).min(used));
        let copied = &mut scratch[..(to - from) * old.stride as usize];
        // The last slot of a region need not be followed by the header of another.
        let available = bytes.len().min(old.header(to)) - old.header(from);
        copied[..available].copy_from_slice(&bytes[old.header(from)..][..available]);
        let end = bytes.len().min(new.header(to));
        let written = &mut bytes[new.header(from)..end];
        written.fill(0);
        convert(copied, written, from)?;
    }
    // What lies behind the last slot, and before the first one, was a slot or nothing.
    let (start, end) = (new.header(used), bytes.len());
    bytes[start.min(end)..].fill(0);
    bytes[..new.header(0)].fill(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every slot's header and first bytes arrive, whatever becomes of stride and alignment.
    #[test]
    fn slots_keep_their_contents_at_any_distance() {
        let forms = [(8, 16), (8, 24), (8, 64), (8, 72), (16, 32), (16, 48), (32, 64), (64, 128)]
            .map(|(first, stride)| Slots { first, stride });
        for old in forms {
            for new in forms {
                for used in [0, 1, 2, 127, 128, 129, 500] {
                    let len = old.len(used as u32).max(new.len(used as u32)) as usize;
                    let mut bytes = vec![0_u8; len];
                    for slot in 0..used {
                        let at = old.header(slot);
                        bytes[at..at + 16].copy_from_slice(&(slot as u128 + 1).to_ne_bytes());
                    }
                    let Ok(()) = rewrite_region(&mut bytes, used, (old, new), |from, to, _| {
                        let slots = from.chunks_exact(old.stride as usize).zip(to.chunks_mut(new.stride as usize));
                        for (from, to) in slots {
                            assert!(to.iter().all(|&byte| byte == 0));
                            to[..16].copy_from_slice(&from[..16]);
                        }
                        Ok::<(), std::convert::Infallible>(())
                    });
                    let mut expected = vec![0_u8; len];
                    for slot in 0..used {
                        let at = new.header(slot);
                        expected[at..at + 16].copy_from_slice(&(slot as u128 + 1).to_ne_bytes());
                    }
                    assert!(bytes == expected, "{old:?} {new:?} {used}");
                }
            }
        }
    }
}
