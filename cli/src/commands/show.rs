//! `image show`: one record.

use std::path::PathBuf;

use image::inspect::Path;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use crate::escape::{quoted, visible};
use crate::failure::{Exit, Failure};
use crate::figures;
use crate::library;
use crate::output::Output;

/// Characters of a text, and elements of a list, that a line shows.
const SHOWN_CHARACTERS: usize = 200;
const SHOWN_ELEMENTS: usize = 20;

/// What `image show` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A heap file or an image
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The record or a value in it: 'Type#number' or '.root', then '.field' and '[position]'
    #[arg(value_name = "PLACE")]
    place: Path,
}

/// What a path led to.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Report {
    /// A record as a whole.
    Record(Record),
    /// A value in a record.
    Value(Inner),
}

/// A value in a record.
#[derive(Debug, Serialize)]
pub(crate) struct Inner {
    /// The path that led there.
    pub(crate) path: String,
    /// The record that holds it.
    pub(crate) record: String,
    /// What it is.
    pub(crate) value: Value,
}

/// One record.
#[derive(Debug, Serialize)]
pub(crate) struct Record {
    /// `Node#17`.
    #[serde(rename = "record")]
    pub(crate) name: String,
    /// Bytes of the record itself.
    pub(crate) bytes: u64,
    /// Bytes of the texts, lists and maps it owns.
    pub(crate) owned_bytes: u64,
    /// How many references lead to it, where that was computed.
    pub(crate) referenced_by: Option<u64>,
    /// Is its type marked secret as a whole?
    pub(crate) secret: bool,
    /// The variant, of an enum.
    pub(crate) variant: Option<String>,
    /// Its fields, in the order of the declaration.
    pub(crate) fields: Vec<Field>,
}

/// A field of it.
#[derive(Debug, Serialize)]
pub(crate) struct Field {
    /// Declared name.
    pub(crate) name: String,
    /// Its type, as people write it.
    pub(crate) shape: String,
    /// Is it marked secret?
    pub(crate) secret: bool,
    /// What it holds.
    pub(crate) value: Value,
}

/// A value, cut where it is long.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// `None`.
    Nothing,
    /// A truth value.
    Bool(bool),
    /// An integer with a sign.
    Signed(i128),
    /// An integer without one.
    Unsigned(u128),
    /// A floating-point number of 32 bits.
    Single(f32),
    /// A floating-point number.
    Float(f64),
    /// A text or a char.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A reference, as `Node#17`.
    Reference(String),
    /// A reference to a record that was removed.
    Gone(String),
    /// What is marked secret.
    Secret,
    /// A list or an array; `elements` are its first.
    List {
        /// How many it has.
        count: u64,
        /// The first of them.
        elements: Vec<Value>,
    },
    /// A map; `entries` are its first.
    Map {
        /// How many it has.
        count: u64,
        /// The first of them.
        entries: Vec<(Value, Value)>,
    },
    /// A struct, or a variant with its name.
    Fields {
        /// The variant.
        variant: Option<String>,
        /// Names and values.
        fields: Vec<(String, Value)>,
    },
}

/// Shows the record.
pub(crate) fn run(options: &Options, output: &mut Output) -> Result<Exit, Failure> {
    library::show(&options.file, &options.place)?.print(output)?;
    Ok(Exit::Done)
}

impl Report {
    /// As lines or as JSON.
    pub(crate) fn print(&self, output: &mut Output) -> Result<(), Failure> {
        match self {
            _ if output.is_json() => output.json(self),
            Self::Record(record) => record.lines().into_iter().try_for_each(|line| output.line(line)),
            Self::Value(inner) => output.line(inner.value.to_text()),
        }
    }
}

impl Record {
    fn lines(&self) -> Vec<String> {
        let owned = match self.owned_bytes {
            0 => String::new(),
            some => format!(" + {} owned", figures::size(some)),
        };
        let mut lines = vec![format!("{}  {}{owned}", visible(&self.name), figures::size(self.bytes))];
        let width = self.fields.iter().map(|field| visible(&field.name).chars().count()).max().unwrap_or(0);
        if self.secret {
            lines.push("  (secret)".into());
        }
        lines.extend(self.variant.as_ref().map(|name| format!("  {}", visible(name))));
        for field in &self.fields {
            let (name, shape) = (visible(&field.name), visible(&field.shape));
            lines.push(format!("  {name:<width$}  {shape} = {}", field.value.to_text()));
        }
        if let Some(count) = self.referenced_by {
            lines.push(format!("  referenced by {}", figures::count(count)));
        }
        lines
    }
}

impl Value {
    /// As people read it.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Nothing => "none".into(),
            Self::Bool(value) => value.to_string(),
            Self::Signed(value) => value.to_string(),
            Self::Unsigned(value) => value.to_string(),
            Self::Single(value) => format!("{value:?}"),
            Self::Float(value) => format!("{value:?}"),
            Self::Text(text) => quoted(text, SHOWN_CHARACTERS),
            Self::Bytes(bytes) => {
                let shown = hexadecimal(&bytes[..bytes.len().min(SHOWN_ELEMENTS)]);
                let more = if bytes.len() > SHOWN_ELEMENTS { "…" } else { "" };
                format!("{} x'{shown}'{more}", figures::size(bytes.len() as u64))
            }
            Self::Reference(record) => format!("→ {}", visible(record)),
            Self::Gone(record) => format!("→ {} (gone)", visible(record)),
            Self::Secret => "(secret)".into(),
            Self::List { count, elements } => {
                let shown = elements.iter().take(SHOWN_ELEMENTS).map(Self::to_text);
                format!("[{}] {}", figures::count(*count), with_more(shown, *count)).trim_end().to_owned()
            }
            Self::Map { count, entries } => {
                let pair = |(key, value): &(Self, Self)| format!("{}: {}", key.to_text(), value.to_text());
                let shown = entries.iter().take(SHOWN_ELEMENTS).map(pair);
                format!("{{{}}} {}", figures::count(*count), with_more(shown, *count)).trim_end().to_owned()
            }
            Self::Fields { variant, fields } => {
                let pairs: Vec<String> =
                    fields.iter().map(|(name, value)| format!("{}: {}", visible(name), value.to_text())).collect();
                let name = variant.as_deref().map(visible).unwrap_or_default();
                match (name.is_empty(), pairs.is_empty()) {
                    (false, true) => name,
                    (false, false) => format!("{name} {{ {} }}", pairs.join(", ")),
                    (true, _) => format!("{{ {} }}", pairs.join(", ")),
                }
            }
        }
    }
}

/// Two digits a byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("a String takes everything");
        digits
    })
}

fn with_more(shown: impl Iterator<Item = String>, count: u64) -> String {
    let mut shown: Vec<String> = shown.collect();
    if (shown.len() as u64) < count && !shown.is_empty() {
        shown.push("…".into());
    }
    shown.join(", ")
}

impl Serialize for Value {
    /// References are `{"$ref":"Node#17"}`, what is secret is `{"$secret":true}`, bytes `{"$bytes":"0aff"}`, lists and maps that were cut
    /// `{"$count":N,"first":[…]}`, variants `{"Name":{…}}`. A map is `{"$map":[[key,value],…]}`, for its keys need not
    /// be texts.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Signed(value) => serializer.serialize_i128(*value),
            Self::Unsigned(value) => serializer.serialize_u128(*value),
            // JSON has no word for them.
            Self::Single(value) if !value.is_finite() => serializer.serialize_str(&format!("{value:?}")),
            Self::Single(value) => serializer.serialize_f32(*value),
            Self::Float(value) if !value.is_finite() => serializer.serialize_str(&format!("{value:?}")),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => one_entry(serializer, "$bytes", &hexadecimal(bytes)),
            Self::Reference(record) => one_entry(serializer, "$ref", record),
            Self::Gone(record) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("$ref", &())?;
                map.serialize_entry("$gone", record)?;
                map.end()
            }
            Self::Secret => one_entry(serializer, "$secret", &true),
            Self::List { count, elements } => sequence(serializer, *count, elements),
            Self::Map { count, entries } if entries.len() as u64 == *count => one_entry(serializer, "$map", entries),
            Self::Map { count, entries } => sequence(serializer, *count, entries),
            Self::Fields { variant: None, fields } => serializer.collect_map(pairs(fields)),
            Self::Fields { variant: Some(name), fields } => {
                let payload = Self::Fields { variant: None, fields: fields.clone() };
                one_entry(serializer, name, &payload)
            }
        }
    }
}

fn pairs(fields: &[(String, Value)]) -> impl Iterator<Item = (&String, &Value)> {
    fields.iter().map(|(name, value)| (name, value))
}

fn one_entry<S: Serializer>(serializer: S, key: &str, value: &(impl Serialize + ?Sized)) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(key, value)?;
    map.end()
}

fn sequence<S: Serializer>(serializer: S, count: u64, first: &[impl Serialize]) -> Result<S::Ok, S::Error> {
    if first.len() as u64 == count {
        let mut sequence = serializer.serialize_seq(Some(first.len()))?;
        first.iter().try_for_each(|element| sequence.serialize_element(element))?;
        return sequence.end();
    }
    let mut map = serializer.serialize_map(Some(2))?;
    map.serialize_entry("$count", &count)?;
    map.serialize_entry("first", first)?;
    map.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Record {
        let field =
            |name: &str, shape: &str, value| Field { name: name.into(), shape: shape.into(), secret: false, value };
        let reference = |number: u32| Value::Reference(format!("Node#{number}"));
        Record {
            name: "Node#17".into(),
            bytes: 56,
            owned_bytes: 64,
            referenced_by: Some(5),
            secret: false,
            variant: None,
            fields: vec![
                field("id", "u64", Value::Unsigned(17)),
                field("score", "f64", Value::Float(8.5)),
                field("name", "text", Value::Text("node-\u{1b}[2J\"17".into())),
                field("next", "option<ref Node>", reference(410_682)),
                field(
                    "edges",
                    "list<ref Node>",
                    Value::List { count: 1_000, elements: vec![reference(1), reference(2)] },
                ),
                Field { secret: true, ..field("token", "text", Value::Secret) },
            ],
        }
    }

    #[test]
    fn a_record_is_one_line_for_each_field() {
        let expected = [
            "Node#17  56 B + 64 B owned",
            "  id     u64 = 17",
            "  score  f64 = 8.5",
            "  name   text = \"node-\\u{1b}[2J\\\"17\"",
            "  next   option<ref Node> = → Node#410682",
            "  edges  list<ref Node> = [1,000] → Node#1, → Node#2, …",
            "  token  text = (secret)",
            "  referenced by 5",
        ];
        assert_eq!(node().lines(), expected);
    }

    #[test]
    fn json_tells_references_bytes_and_cut_lists_from_other_values() {
        let json = serde_json::to_value(node()).unwrap();
        assert_eq!(json["fields"][3]["value"], serde_json::json!({"$ref": "Node#410682"}));
        assert_eq!(json["fields"][4]["value"]["$count"], 1_000);
        let text = |value: Value| serde_json::to_string(&value).unwrap();
        assert_eq!(text(Value::Unsigned(u128::MAX)), u128::MAX.to_string());
        assert_eq!(text(Value::Float(f64::NAN)), "\"NaN\"");
        assert_eq!(text(Value::Bytes(vec![10, 255])), r#"{"$bytes":"0aff"}"#);
        let variant = Value::Fields { variant: Some("Done".into()), fields: vec![("at".into(), Value::Signed(-1))] };
        assert_eq!(text(variant.clone()), r#"{"Done":{"at":-1}}"#);
        assert_eq!(variant.to_text(), "Done { at: -1 }");
        let map = Value::Map { count: 1, entries: vec![(Value::Unsigned(1), Value::Bool(true))] };
        assert_eq!(text(map), r#"{"$map":[[1,true]]}"#);
    }
}
