//! `#[derive(Record)]` for the `heap` crate.
//!
//! The item is parsed (`parse`) into a model, the model is checked (`check`), and what passed is expanded (`expand`).
//! Every refusal points at the token that is wrong and says what to write instead; what syntax alone cannot tell is
//! left to the trait bounds and to assertions in the expansion.

#![forbid(unsafe_code)]

mod check;
mod expand;
mod misfit;
mod parse;
mod setting;
mod source;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct or enum a record: a type that a heap can keep, refer to, and describe to strangers.
///
/// Enums need an explicit integer `repr`. Attributes, all in `#[record(...)]`:
///
/// | ATTRIBUTE | ON | MEANING |
/// |-----------|----|---------|
/// | `name = "x"` | type, field, variant | the declared name, where it is not the identifier |
/// | `was = "x"` | type, field, variant | a former name; may be repeated |
/// | `default = x` | field | what old records get when the field is new |
/// | `from = "a.b"` | field | where the value of a field that moved comes from |
/// | `secret`, `secret(zero)`, `secret(token)`, `secret(drop)` | type, field | may not leave the machine in a dump |
/// | `dropped("x", "y")` | type | fields whose values may be dropped |
/// | `hook = path` | type | a function that makes new records of old ones: `fn(&Old, &mut Transaction<'_>) -> heap::Result<Self>`, where `Old` is the former type under the same record name, or `fn(&OldRecord<'_>, &mut Transaction<'_>) -> heap::Result<Self>`, which reads fields by name and serves every former layout; may be repeated, and is chosen by the heap's layout |
/// | `down = path` | type | a function that makes old records of these, for a program that goes back to a former version: `fn(&Self, &mut Transaction<'_>) -> heap::Result<Old>`; may be repeated |
#[proc_macro_derive(Record, attributes(record))]
pub fn record(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let expanded = parse::item(input).and_then(|item| {
        check::item(&item)?;
        Ok(expand::item(&item))
    });
    expanded.unwrap_or_else(|error| error.to_compile_error()).into()
}
