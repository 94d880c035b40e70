//! Valid heaps and images to begin with.

use std::io::Cursor;
use std::path::Path;

use heap::read::{Checks, Reader};
use image::{SealOptions, seal};

use crate::patch::Valid;
use crate::sample;
use crate::turned::turned;

/// How the files of this crate are called in errors.
pub fn path() -> &'static Path {
    Path::new("fuzzed")
}

/// Small live heaps: records of all kinds of fields with a list in its own slot and one with a buffer, maps with and
/// without inner nodes, and a heap that keeps the one that it was before a migration; two of them
/// in the other byte order as well.
pub fn heaps() -> Vec<Valid> {
    let mut migrated = sample::board(3);
    migrated.before = Some(Box::new(sample::board(2)));
    let fixtures = [sample::board(2), sample::board(7), sample::maps(3), sample::maps(40), migrated];
    let native = fixtures.map(|fixture| fixture.file());
    let foreign = [&native[1], &native[3]].map(|file| turned(file));
    native.into_iter().chain(foreign).map(Valid::new).collect()
}

/// The same as images.
pub fn images() -> Vec<Valid> {
    heaps().into_iter().map(|heap| Valid::new(sealed(&heap.bytes))).collect()
}

/// Their descriptors.
pub fn registries() -> Vec<Vec<u8>> {
    [sample::board(2), sample::maps(2)].iter().map(|fixture| fixture.registry.to_archive()).collect()
}

/// The image of a valid heap.
pub fn sealed(heap: &[u8]) -> Vec<u8> {
    let reader = Reader::open(heap, path(), Checks::Strict).expect("the heap opens");
    let mut image = Cursor::new(Vec::new());
    seal(&reader, &SealOptions::default(), &mut image).expect("the heap can be sealed");
    image.into_inner()
}
