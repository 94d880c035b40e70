//! Random edits of schemas, with the attributes that a developer writes, or forgets to.

use super::draft::{Draft, Sketch, Writer, array, some};
use crate::sample::Random;
use crate::sample::shapes::{descriptor, field, number_shape};
use crate::schema::{Body, Field, SecretMode, Shape, Variant};

/// What is edited, and how.
pub(super) struct Edits<'w, 'r> {
    writer: &'w mut Writer<'r>,
    /// Types by old name, and their new names.
    renamed: Vec<(String, String)>,
    /// Whether every edit says what it means, and means nothing that depends on what lay between.
    gentle: bool,
    /// Fields whose names go.
    dropped: Vec<String>,
    /// Entries of maps: the new name of each old struct of a key and a value, and what they were.
    entries: Vec<(String, Shape, Shape)>,
    /// Types that an edit needs.
    made: Vec<Sketch>,
}

impl<'w, 'r> Edits<'w, 'r> {
    /// The next version.
    pub(super) fn of(draft: &Draft, writer: &'w mut Writer<'r>, gentle: bool) -> Draft {
        let mut edits =
            Self { writer, renamed: Vec::new(), gentle, dropped: Vec::new(), entries: Vec::new(), made: Vec::new() };
        let mut new = Draft::default();
        // References may lead to any type, so all names are known first.
        for sketch in &draft.types {
            let name = &sketch.described.name;
            let new_name = if edits.chance(12) { edits.writer.name('R') } else { name.clone() };
            edits.renamed.push((name.clone(), new_name));
        }
        if !gentle && draft.types.len() > 1 && edits.chance(4) {
            let number = edits.below(draft.types.len() as u64) as usize;
            edits.renamed[number].1.clear();
        }
        for (number, sketch) in draft.types.iter().enumerate() {
            let new_name = edits.renamed[number].1.clone();
            if let Some((key, value)) = sketch.described.entry_fields() {
                edits.entries.push((new_name.clone(), key.shape.clone(), value.shape.clone()));
            }
            if !new_name.is_empty() {
                let edited = edits.sketch(sketch, draft, &mut new);
                new.types.append(&mut edits.made);
                new.types.push(edited);
            }
        }
        new
    }

    fn below(&mut self, end: u64) -> u64 {
        self.writer.random.below(end)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.writer.random.chance(percent)
    }

    /// Whether the developer says it; sometimes it is forgotten.
    fn says(&mut self, percent: u64) -> bool {
        self.gentle || self.chance(percent)
    }

    fn sketch(&mut self, old: &Sketch, draft: &Draft, new: &mut Draft) -> Sketch {
        let mut sketch = old.clone();
        self.rename_in(&mut sketch.described.body, new);
        let name = self.renamed.iter().find(|(name, _)| *name == old.described.name).unwrap().1.clone();
        if name != old.described.name {
            sketch.described.name = name;
            if self.says(85) {
                sketch.described.attributes.was.push(old.described.name.clone());
            }
        }
        if self.chance(25) {
            sketch.seed = self.below(1 << 20);
        }
        if self.chance(35) {
            return sketch;
        }
        if !self.gentle && self.chance(2) {
            sketch.described.attributes.secret =
                if sketch.described.attributes.secret.is_some() { None } else { Some(SecretMode::Zero) };
        }
        self.dropped.clear();
        match &mut sketch.described.body {
            Body::Struct(fields) => {
                *fields = self.fields(fields, "", draft, new);
                if fields.is_empty() {
                    fields.push(field(self.writer.name('a'), Shape::Bool));
                }
            }
            Body::Enum { variants, .. } => {
                let gentle = self.gentle;
                *variants = self.variants(variants, draft, new);
                if variants.is_empty() || (!gentle && self.chance(20)) {
                    variants.push(self.writer.variant(new));
                }
            }
        }
        sketch.described.attributes.dropped.append(&mut self.dropped);
        sketch
    }

    /// Held types under their new names. What is no longer there is held no more.
    fn rename_in(&mut self, body: &mut Body, new: &Draft) {
        let fields: Vec<&mut Field> = match body {
            Body::Struct(fields) => fields.iter_mut().collect(),
            Body::Enum { variants, .. } => variants.iter_mut().flat_map(|variant| &mut variant.fields).collect(),
        };
        for field in fields {
            if !self.rename(&mut field.shape) {
                field.shape = self.writer.shape(0, new);
            }
        }
    }

    fn rename(&self, shape: &mut Shape) -> bool {
        match shape {
            Shape::Inline(name) | Shape::Reference(name) => {
                if let Some((_, new)) = self.renamed.iter().find(|(old, _)| old == name) {
                    name.clone_from(new);
                }
                !name.is_empty()
            }
            Shape::Array { element: inner, .. } | Shape::Option { inner, .. } | Shape::List(inner) => {
                self.rename(inner)
            }
            Shape::Map { value, .. } | Shape::SortedMap { value, .. } => self.rename(value),
            _ => true,
        }
    }

    fn variants(&mut self, old: &[Variant], draft: &Draft, new: &mut Draft) -> Vec<Variant> {
        let mut variants = Vec::new();
        for variant in old {
            if !self.gentle && self.chance(8) {
                continue;
            }
            let mut edited = variant.clone();
            edited.fields = self.fields(&variant.fields, &format!("{}.", variant.name), draft, new);
            if self.chance(10) {
                edited.name = self.writer.name('W');
                if self.says(85) {
                    edited.was.push(variant.name.clone());
                }
            }
            variants.push(edited);
        }
        if self.chance(25) {
            let mut variant = self.writer.variant(new);
            variant.fields.retain(|_| !self.gentle);
            variants.push(variant);
        }
        self.shuffle(&mut variants, 30);
        variants
    }

    fn shuffle<T>(&mut self, items: &mut [T], percent: u64) {
        if self.chance(percent) {
            for position in (1..items.len()).rev() {
                items.swap(position, self.below(position as u64 + 1) as usize);
            }
        }
    }

    fn fields(&mut self, old: &[Field], prefix: &str, draft: &Draft, new: &mut Draft) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::new();
        for before in old {
            let mut after = before.clone();
            // A new field has no story that chains could tell in two ways.
            let is_fresh = self.gentle && before.name.starts_with('a');
            match self.below(100) {
                0..8 => {
                    if self.says(75) {
                        let names = before.attributes.was.iter().chain([&before.name]);
                        self.dropped.extend(names.map(|name| format!("{prefix}{name}")));
                    }
                    continue;
                }
                8..18 => {
                    after.name = self.writer.name(if is_fresh { 'a' } else { 'r' });
                    if self.says(85) {
                        after.attributes.was.push(before.name.clone());
                    }
                    if !is_fresh && self.chance(20) {
                        after.shape = self.shape(&after.shape);
                    }
                }
                18..45 if !is_fresh => after.shape = self.shape(&after.shape),
                45..48 if !self.gentle => after.shape = self.writer.shape(2, new),
                48..56 if !self.gentle && self.move_out(before, prefix, draft, new, &mut fields) => continue,
                56..58 if !self.gentle => {
                    let secret = after.attributes.secret.is_none();
                    after.attributes.secret = secret.then_some(SecretMode::Token);
                }
                58..60 if !self.gentle => {
                    if let Some(other) = fields.last_mut() {
                        // Crossed names.
                        std::mem::swap(&mut other.name, &mut after.name);
                        if self.says(70) {
                            other.attributes.was.push(after.name.clone());
                            after.attributes.was.push(other.name.clone());
                        }
                    }
                }
                60..62 if !self.gentle => self.say_default(&mut after, 100),
                _ => {}
            }
            if !is_fresh && !matches!(before.shape, Shape::Option { .. }) && self.gentle {
                after.attributes.default = None;
            }
            if !self.gentle && after.shape != before.shape {
                self.say_default(&mut after, 30);
            }
            fields.push(after);
        }
        for _ in 0..self.below(3) {
            if self.chance(40) {
                let shape = if self.gentle { number_shape(self.writer.random) } else { self.writer.shape(1, new) };
                let mut added = field(self.writer.name('a'), shape);
                self.say_default(&mut added, 60);
                fields.push(added);
            }
        }
        if !self.gentle && prefix.is_empty() && !fields.is_empty() && self.chance(8) {
            self.gather(old, &mut fields, new);
        }
        self.shuffle(&mut fields, 30);
        fields
    }

    /// A field of an inline struct becomes one of the record's own.
    fn move_out(&mut self, before: &Field, prefix: &str, draft: &Draft, new: &Draft, fields: &mut Vec<Field>) -> bool {
        // The names inside are those of the old draft.
        let Shape::Inline(name) = &before.shape else { return false };
        let old_name = self.renamed.iter().find(|(_, renamed)| renamed == name).map_or(name, |(old, _)| old);
        let Some(inner) = draft.types.iter().find(|sketch| sketch.described.name == *old_name) else { return false };
        let Body::Struct(inner) = inner.described.body.clone() else { return false };
        let moved = inner[self.below(inner.len() as u64) as usize].clone();
        let mut after = Field { name: self.writer.name('m'), ..moved.clone() };
        if !self.rename(&mut after.shape) {
            after.shape = self.writer.shape(0, new);
        }
        after.attributes.was.clear();
        if self.chance(30) {
            after.shape = self.shape(&after.shape);
        }
        let stays = self.chance(25);
        if self.says(90) {
            after.attributes.from = Some(format!("{}.{}", before.name, moved.name));
        }
        fields.push(after);
        if !stays {
            for other in &inner {
                if other.name != moved.name && self.says(80) {
                    self.dropped.push(format!("{prefix}{}.{}", before.name, other.name));
                }
            }
        }
        !stays
    }

    /// Some fields go into a new struct.
    fn gather(&mut self, old: &[Field], fields: &mut Vec<Field>, new: &mut Draft) {
        let at = self.below(fields.len() as u64) as usize;
        let mut taken = fields.split_off(at);
        for field in &mut taken {
            // Under the name it had, or a new one.
            let before = field.attributes.was.last().unwrap_or(&field.name).clone();
            field.attributes.was.clear();
            if field.attributes.from.is_none() && old.iter().any(|field| field.name == before) && self.says(90) {
                field.attributes.from = Some(before);
            }
        }
        let name = self.writer.name('G');
        let described = descriptor(name.clone(), Body::Struct(taken), 0, 1);
        new.types.append(&mut self.made);
        new.types.push(Sketch { described, seed: self.below(1 << 20) });
        fields.push(field(self.writer.name('g'), Shape::Inline(name)));
    }

    /// What a shape may become, allowed or not.
    fn shape(&mut self, old: &Shape) -> Shape {
        // Chains go through shapes that are the same in the end whichever way they came.
        let wrap = if self.gentle { 100 } else { self.below(100) };
        match wrap {
            0..12 => return some(self.shape(old)),
            12..17 => return array(self.shape(old), 1),
            17..22 => return Shape::List(Box::new(self.shape(old))),
            _ => {}
        }
        let key = |edits: &mut Self, key: &Shape| {
            let new = edits.shape(key);
            let mut innermost = &new;
            while let Shape::Array { element, .. } = innermost {
                innermost = element;
            }
            let is_key = matches!(innermost, Shape::Integer(_) | Shape::Bool | Shape::Char | Shape::Text)
                && !matches!(&new, Shape::Array { count: 0, .. });
            Box::new(if is_key { new } else { key.clone() })
        };
        match old {
            Shape::Float(float) if float.width == 8 && self.chance(40) => {
                Shape::Float(crate::schema::Float { width: 4, align: 4 })
            }
            Shape::Integer(_) | Shape::Float(_) | Shape::Bool => match self.below(10) {
                0..3 => old.clone(),
                3 => Shape::Bool,
                _ => number_shape(self.writer.random),
            },
            Shape::Text if self.chance(30) => Shape::Bytes,
            Shape::Bytes if self.chance(30) => Shape::Text,
            Shape::Text if !self.gentle && self.chance(10) => number_shape(self.writer.random),
            Shape::Inline(name) if !self.gentle && self.chance(15) => Shape::Reference(name.clone()),
            Shape::Reference(name) if !self.gentle && self.chance(5) => Shape::Inline(name.clone()),
            Shape::Array { element, count } => {
                let new_count = if self.gentle || self.chance(50) { *count } else { self.below(5) };
                array(self.shape(element), new_count)
            }
            Shape::Option { inner, .. } => {
                let new = self.shape(inner);
                if !self.gentle && self.chance(25) { new } else { some(new) }
            }
            Shape::List(element) => {
                if !self.gentle
                    && self.chance(35)
                    && let Some(map) = self.map_of(element)
                {
                    return map;
                }
                let new = self.shape(element);
                match self.below(100) {
                    0..12 if !self.gentle => new,
                    12..24 if !self.gentle => some(new),
                    24..27 if !self.gentle => Shape::Map { key: Box::new(self.writer.key()), value: Box::new(new) },
                    _ => Shape::List(Box::new(new)),
                }
            }
            Shape::Map { key: old_key, value } | Shape::SortedMap { key: old_key, value } => {
                let key = if self.chance(40) { key(self, old_key) } else { old_key.clone() };
                let value = Box::new(self.shape(value));
                match self.below(100) {
                    0..3 if !self.gentle => Shape::List(value),
                    3..30 if !self.gentle => self.list_of(*key, *value),
                    30..60 => Shape::SortedMap { key, value },
                    _ => Shape::Map { key, value },
                }
            }
            shape => shape.clone(),
        }
    }

    /// A list of entries as a map.
    fn map_of(&mut self, element: &Shape) -> Option<Shape> {
        let Shape::Inline(name) = element else { return None };
        let (_, key, value) = self.entries.iter().find(|entry| entry.0 == *name)?.clone();
        let mut value = value;
        if !self.rename(&mut value) || self.chance(20) {
            value = Shape::Bool;
        }
        let (key, value) = (if self.chance(20) { self.writer.key() } else { key }, self.shape(&value));
        let (key, value) = (Box::new(key), Box::new(value));
        Some(if self.chance(50) { Shape::Map { key, value } } else { Shape::SortedMap { key, value } })
    }

    /// A list of new entries.
    fn list_of(&mut self, key: Shape, value: Shape) -> Shape {
        let name = self.writer.name('E');
        let mut fields = vec![field("key".into(), key), field("value".into(), value)];
        self.shuffle(&mut fields, 50);
        let described = descriptor(name.clone(), Body::Struct(fields), 0, 1);
        let seed = self.below(1 << 20);
        self.made.push(Sketch { described, seed });
        Shape::List(Box::new(Shape::Inline(name)))
    }

    fn say_default(&mut self, field: &mut Field, percent: u64) {
        if self.chance(percent)
            && let Some(text) = default(self.writer.random, &field.shape)
        {
            field.attributes.default = Some(text);
        }
    }
}

/// A literal for the shapes that the oracle reads.
pub(super) fn default(random: &mut Random, shape: &Shape) -> Option<String> {
    Some(match shape {
        Shape::Integer(integer) if integer.signed => (-i128::from(random.below(128) as u8)).to_string(),
        Shape::Integer(integer) if integer.width == 16 && random.chance(50) => u128::MAX.to_string(),
        Shape::Integer(_) => random.below(256).to_string(),
        Shape::Float(_) => format!("{:?}", [0.1, -0.0, 1.5, 1e20][random.below(4) as usize]),
        Shape::Bool => random.chance(50).to_string(),
        Shape::Char => ["'x'", "'\u{10ffff}'"][random.below(2) as usize].into(),
        Shape::Text => ["\"\"", "\"new\""][random.below(2) as usize].into(),
        Shape::Option { .. } => "None".into(),
        Shape::List(_) => "[]".into(),
        Shape::Array { element, count: 1.. } if matches!(**element, Shape::Array { .. }) => return None,
        Shape::Array { element, count: count @ 1.. } => format!("[{}; {count}]", default(random, element)?),
        _ => return None,
    })
}

/// The older version with the attributes of the way back: what the newer one renamed, and what it added.
pub(super) fn back(old: &Draft, new: &Draft) -> Draft {
    let mut back = old.clone();
    for sketch in &mut back.types {
        let described = &mut sketch.described;
        let name = described.name.clone();
        let goes_on = |new: &&Sketch| new.described.name == name || new.described.attributes.was.contains(&name);
        let Some(after) = new.types.iter().find(goes_on) else { continue };
        described.attributes = crate::schema::TypeAttributes::default();
        if after.described.name != described.name {
            described.attributes.was.push(after.described.name.clone());
        }
        let mut added = Vec::new();
        match (&mut described.body, &after.described.body) {
            (Body::Struct(fields), Body::Struct(after)) => fields_back(fields, after, "", &mut added),
            (Body::Enum { variants, .. }, Body::Enum { variants: after, .. }) => {
                for variant in variants {
                    let goes_on = |new: &&Variant| new.name == variant.name || new.was.contains(&variant.name);
                    let Some(after) = after.iter().find(goes_on) else { continue };
                    variant.was.clear();
                    if after.name != variant.name {
                        variant.was.push(after.name.clone());
                    }
                    fields_back(&mut variant.fields, &after.fields, &format!("{}.", after.name), &mut added);
                }
            }
            _ => {}
        }
        described.attributes.dropped = added;
    }
    back
}

fn fields_back(fields: &mut [Field], after: &[Field], prefix: &str, added: &mut Vec<String>) {
    for field in fields.iter_mut() {
        field.attributes.was.clear();
        field.attributes.default = None;
    }
    for after in after {
        let before =
            fields.iter_mut().find(|field| field.name == after.name || after.attributes.was.contains(&field.name));
        match before {
            Some(before) if before.name != after.name => before.attributes.was.push(after.name.clone()),
            Some(_) => {}
            None => added.push(format!("{prefix}{}", after.name)),
        }
    }
}
