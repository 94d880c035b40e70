//! Walking in order, without allocation and without recursion.

use std::cmp::Ordering;
use std::ops::Bound;

use super::node::{Entry, Node, Path, SortedHeader, SortedKind, Step, checked_height};
use crate::buffers::{ReadBuffers, damaged};
use crate::error::Result;
use crate::key::Keys;

/// A gap between two neighbouring entries, or before the first or behind the last.
///
/// It is kept as the way to a place in a leaf. Every gap has exactly one such place: between an entry of an inner node
/// and its neighbour, the place is at the end of a leaf on one side, or at the front of one on the other.
///
/// A cursor borrows nothing. Inserting and removing make it stale: what it then gives is unspecified, but it gives
/// entries of nodes that are alive, or an error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor {
    path: Path,
    height: usize,
}

impl PartialEq for Cursor {
    fn eq(&self, other: &Self) -> bool {
        self.path[0] == other.path[0]
    }
}

/// Which gap beside a key, or where the key would be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    Behind,
}

impl Cursor {
    /// The gap before the first entry.
    pub(crate) fn first<B: ReadBuffers + ?Sized>(
        buffers: &B,
        header: &SortedHeader,
        kind: &SortedKind,
    ) -> Result<Self> {
        Self::down(buffers, header, kind, |_, _| Ok(0))
    }

    /// The gap behind the last entry.
    pub(crate) fn last<B: ReadBuffers + ?Sized>(buffers: &B, header: &SortedHeader, kind: &SortedKind) -> Result<Self> {
        Self::down(buffers, header, kind, |_, node| Ok(node.count))
    }

    /// The gap beside a key.
    fn beside<B: ReadBuffers + ?Sized, K: Keys<B>>(
        buffers: &B,
        header: &SortedHeader,
        kind: &SortedKind,
        key_kind: &K,
        query: &K::Query,
        side: Side,
    ) -> Result<Self> {
        Self::down(buffers, header, kind, |buffers, node| {
            let (index, found) = node.search(buffers, kind, key_kind, query)?;
            Ok(index + usize::from(found && side == Side::Behind))
        })
    }

    fn down<B: ReadBuffers + ?Sized>(
        buffers: &B,
        header: &SortedHeader,
        kind: &SortedKind,
        choose: impl Fn(&B, &Node<'_>) -> Result<usize>,
    ) -> Result<Self> {
        let height = checked_height(header)?;
        let mut path = Path::default();
        let mut handle = header.root;
        for level in (0..height).rev() {
            let node = Node::open(buffers, kind, handle, level)?;
            let index = choose(buffers, &node)?;
            path[level] = Step { node: handle, index };
            if level > 0 {
                handle = node.child(index);
            }
        }
        Ok(Self { path, height })
    }

    /// Steps over the entry behind the gap and gives it; `None` at the end.
    ///
    /// # Errors
    /// When a node cannot be read.
    #[inline]
    pub(crate) fn next<'a, B: ReadBuffers + ?Sized>(
        &mut self,
        buffers: &'a B,
        kind: &SortedKind,
    ) -> Result<Option<Entry<'a>>> {
        if self.height == 0 {
            return Ok(None);
        }
        let Step { node: handle, index } = self.path[0];
        let leaf = Node::open(buffers, kind, handle, 0)?;
        if index < leaf.count {
            self.path[0].index += 1;
            return Ok(Some(leaf.entry(kind, handle, index)));
        }
        self.next_above(buffers, kind)
    }

    #[cold]
    fn next_above<'a, B: ReadBuffers + ?Sized>(
        &mut self,
        buffers: &'a B,
        kind: &SortedKind,
    ) -> Result<Option<Entry<'a>>> {
        for level in 1..self.height {
            let Step { node: handle, index } = self.path[level];
            let node = Node::open(buffers, kind, handle, level)?;
            if index < node.count {
                self.path[level].index += 1;
                let mut child = node.child(index + 1);
                for below in (0..level).rev() {
                    self.path[below] = Step { node: child, index: 0 };
                    let opened = Node::open(buffers, kind, child, below)?;
                    if below > 0 {
                        child = opened.child(0);
                    }
                }
                return Ok(Some(node.entry(kind, handle, index)));
            }
        }
        Ok(None)
    }

    /// Steps back over the entry before the gap and gives it; `None` at the front.
    ///
    /// # Errors
    /// When a node cannot be read.
    #[inline]
    pub(crate) fn previous<'a, B: ReadBuffers + ?Sized>(
        &mut self,
        buffers: &'a B,
        kind: &SortedKind,
    ) -> Result<Option<Entry<'a>>> {
        if self.height == 0 {
            return Ok(None);
        }
        let Step { node: handle, index } = self.path[0];
        let leaf = Node::open(buffers, kind, handle, 0)?;
        if index > 0 && index <= leaf.count {
            self.path[0].index -= 1;
            return Ok(Some(leaf.entry(kind, handle, index - 1)));
        }
        self.previous_above(buffers, kind)
    }

    #[cold]
    fn previous_above<'a, B: ReadBuffers + ?Sized>(
        &mut self,
        buffers: &'a B,
        kind: &SortedKind,
    ) -> Result<Option<Entry<'a>>> {
        for level in 1..self.height {
            let Step { node: handle, index } = self.path[level];
            let node = Node::open(buffers, kind, handle, level)?;
            if index > 0 && index <= node.count {
                self.path[level].index -= 1;
                let mut child = node.child(index - 1);
                for below in (0..level).rev() {
                    let opened = Node::open(buffers, kind, child, below)?;
                    self.path[below] = Step { node: child, index: opened.count };
                    if below > 0 {
                        child = opened.child(opened.count);
                    }
                }
                return Ok(Some(node.entry(kind, handle, index - 1)));
            }
        }
        Ok(None)
    }
}

/// The entries between two bounds, from both ends. It ends after as many entries as the map counts at most, so that a
/// damaged tree cannot make it go round for ever.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    front: Cursor,
    back: Cursor,
    most: u64,
}

impl Range {
    /// All entries.
    ///
    /// # Errors
    /// When a node cannot be read.
    pub(crate) fn all<B: ReadBuffers + ?Sized>(buffers: &B, header: &SortedHeader, kind: &SortedKind) -> Result<Self> {
        let front = Cursor::first(buffers, header, kind)?;
        Ok(Self { front, back: Cursor::last(buffers, header, kind)?, most: header.count })
    }

    /// The entries whose keys lie between two bounds; none where the bounds are the wrong way round.
    ///
    /// # Errors
    /// When a node, or a text that is a key, cannot be read.
    pub(crate) fn new<B: ReadBuffers + ?Sized, K: Keys<B>>(
        buffers: &B,
        header: &SortedHeader,
        kind: &SortedKind,
        key_kind: &K,
        bounds: (Bound<&K::Query>, Bound<&K::Query>),
    ) -> Result<Self> {
        let beside = |query, side| Cursor::beside(buffers, header, kind, key_kind, query, side);
        let front = match bounds.0 {
            Bound::Unbounded => Cursor::first(buffers, header, kind)?,
            Bound::Included(query) => beside(query, Side::Before)?,
            Bound::Excluded(query) => beside(query, Side::Behind)?,
        };
        let empty = match bounds {
            (Bound::Included(start), Bound::Included(end)) => {
                key_kind.compare_queries(buffers, start, end)? == Ordering::Greater
            }
            (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => {
                key_kind.compare_queries(buffers, start, end)? != Ordering::Less
            }
            _ => false,
        };
        if empty {
            return Ok(Self { front, back: front, most: 0 });
        }
        let back = match bounds.1 {
            Bound::Unbounded => Cursor::last(buffers, header, kind)?,
            Bound::Included(query) => beside(query, Side::Behind)?,
            Bound::Excluded(query) => beside(query, Side::Before)?,
        };
        Ok(Self { front, back, most: header.count })
    }

    /// The first entry that has not been given yet.
    ///
    /// # Errors
    /// When a node cannot be read, or the tree holds more than the map counts.
    #[inline]
    pub(crate) fn next<'a, B: ReadBuffers + ?Sized>(
        &mut self,
        buffers: &'a B,
        kind: &SortedKind,
    ) -> Result<Option<Entry<'a>>> {
        if self.front == self.back {
            return Ok(None);
        }
        self.count_down()?;
        self.front.next(buffers, kind)
    }

    /// The last entry that has not been given yet.
    ///
    /// # Errors
    /// When a node cannot be read, or the tree holds more than the map counts.
    #[inline]
    pub(crate) fn next_back<'a, B: ReadBuffers + ?Sized>(
        &mut self,
        buffers: &'a B,
        kind: &SortedKind,
    ) -> Result<Option<Entry<'a>>> {
        if self.front == self.back {
            return Ok(None);
        }
        self.count_down()?;
        self.back.previous(buffers, kind)
    }

    #[inline(always)]
    fn count_down(&mut self) -> Result<()> {
        match self.most.checked_sub(1) {
            Some(most) => {
                self.most = most;
                Ok(())
            }
            None => Err(damaged(self.front.path[0].node, "the sorted map holds more entries than it counts")),
        }
    }
}
