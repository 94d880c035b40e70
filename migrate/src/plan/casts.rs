//! How values of one shape become values of another.
//!
//! Each step looks at the outermost parts of both shapes and goes inwards on one way only, so that time is linear in
//! the shapes and no way is tried twice. Options and lists that lie in each other are told apart by how many there
//! are: `option<T>` becomes `option<option<T>>` as a whole, not its content.

use std::cmp::Ordering;

use super::between::Planner;
use super::literal;
use super::model::{Cast, CheckKind, Value, Verdict};
use crate::schema::{Float, Integer, Shape};

/// How many entries may lie in each other. A struct can hold maps of itself and a map lists of it, and to follow them by
/// turns would have no end.
const MAX_ENTRIES: u32 = 8;

/// What a cast needs to know and leaves behind.
pub(super) struct Notes {
    record: usize,
    place: String,
    lossy: bool,
    /// How many entries taken apart or put together lie around.
    entries: u32,
    /// The field's default, for values that are not there.
    pub(super) default: Option<String>,
    /// Which rules were used.
    pub(super) rules: Vec<(u8, Verdict)>,
    /// There is no such cast: the rule that says so, and why.
    pub(super) refused: Option<(u8, &'static str)>,
    /// The checks whose failure may be waived.
    pub(super) exact: Vec<usize>,
    /// What is wrong with the default.
    pub(super) fault: Option<String>,
}

impl Notes {
    pub(super) const fn new(record: usize, place: String, lossy: bool) -> Self {
        Self {
            record,
            place,
            lossy,
            entries: 0,
            default: None,
            rules: Vec::new(),
            refused: None,
            exact: Vec::new(),
            fault: None,
        }
    }

    fn implicit(&mut self, rule: u8) {
        self.rules.push((rule, Verdict::Implicit));
    }

    fn refuse(&mut self, rule: u8, why: &'static str) -> Cast {
        self.rules.push((rule, Verdict::Hook));
        self.refused = Some((rule, why));
        Cast::Unanswered
    }

    /// What goes on inside has the place in brackets after its own.
    fn inside<T>(&mut self, suffix: &str, work: impl FnOnce(&mut Self) -> T) -> T {
        let len = self.place.len();
        self.place.push_str(suffix);
        let result = self.part(work);
        self.place.truncate(len);
        result
    }

    /// The parts of an entry are no places of their own in answers.
    fn entry<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        self.entries += 1;
        let result = work(self);
        self.entries -= 1;
        result
    }

    /// The default is one of the field's whole shape, so it is no business of what is only a part of that.
    fn part<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let default = self.default.take();
        let result = work(self);
        self.default = default;
        result
    }
}

impl Planner<'_> {
    /// Whether there is a rule for it.
    pub(super) fn is_castable(&mut self, old: &Shape, new: &Shape) -> bool {
        let checks = self.checks.len();
        let mut notes = Notes::new(0, String::new(), false);
        self.cast(old, new, &mut notes);
        self.checks.truncate(checks);
        notes.refused.is_none()
    }

    /// The whole is refused when [`Notes::refused`] is set.
    pub(super) fn cast(&mut self, old: &Shape, new: &Shape, notes: &mut Notes) -> Cast {
        if self.is_same(old, new) {
            return Cast::Copy;
        }
        match (old, new) {
            (Shape::Option { inner: before, .. }, Shape::Option { inner: after, .. }) => {
                match nested_options(new).cmp(&nested_options(old)) {
                    Ordering::Greater => self.something(old, after, notes),
                    Ordering::Less => self.unwrap(before, new, notes),
                    Ordering::Equal => {
                        let inner = notes.part(|notes| self.cast(before, after, notes));
                        if inner == Cast::Copy {
                            notes.implicit(1);
                        }
                        Cast::Option(Box::new(inner))
                    }
                }
            }
            (Shape::List(before), Shape::Option { inner: after, .. }) if !matches!(**after, Shape::List(_)) => {
                let check = self.checked(24, CheckKind::AtMostOneElement, notes);
                let element = notes.inside("[]", |notes| self.cast(before, after, notes));
                Cast::FromListOption { element: Box::new(element), check }
            }
            (_, Shape::Option { inner, .. }) => self.something(old, inner, notes),
            // A whole option as an element.
            (Shape::Option { .. }, Shape::List(after)) if matches!(**after, Shape::Option { .. }) => {
                self.one_element(old, after, notes)
            }
            (Shape::Option { .. }, Shape::Array { element, count: 1 }) if matches!(**element, Shape::Option { .. }) => {
                self.one(old, element, notes)
            }
            (Shape::Option { inner, .. }, _) => self.unwrap(inner, new, notes),
            (Shape::List(before), Shape::List(after)) => match nested_lists(new).cmp(&nested_lists(old)) {
                Ordering::Greater => self.one_element(old, after, notes),
                Ordering::Less => self.only_element(before, new, notes),
                Ordering::Equal => {
                    notes.implicit(25);
                    let element = notes.inside("[]", |notes| self.cast(before, after, notes));
                    Cast::List(Box::new(element))
                }
            },
            (
                Shape::Map { key, value } | Shape::SortedMap { key, value },
                Shape::Map { key: new_key, value: new_value } | Shape::SortedMap { key: new_key, value: new_value },
            ) => self.map((key, value), (new_key, new_value), notes),
            (Shape::List(before), Shape::Map { key, value } | Shape::SortedMap { key, value }) => {
                self.list_to_map(before, (key, value), notes)
            }
            (Shape::Map { key, value } | Shape::SortedMap { key, value }, Shape::List(after))
                if !matches!(**after, Shape::Map { .. } | Shape::SortedMap { .. }) =>
            {
                self.map_to_list((key, value), after, notes)
            }
            (Shape::List(_), Shape::Array { element, count: 1 }) if matches!(**element, Shape::List(_)) => {
                self.one(old, element, notes)
            }
            (_, Shape::List(after)) => self.one_element(old, after, notes),
            (Shape::List(before), _) => self.only_element(before, new, notes),
            (Shape::Array { element: before, count }, Shape::Array { element: after, count: new_count }) => {
                if *new_count == 1 && nested_arrays(new) > nested_arrays(old) {
                    return self.one(old, after, notes);
                }
                self.array((before, *count), (after, *new_count), new, notes)
            }
            (_, Shape::Array { element, count: 1 }) => self.one(old, element, notes),
            (Shape::Inline(before), Shape::Inline(after)) => match self.continues(before, after) {
                Some(step) => {
                    notes.implicit(35);
                    Cast::Type(step)
                }
                None => notes.refuse(38, "it is another type; one that was renamed says `was`"),
            },
            (Shape::Inline(before), Shape::Reference(after)) if self.continues(before, after).is_some() => {
                notes.implicit(37);
                let record = self.cast(old, &Shape::Inline(after.clone()), notes);
                Cast::ToReference(Box::new(record))
            }
            (Shape::Reference(before), Shape::Inline(after)) if self.continues(before, after).is_some() => {
                let check = self.checked(37, CheckKind::Unshared, notes);
                let record = self.cast(&Shape::Inline(before.clone()), new, notes);
                Cast::FromReference { record: Box::new(record), check }
            }
            (Shape::Reference(_), Shape::Reference(_)) => {
                notes.refuse(38, "it refers to another type; one that was renamed says `was`")
            }
            (Shape::Text, Shape::Bytes) => {
                notes.implicit(19);
                Cast::TextToBytes
            }
            (Shape::Bytes, Shape::Text) => Cast::BytesToText { check: self.checked(19, CheckKind::Utf8, notes) },
            _ => self.number(old, new, notes),
        }
    }

    fn checked(&mut self, rule: u8, kind: CheckKind, notes: &mut Notes) -> usize {
        notes.rules.push((rule, Verdict::Checked));
        self.check(notes.record, notes.place.clone(), kind, false)
    }

    fn something(&mut self, old: &Shape, inner: &Shape, notes: &mut Notes) -> Cast {
        notes.implicit(21);
        Cast::Some(Box::new(notes.part(|notes| self.cast(old, inner, notes))))
    }

    fn unwrap(&mut self, inner: &Shape, new: &Shape, notes: &mut Notes) -> Cast {
        // What something becomes may need it as well, to grow.
        let none = notes.default.clone().map(|text| literal::parse(&text, new, &self.new, &self.new_facts));
        let (none, check) = match none {
            Some(Ok(value)) => {
                notes.implicit(22);
                (Some(value), None)
            }
            Some(Err(why)) => {
                notes.default = None;
                notes.fault = Some(format!("the default is no {new}: {why}"));
                (None, Some(self.checked(22, CheckKind::Present, notes)))
            }
            None => (None, Some(self.checked(22, CheckKind::Present, notes))),
        };
        let value = Box::new(self.cast(inner, new, notes));
        Cast::Unwrap { value, none, check }
    }

    fn one_element(&mut self, old: &Shape, element: &Shape, notes: &mut Notes) -> Cast {
        notes.implicit(23);
        Cast::ToList(Box::new(notes.part(|notes| self.cast(old, element, notes))))
    }

    fn one(&mut self, old: &Shape, element: &Shape, notes: &mut Notes) -> Cast {
        notes.implicit(23);
        Cast::One(Box::new(notes.part(|notes| self.cast(old, element, notes))))
    }

    fn only_element(&mut self, element: &Shape, new: &Shape, notes: &mut Notes) -> Cast {
        let check = self.checked(24, CheckKind::OneElement, notes);
        let element = notes.inside("[]", |notes| self.cast(element, new, notes));
        Cast::FromList { element: Box::new(element), check }
    }

    fn map(&mut self, old: (&Shape, &Shape), new: (&Shape, &Shape), notes: &mut Notes) -> Cast {
        let key = notes.inside("[key]", |notes| self.cast(old.0, new.0, notes));
        let value = notes.inside("[]", |notes| self.cast(old.1, new.1, notes));
        let check = if key == Cast::Copy {
            notes.implicit(if value == Cast::Copy { 42 } else { 25 });
            None
        } else {
            Some(self.checked(42, CheckKind::UniqueKeys, notes))
        };
        Cast::Map { key: Box::new(key), value: Box::new(value), check }
    }

    fn list_to_map(&mut self, element: &Shape, new: (&Shape, &Shape), notes: &mut Notes) -> Cast {
        let Some((key, value)) = self.old.entry_fields(element) else {
            return notes
                .refuse(42, "only a hook knows the keys, unless elements are structs of a `key` and a `value`");
        };
        if !key.shape.is_key() {
            return notes.refuse(42, "the `key` of its elements cannot be one of a map");
        }
        if notes.entries == MAX_ENTRIES {
            return notes.refuse(42, "entries lie too deep in each other");
        }
        let check = self.checked(42, CheckKind::UniqueKeys, notes);
        let key = notes.inside("[].key", |notes| notes.entry(|notes| self.cast(&key.shape, new.0, notes)));
        let value = notes.inside("[].value", |notes| notes.entry(|notes| self.cast(&value.shape, new.1, notes)));
        Cast::ListToMap { key: Box::new(key), value: Box::new(value), check }
    }

    fn map_to_list(&mut self, old: (&Shape, &Shape), element: &Shape, notes: &mut Notes) -> Cast {
        let Some((key, value)) = self.new.entry_fields(element) else {
            let why =
                "only a hook knows what becomes of the keys, unless elements are structs of a `key` and a `value`";
            return notes.refuse(42, why);
        };
        if notes.entries == MAX_ENTRIES {
            return notes.refuse(42, "entries lie too deep in each other");
        }
        notes.implicit(42);
        let key = notes.inside("[key]", |notes| notes.entry(|notes| self.cast(old.0, &key.shape, notes)));
        let value = notes.inside("[]", |notes| notes.entry(|notes| self.cast(old.1, &value.shape, notes)));
        Cast::MapToList { key: Box::new(key), value: Box::new(value) }
    }

    fn array(&mut self, old: (&Shape, u64), new: (&Shape, u64), whole: &Shape, notes: &mut Notes) -> Cast {
        let default = notes.default.take();
        let ((before, old_count), (after, new_count)) = (old, new);
        let element = Box::new(notes.inside("[]", |notes| self.cast(before, after, notes)));
        let mut check = None;
        let mut fill = Value::Empty;
        match new_count.cmp(&old_count) {
            Ordering::Less if self.old_facts.shape_has_empty(&self.old, before) => {
                check = Some(self.checked(26, CheckKind::TailEmpty, notes));
            }
            Ordering::Less => return notes.refuse(26, "what is cut off has no empty value that it could be"),
            Ordering::Equal => notes.implicit(25),
            Ordering::Greater => {
                notes.implicit(26);
                fill = match self.fill(default, old_count, after, whole, notes) {
                    Ok(fill) => fill,
                    Err(why) => return notes.refuse(26, why),
                };
            }
        }
        Cast::Array { element, fill, check }
    }

    /// What a longer array's new elements are.
    fn fill(
        &self,
        default: Option<String>,
        old_count: u64,
        element: &Shape,
        whole: &Shape,
        notes: &mut Notes,
    ) -> Result<Value, &'static str> {
        let has_empty = self.new_facts.shape_has_empty(&self.new, element);
        match default.map(|text| literal::parse(&text, whole, &self.new, &self.new_facts)) {
            Some(Ok(Value::Array(values))) => match &values[(old_count as usize).min(values.len())..] {
                [first, rest @ ..] if rest.iter().all(|value| value == first) => Ok(first.clone()),
                _ => Err("its default gives the new elements unlike values"),
            },
            Some(Err(why)) => {
                notes.fault = Some(format!("the default is no {whole}: {why}"));
                Ok(Value::Empty)
            }
            Some(Ok(_)) | None if has_empty => Ok(Value::Empty),
            Some(Ok(_)) | None => Err("the new elements have no empty value, and there is no default"),
        }
    }

    fn number(&mut self, old: &Shape, new: &Shape, notes: &mut Notes) -> Cast {
        let Some((rule, kind)) = number_rule(old, new) else {
            return match (old, new) {
                (Shape::Text | Shape::Bytes, Shape::Integer(_) | Shape::Float(_))
                | (Shape::Integer(_) | Shape::Float(_), Shape::Text | Shape::Bytes) => {
                    notes.refuse(20, "only a hook knows how numbers are written")
                }
                _ => notes.refuse(18, "the kinds differ"),
            };
        };
        let Some(kind) = kind else {
            notes.implicit(rule);
            return Cast::Number { check: None };
        };
        let is_waivable = rule == 14;
        if is_waivable && notes.lossy {
            notes.rules.push((rule, Verdict::Acknowledge));
            return Cast::Number { check: Some(self.check(notes.record, notes.place.clone(), kind, true)) };
        }
        let check = self.checked(rule, kind, notes);
        if is_waivable {
            notes.exact.push(check);
        }
        Cast::Number { check: Some(check) }
    }
}

/// The rule by which a number becomes one of another type, and what must hold.
pub(super) fn number_rule(old: &Shape, new: &Shape) -> Option<(u8, Option<CheckKind>)> {
    Some(match (old, new) {
        (Shape::Integer(old), Shape::Integer(new)) => {
            let widened = if new.width > old.width { 10 } else { 13 };
            let rule = if old.signed == new.signed { widened } else { 15 };
            (rule, (!is_within(*old, *new)).then_some(CheckKind::Fits))
        }
        (Shape::Integer(old), Shape::Float(new)) if is_exact(*old, *new) => (11, None),
        (Shape::Integer(_), Shape::Float(_)) => (12, Some(CheckKind::Exact)),
        (Shape::Float(old), Shape::Float(new)) if new.width > old.width => (10, None),
        (Shape::Float(_), Shape::Float(_)) => (14, Some(CheckKind::Exact)),
        (Shape::Float(_), Shape::Integer(_)) => (17, Some(CheckKind::Fits)),
        (Shape::Bool, Shape::Integer(_)) => (16, None),
        (Shape::Integer(_), Shape::Bool) => (16, Some(CheckKind::Fits)),
        _ => return None,
    })
}

/// Whether every integer of the one type is one of the other.
fn is_within(old: Integer, new: Integer) -> bool {
    match (old.signed, new.signed) {
        (false, true) => new.width > old.width,
        (true, false) => false,
        _ => new.width >= old.width,
    }
}

/// Whether every integer of the type is a number of the float type.
fn is_exact(integer: Integer, float: Float) -> bool {
    let digits = if float.width == 4 { f32::MANTISSA_DIGITS } else { f64::MANTISSA_DIGITS };
    // The least of a signed type is a power of two, and so is exact where the others are.
    8 * u32::from(integer.width) - u32::from(integer.signed) <= digits
}

fn nested(shape: &Shape, inwards: impl Fn(&Shape) -> Option<&Shape>) -> usize {
    std::iter::successors(Some(shape), |shape| inwards(shape)).count()
}

fn nested_options(shape: &Shape) -> usize {
    nested(shape, |shape| match shape {
        Shape::Option { inner, .. } => Some(inner),
        _ => None,
    })
}

fn nested_lists(shape: &Shape) -> usize {
    nested(shape, |shape| match shape {
        Shape::List(inner) => Some(inner),
        _ => None,
    })
}

fn nested_arrays(shape: &Shape) -> usize {
    nested(shape, |shape| match shape {
        Shape::Array { element, .. } => Some(element),
        _ => None,
    })
}
