//! Histories: what is read is what was written, byte for byte.

#![no_main]

use heap::format::history::History;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(history) = History::parse(bytes) else { return };
    assert_eq!(history.to_bytes(), bytes);
    let without = history.without_kept();
    assert_eq!(History::parse(&without.to_bytes()), Ok(without));
});
