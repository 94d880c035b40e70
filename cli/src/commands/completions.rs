//! `image completions SHELL`.

use clap_complete::Shell;

use crate::args;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// What `image completions` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The shell; for bash: image completions bash > ~/.local/share/bash-completion/completions/image
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(options: &Options, output: &mut Output) -> Result<Exit, Failure> {
    // clap_complete panics when it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut args::command(), "image", &mut script);
    output.raw(&script)?;
    Ok(Exit::Done)
}
