//! What the verifier found, when it found no damage.

use crate::read::Catalog;

/// Live values by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The types that have a table, in the order of the tables.
    pub types: Vec<TypeCount>,
    /// Records of all types.
    pub records: u64,
    /// References in records and other values.
    pub references: u64,
    /// Of these, the ones whose record is gone; following them is an error.
    pub stale_references: u64,
    /// Texts.
    pub texts: u64,
    /// Values of bytes.
    pub bytes: u64,
    /// Lists.
    pub lists: u64,
    /// Maps, hashed and sorted.
    pub maps: u64,
    /// Committed bytes of all regions.
    pub regions: u64,
}

/// How many records a type has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeCount {
    /// Declared name.
    pub name: String,
    /// Number of its table.
    pub table: u32,
    /// Live records.
    pub records: u64,
}

impl Report {
    pub(super) fn new(catalog: &Catalog) -> Self {
        let mut report = Self::default();
        for (number, table) in catalog.tables().iter().enumerate().filter(|(_, table)| table.type_number.is_some()) {
            let name = catalog.table_name(number as u32);
            report.types.push(TypeCount { name, table: number as u32, records: table.entry.live });
            report.records += table.entry.live;
        }
        report
    }
}
