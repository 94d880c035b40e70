//! Heaps changed in a few places, their checksums right: what the verifier accepts can be exported and sealed.

#![no_main]

use std::io::Cursor;
use std::sync::LazyLock;

use heap::read::{Checks, Reader};
use heap_fuzz::patch::Valid;
use heap_fuzz::{look, samples};
use image::inspect::View;
use image::{FileReport, SealOptions, seal};
use libfuzzer_sys::fuzz_target;

static HEAPS: LazyLock<Vec<Valid>> = LazyLock::new(samples::heaps);

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, patches)) = bytes.split_first() else { return };
    let file = HEAPS[usize::from(choice) % HEAPS.len()].patched(patches);
    let Ok(reader) = Reader::open(&file, samples::path(), Checks::Strict) else { return };
    if let Ok(report) = FileReport::of(&reader) {
        assert_eq!(report.header, *reader.header());
        look::exported(&reader).expect("what is verified can be exported");
        let mut image = Cursor::new(Vec::new());
        seal(&reader, &SealOptions::default(), &mut image).expect("what is verified can be sealed");
        let image = Reader::open(image.into_inner(), samples::path(), Checks::Strict).expect("an image opens");
        let sealed = FileReport::of(&image).expect("the image of what is verified is");
        assert_eq!(sealed.values.types, report.values.types);
    } else if let Ok(view) = View::of_reader(&reader) {
        look::everywhere(&view);
        let _ = look::exported(&reader);
    }
});
