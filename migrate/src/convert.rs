//! Conversions compiled from a plan, and the scan that proves them possible.
//!
//! A [`Conversion`] is a flat list of steps that reads the bytes of an old value and writes those of a new one. Both
//! lie wherever the caller keeps them: nothing here knows a file or a heap. What lies outside a value's own bytes, its
//! texts, lists, maps and the records it refers to, is asked of [`Outside`], and a conversion that never asks is
//! [pure](Converter::is_pure): its records may be converted in any order and on any thread.
//!
//! Steps name offsets from the start of the value (inside arrays: of the element), so a struct in a struct costs
//! nothing. Every offset is held against the sizes when the steps are made: a plan whose parts do not suit each other
//! is a [`ConversionError`], and never a look outside the value. Numbers are converted by value and checked while
//! they are, whether or not a scan went before: a value that does not survive is [`Unfit`].

mod checks;
mod code;
mod compile;
mod emit;
mod flat;
mod jobs;
mod join;
mod named;
mod number;
mod run;
mod scan;
mod shapes;
mod values;
mod written;

pub use code::{Conversion, Converter, EntryPlaces, Job, JobKind};
pub use run::{Slots, SlotsMut};
pub use scan::{Lookup, Part, Scan};

use crate::schema::Shape;

/// What lies outside a value's bytes, as a conversion needs it. Handles are words in the order of this machine.
///
/// A conversion that fails may have asked for things before: whoever answers knows how to forget them.
#[expect(clippy::missing_errors_doc, reason = "the errors are those of whoever answers")]
pub trait Outside {
    /// Why it could not be had.
    type Error: From<Unfit>;

    /// A new text, never the empty one.
    fn text(&mut self, text: &str) -> Result<u64, Self::Error>;

    /// A new empty list or map of a shape of the new schema.
    fn empty(&mut self, shape: &Shape) -> Result<u64, Self::Error>;

    /// Whether an old text, bytes, list or map is empty.
    fn is_empty(&mut self, shape: &Shape, handle: u64) -> Result<bool, Self::Error>;

    /// The text, bytes, list or map behind a handle of the old heap, of a shape of the old schema, is no longer wanted,
    /// nor is what it owns.
    fn drop_value(&mut self, shape: &Shape, handle: u64) -> Result<(), Self::Error>;

    /// A text as bytes.
    fn to_bytes(&mut self, handle: u64) -> Result<u64, Self::Error>;

    /// Bytes as a text; `None` where they are not UTF-8.
    fn to_text(&mut self, handle: u64) -> Result<Option<u64>, Self::Error>;

    /// A list or map whose elements or entries are converted: [`JobKind::List`], [`JobKind::Map`],
    /// [`JobKind::ListToMap`] and [`JobKind::MapToList`].
    fn convert(&mut self, job: Job<'_>, handle: u64) -> Result<u64, Self::Error>;

    /// A new list of one element, or a new record, made of the old value: [`JobKind::ToList`] and
    /// [`JobKind::ToReference`].
    fn make(&mut self, job: Job<'_>, old: &[u8]) -> Result<u64, Self::Error>;

    /// The opposite, [`JobKind::FromList`] and [`JobKind::FromReference`]: returns how many elements the list has, 0
    /// or 1 for a record that is there, and where that is 1 converts the one into `new`, and does away with the list
    /// or record.
    fn take(&mut self, job: Job<'_>, handle: u64, new: &mut [u8]) -> Result<usize, Self::Error>;
}

/// A value that does not survive the conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at} of the old value")]
pub struct Unfit {
    /// Offset in the old value (in an element of a list or an entry's key or value: in that).
    pub at: usize,
    /// Why.
    pub what: Misfit,
}

/// Why a value does not survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// What a check of the plan says does not hold: its position in [`Plan::checks`](crate::Plan::checks).
    #[error("what check {0} says does not hold of the value")]
    Check(usize),
    /// The new type has no such value, although the plan expected no loss.
    #[error("the new type lacks the value")]
    Lost,
    /// The bytes are no value of the old type: a bool, a char, a tag or a handle.
    #[error("there is no value of the old type")]
    Invalid,
    /// The bytes end here.
    #[error("the value is cut short")]
    Short,
}

/// Why a plan cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConversionError {
    /// The plan's parts do not suit each other.
    #[error("the plan contradicts its schemas: {0}")]
    Mismatch(String),
    /// The plan is refused: nobody says how a value is made.
    #[error("nobody says how {0} is made")]
    Unanswered(String),
    /// Only the program's hook can make the value.
    #[error("{0} is made by a hook")]
    Hook(String),
    /// The steps would be out of all proportion to the plan, or values lie too deep in each other.
    #[error("the conversion consists of too many parts")]
    TooMany,
}

#[cfg(test)]
mod laws;
