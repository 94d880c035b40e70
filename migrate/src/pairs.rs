//! The planner, the scan and the conversions together, against an oracle that knows the two schemas and the rules:
//! random schemas, edited as developers edit them or unrelated, and random records.

mod answers;
mod chains;
mod draft;
mod edits;
mod oracle;

use answers::random_answers;
use draft::Writer;
use edits::Edits;
use oracle::{Oracle, Reason};

use crate::layout::ByteOrder;
use crate::plan::{Answers, Findings, Plan};
use crate::sample::Random;
use crate::sample::store::Store;
use crate::sample::tree::{Tree, check, encode, random_tree};
use crate::schema::{Schema, Shape, TypeDescriptor};
use crate::{Conversion, Job, JobKind, Scan, Slots, SlotsMut};

/// How often each thing happened, so that a test which tests nothing fails.
#[derive(Debug, Default)]
struct Census {
    pairs: u64,
    /// Of these, with answers, and heaps of them that follow.
    answered: u64,
    answered_open: u64,
    /// Heaps of several records that follow as a whole.
    open: u64,
    converted: u64,
    /// Of these, records that are not the same bytes.
    changed: u64,
    /// Of these, records with lists of entries that became maps, or the other way round.
    entries: u64,
    unfit: u64,
    asked: u64,
    slots: u64,
}

/// A record of an old type.
struct Record {
    number: usize,
    step: usize,
    tree: Tree,
    findings: Findings,
    fit: Result<Option<Tree>, Reason>,
}

/// A number of the environment, as tests take them.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn inline(schema: &Schema, number: usize) -> Shape {
    Shape::Inline(schema.types[number].name.clone())
}

fn size(schema: &Schema, number: usize) -> usize {
    schema.types[number].size as usize
}

/// The types that values of this one may hold or own.
fn held(schema: &Schema, number: usize, all: &mut Vec<usize>) {
    fn names<'s>(shape: &'s Shape, all: &mut Vec<&'s str>) {
        match shape {
            Shape::Inline(name) => all.push(name),
            Shape::Array { element: inner, .. } | Shape::Option { inner, .. } | Shape::List(inner) => names(inner, all),
            Shape::Map { key, value } | Shape::SortedMap { key, value } => {
                names(key, all);
                names(value, all);
            }
            _ => {}
        }
    }
    if !all.contains(&number) {
        all.push(number);
        let mut inner = Vec::new();
        oracle::fields_of(&schema.types[number]).for_each(|field| names(&field.shape, &mut inner));
        for name in inner {
            held(schema, schema.types.iter().position(|described| described.name == name).unwrap(), all);
        }
    }
}

/// A schema as somebody writes it.
pub(crate) fn random_schema(random: &mut Random) -> Schema {
    Writer::new(random).draft().lay_out()
}

fn schemas(random: &mut Random) -> (Schema, Schema) {
    if random.chance(10) {
        let mut unrelated = || Writer::pooled(random).draft().lay_out();
        return (unrelated(), unrelated());
    }
    let writer = &mut Writer::new(random);
    let old = writer.draft();
    let new = Edits::of(&old, writer, false);
    (old.lay_out(), new.lay_out())
}

fn try_pair(seed: u64, census: &mut Census) {
    let random = &mut Random::new(seed);
    let (old, new) = schemas(random);
    let order = if random.chance(20) { ByteOrder::Big } else { ByteOrder::Little };
    let mut plan = Plan::between(&old, &new);
    let mut answers = Answers::default();
    if random.chance(35) {
        answers = random_answers(random, &plan);
        plan = Plan::with_answers(&old, &new, &answers);
        census.answered += 1;
    }
    if std::env::var_os("PAIRS_SEED").is_some() {
        println!("{old:#?}\n{new:#?}\n{plan:#?}\n{plan}\n{}", answers.to_toml());
    }
    // What an answer marks as secret is marked in the plan.
    let wrong = !answers.faults(&old, &new).is_empty();
    let oracle = Oracle::new(&old, &plan.new, &answers);
    // What stands against each old type, whatever the values are.
    let reason = |old: &TypeDescriptor| oracle.successor(&old.name).ok().and_then(|_| oracle.named(old, None).err());
    let against: Vec<Option<Reason>> = old.types.iter().map(reason).collect();
    let leaks = oracle.leaks.get();
    let mut records = Vec::new();
    census.pairs += 1;
    for (step, types) in plan.types.iter().enumerate() {
        let Some(number) = types.old else { continue };
        let scan = Scan::of_type(&plan, step, order).unwrap();
        for _ in 0..random.below(3) {
            let tree = random_tree(random, &inline(&old, number), &old);
            let mut findings = Findings::new(plan.checks.len(), old.types.len());
            let mut store = Store::of_zeros(&old, order);
            let bytes = encoded(&tree, &old, number, order, &mut store);
            let slots = Slots { bytes: &bytes, first: 0, stride: bytes.len() };
            scan.run_slots(slots, 1, |_| true, &mut findings, |_| format!("#{number}"), &store);
            let goes = answers.drop_types.contains(&old.types[number].name);
            let fit = if goes { Ok(None) } else { oracle.named(&old.types[number], Some(&tree)) };
            records.push(Record { number, step, tree, findings, fit });
        }
    }
    // A heap with each of the records alone, one with all of them, and an empty one.
    for heap in records.iter().map(std::slice::from_ref).chain([&records[..], &[]]) {
        let mut findings = Findings::new(plan.checks.len(), old.types.len());
        let mut live = Vec::new();
        for record in heap {
            findings.merge(record.findings.clone());
            held(&old, record.number, &mut live);
        }
        let mut reasons: Vec<&Reason> = live.iter().filter_map(|&number| against[number].as_ref()).collect();
        let asked = reasons.len();
        reasons.extend(heap.iter().filter_map(|record| record.fit.as_ref().err()));
        let decided = plan.decide(&findings);
        let clashes = oracle.successors.as_ref().err();
        let dead = || against.iter().flatten().next();
        match &decided {
            Ok(()) => {
                let is_clear = reasons.is_empty() && !leaks && !wrong && clashes.is_none();
                assert!(is_clear, "accepted: {reasons:?} {leaks} {wrong} {plan}");
                census.answered_open += u64::from(answers != Answers::default() && heap.len() > 1);
            }
            // What could be wrong with types that have no values is asked or not.
            Err(refusal) if reasons.is_empty() => {
                assert!(leaks || wrong || clashes.is_some() || dead().is_some(), "refused without a reason: {refusal}");
            }
            Err(_) if asked > 0 => census.asked += 1,
            Err(_) => census.unfit += 1,
        }
        census.open += u64::from(decided.is_ok() && heap.len() > 1);
        if decided.is_ok() {
            for record in heap.iter().filter(|record| plan.types[record.step].new.is_some()) {
                convert(random, &plan, record, order, census);
            }
            together(random, &plan, heap, order, census);
        }
    }
}

fn encoded(tree: &Tree, schema: &Schema, number: usize, order: ByteOrder, store: &mut Store<'_>) -> Vec<u8> {
    let mut bytes = vec![0; size(schema, number)];
    encode(tree, &inline(schema, number), schema, order, &mut bytes, store);
    bytes
}

/// The record becomes what names and values say, and nothing it owned is lost on the way, or owned twice.
fn convert(random: &mut Random, plan: &Plan, record: &Record, order: ByteOrder, census: &mut Census) {
    let conversion = Conversion::of_type(plan, record.step, order).unwrap();
    let number = plan.types[record.step].new.unwrap();
    let expected = record.fit.as_ref().unwrap().as_ref().unwrap();
    let (old, new) = (inline(&plan.old, record.number), inline(&plan.new, number));
    let mut store = Store::of_zeros(&plan.old, order);
    for _ in 0..random.below(2) {
        encoded(&record.tree, &plan.old, record.number, order, &mut store);
    }
    let others = store.len();
    let before = encoded(&record.tree, &plan.old, record.number, order, &mut store);
    let mut after = vec![0; conversion.new_size()];
    conversion.run(&before, &mut after, &mut store).unwrap();
    check(expected, &new, &plan.new, &after, &mut store);
    let mut owned = store.owned(&new, &after, &plan.new, ByteOrder::NATIVE);
    let count = owned.len();
    owned.sort_unstable();
    owned.dedup();
    assert_eq!((owned.len(), store.len()), (count, others + count), "{old} owns it once, or it is gone");
    if !plan.types[record.step].rewritten && order == ByteOrder::NATIVE {
        assert_eq!(before, after, "what is not rewritten is the same");
    }
    census.converted += 1;
    census.changed += u64::from(before != after);
    let is_entries = |job: Job<'_>| matches!(job.kind(), JobKind::ListToMap | JobKind::MapToList);
    census.entries += u64::from(conversion.jobs().any(is_entries));
}

/// Records of one type side by side, with garbage between them, become the same in any order.
fn together(random: &mut Random, plan: &Plan, heap: &[Record], order: ByteOrder, census: &mut Census) {
    let Some(step) = heap.iter().map(|record| record.step).find(|&step| plan.types[step].new.is_some()) else { return };
    let conversion = Conversion::of_type(plan, step, order).unwrap();
    if !conversion.is_pure() {
        return;
    }
    census.slots += 1;
    let records: Vec<&Record> = heap.iter().filter(|record| record.step == step).collect();
    let (old_stride, new_stride) = (conversion.old_size() + 8, conversion.new_size() + 16);
    let mut old: Vec<u8> = (0..old_stride * records.len()).map(|_| random.below(256) as u8).collect();
    let mut store = Store::of_zeros(&plan.old, order);
    for (slot, record) in records.iter().enumerate() {
        let bytes = encoded(&record.tree, &plan.old, record.number, order, &mut store);
        old[slot * old_stride + 8..][..bytes.len()].copy_from_slice(&bytes);
    }
    let mut at_once = vec![0; new_stride * records.len()];
    let slots = Slots { bytes: &old, first: 8, stride: old_stride };
    let mut new_slots = SlotsMut { bytes: &mut at_once, first: 16, stride: new_stride };
    conversion.run_slots(slots, &mut new_slots, records.len(), |_| true).unwrap();
    let mut shuffled = vec![0; new_stride * records.len()];
    let mut turns: Vec<usize> = (0..records.len()).collect();
    for position in (1..turns.len()).rev() {
        turns.swap(position, random.below(position as u64 + 1) as usize);
    }
    for slot in turns {
        let before = &old[slot * old_stride + 8..][..conversion.old_size()];
        let after = &mut shuffled[slot * new_stride + 16..][..conversion.new_size()];
        conversion.run(before, after, &mut store).unwrap();
    }
    assert_eq!(at_once, shuffled);
}

/// `PAIRS` tries more of them, `PAIRS_FIRST` others, `PAIRS_SEED` one alone.
#[test]
fn a_plan_does_what_names_and_rules_say() {
    let mut census = Census::default();
    if let Some(seed) = number("PAIRS_SEED") {
        return try_pair(seed, &mut census);
    }
    let first = number("PAIRS_FIRST").unwrap_or(0);
    for seed in first..first + number("PAIRS").unwrap_or(100_000) {
        let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| try_pair(seed, &mut census)));
        assert!(tried.is_ok(), "PAIRS_SEED={seed} fails");
    }
    println!("{census:?}");
    assert!(census.open > census.pairs / 4 && census.changed > census.pairs / 4, "{census:?}");
    assert!(census.answered_open > census.answered / 5, "{census:?}");
    assert!(census.entries > census.pairs / 500, "{census:?}");
    assert!(census.unfit > census.pairs / 20 && census.asked > census.pairs / 20, "{census:?}");
}
