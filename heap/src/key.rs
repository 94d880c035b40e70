//! Keys of maps: their canonical bytes, hash and order.
//!
//! A key's hash is keyed SipHash-1-3 of its canonical bytes. The key of the hash belongs to the heap and the bytes do
//! not depend on the machine, so a map's buffer reads the same anywhere.
//!
//! | KEY | CANONICAL BYTES | ORDER |
//! |-----|-----------------|-------|
//! | integer | two's complement, little-endian | by value |
//! | bool | 0 or 1 | false first |
//! | char | the scalar value as a `u32`, little-endian | by value |
//! | reference | its 64 bits, little-endian | by value |
//! | array | its elements' bytes side by side | lexicographic |
//! | text | the text's UTF-8 | by bytes |
//!
//! What is stored in the map is the key as a record would hold it: in the machine's byte order, a text as its handle.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::hash::Hasher;
use std::marker::PhantomData;

use siphasher::sip::SipHasher13;

use crate::buffers::{ReadBuffers, array_at, damaged};
use crate::error::Result;

/// How the keys of one map are hashed and compared. `B` resolves what stored keys only refer to.
pub(crate) trait Keys<B: ?Sized> {
    /// What a map is asked by.
    type Query: ?Sized;

    /// Hash of a key asked for.
    fn hash(&self, buffers: &B, query: &Self::Query) -> Result<u64>;
    /// Hash of a stored key.
    fn hash_stored(&self, buffers: &B, stored: &[u8]) -> Result<u64>;
    /// Order of a stored key relative to one asked for.
    fn compare(&self, buffers: &B, stored: &[u8], query: &Self::Query) -> Result<Ordering>;
    /// Order of two stored keys.
    fn compare_stored(&self, buffers: &B, one: &[u8], other: &[u8]) -> Result<Ordering>;
    /// Order of two keys asked for.
    fn compare_queries(&self, buffers: &B, one: &Self::Query, other: &Self::Query) -> Result<Ordering>;

    /// Whether a stored key is the one asked for.
    #[inline(always)]
    fn equals(&self, buffers: &B, stored: &[u8], query: &Self::Query) -> Result<bool> {
        Ok(self.compare(buffers, stored, query)?.is_eq())
    }
}

/// A type that can be a key. Public as the supertrait of [`Key`](crate::Key), and in no public module, so that nobody
/// else implements it.
pub trait KeyBytes {
    /// What a map of such keys is asked by: `str` for texts, the key itself for all others.
    type Query: Ord + ?Sized;
    /// A stored key, resolved.
    #[doc(hidden)]
    type View<'a>: Borrow<Self::Query>;

    /// Resolves a stored key.
    #[doc(hidden)]
    fn view<'a, B: ReadBuffers + ?Sized>(buffers: &'a B, stored: &'a [u8]) -> Result<Self::View<'a>>;
    /// Feeds the canonical bytes, in pieces of any length.
    #[doc(hidden)]
    fn feed<H: Hasher>(query: &Self::Query, hasher: &mut H);
    /// Hash of the canonical bytes.
    #[doc(hidden)]
    #[inline(always)]
    fn hash(query: &Self::Query, key: &HashKey) -> u64 {
        let mut hasher = key.hasher();
        Self::feed(query, &mut hasher);
        hasher.finish()
    }
}

/// A heap's key for hashes, from the `hash_key` in its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashKey(u64, u64);

impl HashKey {
    /// Takes the key from the header's bytes.
    pub(crate) fn new(hash_key: [u8; 16]) -> Self {
        Self(u64::from_le_bytes(array_at(&hash_key, 0)), u64::from_le_bytes(array_at(&hash_key, 8)))
    }

    /// Hash of canonical bytes that lie side by side.
    #[inline]
    pub(crate) fn hash_bytes(&self, bytes: &[u8]) -> u64 {
        self.hasher().hash(bytes)
    }

    /// A hasher in its first state. It is made anew for each key, because the compiler then knows that nothing is
    /// buffered in it, and integers hash in straight code.
    #[inline(always)]
    fn hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}

/// Keys of a type known to the compiler.
pub(crate) struct TypedKeys<K> {
    hash_key: HashKey,
    key: PhantomData<fn() -> K>,
}

impl<K> TypedKeys<K> {
    /// Keys in a heap with this key for hashes.
    #[inline(always)]
    pub(crate) fn new(hash_key: HashKey) -> Self {
        Self { hash_key, key: PhantomData }
    }
}

impl<B: ReadBuffers + ?Sized, K: KeyBytes> Keys<B> for TypedKeys<K> {
    type Query = K::Query;

    #[inline(always)]
    fn hash(&self, _: &B, query: &K::Query) -> Result<u64> {
        Ok(K::hash(query, &self.hash_key))
    }

    #[inline(always)]
    fn hash_stored(&self, buffers: &B, stored: &[u8]) -> Result<u64> {
        Ok(K::hash(K::view(buffers, stored)?.borrow(), &self.hash_key))
    }

    #[inline(always)]
    fn compare(&self, buffers: &B, stored: &[u8], query: &K::Query) -> Result<Ordering> {
        Ok(K::view(buffers, stored)?.borrow().cmp(query))
    }

    #[inline(always)]
    fn compare_stored(&self, buffers: &B, one: &[u8], other: &[u8]) -> Result<Ordering> {
        Ok(K::view(buffers, one)?.borrow().cmp(K::view(buffers, other)?.borrow()))
    }

    #[inline(always)]
    fn compare_queries(&self, _: &B, one: &K::Query, other: &K::Query) -> Result<Ordering> {
        Ok(one.cmp(other))
    }

    #[inline(always)]
    fn equals(&self, buffers: &B, stored: &[u8], query: &K::Query) -> Result<bool> {
        Ok(K::view(buffers, stored)?.borrow() == query)
    }
}

/// Keys of a type known to the compiler, asked for by a key as it is stored.
pub(crate) struct StoredKeys<K>(TypedKeys<K>);

impl<K> StoredKeys<K> {
    /// Keys in a heap with this key for hashes.
    #[inline(always)]
    pub(crate) fn new(hash_key: HashKey) -> Self {
        Self(TypedKeys::new(hash_key))
    }
}

impl<B: ReadBuffers + ?Sized, K: KeyBytes> Keys<B> for StoredKeys<K> {
    type Query = [u8];

    #[inline(always)]
    fn hash(&self, buffers: &B, query: &[u8]) -> Result<u64> {
        self.0.hash_stored(buffers, query)
    }

    #[inline(always)]
    fn hash_stored(&self, buffers: &B, stored: &[u8]) -> Result<u64> {
        self.0.hash_stored(buffers, stored)
    }

    #[inline(always)]
    fn compare(&self, buffers: &B, stored: &[u8], query: &[u8]) -> Result<Ordering> {
        self.0.compare_stored(buffers, stored, query)
    }

    #[inline(always)]
    fn compare_stored(&self, buffers: &B, one: &[u8], other: &[u8]) -> Result<Ordering> {
        self.0.compare_stored(buffers, one, other)
    }

    #[inline(always)]
    fn compare_queries(&self, buffers: &B, one: &[u8], other: &[u8]) -> Result<Ordering> {
        self.0.compare_stored(buffers, one, other)
    }

    #[inline(always)]
    fn equals(&self, buffers: &B, stored: &[u8], query: &[u8]) -> Result<bool> {
        Ok(K::view(buffers, stored)?.borrow() == K::view(buffers, query)?.borrow())
    }
}

/// A key that is stored as itself, in a fixed number of bytes. Public as [`KeyBytes`] is.
pub trait FixedKey: KeyBytes<Query = Self> + Ord + Copy {
    /// Its size in bytes.
    const SIZE: usize;
    /// Takes it from its stored bytes; `None` when they are no value of the type.
    fn load(stored: &[u8]) -> Option<Self>;
}

#[inline(always)]
fn fixed_view<K: FixedKey>(stored: &[u8]) -> Result<K> {
    K::load(stored).ok_or_else(|| damaged(0, "a key is no value of its type"))
}

macro_rules! integer_keys {
    ($($integer:ty: $write:ident)*) => {$(
        impl FixedKey for $integer {
            const SIZE: usize = size_of::<$integer>();
            #[inline(always)]
            fn load(stored: &[u8]) -> Option<Self> {
                Some(Self::from_ne_bytes(array_at(stored, 0)))
            }
        }

        impl KeyBytes for $integer {
            type Query = Self;
            type View<'a> = Self;
            #[inline(always)]
            fn view<'a, B: ReadBuffers + ?Sized>(_: &'a B, stored: &'a [u8]) -> Result<Self> {
                fixed_view(stored)
            }
            #[inline(always)]
            fn feed<H: Hasher>(query: &Self, hasher: &mut H) {
                // These methods feed the machine's bytes of the number, which are the little-endian ones of `query`.
                hasher.$write(query.to_le());
            }
        }
    )*};
}

integer_keys! {
    u8: write_u8 u16: write_u16 u32: write_u32 u64: write_u64 u128: write_u128
    i8: write_i8 i16: write_i16 i32: write_i32 i64: write_i64 i128: write_i128
}

impl FixedKey for bool {
    const SIZE: usize = 1;
    #[inline(always)]
    fn load(stored: &[u8]) -> Option<Self> {
        match stored[0] {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl KeyBytes for bool {
    type Query = Self;
    type View<'a> = Self;
    #[inline(always)]
    fn view<'a, B: ReadBuffers + ?Sized>(_: &'a B, stored: &'a [u8]) -> Result<Self> {
        fixed_view(stored)
    }
    #[inline(always)]
    fn feed<H: Hasher>(query: &Self, hasher: &mut H) {
        hasher.write_u8(u8::from(*query));
    }
}

impl FixedKey for char {
    const SIZE: usize = 4;
    #[inline(always)]
    fn load(stored: &[u8]) -> Option<Self> {
        Self::from_u32(u32::from_ne_bytes(array_at(stored, 0)))
    }
}

impl KeyBytes for char {
    type Query = Self;
    type View<'a> = Self;
    #[inline(always)]
    fn view<'a, B: ReadBuffers + ?Sized>(_: &'a B, stored: &'a [u8]) -> Result<Self> {
        fixed_view(stored)
    }
    #[inline(always)]
    fn feed<H: Hasher>(query: &Self, hasher: &mut H) {
        hasher.write_u32(u32::from(*query).to_le());
    }
}

impl<K: FixedKey, const N: usize> FixedKey for [K; N] {
    const SIZE: usize = K::SIZE * N;
    #[inline(always)]
    fn load(stored: &[u8]) -> Option<Self> {
        // Every element is checked before any is taken, so that the array can be made in one go.
        let element = |at: usize| K::load(&stored[at * K::SIZE..(at + 1) * K::SIZE]);
        if (0..N).any(|at| element(at).is_none()) {
            return None;
        }
        Some(std::array::from_fn(|at| element(at).expect("checked above")))
    }
}

impl<K: FixedKey, const N: usize> KeyBytes for [K; N] {
    type Query = Self;
    type View<'a> = Self;
    #[inline(always)]
    fn view<'a, B: ReadBuffers + ?Sized>(_: &'a B, stored: &'a [u8]) -> Result<Self> {
        fixed_view(stored)
    }
    #[inline(always)]
    fn feed<H: Hasher>(query: &Self, hasher: &mut H) {
        for element in query {
            K::feed(element, hasher);
        }
    }
}

/// Resolves the stored handle of a text: what [`KeyBytes::view`] of the text type does.
#[inline(always)]
pub(crate) fn text_view<'a, B: ReadBuffers + ?Sized>(buffers: &'a B, stored: &[u8]) -> Result<&'a str> {
    buffers.text(u64::from_ne_bytes(array_at(stored, 0)))
}

mod described;
#[cfg(feature = "arena")]
mod handles;

pub(crate) use described::DescribedKeys;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A text key, as the text type will be one.
    pub(crate) struct TextKey;

    impl KeyBytes for TextKey {
        type Query = str;
        type View<'a> = &'a str;
        fn view<'a, B: ReadBuffers + ?Sized>(buffers: &'a B, stored: &'a [u8]) -> Result<&'a str> {
            text_view(buffers, stored)
        }
        fn feed<H: Hasher>(query: &str, hasher: &mut H) {
            hasher.write(query.as_bytes());
        }
        fn hash(query: &str, key: &HashKey) -> u64 {
            key.hash_bytes(query.as_bytes())
        }
    }

    /// The hash is a part of the format: these numbers may never change.
    #[test]
    fn a_hash_is_siphash_1_3_of_the_canonical_bytes() {
        let key = HashKey::new(std::array::from_fn(|at| at as u8));
        // Of the reference implementation's vectors for SipHash-1-3: the inputs 00 01 … 06 and 00 01 … 07.
        let seven = <[u8; 7] as KeyBytes>::hash(&[0, 1, 2, 3, 4, 5, 6], &key);
        assert_eq!(seven.to_le_bytes(), [0x40, 0x11, 0xb1, 0x9b, 0x98, 0x7d, 0x92, 0xd3]);
        let eight = u64::hash(&0x0706_0504_0302_0100, &key);
        assert_eq!(eight.to_le_bytes(), [0x8e, 0x9a, 0x29, 0x8d, 0x11, 0x95, 0x90, 0x36]);
        assert_eq!(TextKey::hash("a", &key), u8::hash(&b'a', &key));
        assert_eq!(char::hash(&'ä', &key), u32::hash(&0xe4, &key));
        assert_eq!(bool::hash(&true, &key), u8::hash(&1, &key));
        assert_eq!(i16::hash(&-2, &key), <[u8; 2] as KeyBytes>::hash(&[0xfe, 0xff], &key));
        assert_eq!(<[u32; 2] as KeyBytes>::hash(&[1, 2], &key), u64::hash(&(1 | 2 << 32), &key));
    }
}
