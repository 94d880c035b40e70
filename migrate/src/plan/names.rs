//! What goes on under which name.
//!
//! A new name continues the old one that an answer gives it, else the old one of the same name, else the one that it
//! says it had. Where these contradict each other, nothing is matched and the plan asks: a former name may have been
//! given up long ago, or may be what was renamed just now.

use std::collections::{BTreeMap, HashMap};

/// A type, field or variant as far as its name goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) name: &'a str,
    pub(super) was: &'a [String],
    /// One more former name.
    pub(super) from: Option<&'a str>,
}

impl<'a> Named<'a> {
    pub(super) const fn new(name: &'a str, was: &'a [String]) -> Self {
        Self { name, was, from: None }
    }

    fn former(self) -> impl Iterator<Item = &'a str> {
        self.was.iter().map(|name| &**name).chain(self.from)
    }
}

/// Which new position continues which old one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Matched {
    pub(super) old_of: Vec<Option<usize>>,
    pub(super) new_of: Vec<Option<usize>>,
    pub(super) clashes: Vec<Clash>,
}

/// A new position that could continue more than one old one, or an old one that others want too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clash {
    pub(super) new: usize,
    pub(super) old: Vec<usize>,
}

/// What has been said about names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    /// From old to new.
    pub(super) renames: Option<&'a BTreeMap<String, String>>,
    /// What stands before names in `renames`.
    pub(super) prefix: &'a str,
}

impl Said<'_> {
    fn new_name(&self, old: &str) -> Option<&str> {
        let renames = self.renames.filter(|renames| !renames.is_empty())?;
        let new = if self.prefix.is_empty() { renames.get(old) } else { renames.get(&format!("{}{old}", self.prefix)) };
        // A variant may have another name than its prefix says; fields' names have no dots.
        let bare = |new: &'_ String| if self.prefix.is_empty() { 0 } else { new.rfind('.').map_or(0, |dot| dot + 1) };
        new.map(|new| &new[bare(new)..])
    }
}

/// `gone` are old positions that end here, `fresh` new ones that have another source.
pub(super) fn match_names(
    old: &[Named<'_>],
    new: &[Named<'_>],
    said: Said<'_>,
    gone: impl Fn(usize) -> bool,
    fresh: impl Fn(usize) -> bool,
) -> Matched {
    let mut matched = Matched { old_of: vec![None; new.len()], new_of: vec![None; old.len()], clashes: Vec::new() };
    if let Some(same) = all_same(old, new, said, &gone, &fresh) {
        return same;
    }
    let old_at: HashMap<&str, usize> = old.iter().enumerate().map(|(at, named)| (named.name, at)).collect();
    let new_at: HashMap<&str, usize> = new.iter().enumerate().map(|(at, named)| (named.name, at)).collect();
    for (from, named) in old.iter().enumerate() {
        let to = said.new_name(named.name).and_then(|name| new_at.get(name).copied());
        if let Some(to) = to.filter(|&to| !gone(from) && !fresh(to) && matched.old_of[to].is_none()) {
            matched.old_of[to] = Some(from);
            matched.new_of[from] = Some(to);
        }
    }
    let mut wants: Vec<Vec<usize>> = vec![Vec::new(); new.len()];
    let mut wanted = vec![0_usize; old.len()];
    for (to, named) in new.iter().enumerate() {
        if matched.old_of[to].is_some() || fresh(to) {
            continue;
        }
        let free = |name: &str| old_at.get(name).copied().filter(|&at| matched.new_of[at].is_none() && !gone(at));
        let same = free(named.name);
        wants[to].extend(same);
        // What the old program said already is no news: the old name was another thing's then.
        let known = |name: &str| same.is_some_and(|at| old[at].former().any(|former| former == name));
        for name in named.former().filter(|&name| name != named.name && !known(name)) {
            if let Some(at) = free(name).filter(|at| !wants[to].contains(at)) {
                wants[to].push(at);
            }
        }
        if let [only] = wants[to][..] {
            wanted[only] += 1;
        }
    }
    for (to, wants) in wants.into_iter().enumerate() {
        match wants[..] {
            [] => {}
            [only] if wanted[only] == 1 => {
                matched.old_of[to] = Some(only);
                matched.new_of[only] = Some(to);
            }
            _ => matched.clashes.push(Clash { new: to, old: wants }),
        }
    }
    matched
}

/// The common case without a table: the same names in the same order, and no news about them.
fn all_same(
    old: &[Named<'_>],
    new: &[Named<'_>],
    said: Said<'_>,
    gone: impl Fn(usize) -> bool,
    fresh: impl Fn(usize) -> bool,
) -> Option<Matched> {
    let same = |(at, (old, new)): (usize, (&Named<'_>, &Named<'_>))| {
        let nothing_new = (new.was.is_empty() && new.from.is_none()) || (old.was == new.was && old.from == new.from);
        old.name == new.name && nothing_new && said.new_name(old.name).is_none() && !gone(at) && !fresh(at)
    };
    let all: Vec<Option<usize>> = (0..old.len()).map(Some).collect();
    (old.len() == new.len() && old.iter().zip(new).enumerate().all(same)).then(|| Matched {
        old_of: all.clone(),
        new_of: all,
        clashes: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(old: &[(&str, &[&str])], new: &[(&str, &[&str])], renames: &[(&str, &str)]) -> Matched {
        let own = |list: &[(&str, &[&str])]| -> Vec<(String, Vec<String>)> {
            list.iter().map(|(name, was)| ((*name).into(), was.iter().map(|&was| was.into()).collect())).collect()
        };
        let (old, new) = (own(old), own(new));
        let renames = renames.iter().map(|&(old, new)| (old.into(), new.into())).collect();
        let said = Said { renames: Some(&renames), prefix: "" };
        match_names(&named(&old), &named(&new), said, |_| false, |_| false)
    }

    fn named(list: &[(String, Vec<String>)]) -> Vec<Named<'_>> {
        list.iter().map(|(name, was)| Named::new(name, was)).collect()
    }

    #[test]
    fn names_and_former_names_go_on() {
        assert_eq!(matched(&[("a", &[]), ("b", &[])], &[("b", &[]), ("a", &[])], &[]).old_of, [Some(1), Some(0)]);
        assert_eq!(matched(&[("a", &[])], &[("b", &["a"])], &[]).old_of, [Some(0)]);
        assert_eq!(matched(&[("a", &[])], &[("b", &[])], &[]).old_of, [None]);
        assert_eq!(matched(&[("a", &[])], &[("b", &[])], &[("a", "b")]).old_of, [Some(0)]);
    }

    #[test]
    fn a_former_name_that_was_known_before_is_no_news() {
        let both: &[(&str, &[&str])] = &[("title", &["name"]), ("name", &[])];
        let same = matched(both, both, &[]);
        assert_eq!((same.old_of, same.clashes), (vec![Some(0), Some(1)], vec![]));
        let swapped: &[(&str, &[&str])] = &[("a", &["b"]), ("b", &["a"])];
        assert_eq!(matched(swapped, swapped, &[]).clashes, []);
    }

    #[test]
    fn contradictions_are_not_decided() {
        // Crossed names, one old name wanted twice, and two former names that are both there.
        let crossed = matched(&[("a", &[]), ("b", &[])], &[("a", &["b"]), ("b", &["a"])], &[]);
        assert_eq!((crossed.old_of, crossed.clashes.len()), (vec![None, None], 2));
        let twice = matched(&[("name", &[])], &[("title", &["name"]), ("name", &[])], &[]);
        assert_eq!((twice.old_of, twice.clashes.len()), (vec![None, None], 2));
        let two = matched(&[("a", &[]), ("b", &[])], &[("c", &["a", "b"])], &[]);
        assert_eq!((two.new_of, two.clashes.len()), (vec![None, None], 1));
    }

    #[test]
    fn an_answer_decides_them() {
        let old: &[(&str, &[&str])] = &[("a", &[]), ("b", &[])];
        let crossed = matched(old, &[("a", &["b"]), ("b", &["a"])], &[("a", "b"), ("b", "a")]);
        assert_eq!((crossed.old_of, crossed.clashes), (vec![Some(1), Some(0)], vec![]));
        let new = matched(&[("name", &[])], &[("title", &["name"]), ("name", &[])], &[("name", "title")]);
        assert_eq!((new.old_of, new.clashes), (vec![Some(0), None], vec![]));
    }
}
