//! Names of places and values for error messages. All of this is slow, and only errors ask for it.

use migrate::{Registry, Target};

use crate::error::RecordName;
use crate::format::catalog::TableKind;
use crate::format::handle::Handle;
use crate::format::slot::{self, Kind};
use crate::ownership;
use crate::raw::View;
use crate::state::State;
use crate::walk::{Held, Named};

impl State {
    /// A slot as people name it, and the place in it.
    pub(crate) fn place(&self, registry: &Registry, view: View<'_>, header: u64, offset: usize) -> String {
        let space = view.space();
        let region = space.region_of(header);
        let number = self.table_of(space, header);
        let table = &self.catalog.tables[number as usize];
        let kind = match table.type_number {
            Some(type_number) => registry.schema.types[type_number as usize].name.clone(),
            None => kind_name(slot::kind(view.word(header))).to_owned(),
        };
        let within = header - space.region_at(region);
        let slot = match table.entry.kind {
            TableKind::Large => 0,
            _ => (within + slot::HEADER - u64::from(table.entry.first)) / u64::from(table.entry.stride),
        };
        let record = table.number(region, slot as u32).unwrap_or(slot);
        let field = table.type_number.and_then(|number| field_at(registry, number, offset));
        field.map_or_else(|| format!("{kind}#{record}"), |field| format!("{kind}#{record}.{field}"))
    }

    /// What a handle claims to name.
    pub(crate) fn name_held(&self, registry: &Registry, held: Held) -> RecordName {
        let type_name = match held.named {
            Named::Value(Target::Reference(number)) => {
                registry.schema.types.get(number as usize).map_or("record", |ty| &ty.name)
            }
            Named::Value(Target::Text) => "text",
            Named::Value(Target::Bytes) => "bytes",
            Named::Value(Target::List(_)) => "list",
            Named::Value(Target::Map(_)) => "map",
            Named::Value(Target::SortedMap(_)) => "sorted map",
            Named::Buffer(_) | Named::MapBuffer(_) | Named::SortedNode(_) => "buffer",
        };
        let handle = Handle::from_bits(held.bits);
        RecordName { type_name: type_name.to_owned(), number: u64::from(handle.index), generation: handle.generation }
    }

    /// Another place than the slot with its header at `except` that holds the handle, found by a scan of the heap.
    pub(crate) fn find_owner(&self, registry: &Registry, view: View<'_>, bits: u64, except: u64) -> Option<String> {
        let space = view.space();
        for table in &self.catalog.tables {
            for number in 0..table.entry.used.min(table.capacity) {
                let (region, slot) = table.place(number);
                let header = space.region_at(region) + table.header_in_region(slot);
                if header == except || slot::kind_number(view.word(header)) <= Kind::Free as u8 {
                    continue;
                }
                let mut found = None;
                ownership::slot_handles(self, &self.programs, view, header, &mut |held| {
                    if held.bits == bits && held.named.is_owned() {
                        found = Some(held.offset);
                    }
                });
                if let Some(offset) = found {
                    return Some(self.place(registry, view, header, offset));
                }
            }
        }
        None
    }
}

/// The field of a record type that a byte of a slot belongs to; offsets count from the header or the contents.
fn field_at(registry: &Registry, type_number: u32, offset: usize) -> Option<String> {
    let migrate::Body::Struct(fields) = &registry.schema.types.get(type_number as usize)?.body else { return None };
    let offset = offset as u32;
    fields
        .iter()
        .filter(|field| field.offset <= offset)
        .max_by_key(|field| field.offset)
        .map(|field| field.name.clone())
}

const fn kind_name(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Record) => "record",
        Some(Kind::Text) => "text",
        Some(Kind::Bytes) => "bytes",
        Some(Kind::ListInline | Kind::ListSpilled | Kind::Buffer) => "list",
        Some(Kind::Map | Kind::MapBuffer) => "map",
        Some(Kind::SortedMap | Kind::SortedNode) => "sorted map",
        Some(Kind::Unused | Kind::Free | Kind::Retired) | None => "free slot",
    }
}
