//! What the compiler does with an `Option` of a primitive, found out and asserted while compiling.

use std::mem::MaybeUninit;

/// How an `Option<T>` without a niche lies: the tag's width and the value's offset, both the alignment of `T`.
///
/// The tag is the whole integer before the value: the assertion reads every byte of it, which the compiler refuses
/// to do while compiling if one were padding.
macro_rules! assert_tagged {
    ($($value:ty)*) => {$(
        const _: () = {
            assert!(size_of::<Option<$value>>() == 2 * align_of::<$value>() || size_of::<$value>() != align_of::<$value>());
            const SIZE: usize = size_of::<Option<$value>>();
            // SAFETY: any bytes are a `MaybeUninit<u8>`.
            let none: [MaybeUninit<u8>; SIZE] = unsafe { std::mem::transmute(None::<$value>) };
            // SAFETY: any bytes but padding are a value of a number type.
            let some: [MaybeUninit<u8>; SIZE] = unsafe { std::mem::transmute(Some(0 as $value)) };
            let mut at = 0;
            while at < SIZE - size_of::<$value>() {
                // SAFETY: checked while compiling, where reading a byte that is not initialised is an error.
                let (none, some) = unsafe { (none[at].assume_init(), some[at].assume_init()) };
                let lowest = if cfg!(target_endian = "little") { 0 } else { SIZE - size_of::<$value>() - 1 };
                assert!(none == 0 && some == (at == lowest) as u8);
                at += 1;
            }
            while at < SIZE {
                // SAFETY: as above.
                assert!(unsafe { some[at].assume_init() } == 0);
                at += 1;
            }
        };
    )*};
}

assert_tagged!(u8 u16 u32 u64 i8 i16 i32 i64 f32 f64);

const _: () = {
    // SAFETY: a `bool`, and an option of one, is one initialised byte.
    let [none, no, yes]: [u8; 3] = unsafe { std::mem::transmute([None, Some(false), Some(true)]) };
    assert!(none == 2 && no == 0 && yes == 1);
    // SAFETY: a `char`, and an option of one, is four initialised bytes.
    let [none, a]: [u32; 2] = unsafe { std::mem::transmute([None, Some('a')]) };
    assert!(none == 0x11_0000 && a == 'a' as u32);
    // SAFETY: so is an option of a number that is never zero.
    let none: u64 = unsafe { std::mem::transmute(None::<std::num::NonZeroU64>) };
    assert!(none == 0);
};

/// Width of the tag of an `Option<u128>` in bytes: how many bytes before the value are initialised in `None`.
pub(crate) const WIDE_TAG: u8 = 16;

const _: () = {
    // SAFETY: any bytes are a `MaybeUninit<u8>`.
    let none: [MaybeUninit<u8>; 32] = unsafe { std::mem::transmute(None::<u128>) };
    let mut at = 0;
    while at < WIDE_TAG as usize {
        // SAFETY: as in `assert_tagged`.
        assert!(unsafe { none[at].assume_init() } == 0);
        at += 1;
    }
};
