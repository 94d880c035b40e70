//! The structural verifier: whether every value of a heap is one that its type allows.
//!
//! It looks at everything that could break a typed reader: slot headers, UTF-8, bools, chars, tags, lengths, handles
//! and who owns what; and at what must be zero, so that equal states are equal bytes. Three linear passes, without
//! recursion, over memory that holds the regions:
//!
//! 1. `slots`: every slot by itself, and whole records that own nothing: a stale reference is no damage, and where
//!    nothing was ever removed, this pass sees as well that there is none. Leaves one word for each slot: generation,
//!    kind, and whether it has an owner.
//! 2. `values`: every handle in every other live value, against those words; what is owned gets its owner.
//! 3. Every live value but a record has an owner.
//!
//! The words are four bytes for each slot, so that following a handle touches little memory.

mod map;
mod place;
mod report;
mod slots;
mod values;

#[cfg(test)]
mod map_tests;
#[cfg(test)]
mod tests;

pub use report::{Report, TypeCount};

use migrate::{ByteOrder, Programs, Registry, TypeIndex};

use crate::error::{Place, Result};
use crate::format::catalog::{Stream, TableKind};
use crate::format::handle::Handle;
use crate::format::header::Header;
use crate::format::slot::{self, Kind};
use crate::read::{Catalog, Region, Regions, damaged};

/// Verifies every value of a heap with this header.
///
/// # Errors
/// Names the first place that is damaged, as record and field, and what is wrong there.
pub fn verify<R: Regions + ?Sized>(regions: &R, catalog: &Catalog, header: &Header) -> Result<Report> {
    Verifier::new(catalog, header)?.finish(regions)
}

/// The verifier of a heap that may still be on its way into memory: [`see`](Verifier::see) makes the first pass over
/// what has come, while the processor has it at hand.
pub struct Verifier<'a> {
    context: Context<'a>,
    state: State,
    /// How many slots of each region were seen.
    seen: Vec<u32>,
    /// Something that was seen is damaged; what, and whether it is the first, only the whole heap tells.
    damaged: bool,
}

impl std::fmt::Debug for Verifier<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Verifier").field("report", &self.state.report).finish_non_exhaustive()
    }
}

impl<'a> Verifier<'a> {
    /// Begins to verify a heap with this header.
    ///
    /// # Errors
    /// When the catalog's descriptors describe nothing.
    pub fn new(catalog: &'a Catalog, header: &Header) -> Result<Self> {
        let registry = catalog.registry();
        let programs = Programs::compile(registry).map_err(|error| {
            damaged(Place::Offset(catalog.root().streams[Stream::Registry as usize].at), error.to_string())
        })?;
        let mut infos = Vec::with_capacity(catalog.regions().len());
        let mut count = 0;
        for region in catalog.regions() {
            infos.push(Info::new(catalog, region, count));
            count += region.used as usize;
        }
        let context = Context {
            order: catalog.byte_order(header).into(),
            hash_key: header.hash_key,
            first_generation: header.first_generation,
            catalog,
            registry,
            index: TypeIndex::new(&registry.schema),
            programs,
            infos,
        };
        let state = State::new(&context, count);
        let seen = vec![0; context.infos.len()];
        Ok(Self { context, state, seen, damaged: false })
    }

    /// Looks at a region of which this much has come, from its start: `position` is that in the catalog's regions.
    ///
    /// Duty of the caller: [`finish`](Verifier::finish) is given these very bytes.
    pub fn see(&mut self, position: usize, bytes: &[u8]) {
        let info = Info { bytes, ..self.context.infos[position] };
        let seen = &mut self.seen[position];
        let more = *seen..info.slots_in(bytes.len());
        *seen = more.end.max(more.start);
        self.damaged |= slots::check_slots(&self.context, &info, position, more, &mut self.state).is_err();
    }

    /// Verifies what was not seen, and what only the whole heap tells.
    ///
    /// # Errors
    /// Names the first place that is damaged, as record and field, and what is wrong there.
    pub fn finish<R: Regions + ?Sized>(self, regions: &R) -> Result<Report> {
        let Verifier { mut context, mut state, mut seen, damaged: again } = self;
        for (info, region) in context.infos.iter_mut().zip(context.catalog.regions()) {
            let bytes = regions.region(region.number).filter(|bytes| bytes.len() as u64 == region.len);
            let Some(bytes) = bytes else {
                let at = Place::Catalog { structure: "region", index: region.number.into() };
                return Err(damaged(at, "its bytes are not there"));
            };
            info.bytes = bytes;
        }
        if again {
            state = State::new(&context, state.words.len());
            seen.fill(0);
        }
        slots::check(&context, &mut state, &seen)?;
        values::check(&context, &mut state)?;
        values::check_owned(&context, &state)?;
        state.report.regions = context.catalog.regions().iter().map(|region| region.len).sum();
        Ok(state.report)
    }
}

/// What does not change while verifying.
struct Context<'a> {
    order: ByteOrder,
    /// For the places of keys in hash maps.
    hash_key: [u8; 16],
    /// The generation of slots that were given out once.
    first_generation: u32,
    catalog: &'a Catalog,
    registry: &'a Registry,
    index: TypeIndex<'a>,
    programs: Programs,
    /// By position in the catalog's regions.
    infos: Vec<Info<'a>>,
}

/// What does.
struct State {
    words: Vec<SlotWord>,
    /// By position in the catalog's regions.
    records: Vec<RecordRegion>,
    /// How many slots live, by position in the catalog's regions.
    live: Vec<u64>,
    /// Whether every reference that the first pass saw names a live record.
    surely_live: bool,
    report: Report,
}

impl State {
    fn new(context: &Context<'_>, slots: usize) -> Self {
        Self {
            words: vec![SlotWord::default(); slots],
            records: context.infos.iter().map(RecordRegion::new).collect(),
            live: vec![0; context.infos.len()],
            surely_live: true,
            report: Report::new(context.catalog),
        }
    }
}

/// What the verifier must know of a region, at hand.
#[derive(Clone, Copy)]
struct Info<'a> {
    /// None before all regions are there.
    bytes: &'a [u8],
    region: &'a Region,
    kind: TableKind,
    /// The type's position in the schema, `u32::MAX` in tables of no type.
    type_number: u32,
    /// Distance of slots in bytes; of a large value its bytes.
    stride: usize,
    /// Offset of the first slot's header.
    start: usize,
    used: u32,
    slots: u32,
    /// Where the words of its slots begin.
    words: usize,
    /// For slots found by 8-byte units: 2^36 divided by the units of a slot, rounded up.
    inverse: u64,
}

impl<'a> Info<'a> {
    fn new(catalog: &'a Catalog, region: &'a Region, words: usize) -> Self {
        let table = &catalog.tables()[region.table as usize];
        let stride = match table.entry.kind {
            TableKind::Large => region.len as usize,
            TableKind::Records(_) | TableKind::Class(_) => table.entry.stride as usize,
        };
        Self {
            bytes: &[],
            region,
            kind: table.entry.kind,
            type_number: table.type_number.unwrap_or(u32::MAX),
            stride,
            start: table.entry.first as usize - slot::HEADER as usize,
            used: region.used,
            slots: region.slots,
            words,
            inverse: (1_u64 << 36).div_ceil(stride as u64 / 8),
        }
    }

    /// How many used slots lie wholly in the first `len` bytes.
    fn slots_in(&self, len: usize) -> u32 {
        (len.saturating_sub(self.start) / self.stride).min(self.used as usize) as u32
    }

    /// Offset of a slot's header.
    #[inline]
    fn header_at(&self, index: u32) -> usize {
        self.start + index as usize * self.stride
    }

    /// A used slot, from its header to its end.
    #[inline]
    fn slot(&self, index: u32) -> &'a [u8] {
        let at = self.header_at(index);
        &self.bytes[at..at + self.stride]
    }

    /// The slot whose header lies at this position in 8-byte units, if one begins there.
    #[inline]
    fn slot_at(&self, units: u32) -> Option<u32> {
        if self.kind == TableKind::Large {
            return (units == 0).then_some(0);
        }
        // Exact for positions of 18 bits: the error of the inverse is less than 2^18 / 2^36.
        let slot = ((u64::from(units) * self.inverse) >> 36) as u32;
        (slot as usize * self.stride == units as usize * 8).then_some(slot)
    }
}

/// What a reference is checked against, in half a cache line.
#[derive(Debug, Clone, Copy)]
struct RecordRegion {
    /// The type's position in the schema, `u32::MAX` in tables of no type.
    type_number: u32,
    slots: u32,
    used: u32,
    /// The generation of all used slots, when all are live and of one generation, as in tables from which nothing
    /// was ever removed; else 0. Then a reference needs no look at the words. 0 before the region was
    /// seen as a whole.
    generation: u32,
    /// Where the words of its slots begin.
    words: usize,
}

impl RecordRegion {
    const fn new(info: &Info<'_>) -> Self {
        Self { type_number: info.type_number, slots: info.slots, used: info.used, generation: 0, words: info.words }
    }

    /// Whether a handle names a live record.
    #[inline(always)]
    fn holds(&self, words: &[SlotWord], handle: Handle) -> bool {
        handle.index < self.used
            && (handle.generation == self.generation
                || words[self.words + handle.index as usize] == SlotWord::new(handle.generation, Kind::Record))
    }
}

/// A slot in short: its generation, its kind, and whether its owner was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct SlotWord(u32);

impl SlotWord {
    const OWNED: u32 = 16;

    #[inline]
    const fn new(generation: u32, kind: Kind) -> Self {
        Self(generation << 5 | kind as u32)
    }

    #[inline]
    const fn generation(self) -> u32 {
        self.0 >> 5
    }

    #[inline]
    fn is(self, kind: Kind) -> bool {
        self.0 & 15 == kind as u32
    }

    #[inline]
    fn kind(self) -> Kind {
        Kind::from_number((self.0 & 15) as u8).unwrap_or(Kind::Unused)
    }

    #[inline]
    const fn is_owned(self) -> bool {
        self.0 & Self::OWNED != 0
    }
}

/// Whether all bytes are zero.
#[inline]
fn is_zero(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<64>();
    chunks.iter().all(|chunk| chunk.iter().fold(0, |all, &byte| all | byte) == 0)
        && rest.iter().fold(0, |all, &byte| all | byte) == 0
}

/// The word at an offset of a slot.
#[inline]
fn word_at(bytes: &[u8], at: usize, order: ByteOrder) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    order.u64(word)
}
