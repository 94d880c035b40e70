//! Versions in a row: step by step, at once, and back.

use super::draft::{Draft, Writer};
use super::edits::{self, Edits};
use super::oracle::{Oracle, Reason};
use super::{Census, Record, convert, encoded, inline, number};
use crate::layout::ByteOrder;
use crate::plan::{Answers, Findings, Plan};
use crate::sample::Random;
use crate::sample::store::Store;
use crate::sample::tree::{Tree, random_tree};
use crate::sample::values::{compare_keys, empty};
use crate::schema::{Body, Field, Schema};
use crate::{Scan, Slots};

/// How often each thing happened.
#[derive(Debug, Default)]
struct Chains {
    tried: u64,
    /// Records that followed through every version, and of these, through one plan made of all.
    followed: u64,
    composed: u64,
    /// Records that followed from the first version to the last as if there were none between.
    direct: u64,
    back: u64,
    undone: u64,
}

/// What a heap of this record alone says to a plan.
fn looked_at(plan: &Plan, number: usize, tree: &Tree) -> Record {
    let step = plan.types.iter().position(|step| step.old == Some(number)).unwrap();
    let scan = Scan::of_type(plan, step, ByteOrder::NATIVE).unwrap();
    let mut findings = Findings::new(plan.checks.len(), plan.old.types.len());
    let mut store = Store::of_zeros(&plan.old, ByteOrder::NATIVE);
    let bytes = encoded(tree, &plan.old, number, ByteOrder::NATIVE, &mut store);
    let slots = Slots { bytes: &bytes, first: 0, stride: bytes.len() };
    scan.run_slots(slots, 1, |_| true, &mut findings, |_| "#0".into(), &store);
    Record { number, step, tree: tree.clone(), findings, fit: Ok(None) }
}

/// The record is converted and is that value.
fn becomes(random: &mut Random, plan: &Plan, mut record: Record, expected: &Tree) {
    record.fit = Ok(Some(expected.clone()));
    convert(random, plan, &record, ByteOrder::NATIVE, &mut Census::default());
}

/// One step, as the rules say; `None` where it is refused.
fn follow(random: &mut Random, plan: &Plan, number: usize, tree: &Tree) -> Option<(usize, Tree)> {
    let record = looked_at(plan, number, tree);
    plan.decide(&record.findings).ok()?;
    let after: Result<Option<Tree>, Reason> =
        Oracle::new(&plan.old, &plan.new, &Answers::default()).named(&plan.old.types[number], Some(tree));
    let (after, number) = (after.unwrap().unwrap(), plan.types[record.step].new.unwrap());
    becomes(random, plan, record, &after);
    // A reference to a record that was made on the way would name one here.
    (!holds_record(&after)).then_some((number, after))
}

fn holds_record(tree: &Tree) -> bool {
    match tree {
        Tree::Record(_) => true,
        Tree::List(trees) | Tree::Array(trees) => trees.iter().any(holds_record),
        Tree::Map(entries) => entries.iter().any(|(_, value)| holds_record(value)),
        Tree::Struct(fields) | Tree::Variant { fields, .. } => fields.iter().any(|(_, tree)| holds_record(tree)),
        Tree::Something(tree) => holds_record(tree),
        _ => false,
    }
}

fn try_chain(seed: u64, chains: &mut Chains) {
    let random = &mut Random::new(seed);
    let gentle = random.chance(60);
    let count = 2 + random.below(7) as usize;
    let mut drafts = Vec::new();
    let writer = &mut Writer::new(random);
    drafts.push(writer.draft());
    for version in 1..count {
        let next = Edits::of(&drafts[version - 1], writer, gentle);
        drafts.push(next);
    }
    let versions: Vec<Schema> = drafts.iter().map(Draft::lay_out).collect();
    let plans: Vec<Plan> = versions.windows(2).map(|pair| Plan::between(&pair[0], &pair[1])).collect();
    let composed = plans[1..].iter().try_fold(plans[0].clone(), |all, next| all.then(next)).ok();
    let direct = Plan::between(&versions[0], &versions[count - 1]);
    if std::env::var_os("CHAINS_SEED").is_some() {
        println!("{versions:#?}");
        println!("{plans:#?}\ncomposed: {composed:#?}\ndirect: {direct}");
    }
    chains.tried += 1;
    for first in 0..versions[0].types.len() {
        let tree = random_tree(random, &inline(&versions[0], first), &versions[0]);
        let mut at = Some((first, tree.clone()));
        for plan in &plans {
            at = at.and_then(|(number, tree)| follow(random, plan, number, &tree));
        }
        let Some((last, expected)) = at else { continue };
        chains.followed += 1;
        if let Some(plan) = &composed {
            let record = looked_at(plan, first, &tree);
            assert_eq!(plan.types[record.step].new, Some(last));
            match plan.decide(&record.findings) {
                Ok(()) => {
                    becomes(random, plan, record, &expected);
                    chains.composed += 1;
                }
                // It may ask what a step did not, about types that had no values then. No value is found that does
                // not fit.
                Err(refusal) => assert!(refusal.failures.is_empty() && refusal.faults.is_empty(), "{refusal}"),
            }
        }
        let record = looked_at(&direct, first, &tree);
        if gentle && direct.decide(&record.findings).is_ok() {
            assert_eq!(direct.types[record.step].new, Some(last));
            becomes(random, &direct, record, &expected);
            chains.direct += 1;
        }
    }
    if gentle {
        there_and_back(random, &drafts, &plans[0], chains);
    }
    undone(random, &plans[0], chains);
}

/// What came through comes back, and only what the plan named is gone.
fn there_and_back(random: &mut Random, drafts: &[Draft], there: &Plan, chains: &mut Chains) {
    let back = Plan::between(&there.new, &edits::back(&drafts[0], &drafts[1]).lay_out());
    for number in 0..there.old.types.len() {
        let tree = random_tree(random, &inline(&there.old, number), &there.old);
        let Some((after, there_tree)) = follow(random, there, number, &tree) else { continue };
        let Some((again, back_tree)) = follow(random, &back, after, &there_tree) else { continue };
        assert_eq!(again, number);
        assert_eq!(
            kept(&back_tree, &inline(&there.old, number), there),
            kept(&tree, &inline(&there.old, number), there)
        );
        chains.back += 1;
    }
}

/// A plan that has an inverse loses nothing.
fn undone(random: &mut Random, there: &Plan, chains: &mut Chains) {
    let Ok(back) = there.inverse() else { return };
    for number in 0..there.old.types.len() {
        let tree = random_tree(random, &inline(&there.old, number), &there.old);
        let Some((after, there_tree)) = follow(random, there, number, &tree) else { continue };
        let record = looked_at(&back, after, &there_tree);
        if back.decide(&record.findings).is_ok() && !signs_zero(&tree) && is_in_order(&tree) {
            becomes(random, &back, record, &tree);
            chains.undone += 1;
        }
    }
}

/// Integers have no negative zero: that one is the same number, and other bits.
fn signs_zero(tree: &Tree) -> bool {
    let text = format!("{tree:?}");
    text.contains("Double(9223372036854775808)") || text.contains("Single(2147483648)")
}

/// A list has its entries in an order that the map they came from need not have had.
fn is_in_order(tree: &Tree) -> bool {
    let fields = |fields: &[(String, Tree)]| fields.iter().all(|(_, tree)| is_in_order(tree));
    match tree {
        Tree::Map(entries) => {
            entries.windows(2).all(|pair| compare_keys(&pair[0].0, &pair[1].0).is_lt())
                && entries.iter().all(|(_, value)| is_in_order(value))
        }
        Tree::List(trees) | Tree::Array(trees) => trees.iter().all(is_in_order),
        Tree::Struct(trees) | Tree::Variant { fields: trees, .. } => fields(trees),
        Tree::Something(tree) | Tree::Record(tree) => is_in_order(tree),
        _ => true,
    }
}

/// The value without what the plan names as dropped, and with one zero.
fn kept(tree: &Tree, shape: &crate::schema::Shape, plan: &Plan) -> Tree {
    use crate::schema::Shape;
    let fields = |trees: &[(String, Tree)], old: &[Field], new: Option<&[Field]>| -> Vec<(String, Tree)> {
        let goes_on = |name: &str| {
            new.is_none_or(|new| {
                new.iter().any(|new| new.name == name || new.attributes.was.iter().any(|was| was == name))
            })
        };
        let field = |((name, tree), field): (&(String, Tree), &Field)| {
            let kept =
                if goes_on(name) { kept(tree, &field.shape, plan) } else { empty(&field.shape, &plan.old).unwrap() };
            (name.clone(), kept)
        };
        trees.iter().zip(old).map(field).collect()
    };
    match (tree, shape) {
        (Tree::Double(bits), _) if bits << 1 == 0 => Tree::Double(0),
        (Tree::Single(bits), _) if bits << 1 == 0 => Tree::Single(0),
        (Tree::List(trees), Shape::List(element)) => {
            Tree::List(trees.iter().map(|tree| kept(tree, element, plan)).collect())
        }
        (Tree::Array(trees), Shape::Array { element, .. }) => {
            Tree::Array(trees.iter().map(|tree| kept(tree, element, plan)).collect())
        }
        (Tree::Something(tree), Shape::Option { inner, .. }) => Tree::Something(Box::new(kept(tree, inner, plan))),
        (Tree::Map(entries), Shape::Map { value, .. } | Shape::SortedMap { value, .. }) => {
            Tree::Map(entries.iter().map(|(key, tree)| (key.clone(), kept(tree, value, plan))).collect())
        }
        (Tree::Struct(_) | Tree::Variant { .. }, Shape::Inline(name)) => {
            let old = plan.old.get(name).unwrap();
            let new = plan.new.types.iter().find(|new| new.name == *name || new.attributes.was.contains(name)).unwrap();
            match (tree, &old.body, &new.body) {
                (Tree::Struct(trees), Body::Struct(old), Body::Struct(new)) => {
                    Tree::Struct(fields(trees, old, Some(new)))
                }
                (
                    Tree::Variant { name, tag, fields: trees },
                    Body::Enum { variants: old, .. },
                    Body::Enum { variants: new, .. },
                ) => {
                    let old = old.iter().find(|variant| variant.name == *name).unwrap();
                    let new = new.iter().find(|new| new.name == *name || new.was.contains(name)).unwrap();
                    let fields = fields(trees, &old.fields, Some(&new.fields));
                    Tree::Variant { name: name.clone(), tag: *tag, fields }
                }
                other => panic!("{other:?}"),
            }
        }
        (tree, _) => tree.clone(),
    }
}

/// `CHAINS` tries more of them, `CHAINS_SEED` one alone.
#[test]
fn many_steps_are_one_and_the_way_back_loses_nothing() {
    let mut chains = Chains::default();
    if let Some(seed) = number("CHAINS_SEED") {
        return try_chain(seed, &mut chains);
    }
    for seed in 0..number("CHAINS").unwrap_or(5_000) {
        let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| try_chain(seed, &mut chains)));
        assert!(tried.is_ok(), "CHAINS_SEED={seed} fails");
    }
    println!("{chains:?}");
    let least = [chains.followed, chains.composed, chains.direct, chains.back, chains.undone].into_iter().min();
    assert!(least > Some(chains.tried / 10), "{chains:?}");
}
