//! The records of the laws, written out as the derive writes them.

use migrate::{Body, Field as Member, Shape, TypeDescriptor};

use super::field::{Field, Record};
use crate::{Bytes, Describer, List, Map, Ref, SortedMap, Text};

macro_rules! record {
    ($name:ident as $declared:literal { $($field:ident: $kind:ty),* }) => {
        pub(crate) struct $name {
            $(pub(crate) $field: $kind),*
        }

        // SAFETY: offsets, size and alignment are the compiler's own; every field describes itself.
        unsafe impl Field for $name {
            const OWNER: bool = false $(|| <$kind as Field>::OWNER)*;

            fn describe(describer: &mut Describer) -> Shape {
                describer.define::<Self>($declared.to_owned(), |describer| TypeDescriptor {
                    name: $declared.to_owned(),
                    size: size_of::<Self>() as u32,
                    align: align_of::<Self>() as u32,
                    attributes: Default::default(),
                    body: Body::Struct(vec![$(Member {
                        name: stringify!($field).to_owned(),
                        offset: std::mem::offset_of!(Self, $field) as u32,
                        shape: <$kind as Field>::describe(describer),
                        attributes: Default::default(),
                    }),*]),
                })
            }
        }

        // SAFETY: as above.
        unsafe impl Record for $name {
            fn name() -> String {
                $declared.to_owned()
            }
        }
    };
}

record!(Board as "Board" { commits: u64, items: List<Ref<Item>> });
record!(Item as "Item" { id: u64, value: u64, name: Text, data: Bytes, next: Option<Ref<Item>>, done: bool });
record!(Left as "Left" { id: u64, name: Text });
record!(Right as "Right" { id: u32, done: bool, other: Option<Ref<Left>> });
record!(Wide as "Wide" { words: [u64; 160] });
record!(OldPart as "Part" { id: u32, name: Text, sizes: List<u16>, next: Option<Ref<OldPart>> });
record!(Names as "Names" { by_name: Map<Text, u64>, by_number: SortedMap<u32, Text> });
record!(Uneven as "Uneven" { a: u32, b: u64 });
record!(NewPart as "Part" { weight: f64, id: u64, sizes: List<u32>, name: Text, next: Option<Ref<NewPart>> });
record!(OldGrown as "Grown" { id: u32, filler: [u64; 160], next: Option<Ref<OldGrown>> });
record!(NewGrown as "Grown" { filler: [u64; 160], id: u64, next: Option<Ref<NewGrown>> });
record!(OldLid as "Lid" { names: List<u16> });
record!(NewLid as "Lid" { names: List<u32> });
record!(OldBox as "Box" { id: u32, lid: Ref<OldLid>, index: Map<u32, Text> });
record!(NewBox as "Box" { lid: NewLid, index: SortedMap<u64, Text>, id: u64 });
