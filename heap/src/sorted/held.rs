//! What a node holds, found out from the bytes of its slot alone.

use std::ops::Range;

use migrate::{ByteOrder, EntryProgram, HandleAt, Program, Programs};

use super::node::{Form, SortedKind, children, keys, values};
use crate::buffers::laid_out;
use crate::format::slot;
use crate::walk::{Held, Named};

/// A node in its slot.
struct Found {
    kind: SortedKind,
    form: Form,
    /// Number of entries.
    count: usize,
    inner: bool,
    /// Offset of the contents in the slot.
    start: usize,
}

/// `None` for bytes that no node has.
fn find(entry: &EntryProgram, shape: u32, header_in_region: u64, bytes: &[u8], order: ByteOrder) -> Option<Found> {
    let (key, value) = laid_out(entry)?;
    let kind = SortedKind::new(shape, key, value);
    let start = slot::contents_at(header_in_region, slot::HEADER, kind.shape.align as u64) - header_in_region;
    let start = start as usize;
    let contents = bytes.get(start..)?;
    let &[low, high, level, small, ..] = contents.first_chunk::<8>()?;
    let form = match (level, small) {
        (0, 1) => kind.small,
        (0, _) => kind.leaf,
        _ => kind.inner,
    };
    let count = usize::from(order.u16([low, high]));
    (count <= form.capacity && form.len <= contents.len()).then_some(Found {
        kind,
        form,
        count,
        inner: level > 0,
        start,
    })
}

/// Shows each handle in a node, in the order of their offsets. `bytes` are its slot's, from the header on, which is at
/// this offset of its region.
pub(crate) fn handles(
    programs: &Programs,
    shape: u32,
    header_in_region: u64,
    bytes: &[u8],
    visit: &mut impl FnMut(Held),
) {
    let Some(entry) = programs.entry(shape) else { return };
    let Some(Found { kind, form, count, inner, start }) =
        find(entry, shape, header_in_region, bytes, ByteOrder::NATIVE)
    else {
        return;
    };
    side_by_side(&entry.key, bytes, moved(keys(&kind, 0..count), start), visit);
    side_by_side(&entry.value, bytes, moved(values(&kind, &form, 0..count), start), visit);
    // A node that is being made may have no child yet; nodes that were are never without.
    if inner {
        let children = moved(children(&form, 0..count + 1), start);
        for (number, child) in bytes[children.clone()].chunks_exact(8).enumerate() {
            let bits = u64::from_ne_bytes(child.try_into().expect("chunks of eight bytes"));
            if bits != 0 {
                visit(Held { offset: children.start + number * 8, named: Named::SortedNode(shape), bits });
            }
        }
    }
}

/// Where the values lie in a node's slot.
pub(crate) fn value_range(
    entry: &EntryProgram,
    shape: u32,
    header_in_region: u64,
    bytes: &[u8],
) -> Option<Range<usize>> {
    let Found { kind, form, count, start, .. } = find(entry, shape, header_in_region, bytes, ByteOrder::NATIVE)?;
    Some(moved(values(&kind, &form, 0..count), start))
}

/// Where the parts of a node lie in its slot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg(feature = "arena")]
pub(crate) struct NodeParts {
    /// The number of entries.
    pub(crate) count: Range<usize>,
    pub(crate) keys: Range<usize>,
    pub(crate) values: Range<usize>,
    /// Handles of nodes.
    pub(crate) children: Range<usize>,
}

/// Takes a node in its slot apart, whatever its byte order.
#[cfg(feature = "arena")]
pub(crate) fn parts(
    entry: &EntryProgram,
    shape: u32,
    header_in_region: u64,
    bytes: &[u8],
    order: ByteOrder,
) -> Option<NodeParts> {
    let Found { kind, form, count, inner, start } = find(entry, shape, header_in_region, bytes, order)?;
    Some(NodeParts {
        count: start..start + 2,
        keys: moved(keys(&kind, 0..count), start),
        values: moved(values(&kind, &form, 0..count), start),
        children: if inner { moved(children(&form, 0..count + 1), start) } else { start..start },
    })
}

const fn moved(range: Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}

fn side_by_side(program: &Program, bytes: &[u8], range: Range<usize>, visit: &mut impl FnMut(Held)) {
    if !program.holds_handles() {
        return;
    }
    for (number, value) in bytes[range.clone()].chunks_exact(program.size()).enumerate() {
        let base = range.start + number * program.size();
        let Ok(()) = program.handles::<std::convert::Infallible>(value, ByteOrder::NATIVE, |found| {
            let HandleAt { offset, target, word } = found;
            visit(Held { offset: base + offset, named: Named::Value(target), bits: word });
            Ok(())
        });
    }
}
