//! The 45 rules: for each, what is accepted and what is refused.

use super::make::{
    Says, With, acknowledged, answers, array, asked, checked, choice, clean, failing, field, float, implicit, inline,
    list, map, one, option, record, reference, ruled, schema, signed, sorted, unsigned, variant,
};
use crate::plan::{BodyStep, Cast, CheckKind, Plan, Source, Value, Verdict};
use crate::schema::{Body, Field, Schema, Shape, TypeDescriptor};

fn node(fields: Vec<Field>) -> Schema {
    schema(vec![record("Node", fields)])
}

/// A plan for one field `x` of another shape.
fn cast(old: Shape, new: Shape) -> Plan {
    let (old, new) = one(field("x", old), field("x", new));
    Plan::between(&old, &new)
}

fn answered(old: &Schema, new: &Schema, text: &str) -> Plan {
    Plan::with_answers(old, new, &answers(text))
}

/// The same shape with other answers.
fn cast_answered(old: Shape, new: Shape, text: &str) -> Plan {
    let (old, new) = one(field("x", old), field("x", new));
    answered(&old, &new, text)
}

fn source(plan: &Plan, number: usize) -> &Source {
    match &plan.types[0].body {
        BodyStep::Struct(fields) => &fields.made[number].source,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rule_1_fields_are_found_by_name_wherever_they_lie() {
    let old = node(vec![field("a", unsigned(4)), field("b", unsigned(8))]);
    let new = node(vec![field("b", unsigned(8)), field("a", unsigned(4))]);
    let plan = Plan::between(&old, &new);
    implicit(&plan, 1);
    assert_eq!(source(&plan, 0), &Source::Field { path: vec![1], cast: Cast::Copy });
    assert!(plan.types[0].rewritten);
    // Only the descriptor's order differs: not a byte does.
    let mut turned = old.clone();
    let Body::Struct(fields) = &mut turned.types[0].body else { unreachable!() };
    fields.reverse();
    let plan = Plan::between(&old, &turned);
    assert!(!plan.types[0].rewritten);
    assert!(matches!(plan.types[0].body, BodyStep::Struct(_)));
}

#[test]
fn rule_2_a_new_field_gets_its_default() {
    let old = node(vec![field("a", unsigned(4))]);
    let new = |default: &str| node(vec![field("a", unsigned(4)), field("b", unsigned(1)).default(default)]);
    let plan = Plan::between(&old, &new("7"));
    implicit(&plan, 2);
    assert_eq!(source(&plan, 1), &Source::Value(Value::Integer(7)));
    let refusal = Plan::between(&old, &new("256")).decide(&failing(&plan)).unwrap_err();
    assert_eq!(refusal.to_string(), "Node.b: default 256 is no u8: 256 is out of range");
    implicit(
        &answered(
            &old,
            &node(vec![field("a", unsigned(4)), field("b", unsigned(1))]),
            "[Node]\ndefault = { b = \"7\" }",
        ),
        2,
    );
}

#[test]
fn rule_3_a_new_field_gets_the_empty_value_and_no_reference_is_null() {
    let old = node(vec![field("a", unsigned(4))]);
    let with = |shape| Plan::between(&old, &node(vec![field("a", unsigned(4)), field("b", shape)]));
    for shape in [unsigned(4), Shape::Text, option(reference("Node")), list(reference("Node")), array(Shape::Bool, 3)] {
        implicit(&with(shape), 3);
    }
    let refusal = asked(&with(reference("Node")), 3, Verdict::Hook).to_string();
    assert!(refusal.starts_with("Node.b: ref Node is new, and has no empty value\n"), "{refusal}");
    asked(&with(array(reference("Node"), 2)), 3, Verdict::Hook);
}

#[test]
fn rule_4_a_removed_field_goes_if_it_is_empty_or_may_go() {
    let old = node(vec![field("a", unsigned(4)), field("b", Shape::Text)]);
    let kept = || vec![field("a", unsigned(4))];
    let refusal = checked(&Plan::between(&old, &node(kept())), 4, CheckKind::Empty).to_string();
    let expected = "\
Node.b: text removed
  3 of 1,000 are not empty, first Node#77: 4294967301
  drop the values:  #[record(dropped(\"b\"))] on Node   or answer   [Node] drop = [\"b\"]";
    assert_eq!(refusal, expected);
    acknowledged(&Plan::between(&old, &schema(vec![record("Node", kept()).dropped("b")])), 4);
    acknowledged(&answered(&old, &node(kept()), "[Node]\ndrop = [\"b\"]"), 4);
    // What has no empty value cannot be proved empty.
    let old = node(vec![field("a", unsigned(4)), field("b", reference("Node"))]);
    asked(&Plan::between(&old, &node(kept())), 4, Verdict::Acknowledge);
}

#[test]
fn rules_5_to_7_a_rename_is_never_guessed() {
    let old = node(vec![field("name", Shape::Text)]);
    let new = node(vec![field("title", Shape::Text)]);
    let plan = Plan::between(&old, &new);
    let refusal = plan.decide(&failing(&plan)).unwrap_err().to_string();
    let expected = "\
Node.name: text removed and title text added: rename, or drop and add?
  3 of 1,000 are not empty, first Node#77: 4294967301
  renamed to title, keep the values:  #[record(was = \"name\")] on Node.title   or answer   \
[Node] rename = { name = \"title\" }
  drop the values:  #[record(dropped(\"name\"))] on Node   or answer   [Node] drop = [\"name\"]";
    assert_eq!(refusal, expected);
    // Rule 5: an answer says that it was a rename.
    let renamed = answered(&old, &new, "[Node]\nrename = { name = \"title\" }");
    acknowledged(&renamed, 5);
    assert_eq!(source(&renamed, 0), &Source::Field { path: vec![0], cast: Cast::Copy });
    assert!(!renamed.types[0].rewritten, "not a byte changes");
    // Rule 6: the program says it.
    implicit(&Plan::between(&old, &node(vec![field("title", Shape::Text).was("name")])), 6);
    asked_live(&Plan::between(&old, &node(vec![field("title", Shape::Text).was("nome")])), 5);
    // Rule 7: or that it was none.
    let dropped = answered(&old, &new, "[Node]\ndrop = [\"name\"]");
    acknowledged(&dropped, 7);
    assert_eq!(source(&dropped, 0), &Source::Value(Value::Empty));
    // Empty values that would become others are no proof that it does not matter.
    let other = node(vec![field("title", Shape::Text).default("\"none\"")]);
    asked(&Plan::between(&old, &other), 5, Verdict::Acknowledge);
}

/// A question that only empty values settle.
#[track_caller]
fn asked_live(plan: &Plan, rule: u8) {
    let refusal = plan.decide(&failing(plan)).unwrap_err();
    assert!(refusal.questions.iter().any(|(question, _)| question.rule == rule), "{refusal:?}");
}

#[test]
fn rule_8_a_rename_may_convert() {
    let old = node(vec![field("count", unsigned(4))]);
    implicit(&Plan::between(&old, &node(vec![field("total", unsigned(8)).was("count")])), 8);
    let text = Plan::between(&old, &node(vec![field("total", Shape::Text).was("count")]));
    asked(&text, 20, Verdict::Hook);
}

#[test]
fn rule_9_crossed_names_are_asked_and_the_answer_may_be_a_permutation() {
    let old = node(vec![field("a", unsigned(4)), field("b", unsigned(4))]);
    let new = node(vec![field("a", unsigned(4)).was("b"), field("b", unsigned(4)).was("a")]);
    let refusal = asked(&Plan::between(&old, &new), 9, Verdict::Acknowledge).to_string();
    assert!(refusal.contains("[Node] rename = { b = \"a\" }"), "{refusal}");
    let crossed = answered(&old, &new, "[Node]\nrename = { a = \"b\", b = \"a\" }");
    assert_eq!(crossed.decide(&failing(&crossed)), Ok(()));
    assert_eq!(source(&crossed, 0), &Source::Field { path: vec![1], cast: Cast::Copy });
    assert_eq!(source(&crossed, 1), &Source::Field { path: vec![0], cast: Cast::Copy });
    // Once it is done, the words in the program are no news.
    assert_eq!(Plan::between(&new, &new).types[0].body, BodyStep::Same);
}

#[test]
fn rules_10_to_18_numbers_go_by_value() {
    let cases: &[(u8, Shape, Shape, Option<CheckKind>)] = &[
        (10, unsigned(1), unsigned(16), None),
        (10, signed(4), signed(8), None),
        (10, float(4), float(8), None),
        (11, signed(4), float(8), None),
        (11, unsigned(4), float(8), None),
        (11, unsigned(2), float(4), None),
        (12, signed(8), float(8), Some(CheckKind::Exact)),
        (12, unsigned(4), float(4), Some(CheckKind::Exact)),
        (13, unsigned(8), unsigned(4), Some(CheckKind::Fits)),
        (13, signed(2), signed(1), Some(CheckKind::Fits)),
        (14, float(8), float(4), Some(CheckKind::Exact)),
        (15, unsigned(4), signed(4), Some(CheckKind::Fits)),
        (15, signed(1), unsigned(16), Some(CheckKind::Fits)),
        (15, unsigned(4), signed(8), None),
        (16, Shape::Bool, signed(4), None),
        (16, unsigned(1), Shape::Bool, Some(CheckKind::Fits)),
        // Rule 18 is these two: never by bits.
        (17, float(4), unsigned(4), Some(CheckKind::Fits)),
        (12, unsigned(8), float(8), Some(CheckKind::Exact)),
    ];
    for (rule, old, new, kind) in cases {
        let plan = cast(old.clone(), new.clone());
        match kind {
            None => implicit(&plan, *rule),
            Some(kind) => drop(checked(&plan, *rule, *kind)),
        }
        assert!(plan.types[0].rewritten);
    }
    for (old, new) in [(Shape::Char, unsigned(4)), (Shape::Bool, float(4)), (float(8), Shape::Bool)] {
        asked(&cast(old, new), 18, Verdict::Hook);
    }
}

#[test]
fn rule_13_a_number_that_does_not_fit_is_named_and_no_answer_helps() {
    let plan = cast_answered(unsigned(8), unsigned(4), "[Node]\nlossy = [\"x\"]");
    let refusal = plan.decide(&failing(&plan)).unwrap_err().to_string();
    let expected = "\
Node.x: 3 of 1,000 do not fit, first Node#77: 4294967301
  mend the records, or write a hook for Node";
    assert_eq!(refusal, expected);
}

#[test]
fn rule_14_a_loss_may_be_accepted() {
    let refusal = checked(&cast(float(8), float(4)), 14, CheckKind::Exact).to_string();
    assert!(refusal.contains("[Node] lossy = [\"x\"]"), "{refusal}");
    let accepted = cast_answered(float(8), float(4), "[Node]\nlossy = [\"x\"]");
    acknowledged(&accepted, 14);
    assert!(accepted.checks[0].waived);
}

#[test]
fn rules_19_and_20_texts_are_bytes_and_no_numbers() {
    implicit(&cast(Shape::Text, Shape::Bytes), 19);
    checked(&cast(Shape::Bytes, Shape::Text), 19, CheckKind::Utf8);
    for (old, new) in [(Shape::Text, unsigned(4)), (float(8), Shape::Text)] {
        let refusal = asked(&cast(old.clone(), new.clone()), 20, Verdict::Hook).to_string();
        assert!(refusal.contains("a hook for Node"), "{refusal}");
        let mut with_hook = answers("");
        with_hook.hooks.insert("Node".into());
        let (old, new) = one(field("x", old), field("x", new));
        let plan = Plan::with_answers(&old, &new, &with_hook);
        assert_eq!(plan.types[0].body, BodyStep::Hook);
        assert_eq!(plan.decide(&failing(&plan)), Ok(()));
        // Values that may go are no obstacle.
        let dropped = answered(&old, &new, "[Node]\ndrop = [\"x\"]");
        assert_eq!(dropped.decide(&failing(&dropped)), Ok(()));
    }
}

#[test]
fn rules_21_and_22_options() {
    let number = || option(unsigned(4));
    implicit(&cast(unsigned(4), number()), 21);
    asked(&cast(Shape::Text, number()), 20, Verdict::Hook);
    checked(&cast(number(), unsigned(8)), 22, CheckKind::Present);
    let (old, new) = one(field("x", number()), field("x", unsigned(4)).default("7"));
    let plan = Plan::between(&old, &new);
    implicit(&plan, 22);
    let Source::Field { cast: Cast::Unwrap { none, .. }, .. } = source(&plan, 0) else { panic!("{plan:?}") };
    assert_eq!(none, &Some(Value::Integer(7)));
    // As a whole, not its content: nothing stays told from something that is nothing.
    let deeper = Shape::Option {
        inner: Box::new(number()),
        size: 12,
        align: 4,
        tag: crate::schema::OptionTag::Tagged { width: 4, value_offset: 4 },
    };
    let plan = cast(number(), deeper);
    assert_eq!(source(&plan, 0), &Source::Field { path: vec![0], cast: Cast::Some(Box::new(Cast::Copy)) });
}

#[test]
fn rules_23_and_24_lists_of_one() {
    implicit(&cast(unsigned(4), list(unsigned(8))), 23);
    implicit(&cast(Shape::Text, array(Shape::Text, 1)), 23);
    asked(&cast(Shape::Text, array(Shape::Text, 2)), 18, Verdict::Hook);
    checked(&cast(list(unsigned(4)), unsigned(4)), 24, CheckKind::OneElement);
    checked(&cast(list(Shape::Text), option(Shape::Text)), 24, CheckKind::AtMostOneElement);
    asked(&cast(list(Shape::Text), unsigned(4)), 20, Verdict::Hook);
    // A list as a whole.
    implicit(&cast(list(Shape::Text), list(list(Shape::Text))), 23);
    implicit(&cast(list(Shape::Text), option(list(Shape::Text))), 21);
}

#[test]
fn rule_25_elements_go_by_their_own_rule() {
    for wrap in [list, |inner| array(inner, 3), |inner| map(unsigned(4), inner)] {
        implicit(&cast(wrap(unsigned(4)), wrap(unsigned(8))), 10);
        let refusal = checked(&cast(wrap(unsigned(8)), wrap(unsigned(4))), 13, CheckKind::Fits).to_string();
        assert!(refusal.starts_with("Node.x[]: 3 of 1,000 do not fit"), "{refusal}");
        asked(&cast(wrap(Shape::Text), wrap(unsigned(4))), 20, Verdict::Hook);
    }
}

#[test]
fn rule_26_arrays_grow_and_shrink() {
    implicit(&cast(array(unsigned(4), 2), array(unsigned(4), 3)), 26);
    let (old, new) = one(field("x", array(unsigned(4), 1)), field("x", array(unsigned(4), 3)).default("[0, 7, 7]"));
    let plan = Plan::between(&old, &new);
    implicit(&plan, 26);
    let Source::Field { cast: Cast::Array { fill, .. }, .. } = source(&plan, 0) else { panic!("{plan:?}") };
    assert_eq!(fill, &Value::Integer(7));
    checked(&cast(array(unsigned(4), 3), array(unsigned(4), 2)), 26, CheckKind::TailEmpty);
    asked(&cast(array(reference("Node"), 2), array(reference("Node"), 3)), 26, Verdict::Hook);
    asked(&cast(array(reference("Node"), 3), array(reference("Node"), 2)), 26, Verdict::Hook);
}

fn shapes(variants: Vec<crate::schema::Variant>) -> Schema {
    schema(vec![choice("Shape", variants), record("Node", vec![field("shape", inline("Shape"))])])
}

fn circle(radius: Shape) -> crate::schema::Variant {
    variant("Circle", vec![field("radius", radius)])
}

#[test]
fn rules_27_and_28_variants_go_by_name() {
    let old = shapes(vec![circle(float(4)), variant("Point", vec![])]);
    let new = shapes(vec![variant("Line", vec![]), variant("Point", vec![]), circle(float(4))]);
    let plan = Plan::between(&old, &new);
    implicit(&plan, 27);
    implicit(&plan, 28);
    assert!(plan.types[0].rewritten && plan.types[1].rewritten, "whoever holds it is rewritten too");
    // Added behind the others, it changes no byte.
    let plan = Plan::between(&old, &shapes(vec![circle(float(4)), variant("Point", vec![]), variant("Line", vec![])]));
    implicit(&plan, 27);
    assert!(!plan.types[0].rewritten && !plan.types[1].rewritten);
}

#[test]
fn rules_29_to_31_variants_that_go() {
    let old = shapes(vec![circle(float(4)), variant("Point", vec![])]);
    let gone = shapes(vec![circle(float(4))]);
    let refusal = checked(&Plan::between(&old, &gone), 29, CheckKind::NoSuchVariant).to_string();
    assert!(
        refusal.starts_with("Shape::Point: is no variant any more\n  3 of 1,000 are of it, first Node#77"),
        "{refusal}"
    );
    assert!(refusal.contains("[Shape] becomes = { Point = \"Circle\" }"), "{refusal}");
    acknowledged(&answered(&old, &gone, "[Shape]\nbecomes = { Point = \"Circle\" }"), 30);
    let renamed = |was: &[&str]| {
        let dot = crate::schema::Variant { was: was.iter().map(|&was| was.into()).collect(), ..variant("Dot", vec![]) };
        shapes(vec![circle(float(4)), dot])
    };
    implicit(&Plan::between(&old, &renamed(&["Point"])), 31);
    acknowledged(&answered(&old, &renamed(&[]), "[Shape]\nrename = { Point = \"Dot\" }"), 31);
    asked_live(&Plan::between(&old, &renamed(&[])), 31);
}

#[test]
fn rule_32_payloads_are_structs() {
    let old = shapes(vec![circle(float(8))]);
    let refusal = checked(&Plan::between(&old, &shapes(vec![circle(float(4))])), 14, CheckKind::Exact).to_string();
    assert!(refusal.starts_with("Shape::Circle.radius: f64 → f32 is lossy"), "{refusal}");
    assert!(refusal.contains("[Shape] lossy = [\"Circle.radius\"]"), "{refusal}");
    acknowledged(&answered(&old, &shapes(vec![circle(float(4))]), "[Shape]\nlossy = [\"Circle.radius\"]"), 14);
    let size = shapes(vec![variant("Circle", vec![field("size", float(8))])]);
    acknowledged(&answered(&old, &size, "[Shape]\nrename = { \"Circle.radius\" = \"Circle.size\" }"), 5);
    acknowledged(&answered(&old, &size, "[Shape]\ndrop = [\"Circle.radius\"]"), 7);
}

#[test]
fn rule_33_renamed_types() {
    let with = |name: &str, was: &[&str]| {
        let mut described = record(name, vec![field("a", unsigned(4))]);
        for was in was {
            described = described.was_type(was);
        }
        schema(vec![described, record("Root", vec![field("first", reference(name))])])
    };
    let old = with("Node", &[]);
    let plan = Plan::between(&old, &with("Vertex", &["Node"]));
    implicit(&plan, 33);
    assert_eq!(plan.types[0].body, BodyStep::Same);
    assert_eq!(plan.types[1].body, BodyStep::Same, "references go on to what they named");
    acknowledged(&answered(&old, &with("Vertex", &[]), "[rename]\nNode = \"Vertex\""), 33);
    let refusal = Plan::between(&old, &with("Vertex", &[])).decide(&clean(&plan)).unwrap_err().to_string();
    assert!(
        refusal.contains("#[record(was = \"Node\")] on Vertex   or answer   [rename] Node = \"Vertex\""),
        "{refusal}"
    );
}

#[test]
fn rules_34_and_44_what_is_no_layout_is_nothing() {
    let types = || vec![record("Node", vec![field("a", unsigned(4))]), choice("Kind", vec![variant("A", vec![])])];
    let old = schema(types());
    let new = schema(types().into_iter().rev().collect());
    let plan = Plan::between(&old, &new);
    assert!(plan.types.iter().all(|step| step.body == BodyStep::Same && !step.rewritten));
    assert_eq!((plan.rulings.len(), plan.checks.len()), (0, 0));
    assert_eq!(plan.decide(&failing(&plan)), Ok(()));
    assert_eq!(old.fingerprint(), new.fingerprint());
    // A name that changes is no move.
    let renamed = schema(vec![record("board::Node", vec![field("a", unsigned(4))]), types().remove(1)]);
    assert!(Plan::between(&old, &renamed).decide(&clean(&plan)).is_err());
}

#[test]
fn rule_35_whoever_holds_a_changed_struct_changes() {
    let with = |x: Shape| {
        schema(vec![
            record("Point", vec![field("x", x)]),
            record("Line", vec![field("ends", array(inline("Point"), 2))]),
            record("Path", vec![field("lines", map(unsigned(4), inline("Line")))]),
            record("Other", vec![field("path", reference("Path"))]),
        ])
    };
    let plan = Plan::between(&with(unsigned(4)), &with(unsigned(8)));
    implicit(&plan, 35);
    let rewritten: Vec<_> = plan.types.iter().map(|step| step.rewritten).collect();
    assert_eq!(rewritten, [true, true, true, false]);
    asked(&Plan::between(&with(unsigned(4)), &with(Shape::Text)), 20, Verdict::Hook);
    // A hook makes records, not parts of them.
    let mut with_hook = answers("");
    with_hook.hooks.insert("Point".into());
    asked(&Plan::with_answers(&with(unsigned(4)), &with(Shape::Text), &with_hook), 35, Verdict::Hook);
}

#[test]
fn rule_36_fields_move_into_and_out_of_structs() {
    let point = |x: Field, y: Field| record("Point", vec![x, y]);
    let nested =
        |x: Field, y: Field| schema(vec![point(x, y), record("Node", vec![field("position", inline("Point"))])]);
    let old = nested(field("x", float(4)), field("y", float(4)));
    let flat = |x: Field, y: Field| schema(vec![record("Node", vec![x, y])]);
    let out = flat(field("x", float(8)).from("position.x"), field("y", float(4)).from("position.y"));
    let plan = Plan::between(&old, &out);
    acknowledged(&plan, 36);
    assert_eq!(source(&plan, 0), &Source::Field { path: vec![0, 0], cast: Cast::Number { check: None } });
    assert!(matches!(&plan.types[0].body, BodyStep::Struct(fields) if fields.dropped.is_empty()));
    // What stays behind is dropped like any other field.
    let half = flat(field("x", float(4)).from("position.x"), field("z", Shape::Bool));
    let refusal = checked(&Plan::between(&old, &half), 4, CheckKind::Empty).to_string();
    assert!(refusal.starts_with("Node.position.y: f32 removed"), "{refusal}");
    let wrong = flat(field("x", float(4)).from("position.w"), field("y", float(4)).from("position.y"));
    let refusal = Plan::between(&old, &wrong).decide(&clean(&plan)).unwrap_err().to_string();
    assert!(refusal.contains("from = \"position.w\" names no field of it"), "{refusal}");
    // The way in.
    let old = flat(field("x", float(4)), field("y", float(4)));
    let plan = Plan::between(&old, &nested(field("x", float(4)).from("x"), field("y", float(4)).from("y")));
    acknowledged(&plan, 36);
    let BodyStep::Struct(fields) = &plan.types[1].body else { panic!("{plan:?}") };
    let Source::Gathered(inner) = &fields.made[0].source else { panic!("{plan:?}") };
    assert_eq!(inner.made[1].source, Source::Field { path: vec![1], cast: Cast::Copy });
    assert!(fields.dropped.is_empty());
    let plan = Plan::between(&old, &nested(field("x", float(4)).from("x"), field("y", float(4))));
    assert!(plan.decide(&failing(&plan)).unwrap_err().to_string().contains("Node.y: f32 removed"));
}

/// What moves out may own nothing where the struct goes on: also where it goes on under another name.
#[test]
fn rule_36_what_moves_out_has_one_owner() {
    let part = || record("Part", vec![field("name", Shape::Text), field("size", unsigned(4))]);
    let old = schema(vec![part(), record("Node", vec![field("part", inline("Part"))])]);
    let new = |field: Field, path: &str| {
        let shape = if path == "part.name" { Shape::Text } else { unsigned(4) };
        schema(vec![part(), record("Node", vec![field, self::field("moved", shape).from(path)])])
    };
    let fault = |new: &Schema, text: &str| answered(&old, new, text).faults.first().map(|fault| fault.what.clone());
    let (same, renamed) = (field("part", inline("Part")), field("whole", inline("Part")).was("part"));
    let two = "part.name owns what it holds, and part goes on: two would own it";
    assert_eq!(fault(&new(same.clone(), "part.name"), "").as_deref(), Some(two));
    assert_eq!(fault(&new(renamed.clone(), "part.name"), "").as_deref(), Some(two));
    let unsaid = new(field("whole", inline("Part")), "part.name");
    assert_eq!(fault(&unsaid, "[Node]\nrename = { part = \"whole\" }").as_deref(), Some(two));
    // A number may be there twice.
    assert_eq!(fault(&new(same, "part.size"), ""), None);
    assert_eq!(fault(&new(renamed, "part.size"), ""), None);
}

#[test]
fn rule_37_records_and_values() {
    let with = |shape: Shape| {
        schema(vec![record("Point", vec![field("x", unsigned(4))]), record("Node", vec![field("at", shape)])])
    };
    let by_value = || with(inline("Point"));
    let plan = Plan::between(&by_value(), &with(reference("Point")));
    implicit(&plan, 37);
    checked(&Plan::between(&with(reference("Point")), &by_value()), 37, CheckKind::Unshared);
    let refusal = checked(&Plan::between(&with(option(reference("Point"))), &by_value()), 37, CheckKind::Present);
    assert_eq!(refusal.failures.len(), 2);
    let other = schema(vec![
        record("Point", vec![field("x", unsigned(4))]),
        record("Node", vec![field("at", reference("Node"))]),
    ]);
    asked(&Plan::between(&with(reference("Point")), &other), 38, Verdict::Hook);
}

#[test]
fn rule_38_types_that_become_others_need_hooks() {
    let old = schema(vec![record("Node", vec![field("a", unsigned(4))])]);
    let new = schema(vec![choice("Node", vec![variant("A", vec![])])]);
    let plan = Plan::between(&old, &new);
    assert_eq!(plan.types[0].body, BodyStep::Unanswered);
    asked(&plan, 38, Verdict::Hook);
    let mut with_hook = answers("");
    with_hook.hooks.insert("Node".into());
    let plan = Plan::with_answers(&old, &new, &with_hook);
    assert_eq!(plan.decide(&failing(&plan)), Ok(()));
    ruled(&plan, 38, Verdict::Hook);
    // A hook of a type that did not change has nothing to do.
    assert_eq!(Plan::with_answers(&old, &old, &with_hook).types[0].body, BodyStep::Same);
}

#[test]
fn rule_39_another_default_changes_no_value() {
    let plan = cast_with(field("x", unsigned(4)).default("1"), field("x", unsigned(4)).default("2"));
    implicit(&plan, 39);
    assert_eq!(plan.types[0].body, BodyStep::Same);
    assert!(plan.to_string().contains("x default is 2 now; stored values stay"), "{plan}");
    // It is no answer to a conversion that has none.
    asked(&cast_with(field("x", unsigned(4)), field("x", Shape::Text).default("\"2\"")), 20, Verdict::Hook);
}

fn cast_with(old: Field, new: Field) -> Plan {
    let (old, new) = one(old, new);
    Plan::between(&old, &new)
}

#[test]
fn rule_40_a_secret_stays_one_unless_somebody_says_so() {
    let (old, new) = one(field("x", Shape::Text).secret(), field("x", Shape::Text));
    let plan = Plan::between(&old, &new);
    assert_eq!(plan.types[0].body, BodyStep::Same);
    // Values to come would show as well, so empty tables do not settle it.
    let mut nothing = clean(&plan);
    nothing.records.fill(0);
    let refusal = plan.decide(&nothing).unwrap_err().to_string();
    let expected = "\
Node.x: loses its secret mark: its values would appear in future dumps
  keep it secret:  #[record(secret)] on Node.x   or answer   [Node] keep_secret = [\"x\"]
  accept:  [Node] unsecret = [\"x\"]";
    assert_eq!(refusal, expected);
    acknowledged(&answered(&old, &new, "[Node]\nunsecret = [\"x\"]"), 40);
    let kept = answered(&old, &new, "[Node]\nkeep_secret = [\"x\"]");
    assert_eq!(kept.decide(&failing(&kept)), Ok(()));
    assert_eq!(kept.new, old, "the mark is in the schema that the heap gets");
    // The mark goes along with what is renamed or taken out of a secret struct.
    let renamed = node(vec![field("y", Shape::Text).was("x")]);
    asked(&Plan::between(&old, &renamed), 40, Verdict::Acknowledge);
    let nested = schema(vec![
        record("Key", vec![field("x", unsigned(4))]),
        record("Node", vec![field("key", inline("Key")).secret()]),
    ]);
    let flat = |x: Field| node(vec![x.from("key.x")]);
    asked(&Plan::between(&nested, &flat(field("x", unsigned(4)))), 40, Verdict::Acknowledge);
    let marked = Plan::between(&nested, &flat(field("x", unsigned(4)).secret()));
    assert_eq!(marked.decide(&clean(&marked)), Ok(()));
    // A type that loses its mark is asked about once.
    let mut secret_type = old.clone();
    secret_type.types[0].attributes.secret = Some(crate::schema::SecretMode::Default);
    let refusal = asked(&Plan::between(&secret_type, &new), 40, Verdict::Acknowledge);
    assert_eq!(refusal.questions.len(), 1);
    acknowledged(&answered(&secret_type, &new, "[Node]\nunsecret = [\"*\"]"), 40);
}

#[test]
fn rule_41_types_that_go() {
    let both = schema(vec![record("Node", vec![]), record("Audit", vec![field("note", Shape::Text)])]);
    let new = schema(vec![record("Node", vec![])]);
    let plan = Plan::between(&both, &new);
    assert_eq!(plan.types[1].body, BodyStep::Gone);
    let mut findings = clean(&plan);
    let refusal = plan.decide(&findings).unwrap_err().to_string();
    let expected = "\
Audit: is no type of the program any more
  1,000 records would go
  drop its records:  drop_types = [\"Audit\"]";
    assert_eq!(refusal, expected);
    findings.records[1] = 0;
    assert_eq!(plan.decide(&findings), Ok(()));
    ruled(&plan, 41, Verdict::Checked);
    acknowledged(&answered(&both, &new, "drop_types = [\"Audit\"]"), 41);
}

#[test]
fn rule_42_maps_and_lists() {
    let pairs = map(unsigned(4), Shape::Text);
    implicit(&cast(pairs.clone(), sorted(unsigned(4), Shape::Text)), 42);
    checked(&cast(map(unsigned(8), Shape::Text), map(unsigned(4), Shape::Text)), 42, CheckKind::UniqueKeys);
    asked(&cast(list(Shape::Text), pairs.clone()), 42, Verdict::Hook);
    asked(&cast(pairs, list(Shape::Text)), 42, Verdict::Hook);
}

/// A schema with an entry of these fields, and a node with this one field.
fn with_entry(fields: Vec<Field>, shape: Shape) -> Schema {
    schema(vec![record("Entry", fields), record("Node", vec![field("a", shape)])])
}

#[test]
fn rule_42_lists_of_entries_are_maps() {
    let entries = || list(inline("Entry"));
    let both = |key: Shape, value: Shape| vec![field("value", value), field("key", key)];
    let pair = || both(unsigned(4), unsigned(2));
    let to_map = |fields: Vec<Field>, key, value| {
        Plan::between(&with_entry(fields.clone(), entries()), &with_entry(fields, map(key, value)))
    };
    let from_map = |fields: Vec<Field>, key, value| {
        Plan::between(&with_entry(fields.clone(), sorted(key, value)), &with_entry(fields, entries()))
    };
    checked(&to_map(pair(), unsigned(8), unsigned(4)), 42, CheckKind::UniqueKeys);
    checked(&to_map(both(Shape::Text, Shape::Text), Shape::Text, Shape::Bytes), 42, CheckKind::UniqueKeys);
    implicit(&from_map(pair(), unsigned(2), unsigned(2)), 42);
    // Keys and values by their own rules.
    checked(&from_map(pair(), unsigned(8), unsigned(2)), 13, CheckKind::Fits);
    asked(&from_map(pair(), Shape::Text, unsigned(2)), 20, Verdict::Hook);
    // By names only, and never what cannot be told apart.
    let others = [
        vec![field("key", unsigned(4)), field("other", unsigned(2))],
        vec![field("key", unsigned(4)), field("value", unsigned(2)), field("more", unsigned(2))],
        vec![field("key", unsigned(4))],
    ];
    for fields in others {
        asked(&to_map(fields.clone(), unsigned(4), unsigned(2)), 42, Verdict::Hook);
        asked(&from_map(fields, unsigned(4), unsigned(2)), 42, Verdict::Hook);
    }
    asked(&to_map(both(float(8), unsigned(2)), unsigned(4), unsigned(2)), 42, Verdict::Hook);
    // The order of a list is not in a map.
    let there = to_map(pair(), unsigned(4), unsigned(2));
    assert!(there.inverse().unwrap_err()[0].what.contains("order"));
    assert!(from_map(pair(), unsigned(4), unsigned(2)).inverse().is_ok());
}

#[test]
fn rule_42_entries_that_hold_each_other_have_an_end() {
    let old = with_entry(
        vec![field("key", unsigned(4)), field("value", map(unsigned(4), list(inline("Entry"))))],
        map(unsigned(4), list(inline("Entry"))),
    );
    let new = with_entry(
        vec![field("key", unsigned(4)), field("value", map(unsigned(4), list(inline("Entry"))))],
        list(inline("Entry")),
    );
    asked(&Plan::between(&old, &new), 42, Verdict::Hook);
}

#[test]
fn rule_42_marks_of_entries_are_not_lost() {
    let mut hidden = field("value", Shape::Text);
    hidden.attributes.secret = Some(crate::schema::SecretMode::Default);
    let fields = vec![field("key", unsigned(4)), hidden];
    let old = with_entry(fields.clone(), list(inline("Entry")));
    let new = with_entry(fields, map(unsigned(4), Shape::Text));
    asked(&Plan::between(&old, &new), 40, Verdict::Acknowledge);
    let plan = answered(&old, &new, "[Node]\nunsecret = [\"a\"]");
    ruled(&plan, 40, Verdict::Acknowledge);
    assert_eq!(plan.questions, []);
}

#[test]
fn rule_45_layouts_of_another_machine_are_other_layouts_of_the_same_values() {
    // 64-bit numbers are aligned to 4 there.
    let word = |align| Shape::Integer(crate::schema::Integer { width: 8, signed: false, align });
    let foreign = node(vec![field("a", unsigned(4)), field("b", word(4))]);
    let native = node(vec![field("a", unsigned(4)), field("b", word(8))]);
    let plan = Plan::between(&foreign, &native);
    implicit(&plan, 1);
    assert_eq!(source(&plan, 1), &Source::Field { path: vec![1], cast: Cast::Copy });
    // Entries of maps lie elsewhere too, although keys and values are the same.
    let plan = cast(map(unsigned(4), word(4)), map(unsigned(4), word(8)));
    assert!(plan.types[0].rewritten);
    assert!(matches!(source(&plan, 0), Source::Field { cast: Cast::Map { .. }, .. }));
}

#[test]
fn what_has_no_records_can_lose_none() {
    let plan = cast(Shape::Text, unsigned(4));
    let mut findings = clean(&plan);
    assert!(plan.decide(&findings).is_err());
    findings.records.fill(0);
    assert_eq!(plan.decide(&findings), Ok(()));
    // Values in live records are live.
    let with = |x: Shape| {
        schema(vec![record("Point", vec![field("x", x)]), record("Node", vec![field("all", list(inline("Point")))])])
    };
    let plan = Plan::between(&with(Shape::Text), &with(unsigned(4)));
    let mut findings = clean(&plan);
    findings.records = vec![0, 1];
    assert!(plan.decide(&findings).is_err());
    findings.records = vec![0, 0];
    assert_eq!(plan.decide(&findings), Ok(()));
}

#[test]
fn a_value_made_of_a_record_needs_its_type_though_there_is_no_record() {
    let with = |x: Shape, point: Shape| {
        schema(vec![record("Point", vec![field("x", x)]), record("Node", vec![field("all", list(point))])])
    };
    let plan = Plan::between(&with(Shape::Text, reference("Point")), &with(unsigned(4), inline("Point")));
    let mut findings = clean(&plan);
    findings.records = vec![0, 1];
    assert!(plan.decide(&findings).is_err(), "nobody says how the lists' elements would be made");
    findings.records = vec![0, 0];
    assert_eq!(plan.decide(&findings), Ok(()));
}

#[test]
fn a_default_is_one_of_the_whole_shape() {
    let grown = |old: Shape, new: Shape, default: &str| {
        let (old, new) = one(field("x", old), field("x", new).default(default));
        Plan::between(&old, &new)
    };
    let (two, three) = (array(unsigned(1), 2), array(unsigned(1), 3));
    // The default of an option or of a list says nothing about the arrays in it.
    implicit(&grown(two.clone(), option(three.clone()), "None"), 26);
    implicit(&grown(option(two.clone()), option(three.clone()), "None"), 26);
    implicit(&grown(two.clone(), list(three.clone()), "[]"), 26);
    implicit(&grown(two.clone(), array(three.clone(), 1), "[[7; 3]; 1]"), 26);
    // Here nothing becomes the default, and what something lacks comes from it too.
    let plan = grown(option(two), three, "[7; 3]");
    implicit(&plan, 22);
    let Source::Field { cast: Cast::Unwrap { value, none: Some(_), check: None }, .. } = source(&plan, 0) else {
        panic!("{plan:?}");
    };
    assert!(matches!(&**value, Cast::Array { fill: Value::Integer(7), .. }), "{value:?}");
}

#[test]
fn what_nobody_looked_at_is_not_proved() {
    let plan = cast(unsigned(8), unsigned(4));
    let refusal = plan.decide(&crate::plan::Findings::default()).unwrap_err().to_string();
    assert!(refusal.starts_with("Node.x: if every value fits: nobody looked"), "{refusal}");
}

#[test]
fn a_name_with_a_slip_in_an_answer_is_a_fault() {
    let (old, new) = one(field("x", unsigned(4)), field("x", unsigned(4)));
    for (text, fault) in [
        ("[Nod]\ndrop = [\"x\"]", "[Nod]: there is no type of this name"),
        ("[Node]\ndrop = [\"y\"]", "[Node] drop: the old type has no y"),
        ("[Node]\nrename = { x = \"y\" }", "[Node] rename: the new type has no y"),
        ("[Node]\nlossy = [\"y\"]", "[Node] lossy: the type has no y"),
        ("[rename]\nNode = \"Vertex\"", "[rename]: the program has no type Vertex"),
        ("drop_types = [\"Audit\"]", "drop_types: the heap has no type Audit"),
    ] {
        let plan = answered(&old, &new, text);
        assert_eq!(plan.decide(&clean(&plan)).unwrap_err().to_string(), fault, "{text}");
    }
}

#[test]
fn a_dropped_name_that_comes_back_is_noticed() {
    let old = schema(vec![record("Node", vec![field("a", unsigned(4))]).dropped("b")]);
    let new = schema(vec![record("Node", vec![field("a", unsigned(4)), field("b", Shape::Text)]).dropped("b")]);
    let plan = Plan::between(&old, &new);
    assert!(plan.to_string().contains("a field of this name was dropped before"), "{plan}");
}

#[test]
fn a_type_is_found_under_each_of_its_names() {
    let with = |types: Vec<TypeDescriptor>| schema(types);
    let old = with(vec![record("Node", vec![field("x", float(8))])]);
    let new = with(vec![record("Vertex", vec![field("x", float(4))]).was_type("Node")]);
    for name in ["Node", "Vertex"] {
        acknowledged(&answered(&old, &new, &format!("[{name}]\nlossy = [\"x\"]")), 14);
    }
}
