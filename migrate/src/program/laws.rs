//! The interpreter against a plain recursive reading of the descriptors, over random types and values.

use super::*;
use crate::layout::TypeIndex;
use crate::schema::*;

/// A small generator of numbers, so that a failure names its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn integer(width: u8) -> Shape {
    Shape::Integer(Integer { width, signed: false, align: width.min(8) })
}

fn optional(random: &mut Random, inner: Shape, schema: &Schema) -> Shape {
    let (size, align) = inner.size_align(schema).unwrap();
    let niche = |offset, width, none| (size, OptionTag::Niche { offset, width, none });
    let (size, tag) = match &inner {
        Shape::Bool => niche(0, 1, 2),
        Shape::Char => niche(0, 4, 0x11_0000),
        handle if handle.is_handle() => niche(0, 8, 0),
        _ => {
            let tag = OptionTag::Tagged { width: 1, value_offset: align as u32 };
            ((align + size).next_multiple_of(align) + align * random.below(2), tag)
        }
    };
    Shape::Option { inner: Box::new(inner), size: size as u32, align: align as u32, tag }
}

fn shape(random: &mut Random, schema: &Schema, levels: u32) -> Shape {
    match random.below(if levels == 0 { 7 } else { 11 }) {
        0 => integer(1 << random.below(4)),
        1 => Shape::Bool,
        2 => Shape::Char,
        3 => Shape::Text,
        4 => Shape::List(Box::new(Shape::Bool)),
        5 => Shape::Reference("T0".into()),
        6 | 7 => Shape::Inline(format!("T{}", random.below(schema.types.len() as u64))),
        8 => {
            let inner = shape(random, schema, levels - 1);
            optional(random, inner, schema)
        }
        _ => Shape::Array { element: Box::new(shape(random, schema, levels - 1)), count: random.below(4) },
    }
}

/// Fields one behind the other with gaps, from `start` on; returns where they end.
fn fields(random: &mut Random, schema: &Schema, start: u32) -> (Vec<Field>, u32, u32) {
    let (mut end, mut most) = (start, 1);
    let mut fields: Vec<Field> = (0..random.below(5))
        .map(|number| {
            let shape = shape(random, schema, 2);
            let (size, align) = shape.size_align(schema).unwrap();
            let offset = (end + random.below(3) as u32).next_multiple_of(align as u32);
            (end, most) = (offset + size as u32, most.max(align as u32));
            Field { name: format!("f{number}"), offset, shape, attributes: FieldAttributes::default() }
        })
        .collect();
    if random.below(2) == 0 {
        fields.reverse();
    }
    (fields, end, most)
}

fn registry(random: &mut Random) -> Registry {
    let first = TypeDescriptor {
        name: "T0".into(),
        size: 1,
        align: 1,
        body: Body::Struct(vec![]),
        attributes: TypeAttributes::default(),
    };
    let mut schema = Schema { types: vec![first] };
    for number in 1..6 {
        let (body, end, align) = if random.below(2) == 0 {
            let (fields, end, align) = fields(random, &schema, 0);
            (Body::Struct(fields), end, align)
        } else {
            let width = 1 << random.below(3);
            let (mut end, mut align) = (u32::from(width), u32::from(width));
            let spread = 1 + u128::from(random.below(2)) * 5;
            let variants = (0..random.below(4))
                .map(|number| {
                    let (fields, variant_end, variant_align) = fields(random, &schema, width.into());
                    (end, align) = (end.max(variant_end), align.max(variant_align));
                    Variant { name: format!("V{number}"), tag: u128::from(number) * spread, fields, was: vec![] }
                })
                .collect();
            (Body::Enum { tag_offset: 0, tag: Integer { width, signed: false, align: width }, variants }, end, align)
        };
        schema.types.push(TypeDescriptor {
            name: format!("T{number}"),
            size: end.next_multiple_of(align),
            align,
            body,
            attributes: TypeAttributes::default(),
        });
    }
    let shapes = (1..6).map(|number| Shape::Inline(format!("T{number}"))).chain([Shape::Bool]).collect();
    Registry { schema, shapes }
}

/// A plain reading: which bytes mean something, which handles there are; `None` for bytes that are no value.
struct Reading<'a> {
    index: &'a TypeIndex<'a>,
    bytes: &'a [u8],
    means: Vec<bool>,
    handles: Vec<(usize, u64)>,
}

impl Reading<'_> {
    fn number(&mut self, at: usize, width: usize) -> u128 {
        self.means[at..at + width].fill(true);
        ByteOrder::Little.unsigned(&self.bytes[at..at + width])
    }

    fn read(&mut self, shape: &Shape, at: usize) -> Option<()> {
        match shape {
            Shape::Integer(Integer { width, .. }) | Shape::Float(Float { width, .. }) => {
                self.number(at, (*width).into());
            }
            Shape::Bool => return (self.number(at, 1) <= 1).then_some(()),
            Shape::Char => return char::from_u32(self.number(at, 4) as u32).map(drop),
            Shape::Array { element, count } => {
                let size = self.index.size_align(element)?.0;
                return (0..*count).try_for_each(|number| self.read(element, at + (number * size) as usize));
            }
            Shape::Option { inner, tag: OptionTag::Niche { offset, width, none }, .. } => {
                let niche = self.number(at + *offset as usize, (*width).into());
                return if niche == u128::from(*none) { Some(()) } else { self.read(inner, at) };
            }
            Shape::Option { inner, tag: OptionTag::Tagged { width, value_offset }, .. } => {
                return match self.number(at, (*width).into()) {
                    0 => Some(()),
                    1 => self.read(inner, at + *value_offset as usize),
                    _ => None,
                };
            }
            Shape::Inline(name) => {
                let fields = match &self.index.get(name)?.body {
                    Body::Struct(fields) => fields,
                    Body::Enum { tag_offset, tag, variants } => {
                        let tag = self.number(at + *tag_offset as usize, tag.width.into());
                        &variants.iter().find(|variant| variant.tag == tag)?.fields
                    }
                };
                return fields.iter().try_for_each(|field| self.read(&field.shape, at + field.offset as usize));
            }
            _ => match self.number(at, 8) as u64 {
                0 => return None,
                word => self.handles.push((at, word)),
            },
        }
        Some(())
    }
}

/// The handles in the order of their offsets, and which bytes mean something.
type Plain = (Vec<(usize, u64)>, Vec<bool>);

/// What the plain reading finds.
fn plain<'a>(index: &'a TypeIndex<'a>, shape: &Shape, bytes: &'a [u8]) -> Option<Plain> {
    let mut reading = Reading { index, bytes, means: vec![false; bytes.len()], handles: Vec::new() };
    reading.read(shape, 0)?;
    let clean = bytes.iter().zip(&reading.means).all(|(&byte, &means)| means || byte == 0);
    reading.handles.sort_unstable();
    clean.then_some((reading.handles, reading.means))
}

/// Makes bytes a value, by trying small numbers where a tag or handle stands.
fn some_value(random: &mut Random, index: &TypeIndex<'_>, shape: &Shape, size: usize) -> Option<Vec<u8>> {
    for _ in 0..200 {
        let bytes: Vec<u8> = (0..size).map(|_| if random.below(3) == 0 { random.below(2) as u8 } else { 0 }).collect();
        let mut reading = Reading { index, bytes: &bytes, means: vec![false; size], handles: Vec::new() };
        if reading.read(shape, 0).is_some() {
            let means = reading.means;
            return Some(bytes.iter().zip(means).map(|(&byte, means)| if means { byte } else { 0 }).collect());
        }
    }
    None
}

#[test]
fn the_steps_accept_exactly_what_a_plain_reading_accepts() {
    let (mut values, mut refused, mut handles) = (0, 0, 0);
    for seed in 0..400 {
        let mut random = Random(seed);
        let registry = registry(&mut random);
        registry.check().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let programs = Programs::compile(&registry).unwrap();
        let index = TypeIndex::new(&registry.schema);
        for (shape, number) in registry.shapes.iter().zip(0..) {
            let program = programs.value(number).unwrap();
            let Some(value) = some_value(&mut random, &index, shape, program.size()) else { continue };
            for round in 0..20 {
                let mut bytes = value.clone();
                if round > 0 && !bytes.is_empty() {
                    let at = random.below(bytes.len() as u64) as usize;
                    bytes[at] ^= 1 << random.below(8);
                }
                let mut found = Vec::new();
                let checked = program.run(&bytes, ByteOrder::Little, |handle| {
                    found.push((handle.offset, handle.word));
                    Ok::<(), ValueFault>(())
                });
                found.sort_unstable();
                let expected = plain(&index, shape, &bytes);
                let context = format!("seed {seed} shape {number} round {round}: {checked:?}");
                assert_eq!(checked.is_ok(), expected.is_some(), "{context}");
                let Some((expected, means)) = expected else {
                    refused += 1;
                    continue;
                };
                assert_eq!(found, expected, "{context}");
                (values, handles) = (values + 1, handles + found.len());
                // Whatever stands in the padding, zeroing it gives the value again, and walking sees the handles.
                let mut dirty = bytes.clone();
                dirty.iter_mut().zip(means).filter(|(_, means)| !means).for_each(|(byte, _)| *byte = 0xa5);
                let mut walked = Vec::new();
                let Ok(()) = program.handles(&dirty, ByteOrder::Little, |handle| {
                    walked.push((handle.offset, handle.word));
                    Ok::<(), std::convert::Infallible>(())
                });
                walked.sort_unstable();
                assert_eq!(walked, expected, "{context}");
                program.zero_padding(&mut dirty, ByteOrder::Little);
                assert_eq!(dirty, bytes, "{context}");
            }
        }
    }
    assert!(values > 5000 && refused > 5000 && handles > 1000, "{values} {refused} {handles}");
}
