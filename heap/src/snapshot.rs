//! A view of one commit, beside the writer.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::field::Field;
use crate::field::Record;
use crate::format::catalog::RootEntry;
use crate::guard::{Inner, Reader, indexing};
use crate::handles::{Bytes, List, Ref, Text};
use crate::open;
use crate::raw::{self, Space, View};
use crate::shared::Shared;
use crate::transaction::Sequence;
use std::ops::Index;

/// The heap as of one commit. Transactions and checkpoints go on; what it shows stays.
///
/// It is `Send` and `Sync`. See [`Heap::snapshot`](crate::Heap::snapshot).
#[derive(Debug)]
pub struct Snapshot {
    shared: Arc<Shared>,
    space: Box<Space>,
    sequence: u64,
    roots: Vec<RootEntry>,
    /// Regions of each table of records, by shape number.
    regions: Vec<(u32, Vec<u32>, u64)>,
}

impl Snapshot {
    pub(crate) fn take(shared: &Arc<Shared>) -> Result<Self> {
        shared.check_usable()?;
        let space = Box::new(open::reserve(shared.space.arena().len(), shared.space.shift())?);
        let guard = shared.gate.read(&shared.space, None).map_err(|refusal| shared.refused(refusal))?;
        let state = shared.state();
        let view = guard.view();
        for extent in state.catalog.extents().iter().filter(|extent| extent.len > 0) {
            let at = space.region_at(extent.region) + u64::from(extent.offset);
            let failed = |source| Error::Io { action: "map memory for a snapshot".into(), source };
            space.arena().map_zeros(at, extent.len).map_err(failed)?;
            let bytes = view.slot_bytes(shared.space.region_at(extent.region) + u64::from(extent.offset), extent.len);
            space.fill(at, bytes);
        }
        shared.space.copy_regions_to(&space);
        let regions = state.catalog.tables.iter().enumerate().filter_map(|(number, table)| {
            Some((state.shape_of_table(number as u32)?, table.regions.clone(), table.entry.live))
        });
        let snapshot = Self {
            sequence: state.sequence,
            roots: state.catalog.roots().cloned().collect(),
            regions: regions.collect(),
            shared: Arc::clone(shared),
            space,
        };
        drop(state);
        drop(guard);
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
        let table = self.regions_of::<T>()?;
        let region = crate::format::handle::Handle::from_bits(root.reference).region;
        if table.is_some_and(|(_, regions, _)| regions.contains(&region)) {
            return Ok(Some(Ref::from_bits(root.reference)));
        }
        Err(Error::RootType { name: name.to_owned(), found: "another type".into(), asked: T::name() })
    }

    fn regions_of<T: Record>(&self) -> Result<Option<&(u32, Vec<u32>, u64)>> {
        let shape = self.shared.bind_in::<T>(&self.space)?;
        Ok(shape.and_then(|shape| self.regions.iter().find(|(candidate, ..)| *candidate == shape)))
    }

    /// All records of a type with their handles, in the order of their slots.
    ///
    /// # Errors
    /// [`Error::Schema`] when the type's layout differs.
    pub fn iter<T: Record>(&self) -> Result<impl Iterator<Item = (Ref<T>, &T)>> {
        let regions = self.regions_of::<T>()?.map(|(_, regions, _)| regions.as_slice()).unwrap_or_default();
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
        Ok(self.regions_of::<T>()?.map_or(0, |(_, _, live)| *live))
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
