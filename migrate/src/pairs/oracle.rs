//! What becomes of an old value, and whether it may, by the two schemas and the rules alone: names, attributes and
//! values, no plan and no bytes.
//!
//! Without a value, the same way is gone by the shapes alone: what is wrong then is wrong whatever the values are.

use std::cell::Cell;

use crate::sample::shapes::has_empty;
use crate::sample::tree::Tree;
use crate::sample::values::{compare_keys, empty, find, is_empty, literal, number};
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
    /// The old name of each new type, by names alone.
    pub(super) successors: Fit<Vec<Option<String>>>,
}

/// Whose fields are looked at.
#[derive(Clone, Copy)]
struct Around<'a> {
    old: &'a TypeDescriptor,
    new: &'a TypeDescriptor,
    /// What stands before the names of a variant's fields.
    prefix: &'a str,
    fields: &'a [Field],
    continued: &'a [Option<String>],
}

type Names<'a> = Vec<(&'a str, Vec<&'a str>)>;
type Fit<T> = Result<T, Reason>;

fn no<T>(why: impl Into<Reason>) -> Fit<T> {
    Err(why.into())
}

/// The old name that each new one continues. More than one way is a reason to ask.
fn continued(old: &Names<'_>, new: &Names<'_>, is_moved: impl Fn(usize) -> bool) -> Fit<Vec<Option<String>>> {
    let known = |name: &str| old.iter().find(|(old, _)| *old == name);
    let wanted = |number: usize| -> Vec<&str> {
        let (name, former) = &new[number];
        let same = known(name);
        let mut wanted: Vec<&str> = same.iter().map(|(name, _)| *name).collect();
        for was in former {
            let is_news = same.is_none_or(|(_, former)| !former.contains(was));
            if known(was).is_some() && is_news && !wanted.contains(was) {
                wanted.push(was);
            }
        }
        if is_moved(number) { vec![] } else { wanted }
    };
    let wanted: Vec<Vec<&str>> = (0..new.len()).map(wanted).collect();
    let all: Vec<&str> = wanted.iter().filter(|wanted| wanted.len() == 1).flatten().copied().collect();
    let is_one = |wanted: &Vec<&str>| {
        wanted.len() < 2 && wanted.iter().all(|name| all.iter().filter(|other| *other == name).count() == 1)
    };
    if wanted.iter().all(is_one) {
        Ok(wanted.into_iter().map(|wanted| wanted.first().map(|name| (*name).into())).collect())
    } else {
        no("names contradict each other")
    }
}

fn field_names(fields: &[Field]) -> Names<'_> {
    fields
        .iter()
        .map(|field| {
            let from = field.attributes.from.as_deref().filter(|from| !from.contains('.'));
            (&*field.name, field.attributes.was.iter().map(|was| &**was).chain(from).collect())
        })
        .collect()
}

fn names<'a, T>(all: &'a [T], name: impl Fn(&'a T) -> (&'a String, &'a [String])) -> Names<'a> {
    all.iter().map(name).map(|(name, was)| (&**name, was.iter().map(|was| &**was).collect())).collect()
}

fn nesting(shape: &Shape, is_list: bool) -> usize {
    match shape {
        Shape::List(inner) if is_list => 1 + nesting(inner, is_list),
        Shape::Array { element, .. } if !is_list => 1 + nesting(element, is_list),
        _ => 0,
    }
}

/// The type that lies in the shape itself, and in an array or option of it.
fn within(shape: &Shape) -> &Shape {
    match shape {
        Shape::Array { element: inner, .. } | Shape::Option { inner, .. } => within(inner),
        shape => shape,
    }
}

impl<'a> Oracle<'a> {
    pub(super) fn new(old: &'a Schema, new: &'a Schema) -> Self {
        let all = |schema: &'a Schema| names(&schema.types, |described| (&described.name, &described.attributes.was));
        Self {
            old,
            new,
            leaks: Cell::new(false),
            unmarked: Cell::new(false),
            successors: continued(&all(old), &all(new), |_| false),
        }
    }

    pub(super) fn successor(&self, old: &str) -> Fit<&'a TypeDescriptor> {
        let at = self.successors.as_ref().map_err(Clone::clone)?.iter().position(|name| name.as_deref() == Some(old));
        at.map_or_else(|| no(format!("no type goes on from {old}")), |at| Ok(&self.new.types[at]))
    }

    /// A value of an old type as one of the type that goes on from it.
    pub(super) fn named(&self, old: &'a TypeDescriptor, tree: Option<&Tree>) -> Fit<Option<Tree>> {
        let new = self.successor(&old.name)?;
        if old.attributes.secret.is_some() && new.attributes.secret.is_none() {
            self.leaks.set(true);
        }
        match (&old.body, &new.body) {
            (Body::Struct(before), Body::Struct(after)) => {
                let trees = tree.map(|tree| match tree {
                    Tree::Struct(trees) => &trees[..],
                    other => panic!("{other:?}"),
                });
                Ok(self.fields(old, new, "", (before, after), trees)?.map(Tree::Struct))
            }
            (Body::Enum { variants: before, .. }, Body::Enum { variants: after, .. }) => {
                let all = |variants: &'a [Variant]| names(variants, |variant| (&variant.name, &variant.was));
                let goes_on = continued(&all(before), &all(after), |_| false)?;
                let mut result = Ok(None);
                for one in before {
                    let other = goes_on.iter().position(|name| name.as_ref() == Some(&one.name));
                    let trees = match tree {
                        Some(Tree::Variant { name, fields, .. }) if *name == one.name => Some(&fields[..]),
                        Some(_) => continue,
                        None => None,
                    };
                    let Some(other) = other.map(|other| &after[other]) else {
                        if trees.is_some() {
                            return no(format!("{} is no more", one.name));
                        }
                        continue;
                    };
                    let prefix = format!("{}.", one.name);
                    let fields = self.fields(old, new, &prefix, (&one.fields, &other.fields), trees)?;
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
        prefix: &str,
        (old, new): (&'a [Field], &'a [Field]),
        trees: Option<&[(String, Tree)]>,
    ) -> Fit<Option<Vec<(String, Tree)>>> {
        let mut taken = Vec::new();
        let mut sources = self.moved_out(old, new, &mut taken)?;
        let goes_on = continued(&field_names(old), &field_names(new), |number| sources[number].is_some())?;
        let around = Around { old: old_type, new: new_type, prefix, fields: old, continued: &goes_on };
        for (source, goes_on) in sources.iter_mut().zip(&goes_on) {
            *source = source.take().or_else(|| goes_on.clone());
        }
        let mut made: Vec<Option<Option<Tree>>> = vec![None; new.len()];
        for (number, field) in new.iter().enumerate() {
            let Some(path) = sources[number].clone() else { continue };
            let before = self.resolve(old, &path).unwrap();
            let default = field.attributes.default.as_deref();
            let may_go = !path.contains('.') && is_acknowledged(around, &path);
            if may_go && self.fit(&before.shape, &field.shape, None, default).is_err() {
                // It ends, and another one of its name begins.
                sources[number] = None;
                continue;
            }
            self.look_for_leaks(around, &path, field, false);
            let tree = trees.map(|trees| find(trees, &path).unwrap());
            self.unmarked.set(false);
            let value = self.fit(&before.shape, &field.shape, tree, default);
            if self.unmarked.get() && !self.hides(around, field) {
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
            let Some(source) = self.resolve(old, from) else {
                if same.is_none() && field.attributes.default.is_none() {
                    return no(format!("{from} is nothing"));
                }
                continue;
            };
            let Some((first, _)) = from.split_once('.') else { continue };
            let stays = new.iter().any(|after| after.name == first);
            if same.is_some() || touches(taken, from) || (stays && self.owns(&source.shape)) {
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
        if was(around.fields) && !is_hidden && !self.hides(around, field) {
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
        if let Some(default) = &field.attributes.default {
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
                let value = self.fit(&source.shape, &part.shape, tree, part.attributes.default.as_deref());
                if self.unmarked.get() && !is_hidden && !self.hides(around, part) {
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
        if is_acknowledged(around, path) {
            return Ok(());
        }
        if !has_empty(&field.shape, self.old) {
            return no(format!("{path} ends, and may not"));
        }
        // Perhaps it was renamed; then even what is empty would not be what is new.
        let is_news = |added: &&&Field| {
            let default = added.attributes.default.as_deref();
            let is_empty = |default: &str| ["None", "\"\"", "]"].iter().any(|none| default.starts_with(none));
            default.is_some_and(|default| !is_empty(default.trim_start_matches('[')))
                && self.fit(&field.shape, &added.shape, None, None).is_ok()
        };
        if let Some(added) = added.iter().find(is_news) {
            return no(format!("{path} ends, or is {}", added.name));
        }
        if tree.is_none_or(is_empty) { Ok(()) } else { no(format!("{path} ends, and holds {tree:?}")) }
    }

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

fn is_acknowledged(around: Around<'_>, path: &str) -> bool {
    let named = |path: &str| around.new.attributes.dropped.contains(&format!("{}{path}", around.prefix));
    named(path) || path.rsplit_once('.').is_some_and(|(outer, _)| is_acknowledged(around, outer))
}

fn inside(tree: &Tree) -> &Tree {
    let Tree::Something(tree) = tree else { panic!("{tree:?}") };
    tree
}

fn listed(tree: &Tree) -> &[Tree] {
    let Tree::List(trees) = tree else { panic!("{tree:?}") };
    trees
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
