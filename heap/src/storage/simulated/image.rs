//! The contents of the two files, in pages that images share until they change.

use std::io;
use std::sync::Arc;

use super::File;

/// Bytes that a disk writes whole or not at all.
pub const SECTOR: usize = 512;

const PAGE: usize = 4096;

/// The two files of a heap at one moment.
#[derive(Debug, Clone, Default)]
pub struct Image {
    base: Pages,
    log: Pages,
}

/// A file.
#[derive(Debug, Clone, Default)]
pub(super) struct Pages {
    len: u64,
    pages: Vec<Option<Arc<[u8; PAGE]>>>,
}

impl Image {
    /// A heap file with an empty log.
    pub fn new(base: &[u8]) -> Self {
        let mut image = Self::default();
        image.base.set_len(base.len() as u64);
        image.base.write(0, base);
        image
    }

    pub(super) const fn file(&self, file: File) -> &Pages {
        match file {
            File::Base => &self.base,
            File::Log => &self.log,
        }
    }

    pub(super) const fn file_mut(&mut self, file: File) -> &mut Pages {
        match file {
            File::Base => &mut self.base,
            File::Log => &mut self.log,
        }
    }

    /// A number that differs between heap files that differ from `start` on, up to `end`.
    pub fn digest(&self, start: u64, end: u64) -> u64 {
        let mut state = end;
        for page in start / PAGE as u64..end / PAGE as u64 {
            match self.base.pages.get(page as usize) {
                Some(Some(bytes)) => {
                    for word in bytes.chunks_exact(8) {
                        let word = u64::from_le_bytes(word.try_into().unwrap_or_default());
                        state = (state.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
                    }
                }
                _ => state = state.rotate_left(7).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ page,
            }
        }
        state
    }
}

impl Pages {
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            let keep = (len % PAGE as u64) as usize;
            self.pages.truncate(len.div_ceil(PAGE as u64) as usize);
            if keep > 0
                && let Some(Some(last)) = self.pages.last_mut()
            {
                Arc::make_mut(last)[keep..].fill(0);
            }
        }
        self.pages.resize(len.div_ceil(PAGE as u64) as usize, None);
        self.len = len;
    }

    pub(super) fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(bytes.len() as u64).is_none_or(|end| end > self.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_padded(offset, bytes);
        Ok(())
    }

    /// What lies behind the end reads as zeros.
    pub(super) fn read_padded(&self, mut offset: u64, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let within = (offset % PAGE as u64) as usize;
            let len = bytes.len().min(PAGE - within);
            let (now, later) = bytes.split_at_mut(len);
            match self.pages.get((offset / PAGE as u64) as usize) {
                Some(Some(page)) => now.copy_from_slice(&page[within..within + len]),
                _ => now.fill(0),
            }
            offset += len as u64;
            bytes = later;
        }
    }

    /// Writes what lies before the end.
    pub(super) fn write(&mut self, mut offset: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() && offset < self.len {
            let within = (offset % PAGE as u64) as usize;
            let len = bytes.len().min(PAGE - within);
            let (now, later) = bytes.split_at(len);
            let slot = &mut self.pages[(offset / PAGE as u64) as usize];
            // Pages of zeros take no memory.
            if slot.is_some() || now != &[0; PAGE][..len] {
                let page = slot.get_or_insert_with(|| Arc::new([0; PAGE]));
                Arc::make_mut(page)[within..within + len].copy_from_slice(now);
            }
            offset += len as u64;
            bytes = later;
        }
    }
}
