//! From shapes to steps.

use std::collections::HashMap;

use super::{Cases, EntryProgram, Presence, Program, Step, Target};
use crate::layout::TypeIndex;
use crate::schema::{Body, Field, Integer, OptionTag, Registry, SchemaError, Shape, Variant};

/// The programs of a registry's shapes, by number.
#[derive(Debug, Clone, Default)]
pub struct Programs {
    values: Vec<Program>,
    entries: Vec<Option<Box<EntryProgram>>>,
}

impl Programs {
    /// Compiles every numbered shape of a [checked](Registry::check) registry.
    ///
    /// # Errors
    /// When the steps would be out of all proportion to the registry, as enums nested by value in all variants of
    /// enums can be.
    pub fn compile(registry: &Registry) -> Result<Self, SchemaError> {
        let mut compiler = Compiler::new(registry);
        let mut programs = Self::default();
        for (number, shape) in registry.shapes.iter().enumerate() {
            let compiled = compiler.value(shape).and_then(|value| Some((value, compiler.entry(shape)?)));
            let Some((value, entry)) = compiled else {
                return Err(SchemaError::Inconsistent {
                    place: format!("shape {number}"),
                    what: "consists of too many parts".into(),
                });
            };
            programs.values.push(value);
            programs.entries.push(entry);
        }
        Ok(programs)
    }

    /// The program of a value with this shape number: of a record for a record type, of an element for a list's
    /// element, of the map's handle for a map.
    #[inline]
    pub fn value(&self, shape: u32) -> Option<&Program> {
        self.values.get(shape as usize)
    }

    /// Whether any value may have padding.
    pub fn have_padding(&self) -> bool {
        let entries = self.entries.iter().flatten().map(|entry| &entry.entry);
        self.values.iter().chain(entries).any(Program::has_padding)
    }

    /// The program of the entries of a map or sorted map with this shape number.
    #[inline]
    pub fn entry(&self, shape: u32) -> Option<&EntryProgram> {
        self.entries.get(shape as usize)?.as_deref()
    }
}

struct Compiler<'a> {
    index: TypeIndex<'a>,
    numbers: HashMap<&'a Shape, u32>,
    /// Steps that may still be made.
    budget: usize,
    program: Program,
    /// Size of what the base stands at the start of: the value, or a loop's element.
    around: u32,
    /// How deep loops lie in each other at the step to come.
    depth: u32,
    /// Steps before this one may not be lengthened: something jumps here.
    barrier: usize,
}

/// `None` throughout: the budget is used up, or the registry was not checked.
impl<'a> Compiler<'a> {
    fn new(registry: &'a Registry) -> Self {
        let parts = |body: &Body| match body {
            Body::Struct(fields) => fields.len(),
            Body::Enum { variants, .. } => variants.iter().map(|variant| 1 + variant.fields.len()).sum(),
        };
        let described: usize = registry.schema.types.iter().map(|described| 1 + parts(&described.body)).sum();
        Self {
            index: TypeIndex::new(&registry.schema),
            numbers: registry.shapes.iter().zip(0..).collect(),
            budget: (1 << 20) + 16 * (described + registry.shapes.len()),
            program: Program::default(),
            around: 0,
            depth: 0,
            barrier: 0,
        }
    }

    fn value(&mut self, shape: &Shape) -> Option<Program> {
        let (size, align) = self.index.size_align(shape)?;
        self.around = u32::try_from(size).ok()?;
        self.shape(shape, 0)?;
        Some(self.finish(size, align))
    }

    /// `Some(None)` for a shape that is no map.
    #[expect(clippy::option_option, reason = "the outer one says that compiling failed")]
    fn entry(&mut self, shape: &Shape) -> Option<Option<Box<EntryProgram>>> {
        let (Shape::Map { key, value } | Shape::SortedMap { key, value }) = shape else { return Some(None) };
        let layout = self.index.map_layout(shape)?;
        let (value_at, size) = (layout.value_at as u32, layout.entry_size as u32);
        self.around = size;
        self.shape(key, 0)?;
        self.zero(layout.key_size as u32, value_at)?;
        self.shape(value, value_at)?;
        self.zero(value_at + layout.value_size as u32, size)?;
        let entry = self.finish(layout.entry_size, layout.align);
        Some(Some(Box::new(EntryProgram { layout, key: self.value(key)?, value: self.value(value)?, entry })))
    }

    fn finish(&mut self, size: u64, align: u64) -> Program {
        self.barrier = 0;
        let mut program = std::mem::take(&mut self.program);
        program.steps.shrink_to_fit();
        Program { size: size as u32, align: align as u32, ..program }.with_facts()
    }

    fn push(&mut self, step: Step) -> Option<usize> {
        self.budget = self.budget.checked_sub(1)?;
        self.program.steps.push(step);
        Some(self.program.steps.len() - 1)
    }

    /// The number of the step to come, to which something jumps.
    fn label(&mut self) -> u32 {
        self.barrier = self.program.steps.len();
        self.barrier as u32
    }

    /// The step before, where it may still be lengthened.
    fn open_step(&mut self) -> Option<&mut Step> {
        let open = self.program.steps.len() > self.barrier;
        self.program.steps.last_mut().filter(|_| open)
    }

    /// The bytes from `start` to `end` hold nothing.
    fn zero(&mut self, start: u32, end: u32) -> Option<()> {
        if start >= end {
            return Some(());
        }
        if let Some(Step::Zero { at, len }) = self.open_step()
            && *at + *len == start
        {
            *len = end - *at;
            return Some(());
        }
        let window = start / 8 * 8;
        if end > window + 8 || window + 8 > self.around {
            return self.push(Step::Zero { at: start, len: end - start }).map(drop);
        }
        let mut bytes = [0; 8];
        bytes[(start - window) as usize..(end - window) as usize].fill(0xff);
        let padding = u64::from_ne_bytes(bytes);
        self.mask(window, padding, padding)
    }

    fn bool(&mut self, at: u32) -> Option<()> {
        let window = at / 8 * 8;
        if window + 8 > self.around {
            return self.push(Step::Bool { at }).map(drop);
        }
        let mut bytes = [0; 8];
        bytes[(at - window) as usize] = 0xfe;
        self.mask(window, u64::from_ne_bytes(bytes), 0)
    }

    /// Joins what is looked at within the same eight bytes.
    fn mask(&mut self, window: u32, more: u64, more_padding: u64) -> Option<()> {
        if let Some(Step::Mask { at, check, padding }) = self.open_step()
            && *at == window
        {
            (*check, *padding) = (*check | more, *padding | more_padding);
            return Some(());
        }
        self.push(Step::Mask { at: window, check: more, padding: more_padding }).map(drop)
    }

    /// `more` handles of one target side by side.
    fn handles(&mut self, from: u32, more: u32, to: Target, may: Presence) -> Option<()> {
        if let Some(Step::Handles { at, count, target, presence }) = self.open_step()
            && (*at + *count * 8, *target, *presence) == (from, to, may)
        {
            *count += more;
            return Some(());
        }
        self.push(Step::Handles { at: from, count: more, target: to, presence: may }).map(drop)
    }

    /// A value of this shape at `at`.
    fn shape(&mut self, shape: &Shape, at: u32) -> Option<()> {
        let target = match shape {
            Shape::Integer(_) | Shape::Float(_) => return Some(()),
            Shape::Bool => return self.bool(at),
            Shape::Char => return self.push(Step::Char { at }).map(drop),
            Shape::Array { element, count } => return self.array(element, *count, at),
            Shape::Option { inner, size, tag, .. } => return self.option(shape, inner, *size, *tag, at),
            Shape::Inline(name) => {
                let described = self.index.get(name)?;
                return match &described.body {
                    Body::Struct(fields) => self.fields(fields, None, at, described.size),
                    Body::Enum { tag_offset, tag, variants } => {
                        self.choice(*tag_offset, *tag, variants, at, described.size)
                    }
                };
            }
            handle => self.target(handle)?,
        };
        self.handles(at, 1, target, Presence::Always)
    }

    fn target(&self, shape: &Shape) -> Option<Target> {
        let number = |shape: &Shape| self.numbers.get(shape).copied().unwrap_or(Target::NO_SHAPE);
        Some(match shape {
            Shape::Reference(name) => Target::Reference(self.index.number(name)?),
            Shape::Text => Target::Text,
            Shape::Bytes => Target::Bytes,
            Shape::List(element) => Target::List(number(element)),
            Shape::Map { .. } => Target::Map(number(shape)),
            Shape::SortedMap { .. } => Target::SortedMap(number(shape)),
            _ => return None,
        })
    }

    fn array(&mut self, element: &Shape, count: u64, at: u32) -> Option<()> {
        // Arrays of arrays are one longer array.
        let (mut element, mut count) = (element, count);
        while let Shape::Array { element: inner, count: times } = element {
            (element, count) = (inner, count.checked_mul(*times)?);
        }
        let size = self.index.size_align(element)?.0;
        if count == 0 || size == 0 {
            return Some(());
        }
        if count == 1 {
            return self.shape(element, at);
        }
        let count = u32::try_from(count).ok()?;
        match element {
            handle if handle.is_handle() => return self.handles(at, count, self.target(handle)?, Presence::Always),
            Shape::Option { inner, .. } if element.is_optional_handle() => {
                return self.handles(at, count, self.target(inner)?, Presence::Optional);
            }
            _ => {}
        }
        let before = self.push(Step::Repeat { at, count })?;
        let around = std::mem::replace(&mut self.around, size as u32);
        self.depth += 1;
        let start = self.label();
        self.shape(element, 0)?;
        self.depth -= 1;
        self.around = around;
        if self.program.steps.len() == start as usize {
            // Nothing has to hold of the elements.
            self.program.steps.truncate(before);
        } else {
            self.program.loops = self.program.loops.max(self.depth + 1);
            self.push(Step::Again { stride: size as u32, start })?;
        }
        self.label();
        Some(())
    }

    fn fields(&mut self, fields: &[Field], occupied: Option<(u32, u32)>, at: u32, size: u32) -> Option<()> {
        let mut places = Vec::with_capacity(fields.len() + 1);
        places.extend(occupied.map(|(start, end)| (start, end, None)));
        for field in fields {
            let len = self.index.size_align(&field.shape)?.0 as u32;
            places.push((field.offset, field.offset + len, Some(&field.shape)));
        }
        places.sort_unstable_by_key(|place| (place.0, place.1));
        let mut done = 0;
        for (start, end, shape) in places {
            self.zero(at + done, at + start)?;
            if let Some(shape) = shape {
                self.shape(shape, at + start)?;
            }
            done = end;
        }
        self.zero(at + done, at + size)
    }

    fn choice(&mut self, tag_offset: u32, tag: Integer, variants: &[Variant], at: u32, size: u32) -> Option<()> {
        let occupied = (tag_offset, tag_offset + u32::from(tag.width));
        let number = self.program.cases.len();
        self.program.cases.push(Cases::default());
        let head = self.push(Step::Jump { to: 0 })?;
        let mut by_tag = Vec::with_capacity(variants.len());
        let mut jumps = Vec::new();
        for variant in variants {
            self.budget = self.budget.checked_sub(1)?;
            let start = self.label();
            self.fields(&variant.fields, Some(occupied), at, size)?;
            if self.program.steps.len() == start as usize {
                by_tag.push((variant.tag, u32::MAX));
            } else {
                by_tag.push((variant.tag, start));
                jumps.push(self.push(Step::Jump { to: 0 })?);
            }
        }
        if jumps.last().is_some_and(|&last| last + 1 == self.program.steps.len()) {
            // The last variant's steps run on into what follows.
            self.program.steps.truncate(self.program.steps.len() - 1);
            jumps.pop();
        }
        let end = self.label();
        for jump in jumps {
            self.program.steps[jump] = Step::Jump { to: end };
        }
        for case in by_tag.iter_mut().filter(|case| case.1 == u32::MAX) {
            case.1 = end;
        }
        by_tag.sort_unstable();
        let dense = by_tag.iter().zip(0..).all(|(case, position)| case.0 == position);
        self.program.cases[number] = Cases { by_tag, dense };
        self.program.steps[head] = Step::Enum { at: at + tag_offset, width: tag.width, cases: number as u32, end };
        Some(())
    }

    fn option(&mut self, whole: &Shape, inner: &Shape, size: u32, tag: OptionTag, at: u32) -> Option<()> {
        if whole.is_optional_handle() {
            let target = self.target(inner)?;
            return self.handles(at, 1, target, Presence::Optional);
        }
        let head = self.push(Step::Jump { to: 0 })?;
        self.label();
        let inner_size = self.index.size_align(inner)?.0 as u32;
        let value_offset = match tag {
            OptionTag::Niche { .. } => 0,
            OptionTag::Tagged { width, value_offset } => {
                self.zero(at + u32::from(width), at + value_offset)?;
                value_offset
            }
        };
        self.shape(inner, at + value_offset)?;
        self.zero((at + value_offset + inner_size).max(at + u32::from(tag_width(tag))), at + size)?;
        let end = self.label();
        self.program.steps[head] = match tag {
            OptionTag::Niche { offset, width, none } => Step::Niche { at, size, niche: at + offset, width, none, end },
            OptionTag::Tagged { width, .. } => Step::Tagged { at, size, width, end },
        };
        Some(())
    }
}

/// Bytes at the start of the option that are not padding even when the value is smaller.
const fn tag_width(tag: OptionTag) -> u8 {
    match tag {
        OptionTag::Niche { .. } => 0,
        OptionTag::Tagged { width, .. } => width,
    }
}
