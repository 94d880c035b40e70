//! Images changed in a few places, header and manifest included, looked at by everything that looks at images.

#![no_main]

use std::sync::LazyLock;

use heap::read::{Checks, Reader};
use heap_fuzz::patch::Valid;
use heap_fuzz::{look, samples};
use image::FileReport;
use image::inspect::View;
use libfuzzer_sys::fuzz_target;

static IMAGES: LazyLock<Vec<Valid>> = LazyLock::new(samples::images);

fuzz_target!(|bytes: &[u8]| {
    let [choice, cut, patches @ ..] = bytes else { return };
    let mut file = IMAGES[usize::from(*choice) % IMAGES.len()].patched(patches);
    file.truncate(file.len() - usize::from(*cut) * file.len() / 255);
    if let Ok(reader) = Reader::open(&file, samples::path(), Checks::Strict)
        && FileReport::of(&reader).is_ok()
    {
        look::exported(&reader).expect("what is verified can be exported");
    }
    if let Ok(reader) = Reader::open(&file, samples::path(), Checks::None) {
        let _ = FileReport::of(&reader);
        let _ = look::exported(&reader);
        if let Ok(view) = View::of_reader(&reader) {
            look::everywhere(&view);
        }
    }
});
