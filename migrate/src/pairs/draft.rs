//! Random schemas as people write them, before they are laid out.

use crate::sample::Random;
use crate::sample::shapes::{descriptor, enum_body, field, lay, number_shape, optional};
use crate::schema::{Body, Field, Integer, Schema, Shape, TypeDescriptor, Variant};

/// Types in an order in which those that lie in others come first.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    pub(super) types: Vec<Sketch>,
}

/// A type without offsets, and what its layout follows from.
#[derive(Debug, Clone)]
pub(super) struct Sketch {
    pub(super) described: TypeDescriptor,
    pub(super) seed: u64,
}

/// Makes up names and shapes.
pub(super) struct Writer<'r> {
    pub(super) random: &'r mut Random,
    names: u64,
    /// Whether names are from a small pool, so that schemas that know nothing of each other share some.
    pooled: bool,
}

impl<'r> Writer<'r> {
    pub(super) const fn new(random: &'r mut Random) -> Self {
        Self { random, names: 0, pooled: false }
    }

    pub(super) const fn pooled(random: &'r mut Random) -> Self {
        Self { random, names: 0, pooled: true }
    }

    pub(super) fn name(&mut self, letter: char) -> String {
        self.names += 1;
        format!("{letter}{}", if self.pooled { self.names % 5 } else { self.names })
    }

    pub(super) fn draft(&mut self) -> Draft {
        let mut draft = Draft::default();
        for number in 0..=self.random.below(3) {
            if self.pooled {
                self.names = self.random.below(5);
            }
            let is_struct = self.random.chance(70);
            let body = if is_struct && self.random.chance(20) {
                let (key, value) = (self.key(), self.shape(1, &draft));
                Body::Struct(vec![field("key".into(), key), field("value".into(), value)])
            } else if is_struct {
                let count = 1 + self.random.below(4);
                Body::Struct(self.fields(count, &draft))
            } else {
                let mut variants: Vec<Variant> = (0..=self.random.below(4)).map(|_| self.variant(&draft)).collect();
                if self.pooled {
                    let names = variants.iter_mut().zip(self.random.below(5)..);
                    names.for_each(|(variant, number)| variant.name = format!("V{number}"));
                }
                Body::Enum { tag_offset: 0, tag: Integer { width: 1, signed: false, align: 1 }, variants }
            };
            let described = descriptor(format!("T{number}"), body, 0, 1);
            draft.types.push(Sketch { described, seed: self.random.below(1 << 20) });
        }
        draft
    }

    pub(super) fn variant(&mut self, draft: &Draft) -> Variant {
        let count = if self.random.chance(50) { 0 } else { self.random.below(3) };
        let name = self.name('V');
        Variant { name, tag: 0, fields: self.fields(count, draft), was: vec![] }
    }

    fn fields(&mut self, count: u64, draft: &Draft) -> Vec<Field> {
        (0..count).map(|_| field(self.name('f'), self.shape(2, draft))).collect()
    }

    /// A shape that may hold the types of the draft.
    pub(super) fn shape(&mut self, levels: u32, draft: &Draft) -> Shape {
        let entry = draft.types.iter().find(|sketch| sketch.described.entry_fields().is_some());
        if let Some(entry) = entry.filter(|_| levels > 0 && self.random.chance(10)) {
            return Shape::List(Box::new(Shape::Inline(entry.described.name.clone())));
        }
        let types = draft.types.len() as u64;
        let roll = self.random.below(if levels == 0 || types == 0 { 66 } else { 100 });
        match roll {
            36..40 => Shape::Bool,
            40..44 => Shape::Char,
            44..50 => Shape::Text,
            50..54 => Shape::Bytes,
            54..66 if levels > 0 => match self.random.below(4) {
                0 => Shape::List(Box::new(self.shape(levels - 1, draft))),
                1 => array(self.shape(levels - 1, draft), self.random.below(4)),
                2 => {
                    let (key, value) = (Box::new(self.key()), Box::new(self.shape(levels - 1, draft)));
                    if self.random.chance(50) { Shape::Map { key, value } } else { Shape::SortedMap { key, value } }
                }
                _ => self.option(levels, draft),
            },
            66..72 => Shape::Reference(self.type_name(draft)),
            72..88 => Shape::Inline(self.type_name(draft)),
            88..94 => self.option(levels, draft),
            94..97 => array(self.shape(levels - 1, draft), self.random.below(4)),
            97..100 => Shape::List(Box::new(self.shape(levels - 1, draft))),
            _ => number_shape(self.random),
        }
    }

    fn type_name(&mut self, draft: &Draft) -> String {
        draft.types[self.random.below(draft.types.len() as u64) as usize].described.name.clone()
    }

    /// No option of an option: which of them a nothing belongs to, values alone do not say.
    fn option(&mut self, levels: u32, draft: &Draft) -> Shape {
        let inner = self.shape(levels - 1, draft);
        some(inner)
    }

    pub(super) fn key(&mut self) -> Shape {
        match self.random.below(6) {
            0 => Shape::Bool,
            1 => Shape::Char,
            2 => Shape::Text,
            3 => array(self.integer(), 1 + self.random.below(3)),
            _ => self.integer(),
        }
    }

    fn integer(&mut self) -> Shape {
        let width = 1 << self.random.below(5);
        Shape::Integer(Integer { width, signed: self.random.chance(50), align: width })
    }
}

pub(super) fn array(element: Shape, count: u64) -> Shape {
    Shape::Array { element: Box::new(element), count }
}

/// An option that is not laid out yet, unless the shape is one.
pub(super) fn some(inner: Shape) -> Shape {
    if let Shape::Option { .. } = inner {
        return inner;
    }
    let tag = crate::schema::OptionTag::Tagged { width: 1, value_offset: 0 };
    Shape::Option { inner: Box::new(inner), size: 0, align: 1, tag }
}

impl Draft {
    /// Offsets, sizes and tags. What is the same sketch is laid out the same.
    pub(super) fn lay_out(&self) -> Schema {
        let mut schema = Schema::default();
        for Sketch { described, seed } in &self.types {
            let random = &mut Random::new(*seed);
            let measured = |random: &mut Random, fields: &[Field]| -> Vec<Field> {
                fields
                    .iter()
                    .map(|field| Field { shape: measured(random, &field.shape, &schema), ..field.clone() })
                    .collect()
            };
            let (body, end, align) = match &described.body {
                Body::Struct(fields) => {
                    let mut fields = measured(random, fields);
                    let (end, align) = lay(random, &mut fields, 0, &schema);
                    (Body::Struct(fields), end, align)
                }
                Body::Enum { variants, .. } => {
                    let variant = |variant: &Variant| Variant {
                        fields: measured(&mut Random::new(*seed), &variant.fields),
                        ..variant.clone()
                    };
                    enum_body(random, variants.iter().map(variant).collect(), &schema)
                }
            };
            let laid = descriptor(described.name.clone(), body, end, align);
            schema.types.push(TypeDescriptor { attributes: described.attributes.clone(), ..laid });
        }
        schema.check().unwrap();
        schema
    }
}

/// The shape with the layout of its options.
fn measured(random: &mut Random, shape: &Shape, schema: &Schema) -> Shape {
    let inside = |random: &mut Random, shape: &Shape| Box::new(measured(random, shape, schema));
    match shape {
        Shape::Option { inner, .. } => {
            let inner = measured(random, inner, schema);
            optional(random, inner, schema)
        }
        Shape::Array { element, count } => Shape::Array { element: inside(random, element), count: *count },
        Shape::List(element) => {
            let element = inside(random, element);
            // Elements have bytes.
            let has_bytes = element.size_align(schema).unwrap().0 > 0;
            Shape::List(if has_bytes { element } else { Box::new(Shape::Bool) })
        }
        Shape::Map { key, value } => Shape::Map { key: key.clone(), value: inside(random, value) },
        Shape::SortedMap { key, value } => Shape::SortedMap { key: key.clone(), value: inside(random, value) },
        shape => shape.clone(),
    }
}
