//! How plans and refusals are printed.

use super::make::{
    With, answers, choice, clean, failing, field, float, inline, list, one, record, reference, schema, unsigned,
    variant,
};
use crate::plan::{Change, CheckKind, Findings, Offender, Plan};
use crate::schema::{Schema, Shape};

fn board() -> (Schema, Schema) {
    let user = |token| record("User", vec![field("id", unsigned(8)), token]);
    let same = || record("Board", vec![field("nodes", list(reference("Node")))]);
    let mut old = schema(vec![
        record(
            "Node",
            vec![
                field("id", unsigned(8)),
                field("next", reference("Node")),
                field("edges", list(reference("Node"))),
                field("score", float(8)),
                field("name", Shape::Text),
            ],
        ),
        user(field("token", Shape::Text).secret()),
        same(),
    ]);
    let mut new = schema(vec![
        record(
            "Node",
            vec![
                field("next", reference("Node")),
                field("id", unsigned(8)),
                field("edges", list(reference("Node"))),
                field("score", float(4)),
                field("flags", unsigned(4)).default("0"),
                field("title", Shape::Text),
            ],
        ),
        user(field("token", Shape::Text)),
        same(),
    ]);
    // Padding, so that the sizes are those of the example.
    old.types[0].size = 56;
    new.types[0].size = 48;
    (old, new)
}

fn found(plan: &Plan) -> Findings {
    let mut findings = clean(plan);
    findings.records = vec![1_000_000, 1_204, 1];
    for (check, finding) in plan.checks.iter().zip(&mut findings.checks) {
        let (failed, value) = if check.kind == CheckKind::Exact { (12, "0.1") } else { (1_000_000, "node\u{1b}[1m") };
        finding.seen = 1_000_000;
        finding.failed = failed;
        finding.first = Some(Offender { record: "Node#17".into(), value: value.into() });
        if check.kind == CheckKind::Exact {
            finding.largest = Some(Change { relative: 0.000_012, record: "Node#999983".into() });
        }
    }
    findings
}

#[test]
fn a_plan_with_what_was_found() {
    let (old, new) = board();
    let plan = Plan::between(&old, &new);
    let shown = plan.display_with(&found(&plan)).to_string();
    assert_eq!(
        shown,
        "\
Node   1,000,000 records, 56 → 48 B, rewritten, references unchanged
  = next ref Node    = id u64    = edges list<ref Node>    (moved: next before id)
  ~ score  f64 → f32  12 of 1,000,000 change, first Node#17: 0.1; worst Node#999983, by 1.2e-5 of its value  ← will be asked
  + flags  u32        default 0
  ? name   text removed and title text added: rename, or drop and add?
User   1,204 records, unchanged layout; token loses its secret mark: its values would appear in future dumps  ← will be asked
1 type unchanged
3 decisions needed
"
    );
}

#[test]
fn a_plan_before_anybody_looked() {
    let (old, new) = board();
    assert_eq!(
        Plan::between(&old, &new).to_string(),
        "\
Node   56 → 48 B, rewritten
  = next ref Node    = id u64    = edges list<ref Node>    (moved: next before id)
  ~ score  f64 → f32  if no value changes
  + flags  u32        default 0
  ? name   text removed and title text added: rename, or drop and add?
User   unchanged layout; token loses its secret mark: its values would appear in future dumps  ← will be asked
1 type unchanged
3 decisions needed
"
    );
}

#[test]
fn a_plan_that_is_answered() {
    let (old, new) = board();
    let text = "\
[Node]
rename = { name = \"title\" }
lossy = [\"score\"]

[User]
keep_secret = [\"token\"]
";
    let plan = Plan::with_answers(&old, &new, &answers(text));
    let mut findings = found(&plan);
    findings.records[0] = 1;
    assert_eq!(
        plan.display_with(&findings).to_string(),
        "\
Node   1 record, 56 → 48 B, rewritten, references unchanged
  = next ref Node    = id u64    = edges list<ref Node>    (moved: next before id)
  ~ score         f64 → f32  12 of 1,000,000 change, first Node#17: 0.1; worst Node#999983, by 1.2e-5 of its value; accepted
  + flags         u32        default 0
  ~ name → title  text
2 types unchanged
"
    );
    assert_eq!(plan.decide(&findings), Ok(()));
}

#[test]
fn types_and_variants_that_come_and_go() {
    let old = schema(vec![
        choice(
            "Kind",
            vec![variant("Open", vec![]), variant("Shut", vec![field("by", Shape::Text)]), variant("Lost", vec![])],
        ),
        record("Door", vec![field("kind", inline("Kind"))]),
        record("Audit", vec![]),
    ]);
    let new = schema(vec![
        choice(
            "Kind",
            vec![variant("Shut", vec![field("by", Shape::Bytes)]), variant("Open", vec![]), variant("Ajar", vec![])],
        ),
        record("Door", vec![field("kind", inline("Kind"))]),
        record("Window", vec![field("wide", float(4))]),
    ]);
    let plan = Plan::between(&old, &new);
    assert_eq!(
        plan.to_string(),
        "\
Kind   16 B, rewritten
  ~ Open     tag 0 → 1
  ~ Shut     tag 1 → 0
  ~ Shut.by  text → bytes
  ? Lost     is no variant any more
  + Ajar     new variant
Door   16 B, rewritten
  ~ kind  Kind
+ Window   4 B, new
? Audit   is no type of the program any more
2 decisions needed
"
    );
}

#[test]
fn a_hostile_name_or_value_drives_no_terminal() {
    let (old, new) = one(field("x\u{1b}[2J", unsigned(8)), field("x\u{1b}[2J", unsigned(4)));
    let plan = Plan::between(&old, &new);
    let mut findings = failing(&plan);
    findings.checks[0].first = Some(Offender { record: "Node#1\r".into(), value: "\u{7}".repeat(100) });
    let refusal = plan.decide(&findings).unwrap_err().to_string();
    for text in [plan.to_string(), plan.display_with(&findings).to_string(), refusal] {
        assert!(!text.chars().any(|letter| letter.is_control() && letter != '\n'), "{text:?}");
        assert!(text.contains("\\u{1b}[2J"), "{text:?}");
    }
}
