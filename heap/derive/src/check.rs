//! What a record may not be, each with the remedy.

use std::collections::HashSet;

use proc_macro2::Span;
use syn::{Error, GenericParam, LitStr, Result};

use crate::misfit;
use crate::parse::{Body, Field, Item};

/// The integer types that may be the tag of an enum.
const TAGS: [&str; 10] = ["u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128"];

/// Names that shapes are written with: a type of that name could not be told from them.
const RESERVED: [&str; 21] = [
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "f32",
    "f64",
    "bool",
    "char",
    "text",
    "bytes",
    "list",
    "map",
    "sorted_map",
    "option",
    "ref",
];

/// Refuses an item that cannot be a record, with every reason at once.
pub(crate) fn item(item: &Item) -> Result<()> {
    let mut faults = Faults(None);
    faults.add(generics(item));
    faults.add(type_name(item));
    faults.add(representation(item));
    for name in item.settings.was.iter().chain(&item.settings.dropped) {
        faults.add(not_empty(name));
    }
    let parameters: Vec<_> = item.generics.type_params().map(|parameter| &parameter.ident).collect();
    let mut lists = Vec::new();
    match &item.body {
        Body::Struct(fields) => lists.push(fields),
        Body::Enum(variants) => {
            faults.add(distinct(variants.iter().map(|variant| (&*variant.name, variant.ident.span()))));
            for variant in variants {
                faults.add(member_name(&variant.name, variant.settings.name.as_ref()));
                variant.settings.was.iter().for_each(|name| faults.add(not_empty(name)));
                lists.push(&variant.fields);
            }
        }
    }
    for fields in lists {
        faults.add(distinct(fields.iter().map(|field| (&*field.name, field.span))));
        for field in fields {
            faults.add(misfit::check(&field.ty, &parameters));
            faults.add(self::field(field));
        }
    }
    faults.0.map_or(Ok(()), Err)
}

/// The tag's type of an enum that passed the checks.
pub(crate) fn tag(item: &Item) -> Option<&syn::Ident> {
    let mut words = item.representations.iter().map(|representation| &representation.word);
    words.find(|word| TAGS.iter().any(|tag| word == tag))
}

struct Faults(Option<Error>);

impl Faults {
    fn add(&mut self, result: Result<()>) {
        if let Err(fault) = result {
            match &mut self.0 {
                Some(faults) => faults.combine(fault),
                None => self.0 = Some(fault),
            }
        }
    }
}

fn generics(item: &Item) -> Result<()> {
    for parameter in &item.generics.params {
        if let GenericParam::Lifetime(lifetime) = parameter {
            let message = "a record outlives every borrow: use `Ref<T>` or `Text` in place of what it borrows";
            return Err(Error::new_spanned(lifetime, message));
        }
    }
    Ok(())
}

fn representation(item: &Item) -> Result<()> {
    let is_enum = matches!(item.body, Body::Enum(_));
    for representation in &item.representations {
        let word = representation.word.to_string();
        let message = match word.as_str() {
            "packed" => "a packed record's fields cannot be borrowed: order the fields by size instead",
            "C" if is_enum => "`repr(C)` leaves the tag's width to the machine: write an integer alone, as `repr(u8)`",
            "align" if is_enum => "align the payload's struct instead of the enum",
            "C" | "transparent" | "align" | "Rust" => continue,
            "usize" | "isize" => "its width depends on the machine: write `repr(u8)` or another fixed width",
            word if is_enum && TAGS.contains(&word) => continue,
            _ => "this representation has no layout to rely on",
        };
        return Err(Error::new_spanned(&representation.word, message));
    }
    match &item.body {
        Body::Enum(variants) if variants.is_empty() => {
            Err(Error::new_spanned(&item.ident, "an enum without variants has no values to keep"))
        }
        Body::Enum(_) if tag(item).is_none() => {
            let message = "the layout of this enum is the compiler's secret: write `#[repr(u8)]` (or another integer) \
                           above it";
            Err(Error::new_spanned(&item.ident, message))
        }
        Body::Struct(fields) if fields.is_empty() => {
            Err(Error::new_spanned(&item.ident, "a record without fields has no bytes to keep: give it a field"))
        }
        _ => Ok(()),
    }
}

fn type_name(item: &Item) -> Result<()> {
    let span = item.settings.name.as_ref().map_or_else(|| item.ident.span(), LitStr::span);
    if RESERVED.contains(&&*item.name) {
        let message = format!("`{}` is the name of a shape: give the type another one", item.name);
        return Err(Error::new(span, message));
    }
    member_name(&item.name, item.settings.name.as_ref())
}

/// A name that was written by hand has the form of an identifier, because paths and generic arguments are made of
/// names.
fn member_name(name: &str, written: Option<&LitStr>) -> Result<()> {
    let Some(written) = written else { return Ok(()) };
    let starts_well = name.chars().next().is_some_and(|first| first.is_alphabetic() || first == '_');
    if starts_well && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_') {
        return Ok(());
    }
    Err(Error::new(written.span(), "a name consists of letters, digits and `_`, and begins with no digit"))
}

fn not_empty(name: &LitStr) -> Result<()> {
    if name.value().is_empty() { Err(Error::new(name.span(), "the name is empty")) } else { Ok(()) }
}

fn distinct<'a>(names: impl Iterator<Item = (&'a str, Span)>) -> Result<()> {
    let mut seen = HashSet::new();
    for (name, span) in names {
        if !seen.insert(name) {
            return Err(Error::new(span, format!("the name `{name}` is taken already")));
        }
    }
    Ok(())
}

fn field(field: &Field) -> Result<()> {
    member_name(&field.name, field.settings.name.as_ref())?;
    field.settings.was.iter().try_for_each(not_empty)?;
    let Some(from) = &field.settings.from else { return Ok(()) };
    if from.value().split('.').any(str::is_empty) {
        return Err(Error::new(from.span(), "a path is names with dots between them, as \"position.x\""));
    }
    if let Some(was) = field.settings.was.first() {
        return Err(Error::new(was.span(), "`was` and `from` both say where the value comes from: keep one"));
    }
    Ok(())
}
