//! Record types for the tests of maps, with their descriptors written out by hand.

use migrate::{Body, TypeDescriptor};

use crate::describe::Describer;
use crate::field::{Field, Maybe, Record};
use crate::handles::{List, Map, Ref, SortedMap, Text};

macro_rules! record {
    ($name:ident { $($field:ident: $ty:ty),* $(,)? }) => {
        pub(crate) struct $name { $(pub(crate) $field: $ty),* }

        // SAFETY: the descriptor takes size, alignment and offsets from the compiler.
        unsafe impl Field for $name {
            const OWNER: bool = false $(|| <$ty as Field>::OWNER)*;

            fn describe(describer: &mut Describer) -> migrate::Shape {
                describer.define::<Self>(stringify!($name).to_owned(), |describer| TypeDescriptor {
                    name: stringify!($name).to_owned(),
                    size: size_of::<Self>() as u32,
                    align: align_of::<Self>() as u32,
                    attributes: Default::default(),
                    body: Body::Struct(vec![$(migrate::Field {
                        name: stringify!($field).to_owned(),
                        offset: std::mem::offset_of!(Self, $field) as u32,
                        shape: <$ty as Field>::describe(describer),
                        attributes: Default::default(),
                    }),*]),
                })
            }
        }

        // SAFETY: as above.
        unsafe impl Record for $name {
            fn name() -> String {
                stringify!($name).to_owned()
            }
        }
    };
}

record!(Item { id: u64 });
record!(Padded { small: u8, large: u64, note: Option<Text>, wide: Maybe<[u16; 5]> });
record!(Hashed {
    numbers: Map<u64, u64>,
    texts: Map<Text, Text>,
    lists: Map<Ref<Item>, List<Text>>,
    padded: Map<[u16; 3], Padded>,
});
record!(Sorted {
    numbers: SortedMap<u64, u64>,
    texts: SortedMap<Text, Text>,
    lists: SortedMap<Ref<Item>, List<Text>>,
    padded: SortedMap<[u16; 3], Padded>,
});
record!(Nested { maps: Map<u32, SortedMap<Text, Map<i64, Text>>>, other: Option<Map<u64, u64>> });
