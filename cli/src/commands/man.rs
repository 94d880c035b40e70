//! `image man`: the manual pages, made from the same text as `--help`.

use std::path::PathBuf;

use clap_mangen::Man;

use crate::args;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// What `image man` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Write image.1, image-dump.1 and so on into this folder instead
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints all pages, one after the other, or writes each into a file.
pub(crate) fn run(options: &Options, output: &mut Output) -> Result<Exit, Failure> {
    for (name, page) in pages() {
        let Some(folder) = &options.dir else {
            output.raw(&page)?;
            continue;
        };
        let path = folder.join(format!("{name}.1"));
        std::fs::create_dir_all(folder)
            .and_then(|()| tempfile::NamedTempFile::new_in(folder))
            .and_then(|mut file| std::io::Write::write_all(&mut file, &page).map(|()| file))
            .and_then(|file| file.persist(&path).map_err(|error| error.error))
            .map_err(|error| Failure::writing(&path, &error))?;
    }
    Ok(Exit::Done)
}

fn pages() -> Vec<(String, Vec<u8>)> {
    let mut command = args::command();
    command.build();
    let of_whole = page(command.clone());
    let mut pages = vec![of_whole];
    for one in visible(&command) {
        let name = format!("image-{}", one.get_name());
        pages.push(page(one.clone().display_name(&name)));
        for inner in visible(one) {
            pages.push(page(inner.clone().display_name(format!("{name}-{}", inner.get_name()))));
        }
    }
    pages
}

fn visible(command: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    command.get_subcommands().filter(|one| !one.is_hide_set() && one.get_name() != "help")
}

fn page(command: clap::Command) -> (String, Vec<u8>) {
    let name = command.get_display_name().unwrap_or("image").to_owned();
    let mut text = Vec::new();
    Man::new(command).render(&mut text).expect("a Vec takes everything");
    (name, text)
}
