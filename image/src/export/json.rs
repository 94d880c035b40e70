//! Values as JSON.

use std::io::Write;

use crate::error::{Error, Result};
use crate::inspect::{Entry, Item, List, Record, Reference, Value, View};

/// How deep values may lie in each other; deeper ones own each other in a circle, or as good as that.
const MAX_DEPTH: usize = 100_000;

/// Writes a record as one object, its name and type first.
///
/// # Errors
/// When a value cannot be read, or writing fails.
pub fn write_record<W: Write>(view: &View<'_>, record: &Record<'_>, out: &mut W) -> Result<()> {
    let name = view.name(record.reference);
    text("{\"$id\":", out)?;
    write_string(&name, out)?;
    text(",\"$type\":", out)?;
    write_string(name.rsplit_once('#').map_or(&*name, |parts| parts.0), out)?;
    let fields = match view.decode(&record.value)? {
        Value::Struct(fields) => fields,
        Value::Variant(variant, fields) => {
            text(",\"$variant\":", out)?;
            write_string(variant, out)?;
            fields
        }
        _ => Vec::new(),
    };
    let open = Open::Fields { fields: fields.into_iter(), first: false };
    write_open(view, vec![open], out)
}

/// Writes a value.
///
/// # Errors
/// When something in it cannot be read, or writing fails.
pub fn write_value<'r, W: Write>(view: &View<'r>, value: Value<'r>, out: &mut W) -> Result<()> {
    let mut open = Vec::new();
    begin(view, value, &mut open, out)?;
    write_open(view, open, out)
}

/// An object or array of which some is written.
enum Open<'v, 'r> {
    Fields {
        fields: std::vec::IntoIter<(&'r str, Item<'r>)>,
        first: bool,
    },
    /// A map: each entry is written as an array of two.
    Entries {
        entries: Box<dyn Iterator<Item = Result<Entry<'r>>> + 'v>,
        first: bool,
    },
    /// What is left of an entry.
    Pair {
        value: Option<Item<'r>>,
    },
    /// A list, and the position of the next element.
    Elements {
        list: List<'r>,
        next: u64,
        chunk: std::vec::IntoIter<Item<'r>>,
    },
}

fn write_open<'v, 'r, W: Write>(view: &'v View<'r>, mut open: Vec<Open<'v, 'r>>, out: &mut W) -> Result<()> {
    while let Some(innermost) = open.last_mut() {
        let (next, end) = match innermost {
            Open::Fields { fields, first } => {
                let field = fields.next();
                if let Some((name, _)) = &field {
                    text(if std::mem::take(first) { "" } else { "," }, out)?;
                    write_string(name, out)?;
                    text(":", out)?;
                }
                (field.map(|field| field.1), "}")
            }
            Open::Entries { entries, first } => match entries.next().transpose()? {
                Some((key, value)) => {
                    text(if std::mem::take(first) { "[" } else { ",[" }, out)?;
                    open.push(Open::Pair { value: Some(value) });
                    (Some(key), "")
                }
                None => (None, "]}"),
            },
            Open::Pair { value } => {
                let value = value.take();
                text(if value.is_some() { "," } else { "" }, out)?;
                (value, "]")
            }
            Open::Elements { list, next, chunk } => {
                if chunk.len() == 0 && *next < list.len {
                    *chunk = view.chunk_from(list, *next)?.into_iter();
                }
                let element = chunk.next();
                if element.is_some() {
                    text(if *next == 0 { "" } else { "," }, out)?;
                    *next += 1;
                }
                (element, "]")
            }
        };
        let Some(item) = next else {
            text(end, out)?;
            open.pop();
            continue;
        };
        let value = view.decode(&item)?;
        begin(view, value, &mut open, out)?;
        if open.len() > MAX_DEPTH {
            return Err(Error::Depth(MAX_DEPTH));
        }
    }
    Ok(())
}

/// Writes a value, or its beginning when others lie in it.
fn begin<'v, 'r, W: Write>(
    view: &'v View<'r>,
    value: Value<'r>,
    open: &mut Vec<Open<'v, 'r>>,
    out: &mut W,
) -> Result<()> {
    match value {
        Value::Unsigned(number) if number <= u64::MAX.into() => format(format_args!("{number}"), out),
        Value::Unsigned(number) => format(format_args!("\"{number}\""), out),
        Value::Negative(number) if number >= i64::MIN.into() => format(format_args!("{number}"), out),
        Value::Negative(number) => format(format_args!("\"{number}\""), out),
        Value::Single(number) if number.is_finite() => serialize(&number, out),
        Value::Single(number) => write_infinite(number.into(), out),
        Value::Double(number) if number.is_finite() => serialize(&number, out),
        Value::Double(number) => write_infinite(number, out),
        Value::Bool(value) => serialize(&value, out),
        Value::Char(value) => serialize(&value, out),
        Value::Text(value) => write_string(&value, out),
        Value::Bytes(bytes) => {
            text("{\"$bytes\":\"", out)?;
            for byte in bytes {
                format(format_args!("{byte:02x}"), out)?;
            }
            text("\"}", out)
        }
        Value::Reference(reference) => write_reference(view, reference, out),
        Value::Map(map) => {
            text("{\"$map\":[", out)?;
            open.push(Open::Entries { entries: Box::new(view.entries(&map)), first: true });
            Ok(())
        }
        Value::List(list) => {
            text("[", out)?;
            open.push(Open::Elements { list, next: 0, chunk: Vec::new().into_iter() });
            Ok(())
        }
        Value::Struct(fields) => {
            text("{", out)?;
            open.push(Open::Fields { fields: fields.into_iter(), first: true });
            Ok(())
        }
        Value::Variant(name, fields) if fields.is_empty() => write_string(name, out),
        Value::Variant(name, fields) => {
            text("{\"$variant\":", out)?;
            write_string(name, out)?;
            open.push(Open::Fields { fields: fields.into_iter(), first: false });
            Ok(())
        }
        Value::Nothing => text("null", out),
    }
}

/// `{"$ref":"Node#17"}`; `{"$ref":null,"$gone":"Node#17"}` when the record is gone.
pub(super) fn write_reference<W: Write>(view: &View<'_>, reference: Reference, out: &mut W) -> Result<()> {
    text(if view.lives(reference)? { "{\"$ref\":" } else { "{\"$ref\":null,\"$gone\":" }, out)?;
    write_string(&view.name(reference), out)?;
    text("}", out)
}

pub(super) fn write_string<W: Write>(value: &str, out: &mut W) -> Result<()> {
    serialize(&value, out)
}

fn write_infinite<W: Write>(number: f64, out: &mut W) -> Result<()> {
    let name = match (number.is_nan(), number > 0.0) {
        (true, _) => "\"NaN\"",
        (false, true) => "\"Infinity\"",
        (false, false) => "\"-Infinity\"",
    };
    text(name, out)
}

fn serialize<T: serde::Serialize, W: Write>(value: &T, out: &mut W) -> Result<()> {
    serde_json::to_writer(out, value).map_err(|error| Error::writing(error.into()))
}

fn text<W: Write>(text: &str, out: &mut W) -> Result<()> {
    out.write_all(text.as_bytes()).map_err(Error::writing)
}

fn format<W: Write>(arguments: std::fmt::Arguments<'_>, out: &mut W) -> Result<()> {
    out.write_fmt(arguments).map_err(Error::writing)
}
