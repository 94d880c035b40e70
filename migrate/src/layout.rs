//! Sizes, alignments and places that follow from descriptors.

use std::collections::HashMap;
use std::fmt;

use crate::schema::{Body, Field, OptionTag, Schema, Shape, TypeDescriptor};

/// The largest record, element or map entry, in bytes.
pub const MAX_SIZE: u64 = 256 * 1024;
/// The largest alignment in bytes.
pub const MAX_ALIGN: u64 = 64;
/// How deep shapes and types may lie in each other by value.
pub const MAX_DEPTH: u32 = 64;

/// Byte order of a heap's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl fmt::Display for ByteOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Little => "little endian",
            Self::Big => "big endian",
        })
    }
}

impl ByteOrder {
    /// This machine's.
    pub const NATIVE: Self = if cfg!(target_endian = "little") { Self::Little } else { Self::Big };

    /// The two bytes as a number.
    #[inline(always)]
    pub const fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    /// The four bytes as a number.
    #[inline(always)]
    pub const fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    /// The eight bytes as a number.
    #[inline(always)]
    pub const fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        }
    }

    /// Up to 16 bytes as a number, extended with zeros.
    #[inline]
    pub fn unsigned(self, bytes: &[u8]) -> u128 {
        let mut wide = [0; 16];
        let len = bytes.len().min(16);
        match self {
            Self::Little => {
                wide[..len].copy_from_slice(&bytes[..len]);
                u128::from_le_bytes(wide)
            }
            Self::Big => {
                wide[16 - len..].copy_from_slice(&bytes[..len]);
                u128::from_be_bytes(wide)
            }
        }
    }
}

/// Where the parts of a map's entry lie: the key at 0, the value behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MapLayout {
    /// Size of the key in bytes.
    pub key_size: u64,
    /// Offset of the value.
    pub value_at: u64,
    /// Size of the value in bytes.
    pub value_size: u64,
    /// Size of the entry in bytes, a multiple of `align`.
    pub entry_size: u64,
    /// Alignment of the entry in bytes.
    pub align: u64,
}

impl MapLayout {
    /// The layout of entries whose key and value have these sizes and alignments; `None` on overflow.
    pub fn new((key_size, key_align): (u64, u64), (value_size, value_align): (u64, u64)) -> Option<Self> {
        let align = key_align.max(value_align);
        let value_at = key_size.checked_next_multiple_of(value_align)?;
        let entry_size = value_at.checked_add(value_size)?.checked_next_multiple_of(align)?;
        Some(Self { key_size, value_at, value_size, entry_size, align })
    }
}

/// A schema with its types found by name in constant time.
#[derive(Debug, Clone)]
pub struct TypeIndex<'a> {
    schema: &'a Schema,
    by_name: HashMap<&'a str, u32>,
}

impl<'a> TypeIndex<'a> {
    /// Indexes a schema; of two types with one name, the later one is found.
    pub fn new(schema: &'a Schema) -> Self {
        let by_name = schema.types.iter().enumerate().map(|(at, described)| (&*described.name, at as u32)).collect();
        Self { schema, by_name }
    }

    /// The schema.
    pub const fn schema(&self) -> &'a Schema {
        self.schema
    }

    /// Position of the named type in the schema.
    pub fn number(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// The named type.
    pub fn get(&self, name: &str) -> Option<&'a TypeDescriptor> {
        self.number(name).map(|number| &self.schema.types[number as usize])
    }

    /// Size and alignment of a value of this shape, as [`Shape::size_align`].
    pub fn size_align(&self, shape: &Shape) -> Option<(u64, u64)> {
        measure(shape, &|name| self.get(name))
    }

    /// The layout of entries of a map or sorted map; `None` for other shapes.
    pub fn map_layout(&self, shape: &Shape) -> Option<MapLayout> {
        match shape {
            Shape::Map { key, value } | Shape::SortedMap { key, value } => {
                MapLayout::new(self.size_align(key)?, self.size_align(value)?)
            }
            _ => None,
        }
    }

    /// As [`TypeDescriptor::entry_fields`], of a shape by value.
    pub fn entry_fields(&self, element: &Shape) -> Option<(&'a Field, &'a Field)> {
        if let Shape::Inline(name) = element { self.get(name)?.entry_fields() } else { None }
    }
}

impl Schema {
    /// The named type.
    pub fn get(&self, name: &str) -> Option<&TypeDescriptor> {
        self.types.iter().find(|described| described.name == name)
    }
}

impl TypeDescriptor {
    /// The fields `key` and `value` of a type that can stand for an entry of a map: a struct that has these two, and no
    /// others.
    pub fn entry_fields(&self) -> Option<(&Field, &Field)> {
        let Body::Struct(fields) = &self.body else { return None };
        match &fields[..] {
            [key, value] | [value, key] if (&*key.name, &*value.name) == ("key", "value") => Some((key, value)),
            _ => None,
        }
    }
}

impl Shape {
    /// Size and alignment of a value of this shape in bytes; `None` when a type is missing or the size overflows.
    pub fn size_align(&self, schema: &Schema) -> Option<(u64, u64)> {
        measure(self, &|name| schema.get(name))
    }

    /// Whether a value of this shape is one 8-byte handle of a value it owns.
    pub const fn is_owned_handle(&self) -> bool {
        matches!(self, Self::Text | Self::Bytes | Self::List(_) | Self::Map { .. } | Self::SortedMap { .. })
    }

    /// Whether a value of this shape is one 8-byte handle, never zero.
    pub const fn is_handle(&self) -> bool {
        self.is_owned_handle() || matches!(self, Self::Reference(_))
    }

    /// Whether values of this shape can be keys of a map: texts, integers, bools, chars, references, and arrays of any
    /// but texts.
    pub fn is_key(&self) -> bool {
        let mut innermost = self;
        while let Self::Array { element, .. } = innermost {
            innermost = element;
        }
        match innermost {
            Self::Text => matches!(self, Self::Text),
            innermost => {
                matches!(innermost, Self::Integer(_) | Self::Bool | Self::Char | Self::Reference(_))
            }
        }
    }

    /// Whether this is the option of a handle that a zero word says to be nothing.
    pub fn is_optional_handle(&self) -> bool {
        match self {
            Self::Option { inner, size: 8, tag, .. } => {
                inner.is_handle() && *tag == OptionTag::Niche { offset: 0, width: 8, none: 0 }
            }
            _ => false,
        }
    }
}

/// Arrays are followed in a loop, so that no depth of nesting matters here.
fn measure<'a>(shape: &Shape, get: &dyn Fn(&str) -> Option<&'a TypeDescriptor>) -> Option<(u64, u64)> {
    let mut times = 1_u64;
    let mut shape = shape;
    while let Shape::Array { element, count } = shape {
        times = times.checked_mul(*count)?;
        shape = element;
    }
    let (size, align): (u64, u64) = match shape {
        Shape::Integer(integer) => (integer.width.into(), integer.align.into()),
        Shape::Float(float) => (float.width.into(), float.align.into()),
        Shape::Bool => (1, 1),
        Shape::Char => (4, 4),
        Shape::Inline(name) => {
            let described = get(name)?;
            (described.size.into(), described.align.into())
        }
        Shape::Option { size, align, .. } => ((*size).into(), (*align).into()),
        Shape::Array { .. }
        | Shape::Reference(_)
        | Shape::Text
        | Shape::Bytes
        | Shape::List(_)
        | Shape::Map { .. }
        | Shape::SortedMap { .. } => (8, 8),
    };
    Some((size.checked_mul(times)?, align))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Integer;

    fn integer(width: u8) -> Shape {
        Shape::Integer(Integer { width, signed: false, align: width })
    }

    #[test]
    fn the_value_of_an_entry_is_aligned_behind_its_key() {
        let schema = Schema::default();
        let layout = |key: &Shape, value: &Shape| {
            MapLayout::new(key.size_align(&schema).unwrap(), value.size_align(&schema).unwrap()).unwrap()
        };
        let narrow = layout(&integer(1), &integer(4));
        assert_eq!((narrow.value_at, narrow.entry_size, narrow.align), (4, 8, 4));
        let wide = layout(&Shape::Text, &integer(1));
        assert_eq!((wide.value_at, wide.entry_size, wide.align), (8, 16, 8));
    }

    #[test]
    fn a_size_that_overflows_is_no_size() {
        let schema = Schema::default();
        let array = |element, count| Shape::Array { element: Box::new(element), count };
        assert_eq!(array(integer(2), 3).size_align(&schema), Some((6, 2)));
        assert_eq!(array(array(integer(2), 1 << 40), 1 << 40).size_align(&schema), None);
        assert_eq!(Shape::Inline("Missing".into()).size_align(&schema), None);
    }

    #[test]
    fn numbers_are_read_in_the_byte_order_asked_for() {
        assert_eq!(ByteOrder::Little.unsigned(&[1, 2]), 0x0201);
        assert_eq!(ByteOrder::Big.unsigned(&[1, 2]), 0x0102);
    }
}
