//! Going through what types consist of.

use std::collections::BTreeSet;

use crate::schema::{Body, Field, Schema, Shape, TypeDescriptor};

impl TypeDescriptor {
    /// The type's own fields; of an enum those of every variant, in their order.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        let (fields, variants) = match &self.body {
            Body::Struct(fields) => (&fields[..], &[][..]),
            Body::Enum { variants, .. } => (&[][..], &variants[..]),
        };
        fields.iter().chain(variants.iter().flat_map(|variant| &variant.fields))
    }

    /// As [`fields`](Self::fields), to change them.
    pub fn fields_mut(&mut self) -> impl Iterator<Item = &mut Field> {
        let (fields, variants) = match &mut self.body {
            Body::Struct(fields) => (&mut fields[..], &mut [][..]),
            Body::Enum { variants, .. } => (&mut [][..], &mut variants[..]),
        };
        fields.iter_mut().chain(variants.iter_mut().flat_map(|variant| &mut variant.fields))
    }

    /// The shapes of the type's own fields, and those that they are made of, down to named types.
    pub fn shapes(&self) -> impl Iterator<Item = &Shape> {
        let mut open: Vec<&Shape> = self.fields().map(|field| &field.shape).collect();
        std::iter::from_fn(move || {
            let shape = open.pop()?;
            open.extend(shape.parts());
            Some(shape)
        })
    }

    /// Names of the types that lie in the type by value, or in the lists and maps it owns. A name may come twice.
    pub fn held(&self) -> impl Iterator<Item = &str> {
        self.shapes().filter_map(|shape| if let Shape::Inline(name) = shape { Some(&**name) } else { None })
    }
}

impl Schema {
    /// Names of these types, and of all that [lie in them](TypeDescriptor::held), however deep; those that the schema does
    /// not describe included.
    pub fn held_by<'a>(&'a self, names: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
        let mut all = BTreeSet::new();
        let mut open: Vec<&str> = names.into_iter().collect();
        while let Some(name) = open.pop() {
            if all.insert(name) {
                open.extend(self.get(name).into_iter().flat_map(TypeDescriptor::held));
            }
        }
        all
    }
}

impl Shape {
    /// The shapes that a shape is made of, in order.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &Self> {
        let parts: [Option<&Self>; 2] = match self {
            Self::Array { element: inner, .. } | Self::List(inner) | Self::Option { inner, .. } => [Some(inner), None],
            Self::Map { key, value } | Self::SortedMap { key, value } => [Some(key), Some(value)],
            _ => [None, None],
        };
        parts.into_iter().flatten()
    }
}
