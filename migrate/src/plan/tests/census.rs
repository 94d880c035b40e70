//! What is remembered of each part of a type.

use super::make::{Says as _, With as _, choice, clean, field, float, record, schema, unsigned, variant};
use crate::plan::Plan;
use crate::schema::Shape;

#[test]
fn every_part_has_a_line_which_says_what_was_proved() {
    let old = schema(vec![
        record(
            "Node",
            vec![
                field("id", unsigned(8)),
                field("wide", unsigned(8)),
                field("score", float(8)),
                field("name", Shape::Text),
                field("empty", Shape::Text),
                field("x", float(8)),
            ],
        )
        .dropped("name"),
        choice("Kind", vec![variant("A", vec![field("n", unsigned(8))]), variant("B", vec![])]),
    ]);
    let new = schema(vec![
        record(
            "Node",
            vec![
                field("id", unsigned(8)),
                field("narrow", unsigned(1)).was("wide"),
                field("score", float(4)),
                field("flags", unsigned(4)).default("7"),
                field("more", Shape::Bytes),
                field("x", float(8)),
            ],
        )
        .dropped("name"),
        choice("Kind", vec![variant("C", vec![]), variant("A", vec![field("n", unsigned(4))])]),
    ]);
    let plan = Plan::between(&old, &new);
    let mut findings = clean(&plan);
    for finding in &mut findings.checks {
        finding.seen = 1000;
    }
    assert_eq!(
        plan.census(0, &findings),
        [
            "~ 48 → 40 bytes",
            "= id u64",
            "~ wide → narrow u64 → u8: 1,000 seen, all fit",
            "~ score f64 → f32: 1,000 seen, none changes",
            "+ flags u32: default 7",
            "+ more bytes: empty",
            "= x f64",
            "- name text: dropped",
            "- empty text: dropped; 1,000 seen, all empty",
        ]
    );
    assert_eq!(
        plan.census(1, &findings),
        ["~ 16 → 8 bytes", "= ::A", "~ ::A.n u64 → u32: 1,000 seen, all fit", "- ::B: 1,000 seen, none of it", "+ ::C",]
    );
}
