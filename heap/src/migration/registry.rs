//! The registry that a heap has after a migration.
//!
//! Tables and slots name types by position and shapes by number, so a position and a number keep their layout for as
//! long as a value lies by it. A type that is rewritten takes its old position with its new layout; its old layout goes
//! on under a [former name](migrate::TypeDescriptor::former_name), and the old shapes with it. The new shapes have
//! numbers of their own. So while records are converted one after the other no old value can be taken for a new one,
//! and a released value is walked by the layout it has.

use std::collections::{HashMap, HashSet};

use migrate::{Answers, Plan, Registry, Schema, Shape, TypeDescriptor};

use crate::error::{Error, Result};

/// The schema to migrate to: the program's types, and those of the heap that it does not name, that are not to be dropped
/// with their records, and that can stay as they are. `is_live` says whether the heap has records of a type.
pub(crate) fn merged(
    old: &Schema,
    program: &Schema,
    answers: &Answers,
    is_live: impl Fn(&str) -> bool,
) -> Result<Schema> {
    let plan = Plan::with_answers(old, program, answers);
    let names = Names::of(&plan, Unnamed::Stay);
    let mut merged = program.clone();
    let unnamed = plan.types.iter().filter(|step| step.new.is_none()).filter_map(|step| step.old);
    let (gone, kept): (Vec<&TypeDescriptor>, Vec<&TypeDescriptor>) =
        unnamed.map(|number| &old.types[number]).partition(|described| answers.drop_types.contains(&described.name));
    for described in kept {
        let name = &described.name;
        let why = if let Some(changed) = names.changed_within(&plan, described) {
            format!("it holds {changed} by value, which the program changed; name it too when the heap is opened")
        } else if program.get(name).is_some() {
            "the program makes another type of this name out of another one of the heap".to_owned()
        } else {
            merged.types.push(names.renamed(described));
            continue;
        };
        if is_live(name) {
            return Err(Error::Unsupported { name: name.clone(), why });
        }
    }
    gone.into_iter().try_for_each(|described| check_gone(&described.name, &merged))?;
    Ok(merged)
}

/// That nothing in the schema afterwards speaks of a type whose records are dropped: so no reference to them is left, and
/// none has to be looked for.
fn check_gone(name: &str, merged: &Schema) -> Result<()> {
    let speaks = |described: &TypeDescriptor| {
        described.shapes().any(|shape| matches!(shape, Shape::Inline(named) | Shape::Reference(named) if named == name))
    };
    let why = if merged.get(name).is_some() {
        "its records cannot go: the program has a type of this name".to_owned()
    } else if let Some(holder) = merged.types.iter().find(|described| speaks(described)) {
        format!("its records cannot go: {} holds or refers to some; drop those fields too", holder.name)
    } else {
        return Ok(());
    };
    Err(Error::Unsupported { name: name.to_owned(), why })
}

/// The registry after a migration by a plan from a heap's types to their [`merged`] schema.
/// `has_table` says which shape numbers tables name; those stay theirs.
pub(crate) fn migrated(old: &Registry, plan: &Plan, has_table: impl Fn(usize) -> bool) -> Result<Registry> {
    let mut names = Names::of(plan, Unnamed::Former);
    // A table of former records, empty as it is, keeps its layout's name for itself.
    let tables = (0..old.shapes.len()).filter(|&number| has_table(number) && old.shapes[number].is_former());
    for shape in tables.map(|number| &old.shapes[number]) {
        if let Shape::Inline(taken) = shape {
            names.leave(taken, |name| old.schema.get(name).is_some());
        }
    }
    let position = |step_old: usize| old.schema.types.iter().position(|it| it.name == plan.old.types[step_old].name);
    // What lies in a former layout is now called by its own former name where it changes.
    let renamed = |described: &TypeDescriptor| {
        if described.is_former() { names.renamed(described) } else { described.clone() }
    };
    let mut types: Vec<TypeDescriptor> = old.schema.types.iter().map(renamed).collect();
    let mut added = Vec::new();
    for step in &plan.types {
        let place = step.old.and_then(position);
        let new = step.new.map(|number| plan.new.types[number].clone());
        match (place, new) {
            (Some(place), Some(new)) => {
                let before = std::mem::replace(&mut types[place], new);
                if step.rewritten {
                    added.push(names.former(&before));
                }
            }
            (None, Some(new)) => added.push(new),
            (Some(place), None) => types[place] = names.former(&types[place]),
            (None, None) => {}
        }
    }
    for described in added {
        // A layout that came and went before is described already.
        match types.iter().find(|known| known.name == described.name) {
            None => types.push(described),
            Some(known) if known.without_advice() == described.without_advice() => {}
            Some(_) => {
                let why = "the heap describes another former layout under its name".to_owned();
                return Err(Error::Unsupported { name: described.name, why });
            }
        }
    }

    let mut shapes: Vec<Shape> = old.shapes.iter().map(|shape| names.renamed_shape(shape)).collect();
    let mut wanted = Vec::new();
    for described in plan.types.iter().filter_map(|step| plan.new.types.get(step.new?)) {
        shapes_of(described, &mut wanted);
    }
    // What lies by a former layout again keeps its number; the one the layout had formerly is free.
    let is_former = |number: usize| old.shapes[number].is_former() && !has_table(number);
    let mut free = Vec::new();
    let mut seen = HashSet::new();
    let (former, in_use): (Vec<usize>, Vec<usize>) = (0..shapes.len()).partition(|&number| is_former(number));
    for number in in_use.into_iter().chain(former) {
        if !seen.insert(shapes[number].clone()) {
            free.push(number);
        }
    }
    for shape in wanted {
        if seen.insert(shape.clone()) {
            match free.pop() {
                Some(number) => shapes[number] = shape,
                None => shapes.push(shape),
            }
        }
    }
    // Numbers that nothing wants any more get shapes of their own, which no value has.
    for (count, number) in free.into_iter().enumerate() {
        shapes[number] = nothing(count as u64);
    }
    let registry = Registry { schema: Schema { types }, shapes };
    registry.check().map_err(|error| Error::Unsupported { name: "the schema".into(), why: error.to_string() })?;
    Ok(registry)
}

/// A shape that no type of a program has.
fn nothing(count: u64) -> Shape {
    let mut shape = Shape::Bool;
    for _ in 0..=count {
        shape = Shape::Array { element: Box::new(shape), count: 1 };
    }
    shape
}

/// The record type itself, and the shapes of elements and maps in it.
fn shapes_of(described: &TypeDescriptor, shapes: &mut Vec<Shape>) {
    shapes.push(Shape::Inline(described.name.clone()));
    shapes.extend(described.shapes().filter_map(|shape| match shape {
        Shape::List(element) => Some((**element).clone()),
        Shape::Map { .. } | Shape::SortedMap { .. } => Some(shape.clone()),
        _ => None,
    }));
}

/// What the old names are called from now on.
struct Names {
    /// By old name, what a reference to such records names.
    records: HashMap<String, String>,
    /// By old name, the layout that old values lie by.
    layouts: HashMap<String, String>,
}

/// What becomes of old types that the new schema does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unnamed {
    /// They keep their names.
    Stay,
    /// Nothing lies by them any more.
    Former,
}

impl Names {
    fn of(plan: &Plan, unnamed: Unnamed) -> Self {
        let (mut records, mut layouts) = (HashMap::new(), HashMap::new());
        for step in &plan.types {
            let Some(old) = step.old.map(|number| &plan.old.types[number]) else { continue };
            let former = || old.former_name(&plan.old);
            let new = step.new.map(|number| plan.new.types[number].name.clone());
            let new = new.or_else(|| (unnamed == Unnamed::Stay).then(|| old.name.clone()));
            let layout = match &new {
                // A type that stays unnamed stays as it is, and so does one that lies in it.
                Some(name) if !step.rewritten || step.new.is_none() => name.clone(),
                _ => former(),
            };
            records.insert(old.name.clone(), new.unwrap_or_else(former));
            layouts.insert(old.name.clone(), layout);
        }
        Self { records, layouts }
    }

    /// Former layouts are not given this name, but one that nothing has.
    fn leave(&mut self, taken: &str, exists: impl Fn(&str) -> bool) {
        for names in [&mut self.records, &mut self.layouts] {
            for name in names.values_mut().filter(|name| *name == taken) {
                while exists(name) {
                    name.push('\'');
                }
            }
        }
    }

    /// A type that lies in another by value and is rewritten.
    fn changed_within<'a>(&self, plan: &'a Plan, described: &'a TypeDescriptor) -> Option<&'a str> {
        let changed: HashSet<&str> = plan
            .types
            .iter()
            .filter(|step| step.rewritten && step.new.is_some())
            .filter_map(|step| step.old.map(|number| &*plan.old.types[number].name))
            .collect();
        plan.old.held_by(described.held()).into_iter().find(|name| changed.contains(name))
    }

    /// An old layout under its own name.
    fn former(&self, described: &TypeDescriptor) -> TypeDescriptor {
        let mut former = self.renamed(described);
        if let Some(name) = self.layouts.get(&described.name) {
            former.name.clone_from(name);
        }
        former
    }

    /// The same layout, with the types in it by their names from now on.
    fn renamed(&self, described: &TypeDescriptor) -> TypeDescriptor {
        let mut renamed = described.clone();
        for field in renamed.fields_mut() {
            field.shape = self.renamed_shape(&field.shape);
        }
        renamed
    }

    fn renamed_shape(&self, shape: &Shape) -> Shape {
        let inner = |shape: &Shape| Box::new(self.renamed_shape(shape));
        let name = |names: &HashMap<String, String>, name: &String| names.get(name).unwrap_or(name).clone();
        match shape {
            Shape::Inline(layout) => Shape::Inline(name(&self.layouts, layout)),
            Shape::Reference(record) => Shape::Reference(name(&self.records, record)),
            Shape::Array { element, count } => Shape::Array { element: inner(element), count: *count },
            Shape::List(element) => Shape::List(inner(element)),
            Shape::Map { key, value } => Shape::Map { key: inner(key), value: inner(value) },
            Shape::SortedMap { key, value } => Shape::SortedMap { key: inner(key), value: inner(value) },
            Shape::Option { inner: value, size, align, tag } => {
                Shape::Option { inner: inner(value), size: *size, align: *align, tag: *tag }
            }
            _ => shape.clone(),
        }
    }
}
