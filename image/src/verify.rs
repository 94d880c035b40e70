//! Verifying files: checksums, structure, every value.

use std::path::Path;

use heap::format::BLOCK;
use heap::format::header::{FileState, Header, PAGE};
use heap::read::{Checks, Reader, Source};
use heap::verify::Report;

use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::open::open_file;

/// What a file holds, when it holds no damage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// Its header.
    pub header: Header,
    /// What it says about itself, if it is an image.
    pub manifest: Option<Manifest>,
    /// Blocks in its used part.
    pub blocks: u64,
    /// Its values.
    pub values: Report,
}

/// Verifies an image, or a heap as of its last commit, whole.
///
/// # Errors
/// Names the first place that is damaged, and what is wrong there.
pub fn verify_file(path: &Path) -> Result<FileReport> {
    FileReport::of(&open_file(path, Checks::Strict)?)
}

impl FileReport {
    /// Verifies what was opened, under its log.
    ///
    /// # Errors
    /// Names the first place that is damaged, and what is wrong there.
    pub fn of<S: Source>(reader: &Reader<S>) -> Result<Self> {
        let header = reader.header().clone();
        reader.check_published()?;
        let values = heap::verify::verify(&reader.load()?, reader.catalog(), reader.header())?;
        // Last: it says that the whole is damaged, where the others say which place.
        let manifest = match header.state {
            FileState::Image => Some(check_image(reader)?),
            FileState::Live => None,
        };
        let blocks = header.file_len / BLOCK;
        Ok(Self { header, manifest, blocks, values })
    }
}

/// What is sealed besides the values: the content hash, the manifest, and that nothing else is in the file.
fn check_image<S: Source>(reader: &Reader<S>) -> Result<Manifest> {
    let header = reader.header();
    let source = reader.source().base();
    let read = |at, bytes: &mut [u8]| source.read_at(at, bytes).map_err(|error| Error::io("reading the image", error));
    let len = source.len().map_err(|error| Error::io("asking for the image's length", error))?;
    if header.manifest_at.checked_add(header.manifest_len) != Some(len) {
        return Err(Error::Content(format!("it is {len} bytes long")));
    }
    let mut buffer = vec![0; 64 * BLOCK as usize];
    read(PAGE as u64, &mut buffer[..BLOCK as usize - PAGE])?;
    if buffer.iter().any(|&byte| byte != 0) {
        return Err(Error::Content("block 0 holds more than a header".into()));
    }
    let mut hasher = blake3::Hasher::new();
    let mut at = BLOCK;
    while at < header.file_len {
        let piece = (header.file_len - at).min(buffer.len() as u64) as usize;
        read(at, &mut buffer[..piece])?;
        hasher.update(&buffer[..piece]);
        at += piece as u64;
    }
    if *hasher.finalize().as_bytes() != header.content_hash {
        return Err(Error::Content("its hash is another".into()));
    }
    let manifest = Manifest::read(source, header.manifest_at, header.manifest_len)?;
    let catalog = reader.catalog();
    let counts = catalog.tables().iter().filter(|table| table.type_number.is_some()).map(|table| table.entry.live);
    if manifest.sequence != header.sequence || !manifest.types.iter().map(|total| total.records).eq(counts) {
        return Err(Error::Manifest("it speaks of another heap".into()));
    }
    Ok(manifest)
}
