//! Schemas as text, for files that are kept with the program (`schema.lock`) and for other programs.
//!
//! ```json
//! {
//!   "format": 1,
//!   "types": [
//!     {
//!       "name": "Node", "size": 24, "align": 8,
//!       "fields": [
//!         { "name": "id", "offset": 0, "shape": "u64" },
//!         { "name": "kind", "offset": 8, "shape": {"inline":"Kind"}, "default": "Kind::Open" },
//!         { "name": "edges", "offset": 16, "shape": {"list":{"reference":"Node"}}, "was": ["links"] }
//!       ]
//!     },
//!     {
//!       "name": "Kind", "size": 1, "align": 1, "tag": "u8",
//!       "variants": [
//!         { "name": "Open", "tag": 0 }
//!       ]
//!     }
//!   ]
//! }
//! ```
//!
//! A line is a field or a variant, so that a change of one is a change of one line. Shapes are `"u8"` to `"i128"`,
//! `"f32"`, `"f64"`, `"bool"`, `"char"`, `"text"`, `"bytes"`, or objects: `{"integer":"u64","align":4}` and
//! `{"float":"f64","align":4}` where the alignment is not the size, `{"array":…,"count":3}`, `{"inline":"Name"}`,
//! `{"reference":"Name"}`, `{"list":…}`, `{"map":…,"to":…}`, `{"sorted_map":…,"to":…}`, and
//! `{"option":…,"size":8,"align":8,"niche":{"offset":0,"width":8,"none":0}}` or the same with
//! `"tagged":{"width":4,"value_offset":4}`. Numbers beyond 64 bits are written as texts.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::archive::MAX_ARCHIVE;
use crate::layout::MAX_DEPTH;
use crate::schema::{
    Body, Field, FieldAttributes, Float, Integer, OptionTag, Schema, SchemaError, SecretMode, Shape, TypeAttributes,
    TypeDescriptor, Variant,
};

/// The form of the text that is written, and the only one that is read.
const FORMAT: u32 = 1;

impl Schema {
    /// The schema as text. The same schema gives the same text.
    ///
    /// # Panics
    /// When a shape is deeper than a [checked](Schema::check) one can be.
    pub fn to_json(&self) -> String {
        let mut text = format!("{{\n  \"format\": {FORMAT},\n  \"types\": [");
        for (number, described) in self.types.iter().enumerate() {
            text.push_str(if number > 0 { ",\n" } else { "\n" });
            put_type(&mut text, described);
        }
        text.push_str(if self.types.is_empty() { "]\n}\n" } else { "\n  ]\n}\n" });
        text
    }

    /// Reads such a text and [checks](Schema::check) what it says.
    ///
    /// # Errors
    /// When it is no such text, or describes types that cannot be.
    pub fn from_json(text: &str) -> Result<Self, SchemaError> {
        if text.len() > MAX_ARCHIVE {
            return Err(SchemaError::Json(format!("{} bytes are too many", text.len())));
        }
        let file: File = serde_json::from_str(text).map_err(|error| SchemaError::Json(error.to_string()))?;
        if file.format != FORMAT {
            return Err(SchemaError::Json(format!("format {} is not known", file.format)));
        }
        let types = file.types.into_iter().map(TypeText::read).collect::<Result<_, _>>()?;
        let schema = Self { types };
        schema.check()?;
        Ok(schema)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    types: Vec<TypeText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypeText {
    name: String,
    size: u32,
    align: u32,
    fields: Option<Vec<FieldText>>,
    tag: Option<Value>,
    #[serde(default)]
    tag_offset: u32,
    variants: Option<Vec<VariantText>>,
    #[serde(default)]
    was: Vec<String>,
    #[serde(default)]
    dropped: Vec<String>,
    secret: Option<SecretText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VariantText {
    name: String,
    tag: Value,
    #[serde(default)]
    fields: Vec<FieldText>,
    #[serde(default)]
    was: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldText {
    name: String,
    offset: u32,
    shape: Value,
    #[serde(default)]
    was: Vec<String>,
    from: Option<String>,
    default: Option<String>,
    secret: Option<SecretText>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum SecretText {
    Default,
    Zero,
    Token,
    Drop,
}

impl From<SecretText> for SecretMode {
    fn from(text: SecretText) -> Self {
        match text {
            SecretText::Default => Self::Default,
            SecretText::Zero => Self::Zero,
            SecretText::Token => Self::Token,
            SecretText::Drop => Self::Drop,
        }
    }
}

fn fault(place: &str, what: &str) -> SchemaError {
    SchemaError::Inconsistent { place: place.to_owned(), what: what.to_owned() }
}

impl TypeText {
    fn read(self) -> Result<TypeDescriptor, SchemaError> {
        let name = self.name;
        let body = match (self.fields, self.tag, self.variants) {
            (Some(fields), None, None) => Body::Struct(read_fields(fields, &name)?),
            (None, Some(tag), Some(variants)) => {
                let Some(Shape::Integer(tag)) = read_shape(&tag, MAX_DEPTH) else {
                    return Err(fault(&name, "its tag is no integer"));
                };
                let read = |variant: VariantText| {
                    let place = format!("{name}::{}", variant.name);
                    let tag = read_wide(&variant.tag).ok_or_else(|| fault(&place, "its tag is no number"))?;
                    let fields = read_fields(variant.fields, &place)?;
                    Ok(Variant { name: variant.name, tag, fields, was: variant.was })
                };
                let variants = variants.into_iter().map(read).collect::<Result<_, SchemaError>>()?;
                Body::Enum { tag_offset: self.tag_offset, tag, variants }
            }
            _ => return Err(fault(&name, "has neither fields, nor a tag and variants")),
        };
        let attributes =
            TypeAttributes { was: self.was, dropped: self.dropped, secret: self.secret.map(SecretMode::from) };
        Ok(TypeDescriptor { name, size: self.size, align: self.align, body, attributes })
    }
}

fn read_fields(fields: Vec<FieldText>, place: &str) -> Result<Vec<Field>, SchemaError> {
    let read = |field: FieldText| {
        let shape = read_shape(&field.shape, MAX_DEPTH);
        let shape = shape.ok_or_else(|| fault(&format!("{place}.{}", field.name), "its shape is none"))?;
        let attributes = FieldAttributes {
            was: field.was,
            from: field.from,
            default: field.default,
            secret: field.secret.map(SecretMode::from),
        };
        Ok(Field { name: field.name, offset: field.offset, shape, attributes })
    };
    fields.into_iter().map(read).collect()
}

fn read_wide(value: &Value) -> Option<u128> {
    match value {
        Value::Number(number) => number.as_u64().map(u128::from),
        Value::String(digits) => digits.parse().ok(),
        _ => None,
    }
}

/// `levels` bounds the recursion.
fn read_shape(value: &Value, levels: u32) -> Option<Shape> {
    let levels = levels.checked_sub(1)?;
    let object = match value {
        Value::String(name) => return read_named(name, None),
        Value::Object(object) => object,
        _ => return None,
    };
    let inner = |key: &str| Some(Box::new(read_shape(object.get(key)?, levels)?));
    let number = |key: &str| u32::try_from(object.get(key)?.as_u64()?).ok();
    let name = |key: &str| Some(object.get(key)?.as_str()?.to_owned());
    let has = |keys: &[&str]| object.len() == keys.len() && keys.iter().all(|key| object.contains_key(*key));
    if has(&["integer", "align"]) || has(&["float", "align"]) {
        let kind = if object.contains_key("integer") { "integer" } else { "float" };
        let shape = read_named(object.get(kind)?.as_str()?, u8::try_from(number("align")?).ok())?;
        return (matches!(shape, Shape::Integer(_)) == (kind == "integer")).then_some(shape);
    }
    Some(match () {
        () if has(&["array", "count"]) => {
            Shape::Array { element: inner("array")?, count: object.get("count")?.as_u64()? }
        }
        () if has(&["inline"]) => Shape::Inline(name("inline")?),
        () if has(&["reference"]) => Shape::Reference(name("reference")?),
        () if has(&["list"]) => Shape::List(inner("list")?),
        () if has(&["map", "to"]) => Shape::Map { key: inner("map")?, value: inner("to")? },
        () if has(&["sorted_map", "to"]) => Shape::SortedMap { key: inner("sorted_map")?, value: inner("to")? },
        () if has(&["option", "size", "align", "niche"]) || has(&["option", "size", "align", "tagged"]) => {
            let tag = read_option_tag(object)?;
            Shape::Option { inner: inner("option")?, size: number("size")?, align: number("align")?, tag }
        }
        () => return None,
    })
}

fn read_option_tag(object: &Map<String, Value>) -> Option<OptionTag> {
    let part = |tag: &Map<String, Value>, key: &str| u32::try_from(tag.get(key)?.as_u64()?).ok();
    let width = |tag: &Map<String, Value>| u8::try_from(part(tag, "width")?).ok();
    match (object.get("niche"), object.get("tagged")) {
        (Some(Value::Object(tag)), None) if tag.len() == 3 => {
            Some(OptionTag::Niche { offset: part(tag, "offset")?, width: width(tag)?, none: part(tag, "none")? })
        }
        (None, Some(Value::Object(tag))) if tag.len() == 2 => {
            Some(OptionTag::Tagged { width: width(tag)?, value_offset: part(tag, "value_offset")? })
        }
        _ => None,
    }
}

/// Numbers are aligned to their size where nothing else is said.
fn read_named(name: &str, align: Option<u8>) -> Option<Shape> {
    let integer = |width, signed| Shape::Integer(Integer { width, signed, align: align.unwrap_or(width) });
    let float = |width| Shape::Float(Float { width, align: align.unwrap_or(width) });
    Some(match name {
        "u8" => integer(1, false),
        "u16" => integer(2, false),
        "u32" => integer(4, false),
        "u64" => integer(8, false),
        "u128" => integer(16, false),
        "i8" => integer(1, true),
        "i16" => integer(2, true),
        "i32" => integer(4, true),
        "i64" => integer(8, true),
        "i128" => integer(16, true),
        "f32" => float(4),
        "f64" => float(8),
        _ if align.is_some() => return None,
        "bool" => Shape::Bool,
        "char" => Shape::Char,
        "text" => Shape::Text,
        "bytes" => Shape::Bytes,
        _ => return None,
    })
}

fn put_type(text: &mut String, described: &TypeDescriptor) {
    // Writing into a string does not fail.
    let _ = write!(
        text,
        "    {{\n      \"name\": {}, \"size\": {}, \"align\": {}",
        json!(described.name),
        described.size,
        described.align
    );
    if let Body::Enum { tag_offset, tag, .. } = &described.body {
        let _ = write!(text, ", \"tag\": {}", shape_text(&Shape::Integer(*tag)));
        if *tag_offset != 0 {
            let _ = write!(text, ", \"tag_offset\": {tag_offset}");
        }
    }
    put_texts(text, "was", &described.attributes.was);
    put_texts(text, "dropped", &described.attributes.dropped);
    put_secret(text, described.attributes.secret);
    match &described.body {
        Body::Struct(fields) => {
            text.push_str(",\n      \"fields\": ");
            put_fields(text, fields, 6);
        }
        Body::Enum { variants, .. } => {
            text.push_str(",\n      \"variants\": [");
            for (number, variant) in variants.iter().enumerate() {
                text.push_str(if number > 0 { ",\n" } else { "\n" });
                let tag = u64::try_from(variant.tag).map_or_else(|_| json!(variant.tag.to_string()), |tag| json!(tag));
                let _ = write!(text, "        {{ \"name\": {}, \"tag\": {tag}", json!(variant.name));
                put_texts(text, "was", &variant.was);
                if !variant.fields.is_empty() {
                    text.push_str(", \"fields\": ");
                    put_fields(text, &variant.fields, 8);
                }
                text.push_str(" }");
            }
            text.push_str(if variants.is_empty() { "]" } else { "\n      ]" });
        }
    }
    text.push_str("\n    }");
}

fn put_fields(text: &mut String, fields: &[Field], indent: usize) {
    text.push('[');
    for (number, field) in fields.iter().enumerate() {
        text.push_str(if number > 0 { ",\n" } else { "\n" });
        let _ = write!(
            text,
            "{:indent$}  {{ \"name\": {}, \"offset\": {}, \"shape\": {}",
            "",
            json!(field.name),
            field.offset,
            shape_text(&field.shape)
        );
        put_texts(text, "was", &field.attributes.was);
        for (key, said) in [("from", &field.attributes.from), ("default", &field.attributes.default)] {
            if let Some(said) = said {
                let _ = write!(text, ", \"{key}\": {}", json!(said));
            }
        }
        put_secret(text, field.attributes.secret);
        text.push_str(" }");
    }
    if fields.is_empty() {
        text.push(']');
    } else {
        let _ = write!(text, "\n{:indent$}]", "");
    }
}

fn put_texts(text: &mut String, key: &str, texts: &[String]) {
    if !texts.is_empty() {
        let _ = write!(text, ", \"{key}\": {}", json!(texts));
    }
}

fn put_secret(text: &mut String, secret: Option<SecretMode>) {
    let mode = match secret {
        None => return,
        Some(SecretMode::Default) => "default",
        Some(SecretMode::Zero) => "zero",
        Some(SecretMode::Token) => "token",
        Some(SecretMode::Drop) => "drop",
    };
    let _ = write!(text, ", \"secret\": \"{mode}\"");
}

/// Written by hand, because the order of keys in maps of `serde_json` is a matter of who else uses it.
fn put_shape(text: &mut String, shape: &Shape) {
    let inner = |text: &mut String, key: &str, inner: &Shape| {
        let _ = write!(text, "{{\"{key}\":");
        put_shape(text, inner);
    };
    let _ = match shape {
        Shape::Integer(integer) if integer.align == integer.width => write!(text, "\"{integer}\""),
        Shape::Integer(integer) => write!(text, "{{\"integer\":\"{integer}\",\"align\":{}}}", integer.align),
        Shape::Float(float) if float.align == float.width => write!(text, "\"{float}\""),
        Shape::Float(float) => write!(text, "{{\"float\":\"{float}\",\"align\":{}}}", float.align),
        Shape::Bool | Shape::Char | Shape::Text | Shape::Bytes => write!(text, "\"{shape}\""),
        Shape::Array { element, count } => {
            inner(text, "array", element);
            write!(text, ",\"count\":{count}}}")
        }
        Shape::Inline(name) => write!(text, "{{\"inline\":{}}}", json!(name)),
        Shape::Reference(name) => write!(text, "{{\"reference\":{}}}", json!(name)),
        Shape::List(element) => {
            inner(text, "list", element);
            write!(text, "}}")
        }
        Shape::Map { key, value } | Shape::SortedMap { key, value } => {
            inner(text, if matches!(shape, Shape::Map { .. }) { "map" } else { "sorted_map" }, key);
            text.push_str(",\"to\":");
            put_shape(text, value);
            write!(text, "}}")
        }
        Shape::Option { inner: value, size, align, tag } => {
            inner(text, "option", value);
            let _ = write!(text, ",\"size\":{size},\"align\":{align},");
            match tag {
                OptionTag::Niche { offset, width, none } => {
                    write!(text, "\"niche\":{{\"offset\":{offset},\"width\":{width},\"none\":{none}}}}}")
                }
                OptionTag::Tagged { width, value_offset } => {
                    write!(text, "\"tagged\":{{\"width\":{width},\"value_offset\":{value_offset}}}}}")
                }
            }
        }
    };
}

fn shape_text(shape: &Shape) -> String {
    let mut text = String::new();
    put_shape(&mut text, shape);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{
  "format": 1,
  "types": [
    {
      "name": "Kind", "size": 16, "align": 8, "tag": "u8",
      "variants": [
        { "name": "Open", "tag": 0 },
        { "name": "Shut", "tag": 1, "was": ["Closed"], "fields": [
          { "name": "by", "offset": 8, "shape": "text" }
        ] }
      ]
    },
    {
      "name": "Node", "size": 40, "align": 8, "dropped": ["weight"],
      "fields": [
        { "name": "id", "offset": 0, "shape": {"integer":"u64","align":4} },
        { "name": "edges", "offset": 8, "shape": {"list":{"reference":"Node"}}, "was": ["links"], "secret": "zero" },
        { "name": "kind", "offset": 16, "shape": {"inline":"Kind"}, "default": "Kind::Open" },
        { "name": "next", "offset": 32, "shape": {"option":{"reference":"Node"},"size":8,"align":8,"niche":{"offset":0,"width":8,"none":0}} }
      ]
    }
  ]
}
"#;

    #[test]
    fn a_schema_comes_back_letter_by_letter() {
        let schema = Schema::from_json(FILE).unwrap();
        assert_eq!(schema.to_json(), FILE);
        assert_eq!(Schema::from_json(&Schema::default().to_json()), Ok(Schema::default()));
    }

    #[test]
    fn every_shape_comes_back() {
        let tagged = OptionTag::Tagged { width: 1, value_offset: 1 };
        let shapes = [
            Shape::Array { element: Box::new(Shape::Bool), count: 3 },
            Shape::Map { key: Box::new(Shape::Char), value: Box::new(Shape::Bytes) },
            Shape::SortedMap {
                key: Box::new(Shape::Text),
                value: Box::new(Shape::Float(Float { width: 8, align: 4 })),
            },
            Shape::Option { inner: Box::new(Shape::Bool), size: 2, align: 1, tag: tagged },
        ];
        for shape in shapes {
            let value: Value = serde_json::from_str(&shape_text(&shape)).unwrap();
            assert_eq!(read_shape(&value, MAX_DEPTH), Some(shape));
        }
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        let refused = |old: &str, new: &str| {
            assert!(FILE.contains(old));
            Schema::from_json(&FILE.replacen(old, new, 1)).unwrap_err().to_string()
        };
        assert!(refused("\"format\": 1", "\"format\": 2").contains("format 2 is not known"));
        assert!(refused("\"offset\": 32", "\"offset\": 36").contains("Node.next: "));
        assert!(refused("\"text\"", "\"test\"").contains("Kind::Shut.by: its shape is none"));
        assert!(refused("\"size\": 16", "\"size\": -16").contains("line 5"));
        assert!(refused("\"default\"", "\"defualt\"").contains("unknown field"));
        assert!(refused("\"tag\": \"u8\"", "\"tag\": \"f32\"").contains("its tag is no integer"));
        let deep = format!("{}\"text\"{}", "{\"list\":".repeat(10_000), "}".repeat(10_000));
        assert!(Schema::from_json(&FILE.replace("\"text\"", &deep)).is_err());
        for len in (0..FILE.len()).filter(|&len| FILE.is_char_boundary(len)) {
            assert!(Schema::from_json(&FILE[..len]).is_err() || len + 1 == FILE.len());
        }
    }
}
