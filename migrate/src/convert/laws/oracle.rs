//! What a value should become, by names and values alone.

use std::collections::HashSet;

use crate::sample::tree::Tree;
use crate::sample::values::{empty, find, is_empty, literal, number};
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
            (Tree::Nothing, _) => return default.and_then(|default| literal(default, shape, self.new)),
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
                    new.push(empty(element, self.new)?);
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
                (None, Some(default), shape) => literal(default, shape, self.new)?,
                (None, None, Shape::Inline(name)) if name.starts_with("Gathered") => {
                    let Body::Struct(inner) = &self.new.get(name)?.body else { panic!("{name}") };
                    Tree::Struct(self.fields(old, inner)?)
                }
                (None, None, shape) => empty(shape, self.new)?,
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
}
