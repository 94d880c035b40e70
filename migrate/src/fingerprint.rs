//! Fingerprints of layouts.
//!
//! A fingerprint is the start of the BLAKE3 hash of a canonical encoding. Equal fingerprints mean equal layouts: the
//! same names, sizes, alignments, offsets, shapes and tags, and the same values kept secret. What else the program says
//! about a type (former names, defaults) is advice for one migration and does not count, nor does any order: types and
//! fields count by name, variants by tag.
//!
//! Encoding: numbers are little-endian, strings and sequences have their length before them, each shape begins with a
//! byte that says what it is and how many shapes follow. So no encoding is the beginning of another.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use crate::schema::{Body, Field, Integer, OptionTag, Schema, SecretMode, Shape, TypeDescriptor, Variant};

/// The hash of a layout. `{}` writes its first 8 hexadecimal digits, `{:#}` all 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 16]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if f.alternate() { 16 } else { 4 };
        self.0[..shown].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Schema {
    /// The fingerprint of all types together.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut types: Vec<_> = self.types.iter().map(encode_type).collect();
        types.sort_unstable();
        hash("heap 2026 schema fingerprint", &types)
    }
}

impl TypeDescriptor {
    /// The fingerprint of the type and of every type whose values lie in it: its fields, and the lists and maps that
    /// it owns. Only references lead out of it.
    ///
    /// Each type counts once, so descriptors that hold each other in a circle, which no program has, end too.
    pub fn fingerprint(&self, schema: &Schema) -> Fingerprint {
        let by_name: HashMap<&str, &Self> =
            schema.types.iter().map(|described| (&*described.name, described)).collect();
        // Of each name found, the encoding; empty where the schema has no such type.
        let mut held: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        let mut open = vec![self];
        while let Some(described) = open.pop() {
            for name in described.held() {
                if held.contains_key(name) {
                    continue;
                }
                let inner = by_name.get(name).copied();
                held.insert(name, inner.map(encode_type).unwrap_or_default());
                open.extend(inner);
            }
        }
        let encodings: Vec<_> = std::iter::once(encode_type(self)).chain(held.into_values()).collect();
        hash("heap 2026 type fingerprint", &encodings)
    }
}

fn hash(context: &str, encodings: &[Vec<u8>]) -> Fingerprint {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for encoding in encodings {
        hasher.update(&(encoding.len() as u64).to_le_bytes());
        hasher.update(encoding);
    }
    let mut fingerprint = [0; 16];
    fingerprint.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Fingerprint(fingerprint)
}

fn encode_type(described: &TypeDescriptor) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_text(&mut bytes, &described.name);
    put_number(&mut bytes, described.size.into());
    put_number(&mut bytes, described.align.into());
    bytes.push(secret_byte(described.attributes.secret));
    match &described.body {
        Body::Struct(fields) => {
            bytes.push(0);
            put_fields(&mut bytes, fields);
        }
        Body::Enum { tag_offset, tag, variants } => {
            bytes.push(1);
            put_number(&mut bytes, (*tag_offset).into());
            put_integer(&mut bytes, *tag);
            let mut variants: Vec<&Variant> = variants.iter().collect();
            variants.sort_by_key(|variant| (variant.tag, &variant.name));
            put_number(&mut bytes, variants.len() as u64);
            for variant in variants {
                put_text(&mut bytes, &variant.name);
                bytes.extend(variant.tag.to_le_bytes());
                put_fields(&mut bytes, &variant.fields);
            }
        }
    }
    bytes
}

fn put_fields(bytes: &mut Vec<u8>, fields: &[Field]) {
    let mut fields: Vec<&Field> = fields.iter().collect();
    fields.sort_by_key(|field| (&field.name, field.offset));
    put_number(bytes, fields.len() as u64);
    for field in fields {
        put_text(bytes, &field.name);
        put_number(bytes, field.offset.into());
        bytes.push(secret_byte(field.attributes.secret));
        put_shape(bytes, &field.shape);
    }
}

fn put_shape(bytes: &mut Vec<u8>, shape: &Shape) {
    let mut open = vec![shape];
    while let Some(shape) = open.pop() {
        match shape {
            Shape::Integer(integer) => {
                bytes.push(0);
                put_integer(bytes, *integer);
            }
            Shape::Float(float) => bytes.extend([1, float.width, float.align]),
            Shape::Bool => bytes.push(2),
            Shape::Char => bytes.push(3),
            Shape::Array { count, .. } => {
                bytes.push(4);
                put_number(bytes, *count);
            }
            Shape::Inline(name) => {
                bytes.push(5);
                put_text(bytes, name);
            }
            Shape::Reference(name) => {
                bytes.push(6);
                put_text(bytes, name);
            }
            Shape::Text => bytes.push(7),
            Shape::Bytes => bytes.push(8),
            Shape::List(_) => bytes.push(9),
            Shape::Map { .. } => bytes.push(10),
            Shape::SortedMap { .. } => bytes.push(11),
            Shape::Option { size, align, tag, .. } => {
                bytes.push(12);
                put_number(bytes, (*size).into());
                put_number(bytes, (*align).into());
                put_option_tag(bytes, *tag);
            }
        }
        open.extend(shape.parts().rev());
    }
}

fn put_option_tag(bytes: &mut Vec<u8>, tag: OptionTag) {
    match tag {
        OptionTag::Niche { offset, width, none } => {
            bytes.extend([0, width]);
            put_number(bytes, offset.into());
            put_number(bytes, none.into());
        }
        OptionTag::Tagged { width, value_offset } => {
            bytes.extend([1, width]);
            put_number(bytes, value_offset.into());
        }
    }
}

fn put_integer(bytes: &mut Vec<u8>, integer: Integer) {
    bytes.extend([integer.width, integer.signed.into(), integer.align]);
}

fn put_number(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend(number.to_le_bytes());
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_number(bytes, text.len() as u64);
    bytes.extend(text.as_bytes());
}

const fn secret_byte(secret: Option<SecretMode>) -> u8 {
    match secret {
        None => 0,
        Some(SecretMode::Default) => 1,
        Some(SecretMode::Zero) => 2,
        Some(SecretMode::Token) => 3,
        Some(SecretMode::Drop) => 4,
    }
}

#[cfg(test)]
mod tests;
