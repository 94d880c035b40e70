//! Everything that the command asks of the image library, in one place. The modules of [`commands`](crate::commands)
//! know only the answers, as structs of their own.

use std::fs::File;
use std::path::Path;

use crate::commands::{dump, export, info, show, types, verify};
use crate::failure::Failure;

/// Makes an image, or with `--dry-run` only finds out what it would hold.
pub(crate) fn dump(source: &dump::Source, options: &dump::Options) -> Result<dump::Report, Failure> {
    let _ = options;
    not_here(source.path(), "dump")
}

/// What the file is.
pub(crate) fn info(file: &Path) -> Result<info::Report, Failure> {
    not_here(file, "info")
}

/// The types in the file.
pub(crate) fn types(file: &Path) -> Result<types::Report, Failure> {
    not_here(file, "types")
}

/// One record of the file.
pub(crate) fn show(file: &Path, place: &show::Place) -> Result<show::Report, Failure> {
    let _ = place;
    not_here(file, "show")
}

/// Checks the whole file.
pub(crate) fn verify(file: &Path) -> Result<verify::Report, Failure> {
    not_here(file, "verify")
}

/// Writes the file's records in another format.
pub(crate) fn export(options: &export::Options) -> Result<export::Report, Failure> {
    not_here(&options.file, "export")
}

fn not_here<T>(file: &Path, what: &str) -> Result<T, Failure> {
    File::open(file).map_err(|error| Failure::reading(file, &error))?;
    Err(Failure::new("IMG-0708", format!("this build has no part for {what}")))
}
