//! The descriptor model.
//!
//! Offsets and sizes are in bytes and come by value from the compiler that built the program (`offset_of!`,
//! `size_of`), so descriptors of two compilers may differ for one source text. Identity is the declared name.

use rkyv::{Archive, Deserialize, Serialize};

/// The descriptors of a set of types, each name once, in the order in which they were defined.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema {
    /// The types.
    pub types: Vec<TypeDescriptor>,
}

/// A schema, and the shapes that slot headers and tables refer to by number.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
pub struct Registry {
    /// The types the shapes name.
    pub schema: Schema,
    /// Shape number `n` is `shapes[n]`: a record type, the element of a list, or a map.
    pub shapes: Vec<Shape>,
}

/// The layout of one named type.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct TypeDescriptor {
    /// Declared name, generic arguments included.
    pub name: String,
    /// Size in bytes, a multiple of `align`.
    pub size: u32,
    /// Alignment in bytes, a power of two.
    pub align: u32,
    /// Fields or variants.
    pub body: Body,
    /// What the program says about the type as a whole.
    pub attributes: TypeAttributes,
}

/// What a named type consists of.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A struct; a tuple struct has fields named `0`, `1`, ….
    Struct(Vec<Field>),
    /// An enum with an explicit integer `repr`.
    Enum {
        /// Offset of the tag, always 0 for the layouts Rust promises.
        tag_offset: u32,
        /// The tag's integer type.
        tag: Integer,
        /// The variants, in source order.
        variants: Vec<Variant>,
    },
}

/// One variant of an enum.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Declared name.
    pub name: String,
    /// The tag, as the tag type's bits extended with zeros.
    pub tag: u128,
    /// The payload; offsets count from the start of the enum.
    pub fields: Vec<Field>,
    /// Former names.
    pub was: Vec<String>,
}

/// One field of a struct or of a variant's payload.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Declared name.
    pub name: String,
    /// Offset in bytes from the start of the type.
    pub offset: u32,
    /// What lies there.
    pub shape: Shape,
    /// What the program says about the field.
    pub attributes: FieldAttributes,
}

/// An integer type as it lies in memory.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Integer {
    /// Width in bytes: 1, 2, 4, 8 or 16.
    pub width: u8,
    /// Two's complement?
    pub signed: bool,
    /// Alignment in bytes on the machine that wrote it.
    pub align: u8,
}

/// A floating-point type as it lies in memory.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Float {
    /// Width in bytes: 4 or 8.
    pub width: u8,
    /// Alignment in bytes on the machine that wrote it.
    pub align: u8,
}

/// What a field, an element or a record is.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Hash)]
#[rkyv(serialize_bounds(__S: rkyv::ser::Writer + rkyv::ser::Allocator, __S::Error: rkyv::rancor::Source))]
#[rkyv(deserialize_bounds(__D::Error: rkyv::rancor::Source))]
#[rkyv(bytecheck(bounds(__C: rkyv::validation::ArchiveContext, __C::Error: rkyv::rancor::Source)))]
pub enum Shape {
    /// An integer.
    Integer(Integer),
    /// A floating-point number.
    Float(Float),
    /// One byte, 0 or 1.
    Bool,
    /// Four bytes, a Unicode scalar value.
    Char,
    /// `count` elements side by side.
    Array {
        /// The element.
        #[rkyv(omit_bounds)]
        element: Box<Shape>,
        /// How many.
        count: u64,
    },
    /// A named type, by value.
    Inline(String),
    /// A reference (8 bytes, never zero) to a record of the named type.
    Reference(String),
    /// A handle (8 bytes, never zero) to immutable UTF-8; 1 is the empty text.
    Text,
    /// A handle (8 bytes, never zero) to immutable bytes; 1 is the empty value.
    Bytes,
    /// A handle (8 bytes, never zero) to a list.
    List(#[rkyv(omit_bounds)] Box<Shape>),
    /// A handle (8 bytes, never zero) to a hash map.
    Map {
        /// The key.
        #[rkyv(omit_bounds)]
        key: Box<Shape>,
        /// The value.
        #[rkyv(omit_bounds)]
        value: Box<Shape>,
    },
    /// A handle (8 bytes, never zero) to a sorted map.
    SortedMap {
        /// The key.
        #[rkyv(omit_bounds)]
        key: Box<Shape>,
        /// The value.
        #[rkyv(omit_bounds)]
        value: Box<Shape>,
    },
    /// A value or nothing.
    Option {
        /// The value.
        #[rkyv(omit_bounds)]
        inner: Box<Shape>,
        /// Size of the whole in bytes.
        size: u32,
        /// Alignment of the whole in bytes.
        align: u32,
        /// How nothing is told from something.
        tag: OptionTag,
    },
}

/// How an option says that it is nothing.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OptionTag {
    /// The integer of `width` bytes at `offset` has the value `none`; the inner value lies at offset 0.
    /// In a `None`, all other bytes are padding.
    Niche {
        /// Where in the option.
        offset: u32,
        /// Width in bytes.
        width: u8,
        /// The value that means nothing.
        none: u32,
    },
    /// The integer of `width` bytes at offset 0 is 0 for nothing and 1 for something; the inner value lies at
    /// `value_offset`.
    Tagged {
        /// Width of the tag in bytes.
        width: u8,
        /// Offset of the inner value.
        value_offset: u32,
    },
}

/// How a secret field is made harmless in a dump.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretMode {
    /// By what it is: numbers and bytes become zero, texts a token.
    Default,
    /// Zero.
    Zero,
    /// A token of fixed length: equal values stay equal within one field.
    Token,
    /// Left out.
    Drop,
}

/// What the program says about a field.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldAttributes {
    /// Former names.
    pub was: Vec<String>,
    /// Where the value of a field that moved comes from: a path of field names in the old record.
    pub from: Option<String>,
    /// The value a new field gets in old records, as its source text.
    pub default: Option<String>,
    /// The field may not leave the machine in a dump.
    pub secret: Option<SecretMode>,
}

/// What the program says about a type.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
pub struct TypeAttributes {
    /// Former names.
    pub was: Vec<String>,
    /// Fields whose values may be dropped.
    pub dropped: Vec<String>,
    /// No value of the type may leave the machine in a dump.
    pub secret: Option<SecretMode>,
}

/// Why a schema is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The archive's bytes are not an archive of this kind.
    #[error("the descriptors are not a valid archive: {0}")]
    Archive(String),
    /// The text is not one of this kind.
    #[error("the descriptors cannot be read: {0}")]
    Json(String),
    /// The descriptors contradict themselves or each other.
    #[error("{place}: {what}")]
    Inconsistent {
        /// The type, and the field where there is one.
        place: String,
        /// What is wrong.
        what: String,
    },
}
