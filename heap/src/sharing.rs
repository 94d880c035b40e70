//! What the catalog shares with the one that is kept for the way back, and which extents a transaction is about to change.
//!
//! After a migration the two catalogs name many extents together: those of all tables that the migration left alone. Until
//! the way back is given up nothing in them may change, so the first commit that is about to gives the extent other room
//! in the file, see [`kept`](crate::kept). From then on the old room is only kept, and the extent is like any other. So a
//! commit has to know, for the few places that it changes, whether they lie in an extent that is still shared.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Catalog;
use crate::commit;
use crate::format::catalog::ExtentEntry;
use crate::raw::Writing;
use crate::state::State;

/// The room that is kept, and the extents that lie in it still.
#[derive(Debug)]
pub(crate) struct Sharing {
    /// Every extent of the kept catalog, by its offset in the file.
    room: BTreeMap<u64, Room>,
    places: Places,
}

#[derive(Debug, Clone, Copy)]
struct Room {
    len: u64,
    /// The catalog names it, too.
    is_shared: bool,
}

impl Sharing {
    /// What a catalog shares with the one that it keeps, if it keeps one.
    pub(crate) fn of(catalog: &Catalog) -> Option<Box<Self>> {
        let kept = catalog.history().kept.as_ref()?;
        let own = |extent: ExtentEntry| (extent.at, Room { len: extent.len, is_shared: false });
        let mut room: BTreeMap<u64, Room> = kept.extents().map(own).collect();
        let mut shared = Vec::new();
        for (number, extent) in (0..).zip(catalog.extents()).filter(|(_, extent)| extent.len > 0) {
            if let Some(room) = room.get_mut(&extent.at) {
                debug_assert_eq!(room.len, extent.len, "room that is kept is given to nobody else");
                room.is_shared = true;
                shared.push((number, extent));
            }
        }
        Some(Box::new(Self { room, places: Places::of(shared) }))
    }

    /// Whether the kept catalog names an extent at this offset of the file.
    pub(crate) fn keeps(&self, at: u64) -> bool {
        self.room.contains_key(&at)
    }

    /// The offset and length of the extents that only the kept catalog names.
    pub(crate) fn only_kept(&self) -> impl Iterator<Item = (u64, u64)> {
        self.room.iter().filter(|(_, room)| !room.is_shared).map(|(&at, room)| (at, room.len))
    }

    /// Bytes of the file that only the kept catalog names.
    pub(crate) fn kept_len(&self) -> u64 {
        self.only_kept().map(|(_, len)| len).sum()
    }

    /// The extent of this number, which lay there, lies there no more.
    pub(crate) fn leave(&mut self, number: u32, extent: &ExtentEntry) {
        if let Some(room) = self.room.get_mut(&extent.at)
            && std::mem::replace(&mut room.is_shared, false)
        {
            self.places.remove(number, extent.region);
        }
    }

    /// Numbers of the shared extents that the transaction changes.
    pub(crate) fn touched(&self, state: &State, raw: &Writing<'_>) -> BTreeSet<u32> {
        if self.places.count == 0 { BTreeSet::new() } else { self.places.touched(state, raw) }
    }
}

/// Extents by where they lie in the arena.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Those of each region, in ascending order.
    regions: Vec<Vec<Place>>,
    count: usize,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    /// Offsets in the region.
    start: u64,
    end: u64,
    number: u32,
}

impl Places {
    /// Extents with their numbers.
    pub(crate) fn of<'e>(extents: impl IntoIterator<Item = (u32, &'e ExtentEntry)>) -> Self {
        let mut places = Self::default();
        for (number, extent) in extents {
            let region = extent.region as usize;
            if places.regions.len() <= region {
                places.regions.resize_with(region + 1, Vec::new);
            }
            let start = u64::from(extent.offset);
            places.regions[region].push(Place { start, end: start + extent.len, number });
            places.count += 1;
        }
        for region in &mut places.regions {
            region.sort_unstable_by_key(|place| place.start);
        }
        places
    }

    fn remove(&mut self, number: u32, region: u32) {
        let region = &mut self.regions[region as usize];
        let before = region.len();
        region.retain(|place| place.number != number);
        self.count -= before - region.len();
    }

    /// The extents that the transaction changes anything in. Ownership is settled: nothing changes after this.
    pub(crate) fn touched(&self, state: &State, raw: &Writing<'_>) -> BTreeSet<u32> {
        let (space, view) = (raw.space(), raw.view());
        let mut numbers = BTreeSet::new();
        let mut touch = |header: u64, at: u64, len: u64, is_changed: &dyn Fn() -> bool| {
            let region = space.region_of(header);
            let places = self.regions.get(region as usize).map_or(&[][..], Vec::as_slice);
            let (start, end) = (at - space.region_at(region), at - space.region_at(region) + len);
            let first = places.partition_point(|place| place.end <= start);
            let mut numbered = places[first..].iter().take_while(|place| place.start < end).peekable();
            if numbered.peek().is_some() && is_changed() {
                numbers.extend(numbered.map(|place| place.number));
            }
        };
        for &saved in &raw.undo().saved {
            touch(saved.header, saved.at, saved.len as u64, &|| commit::is_changed(raw, saved));
        }
        for &header in &raw.undo().fresh {
            touch(header, header, view.slot_end_at(header) - header, &|| true);
        }
        for &header in &state.counted_up {
            touch(header, header, 8, &|| true);
        }
        // What was taken out of the catalog since is changed no more.
        numbers.retain(|&number| state.catalog.extents()[number as usize].len > 0);
        numbers
    }
}
