//! Header pages: the first half of the input lies in page A, the second in page B.

#![no_main]

use heap::format::header::{Header, PAGE};
use heap_fuzz::patch::mend_page;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut pages = [0; 2 * PAGE];
    let (first, second) = bytes.split_at(bytes.len() / 2);
    for (page, bytes) in pages.chunks_exact_mut(PAGE).zip([first, second]) {
        let len = bytes.len().min(PAGE);
        page[..len].copy_from_slice(&bytes[..len]);
    }
    check(&pages);
    for page in pages.as_chunks_mut::<PAGE>().0 {
        mend_page(page);
    }
    check(&pages);
});

/// What is read is what would be written.
fn check(pages: &[u8; 2 * PAGE]) {
    let [a, b] = [0, 1].map(|number| pages.as_chunks::<PAGE>().0[number]);
    match Header::choose(pages) {
        Ok((header, number)) => {
            assert_eq!(header.to_page(), [a, b][usize::from(number)]);
            let other = Header::parse(&[b, a][usize::from(number)]);
            assert!(other.is_ok_and(|other| other.counter > header.counter) == false, "an older header was chosen");
        }
        Err(_) => assert!(Header::parse(&a).is_err() && Header::parse(&b).is_err()),
    }
}
