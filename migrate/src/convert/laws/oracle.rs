//! What a value should become, by names and values alone.

use std::collections::HashSet;

use super::tree::Tree;
use crate::schema::{Body, Field, Schema, Shape};

pub(super) struct Oracle<'a> {
    new: &'a Schema,
    /// Paths of old fields whose values may go.
    acknowledged: &'a HashSet<String>,
    /// Paths of old fields that a new one is made of. Names of fields are unique in these schemas.
    used: HashSet<String>,
}

impl<'a> Oracle<'a> {
    pub(super) fn new(new: &'a Schema, acknowledged: &'a HashSet<String>) -> Self {
        let mut used = HashSet::new();
        for described in &new.types {
            let fields: Vec<&Field> = match &described.body {
                Body::Struct(fields) => fields.iter().collect(),
                Body::Enum { variants, .. } => variants.iter().flat_map(|variant| &variant.fields).collect(),
            };
            for field in fields {
                used.insert(field.name.clone());
                used.extend(field.attributes.was.iter().cloned());
                used.extend(field.attributes.from.clone());
            }
        }
        Self { new, acknowledged, used }
    }

    /// The value as one of the new shape; `None` where it is unfit. `default` replaces nothing.
    pub(super) fn fit(&self, tree: &Tree, shape: &Shape, default: Option<&str>) -> Option<Tree> {
        Some(match (tree, shape) {
            (Tree::Nothing, Shape::Option { .. }) => Tree::Nothing,
            (Tree::Something(tree), Shape::Option { inner, .. }) => {
                Tree::Something(Box::new(self.fit(tree, inner, None)?))
            }
            (Tree::List(trees), Shape::Option { inner, .. }) if !matches!(**inner, Shape::List(_)) => {
                match &trees[..] {
                    [] => Tree::Nothing,
                    [tree] => Tree::Something(Box::new(self.fit(tree, inner, None)?)),
                    _ => return None,
                }
            }
            (tree, Shape::Option { inner, .. }) => Tree::Something(Box::new(self.fit(tree, inner, None)?)),
            (Tree::Nothing, _) => return default.and_then(|default| self.default(default, shape)),
            (Tree::Something(tree), _) => return self.fit(tree, shape, None),
            (Tree::List(trees), Shape::List(element)) => {
                Tree::List(trees.iter().map(|tree| self.fit(tree, element, None)).collect::<Option<_>>()?)
            }
            (tree, Shape::List(element)) => Tree::List(vec![self.fit(tree, element, None)?]),
            (Tree::List(trees), _) => match &trees[..] {
                [tree] => return self.fit(tree, shape, None),
                _ => return None,
            },
            (Tree::Map(entries), Shape::Map { key, value } | Shape::SortedMap { key, value }) => {
                let entry =
                    |(one, other): &(Tree, Tree)| Some((self.fit(one, key, None)?, self.fit(other, value, None)?));
                Tree::Map(entries.iter().map(entry).collect::<Option<_>>()?)
            }
            (Tree::Array(trees), Shape::Array { element, count }) => {
                let count = *count as usize;
                if trees.iter().skip(count).any(|tree| !is_empty(tree)) {
                    return None;
                }
                let mut new: Vec<Tree> =
                    trees.iter().take(count).map(|tree| self.fit(tree, element, None)).collect::<Option<_>>()?;
                while new.len() < count {
                    new.push(self.empty(element)?);
                }
                Tree::Array(new)
            }
            (tree, Shape::Array { element, .. }) => Tree::Array(vec![self.fit(tree, element, None)?]),
            (Tree::Struct(old), Shape::Inline(name)) => {
                let Body::Struct(fields) = &self.new.get(name)?.body else { panic!("{name}") };
                let made = self.fields(old, fields)?;
                old.iter().all(|(name, tree)| self.may_go(name, tree)).then_some(Tree::Struct(made))?
            }
            (Tree::Variant { name: old_name, fields: old, .. }, Shape::Inline(name)) => {
                let Body::Enum { variants, .. } = &self.new.get(name)?.body else { panic!("{name}") };
                let new = variants.iter().find(|new| new.name == *old_name || new.was.contains(old_name))?;
                let fields = self.fields(old, &new.fields)?;
                if !old.iter().all(|(name, tree)| self.may_go(name, tree)) {
                    return None;
                }
                Tree::Variant { name: new.name.clone(), tag: new.tag, fields }
            }
            (Tree::Text(text), Shape::Bytes) => Tree::Bytes(text.clone().into_bytes()),
            (Tree::Bytes(bytes), Shape::Text) => Tree::Text(String::from_utf8(bytes.clone()).ok()?),
            (tree, Shape::Integer(_) | Shape::Float(_) | Shape::Bool) => return number(tree, shape),
            (tree, _) => tree.clone(),
        })
    }

    fn fields(&self, old: &[(String, Tree)], new: &[Field]) -> Option<Vec<(String, Tree)>> {
        let made = |field: &Field| {
            let path = match &field.attributes.from {
                Some(path) => path.clone(),
                None => field.attributes.was.first().unwrap_or(&field.name).clone(),
            };
            let tree = match (find(old, &path), &field.attributes.default, &field.shape) {
                (Some(tree), default, shape) => self.fit(tree, shape, default.as_deref())?,
                (None, Some(default), shape) => self.default(default, shape)?,
                (None, None, Shape::Inline(name)) if name.starts_with("Gathered") => {
                    let Body::Struct(inner) = &self.new.get(name)?.body else { panic!("{name}") };
                    Tree::Struct(self.fields(old, inner)?)
                }
                (None, None, shape) => self.empty(shape)?,
            };
            Some((field.name.clone(), tree))
        };
        new.iter().map(made).collect()
    }

    /// Whether all that is not used of an old field may go.
    fn may_go(&self, path: &str, tree: &Tree) -> bool {
        let is_known = |path: &str| self.used.contains(path) || self.acknowledged.contains(path);
        let within = |name: &str| format!("{path}.{name}");
        match tree {
            _ if is_known(path) => true,
            Tree::Struct(fields) if fields.iter().any(|(name, _)| is_known(&within(name))) => {
                fields.iter().all(|(name, tree)| self.may_go(&within(name), tree))
            }
            tree => is_empty(tree),
        }
    }

    fn default(&self, text: &str, shape: &Shape) -> Option<Tree> {
        Some(match shape {
            Shape::Text => Tree::Text(text.trim_matches('"').into()),
            Shape::Char => Tree::Char(text.chars().nth(1)?.into()),
            Shape::Bool => Tree::Bool(text == "true"),
            Shape::Float(float) if float.width == 4 => Tree::Single(text.parse::<f32>().ok()?.to_bits()),
            Shape::Float(_) => Tree::Double(text.parse::<f64>().ok()?.to_bits()),
            Shape::Integer(_) => Tree::Integer(text.starts_with('-'), text.trim_matches('-').parse().ok()?),
            _ => return self.empty(shape),
        })
    }

    pub(super) fn empty(&self, shape: &Shape) -> Option<Tree> {
        let fields = |fields: &[Field]| {
            let field = |field: &Field| Some((field.name.clone(), self.empty(&field.shape)?));
            fields.iter().map(field).collect::<Option<Vec<_>>>()
        };
        Some(match shape {
            Shape::Integer(_) => Tree::Integer(false, 0),
            Shape::Float(float) if float.width == 4 => Tree::Single(0),
            Shape::Float(_) => Tree::Double(0),
            Shape::Bool => Tree::Bool(false),
            Shape::Char => Tree::Char(0),
            Shape::Reference(_) => return None,
            Shape::Text => Tree::Text(String::new()),
            Shape::Bytes => Tree::Bytes(vec![]),
            Shape::List(_) => Tree::List(vec![]),
            Shape::Map { .. } | Shape::SortedMap { .. } => Tree::Map(vec![]),
            Shape::Option { .. } => Tree::Nothing,
            Shape::Array { count: 0, .. } => Tree::Array(vec![]),
            Shape::Array { element, count } => Tree::Array(vec![self.empty(element)?; *count as usize]),
            Shape::Inline(name) => match &self.new.get(name)?.body {
                Body::Struct(described) => Tree::Struct(fields(described)?),
                Body::Enum { variants, .. } => {
                    let variant = variants.iter().find(|variant| variant.tag == 0)?;
                    Tree::Variant { name: variant.name.clone(), tag: 0, fields: fields(&variant.fields)? }
                }
            },
        })
    }
}

fn find<'t>(fields: &'t [(String, Tree)], path: &str) -> Option<&'t Tree> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let tree = &fields.iter().find(|(name, _)| name == first)?.1;
    match (rest, tree) {
        (None, tree) => Some(tree),
        (Some(rest), Tree::Struct(fields)) => find(fields, rest),
        _ => None,
    }
}

fn is_empty(tree: &Tree) -> bool {
    let all = |fields: &[(String, Tree)]| fields.iter().all(|(_, tree)| is_empty(tree));
    match tree {
        Tree::Integer(_, magnitude) => *magnitude == 0,
        Tree::Single(bits) | Tree::Char(bits) => *bits == 0,
        Tree::Double(bits) => *bits == 0,
        Tree::Bool(value) => !value,
        Tree::Reference(_) | Tree::Something(_) => false,
        Tree::Nothing => true,
        Tree::Text(text) => text.is_empty(),
        Tree::Bytes(bytes) => bytes.is_empty(),
        Tree::List(trees) => trees.is_empty(),
        Tree::Map(entries) => entries.is_empty(),
        Tree::Array(trees) => trees.iter().all(is_empty),
        Tree::Struct(fields) => all(fields),
        Tree::Variant { tag, fields, .. } => *tag == 0 && all(fields),
    }
}

/// A float as it is: `odd * 2^exponent`, or what else floats can be.
enum Parts {
    Zero,
    Finite { negative: bool, odd: u128, exponent: i32 },
    Infinite,
    Nan { negative: bool, payload: u64 },
}

fn parts(bits: u64, mantissa_bits: u32, exponent_bits: u32) -> Parts {
    let negative = bits >> (mantissa_bits + exponent_bits) & 1 == 1;
    let exponent = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
    let mantissa = bits & ((1 << mantissa_bits) - 1);
    let bias = (1 << (exponent_bits - 1)) - 1 + mantissa_bits.cast_signed();
    match (exponent, mantissa) {
        (0, 0) => Parts::Zero,
        (0, mantissa) => finite(negative, mantissa.into(), 1 - bias),
        (most, 0) if most == (1 << exponent_bits) - 1 => Parts::Infinite,
        (most, mantissa) if most == (1 << exponent_bits) - 1 => {
            Parts::Nan { negative, payload: mantissa << (52 - mantissa_bits) }
        }
        (exponent, mantissa) => finite(negative, u128::from(mantissa | 1 << mantissa_bits), exponent as i32 - bias),
    }
}

fn finite(negative: bool, magnitude: u128, exponent: i32) -> Parts {
    let zeros = magnitude.trailing_zeros();
    Parts::Finite { negative, odd: magnitude >> zeros, exponent: exponent + zeros.cast_signed() }
}

pub(super) fn number(tree: &Tree, shape: &Shape) -> Option<Tree> {
    match (tree, shape) {
        (Tree::Single(_), Shape::Float(float)) if float.width == 4 => return Some(tree.clone()),
        (Tree::Double(_), Shape::Float(float)) if float.width == 8 => return Some(tree.clone()),
        _ => {}
    }
    let (parts, sign) = match tree {
        Tree::Bool(value) => (if *value { finite(false, 1, 0) } else { Parts::Zero }, false),
        Tree::Integer(_, 0) => (Parts::Zero, false),
        Tree::Integer(negative, magnitude) => (finite(*negative, *magnitude, 0), *negative),
        Tree::Single(bits) => (parts((*bits).into(), 23, 8), bits >> 31 == 1),
        Tree::Double(bits) => (parts(*bits, 52, 11), bits >> 63 == 1),
        other => panic!("{other:?} is no number"),
    };
    let Shape::Float(float) = shape else {
        let (negative, magnitude) = match parts {
            Parts::Zero => (false, 0),
            Parts::Finite { negative, odd, exponent } => {
                let exponent = u32::try_from(exponent).ok()?;
                let fits = exponent < 128 && (odd << exponent) >> exponent == odd;
                fits.then(|| (negative, odd << exponent))?
            }
            _ => return None,
        };
        return match shape {
            Shape::Bool => (!negative && magnitude <= 1).then_some(Tree::Bool(magnitude == 1)),
            Shape::Integer(integer) => {
                let bits = 8 * u32::from(integer.width);
                let fits = match (integer.signed, negative) {
                    (false, true) => false,
                    (false, false) => magnitude <= u128::MAX >> (128 - bits),
                    (true, true) => magnitude <= 1 << (bits - 1),
                    (true, false) => magnitude < 1 << (bits - 1),
                };
                fits.then_some(Tree::Integer(negative, magnitude))
            }
            _ => None,
        };
    };
    let (mantissa_bits, least, most) = if float.width == 4 { (24, -149, 128) } else { (53, -1074, 1024) };
    let sign_bit = |sign: bool| u64::from(sign) << 63;
    let double = match parts {
        Parts::Zero => sign_bit(sign),
        Parts::Infinite => sign_bit(sign) | 0x7ff << 52,
        Parts::Nan { negative, payload } => {
            if float.width == 8 {
                return Some(Tree::Double(sign_bit(negative) | 0x7ff << 52 | payload));
            }
            let fits = payload & ((1 << 29) - 1) == 0;
            return fits.then_some(Tree::Single(u32::from(negative) << 31 | 0xff << 23 | (payload >> 29) as u32));
        }
        Parts::Finite { negative, odd, exponent } => {
            let bits = 128 - odd.leading_zeros().cast_signed();
            let fits = bits <= mantissa_bits && exponent >= least && exponent + bits <= most;
            // All the bits are within what a double has, and every double is a product of these two, or of three.
            let half = exponent / 2;
            let value = odd as f64 * 2f64.powi(half) * 2f64.powi(exponent - half);
            fits.then_some(sign_bit(negative) | value.to_bits())?
        }
    };
    Some(if float.width == 8 { Tree::Double(double) } else { Tree::Single((f64::from_bits(double) as f32).to_bits()) })
}
