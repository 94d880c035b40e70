//! Where a path of names leads in an old record.

use migrate::{Body, ByteOrder, Field, OptionTag, Schema, Shape, TypeDescriptor};

/// A place in records of one layout.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) steps: Steps,
    pub(super) shape: Shape,
}

/// The way to a place, in a record whose variants and options lead there.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps {
    /// Offset in the record.
    pub(super) at: usize,
    guards: Vec<Guard>,
}

/// What a record must hold for a place to be in it.
#[derive(Debug, Clone)]
enum Guard {
    /// The enum at this offset is of this variant of the type at this position.
    Variant { at: usize, described: usize, variant: usize },
    /// The option at this offset, of a path of this length, is something.
    Something { at: usize, tag: OptionTag, path: String },
}

/// Goes from a type to the place that a path names.
struct Walk<'s> {
    schema: &'s Schema,
    steps: Steps,
    /// What was gone through.
    gone: String,
    now: Now<'s>,
}

/// Where a walk stands.
#[derive(Debug, Clone, Copy)]
enum Now<'s> {
    /// At a value.
    Value(&'s Shape),
    /// At the type itself, by its position.
    Type(usize),
    /// In a variant's payload, where only its fields can follow.
    Payload { fields: &'s [Field], start: usize },
}

/// The place that a path names in values of the type at this position.
pub(super) fn find(schema: &Schema, described: usize, path: &str) -> Result<Place, String> {
    let mut walk = Walk { schema, steps: Steps::default(), gone: String::new(), now: Now::Type(described) };
    if !path.is_empty() {
        for (number, part) in path.split('.').enumerate() {
            let mut names = part.split("::");
            let name = names.next().unwrap_or_default();
            if !name.is_empty() || number > 0 {
                walk.field(name)?;
            }
            names.try_for_each(|variant| walk.variant(variant))?;
        }
    }
    let Walk { steps, now, gone, .. } = walk;
    let shape = match now {
        Now::Value(shape) => shape.clone(),
        Now::Type(number) => Shape::Inline(schema.types[number].name.clone()),
        Now::Payload { .. } => return Err(format!("{gone} is a variant; name one of its fields")),
    };
    Ok(Place { steps, shape })
}

impl<'s> Walk<'s> {
    /// The named type that the value is, an option around it left behind.
    fn described(&mut self) -> Option<usize> {
        loop {
            match self.now {
                Now::Type(number) => return Some(number),
                Now::Value(Shape::Inline(name)) => {
                    self.now = Now::Type(self.schema.types.iter().position(|described| described.name == *name)?);
                }
                Now::Value(Shape::Option { inner, tag, .. }) => {
                    let path = self.gone.clone();
                    self.steps.guards.push(Guard::Something { at: self.steps.at, tag: *tag, path });
                    if let OptionTag::Tagged { value_offset, .. } = tag {
                        self.steps.at += *value_offset as usize;
                    }
                    self.now = Now::Value(inner);
                }
                Now::Value(_) | Now::Payload { .. } => return None,
            }
        }
    }

    fn field(&mut self, name: &str) -> Result<(), String> {
        let (fields, start): (&'s [Field], usize) = match self.now {
            Now::Payload { fields, start } => (fields, start),
            _ => {
                let described = self.described().map(|number| &self.schema.types[number]);
                match described.map(|described| &described.body) {
                    Some(Body::Struct(fields)) => (fields, self.steps.at),
                    Some(Body::Enum { variants, .. }) => {
                        let names = listed(variants.iter().map(|variant| &*variant.name));
                        return Err(format!("{} is an enum of {names}: name the variant first", self.whole()));
                    }
                    None => return Err(format!("{} has no fields", self.whole())),
                }
            }
        };
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            let names = listed(fields.iter().map(|field| &*field.name));
            return Err(format!("{} has no such field, but {names}", self.whole()));
        };
        self.steps.at = start + field.offset as usize;
        self.now = Now::Value(&field.shape);
        if !self.gone.is_empty() {
            self.gone.push('.');
        }
        self.gone.push_str(name);
        Ok(())
    }

    fn variant(&mut self, name: &str) -> Result<(), String> {
        let described = self.described();
        let Some((number, Body::Enum { variants, .. })) =
            described.map(|number| (number, &self.schema.types[number].body))
        else {
            return Err(format!("{} is no enum", self.whole()));
        };
        let Some(variant) = variants.iter().position(|variant| variant.name == name) else {
            let names = listed(variants.iter().map(|variant| &*variant.name));
            return Err(format!("{} has no such variant, but {names}", self.whole()));
        };
        let start = self.steps.at;
        self.steps.guards.push(Guard::Variant { at: start, described: number, variant });
        self.now = Now::Payload { fields: &variants[variant].fields, start };
        self.gone.push_str("::");
        self.gone.push_str(name);
        Ok(())
    }

    fn whole(&self) -> &str {
        if self.gone.is_empty() { "the old type" } else { &self.gone }
    }
}

fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Where the place lies in this record.
pub(super) fn follow(schema: &Schema, steps: &Steps, record: &[u8]) -> Result<usize, String> {
    for guard in &steps.guards {
        match guard {
            Guard::Variant { at, described, variant } => {
                let described = &schema.types[*described];
                let found = variant_of(described, &record[*at..]);
                let Body::Enum { variants, .. } = &described.body else { continue };
                let wanted = &variants[*variant].name;
                if found != Some(&**wanted) {
                    return Err(format!("the value is {}, not {wanted}", found.unwrap_or("of no variant")));
                }
            }
            Guard::Something { at, tag, path } => {
                let (at, width, nothing) = match *tag {
                    OptionTag::Niche { offset, width, none } => (at + offset as usize, width, u128::from(none)),
                    OptionTag::Tagged { width, .. } => (*at, width, 0),
                };
                if ByteOrder::NATIVE.unsigned(&record[at..at + usize::from(width)]) == nothing {
                    return Err(format!("{path} is nothing"));
                }
            }
        }
    }
    Ok(steps.at)
}

/// The name of the variant that the first bytes are of.
pub(super) fn variant_of<'s>(described: &'s TypeDescriptor, bytes: &[u8]) -> Option<&'s str> {
    let Body::Enum { tag_offset, tag, variants } = &described.body else { return None };
    let at = *tag_offset as usize;
    let found = ByteOrder::NATIVE.unsigned(bytes.get(at..at + usize::from(tag.width))?);
    variants.iter().find(|variant| variant.tag == found).map(|variant| &*variant.name)
}
