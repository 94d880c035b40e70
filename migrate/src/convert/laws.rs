//! Conversions against an oracle that knows names and values, and neither casts nor steps: random schemas, random
//! edits of them, random values.

mod edit;
mod hostile;
mod oracle;
mod rules;
mod store;
mod tree;

use super::*;
use crate::layout::ByteOrder;
use crate::schema::Shape;
use edit::Pair;
use oracle::Oracle;
use store::Store;
use tree::{Tree, check, encode, random_tree};

/// A small generator of numbers, so that a failure names its seed.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

const SLOTS: usize = 4;

/// How often each thing happened, so that a test which tests nothing fails.
#[derive(Debug, Default)]
struct Census {
    converted: u64,
    unfit: u64,
    pure: u64,
    impure: u64,
}

fn try_pair(seed: u64, census: &mut Census) {
    let random = &mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let Pair { plan, step, acknowledged } = edit::pair(random);
    try_plan(random, &plan, step, &acknowledged, census);
}

fn try_plan(
    random: &mut Random,
    plan: &crate::Plan,
    step: usize,
    acknowledged: &std::collections::HashSet<String>,
    census: &mut Census,
) {
    let order = if random.chance(30) { ByteOrder::Big } else { ByteOrder::Little };
    for schema in [&plan.old, &plan.new] {
        schema.check().unwrap();
    }
    if std::env::var_os("CONVERT_SEED").is_some() {
        println!("{plan:#?}");
    }
    let conversion = Conversion::of_type(plan, step, order).unwrap();
    let shape =
        |schema: &crate::Schema, number: Option<usize>| Shape::Inline(schema.types[number.unwrap()].name.clone());
    let old = shape(&plan.old, plan.types[step].old);
    let new = shape(&plan.new, plan.types[step].new);
    let oracle = Oracle::new(&plan.new, acknowledged);

    // Slots with a header before each record, and garbage wherever nothing should be read.
    let (old_stride, new_stride) = (conversion.old_size() + 24, conversion.new_size() + 16);
    let mut old_bytes: Vec<u8> = (0..old_stride * SLOTS).map(|_| random.below(256) as u8).collect();
    let mut store = Store::new(&plan.old, order);
    let trees: Vec<Tree> = (0..SLOTS).map(|_| random_tree(random, &old, &plan.old)).collect();
    for (slot, tree) in trees.iter().enumerate() {
        let at = slot * old_stride + 8;
        encode(tree, &old, &plan.old, order, &mut old_bytes[at..at + conversion.old_size()], &mut store);
    }
    let expected: Vec<Option<Tree>> = trees.iter().map(|tree| oracle.fit(tree, &new, None)).collect();

    let old_slots = Slots { bytes: &old_bytes, first: 8, stride: old_stride };
    try_scan(plan, step, order, old_slots, &expected, &store);

    for (slot, expected) in expected.iter().enumerate() {
        let mut new_bytes = vec![0; conversion.new_size()];
        let mut store = store.clone();
        let record = &old_bytes[slot * old_stride + 8..][..conversion.old_size()];
        let others = store.len() - store.owned(&old, record, &plan.old, order).len();
        let result = conversion.run(record, &mut new_bytes, &mut store);
        match expected {
            Some(tree) => {
                census.converted += 1;
                result.unwrap();
                check(tree, &new, &plan.new, &new_bytes, &mut store);
                // What the old record owned, the new one owns, once, or it is gone.
                let mut owned = store.owned(&new, &new_bytes, &plan.new, ByteOrder::NATIVE);
                let count = owned.len();
                owned.sort_unstable();
                owned.dedup();
                assert_eq!((owned.len(), store.len()), (count, others + count));
            }
            None => {
                census.unfit += 1;
                result.unwrap_err();
            }
        }
    }
    if !conversion.is_pure() {
        census.impure += 1;
        return;
    }
    census.pure += 1;
    let dead = random.below(SLOTS as u64 * 2) as usize;
    let mut new_bytes = vec![0; new_stride * SLOTS];
    let mut new_slots = SlotsMut { bytes: &mut new_bytes, first: 16, stride: new_stride };
    let result = conversion.run_slots(old_slots, &mut new_slots, SLOTS, |slot| slot != dead);
    let unfit = expected.iter().enumerate().position(|(slot, tree)| slot != dead && tree.is_none());
    assert_eq!(result.err().map(|unfit| unfit.0), unfit);
    if unfit.is_none() {
        for (slot, expected) in expected.iter().enumerate() {
            let at = slot * new_stride + 16;
            let record = &new_bytes[at..at + conversion.new_size()];
            assert!(new_bytes[at - 16..at].iter().all(|&byte| byte == 0));
            match expected {
                Some(tree) if slot != dead => check(tree, &new, &plan.new, record, &mut store),
                _ => assert!(record.iter().all(|&byte| byte == 0)),
            }
        }
    }
}

/// A scan finds something in a record exactly if the record is unfit, and finds the same in all records together as in
/// one after the other.
fn try_scan(
    plan: &crate::Plan,
    step: usize,
    order: ByteOrder,
    slots: Slots<'_>,
    expected: &[Option<Tree>],
    store: &Store<'_>,
) {
    let scan = Scan::of_type(plan, step, order).unwrap();
    let nothing = || crate::Findings::new(plan.checks.len(), plan.old.types.len());
    let name = |slot: usize| format!("#{slot}");
    let mut together = nothing();
    scan.run_slots(slots, SLOTS, |_| true, &mut together, name, store);
    let mut one_by_one = nothing();
    for (slot, expected) in expected.iter().enumerate() {
        let mut found = nothing();
        scan.run_slots(slots, SLOTS, |live| live == slot, &mut found, name, store);
        assert_eq!(found.records.iter().sum::<u64>(), 1);
        let failed: u64 = found.checks.iter().map(|check| check.failed).sum();
        assert_eq!(failed > 0, expected.is_none(), "{found:?}");
        for check in &found.checks {
            assert!(check.failed <= check.seen);
            assert_eq!(check.first.as_ref().map(|first| &*first.record), (check.failed > 0).then_some(&*name(slot)));
        }
        one_by_one.merge(found);
    }
    assert_eq!(together, one_by_one);
}

/// `CONVERT_PAIRS` runs more of them, `CONVERT_SEED` one alone.
#[test]
fn a_conversion_does_what_names_and_values_say() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let mut census = Census::default();
    if let Some(seed) = number("CONVERT_SEED") {
        return try_pair(seed, &mut census);
    }
    for seed in 0..number("CONVERT_PAIRS").unwrap_or(100_000) {
        let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| try_pair(seed, &mut census)));
        assert!(tried.is_ok(), "CONVERT_SEED={seed} fails");
    }
    println!("{census:?}");
    assert!(census.converted > census.unfit / 4 && census.unfit > 0, "{census:?}");
    assert!(census.pure > census.impure / 4 && census.impure > census.pure / 10, "{census:?}");
}
