//! References and handles: 64 bits that name a record, text, list or map of one heap.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::num::NonZeroU64;

use crate::field::{Field, Key, Record};
use crate::format::handle::{EMPTY, Handle};

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident<$($parameter:ident),*>) => {
        $(#[$doc])*
        #[repr(transparent)]
        pub struct $name<$($parameter),*> {
            bits: NonZeroU64,
            names: PhantomData<fn() -> ($($parameter,)*)>,
        }

        impl<$($parameter),*> $name<$($parameter),*> {
            /// The handle with these bits, which are not zero.
            #[inline(always)]
            pub(crate) const fn from_bits(bits: u64) -> Self {
                match NonZeroU64::new(bits) {
                    Some(bits) => Self { bits, names: PhantomData },
                    None => panic!("the bits of a handle are never zero"),
                }
            }

            /// The 64 bits: generation, region and index.
            #[inline(always)]
            pub const fn to_bits(self) -> u64 {
                self.bits.get()
            }
        }

        impl<$($parameter),*> Copy for $name<$($parameter),*> {}

        #[allow(clippy::expl_impl_clone_on_copy, reason = "a derive would ask that the parameters be Clone")]
        impl<$($parameter),*> Clone for $name<$($parameter),*> {
            #[inline(always)]
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$($parameter),*> PartialEq for $name<$($parameter),*> {
            #[inline(always)]
            fn eq(&self, other: &Self) -> bool {
                self.bits == other.bits
            }
        }

        impl<$($parameter),*> Eq for $name<$($parameter),*> {}

        impl<$($parameter),*> Hash for $name<$($parameter),*> {
            fn hash<S: Hasher>(&self, state: &mut S) {
                self.bits.hash(state);
            }
        }
    };
}

fn write_debug(f: &mut fmt::Formatter<'_>, name: &str, bits: u64) -> fmt::Result {
    if bits == EMPTY {
        return write!(f, "{name}(empty)");
    }
    let Handle { generation, region, index } = Handle::from_bits(bits);
    write!(f, "{name}({region}:{index}, generation {generation})")
}

handle! {
    /// A reference to a record of type `T`: its generation, region and slot, 8 bytes, never zero, `Copy`.
    ///
    /// It stays the same for the record's whole life, through migrations too. A reference whose record is gone, or that
    /// belongs to another heap, gives an error when it is followed, never another value of another type.
    Ref<T>
}

handle! {
    /// A handle to a list of elements of type `T`, which the list's owner holds. See the methods, and
    /// [`Transaction::list`](crate::Transaction::list).
    List<T>
}

handle! {
    /// A handle to a hash map, which the map's owner holds.
    Map<K, V>
}

handle! {
    /// A handle to a map that keeps its keys in order, which the map's owner holds.
    SortedMap<K, V>
}

handle! {
    /// A handle to immutable UTF-8, which the text's owner holds. See
    /// [`Transaction::text`](crate::Transaction::text).
    Text<>
}

handle! {
    /// A handle to immutable bytes, which their owner holds. See
    /// [`Transaction::bytes`](crate::Transaction::bytes).
    Bytes<>
}

impl Text {
    /// The empty text. It takes no room and needs no owner.
    pub const EMPTY: Self = Self::from_bits(EMPTY);
}

impl Bytes {
    /// No bytes. They take no room and need no owner.
    pub const EMPTY: Self = Self::from_bits(EMPTY);
}

impl Default for Text {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<T: Record> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_debug(f, &format!("Ref<{}>", T::name()), self.to_bits())
    }
}

impl<T: Field> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_debug(f, "List", self.to_bits())
    }
}

impl<K: Key, V: Field> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_debug(f, "Map", self.to_bits())
    }
}

impl<K: Key, V: Field> fmt::Debug for SortedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_debug(f, "SortedMap", self.to_bits())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_debug(f, "Text", self.to_bits())
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_debug(f, "Bytes", self.to_bits())
    }
}
