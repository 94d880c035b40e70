//! Tables of text in columns.

use unicode_width::UnicodeWidthStr;

use crate::escape::visible;

/// On which side the cells of a column stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table with a line of titles. Cells are made safe to print.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    columns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(columns: &[(&str, Align)]) -> Self {
        let titles = columns.iter().map(|(title, _)| (*title).to_owned()).collect();
        Self { columns: columns.iter().map(|&(_, align)| align).collect(), rows: vec![titles] }
    }

    /// Adds a line.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        assert_eq!(N, self.columns.len(), "a cell for each column");
        self.rows.push(cells.into_iter().map(|cell| visible(&cell)).collect());
    }

    /// The lines, the titles first; no spaces at their ends.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| self.rows.iter().map(|row| row[column].width()).max().unwrap_or(0))
            .collect();
        self.rows.iter().map(move |row| {
            let cells = row.iter().zip(&self.columns).zip(&widths).map(|((cell, align), width)| {
                let room = " ".repeat(width - cell.width());
                match align {
                    Align::Left => format!("{cell}{room}"),
                    Align::Right => format!("{room}{cell}"),
                }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_in_one_column_and_words_begin_in_one() {
        let mut table = Table::new(&[("TYPE", Align::Left), ("COUNT", Align::Right), ("NOTE", Align::Left)]);
        table.row(["Node".into(), "1,000,000".into(), "a".into()]);
        table.row(["漢字".into(), "7".into(), "\u{1b}[0m".into()]);
        let lines: Vec<String> = table.lines().collect();
        assert_eq!(lines, ["TYPE      COUNT  NOTE", "Node  1,000,000  a", "漢字          7  \\u{1b}[0m"]);
    }
}
