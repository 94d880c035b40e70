//! The file of answers of a migration.

#![no_main]

use libfuzzer_sys::fuzz_target;
use migrate::{Answers, Plan, Schema};

fuzz_target!(|text: &str| {
    let Ok(answers) = Answers::from_toml(text) else { return };
    let written = answers.to_toml();
    assert_eq!(Answers::from_toml(&written).as_ref(), Ok(&answers), "{written}");
    // What names nothing is a fault, and no more.
    let nothing = Schema::default();
    let _ = Plan::with_answers(&nothing, &nothing, &answers).to_string();
});
