//! Two conversions as one.

use super::values::cast_value;
use super::{Composed, Composer};
use crate::plan::between::inline_name;
use crate::plan::casts::number_rule;
use crate::plan::model::{Cast, Check, CheckKind, Plan, Value};
use crate::schema::{Schema, Shape};

impl Composer<'_> {
    /// One cast for two. The recursion is that of the shapes.
    pub(super) fn cast(
        &mut self,
        one: &Cast,
        other: &Cast,
        shapes: (&Shape, &Shape, &Shape),
        place: &str,
    ) -> Composed<Cast> {
        let (old, between, new) = shapes;
        let element = format!("{place}[]");
        Ok(match (one, other) {
            (Cast::Copy, Cast::Copy)
            | (Cast::TextToBytes, Cast::BytesToText { .. })
            | (Cast::BytesToText { .. }, Cast::TextToBytes) => Cast::Copy,
            // A type that stays the same in the first plan has one step in the second, and the other way round.
            (Cast::Type(_) | Cast::Copy, Cast::Type(step)) => Cast::Type(*step),
            (Cast::Type(step), Cast::Copy) => {
                let between = self.first.types[*step].new;
                let step = self.next.types.iter().position(|next| next.old == between && next.new.is_some());
                Cast::Type(step.ok_or("a type goes on nowhere")?)
            }
            (Cast::Number { .. } | Cast::Copy, Cast::Number { .. } | Cast::Copy) => {
                self.numbers(one, other, old, new, place)?
            }
            (Cast::TextToBytes, Cast::Copy) | (Cast::Copy, Cast::TextToBytes) => Cast::TextToBytes,
            (Cast::BytesToText { check }, Cast::Copy) => Cast::BytesToText { check: self.first_check(*check) },
            (Cast::Copy, Cast::BytesToText { check }) => {
                Cast::BytesToText { check: self.next_check(*check, place.to_owned()) }
            }
            (one, other) => {
                let shapes = Parts::of(old, between, new);
                self.nested(one, other, &shapes, place, &element)?
            }
        })
    }

    fn numbers(&mut self, one: &Cast, other: &Cast, old: &Shape, new: &Shape, place: &str) -> Composed<Cast> {
        let waived = |plan: &Plan, cast: &Cast| cast.check().is_some_and(|check| plan.checks[check].waived);
        if waived(self.first, one) && *other != Cast::Copy {
            return Err("what was rounded is converted again");
        }
        if *other == Cast::Copy {
            return Ok(Cast::Number { check: one.check().map(|check| self.first_check(check)) });
        }
        if *one == Cast::Copy {
            return Ok(Cast::Number { check: other.check().map(|check| self.next_check(check, place.to_owned())) });
        }
        let kind = match direct(old, new) {
            None => return Err("numbers that have no rule of their own"),
            Some(Direct::Same) if !waived(self.next, other) => return Ok(Cast::Copy),
            Some(Direct::Lossless | Direct::Same) => None,
            Some(Direct::Checked(kind)) => Some(kind),
        };
        // The check of the second plan, where it is the one that is needed, so that its answer counts.
        let check = match (kind, other.check(), one.check()) {
            (None, ..) => None,
            (Some(kind), Some(check), _) if self.next.checks[check].kind == kind => {
                Some(self.next_check(check, place.to_owned()))
            }
            (Some(kind), _, Some(check)) if self.first.checks[check].kind == kind => Some(self.first_check(check)),
            (Some(kind), ..) => {
                Some(self.add(Check { record: self.record, place: place.to_owned(), kind, waived: false }))
            }
        };
        Ok(Cast::Number { check })
    }

    fn nested(&mut self, one: &Cast, other: &Cast, parts: &Parts<'_>, place: &str, element: &str) -> Composed<Cast> {
        let copy = Cast::Copy;
        let boxed = |cast: Composed<Cast>| cast.map(Box::new);
        Ok(match (one, other) {
            (Cast::Some(one), Cast::Option(_) | Cast::Copy) => {
                let other = if let Cast::Option(other) = other { other } else { &copy };
                Cast::Some(boxed(self.cast(
                    one,
                    other,
                    (parts.old, parts.between_inner()?, parts.new_inner()?),
                    place,
                ))?)
            }
            (one, Cast::Some(other)) => {
                Cast::Some(boxed(self.cast(one, other, (parts.old, parts.between, parts.new_inner()?), place))?)
            }
            (Cast::Option(_) | Cast::Copy, Cast::Option(_)) | (Cast::Option(_), Cast::Copy) => {
                let one = if let Cast::Option(one) = one { one } else { &copy };
                let other = if let Cast::Option(other) = other { other } else { &copy };
                Cast::Option(boxed(self.cast(one, other, parts.inner()?, place))?)
            }
            (Cast::Some(one), Cast::Unwrap { value, .. }) => {
                self.cast(one, value, (parts.old, parts.between_inner()?, parts.new), place)?
            }
            (Cast::Option(_) | Cast::Copy, Cast::Unwrap { value, none, check }) => {
                let one = if let Cast::Option(one) = one { one } else { &copy };
                let shapes = (parts.old_inner()?, parts.between_inner()?, parts.new);
                let value = boxed(self.cast(one, value, shapes, place))?;
                let check = check.map(|check| self.next_check(check, place.to_owned()));
                Cast::Unwrap { value, none: none.clone(), check }
            }
            (one, Cast::ToList(other)) => {
                Cast::ToList(boxed(self.cast(one, other, (parts.old, parts.between, parts.new_inner()?), place))?)
            }
            (one, Cast::One(other)) => {
                Cast::One(boxed(self.cast(one, other, (parts.old, parts.between, parts.new_inner()?), place))?)
            }
            (Cast::Unwrap { value, none, check }, other) => {
                let shapes = (parts.old_inner()?, parts.between, parts.new);
                let value = boxed(self.cast(value, other, shapes, place))?;
                let none = none.as_ref().map(|none| cast_value(none, other, parts.new)).transpose()?;
                let check = check.map(|check| self.first_check(check));
                Cast::Unwrap { value, none, check }
            }
            (Cast::List(_) | Cast::Copy, Cast::List(_)) | (Cast::List(_), Cast::Copy) => {
                let one = if let Cast::List(one) = one { one } else { &copy };
                let other = if let Cast::List(other) = other { other } else { &copy };
                Cast::List(boxed(self.cast(one, other, parts.inner()?, element))?)
            }
            (Cast::ToList(one), Cast::List(_) | Cast::Copy) => {
                let other = if let Cast::List(other) = other { other } else { &copy };
                let shapes = (parts.old, parts.between_inner()?, parts.new_inner()?);
                Cast::ToList(boxed(self.cast(one, other, shapes, place))?)
            }
            (Cast::ToList(one), Cast::FromList { element: other, .. }) => {
                self.cast(one, other, (parts.old, parts.between_inner()?, parts.new), place)?
            }
            (Cast::List(_) | Cast::Copy, Cast::FromList { element: other, check }) => {
                let one = if let Cast::List(one) = one { one } else { &copy };
                let check = self.next_check(*check, place.to_owned());
                let shapes = (parts.old_inner()?, parts.between_inner()?, parts.new);
                Cast::FromList { element: boxed(self.cast(one, other, shapes, element))?, check }
            }
            (Cast::FromList { element: one, check }, other) => {
                let check = self.first_check(*check);
                let shapes = (parts.old_inner()?, parts.between, parts.new);
                Cast::FromList { element: boxed(self.cast(one, other, shapes, element))?, check }
            }
            (Cast::Map { .. } | Cast::Copy, Cast::Map { .. }) | (Cast::Map { .. }, Cast::Copy) => {
                let (key, value) = self.entries(one, other, parts, place)?;
                let check = match (*key == Cast::Copy, one.check(), other.check()) {
                    (true, ..) => None,
                    (false, _, Some(check)) => Some(self.next_check(check, place.to_owned())),
                    (false, Some(check), None) => Some(self.first_check(check)),
                    (false, None, None) => return Err("keys are converted unchecked"),
                };
                Cast::Map { key, value, check }
            }
            // Conversions of keys keep their order, so it is the same before them and after them. What is unique once
            // stays so, too.
            (Cast::Map { .. } | Cast::Copy, Cast::MapToList { .. }) | (Cast::MapToList { .. }, Cast::Copy) => {
                let (key, value) = self.entries(one, other, parts, place)?;
                Cast::MapToList { key, value }
            }
            (Cast::ListToMap { check, .. }, Cast::Map { .. } | Cast::Copy) => {
                let check = self.first_check(*check);
                let (key, value) = self.entries(one, other, parts, place)?;
                Cast::ListToMap { key, value, check }
            }
            (Cast::Copy, Cast::ListToMap { check, .. }) => {
                let check = self.next_check(*check, place.to_owned());
                let (key, value) = self.entries(one, other, parts, place)?;
                Cast::ListToMap { key, value, check }
            }
            (Cast::MapToList { .. }, Cast::ListToMap { check, .. }) => {
                let (key, value) = self.entries(one, other, parts, place)?;
                let check = (*key != Cast::Copy).then(|| self.next_check(*check, place.to_owned()));
                Cast::Map { key, value, check }
            }
            (Cast::Array { .. } | Cast::Copy, Cast::Array { .. }) | (Cast::Array { .. }, Cast::Copy) => {
                self.arrays(one, other, parts, place, element)?
            }
            (Cast::One(one), Cast::Copy) => {
                let shapes = (parts.old, parts.between_inner()?, parts.new_inner()?);
                Cast::One(boxed(self.cast(one, &copy, shapes, place))?)
            }
            _ => return Err("two conversions that have no one conversion for both"),
        })
    }

    /// What becomes of the keys and of the values of maps, and of lists of entries.
    fn entries(
        &mut self,
        one: &Cast,
        other: &Cast,
        parts: &Parts<'_>,
        place: &str,
    ) -> Composed<(Box<Cast>, Box<Cast>)> {
        let both = |cast: &Cast| match cast {
            Cast::Map { key, value, .. } | Cast::ListToMap { key, value, .. } | Cast::MapToList { key, value } => {
                ((**key).clone(), (**value).clone())
            }
            _ => (Cast::Copy, Cast::Copy),
        };
        let ((one_key, one_value), (other_key, other_value)) = (both(one), both(other));
        let old = entry(&self.first.old, parts.old)?;
        let between = entry(&self.first.new, parts.between)?;
        let new = entry(&self.next.new, parts.new)?;
        let (key_place, value_place) = match parts.old {
            Shape::List(_) => (format!("{place}[].key"), format!("{place}[].value")),
            _ => (format!("{place}[key]"), format!("{place}[]")),
        };
        let key = self.cast(&one_key, &other_key, (old.0, between.0, new.0), &key_place)?;
        let value = self.cast(&one_value, &other_value, (old.1, between.1, new.1), &value_place)?;
        Ok((Box::new(key), Box::new(value)))
    }

    fn arrays(&mut self, one: &Cast, other: &Cast, parts: &Parts<'_>, place: &str, element: &str) -> Composed<Cast> {
        let split = |cast: &Cast| match cast {
            Cast::Array { element, fill, check } => ((**element).clone(), fill.clone(), *check),
            _ => (Cast::Copy, Value::Empty, None),
        };
        let ((one, one_fill, one_check), (other, other_fill, other_check)) = (split(one), split(other));
        let counts = parts.counts()?;
        let inner = Box::new(self.cast(&one, &other, parts.inner()?, element)?);
        let (fill, check) = if counts.0 == counts.1 {
            (other_fill, other_check.map(|check| self.next_check(check, place.to_owned())))
        } else if counts.1 == counts.2 {
            (cast_value(&one_fill, &other, parts.inner()?.2)?, one_check.map(|check| self.first_check(check)))
        } else {
            return Err("an array changes its length twice");
        };
        Ok(Cast::Array { element: inner, fill, check })
    }
}

/// The three shapes around a cast, and what is in them.
struct Parts<'s> {
    old: &'s Shape,
    between: &'s Shape,
    new: &'s Shape,
}

impl<'s> Parts<'s> {
    const fn of(old: &'s Shape, between: &'s Shape, new: &'s Shape) -> Self {
        Self { old, between, new }
    }

    fn old_inner(&self) -> Composed<&'s Shape> {
        inner(self.old)
    }

    fn between_inner(&self) -> Composed<&'s Shape> {
        inner(self.between)
    }

    fn new_inner(&self) -> Composed<&'s Shape> {
        inner(self.new)
    }

    fn inner(&self) -> Composed<(&'s Shape, &'s Shape, &'s Shape)> {
        Ok((inner(self.old)?, inner(self.between)?, inner(self.new)?))
    }

    fn counts(&self) -> Composed<(u64, u64, u64)> {
        let count = |shape: &Shape| match shape {
            Shape::Array { count, .. } => Ok(*count),
            _ => Err("a cast does not suit its shapes"),
        };
        Ok((count(self.old)?, count(self.between)?, count(self.new)?))
    }
}

/// Key and value of a map, or of a list of entries.
fn entry<'s>(schema: &'s Schema, shape: &'s Shape) -> Composed<(&'s Shape, &'s Shape)> {
    match shape {
        Shape::Map { key, value } | Shape::SortedMap { key, value } => Ok((key, value)),
        Shape::List(element) => {
            let described = inline_name(element).and_then(|name| schema.get(name));
            let fields = described.and_then(|described| described.entry_fields());
            fields.map(|(key, value)| (&key.shape, &value.shape)).ok_or("a list's elements are no entries")
        }
        _ => Err("a cast does not suit its shapes"),
    }
}

pub(super) fn inner(shape: &Shape) -> Composed<&Shape> {
    match shape {
        Shape::Array { element: inner, .. } | Shape::Option { inner, .. } | Shape::List(inner) => Ok(inner),
        _ => Err("a cast does not suit its shapes"),
    }
}

enum Direct {
    Same,
    Lossless,
    Checked(CheckKind),
}

/// The rule between two numbers.
fn direct(old: &Shape, new: &Shape) -> Option<Direct> {
    if let (Shape::Integer(one), Shape::Integer(other)) = (old, new)
        && (one.width, one.signed) == (other.width, other.signed)
    {
        return Some(Direct::Same);
    }
    match (old, new) {
        (Shape::Float(one), Shape::Float(other)) if one.width == other.width => return Some(Direct::Same),
        (Shape::Bool, Shape::Bool) => return Some(Direct::Same),
        _ => {}
    }
    number_rule(old, new).map(|(_, kind)| kind.map_or(Direct::Lossless, Direct::Checked))
}
