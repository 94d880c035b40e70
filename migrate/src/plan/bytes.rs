//! Which types are the same bytes, and what follows from a shape alone.

use std::collections::HashSet;

use super::between::{Planner, inline_name};
use super::model::{BodyStep, Cast, Fields, Source, TypeStep};
use crate::layout::{MAX_DEPTH, TypeIndex};
use crate::schema::{Body, Field, Schema, Shape, TypeDescriptor};

/// What holds of each type of a schema, by position.
pub(super) struct Facts {
    /// It has an empty value.
    pub(super) has_empty: Vec<bool>,
    /// Values of it own texts, lists or maps.
    pub(super) owns: Vec<bool>,
    /// It is a struct, and it or a struct in it says where its fields' values come from.
    pub(super) says_sources: Vec<bool>,
}

impl Facts {
    /// Types are looked at from the innermost outwards, each once.
    pub(super) fn of(index: &TypeIndex<'_>) -> Self {
        let count = index.schema().types.len();
        let mut facts =
            Self { has_empty: vec![false; count], owns: vec![false; count], says_sources: vec![false; count] };
        let mut done = vec![false; count];
        for number in 0..count {
            facts.find(index, number, &mut done, MAX_DEPTH + 1);
        }
        facts
    }

    fn find(&mut self, index: &TypeIndex<'_>, number: usize, done: &mut [bool], levels: u32) {
        let Some(levels) = levels.checked_sub(1) else { return };
        if std::mem::replace(&mut done[number], true) {
            return;
        }
        let described = &index.schema().types[number];
        for field in described.fields() {
            if let Some(inner) = held_by_value(&field.shape).and_then(|name| index.number(name)) {
                self.find(index, inner as usize, done, levels);
            }
        }
        let all_empty =
            |facts: &Self, fields: &[Field]| fields.iter().all(|field| facts.shape_has_empty(index, &field.shape));
        self.has_empty[number] = match &described.body {
            Body::Struct(fields) => all_empty(self, fields),
            Body::Enum { variants, .. } => {
                variants.iter().any(|variant| variant.tag == 0 && all_empty(self, &variant.fields))
            }
        };
        self.owns[number] = described.fields().any(|field| self.shape_owns(index, &field.shape));
        self.says_sources[number] = match &described.body {
            Body::Struct(fields) => fields.iter().any(|field| {
                let inner = inline_name(&field.shape).and_then(|name| index.number(name));
                field.attributes.from.is_some()
                    || field.attributes.default.is_some()
                    || inner.is_some_and(|inner| self.says_sources[inner as usize])
            }),
            Body::Enum { .. } => false,
        };
    }

    pub(super) fn shape_has_empty(&self, index: &TypeIndex<'_>, shape: &Shape) -> bool {
        let mut shape = shape;
        while let Shape::Array { element, count } = shape {
            if *count == 0 {
                return true;
            }
            shape = element;
        }
        match shape {
            Shape::Inline(name) => index.number(name).is_some_and(|number| self.has_empty[number as usize]),
            Shape::Reference(_) => false,
            _ => true,
        }
    }

    pub(super) fn shape_owns(&self, index: &TypeIndex<'_>, shape: &Shape) -> bool {
        let mut shape = shape;
        while let Shape::Array { element: inner, .. } | Shape::Option { inner, .. } = shape {
            shape = inner;
        }
        match shape {
            Shape::Inline(name) => index.number(name).is_some_and(|number| self.owns[number as usize]),
            shape => shape.is_owned_handle(),
        }
    }
}

/// The type that lies in a value of this shape.
fn held_by_value(shape: &Shape) -> Option<&str> {
    let mut shape = shape;
    while let Shape::Array { element: inner, .. } | Shape::Option { inner, .. } = shape {
        shape = inner;
    }
    inline_name(shape)
}

/// For each type, those that hold it, in themselves or in the lists and maps they own.
pub(super) fn holders(schema: &Schema, index: &TypeIndex<'_>) -> Vec<Vec<u32>> {
    let mut holders = vec![Vec::new(); schema.types.len()];
    for (number, described) in schema.types.iter().enumerate() {
        for inner in described.held().filter_map(|name| index.number(name)) {
            holders[inner as usize].push(number as u32);
        }
    }
    holders
}

impl Planner<'_> {
    /// Types differ when they themselves do, or when a type that they hold does.
    pub(super) fn find_identical(&mut self) {
        let (old, new) = (self.old.schema(), self.new.schema());
        let holders = holders(new, &self.new);
        let mut open = Vec::new();
        let pairs: Vec<_> = self.matched.old_of.iter().enumerate().map(|(at, &before)| (at, before)).collect();
        for (number, before) in pairs {
            let same = before.is_some_and(|before| {
                let (before, after) = (&old.types[before], &new.types[number]);
                self.is_same_body(before, after) && !self.has_news(before, after)
            });
            if !same {
                open.push(number);
            }
        }
        for &number in &open {
            self.identical[number] = false;
        }
        while let Some(number) = open.pop() {
            for &holder in &holders[number] {
                if std::mem::replace(&mut self.identical[holder as usize], false) {
                    open.push(holder as usize);
                }
            }
        }
    }

    /// Whether names may stand for other values than they did, although the layout is the same.
    fn has_news(&self, old: &TypeDescriptor, new: &TypeDescriptor) -> bool {
        let answers = self.answers.of(&new.name, &old.name);
        if answers.is_some_and(|known| !(known.rename.is_empty() && known.drop.is_empty() && known.becomes.is_empty()))
        {
            return true;
        }
        let fields_have_news = |old: &[Field], new: &[Field]| {
            old.iter()
                .zip(new)
                .any(|(old, new)| new.attributes.from.is_some() && old.attributes.from != new.attributes.from)
                || names_are_news(
                    old.iter().zip(new).map(|(old, new)| (&*old.name, &*old.attributes.was, &*new.attributes.was)),
                )
        };
        match (&old.body, &new.body) {
            (Body::Struct(old), Body::Struct(new)) => fields_have_news(old, new),
            (Body::Enum { variants: old, .. }, Body::Enum { variants: new, .. }) => {
                let mut pairs = old.iter().zip(new);
                names_are_news(pairs.clone().map(|(old, new)| (&*old.name, &*old.was, &*new.was)))
                    || pairs.any(|(old, new)| fields_have_news(&old.fields, &new.fields))
            }
            _ => true,
        }
    }

    fn is_same_body(&self, old: &TypeDescriptor, new: &TypeDescriptor) -> bool {
        let same_fields = |old: &[Field], new: &[Field]| {
            let same = |(old, new): (&Field, &Field)| {
                old.name == new.name && old.offset == new.offset && self.is_same(&old.shape, &new.shape)
            };
            old.len() == new.len() && old.iter().zip(new).all(same)
        };
        if (old.size, old.align) != (new.size, new.align) {
            return false;
        }
        match (&old.body, &new.body) {
            (Body::Struct(old), Body::Struct(new)) => same_fields(old, new),
            (
                Body::Enum { tag_offset: old_at, tag: old_tag, variants: old },
                Body::Enum { tag_offset: new_at, tag: new_tag, variants: new },
            ) => {
                let same_tags = (old_at, old_tag.width, old_tag.signed) == (new_at, new_tag.width, new_tag.signed);
                same_tags
                    && old.len() == new.len()
                    && old.iter().zip(new).all(|(old, new)| {
                        (&old.name, old.tag) == (&new.name, new.tag) && same_fields(&old.fields, &new.fields)
                    })
            }
            _ => false,
        }
    }

    /// Whether an old type goes on as a new one.
    pub(super) fn continues(&self, old: &str, new: &str) -> Option<usize> {
        let (old, new) = (self.old.number(old)? as usize, self.new.number(new)? as usize);
        (self.matched.old_of[new] == Some(old)).then_some(new)
    }

    /// Whether values of the one shape are values of the other, byte by byte.
    pub(super) fn is_same(&self, old: &Shape, new: &Shape) -> bool {
        match (old, new) {
            (Shape::Integer(one), Shape::Integer(other)) => (one.width, one.signed) == (other.width, other.signed),
            (Shape::Float(one), Shape::Float(other)) => one.width == other.width,
            (Shape::Bool, Shape::Bool)
            | (Shape::Char, Shape::Char)
            | (Shape::Text, Shape::Text)
            | (Shape::Bytes, Shape::Bytes) => true,
            (Shape::Array { element: one, count }, Shape::Array { element: other, count: same }) => {
                count == same && self.is_same(one, other)
            }
            (Shape::Inline(one), Shape::Inline(other)) => {
                self.continues(one, other).is_some_and(|number| self.identical[number])
            }
            (Shape::Reference(one), Shape::Reference(other)) => self.continues(one, other).is_some(),
            (Shape::List(one), Shape::List(other)) => self.is_same(one, other),
            (Shape::Map { key, value }, Shape::Map { key: other, value: new_value })
            | (Shape::SortedMap { key, value }, Shape::SortedMap { key: other, value: new_value }) => {
                // The layout of an entry can differ by the alignment of its parts alone.
                self.is_same(key, other)
                    && self.is_same(value, new_value)
                    && self.old.map_layout(old) == self.new.map_layout(new)
            }
            (
                Shape::Option { inner, size, align, tag },
                Shape::Option { inner: other, size: new_size, align: new_align, tag: new_tag },
            ) => (size, align, tag) == (new_size, new_align, new_tag) && self.is_same(inner, other),
            _ => false,
        }
    }
}

/// Whether a former name that was not there before is the present name of something else: each item is a name with the
/// old and the new former names.
fn names_are_news<'a>(named: impl Iterator<Item = (&'a str, &'a [String], &'a [String])> + Clone) -> bool {
    let fresh =
        named.clone().flat_map(|(name, old, new)| new.iter().filter(move |was| *was != name && !old.contains(was)));
    let fresh: HashSet<&str> = fresh.map(|was| &**was).collect();
    !fresh.is_empty() && named.into_iter().any(|(name, ..)| fresh.contains(name))
}

/// Finds [`TypeStep::rewritten`]: a type's bytes change when its own do, or those of a type it holds.
pub(super) fn find_rewritten(types: &mut [TypeStep], old: &TypeIndex<'_>, new: &TypeIndex<'_>) {
    let mut holders: Vec<Vec<usize>> = vec![Vec::new(); types.len()];
    let mut open = Vec::new();
    for (position, step) in types.iter_mut().enumerate() {
        let mut held = Vec::new();
        step.rewritten = rewrites(step, old, new, &mut held);
        if step.rewritten {
            open.push(position);
        }
        for inner in held {
            holders[inner].push(position);
        }
    }
    while let Some(step) = open.pop() {
        for &holder in &holders[step] {
            if !std::mem::replace(&mut types[holder].rewritten, true) {
                open.push(holder);
            }
        }
    }
}

fn rewrites(step: &TypeStep, old_index: &TypeIndex<'_>, new_index: &TypeIndex<'_>, held: &mut Vec<usize>) -> bool {
    let (Some(old), Some(new)) = (step.old, step.new) else { return true };
    let (old, new) = (&old_index.schema().types[old], &new_index.schema().types[new]);
    let mut walk = Walk { old: old_index, new: new_index, held };
    let moved = (old.size, old.align) != (new.size, new.align);
    // Every part is walked, whatever the others say, for the types that are held.
    moved
        | match (&step.body, &old.body, &new.body) {
            (BodyStep::Same, ..) => false,
            (BodyStep::Struct(fields), Body::Struct(old), Body::Struct(new)) => walk.fields(fields, old, new),
            (
                BodyStep::Enum(variants),
                Body::Enum { tag_offset: old_at, tag: old_tag, variants: old },
                Body::Enum { tag_offset: new_at, tag: new_tag, variants: new },
            ) => {
                let mut changes = (old_at, old_tag.width) != (new_at, new_tag.width);
                for (step, old) in variants.iter().zip(old) {
                    // No value is of a variant that is gone.
                    let Some(new) = step.new.map(|position| &new[position]) else { continue };
                    changes |= old.tag != new.tag;
                    changes |= walk.fields(&step.fields, &old.fields, &new.fields);
                }
                changes
            }
            _ => true,
        }
}

struct Walk<'a> {
    old: &'a TypeIndex<'a>,
    new: &'a TypeIndex<'a>,
    held: &'a mut Vec<usize>,
}

impl Walk<'_> {
    fn fields(&mut self, fields: &Fields, old: &[Field], new: &[Field]) -> bool {
        let mut changes = fields.dropped.iter().any(|dropped| match dropped.path[..] {
            [only] => self.old.size_align(&old[only].shape).is_none_or(|(size, _)| size > 0),
            _ => true,
        });
        for step in &fields.made {
            let field = &new[step.field];
            changes |= match &step.source {
                Source::Field { path, cast } => match path[..] {
                    [only] => {
                        let before = &old[only];
                        (before.offset != field.offset) | self.cast(cast, &before.shape, &field.shape)
                    }
                    _ => true,
                },
                Source::Value(_) => self.new.size_align(&field.shape).is_none_or(|(size, _)| size > 0),
                Source::Gathered(_) | Source::Hook | Source::Unanswered => true,
            };
        }
        changes
    }

    fn cast(&mut self, cast: &Cast, old: &Shape, new: &Shape) -> bool {
        match (cast, old, new) {
            (Cast::Copy, ..) => false,
            (Cast::Type(step), ..) => {
                self.held.push(*step);
                false
            }
            (
                Cast::Array { element: cast, .. },
                Shape::Array { element: old, count },
                Shape::Array { element: new, count: same },
            ) => (count != same) | self.cast(cast, old, new),
            (
                Cast::Option(cast),
                Shape::Option { inner: old, size, tag, .. },
                Shape::Option { inner: new, size: new_size, tag: new_tag, .. },
            ) => ((size, tag) != (new_size, new_tag)) | self.cast(cast, old, new),
            (Cast::List(cast), Shape::List(old), Shape::List(new)) => self.cast(cast, old, new),
            (
                Cast::Map { key, value, .. },
                Shape::Map { key: old_key, value: old_value },
                Shape::Map { key: new_key, value: new_value },
            )
            | (
                Cast::Map { key, value, .. },
                Shape::SortedMap { key: old_key, value: old_value },
                Shape::SortedMap { key: new_key, value: new_value },
            ) => {
                (self.old.map_layout(old) != self.new.map_layout(new))
                    | self.cast(key, old_key, new_key)
                    | self.cast(value, old_value, new_value)
            }
            _ => true,
        }
    }
}

/// For each step, the steps of the types that it converts by value.
pub(super) fn types_by_value(types: &[TypeStep]) -> Vec<Vec<usize>> {
    types
        .iter()
        .map(|step| {
            let mut held = Vec::new();
            let mut open: Vec<&Fields> = match &step.body {
                BodyStep::Struct(fields) => vec![fields],
                BodyStep::Enum(variants) => variants.iter().map(|variant| &variant.fields).collect(),
                _ => Vec::new(),
            };
            while let Some(fields) = open.pop() {
                for made in &fields.made {
                    match &made.source {
                        Source::Field { cast, .. } => types_of_cast(cast, &mut held),
                        Source::Gathered(inner) => open.push(inner),
                        _ => {}
                    }
                }
            }
            held.sort_unstable();
            held.dedup();
            held
        })
        .collect()
}

fn types_of_cast(cast: &Cast, held: &mut Vec<usize>) {
    held.extend(cast.all().filter_map(|part| if let Cast::Type(step) = part { Some(*step) } else { None }));
}

impl Cast {
    /// The cast and those of all its parts, however deep.
    pub(super) fn all(&self) -> impl Iterator<Item = &Self> {
        let mut open = vec![self];
        std::iter::from_fn(move || {
            let cast = open.pop()?;
            open.extend(cast.parts().into_iter().flatten());
            Some(cast)
        })
    }

    /// The casts of the parts.
    pub(super) fn parts(&self) -> [Option<&Self>; 2] {
        match self {
            Self::Some(inner)
            | Self::Option(inner)
            | Self::One(inner)
            | Self::ToList(inner)
            | Self::List(inner)
            | Self::ToReference(inner)
            | Self::Unwrap { value: inner, .. }
            | Self::Array { element: inner, .. }
            | Self::FromList { element: inner, .. }
            | Self::FromListOption { element: inner, .. }
            | Self::FromReference { record: inner, .. } => [Some(inner), None],
            Self::Map { key, value, .. } | Self::ListToMap { key, value, .. } | Self::MapToList { key, value } => {
                [Some(key), Some(value)]
            }
            Self::Copy
            | Self::Number { .. }
            | Self::TextToBytes
            | Self::BytesToText { .. }
            | Self::Type(_)
            | Self::Unanswered => [None, None],
        }
    }
}
