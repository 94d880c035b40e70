//! Inserting.

use super::MAX_HEIGHT;
use super::node::{
    Descent, Form, Node, Path, Place, SortedHeader, SortedKind, Step, checked_height, children, descend, keys, values,
};
use crate::buffers::{WriteBuffers, damaged};
use crate::error::Result;
use crate::key::Keys;

/// Where an inserted key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// The key was not there; its entry is written.
    New(Place),
    /// The key was there; nothing is changed.
    Present(Place),
}

/// Inserts an entry, unless its key is there already. `key` and `value` are the bytes to be stored, as records hold
/// them; `query` is the same key as it is asked for.
///
/// # Errors
/// When there is no room for another node, or a node cannot be read. The map is then as it was.
#[inline(always)]
pub(crate) fn insert<B: WriteBuffers + ?Sized, K: Keys<B>>(
    buffers: &mut B,
    header: &mut SortedHeader,
    kind: &SortedKind,
    key_kind: &K,
    query: &K::Query,
    key: &[u8],
    value: &[u8],
) -> Result<Inserted> {
    let Descent { mut path, found, mut count, mut form } = descend(buffers, header, kind, key_kind, query)?;
    if let Some(level) = found {
        let Step { node, index } = path[level];
        let value_at = values(kind, &form, index..index + 1).start;
        return Ok(Inserted::Present(Place { node, value_at }));
    }
    if count >= form.capacity {
        make_room(buffers, header, kind, &mut path)?;
        let leaf = Node::open(buffers, kind, path[0].node, 0)?;
        (count, form) = (leaf.count, leaf.form);
    }
    let Step { node, index } = path[0];
    shift_in(buffers.contents_mut(node, kind.shape, keys(kind, index..count + 1))?, key);
    shift_in(buffers.contents_mut(node, kind.shape, values(kind, &form, index..count + 1))?, value);
    set_count(buffers, kind, node, count + 1)?;
    header.count = header.count.wrapping_add(1);
    Ok(Inserted::New(Place { node, value_at: values(kind, &form, index..index + 1).start }))
}

/// Makes the leaf at the end of the path one that has room, and lets the path point at the same place in it.
#[cold]
#[inline(never)]
fn make_room<B: WriteBuffers + ?Sized>(
    buffers: &mut B,
    header: &mut SortedHeader,
    kind: &SortedKind,
    path: &mut Path,
) -> Result<()> {
    if header.root == 0 {
        let node = buffers.allocate(kind.small.len as u64, kind.shape)?;
        buffers.contents_mut(node, kind.shape, 3..4)?[0] = 1;
        *header = SortedHeader { count: 0, root: node, height: 1 };
        path[0] = Step { node, index: 0 };
        return Ok(());
    }
    if Node::open(buffers, kind, path[0].node, 0)?.is_small() {
        return enlarge(buffers, header, kind, path);
    }
    split_path(buffers, header, kind, path)
}

/// Moves a small leaf, which is the root, into a whole one.
fn enlarge<B: WriteBuffers + ?Sized>(
    buffers: &mut B,
    header: &mut SortedHeader,
    kind: &SortedKind,
    path: &mut Path,
) -> Result<()> {
    let old = path[0].node;
    if old != header.root {
        return Err(damaged(old, "a small leaf is not the root"));
    }
    let Node { count, form, .. } = Node::open(buffers, kind, old, 0)?;
    let new = buffers.allocate(kind.leaf.len as u64, kind.shape)?;
    let (from, to) = buffers.contents_pair(old, new, kind.shape, 0..kind.leaf.len)?;
    to[keys(kind, 0..count)].copy_from_slice(&from[keys(kind, 0..count)]);
    to[values(kind, &kind.leaf, 0..count)].copy_from_slice(&from[values(kind, &form, 0..count)]);
    to[..2].copy_from_slice(&from[..2]);
    buffers.free(old)?;
    header.root = new;
    path[0].node = new;
    Ok(())
}

/// Splits the full leaf at the end of the path, and as many of the nodes above it as are full too. All nodes that
/// this takes are there before the first is written.
fn split_path<B: WriteBuffers + ?Sized>(
    buffers: &mut B,
    header: &mut SortedHeader,
    kind: &SortedKind,
    path: &mut Path,
) -> Result<()> {
    let height = checked_height(header)?;
    let (mut full, mut at_right_end) = (height, true);
    for level in (0..height).rev() {
        let node = Node::open(buffers, kind, path[level].node, level)?;
        at_right_end &= path[level].index == node.count;
        full = if node.is_full() { full } else { level };
    }
    if full == MAX_HEIGHT {
        return Err(damaged(header.root, "the sorted map is too high"));
    }

    let mut fresh = [0; MAX_HEIGHT + 1];
    for level in 0..full + usize::from(full == height) {
        let form = if level == 0 { kind.leaf } else { kind.inner };
        match buffers.allocate(form.len as u64, kind.shape) {
            Ok(node) => fresh[level] = node,
            Err(error) => {
                for &node in &fresh[..level] {
                    buffers.free(node)?;
                }
                return Err(error);
            }
        }
    }

    if full == height {
        let root = fresh[height];
        let bytes = buffers.contents_mut(root, kind.shape, 0..kind.inner.len)?;
        bytes[2] = height as u8;
        bytes[children(&kind.inner, 0..1)].copy_from_slice(&header.root.to_ne_bytes());
        *header = SortedHeader { root, height: header.height + 1, ..*header };
        path[height] = Step { node: root, index: 0 };
    }
    for level in (0..full).rev() {
        let form = if level == 0 { kind.leaf } else { kind.inner };
        // What is appended gets a node of its own, and the full one keeps all but its last entry.
        let middle = if at_right_end { form.capacity - 1 } else { form.capacity / 2 };
        split(buffers, kind, level, path, fresh[level], middle)?;
        if path[level].index > middle {
            path[level] = Step { node: fresh[level], index: path[level].index - middle - 1 };
            path[level + 1].index += 1;
        }
    }
    Ok(())
}

/// Splits a full node of the path, whose parent has room: entry `middle` goes up, what is behind it goes to `right`.
fn split<B: WriteBuffers + ?Sized>(
    buffers: &mut B,
    kind: &SortedKind,
    level: usize,
    path: &Path,
    right: u64,
    middle: usize,
) -> Result<()> {
    let (left, parent) = (path[level].node, path[level + 1]);
    let Node { count, form, .. } = Node::open(buffers, kind, left, level)?;
    let behind = middle + 1..count;

    let (from, to) = buffers.contents_pair(left, right, kind.shape, 0..form.len)?;
    to[..2].copy_from_slice(&(behind.len() as u16).to_ne_bytes());
    to[2] = level as u8;
    to[keys(kind, 0..behind.len())].copy_from_slice(&from[keys(kind, behind.clone())]);
    to[values(kind, &form, 0..behind.len())].copy_from_slice(&from[values(kind, &form, behind.clone())]);
    if level > 0 {
        let moved = &from[children(&form, middle + 1..count + 1)];
        to[children(&form, 0..behind.len() + 1)].copy_from_slice(moved);
    }

    insert_separator(buffers, kind, level + 1, parent, (left, form, middle), right)?;

    buffers.contents_mut(left, kind.shape, keys(kind, middle..count))?.fill(0);
    buffers.contents_mut(left, kind.shape, values(kind, &form, middle..count))?.fill(0);
    if level > 0 {
        buffers.contents_mut(left, kind.shape, children(&form, middle + 1..count + 1))?.fill(0);
    }
    set_count(buffers, kind, left, middle)
}

/// Copies an entry of a node into its parent, at the path's index, with `right` as the child behind it.
fn insert_separator<B: WriteBuffers + ?Sized>(
    buffers: &mut B,
    kind: &SortedKind,
    level: usize,
    parent: Step,
    (left, left_form, middle): (u64, Form, usize),
    right: u64,
) -> Result<()> {
    let Step { node, index } = parent;
    let Node { count, form, .. } = Node::open(buffers, kind, node, level)?;
    let (from, to) = buffers.contents_pair(left, node, kind.shape, keys(kind, index..count + 1))?;
    shift_in(to, &from[keys(kind, middle..middle + 1)]);
    let (from, to) = buffers.contents_pair(left, node, kind.shape, values(kind, &form, index..count + 1))?;
    shift_in(to, &from[values(kind, &left_form, middle..middle + 1)]);
    let behind = children(&form, index + 1..count + 2);
    shift_in(buffers.contents_mut(node, kind.shape, behind)?, &right.to_ne_bytes());
    set_count(buffers, kind, node, count + 1)
}

/// Moves what `part` holds back by the length of `first`, and puts `first` in front. The last place of `part` is free.
#[inline(always)]
pub(super) fn shift_in(part: &mut [u8], first: &[u8]) {
    let kept = part.len() - first.len();
    part.copy_within(..kept, first.len());
    part[..first.len()].copy_from_slice(first);
}

#[inline(always)]
pub(super) fn set_count<B: WriteBuffers + ?Sized>(
    buffers: &mut B,
    kind: &SortedKind,
    node: u64,
    count: usize,
) -> Result<()> {
    buffers.contents_mut(node, kind.shape, 0..2)?.copy_from_slice(&(count as u16).to_ne_bytes());
    Ok(())
}
