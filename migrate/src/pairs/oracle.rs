//! What becomes of an old value, and whether it may, by the two schemas and the rules alone: names, attributes and
//! values, no plan and no bytes.
//!
//! Without a value, the same way is gone by the shapes alone: what is wrong then is wrong whatever the values are.

mod names;
mod shapes;

use std::cell::Cell;

use names::{Said, continued, field_names, names};

use crate::plan::{Answers, TypeAnswers};
use crate::sample::shapes::has_empty;
use crate::sample::tree::Tree;
use crate::sample::values::{empty, find, is_empty, literal};
use crate::schema::{Body, Field, Schema, Shape, TypeDescriptor, Variant};

/// Why not.
pub(super) type Reason = String;

pub(super) struct Oracle<'a> {
    pub(super) old: &'a Schema,
    pub(super) new: &'a Schema,
    /// A secret would show.
    pub(super) leaks: Cell<bool>,
    /// A list of entries with marks was taken apart.
    unmarked: Cell<bool>,
    /// Floats of the field that is looked at may be rounded.
    is_lossy: Cell<bool>,
    answers: &'a Answers,
    /// The old name of each new type, by names alone.
    pub(super) successors: Fit<Vec<Option<String>>>,
}

/// Whose fields are looked at.
#[derive(Clone, Copy)]
struct Around<'a> {
    old: &'a TypeDescriptor,
    new: &'a TypeDescriptor,
    /// What stands before the names of a variant's old fields, and of its new ones.
    prefixes: (&'a str, &'a str),
    answers: Option<&'a TypeAnswers>,
    fields: &'a [Field],
    continued: &'a [Option<String>],
}

impl Around<'_> {
    fn old_name(&self, path: &str) -> String {
        format!("{}{path}", self.prefixes.0)
    }

    fn new_name(&self, name: &str) -> String {
        format!("{}{name}", self.prefixes.1)
    }

    /// What the program or an answer says that a field is where it has no other value.
    fn default<'f>(&'f self, field: &'f Field) -> Option<&'f str> {
        let answered = || self.answers?.default.get(&self.new_name(&field.name)).map(|text| &**text);
        field.attributes.default.as_deref().or_else(answered)
    }

    /// An answer says that the field need be secret no more.
    fn may_show(&self, path: &str, field: &Field) -> bool {
        let said = |answers: &TypeAnswers| {
            answers.unsecret.contains(&self.old_name(path)) || answers.unsecret.contains(&self.new_name(&field.name))
        };
        self.answers.is_some_and(said)
    }

    /// An answer says that floats may be rounded.
    fn is_lossy(&self, path: &str, field: &Field) -> bool {
        let said = |answers: &TypeAnswers| {
            answers.lossy.contains(&self.old_name(path)) || answers.lossy.contains(&self.new_name(&field.name))
        };
        self.answers.is_some_and(said)
    }

    /// The program or an answer says that the values at a path may go.
    fn is_acknowledged(&self, path: &str) -> bool {
        let name = self.old_name(path);
        let named = self.new.attributes.dropped.contains(&name)
            || self.answers.is_some_and(|answers| answers.drop.contains(&name));
        named || path.rsplit_once('.').is_some_and(|(outer, _)| self.is_acknowledged(outer))
    }
}

type Fit<T> = Result<T, Reason>;

fn no<T>(why: impl Into<Reason>) -> Fit<T> {
    Err(why.into())
}

/// The type that lies in the shape itself, and in an array or option of it.
fn within(shape: &Shape) -> &Shape {
    match shape {
        Shape::Array { element: inner, .. } | Shape::Option { inner, .. } => within(inner),
        shape => shape,
    }
}

impl<'a> Oracle<'a> {
    pub(super) fn new(old: &'a Schema, new: &'a Schema, answers: &'a Answers) -> Self {
        let said = Said {
            renamed: &|name| answers.rename.get(name).cloned(),
            ends: &|name| answers.drop_types.contains(name),
        };
        let all = |schema: &'a Schema| names(&schema.types, |described| (&described.name, &described.attributes.was));
        Self {
            old,
            new,
            leaks: Cell::new(false),
            unmarked: Cell::new(false),
            is_lossy: Cell::new(false),
            answers,
            successors: continued(&all(old), &all(new), |_| false, &said),
        }
    }

    pub(super) fn successor(&self, old: &str) -> Fit<&'a TypeDescriptor> {
        let at = self.successors.as_ref().map_err(Clone::clone)?.iter().position(|name| name.as_deref() == Some(old));
        at.map_or_else(|| no(format!("no type goes on from {old}")), |at| Ok(&self.new.types[at]))
    }

    /// A value of an old type as one of the type that goes on from it.
    pub(super) fn named(&self, old: &'a TypeDescriptor, tree: Option<&Tree>) -> Fit<Option<Tree>> {
        let new = self.successor(&old.name)?;
        let answers = self.answers.of(&new.name, &old.name);
        if loses_mark(old, new) && !answers.is_some_and(|answers| answers.unsecret.contains("*")) {
            self.leaks.set(true);
        }
        match (&old.body, &new.body) {
            (Body::Struct(before), Body::Struct(after)) => {
                let trees = tree.map(|tree| match tree {
                    Tree::Struct(trees) => &trees[..],
                    other => panic!("{other:?}"),
                });
                Ok(self.fields(old, new, ("", ""), (before, after), trees)?.map(Tree::Struct))
            }
            (Body::Enum { variants: before, .. }, Body::Enum { variants: after, .. }) => {
                let all = |variants: &'a [Variant]| names(variants, |variant| (&variant.name, &variant.was));
                let target = |name: &str| {
                    let target = answers?.becomes.get(name)?;
                    after.iter().find(|variant| variant.name == *target)
                };
                let said =
                    Said { renamed: &|name| answers?.rename.get(name).cloned(), ends: &|name| target(name).is_some() };
                let goes_on = continued(&all(before), &all(after), |_| false, &said)?;
                let mut result = Ok(None);
                for one in before {
                    let other = goes_on.iter().position(|name| name.as_ref() == Some(&one.name));
                    let trees = match tree {
                        Some(Tree::Variant { name, fields, .. }) if *name == one.name => Some(&fields[..]),
                        Some(_) => continue,
                        None => None,
                    };
                    let Some(other) = other.map(|other| &after[other]).or_else(|| target(&one.name)) else {
                        if trees.is_some() {
                            return no(format!("{} is no more", one.name));
                        }
                        continue;
                    };
                    let prefixes = (&*format!("{}.", one.name), &*format!("{}.", other.name));
                    let fields = self.fields(old, new, prefixes, (&one.fields, &other.fields), trees)?;
                    result =
                        Ok(fields.map(|fields| Tree::Variant { name: other.name.clone(), tag: other.tag, fields }));
                }
                result
            }
            _ => no("another kind of type"),
        }
    }

    fn fields(
        &self,
        old_type: &'a TypeDescriptor,
        new_type: &'a TypeDescriptor,
        prefixes: (&str, &str),
        (old, new): (&'a [Field], &'a [Field]),
        trees: Option<&[(String, Tree)]>,
    ) -> Fit<Option<Vec<(String, Tree)>>> {
        let mut taken = Vec::new();
        let mut sources = self.moved_out(old, new, &mut taken)?;
        let answers = self.answers.of(&new_type.name, &old_type.name);
        let in_answers = |name: &str| format!("{}{name}", prefixes.0);
        let said = Said {
            renamed: &|name| {
                let new = answers?.rename.get(&in_answers(name))?;
                Some(if prefixes.0.is_empty() { new } else { new.rsplit('.').next().unwrap() }.to_owned())
            },
            ends: &|name| answers.is_some_and(|answers| answers.drop.contains(&in_answers(name))),
        };
        let is_moved = |number: usize| sources[number].is_some();
        let goes_on = continued(&field_names(old), &field_names(new), is_moved, &said)?;
        for path in sources.iter().flatten() {
            let first = path.split('.').next().unwrap();
            let stays = goes_on.iter().flatten().any(|name| name == first);
            if stays && self.owns(&self.resolve(old, path).unwrap().shape) {
                return no(format!("{path} would have two owners"));
            }
        }
        let around = Around { old: old_type, new: new_type, prefixes, answers, fields: old, continued: &goes_on };
        for (source, goes_on) in sources.iter_mut().zip(&goes_on) {
            *source = source.take().or_else(|| goes_on.clone());
        }
        let mut made: Vec<Option<Option<Tree>>> = vec![None; new.len()];
        for (number, field) in new.iter().enumerate() {
            let Some(path) = sources[number].clone() else { continue };
            let before = self.resolve(old, &path).unwrap();
            let default = around.default(field);
            let may_go = !path.contains('.') && around.is_acknowledged(&path);
            if may_go && self.fit(&before.shape, &field.shape, None, default).is_err() {
                // It ends, and another one of its name begins.
                sources[number] = None;
                continue;
            }
            if !loses_mark(old_type, new_type) {
                self.look_for_leaks(around, &path, field, false);
            }
            let tree = trees.map(|trees| find(trees, &path).unwrap());
            self.unmarked.set(false);
            let before_lossy = self.is_lossy.replace(around.is_lossy(&path, field));
            let value = self.fit(&before.shape, &field.shape, tree, default);
            self.is_lossy.set(before_lossy);
            let may_show = around.may_show(&path, field) || loses_mark(old_type, new_type);
            if self.unmarked.get() && !self.hides(around, field) && !may_show {
                self.leaks.set(true);
            }
            made[number] = Some(value.map_err(|why| format!("{path} as {}: {why}", field.name))?);
        }
        let added: Vec<&Field> =
            new.iter().zip(&sources).filter(|(_, source)| source.is_none()).map(|(field, _)| field).collect();
        for (number, field) in new.iter().enumerate() {
            if sources[number].is_none() {
                made[number] = Some(self.added(around, field, &mut taken, trees, false)?);
            }
        }
        for field in old {
            let goes_on = sources.iter().any(|source| source.as_ref() == Some(&field.name));
            if !goes_on {
                let tree = trees.map(|trees| find(trees, &field.name).unwrap());
                self.ended(around, &field.name, field, (&taken, &added), tree)?;
            }
        }
        let named = new.iter().zip(made).map(|(field, made)| Some((field.name.clone(), made.unwrap()?)));
        Ok(named.collect())
    }

    fn resolve(&self, fields: &'a [Field], path: &str) -> Option<&'a Field> {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let field = fields.iter().find(|field| field.name == first)?;
        rest.map_or(Some(field), |rest| self.resolve(self.parts(&field.shape)?, rest))
    }

    /// The fields of an old inline struct.
    fn parts(&self, shape: &Shape) -> Option<&'a [Field]> {
        match (shape, self.old) {
            (Shape::Inline(name), old) => match &old.get(name)?.body {
                Body::Struct(fields) => Some(fields),
                Body::Enum { .. } => None,
            },
            _ => None,
        }
    }

    /// Where fields that name a path into an inline struct come from.
    fn moved_out(&self, old: &'a [Field], new: &[Field], taken: &mut Vec<String>) -> Fit<Vec<Option<String>>> {
        let mut moved = vec![None; new.len()];
        for (number, field) in new.iter().enumerate() {
            let same = old.iter().find(|before| before.name == field.name);
            let Some(from) = field
                .attributes
                .from
                .as_ref()
                .filter(|from| same.is_none_or(|before| before.attributes.from.as_ref() != Some(from)))
            else {
                continue;
            };
            if self.resolve(old, from).is_none() {
                if same.is_none() && field.attributes.default.is_none() {
                    return no(format!("{from} is nothing"));
                }
                continue;
            }
            if !from.contains('.') {
                continue;
            }
            if same.is_some() || touches(taken, from) {
                return no(format!("{from} cannot move"));
            }
            taken.push(from.clone());
            moved[number] = Some(from.clone());
        }
        Ok(moved)
    }

    fn owns(&self, shape: &Shape) -> bool {
        match within(shape) {
            Shape::Inline(name) => fields_of(self.old.get(name).unwrap()).any(|field| self.owns(&field.shape)),
            shape => shape.is_owned_handle(),
        }
    }

    fn look_for_leaks(&self, around: Around<'a>, path: &str, field: &Field, is_hidden: bool) {
        let was = |fields: &'a [Field]| {
            let mut was = around.old.attributes.secret.is_some();
            let mut fields = fields;
            let mut names = path.split('.').peekable();
            while let Some(name) = names.next() {
                let field = fields.iter().find(|field| field.name == name).unwrap();
                was |= field.attributes.secret.is_some();
                if let (Some(_), Shape::Inline(name)) = (names.peek(), &field.shape) {
                    was |= self.old.get(name).unwrap().attributes.secret.is_some();
                    fields = self.parts(&field.shape).unwrap();
                }
            }
            was
        };
        if was(around.fields) && !is_hidden && !self.hides(around, field) && !around.may_show(path, field) {
            self.leaks.set(true);
        }
    }

    fn hides(&self, around: Around<'_>, field: &Field) -> bool {
        let inner = if let Shape::Inline(name) = &field.shape { self.new.get(name) } else { None };
        field.attributes.secret.is_some()
            || around.new.attributes.secret.is_some()
            || inner.is_some_and(|inner| inner.attributes.secret.is_some())
    }

    /// A new field that nothing goes on as.
    fn added(
        &self,
        around: Around<'a>,
        field: &'a Field,
        taken: &mut Vec<String>,
        trees: Option<&[(String, Tree)]>,
        is_hidden: bool,
    ) -> Fit<Option<Tree>> {
        if let Some(default) = around.default(field) {
            let value = literal(default, &field.shape, self.new);
            return value.map(Some).ok_or_else(|| format!("{default} is no {}", field.shape));
        }
        let gathered = match &field.shape {
            Shape::Inline(name) if self.says_sources(self.new.get(name).unwrap()) => self.new.get(name),
            _ => None,
        };
        let Some(described) = gathered else {
            let value = empty(&field.shape, self.new);
            return value.map(Some).ok_or_else(|| format!("{} has no empty value", field.shape));
        };
        let Body::Struct(parts) = &described.body else { panic!("{described:?}") };
        let is_hidden = is_hidden || self.hides(around, field);
        let before = self.successors.as_ref().map_err(Clone::clone)?;
        let before = self.new.types.iter().zip(before).find(|(new, _)| new.name == described.name).unwrap().1;
        let before = before.as_ref().and_then(|name| self.parts(&Shape::Inline(name.clone()))).unwrap_or_default();
        let mut made = Some(Vec::new());
        for part in parts {
            let said = |before: &&Field| before.name == part.name && before.attributes.from == part.attributes.from;
            let from = part.attributes.from.as_ref().filter(|_| !before.iter().any(|field| said(&field)));
            let source = from.and_then(|from| Some((from, self.resolve(around.fields, from)?)));
            let value = if let Some((from, source)) = source {
                let first = from.split('.').next().unwrap();
                let goes_on = around.continued.iter().flatten().any(|name| name == first);
                if goes_on || touches(taken, from) {
                    return no(format!("{from} is taken twice"));
                }
                taken.push(from.clone());
                self.look_for_leaks(around, from, part, is_hidden);
                let tree = trees.map(|trees| find(trees, from).unwrap());
                self.unmarked.set(false);
                let before_lossy = self.is_lossy.replace(around.is_lossy(from, part));
                let value = self.fit(&source.shape, &part.shape, tree, around.default(part));
                self.is_lossy.set(before_lossy);
                if self.unmarked.get() && !is_hidden && !self.hides(around, part) && !around.may_show(from, part) {
                    self.leaks.set(true);
                }
                value?
            } else {
                let value = self.added(around, part, taken, trees, is_hidden)?;
                if trees.is_some() { value } else { None }
            };
            made = made.zip(value).map(|(mut made, value)| {
                made.push((part.name.clone(), value));
                made
            });
        }
        Ok(made.map(Tree::Struct))
    }

    fn says_sources(&self, described: &TypeDescriptor) -> bool {
        let says = |field: &Field| {
            let inner = if let Shape::Inline(name) = &field.shape { self.new.get(name) } else { None };
            field.attributes.from.is_some()
                || field.attributes.default.is_some()
                || inner.is_some_and(|inner| self.says_sources(inner))
        };
        matches!(&described.body, Body::Struct(fields) if fields.iter().any(says))
    }

    /// An old field that does not go on as a whole: its values may go, or are empty.
    fn ended(
        &self,
        around: Around<'a>,
        path: &str,
        field: &'a Field,
        (taken, added): (&[String], &[&'a Field]),
        tree: Option<&Tree>,
    ) -> Fit<()> {
        if taken.iter().any(|taken| taken == path) {
            return Ok(());
        }
        if taken.iter().any(|taken| is_within(taken, path)) {
            for inner in self.parts(&field.shape).unwrap() {
                let tree = tree.map(|tree| match tree {
                    Tree::Struct(trees) => find(trees, &inner.name).unwrap(),
                    other => panic!("{other:?}"),
                });
                self.ended(around, &format!("{path}.{}", inner.name), inner, (taken, added), tree)?;
            }
            return Ok(());
        }
        if around.is_acknowledged(path) {
            return Ok(());
        }
        if !has_empty(&field.shape, self.old) {
            return no(format!("{path} ends, and may not"));
        }
        // Perhaps it was renamed; then even what is empty would not be what is new.
        let is_news = |added: &&&Field| {
            let default = around.default(added);
            let is_empty = |default: &str| ["None", "\"\"", "]"].iter().any(|none| default.starts_with(none));
            default.is_some_and(|default| !is_empty(default.trim_start_matches('[')))
                && self.fit(&field.shape, &added.shape, None, None).is_ok()
        };
        if let Some(added) = added.iter().find(is_news) {
            return no(format!("{path} ends, or is {}", added.name));
        }
        if tree.is_none_or(is_empty) { Ok(()) } else { no(format!("{path} ends, and holds {tree:?}")) }
    }
}

fn loses_mark(old: &TypeDescriptor, new: &TypeDescriptor) -> bool {
    old.attributes.secret.is_some() && new.attributes.secret.is_none()
}

fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
}

fn touches(taken: &[String], path: &str) -> bool {
    taken.iter().any(|taken| taken == path || is_within(taken, path) || is_within(path, taken))
}

pub(super) fn fields_of(described: &TypeDescriptor) -> impl Iterator<Item = &Field> {
    let (fields, variants) = match &described.body {
        Body::Struct(fields) => (&fields[..], &[][..]),
        Body::Enum { variants, .. } => (&[][..], &variants[..]),
    };
    fields.iter().chain(variants.iter().flat_map(|variant| &variant.fields))
}
