//! Heaps on a simulated disk, for crash tests.

use std::path::PathBuf;
use std::sync::Arc;

use crate::create::{self, Drawn};
use crate::error::Result;
use crate::front::Heap;
use crate::kept::Moment;
use crate::open::{self, Door};
use crate::options::Options;
use crate::storage::Storage;
use crate::storage::simulated::{Image, SimulatedDisk};
use crate::way_back::{self, GivenUp, RolledBack};

/// The files of a new heap, everything that is drawn following from a seed.
pub fn empty(seed: u64) -> Image {
    let drawn = Drawn {
        heap_id: u128::from(seed).to_le_bytes(),
        hash_key: u128::from(!seed).to_le_bytes(),
        first_generation: 1 + seed as u32 % 1000,
    };
    Image::new(&create::empty_heap(drawn))
}

/// Opens the heap on a disk as [`Heap::open`] does, without announcing it and without a thread of its own, so that
/// the same program asks the same of the disk.
///
/// # Errors
/// As [`Heap::open`].
pub fn open(disk: &Arc<SimulatedDisk>, mut options: Options) -> Result<Heap> {
    options.announce = false;
    options.background = false;
    let storage = Arc::clone(disk);
    let storage: Arc<dyn Storage> = storage;
    open::open_storage(PathBuf::from("simulated"), &storage, options, Door::Copied)
}

/// Rolls the last migration of the heap on a disk back as [`rollback`](crate::rollback) does.
///
/// # Errors
/// As [`rollback`](crate::rollback).
pub fn rollback(disk: &Arc<SimulatedDisk>, options: &Options) -> Result<RolledBack> {
    rollback_losing(disk, options, 0)
}

/// Rolls the last migration of the heap on a disk back as [`rollback_losing`](crate::rollback_losing) does.
///
/// # Errors
/// As [`rollback_losing`](crate::rollback_losing).
pub fn rollback_losing(disk: &Arc<SimulatedDisk>, options: &Options, commits: u64) -> Result<RolledBack> {
    let storage = Arc::clone(disk);
    let storage: Arc<dyn Storage> = storage;
    way_back::rollback_storage(PathBuf::from("simulated"), &storage, options, moment(), commits)
}

/// Gives up the way back of the heap on a disk as [`keep`](crate::keep) does.
///
/// # Errors
/// As [`keep`](crate::keep).
pub fn keep(disk: &Arc<SimulatedDisk>, options: &Options) -> Result<Option<GivenUp>> {
    let storage = Arc::clone(disk);
    let storage: Arc<dyn Storage> = storage;
    way_back::keep_storage(PathBuf::from("simulated"), &storage, options, moment())
}

fn moment() -> Moment {
    Moment { time: 0, program: "simulated".into() }
}
