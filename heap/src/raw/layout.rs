//! What the compiler does with an `Option` of a primitive, found out and asserted while compiling: Rust promises
//! nothing about it.

#![allow(clippy::missing_transmute_annotations, reason = "the types stand in the line before")]
#![allow(unnecessary_transmutes, reason = "the bytes themselves are what is asked for")]

use std::mem::{MaybeUninit, transmute};

/// Options that have a tag before the value, for types of which any initialised bytes are a value.
macro_rules! assert_tagged {
    ($($value:ty)*) => {$(
        const _: () = {
            const SIZE: usize = size_of::<Option<$value>>();
            const VALUE: usize = size_of::<$value>();
            const TAG: usize = align_of::<$value>();
            assert!(SIZE == TAG + VALUE, "a tag as wide as the alignment, then the value");
            // SAFETY: any bytes are values of a number type.
            let number: $value = unsafe { transmute([0x5a_u8; VALUE]) };
            // SAFETY: any bytes are a `MaybeUninit<u8>`.
            let none: [MaybeUninit<u8>; SIZE] = unsafe { transmute(None::<$value>) };
            // SAFETY: as above.
            let some: [MaybeUninit<u8>; SIZE] = unsafe { transmute(Some(number)) };
            let lowest = if cfg!(target_endian = "little") { 0 } else { TAG - 1 };
            // What the descriptor says is what is there. Every byte of the tag is a byte that the compiler writes:
            // reading one that is not initialised is an error while compiling.
            let mut as_some = [0_u8; SIZE];
            let mut at = 0;
            while at < SIZE {
                as_some[at] = if at >= TAG { 0x5a } else { (at == lowest) as u8 };
                // SAFETY: initialised, or an error while compiling.
                assert!(unsafe { some[at].assume_init() } == as_some[at]);
                if at < TAG {
                    // SAFETY: as above.
                    assert!(unsafe { none[at].assume_init() } == 0);
                }
                at += 1;
            }
            // And bytes written by the descriptor, zeros where it says nothing, are what they should be.
            // SAFETY: bytes that are no value of the type are an error while compiling.
            let (none, some): (Option<$value>, Option<$value>) = unsafe { (transmute([0_u8; SIZE]), transmute(as_some)) };
            assert!(none.is_none() && some.is_some());
        };
    )*};
}

assert_tagged!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64);

/// Options whose `None` is a value that the inner type does not have: `None` and the value are whole numbers.
macro_rules! assert_niche {
    ($($value:ty as $number:ty: $none:literal, $some:expr;)*) => {$(
        const _: () = {
            let none: $number = $none;
            // SAFETY: these types are as large as the number and without padding; bytes that are no value are an
            // error while compiling.
            unsafe {
                let some: $number = transmute::<$value, $number>($some);
                assert!(transmute::<Option<$value>, $number>(None) == none);
                assert!(transmute::<Option<$value>, $number>(Some($some)) == some);
                assert!(transmute::<$number, Option<$value>>(none).is_none());
                assert!(transmute::<$number, Option<$value>>(some).is_some());
            }
        };
    )*};
}

assert_niche! {
    bool as u8: 2, false;
    bool as u8: 2, true;
    char as u32: 0x11_0000, '\0';
    char as u32: 0x11_0000, char::MAX;
    std::num::NonZeroU64 as u64: 0, std::num::NonZeroU64::MIN;
}
