//! Manifests of images: the input as it is, and as an archive with a right trailer.

#![no_main]

use image::manifest::{Manifest, TRAILER_MAGIC};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    let len = (bytes.len() as u64).to_le_bytes();
    check(&[bytes, &TRAILER_MAGIC, &len, blake3::hash(bytes).as_bytes()].concat());
});

fn check(bytes: &[u8]) {
    let Ok(manifest) = Manifest::parse(bytes) else { return };
    let written = manifest.to_bytes().expect("what was short enough to read is short enough to write");
    assert_eq!(Manifest::parse(&written).expect("what was written can be read"), manifest);
    assert_eq!(Manifest::read(&written, 0, written.len() as u64).expect("it lies there"), manifest);
}
