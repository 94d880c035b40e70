//! The page's tables against those of the sources.

use super::tables::{Document, Table};

/// Whether the page has exactly the tables of the sources.
///
/// # Errors
/// Names the first difference, with the lines to put into the page.
pub(super) fn with_sources(document: &Document, sources: &[(String, Vec<Table>)]) -> Result<(), String> {
    for (name, tables) in sources {
        let found = document.section(name).unwrap_or(&[]);
        if let Some(difference) = first_difference(found, tables) {
            let wanted: Vec<String> = tables.iter().map(Table::to_markdown).collect();
            return Err(format!(
                "docs/format.md and {name} differ: {difference}\n\nThe page should have:\n\n<!-- tables of {name} \
                 -->\n{}<!-- end -->",
                wanted.join("\n")
            ));
        }
    }
    match document.sources().find(|&section| sources.iter().all(|(name, _)| name != section)) {
        Some(section) => Err(format!("docs/format.md has tables of {section}, which has none")),
        None => Ok(()),
    }
}

fn first_difference(found: &[Table], wanted: &[Table]) -> Option<String> {
    if found.len() != wanted.len() {
        return Some(format!("{} tables instead of {}", found.len(), wanted.len()));
    }
    for (found, wanted) in found.iter().zip(wanted) {
        if found.headings != wanted.headings || found.rows.len() != wanted.rows.len() {
            return Some(format!(
                "a table {:?} of {} rows instead of {:?} of {}",
                found.headings,
                found.rows.len(),
                wanted.headings,
                wanted.rows.len()
            ));
        }
        if let Some((found, wanted)) = found.rows.iter().zip(&wanted.rows).find(|(found, wanted)| found != wanted) {
            return Some(format!("{found:?} instead of {wanted:?}"));
        }
    }
    None
}
