//! Old values as people write them.

use std::fmt::Write;

use crate::layout::{ByteOrder, MAX_DEPTH, TypeIndex};
use crate::schema::{Body, Field, OptionTag, Shape};

/// About how long a value is written at most, in bytes.
pub(super) const MAX_LEN: usize = 60;

/// The old value at `at`; `name` writes what a handle names. Longer ones end in an ellipsis.
pub(super) fn written(
    index: &TypeIndex<'_>,
    shape: &Shape,
    bytes: &[u8],
    at: usize,
    order: ByteOrder,
    most: usize,
    name: &dyn Fn(&Shape, u64, usize) -> String,
) -> String {
    let mut writer = Writer { index, bytes, order, most, name, text: String::new() };
    if writer.value(shape, at, 2 * MAX_DEPTH).is_none() {
        writer.text.push('…');
    }
    writer.text
}

struct Writer<'a> {
    index: &'a TypeIndex<'a>,
    bytes: &'a [u8],
    order: ByteOrder,
    most: usize,
    name: &'a dyn Fn(&Shape, u64, usize) -> String,
    text: String,
}

/// `None` throughout: there is no more room, or no such value. Writing into a string does not fail.
impl Writer<'_> {
    fn value(&mut self, shape: &Shape, at: usize, levels: u32) -> Option<()> {
        let levels = levels.checked_sub(1)?;
        let room = self.most.checked_sub(self.text.len())?;
        match shape {
            Shape::Integer(integer) => {
                let (bits, width) = (self.unsigned(at, integer.width.into())?, 8 * u32::from(integer.width));
                let unused = 128_u32.checked_sub(width)?;
                let _ = if integer.signed {
                    write!(self.text, "{}", bits.cast_signed() << unused >> unused)
                } else {
                    write!(self.text, "{bits}")
                };
            }
            Shape::Float(float) => {
                let bits = self.unsigned(at, float.width.into())?;
                let _ = match float.width {
                    4 => write!(self.text, "{:?}", f32::from_bits(bits as u32)),
                    _ => write!(self.text, "{:?}", f64::from_bits(bits as u64)),
                };
            }
            Shape::Bool => self.text.push_str(if self.unsigned(at, 1)? == 1 { "true" } else { "false" }),
            Shape::Char => {
                let _ = write!(self.text, "{:?}", char::from_u32(self.unsigned(at, 4)? as u32)?);
            }
            Shape::Array { element, count } => {
                let size = self.index.size_align(element)?.0 as usize;
                self.text.push('[');
                for position in 0..usize::try_from(*count).ok()? {
                    self.comma(position)?;
                    self.value(element, at + position * size, levels)?;
                }
                self.text.push(']');
            }
            Shape::Option { inner, tag, .. } => {
                let (tag_at, width, none, value_at) = match *tag {
                    OptionTag::Niche { offset, width, none } => (at + offset as usize, width, none, at),
                    OptionTag::Tagged { width, value_offset } => (at, width, 0, at + value_offset as usize),
                };
                if self.unsigned(tag_at, width.into())? == u128::from(none) {
                    self.text.push_str("None");
                } else {
                    self.text.push_str("Some(");
                    self.value(inner, value_at, levels)?;
                    self.text.push(')');
                }
            }
            Shape::Inline(name) => match &self.index.get(name)?.body {
                Body::Struct(fields) => {
                    self.text.push_str(name);
                    self.fields(fields, at, levels)?;
                }
                Body::Enum { tag_offset, tag, variants } => {
                    let value = self.unsigned(at + *tag_offset as usize, tag.width.into())?;
                    let variant = variants.iter().find(|variant| variant.tag == value)?;
                    self.text.push_str(&variant.name);
                    if !variant.fields.is_empty() {
                        self.fields(&variant.fields, at, levels)?;
                    }
                }
            },
            handle => {
                let word = self.unsigned(at, 8)? as u64;
                self.text.push_str(&(self.name)(handle, word, room));
            }
        }
        Some(())
    }

    fn fields(&mut self, fields: &[Field], at: usize, levels: u32) -> Option<()> {
        self.text.push_str(" { ");
        for (position, field) in fields.iter().enumerate() {
            self.comma(position)?;
            if field.attributes.secret.is_some() {
                continue;
            }
            let _ = write!(self.text, "{}: ", field.name);
            self.value(&field.shape, at + field.offset as usize, levels)?;
        }
        self.text.push_str(" }");
        Some(())
    }

    fn comma(&mut self, position: usize) -> Option<()> {
        if position > 0 {
            self.text.push_str(", ");
        }
        (self.text.len() < self.most).then_some(())
    }

    fn unsigned(&self, at: usize, width: usize) -> Option<u128> {
        Some(self.order.unsigned(self.bytes.get(at..at.checked_add(width)?)?))
    }
}
