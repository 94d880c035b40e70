//! Values of a heap as the command shows them, cut where they are long or deep.

use image::Error;
use image::inspect::{Item, Record, Value, View};

use crate::commands::show;

/// How deep values are shown in each other.
const LEVELS: u32 = 8;
/// How many values are shown of one record: lists in lists grow fast.
const VALUES: usize = 10_000;
/// How many elements are shown of a list.
const ELEMENTS: usize = 100;

/// A record with its fields.
pub(super) fn record(view: &View<'_>, record: &Record<'_>) -> Result<show::Record, Error> {
    let reference = record.reference;
    let sizes = view.record_sizes(reference.table, view.number(reference).unwrap_or_default())?;
    let mut shown = Shown { view, left: VALUES };
    let (variant, fields, secret) = match view.decode(&record.value)? {
        Value::Struct(fields) => (None, fields, false),
        Value::Variant(name, fields) => (Some(name.to_owned()), fields, false),
        value => (None, Vec::new(), matches!(value, Value::Secret)),
    };
    let fields = fields.into_iter().map(|(name, item)| {
        let value = shown.item(&item, LEVELS)?;
        Ok(show::Field { name: name.to_owned(), shape: item.shape().to_string(), secret: item.is_secret(), value })
    });
    Ok(show::Record {
        name: view.name(reference),
        bytes: sizes.records,
        owned_bytes: sizes.owned,
        referenced_by: None,
        secret,
        variant,
        fields: fields.collect::<Result<_, Error>>()?,
    })
}

/// A value.
pub(super) fn value(view: &View<'_>, value: &Value<'_>) -> Result<show::Value, Error> {
    Shown { view, left: VALUES }.value(value, LEVELS)
}

struct Shown<'a, 'r> {
    view: &'a View<'r>,
    left: usize,
}

impl<'r> Shown<'_, 'r> {
    fn item(&mut self, item: &Item<'r>, levels: u32) -> Result<show::Value, Error> {
        self.left = self.left.saturating_sub(1);
        let value = self.view.decode(item)?;
        self.value(&value, levels)
    }

    fn value(&mut self, value: &Value<'r>, levels: u32) -> Result<show::Value, Error> {
        Ok(match value {
            Value::Unsigned(number) => show::Value::Unsigned(*number),
            Value::Negative(number) => show::Value::Signed(*number),
            Value::Single(number) => show::Value::Single(*number),
            Value::Double(number) => show::Value::Float(*number),
            Value::Bool(value) => show::Value::Bool(*value),
            Value::Char(value) => show::Value::Text(value.to_string()),
            Value::Text(text) => show::Value::Text(text.clone()),
            Value::Bytes(bytes) => show::Value::Bytes(bytes.clone()),
            Value::Reference(reference) => {
                let name = self.view.name(*reference);
                match self.view.follow(*reference)? {
                    Some(_) => show::Value::Reference(name),
                    None => show::Value::Gone(name),
                }
            }
            Value::List(list) => {
                let mut elements = Vec::new();
                let room = if levels == 0 { 0 } else { ELEMENTS.min(self.left) };
                for position in 0..list.len.min(room as u64) {
                    let Some(item) = self.view.element(list, position)? else { break };
                    elements.push(self.item(&item, levels - 1)?);
                }
                show::Value::List { count: list.len, elements }
            }
            Value::Map(map) => {
                let mut entries = Vec::new();
                let room = if levels == 0 { 0 } else { ELEMENTS.min(self.left) };
                for entry in self.view.entries(map).take(room) {
                    let (key, value) = entry?;
                    entries.push((self.item(&key, levels - 1)?, self.item(&value, levels - 1)?));
                }
                show::Value::Map { count: map.count, entries }
            }
            Value::Struct(fields) => self.fields(None, fields, levels)?,
            Value::Variant(name, fields) => self.fields(Some((*name).to_owned()), fields, levels)?,
            Value::Nothing => show::Value::Nothing,
            Value::Secret => show::Value::Secret,
        })
    }

    fn fields(
        &mut self,
        variant: Option<String>,
        fields: &[(&'r str, Item<'r>)],
        levels: u32,
    ) -> Result<show::Value, Error> {
        let fields = fields.iter().map(|(name, item)| {
            // Structs lie in each other no deeper than their types were written.
            Ok(((*name).to_owned(), self.item(item, levels)?))
        });
        Ok(show::Value::Fields { variant, fields: fields.collect::<Result<_, Error>>()? })
    }
}
