//! The words after `image`.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ErrorKind};
use clap::{ColorChoice, CommandFactory, Parser, Subcommand};

use crate::commands::{
    completions, dump, explain, export, info, keep, man, migrate, open, schema, show, types, verify,
};
use crate::demo;
use crate::failure::Failure;

/// Dump, look into, check and export persistent heaps and their images
///
/// HEAP is a heap file or an image; PID a process that has a heap open.
#[derive(Debug, Parser)]
#[command(name = "image", version, propagate_version = true, max_term_width = 100, after_help = EXITS)]
pub(crate) struct Arguments {
    /// Print facts, and what went wrong, as JSON on standard output
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) json: bool,
    /// When to use colour [possible values: auto, always, never]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub(crate) color: ColorChoice,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EVERYWHERE: &str = "Options of every command";

const EXITS: &str = "Exit codes: 0 done · 1 the answer is no · 2 usage · 3 a decision is needed · 4 damaged data · \
                     5 not found · 6 not permitted · 7 incompatible · 8 busy · 9 I/O error · 130 interrupted";

/// One of the commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take the tour: a live program dumped while it writes, killed, checked and opened again
    Demo(demo::Options),
    /// List the processes with open heaps
    Ps,
    /// Make an image of a live or closed heap, without stopping its program
    Dump(dump::Options),
    /// Look around in a heap or an image
    Open(open::Options),
    /// Tell what a file is: program, schema, counts, size
    Info(info::Options),
    /// List the types with their counts and sizes
    Types(types::Options),
    /// Print the layouts, or tell how two schemas differ
    Schema(schema::Options),
    /// Show one record
    Show(show::Options),
    /// Check every checksum, structure and reference
    Verify(verify::Options),
    /// Give the records of a heap the types of a program and lose nothing, or undo that
    Migrate(migrate::Options),
    /// Give up the way back from the last migration, and the room that it takes
    Keep(keep::Options),
    /// Explain an error code, or list them all
    Explain(explain::Options),
    /// Write the records in another format
    Export(export::Options),
    /// Print the completions of a shell
    Completions(completions::Options),
    /// Print the manual pages
    Man(man::Options),
    /// The program of the tour; killed by it.
    #[command(hide = true)]
    DemoProgram(demo::program::Options),
}

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Request {
    /// A command.
    Run(Box<Arguments>),
    /// `--help` or `--version`.
    Help(StyledStr),
}

/// What must be known even when the words make no sense: how to say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// As JSON.
    pub(crate) json: bool,
    /// In colour.
    pub(crate) color: ColorChoice,
}

impl Wishes {
    /// Looks for the two global options without judging the other words.
    pub(crate) fn from_words(words: &[OsString]) -> Self {
        let mut wishes = Self { json: false, color: ColorChoice::Auto };
        let mut before = "";
        for word in words.iter().skip(1).map(|word| word.to_str().unwrap_or_default()) {
            if word == "--" {
                break;
            }
            wishes.json |= word == "--json";
            let value = word.strip_prefix("--color=").or((before == "--color").then_some(word));
            wishes.color = value.and_then(|value| value.parse().ok()).unwrap_or(wishes.color);
            before = word;
        }
        wishes
    }
}

/// Reads the words of the command line, the program's name first.
///
/// # Errors
/// IMG-0201, with what clap says about them.
pub(crate) fn read(words: &[OsString]) -> Result<Request, Failure> {
    match Arguments::try_parse_from(words) {
        Ok(arguments) => Ok(Request::Run(Box::new(arguments))),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Ok(Request::Help(error.render()))
        }
        Err(error) => Err(usage_failure(&error, &help_command(words))),
    }
}

/// The command with all that belongs to it, for manual pages and completions.
pub(crate) fn command() -> clap::Command {
    Arguments::command()
}

/// What to type to learn more: the help of the command that the words begin with, where they name one.
fn help_command(words: &[OsString]) -> String {
    let whole = command();
    let named = words.iter().skip(1).find_map(|word| whole.find_subcommand(word));
    match named.filter(|named| !named.is_hide_set()) {
        Some(named) => format!("image {} --help", named.get_name()),
        None => "image --help".into(),
    }
}

/// clap writes paragraphs: what is wrong, tips, the usage, where to read more.
fn usage_failure(error: &clap::Error, more: &str) -> Failure {
    let text = error.render().to_string();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::new("IMG-0201", "no command was given").help("image --help lists them; image demo shows them");
    }
    let paragraphs: Vec<String> = text.split("\n\n").map(on_one_line).collect();
    let message = paragraphs.first().map_or("", |first| first.trim_start_matches("error: ")).to_owned();
    let usage = paragraphs.iter().find_map(|paragraph| paragraph.strip_prefix("Usage: "));
    let tip = paragraphs.iter().find_map(|paragraph| paragraph.strip_prefix("tip: ")).map(ToOwned::to_owned);
    // An unknown command's usage is that of the whole, which says nothing about what was meant.
    let known_command = error.get(ContextKind::InvalidSubcommand).is_none();
    let failure = Failure::new("IMG-0201", message).help(tip.unwrap_or_else(|| more.to_owned()));
    match usage.filter(|_| known_command) {
        Some(usage) => failure.cause(format!("the usage is {usage}")),
        None => failure,
    }
}

fn on_one_line(paragraph: &str) -> String {
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_command_contradicts_itself_nowhere() {
        command().debug_assert();
    }

    #[test]
    fn wishes_are_read_from_words_that_make_no_sense() {
        let seen = |line| {
            let wishes = Wishes::from_words(&words(line));
            (wishes.json, wishes.color)
        };
        assert_eq!(seen("image --nonsense --json"), (true, ColorChoice::Auto));
        assert_eq!(seen("image x --color never -- --json"), (false, ColorChoice::Never));
        assert_eq!(seen("image --color=always"), (false, ColorChoice::Always));
        assert_eq!(seen("--json"), (false, ColorChoice::Auto));
    }

    #[test]
    fn every_usage_error_has_a_message_and_a_help_of_one_line() {
        for line in ["image", "image dmup", "image dump", "image dump a --pid 1 -o b", "image dump --pid x -o b"] {
            let failure = read(&words(line)).expect_err(line);
            assert_eq!(failure.code, "IMG-0201", "{line}");
            assert!(!failure.message.is_empty() && !failure.message.contains('\n'), "{line}: {}", failure.message);
            assert!(failure.help.is_some_and(|help| !help.is_empty()), "{line}");
        }
        let wrong_value = read(&words("image --json show a.img .a..b")).expect_err("no number");
        assert_eq!(wrong_value.help.as_deref(), Some("image show --help"));
    }
}
