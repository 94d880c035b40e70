//! What one opening of a heap leaves behind when it is cut off after each of its events, and when each of its calls
//! fails.

use std::io;
use std::sync::Arc;

use crate::storage::simulated::{Cut, Fault, Image, Replay, SimulatedDisk};
use crate::{Error, Heap, Result};

/// Opens the heap on a disk like this one, and shows what the power may leave of it after each event: the number of events
/// before, and the disk.
pub(super) fn each_cut(
    disk: &Arc<SimulatedDisk>,
    open: impl Fn(&Arc<SimulatedDisk>) -> Result<Heap>,
    mut show: impl FnMut(usize, Image),
) {
    let opening = disk.like(disk.image());
    drop(open(&opening).unwrap());
    let journal = opening.journal();
    let mut replay = Replay::new(&journal);
    loop {
        let count = if replay.is_settled() { 1 } else { 3 };
        for number in 0..count {
            show(replay.position(), replay.state(Cut::numbered(number, replay.position() as u64)));
        }
        if !replay.advance() {
            break;
        }
    }
}

/// Opens the heap on disks like this one of which each call fails in turn, for want of room and for no reason, and shows
/// the disk afterwards. Each error must be one that `may_be`; how many there were.
pub(super) fn each_failing_call(
    disk: &Arc<SimulatedDisk>,
    open: impl Fn(&Arc<SimulatedDisk>) -> Result<Heap>,
    may_be: impl Fn(&Error) -> bool,
    mut show: impl FnMut(&Arc<SimulatedDisk>),
) -> usize {
    let counted = disk.like(disk.image());
    drop(open(&counted).unwrap());
    let mut refused = 0;
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
        for call in 0..counted.calls() {
            let failing = disk.like(disk.image());
            failing.set_fault(Some(Fault { call, kind, lasting: false }));
            let opened = open(&failing);
            failing.set_fault(None);
            if let Err(error) = &opened {
                refused += 1;
                assert!(may_be(error), "call {call}: {error}");
            }
            drop(opened);
            failing.revive();
            show(&failing);
        }
    }
    refused
}
