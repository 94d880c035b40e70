//! Nodes: where things are in them, and the way from the root to a key.

use std::alloc::Layout;
use std::cmp::Ordering;
use std::hint::select_unpredictable;
use std::ops::Range;

use migrate::ByteOrder;

use super::{LEAST_CAPACITY, MAX_HEIGHT, NODE, SMALL_CAPACITY};
use crate::buffers::{BufferShape, ReadBuffers, array_at, damaged};
use crate::error::Result;
use crate::key::Keys;

/// The contents of a sorted map's own slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SortedHeader {
    /// Number of entries.
    pub(crate) count: u64,
    /// Handle of the root node, or 0.
    pub(crate) root: u64,
    /// Number of levels.
    pub(crate) height: u64,
}

/// What all sorted maps of one type have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SortedKind {
    /// Shape of the nodes.
    pub(crate) shape: BufferShape,
    /// Size of a key in bytes.
    pub(crate) key_size: usize,
    /// Size of a value in bytes.
    pub(crate) value_size: usize,
    /// Offset of the keys in any node.
    pub(super) keys_at: usize,
    pub(super) small: Form,
    pub(super) leaf: Form,
    pub(super) inner: Form,
}

/// Where things are in a node of one form. Offsets and length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) capacity: usize,
    pub(super) values_at: usize,
    /// Of a leaf, its end.
    pub(super) children_at: usize,
    pub(super) len: usize,
}

impl Form {
    /// The fewest entries of a node that is neither the root nor on the right edge.
    #[inline(always)]
    pub(super) const fn least(&self) -> usize {
        (self.capacity - 1) / 2
    }
}

impl SortedKind {
    /// The same for the shape with this number.
    #[inline(always)]
    pub(crate) const fn of_shape(self, number: u32) -> Self {
        Self { shape: BufferShape { number, ..self.shape }, ..self }
    }

    /// The sorted maps of the shape with this number, with such keys and values.
    pub(crate) const fn new(shape_number: u32, key: Layout, value: Layout) -> Self {
        let mut align = 8;
        if key.align() > align {
            align = key.align();
        }
        if value.align() > align {
            align = value.align();
        }
        Self {
            shape: BufferShape { number: shape_number, align },
            key_size: key.size(),
            value_size: value.size(),
            keys_at: 8_usize.next_multiple_of(key.align()),
            small: form(key, value, SMALL_CAPACITY, Level::Leaf),
            leaf: largest_form(key, value, Level::Leaf),
            inner: largest_form(key, value, Level::Inner),
        }
    }
}

#[derive(Clone, Copy)]
enum Level {
    Leaf,
    Inner,
}

const fn form(key: Layout, value: Layout, capacity: usize, level: Level) -> Form {
    let keys_at = 8_usize.next_multiple_of(key.align());
    let values_at = (keys_at + capacity * key.size()).next_multiple_of(value.align());
    let values_end = values_at + capacity * value.size();
    let (children_at, len) = match level {
        Level::Leaf => (values_end, values_end),
        Level::Inner => {
            let children_at = values_end.next_multiple_of(8);
            (children_at, children_at + (capacity + 1) * 8)
        }
    };
    Form { capacity, values_at, children_at, len }
}

const fn largest_form(key: Layout, value: Layout, level: Level) -> Form {
    // A node with so many entries has room for all gaps, however large; the last few are found by trying. Of entries
    // without a size, of which only a file can speak, any number would fit.
    let entry = key.size() + value.size() + if matches!(level, Level::Inner) { 8 } else { 0 };
    let gaps = 24 + key.align() + value.align();
    let Some(fit) = NODE.saturating_sub(gaps).checked_div(entry) else {
        return form(key, value, LEAST_CAPACITY, level);
    };
    let mut largest = form(key, value, if fit > LEAST_CAPACITY { fit } else { LEAST_CAPACITY }, level);
    loop {
        let next = form(key, value, largest.capacity + 1, level);
        if next.len > NODE {
            return largest;
        }
        largest = next;
    }
}

/// A node whose head has been checked.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) count: usize,
    pub(super) form: Form,
    order: ByteOrder,
}

impl<'a> Node<'a> {
    /// Opens the node of a handle, which must be one of this level. So a way downwards ends, whatever the handles.
    #[inline(always)]
    pub(super) fn open<B: ReadBuffers + ?Sized>(
        buffers: &'a B,
        kind: &SortedKind,
        handle: u64,
        level: usize,
    ) -> Result<Self> {
        let bytes = buffers.contents(handle, kind.shape)?;
        let Some(head) = bytes.first_chunk::<8>() else {
            return Err(damaged(handle, "a node is too short"));
        };
        let order = buffers.order();
        let count = usize::from(order.u16([head[0], head[1]]));
        let form = match (level, head[3]) {
            (0, 0) => kind.leaf,
            (0, 1) => kind.small,
            _ => kind.inner,
        };
        if usize::from(head[2]) != level || count > form.capacity || bytes.len() < form.len {
            return Err(damaged(handle, "a node is on the wrong level, too full, or too short"));
        }
        Ok(Self { bytes, count, form, order })
    }

    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.count >= self.form.capacity
    }

    #[inline(always)]
    pub(super) fn is_small(&self) -> bool {
        self.bytes[3] == 1
    }

    #[inline(always)]
    pub(super) fn key(&self, kind: &SortedKind, index: usize) -> &'a [u8] {
        &self.bytes[keys(kind, index..index + 1)]
    }

    #[inline(always)]
    pub(super) fn child(&self, index: usize) -> u64 {
        self.order.u64(array_at(self.bytes, self.form.children_at + index * 8))
    }

    /// The entry at an index, in the node with this handle.
    #[inline(always)]
    pub(super) fn entry(&self, kind: &SortedKind, node: u64, index: usize) -> Entry<'a> {
        let value = values(kind, &self.form, index..index + 1);
        Entry { key: self.key(kind, index), place: Place { node, value_at: value.start }, value: &self.bytes[value] }
    }

    /// The number of keys that are less than the one asked for, and whether the next is the one.
    #[inline(always)]
    pub(super) fn search<B: ReadBuffers + ?Sized, K: Keys<B>>(
        &self,
        buffers: &B,
        kind: &SortedKind,
        keys: &K,
        query: &K::Query,
    ) -> Result<(usize, bool)> {
        if self.count == 0 {
            return Ok((0, false));
        }
        // Steps depend on the count alone, so that the processor has no branch to guess.
        let (mut base, mut len) = (0, self.count);
        while len > 1 {
            let half = len / 2;
            let middle = base + half;
            let greater = keys.compare(buffers, self.key(kind, middle), query)? == Ordering::Greater;
            base = select_unpredictable(greater, base, middle);
            len -= half;
        }
        let order = keys.compare(buffers, self.key(kind, base), query)?;
        Ok((base + usize::from(order == Ordering::Less), order == Ordering::Equal))
    }
}

/// Offsets of some keys.
#[inline(always)]
pub(super) const fn keys(kind: &SortedKind, indices: Range<usize>) -> Range<usize> {
    kind.keys_at + indices.start * kind.key_size..kind.keys_at + indices.end * kind.key_size
}

/// Offsets of some values.
#[inline(always)]
pub(super) const fn values(kind: &SortedKind, form: &Form, indices: Range<usize>) -> Range<usize> {
    form.values_at + indices.start * kind.value_size..form.values_at + indices.end * kind.value_size
}

/// Offsets of some children.
#[inline(always)]
pub(super) const fn children(form: &Form, indices: Range<usize>) -> Range<usize> {
    form.children_at + indices.start * 8..form.children_at + indices.end * 8
}

/// Where a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Handle of the node.
    pub(crate) node: u64,
    /// Offset of the value in the node.
    pub(crate) value_at: usize,
}

/// An entry in its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// The stored key.
    pub(crate) key: &'a [u8],
    /// The stored value.
    pub(crate) value: &'a [u8],
    /// Where the value is.
    pub(crate) place: Place,
}

/// A node on the way from the root, and an index in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Step {
    pub(super) node: u64,
    pub(super) index: usize,
}

/// A way from the root downwards, by level: index 0 is the leaf.
pub(super) type Path = [Step; MAX_HEIGHT];

/// The height as a number of levels that a path has room for.
#[inline(always)]
pub(super) fn checked_height(header: &SortedHeader) -> Result<usize> {
    if header.height <= MAX_HEIGHT as u64 && (header.height == 0) == (header.root == 0) {
        Ok(header.height as usize)
    } else {
        Err(damaged(header.root, "the sorted map's height is impossible"))
    }
}

/// The entry with this key.
///
/// # Errors
/// When a node, or a text that is a key, cannot be read.
#[inline]
pub(crate) fn find<'a, B: ReadBuffers + ?Sized, K: Keys<B>>(
    buffers: &'a B,
    header: &SortedHeader,
    kind: &SortedKind,
    key_kind: &K,
    query: &K::Query,
) -> Result<Option<Entry<'a>>> {
    let mut level = checked_height(header)?;
    let mut handle = header.root;
    while level > 0 {
        level -= 1;
        let node = Node::open(buffers, kind, handle, level)?;
        let (index, found) = node.search(buffers, kind, key_kind, query)?;
        if found {
            return Ok(Some(node.entry(kind, handle, index)));
        }
        if level > 0 {
            handle = node.child(index);
        }
    }
    Ok(None)
}

/// The way to a key: down to the node that holds it, or to the place in a leaf where it would be.
pub(super) struct Descent {
    pub(super) path: Path,
    /// The level of the node that holds the key.
    pub(super) found: Option<usize>,
    /// Count and form of the path's last node. Of an empty map, those of a full leaf.
    pub(super) count: usize,
    pub(super) form: Form,
}

#[inline(always)]
pub(super) fn descend<B: ReadBuffers + ?Sized, K: Keys<B>>(
    buffers: &B,
    header: &SortedHeader,
    kind: &SortedKind,
    key_kind: &K,
    query: &K::Query,
) -> Result<Descent> {
    let mut level = checked_height(header)?;
    let mut handle = header.root;
    let mut descent = Descent { path: Path::default(), found: None, count: kind.leaf.capacity, form: kind.leaf };
    while level > 0 {
        level -= 1;
        let node = Node::open(buffers, kind, handle, level)?;
        let (index, found) = node.search(buffers, kind, key_kind, query)?;
        descent.path[level] = Step { node: handle, index };
        (descent.count, descent.form) = (node.count, node.form);
        if found {
            descent.found = Some(level);
            break;
        }
        if level > 0 {
            handle = node.child(index);
        }
    }
    Ok(descent)
}
