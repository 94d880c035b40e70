//! Removing.

use super::insert::{set_count, shift_in};
use super::node::{
    Descent, Entry, Node, Path, SortedHeader, SortedKind, Step, checked_height, children, descend, keys, values,
};
use crate::buffers::{ReadBuffers, WriteBuffers, damaged};
use crate::error::Result;
use crate::key::Keys;

/// Removes the entry with this key, and gives what `taken` makes of it.
///
/// # Errors
/// When a node, or a text that is a key, cannot be read. Unless nodes are damaged, the map is then as it was.
#[inline]
pub(crate) fn remove<B: WriteBuffers + ?Sized, K: Keys<B>, T>(
    buffers: &mut B,
    header: &mut SortedHeader,
    kind: &SortedKind,
    key_kind: &K,
    query: &K::Query,
    taken: impl FnOnce(Entry<'_>) -> T,
) -> Result<Option<T>> {
    let Descent { mut path, found, mut count, mut form } = descend(buffers, header, kind, key_kind, query)?;
    let Some(level) = found else { return Ok(None) };
    let Step { node, index } = path[level];
    let Some(left) = header.count.checked_sub(1) else {
        return Err(damaged(header.root, "the sorted map holds more entries than it counts"));
    };
    let taken = taken(Node::open(buffers, kind, node, level)?.entry(kind, node, index));
    if level > 0 {
        replace_by_predecessor(buffers, kind, &mut path, level)?;
        let leaf = Node::open(buffers, kind, path[0].node, 0)?;
        (count, form) = (leaf.count, leaf.form);
    }
    let Step { node: leaf, index } = path[0];
    shift_out(buffers.contents_mut(leaf, kind.shape, keys(kind, index..count))?, kind.key_size);
    shift_out(buffers.contents_mut(leaf, kind.shape, values(kind, &form, index..count))?, kind.value_size);
    set_count(buffers, kind, leaf, count - 1)?;
    header.count = left;
    if count <= form.least() || count == 1 {
        refill(buffers, header, kind, &mut path)?;
    }
    Ok(Some(taken))
}

/// Forgets all entries and gives all nodes back. In a heap the nodes go by themselves with the root's handle.
///
/// # Errors
/// When a node cannot be read.
#[cfg(test)]
pub(crate) fn clear<B: WriteBuffers + ?Sized>(
    buffers: &mut B,
    header: &mut SortedHeader,
    kind: &SortedKind,
) -> Result<()> {
    let height = checked_height(header)?;
    let mut path = Path::default();
    let mut level = height.saturating_sub(1);
    path[level] = Step { node: header.root, index: 0 };
    while level < height {
        // A node is given back once all its children are; `index` is the next child to go down to.
        let step = path[level];
        let node = Node::open(buffers, kind, step.node, level)?;
        if level > 0 && step.index <= node.count {
            path[level].index += 1;
            level -= 1;
            path[level] = Step { node: node.child(step.index), index: 0 };
        } else {
            buffers.free(step.node)?;
            level += 1;
        }
    }
    *header = SortedHeader::default();
    Ok(())
}

/// Copies the greatest entry below the path's one over it, and leads the path down to that entry, which is then the
/// one to be removed.
#[cold]
fn replace_by_predecessor<B: WriteBuffers + ?Sized>(
    buffers: &mut B,
    kind: &SortedKind,
    path: &mut Path,
    level: usize,
) -> Result<()> {
    let Step { node, index } = path[level];
    let inner = Node::open(buffers, kind, node, level)?;
    let form = inner.form;
    let mut handle = inner.child(index);
    for below in (0..level).rev() {
        let node = Node::open(buffers, kind, handle, below)?;
        path[below] = Step { node: handle, index: node.count };
        if below > 0 {
            handle = node.child(node.count);
        }
    }
    let leaf = Node::open(buffers, kind, handle, 0)?;
    let Some(last) = leaf.count.checked_sub(1) else {
        return Err(damaged(handle, "a leaf is empty"));
    };
    path[0].index = last;
    let leaf_form = leaf.form;
    let (from, to) = buffers.contents_pair(handle, node, kind.shape, keys(kind, index..index + 1))?;
    to.copy_from_slice(&from[keys(kind, last..last + 1)]);
    let (from, to) = buffers.contents_pair(handle, node, kind.shape, values(kind, &form, index..index + 1))?;
    to.copy_from_slice(&from[values(kind, &leaf_form, last..last + 1)]);
    Ok(())
}

/// Gives the nodes of the path that have too few entries some of their neighbours', or makes one node of two.
#[cold]
#[inline(never)]
fn refill<B: WriteBuffers + ?Sized>(
    buffers: &mut B,
    header: &mut SortedHeader,
    kind: &SortedKind,
    path: &mut Path,
) -> Result<()> {
    let height = checked_height(header)?;
    for level in 0..height - 1 {
        let node = Node::open(buffers, kind, path[level].node, level)?;
        if node.count >= node.form.least() {
            return Ok(());
        }
        let pair = Pair::new(buffers, kind, level, path[level + 1])?;
        if pair.left_count + pair.right_count < node.form.capacity {
            pair.merge(buffers, kind)?;
        } else if path[level].node == pair.right {
            return pair.move_right(buffers, kind);
        } else {
            return pair.move_left(buffers, kind);
        }
    }
    let root = Node::open(buffers, kind, header.root, height - 1)?;
    if root.count == 0 {
        let child = if height > 1 { root.child(0) } else { 0 };
        buffers.free(header.root)?;
        *header = SortedHeader { root: child, height: header.height - 1, ..*header };
    }
    Ok(())
}

/// Two neighbours, and the entry of their parent that stands between them.
struct Pair {
    level: usize,
    left: u64,
    left_count: usize,
    right: u64,
    right_count: usize,
    parent: u64,
    separator: usize,
}

impl Pair {
    /// A child of a node, by the index in `step`, and the child before it, or behind it where it is the first.
    fn new<B: ReadBuffers + ?Sized>(buffers: &B, kind: &SortedKind, level: usize, step: Step) -> Result<Self> {
        let parent = Node::open(buffers, kind, step.node, level + 1)?;
        let separator = step.index.saturating_sub(1);
        if separator >= parent.count {
            return Err(damaged(step.node, "an inner node is empty"));
        }
        let (left, right) = (parent.child(separator), parent.child(separator + 1));
        let (left_node, right_node) =
            (Node::open(buffers, kind, left, level)?, Node::open(buffers, kind, right, level)?);
        if left == right || left_node.form != right_node.form {
            return Err(damaged(step.node, "two children are one, or of different forms"));
        }
        Ok(Self {
            level,
            left,
            left_count: left_node.count,
            right,
            right_count: right_node.count,
            parent: step.node,
            separator,
        })
    }

    /// Appends the separator and all of the right node to the left one.
    fn merge<B: WriteBuffers + ?Sized>(&self, buffers: &mut B, kind: &SortedKind) -> Result<()> {
        let Self { level, left, left_count, right, right_count, parent, separator } = *self;
        let form = if level == 0 { kind.leaf } else { kind.inner };
        let Node { count, form: parent_form, .. } = Node::open(buffers, kind, parent, level + 1)?;
        let total = left_count + 1 + right_count;

        let one = |at| at..at + 1;
        let (from, to) = buffers.contents_pair(parent, left, kind.shape, keys(kind, one(left_count)))?;
        to.copy_from_slice(&from[keys(kind, one(separator))]);
        let (from, to) = buffers.contents_pair(parent, left, kind.shape, values(kind, &form, one(left_count)))?;
        to.copy_from_slice(&from[values(kind, &parent_form, one(separator))]);
        let (from, to) = buffers.contents_pair(right, left, kind.shape, keys(kind, left_count + 1..total))?;
        to.copy_from_slice(&from[keys(kind, 0..right_count)]);
        let (from, to) = buffers.contents_pair(right, left, kind.shape, values(kind, &form, left_count + 1..total))?;
        to.copy_from_slice(&from[values(kind, &form, 0..right_count)]);
        if level > 0 {
            let behind = children(&form, left_count + 1..total + 1);
            let (from, to) = buffers.contents_pair(right, left, kind.shape, behind)?;
            to.copy_from_slice(&from[children(&form, 0..right_count + 1)]);
        }
        set_count(buffers, kind, left, total)?;

        shift_out(buffers.contents_mut(parent, kind.shape, keys(kind, separator..count))?, kind.key_size);
        let behind = values(kind, &parent_form, separator..count);
        shift_out(buffers.contents_mut(parent, kind.shape, behind)?, kind.value_size);
        let behind = children(&parent_form, separator + 1..count + 1);
        shift_out(buffers.contents_mut(parent, kind.shape, behind)?, 8);
        set_count(buffers, kind, parent, count - 1)?;
        buffers.free(right)
    }

    /// Moves the last entry of the left node up, and the separator to the front of the right node.
    fn move_right<B: WriteBuffers + ?Sized>(&self, buffers: &mut B, kind: &SortedKind) -> Result<()> {
        let Self { level, left, left_count, right, right_count, parent, separator } = *self;
        let form = if level == 0 { kind.leaf } else { kind.inner };
        let last = left_count - 1..left_count;

        self.separator_into(buffers, kind, right, 0, right_count, shift_in)?;
        if level > 0 {
            let all = children(&form, 0..right_count + 2);
            let (from, to) = buffers.contents_pair(left, right, kind.shape, all)?;
            shift_in(to, &from[children(&form, left_count..left_count + 1)]);
            buffers.contents_mut(left, kind.shape, children(&form, left_count..left_count + 1))?.fill(0);
        }
        set_count(buffers, kind, right, right_count + 1)?;
        self.separator_from(buffers, kind, left, last.start, (parent, separator))?;
        buffers.contents_mut(left, kind.shape, keys(kind, last.clone()))?.fill(0);
        buffers.contents_mut(left, kind.shape, values(kind, &form, last))?.fill(0);
        set_count(buffers, kind, left, left_count - 1)
    }

    /// Moves the first entry of the right node up, and the separator to the end of the left node.
    fn move_left<B: WriteBuffers + ?Sized>(&self, buffers: &mut B, kind: &SortedKind) -> Result<()> {
        let Self { level, left, left_count, right, right_count, parent, separator } = *self;
        let form = if level == 0 { kind.leaf } else { kind.inner };

        self.separator_into(buffers, kind, left, left_count, left_count, <[u8]>::copy_from_slice)?;
        if level > 0 {
            let end = children(&form, left_count + 1..left_count + 2);
            let (from, to) = buffers.contents_pair(right, left, kind.shape, end)?;
            to.copy_from_slice(&from[children(&form, 0..1)]);
            shift_out(buffers.contents_mut(right, kind.shape, children(&form, 0..right_count + 1))?, 8);
        }
        set_count(buffers, kind, left, left_count + 1)?;
        self.separator_from(buffers, kind, right, 0, (parent, separator))?;
        shift_out(buffers.contents_mut(right, kind.shape, keys(kind, 0..right_count))?, kind.key_size);
        shift_out(buffers.contents_mut(right, kind.shape, values(kind, &form, 0..right_count))?, kind.value_size);
        set_count(buffers, kind, right, right_count - 1)
    }

    /// Puts the separator into a child at an index, the way `put` does it with the part from there to the new end.
    fn separator_into<B: WriteBuffers + ?Sized>(
        &self,
        buffers: &mut B,
        kind: &SortedKind,
        child: u64,
        index: usize,
        count: usize,
        put: impl Fn(&mut [u8], &[u8]),
    ) -> Result<()> {
        let form = if self.level == 0 { kind.leaf } else { kind.inner };
        let separator = self.separator..self.separator + 1;
        let (from, to) = buffers.contents_pair(self.parent, child, kind.shape, keys(kind, index..count + 1))?;
        put(to, &from[keys(kind, separator.clone())]);
        let (from, to) =
            buffers.contents_pair(self.parent, child, kind.shape, values(kind, &form, index..count + 1))?;
        put(to, &from[values(kind, &kind.inner, separator)]);
        Ok(())
    }

    /// Copies an entry of a child over the separator.
    fn separator_from<B: WriteBuffers + ?Sized>(
        &self,
        buffers: &mut B,
        kind: &SortedKind,
        child: u64,
        index: usize,
        (parent, separator): (u64, usize),
    ) -> Result<()> {
        let form = if self.level == 0 { kind.leaf } else { kind.inner };
        let place = keys(kind, separator..separator + 1);
        let (from, to) = buffers.contents_pair(child, parent, kind.shape, place)?;
        to.copy_from_slice(&from[keys(kind, index..index + 1)]);
        let place = values(kind, &kind.inner, separator..separator + 1);
        let (from, to) = buffers.contents_pair(child, parent, kind.shape, place)?;
        to.copy_from_slice(&from[values(kind, &form, index..index + 1)]);
        Ok(())
    }
}

/// Drops the first `len` bytes of `part`, moves the rest there, and zeroes the end.
#[inline(always)]
fn shift_out(part: &mut [u8], len: usize) {
    let kept = part.len() - len;
    part.copy_within(len.., 0);
    part[kept..].fill(0);
}
