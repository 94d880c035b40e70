//! The `image` command: dump, look into, check and export persistent heaps and their images.
//!
//! It formats and explains; it decides nothing about data. The way of a call: `args` reads the words,
//! `commands` does one of them with what `library` answers, `output` writes the facts, `failure` says what
//! went wrong and gives the exit code.
//!
//! Ctrl-C needs no handler here (but for the tour, which has a folder to remove): the default disposition ends the
//! process at once, shells report 130 for that, and nothing is half-done, because an output file has no name until
//! it is whole and a heap changes by transactions only.

#![forbid(unsafe_code)]

mod args;
mod commands;
mod demo;
mod escape;
mod explain;
mod failure;
mod figures;
mod library;
mod output;
mod program;
mod table;
mod target;

use std::ffi::OsString;
use std::process::ExitCode;

use args::{Request, Wishes};
use output::Output;

/// Runs the command with the words of this process's command line; what its exit code is to be.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let wishes = Wishes::from_words(&words);
    let mut output = Output::standard(wishes.json, wishes.color);
    let result = match args::read(&words) {
        Ok(Request::Run(arguments)) => commands::run(arguments.command, &mut output),
        Ok(Request::Help(text)) => output.help(&text),
        Err(failure) => Err(failure),
    };
    let result = result.and_then(|exit| output.flush().map(|()| exit));
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print(&mut output);
            failure.exit.into()
        }
    }
}
