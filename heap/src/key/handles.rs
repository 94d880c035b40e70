//! References and texts as keys.

use std::cmp::Ordering;
use std::hash::Hasher;

use super::{FixedKey, HashKey, KeyBytes, fixed_view, text_view};
use crate::buffers::{ReadBuffers, array_at};
use crate::error::Result;
use crate::field::Record;
use crate::handles::{Ref, Text};

impl<T: Record> PartialOrd for Ref<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By their bits: an order, though one without a meaning.
impl<T: Record> Ord for Ref<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.to_bits().cmp(&other.to_bits())
    }
}

impl<T: Record> FixedKey for Ref<T> {
    const SIZE: usize = 8;

    #[inline(always)]
    fn load(stored: &[u8]) -> Option<Self> {
        let bits = u64::from_ne_bytes(array_at(stored, 0));
        (bits != 0).then(|| Self::from_bits(bits))
    }
}

impl<T: Record> KeyBytes for Ref<T> {
    type Query = Self;
    type View<'a> = Self;

    #[inline(always)]
    fn view<'a, B: ReadBuffers + ?Sized>(_: &'a B, stored: &'a [u8]) -> Result<Self> {
        fixed_view(stored)
    }

    #[inline(always)]
    fn feed<H: Hasher>(query: &Self, hasher: &mut H) {
        hasher.write_u64(query.to_bits().to_le());
    }
}

impl KeyBytes for Text {
    type Query = str;
    type View<'a> = &'a str;

    #[inline(always)]
    fn view<'a, B: ReadBuffers + ?Sized>(buffers: &'a B, stored: &'a [u8]) -> Result<&'a str> {
        text_view(buffers, stored)
    }

    #[inline(always)]
    fn feed<H: Hasher>(query: &str, hasher: &mut H) {
        hasher.write(query.as_bytes());
    }

    #[inline(always)]
    fn hash(query: &str, key: &HashKey) -> u64 {
        key.hash_bytes(query.as_bytes())
    }
}
