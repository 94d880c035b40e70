//! What a plan has to ask, and what to write as an answer.

use std::fmt::{self, Write as _};

use super::model::Verdict;

/// Something that nobody has said yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The type: position in [`Plan::types`](crate::Plan::types).
    pub step: usize,
    /// Where, by the old names: `Node.name`, `Kind::Circle.radius`, or a type.
    pub place: String,
    /// Number of the rule that makes it a question.
    pub rule: u8,
    /// [`Verdict::Acknowledge`] or [`Verdict::Hook`].
    pub verdict: Verdict,
    /// What changed.
    pub what: String,
    /// Names of what is new and could be what is asked about.
    pub candidates: Vec<String>,
    /// The ways to answer.
    pub choices: Vec<Choice>,
    /// A check that answers it, where it holds of every live value: position in [`Plan::checks`](crate::Plan::checks).
    pub unless: Option<usize>,
}

/// One way to answer a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What it means.
    pub means: String,
    /// What to write in the program.
    pub code: Option<String>,
    /// What to write in the file of answers.
    pub answer: Option<String>,
}

/// Something that the program or an answer says and that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What it is said of: `Node.name`, or a type.
    pub place: String,
    /// What is wrong with it.
    pub what: String,
}

impl Question {
    /// The rule of floats that would be rounded.
    pub const LOSSY: u8 = 14;
    /// The rule of secret marks that are lost.
    pub const SECRET: u8 = 40;
}

impl Choice {
    pub(super) fn new(means: impl Into<String>, code: Option<String>, answer: Option<String>) -> Self {
        Self { means: means.into(), code, answer }
    }

    /// A hook for a record type.
    pub(super) fn hook(name: &str) -> Self {
        Self::new(format!("make each new {} yourself", Clean(name)), Some(format!("a hook for {}", Clean(name))), None)
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:  ", self.means)?;
        match (&self.code, &self.answer) {
            (Some(code), Some(answer)) => write!(f, "{code}   or answer   {answer}"),
            (Some(line), None) | (None, Some(line)) => f.write_str(line),
            (None, None) => Ok(()),
        }
    }
}

/// A place in a type as people read it: `Node.name`, `Kind::Circle.radius`.
pub fn joined(name: &str, place: &str) -> String {
    match place {
        "" => name.to_owned(),
        variant if variant.starts_with("::") => format!("{name}{variant}"),
        field => format!("{name}.{field}"),
    }
}

/// Text from a heap for a terminal: control characters are escaped, and whatever else could move the cursor or turn
/// the direction of writing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clean<'a>(pub(super) &'a str);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if letter.is_control() || turns {
                write!(f, "{}", letter.escape_default())?;
            } else {
                f.write_char(letter)?;
            }
        }
        Ok(())
    }
}

/// Adds the thousands' commas: `1,000,000`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grouped(pub(super) u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::with_capacity(digits.len() + digits.len() / 3);
        for (position, digit) in digits.chars().enumerate() {
            if position > 0 && (digits.len() - position).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        f.pad(&text)
    }
}

/// A key of the file of answers, in quotes where it needs them.
pub(super) fn key(name: &str) -> String {
    let is_bare = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { quoted(name) }
}

/// A text of the file of answers, or of the program.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => {
                // Writing into a string does not fail.
                let _ = write!(quoted, "\\u{:04x}", letter as u32);
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_a_heap_cannot_drive_a_terminal() {
        assert_eq!(Clean("a\u{1b}[31m\r\u{202e}ü").to_string(), "a\\u{1b}[31m\\r\\u{202e}ü");
    }

    #[test]
    fn numbers_and_keys_are_written_as_people_read_them() {
        let grouped = |number| Grouped(number).to_string();
        assert_eq!([grouped(0), grouped(999), grouped(1_000), grouped(1_000_000)], ["0", "999", "1,000", "1,000,000"]);
        assert_eq!(key("Node_1"), "Node_1");
        assert_eq!(key("Pair<u8>"), "\"Pair<u8>\"");
        assert_eq!(key("a\"\n"), "\"a\\\"\\u000a\"");
    }
}
