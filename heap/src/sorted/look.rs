//! Looking at one node without believing it, in any byte order.

use migrate::ByteOrder;

use super::MAX_HEIGHT;
use super::node::{SortedKind, keys, values};

/// Where things are in a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeParts {
    /// 0 for a leaf.
    pub(crate) level: usize,
    /// Offsets of each key and its value.
    pub(crate) entries: Vec<(usize, usize)>,
    /// Handles of an inner node's children, one more than its entries.
    pub(crate) children: Vec<u64>,
}

/// Takes the contents of a node apart; `None` for what cannot be one.
pub(crate) fn look(kind: &SortedKind, order: ByteOrder, bytes: &[u8]) -> Option<NodeParts> {
    let head = bytes.first_chunk::<8>()?;
    let count = usize::from(order.u16([head[0], head[1]]));
    let level = usize::from(head[2]);
    let form = match (level, head[3]) {
        (0, 0) => kind.leaf,
        (0, 1) => kind.small,
        (1..MAX_HEIGHT, 0) => kind.inner,
        _ => return None,
    };
    if count > form.capacity || bytes.len() < form.len {
        return None;
    }
    let entries =
        (0..count).map(|index| (keys(kind, index..index + 1).start, values(kind, &form, index..index + 1).start));
    let children = if level > 0 { &bytes[form.children_at..form.children_at + (count + 1) * 8] } else { &[] };
    let children = children.as_chunks::<8>().0.iter().map(|&word| order.u64(word));
    Some(NodeParts { level, entries: entries.collect(), children: children.collect() })
}
