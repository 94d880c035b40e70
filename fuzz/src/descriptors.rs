//! Descriptors out of any bytes.

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use migrate::{
    Body, Field, FieldAttributes, Float, Integer, OptionTag, Registry, Schema, Shape, TypeAttributes, TypeDescriptor,
    Variant,
};

/// Descriptors, most of which can be: what is measured wrong on purpose is measured wrong seldom.
///
/// # Errors
/// When the input ends.
pub fn registry(input: &mut Unstructured<'_>) -> Result<Registry> {
    let mut schema = Schema::default();
    for number in 0..input.int_in_range(1..=5)? {
        let mut end = (0, 1);
        let body = if input.arbitrary()? {
            Body::Struct(fields(input, &schema, &mut end)?)
        } else {
            let width = 1 << input.int_in_range(0..=4)?;
            let align = width.min(8);
            let mut widest = (u32::from(width), u32::from(align));
            let mut variants = Vec::new();
            for number in 0..input.int_in_range(0..=3)? {
                let mut end = (u32::from(width), u32::from(align));
                let tag = if input.ratio(1, 4)? { u128::from(input.arbitrary::<u8>()?) } else { number };
                let fields = fields(input, &schema, &mut end)?;
                widest = (widest.0.max(end.0), widest.1.max(end.1));
                variants.push(Variant { name: format!("V{number}"), tag, fields, was: vec![] });
            }
            end = widest;
            Body::Enum { tag_offset: 0, tag: Integer { width, signed: input.arbitrary()?, align }, variants }
        };
        let size = (end.0 + u32::from(input.ratio(1, 8)?) * end.1).next_multiple_of(end.1);
        let name = format!("T{number}");
        schema.types.push(TypeDescriptor { name, size, align: end.1, body, attributes: TypeAttributes::default() });
    }
    let mut shapes: Vec<Shape> = schema.types.iter().map(|described| Shape::Inline(described.name.clone())).collect();
    for _ in 0..input.int_in_range(0..=3)? {
        let shape = shape(input, &schema, 3)?;
        if !shapes.contains(&shape) {
            shapes.push(shape);
        }
    }
    Ok(Registry { schema, shapes })
}

/// Fields one behind the other, with gaps; `end` is where they end, and the strictest alignment.
fn fields(input: &mut Unstructured<'_>, schema: &Schema, end: &mut (u32, u32)) -> Result<Vec<Field>> {
    let mut fields = Vec::new();
    for number in 0..input.int_in_range(0..=4)? {
        let shape = shape(input, schema, 2)?;
        let Some((size, align)) = shape.size_align(schema) else { continue };
        let (size, align) = (size.min(1 << 20) as u32, align.clamp(1, 64) as u32);
        let offset = (end.0 + input.int_in_range(0..=9_u32)? / 4).next_multiple_of(align);
        *end = (offset + size, end.1.max(align));
        fields.push(Field { name: format!("f{number}"), offset, shape, attributes: FieldAttributes::default() });
    }
    Ok(fields)
}

fn shape(input: &mut Unstructured<'_>, schema: &Schema, levels: u32) -> Result<Shape> {
    let inner = |input: &mut Unstructured<'_>| Ok(Box::new(shape(input, schema, levels - 1)?));
    let named = |input: &mut Unstructured<'_>| Ok(format!("T{}", input.int_in_range(0..=schema.types.len())?));
    Ok(match input.int_in_range(0..=if levels == 0 { 7 } else { 12_u8 })? {
        0 => {
            let width = 1 << input.int_in_range(0..=4)?;
            Shape::Integer(Integer { width, signed: input.arbitrary()?, align: width })
        }
        1 => Shape::Float(Float { width: 4 << u8::from(input.arbitrary::<bool>()?), align: 4 }),
        2 => Shape::Bool,
        3 => Shape::Char,
        4 => Shape::Text,
        5 => Shape::Bytes,
        6 => Shape::Reference(named(input)?),
        7 => Shape::Inline(named(input)?),
        8 => Shape::Array { element: inner(input)?, count: input.int_in_range(0..=70)? },
        9 => Shape::List(inner(input)?),
        10 => Shape::Map { key: inner(input)?, value: inner(input)? },
        11 => Shape::SortedMap { key: inner(input)?, value: inner(input)? },
        _ => {
            let inner = inner(input)?;
            let (size, align) = inner.size_align(schema).unwrap_or((8, 8));
            let (size, align) = (size.min(1 << 18) as u32, align.clamp(1, 64) as u32);
            let grown = (size + align).next_multiple_of(align);
            let (size, tag) = if input.arbitrary()? {
                let none = match *inner {
                    Shape::Bool => 2 + input.int_in_range(0..=5)?,
                    Shape::Char => 0x11_0000 + input.int_in_range(0..=5)?,
                    _ => u32::from(input.ratio(1, 8)?),
                };
                (size, OptionTag::Niche { offset: 0, width: size.min(255) as u8, none })
            } else {
                (grown, OptionTag::Tagged { width: align.min(16) as u8, value_offset: align })
            };
            Shape::Option { inner, size, align, tag }
        }
    })
}
