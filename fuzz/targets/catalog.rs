//! Catalogs laid out from the input, in a file that has room for what they say.
//!
//! Byte 0: data blocks. Bytes 1–3: numbers of table, extent and root entries. Then the entries, and the descriptors'
//! archive. An empty archive stands for the sample's.

#![no_main]

use std::sync::LazyLock;

use heap::format::catalog::{
    CatalogRoot, EXTENT_ENTRY, ROOT_AT, ROOT_ENTRY, ROOT_LEN, Run, Stream, TABLE_ENTRY, TableKind,
};
use heap::format::header::PAGE;
use heap::format::{BLOCK, whole_blocks};
use heap::read::{Checks, Reader};
use heap_fuzz::patch::{Valid, mend};
use heap_fuzz::{look, samples};
use image::FileReport;
use image::inspect::View;
use libfuzzer_sys::fuzz_target;

static SAMPLE: LazyLock<(Valid, Vec<u8>)> =
    LazyLock::new(|| (samples::heaps().swap_remove(0), samples::registries().swap_remove(0)));

fuzz_target!(|bytes: &[u8]| {
    let [blocks, tables, extents, roots, rest @ ..] = bytes else { return };
    let mut rest = rest;
    let mut take = |count: u8, size: usize| {
        let (taken, left) = rest.split_at((usize::from(count) * size).min(rest.len()) / size * size);
        rest = left;
        taken
    };
    let streams = [(Stream::Tables, take(*tables, TABLE_ENTRY)), (Stream::Extents, take(*extents, EXTENT_ENTRY))];
    let streams = [streams[0], streams[1], (Stream::Roots, take(*roots, ROOT_ENTRY)), (Stream::Registry, rest)];
    let file = file(*blocks, streams);
    let Ok(reader) = Reader::open(&file, samples::path(), Checks::Strict) else { return };
    check(&reader);
    if FileReport::of(&reader).is_ok() {
        look::exported(&reader).expect("what is verified can be exported");
    } else if let Ok(view) = View::of_reader(&reader) {
        look::everywhere(&view);
        let _ = look::exported(&reader);
    }
});

/// The sample's data, as many blocks of it as asked for, then the streams.
fn file(blocks: u8, streams: [(Stream, &[u8]); 4]) -> Vec<u8> {
    let (sample, archive) = &*SAMPLE;
    let data = (2 + usize::from(blocks) % 32) * BLOCK as usize;
    let mut file = sample.bytes.clone();
    file.resize(data, 0);
    let mut root = CatalogRoot::default();
    let mut append = |file: &mut Vec<u8>, stream: Stream, bytes: &[u8]| {
        if !bytes.is_empty() {
            let run =
                Run { at: file.len() as u64, capacity: whole_blocks(bytes.len() as u64), len: bytes.len() as u64 };
            file.extend_from_slice(bytes);
            file.resize((run.at + run.capacity) as usize, 0);
            root.streams[stream as usize] = run;
        }
    };
    for (stream, bytes) in streams {
        let bytes = if stream == Stream::Registry && bytes.is_empty() { archive } else { bytes };
        append(&mut file, stream, bytes);
    }
    let sums = whole_blocks(file.len() as u64 / BLOCK * 4 + BLOCK) as usize;
    append(&mut file, Stream::Checksums, &vec![0; sums]);
    file[ROOT_AT as usize..][..ROOT_LEN].copy_from_slice(&root.to_bytes());
    let page = file.first_chunk::<PAGE>().expect("the file has a header");
    let mut header = heap::format::header::Header::parse(page).expect("the sample has a header");
    header.file_len = file.len() as u64;
    file[..PAGE].copy_from_slice(&header.to_page());
    mend(&mut file);
    file
}

/// What a catalog promises to whoever uses it.
fn check<S: heap::read::Source>(reader: &Reader<S>) {
    let catalog = reader.catalog();
    for region in catalog.regions() {
        assert_eq!(catalog.region(region.number), Some(region));
        let extents = catalog.extents_of(region);
        assert!(extents.iter().all(|extent| extent.entry.region == region.number));
        assert!(extents.iter().all(|extent| extent.entry.at + extent.entry.len <= reader.header().file_len));
        for index in [0, region.used.saturating_sub(1)].into_iter().filter(|&index| index < region.used) {
            let found = catalog.locate(region.table, heap::read::Catalog::number_of(region, index));
            assert_eq!(found, Some((region, index)));
            let _ = catalog.slot_name(region, index);
        }
    }
    let used = |table: usize| {
        let regions = catalog.regions().iter().filter(|region| region.table as usize == table);
        regions.map(|region| u64::from(region.used)).sum::<u64>()
    };
    for (number, table) in catalog.tables().iter().enumerate() {
        assert!(used(number) == table.entry.used || table.entry.kind == TableKind::Large);
        let _ = catalog.table_name(number as u32);
    }
}
