//! Keys of a type known only by its descriptor: for opening untrusted files, where maps are checked before any Rust
//! type is bound, and for migrations that rebuild a map.

use std::alloc::Layout;
use std::cmp::Ordering;
use std::hash::Hasher;

use migrate::{ByteOrder, Shape};
use siphasher::sip::SipHasher13;

use super::{HashKey, Keys};
use crate::buffers::{ReadBuffers, array_at};
use crate::error::Result;

/// Keys of a described type. What a map is asked by is a key as it is stored; its bytes must be a value of the type, as
/// the verifier's callback has them checked.
pub(crate) struct DescribedKeys {
    hash_key: HashKey,
    /// In which the keys are stored.
    order: ByteOrder,
    leaf: Leaf,
    size: usize,
    #[cfg_attr(not(test), allow(dead_code, reason = "tests compare layouts"))]
    align: usize,
    #[cfg_attr(not(test), allow(dead_code, reason = "tests compare layouts"))]
    count: usize,
}

/// What a key consists of: `count` of these side by side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaf {
    /// Bytes whose value is an unsigned number.
    Unsigned,
    /// Bytes whose value is a signed number.
    Signed,
    /// The handle of a text.
    Text,
}

impl DescribedKeys {
    /// Keys of this shape, where maps can have such keys: integers, bools, chars and references, arrays of these, and
    /// texts. They are stored in this byte order.
    pub(crate) fn new(shape: &Shape, hash_key: HashKey, order: ByteOrder) -> Option<Self> {
        let of = |leaf, size: u8, align: u8| {
            Some(Self { hash_key, order, leaf, size: usize::from(size), align: usize::from(align), count: 1 })
        };
        match shape {
            Shape::Integer(integer) => {
                let leaf = if integer.signed { Leaf::Signed } else { Leaf::Unsigned };
                of(leaf, integer.width, integer.align).filter(|keys| matches!(keys.size, 1 | 2 | 4 | 8 | 16))
            }
            Shape::Bool => of(Leaf::Unsigned, 1, 1),
            Shape::Char => of(Leaf::Unsigned, 4, 4),
            Shape::Reference(_) => of(Leaf::Unsigned, 8, 8),
            Shape::Text => of(Leaf::Text, 8, 8),
            Shape::Array { .. } => {
                // Arrays of arrays are walked down without recursion: the shape may come from a file.
                let (mut shape, mut total) = (shape, 1_usize);
                while let Shape::Array { element, count } = shape {
                    total = total.checked_mul(usize::try_from(*count).ok()?)?;
                    shape = element;
                }
                let element = Self::new(shape, hash_key, order).filter(|element| element.leaf != Leaf::Text)?;
                total.checked_mul(element.size)?;
                Some(Self { count: total, ..element })
            }
            _ => None,
        }
    }

    #[cfg_attr(not(test), allow(dead_code, reason = "tests compare layouts"))]
    /// Size and alignment of a stored key; `None` when no value can be that large.
    pub(crate) fn layout(&self) -> Option<Layout> {
        Layout::from_size_align(self.size * self.count, self.align).ok()
    }

    fn feed(&self, stored: &[u8], hasher: &mut SipHasher13) {
        for leaf in stored.chunks_exact(self.size) {
            let mut bytes = [0; 16];
            let bytes = &mut bytes[..self.size];
            bytes.copy_from_slice(leaf);
            if self.order == ByteOrder::Big {
                bytes.reverse();
            }
            hasher.write(bytes);
        }
    }

    /// The text that a stored handle names.
    fn text<'a, B: ReadBuffers + ?Sized>(&self, buffers: &'a B, stored: &[u8]) -> Result<&'a str> {
        buffers.text(self.order.u64(array_at(stored, 0)))
    }

    fn compare_fixed(&self, one: &[u8], other: &[u8]) -> Ordering {
        let pairs = one.chunks_exact(self.size).zip(other.chunks_exact(self.size));
        pairs
            .map(|(one, other)| self.number(one).cmp(&self.number(other)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    /// A number that has the leaf's place among all leaves: its value, with the sign's weight turned round.
    fn number(&self, leaf: &[u8]) -> u128 {
        let number = match self.size {
            1 => u128::from(leaf[0]),
            2 => u128::from(self.order.u16(array_at(leaf, 0))),
            4 => u128::from(self.order.u32(array_at(leaf, 0))),
            8 => u128::from(self.order.u64(array_at(leaf, 0))),
            _ => self.order.unsigned(leaf),
        };
        let sign = if self.leaf == Leaf::Signed { 1 << (self.size * 8 - 1) } else { 0 };
        number ^ sign
    }
}

impl<B: ReadBuffers + ?Sized> Keys<B> for DescribedKeys {
    type Query = [u8];

    fn hash(&self, buffers: &B, query: &[u8]) -> Result<u64> {
        self.hash_stored(buffers, query)
    }

    fn hash_stored(&self, buffers: &B, stored: &[u8]) -> Result<u64> {
        if self.leaf == Leaf::Text {
            return Ok(self.hash_key.hash_bytes(self.text(buffers, stored)?.as_bytes()));
        }
        let mut hasher = self.hash_key.hasher();
        self.feed(stored, &mut hasher);
        Ok(hasher.finish())
    }

    fn compare(&self, buffers: &B, stored: &[u8], query: &[u8]) -> Result<Ordering> {
        self.compare_stored(buffers, stored, query)
    }

    fn compare_stored(&self, buffers: &B, one: &[u8], other: &[u8]) -> Result<Ordering> {
        match self.leaf {
            Leaf::Text => Ok(self.text(buffers, one)?.cmp(self.text(buffers, other)?)),
            _ => Ok(self.compare_fixed(one, other)),
        }
    }

    fn compare_queries(&self, buffers: &B, one: &[u8], other: &[u8]) -> Result<Ordering> {
        self.compare_stored(buffers, one, other)
    }
}

#[cfg(test)]
mod tests {
    use migrate::{Integer, Shape};
    use proptest::prelude::*;

    use super::*;
    use crate::buffers::memory::Memory;
    use crate::key::tests::TextKey;
    use crate::key::{KeyBytes, TypedKeys};

    fn integer(width: u8, signed: bool) -> Shape {
        Shape::Integer(Integer { width, signed, align: width })
    }

    fn array(element: Shape, count: u64) -> Shape {
        Shape::Array { element: Box::new(element), count }
    }

    /// Two stored keys mean the same to the type and to its descriptor.
    fn agree<K: KeyBytes>(memory: &Memory, shape: &Shape, one: &[u8], other: &[u8]) {
        let hash_key = HashKey::new(*b"0123456789abcdef");
        let (typed, described) =
            (TypedKeys::<K>::new(hash_key), DescribedKeys::new(shape, hash_key, ByteOrder::NATIVE).unwrap());
        assert_eq!(described.layout().unwrap().size(), one.len());
        assert_eq!(typed.hash_stored(memory, one).unwrap(), described.hash_stored(memory, one).unwrap());
        assert_eq!(
            typed.compare_stored(memory, one, other).unwrap(),
            described.compare_stored(memory, one, other).unwrap()
        );
    }

    proptest! {
        /// Typed and described keys agree on hash and order.
        #[test]
        fn a_key_is_what_its_descriptor_says(
            one in any::<[i128; 2]>(), other in any::<[i128; 2]>(), same in any::<bool>(),
            chars in any::<[char; 2]>(), texts in any::<[String; 2]>(), bools in any::<[bool; 2]>(),
        ) {
            let other = if same { [one[0], other[1]] } else { other };
            let bytes = |numbers: [i128; 2]| numbers.map(i128::to_ne_bytes).concat();
            let (one, other) = (&bytes(one)[..], &bytes(other)[..]);
            let mut memory = Memory::default();
            agree::<u8>(&memory, &integer(1, false), &one[..1], &other[..1]);
            agree::<i8>(&memory, &integer(1, true), &one[..1], &other[..1]);
            agree::<u16>(&memory, &integer(2, false), &one[..2], &other[..2]);
            agree::<i16>(&memory, &integer(2, true), &one[..2], &other[..2]);
            agree::<u32>(&memory, &integer(4, false), &one[..4], &other[..4]);
            agree::<i32>(&memory, &integer(4, true), &one[..4], &other[..4]);
            agree::<u64>(&memory, &integer(8, false), &one[..8], &other[..8]);
            agree::<i64>(&memory, &integer(8, true), &one[..8], &other[..8]);
            agree::<u128>(&memory, &integer(16, false), &one[..16], &other[..16]);
            agree::<i128>(&memory, &integer(16, true), &one[..16], &other[..16]);
            agree::<u64>(&memory, &Shape::Reference("Task".into()), &one[..8], &other[..8]);
            agree::<[i16; 16]>(&memory, &array(integer(2, true), 16), one, other);
            agree::<[[u8; 4]; 3]>(&memory, &array(array(integer(1, false), 4), 3), &one[..12], &other[..12]);
            let chars = chars.map(|char| u32::from(char).to_ne_bytes());
            agree::<char>(&memory, &Shape::Char, &chars[0], &chars[1]);
            agree::<[char; 2]>(&memory, &array(Shape::Char, 2), &chars.concat(), &[chars[0], chars[0]].concat());
            agree::<bool>(&memory, &Shape::Bool, &[u8::from(bools[0])], &[u8::from(bools[1])]);
            let texts = texts.map(|text| memory.add_text(&text).to_ne_bytes());
            agree::<TextKey>(&memory, &Shape::Text, &texts[0], &texts[1]);
        }
    }

    #[test]
    fn what_cannot_be_a_key_is_refused() {
        let hash_key = HashKey::new([0; 16]);
        let mut deep = Shape::Text;
        for _ in 0..1000 {
            deep = array(deep, u64::MAX);
        }
        for shape in [
            Shape::Bytes,
            Shape::Inline("Task".into()),
            Shape::List(Box::new(Shape::Bool)),
            integer(3, false),
            integer(0, false),
            array(Shape::Text, 2),
            array(integer(8, false), u64::MAX),
            deep,
        ] {
            assert!(DescribedKeys::new(&shape, hash_key, ByteOrder::NATIVE).is_none());
        }
    }
}
