//! Which Rust type stands for which shape of the heap.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use migrate::{Programs, Registry, Shape, TypeDescriptor};

use crate::describe::{Describer, Description};
use crate::error::{Error, Result};
use crate::field::{Field, Record};
use crate::raw::Space;

/// The heap's registry, and the Rust types bound to it.
#[derive(Debug)]
pub(crate) struct Binder {
    registry: Registry,
    /// The registry differs from the one in the file.
    changed: bool,
    /// The registry differs from the one the programs were compiled from.
    stale: bool,
    /// One of both, for whoever commits and would rather not wait for the binder.
    news: Arc<AtomicBool>,
    types_by_name: HashMap<String, u32>,
    shapes: HashMap<Shape, u32>,
    bound: HashMap<TypeId, u32>,
    type_of_shape: HashMap<u32, TypeId>,
    regions_of_shape: HashMap<u32, Vec<u32>>,
}

/// Whether binding may add what the heap has not met yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// Types new to the heap are added to its registry with the next commit.
    Add,
    /// Only what the heap knows is bound.
    Leave,
}

impl Binder {
    /// A binder for a heap's registry.
    pub(crate) fn new(registry: Registry, regions_of_shape: HashMap<u32, Vec<u32>>) -> Self {
        let names = (0..).zip(&registry.schema.types).map(|(number, ty)| (ty.name.clone(), number));
        let shapes = (0..).zip(&registry.shapes).map(|(number, shape)| (shape.clone(), number));
        Self {
            types_by_name: names.collect(),
            shapes: shapes.collect(),
            registry,
            changed: false,
            stale: false,
            news: Arc::default(),
            bound: HashMap::new(),
            type_of_shape: HashMap::new(),
            regions_of_shape,
        }
    }

    fn note_change(&mut self) {
        self.stale = true;
        self.rewritten();
    }

    /// The registry is to go into the file with the next commit. Its programs are compiled already.
    pub(crate) fn rewritten(&mut self) {
        self.changed = true;
        self.news.store(true, Ordering::Release);
    }

    /// Whether a commit has anything to ask the binder for.
    pub(crate) fn news(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.news)
    }

    /// The registry.
    pub(crate) const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The shape number a type is bound to.
    pub(crate) fn shape_of(&self, id: TypeId) -> Option<u32> {
        self.bound.get(&id).copied()
    }

    /// Position in the schema of the record type with this shape number.
    pub(crate) fn type_number(&self, shape: u32) -> Option<u32> {
        match self.registry.shapes.get(shape as usize)? {
            Shape::Inline(name) => self.types_by_name.get(name).copied(),
            _ => None,
        }
    }

    /// Binds a record type and every type its description names; its shape number, or `None` when the heap does not
    /// know it and may not be told.
    pub(crate) fn bind_record<T: Record>(&mut self, space: &Space, unknown: Unknown) -> Result<Option<u32>> {
        let id = TypeId::of::<T>();
        if let Some(shape) = self.shape_of(id) {
            return Ok(Some(shape));
        }
        self.bind(&Describer::describe::<T>()?, space, unknown)?;
        Ok(self.shape_of(id))
    }

    /// Binds the element type of a list, or a map type, and every type its description names; its shape number, or
    /// `None` when the heap does not know it and may not be told.
    pub(crate) fn bind_element<T: Field>(&mut self, space: &Space, unknown: Unknown) -> Result<Option<u32>> {
        let id = TypeId::of::<T>();
        if self.shape_of(id).is_none() {
            self.bind(&Describer::describe_element::<T>()?, space, unknown)?;
        }
        Ok(self.shape_of(id))
    }

    fn bind(&mut self, description: &Description, space: &Space, unknown: Unknown) -> Result<()> {
        for descriptor in &description.schema.types {
            if let Some(&number) = self.types_by_name.get(&descriptor.name) {
                compare(&self.registry.schema.types[number as usize], descriptor)?;
            }
        }
        if unknown == Unknown::Add {
            for descriptor in &description.schema.types {
                if !self.types_by_name.contains_key(&descriptor.name) {
                    self.types_by_name.insert(descriptor.name.clone(), self.registry.schema.types.len() as u32);
                    self.registry.schema.types.push(descriptor.clone());
                    self.note_change();
                }
            }
        }
        let records = description.records.iter().map(|record| (record.id, Shape::Inline(record.name.clone())));
        for (id, shape) in records.chain(description.elements.iter().cloned()) {
            self.bind_shape(id, shape, space, unknown)?;
        }
        Ok(())
    }

    fn bind_shape(&mut self, id: TypeId, shape: Shape, space: &Space, unknown: Unknown) -> Result<()> {
        let number = match self.shapes.get(&shape) {
            Some(&number) => number,
            None if unknown == Unknown::Leave => return Ok(()),
            None => {
                let number = self.registry.shapes.len() as u32;
                self.registry.shapes.push(shape.clone());
                self.shapes.insert(shape.clone(), number);
                self.note_change();
                number
            }
        };
        if self.bound.insert(id, number).is_some_and(|before| before == number) {
            return Ok(());
        }
        if let Some(&other) = self.type_of_shape.get(&number)
            && other != id
        {
            // Two Rust types of one shape, as `Maybe<u8>` and `Option<u8>`: the second goes the slow way. Two record
            // types of one name are a mistake.
            return match shape {
                Shape::Inline(name) => Err(Error::SameName(name)),
                _ => Ok(()),
            };
        }
        self.type_of_shape.insert(number, id);
        space.bind_shape(number, id);
        for &region in self.regions_of_shape.get(&number).into_iter().flatten() {
            space.bind_region(region, id);
        }
        Ok(())
    }

    /// A region now holds records of this shape.
    pub(crate) fn add_region(&mut self, space: &Space, shape: u32, region: u32) {
        let regions = self.regions_of_shape.entry(shape).or_default();
        if !regions.contains(&region) {
            regions.push(region);
        }
        if let Some(&id) = self.type_of_shape.get(&shape) {
            space.bind_region(region, id);
        }
    }

    /// The registry's archive, when the one in the file is another.
    pub(crate) fn archive_if_changed(&self) -> Option<Vec<u8>> {
        self.changed.then(|| self.registry.to_archive())
    }

    /// The registry was committed as it is.
    pub(crate) fn committed(&mut self) {
        self.changed = false;
        self.news.store(self.stale, Ordering::Release);
    }

    /// The programs of the registry's shapes, when they changed since they were last asked for.
    pub(crate) fn fresh_programs(&mut self) -> Result<Option<Programs>> {
        if !self.stale {
            return Ok(None);
        }
        let programs = Programs::compile(&self.registry)
            .map_err(|error| Error::Unsupported { name: "the schema".into(), why: error.to_string() })?;
        self.stale = false;
        Ok(Some(programs))
    }
}

/// Equal layouts, or the first difference in words. What the program says for migrations does not count, and what the
/// heap keeps secret stays secret, whether or not the program says so.
fn compare(heap: &TypeDescriptor, program: &TypeDescriptor) -> Result<()> {
    if heap == program || heap.without_advice() == program.with_marks_of(heap).without_advice() {
        return Ok(());
    }
    let difference = if heap.size != program.size {
        format!("{} bytes there, {} here", heap.size, program.size)
    } else if heap.align != program.align {
        format!("alignment {} there, {} here", heap.align, program.align)
    } else {
        first_difference(&heap.body, &program.body)
    };
    Err(Error::Schema { name: heap.name.clone(), difference })
}

fn first_difference(heap: &migrate::Body, program: &migrate::Body) -> String {
    use migrate::Body;
    let (Body::Struct(heap), Body::Struct(program)) = (heap, program) else {
        return match (heap, program) {
            (Body::Enum { .. }, Body::Enum { .. }) => "its variants differ".into(),
            _ => "a struct on one side, an enum on the other".into(),
        };
    };
    for field in heap {
        match program.iter().find(|candidate| candidate.name == field.name) {
            None => return format!("field {} is gone", field.name),
            Some(other) if other.shape != field.shape => {
                return format!("field {} was {}, is {}", field.name, field.shape, other.shape);
            }
            Some(other) if other.offset != field.offset => return format!("field {} moved", field.name),
            Some(other) if other.attributes != field.attributes => {
                return format!("the attributes of field {} changed", field.name);
            }
            Some(_) => {}
        }
    }
    program
        .iter()
        .find(|field| heap.iter().all(|candidate| candidate.name != field.name))
        .map_or_else(|| "its attributes differ".into(), |field| format!("field {} is new", field.name))
}
