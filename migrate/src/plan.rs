//! What a new program makes of an old heap's types: for every field, where its values come from, and whether that is
//! allowed.
//!
//! Types, fields and variants are matched by declared name or by a declared former name, never by guessing. A plan is
//! total: every old field is copied, converted, or dropped; every new field has exactly one source.

mod added;
mod answers;
mod between;
mod bytes;
mod casts;
mod census;
mod decide;
mod display;
mod ended;
mod fields;
mod findings;
mod inverse;
mod literal;
mod model;
mod names;
mod question;
mod secrets;
mod takes;
#[cfg(test)]
mod tests;
mod then;

pub use answers::{Answers, AnswersError, MAX_ANSWERS, TypeAnswers};
pub use decide::{Failure, Refusal};
pub use findings::{Change, Finding, Findings, Offender};
pub use model::{
    BodyStep, Cast, Check, CheckKind, Dropped, FieldStep, Fields, Plan, Ruling, Source, TypeStep, Value, VariantStep,
    Verdict,
};
pub use question::{Choice, Fault, Question, joined};
