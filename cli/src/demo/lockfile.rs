//! The tour's input: a Cargo.lock, real data with a graph in it that everybody has at hand.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use crate::failure::Failure;

/// The one that this command was built with.
const BUILT_IN: &str = include_str!("../../../Cargo.lock");

/// A package of a lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Checksum of its archive; packages of the workspace have none.
    pub(crate) checksum: Option<String>,
    /// Positions of the packages it depends on.
    pub(crate) dependencies: Vec<usize>,
}

/// Reads the packages of the Cargo.lock at `path`, or of the built-in one.
///
/// # Errors
/// When it cannot be read; IMG-0202 when it is no Cargo.lock.
pub(crate) fn read(path: Option<&Path>) -> Result<Vec<Package>, Failure> {
    match path {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
                std::io::ErrorKind::InvalidData => Failure::new("IMG-0202", format!("{} is not text", path.display())),
                _ => Failure::reading(path, &error),
            })?;
            parse(&text)
                .map_err(|why| Failure::new("IMG-0202", format!("{} is no Cargo.lock", path.display())).cause(why))
        }
        None => parse(BUILT_IN).map_err(|why| Failure::new("IMG-0202", "the built-in Cargo.lock is none").cause(why)),
    }
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

fn parse(text: &str) -> Result<Vec<Package>, String> {
    let lock: Lock = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    if lock.package.is_empty() {
        return Err("it has no [[package]]".into());
    }
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (position, entry) in lock.package.iter().enumerate() {
        by_name.entry(&entry.name).or_default().push(position);
    }
    let positions = |entry: &Entry| {
        let found = entry.dependencies.iter().map(|dependency| {
            let candidates = dependency.split(' ').next().and_then(|name| by_name.get(name));
            resolve(dependency, candidates.map_or(&[], Vec::as_slice), &lock.package)
                .ok_or_else(|| format!("{} depends on {dependency}, which is not exactly one package", entry.name))
        });
        found.collect::<Result<Vec<_>, _>>()
    };
    let dependencies = lock.package.iter().map(positions).collect::<Result<Vec<_>, _>>()?;
    let whole = |(entry, dependencies): (Entry, _)| Package {
        name: entry.name,
        version: entry.version,
        checksum: entry.checksum,
        dependencies,
    };
    Ok(lock.package.into_iter().zip(dependencies).map(whole).collect())
}

/// Cargo writes `name`, `name version` or `name version (source)`: as much as is needed to tell packages apart.
fn resolve(dependency: &str, candidates: &[usize], packages: &[Entry]) -> Option<usize> {
    let mut parts = dependency.splitn(3, ' ').skip(1);
    let version = parts.next();
    let source = parts.next().map(|source| source.trim_start_matches('(').trim_end_matches(')'));
    let fits = |position: &usize| {
        let entry = &packages[*position];
        version.is_none_or(|version| version == entry.version)
            && source.is_none_or(|source| entry.source.as_deref() == Some(source))
    };
    let mut fitting = candidates.iter().copied().filter(fits);
    let found = fitting.next();
    found.filter(|_| fitting.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_one_is_this_workspaces() {
        let packages = read(None).unwrap();
        let cli = packages.iter().find(|package| package.name == "cli").expect("this crate is in it");
        assert_eq!(cli.checksum, None);
        let names: Vec<&str> = cli.dependencies.iter().map(|&position| packages[position].name.as_str()).collect();
        assert!(names.contains(&"clap") && names.contains(&"heap"), "{names:?}");
        let clap = packages.iter().find(|package| package.name == "clap").unwrap();
        assert_eq!(clap.checksum.as_ref().map(String::len), Some(64));
    }

    #[test]
    fn dependencies_are_told_apart_by_version_and_source() {
        let packages = parse(
            r#"
            version = 4
            [[package]]
            name = "a"
            version = "1.0.0"
            source = "registry"
            [[package]]
            name = "a"
            version = "1.0.0"
            source = "git"
            [[package]]
            name = "a"
            version = "2.0.0"
            [[package]]
            name = "b"
            version = "0.1.0"
            dependencies = ["a 2.0.0", "a 1.0.0 (git)", "b"]
            "#,
        )
        .unwrap();
        assert_eq!(packages[3].dependencies, [2, 1, 3]);
    }

    #[test]
    fn what_is_no_lock_file_is_refused_with_the_reason() {
        let refused = [
            ("", "no [[package]]"),
            ("[[package]]\nname = 1", "string"),
            ("= nonsense", ""),
            ("[[package]]\nname = \"a\"\nversion = \"1\"\ndependencies = [\"b\"]", "a depends on b"),
            ("[[package]]\nname = \"a\"\nversion = \"1\"\ndependencies = [\"\"]", "a depends on"),
        ];
        for (text, why) in refused {
            let reason = parse(text).unwrap_err();
            assert!(reason.contains(why), "{reason}");
        }
    }

    #[test]
    fn one_name_twice_is_not_enough_to_depend_on() {
        let twice = "[[package]]\nname = \"a\"\nversion = \"1\"\n".repeat(2);
        let text = format!("{twice}[[package]]\nname = \"b\"\nversion = \"1\"\ndependencies = [\"a\"]");
        assert!(parse(&text).unwrap_err().contains("not exactly one"));
    }
}
