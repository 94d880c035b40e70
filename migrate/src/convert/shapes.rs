//! Old values that nothing is made of: whether they are empty, and what they own.

use super::ConversionError;
use super::code::{Cases, Step};
use super::compile::{Compiled, Compiler, Purpose, described, value_at};
use crate::layout::ByteOrder;
use crate::schema::{Body, Field, OptionTag, Shape};

impl Compiler<'_> {
    /// The check fails unless the old value at `from` is the empty one. There is one empty value of each shape, so
    /// nothing branches: options are nothing, enums are the variant with tag zero. Steps that look at bytes come before
    /// those that ask the outside, so that nobody asks about a handle in a variant that is not there.
    pub(super) fn empty(&mut self, shape: &Shape, from: u64, check: u32, levels: u32) -> Compiled {
        let levels = levels.checked_sub(1).ok_or(ConversionError::TooMany)?;
        self.spend()?;
        match shape {
            Shape::Integer(_) | Shape::Float(_) | Shape::Bool | Shape::Char => {
                let len = self.old_size(shape)?;
                self.zero(from, len, check)
            }
            Shape::Array { element, count } => {
                let stride = self.old_size(element)?;
                self.over_old(from, stride, *count, |compiler, from| compiler.empty(element, from, check, levels))
            }
            Shape::Text | Shape::Bytes | Shape::List(_) | Shape::Map { .. } | Shape::SortedMap { .. } => {
                let from = self.old_place(from, 8)?;
                let shape = self.shape(shape)?;
                self.push(Step::EmptyHandle { from, shape, check })
            }
            Shape::Option { tag: OptionTag::Niche { offset, width, none }, .. } => {
                let from = self.old_place(from + u64::from(*offset), (*width).into())?;
                self.push(Step::Equal { from, width: *width, value: *none, check })
            }
            Shape::Option { tag: OptionTag::Tagged { width, .. }, .. } => self.zero(from, (*width).into(), check),
            Shape::Reference(_) => {
                let from = self.old_place(from, 8)?;
                self.push(Step::Never { from, check })
            }
            Shape::Inline(name) => match &described(&self.old, name)?.body {
                Body::Struct(fields) => self.empty_fields(fields, from, check, levels),
                Body::Enum { tag_offset, tag, variants } => {
                    let tag_at = from + u64::from(*tag_offset);
                    match variants.iter().find(|variant| variant.tag == 0) {
                        Some(variant) => {
                            self.zero(tag_at, tag.width.into(), check)?;
                            self.empty_fields(&variant.fields, from, check, levels)
                        }
                        None => {
                            let from = self.old_place(tag_at, tag.width.into())?;
                            self.push(Step::Never { from, check })
                        }
                    }
                }
            },
        }
    }

    fn empty_fields(&mut self, fields: &[Field], from: u64, check: u32, levels: u32) -> Compiled {
        for field in fields {
            self.empty(&field.shape, from + u64::from(field.offset), check, levels)?;
        }
        Ok(())
    }

    fn zero(&mut self, from: u64, len: u64, check: u32) -> Compiled {
        let from = self.old_place(from, len)?;
        self.push(Step::Zero { from, len: len as u32, check })
    }

    /// What the old value at `from` owns is no longer wanted.
    pub(super) fn drop_owned(&mut self, shape: &Shape, from: u64, levels: u32) -> Compiled {
        let levels = levels.checked_sub(1).ok_or(ConversionError::TooMany)?;
        self.spend()?;
        if self.purpose == Purpose::Scan {
            return Ok(());
        }
        if !self.owns(shape, levels)? {
            return Ok(());
        }
        match shape {
            handle if handle.is_owned_handle() => {
                let from = self.old_place(from, 8)?;
                let shape = self.shape(handle)?;
                self.push(Step::Drop { from, shape })
            }
            Shape::Array { element, count } => {
                let stride = self.old_size(element)?;
                self.over_old(from, stride, *count, |compiler, from| compiler.drop_owned(element, from, levels))
            }
            Shape::Option { inner, tag, .. } => {
                let head = self.is_something(*tag, from)?;
                self.drop_owned(inner, from + value_at(*tag), levels)?;
                let jump = self.otherwise(head)?;
                self.end(head, &[jump]);
                Ok(())
            }
            Shape::Inline(name) => match &described(&self.old, name)?.body {
                Body::Struct(fields) => self.drop_fields(fields, from, levels),
                Body::Enum { tag_offset, tag, variants } => {
                    let place = self.old_place(from + u64::from(*tag_offset), tag.width.into())?;
                    let number = self.code.cases.len() as u32;
                    self.code.cases.push(Cases::default());
                    let head = self.open(Step::Choice { from: place, width: tag.width, cases: number, end: 0 })?;
                    let mut by_tag = Vec::with_capacity(variants.len());
                    let mut jumps = Vec::with_capacity(variants.len());
                    for variant in variants {
                        by_tag.push((variant.tag, self.label()));
                        self.drop_fields(&variant.fields, from, levels)?;
                        jumps.push(self.jump()?);
                    }
                    self.code.cases[number as usize] = Cases::new(by_tag);
                    self.end(head, &jumps);
                    Ok(())
                }
            },
            _ => Ok(()),
        }
    }

    fn drop_fields(&mut self, fields: &[Field], from: u64, levels: u32) -> Compiled {
        for field in fields {
            self.drop_owned(&field.shape, from + u64::from(field.offset), levels)?;
        }
        Ok(())
    }

    /// Whether values of an old shape may own others.
    fn owns(&mut self, shape: &Shape, levels: u32) -> Result<bool, ConversionError> {
        let levels = levels.checked_sub(1).ok_or(ConversionError::TooMany)?;
        self.spend()?;
        Ok(match shape {
            Shape::Array { element: inner, .. } | Shape::Option { inner, .. } => self.owns(inner, levels)?,
            Shape::Inline(name) => {
                for field in described(&self.old, name)?.fields() {
                    if self.owns(&field.shape, levels)? {
                        return Ok(true);
                    }
                }
                false
            }
            handle => handle.is_owned_handle(),
        })
    }
}

/// The old word at a place, as the outside knows it.
#[inline]
pub(super) fn handle(bytes: &[u8], at: usize, order: ByteOrder) -> u64 {
    order.unsigned(&bytes[at..at + 8]) as u64
}
