//! Random shapes, and how random types are laid out.

use super::Random;
use crate::schema::{
    Body, Field, FieldAttributes, Float, Integer, OptionTag, Schema, Shape, TypeAttributes, TypeDescriptor, Variant,
};

pub(crate) fn descriptor(name: String, body: Body, end: u32, align: u32) -> TypeDescriptor {
    TypeDescriptor { name, size: end.next_multiple_of(align), align, body, attributes: TypeAttributes::default() }
}

pub(crate) fn field(name: String, shape: Shape) -> Field {
    Field { name, offset: 0, shape, attributes: FieldAttributes::default() }
}

pub(crate) fn number_shape(random: &mut Random) -> Shape {
    if random.chance(25) {
        let width = 4 << random.below(2);
        return Shape::Float(Float { width, align: width });
    }
    let width = 1 << random.below(5);
    // A machine of 32 bits aligns less.
    let align = if random.chance(20) { width.min(4) } else { width };
    Shape::Integer(Integer { width, signed: random.chance(50), align })
}

pub(crate) fn optional(random: &mut Random, inner: Shape, schema: &Schema) -> Shape {
    let (size, align) = inner.size_align(schema).unwrap();
    let niche = |width, none| (size, align, OptionTag::Niche { offset: 0, width, none });
    let (size, align, tag) = match &inner {
        Shape::Bool => niche(1, 2),
        Shape::Char => niche(4, 0x11_0000 + random.below(2) as u32),
        handle if handle.is_handle() => niche(8, 0),
        _ => {
            let width = (1 << random.below(3)).min(align as u8);
            let tag = OptionTag::Tagged { width, value_offset: align as u32 };
            ((align + size).next_multiple_of(align) + align * random.below(2), align, tag)
        }
    };
    Shape::Option { inner: Box::new(inner), size: size as u32, align: align as u32, tag }
}

/// Places fields in a random order behind `start`, with gaps.
pub(crate) fn lay(random: &mut Random, fields: &mut [Field], start: u32, schema: &Schema) -> (u32, u32) {
    let mut order: Vec<usize> = (0..fields.len()).collect();
    if random.chance(60) {
        for position in (1..order.len()).rev() {
            order.swap(position, random.below(position as u64 + 1) as usize);
        }
    }
    let (mut end, mut most) = (start, 1);
    for position in order {
        let (size, align) = fields[position].shape.size_align(schema).unwrap();
        let gap = if random.chance(20) { random.below(9) as u32 } else { 0 };
        fields[position].offset = (end + gap).next_multiple_of(align as u32);
        (end, most) = (fields[position].offset + size as u32, most.max(align as u32));
    }
    (end, most)
}

pub(crate) fn enum_body(random: &mut Random, mut variants: Vec<Variant>, schema: &Schema) -> (Body, u32, u32) {
    let width = 1 << random.below(4);
    let spread = if random.chance(50) { 1 } else { 9 };
    let shift = if random.chance(70) { 0 } else { 3 };
    let (mut end, mut most) = (u32::from(width), u32::from(width));
    for (number, variant) in variants.iter_mut().enumerate() {
        variant.tag = number as u128 * spread + shift;
        let (variant_end, align) = lay(random, &mut variant.fields, width.into(), schema);
        (end, most) = (end.max(variant_end), most.max(align));
    }
    let tag = Integer { width, signed: false, align: width };
    (Body::Enum { tag_offset: 0, tag, variants }, end, most)
}

pub(crate) fn has_empty(shape: &Shape, schema: &Schema) -> bool {
    let all = |fields: &[Field]| fields.iter().all(|field| has_empty(&field.shape, schema));
    match shape {
        Shape::Reference(_) => false,
        Shape::Array { element, count } => *count == 0 || has_empty(element, schema),
        Shape::Inline(name) => match &schema.get(name).unwrap().body {
            Body::Struct(fields) => all(fields),
            Body::Enum { variants, .. } => {
                variants.iter().find(|variant| variant.tag == 0).is_some_and(|variant| all(&variant.fields))
            }
        },
        _ => true,
    }
}
