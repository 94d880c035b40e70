//! Which old name a new one continues.

use super::{Fit, no};
use crate::schema::Field;

type Names<'a> = Vec<(&'a str, Vec<&'a str>)>;
/// What answers say of names: the new one of an old one, and whether an old one ends.
pub(super) struct Said<'s> {
    pub(super) renamed: &'s dyn Fn(&str) -> Option<String>,
    pub(super) ends: &'s dyn Fn(&str) -> bool,
}

/// The old name that each new one continues. More than one way is a reason to ask.
pub(super) fn continued(
    old: &Names<'_>,
    new: &Names<'_>,
    is_moved: impl Fn(usize) -> bool,
    said: &Said<'_>,
) -> Fit<Vec<Option<String>>> {
    let mut given: Vec<Option<&str>> = vec![None; new.len()];
    for &(name, _) in old.iter().filter(|(name, _)| !(said.ends)(name)) {
        let to = (said.renamed)(name).and_then(|to| new.iter().position(|(name, _)| *name == to));
        if let Some(to) = to.filter(|&to| !is_moved(to) && given[to].is_none()) {
            given[to] = Some(name);
        }
    }
    let known = |name: &str| {
        let is_free = !(said.ends)(name) && !given.contains(&Some(name));
        old.iter().find(|(old, _)| *old == name).filter(|_| is_free)
    };
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
        if is_moved(number) || given[number].is_some() { vec![] } else { wanted }
    };
    let wanted: Vec<Vec<&str>> = (0..new.len()).map(wanted).collect();
    let all: Vec<&str> = wanted.iter().filter(|wanted| wanted.len() == 1).flatten().copied().collect();
    let is_one = |wanted: &Vec<&str>| {
        wanted.len() < 2 && wanted.iter().all(|name| all.iter().filter(|other| *other == name).count() == 1)
    };
    if wanted.iter().all(is_one) {
        let goes_on = wanted.iter().zip(given).map(|(wanted, given)| given.or_else(|| wanted.first().copied()));
        Ok(goes_on.map(|name| name.map(str::to_owned)).collect())
    } else {
        no("names contradict each other")
    }
}

pub(super) fn field_names(fields: &[Field]) -> Names<'_> {
    fields
        .iter()
        .map(|field| {
            let from = field.attributes.from.as_deref().filter(|from| !from.contains('.'));
            (&*field.name, field.attributes.was.iter().map(|was| &**was).chain(from).collect())
        })
        .collect()
}

pub(super) fn names<'a, T>(all: &'a [T], name: impl Fn(&'a T) -> (&'a String, &'a [String])) -> Names<'a> {
    all.iter().map(name).map(|(name, was)| (&**name, was.iter().map(|was| &**was).collect())).collect()
}
