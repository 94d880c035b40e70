//! The table of regions: what lies where, and for which Rust type.

use std::any::TypeId;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::Arena;
use crate::format::{BLOCK, MAX_REGIONS, REGION};

/// How many shape numbers can be bound to Rust types; further shapes are found by the slow path.
const BOUND_SHAPES: usize = 1 << 18;

/// A `TypeId` as two words that can be set while others compare: half-set words equal no type's.
#[derive(Debug, Default)]
pub(super) struct TypeCell([AtomicU64; 2]);

const _: () = assert!(size_of::<TypeId>() == 16);

/// The words of a type.
#[inline(always)]
fn words<T: 'static>() -> [u64; 2] {
    // SAFETY: both are 16 bytes of plain data, asserted above.
    unsafe { std::mem::transmute::<TypeId, [u64; 2]>(TypeId::of::<T>()) }
}

impl TypeCell {
    #[inline(always)]
    pub(super) fn is<T: 'static>(&self) -> bool {
        let [low, high] = words::<T>();
        self.0[0].load(Relaxed) == low && self.0[1].load(Relaxed) == high
    }

    fn copy_from(&self, other: &Self) {
        self.0[0].store(other.0[0].load(Relaxed), Relaxed);
        self.0[1].store(other.0[1].load(Relaxed), Relaxed);
    }

    fn set(&self, id: Option<TypeId>) {
        // SAFETY: as in `words`.
        let [low, high] = id.map_or([0; 2], |id| unsafe { std::mem::transmute::<TypeId, [u64; 2]>(id) });
        self.0[0].store(low, Relaxed);
        self.0[1].store(high, Relaxed);
    }
}

/// What a region holds. Written by the writer, or before anybody else knows the space; the atomics make the binding
/// of a type by a reader, beside other readers, well-defined, and cost nothing where they are read.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Region {
    pub(super) bound: TypeCell,
    /// Record slots wholly mapped; 0 where the region holds none.
    pub(super) records: AtomicU32,
    /// Slots of a size class wholly mapped; 0 where the region holds records.
    pub(super) values: AtomicU32,
    /// Inverse of the odd part of stride / 8 modulo 2^32, and the binary logarithm of the rest.
    pub(super) inverse: AtomicU32,
    pub(super) rotate: AtomicU32,
    /// Number of the table + 1; 0 for a region nobody has.
    table: AtomicU32,
    stride: AtomicU32,
    /// Blocks mapped from the region's start; of a large value, of its whole run.
    mapped: AtomicU32,
    /// How many regions before this one the run of its large value begins.
    behind: AtomicU32,
}

/// What a region is made to hold.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RegionPlan {
    /// Records: slots wholly mapped, table, stride.
    Records { count: u32, table: u32, stride: u32 },
    /// A size class: slots wholly mapped, table, stride in bytes.
    Values { count: u32, table: u32, stride: u32 },
    /// The first region of a large value.
    Large { table: u32 },
}

/// An arena with its table of regions and the types bound to them.
#[derive(Debug)]
pub(crate) struct Space {
    pub(super) arena: Arena,
    /// Binary logarithm of a region's distance in addresses.
    pub(super) shift: u32,
    pub(super) regions: Box<[Region]>,
    pub(super) shapes: Box<[TypeCell]>,
    /// Regions from this number on were never set up; likewise shapes.
    regions_used: AtomicU32,
    shapes_used: AtomicU32,
}

impl Space {
    /// A space over an arena in which regions lie `2^shift` bytes apart.
    pub(crate) fn new(arena: Arena, shift: u32) -> Self {
        assert!(shift >= REGION.trailing_zeros());
        // SAFETY: atomics may be all zeros; the memory comes zeroed, so untouched parts cost no memory.
        let regions = unsafe { Box::<[Region]>::new_zeroed_slice(MAX_REGIONS as usize).assume_init() };
        // SAFETY: as above.
        let shapes = unsafe { Box::<[TypeCell]>::new_zeroed_slice(BOUND_SHAPES).assume_init() };
        Self { arena, shift, regions, shapes, regions_used: AtomicU32::new(0), shapes_used: AtomicU32::new(0) }
    }

    /// The arena.
    pub(crate) const fn arena(&self) -> &Arena {
        &self.arena
    }

    /// How many regions the reservation has room for.
    pub(crate) fn capacity(&self) -> u32 {
        (self.arena.len() >> self.shift).min(u64::from(MAX_REGIONS)) as u32
    }

    /// Offset of a region in the arena.
    #[inline(always)]
    pub(crate) const fn region_at(&self, region: u32) -> u64 {
        (region as u64) << self.shift
    }

    /// The region that holds an offset of the arena; within a large value, the first of its run.
    #[inline(always)]
    pub(crate) fn region_of(&self, at: u64) -> u32 {
        let region = (at >> self.shift) as u32;
        region - self.regions[region as usize].behind.load(Relaxed)
    }

    /// An offset of the arena as one from the start of its region, or of its large value's first.
    #[inline]
    pub(crate) fn offset_in_region(&self, at: u64) -> u64 {
        at - self.region_at(self.region_of(at))
    }

    /// The regions behind `first` hold the rest of one large value.
    pub(crate) fn set_run(&self, first: u32, regions: u32) {
        for behind in 1..regions {
            self.regions[(first + behind) as usize].behind.store(behind, Relaxed);
        }
    }

    /// Record slots of a region that are mapped.
    #[inline(always)]
    pub(crate) fn record_slots(&self, region: u32) -> u32 {
        self.regions.get(region as usize).map_or(0, |entry| entry.records.load(Relaxed))
    }

    /// The table a region belongs to.
    #[inline(always)]
    pub(crate) fn table(&self, region: u32) -> Option<u32> {
        self.regions.get(region as usize)?.table.load(Relaxed).checked_sub(1)
    }

    /// Stride of the region's slots in bytes.
    #[inline(always)]
    pub(crate) fn stride(&self, region: u32) -> u32 {
        self.regions[region as usize].stride.load(Relaxed)
    }

    /// Says what a region holds.
    ///
    /// Duty of the caller: it holds the writer's guard, or nobody else knows the space; the counted slots are mapped
    /// (M1) and valid (M4).
    pub(crate) fn set_region(&self, region: u32, plan: RegionPlan) {
        let entry = &self.regions[region as usize];
        self.regions_used.fetch_max(region + 1, Relaxed);
        let (records, values, table, stride) = match plan {
            RegionPlan::Records { count, table, stride } => (count, 0, table + 1, stride),
            RegionPlan::Values { count, table, stride } => (0, count, table + 1, stride),
            RegionPlan::Large { table } => (0, 1, table + 1, 0),
        };
        let units = if stride == 0 { 1 } else { stride / 8 };
        let rotate = units.trailing_zeros();
        entry.inverse.store(inverse(units >> rotate), Relaxed);
        entry.rotate.store(rotate, Relaxed);
        entry.table.store(table, Relaxed);
        entry.stride.store(stride, Relaxed);
        entry.records.store(records, Relaxed);
        entry.values.store(values, Relaxed);
        if records == 0 {
            entry.bound.set(None);
        }
    }

    /// Says how many bytes are mapped from the region's start.
    ///
    /// Duty of the caller: they are (M1).
    pub(crate) fn set_mapped(&self, region: u32, len: u64) {
        self.regions[region as usize].mapped.store((len / BLOCK) as u32, Relaxed);
    }

    /// Bytes mapped from the region's start.
    #[inline]
    pub(crate) fn mapped(&self, region: u32) -> u64 {
        self.regions.get(region as usize).map_or(0, |entry| u64::from(entry.mapped.load(Relaxed)) * BLOCK)
    }

    /// Bytes from an offset of the arena to the end of what is mapped of its region, or of its large value.
    pub(crate) fn mapped_behind(&self, at: u64) -> u64 {
        self.mapped(self.region_of(at)).saturating_sub(self.offset_in_region(at))
    }

    /// Whether `at..at + len` is mapped memory of one region, or of one large value from its start.
    #[inline]
    pub(super) fn counts(&self, at: u64, len: u64) -> bool {
        let region = self.region_of(at);
        (at - self.region_at(region)).checked_add(len).is_some_and(|end| end <= self.mapped(region))
    }

    /// Offset of the end of a large value that begins at `at`.
    #[inline]
    pub(super) fn large_end(&self, at: u64) -> u64 {
        at + self.mapped(self.region_of(at))
    }

    /// Binds a region of records to a Rust type.
    ///
    /// Duty of the caller: the type's descriptor equals the table's (M5).
    pub(crate) fn bind_region(&self, region: u32, id: TypeId) {
        self.regions[region as usize].bound.set(Some(id));
    }

    /// Binds a shape number to a Rust type.
    ///
    /// Duty of the caller: the type's descriptor equals the shape (M5).
    pub(crate) fn bind_shape(&self, shape: u32, id: TypeId) {
        if let Some(cell) = self.shapes.get(shape as usize) {
            self.shapes_used.fetch_max(shape + 1, Relaxed);
            cell.set(Some(id));
        }
    }

    /// Whether a shape number is bound to `T`.
    #[inline(always)]
    pub(super) fn shape_is<T: 'static>(&self, shape: u32) -> bool {
        self.shapes.get(shape as usize).is_some_and(TypeCell::is::<T>)
    }

    /// Whether a region holds records of `T`.
    pub(crate) fn is_bound_to<T: 'static>(&self, region: u32) -> bool {
        self.regions.get(region as usize).is_some_and(|entry| entry.bound.is::<T>())
    }

    /// Whether a region holds slots of a size class, or a large value.
    pub(crate) fn is_of_values(&self, region: u32) -> bool {
        self.regions.get(region as usize).is_some_and(|entry| entry.values.load(Relaxed) > 0)
    }

    /// Makes another space over its own arena show the same regions, with the same types bound to them.
    ///
    /// Duty of the caller: the other arena has the same extents mapped (M1), with valid contents (M4).
    pub(crate) fn copy_regions_to(&self, other: &Self) {
        let used = self.regions_used.load(Relaxed);
        for (from, to) in self.regions.iter().zip(&other.regions).take(used as usize) {
            to.behind.store(from.behind.load(Relaxed), Relaxed);
            to.inverse.store(from.inverse.load(Relaxed), Relaxed);
            to.rotate.store(from.rotate.load(Relaxed), Relaxed);
            to.table.store(from.table.load(Relaxed), Relaxed);
            to.stride.store(from.stride.load(Relaxed), Relaxed);
            to.records.store(from.records.load(Relaxed), Relaxed);
            to.values.store(from.values.load(Relaxed), Relaxed);
            to.mapped.store(from.mapped.load(Relaxed), Relaxed);
        }
        other.regions_used.store(used, Relaxed);
        self.copy_bindings_to(other);
    }

    /// Binds in another space what was bound here since its regions were copied from this one.
    pub(crate) fn copy_bindings_to(&self, other: &Self) {
        let used = other.regions_used.load(Relaxed) as usize;
        for (from, to) in self.regions.iter().zip(&other.regions).take(used) {
            // A region that was free then holds nothing there, whatever it was bound to since.
            if to.records.load(Relaxed) > 0 {
                to.bound.copy_from(&from.bound);
            }
        }
        for (from, to) in self.shapes.iter().zip(&other.shapes).take(self.shapes_used.load(Relaxed) as usize) {
            to.copy_from(from);
        }
    }

    /// Binary logarithm of a region's distance in addresses.
    pub(crate) const fn shift(&self) -> u32 {
        self.shift
    }

    /// Copies bytes into mapped memory that no guard has been given for yet.
    ///
    /// Duty of the caller: nobody else knows the space.
    pub(crate) fn fill(&self, at: u64, bytes: &[u8]) {
        self.fill_with(at, bytes.len() as u64, |memory| memory.copy_from_slice(bytes));
    }

    /// What was loaded into a region, before anybody else knows the space.
    ///
    /// Duty of the caller: as for `fill_with`.
    pub(crate) fn loaded(&self, region: u32, len: u64) -> &[u8] {
        // SAFETY: the caller has mapped and filled the region and keeps the space to itself (M1, M3, M6).
        unsafe { self.arena.bytes(self.region_at(region), len) }
    }

    /// Mapped memory that no guard has been given for yet, to be filled.
    ///
    /// Duty of the caller: nobody else knows the space, and the range is mapped.
    pub(crate) fn fill_with<R>(&self, at: u64, len: u64, fill: impl FnOnce(&mut [u8]) -> R) -> R {
        // SAFETY: the caller has just mapped the range and keeps the space to itself (M1, M2, M6).
        fill(unsafe { self.arena.bytes_mut(at, len) })
    }
}

/// A small number made of a type's `TypeId`, for a table of the types met last.
#[inline(always)]
pub(crate) fn cache_slot<T: 'static>() -> usize {
    (words::<T>()[0] & 63) as usize
}

/// The inverse of an odd number modulo 2^32, by Newton's iteration (each step doubles the right bits).
const fn inverse(odd: u32) -> u32 {
    let mut inverse = odd; // right to 3 bits: the square of an odd number is 1 modulo 8
    let mut step = 0;
    while step < 4 {
        inverse = inverse.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::inverse;

    #[test]
    fn an_inverse_is_one() {
        for odd in (1u32..4096).step_by(2) {
            assert_eq!(odd.wrapping_mul(inverse(odd)), 1);
        }
    }
}
