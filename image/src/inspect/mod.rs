//! Looking into heaps and images without the program that made them.
//!
//! A [`View`] reads what it is asked for and nothing else, and checks every step: it can look into a damaged file,
//! where a wrong value is an error at its place and the rest stays readable.

mod cells;
mod map;
mod path;
mod show;
mod sizes;
mod value;

pub use cells::{Cached, Cells};
pub use map::{Entry, Map};
pub use path::{Found, Path, Start, Step};
pub use show::escape;
pub use sizes::Sizes;
pub use value::{Item, List, Reference, Value};

use std::sync::Arc;

use heap::format::catalog::TableKind;
use heap::format::handle::Handle;
use heap::format::slot::{self, HEADER, Kind};
use heap::read::{Catalog, Loaded, Reader, Region, Source};
use heap::{Corruption, Place};
use migrate::{ByteOrder, Programs, Registry, Shape, TypeIndex};

use crate::error::{Error, Result};

/// A heap's values, decoded when asked for.
pub struct View<'r> {
    cells: Box<dyn Cells + 'r>,
    catalog: &'r Catalog,
    order: ByteOrder,
    index: TypeIndex<'r>,
    programs: Programs,
    /// Table of records by the type's position in the schema.
    tables: Vec<Option<u32>>,
}

/// A record that lives.
#[derive(Debug, Clone)]
pub struct Record<'r> {
    /// Its reference.
    pub reference: Reference,
    /// Its value.
    pub value: Item<'r>,
}

/// A type that has a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeSummary<'r> {
    /// Declared name.
    pub name: &'r str,
    /// Number of its table.
    pub table: u32,
    /// Live records.
    pub records: u64,
    /// Size of a record in bytes.
    pub size: u32,
}

/// A value's slot, found by its handle.
#[derive(Debug, Clone, Copy)]
struct Slot<'r> {
    region: &'r Region,
    /// Offset of its header in the region.
    at: u64,
    /// Bytes from its header to its end.
    len: u64,
    header: u64,
}

impl<'r> View<'r> {
    /// Views a file, reading pieces of it as they are asked for.
    ///
    /// # Errors
    /// When the descriptors are out of all proportion.
    pub fn of_reader<S: Source>(reader: &'r Reader<S>) -> Result<Self> {
        Self::new(Box::new(Cached::new(reader)), reader.catalog(), reader.byte_order())
    }

    /// Views a heap that is in memory.
    ///
    /// # Errors
    /// When the descriptors are out of all proportion.
    pub fn of_loaded(loaded: &'r Loaded, catalog: &'r Catalog, order: ByteOrder) -> Result<Self> {
        Self::new(Box::new(loaded), catalog, order)
    }

    fn new(cells: Box<dyn Cells + 'r>, catalog: &'r Catalog, order: ByteOrder) -> Result<Self> {
        let registry: &'r Registry = catalog.registry();
        let programs = Programs::compile(registry).map_err(|error| damaged(Place::Offset(0), error.to_string()))?;
        let index = TypeIndex::new(&registry.schema);
        let mut tables = vec![None; registry.schema.types.len()];
        for (number, table) in catalog.tables().iter().enumerate() {
            if let Some(type_number) = table.type_number {
                tables[type_number as usize] = Some(number as u32);
            }
        }
        Ok(Self { cells, catalog, order, index, programs, tables })
    }

    /// The catalog.
    pub const fn catalog(&self) -> &'r Catalog {
        self.catalog
    }

    /// The types that have a table, in the order of the tables.
    pub fn types(&self) -> impl Iterator<Item = TypeSummary<'r>> {
        let types = &self.catalog.registry().schema.types;
        let tables = self.catalog.tables().iter().enumerate();
        tables.filter_map(|(number, table)| {
            let described = &types[table.type_number? as usize];
            Some(TypeSummary {
                name: &described.name,
                table: number as u32,
                records: table.entry.live,
                size: described.size,
            })
        })
    }

    /// The table of a type's records.
    pub fn table_of(&self, type_name: &str) -> Option<u32> {
        self.tables[self.index.number(type_name)? as usize]
    }

    /// The roots: name and record.
    pub fn roots(&self) -> impl Iterator<Item = (&'r str, Reference)> {
        self.catalog
            .roots()
            .iter()
            .map(|root| (&*root.entry.name, Reference::new(root.entry.table, root.entry.reference)))
    }

    /// `Node#17`.
    pub fn name(&self, reference: Reference) -> String {
        let number = self.number(reference).map_or_else(|| "?".into(), |number| number.to_string());
        format!("{}#{number}", self.catalog.table_name(reference.table))
    }

    /// Number of a record in its table: the 17 of `Node#17`.
    pub fn number(&self, reference: Reference) -> Option<u64> {
        let region = self.catalog.region(reference.handle.region)?;
        Some(Catalog::number_of(region, reference.handle.index))
    }

    /// The record of a number in its table, if it lives.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn record(&self, table: u32, number: u64) -> Result<Option<Record<'r>>> {
        let Some((region, index)) = self.catalog.locate(table, number) else { return Ok(None) };
        let Some((slot, shape)) = self.record_slot(region, index)? else { return Ok(None) };
        if slot::kind(slot.header) != Some(Kind::Record) {
            return Ok(None);
        }
        let handle = Handle { generation: slot::generation(slot.header), region: region.number, index };
        let reference = Reference { table, handle };
        Ok(Some(Record { reference, value: self.record_value(slot, shape)? }))
    }

    /// The records of a table that live, in the order of their numbers.
    pub fn records(&self, table: u32) -> impl Iterator<Item = Result<Record<'r>>> {
        let used = self.catalog.tables().get(table as usize).map_or(0, |table| table.entry.used);
        (0..used).filter_map(move |number| self.record(table, number).transpose())
    }

    /// The record that a reference names; `None` for a stale one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn follow(&self, reference: Reference) -> Result<Option<Record<'r>>> {
        match self.live_slot(reference)? {
            Some((slot, shape)) => Ok(Some(Record { reference, value: self.record_value(slot, shape)? })),
            None => Ok(None),
        }
    }

    /// Whether the record that a reference names lives.
    ///
    /// # Errors
    /// When its slot cannot be read.
    pub fn lives(&self, reference: Reference) -> Result<bool> {
        Ok(self.live_slot(reference)?.is_some())
    }

    fn live_slot(&self, reference: Reference) -> Result<Option<(Slot<'r>, u32)>> {
        let handle = reference.handle;
        let Some(region) = self.catalog.region(handle.region).filter(|region| region.table == reference.table) else {
            return Ok(None);
        };
        let found = self.record_slot(region, handle.index)?;
        Ok(found.filter(|(slot, _)| {
            slot::kind(slot.header) == Some(Kind::Record) && slot::generation(slot.header) == handle.generation
        }))
    }

    /// A used slot of a table of records, and the shape of its records.
    fn record_slot(&self, region: &'r Region, index: u32) -> Result<Option<(Slot<'r>, u32)>> {
        let entry = self.catalog.tables()[region.table as usize].entry;
        let TableKind::Records(shape) = entry.kind else { return Ok(None) };
        if index >= region.used {
            return Ok(None);
        }
        let at = u64::from(entry.first) - HEADER + u64::from(index) * u64::from(entry.stride);
        let header = self.word(region, at)?;
        Ok(Some((Slot { region, at, len: entry.stride.into(), header }, shape)))
    }

    fn record_value(&self, slot: Slot<'r>, shape: u32) -> Result<Item<'r>> {
        // A catalog that was parsed has a registry with the shapes of all its tables.
        let shape = &self.catalog.registry().shapes[shape as usize];
        let size = self.size(shape)?;
        Ok(Item::new(shape, self.bytes(slot.region, slot.at + HEADER, size)?))
    }

    /// The slot of an owned value: of one of two kinds, and alive.
    fn slot(&self, word: u64, kinds: [Kind; 2]) -> Result<Slot<'r>> {
        let handle = Handle::from_bits(word);
        let fault = |what: &str| Err(damaged(Place::Offset(0), format!("handle {word:#x} {what}")));
        let Some(region) = self.catalog.region(handle.region) else { return fault("names a region not in use") };
        let entry = self.catalog.tables()[region.table as usize].entry;
        let at = u64::from(handle.index) * 8;
        let len = match entry.kind {
            TableKind::Class(_) => entry.stride.into(),
            TableKind::Large if at == 0 => region.len,
            TableKind::Large | TableKind::Records(_) => return fault("does not name the start of a slot"),
        };
        if !at.is_multiple_of(len) || at / len >= region.used.into() {
            return fault("does not name the start of a slot");
        }
        let header = self.word(region, at)?;
        if slot::generation(header) != handle.generation || !kinds.map(Some).contains(&slot::kind(header)) {
            return fault("names a value that is gone, or of another kind");
        }
        Ok(Slot { region, at, len, header })
    }

    fn size(&self, shape: &Shape) -> Result<u64> {
        let measured = self.index.size_align(shape);
        measured.map(|measured| measured.0).ok_or_else(|| damaged(Place::Offset(0), "a shape has no size".into()))
    }

    fn word(&self, region: &Region, at: u64) -> Result<u64> {
        let mut word = [0; 8];
        self.read(region, at, &mut word)?;
        Ok(self.order.u64(word))
    }

    fn bytes(&self, region: &Region, at: u64, len: u64) -> Result<Arc<[u8]>> {
        if at.checked_add(len).is_none_or(|end| end > region.len) {
            return Err(beyond(region));
        }
        // A text may be longer than this machine's memory.
        let mut bytes = Vec::new();
        let reserved = usize::try_from(len).ok().filter(|&len| bytes.try_reserve_exact(len).is_ok());
        let Some(len) = reserved else {
            return Err(Error::io(format!("taking {len} bytes of memory"), std::io::ErrorKind::OutOfMemory.into()));
        };
        bytes.resize(len, 0);
        self.read(region, at, &mut bytes)?;
        Ok(bytes.into())
    }

    fn read(&self, region: &Region, at: u64, bytes: &mut [u8]) -> Result<()> {
        if at.checked_add(bytes.len() as u64).is_none_or(|end| end > region.len) {
            return Err(beyond(region));
        }
        self.cells.read(region, at, bytes)
    }
}

fn beyond(region: &Region) -> Error {
    let at = Place::Catalog { structure: "region", index: region.number.into() };
    damaged(at, "a value reaches beyond it".into())
}

fn damaged(at: Place, what: String) -> Error {
    heap::Error::Corrupt { at, what: Corruption::Structure(what) }.into()
}

#[cfg(test)]
mod tests;
