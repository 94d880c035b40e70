//! Values that a plan brings along, as bytes.

use super::ConversionError;
use super::code::Step;
use super::compile::{Compiled, Compiler, described, mismatch, value_at};
use super::number::{Kind, Rounding, Wide};
use crate::plan::Value;
use crate::schema::{Body, Shape};

/// The empty text, and the empty bytes.
const EMPTY: u128 = 1;

impl Compiler<'_> {
    /// The value of shape `shape` at `to` is this one.
    pub(super) fn value(&mut self, value: &Value, shape: &Shape, to: u64, levels: u32) -> Compiled {
        let levels = levels.checked_sub(1).ok_or(ConversionError::TooMany)?;
        self.spend()?;
        match (value, shape) {
            (_, Shape::Integer(_) | Shape::Float(_) | Shape::Bool) => {
                let kind = Kind::of(shape).ok_or_else(|| mismatch(format!("a number {shape}")))?;
                let bytes = number(value, shape).and_then(|(wide, rounding)| wide.encode(kind, rounding));
                let bytes = bytes.ok_or_else(|| mismatch(format!("{value:?} is no {shape}")))?;
                self.constant(&bytes[..kind.width() as usize], to)
            }
            (Value::Char(value), Shape::Char) => self.integer(u32::from(*value).into(), to, 4),
            (Value::Empty, Shape::Char) => self.integer(0, to, 4),
            (Value::Empty, Shape::Text | Shape::Bytes) => self.integer(EMPTY, to, 8),
            (Value::Text(text), Shape::Text) if text.is_empty() => self.integer(EMPTY, to, 8),
            (Value::Text(text), Shape::Text) => {
                let to = self.new_place(to, 8)?;
                self.table.texts.push(text.clone());
                self.push(Step::Text { to, text: self.table.texts.len() as u32 - 1 })
            }
            (Value::Empty, Shape::List(_) | Shape::Map { .. } | Shape::SortedMap { .. }) => {
                let to = self.new_place(to, 8)?;
                let shape = self.shape(shape)?;
                self.push(Step::Empty { to, shape })
            }
            (Value::Empty, Shape::Option { tag, .. }) => self.nothing(*tag, to),
            (Value::Some(value), Shape::Option { inner, tag, .. }) => {
                self.value(value, inner, to + value_at(*tag), levels)?;
                self.something(*tag, to)
            }
            (Value::Empty, Shape::Array { element, count }) => {
                let stride = self.new_size(element)?;
                self.repeated(to, stride, *count, |compiler, to| compiler.value(value, element, to, levels))
            }
            (Value::Array(values), Shape::Array { element, count }) if values.len() as u64 == *count => {
                let stride = self.new_size(element)?;
                for (value, position) in values.iter().zip(0..) {
                    self.value(value, element, to + position * stride, levels)?;
                }
                Ok(())
            }
            (_, Shape::Inline(name)) => self.named_value(value, name, to, levels),
            _ => Err(mismatch(format!("{value:?} is no {shape}"))),
        }
    }

    fn named_value(&mut self, value: &Value, name: &str, to: u64, levels: u32) -> Compiled {
        let none = || mismatch(format!("{value:?} is no {name}"));
        match (&described(&self.new, name)?.body, value) {
            (Body::Struct(fields), Value::Empty) => {
                for field in fields {
                    self.value(value, &field.shape, to + u64::from(field.offset), levels)?;
                }
                Ok(())
            }
            (Body::Enum { tag_offset, tag, variants }, _) => {
                let variant = variants.iter().find(|variant| match value {
                    Value::Empty => variant.tag == 0,
                    Value::Variant(name) => variant.name == *name && variant.fields.is_empty(),
                    _ => false,
                });
                let variant = variant.ok_or_else(none)?;
                self.integer(variant.tag, to + u64::from(*tag_offset), tag.width)?;
                for field in &variant.fields {
                    self.value(&Value::Empty, &field.shape, to + u64::from(field.offset), levels)?;
                }
                Ok(())
            }
            (Body::Struct(_), _) => Err(none()),
        }
    }
}

/// A number for a number, a bool for a bool. Only what is written as a float is rounded: to what a literal means.
fn number(value: &Value, shape: &Shape) -> Option<(Wide, Rounding)> {
    let rounding = if matches!(shape, Shape::Float(_)) { Rounding::Nearest } else { Rounding::Exact };
    match value {
        Value::Empty => Some((Wide::Signed(0), Rounding::Exact)),
        Value::Integer(value) if *shape != Shape::Bool => Some((Wide::Signed(*value), Rounding::Exact)),
        Value::Unsigned(value) if *shape != Shape::Bool => Some((Wide::Unsigned(*value), Rounding::Exact)),
        Value::Float(value) if rounding == Rounding::Nearest => Some((Wide::Float(value.to_bits()), rounding)),
        Value::Bool(value) if *shape == Shape::Bool => Some((Wide::Signed((*value).into()), Rounding::Exact)),
        _ => None,
    }
}
