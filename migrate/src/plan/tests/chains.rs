//! Plans one after the other, and back.

use super::make::{
    Says, With, answers, array, choice, clean, failing, field, float, inline, list, map, option, record, reference,
    schema, unsigned, variant,
};
use crate::plan::{BodyStep, Cast, CheckKind, Fields, Plan, Source, Value};
use crate::schema::{Field, Schema, Shape};

fn node(fields: Vec<Field>) -> Schema {
    schema(vec![record("Node", fields)])
}

fn fields(plan: &Plan) -> &Fields {
    match &plan.types[0].body {
        BodyStep::Struct(fields) => fields,
        other => panic!("{other:?}"),
    }
}

fn chain(versions: &[Schema]) -> Result<Plan, crate::plan::Fault> {
    let plans: Vec<Plan> = versions.windows(2).map(|pair| Plan::between(&pair[0], &pair[1])).collect();
    plans[1..].iter().try_fold(plans[0].clone(), |all, next| all.then(next))
}

/// What one field becomes over these shapes.
fn casts(shapes: &[Shape]) -> Result<(Cast, Plan), &'static str> {
    let versions: Vec<Schema> = shapes.iter().map(|shape| node(vec![field("x", shape.clone())])).collect();
    match chain(&versions) {
        Ok(plan) => match &plan.types[0].body {
            BodyStep::Same => Ok((Cast::Copy, plan)),
            BodyStep::Struct(fields) => match &fields.made[0].source {
                Source::Field { cast, .. } => Ok((cast.clone(), plan.clone())),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        },
        Err(fault) => Err(Box::leak(fault.what.into_boxed_str())),
    }
}

#[test]
fn names_are_followed_through_the_version_in_between() {
    let first = node(vec![field("a", unsigned(4)), field("b", unsigned(4)), field("c", Shape::Bytes)]);
    // The former names are not in the last version any more, and `a` is another field there.
    let second =
        node(vec![field("one", unsigned(4)).was("a"), field("b", unsigned(8)), field("n", unsigned(4)).default("7")]);
    let third = schema(vec![record(
        "Node",
        vec![
            field("a", Shape::Text),
            field("uno", unsigned(4)).was("one"),
            field("b", unsigned(8)),
            field("n", unsigned(8)),
        ],
    )]);
    let plan = chain(&[first.clone(), second, third.clone()]).unwrap();
    let made: Vec<_> = fields(&plan).made.iter().map(|step| &step.source).collect();
    assert_eq!(made[0], &Source::Value(Value::Empty), "the new `a` is not the old one");
    assert_eq!(made[1], &Source::Field { path: vec![0], cast: Cast::Copy });
    assert_eq!(made[2], &Source::Field { path: vec![1], cast: Cast::Number { check: None } });
    assert_eq!(made[3], &Source::Value(Value::Integer(7)), "the default of the version that added it");
    let dropped = &fields(&plan).dropped[..];
    assert_eq!((dropped.len(), &*dropped[0].path), (1, &[2][..]));
    assert_eq!((&plan.old, &plan.new), (&first, &third));
    // Questions of both go on, with their checks.
    let refusal = plan.decide(&failing(&plan)).unwrap_err();
    assert_eq!(refusal.questions.len(), 1);
    assert_eq!(plan.decide(&clean(&plan)), Ok(()));
    // Without the version in between, `a` would have become the text.
    assert!(Plan::between(&first, &third).decide(&clean(&plan)).is_err());
}

#[test]
fn conversions_become_one() {
    let number = |check| Cast::Number { check };
    let cast = |shapes: &[Shape]| casts(shapes).unwrap();
    assert_eq!(cast(&[unsigned(1), unsigned(2), unsigned(4)]).0, number(None));
    // What fitted in between is the same number in the end.
    assert_eq!(cast(&[unsigned(8), unsigned(4), unsigned(8)]).0, Cast::Copy);
    let (narrow, plan) = cast(&[unsigned(8), unsigned(4), unsigned(1)]);
    assert_eq!(narrow, number(Some(0)));
    assert_eq!((plan.checks[0].kind, &*plan.checks[0].place), (CheckKind::Fits, "x"));
    assert_eq!(cast(&[Shape::Text, Shape::Bytes, Shape::Text]).0, Cast::Copy);
    let some = |cast| Cast::Some(Box::new(cast));
    assert_eq!(cast(&[unsigned(4), option(unsigned(4)), option(unsigned(8))]).0, some(number(None)));
    assert_eq!(cast(&[unsigned(4), option(unsigned(4)), unsigned(8)]).0, number(None));
    let every = |cast| Cast::List(Box::new(cast));
    assert_eq!(cast(&[list(unsigned(4)), list(unsigned(8)), list(option(unsigned(8)))]).0, every(some(number(None))));
    let (narrow, plan) =
        cast(&[map(unsigned(8), unsigned(8)), map(unsigned(4), unsigned(8)), map(unsigned(4), unsigned(4))]);
    assert!(matches!(narrow, Cast::Map { check: Some(_), .. }), "{narrow:?}");
    let places: Vec<_> = plan.checks.iter().map(|check| &*check.place).collect();
    assert_eq!(places, ["x[key]", "x[]", "x"]);
    assert!(matches!(
        cast(&[array(unsigned(4), 2), array(unsigned(8), 2), array(unsigned(8), 3)]).0,
        Cast::Array { fill: Value::Empty, check: None, .. }
    ));
}

#[test]
fn what_is_not_one_conversion_is_refused() {
    assert_eq!(
        casts(&[array(unsigned(4), 2), array(unsigned(4), 3), array(unsigned(4), 2)]).unwrap_err(),
        "an array changes its length twice"
    );
    let versions = [float(8), float(4), float(8)].map(|shape| node(vec![field("x", shape)]));
    let lossy = answers("[Node]\nlossy = [\"x\"]");
    let first = Plan::with_answers(&versions[0], &versions[1], &lossy);
    let second = Plan::between(&versions[1], &versions[2]);
    assert_eq!(first.then(&second).unwrap_err().what, "what was rounded is converted again");
    let exact = Plan::between(&versions[0], &versions[1]).then(&second).unwrap();
    assert_eq!(exact.types[0].body, BodyStep::Struct(fields(&exact).clone()));
    assert!(exact.questions.is_empty(), "no value changes any more");
    assert!(first.then(&first).unwrap_err().what.contains("does not begin"));
}

#[test]
fn types_variants_and_moved_fields_are_followed_too() {
    let shapes = |name: &str, variants| {
        schema(vec![
            choice("Kind", variants),
            record(name, vec![field("kind", inline("Kind")), field("next", option(reference(name)))]),
        ])
    };
    let mut second = shapes("Vertex", vec![variant("Ajar", vec![]), variant("Open", vec![field("by", Shape::Bytes)])]);
    second.types[1].attributes.was.push("Node".into());
    let mut third = shapes("Point", vec![variant("Wide", vec![field("by", Shape::Bytes)]), variant("Ajar", vec![])]);
    third.types[1].attributes.was.push("Vertex".into());
    if let crate::schema::Body::Enum { variants, .. } = &mut third.types[0].body {
        variants[0].was.push("Open".into());
    }
    let first = shapes("Node", vec![variant("Open", vec![field("by", Shape::Text)]), variant("Lost", vec![])]);
    let plan = chain(&[first, second, third]).unwrap();
    let BodyStep::Enum(steps) = &plan.types[0].body else { panic!("{plan:?}") };
    assert_eq!(steps[0].new, Some(0));
    assert_eq!(steps[0].fields.made[0].source, Source::Field { path: vec![0], cast: Cast::TextToBytes });
    assert_eq!((steps[1].new, steps[1].check.is_some()), (None, true));
    assert_eq!(plan.types[1].old, Some(1));
    assert!(matches!(&plan.types[1].body, BodyStep::Struct(fields)
        if fields.made[0].source == Source::Field { path: vec![0], cast: Cast::Type(0) }));
    // In, and out again.
    let flat = |x: Field| node(vec![x]);
    let nested = schema(vec![
        record("Place", vec![field("x", unsigned(4)).from("x")]),
        record("Node", vec![field("at", inline("Place"))]),
    ]);
    let plan = chain(&[flat(field("x", unsigned(4))), nested, flat(field("x", unsigned(8)).from("at.x"))]).unwrap();
    assert_eq!(fields(&plan).made[0].source, Source::Field { path: vec![0], cast: Cast::Number { check: None } });
}

#[test]
fn a_plan_whose_steps_have_inverses_can_be_undone() {
    let old = node(vec![field("a", unsigned(4)), field("b", Shape::Text), field("e", unsigned(4)).default("9")]);
    let new = node(vec![field("name", Shape::Text).was("b"), field("a", unsigned(8)), field("c", list(Shape::Text))]);
    let plan = Plan::between(&old, &new);
    let back = plan.inverse().unwrap();
    assert_eq!((&back.old, &back.new), (&new, &old));
    let made = &fields(&back).made;
    assert_eq!(made[0].source, Source::Field { path: vec![1], cast: Cast::Number { check: Some(0) } });
    assert_eq!(made[1].source, Source::Field { path: vec![0], cast: Cast::Copy });
    assert_eq!(made[2].source, Source::Value(Value::Empty), "it was empty, whatever its default is");
    // What the new version wrote is asked about like any other value.
    assert_eq!(back.decide(&clean(&back)), Ok(()));
    assert!(back.decide(&failing(&back)).unwrap_err().to_string().contains("Node.c: list<text> removed"));
}

#[test]
fn what_is_lost_has_no_way_back_and_is_named() {
    let old = node(vec![field("a", float(8)), field("b", Shape::Text), field("c", option(unsigned(4)))]);
    let new =
        schema(vec![record("Node", vec![field("a", float(4)), field("c", unsigned(4)).default("7")]).dropped("b")]);
    let plan = Plan::with_answers(&old, &new, &answers("[Node]\nlossy = [\"a\"]"));
    let lost: Vec<_> =
        plan.inverse().unwrap_err().into_iter().map(|lost| format!("{}: {}", lost.place, lost.what)).collect();
    assert_eq!(
        lost,
        [
            "Node.a: it was rounded",
            "Node.c: what was absent cannot be told from the default",
            "Node.b: its values were dropped"
        ]
    );
    let mut with_hook = answers("");
    with_hook.hooks.insert("Node".into());
    let hooked = Plan::with_answers(&old, &new, &with_hook);
    assert_eq!(hooked.inverse().unwrap_err()[0].what, "a hook made it, and only another one can undo that");
}

#[test]
fn variants_that_were_renamed_come_back() {
    let with = |name: &str, field_name: &str, was: Option<&str>| {
        let mut made = variant(name, vec![field(field_name, float(4))]);
        if let Some(was) = was {
            made.was.push(was.into());
            made.fields[0].attributes.was.push("radius".into());
        }
        schema(vec![choice("Shape", vec![variant("Dot", vec![]), made])])
    };
    let plan = Plan::between(&with("Circle", "radius", None), &with("Round", "size", Some("Circle")));
    assert_eq!(plan.decide(&failing(&plan)), Ok(()));
    let back = plan.inverse().unwrap();
    assert_eq!(back.decide(&failing(&back)), Ok(()));
    assert!(!back.types[0].rewritten);
}
