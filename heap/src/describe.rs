//! Collecting the descriptors of a program's types. Everything is by value: there is no list of all types anywhere.

use std::any::{TypeId, type_name};
use std::collections::{BTreeMap, BTreeSet, HashMap};

use migrate::{Body, Schema, Shape, TypeAttributes, TypeDescriptor, TypeIndex};

use crate::error::{Error, Result};
use crate::field::{Field, Key, Record};
use crate::format::slot::{CLASS_COUNT, CLASSES};
use crate::migration::{Down, Hook, IntoDown, IntoHook};

/// Largest size of a record in bytes.
const MAX_RECORD: usize = CLASSES[CLASS_COUNT - 1] as usize - 64;
/// Largest alignment of a record in bytes.
const MAX_ALIGN: usize = 64;

/// Refuses a schema with a record, element or entry of a map that is larger, or has a higher alignment, than a heap
/// holds. The schema was checked by itself.
pub(crate) fn check_sizes(schema: &Schema) -> Result<()> {
    let index = TypeIndex::new(schema);
    for described in &schema.types {
        let mut sizes = vec![(u64::from(described.size), u64::from(described.align))];
        for shape in described.shapes() {
            match shape {
                Shape::List(element) => sizes.extend(index.size_align(element)),
                Shape::Map { key, value } | Shape::SortedMap { key, value } => {
                    if let (Some(key), Some(value)) = (index.size_align(key), index.size_align(value)) {
                        let align = key.1.max(value.1);
                        sizes.push((key.0.saturating_add(value.0).saturating_add(align), align));
                    }
                }
                _ => {}
            }
        }
        if let Some(&(size, align)) = sizes.iter().find(|&&(size, align)| !fits(size, align)) {
            return Err(Error::Unsupported { name: described.name.clone(), why: too_large(size, align) });
        }
    }
    Ok(())
}

/// Whether a heap holds values of this size and alignment.
fn fits(size: u64, align: u64) -> bool {
    (1..=MAX_RECORD as u64).contains(&size) && align <= MAX_ALIGN as u64
}

fn too_large(size: u64, align: u64) -> String {
    format!(
        "it has {size} bytes and alignment {align}; records and elements have 1 to {MAX_RECORD} bytes and at most \
         alignment {MAX_ALIGN} (keep large values in Bytes or a List)",
    )
}

/// Collects descriptors while types describe themselves.
#[derive(Debug, Default)]
pub struct Describer {
    schema: Schema,
    records: Vec<DescribedRecord>,
    elements: Vec<(TypeId, Shape)>,
    /// Name of each type that is defined or being defined.
    defined: HashMap<TypeId, String>,
    names: HashMap<String, TypeId>,
    depth: Depth,
    purpose: Purpose,
    /// Types that are named and not described.
    referenced: BTreeSet<String>,
    hooks: Hooks,
    fault: Option<Error>,
}

/// The hooks of types.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hooks {
    /// Those that make records of a type out of old ones, by its name.
    pub(crate) up: BTreeMap<String, Vec<Hook>>,
    /// Those that make old records.
    pub(crate) down: Vec<Down>,
}

/// How far describing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Depth {
    /// Into every type that is named.
    #[default]
    Descriptors,
    /// No further than names.
    Names,
}

/// Stands for a type of which nothing is known but that references name it.
fn unknown(name: String) -> TypeDescriptor {
    TypeDescriptor { name, size: 8, align: 8, body: Body::Struct(Vec::new()), attributes: TypeAttributes::default() }
}

/// What the descriptors are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Purpose {
    /// To be bound to a heap's.
    #[default]
    Binding,
    /// To be migrated to: the hooks are wanted too.
    Migrating,
    /// To be the old type of a hook. Its references name types of the program, which are not described: they may have
    /// the names of types that lie in it.
    Old,
}

/// A record type that was described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedRecord {
    /// The Rust type.
    pub id: TypeId,
    /// Its declared name.
    pub name: String,
}

/// The descriptors of a type and of every type it names.
#[derive(Debug)]
pub struct Description {
    /// The descriptors.
    pub schema: Schema,
    /// Named types, with the Rust types they describe.
    pub records: Vec<DescribedRecord>,
    /// Elements of lists, and maps, with the Rust types they describe.
    pub elements: Vec<(TypeId, Shape)>,
}

impl Description {
    /// The shape of the type that was described as the element of a list.
    pub(crate) fn shape_of_element<T: Field>(&self) -> Option<&Shape> {
        let id = TypeId::of::<T>();
        self.elements.iter().find(|(known, _)| *known == id).map(|(_, shape)| shape)
    }
}

impl Describer {
    /// Describes a record type.
    ///
    /// # Errors
    /// [`Error::SameName`] when two types have one name, [`Error::Unsupported`] when one is too large.
    pub fn describe<T: Record>() -> Result<Description> {
        let mut describer = Self::default();
        T::describe(&mut describer);
        describer.finish()
    }

    /// A describer that notes hooks as well.
    pub(crate) fn with_hooks() -> Self {
        Self { purpose: Purpose::Migrating, ..Self::default() }
    }

    /// Describes the old type of a hook.
    pub(crate) fn describe_old<T: Record>() -> Result<Description> {
        let mut describer = Self { purpose: Purpose::Old, ..Self::default() };
        T::describe(&mut describer);
        describer.finish()
    }

    /// Describes the element type of a list, or a map type.
    ///
    /// # Errors
    /// As [`describe`](Describer::describe).
    pub fn describe_element<T: Field>() -> Result<Description> {
        let mut describer = Self::default();
        describer.element::<T>();
        describer.finish()
    }

    /// Describes a type of which a hook reads old values.
    pub(crate) fn describe_old_element<T: Field>() -> Result<Description> {
        let mut describer = Self { purpose: Purpose::Old, ..Self::default() };
        describer.element::<T>();
        describer.finish()
    }

    /// The shape of a type, without the descriptors of the types it names.
    ///
    /// The name of a generic type is made of its arguments' shapes, and is asked for while a type is described; if
    /// naming described the arguments, a type that refers to itself through an argument would be named for ever.
    pub(crate) fn shape_of<T: Field>() -> Shape {
        T::describe(&mut Self { depth: Depth::Names, ..Self::default() })
    }

    fn finish(self) -> Result<Description> {
        Ok(self.finish_with_hooks()?.0)
    }

    pub(crate) fn finish_with_hooks(self) -> Result<(Description, Hooks)> {
        let Self { mut schema, records, elements, hooks, referenced, names, fault, .. } = self;
        schema.types.extend(referenced.into_iter().filter(|name| !names.contains_key(name)).map(unknown));
        match fault {
            Some(fault) => Err(fault),
            None => Ok((Description { schema, records, elements }, hooks)),
        }
    }

    /// Notes a hook that makes records of a type out of old ones.
    pub fn hook<N: Record, M>(&mut self, hook: impl IntoHook<N, M>) {
        if self.purpose != Purpose::Migrating {
            return;
        }
        match hook.into_hook() {
            Ok(hook) => self.hooks.up.entry(N::name()).or_default().push(hook.0),
            Err(fault) => {
                self.fault.get_or_insert(fault);
            }
        }
    }

    /// Notes a hook that makes old records of a type's.
    pub fn down<N: Record, M>(&mut self, hook: impl IntoDown<N, M>) {
        if self.purpose != Purpose::Migrating {
            return;
        }
        match hook.into_down() {
            Ok(hook) => self.hooks.down.push(hook.0),
            Err(fault) => {
                self.fault.get_or_insert(fault);
            }
        }
    }

    /// The shape of a named type; `describe` is asked for its descriptor the first time.
    pub fn define<T: Field>(&mut self, name: String, describe: impl FnOnce(&mut Self) -> TypeDescriptor) -> Shape {
        let id = TypeId::of::<T>();
        if self.depth == Depth::Names || self.defined.contains_key(&id) {
            return Shape::Inline(name);
        }
        if self.names.insert(name.clone(), id).is_some() {
            self.fault.get_or_insert(Error::SameName(name.clone()));
        }
        self.defined.insert(id, name.clone());
        let descriptor = describe(self);
        self.measure::<T>(size_of::<T>());
        self.schema.types.push(descriptor);
        self.records.push(DescribedRecord { id, name: name.clone() });
        Shape::Inline(name)
    }

    /// The name of a record type that something refers to; it is described too.
    pub fn record<T: Record>(&mut self) -> String {
        let name = T::name();
        if self.purpose == Purpose::Old {
            self.referenced.insert(name.clone());
        } else {
            T::describe(self);
        }
        name
    }

    /// The shape of a list's element.
    pub fn element<T: Field>(&mut self) -> Shape {
        let shape = T::describe(self);
        self.measure::<T>(size_of::<T>());
        self.remember::<T>(&shape);
        shape
    }

    /// The shape of a map `M`.
    pub fn map<M: Field, K: Key, V: Field>(&mut self, shape: impl FnOnce(Box<Shape>, Box<Shape>) -> Shape) -> Shape {
        let (key, value) = (K::describe(self), V::describe(self));
        self.measure::<(K, V)>(size_of::<K>() + size_of::<V>() + align_of::<K>().max(align_of::<V>()));
        let shape = shape(Box::new(key), Box::new(value));
        self.remember::<M>(&shape);
        shape
    }

    /// Refuses a record, element or entry of a map that is too large, or has no bytes, or too high an alignment.
    fn measure<T>(&mut self, size: usize) {
        let (size, align) = (size as u64, align_of::<T>() as u64);
        if fits(size, align) {
            return;
        }
        let why = too_large(size, align);
        self.fault.get_or_insert(Error::Unsupported { name: type_name::<T>().to_owned(), why });
    }

    fn remember<T: Field>(&mut self, shape: &Shape) {
        let id = TypeId::of::<T>();
        if self.elements.iter().all(|(known, _)| *known != id) {
            self.elements.push((id, shape.clone()));
        }
    }
}
