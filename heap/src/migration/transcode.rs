//! Transcoding: every number of a heap in memory is turned from another machine's byte order to this one's, in place.
//!
//! One pass over the slots, each by itself: what a slot holds is said by its header and the shapes, so no handle is
//! followed. Nothing moves. Texts and bytes are the same on any machine, hashes are those of canonical bytes, and keys are
//! in the order of their values; so buckets and nodes stay right.
//!
//! The bytes may be anything: what is not transcoded is an error, and what is, is verified by whoever asked for it.

use migrate::{ByteOrder, Programs, Registry, Transcoding, ValueFault};

use super::parallel::in_parallel;
use crate::error::{Error, Place, Result};
use crate::format::catalog::TableKind;
use crate::format::header;
use crate::format::slot::{self, Kind};
use crate::map;
use crate::raw::Space;
use crate::read::{Catalog, Loaded, Region, damaged};
use crate::sorted;

const HEADER: usize = slot::HEADER as usize;

/// A heap's way from another byte order to this machine's.
#[derive(Debug)]
pub(crate) struct Foreign {
    transcoding: Transcoding,
    programs: Programs,
}

impl Foreign {
    /// Compiles the way for the values that a registry describes.
    pub(crate) fn new(registry: &Registry, from: ByteOrder) -> Result<Self> {
        let unsupported =
            |error: migrate::SchemaError| Error::Unsupported { name: "the schema".into(), why: error.to_string() };
        let transcoding = Transcoding::compile(registry, from).map_err(unsupported)?;
        Ok(Self { transcoding, programs: Programs::compile(registry).map_err(unsupported)? })
    }

    /// Transcodes an arena that was loaded, and that nobody else knows. The catalog names this machine's byte order then.
    pub(crate) fn transcode(&self, space: &Space, catalog: &mut Catalog) -> Result<()> {
        let regions: Vec<&Region> = catalog.regions().iter().collect();
        in_parallel(&regions, |region| {
            space.fill_with(space.region_at(region.number), region.len, |bytes| self.region(catalog, region, bytes))
        })?;
        catalog.set_byte_order(header::ByteOrder::NATIVE);
        Ok(())
    }

    /// Transcodes a heap that was loaded, of which the catalog still names the byte order that it has in the file.
    pub(crate) fn transcode_loaded(&self, loaded: &mut Loaded, catalog: &Catalog) -> Result<()> {
        catalog.regions().iter().try_for_each(|region| {
            let bytes = loaded.region_mut(region.number).unwrap_or_default();
            self.region(catalog, region, bytes)
        })
    }

    fn region(&self, catalog: &Catalog, region: &Region, bytes: &mut [u8]) -> Result<()> {
        let entry = catalog.tables()[region.table as usize].entry;
        let start = entry.first as usize - HEADER;
        let (record, stride) = match entry.kind {
            TableKind::Records(shape) => (Some(shape), entry.stride as usize),
            TableKind::Class(_) => (None, entry.stride as usize),
            TableKind::Large => (None, bytes.len()),
        };
        let slots = bytes[start..].chunks_mut(stride).take(region.used as usize);
        for (index, slot) in (0..region.used).zip(slots) {
            let at = start + index as usize * stride;
            self.slot(record, at as u64, slot).map_err(|what| {
                let record = catalog.slot_name(region, index);
                damaged(Place::Record { record, field: String::new() }, format!("cannot be transcoded: {what}"))
            })?;
        }
        Ok(())
    }

    /// A slot, from its header on, which is at this offset of its region.
    fn slot(&self, record: Option<u32>, at: u64, bytes: &mut [u8]) -> Result<(), String> {
        let from = self.transcoding.byte_order();
        let Some(head) = bytes.first_chunk_mut::<HEADER>() else { return Err("it is too short".into()) };
        let word = from.u64(*head);
        *head = word.to_ne_bytes();
        let shape = slot::aux(word);
        let turned = match slot::kind(word) {
            None => return Err(format!("kind {} is none", slot::kind_number(word))),
            Some(Kind::Unused | Kind::Free | Kind::Retired | Kind::Text | Kind::Bytes) => Ok(()),
            Some(Kind::Record) => {
                // Behind a record there may be room, and no other record.
                let record = record.and_then(|shape| Some((shape, self.programs.value(shape)?.size())));
                let Some((shape, size)) = record else { return Err("its table holds no records".into()) };
                self.transcoding.values(shape, part(bytes, HEADER, HEADER + size)?)
            }
            Some(Kind::ListInline) => {
                words(bytes, 1)?;
                self.elements(shape, at, 2 * HEADER, bytes)?
            }
            Some(Kind::Buffer) => self.elements(shape, at, HEADER, bytes)?,
            Some(Kind::ListSpilled) => return words(bytes, 2),
            Some(Kind::Map | Kind::SortedMap) => return words(bytes, 3),
            Some(Kind::MapBuffer) => {
                let len = bytes.len() as u64;
                let entry = self.programs.entry(shape);
                let range = entry.and_then(|entry| map::entry_range(entry, shape, at, len));
                let Some(range) = range else { return Err("it is no buffer of its map".into()) };
                self.transcoding.entries(shape, part(bytes, range.start, range.end)?)
            }
            Some(Kind::SortedNode) => self.node(shape, at, bytes)?,
        };
        turned.map_err(|fault| fault.to_string())
    }

    /// The elements of a list, and zeros behind them, after `fixed` bytes.
    fn elements(&self, shape: u32, at: u64, fixed: usize, bytes: &mut [u8]) -> Result<Result<(), ValueFault>, String> {
        let Some(program) = self.programs.value(shape) else { return Err("its shape does not exist".into()) };
        let start = slot::contents_at(at, fixed as u64, program.align() as u64) - at;
        let end = bytes.len();
        // Of a short slot there may be no room but for the length.
        Ok(self.transcoding.values(shape, part(bytes, (start as usize).min(end), end)?))
    }

    fn node(&self, shape: u32, at: u64, bytes: &mut [u8]) -> Result<Result<(), ValueFault>, String> {
        let from = self.transcoding.byte_order();
        let parts = self.programs.entry(shape).and_then(|entry| sorted::parts(entry, shape, at, bytes, from));
        let Some(sorted::NodeParts { count, keys, values, children }) = parts else {
            return Err("it is no node of its map".into());
        };
        part(bytes, count.start, count.end)?.reverse();
        part(bytes, children.start, children.end)?.as_chunks_mut::<8>().0.iter_mut().for_each(|word| word.reverse());
        let turned = self.transcoding.keys(shape, part(bytes, keys.start, keys.end)?);
        let values = part(bytes, values.start, values.end)?;
        Ok(turned.and_then(|()| self.transcoding.map_values(shape, values)))
    }
}

/// Turns this many words behind the header.
fn words(bytes: &mut [u8], count: usize) -> Result<(), String> {
    let words = part(bytes, HEADER, HEADER * (1 + count))?;
    words.as_chunks_mut::<8>().0.iter_mut().for_each(|word| word.reverse());
    Ok(())
}

fn part(bytes: &mut [u8], start: usize, end: usize) -> Result<&mut [u8], String> {
    bytes.get_mut(start..end).ok_or_else(|| "it is too short".into())
}
