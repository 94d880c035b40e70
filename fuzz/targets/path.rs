//! Paths to values, as people type them.

#![no_main]

use std::sync::LazyLock;

use heap::read::{Checks, Reader};
use heap_fuzz::samples;
use image::inspect::{Path, View};
use libfuzzer_sys::fuzz_target;

static FILES: LazyLock<Vec<Reader<Vec<u8>>>> = LazyLock::new(|| {
    let heaps = samples::heaps().into_iter();
    heaps.map(|heap| Reader::open(heap.bytes, samples::path(), Checks::Strict).expect("the heap opens")).collect()
});

fuzz_target!(|text: &str| {
    let Ok(path) = text.parse::<Path>() else { return };
    let shown = path.to_string();
    assert_eq!(shown.parse::<Path>().expect("a path is shown as it can be typed"), path, "{shown}");
    for reader in &*FILES {
        let view = View::of_reader(reader).expect("the heap is valid");
        let _ = view.find(&path);
    }
});
