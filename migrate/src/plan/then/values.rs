//! Values that the first plan brings along, as the second one converts them.

use super::Composed;
use super::casts::inner;
use crate::plan::model::{Cast, Value};
use crate::schema::{Integer, Shape};

/// What a conversion makes of a value that the first plan brings along.
pub(super) fn cast_value(value: &Value, cast: &Cast, new: &Shape) -> Composed<Value> {
    Ok(match (cast, value) {
        (Cast::Copy, value) => value.clone(),
        (
            Cast::Number { .. }
            | Cast::TextToBytes
            | Cast::BytesToText { .. }
            | Cast::Option(_)
            | Cast::List(_)
            | Cast::Map { .. }
            | Cast::ListToMap { .. }
            | Cast::MapToList { .. },
            Value::Empty,
        ) => Value::Empty,
        (Cast::Number { .. }, Value::Integer(number)) => match new {
            Shape::Integer(integer) if fits(*number, *integer) => Value::Integer(*number),
            Shape::Float(_) if number.unsigned_abs() <= 1 << 24 => Value::Float(*number as f64),
            _ => return Err("a default is converted and does not fit"),
        },
        (Cast::Number { .. }, Value::Bool(value)) => Value::Integer((*value).into()),
        (Cast::Number { .. }, Value::Float(number)) if matches!(new, Shape::Float(float) if float.width == 8) => {
            // What widens is a single: the literal means the nearest one, and that is widened.
            Value::Float(f64::from(*number as f32))
        }
        (Cast::Some(inner), value) => Value::Some(Box::new(cast_value(value, inner, self::inner(new)?)?)),
        (Cast::Option(cast), Value::Some(value)) => Value::Some(Box::new(cast_value(value, cast, self::inner(new)?)?)),
        (Cast::Unwrap { value: cast, .. }, Value::Some(value)) => cast_value(value, cast, new)?,
        (Cast::Unwrap { none: Some(none), .. }, Value::Empty) => none.clone(),
        _ => return Err("a default is converted"),
    })
}

fn fits(number: i128, integer: Integer) -> bool {
    let bits = 8 * u32::from(integer.width);
    match (integer.signed, bits) {
        (true, 128) => true,
        (false, 128) => number >= 0,
        (true, bits) => (-(1 << (bits - 1))..1 << (bits - 1)).contains(&number),
        (false, bits) => (0..1 << bits).contains(&number),
    }
}
