//! Tables as they are written in Markdown, and the page they are in.

use std::collections::BTreeMap;

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// Its first line.
    pub(super) headings: Vec<String>,
    /// The lines below the rule.
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    /// The cell of a row in the column of this heading.
    pub(super) fn cell(&self, row: usize, heading: &str) -> Result<&str, String> {
        let column = self.headings.iter().position(|name| name == heading);
        let cell = column.and_then(|column| self.rows.get(row)?.get(column));
        cell.map(String::as_str).ok_or_else(|| format!("no cell {heading} in row {row} of {:?}", self.headings))
    }

    /// The table as Markdown.
    pub(super) fn to_markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule = format!("|{}\n", "---|".repeat(self.headings.len()));
        line(&self.headings) + &rule + &self.rows.iter().map(|row| line(row)).collect::<String>()
    }
}

/// The tables in the `//!` documentation of a source file.
pub(super) fn tables_of_source(source: &str) -> Vec<Table> {
    let documentation = source.lines().map_while(|line| line.strip_prefix("//!"));
    tables_of(documentation.map(str::trim)).unwrap_or_else(|problem| panic!("module documentation: {problem}"))
}

/// The numbers that a source file shares with its neighbours, as a table; none where there are none.
pub(super) fn constants_of_source(source: &str) -> Option<Table> {
    let constants = source.lines().filter_map(|line| line.strip_prefix("pub(crate) const ")?.strip_suffix(';'));
    let numbers = constants.filter_map(|constant| {
        let (name, (_, value)) =
            constant.split_once(": ").and_then(|(name, rest)| Some((name, rest.split_once(" = ")?)))?;
        value.bytes().all(|byte| byte.is_ascii_digit()).then(|| vec![format!("`{name}`"), value.to_owned()])
    });
    let rows: Vec<_> = numbers.collect();
    (!rows.is_empty()).then(|| Table { headings: ["CONSTANT", "VALUE"].map(str::to_owned).to_vec(), rows })
}

fn tables_of<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<Table>, String> {
    let mut tables: Vec<Table> = Vec::new();
    let mut inside = false;
    for line in lines {
        let Some(cells) = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) else {
            inside = false;
            continue;
        };
        if line.starts_with("|--") {
            continue;
        }
        let cells: Vec<String> = cells.split('|').map(|cell| cell.trim().to_owned()).collect();
        match tables.last_mut().filter(|_| inside) {
            None => tables.push(Table { headings: cells, rows: Vec::new() }),
            Some(table) if table.headings.len() == cells.len() => table.rows.push(cells),
            Some(table) => return Err(format!("{line:?} has not {} cells", table.headings.len())),
        }
        inside = true;
    }
    Ok(tables)
}

/// `docs/format.md`: what stands between `<!-- NAME -->` and `<!-- end -->`, by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Document {
    sections: BTreeMap<String, Section>,
}

#[derive(Debug, Clone)]
struct Section {
    text: String,
    tables: Vec<Table>,
}

impl Document {
    /// What the names of sections begin with whose tables are those of a source file.
    const OF_SOURCE: &str = "tables of ";

    /// Takes the page apart.
    ///
    /// # Errors
    /// A section that is there twice or has no end, a table outside any section, a row of another length.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut document = Self::default();
        let mut section: Option<(&str, Vec<&str>)> = None;
        for line in text.lines() {
            let mark = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->"));
            match (mark, section.as_mut()) {
                (Some("end"), Some((name, lines))) => {
                    let new = Section { text: lines.join("\n"), tables: tables_of(lines.iter().copied())? };
                    if document.sections.insert((*name).to_owned(), new).is_some() {
                        return Err(format!("section {name:?} is there twice"));
                    }
                    section = None;
                }
                (Some(name), None) if name != "end" => section = Some((name, Vec::new())),
                (Some(name), _) => return Err(format!("the mark {name:?} stands in a wrong place")),
                (None, Some((_, lines))) => lines.push(line),
                (None, None) if line.starts_with('|') => return Err(format!("{line:?} stands in no section")),
                (None, None) => {}
            }
        }
        match section {
            Some((name, _)) => Err(format!("section {name:?} has no end")),
            None => Ok(document),
        }
    }

    /// The tables that the page says are those of a source file.
    pub(super) fn section(&self, source: &str) -> Result<&[Table], String> {
        Ok(&self.named(&format!("{}{source}", Self::OF_SOURCE))?.tables)
    }

    /// The one table of a section that belongs to no source file.
    pub(super) fn table(&self, name: &str) -> Result<&Table, String> {
        match self.named(name)?.tables.as_slice() {
            [table] => Ok(table),
            tables => Err(format!("section {name:?} has {} tables instead of one", tables.len())),
        }
    }

    /// All of a section.
    pub(super) fn text(&self, name: &str) -> Result<&str, String> {
        Ok(&self.named(name)?.text)
    }

    fn named(&self, name: &str) -> Result<&Section, String> {
        self.sections.get(name).ok_or_else(|| format!("there is no section {name:?}"))
    }

    /// The source files that the page has tables of.
    pub(super) fn sources(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().filter_map(|name| name.strip_prefix(Self::OF_SOURCE))
    }

    /// The page with another text in one cell.
    pub(super) fn with_cell(&self, source: &str, table: usize, row: usize, column: usize, text: &str) -> Self {
        let mut changed = self.clone();
        let section = changed.sections.get_mut(&format!("{}{source}", Self::OF_SOURCE)).expect("a known section");
        text.clone_into(&mut section.tables[table].rows[row][column]);
        changed
    }
}
