//! `image open`: what a colleague sees first; on a terminal, a prompt to look around.

use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::commands::{info, types};
use crate::escape::{quoted, visible};
use crate::failure::{Exit, Failure};
use crate::library;
use crate::output::Output;

/// What `image open` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A heap file or an image
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// What the file is and what types it holds.
#[derive(Debug, Serialize)]
struct Summary {
    info: info::Report,
    types: types::Report,
}

/// Prints the summary.
pub(crate) fn run(options: &Options, output: &mut Output) -> Result<Exit, Failure> {
    let summary = Summary { info: library::info(&options.file)?, types: library::types(&options.file)? };
    summary.print(output)?;
    if output.is_terminal() && !output.is_json() && io::stdin().is_terminal() {
        browse(&options.file, &mut io::stdin().lock(), output)?;
    }
    Ok(Exit::Done)
}

const HELP: &str = "\
.types          the types
.roots          the roots
.info           what the file is
PLACE           a record or value: board, .board.nodes[3].name, Node#17.next
.quit           leave";

/// Answers line by line. Each answer looks at the file anew, so a live heap is not held between them.
fn browse(file: &Path, lines: &mut impl BufRead, output: &mut Output) -> Result<(), Failure> {
    loop {
        output.raw(b"image> ")?;
        output.flush()?;
        let mut line = String::new();
        // Something that is no text is no place either.
        match lines.read_line(&mut line) {
            Ok(0) => return output.line(""),
            Err(error) if error.kind() != io::ErrorKind::InvalidData => return output.line(""),
            _ => {}
        }
        let answered = match line.trim() {
            "" => Ok(()),
            ".quit" | ".exit" => return Ok(()),
            ".help" => output.line(HELP),
            ".types" => library::types(file).and_then(|report| report.print(output)),
            ".roots" => library::info(file).and_then(|report| print_roots(&report, output)),
            ".info" => library::info(file).and_then(|report| report.print(output)),
            place => place
                .parse()
                .map_err(|error| Failure::about(file, error).help(".help tells what can be typed"))
                .and_then(|place| library::show(file, &place))
                .and_then(|report| report.print(output)),
        };
        if let Err(failure) = answered {
            failure.print(output);
        }
    }
}

fn print_roots(info: &info::Report, output: &mut Output) -> Result<(), Failure> {
    let mut roots = info.roots.iter();
    roots.try_for_each(|root| output.line(format_args!("{}  {}", visible(&root.name), visible(&root.record))))
}

impl Summary {
    fn print(&self, output: &mut Output) -> Result<(), Failure> {
        if output.is_json() {
            return output.json(self);
        }
        output.line(self.info.headline())?;
        output.table(&self.types.table())?;
        for root in &self.info.roots {
            output.line(format_args!("root {} is {}", quoted(&root.name, 64), visible(&root.record)))?;
        }
        let Some(root) = self.info.roots.first() else { return Ok(()) };
        let file = visible(&self.info.file);
        output.line(format_args!("look closer: image show {file} {}", word(&root.record)))
    }
}

/// A place as one word of a shell.
fn word(place: &str) -> String {
    format!("'{}'", visible(place).replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_answers_goes_on_after_a_failure_and_ends_with_the_lines() {
        let (mut output, written) = Output::to_memory(false);
        let mut lines = &b"\n.help\n.types\n.a..b\n"[..];
        assert_eq!(browse(Path::new("/nowhere/x.img"), &mut lines, &mut output), Ok(()));
        output.flush().unwrap();
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches("image> ").count(), 5, "{text}");
        assert!(text.contains(".roots  "), "{text}");
    }

    #[test]
    fn a_hostile_name_stays_one_word() {
        assert_eq!(word("It's\u{1b}#1"), "'It'\\''s\\u{1b}#1'");
    }
}
