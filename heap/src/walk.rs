//! The handles that a slot holds.

use migrate::{ByteOrder, HandleAt, Programs, Target};

use crate::format::catalog::TableKind;
use crate::format::slot::{self, Kind};

/// What a handle in a slot must name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// What a shape says: a record, a text, a list, ….
    Value(Target),
    /// The buffer of a list of elements of this shape number.
    Buffer(u32),
    /// The buffer of a map of this shape number.
    MapBuffer(u32),
    /// A node of a sorted map of this shape number.
    SortedNode(u32),
}

/// A handle in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    /// Offset from the start of the bytes that were walked.
    pub(crate) offset: usize,
    /// What it must name.
    pub(crate) named: Named,
    /// Its bits.
    pub(crate) bits: u64,
}

impl Named {
    /// Whether what the handle names belongs to the slot that holds it.
    pub(crate) const fn is_owned(self) -> bool {
        match self {
            Self::Value(target) => target.is_owned(),
            _ => true,
        }
    }

    /// Kinds and the low half of the header's word that a slot of this name has; `None` for a record, or where any
    /// length will do.
    pub(crate) fn fits(self, word: u64) -> bool {
        let (kind, aux) = (slot::kind(word), slot::aux(word));
        match self {
            Self::Value(Target::Text) => kind == Some(Kind::Text),
            Self::Value(Target::Bytes) => kind == Some(Kind::Bytes),
            Self::Value(Target::List(shape)) => {
                aux == shape && matches!(kind, Some(Kind::ListInline | Kind::ListSpilled))
            }
            Self::Value(Target::Map(shape)) => aux == shape && kind == Some(Kind::Map),
            Self::Value(Target::SortedMap(shape)) => aux == shape && kind == Some(Kind::SortedMap),
            Self::Value(Target::Reference(_)) => kind == Some(Kind::Record),
            Self::Buffer(shape) => aux == shape && kind == Some(Kind::Buffer),
            Self::MapBuffer(shape) => aux == shape && kind == Some(Kind::MapBuffer),
            Self::SortedNode(shape) => aux == shape && kind == Some(Kind::SortedNode),
        }
    }
}

fn word_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).map_or(0, |word| u64::from_ne_bytes(word.try_into().unwrap_or_default()))
}

/// Shows each handle in elements that lie side by side; elements of zeros hold none.
pub(crate) fn elements(programs: &Programs, shape: u32, bytes: &[u8], base: usize, visit: &mut impl FnMut(Held)) {
    let Some(program) = programs.value(shape).filter(|program| program.holds_handles()) else { return };
    for (number, element) in bytes.chunks_exact(program.size()).enumerate() {
        if element.iter().any(|&byte| byte != 0) {
            one(program, element, base + number * program.size(), visit);
        }
    }
}

/// Shows each handle in map entries that lie side by side; entries of zeros are none.
pub(crate) fn entries(programs: &Programs, shape: u32, bytes: &[u8], base: usize, visit: &mut impl FnMut(Held)) {
    let Some(entry) = programs.entry(shape).filter(|entry| entry.entry.holds_handles()) else { return };
    let size = entry.entry.size();
    for (number, bytes) in bytes.chunks_exact(size).enumerate() {
        if bytes.iter().any(|&byte| byte != 0) {
            one(&entry.entry, bytes, base + number * size, visit);
        }
    }
}

#[inline]
fn one(program: &migrate::Program, bytes: &[u8], base: usize, visit: &mut impl FnMut(Held)) {
    let Ok(()) =
        program.handles::<std::convert::Infallible>(bytes, ByteOrder::NATIVE, |HandleAt { offset, target, word }| {
            visit(Held { offset: base + offset, named: Named::Value(target), bits: word });
            Ok(())
        });
}

/// Shows each handle in a slot. `bytes` are the slot's, from its header on; `header_in_region` is where the header
/// is, which decides where aligned contents begin. Offsets count from the header, in records from the contents.
pub(crate) fn slot(
    programs: &Programs,
    table: TableKind,
    word: u64,
    header_in_region: u64,
    bytes: &[u8],
    visit: &mut impl FnMut(Held),
) {
    let shape = slot::aux(word);
    match (slot::kind(word), table) {
        (Some(Kind::Record), TableKind::Records(shape)) => {
            if let Some(program) = programs.value(shape).filter(|program| program.holds_handles()) {
                one(program, &bytes[slot::HEADER as usize..], 0, visit);
            }
        }
        (Some(Kind::ListInline), _) => {
            let Some(program) = programs.value(shape).filter(|program| program.holds_handles()) else { return };
            let start = slot::contents_at(header_in_region, 16, program.align() as u64) - header_in_region;
            let len = usize::try_from(word_at(bytes, 8)).ok().and_then(|len| len.checked_mul(program.size()));
            let end = len.and_then(|len| len.checked_add(start as usize));
            // The scan before a migration walks what nobody has verified.
            let Some(held) = end.and_then(|end| bytes.get(start as usize..end)) else { return };
            elements(programs, shape, held, start as usize, visit);
        }
        (Some(Kind::ListSpilled), _) => {
            visit(Held { offset: 16, named: Named::Buffer(shape), bits: word_at(bytes, 16) });
        }
        (Some(Kind::Buffer), _) => {
            let Some(program) = programs.value(shape).filter(|program| program.holds_handles()) else { return };
            let start = slot::contents_at(header_in_region, slot::HEADER, program.align() as u64) - header_in_region;
            // Slack is zero, and an element that holds a handle is not.
            for (number, element) in
                bytes.get(start as usize..).unwrap_or_default().chunks_exact(program.size()).enumerate()
            {
                if element.iter().any(|&byte| byte != 0) {
                    one(program, element, start as usize + number * program.size(), visit);
                }
            }
        }
        (Some(Kind::Map | Kind::SortedMap), _) => {
            let bits = word_at(bytes, 16);
            if bits != 0 {
                let named = if slot::kind(word) == Some(Kind::Map) {
                    Named::MapBuffer(shape)
                } else {
                    Named::SortedNode(shape)
                };
                visit(Held { offset: 16, named, bits });
            }
        }
        (Some(Kind::MapBuffer), _) => crate::map::handles(programs, shape, header_in_region, bytes, visit),
        (Some(Kind::SortedNode), _) => crate::sorted::handles(programs, shape, header_in_region, bytes, visit),
        _ => {}
    }
}
