//! Files, opened for reading.

use std::fs::File;
use std::path::Path;

use heap::format::frame::Operation;
use heap::read::{Checks, Reader, read_header};

use crate::error::{Error, Result};

/// Opens a heap file or image for checked reads, as its last checkpoint left it.
///
/// # Errors
/// When it cannot be read, or its header or catalog is damaged.
pub fn open_file(path: &Path, checks: Checks) -> Result<Reader<File>> {
    open_file_with(path, checks, [])
}

/// Opens a heap file under the operations that its log holds after the header's sequence.
///
/// # Errors
/// When it cannot be read, or its header, its catalog or an operation is damaged.
pub fn open_file_with<'a>(
    path: &Path,
    checks: Checks,
    operations: impl IntoIterator<Item = Operation<'a>>,
) -> Result<Reader<File>> {
    let file = File::open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => heap::Error::NotFound { path: path.to_owned() }.into(),
        _ => Error::io(format!("opening {}", path.display()), source),
    })?;
    let (header, _) = read_header(&file, path)?;
    Ok(Reader::with_operations(file, header, operations, checks)?)
}
