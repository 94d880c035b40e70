//! What the compiler does with an `Option` of a primitive, found out and asserted while compiling: Rust promises
//! nothing about it.

use std::mem::{MaybeUninit, transmute};

use crate::format::handle::EMPTY;
use crate::handles::Text;

/// Options that have a tag before the value, for types of which any initialised bytes are a value: the tag is as wide as
/// the type's alignment.
macro_rules! assert_tagged {
    ($($value:ty)*) => {$(
        const _: () = {
            const SIZE: usize = size_of::<Option<$value>>();
            const VALUE: usize = size_of::<$value>();
            const TAG: usize = align_of::<$value>();
            assert!(SIZE == TAG + VALUE, "a tag as wide as the alignment, then the value");

            let mut as_some = [0x5a; SIZE];
            let mut at = 0;
            while at < TAG {
                as_some[at] = (at == if cfg!(target_endian = "little") { 0 } else { TAG - 1 }) as u8;
                at += 1;
            }
            // SAFETY: checked while compiling, where bytes that are no value of the type they are taken for, and bytes
            // of padding taken for a `u8`, are errors.
            unsafe {
                // What the compiler writes is what the descriptor says, the whole tag included.
                let value = <$value>::from_ne_bytes([0x5a; VALUE]);
                let some = transmute::<Option<$value>, [MaybeUninit<u8>; SIZE]>(Some(value));
                let none = transmute::<Option<$value>, [MaybeUninit<u8>; SIZE]>(None);
                let mut at = 0;
                while at < SIZE {
                    assert!(some[at].assume_init() == as_some[at]);
                    assert!(at >= TAG || none[at].assume_init() == 0);
                    at += 1;
                }
                // What is written by the descriptor, padding zeroed, is what the compiler takes it for.
                assert!(transmute::<[u8; SIZE], Option<$value>>([0; SIZE]).is_none());
                assert!(transmute::<[u8; SIZE], Option<$value>>(as_some).is_some());
            }
        };
    )*};
}

assert_tagged!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64);

/// What `None::<char>` is as a number: compilers differ in it, and a descriptor says it.
// SAFETY: an option of a char is four initialised bytes.
pub(crate) const CHAR_NONE: u32 = unsafe { transmute(None::<char>) };

const _: () = assert!(CHAR_NONE > char::MAX as u32);

/// Options whose `None` is a number that the inner type does not have.
macro_rules! assert_niche {
    ($($value:ty as $number:ty: None = $none:expr $(, $some:expr => $as_number:expr)*;)*) => {$($(
        const _: () = {
            let (none, some): ($number, $number) = ($none, $as_number);
            // SAFETY: checked while compiling, as above; transmuting checks that the sizes are equal.
            unsafe {
                assert!(transmute::<Option<$value>, $number>(None) == none);
                assert!(transmute::<Option<$value>, $number>(Some($some)) == some);
                assert!(transmute::<$number, Option<$value>>(none).is_none());
                assert!(transmute::<$number, Option<$value>>(some).is_some());
            }
        };
    )*)*};
}

assert_niche! {
    bool as u8: None = 2, false => 0, true => 1;
    char as u32: None = CHAR_NONE, '\0' => 0, char::MAX => char::MAX as u32;
    Text as u64: None = 0, Text::EMPTY => EMPTY;
}
