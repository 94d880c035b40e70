//! The header of a slot: 8 bytes just before the slot's contents, in the byte order of the heap's records.
//!
//! | BITS  | MEANING |
//! |-------|---------|
//! | 38–63 | generation: of the record or value that lives here; of a free slot, the one it is given next |
//! | 37    | unowned: in memory only, while a transaction's commit settles who owns the value |
//! | 36    | touched: in memory only, while a transaction holds the slot's old bytes |
//! | 32–35 | kind |
//! | 0–31  | text, bytes: length in bytes; list, map, sorted map, buffer: shape number; else zero |
//!
//! A slot of kind 0 is all zeros: it was never used. What follows the header:
//!
//! | KIND | CONTENTS (offsets from the header) |
//! |------|----------|
//! | free, retired | zeros |
//! | record | the record, at 8 |
//! | text, bytes | the bytes, at 8, then zeros. Lengths of 2^32 and more do not occur |
//! | list, inline | at 8 its length in elements; at 16, aligned for the element, the elements, then zeros |
//! | list, spilled | at 8 its length in elements; at 16 the handle of a buffer, then zeros |
//! | buffer of a list | at 8, aligned for the element, the elements, then zeros |
//! | map | at 8 its count; at 16 the handle of its buffer, or 0; at 24 the binary logarithm of its bucket count |
//! | map buffer | see `heap::map` |
//! | sorted map | at 8 its count; at 16 the handle of its root node, or 0; at 24 its height |
//! | sorted node | see `heap::sorted` |
//!
//! "Aligned" is relative to the region's start, which is aligned for everything.
//! A list's and its buffer's shape number is the element's shape; a map's, its buffer's and a node's is the map's shape.

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Never used: all zeros.
    Unused = 0,
    /// Used before, free now.
    Free = 1,
    /// A record.
    Record = 2,
    /// UTF-8.
    Text = 3,
    /// Bytes.
    Bytes = 4,
    /// A list whose elements lie in its own slot.
    ListInline = 5,
    /// A list whose elements lie in a buffer.
    ListSpilled = 6,
    /// A hash map.
    Map = 7,
    /// A sorted map.
    SortedMap = 8,
    /// The buffer of a list.
    Buffer = 9,
    /// Its generations are used up.
    Retired = 10,
    /// The buffer of a hash map.
    MapBuffer = 11,
    /// A node of a sorted map.
    SortedNode = 12,
}

impl Kind {
    /// The kind of a number, if it is one.
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Unused,
            1 => Self::Free,
            2 => Self::Record,
            3 => Self::Text,
            4 => Self::Bytes,
            5 => Self::ListInline,
            6 => Self::ListSpilled,
            7 => Self::Map,
            8 => Self::SortedMap,
            9 => Self::Buffer,
            10 => Self::Retired,
            11 => Self::MapBuffer,
            12 => Self::SortedNode,
            _ => return None,
        })
    }
}

/// Set in memory only, while a transaction holds the slot's old bytes.
pub const TOUCHED: u64 = 1 << 36;
/// Set in memory only, while nothing owns the value.
pub const UNOWNED: u64 = 1 << 37;
/// Length of the header in bytes.
pub const HEADER: u64 = 8;

/// The header's word of a slot, without flags.
#[inline(always)]
pub const fn word(generation: u32, kind: Kind, aux: u32) -> u64 {
    (generation as u64) << 38 | (kind as u64) << 32 | aux as u64
}

/// The generation in a header's word.
#[inline(always)]
pub const fn generation(word: u64) -> u32 {
    (word >> 38) as u32
}

/// The kind in a header's word, as its number.
#[inline(always)]
pub const fn kind_number(word: u64) -> u8 {
    (word >> 32) as u8 & 15
}

/// The kind in a header's word, if it is one.
#[inline(always)]
pub const fn kind(word: u64) -> Option<Kind> {
    Kind::from_number(kind_number(word))
}

/// The low half of a header's word: a length or a shape number.
#[inline(always)]
pub const fn aux(word: u64) -> u32 {
    word as u32
}

/// Strides of the size classes in bytes, header included: up to 64 by eights, then four to a doubling.
/// What does not fit the last class lies alone in whole regions (see [`super::catalog::TableKind::Large`]).
pub const CLASSES: [u32; CLASS_COUNT] = classes();
/// Number of size classes.
pub const CLASS_COUNT: usize = 54;

const fn classes() -> [u32; CLASS_COUNT] {
    let mut strides = [0; CLASS_COUNT];
    let mut at = 0;
    let mut stride: u32 = 24;
    while at < CLASS_COUNT {
        strides[at] = stride;
        at += 1;
        stride += if stride < 64 { 8 } else { (1 << stride.ilog2()) / 4 };
    }
    strides
}

const _: () = assert!(CLASSES[5] == 64 && CLASSES[CLASS_COUNT - 1] == 256 * 1024);

/// The smallest size class whose slots hold `len` bytes, header included; `None` when none does.
#[inline]
pub const fn class_for(len: u64) -> Option<usize> {
    if len <= 64 {
        return Some(if len <= 24 { 0 } else { (len.div_ceil(8) - 3) as usize });
    }
    if len > CLASSES[CLASS_COUNT - 1] as u64 {
        return None;
    }
    let octave = (len - 1).ilog2();
    let quarter = ((len - 1) >> (octave - 2)) & 3;
    Some(((octave - 6) * 4) as usize + quarter as usize + 6)
}

/// Where the contents of a buffer or of an inline list begin, for elements of alignment `align`:
/// `header_at` is the offset of the slot's header in its region, `fixed` the bytes before the contents.
#[inline(always)]
pub const fn contents_at(header_at: u64, fixed: u64, align: u64) -> u64 {
    (header_at + fixed + align - 1) & !(align - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_the_smallest_that_fits() {
        for len in 1..=u64::from(CLASSES[CLASS_COUNT - 1]) {
            let class = class_for(len).unwrap();
            assert!(u64::from(CLASSES[class]) >= len, "{len} {class}");
            assert!(class == 0 || u64::from(CLASSES[class - 1]) < len, "{len} {class}");
        }
        assert_eq!(class_for(u64::from(CLASSES[CLASS_COUNT - 1]) + 1), None);
    }
}
