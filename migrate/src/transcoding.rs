//! Turning the numbers of values round, in place: from one byte order to the other.
//!
//! What a value's bytes are is compiled from its shape, each type once, into runs of numbers side by side and, where it
//! depends on a tag which numbers lie there, choices. Bytes that hold nothing are zero in either order, so nearly all
//! options need no choice: in nothing, whatever would be turned is zero.

use crate::layout::{ByteOrder, MAX_DEPTH, MapLayout, TypeIndex};
use crate::program::ValueFault;
use crate::schema::{Body, Field, Integer, OptionTag, Registry, SchemaError, Shape, Variant};

/// How the values of a registry's shapes are turned from one byte order to the other.
#[derive(Debug)]
pub struct Transcoding {
    from: ByteOrder,
    /// By position in the schema.
    types: Vec<Code>,
    /// By shape number.
    values: Vec<Values>,
    /// By shape number, of maps.
    maps: Vec<Option<Entries>>,
}

/// Values of one shape.
#[derive(Debug)]
struct Values {
    size: usize,
    code: Code,
}

/// Entries of a map.
#[derive(Debug)]
struct Entries {
    layout: MapLayout,
    key: Code,
    value: Code,
}

/// What is turned in a value, in the order of the offsets.
type Code = Vec<Part>;

/// Offsets count from the start of the value, or of the array's element.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Numbers of one width side by side.
    Numbers { at: u32, width: u8, count: u32 },
    /// Values side by side.
    Array { at: u32, stride: u32, count: u32, element: Code },
    /// A type by value: position in the schema.
    Type { at: u32, number: u32 },
    /// An option that is nothing when the integer has the value `none`; something else is the value.
    Niche { at: u32, niche: u32, width: u8, none: u32, value: Code },
    /// An option that is nothing when the integer is 0.
    Tagged { at: u32, width: u8, value: Code },
    /// An enum: what is turned besides the tag, sorted by tag.
    Enum { at: u32, width: u8, variants: Vec<(u128, Code)> },
}

/// The most parts of a type that are repeated where it lies in another.
const SPLICED: usize = 8;

impl Transcoding {
    /// Compiles every numbered shape of a [checked](Registry::check) registry. Memory is linear in the registry.
    ///
    /// # Errors
    /// When the registry was not checked.
    pub fn compile(registry: &Registry, from: ByteOrder) -> Result<Self, SchemaError> {
        let mut compiler = Compiler {
            index: TypeIndex::new(&registry.schema),
            types: vec![None; registry.schema.types.len()],
            depth: 0,
        };
        let compiled = compiler.registry(registry, from);
        compiled.ok_or_else(|| SchemaError::Inconsistent {
            place: "the registry".into(),
            what: "describes values that cannot be".into(),
        })
    }

    /// The byte order that values have before.
    pub const fn byte_order(&self) -> ByteOrder {
        self.from
    }

    /// Turns values of the shape with this number, side by side from the start of `bytes`. Values of zeros may be none:
    /// they stay.
    ///
    /// # Errors
    /// [`ValueFault::Tag`] where a tag is none of its type's; some values are turned then.
    pub fn values(&self, shape: u32, bytes: &mut [u8]) -> Result<(), ValueFault> {
        self.values.get(shape as usize).map_or(Ok(()), |Values { size, code }| self.each(*size, code, bytes))
    }

    /// Turns keys of the map with this shape number.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn keys(&self, map: u32, bytes: &mut [u8]) -> Result<(), ValueFault> {
        self.map(map).map_or(Ok(()), |map| self.each(map.layout.key_size as usize, &map.key, bytes))
    }

    /// Turns values of the map with this shape number.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn map_values(&self, map: u32, bytes: &mut [u8]) -> Result<(), ValueFault> {
        self.map(map).map_or(Ok(()), |map| self.each(map.layout.value_size as usize, &map.value, bytes))
    }

    /// Turns entries of the map with this shape number, key and value.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn entries(&self, map: u32, bytes: &mut [u8]) -> Result<(), ValueFault> {
        let Some(Entries { layout, key, value }) = self.map(map) else { return Ok(()) };
        for entry in bytes.chunks_exact_mut((layout.entry_size as usize).max(1)).filter(|entry| !is_zero(entry)) {
            self.run(key, entry, 0)?;
            self.run(value, entry, layout.value_at as usize)?;
        }
        Ok(())
    }

    fn map(&self, shape: u32) -> Option<&Entries> {
        self.maps.get(shape as usize)?.as_ref()
    }

    fn each(&self, size: usize, code: &[Part], bytes: &mut [u8]) -> Result<(), ValueFault> {
        match *code {
            [] => Ok(()),
            [Part::Numbers { at: 0, width, count }] if usize::from(width) * count as usize == size => {
                let whole = bytes.len() / size * size;
                turn(&mut bytes[..whole], width);
                Ok(())
            }
            _ => {
                let mut values = bytes.chunks_exact_mut(size).filter(|value| !is_zero(value));
                values.try_for_each(|value| self.run(code, value, 0))
            }
        }
    }

    /// Turns one value at `base`. Types lie in each other no deeper than a registry may have it.
    fn run(&self, code: &[Part], bytes: &mut [u8], base: usize) -> Result<(), ValueFault> {
        for part in code {
            match *part {
                Part::Numbers { at, width, count } => {
                    let start = base + at as usize;
                    turn(&mut bytes[start..start + usize::from(width) * count as usize], width);
                }
                Part::Array { at, stride, count, ref element } => {
                    let start = base + at as usize;
                    for number in 0..count as usize {
                        self.run(element, bytes, start + number * stride as usize)?;
                    }
                }
                Part::Type { at, number } => self.run(&self.types[number as usize], bytes, base + at as usize)?,
                Part::Niche { at, niche, width, none, ref value } => {
                    if self.number(bytes, base + niche as usize, width) == u128::from(none) {
                        turn_one(bytes, base + niche as usize, width);
                    } else {
                        self.run(value, bytes, base + at as usize)?;
                    }
                }
                Part::Tagged { at, width, ref value } => {
                    let at = base + at as usize;
                    match self.number(bytes, at, width) {
                        0 => {}
                        1 => self.run(value, bytes, at)?,
                        _ => return Err(ValueFault::Tag(at)),
                    }
                    turn_one(bytes, at, width);
                }
                Part::Enum { at, width, ref variants } => {
                    let tag_at = base + at as usize;
                    let tag = self.number(bytes, tag_at, width);
                    let variant = variants.binary_search_by_key(&tag, |variant| variant.0);
                    let variant = variant.map_err(|_| ValueFault::Tag(tag_at))?;
                    self.run(&variants[variant].1, bytes, base)?;
                    turn_one(bytes, tag_at, width);
                }
            }
        }
        Ok(())
    }

    fn number(&self, bytes: &[u8], at: usize, width: u8) -> u128 {
        self.from.unsigned(&bytes[at..at + usize::from(width)])
    }
}

fn turn_one(bytes: &mut [u8], at: usize, width: u8) {
    turn(&mut bytes[at..at + usize::from(width)], width);
}

/// Turns numbers of one width round.
fn turn(bytes: &mut [u8], width: u8) {
    fn each<const N: usize>(bytes: &mut [u8]) {
        bytes.as_chunks_mut::<N>().0.iter_mut().for_each(|number| number.reverse());
    }
    match width {
        0 | 1 => {}
        2 => each::<2>(bytes),
        4 => each::<4>(bytes),
        8 => each::<8>(bytes),
        16 => each::<16>(bytes),
        width => bytes.chunks_exact_mut(width.into()).for_each(<[u8]>::reverse),
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

/// `None` throughout: the registry was not checked.
struct Compiler<'a> {
    index: TypeIndex<'a>,
    types: Vec<Option<Code>>,
    /// How deep types lie in each other at the shape that is compiled.
    depth: u32,
}

impl Compiler<'_> {
    fn registry(&mut self, registry: &Registry, from: ByteOrder) -> Option<Transcoding> {
        let (mut values, mut maps) = (Vec::new(), Vec::new());
        for shape in &registry.shapes {
            values.push(Values { size: self.size(shape)?, code: self.value(shape)? });
            maps.push(match shape {
                Shape::Map { key, value } | Shape::SortedMap { key, value } => Some(Entries {
                    layout: self.index.map_layout(shape)?,
                    key: self.value(key)?,
                    value: self.value(value)?,
                }),
                _ => None,
            });
        }
        // Whatever no shape leads to has no values.
        let types = std::mem::take(&mut self.types).into_iter().map(Option::unwrap_or_default);
        Some(Transcoding { from, types: types.collect(), values, maps })
    }

    fn size(&self, shape: &Shape) -> Option<usize> {
        usize::try_from(self.index.size_align(shape)?.0).ok()
    }

    fn value(&mut self, shape: &Shape) -> Option<Code> {
        let mut code = Code::new();
        self.shape(shape, 0, &mut code)?;
        Some(code)
    }

    /// Adds what is turned in a value of this shape at `at`.
    fn shape(&mut self, shape: &Shape, at: u32, code: &mut Code) -> Option<()> {
        match shape {
            Shape::Integer(integer) => numbers(code, at, integer.width, 1),
            Shape::Float(float) => numbers(code, at, float.width, 1),
            Shape::Bool => {}
            Shape::Char => numbers(code, at, 4, 1),
            Shape::Array { element, count } => self.array(element, *count, at, code)?,
            Shape::Inline(name) => {
                let number = self.index.number(name)?;
                let own = self.type_code(number)?;
                if own.len() <= SPLICED && is_flat(own) {
                    splice(code, own, at);
                } else {
                    code.push(Part::Type { at, number });
                }
            }
            Shape::Option { inner, tag, .. } => self.option(inner, *tag, at, code)?,
            _ => numbers(code, at, 8, 1),
        }
        Some(())
    }

    fn type_code(&mut self, number: u32) -> Option<&Code> {
        if self.types[number as usize].is_none() {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return None;
            }
            let mut code = Code::new();
            match &self.index.schema().types[number as usize].body {
                Body::Struct(fields) => self.fields(fields, &mut code)?,
                Body::Enum { tag_offset, tag, variants } => self.choice(*tag_offset, *tag, variants, &mut code)?,
            }
            self.depth -= 1;
            self.types[number as usize] = Some(code);
        }
        self.types[number as usize].as_ref()
    }

    fn fields(&mut self, fields: &[Field], code: &mut Code) -> Option<()> {
        // By offset, so that numbers of one width become one run.
        let mut places: Vec<&Field> = fields.iter().collect();
        places.sort_by_key(|field| field.offset);
        places.into_iter().try_for_each(|field| self.shape(&field.shape, field.offset, code))
    }

    fn choice(&mut self, at: u32, tag: Integer, variants: &[Variant], code: &mut Code) -> Option<()> {
        let mut cases = Vec::with_capacity(variants.len());
        for variant in variants {
            let mut fields = Code::new();
            self.fields(&variant.fields, &mut fields)?;
            cases.push((variant.tag, fields));
        }
        if cases.iter().all(|(_, fields)| fields.is_empty()) {
            numbers(code, at, tag.width, 1);
        } else {
            cases.sort_unstable_by_key(|case| case.0);
            code.push(Part::Enum { at, width: tag.width, variants: cases });
        }
        Some(())
    }

    fn array(&mut self, element: &Shape, count: u64, at: u32, code: &mut Code) -> Option<()> {
        // Arrays of arrays are one longer array.
        let (mut element, mut count) = (element, count);
        while let Shape::Array { element: inner, count: times } = element {
            (element, count) = (inner, count.checked_mul(*times)?);
        }
        let stride = u32::try_from(self.size(element)?).ok()?;
        let inner = self.value(element)?;
        if inner.is_empty() || count == 0 {
            return Some(());
        }
        let count = u32::try_from(count).ok()?;
        match inner[..] {
            [Part::Numbers { at: 0, width, count: each }] if u32::from(width) * each == stride => {
                numbers(code, at, width, each.checked_mul(count)?);
            }
            _ => code.push(Part::Array { at, stride, count, element: inner }),
        }
        Some(())
    }

    fn option(&mut self, inner: &Shape, tag: OptionTag, at: u32, code: &mut Code) -> Option<()> {
        let value = self.value(inner)?;
        match tag {
            OptionTag::Niche { offset, width, .. } if is_flat(&value) && turns(&value, offset, width) => {
                splice(code, &value, at);
            }
            OptionTag::Niche { offset, width, none } => {
                code.push(Part::Niche { at, niche: at + offset, width, none, value });
            }
            OptionTag::Tagged { width, value_offset } if is_flat(&value) => {
                numbers(code, at, width, 1);
                splice(code, &value, at + value_offset);
            }
            OptionTag::Tagged { width, value_offset } => {
                let mut moved = Code::new();
                splice(&mut moved, &value, value_offset);
                code.push(Part::Tagged { at, width, value: moved });
            }
        }
        Some(())
    }
}

/// Whether no tag says what is turned.
fn is_flat(code: &[Part]) -> bool {
    code.iter().all(|part| matches!(part, Part::Numbers { .. }))
}

/// Whether the number at this place is turned as one of this width, and not as a part of another.
fn turns(code: &[Part], offset: u32, own: u8) -> bool {
    let mut around = code.iter().filter_map(|part| match *part {
        Part::Numbers { at, width, count } if (at..at + u32::from(width) * count).contains(&offset) => {
            Some(width == own && (offset - at).is_multiple_of(width.into()))
        }
        _ => None,
    });
    around.next().unwrap_or(own == 1)
}

/// Adds numbers, to those before where they go on.
fn numbers(code: &mut Code, at: u32, width: u8, count: u32) {
    if width <= 1 || count == 0 {
        return;
    }
    match code.last_mut() {
        Some(Part::Numbers { at: start, width: before, count: so_far })
            if *before == width && *start + *so_far * u32::from(width) == at =>
        {
            *so_far += count;
        }
        _ => code.push(Part::Numbers { at, width, count }),
    }
}

/// Adds the parts of a value that lies at `by`.
fn splice(code: &mut Code, parts: &[Part], by: u32) {
    for part in parts {
        match part.clone() {
            Part::Numbers { at, width, count } => numbers(code, at + by, width, count),
            Part::Array { at, stride, count, element } => {
                code.push(Part::Array { at: at + by, stride, count, element });
            }
            Part::Type { at, number } => code.push(Part::Type { at: at + by, number }),
            Part::Niche { at, niche, width, none, value } => {
                code.push(Part::Niche { at: at + by, niche: niche + by, width, none, value });
            }
            Part::Tagged { at, width, value } => code.push(Part::Tagged { at: at + by, width, value }),
            Part::Enum { .. } => unreachable!("an enum is a type of its own, and stands for itself"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pairs;
    use crate::sample::Random;
    use crate::sample::store::Store;
    use crate::sample::tree::{Tree, encode, random_tree};
    use crate::schema::Schema;

    fn laid_out(tree: &Tree, shape: &Shape, schema: &Schema, order: ByteOrder) -> Vec<u8> {
        let mut bytes = vec![0; shape.size_align(schema).unwrap().0 as usize];
        encode(tree, shape, schema, order, &mut bytes, &mut Store::of_zeros(schema, order));
        bytes
    }

    /// A value in one order, turned, is the value as a plain reading of its descriptors lays it out in the other.
    #[test]
    fn a_value_that_is_turned_is_the_value_of_the_other_order() {
        let (mut plain, mut chosen) = (0, 0);
        for seed in 0..3000 {
            let random = &mut Random::new(seed);
            let schema = pairs::random_schema(random);
            let inline = |described: &crate::TypeDescriptor| Shape::Inline(described.name.clone());
            let mut shapes: Vec<Shape> = schema.types.iter().map(inline).collect();
            let maps = shapes.iter().map(|value| Shape::Map {
                key: Box::new(Shape::Array { element: Box::new(Shape::Char), count: 3 }),
                value: Box::new(value.clone()),
            });
            shapes.extend(maps.collect::<Vec<_>>());
            let registry = Registry { schema: schema.clone(), shapes };
            registry.check().unwrap();
            let (from, to) = if random.chance(50) {
                (ByteOrder::Big, ByteOrder::Little)
            } else {
                (ByteOrder::Little, ByteOrder::Big)
            };
            let transcoding = Transcoding::compile(&registry, from).unwrap();
            for (number, shape) in (0..).zip(&registry.shapes) {
                let values: Vec<Tree> = match shape {
                    Shape::Map { key, value } => {
                        [key, value, key, value].map(|part| random_tree(random, part, &schema)).into()
                    }
                    value => (0..3).map(|_| random_tree(random, value, &schema)).collect(),
                };
                let bytes = |order| -> Vec<u8> {
                    let Shape::Map { key, value } = shape else {
                        let size = shape.size_align(&schema).unwrap().0 as usize;
                        let laid_out = values.iter().flat_map(|tree| laid_out(tree, shape, &schema, order));
                        // What lies behind the last element of a list need not be a value.
                        return laid_out.chain(vec![0; 2 * size + size / 2]).collect();
                    };
                    let layout = TypeIndex::new(&schema).map_layout(shape).unwrap();
                    let mut bytes = vec![0; 4 * layout.entry_size as usize];
                    for (entry, at) in values.chunks(2).zip([0, 2 * layout.entry_size]) {
                        for (tree, shape, at) in [(&entry[0], key, at), (&entry[1], value, at + layout.value_at)] {
                            let part = laid_out(tree, shape, &schema, order);
                            bytes[at as usize..at as usize + part.len()].copy_from_slice(&part);
                        }
                    }
                    bytes
                };
                let mut turned = bytes(from);
                match shape {
                    Shape::Map { .. } => transcoding.entries(number, &mut turned),
                    _ => transcoding.values(number, &mut turned),
                }
                .unwrap();
                assert!(turned == bytes(to), "seed {seed}: {shape}");
                let is_plain = transcoding.values.get(number as usize).is_some_and(|values| is_flat(&values.code));
                *(if is_plain { &mut plain } else { &mut chosen }) += 1;
            }
        }
        assert!(plain > 1000 && chosen > 1000, "{plain} {chosen}");
    }

    #[test]
    fn a_tag_that_is_none_is_found() {
        let schema = Schema {
            types: vec![crate::sample::shapes::descriptor(
                "Kind".into(),
                Body::Enum {
                    tag_offset: 0,
                    tag: Integer { width: 2, signed: false, align: 2 },
                    variants: vec![Variant {
                        name: "One".into(),
                        tag: 1,
                        fields: vec![Field { offset: 4, ..crate::sample::shapes::field("of".into(), Shape::Char) }],
                        was: vec![],
                    }],
                },
                8,
                4,
            )],
        };
        let registry = Registry { schema, shapes: vec![Shape::Inline("Kind".into())] };
        let transcoding = Transcoding::compile(&registry, ByteOrder::Big).unwrap();
        let mut value = [0, 1, 0, 0, 0, 0, 0, 65];
        transcoding.values(0, &mut value).unwrap();
        assert_eq!(value, [1, 0, 0, 0, 65, 0, 0, 0]);
        assert_eq!(transcoding.values(0, &mut value), Err(ValueFault::Tag(0)));
    }
}
