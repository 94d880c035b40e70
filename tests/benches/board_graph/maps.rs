//! Maps against those of the standard library: the same keys, drawn by splitmix64, in the same order.

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::time::Instant;

use heap::{Field, Heap, Map, Read, Record, Ref, Result, SortedMap, Transaction};
use tests::workload::Random;

use crate::figure::Figure;
use crate::harness::{Bench, Failure, delete, open, timed};

/// Seed of the keys.
const SEED: u64 = 42;
/// Seed of the order in which they are asked for.
const ORDER: u64 = 7;

/// What holds the map of a heap.
#[derive(Record, Clone, Copy)]
struct Holder<M> {
    map: M,
}

/// A map of ours, and what it is compared with.
trait Compared: Field + Copy {
    const INSERT: &'static str;
    const GET: &'static str;
    const BASELINE: [&'static str; 2];
    type Plain: Default;

    fn make(tx: &mut Transaction<'_>) -> Result<Self>;
    fn insert(self, tx: &mut Transaction<'_>, key: u64, value: u64) -> Result<bool>;
    fn get<'r>(self, read: &'r Read<'_>, key: u64) -> Result<Option<&'r u64>>;
    fn plain_insert(plain: &mut Self::Plain, key: u64, value: u64);
    fn plain_get(plain: &Self::Plain, key: u64) -> Option<&u64>;
}

macro_rules! compared {
    ($ours:ident, $make:ident, $plain:ident, $insert:literal, $get:literal, $plain_insert:literal, $plain_get:literal) => {
        impl Compared for $ours<u64, u64> {
            const INSERT: &'static str = $insert;
            const GET: &'static str = $get;
            const BASELINE: [&'static str; 2] = [$plain_insert, $plain_get];
            type Plain = $plain<u64, u64>;

            fn make(tx: &mut Transaction<'_>) -> Result<Self> {
                tx.$make()
            }

            fn insert(self, tx: &mut Transaction<'_>, key: u64, value: u64) -> Result<bool> {
                self.insert(tx, key, value)
            }

            fn get<'r>(self, read: &'r Read<'_>, key: u64) -> Result<Option<&'r u64>> {
                self.get(read, &key)
            }

            fn plain_insert(plain: &mut Self::Plain, key: u64, value: u64) {
                plain.insert(key, value);
            }

            fn plain_get(plain: &Self::Plain, key: u64) -> Option<&u64> {
                plain.get(&key)
            }
        }
    };
}

compared!(Map, map, HashMap, "map-insert", "map-get", "HashMap::insert", "HashMap::get");
compared!(SortedMap, sorted_map, BTreeMap, "sorted-insert", "sorted-get", "BTreeMap::insert", "BTreeMap::get");

fn keys(count: usize) -> Vec<u64> {
    let mut random = Random::new(SEED);
    (0..count).map(|_| random.next()).collect()
}

fn make<M: Compared>(tx: &mut Transaction<'_>) -> Result<M> {
    let holder: Ref<Holder<M>> = tx.root_or_insert("map", |tx| Ok(Holder { map: M::make(tx)? }))?;
    Ok(tx[holder].map)
}

fn fill<M: Compared>(heap: &Heap, keys: &[u64]) -> Result<M> {
    let mut tx = heap.write()?;
    let map = make::<M>(&mut tx)?;
    for (value, &key) in (0..).zip(keys) {
        map.insert(&mut tx, key, value)?;
    }
    tx.commit()?;
    Ok(map)
}

fn fill_plain<M: Compared>(keys: &[u64]) -> M::Plain {
    let mut plain = M::Plain::default();
    for (value, &key) in (0..).zip(keys) {
        M::plain_insert(&mut plain, key, value);
    }
    plain
}

/// `map-insert` and `sorted-insert`: into an empty map, without and with the durable commit.
fn insert<M: Compared>(bench: &Bench) -> std::result::Result<(), Failure> {
    let keys = keys(bench.n);
    let path = bench.path("map.heap");
    for (variant, committed) in [("insert", false), ("insert-and-commit", true)] {
        let ours = || {
            let heap = open(&path)?;
            let mut tx = heap.write()?;
            let map = make::<M>(&mut tx)?;
            let begun = Instant::now();
            for (value, &key) in (0..).zip(&keys) {
                map.insert(&mut tx, key, value)?;
            }
            let mut took = begun.elapsed().as_secs_f64();
            tx.commit()?;
            if committed {
                took = begun.elapsed().as_secs_f64();
            }
            drop(heap);
            delete(&path);
            Ok(took)
        };
        let medians = bench.interleave(bench.rounds(9), ours, || Ok(timed(|| fill_plain::<M>(&keys))))?;
        bench.report(&Figure {
            work: M::INSERT,
            variant,
            n: bench.n,
            value: medians.ours * 1e9 / keys.len() as f64,
            unit: "ns",
            baseline: M::BASELINE[0],
            ratio: medians.ratio(),
        });
    }
    Ok(())
}

/// `map-get` and `sorted-get`: every key once, in an order of its own.
fn get<M: Compared>(bench: &Bench) -> std::result::Result<(), Failure> {
    let mut keys = keys(bench.n);
    let path = bench.path("map.heap");
    let heap = open(&path)?;
    let map = fill::<M>(&heap, &keys)?;
    let plain = fill_plain::<M>(&keys);
    let mut random = Random::new(ORDER);
    for last in (1..keys.len()).rev() {
        keys.swap(last, random.below(last + 1));
    }
    let read = heap.read();
    let sum_of_ours = || -> Result<u64> {
        let mut sum = 0_u64;
        for &key in black_box(&keys) {
            sum = sum.wrapping_add(*map.get(&read, key)?.expect("a key that was stored"));
        }
        Ok(sum)
    };
    let sum_of_theirs = || {
        let stored = |key| M::plain_get(&plain, key).expect("a key that was stored");
        black_box(&keys).iter().fold(0_u64, |sum, &key| sum.wrapping_add(*stored(key)))
    };
    assert_eq!(sum_of_ours()?, sum_of_theirs());
    let medians = bench.interleave(
        bench.rounds(15),
        || Ok(timed(|| sum_of_ours().expect("a map that was read before"))),
        || Ok(timed(sum_of_theirs)),
    )?;
    bench.report(&Figure {
        work: M::GET,
        variant: "get",
        n: bench.n,
        value: medians.ours * 1e9 / keys.len() as f64,
        unit: "ns",
        baseline: M::BASELINE[1],
        ratio: medians.ratio(),
    });
    drop(read);
    drop(heap);
    delete(&path);
    Ok(())
}

/// `map-get`.
pub(crate) fn map_get(bench: &Bench) -> std::result::Result<(), Failure> {
    get::<Map<u64, u64>>(bench)
}

/// `map-insert`.
pub(crate) fn map_insert(bench: &Bench) -> std::result::Result<(), Failure> {
    insert::<Map<u64, u64>>(bench)
}

/// `sorted-get`.
pub(crate) fn sorted_get(bench: &Bench) -> std::result::Result<(), Failure> {
    get::<SortedMap<u64, u64>>(bench)
}

/// `sorted-insert`.
pub(crate) fn sorted_insert(bench: &Bench) -> std::result::Result<(), Failure> {
    insert::<SortedMap<u64, u64>>(bench)
}
