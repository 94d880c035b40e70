//! What `#[derive(Record)]` expands to calls of; not for direct use.

pub use migrate;

pub use crate::raw::{bytes_of, value_of};

use migrate::{Body, FieldAttributes, Integer, SecretMode, Shape, TypeAttributes, TypeDescriptor, Variant};

use crate::describe::Describer;
use crate::field::{Field, Record};
use crate::migration::{IntoDown, IntoHook};

/// Refuses, while compiling, a type that does something when it is dropped: records are never dropped.
#[track_caller]
pub const fn assert_plain<T>() {
    assert!(!std::mem::needs_drop::<T>(), "a record may not implement Drop: records are never dropped");
}

/// Every type that implements `Drop` has this trait, and the derive gives it to every record: a type that is both
/// does not compile.
pub trait RecordsDoNotImplementDrop {}

#[allow(drop_bounds)] // the point of it
impl<T: Drop> RecordsDoNotImplementDrop for T {}

/// Whether one of a type's fields is an owner; asserts that the type is plain.
#[track_caller]
pub const fn any_owner<T>(fields: &[bool]) -> bool {
    assert_plain::<T>();
    let mut at = 0;
    while at < fields.len() {
        if fields[at] {
            return true;
        }
        at += 1;
    }
    false
}

/// Asserts, while compiling, that an enum is as large as a union of structs of these sizes and alignments.
#[track_caller]
pub const fn assert_union<T>(variants: &[(usize, usize)]) {
    let (mut size, mut align) = (0, 1);
    let mut at = 0;
    while at < variants.len() {
        if variants[at].0 > size {
            size = variants[at].0;
        }
        if variants[at].1 > align {
            align = variants[at].1;
        }
        at += 1;
    }
    assert!(
        size_of::<T>() == size.next_multiple_of(align) && align_of::<T>() == align,
        "the enum does not lie as its repr says"
    );
}

/// The tag of an enum.
pub trait Tag: Copy {
    /// How it lies.
    const INTEGER: Integer;

    /// Its bits, extended with zeros.
    fn bits(self) -> u128;
}

macro_rules! tags {
    ($($signed:ty => $unsigned:ty),*) => {$(
        tags!(@ $unsigned, $unsigned, false);
        tags!(@ $signed, $unsigned, true);
    )*};
    (@ $tag:ty, $unsigned:ty, $signed:literal) => {
        impl Tag for $tag {
            const INTEGER: Integer =
                Integer { width: size_of::<$tag>() as u8, signed: $signed, align: align_of::<$tag>() as u8 };

            #[allow(clippy::cast_sign_loss, clippy::cast_lossless)] // bits, not a value
            fn bits(self) -> u128 {
                self as $unsigned as u128
            }
        }
    };
}

tags!(i8 => u8, i16 => u16, i32 => u32, i64 => u64, i128 => u128);

/// The name of a type in the arguments of a generic type's name.
pub fn type_argument<T: Field>() -> String {
    Describer::shape_of::<T>().to_string()
}

/// The name of a type: `Pair<u32, text>`.
pub fn name_with(name: &str, arguments: &[String]) -> String {
    if arguments.is_empty() { name.to_owned() } else { format!("{name}<{}>", arguments.join(", ")) }
}

/// A struct's shape.
pub fn describe_struct<T: Record>(
    describer: &mut Describer,
    attributes: TypeAttributes,
    fields: impl FnOnce(&mut Describer) -> Vec<migrate::Field>,
) -> Shape {
    describe::<T>(describer, attributes, |describer| Body::Struct(fields(describer)))
}

/// An enum's shape.
pub fn describe_enum<T: Record, G: Tag>(
    describer: &mut Describer,
    attributes: TypeAttributes,
    variants: impl FnOnce(&mut Describer) -> Vec<Variant>,
) -> Shape {
    describe::<T>(describer, attributes, |describer| Body::Enum {
        tag_offset: 0,
        tag: G::INTEGER,
        variants: variants(describer),
    })
}

fn describe<T: Record>(
    describer: &mut Describer,
    attributes: TypeAttributes,
    body: impl FnOnce(&mut Describer) -> Body,
) -> Shape {
    describer.define::<T>(T::name(), |describer| TypeDescriptor {
        name: T::name(),
        size: narrow(size_of::<T>()),
        align: narrow(align_of::<T>()),
        body: body(describer),
        attributes,
    })
}

/// A field.
pub fn field(name: &str, offset: usize, shape: Shape, attributes: FieldAttributes) -> migrate::Field {
    migrate::Field { name: name.to_owned(), offset: narrow(offset), shape, attributes }
}

/// Sizes beyond 32 bits need not be told apart: the describer refuses far smaller ones.
fn narrow(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// A variant.
pub fn variant(name: &str, tag: u128, was: &[&str], fields: Vec<migrate::Field>) -> Variant {
    Variant { name: name.to_owned(), tag, fields, was: owned(was) }
}

/// What the program says about a field.
pub fn field_attributes(
    was: &[&str],
    from: Option<&str>,
    default: Option<&str>,
    secret: Option<SecretMode>,
) -> FieldAttributes {
    FieldAttributes { was: owned(was), from: from.map(str::to_owned), default: default.map(str::to_owned), secret }
}

/// What the program says about a type.
pub fn type_attributes(was: &[&str], dropped: &[&str], secret: Option<SecretMode>) -> TypeAttributes {
    TypeAttributes { was: owned(was), dropped: owned(dropped), secret }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Notes a hook of a type.
pub fn hook<N: Record, M>(describer: &mut Describer, hook: impl IntoHook<N, M>) {
    describer.hook(hook);
}

/// Notes a hook that makes old records of a type's.
pub fn down<N: Record, M>(describer: &mut Describer, hook: impl IntoDown<N, M>) {
    describer.down(hook);
}
