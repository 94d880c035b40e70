//! A memory-mapped persistent heap of typed records.
#![deny(unsafe_code)]

#[cfg(all(feature = "arena", not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))))]
compile_error!("typed heaps need Linux on x86-64 or aarch64; build with default-features = false to read heap files");

// Code that the unit tests share with the integration tests calls this crate by its name.
#[cfg(all(test, feature = "arena", feature = "simulated"))]
extern crate self as heap;

#[cfg(feature = "arena")]
mod announce;
#[cfg(feature = "arena")]
mod answer;
#[cfg(feature = "arena")]
mod binder;
#[cfg_attr(not(feature = "arena"), allow(dead_code, unused_imports, unreachable_pub, reason = "only the arena writes"))]
mod buffers;
#[cfg(feature = "arena")]
mod catalog;
#[cfg(feature = "arena")]
mod checkpoint;
#[cfg(feature = "arena")]
mod collect;
#[cfg(feature = "arena")]
mod commit;
#[cfg(feature = "arena")]
pub mod control;
#[cfg(feature = "arena")]
mod create;
#[cfg(feature = "arena")]
mod describe;
#[cfg(feature = "arena")]
mod difference;
mod error;
#[cfg(feature = "arena")]
mod event;
#[cfg(feature = "arena")]
mod file_map;
#[cfg(feature = "arena")]
mod file_space;
pub mod fold;
pub mod format;
#[cfg(feature = "arena")]
mod front;
#[cfg(feature = "arena")]
mod guard;
#[cfg(feature = "arena")]
mod handles;
#[cfg(feature = "arena")]
mod kept;
#[cfg_attr(not(feature = "arena"), allow(dead_code, unused_imports, unreachable_pub, reason = "only the arena writes"))]
mod key;
#[cfg(all(test, feature = "arena", feature = "simulated"))]
mod laws;
#[cfg(feature = "arena")]
mod list;
#[cfg(feature = "arena")]
#[doc(hidden)]
pub mod lock;
pub mod log;
#[cfg_attr(not(feature = "arena"), allow(dead_code, unused_imports, unreachable_pub, reason = "only the arena writes"))]
mod map;
#[cfg(feature = "arena")]
mod migration;
#[cfg(feature = "arena")]
mod naming;
#[cfg(feature = "arena")]
mod open;
#[cfg(feature = "arena")]
mod options;
#[cfg(feature = "arena")]
mod ownership;
pub mod planted;
#[cfg(feature = "arena")]
mod publish;
#[cfg(feature = "arena")]
mod raw;
pub mod read;
#[cfg(feature = "arena")]
mod recover;
#[cfg(feature = "arena")]
mod save;
#[cfg(feature = "arena")]
mod shared;
#[cfg(feature = "arena")]
mod sharing;
#[cfg(all(feature = "arena", feature = "simulated"))]
pub mod simulated;
#[cfg(feature = "arena")]
mod snapshot;
#[cfg_attr(not(feature = "arena"), allow(dead_code, unused_imports, unreachable_pub, reason = "only the arena writes"))]
mod sorted;
#[cfg(feature = "arena")]
mod state;
#[cfg(feature = "arena")]
mod stats;
pub mod storage;
#[cfg(feature = "arena")]
mod table;
#[cfg(feature = "arena")]
mod transaction;
#[cfg(feature = "arena")]
mod types;
pub mod verify;
#[cfg_attr(not(feature = "arena"), allow(dead_code, unused_imports, unreachable_pub, reason = "only the arena writes"))]
mod walk;
#[cfg(feature = "arena")]
mod way_back;

#[cfg(feature = "arena")]
pub use heap_derive::Record;
#[cfg(feature = "arena")]
pub(crate) use raw::field;

pub use error::{Corruption, Error, Place, RecordName, Result};
#[cfg(feature = "arena")]
pub use {
    answer::{answer, answer_with},
    describe::{DescribedRecord, Describer, Description},
    field::{Field, Key, Maybe, Record},
    front::Heap,
    guard::{Read, Reader},
    handles::{Bytes, List, Map, Ref, SortedMap, Text},
    migration::{OldRecord, OnProgress, Progress},
    options::{Migrate, Options},
    snapshot::Snapshot,
    sorted::{Entries, SortedCursor},
    stats::Stats,
    transaction::{Durability, Sequence, Transaction},
    types::{TypeSet, Types},
    way_back::{GivenUp, RolledBack, keep, rollback, rollback_losing},
};

#[cfg(feature = "arena")]
#[doc(hidden)]
pub mod derive;
