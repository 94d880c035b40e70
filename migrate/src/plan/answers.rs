//! What people have decided about one migration, and the file it is kept in.
//!
//! ```toml
//! drop_types = ["Audit"]            # types whose records go
//!
//! [rename]                          # types: old name = new name
//! Old = "New"
//!
//! [Node]                            # a type, by its new name, or by its old one
//! rename = { name = "title" }       # fields, or the variants of an enum: old name = new name
//! drop = ["name"]                   # old fields whose values go
//! lossy = ["score"]                 # floats that may be rounded
//! default = { flags = "7" }         # what old records get in a new field, as source text
//! unsecret = ["token"]              # lose their secret mark; "*" is the type itself
//! keep_secret = ["token"]           # stay secret although the program does not say so
//! becomes = { Square = "Circle" }   # values of an old variant become another one
//! ```
//!
//! Fields of a variant are named with it: `"Circle.radius"`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;

use super::question::{Fault, key, quoted};
use super::secrets::WHOLE;
use crate::schema::{Body, Schema, TypeDescriptor};

/// The longest file of answers that is read, in bytes.
pub const MAX_ANSWERS: usize = 1024 * 1024;

/// What has been decided about a migration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answers {
    /// Types by old name, and their new names.
    pub rename: BTreeMap<String, String>,
    /// Old types whose records go.
    pub drop_types: BTreeSet<String>,
    /// Answers by type.
    pub types: BTreeMap<String, TypeAnswers>,
    /// New names of the types whose values the program's hooks make. They are no part of the file.
    pub hooks: BTreeSet<String>,
}

/// What has been decided about one type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TypeAnswers {
    /// Fields or variants by old name, and their new names.
    pub rename: BTreeMap<String, String>,
    /// Old fields whose values go.
    pub drop: BTreeSet<String>,
    /// Fields whose floats may be rounded to the nearest.
    pub lossy: BTreeSet<String>,
    /// What old records get in new fields, as source text.
    pub default: BTreeMap<String, String>,
    /// Fields that lose their secret mark; `*` is the type itself.
    pub unsecret: BTreeSet<String>,
    /// Fields that stay secret although the program does not say so; `*` is the type itself.
    pub keep_secret: BTreeSet<String>,
    /// Old variants whose values become other ones.
    pub becomes: BTreeMap<String, String>,
}

/// Why a file of answers cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswersError {
    /// It is too long.
    #[error("{0} bytes are too many for answers")]
    TooLong(usize),
    /// It is not TOML.
    #[error("the answers cannot be read: {0}")]
    Syntax(String),
    /// It says something that is no answer.
    #[error("{place}: {what}")]
    Unknown {
        /// The key.
        place: String,
        /// What is wrong with it.
        what: String,
    },
}

impl Answers {
    /// Reads a file of answers.
    ///
    /// # Errors
    /// When it is too long, is not TOML, or has a key that means nothing.
    pub fn from_toml(text: &str) -> Result<Self, AnswersError> {
        if text.len() > MAX_ANSWERS {
            return Err(AnswersError::TooLong(text.len()));
        }
        let table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| AnswersError::Syntax(error.to_string()))?;
        let mut answers = Self::default();
        for (name, value) in table {
            match (&*name, value) {
                ("rename", value) => answers.rename = texts_by_name("rename", value)?,
                ("drop_types", value) => answers.drop_types = texts("drop_types", value)?,
                (_, toml::Value::Table(table)) => {
                    let known = TypeAnswers::read(&name, table)?;
                    answers.types.insert(name, known);
                }
                _ => return Err(unknown(&name, "is neither rename, drop_types nor the table of a type")),
            }
        }
        Ok(answers)
    }

    /// What one line of a [choice](crate::Choice) means, which [`between`](crate::Plan::between) wrote for people:
    /// `[Node] rename = { name = "title" }` or `drop_types = ["Audit"]`.
    pub fn from_line(line: &str) -> Option<Self> {
        // A table's name and its key are on one line for people only.
        let text = if line.starts_with('[') { split_header(line)? } else { line.to_owned() };
        Self::from_toml(&text).ok()
    }

    /// Adds other answers.
    pub fn add(&mut self, more: Self) {
        self.rename.extend(more.rename);
        self.drop_types.extend(more.drop_types);
        self.hooks.extend(more.hooks);
        for (name, more) in more.types {
            let TypeAnswers { rename, drop, lossy, default, unsecret, keep_secret, becomes } = more;
            let known = self.types.entry(name).or_default();
            known.rename.extend(rename);
            known.drop.extend(drop);
            known.lossy.extend(lossy);
            known.default.extend(default);
            known.unsecret.extend(unsecret);
            known.keep_secret.extend(keep_secret);
            known.becomes.extend(becomes);
        }
    }

    /// The file of these answers. The same answers give the same text.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        put_texts(&mut text, "drop_types", &self.drop_types);
        if !self.rename.is_empty() {
            put_header(&mut text, "rename");
            for (old, new) in &self.rename {
                // Writing into a string does not fail.
                let _ = writeln!(text, "{} = {}", key(old), quoted(new));
            }
        }
        for (name, answers) in &self.types {
            put_header(&mut text, &key(name));
            put_named(&mut text, "rename", &answers.rename);
            put_texts(&mut text, "drop", &answers.drop);
            put_texts(&mut text, "lossy", &answers.lossy);
            put_named(&mut text, "default", &answers.default);
            put_texts(&mut text, "unsecret", &answers.unsecret);
            put_texts(&mut text, "keep_secret", &answers.keep_secret);
            put_named(&mut text, "becomes", &answers.becomes);
        }
        text
    }

    /// The answers about a type, which are found by its new name, or else by its old one.
    pub fn of(&self, new: &str, old: &str) -> Option<&TypeAnswers> {
        if self.types.is_empty() {
            return None;
        }
        self.types.get(new).or_else(|| self.types.get(old))
    }

    /// What names nothing: answers are written for one migration, and a name with a slip in it must not be passed over.
    pub fn faults(&self, old: &Schema, new: &Schema) -> Vec<Fault> {
        let mut faults = Vec::new();
        if *self == Self::default() {
            return faults;
        }
        let old_types: BTreeMap<&str, &TypeDescriptor> = by_name(old);
        let new_types: BTreeMap<&str, &TypeDescriptor> = by_name(new);
        let mut fault = |place: &str, what: String| faults.push(Fault { place: place.to_owned(), what });
        let mut targets = HashSet::new();
        for (before, after) in &self.rename {
            if !old_types.contains_key(&**before) {
                fault("[rename]", format!("the heap has no type {before}"));
            }
            if !new_types.contains_key(&**after) {
                fault("[rename]", format!("the program has no type {after}"));
            }
            if !targets.insert(after) {
                fault("[rename]", format!("two types become {after}"));
            }
        }
        for name in self.drop_types.iter().filter(|name| !old_types.contains_key(&***name)) {
            fault("drop_types", format!("the heap has no type {name}"));
        }
        for name in self.hooks.iter().filter(|name| !new_types.contains_key(&***name)) {
            fault("hooks", format!("the program has no type {name}"));
        }
        for (name, answers) in &self.types {
            let was = self.rename.iter().find(|(_, after)| *after == name).map(|(before, _)| &**before);
            let declared = new_types.get(&**name).map_or(&[][..], |described| &described.attributes.was[..]);
            let mut olds = was.into_iter().chain([&**name]).chain(declared.iter().map(|was| &**was));
            let becomes = self.rename.get(name).map(|after| &**after);
            let before = olds.find_map(|name| old_types.get(name)).copied();
            let mut after = becomes.or(Some(name)).and_then(|name| new_types.get(name)).copied();
            if after.is_none() {
                after = new_types.values().find(|described| described.attributes.was.contains(name)).copied();
            }
            if before.is_none() && after.is_none() {
                fault(&format!("[{}]", key(name)), "there is no type of this name".into());
                continue;
            }
            let (old_names, new_names) = (names(before), names(after));
            answers.check(&old_names, &new_names, &mut |key_name, what| {
                fault(&format!("[{}] {key_name}", key(name)), what);
            });
        }
        faults
    }
}

impl TypeAnswers {
    fn read(name: &str, table: toml::Table) -> Result<Self, AnswersError> {
        let mut answers = Self::default();
        for (known, value) in table {
            let place = format!("[{}] {known}", key(name));
            match &*known {
                "rename" => answers.rename = texts_by_name(&place, value)?,
                "drop" => answers.drop = texts(&place, value)?,
                "lossy" => answers.lossy = texts(&place, value)?,
                "default" => answers.default = texts_by_name(&place, value)?,
                "unsecret" => answers.unsecret = texts(&place, value)?,
                "keep_secret" => answers.keep_secret = texts(&place, value)?,
                "becomes" => answers.becomes = texts_by_name(&place, value)?,
                _ => {
                    let known = "there are rename, drop, lossy, default, unsecret, keep_secret and becomes";
                    return Err(unknown(&place, &format!("is no answer; {known}")));
                }
            }
        }
        Ok(answers)
    }

    fn check(&self, old: &BTreeSet<String>, new: &BTreeSet<String>, fault: &mut dyn FnMut(&str, String)) {
        // What lies in a field can be named too; the planner holds its name against the field's shape.
        let is_old = |name: &str| {
            old.contains(name) || name.split('.').next().is_some_and(|first| old.contains(first) && name.contains('.'))
        };
        for (key, olds) in [("rename", &self.rename), ("becomes", &self.becomes)] {
            let mut targets = HashSet::new();
            for (before, after) in olds {
                if !old.contains(before) {
                    fault(key, format!("the old type has no {before}"));
                }
                if !new.contains(after) {
                    fault(key, format!("the new type has no {after}"));
                }
                if key == "rename" && !targets.insert(after) {
                    fault(key, format!("two become {after}"));
                }
            }
        }
        for name in self.drop.iter().filter(|name| !is_old(name)) {
            fault("drop", format!("the old type has no {name}"));
        }
        for name in self.default.keys().filter(|name| !new.contains(*name)) {
            fault("default", format!("the new type has no {name}"));
        }
        for (key, both) in [("lossy", &self.lossy), ("unsecret", &self.unsecret), ("keep_secret", &self.keep_secret)] {
            for name in both.iter().filter(|name| !is_old(name) && !new.contains(*name)) {
                if key == "lossy" || name != WHOLE {
                    fault(key, format!("the type has no {name}"));
                }
            }
        }
        for before in self.rename.keys().filter(|before| self.drop.contains(*before)) {
            fault("drop", format!("{before} is renamed as well"));
        }
        for name in self.unsecret.intersection(&self.keep_secret) {
            fault("unsecret", format!("{name} is kept secret as well"));
        }
    }
}

fn by_name(schema: &Schema) -> BTreeMap<&str, &TypeDescriptor> {
    schema.types.iter().map(|described| (&*described.name, described)).collect()
}

/// The names that answers can use of a type.
fn names(described: Option<&TypeDescriptor>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    match described.map(|described| &described.body) {
        Some(Body::Struct(fields)) => names.extend(fields.iter().map(|field| field.name.clone())),
        Some(Body::Enum { variants, .. }) => {
            for variant in variants {
                names.insert(variant.name.clone());
                names.extend(variant.fields.iter().map(|field| format!("{}.{}", variant.name, field.name)));
            }
        }
        None => {}
    }
    names
}

fn unknown(place: &str, what: &str) -> AnswersError {
    AnswersError::Unknown { place: place.to_owned(), what: what.to_owned() }
}

fn texts(place: &str, value: toml::Value) -> Result<BTreeSet<String>, AnswersError> {
    let toml::Value::Array(values) = value else { return Err(unknown(place, "is a list of names, as [\"name\"]")) };
    let name = |value| match value {
        toml::Value::String(name) => Ok(name),
        _ => Err(unknown(place, "is a list of names, as [\"name\"]")),
    };
    values.into_iter().map(name).collect()
}

fn texts_by_name(place: &str, value: toml::Value) -> Result<BTreeMap<String, String>, AnswersError> {
    let toml::Value::Table(table) = value else {
        return Err(unknown(place, "is a table of names, as { name = \"title\" }"));
    };
    let pair = |(name, value)| match value {
        toml::Value::String(text) => Ok((name, text)),
        _ => Err(unknown(place, &format!("{name} stands for a text, as \"title\""))),
    };
    table.into_iter().map(pair).collect()
}

fn put_header(text: &mut String, name: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "[{name}]");
}

fn put_texts(text: &mut String, name: &str, texts: &BTreeSet<String>) {
    if !texts.is_empty() {
        let list: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
        let _ = writeln!(text, "{name} = [{}]", list.join(", "));
    }
}

fn put_named(text: &mut String, name: &str, texts: &BTreeMap<String, String>) {
    if !texts.is_empty() {
        let list: Vec<_> = texts.iter().map(|(name, text)| format!("{} = {}", key(name), quoted(text))).collect();
        let _ = writeln!(text, "{name} = {{ {} }}", list.join(", "));
    }
}

/// The header of a table on a line of its own; a name in quotes may hold brackets.
fn split_header(line: &str) -> Option<String> {
    let mut in_quotes = false;
    let mut escaped = false;
    for (at, character) in line.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_quotes => escaped = true,
            '"' => in_quotes = !in_quotes,
            ']' if !in_quotes => return Some(format!("{}\n{}", &line[..=at], &line[at + 1..])),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
drop_types = [\"Audit\"]

[rename]
Old = \"New\"

[Node]
rename = { name = \"title\" }
drop = [\"weight\"]
lossy = [\"score\"]
default = { flags = \"7\" }

[\"Pair<u8>\"]
becomes = { Square = \"Circle\" }

[User]
unsecret = [\"*\", \"token\"]
keep_secret = [\"key\"]
";

    #[test]
    fn a_file_of_answers_comes_back_letter_by_letter() {
        let answers = Answers::from_toml(FILE).unwrap();
        assert_eq!(answers.rename["Old"], "New");
        assert_eq!(answers.types["Node"].rename["name"], "title");
        assert_eq!(answers.to_toml(), FILE);
    }

    #[test]
    fn names_with_anything_in_them_come_back() {
        let mut answers = Answers::default();
        for name in ["a.b", "\"", "\\", "\n\u{0}\u{7f}", "", "é"] {
            let types = TypeAnswers { drop: BTreeSet::from([name.into()]), ..TypeAnswers::default() };
            answers.types.insert(name.into(), types);
        }
        assert_eq!(Answers::from_toml(&answers.to_toml()), Ok(answers));
    }

    #[test]
    fn what_is_no_answer_is_refused_by_its_place() {
        let refused = |text: &str| Answers::from_toml(text).unwrap_err().to_string();
        assert!(refused("[Node]\nrenam = { a = \"b\" }").starts_with("[Node] renam: is no answer; there are rename,"));
        assert!(refused("[Node]\ndrop = \"name\"").starts_with("[Node] drop: is a list of names"));
        assert!(refused("[Node]\nrename = { a = 1 }").starts_with("[Node] rename: a stands for a text"));
        assert!(refused("drop = [\"a\"]").starts_with("drop: is neither rename"));
        assert!(refused("[Node").contains("cannot be read"));
        assert!(refused(&" ".repeat(MAX_ANSWERS + 1)).contains("too many"));
        assert!(refused(&format!("a = {}", "[".repeat(100_000))).contains("cannot be read"));
    }

    #[test]
    fn lines_for_people_are_answers() {
        let answers = Answers::from_line("[Node] rename = { name = \"title\" }").unwrap();
        assert_eq!(answers.types["Node"].rename["name"], "title");
        let answers = Answers::from_line("[\"Pair<[u8; 2], \\\"]>\"] drop = [\"a\"]").unwrap();
        assert!(answers.types["Pair<[u8; 2], \"]>"].drop.contains("a"));
        assert!(Answers::from_line("drop_types = [\"Audit\"]").unwrap().drop_types.contains("Audit"));
        for nonsense in ["a hook for Node", "[Node", "[Node] dance = 1"] {
            assert_eq!(Answers::from_line(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn answers_add_up() {
        let mut answers = Answers::default();
        for line in ["[Node] lossy = [\"a\"]", "[Node] lossy = [\"b\"]", "[User] keep_secret = [\"c\"]"] {
            answers.add(Answers::from_line(line).unwrap());
        }
        assert_eq!(answers.to_toml(), "[Node]\nlossy = [\"a\", \"b\"]\n\n[User]\nkeep_secret = [\"c\"]\n");
    }
}
