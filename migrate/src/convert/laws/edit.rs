//! Random schemas, random edits of them, and the plans that say so.

use std::collections::HashSet;

use super::Random;
use crate::plan::{
    BodyStep, Cast, Check, CheckKind, Dropped, FieldStep, Fields, Plan, Source, TypeStep, Value, VariantStep,
};
use crate::schema::{
    Body, Field, FieldAttributes, Float, Integer, OptionTag, Schema, Shape, TypeAttributes, TypeDescriptor, Variant,
};

pub(super) struct Pair {
    pub(super) plan: Plan,
    /// The step of the type that is converted.
    pub(super) step: usize,
    /// Names of fields whose values may go.
    pub(super) acknowledged: HashSet<String>,
}

struct Editor<'r> {
    random: &'r mut Random,
    plan: Plan,
    /// Step of each old type.
    steps: Vec<usize>,
    acknowledged: HashSet<String>,
    /// Those of the type that is edited.
    dropped: Vec<String>,
    names: u32,
}

pub(super) fn pair(random: &mut Random) -> Pair {
    let empty = Schema::default();
    let plan = Plan { old: empty.clone(), new: empty, types: vec![], checks: vec![], ..Plan::default() };
    let mut editor = Editor { random, plan, steps: vec![], acknowledged: HashSet::new(), dropped: vec![], names: 0 };
    let count = 1 + editor.random.below(4);
    for number in 0..count {
        editor.old_type(number);
    }
    for number in 0..count as usize {
        editor.new_type(number);
    }
    Pair { step: editor.steps[count as usize - 1], plan: editor.plan, acknowledged: editor.acknowledged }
}

fn descriptor(name: String, body: Body, end: u32, align: u32) -> TypeDescriptor {
    TypeDescriptor { name, size: end.next_multiple_of(align), align, body, attributes: TypeAttributes::default() }
}

fn field(name: String, shape: Shape) -> Field {
    Field { name, offset: 0, shape, attributes: FieldAttributes::default() }
}

impl Editor<'_> {
    fn name(&mut self, letter: char) -> String {
        self.names += 1;
        format!("{letter}{}", self.names)
    }

    fn number_shape(&mut self) -> Shape {
        if self.random.chance(25) {
            let width = 4 << self.random.below(2);
            return Shape::Float(Float { width, align: width });
        }
        let width = 1 << self.random.below(5);
        // A machine of 32 bits aligns less.
        let align = if self.random.chance(20) { width.min(4) } else { width };
        Shape::Integer(Integer { width, signed: self.random.chance(50), align })
    }

    fn optional(&mut self, inner: Shape, schema: &Schema) -> Shape {
        let (size, align) = inner.size_align(schema).unwrap();
        let niche = |width, none| (size, align, OptionTag::Niche { offset: 0, width, none });
        let (size, align, tag) = match &inner {
            Shape::Bool => niche(1, 2),
            Shape::Char => niche(4, 0x11_0000 + self.random.below(2) as u32),
            handle if handle.is_handle() => niche(8, 0),
            _ => {
                let width = (1 << self.random.below(3)).min(align as u8);
                let tag = OptionTag::Tagged { width, value_offset: align as u32 };
                ((align + size).next_multiple_of(align) + align * self.random.below(2), align, tag)
            }
        };
        Shape::Option { inner: Box::new(inner), size: size as u32, align: align as u32, tag }
    }

    fn old_shape(&mut self, levels: u32) -> Shape {
        let roll = self.random.below(if levels == 0 { 60 } else { 100 });
        let types = self.plan.old.types.len() as u64;
        match roll {
            40..45 => Shape::Bool,
            45..48 => Shape::Char,
            48..50 => Shape::Text,
            50..52 => Shape::Bytes,
            52..54 => Shape::Reference("T0".into()),
            54..75 if types > 0 => Shape::Inline(format!("T{}", self.random.below(types))),
            75..85 => {
                let inner = self.old_shape(levels - 1);
                let old = self.plan.old.clone();
                self.optional(inner, &old)
            }
            85..95 => Shape::Array { element: Box::new(self.old_shape(levels - 1)), count: self.random.below(4) },
            95..97 => {
                let element = self.old_shape(levels - 1);
                match element.size_align(&self.plan.old).unwrap().0 {
                    0 => Shape::Bool,
                    _ => Shape::List(Box::new(element)),
                }
            }
            97 => Shape::Map { key: Box::new(Shape::Char), value: Box::new(self.old_shape(levels - 1)) },
            _ => self.number_shape(),
        }
    }

    /// Places fields in a random order behind `start`, with gaps.
    fn lay(&mut self, fields: &mut [Field], start: u32, schema: &Schema) -> (u32, u32) {
        let mut order: Vec<usize> = (0..fields.len()).collect();
        if self.random.chance(60) {
            for position in (1..order.len()).rev() {
                order.swap(position, self.random.below(position as u64 + 1) as usize);
            }
        }
        let (mut end, mut most) = (start, 1);
        for position in order {
            let (size, align) = fields[position].shape.size_align(schema).unwrap();
            let gap = if self.random.chance(20) { self.random.below(9) as u32 } else { 0 };
            fields[position].offset = (end + gap).next_multiple_of(align as u32);
            (end, most) = (fields[position].offset + size as u32, most.max(align as u32));
        }
        (end, most)
    }

    fn old_fields(&mut self, count: u64) -> Vec<Field> {
        (0..count).map(|_| field(self.name('f'), self.old_shape(2))).collect()
    }

    fn enum_body(&mut self, mut variants: Vec<Variant>, schema: &Schema) -> (Body, u32, u32) {
        let width = 1 << self.random.below(4);
        let spread = if self.random.chance(50) { 1 } else { 9 };
        let shift = if self.random.chance(70) { 0 } else { 3 };
        let (mut end, mut most) = (u32::from(width), u32::from(width));
        for (number, variant) in variants.iter_mut().enumerate() {
            variant.tag = number as u128 * spread + shift;
            let (variant_end, align) = self.lay(&mut variant.fields, width.into(), schema);
            (end, most) = (end.max(variant_end), most.max(align));
        }
        let tag = Integer { width, signed: false, align: width };
        (Body::Enum { tag_offset: 0, tag, variants }, end, most)
    }

    fn old_type(&mut self, number: u64) {
        let old = self.plan.old.clone();
        let (body, end, align) = if self.random.chance(70) {
            let count = self.random.below(7);
            let mut fields = self.old_fields(count);
            let (end, align) = self.lay(&mut fields, 0, &old);
            (Body::Struct(fields), end, align)
        } else {
            let plain = self.random.chance(30);
            let variant = |editor: &mut Self| {
                let count = if plain { 0 } else { editor.random.below(3) };
                let fields = editor.old_fields(count);
                Variant { name: editor.name('V'), tag: 0, fields, was: vec![] }
            };
            let variants = (0..=self.random.below(4)).map(|_| variant(self)).collect();
            self.enum_body(variants, &old)
        };
        self.plan.old.types.push(descriptor(format!("T{number}"), body, end, align));
    }

    fn check(&mut self, kind: CheckKind) -> usize {
        self.plan.checks.push(Check { record: 0, place: String::new(), kind, waived: false });
        self.plan.checks.len() - 1
    }

    /// A random new shape for an old one, and how values become such.
    fn cast(&mut self, old: &Shape, levels: u32) -> (Shape, Cast) {
        let wrap = if levels == 0 { 100 } else { self.random.below(100) };
        let is_option = matches!(old, Shape::Option { .. });
        let is_list = matches!(old, Shape::List(_));
        let is_array = matches!(old, Shape::Array { .. });
        let new_schema = self.plan.new.clone();
        match wrap {
            0..7 if !is_option && !is_list => {
                let (inner, cast) = self.cast(old, levels - 1);
                // A list in an option would be ambiguous to whoever knows no casts.
                return (self.optional(inner, &new_schema), Cast::Some(Box::new(cast)));
            }
            7..11 if !is_option && !is_list && !is_array => {
                let (inner, cast) = self.cast(old, levels - 1);
                return (Shape::Array { element: Box::new(inner), count: 1 }, Cast::One(Box::new(cast)));
            }
            11..13 if !is_option && !is_list => {
                let (inner, cast) = self.cast(old, levels - 1);
                if inner.size_align(&new_schema).unwrap().0 > 0 {
                    return (Shape::List(Box::new(inner)), Cast::ToList(Box::new(cast)));
                }
            }
            _ => {}
        }
        match old {
            Shape::Integer(_) | Shape::Float(_) | Shape::Bool => match self.random.below(10) {
                0..5 => (old.clone(), Cast::Copy),
                5 => (Shape::Bool, Cast::Number { check: Some(self.check(CheckKind::Fits)) }),
                _ => (self.number_shape(), Cast::Number { check: Some(self.check(CheckKind::Fits)) }),
            },
            Shape::Text if self.random.chance(30) => (Shape::Bytes, Cast::TextToBytes),
            Shape::Bytes if self.random.chance(30) => {
                (Shape::Text, Cast::BytesToText { check: self.check(CheckKind::Utf8) })
            }
            Shape::Inline(name) => {
                let step = self.steps[name[1..].parse::<usize>().unwrap()];
                let new = self.plan.types[step].new.unwrap();
                (Shape::Inline(self.plan.new.types[new].name.clone()), Cast::Type(step))
            }
            Shape::Array { element, count } => {
                let (element, cast) = self.cast(element, levels);
                let mut new_count = if self.random.chance(50) { *count } else { self.random.below(4) };
                if new_count > *count && !has_empty(&element, &self.plan.new) {
                    new_count = *count;
                }
                let check = (new_count < *count).then(|| self.check(CheckKind::TailEmpty));
                let cast = Cast::Array { element: Box::new(cast), fill: Value::Empty, check };
                (Shape::Array { element: Box::new(element), count: new_count }, cast)
            }
            Shape::Option { inner, .. } => {
                let (new, cast) = self.cast(inner, levels);
                if self.random.chance(25) {
                    let check = Some(self.check(CheckKind::Present));
                    // An option within would be ambiguous to whoever knows no casts.
                    if !matches!(**inner, Shape::Option { .. }) && !matches!(new, Shape::Option { .. }) {
                        return (new, Cast::Unwrap { value: Box::new(cast), none: None, check });
                    }
                }
                (self.optional(new, &new_schema), Cast::Option(Box::new(cast)))
            }
            Shape::List(element) => {
                let (new, cast) = self.cast(element, levels);
                let plain = |shape: &Shape| !matches!(shape, Shape::List(_) | Shape::Option { .. });
                if plain(element) && plain(&new) && self.random.chance(40) {
                    if self.random.chance(50) {
                        let check = self.check(CheckKind::OneElement);
                        return (new, Cast::FromList { element: Box::new(cast), check });
                    }
                    let check = self.check(CheckKind::AtMostOneElement);
                    return (self.optional(new, &new_schema), Cast::FromListOption { element: Box::new(cast), check });
                }
                if new.size_align(&new_schema).unwrap().0 == 0 {
                    if matches!(**element, Shape::Option { .. }) {
                        // Something of an option would be ambiguous to whoever knows no casts.
                        return self.cast(old, levels);
                    }
                    let element = self.optional(new, &new_schema);
                    return (Shape::List(Box::new(element)), Cast::List(Box::new(Cast::Some(Box::new(cast)))));
                }
                (Shape::List(Box::new(new)), Cast::List(Box::new(cast)))
            }
            Shape::Map { key, value } => {
                let (new, cast) = self.cast(value, levels);
                let cast = Cast::Map { key: Box::new(Cast::Copy), value: Box::new(cast), check: None };
                (Shape::Map { key: key.clone(), value: Box::new(new) }, cast)
            }
            Shape::Char | Shape::Reference(_) | Shape::Text | Shape::Bytes | Shape::SortedMap { .. } => {
                (old.clone(), Cast::Copy)
            }
        }
    }

    fn dropped(&mut self, path: Vec<usize>, name: &str) -> Dropped {
        let check = if self.random.chance(60) {
            self.acknowledged.insert(name.into());
            self.dropped.push(name.into());
            None
        } else {
            Some(self.check(CheckKind::Empty))
        };
        Dropped { path, check }
    }

    /// New fields for old ones, and how they are made; unlaid.
    fn edit_fields(&mut self, old: &[Field]) -> (Vec<Field>, Fields) {
        let mut made: Vec<(Field, Source)> = Vec::new();
        let mut dropped = Vec::new();
        for (position, old) in old.iter().enumerate() {
            if self.random.chance(12) {
                let step = self.dropped(vec![position], &old.name);
                dropped.push(step);
                continue;
            }
            if let Some(inner) = self.inner_fields(&old.shape)
                && self.random.chance(15)
                && !inner.is_empty()
            {
                // One field moves out, the others are dropped.
                let kept = self.random.below(inner.len() as u64) as usize;
                for (within, moved) in inner.iter().enumerate() {
                    if within != kept {
                        let step = self.dropped(vec![position, within], &format!("{}.{}", old.name, moved.name));
                        dropped.push(step);
                        continue;
                    }
                    let (shape, cast) = self.cast(&moved.shape, 2);
                    let mut new = field(self.name('m'), shape);
                    new.attributes.from = Some(format!("{}.{}", old.name, moved.name));
                    made.push((new, Source::Field { path: vec![position, within], cast }));
                }
                continue;
            }
            let (shape, mut cast) = self.cast(&old.shape, 2);
            let mut new = field(old.name.clone(), shape);
            if self.random.chance(25) {
                new = Field { name: self.name('r'), ..new };
                new.attributes.was.push(old.name.clone());
            }
            if let Cast::Unwrap { none, check, .. } = &mut cast
                && let Some((text, value)) = self.default(&new.shape)
            {
                new.attributes.default = Some(text);
                (*none, *check) = (Some(value), None);
            }
            made.push((new, Source::Field { path: vec![position], cast }));
        }
        for _ in 0..self.random.below(3) {
            let shape = self.old_shape(1);
            let shape = if matches!(shape, Shape::Inline(_)) { self.number_shape() } else { shape };
            if contains_inline(&shape) || !has_empty(&shape, &self.plan.new) {
                continue;
            }
            let mut new = field(self.name('a'), shape);
            let source = match self.default(&new.shape) {
                Some((text, value)) if self.random.chance(70) => {
                    new.attributes.default = Some(text);
                    Source::Value(value)
                }
                _ => Source::Value(Value::Empty),
            };
            made.push((new, source));
        }
        for position in (1..made.len()).rev() {
            made.swap(position, self.random.below(position as u64 + 1) as usize);
        }
        if self.random.chance(20) {
            self.gather(&mut made);
        }
        let steps = made.iter().enumerate().map(|(field, (_, source))| FieldStep { field, source: source.clone() });
        let fields = Fields { made: steps.collect(), dropped };
        (made.into_iter().map(|(field, _)| field).collect(), fields)
    }

    /// Some of the fields go into a new struct.
    fn gather(&mut self, made: &mut Vec<(Field, Source)>) {
        let taken = made.split_off(made.len() - self.random.below(made.len() as u64 + 1) as usize);
        let mut fields: Vec<Field> = taken.iter().map(|(field, _)| field.clone()).collect();
        let new = self.plan.new.clone();
        let (end, align) = self.lay(&mut fields, 0, &new);
        let name = format!("Gathered{}", self.names);
        self.plan.new.types.push(descriptor(name.clone(), Body::Struct(fields), end, align));
        self.plan.types.push(TypeStep {
            old: None,
            new: Some(self.plan.new.types.len() - 1),
            body: BodyStep::Added,
            rewritten: true,
        });
        let steps = taken.into_iter().enumerate().map(|(field, (_, source))| FieldStep { field, source });
        let source = Source::Gathered(Fields { made: steps.collect(), dropped: vec![] });
        made.push((field(self.name('g'), Shape::Inline(name)), source));
    }

    fn inner_fields(&self, shape: &Shape) -> Option<Vec<Field>> {
        let Shape::Inline(name) = shape else { return None };
        match &self.plan.old.get(name).unwrap().body {
            Body::Struct(fields) => Some(fields.clone()),
            Body::Enum { .. } => None,
        }
    }

    /// A value as it would be written, for shapes that have literals.
    fn default(&mut self, shape: &Shape) -> Option<(String, Value)> {
        Some(match shape {
            Shape::Integer(integer) if integer.signed => {
                let value = -i128::from(self.random.below(128) as u8);
                (value.to_string(), Value::Integer(value))
            }
            Shape::Integer(integer) if integer.width == 16 && self.random.chance(50) => {
                (u128::MAX.to_string(), Value::Unsigned(u128::MAX))
            }
            Shape::Integer(_) => {
                let value = self.random.below(256);
                (value.to_string(), Value::Integer(value.into()))
            }
            Shape::Float(_) => {
                let value = [0.1, -0.0, 1.5, 1e20][self.random.below(4) as usize];
                (format!("{value:?}"), Value::Float(value))
            }
            Shape::Bool => {
                let value = self.random.chance(50);
                (value.to_string(), Value::Bool(value))
            }
            Shape::Char => {
                let value = ['x', '\u{10ffff}'][self.random.below(2) as usize];
                (format!("'{value}'"), Value::Char(value))
            }
            Shape::Text => {
                let value = ["", "new"][self.random.below(2) as usize];
                (format!("{value:?}"), Value::Text(value.into()))
            }
            _ => return None,
        })
    }

    fn new_type(&mut self, number: usize) {
        let old = self.plan.old.types[number].clone();
        let (body, end, align, step) = match &old.body {
            Body::Struct(fields) => {
                let (mut new, steps) = self.edit_fields(fields);
                let schema = self.plan.new.clone();
                let (end, align) = self.lay(&mut new, 0, &schema);
                (Body::Struct(new), end, align, BodyStep::Struct(steps))
            }
            Body::Enum { variants, .. } => {
                // Whether each new variant was an old one, and which.
                let mut new: Vec<(Option<usize>, Variant)> = Vec::new();
                let mut steps = Vec::new();
                for (position, old) in variants.iter().enumerate() {
                    if self.random.chance(10) {
                        let check = Some(self.check(CheckKind::NoSuchVariant));
                        steps.push(VariantStep { new: None, check, fields: Fields::default() });
                        continue;
                    }
                    let (fields, made) = self.edit_fields(&old.fields);
                    let mut variant = Variant { name: old.name.clone(), tag: 0, fields, was: vec![] };
                    if self.random.chance(25) {
                        variant.was.push(std::mem::replace(&mut variant.name, self.name('W')));
                    }
                    new.push((Some(position), variant));
                    steps.push(VariantStep { new: None, check: None, fields: made });
                }
                for _ in 0..self.random.below(3) {
                    let variant = Variant { name: self.name('N'), tag: 0, fields: vec![], was: vec![] };
                    new.push((None, variant));
                }
                for position in (1..new.len()).rev() {
                    new.swap(position, self.random.below(position as u64 + 1) as usize);
                }
                for (position, (was, _)) in new.iter().enumerate() {
                    if let Some(was) = was {
                        steps[*was].new = Some(position);
                    }
                }
                let schema = self.plan.new.clone();
                let (body, end, align) = self.enum_body(new.into_iter().map(|(_, variant)| variant).collect(), &schema);
                (body, end, align, BodyStep::Enum(steps))
            }
        };
        let name = if self.random.chance(20) && number > 0 { format!("R{number}") } else { old.name.clone() };
        let mut new = descriptor(name, body, end, align);
        if new.name != old.name {
            new.attributes.was.push(old.name.clone());
        }
        new.attributes.dropped = std::mem::take(&mut self.dropped);
        self.plan.new.types.push(new);
        self.plan.types.push(TypeStep {
            old: Some(number),
            new: Some(self.plan.new.types.len() - 1),
            body: step,
            rewritten: true,
        });
        self.steps.push(self.plan.types.len() - 1);
    }
}

fn contains_inline(shape: &Shape) -> bool {
    match shape {
        Shape::Inline(_) => true,
        Shape::Array { element: inner, .. } | Shape::Option { inner, .. } | Shape::List(inner) => {
            contains_inline(inner)
        }
        Shape::Map { key, value } | Shape::SortedMap { key, value } => contains_inline(key) || contains_inline(value),
        _ => false,
    }
}

fn has_empty(shape: &Shape, schema: &Schema) -> bool {
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
