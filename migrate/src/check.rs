//! Whether a set of descriptors describes anything that can be.

use std::collections::{HashMap, HashSet};

use crate::layout::{MAX_ALIGN, MAX_DEPTH, MAX_SIZE, MapLayout, TypeIndex};
use crate::schema::{Body, Field, Integer, OptionTag, Registry, Schema, SchemaError, Shape, TypeDescriptor, Variant};

impl Registry {
    /// Checks the [schema](Schema::check), and that every numbered shape can be and has one number.
    ///
    /// # Errors
    /// Names the type or shape, and what is wrong with it.
    pub fn check(&self) -> Result<(), SchemaError> {
        let index = TypeIndex::new(&self.schema);
        let depths = self.schema.check_with(&index)?;
        let mut numbers = HashMap::new();
        for (number, shape) in self.shapes.iter().enumerate() {
            let place = || format!("shape {number}");
            let (size, _) = check_shape(shape, &index, MAX_DEPTH).map_err(|what| inconsistent(place(), what))?;
            if size > MAX_SIZE {
                return Err(inconsistent(place(), format!("{size} bytes are too many")));
            }
            check_depth(shape, &index, &depths).map_err(|what| inconsistent(place(), what))?;
            if let Some(first) = numbers.insert(shape, number) {
                return Err(inconsistent(place(), format!("is the same as shape {first}")));
            }
        }
        Ok(())
    }
}

impl Schema {
    /// Checks that the descriptors describe types that can be: names are unique, fields lie inside their type
    /// without overlap, types hold each other by value in no circle, and every type named exists.
    ///
    /// Time is linear in the size of the schema, and the stack is bounded.
    ///
    /// # Errors
    /// Names the type, the field where there is one, and what is wrong.
    pub fn check(&self) -> Result<(), SchemaError> {
        self.check_with(&TypeIndex::new(self)).map(drop)
    }

    /// Returns how deep other values lie in each type by value.
    fn check_with(&self, index: &TypeIndex<'_>) -> Result<Vec<u32>, SchemaError> {
        let mut names = HashSet::with_capacity(self.types.len());
        for described in &self.types {
            if !names.insert(&*described.name) {
                return Err(inconsistent(described.name.clone(), "is described twice".into()));
            }
            check_type(described, index)?;
        }
        inline_depths(self, index)
    }
}

fn inconsistent(place: String, what: String) -> SchemaError {
    SchemaError::Inconsistent { place, what }
}

fn check_type(described: &TypeDescriptor, index: &TypeIndex<'_>) -> Result<(), SchemaError> {
    let fault = |what: String| Err(inconsistent(described.name.clone(), what));
    if described.name.is_empty() {
        return fault("a type has no name".into());
    }
    let (size, align) = (u64::from(described.size), u64::from(described.align));
    if !align.is_power_of_two() || align > MAX_ALIGN {
        return fault(format!("alignment {align} is not a power of two up to {MAX_ALIGN}"));
    }
    if !size.is_multiple_of(align) || size > MAX_SIZE {
        return fault(format!("size {size} is not a multiple of the alignment {align} up to {MAX_SIZE}"));
    }
    match &described.body {
        Body::Struct(fields) => check_fields(described, &described.name, fields, None, index),
        Body::Enum { tag_offset, tag, variants } => check_enum(described, *tag_offset, *tag, variants, index),
    }
}

fn check_enum(
    described: &TypeDescriptor,
    tag_offset: u32,
    tag: Integer,
    variants: &[Variant],
    index: &TypeIndex<'_>,
) -> Result<(), SchemaError> {
    let fault = |what: String| Err(inconsistent(described.name.clone(), what));
    if let Err(what) = check_integer(tag) {
        return fault(format!("its tag: {what}"));
    }
    let occupied = (u64::from(tag_offset), u64::from(tag_offset) + u64::from(tag.width));
    if occupied.1 > described.size.into() {
        return fault("its tag lies outside".into());
    }
    let mut names = HashSet::with_capacity(variants.len());
    let mut tags = HashSet::with_capacity(variants.len());
    for variant in variants {
        let place = || format!("{}::{}", described.name, variant.name);
        if variant.name.is_empty() || !names.insert(&*variant.name) {
            return Err(inconsistent(place(), "the variant's name is empty or not its own".into()));
        }
        if (tag.width < 16 && variant.tag >> (8 * tag.width) != 0) || !tags.insert(variant.tag) {
            return Err(inconsistent(place(), format!("the tag {} is too wide or not its own", variant.tag)));
        }
        check_fields(described, &place(), &variant.fields, Some(occupied), index)?;
    }
    Ok(())
}

/// `occupied` is where an enum's tag lies.
fn check_fields(
    described: &TypeDescriptor,
    place: &str,
    fields: &[Field],
    occupied: Option<(u64, u64)>,
    index: &TypeIndex<'_>,
) -> Result<(), SchemaError> {
    let mut names = HashSet::with_capacity(fields.len());
    let mut ranges: Vec<(u64, u64, &str)> = occupied.map(|(start, end)| (start, end, "the tag")).into_iter().collect();
    for field in fields {
        let fault = |what: String| Err(inconsistent(format!("{place}.{}", field.name), what));
        if field.name.is_empty() || !names.insert(&*field.name) {
            return fault("the field's name is empty or not its own".into());
        }
        let (size, align) = match check_shape(&field.shape, index, MAX_DEPTH) {
            Ok(measured) => measured,
            Err(what) => return fault(what),
        };
        let start = u64::from(field.offset);
        if align > described.align.into() || !start.is_multiple_of(align) {
            return fault(format!("offset {start} does not suit its alignment {align}"));
        }
        if start + size > described.size.into() {
            return fault(format!("lies at {start}..{} of {} bytes", start + size, described.size));
        }
        if size > 0 {
            ranges.push((start, start + size, &field.name));
        }
    }
    ranges.sort_unstable();
    match ranges.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        Some(pair) => Err(inconsistent(format!("{place}.{}", pair[1].2), format!("overlaps {}", pair[0].2))),
        None => Ok(()),
    }
}

/// Checks a shape apart from circles between types, and returns its size and alignment; sizes are at most
/// [`MAX_SIZE`]. `levels` bounds the recursion.
fn check_shape(shape: &Shape, index: &TypeIndex<'_>, levels: u32) -> Result<(u64, u64), String> {
    let Some(levels) = levels.checked_sub(1) else {
        return Err(format!("shapes lie more than {MAX_DEPTH} deep in each other"));
    };
    let measured = match shape {
        Shape::Integer(integer) => {
            check_integer(*integer)?;
            (integer.width.into(), integer.align.into())
        }
        Shape::Float(float) => {
            if ![4, 8].contains(&float.width) || !float.align.is_power_of_two() || float.align > float.width {
                return Err(format!("a float of {} bytes aligned to {}", float.width, float.align));
            }
            (float.width.into(), float.align.into())
        }
        Shape::Bool => (1, 1),
        Shape::Char => (4, 4),
        Shape::Array { element, count } => {
            let (size, align) = check_shape(element, index, levels)?;
            (size.checked_mul(*count).ok_or_else(|| format!("an array of {count} elements of {size} bytes"))?, align)
        }
        Shape::Inline(name) => {
            let described = index.get(name).ok_or_else(|| format!("holds a type {name:?} that is not described"))?;
            (described.size.into(), described.align.into())
        }
        Shape::Reference(name) => {
            index.get(name).ok_or_else(|| format!("refers to a type {name:?} that is not described"))?;
            (8, 8)
        }
        Shape::Text | Shape::Bytes => (8, 8),
        Shape::List(element) => {
            if check_shape(element, index, levels)?.0 == 0 {
                return Err("the elements of a list have no bytes".into());
            }
            (8, 8)
        }
        Shape::Map { key, value } | Shape::SortedMap { key, value } => {
            let layout = MapLayout::new(check_key(key, index, levels)?, check_shape(value, index, levels)?);
            if layout.is_none_or(|layout| layout.entry_size == 0 || layout.entry_size > MAX_SIZE) {
                return Err("the entries of a map have no bytes, or too many".into());
            }
            (8, 8)
        }
        Shape::Option { inner, size, align, tag } => check_option(inner, *size, *align, *tag, index, levels)?,
    };
    if measured.0 > MAX_SIZE { Err(format!("{} bytes are too many", measured.0)) } else { Ok(measured) }
}

fn check_integer(integer: Integer) -> Result<(), String> {
    let fits = [1, 2, 4, 8, 16].contains(&integer.width);
    if fits && integer.align.is_power_of_two() && integer.align <= integer.width {
        return Ok(());
    }
    Err(format!("an integer of {} bytes aligned to {}", integer.width, integer.align))
}

/// Keys have one form for one value, so that equal keys have equal bytes or equal texts.
fn check_key(key: &Shape, index: &TypeIndex<'_>, levels: u32) -> Result<(u64, u64), String> {
    let mut innermost = key;
    let mut above = levels;
    while let (Shape::Array { element, .. }, Some(left)) = (innermost, above.checked_sub(1)) {
        (innermost, above) = (element, left);
    }
    match innermost {
        Shape::Integer(_) | Shape::Bool | Shape::Char | Shape::Text | Shape::Reference(_) | Shape::Array { .. } => {
            check_shape(key, index, levels)
        }
        _ => Err("the key of a map is neither an integer, bool, char, text or reference, nor an array of these".into()),
    }
}

fn check_option(
    inner: &Shape,
    size: u32,
    align: u32,
    tag: OptionTag,
    index: &TypeIndex<'_>,
    levels: u32,
) -> Result<(u64, u64), String> {
    let (inner_size, inner_align) = check_shape(inner, index, levels)?;
    let (size, align) = (u64::from(size), u64::from(align));
    if !align.is_power_of_two() || align > MAX_ALIGN || !size.is_multiple_of(align) || inner_align > align {
        return Err(format!("an option of {size} bytes aligned to {align}"));
    }
    let fits = match tag {
        OptionTag::Niche { offset, width, none } => {
            offset == 0 && u64::from(width) == size && inner_size == size && is_no_value(inner, none)
        }
        OptionTag::Tagged { width, value_offset } => {
            let value_at = u64::from(value_offset);
            [1, 2, 4, 8, 16].contains(&width)
                && u64::from(width) <= size
                && (value_at >= width.into() || inner_size == 0)
                && value_at.is_multiple_of(inner_align)
                && value_at + inner_size <= size
        }
    };
    if fits { Ok((size, align)) } else { Err("the tag or the value of an option does not fit it".into()) }
}

/// Whether a number is one that no value of the shape has, as a whole: only these say that an option is nothing. In a
/// part of a value it could be padding as well.
const fn is_no_value(inner: &Shape, number: u32) -> bool {
    match inner {
        Shape::Bool => number > 1 && number <= u8::MAX as u32,
        Shape::Char => number > char::MAX as u32,
        handle => handle.is_handle() && number == 0,
    }
}

/// How many values lie in each other by value in each type, found from the innermost outwards without recursion.
fn inline_depths(schema: &Schema, index: &TypeIndex<'_>) -> Result<Vec<u32>, SchemaError> {
    let count = schema.types.len();
    let mut waiting = vec![0_u32; count];
    let mut holders: Vec<Vec<u32>> = vec![Vec::new(); count];
    for (number, described) in schema.types.iter().enumerate() {
        for inner in described.fields().filter_map(|field| inline_type(&field.shape, index).0) {
            waiting[number] += 1;
            holders[inner as usize].push(number as u32);
        }
    }
    let mut depths = vec![0_u32; count];
    let mut ready: Vec<u32> = (0..count as u32).filter(|&number| waiting[number as usize] == 0).collect();
    let mut done = 0;
    while let Some(number) = ready.pop() {
        done += 1;
        let described = &schema.types[number as usize];
        for shape in described.fields().map(|field| &field.shape) {
            let depth =
                check_depth(shape, index, &depths).map_err(|what| inconsistent(described.name.clone(), what))?;
            depths[number as usize] = depths[number as usize].max(depth);
        }
        for &holder in &holders[number as usize] {
            waiting[holder as usize] -= 1;
            if waiting[holder as usize] == 0 {
                ready.push(holder);
            }
        }
    }
    if done < count {
        let circular = waiting.iter().position(|&count| count > 0).unwrap_or_default();
        return Err(inconsistent(schema.types[circular].name.clone(), "holds itself by value".into()));
    }
    Ok(depths)
}

/// The named type that lies in this shape by value, if one does, and how many shapes lie around it.
fn inline_type(shape: &Shape, index: &TypeIndex<'_>) -> (Option<u32>, u32) {
    let (mut shape, mut depth) = (shape, 1);
    loop {
        match shape {
            Shape::Array { element: inner, .. } | Shape::Option { inner, .. } => (shape, depth) = (inner, depth + 1),
            Shape::Inline(name) => return (index.number(name), depth),
            _ => return (None, depth),
        }
    }
}

/// How deep values lie in this shape, given how deep they lie in the types it holds.
fn check_depth(shape: &Shape, index: &TypeIndex<'_>, depths: &[u32]) -> Result<u32, String> {
    let (inner, around) = inline_type(shape, index);
    let depth = around + inner.map_or(0, |number| depths[number as usize]);
    if depth > MAX_DEPTH { Err(format!("holds values more than {MAX_DEPTH} deep in each other")) } else { Ok(depth) }
}
