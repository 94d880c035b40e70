//! What a new program makes of an old heap's types: for every field, where its values come from, and whether that is
//! allowed.
//!
//! Types, fields and variants are matched by declared name or by a declared former name, never by guessing. A plan is
//! total: every old field is copied, converted, or dropped; every new field has exactly one source.

mod findings;
mod model;
mod shim;
pub use findings::*;
pub use shim::*;

pub use findings::{Change, Finding, Findings, Offender};
pub use model::{
    BodyStep, Cast, Check, CheckKind, Dropped, FieldStep, Fields, Plan, Source, TypeStep, Value, VariantStep,
};
