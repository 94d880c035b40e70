//! The catalog, checked as a whole: what lies where, and that no two things lie at one place.

use std::collections::{HashMap, HashSet};

use migrate::{Registry, Shape, TypeIndex};

use super::source::{Source, read_exact, zeroed};
use super::{damaged, damaged_entry};
use crate::error::{Corruption, Error, Place, Result};
use crate::format::catalog::{
    CatalogFault, CatalogRoot, EXTENT_ENTRY, ExtentEntry, ROOT_ENTRY, RootEntry, Run, Stream, TABLE_ENTRY, TableEntry,
    TableKind,
};
use crate::format::handle::{Handle, INDEX_BITS};
use crate::format::header::{ByteOrder, Header};
use crate::format::history::{History, Kept, MAX_HISTORY};
use crate::format::{BLOCK, MAX_REGIONS, REGION, slot, whole_blocks};

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its entry.
    pub entry: TableEntry,
    /// Of a table of records: the type's position in the schema.
    pub type_number: Option<u32>,
    /// Its regions in the order in which they fill, as positions in [`Catalog::regions`].
    pub regions: Vec<u32>,
}

/// A region that is in use, or the run of regions of one large value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Number of the region, of a run: of its first.
    pub number: u32,
    /// Regions in the run; 1 apart from large values.
    pub span: u32,
    /// Number of the table.
    pub table: u32,
    /// Slots the region may ever hold; 1 for large values.
    pub slots: u32,
    /// Slots ever used.
    pub used: u32,
    /// Number of the first slot within the table: records are named by it, as in `Node#17`.
    pub first_number: u64,
    /// Committed bytes, from the region's start.
    pub len: u64,
    /// Its extents, as positions in [`Catalog::extents`].
    extents: (u32, u32),
}

/// An extent and the number of its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Position in the stream.
    pub number: u32,
    /// What it says.
    pub entry: ExtentEntry,
}

/// A root and the number of its entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Position in the stream.
    pub number: u32,
    /// What it says.
    pub entry: RootEntry,
}

/// What a heap consists of. Everything in it fits together.
#[derive(Debug, Clone)]
pub struct Catalog {
    root: CatalogRoot,
    registry: Registry,
    tables: Vec<Table>,
    regions: Vec<Region>,
    extents: Vec<Extent>,
    roots: Vec<Root>,
    history: History,
    /// The extents of the catalog that is kept.
    kept: Vec<Extent>,
    /// Position in `regions` by number, [`NONE`] for a region not in use.
    by_number: Vec<u32>,
    shift: u32,
}

const NONE: u32 = u32::MAX;

impl Catalog {
    /// Reads the streams that the root names, and checks them against each other and against a file whose used part
    /// is `file_len` bytes long.
    ///
    /// Memory is linear in the length of the streams.
    ///
    /// # Errors
    /// Names the entry that cannot be.
    pub fn parse<S: Source + ?Sized>(source: &S, root: CatalogRoot, file_len: u64) -> Result<Self> {
        let history = read_history(source, root.streams[Stream::History as usize])?;
        let mut catalog = Self::read(source, root, history, file_len)?;
        if let Some(kept) = &catalog.history.kept {
            catalog.kept = extents_of_kept(kept, file_len).map_err(of_catalog_before)?;
        }
        check_overlap(&catalog.root, &catalog.extents, &catalog.kept)?;
        Ok(catalog)
    }

    /// Reads the streams and checks them against each other, but not what they take of the file.
    fn read<S: Source + ?Sized>(source: &S, root: CatalogRoot, history: History, file_len: u64) -> Result<Self> {
        let registry = read_registry(source, root.streams[Stream::Registry as usize])?;
        let mut tables = read_tables(source, root.streams[Stream::Tables as usize])?;
        let mut extents = read_extents(source, root.streams[Stream::Extents as usize], file_len)?;
        let roots = read_roots(source, root.streams[Stream::Roots as usize])?;
        check_tables(&mut tables, &registry)?;
        // Regions are given out in ascending order, so a table fills its own in ascending order.
        extents.sort_unstable_by_key(|extent| (extent.entry.region, extent.entry.offset));
        let mut regions = group_regions(&extents, &tables)?;
        let shift = check_runs(&regions, &tables)?;
        fill_tables(&mut tables, &mut regions)?;
        let mut by_number = vec![NONE; regions.last().map_or(0, |region| region.number as usize + 1)];
        for (position, region) in regions.iter().enumerate() {
            by_number[region.number as usize] = position as u32;
        }
        let catalog =
            Self { root, registry, tables, regions, extents, roots, history, kept: Vec::new(), by_number, shift };
        catalog.check_roots()?;
        Ok(catalog)
    }

    /// Where the streams lie.
    pub const fn root(&self) -> &CatalogRoot {
        &self.root
    }

    /// Byte order of the records of a heap with this header.
    pub fn byte_order(&self, header: &Header) -> ByteOrder {
        self.root.byte_order.unwrap_or(header.byte_order)
    }

    /// The records were transcoded, where they are in memory.
    #[cfg(feature = "arena")]
    pub(crate) const fn set_byte_order(&mut self, order: ByteOrder) {
        self.root.byte_order = Some(order);
    }

    /// The descriptors and numbered shapes.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The tables by number.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The regions in use, in ascending order of their numbers.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The extents in ascending order of region and offset.
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }

    /// The extents of one region in ascending order.
    pub fn extents_of(&self, region: &Region) -> &[Extent] {
        &self.extents[region.extents.0 as usize..region.extents.1 as usize]
    }

    /// The roots in the order of their entries.
    pub fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// What migrations did, and what is kept of the catalog before the last one.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// The extents of the catalog that is kept, in ascending order of region and offset. This catalog names those of them
    /// too that no commit has changed anything in since.
    pub fn kept_extents(&self) -> &[Extent] {
        &self.kept
    }

    /// Bytes of the file that only the catalog that is kept names.
    pub fn kept_len(&self) -> u64 {
        let own: HashSet<u64> = self.extents.iter().map(|extent| extent.entry.at).collect();
        self.kept.iter().filter(|extent| !own.contains(&extent.entry.at)).map(|extent| extent.entry.len).sum()
    }

    /// Binary logarithm of the distance of regions in an arena that holds this heap, at least 21.
    pub const fn shift(&self) -> u32 {
        self.shift
    }

    /// The region of this number, or the run that begins there, if it is in use.
    #[inline]
    pub fn region(&self, number: u32) -> Option<&Region> {
        self.regions.get(*self.by_number.get(number as usize)? as usize)
    }

    /// Position of a region in [`regions`](Self::regions).
    #[inline]
    pub fn region_position(&self, number: u32) -> Option<u32> {
        self.by_number.get(number as usize).copied().filter(|&position| position != NONE)
    }

    /// Position in [`regions`](Self::regions) by number; beyond all of them for a region not in use.
    pub(crate) fn positions(&self) -> &[u32] {
        &self.by_number
    }

    /// The table of records of a type, by the type's position in the schema.
    pub fn table_of_type(&self, type_number: u32) -> Option<u32> {
        self.tables.iter().position(|table| table.type_number == Some(type_number)).map(|table| table as u32)
    }

    /// The table of records of the type that is declared under a name.
    pub fn table_of_name(&self, name: &str) -> Option<u32> {
        let number = self.registry.schema.types.iter().position(|described| described.name == name)?;
        self.table_of_type(number as u32)
    }

    /// Declared name of a table's type; "class 64" and "large" for the others.
    pub fn table_name(&self, table: u32) -> String {
        let table = &self.tables[table as usize];
        match (table.type_number, table.entry.kind) {
            (Some(number), _) => self.registry.schema.types[number as usize].name.clone(),
            (None, TableKind::Large) => "large".into(),
            (None, _) => format!("class {}", table.entry.stride),
        }
    }

    /// The slot number within its table of a region's slot: the 17 of `Node#17`.
    pub const fn number_of(region: &Region, index: u32) -> u64 {
        region.first_number + index as u64
    }

    /// The region and index of a table's slot by its number.
    pub fn locate(&self, table: u32, number: u64) -> Option<(&Region, u32)> {
        let table = self.tables.get(table as usize)?;
        let after = table.regions.partition_point(|&at| self.regions[at as usize].first_number <= number);
        let region = &self.regions[table.regions[after.checked_sub(1)?] as usize];
        let index = number - region.first_number;
        (index < region.slots.into()).then_some((region, index as u32))
    }

    /// `Node#17` for a slot of a region.
    pub fn slot_name(&self, region: &Region, index: u32) -> String {
        format!("{}#{}", self.table_name(region.table), Self::number_of(region, index))
    }

    fn check_roots(&self) -> Result<()> {
        let mut names = HashSet::with_capacity(self.roots.len());
        for root in &self.roots {
            let fault = |what: String| Err(damaged_entry("root", root.number.into(), what));
            let name = &root.entry.name;
            if !names.insert(&**name) {
                return fault(format!("another root is named {name:?} as well"));
            }
            if self.tables.get(root.entry.table as usize).is_none_or(|table| table.type_number.is_none()) {
                return fault(format!("{name:?} is in table {}, which holds no records", root.entry.table));
            }
            let handle = Handle::from_bits(root.entry.reference);
            let named = self.region(handle.region).filter(|region| region.table == root.entry.table);
            if handle.generation == 0 || named.is_none_or(|region| handle.index >= region.slots) {
                return fault(format!("{name:?} is no reference into its table"));
            }
        }
        Ok(())
    }
}

/// Entries of `N` bytes, read in pieces.
fn read_entries<const N: usize, S: Source + ?Sized>(
    source: &S,
    structure: &'static str,
    run: Run,
    mut parse: impl FnMut(u32, &[u8; N]) -> Result<(), CatalogFault>,
) -> Result<()> {
    if !run.len.is_multiple_of(N as u64) || run.len / N as u64 > u64::from(u32::MAX) {
        return Err(damaged_entry(structure, run.len / N as u64, "the stream does not end with an entry"));
    }
    let mut piece = zeroed(run.len.min(1024 * N as u64))?;
    let mut number = 0;
    let mut at = run.at;
    while at < run.at + run.len {
        let piece = &mut piece[..(run.at + run.len - at).min(1024 * N as u64) as usize];
        read_exact(source, at, piece)?;
        for entry in piece.as_chunks::<N>().0 {
            parse(number, entry).map_err(|fault| {
                let at = Place::Catalog { structure, index: number.into() };
                Error::Corrupt { at, what: Corruption::Catalog(fault) }
            })?;
            number += 1;
        }
        at += piece.len() as u64;
    }
    Ok(())
}

fn read_tables<S: Source + ?Sized>(source: &S, run: Run) -> Result<Vec<Table>> {
    let mut tables = Vec::new();
    read_entries::<TABLE_ENTRY, _>(source, "table", run, |_, bytes| {
        tables.push(Table { entry: TableEntry::parse(bytes)?, type_number: None, regions: Vec::new() });
        Ok(())
    })?;
    Ok(tables)
}

fn read_extents<S: Source + ?Sized>(source: &S, run: Run, file_len: u64) -> Result<Vec<Extent>> {
    let mut extents = Vec::new();
    read_entries::<EXTENT_ENTRY, _>(source, "extent", run, |number, bytes| {
        let entry = ExtentEntry::parse(bytes, file_len)?;
        if entry.len > 0 {
            extents.push(Extent { number, entry });
        }
        Ok(())
    })?;
    Ok(extents)
}

fn read_roots<S: Source + ?Sized>(source: &S, run: Run) -> Result<Vec<Root>> {
    let mut roots = Vec::new();
    read_entries::<ROOT_ENTRY, _>(source, "root", run, |number, bytes| {
        roots.extend(RootEntry::parse(bytes)?.map(|entry| Root { number, entry }));
        Ok(())
    })?;
    Ok(roots)
}

fn read_registry<S: Source + ?Sized>(source: &S, run: Run) -> Result<Registry> {
    let at = Place::Offset(run.at);
    if run.len > migrate::MAX_ARCHIVE as u64 {
        return Err(damaged(at, "the descriptors are too long"));
    }
    if run.len == 0 {
        return Ok(Registry::default());
    }
    let mut archive = zeroed(run.len)?;
    read_exact(source, run.at, &mut archive)?;
    Registry::from_archive(&archive).map_err(|error| damaged(at, error.to_string()))
}

fn read_history<S: Source + ?Sized>(source: &S, run: Run) -> Result<History> {
    let at = Place::Catalog { structure: "history", index: 0 };
    if run.len > MAX_HISTORY {
        return Err(damaged(at, "the history is too long"));
    }
    let mut bytes = zeroed(run.len)?;
    read_exact(source, run.at, &mut bytes)?;
    History::parse(&bytes).map_err(|fault| Error::Corrupt { at, what: Corruption::Catalog(fault) })
}

/// The extents of the catalog as it was, whose streams are those of a heap.
fn extents_of_kept(kept: &Kept, file_len: u64) -> Result<Vec<Extent>> {
    let mut streams = Vec::new();
    let mut root = CatalogRoot::default();
    for (stream, bytes) in [
        (Stream::Tables, &kept.tables),
        (Stream::Extents, &kept.extents),
        (Stream::Roots, &kept.roots),
        (Stream::Registry, &kept.registry),
    ] {
        root.streams[stream as usize] = Run { at: streams.len() as u64, capacity: 0, len: bytes.len() as u64 };
        streams.extend_from_slice(bytes);
    }
    let before = Catalog::read(&streams, root, History::default(), file_len)?;
    check_overlap(&before.root, &before.extents, &[])?;
    Ok(before.extents)
}

/// A place in the catalog before the migration is none in this one.
fn of_catalog_before(error: Error) -> Error {
    match error {
        Error::Corrupt { at, what } => {
            damaged_entry("history", 0, format!("the catalog before the migration: {at}: {what}"))
        }
        error => error,
    }
}

/// No two of the headers, the root, the streams, the extents and the kept extents share a block; but an extent may be
/// one of the kept ones, as a whole and at its place in the arena.
fn check_overlap(root: &CatalogRoot, extents: &[Extent], kept: &[Extent]) -> Result<()> {
    let mut runs: Vec<(u64, u64, Place)> = Vec::with_capacity(extents.len() + root.streams.len());
    for (number, run) in root.streams.iter().enumerate().filter(|(_, run)| run.capacity > 0) {
        runs.push((run.at, run.capacity, Place::Catalog { structure: "stream", index: number as u64 }));
    }
    for extent in extents {
        let place = Place::Catalog { structure: "extent", index: extent.number.into() };
        runs.push((extent.entry.at, extent.entry.len, place));
    }
    let place = |extent: &ExtentEntry| (extent.at, extent.len, extent.region, extent.offset);
    let mut own = HashSet::new();
    if !kept.is_empty() {
        own.extend(extents.iter().map(|extent| place(&extent.entry)));
    }
    for extent in kept.iter().filter(|extent| !own.contains(&place(&extent.entry))) {
        let place = Place::Catalog { structure: "kept extent", index: extent.number.into() };
        runs.push((extent.entry.at, extent.entry.len, place));
    }
    runs.sort_unstable_by_key(|run| run.0);
    for pair in runs.windows(2) {
        if pair[0].0 + pair[0].1 > pair[1].0 {
            return Err(damaged(pair[1].2.clone(), format!("overlaps {} in the file", pair[0].2)));
        }
    }
    Ok(())
}

/// Each table on its own: its shape is a type, which its slots hold, and no other table is of the same kind.
fn check_tables(tables: &mut [Table], registry: &Registry) -> Result<()> {
    let index = TypeIndex::new(&registry.schema);
    let mut kinds = HashMap::with_capacity(tables.len());
    for (number, table) in tables.iter_mut().enumerate() {
        let fault = |what: String| Err(damaged_entry("table", number as u64, what));
        let entry = table.entry;
        if let Some(other) = kinds.insert(entry.kind, number) {
            return fault(format!("holds the same as table {other}"));
        }
        let TableKind::Records(shape) = entry.kind else {
            if u64::from(entry.first) != slot::HEADER {
                return fault(format!("its first slot lies at {}", entry.first));
            }
            continue;
        };
        let Some(Shape::Inline(name)) = registry.shapes.get(shape as usize) else {
            return fault(format!("shape {shape} is no record type"));
        };
        // A registry that was checked describes every type its shapes name.
        let (Some(described), type_number) = (index.get(name), index.number(name)) else {
            return fault(format!("type {name} is not described"));
        };
        let align = described.align.max(8);
        let needed = u64::from(described.size) + slot::HEADER;
        if entry.first != align || !entry.stride.is_multiple_of(align) || u64::from(entry.stride) < needed {
            let (stride, first, size) = (entry.stride, entry.first, described.size);
            return fault(format!("slots every {stride} bytes from {first} do not hold {size} bytes of {name}"));
        }
        table.type_number = type_number;
    }
    Ok(())
}

/// Gathers the sorted extents of each region, and checks that they agree and lie side by side from its start.
fn group_regions(extents: &[Extent], tables: &[Table]) -> Result<Vec<Region>> {
    let mut regions: Vec<Region> = Vec::new();
    for (position, extent) in extents.iter().enumerate() {
        let fault = |what: String| Err(damaged_entry("extent", extent.number.into(), what));
        let entry = &extent.entry;
        let Some(table) = tables.get(entry.table as usize) else {
            return fault(format!("table {} does not exist", entry.table));
        };
        let (span, slots) = match table.entry.kind {
            TableKind::Large => (entry.slots, 1),
            TableKind::Records(_) | TableKind::Class(_) => (1, entry.slots),
        };
        match regions.last_mut().filter(|region| region.number == entry.region) {
            Some(region) => {
                if (region.table, region.span, region.slots) != (entry.table, span, slots) {
                    return fault(format!("contradicts another extent of region {}", region.number));
                }
                if region.len != u64::from(entry.offset) {
                    return fault(format!("does not follow what region {} has before", region.number));
                }
                region.len += entry.len;
                region.extents.1 += 1;
            }
            None if entry.offset == 0 => regions.push(Region {
                number: entry.region,
                span,
                table: entry.table,
                slots,
                used: 0,
                first_number: 0,
                len: entry.len,
                extents: (position as u32, position as u32 + 1),
            }),
            None => return fault(format!("region {} does not begin with it", entry.region)),
        }
    }
    Ok(regions)
}

/// Each region fits what a handle can name and what its slots need, and runs of regions lie apart. Returns the
/// binary logarithm of the regions' distance.
fn check_runs(regions: &[Region], tables: &[Table]) -> Result<u32> {
    let fault = |region: &Region, what: &str| Err(damaged_entry("region", region.number.into(), what));
    let mut shift = REGION.ilog2();
    for region in regions {
        let entry = &tables[region.table as usize].entry;
        let needed = u64::from(entry.first) - slot::HEADER + u64::from(region.slots) * u64::from(entry.stride);
        let fits = match entry.kind {
            TableKind::Records(_) => region.slots <= 1 << INDEX_BITS && region.len <= REGION.max(whole_blocks(needed)),
            TableKind::Class(_) => needed <= REGION && region.len <= REGION,
            TableKind::Large => true,
        };
        if !fits {
            return fault(region, "has more slots or bytes than a region can");
        }
        if entry.kind != TableKind::Large {
            shift = shift.max(needed.next_power_of_two().ilog2());
        }
    }
    for pair in regions.windows(2) {
        if pair[0].number + pair[0].span > pair[1].number {
            return fault(&pair[1], "lies in the run of a large value");
        }
    }
    for region in regions {
        if region.number + region.span > MAX_REGIONS {
            return fault(region, "reaches beyond the last region");
        }
        if tables[region.table as usize].entry.kind == TableKind::Large && region.len > u64::from(region.span) << shift
        {
            return fault(region, "has more bytes than its run of regions");
        }
    }
    Ok(shift)
}

/// Numbers each table's slots in the order in which its regions fill, and spreads the count of used ones over them.
fn fill_tables(tables: &mut [Table], regions: &mut [Region]) -> Result<()> {
    let mut slots = vec![0_u64; tables.len()];
    for (position, region) in (0..).zip(regions) {
        let table = &mut tables[region.table as usize];
        table.regions.push(position);
        let before = &mut slots[region.table as usize];
        region.first_number = *before;
        if table.entry.kind == TableKind::Large {
            region.used = 1;
        } else {
            region.used = table.entry.used.saturating_sub(*before).min(region.slots.into()) as u32;
            let bytes = region.len.saturating_sub(u64::from(table.entry.first) - slot::HEADER);
            if u64::from(region.used) * u64::from(table.entry.stride) > bytes {
                let what = format!("has used {} slots and not the room for them", region.used);
                return Err(damaged_entry("region", region.number.into(), what));
            }
        }
        *before += u64::from(region.slots);
    }
    for (number, (table, slots)) in tables.iter().zip(slots).enumerate() {
        if (table.entry.used > slots && table.entry.kind != TableKind::Large) || table.entry.live > slots {
            let what = format!("counts {} slots used and has {slots}", table.entry.used);
            return Err(damaged_entry("table", number as u64, what));
        }
    }
    Ok(())
}

const _: () = assert!(BLOCK.is_power_of_two() && REGION.is_multiple_of(BLOCK));
