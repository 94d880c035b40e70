//! What holds of the plan between any two schemas.

use std::collections::HashSet;

use proptest::prelude::*;

use super::make::{
    array, choice, clean, failing, field, float, inline, list, map, option, record, reference, schema, signed,
    unsigned, variant,
};
use crate::layout::TypeIndex;
use crate::plan::{BodyStep, Fields, Plan, Source};
use crate::schema::{Body, Field, Schema, Shape, TypeDescriptor};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const TYPES: [&str; 4] = ["Point", "Kind", "Node", "Root"];

fn plain() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(unsigned(4)),
        Just(unsigned(8)),
        Just(signed(4)),
        Just(float(4)),
        Just(float(8)),
        Just(Shape::Bool),
        Just(Shape::Char),
        Just(Shape::Text),
        Just(Shape::Bytes),
        Just(reference("Node")),
        Just(option(reference("Node"))),
        Just(option(unsigned(4))),
    ]
}

/// Shapes that may hold the types before this one by value.
fn shape(held: usize) -> impl Strategy<Value = Shape> {
    let mut leaves = vec![plain().boxed(), plain().boxed(), plain().boxed()];
    leaves.extend(TYPES[..held].iter().map(|name| Just(inline(name)).boxed()));
    proptest::strategy::Union::new(leaves).prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(list),
            (inner.clone(), 1_u64..4).prop_map(|(element, count)| array(element, count)),
            inner.prop_map(|value| map(Shape::Text, value)),
        ]
    })
}

fn fields(held: usize) -> impl Strategy<Value = Vec<Field>> {
    let one = (
        proptest::sample::select(&NAMES[..]),
        shape(held),
        proptest::option::weighted(0.3, proptest::sample::select(&NAMES[..])),
        proptest::option::weighted(0.2, proptest::sample::select(&["a", "b.a", "c.b", "d.a.b"][..])),
        proptest::option::weighted(0.2, proptest::sample::select(&["7", "\"x\"", "None", "[0; 2]", "A"][..])),
        any::<bool>(),
    );
    proptest::collection::vec(one, 1..5).prop_map(|drawn| {
        let mut names = HashSet::new();
        let drawn = drawn.into_iter().filter(|(name, ..)| names.insert(*name));
        let made = drawn.map(|(name, shape, was, from, default, secret)| {
            let mut made = field(name, shape);
            made.attributes.was = was.map(String::from).into_iter().collect();
            made.attributes.from = from.map(String::from);
            made.attributes.default = default.map(String::from);
            made.attributes.secret = secret.then_some(crate::schema::SecretMode::Default);
            made
        });
        made.collect()
    })
}

fn body(held: usize) -> impl Strategy<Value = TypeDescriptor> {
    let name = TYPES[held];
    let variants = proptest::collection::btree_map(proptest::sample::select(&["A", "B", "C"][..]), fields(held), 1..4);
    prop_oneof![
        3 => fields(held).prop_map(move |fields| record(name, fields)),
        1 => variants.prop_map(move |variants| {
            choice(name, variants.into_iter().map(|(name, fields)| variant(name, fields)).collect())
        }),
    ]
}

fn any_schema() -> impl Strategy<Value = Schema> {
    let types = (body(0), body(1), body(2), body(3), any::<[bool; 2]>(), proptest::option::weighted(0.3, 0_usize..2));
    types.prop_map(|(first, second, third, fourth, says_dropped, was)| {
        let mut types = vec![first, second, third, fourth];
        if says_dropped[0] {
            types[2].attributes.dropped.push("a".into());
        }
        if says_dropped[1] {
            types[3].name = "Other".into();
        }
        if let Some(was) = was {
            types[3].attributes.was.push(["Root", "Point"][was].into());
        }
        schema(types)
    })
}

/// Each path that something is made of or that is dropped.
fn paths(fields: &Fields, all: &mut Vec<Vec<usize>>) {
    for step in &fields.made {
        match &step.source {
            Source::Field { path, .. } => all.push(path.clone()),
            Source::Gathered(inner) => paths(inner, all),
            Source::Value(_) | Source::Hook | Source::Unanswered => {}
        }
    }
    all.extend(fields.dropped.iter().map(|dropped| dropped.path.clone()));
}

fn assert_total(index: &TypeIndex<'_>, fields: &Fields, old: &[Field], new: &[Field]) {
    let made: Vec<usize> = fields.made.iter().map(|step| step.field).collect();
    assert_eq!(made, (0..new.len()).collect::<Vec<_>>(), "every new field has one source");
    let mut all = Vec::new();
    paths(fields, &mut all);
    let whole: HashSet<usize> = all.iter().filter(|path| path.len() == 1).map(|path| path[0]).collect();
    assert_eq!(all.iter().filter(|path| path.len() == 1).count(), whole.len(), "no old field is used twice");
    for (number, field) in old.iter().enumerate() {
        if !whole.contains(&number) {
            covered(index, &[number], field, &all);
        }
    }
}

/// A field that does not go on as a whole is used or dropped part by part.
fn covered(index: &TypeIndex<'_>, path: &[usize], field: &Field, all: &[Vec<usize>]) {
    match all.iter().filter(|used| *used == path).count() {
        0 => {
            assert!(
                all.iter().any(|used| used.starts_with(path)),
                "{} at {path:?} is neither used nor dropped",
                field.name
            );
            let Shape::Inline(name) = &field.shape else { panic!("{} has no parts", field.name) };
            let Some(Body::Struct(inner)) = index.get(name).map(|described| &described.body) else {
                panic!("no struct")
            };
            for (number, field) in inner.iter().enumerate() {
                covered(index, &[path, &[number]].concat(), field, all);
            }
        }
        times => assert_eq!(times, 1, "{} at {path:?} is used {times} times", field.name),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_field_has_one_fate(old in any_schema(), new in any_schema()) {
        let plan = Plan::between(&old, &new);
        let index = TypeIndex::new(&old);
        let steps: Vec<_> = plan.types.iter().filter_map(|step| step.new).collect();
        prop_assert_eq!(steps, (0..new.types.len()).collect::<Vec<_>>());
        let mut olds: Vec<_> = plan.types.iter().filter_map(|step| step.old).collect();
        olds.sort_unstable();
        prop_assert_eq!(olds, (0..old.types.len()).collect::<Vec<_>>());
        for step in &plan.types {
            let (Some(before), Some(after)) = (step.old, step.new) else { continue };
            match (&step.body, &old.types[before].body, &new.types[after].body) {
                (BodyStep::Struct(fields), Body::Struct(old), Body::Struct(new)) => assert_total(&index, fields, old, new),
                (BodyStep::Enum(steps), Body::Enum { variants: old, .. }, Body::Enum { variants: new, .. }) => {
                    prop_assert_eq!(steps.len(), old.len());
                    for (step, old) in steps.iter().zip(old) {
                        match step.new {
                            Some(new_number) => assert_total(&index, &step.fields, &old.fields, &new[new_number].fields),
                            None => prop_assert!(step.check.is_some()),
                        }
                    }
                }
                (BodyStep::Same, ..) => prop_assert!(!step.rewritten),
                _ => prop_assert_eq!(&step.body, &BodyStep::Unanswered),
            }
        }
        // Printing and deciding never panic either.
        for findings in [clean(&plan), failing(&plan), crate::plan::Findings::default()] {
            let _ = (plan.display_with(&findings).to_string(), plan.decide(&findings).map_err(|refusal| refusal.to_string()));
        }
        let _ = plan.to_string();
    }

    #[test]
    fn a_schema_becomes_itself_by_doing_nothing(same in any_schema()) {
        let plan = Plan::between(&same, &same);
        for step in &plan.types {
            prop_assert_eq!((&step.body, step.rewritten), (&BodyStep::Same, false));
        }
        prop_assert_eq!(plan.decide(&failing(&plan)), Ok(()));
        prop_assert_eq!(plan.rulings.len() + plan.checks.len(), 0);
    }

    #[test]
    fn a_schema_comes_back_from_its_text(schema in any_schema()) {
        prop_assert_eq!(Schema::from_json(&schema.to_json()), Ok(schema));
    }
}

/// Structs without bytes that hold each other twice would be gathered without end.
#[test]
fn hostile_schemas_take_no_time() {
    use super::make::With;
    let chain = |prefix: &str| {
        let mut types = vec![record(&format!("{prefix}0"), vec![field("x", array(unsigned(4), 0)).from("x")])];
        for depth in 1..40 {
            let inner = format!("{prefix}{}", depth - 1);
            types.push(record(
                &format!("{prefix}{depth}"),
                vec![field("l", inline(&inner)), field("r", inline(&inner))],
            ));
        }
        types
    };
    let root = |prefix: &str, name: &str| {
        let mut types = chain(prefix);
        types.push(record("Root", vec![field(name, inline(&format!("{prefix}39"))), field("x", unsigned(4))]));
        schema(types)
    };
    let started = std::time::Instant::now();
    let plan = Plan::between(&root("A", "all"), &root("B", "every"));
    assert!(plan.decide(&failing(&plan)).is_err());
    assert!(started.elapsed().as_secs() < 5);
    // A type that owns lists of itself.
    let tree = |x: Shape| schema(vec![record("Tree", vec![field("x", x), field("inner", list(inline("Tree")))])]);
    let plan = Plan::between(&tree(unsigned(4)), &tree(unsigned(8)));
    assert!(plan.types[0].rewritten);
    assert_eq!(Plan::between(&tree(unsigned(4)), &tree(unsigned(4))).types[0].body, BodyStep::Same);
}

/// A hundred types of twenty fields, with a change in each.
#[test]
fn large_schemas_take_little_time() {
    let with = |width: u8| {
        let types = (0..100).map(|number| {
            let fields =
                (0..20).map(|at| field(&format!("field{at}"), if at == 7 { unsigned(width) } else { Shape::Text }));
            record(&format!("Type{number}"), fields.collect())
        });
        schema(types.collect())
    };
    let (old, new) = (with(4), with(8));
    let started = std::time::Instant::now();
    let plans = 20;
    for _ in 0..plans {
        assert_eq!(Plan::between(&old, &new).rulings.len(), 100);
    }
    let each = started.elapsed() / plans;
    println!("{each:?} a plan");
    assert!(each.as_millis() < 100, "{each:?}");
}
