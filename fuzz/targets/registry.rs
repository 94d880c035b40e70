//! Descriptors, as the archive that a file holds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use migrate::{Programs, Registry};

fuzz_target!(|bytes: &[u8]| {
    let Ok(registry) = Registry::from_archive(bytes) else { return };
    registry.check().expect("what was read was checked");
    assert_eq!(Registry::from_archive(&registry.to_archive()).as_ref(), Ok(&registry));
    // Descriptors out of all proportion are an error.
    let _ = Programs::compile(&registry);
});
