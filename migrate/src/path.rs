//! Names of places inside values.

use std::fmt::Write;

use crate::layout::{ByteOrder, TypeIndex};
use crate::schema::{Body, Field, OptionTag, Shape};

/// The path of field names and positions to the byte at `offset` of a value: `owner.tags[3]`, empty for the whole.
///
/// In enums the path goes through the variant that the tag in `bytes` names. Stops where the bytes are padding.
pub fn field_path(index: &TypeIndex<'_>, shape: &Shape, bytes: &[u8], order: ByteOrder, offset: usize) -> String {
    let mut path = String::new();
    let (mut shape, mut start) = (shape, 0);
    while let Some((inner, at)) = step(index, shape, bytes, order, start, offset, &mut path) {
        (shape, start) = (inner, at);
    }
    path
}

/// One step inwards from the value of `shape` at `start`: the shape and place that hold `offset`.
fn step<'a>(
    index: &TypeIndex<'a>,
    shape: &'a Shape,
    bytes: &[u8],
    order: ByteOrder,
    start: usize,
    offset: usize,
    path: &mut String,
) -> Option<(&'a Shape, usize)> {
    match shape {
        Shape::Array { element, count } => {
            let size = index.size_align(element)?.0 as usize;
            let position = (offset - start).checked_div(size).filter(|&position| (position as u64) < *count)?;
            // Writing into a string does not fail.
            let _ = write!(path, "[{position}]");
            Some((element, start + position * size))
        }
        Shape::Option { inner, tag, .. } => {
            let at = match tag {
                OptionTag::Niche { .. } => start,
                OptionTag::Tagged { value_offset, .. } => start + *value_offset as usize,
            };
            holds(index, inner, at, offset).then_some((&**inner, at))
        }
        Shape::Inline(name) => {
            let fields = match &index.get(name)?.body {
                Body::Struct(fields) => fields,
                Body::Enum { tag_offset, tag, variants } => {
                    let at = start + *tag_offset as usize;
                    let found = order.unsigned(bytes.get(at..at + usize::from(tag.width))?);
                    &variants.iter().find(|variant| variant.tag == found)?.fields
                }
            };
            let field = fields.iter().find(|field| holds_field(index, field, start, offset))?;
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&field.name);
            Some((&field.shape, start + field.offset as usize))
        }
        _ => None,
    }
}

fn holds_field(index: &TypeIndex<'_>, field: &Field, start: usize, offset: usize) -> bool {
    holds(index, &field.shape, start + field.offset as usize, offset)
}

fn holds(index: &TypeIndex<'_>, shape: &Shape, at: usize, offset: usize) -> bool {
    let size = index.size_align(shape).map_or(0, |measured| measured.0 as usize);
    (at..at + size).contains(&offset)
}
