//! Layouts of persistent types, and what a change of layout means.
//!
//! A [`Schema`] describes every type a heap holds: its declared name, size, alignment, and every field's name,
//! [`Shape`] and offset. It says everything a stranger needs to read a record without the program that wrote it.
//!
//! This crate is pure: it opens no file, maps no memory, contains no unsafe code, and builds wherever Rust does.

#![forbid(unsafe_code)]

mod advice;
mod archive;
mod check;
mod convert;
mod fields;
mod fingerprint;
mod former;
mod json;
mod layout;
#[cfg(test)]
mod pairs;
mod path;
mod plan;
mod program;
#[cfg(test)]
mod sample;
mod schema;
mod shape;
mod transcoding;

pub use archive::MAX_ARCHIVE;
pub use convert::{
    Conversion, ConversionError, Converter, EntryPlaces, Job, JobKind, Lookup, Misfit, Outside, Part, Scan, Slots,
    SlotsMut, Unfit,
};
pub use fingerprint::Fingerprint;
pub use layout::{ByteOrder, MAX_ALIGN, MAX_DEPTH, MAX_SIZE, MapLayout, TypeIndex};
pub use path::field_path;
pub use plan::{
    Answers, AnswersError, BodyStep, Cast, Change, Check, CheckKind, Choice, Dropped, Failure, Fault, FieldStep,
    Fields, Finding, Findings, MAX_ANSWERS, Offender, Plan, Question, Refusal, Ruling, Source, TypeAnswers, TypeStep,
    Value, VariantStep, Verdict, joined,
};
pub use program::{EntryProgram, HandleAt, HandleRun, Presence, Program, Programs, Target, ValueFault};
pub use schema::{
    Body, Field, FieldAttributes, Float, Integer, OptionTag, Registry, Schema, SchemaError, SecretMode, Shape,
    TypeAttributes, TypeDescriptor, Variant,
};
pub use transcoding::Transcoding;
