//! What becomes of a value of one shape as one of another.

use super::{Fit, Oracle, no};
use crate::sample::shapes::has_empty;
use crate::sample::tree::Tree;
use crate::sample::values::{compare_keys, empty, find, is_empty, literal, number};
use crate::schema::{Body, Field, Schema, Shape, TypeDescriptor};

impl Oracle<'_> {
    /// A value of the old shape as one of the new; `default` is what the whole of it is instead of nothing.
    pub(super) fn fit(
        &self,
        old: &Shape,
        new: &Shape,
        tree: Option<&Tree>,
        default: Option<&str>,
    ) -> Fit<Option<Tree>> {
        let something = |inner: Fit<Option<Tree>>| Ok(inner?.map(|tree| Tree::Something(Box::new(tree))));
        let one = |inner: Fit<Option<Tree>>| Ok(inner?.map(|tree| Tree::Array(vec![tree])));
        let one_listed = |inner: Fit<Option<Tree>>| Ok(inner?.map(|tree| Tree::List(vec![tree])));
        // One inside or none; each, or the shapes alone.
        let each = |old: &Shape, new: &Shape, trees: Option<&[Tree]>| -> Fit<Option<Vec<Tree>>> {
            match trees {
                Some(trees) => trees.iter().map(|tree| self.fit(old, new, Some(tree), None)).collect(),
                None => self.fit(old, new, None, None).map(|_| None),
            }
        };
        match (old, new) {
            (Shape::Option { inner: before, .. }, Shape::Option { inner: after, .. }) => match tree {
                Some(Tree::Nothing) => Ok(Some(Tree::Nothing)),
                tree => something(self.fit(before, after, tree.map(inside), None)),
            },
            (Shape::List(before), Shape::Option { inner: after, .. }) if !matches!(**after, Shape::List(_)) => {
                match tree.map(listed) {
                    Some([]) => Ok(Some(Tree::Nothing)),
                    Some([tree]) => something(self.fit(before, after, Some(tree), None)),
                    Some(_) => no("more than one"),
                    None => self.fit(before, after, None, None),
                }
            }
            (_, Shape::Option { inner, .. }) => something(self.fit(old, inner, tree, None)),
            // A whole option becomes an element that is one.
            (Shape::Option { .. }, Shape::List(after)) if matches!(**after, Shape::Option { .. }) => {
                one_listed(self.fit(old, after, tree, None))
            }
            (Shape::Option { .. }, Shape::Array { element, count: 1 }) if matches!(**element, Shape::Option { .. }) => {
                one(self.fit(old, element, tree, None))
            }
            (Shape::Option { inner, .. }, _) => {
                let instead =
                    default.map(|default| literal(default, new, self.new).ok_or(format!("no {new}: {default}")));
                let instead = instead.transpose()?;
                match tree {
                    Some(Tree::Nothing) => instead.map_or_else(|| no("nothing"), |tree| Ok(Some(tree))),
                    tree => self.fit(inner, new, tree.map(inside), default),
                }
            }
            (Shape::List(before), Shape::List(after)) if nesting(old, true) == nesting(new, true) => {
                Ok(each(before, after, tree.map(listed))?.map(Tree::List))
            }
            (Shape::List(_), Shape::List(after)) if nesting(old, true) < nesting(new, true) => {
                one_listed(self.fit(old, after, tree, None))
            }
            (
                Shape::Map { key, value } | Shape::SortedMap { key, value },
                Shape::Map { key: new_key, value: new_value } | Shape::SortedMap { key: new_key, value: new_value },
            ) => {
                let entries = match tree {
                    Some(Tree::Map(entries)) => Some(&entries[..]),
                    Some(other) => panic!("{other:?}"),
                    None => None,
                };
                let parts = |part: fn(&(Tree, Tree)) -> &Tree| -> Option<Vec<Tree>> {
                    Some(entries?.iter().map(part).cloned().collect())
                };
                let keys = each(key, new_key, parts(|entry| &entry.0).as_deref())?;
                let values = each(value, new_value, parts(|entry| &entry.1).as_deref())?;
                Ok(keys.zip(values).map(|(keys, values)| Tree::Map(keys.into_iter().zip(values).collect())))
            }
            (Shape::List(element), Shape::Map { key, value } | Shape::SortedMap { key, value }) => {
                let Some((described, old_key, old_value)) = entry_of(self.old, element) else {
                    return no("a list as a map");
                };
                if !is_key(&old_key.shape) {
                    return no("its key is none");
                }
                let marks = [&described.attributes.secret, &old_key.attributes.secret, &old_value.attributes.secret];
                if marks.iter().any(|mark| mark.is_some()) {
                    self.unmarked.set(true);
                }
                let parts = |name: &str| -> Option<Vec<Tree>> {
                    let part = |tree: &Tree| match tree {
                        Tree::Struct(fields) => find(fields, name).unwrap().clone(),
                        other => panic!("{other:?}"),
                    };
                    Some(tree.map(listed)?.iter().map(part).collect())
                };
                let (keys, values) = (parts("key"), parts("value"));
                let is_twice = |keys: &[Tree]| (1..keys.len()).any(|at| keys[..at].contains(&keys[at]));
                let twice = keys.as_deref().is_some_and(is_twice);
                let keys = each(&old_key.shape, key, keys.as_deref())?;
                let values = each(&old_value.shape, value, values.as_deref())?;
                if twice {
                    return no("a key is there twice");
                }
                Ok(keys.zip(values).map(|(keys, values)| Tree::Map(keys.into_iter().zip(values).collect())))
            }
            (Shape::Map { key, value } | Shape::SortedMap { key, value }, Shape::List(element))
                if !matches!(**element, Shape::Map { .. } | Shape::SortedMap { .. }) =>
            {
                let Some((described, new_key, new_value)) = entry_of(self.new, element) else {
                    return no("a map as a list");
                };
                let mut entries = match tree {
                    Some(Tree::Map(entries)) => Some(entries.clone()),
                    Some(other) => panic!("{other:?}"),
                    None => None,
                };
                if let Some(entries) = &mut entries {
                    entries.sort_by(|one, other| compare_keys(&one.0, &other.0));
                }
                let parts = |part: fn(&(Tree, Tree)) -> &Tree| -> Option<Vec<Tree>> {
                    Some(entries.as_ref()?.iter().map(part).cloned().collect())
                };
                let keys = each(key, &new_key.shape, parts(|entry| &entry.0).as_deref())?;
                let values = each(value, &new_value.shape, parts(|entry| &entry.1).as_deref())?;
                let Body::Struct(fields) = &described.body else { panic!("{described:?}") };
                let element = |(key, value): (Tree, Tree)| {
                    let field = |field: &Field| if field.name == "key" { key.clone() } else { value.clone() };
                    Tree::Struct(fields.iter().map(|it| (it.name.clone(), field(it))).collect())
                };
                Ok(keys
                    .zip(values)
                    .map(|(keys, values)| Tree::List(keys.into_iter().zip(values).map(element).collect())))
            }
            (Shape::List(_), Shape::Array { element, count: 1 }) if matches!(**element, Shape::List(_)) => {
                one(self.fit(old, element, tree, None))
            }
            (Shape::List(before), _) => match tree.map(listed) {
                Some([tree]) => self.fit(before, new, Some(tree), None),
                Some(_) => no("not one"),
                None => self.fit(before, new, None, None),
            },
            (_, Shape::List(after)) => one_listed(self.fit(old, after, tree, None)),
            (Shape::Array { .. }, Shape::Array { element, count: 1 }) if nesting(new, false) > nesting(old, false) => {
                one(self.fit(old, element, tree, None))
            }
            (Shape::Array { element: before, count }, Shape::Array { element: after, count: new_count }) => {
                self.array((before, *count), (after, *new_count), tree, default, new)
            }
            (_, Shape::Array { element, count: 1 }) => one(self.fit(old, element, tree, None)),
            (Shape::Inline(before), Shape::Inline(after)) => {
                self.same_type(before, after)?;
                tree.map_or(Ok(None), |tree| self.named(self.old.get(before).unwrap(), Some(tree)))
            }
            (Shape::Inline(before), Shape::Reference(after)) => {
                self.same_type(before, after)?;
                let record = tree.map(|tree| self.named(self.old.get(before).unwrap(), Some(tree))).transpose()?;
                Ok(record.flatten().map(|tree| Tree::Record(Box::new(tree))))
            }
            (Shape::Reference(before), Shape::Inline(after)) => {
                self.same_type(before, after)?;
                // References here name no records.
                if tree.is_some() { no("no record") } else { Ok(None) }
            }
            (Shape::Reference(before), Shape::Reference(after)) => {
                self.same_type(before, after)?;
                Ok(tree.cloned())
            }
            (Shape::Text, Shape::Bytes) => Ok(tree.map(|tree| match tree {
                Tree::Text(text) => Tree::Bytes(text.clone().into_bytes()),
                other => panic!("{other:?}"),
            })),
            (Shape::Bytes, Shape::Text) => match tree {
                Some(Tree::Bytes(bytes)) => match String::from_utf8(bytes.clone()) {
                    Ok(text) => Ok(Some(Tree::Text(text))),
                    Err(_) => no("no text"),
                },
                _ => Ok(None),
            },
            (Shape::Text, Shape::Text) | (Shape::Bytes, Shape::Bytes) | (Shape::Char, Shape::Char) => Ok(tree.cloned()),
            // Rule 17 says nothing of a float as a bool.
            (Shape::Integer(_), Shape::Integer(_) | Shape::Float(_) | Shape::Bool)
            | (Shape::Float(_), Shape::Integer(_) | Shape::Float(_))
            | (Shape::Bool, Shape::Integer(_) | Shape::Bool) => match tree {
                Some(Tree::Double(bits)) if self.is_lossy.get() && matches!(new, Shape::Float(it) if it.width == 4) => {
                    Ok(Some(Tree::Single(nearest(*bits))))
                }
                Some(tree) => {
                    number(tree, new).map_or_else(|| no(format!("{tree:?} is no {new}")), |tree| Ok(Some(tree)))
                }
                None => Ok(None),
            },
            _ => no(format!("no rule makes {new} of {old}")),
        }
    }

    fn same_type(&self, old: &str, new: &str) -> Fit<()> {
        if self.successor(old)?.name == *new { Ok(()) } else { no(format!("{old} is not {new}")) }
    }

    fn array(
        &self,
        old: (&Shape, u64),
        new: (&Shape, u64),
        tree: Option<&Tree>,
        default: Option<&str>,
        whole: &Shape,
    ) -> Fit<Option<Tree>> {
        let ((before, count), (after, new_count)) = (old, new);
        self.fit(before, after, None, None)?;
        if new_count < count && !has_empty(before, self.old) {
            return no("what is cut off is never empty");
        }
        let fill = match default.filter(|_| new_count > count).map(|default| literal(default, whole, self.new)) {
            Some(Some(Tree::Array(trees))) => trees.last().cloned(),
            Some(_) => return no("the default is no such array"),
            None => empty(after, self.new),
        };
        if new_count > count && fill.is_none() {
            return no("nothing to fill it with");
        }
        let Some(Tree::Array(trees)) = tree else { return Ok(None) };
        if !trees.iter().skip(new_count as usize).all(is_empty) {
            return no("what is cut off is not empty");
        }
        let kept = trees.iter().take(new_count as usize);
        let mut made =
            kept.map(|tree| Ok(self.fit(before, after, Some(tree), None)?.unwrap())).collect::<Fit<Vec<_>>>()?;
        if let Some(fill) = fill {
            made.resize(new_count as usize, fill);
        }
        Ok(Some(Tree::Array(made)))
    }
}

fn nesting(shape: &Shape, is_list: bool) -> usize {
    match shape {
        Shape::List(inner) if is_list => 1 + nesting(inner, is_list),
        Shape::Array { element, .. } if !is_list => 1 + nesting(element, is_list),
        _ => 0,
    }
}

/// A struct of a key and a value, and these.
fn entry_of<'s>(schema: &'s Schema, element: &Shape) -> Option<(&'s TypeDescriptor, &'s Field, &'s Field)> {
    let Shape::Inline(name) = element else { return None };
    let described = schema.get(name)?;
    let Body::Struct(fields) = &described.body else { return None };
    let named = |name: &str| fields.iter().find(|field| field.name == name);
    (fields.len() == 2).then_some((described, named("key")?, named("value")?))
}

fn is_key(shape: &Shape) -> bool {
    match shape {
        Shape::Text => true,
        Shape::Array { element, .. } => **element != Shape::Text && is_key(element),
        shape => matches!(shape, Shape::Integer(_) | Shape::Bool | Shape::Char | Shape::Reference(_)),
    }
}

/// Of a double that is no number, the sign and what there is room for of the rest.
fn nearest(bits: u64) -> u32 {
    let value = f64::from_bits(bits);
    if !value.is_nan() {
        return (value as f32).to_bits();
    }
    let sign = ((bits >> 63) as u32) << 31;
    let kept = (bits >> 29) as u32 & 0x7f_ffff;
    let is_exact = bits & ((1 << 29) - 1) == 0;
    sign | 0xff << 23 | kept | if is_exact { 0 } else { 1 << 22 }
}

fn inside(tree: &Tree) -> &Tree {
    let Tree::Something(tree) = tree else { panic!("{tree:?}") };
    tree
}

fn listed(tree: &Tree) -> &[Tree] {
    let Tree::List(trees) = tree else { panic!("{tree:?}") };
    trees
}
