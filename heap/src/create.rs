//! The bytes of a new heap.

use migrate::Registry;

use crate::format::BLOCK;
use crate::format::catalog::{CatalogRoot, ROOT_AT, Run, Stream};
use crate::format::header::{ByteOrder, FileState, Header, LogStart, MINOR, PAGE};

/// What is drawn at random when a heap is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drawn {
    pub(crate) heap_id: [u8; 16],
    pub(crate) hash_key: [u8; 16],
    pub(crate) first_generation: u32,
}

/// The whole file of an empty heap: headers, catalog root, and a block for each stream that is never empty.
pub(crate) fn empty_heap(drawn: Drawn) -> Vec<u8> {
    let registry = Registry::default().to_archive();
    let mut root = CatalogRoot::default();
    let lens = [(Stream::Registry, registry.len() as u64), (Stream::Checksums, 4 * BLOCKS)];
    for (number, (stream, len)) in (2..).zip(lens) {
        root.streams[stream as usize] = Run { at: number * BLOCK, capacity: BLOCK, len };
    }
    let mut file = vec![0; (BLOCKS * BLOCK) as usize];
    file[ROOT_AT as usize..][..root.to_bytes().len()].copy_from_slice(&root.to_bytes());
    let registry_at = root.streams[Stream::Registry as usize].at as usize;
    file[registry_at..][..registry.len()].copy_from_slice(&registry);
    let checksums_at = root.streams[Stream::Checksums as usize].at as usize;
    for block in 1..BLOCKS as usize - 1 {
        let crc = crc32fast::hash(&file[block * BLOCK as usize..][..BLOCK as usize]);
        file[checksums_at + 4 * block..][..4].copy_from_slice(&crc.to_le_bytes());
    }
    let header = Header {
        minor: MINOR,
        write_flags: 0,
        ignorable_flags: 0,
        byte_order: ByteOrder::NATIVE,
        pointer_width: size_of::<usize>() as u8,
        state: FileState::Live,
        first_generation: drawn.first_generation,
        heap_id: drawn.heap_id,
        hash_key: drawn.hash_key,
        counter: 1,
        sequence: 0,
        log: LogStart::default(),
        forced: 0,
        file_len: BLOCKS * BLOCK,
        manifest_at: 0,
        manifest_len: 0,
        content_hash: [0; 32],
    };
    file[..PAGE].copy_from_slice(&header.to_page());
    file
}

/// Blocks of an empty heap: headers, root, registry, checksums.
const BLOCKS: u64 = 4;
