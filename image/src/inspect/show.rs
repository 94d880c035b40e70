//! Records as text for people.

use std::fmt::Write;

use migrate::Shape;

use super::{Item, List, Map, Record, Reference, Value, View};
use crate::error::Result;

/// Columns after which fields go on in the next line.
const WIDTH: usize = 110;
/// Elements shown of a list.
const ELEMENTS: u64 = 8;
/// How deep values are shown in each other.
const LEVELS: u32 = 6;
/// Letters shown of a text.
const LETTERS: usize = 200;

/// A string as people may see it: signs that would drive a terminal are escaped.
pub fn escape(text: &str) -> String {
    text.escape_debug().to_string()
}

impl<'r> View<'r> {
    /// A record with its fields, as text of several lines.
    ///
    /// # Errors
    /// When something in it cannot be read.
    pub fn show(&self, record: &Record<'r>) -> Result<String> {
        let reference = record.reference;
        let sizes = self.record_sizes(reference.table, self.number(reference).unwrap_or_default())?;
        let size = self.size(record.value.shape())?;
        let mut text = format!("{}  {size} B + {} B out of line", self.name(reference), sizes.owned);
        match self.decode(&record.value)? {
            Value::Struct(fields) => self.show_fields(&fields, &mut text)?,
            Value::Variant(name, fields) => {
                text.push_str("\n  ");
                text.push_str(&escape(name));
                self.show_fields(&fields, &mut text)?;
            }
            _ => {}
        }
        Ok(text)
    }

    /// A value as text of one line.
    ///
    /// # Errors
    /// When something in it cannot be read.
    pub fn show_value(&self, value: &Value<'r>) -> Result<String> {
        let mut text = String::new();
        self.write_value(value, LEVELS, &mut text)?;
        Ok(text)
    }

    fn show_fields(&self, fields: &[(&'r str, Item<'r>)], text: &mut String) -> Result<()> {
        let mut width = WIDTH;
        for (name, item) in fields {
            let mut shown = String::new();
            shown.push_str(&escape(name));
            let label = label(item.shape());
            if !label.is_empty() {
                shown.push(' ');
                shown.push_str(&label);
            }
            shown.push(' ');
            self.write_value(&self.decode(item)?, LEVELS, &mut shown)?;
            let columns = shown.chars().count();
            if width + columns + 3 > WIDTH {
                text.push_str("\n  ");
                width = 2;
            } else {
                text.push_str(" · ");
                width += 3;
            }
            text.push_str(&shown);
            width += columns;
        }
        Ok(())
    }

    fn write_value(&self, value: &Value<'r>, levels: u32, text: &mut String) -> Result<()> {
        let Some(levels) = levels.checked_sub(1) else {
            text.push('…');
            return Ok(());
        };
        // Writing into a string does not fail.
        let _ = match value {
            Value::Unsigned(number) => write!(text, "{number}"),
            Value::Negative(number) => write!(text, "{number}"),
            Value::Single(number) => write!(text, "{number:?}"),
            Value::Double(number) => write!(text, "{number:?}"),
            Value::Bool(value) => write!(text, "{value}"),
            Value::Char(value) => write!(text, "'{}'", value.escape_debug()),
            Value::Text(value) => write_text(value, text),
            Value::Bytes(value) => write!(text, "{} bytes", value.len()),
            Value::Reference(reference) => {
                let stale = if self.lives(*reference)? { "" } else { " (gone)" };
                write!(text, "→ {}{stale}", self.name(*reference))
            }
            Value::List(list) => return self.write_list(list, levels, text),
            Value::Map(map) => return self.write_map(map, levels, text),
            Value::Struct(fields) => return self.write_fields(fields, levels, text),
            Value::Variant(name, fields) => {
                text.push_str(&escape(name));
                if fields.is_empty() {
                    return Ok(());
                }
                text.push(' ');
                return self.write_fields(fields, levels, text);
            }
            Value::Nothing => write!(text, "none"),
        };
        Ok(())
    }

    fn write_fields(&self, fields: &[(&'r str, Item<'r>)], levels: u32, text: &mut String) -> Result<()> {
        text.push('{');
        for (position, (name, item)) in fields.iter().enumerate() {
            text.push_str(if position == 0 { " " } else { ", " });
            text.push_str(&escape(name));
            text.push_str(": ");
            self.write_value(&self.decode(item)?, levels, text)?;
        }
        text.push_str(" }");
        Ok(())
    }

    fn write_list(&self, list: &List<'r>, levels: u32, text: &mut String) -> Result<()> {
        let _ = write!(text, "[{}]", list.len);
        let references = matches!(list.element, Shape::Reference(_));
        if references && list.len > 0 {
            text.push_str(" →");
        }
        for position in 0..list.len.min(ELEMENTS) {
            let Some(item) = self.element(list, position)? else { break };
            text.push(' ');
            match self.decode(&item)? {
                Value::Reference(reference) if references => self.write_number(reference, text),
                value => self.write_value(&value, levels, text)?,
            }
        }
        if list.len > ELEMENTS {
            let _ = write!(text, " … {} more", list.len - ELEMENTS);
        }
        Ok(())
    }

    fn write_map(&self, map: &Map<'r>, levels: u32, text: &mut String) -> Result<()> {
        let _ = write!(text, "{{{}}}", map.count);
        for entry in self.entries(map).take(ELEMENTS as usize) {
            let (key, value) = entry?;
            text.push(' ');
            self.write_value(&self.decode(&key)?, levels, text)?;
            text.push_str(": ");
            self.write_value(&self.decode(&value)?, levels, text)?;
        }
        if map.count > ELEMENTS {
            let _ = write!(text, " … {} more", map.count - ELEMENTS);
        }
        Ok(())
    }

    /// `#17`, where the type is clear.
    fn write_number(&self, reference: Reference, text: &mut String) {
        match self.number(reference) {
            Some(number) => {
                let _ = write!(text, "#{number}");
            }
            None => text.push_str("#?"),
        }
    }
}

fn write_text(value: &str, text: &mut String) -> std::fmt::Result {
    let cut = value.char_indices().nth(LETTERS).map_or(value.len(), |letter| letter.0);
    write!(text, "\"{}\"", escape(&value[..cut]))?;
    if cut < value.len() {
        write!(text, " … {} bytes more", value.len() - cut)?;
    }
    Ok(())
}

/// What a field is, where its value does not show it.
fn label(shape: &Shape) -> String {
    match shape {
        Shape::Integer(integer) => {
            format!("{}{}", if integer.signed { 'i' } else { 'u' }, 8 * u32::from(integer.width))
        }
        Shape::Float(float) => format!("f{}", 8 * u32::from(float.width)),
        Shape::Text => "string".into(),
        Shape::Bytes => "bytes".into(),
        Shape::Inline(name) => escape(name),
        Shape::Option { inner, .. } => label(inner),
        _ => String::new(),
    }
}
