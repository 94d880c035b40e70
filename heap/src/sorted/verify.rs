//! Checking a tree whose bytes may be anything.

use super::MAX_HEIGHT;
use super::node::{Node, Path, SortedHeader, SortedKind, Step, checked_height, children, keys, values};
use crate::buffers::{ReadBuffers, damaged};
use crate::error::Result;
use crate::key::Keys;
use crate::map::zero;

/// Checks that the nodes below `header.root` are a tree that this module could have written. Shows each node's handle
/// to `node`, which refuses one that it has seen before, anywhere in the heap: that is what makes this end. Shows each
/// entry's key and value to `entry` before the key is compared; it checks them as values of their types, and the keys
/// it lets pass must be resolvable.
///
/// What holds afterwards: keys are strictly ascending over the whole tree, which puts every separator right; all
/// leaves are on level 0; nodes have the entries they must have; the header's count is the number of entries; and all
/// other bytes are zero.
///
/// One pass in the order of the keys, in constant memory.
///
/// # Errors
/// Says what is wrong. The caller knows where the map is.
pub(crate) fn verify_tree<B: ReadBuffers + ?Sized, K: Keys<B>>(
    buffers: &B,
    header: &SortedHeader,
    kind: &SortedKind,
    key_kind: &K,
    node: impl FnMut(u64) -> Result<()>,
    entry: impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<()> {
    let height = checked_height(header)?;
    let mut walk =
        Walk { buffers, header, kind, key_kind, height, previous: None, count: 0, node_seen: node, entry_seen: entry };
    if height > 0 {
        walk.run()?;
    }
    if walk.count != header.count {
        return Err(damaged(header.root, "the sorted map does not hold as many entries as it counts"));
    }
    Ok(())
}

struct Walk<'a, B: ?Sized, K, N, E> {
    buffers: &'a B,
    header: &'a SortedHeader,
    kind: &'a SortedKind,
    key_kind: &'a K,
    height: usize,
    previous: Option<&'a [u8]>,
    count: u64,
    node_seen: N,
    entry_seen: E,
}

impl<'a, B, K, N, E> Walk<'a, B, K, N, E>
where
    B: ReadBuffers + ?Sized,
    K: Keys<B>,
    N: FnMut(u64) -> Result<()>,
    E: FnMut(&[u8], &[u8]) -> Result<()>,
{
    fn run(&mut self) -> Result<()> {
        let mut path = Path::default();
        let mut on_right_edge = [true; MAX_HEIGHT];
        let mut level = self.height - 1;
        path[level].node = self.header.root;
        self.enter(self.header.root, level, true)?;
        loop {
            // `index` is the next child to go down to; the entry before it is due just before.
            let Step { node: handle, index } = path[level];
            let node = Node::open(self.buffers, self.kind, handle, level)?;
            if level > 0 && index <= node.count {
                if index > 0 {
                    self.check_entry(&node, handle, index - 1)?;
                }
                path[level].index += 1;
                let edge = on_right_edge[level] && index == node.count;
                level -= 1;
                path[level] = Step { node: node.child(index), index: 0 };
                on_right_edge[level] = edge;
                self.enter(path[level].node, level, edge)?;
                continue;
            }
            if level == 0 {
                for index in 0..node.count {
                    self.check_entry(&node, handle, index)?;
                }
            }
            level += 1;
            if level == self.height {
                return Ok(());
            }
        }
    }

    /// Checks a node by itself.
    fn enter(&mut self, handle: u64, level: usize, on_right_edge: bool) -> Result<()> {
        (self.node_seen)(handle)?;
        let kind = self.kind;
        let Node { bytes, count, form, .. } = Node::open(self.buffers, kind, handle, level)?;
        let wrong = |what| Err(damaged(handle, what));
        let is_small = bytes[3] == 1;
        if bytes[3] > 1 || (is_small && self.height > 1) {
            return wrong("a node has a form that it cannot have");
        }
        if !zero(&bytes[4..8]) {
            return wrong("reserved bytes of a node are not zero");
        }
        if count < if on_right_edge { 1 } else { form.least() } {
            return wrong("a node has too few entries");
        }
        let used_children = if level > 0 { children(&form, 0..count + 1) } else { form.len..form.len };
        // From the end of each part that is in use to the start of the next one.
        let gaps = [
            8..kind.keys_at,
            keys(kind, 0..count).end..form.values_at,
            values(kind, &form, 0..count).end..used_children.start,
            used_children.end..bytes.len(),
        ];
        if gaps.into_iter().any(|gap| !zero(&bytes[gap])) {
            return wrong("bytes of a node that hold nothing are not zero");
        }
        Ok(())
    }

    fn check_entry(&mut self, node: &Node<'a>, handle: u64, index: usize) -> Result<()> {
        let entry = node.entry(self.kind, handle, index);
        (self.entry_seen)(entry.key, entry.value)?;
        if let Some(previous) = self.previous
            && !self.key_kind.compare_stored(self.buffers, previous, entry.key)?.is_lt()
        {
            return Err(damaged(handle, "keys are not in ascending order"));
        }
        self.previous = Some(entry.key);
        self.count += 1;
        Ok(())
    }
}
