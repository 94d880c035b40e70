//! Empty values, literals and numbers, without a look at what the crate makes of them.

use std::cmp::Ordering;

use super::tree::Tree;
use crate::schema::{Body, Field, Schema, Shape};

/// What a literal means; only those of the generators are known.
pub(crate) fn literal(text: &str, shape: &Shape, schema: &Schema) -> Option<Tree> {
    Some(match shape {
        Shape::Text => Tree::Text(text.trim_matches('"').into()),
        Shape::Char => Tree::Char(text.chars().nth(1)?.into()),
        Shape::Bool => Tree::Bool(text == "true"),
        Shape::Float(float) if float.width == 4 => Tree::Single(text.parse::<f32>().ok()?.to_bits()),
        Shape::Float(_) => Tree::Double(text.parse::<f64>().ok()?.to_bits()),
        Shape::Integer(_) => Tree::Integer(text.starts_with('-'), text.trim_matches('-').parse().ok()?),
        Shape::Array { element: element_shape, count } => {
            let element = text.strip_prefix('[')?.strip_suffix(&format!("; {count}]"))?;
            Tree::Array(vec![literal(element, element_shape, schema)?; *count as usize])
        }
        _ => return empty(shape, schema),
    })
}

pub(crate) fn empty(shape: &Shape, schema: &Schema) -> Option<Tree> {
    let fields = |fields: &[Field]| {
        let field = |field: &Field| Some((field.name.clone(), empty(&field.shape, schema)?));
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
        Shape::Array { element, count } => Tree::Array(vec![empty(element, schema)?; *count as usize]),
        Shape::Inline(name) => match &schema.get(name)?.body {
            Body::Struct(described) => Tree::Struct(fields(described)?),
            Body::Enum { variants, .. } => {
                let variant = variants.iter().find(|variant| variant.tag == 0)?;
                Tree::Variant { name: variant.name.clone(), tag: 0, fields: fields(&variant.fields)? }
            }
        },
    })
}

/// The order of two keys of a map.
pub(crate) fn compare_keys(one: &Tree, other: &Tree) -> Ordering {
    match (one, other) {
        (Tree::Integer(true, one), Tree::Integer(true, other)) => other.cmp(one),
        (Tree::Integer(true, _), Tree::Integer(..)) => Ordering::Less,
        (Tree::Integer(..), Tree::Integer(true, _)) => Ordering::Greater,
        (Tree::Integer(_, one), Tree::Integer(_, other)) => one.cmp(other),
        (Tree::Bool(one), Tree::Bool(other)) => one.cmp(other),
        (Tree::Char(one), Tree::Char(other)) => one.cmp(other),
        (Tree::Reference(one), Tree::Reference(other)) => one.cmp(other),
        (Tree::Text(one), Tree::Text(other)) => one.as_bytes().cmp(other.as_bytes()),
        (Tree::Array(one), Tree::Array(other)) => {
            let unlike = one.iter().zip(other).map(|(one, other)| compare_keys(one, other)).find(|order| order.is_ne());
            unlike.unwrap_or(Ordering::Equal)
        }
        other => panic!("{other:?} are no keys"),
    }
}

/// The value at a path of names through structs.
pub(crate) fn find<'t>(fields: &'t [(String, Tree)], path: &str) -> Option<&'t Tree> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let tree = &fields.iter().find(|(name, _)| name == first)?.1;
    match (rest, tree) {
        (None, tree) => Some(tree),
        (Some(rest), Tree::Struct(fields)) => find(fields, rest),
        _ => None,
    }
}

pub(crate) fn is_empty(tree: &Tree) -> bool {
    let all = |fields: &[(String, Tree)]| fields.iter().all(|(_, tree)| is_empty(tree));
    match tree {
        Tree::Integer(_, magnitude) => *magnitude == 0,
        Tree::Single(bits) | Tree::Char(bits) => *bits == 0,
        Tree::Double(bits) => *bits == 0,
        Tree::Bool(value) => !value,
        Tree::Reference(_) | Tree::Record(_) | Tree::Something(_) => false,
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

pub(crate) fn number(tree: &Tree, shape: &Shape) -> Option<Tree> {
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
