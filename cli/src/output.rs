//! Standard output: facts for people, or JSON.

use std::fmt;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};

use clap::ColorChoice;
use clap::builder::StyledStr;
use serde::Serialize;

use crate::escape::is_visible;
use crate::failure::{Exit, Failure};
use crate::table::Table;

/// Where a command writes its facts.
///
/// A reader that has seen enough and closes the pipe (`image types big.img | head`) is no failure: what would still
/// be written is dropped, and the command goes on to its answer, so that a pipe never changes an exit code.
/// Commands with much to write ask [`reader_left`](Self::reader_left) and stop.
pub(crate) struct Output {
    to: Box<dyn Write>,
    json: bool,
    color: ColorChoice,
    terminal: bool,
    reader_left: bool,
}

impl Output {
    /// The process's standard output.
    pub(crate) fn standard(json: bool, color: ColorChoice) -> Self {
        let standard = io::stdout();
        let terminal = standard.is_terminal();
        Self { to: Box::new(BufWriter::new(standard)), json, color, terminal, reader_left: false }
    }

    /// Into memory, for tests.
    #[cfg(test)]
    pub(crate) fn to_memory(json: bool) -> (Self, std::sync::Arc<std::sync::Mutex<Vec<u8>>>) {
        struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
        impl Write for Shared {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().expect("no test panics while writing").write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let written = std::sync::Arc::default();
        let to = Box::new(Shared(std::sync::Arc::clone(&written)));
        (Self { to, json, color: ColorChoice::Never, terminal: false, reader_left: false }, written)
    }

    /// Was JSON asked for?
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Is it a terminal?
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Has the other end of the pipe been closed?
    pub(crate) fn reader_left(&self) -> bool {
        self.reader_left
    }

    /// May a stream have colours? `--color` decides, else `NO_COLOR`, else whether it is a terminal.
    pub(crate) fn color_for(&self, terminal: bool) -> bool {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !unwanted,
        }
    }

    /// Writes a line for people. Text of others must have been made [visible](crate::escape::visible).
    pub(crate) fn line(&mut self, text: impl fmt::Display) -> Result<(), Failure> {
        self.raw(format!("{text}\n").as_bytes())
    }

    /// Writes one line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let mut line = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut line, VisibleJson);
        value.serialize(&mut serializer).map_err(|error| failed(&error.into()))?;
        line.push(b'\n');
        self.raw(&line)
    }

    /// Writes a table, its titles in bold where colours are wanted.
    pub(crate) fn table(&mut self, table: &Table) -> Result<(), Failure> {
        let color = self.color_for(self.terminal);
        for (position, line) in table.lines().enumerate() {
            if position == 0 && color {
                self.line(format_args!("\x1b[1m{line}\x1b[0m"))?;
            } else {
                self.line(line)?;
            }
        }
        Ok(())
    }

    /// Writes what `--help` or `--version` asked for.
    pub(crate) fn help(&mut self, text: &StyledStr) -> Result<Exit, Failure> {
        let text = if self.color_for(self.terminal) { text.ansi().to_string() } else { text.to_string() };
        self.raw(text.as_bytes())?;
        Ok(Exit::Done)
    }

    /// Writes bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let result = if self.reader_left { Ok(()) } else { self.to.write_all(bytes) };
        self.settle(result)
    }

    /// Hands everything to the system.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        let result = if self.reader_left { Ok(()) } else { self.to.flush() };
        self.settle(result)
    }

    fn settle(&mut self, result: io::Result<()>) -> Result<(), Failure> {
        match result {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.reader_left = true;
                // What the buffer still holds goes the same way.
                self.to = Box::new(io::sink());
                Ok(())
            }
            other => other.map_err(|error| failed(&error)),
        }
    }
}

/// Compact JSON whose strings, with the same meaning, hold no character that could drive a terminal.
struct VisibleJson;

impl serde_json::ser::Formatter for VisibleJson {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for character in fragment.chars() {
            if is_visible(character) {
                writer.write_all(character.encode_utf8(&mut [0; 4]).as_bytes())?;
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

fn failed(error: &io::Error) -> Failure {
    Failure::new("IMG-0903", "writing to standard output failed").cause(error)
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    #[test]
    fn json_means_the_same_and_shows_every_character() {
        let hostile = "a\u{9b}31m\u{202e}\u{e0041}\u{7f}\n\"\\ ü 漢 🙂";
        let mut line = Vec::new();
        hostile.serialize(&mut serde_json::Serializer::with_formatter(&mut line, super::VisibleJson)).unwrap();
        let line = String::from_utf8(line).unwrap();
        assert!(line.chars().all(crate::escape::is_visible), "{line}");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), hostile);
    }
}
