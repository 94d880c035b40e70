//! Verifying files: checksums, structure, every value.

use std::path::Path;

use heap::format::BLOCK;
use heap::format::header::{FileState, Header, PAGE};
use heap::read::{Checks, Reader, Shown, Source};
use heap::verify::{Report, Verifier};

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
        let mut verifier = Verifier::new(reader.catalog(), reader.header())?;
        let (values, manifest) = match header.state {
            FileState::Live => (verifier.finish(&reader.load()?)?, None),
            FileState::Image => {
                let mut hasher = blake3::Hasher::new();
                let loaded = reader.load_showing(|Shown { bytes, region }| {
                    hasher.update(bytes);
                    if let Some((position, come)) = region {
                        verifier.see(position, come);
                    }
                })?;
                let values = verifier.finish(&loaded)?;
                // Last: the hash says that the whole is damaged, where the others say which place.
                (values, Some(check_image(reader, hasher.finalize().as_bytes())?))
            }
        };
        let blocks = header.file_len / BLOCK;
        Ok(Self { header, manifest, blocks, values })
    }
}

/// What is sealed besides the values: the hash of what was read, the manifest, and that nothing else is in the file.
fn check_image<S: Source>(reader: &Reader<S>, content_hash: &[u8; 32]) -> Result<Manifest> {
    let header = reader.header();
    let source = reader.source().base();
    let len = source.len().map_err(|error| Error::io("asking for the image's length", error))?;
    if header.manifest_at.checked_add(header.manifest_len) != Some(len) {
        return Err(Error::Content(format!("it is {len} bytes long")));
    }
    let mut rest = vec![0; BLOCK as usize - PAGE];
    source.read_at(PAGE as u64, &mut rest).map_err(|error| Error::io("reading the image", error))?;
    if rest.iter().any(|&byte| byte != 0) {
        return Err(Error::Content("block 0 holds more than a header".into()));
    }
    if *content_hash != header.content_hash {
        return Err(Error::Content("its hash is another".into()));
    }
    let manifest = Manifest::read(source, header.manifest_at, header.manifest_len)?;
    let catalog = reader.catalog();
    // Sealing leaves it behind: what a migration dropped does not travel.
    if catalog.history().kept.is_some() {
        return Err(Error::Content("it keeps what a heap was before a migration".into()));
    }
    let counts = catalog.tables().iter().filter(|table| table.type_number.is_some()).map(|table| table.entry.live);
    if manifest.sequence != header.sequence || !manifest.types.iter().map(|total| total.records).eq(counts) {
        return Err(Error::Manifest("it speaks of another heap".into()));
    }
    Ok(manifest)
}
