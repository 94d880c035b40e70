//! Values, decoded one level at a time.

use std::sync::Arc;

use heap::Place;
use heap::format::handle::{EMPTY, Handle};
use heap::format::slot::{self, HEADER, Kind};
use heap::read::Region;
use migrate::{Body, Field, OptionTag, Shape, TypeDescriptor};

use super::{Map, Slot, View, damaged};
use crate::error::Result;

/// Elements of a list that are read together, in bytes.
const CHUNK: u64 = 64 * 1024;

/// A reference, and the table it leads into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Table of the record.
    pub table: u32,
    /// The reference taken apart.
    pub handle: Handle,
}

impl Reference {
    pub(super) const fn new(table: u32, bits: u64) -> Self {
        Self { table, handle: Handle::from_bits(bits) }
    }
}

/// Bytes of a known shape, not yet decoded.
#[derive(Debug, Clone)]
pub struct Item<'r> {
    pub(super) shape: &'r Shape,
    bytes: Arc<[u8]>,
    at: usize,
    /// It is the value of a field marked secret.
    secret: bool,
}

impl<'r> Item<'r> {
    pub(super) const fn new(shape: &'r Shape, bytes: Arc<[u8]>) -> Self {
        Self { shape, bytes, at: 0, secret: false }
    }

    /// A part of bytes that others share.
    pub(super) fn inside(shape: &'r Shape, bytes: &Arc<[u8]>, at: usize) -> Self {
        Self { at, ..Self::new(shape, Arc::clone(bytes)) }
    }

    /// What it is.
    pub const fn shape(&self) -> &'r Shape {
        self.shape
    }

    /// Whether it is the value of a field marked secret.
    pub const fn is_secret(&self) -> bool {
        self.secret
    }

    /// Something that lies inside its bytes.
    fn inner(&self, shape: &'r Shape, offset: u64) -> Self {
        Self { shape, bytes: Arc::clone(&self.bytes), at: self.at + offset as usize, secret: false }
    }

    fn field(&self, field: &'r Field) -> Self {
        Self { secret: field.attributes.secret.is_some(), ..self.inner(&field.shape, field.offset.into()) }
    }

    fn get(&self, offset: usize, len: usize) -> Result<&[u8]> {
        let start = self.at + offset;
        self.bytes.get(start..start + len).ok_or_else(|| damaged(Place::Offset(0), "a value is cut short".into()))
    }
}

/// A value.
#[derive(Debug, Clone)]
pub enum Value<'r> {
    /// An integer that is not negative.
    Unsigned(u128),
    /// A negative integer.
    Negative(i128),
    /// A floating-point number of 32 bits.
    Single(f32),
    /// A floating-point number of 64 bits.
    Double(f64),
    /// A bool.
    Bool(bool),
    /// A char.
    Char(char),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A reference.
    Reference(Reference),
    /// A list or an array.
    List(List<'r>),
    /// A map.
    Map(Map<'r>),
    /// A struct: its fields in the order of their declaration.
    Struct(Vec<(&'r str, Item<'r>)>),
    /// A variant of an enum: its name and its fields.
    Variant(&'r str, Vec<(&'r str, Item<'r>)>),
    /// An option that holds nothing.
    Nothing,
    /// What is marked secret, which no view shows.
    Secret,
}

/// The elements of a list or array.
#[derive(Debug, Clone)]
pub struct List<'r> {
    /// What they are.
    pub element: &'r Shape,
    /// How many.
    pub len: u64,
    size: u64,
    place: Elements<'r>,
}

#[derive(Debug, Clone)]
enum Elements<'r> {
    /// In a region, from this offset on.
    Slot(&'r Region, u64),
    /// An array's, in the value it is a part of.
    Here(Arc<[u8]>, usize),
}

impl<'r> View<'r> {
    /// Decodes a value, one level deep.
    ///
    /// # Errors
    /// When its bytes are not such a value, or what its handle names cannot be read.
    pub fn decode(&self, item: &Item<'r>) -> Result<Value<'r>> {
        // Every way out of a heap but the dump goes through here, so none of them can give a secret away.
        if item.secret {
            return Ok(Value::Secret);
        }
        Ok(match item.shape {
            Shape::Integer(integer) => {
                let width = usize::from(integer.width);
                let bits = self.order.unsigned(item.get(0, width)?);
                let unused = 128 - 8 * u32::from(integer.width);
                let signed = (bits << unused).cast_signed() >> unused;
                if integer.signed && signed < 0 { Value::Negative(signed) } else { Value::Unsigned(bits) }
            }
            Shape::Float(float) => {
                let bits = self.order.unsigned(item.get(0, float.width.into())?);
                if float.width == 4 {
                    Value::Single(f32::from_bits(bits as u32))
                } else {
                    Value::Double(f64::from_bits(bits as u64))
                }
            }
            Shape::Bool => match item.get(0, 1)?[0] {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                other => return Err(damaged(Place::Offset(0), format!("a bool is {other}"))),
            },
            Shape::Char => {
                let bits = self.order.unsigned(item.get(0, 4)?) as u32;
                Value::Char(
                    char::from_u32(bits).ok_or_else(|| damaged(Place::Offset(0), format!("a char is {bits:#x}")))?,
                )
            }
            Shape::Array { element, count } => {
                let place = Elements::Here(Arc::clone(&item.bytes), item.at);
                Value::List(List { element, len: *count, size: self.size(element)?, place })
            }
            Shape::Inline(name) => self.composite(item, name)?,
            Shape::Reference(name) => {
                let bits = self.handle(item)?;
                let table =
                    self.table_of(name).or_else(|| Some(self.catalog.region(Handle::from_bits(bits).region)?.table));
                let Some(table) = table else {
                    return Err(damaged(Place::Offset(0), format!("a reference to {name} names a region not in use")));
                };
                Value::Reference(Reference::new(table, bits))
            }
            Shape::Text => {
                let bytes = self.contents(self.handle(item)?, Kind::Text)?;
                let text =
                    String::from_utf8(bytes).map_err(|_| damaged(Place::Offset(0), "a text is not UTF-8".into()))?;
                Value::Text(text)
            }
            Shape::Bytes => Value::Bytes(self.contents(self.handle(item)?, Kind::Bytes)?),
            Shape::List(element) => Value::List(self.list(self.handle(item)?, element)?),
            Shape::Map { key, value } => Value::Map(self.map(self.handle(item)?, Kind::Map, key, value)?),
            Shape::SortedMap { key, value } => Value::Map(self.map(self.handle(item)?, Kind::SortedMap, key, value)?),
            Shape::Option { inner, tag, .. } => match self.present(item, *tag)? {
                // Options lie in each other no deeper than shapes do.
                Some(offset) => return self.decode(&item.inner(inner, offset)),
                None => Value::Nothing,
            },
        })
    }

    /// Where an option's value lies, if it holds one.
    fn present(&self, item: &Item<'r>, tag: OptionTag) -> Result<Option<u64>> {
        match tag {
            OptionTag::Niche { offset, width, none } => {
                let niche = self.order.unsigned(item.get(offset as usize, width.into())?);
                Ok((niche != u128::from(none)).then_some(0))
            }
            OptionTag::Tagged { width, value_offset } => match self.order.unsigned(item.get(0, width.into())?) {
                0 => Ok(None),
                1 => Ok(Some(value_offset.into())),
                other => Err(damaged(Place::Offset(0), format!("the tag of an option is {other}"))),
            },
        }
    }

    fn composite(&self, item: &Item<'r>, name: &str) -> Result<Value<'r>> {
        let described: &'r TypeDescriptor =
            self.index.get(name).ok_or_else(|| damaged(Place::Offset(0), format!("type {name} is not described")))?;
        if described.attributes.secret.is_some() {
            return Ok(Value::Secret);
        }
        let fields = |fields: &'r [Field]| fields.iter().map(|field| (&*field.name, item.field(field))).collect();
        match &described.body {
            Body::Struct(all) => Ok(Value::Struct(fields(all))),
            Body::Enum { tag_offset, tag, variants } => {
                let found = self.order.unsigned(item.get(*tag_offset as usize, tag.width.into())?);
                match variants.iter().find(|variant| variant.tag == found) {
                    Some(variant) => Ok(Value::Variant(&variant.name, fields(&variant.fields))),
                    None => Err(damaged(Place::Offset(0), format!("{found} is the tag of no variant of {name}"))),
                }
            }
        }
    }

    pub(super) fn handle(&self, item: &Item<'r>) -> Result<u64> {
        match self.order.unsigned(item.get(0, 8)?) as u64 {
            0 => Err(damaged(Place::Offset(0), "a handle is zero".into())),
            word => Ok(word),
        }
    }

    fn contents(&self, word: u64, kind: Kind) -> Result<Vec<u8>> {
        if word == EMPTY {
            return Ok(Vec::new());
        }
        let slot = self.slot(word, [kind; 2])?;
        let len = u64::from(slot::aux(slot.header));
        if len + HEADER > slot.len {
            return Err(super::beyond(slot.region));
        }
        Ok(self.bytes(slot.region, slot.at + HEADER, len)?.to_vec())
    }

    fn list(&self, word: u64, element: &'r Shape) -> Result<List<'r>> {
        let slot = self.slot(word, [Kind::ListInline, Kind::ListSpilled])?;
        let len = self.word(slot.region, slot.at + 8)?;
        let (held, fixed) = match slot::kind(slot.header) {
            Some(Kind::ListInline) => (slot, 16),
            _ => (self.slot(self.word(slot.region, slot.at + 16)?, [Kind::Buffer; 2])?, HEADER),
        };
        self.check_shape(slot, element)?;
        self.check_shape(held, element)?;
        let measured = self.index.size_align(element).filter(|measured| measured.0 > 0);
        let Some((size, align)) = measured else { return Err(super::beyond(slot.region)) };
        let start = slot::contents_at(held.at, fixed, align);
        let end = len.checked_mul(size).and_then(|bytes| bytes.checked_add(start));
        if end.is_none_or(|end| end > held.at + held.len) {
            return Err(super::beyond(held.region));
        }
        Ok(List { element, len, size, place: Elements::Slot(held.region, start) })
    }

    fn check_shape(&self, slot: Slot<'_>, shape: &Shape) -> Result<()> {
        if self.catalog.registry().shapes.get(slot::aux(slot.header) as usize) == Some(shape) {
            return Ok(());
        }
        Err(damaged(Place::Offset(0), "a handle names a value of another shape".into()))
    }

    /// An element of a list.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn element(&self, list: &List<'r>, position: u64) -> Result<Option<Item<'r>>> {
        if position >= list.len {
            return Ok(None);
        }
        Ok(self.chunk(list, position, 1)?.into_iter().next())
    }

    /// The elements of a list in their order, read some at a time.
    pub fn elements(&self, list: &List<'r>) -> impl Iterator<Item = Result<Item<'r>>> + use<'_, 'r> {
        let list = list.clone();
        let mut chunk = Vec::new().into_iter();
        let mut next = 0;
        std::iter::from_fn(move || {
            if chunk.len() == 0 && next < list.len {
                match self.chunk_from(&list, next) {
                    Ok(items) => chunk = items.into_iter(),
                    Err(error) => {
                        next = list.len;
                        return Some(Err(error));
                    }
                }
            }
            let item = chunk.next()?;
            next += 1;
            Some(Ok(item))
        })
    }

    /// Some elements from a position on, at least one where there is one.
    pub(crate) fn chunk_from(&self, list: &List<'r>, first: u64) -> Result<Vec<Item<'r>>> {
        let left = list.len.saturating_sub(first);
        self.chunk(list, first, left.min((CHUNK / list.size.max(1)).max(1)))
    }

    fn chunk(&self, list: &List<'r>, first: u64, count: u64) -> Result<Vec<Item<'r>>> {
        let (bytes, start) = match &list.place {
            Elements::Slot(region, start) => (self.bytes(region, start + first * list.size, count * list.size)?, 0),
            Elements::Here(bytes, at) => (Arc::clone(bytes), at + (first * list.size) as usize),
        };
        let item =
            |number| Item { at: start + (number * list.size) as usize, ..Item::new(list.element, Arc::clone(&bytes)) };
        Ok((0..count).map(item).collect())
    }
}
