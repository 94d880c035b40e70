//! A view of one commit, beside the writer.
//!
//! A snapshot has an arena of its own. Through the door of `Heap::open` it is filled with a copy of the heap's memory.
//! Through the mapped door it is a second private mapping of the base, with what the log holds laid over it; pages that
//! nobody wrote to show the file, so while the snapshot lives no checkpoint may change the base: it waits, or gives the
//! snapshot pages of its own first.

use std::ops::Index;
use std::sync::{Arc, Weak};

use crate::error::{Error, Result};
use crate::field::{Field, Record};
use crate::format::catalog::{ExtentEntry, RootEntry};
use crate::format::frame::Operation;
use crate::format::header::Header;
use crate::guard::{Inner, Reader, indexing};
use crate::handles::{Bytes, List, Ref, Text};
use crate::log::scan;
use crate::open::{self, Door};
use crate::raw::{self, Space, View};
use crate::shared::Shared;
use crate::state::State;
use crate::storage::File;
use crate::transaction::Sequence;

/// The heap as of one commit. Transactions and checkpoints go on; what it shows stays.
///
/// It is `Send` and `Sync`. See [`Heap::snapshot`](crate::Heap::snapshot).
#[derive(Debug)]
pub struct Snapshot {
    shared: Arc<Shared>,
    space: Arc<Space>,
    sequence: u64,
    roots: Vec<RootEntry>,
    tables: Vec<SnapshotTable>,
}

/// A table of records as it was.
#[derive(Debug)]
struct SnapshotTable {
    shape: u32,
    regions: Vec<u32>,
    live: u64,
}

/// What is known of the state under the writer's gate; the memory follows.
struct Moment {
    sequence: u64,
    roots: Vec<RootEntry>,
    tables: Vec<SnapshotTable>,
    extents: Vec<ExtentEntry>,
}

impl Moment {
    fn of(state: &State) -> Self {
        let tables = (0..).zip(&state.catalog.tables).filter_map(|(number, table)| {
            let shape = state.shape_of_table(number)?;
            Some(SnapshotTable { shape, regions: table.regions.clone(), live: table.entry.live })
        });
        Self {
            sequence: state.sequence,
            roots: state.catalog.roots().cloned().collect(),
            tables: tables.collect(),
            extents: state.catalog.extents().iter().copied().filter(|extent| extent.len > 0).collect(),
        }
    }

    fn into_snapshot(self, shared: &Arc<Shared>, space: Space) -> Snapshot {
        let Self { sequence, roots, tables, .. } = self;
        Snapshot { shared: Arc::clone(shared), space: Arc::new(space), sequence, roots, tables }
    }
}

impl Snapshot {
    pub(crate) fn take(shared: &Arc<Shared>) -> Result<Self> {
        shared.check_usable()?;
        shared.refuse_within_transaction()?;
        let space = open::reserve(shared.space.arena().len(), shared.space.shift())?;
        match (shared.door, shared.checkpointer.get()) {
            (Door::Mapped, Some(checkpointer)) => checkpointer.at_rest(|header| Self::map(shared, space, header)),
            _ => Self::copy(shared, space),
        }
    }

    /// Copies the heap's memory while writers wait.
    fn copy(shared: &Arc<Shared>, space: Space) -> Result<Self> {
        let guard = shared.gate.read(&shared.space, None).map_err(|refusal| shared.refused(refusal))?;
        let moment = Moment::of(&shared.state());
        for extent in &moment.extents {
            let place = u64::from(extent.offset);
            let at = space.region_at(extent.region) + place;
            space.arena().map_zeros(at, extent.len).map_err(failed)?;
            space.fill(at, guard.view().slot_bytes(shared.space.region_at(extent.region) + place, extent.len));
        }
        shared.space.copy_regions_to(&space);
        drop(guard);
        Ok(moment.into_snapshot(shared, space))
    }

    /// Maps the base, which no checkpoint changes meanwhile, and lays the log over it. Writers wait only while the
    /// catalog is copied. Until the snapshot is dropped, or has pages of its own, the base must stay as it is.
    fn map(shared: &Arc<Shared>, space: Space, header: &Header) -> Result<Self> {
        let Some(log) = &shared.log else { return Err(Error::NoDisk) };
        let guard = shared.gate.read(&shared.space, None).map_err(|refusal| shared.refused(refusal))?;
        let mut moment = Moment::of(&shared.state());
        shared.space.copy_regions_to(&space);
        let segments = log.segments();
        drop(guard);
        let file = shared.storage.descriptor(File::Base).ok_or(Error::NoDisk)?;
        moment.extents.sort_unstable_by_key(|extent| extent.at);
        for extent in &moment.extents {
            let at = space.region_at(extent.region) + u64::from(extent.offset);
            space.arena().map_file(at, extent.len, file, extent.at).map_err(failed)?;
        }
        let extents = &moment.extents;
        scan(&*shared.storage, &segments, header.log, header.sequence, moment.sequence, |frame| {
            frame.operations().try_for_each(|operation| {
                lay_over(&space, extents, operation?);
                Ok(())
            })
        })?;
        let range = |extent: &ExtentEntry| (space.region_at(extent.region) + u64::from(extent.offset), extent.len);
        let ranges = moment.extents.iter().map(range).collect();
        let snapshot = moment.into_snapshot(shared, space);
        shared.snapshots().push(Shown { space: Arc::downgrade(&snapshot.space), ranges });
        Ok(snapshot)
    }

    /// The commit whose state this is.
    pub const fn sequence(&self) -> Sequence {
        Sequence(self.sequence)
    }

    /// The root of this name.
    ///
    /// # Errors
    /// [`Error::RootType`] when it holds a record of another type; [`Error::Schema`] when the type's layout differs.
    pub fn root<T: Record>(&self, name: &str) -> Result<Option<Ref<T>>> {
        let Some(root) = self.roots.iter().find(|root| root.name == name) else { return Ok(None) };
        let table = self.table_of::<T>()?;
        let region = crate::format::handle::Handle::from_bits(root.reference).region;
        if table.is_some_and(|table| table.regions.contains(&region)) {
            return Ok(Some(Ref::from_bits(root.reference)));
        }
        Err(Error::RootType { name: name.to_owned(), found: "another type".into(), asked: T::name() })
    }

    fn table_of<T: Record>(&self) -> Result<Option<&SnapshotTable>> {
        let shape = self.shared.bind_in::<T>(&self.space)?;
        Ok(shape.and_then(|shape| self.tables.iter().find(|table| table.shape == shape)))
    }

    /// All records of a type with their handles, in the order of their slots.
    ///
    /// # Errors
    /// [`Error::Schema`] when the type's layout differs.
    #[allow(clippy::iter_not_returning_iterator, reason = "the type must be bound first, which may fail")]
    pub fn iter<T: Record>(&self) -> Result<impl Iterator<Item = (Ref<T>, &T)>> {
        let regions = self.table_of::<T>()?.map(|table| table.regions.as_slice()).unwrap_or_default();
        let view = self.view();
        Ok(regions
            .iter()
            .flat_map(move |&region| view.region_records::<T>(region))
            .map(|(bits, record)| (Ref::from_bits(bits), record)))
    }

    /// How many records of a type there are.
    ///
    /// # Errors
    /// As [`iter`](Snapshot::iter).
    pub fn count<T: Record>(&self) -> Result<u64> {
        Ok(self.table_of::<T>()?.map_or(0, |table| table.live))
    }
}

impl Inner for Snapshot {
    #[allow(private_interfaces)]
    #[inline(always)]
    fn view(&self) -> View<'_> {
        View::of_snapshot(&self.space)
    }

    #[allow(private_interfaces)]
    fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Reader for Snapshot {}

indexing!(Snapshot);

fn failed(source: std::io::Error) -> Error {
    Error::Io { action: "map memory for a snapshot".into(), source }
}

/// Does to a snapshot's memory what an operation of the log does to the file.
fn lay_over(space: &Space, extents: &[ExtentEntry], operation: Operation<'_>) {
    let (start, len) = operation.range();
    let end = start + len;
    let first = extents.partition_point(|extent| extent.at + extent.len <= start);
    for extent in extents[first..].iter().take_while(|extent| extent.at < end) {
        let (from, to) = (start.max(extent.at), end.min(extent.at + extent.len));
        let at = space.region_at(extent.region) + u64::from(extent.offset) + (from - extent.at);
        match operation {
            Operation::Write { bytes, .. } => space.fill(at, &bytes[(from - start) as usize..(to - start) as usize]),
            Operation::Zero { .. } => space.fill_with(at, to - from, |memory| memory.fill(0)),
            // The base holds what was published.
            Operation::Publish { .. } => {}
        }
    }
}

/// What a snapshot shows of the base.
#[derive(Debug)]
pub(crate) struct Shown {
    space: Weak<Space>,
    /// Offsets in the snapshot's arena, and lengths.
    ranges: Vec<(u64, u64)>,
}

impl Shown {
    /// Whether the snapshot is still there.
    pub(crate) fn is_alive(&self) -> bool {
        self.space.strong_count() > 0
    }
}

/// Gives every snapshot that still shows pages of the base pages of its own; false when one could not be had. That is
/// all it was made with: an extent that the heap gave up since is written over as soon as the base may be.
pub(crate) fn detach_all(shared: &Shared) -> bool {
    let mut snapshots = shared.snapshots();
    snapshots.retain(|shown| {
        let Some(space) = shown.space.upgrade() else { return false };
        shown.ranges.iter().any(|&(at, len)| space.arena().make_private(at, len).is_err())
    });
    snapshots.is_empty()
}
