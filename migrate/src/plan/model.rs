//! The parts of a plan.

use super::between::inline_name;
use super::question::{Fault, Question};
use crate::layout::ByteOrder;
use crate::schema::{Body, Field, Schema};

/// How the records of one schema become records of another.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// The types as they lie.
    pub old: Schema,
    /// The types as they are to lie.
    pub new: Schema,
    /// A step for every type of the new schema, in its order, then one for every old type that has no successor.
    pub types: Vec<TypeStep>,
    /// What must be proved of the values before anything is written. Casts and steps name them by position.
    pub checks: Vec<Check>,
    /// What changes, and which rule allows it.
    pub rulings: Vec<Ruling>,
    /// What nobody has said yet.
    pub questions: Vec<Question>,
    /// What the program or an answer says and cannot be.
    pub faults: Vec<Fault>,
    /// The byte order that all values have before, where it is not that of the machine that is to hold them: they are
    /// transcoded first (rule 45). It is the heap's to say; no schema does.
    pub foreign: Option<ByteOrder>,
}

impl Plan {
    /// The plan that leaves every type of a schema as it is.
    pub fn unchanged(schema: &Schema) -> Self {
        let step = |number| TypeStep { old: Some(number), new: Some(number), body: BodyStep::Same, rewritten: false };
        let types = (0..schema.types.len()).map(step).collect();
        Self { old: schema.clone(), new: schema.clone(), types, ..Self::default() }
    }

    /// The field of an old type's fields at a path of positions through structs, and its name with the names around it.
    pub fn old_field<'a>(&'a self, old: &'a [Field], path: &[usize]) -> Option<(&'a Field, String)> {
        let mut fields = old;
        let mut name = String::new();
        let (last, around) = path.split_last()?;
        for &position in around {
            let field = fields.get(position)?;
            name.push_str(&field.name);
            name.push('.');
            let described = self.old.get(inline_name(&field.shape)?)?;
            let Body::Struct(inner) = &described.body else { return None };
            fields = inner;
        }
        let field = fields.get(*last)?;
        name.push_str(&field.name);
        Some((field, name))
    }
}

/// One change, and what the rules say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// The type: position in [`Plan::types`].
    pub step: usize,
    /// Where in the type, by the new names where there are new ones; empty for the type as a whole.
    pub place: String,
    /// The rule's number, 1 to 45.
    pub rule: u8,
    /// Its verdict.
    pub verdict: Verdict,
    /// The change in words.
    pub what: String,
}

/// On what condition a change is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing can be lost; it is done.
    Implicit,
    /// Only if a scan proves that every live value survives.
    Checked,
    /// Only if the program or an answer says so.
    Acknowledge,
    /// Only by a hook, or from a source that is written down.
    Hook,
}

/// What becomes of one type.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeStep {
    /// Its position in the old schema; none for a type that is new.
    pub old: Option<usize>,
    /// Its position in the new schema; none for a type that is gone.
    pub new: Option<usize>,
    /// How its values are made.
    pub body: BodyStep,
    /// Whether any byte of a record may change: false where old and new values are the same bytes, also in the types
    /// that lie in it by value and in the lists and maps it owns.
    pub rewritten: bool,
}

/// How values of a named type are made.
#[derive(Debug, Clone, PartialEq)]
pub enum BodyStep {
    /// Old and new values are the same bytes.
    Same,
    /// There is no old type of this name.
    Added,
    /// There is no new type of this name.
    Gone,
    /// Field by field.
    Struct(Fields),
    /// Variant by variant: a step for each old one, in the old order.
    Enum(Vec<VariantStep>),
    /// The program's hook makes them.
    Hook,
    /// They cannot be made: a struct became an enum, and no hook says how.
    Unanswered,
}

/// How a struct's fields, or those of a variant, are made.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fields {
    /// A step for each new field, in the new order.
    pub made: Vec<FieldStep>,
    /// Old fields that nothing is made of.
    pub dropped: Vec<Dropped>,
}

/// Where a new field's values come from.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldStep {
    /// Position among the new fields.
    pub field: usize,
    /// Where from.
    pub source: Source,
}

/// The one source of a new field.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// An old field: positions of fields from the old struct inwards. One position, unless the field moved out of an
    /// inline struct.
    Field {
        /// The way to it.
        path: Vec<usize>,
        /// How its values are converted.
        cast: Cast,
    },
    /// A new inline struct whose fields lay in the old record itself.
    Gathered(Fields),
    /// The same value for every record.
    Value(Value),
    /// A hook fills it in.
    Hook,
    /// Nobody says; the plan is refused.
    Unanswered,
}

/// An old field that nothing is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Dropped {
    /// Positions of fields from the old struct inwards.
    pub path: Vec<usize>,
    /// That every live value is the empty one, where the program did not say that values may go.
    pub check: Option<usize>,
}

/// What becomes of an old variant.
#[derive(Debug, Clone, PartialEq)]
pub struct VariantStep {
    /// Position of the new variant; none where it is gone.
    pub new: Option<usize>,
    /// That no live value is of this variant, where it is gone.
    pub check: Option<usize>,
    /// Its payload.
    pub fields: Fields,
}

/// How values of one shape become values of another. The shapes themselves are not repeated: whoever runs a cast walks
/// the old and the new shape beside it.
#[derive(Debug, Clone, PartialEq)]
pub enum Cast {
    /// The value is the same and lies the same; handles go on naming what they named.
    Copy,
    /// An integer, float or bool becomes another, by value. A check says that every live value survives.
    Number {
        /// [`CheckKind::Fits`] or [`CheckKind::Exact`]; none where no value can be lost.
        check: Option<usize>,
    },
    /// A text's bytes.
    TextToBytes,
    /// Bytes that are UTF-8 ([`CheckKind::Utf8`]).
    BytesToText {
        /// Position of the check.
        check: usize,
    },
    /// A named type by value: the step at this position of [`Plan::types`].
    Type(usize),
    /// `T` becomes `Some(T)`.
    Some(Box<Cast>),
    /// Nothing stays nothing, something is converted.
    Option(Box<Cast>),
    /// Something is converted; nothing becomes the value, or must not be there ([`CheckKind::Present`]).
    Unwrap {
        /// What something becomes.
        value: Box<Cast>,
        /// What nothing becomes.
        none: Option<Value>,
        /// Position of the check, where nothing has no value.
        check: Option<usize>,
    },
    /// `T` becomes `[T; 1]`.
    One(Box<Cast>),
    /// Element by element.
    Array {
        /// What an element becomes.
        element: Box<Cast>,
        /// The elements a longer array gains.
        fill: Value,
        /// That the elements a shorter array loses are empty ([`CheckKind::TailEmpty`]).
        check: Option<usize>,
    },
    /// `T` becomes a list of one.
    ToList(Box<Cast>),
    /// A list of one becomes its element ([`CheckKind::OneElement`]).
    FromList {
        /// What the element becomes.
        element: Box<Cast>,
        /// Position of the check.
        check: usize,
    },
    /// A list of none or one becomes an option ([`CheckKind::AtMostOneElement`]).
    FromListOption {
        /// What the element becomes.
        element: Box<Cast>,
        /// Position of the check.
        check: usize,
    },
    /// A list, element by element; it keeps its handle.
    List(Box<Cast>),
    /// A map of either kind, entry by entry; it keeps its handle. Keys must stay unique.
    Map {
        /// What a key becomes.
        key: Box<Cast>,
        /// What a value becomes.
        value: Box<Cast>,
        /// That new keys are unique ([`CheckKind::UniqueKeys`]), where keys are not copied.
        check: Option<usize>,
    },
    /// A list of entries, structs of a `key` and a `value`, becomes a map of either kind.
    ListToMap {
        /// What a key becomes.
        key: Box<Cast>,
        /// What a value becomes.
        value: Box<Cast>,
        /// Position of the check that no key is there twice ([`CheckKind::UniqueKeys`]).
        check: usize,
    },
    /// A map of either kind becomes a list of entries, in the order of the old keys.
    MapToList {
        /// What a key becomes.
        key: Box<Cast>,
        /// What a value becomes.
        value: Box<Cast>,
    },
    /// A value by itself becomes a record that a reference names.
    ToReference(Box<Cast>),
    /// A referenced record becomes a value ([`CheckKind::Unshared`]).
    FromReference {
        /// What the record becomes.
        record: Box<Cast>,
        /// Position of the check.
        check: usize,
    },
    /// There is no rule for it; the plan is refused.
    Unanswered,
}

/// A value that a plan brings along.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// The empty value of the shape: zero, false, the empty text, nothing, an empty list or map; of structs and arrays
    /// the empty value of each part; of an enum its variant with tag zero.
    Empty,
    /// An integer.
    Integer(i128),
    /// An unsigned integer beyond the signed ones.
    Unsigned(u128),
    /// A float.
    Float(f64),
    /// A bool.
    Bool(bool),
    /// A char.
    Char(char),
    /// A text.
    Text(String),
    /// Something.
    Some(Box<Value>),
    /// The elements of an array.
    Array(Vec<Value>),
    /// An enum's variant without payload, by its name.
    Variant(String),
}

/// Something to prove of the live values.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// The record type that is looked at: its position in the old schema.
    pub record: usize,
    /// The place in it, by names: `score`, `position.x`, `tags[]`, `kind::Circle.radius`.
    pub place: String,
    /// What must hold.
    pub kind: CheckKind,
    /// The program, or an answer, allows that it does not hold (floats only: the nearest value is taken).
    pub waived: bool,
}

/// What must hold of every live value at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckKind {
    /// The number is one of the new type's.
    Fits,
    /// The number is one of the new float type's: converted and back, it is the same, NaN by bits.
    Exact,
    /// The value is the empty one.
    Empty,
    /// No live value is of this variant.
    NoSuchVariant,
    /// The option holds something.
    Present,
    /// The bytes are UTF-8.
    Utf8,
    /// The elements that are cut off are empty.
    TailEmpty,
    /// The list has one element.
    OneElement,
    /// The list has at most one element.
    AtMostOneElement,
    /// No two keys are or become the same.
    UniqueKeys,
    /// The reference is the only one to its record, names a live one, and is on no circle of such references.
    Unshared,
    /// The type has no live records.
    NoRecords,
}
