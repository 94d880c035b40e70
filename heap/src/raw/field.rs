//! The types that records are made of.

use migrate::{Float, Integer, OptionTag, Shape};

use crate::describe::Describer;
use crate::handles::{Bytes, List, Map, Ref, SortedMap, Text};
use crate::key::{FixedKey, KeyBytes};

/// A type that a record's field, a list's element or a map's value may have.
///
/// All integers of fixed width, floats, `bool`, `char`, arrays, [`Ref`], [`Text`], [`Bytes`], [`List`], [`Map`],
/// [`SortedMap`], `Option` of references, handles and primitives, [`Maybe`], and everything with `#[derive(Record)]`.
///
/// # Safety
/// The shape that `describe` returns is how the compiler lays the type out; every value that the shape admits is one
/// of the type; [`OWNER`](Field::OWNER) is right. The derive keeps to that.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept in a heap",
    label = "not a field type",
    note = "use `Text` for strings, `Bytes` for byte vectors, `List<T>` for vectors, `Map<K, V>` or `SortedMap<K, V>` \
            for maps, `Ref<T>` for boxes and references, `u64` for `usize`",
    note = "use `Maybe<T>` for an `Option` of a struct, an enum or an array",
    note = "put `#[derive(Record)]` on structs and enums of your own"
)]
pub unsafe trait Field: Sized + Send + Sync + 'static {
    /// Whether a value holds handles of texts, bytes, lists or maps, which it owns, anywhere inline.
    const OWNER: bool;

    /// Describes the type, and every type it names.
    fn describe(describer: &mut Describer) -> Shape;
}

/// A struct or enum with `#[derive(Record)]`: it can be stored, and referred to by [`Ref`].
///
/// # Safety
/// As for [`Field`]; the shape is [`Shape::Inline`] of [`name`](Record::name).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no record",
    label = "not a record",
    note = "put `#[derive(Record)]` on the struct or enum; a type parameter takes the bound `Record`"
)]
pub unsafe trait Record: Field {
    /// The declared name, generic arguments included: the type's identity in the heap.
    fn name() -> String;
}

/// A type that can be the key of a map: integers, `bool`, `char`, [`Ref`], arrays of these, and [`Text`].
///
/// A map is asked by a `&K::Query`: a `&str` where its keys are texts, a reference to the key otherwise.
///
/// # Safety
/// Its values have a canonical byte form without padding.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of a map",
    label = "not a key type",
    note = "keys are integers, `bool`, `char`, `Ref<T>`, arrays of these, and `Text`; floats have no canonical bytes"
)]
pub unsafe trait Key: Field + KeyBytes + Copy {}

macro_rules! fields {
    ($($field:ty: $shape:expr;)*) => {$(
        // SAFETY: primitives of fixed width; every bit pattern that the shape admits is a value.
        unsafe impl Field for $field {
            const OWNER: bool = false;

            fn describe(_: &mut Describer) -> Shape {
                $shape
            }
        }
    )*};
}

const fn integer(width: usize, signed: bool, align: usize) -> Shape {
    Shape::Integer(Integer { width: width as u8, signed, align: align as u8 })
}

const fn float(width: usize, align: usize) -> Shape {
    Shape::Float(Float { width: width as u8, align: align as u8 })
}

fields! {
    u8: integer(1, false, 1);
    u16: integer(2, false, align_of::<u16>());
    u32: integer(4, false, align_of::<u32>());
    u64: integer(8, false, align_of::<u64>());
    u128: integer(16, false, align_of::<u128>());
    i8: integer(1, true, 1);
    i16: integer(2, true, align_of::<i16>());
    i32: integer(4, true, align_of::<i32>());
    i64: integer(8, true, align_of::<i64>());
    i128: integer(16, true, align_of::<i128>());
    f32: float(4, align_of::<f32>());
    f64: float(8, align_of::<f64>());
    bool: Shape::Bool;
    char: Shape::Char;
}

macro_rules! tagged_options {
    ($($value:ty)*) => {$(
        // SAFETY: the layout is asserted in `raw::layout`.
        unsafe impl Field for Option<$value> {
            const OWNER: bool = false;

            fn describe(describer: &mut Describer) -> Shape {
                option::<Self>(
                    <$value>::describe(describer),
                    OptionTag::Tagged {
                        width: align_of::<$value>() as u8,
                        value_offset: align_of::<$value>() as u32,
                    },
                )
            }
        }
    )*};
}

tagged_options!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64);

fn option<T>(inner: Shape, tag: OptionTag) -> Shape {
    Shape::Option { inner: Box::new(inner), size: size_of::<T>() as u32, align: align_of::<T>() as u32, tag }
}

// SAFETY: the layout is asserted in `raw::layout`.
unsafe impl Field for Option<bool> {
    const OWNER: bool = false;

    fn describe(_: &mut Describer) -> Shape {
        option::<Self>(Shape::Bool, OptionTag::Niche { offset: 0, width: 1, none: 2 })
    }
}

// SAFETY: the layout is asserted in `raw::layout`.
unsafe impl Field for Option<char> {
    const OWNER: bool = false;

    fn describe(_: &mut Describer) -> Shape {
        option::<Self>(Shape::Char, OptionTag::Niche { offset: 0, width: 4, none: super::layout::CHAR_NONE })
    }
}

macro_rules! handles {
    ($([$($parameter:ident: $bound:path),*] $handle:ty, $owner:literal, |$describer:ident| $shape:expr;)*) => {$(
        // SAFETY: a handle is a number that is never zero; every other is one, good or stale.
        unsafe impl<$($parameter: $bound),*> Field for $handle {
            const OWNER: bool = $owner;

            fn describe($describer: &mut Describer) -> Shape {
                $shape
            }
        }

        // SAFETY: as above; zero is `None`, as for every option of a `repr(transparent)` of a number that is never
        // zero.
        unsafe impl<$($parameter: $bound),*> Field for Option<$handle> {
            const OWNER: bool = $owner;

            fn describe(describer: &mut Describer) -> Shape {
                option::<Self>(<$handle>::describe(describer), OptionTag::Niche { offset: 0, width: 8, none: 0 })
            }
        }
    )*};
}

handles! {
    [T: Record] Ref<T>, false, |describer| Shape::Reference(describer.record::<T>());
    [] Text, true, |_describer| Shape::Text;
    [] Bytes, true, |_describer| Shape::Bytes;
    [T: Field] List<T>, true, |describer| Shape::List(Box::new(describer.element::<T>()));
    [K: Key, V: Field] Map<K, V>, true, |describer| describer.map::<Self, K, V>(|key, value| Shape::Map { key, value });
    [K: Key, V: Field] SortedMap<K, V>, true, |describer| describer.map::<Self, K, V>(|key, value| Shape::SortedMap { key, value });
}

// SAFETY: elements side by side.
unsafe impl<T: Field, const N: usize> Field for [T; N] {
    const OWNER: bool = T::OWNER;

    fn describe(describer: &mut Describer) -> Shape {
        Shape::Array { element: Box::new(T::describe(describer)), count: N as u64 }
    }
}

/// A value or nothing, for values whose `Option` has no layout that Rust promises: structs, enums, arrays.
///
/// ```
/// use heap::Maybe;
/// let maybe: Maybe<[u8; 2]> = Some([1, 2]).into();
/// assert_eq!(maybe.as_ref(), Some(&[1, 2]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(C, u8)]
pub enum Maybe<T> {
    /// Nothing.
    #[default]
    Nothing,
    /// A value.
    Just(T),
}

impl<T> Maybe<T> {
    /// The value, by reference.
    pub const fn as_ref(&self) -> Option<&T> {
        match self {
            Self::Nothing => None,
            Self::Just(value) => Some(value),
        }
    }

    /// The value, for changing it.
    pub const fn as_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Nothing => None,
            Self::Just(value) => Some(value),
        }
    }

    /// The value.
    pub fn into_option(self) -> Option<T> {
        match self {
            Self::Nothing => None,
            Self::Just(value) => Some(value),
        }
    }
}

impl<T> From<Option<T>> for Maybe<T> {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::Nothing, Self::Just)
    }
}

impl<T> From<Maybe<T>> for Option<T> {
    fn from(maybe: Maybe<T>) -> Self {
        maybe.into_option()
    }
}

// SAFETY: `repr(C, u8)` is a byte, then the union of the payloads at the next multiple of its alignment (RFC 2195).
unsafe impl<T: Field> Field for Maybe<T> {
    const OWNER: bool = T::OWNER;

    fn describe(describer: &mut Describer) -> Shape {
        let value_offset = align_of::<T>() as u32;
        option::<Self>(T::describe(describer), OptionTag::Tagged { width: 1, value_offset })
    }
}

macro_rules! keys {
    ($([$($parameter:ident: $bound:path),*] $key:ty;)*) => {$(
        // SAFETY: numbers, or handles whose contents are canonical.
        unsafe impl<$($parameter: $bound),*> Key for $key {}
    )*};
}

keys! {
    [] u8; [] u16; [] u32; [] u64; [] u128; [] i8; [] i16; [] i32; [] i64; [] i128; [] bool; [] char;
    [] Text;
    [T: Record] Ref<T>;
}

// SAFETY: elements side by side, without padding between them.
unsafe impl<K: Key + FixedKey, const N: usize> Key for [K; N] {}
