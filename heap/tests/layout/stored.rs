//! Values as bytes: each byte is where the descriptor says, and bytes written by the descriptor are the value.

use std::fmt::Debug;

use heap::derive::{bytes_of, value_of};
use heap::{Bytes, Describer, Field, Maybe, Record, Text};
use migrate::{Body, OptionTag, Shape};

use crate::types::*;

/// The bytes are the value again, and changing any byte of padding, or cutting one off, makes them none.
#[track_caller]
fn returns<T: Field + Debug + Copy + PartialEq>(value: T) -> Vec<u8> {
    let bytes = bytes_of(value).unwrap();
    assert_eq!(bytes.len(), size_of::<T>());
    assert_eq!(value_of::<T>(&bytes).unwrap(), value);
    assert!(value_of::<T>(&bytes[1..]).is_err());
    bytes
}

/// The integer of `width` bytes at `at`.
fn number(bytes: &[u8], at: u32, width: u8) -> u128 {
    let bytes = &bytes[at as usize..at as usize + usize::from(width)];
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u128::from(byte))
}

#[test]
fn every_option_of_a_primitive_is_as_described() {
    macro_rules! options {
        ($($value:ty: $($some:expr),*;)*) => {$(
            let description = Describer::describe_element::<Option<$value>>().unwrap();
            let Shape::Option { tag, size, align, .. } = description.elements[0].1 else { panic!("an option") };
            assert_eq!((size as usize, align as usize), (size_of::<Option<$value>>(), align_of::<Option<$value>>()));
            let nothing = returns(None::<$value>);
            match tag {
                OptionTag::Niche { offset, width, none } => assert_eq!(number(&nothing, offset, width), u128::from(none)),
                OptionTag::Tagged { .. } => assert!(nothing.iter().all(|&byte| byte == 0)),
            }
            let values: &[$value] = &[$($some),*];
            for &some in values {
                let bytes = returns(Some(some));
                let value_at = match tag {
                    OptionTag::Niche { offset, width, none } => {
                        assert_ne!(number(&bytes, offset, width), u128::from(none));
                        0
                    }
                    OptionTag::Tagged { width, value_offset } => {
                        assert_eq!(number(&bytes, 0, width), 1);
                        value_offset as usize
                    }
                };
                assert_eq!(bytes[value_at..value_at + size_of::<$value>()], bytes_of(some).unwrap());
            }
        )*};
    }
    options! {
        u8: 0, 1, u8::MAX; i8: 0, -1, i8::MIN; u16: 0, u16::MAX; i16: 0, -1; u32: 0, u32::MAX; i32: 0, -1;
        u64: 0, u64::MAX; i64: 0, i64::MIN; u128: 0, u128::MAX; i128: 0, -1;
        f32: 0.0, f32::MIN, f32::INFINITY; f64: -0.0, 1.5, f64::MAX;
        bool: false, true; char: '\0', 'ß', char::MAX; Text: Text::EMPTY; Bytes: Bytes::EMPTY;
    }
}

#[test]
fn maybe_is_a_byte_and_the_value() {
    let position = Position { level: 3, x: -2.5, y: 0.25 };
    let bytes = returns(Maybe::Just(position));
    assert_eq!(bytes[0], 1);
    assert_eq!(bytes[align_of::<Position>()..], bytes_of(position).unwrap());
    assert!(returns(Maybe::<Position>::Nothing).iter().all(|&byte| byte == 0));
    assert!(value_of::<Maybe<Position>>(&[2; size_of::<Maybe<Position>>()]).is_err());
}

/// Finds the variant whose tag the bytes carry, and returns its name and the bytes of its fields.
fn taken_apart<T: Record>(bytes: &[u8]) -> (String, Vec<Vec<u8>>) {
    let description = Describer::describe::<T>().unwrap();
    let sizes = |shape: &Shape| shape.size_align(&description.schema).unwrap().0 as usize;
    let described = description.schema.types.iter().find(|described| described.name == T::name()).unwrap();
    let Body::Enum { tag_offset, tag, variants } = &described.body else { panic!("an enum") };
    let found = number(bytes, *tag_offset, tag.width);
    let variant = variants.iter().find(|variant| variant.tag == found).unwrap();
    let fields = variant.fields.iter().map(|field| {
        let at = field.offset as usize;
        bytes[at..at + sizes(&field.shape)].to_vec()
    });
    (variant.name.clone(), fields.collect())
}

#[test]
fn a_payload_is_where_the_descriptor_says() {
    let position = Position { level: 1, x: 2.0, y: 3.0 };
    let of = |value: Task| taken_apart::<Task>(&returns(value));
    let bytes = |parts: &[Vec<u8>]| parts.to_vec();
    assert_eq!(of(Task::Nothing), ("Nothing".into(), vec![]));
    let wait = bytes(&[bytes_of(7_u32).unwrap(), bytes_of(true).unwrap()]);
    assert_eq!(of(Task::Wait { seconds: 7, exact: true }), ("Wait".into(), wait));
    let visit = bytes(&[bytes_of(position).unwrap(), bytes_of(Some(8_u16)).unwrap()]);
    assert_eq!(of(Task::Visit(position, Some(8))), ("Visit".into(), visit));
    let write = bytes(&[bytes_of(Text::EMPTY).unwrap(), vec![0; 8]]);
    assert_eq!(of(Task::Write(Text::EMPTY, None)), ("Write".into(), write));

    let of = |value: Wide<u16>| taken_apart::<Wide<u16>>(&returns(value));
    assert_eq!(of(Wide::Small(1)), ("Small".into(), vec![vec![1]]));
    assert_eq!(of(Wide::Any(0x0302)), ("Any".into(), vec![bytes_of(0x0302_u16).unwrap()]));
    assert_eq!(of(Wide::Two(1, 0x0302)), ("Two".into(), vec![vec![1], bytes_of(0x0302_u16).unwrap()]));
    assert_eq!(taken_apart::<Widest>(&returns(Widest::Some(4))), ("Some".into(), vec![vec![4]]));
}

#[test]
fn every_width_of_a_tag_lies_as_described() {
    macro_rules! tags {
        ($($name:ident)*) => {$(
            let bare = taken_apart::<$name>(&returns($name::Bare));
            assert_eq!(bare, ("Bare".into(), vec![]));
            let odd = taken_apart::<$name>(&returns($name::Odd(9, 0x0102_0304)));
            assert_eq!(odd, ("Odd".into(), vec![vec![9], bytes_of(0x0102_0304_u32).unwrap()]));
        )*};
    }
    tags!(TagU8 TagU16 TagU32 TagU64 TagU128 TagI8 TagI16 TagI32 TagI64 TagI128);
    for plain in [Plain::Zero, Plain::Five, Plain::Six, Plain::Last] {
        assert_eq!(returns(plain), [plain as u8]);
    }
    for signed in [Signed::Below, Signed::Next, Signed::Above] {
        assert_eq!(returns(signed), (signed as i16).to_ne_bytes());
    }
}

#[test]
fn bytes_that_are_no_value_are_refused() {
    assert!(value_of::<bool>(&[2]).is_err());
    assert!(value_of::<char>(&0xd800_u32.to_ne_bytes()).is_err());
    assert!(value_of::<Plain>(&[1]).is_err());
    assert!(value_of::<Text>(&[0; 8]).is_err());
    assert!(value_of::<Option<u32>>(&[1, 1, 0, 0, 0, 0, 0, 0]).is_err(), "the tag is all four bytes");
    assert!(value_of::<Option<u32>>(&[0, 0, 0, 0, 1, 0, 0, 0]).is_err(), "behind nothing is padding");
    let mut task = bytes_of(Task::Nothing).unwrap();
    *task.last_mut().unwrap() = 1;
    assert!(value_of::<Task>(&task).is_err(), "behind a variant without fields is padding");
}
