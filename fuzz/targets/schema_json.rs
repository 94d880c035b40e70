//! A schema as JSON.

#![no_main]

use libfuzzer_sys::fuzz_target;
use migrate::Schema;

fuzz_target!(|text: &str| {
    let Ok(schema) = Schema::from_json(text) else { return };
    schema.check().expect("what was read was checked");
    assert_eq!(Schema::from_json(&schema.to_json()).as_ref(), Ok(&schema));
});
