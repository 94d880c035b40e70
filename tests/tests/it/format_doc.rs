//! `docs/format.md` is held against the code, twice: its tables are those of the module documentation, row by row, and
//! structures encoded with values that all differ hold them at the offsets that the tables give.

mod compare;
mod structures;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use tables::{Document, Table, constants_of_source, tables_of_source};

/// The files whose module documentation defines bytes.
struct Sources(Vec<(String, Vec<Table>)>);

impl Sources {
    /// Every file of `heap/src/format`, so that a new one cannot be forgotten, and the files it refers to.
    fn read() -> Self {
        let mut names: Vec<String> = fs::read_dir(workspace().join("heap/src/format"))
            .expect("the format has a folder")
            .map(|entry| entry.expect("the folder is readable").file_name().into_string().expect("names are UTF-8"))
            .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "rs"))
            .map(|name| format!("heap/src/format/{name}"))
            .collect();
        names.sort_unstable();
        let mut sources: Vec<_> = names.into_iter().map(|name| (tables_of_source(&read(&name)), name)).collect();
        for name in ["heap/src/key.rs", "heap/src/map/mod.rs", "heap/src/sorted/mod.rs"] {
            let source = read(name);
            // They are not public, so their numbers are taken from the text.
            let tables = tables_of_source(&source).into_iter().chain(constants_of_source(&source));
            sources.push((tables.collect(), name.to_owned()));
        }
        sources.retain(|(tables, _)| !tables.is_empty());
        Self(sources.into_iter().map(|(tables, name)| (name, tables)).collect())
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> String {
    fs::read_to_string(workspace().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn document() -> Document {
    Document::parse(&read("docs/format.md")).expect("docs/format.md has a form that this test understands")
}

#[test]
fn the_tables_of_the_document_are_those_of_the_sources() {
    compare::with_sources(&document(), &Sources::read().0).unwrap_or_else(|difference| panic!("{difference}"));
}

/// A number of the format is a `pub const` of an integer type. The flags of slot headers are bits of a table.
#[test]
fn every_constant_of_the_sources_is_known_here() {
    let mut missing = Vec::new();
    for entry in fs::read_dir(workspace().join("heap/src/format")).expect("the format has a folder") {
        let path = entry.expect("the folder is readable").path();
        let module = path.file_stem().and_then(|stem| stem.to_str()).expect("names are UTF-8").to_owned();
        let source = fs::read_to_string(&path).expect("sources are readable");
        for line in source.lines().filter_map(|line| line.strip_prefix("pub const ")) {
            let Some((name, value)) = line.split_once(": ") else { continue };
            let number =
                ["u8", "u16", "u32", "u64", "usize"].iter().any(|kind| value.starts_with(&format!("{kind} =")));
            let name = if module == "mod" { name.to_owned() } else { format!("{module}::{name}") };
            if number && !["slot::TOUCHED", "slot::UNOWNED"].contains(&&*name) {
                missing.extend((!structures::constants().iter().any(|(known, _)| *known == name)).then_some(name));
            }
        }
    }
    assert!(missing.is_empty(), "not compared with docs/format.md: {missing:?}");
}

#[test]
fn structures_lie_where_the_document_says() {
    structures::check(&document()).unwrap_or_else(|difference| panic!("{difference}"));
}

/// The comparison itself could go blind, so it is shown damage: every line of every table left out, doubled, and with
/// each of its digits changed.
#[test]
fn no_change_of_a_table_goes_unnoticed() {
    let text = read("docs/format.md");
    let sources = Sources::read().0;
    let noticed = |text: &str| match Document::parse(text) {
        Ok(document) => compare::with_sources(&document, &sources).is_err() || structures::check(&document).is_err(),
        Err(_) => true,
    };
    assert!(!noticed(&text), "undamaged");
    let lines: Vec<&str> = text.lines().collect();
    let rows = |line: &str| line.starts_with('|') && !line.starts_with("|--");
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| rows(line)) {
        let with = |replacement: &[&str]| {
            let mut changed = lines.clone();
            changed.splice(number..=number, replacement.iter().copied());
            changed.join("\n")
        };
        assert!(noticed(&with(&[])), "line {} left out: {line}", number + 1);
        assert!(noticed(&with(&[line, line])), "line {} doubled: {line}", number + 1);
        for (at, digit) in line.char_indices().filter(|(_, character)| character.is_ascii_digit()) {
            let other = if digit == '9' { "0".to_owned() } else { (digit as u8 - b'0' + 1).to_string() };
            let changed = format!("{}{other}{}", &line[..at], &line[at + 1..]);
            // Constants have a column of explanations, which no code can be compared with.
            let explained = line.starts_with("| `") && line.matches('|').count() == 4 && at > explanation(line);
            assert!(explained || noticed(&with(&[&changed])), "line {} with {changed}", number + 1);
        }
    }
}

/// Where the last cell of a row begins.
fn explanation(line: &str) -> usize {
    line.trim_end_matches('|').rfind('|').unwrap_or(0)
}

/// The sources' documentation and the page may agree and both be wrong. Then the comparison of tables sees nothing, and
/// the encoded structures must notice each offset and size.
#[test]
fn a_wrong_offset_or_size_is_noticed_by_the_structures_alone() {
    let document = document();
    let mut changes = 0;
    for name in
        ["header", "catalog", "history", "frame", "handle", "slot"].map(|name| format!("heap/src/format/{name}.rs"))
    {
        let tables = document.section(&name).expect("the section is there");
        for (table, row, column) in cells(tables, &["OFFSET", "SIZE", "BITS"]) {
            let cell = &tables[table].rows[row][column];
            let Some(digit) = cell.rfind(|character: char| character.is_ascii_digit()) else { continue };
            let other = if &cell[digit..=digit] == "3" { "4" } else { "3" };
            let changed = format!("{}{other}{}", &cell[..digit], &cell[digit + 1..]);
            let damaged = document.with_cell(&name, table, row, column, &changed);
            assert!(structures::check(&damaged).is_err(), "{name}, table {table}, row {row}: {cell} as {changed}");
            changes += 1;
        }
    }
    assert!(changes > 100, "only {changes} cells were found");
}

/// The cells of the columns with one of these headings.
fn cells(tables: &[Table], headings: &[&str]) -> Vec<(usize, usize, usize)> {
    let mut found = Vec::new();
    for (number, table) in tables.iter().enumerate() {
        for (column, _) in table.headings.iter().enumerate().filter(|(_, name)| headings.contains(&name.as_str())) {
            found.extend((0..table.rows.len()).map(|row| (number, row, column)));
        }
    }
    found
}
