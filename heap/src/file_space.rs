//! Room in the heap file.

use std::collections::BTreeMap;
use std::io;

use crate::format::{BLOCK, REGION, whole_blocks};
use crate::storage::{File, Storage};

/// Which blocks of the file are taken. It is not written anywhere: what the catalog names is taken, the rest is free.
#[derive(Debug)]
pub(crate) struct FileSpace {
    /// Free runs before the end: offset and length.
    gaps: BTreeMap<u64, u64>,
    /// The first byte after the last taken block.
    end: u64,
    /// Length of the file that is durable.
    durable_len: u64,
    /// Runs given up by a commit; they may be taken again when a checkpoint covers it and nobody retains the log.
    pending: Vec<Pending>,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    sequence: u64,
    at: u64,
    len: u64,
}

impl FileSpace {
    /// The room of a file, which was synced, in which `taken` runs (offset, length) are taken, headers and catalog root
    /// included.
    pub(crate) fn new(mut taken: Vec<(u64, u64)>) -> Self {
        taken.sort_unstable();
        let mut gaps = BTreeMap::new();
        let mut end = 0;
        for (at, len) in taken {
            if at > end {
                gaps.insert(end, at - end);
            }
            end = end.max(at + len);
        }
        Self { gaps, end, durable_len: end, pending: Vec::new() }
    }

    /// Whether the file must be synced before a frame may name what was taken: its length would be lost with it.
    pub(crate) const fn outgrew_durable_len(&self) -> bool {
        self.end > self.durable_len
    }

    /// The file was synced.
    pub(crate) fn synced(&mut self) {
        self.durable_len = self.durable_len.max(self.end);
    }

    /// Length of the used part of the file in bytes.
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    /// Takes `len` bytes (whole blocks) and makes sure that the disk has them. A run of 2 MiB or more begins at a
    /// multiple of 2 MiB, so that the page cache can hold it in large pages.
    pub(crate) fn take(&mut self, storage: &dyn Storage, len: u64) -> io::Result<u64> {
        debug_assert!(len > 0 && whole_blocks(len) == len);
        let align = if len >= REGION { REGION } else { BLOCK };
        let fitting = self.gaps.iter().find_map(|(&at, &gap)| {
            let start = at.next_multiple_of(align);
            (start + len <= at + gap).then_some((at, gap, start))
        });
        if let Some((at, gap, start)) = fitting {
            storage.allocate(File::Base, start, len)?;
            self.gaps.remove(&at);
            self.add_gap(at, start - at);
            self.add_gap(start + len, at + gap - start - len);
            return Ok(start);
        }
        let start = self.end.next_multiple_of(align);
        storage.allocate(File::Base, start, len)?;
        self.add_gap(self.end, start - self.end);
        self.end = start + len;
        Ok(start)
    }

    fn add_gap(&mut self, at: u64, len: u64) {
        if len > 0 {
            self.gaps.insert(at, len);
        }
    }

    /// Gives up a run with the commit of this sequence.
    pub(crate) fn give_up(&mut self, sequence: u64, at: u64, len: u64) {
        self.pending.push(Pending { sequence, at, len });
    }

    /// A checkpoint holds the commit `sequence`, and nobody reads older frames: what was given up until then is free.
    pub(crate) fn release(&mut self, sequence: u64) {
        let (free, kept) = self.pending.iter().partition::<Vec<_>, _>(|pending| pending.sequence <= sequence);
        self.pending = kept;
        for Pending { mut at, mut len, .. } in free {
            if let Some((&before, &gap)) = self.gaps.range(..at).next_back()
                && before + gap == at
            {
                self.gaps.remove(&before);
                at = before;
                len += gap;
            }
            if let Some(gap) = self.gaps.remove(&(at + len)) {
                len += gap;
            }
            if at + len == self.end {
                self.end = at;
            } else {
                self.gaps.insert(at, len);
            }
        }
    }
}
