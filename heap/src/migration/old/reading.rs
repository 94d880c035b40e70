//! How the values of an old layout are read as the types that a hook asks for.
//!
//! What is stored and what is asked for become the one field of two structs, and the plan between these says the rest: so
//! a hook reads a field by the very rules by which a migration without a hook would have converted it.

use std::any::{Any, TypeId, type_name};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;

use migrate::{
    Answers, Body, BodyStep, ByteOrder, Conversion, ConversionError, FieldAttributes, JobKind, Plan, Schema, Shape,
    Slots, SlotsMut, Source, TypeAttributes, TypeDescriptor, joined,
};

use super::place::{self, Place, Steps};
use crate::describe::{Describer, Description};
use crate::error::{Error, Result};
use crate::field::Field;
use crate::migration::change::{self, Change};
use crate::raw::ValueReader;
use crate::shared::Shared;
use crate::transaction::Transaction;

/// The name of the structs that hold what is stored and what is asked for; no type can be declared under it.
const HOLDER: &str = "?";

/// An old layout of records, and how its fields are read.
pub(crate) struct OldLayout<'p> {
    plan: &'p Plan,
    /// Position of the old type in the plan's old schema.
    described: usize,
    pub(super) fingerprint: [u8; 16],
    pub(super) change: Change,
    /// Numbers of the new registry's shapes.
    pub(super) numbers: &'p HashMap<Shape, u32>,
    /// The heap that is migrated.
    heap: &'p Shared,
    /// New names of old types.
    renames: BTreeMap<String, String>,
    /// What is found out for one record serves all others.
    readings: RefCell<Readings>,
}

/// By type and path, each a `Rc<Reading<T>>`; those of parts by the path and their shape.
type Readings = HashMap<TypeId, HashMap<(String, Option<Shape>), Rc<dyn Any>>>;

/// How the values at a place become `T`s.
pub(super) struct Reading<T> {
    pub(super) steps: Steps,
    /// What is stored.
    pub(super) shape: Shape,
    /// None where the stored bytes are those of a `T`.
    pub(super) conversion: Option<Conversion>,
    pub(super) value: ValueReader<T>,
}

impl<'p> OldLayout<'p> {
    /// The old layout of the step at this position, where there is one.
    pub(crate) fn new(plan: &'p Plan, step: usize, numbers: &'p HashMap<Shape, u32>, heap: &'p Shared) -> Option<Self> {
        let described = plan.types[step].old?;
        Some(Self {
            plan,
            described,
            fingerprint: plan.old.types[described].fingerprint(&plan.old).0,
            change: Change::of(&change::without_hooks(plan), step),
            numbers,
            heap,
            renames: change::renames(plan),
            readings: RefCell::default(),
        })
    }

    /// What an old record owns is looked for without asking what it is, so in the heap that was verified, and in no other.
    pub(super) fn check_heap(&self, tx: &Transaction<'_>) -> Result<(), String> {
        let is_same = std::ptr::eq(self.heap, tx.shared);
        if is_same { Ok(()) } else { Err("cannot be read with another heap's transaction".to_owned()) }
    }

    pub(super) fn described(&self) -> &TypeDescriptor {
        &self.plan.old.types[self.described]
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        let fields = if let Body::Struct(fields) = &self.described().body { &fields[..] } else { &[] };
        fields.iter().map(|field| &*field.name)
    }

    pub(super) fn place(&self, path: &str) -> Result<Place, String> {
        place::find(&self.plan.old, self.described, path)
    }

    pub(super) fn follow(&self, steps: &Steps, record: &[u8]) -> Result<usize, String> {
        place::follow(&self.plan.old, steps, record)
    }

    /// The variant of an enum that these bytes begin with.
    pub(super) fn variant(&self, shape: &Shape, bytes: &[u8]) -> Option<&str> {
        let Shape::Inline(name) = shape else { return None };
        place::variant_of(self.plan.old.get(name)?, bytes)
    }

    /// Bytes of a value of an old shape.
    pub(super) fn size_of(&self, shape: &Shape) -> usize {
        shape.size_align(&self.plan.old).map_or(1, |(size, _)| size as usize).max(1)
    }

    /// How the field at this path is read as a `T`.
    pub(super) fn reading<T: Field>(&self, path: &str) -> Result<Rc<Reading<T>>> {
        self.remembered(path, None, || {
            let place = self.place(path)?;
            self.read_as::<T>(place)
        })
    }

    /// How parts of the field at this path, of this shape, are read as `T`s.
    pub(super) fn reading_of<T: Field>(&self, shape: &Shape, path: &str) -> Result<Rc<Reading<T>>> {
        // A map's key and value are told apart by what they are.
        self.remembered(path, Some(shape), || {
            self.read_as::<T>(Place { steps: Steps::default(), shape: shape.clone() })
        })
    }

    fn remembered<T: Field>(
        &self,
        path: &str,
        part: Option<&Shape>,
        make: impl FnOnce() -> Result<Reading<T>, String>,
    ) -> Result<Rc<Reading<T>>> {
        let key = (path.to_owned(), part.cloned());
        let known = self.readings.borrow().get(&TypeId::of::<T>()).and_then(|by_path| by_path.get(&key)).cloned();
        if let Some(reading) = known.and_then(|known| known.downcast::<Reading<T>>().ok()) {
            return Ok(reading);
        }
        let part = part.map_or_else(String::new, |shape| format!("[{shape}]"));
        let field = || format!("{}{part}", joined(&self.described().name, path));
        let reading = Rc::new(make().map_err(|why| Error::OldField { field: field(), why })?);
        let mut readings = self.readings.borrow_mut();
        readings.entry(TypeId::of::<T>()).or_default().insert(key, Rc::<Reading<T>>::clone(&reading));
        Ok(reading)
    }

    fn read_as<T: Field>(&self, Place { steps, shape }: Place) -> Result<Reading<T>, String> {
        let asked = Describer::describe_old_element::<T>().map_err(|error| error.to_string())?;
        let value = ValueReader::of_old().map_err(|error| error.to_string())?;
        let conversion = self.conversion::<T>(&shape, asked)?;
        Ok(Reading { steps, shape, conversion, value })
    }

    /// How values of an old shape become `T`s; none where their bytes are the same.
    fn conversion<T: Field>(&self, stored: &Shape, asked: Description) -> Result<Option<Conversion>, String> {
        let shape = asked.shape_of_element::<T>().expect("an element's description has its shape").clone();
        let (old, new) = (holding(self.plan.old.clone(), stored), holding(asked.schema, &shape));
        let mut renames = self.renames.clone();
        renames.retain(|before, after| new.get(after).is_some() && new.get(before).is_none());
        let plan = Plan::with_answers(&old, &new, &Answers { rename: renames, ..Answers::default() });
        let unlike = || format!("is {stored}, and was asked for as {shape}");
        let step = plan.types.iter().find(|step| step.new == Some(new.types.len() - 1)).ok_or_else(unlike)?;
        if !step.rewritten {
            return Ok(None);
        }
        let BodyStep::Struct(fields) = &step.body else { return Err(unlike()) };
        let Some(Source::Field { cast, .. }) = fields.made.first().map(|made| &made.source) else {
            return Err(unlike());
        };
        let conversion = Conversion::of_shape(&plan, stored, &shape, cast, ByteOrder::NATIVE);
        conversion.map(Some).map_err(|error| match error {
            ConversionError::Unanswered(what) => format!("{}: nobody says how {what} is made of it", unlike()),
            error => format!("{}: {error}", unlike()),
        })
    }

    /// Whether a conversion makes values of the heap as it will be, and nothing else.
    pub(super) fn check_makes<T: Field>(&self, conversion: &Conversion) -> Result<(), String> {
        let asked = Describer::describe_element::<T>().map_err(|error| error.to_string())?;
        let shape = asked.shape_of_element::<T>().expect("an element's description has its shape");
        for described in &asked.schema.types {
            let known = self.plan.new.get(&described.name);
            if known.is_none_or(|known| known.without_advice() != described.with_marks_of(known).without_advice()) {
                return Err(format!("{} has another layout in the heap from now on", described.name));
            }
        }
        let mut open = vec![shape];
        open.extend(asked.schema.types.iter().flat_map(TypeDescriptor::shapes));
        while let Some(shape) = open.pop() {
            let numbered = match shape {
                Shape::List(element) => Some(&**element),
                Shape::Map { .. } | Shape::SortedMap { .. } => Some(shape),
                _ => None,
            };
            if numbered.is_some_and(|shape| !self.numbers.contains_key(shape)) {
                return Err(format!("no type of the program holds a {shape}"));
            }
            open.extend(shape.parts());
        }
        if conversion.jobs().any(|job| matches!(job.kind(), JobKind::FromReference | JobKind::ToReference)) {
            return Err("would make records, or take them away: read the reference and do that with them".to_owned());
        }
        Ok(())
    }
}

impl<T> Reading<T> {
    /// The bytes of a `T`, made from what is stored; nothing where the value does not survive, or where more than its own
    /// bytes are needed.
    pub(super) fn convert(conversion: &Conversion, stored: &[u8]) -> Option<Vec<u8>> {
        let (old_size, new_size) = (conversion.old_size(), conversion.new_size());
        let mut made = vec![0; new_size];
        let mut new = SlotsMut { bytes: &mut made, first: 0, stride: new_size };
        let old = Slots { bytes: stored, first: 0, stride: old_size };
        conversion.run_slots(old, &mut new, 1, |_| true).ok()?;
        Some(made)
    }
}

/// The schema with a struct that holds one value.
fn holding(mut schema: Schema, shape: &Shape) -> Schema {
    let (size, align) = shape.size_align(&schema).unwrap_or((8, 8));
    let attributes = FieldAttributes::default();
    let value = migrate::Field { name: "value".into(), offset: 0, shape: shape.clone(), attributes };
    schema.types.push(TypeDescriptor {
        name: HOLDER.into(),
        size: u32::try_from(size.next_multiple_of(align.max(1))).unwrap_or(u32::MAX),
        align: u32::try_from(align).unwrap_or(u32::MAX),
        body: Body::Struct(vec![value]),
        attributes: TypeAttributes::default(),
    });
    schema
}

/// What a hook asks for, in a message.
pub(super) fn asked<T: Field>() -> String {
    let described = Describer::describe_old_element::<T>().ok();
    let shape = described.and_then(|description| description.shape_of_element::<T>().map(ToString::to_string));
    shape.unwrap_or_else(|| type_name::<T>().to_owned())
}

impl fmt::Debug for OldLayout<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OldLayout").field("described", &self.described().name).finish_non_exhaustive()
    }
}
