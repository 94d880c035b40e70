//! A heap file or image, opened for reading.

use std::ops::Range;
use std::path::Path;

use super::source::{Source, len_of, read_exact, zeroed};
use super::{BlockSums, Catalog, Extent, Loaded, Overlay};
use crate::error::{Corruption, Error, Place, Result};
use crate::format::catalog::{CatalogRoot, ROOT_AT, ROOT_LEN, Stream};
use crate::format::frame::Operation;
use crate::format::header::{Header, HeaderFault, PAGE};
use crate::format::{BLOCK, whole_blocks};

/// Bytes read at a time where a whole extent is not wanted at once.
const PIECE: u64 = 1024 * 1024;

/// Bytes shown at a time while loading: they are still in the cache.
const SHOWN: u64 = 256 * 1024;

/// A piece of a heap file on its way into memory.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Where it belongs to a region: the region's position in the catalog's, and its bytes as far as they have come,
    /// from its start.
    pub region: Option<(usize, &'a [u8])>,
}

/// Whether checksums of blocks are believed necessary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checks {
    /// Every block read must have its checksum.
    Strict,
    /// For looking into damaged files.
    None,
}

/// The newest valid header of a file, and which of the two pages has it.
///
/// # Errors
/// When neither page is valid.
pub fn read_header<S: Source + ?Sized>(source: &S, path: &Path) -> Result<(Header, u8)> {
    let fault = |fault| Error::Header { path: path.to_owned(), fault };
    let mut pages = [0; 2 * PAGE];
    if len_of(source)? < pages.len() as u64 {
        return Err(fault(HeaderFault::Magic));
    }
    read_exact(source, 0, &mut pages)?;
    Header::choose(&pages).map_err(fault)
}

/// A heap's committed state at one moment: its file under the operations of its log.
#[derive(Debug)]
pub struct Reader<S> {
    source: Overlay<S>,
    header: Header,
    catalog: Catalog,
    sums: Option<BlockSums>,
}

impl<S: Source> Reader<S> {
    /// Opens a file without a log: an image, or a heap as its last checkpoint left it.
    ///
    /// # Errors
    /// When the header or the catalog is damaged.
    pub fn open(source: S, path: &Path, checks: Checks) -> Result<Self> {
        let (header, _) = read_header(&source, path)?;
        Self::with_overlay(Overlay::new(source)?, header, checks)
    }

    /// Opens a file under the operations that its log holds after the header's sequence.
    ///
    /// # Errors
    /// When an operation cannot be, or the catalog is damaged.
    pub fn with_operations<'a>(
        source: S,
        header: Header,
        operations: impl IntoIterator<Item = Operation<'a>>,
        checks: Checks,
    ) -> Result<Self> {
        let mut overlay = Overlay::new(source)?;
        operations.into_iter().try_for_each(|operation| overlay.apply(operation))?;
        Self::with_overlay(overlay, header, checks)
    }

    /// Opens a file under operations that were laid over it before.
    ///
    /// # Errors
    /// When the catalog is damaged.
    pub fn with_overlay(source: Overlay<S>, header: Header, checks: Checks) -> Result<Self> {
        let len = len_of(&source)?;
        // An image's manifest lies behind its used part.
        let needed = header.manifest_at.saturating_add(header.manifest_len).max(header.file_len);
        if len < needed {
            let what = Corruption::Truncated { missing: needed - len };
            return Err(Error::Corrupt { at: Place::Offset(len), what });
        }
        // A log may have taken into use what lies behind the part that the header knows.
        let limit = if source.is_changed() { len / BLOCK * BLOCK } else { header.file_len };
        let root = read_root(&source, limit)?;
        let sums = match checks {
            Checks::Strict => Some(check_streams(&source, &root)?),
            Checks::None => None,
        };
        let catalog = Catalog::parse(&source, root, limit)?;
        Ok(Self { source, header, catalog, sums })
    }

    /// The header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The catalog.
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The catalog, the rest given up.
    pub fn into_catalog(self) -> (Header, Catalog) {
        (self.header, self.catalog)
    }

    /// The file under its log.
    pub const fn source(&self) -> &Overlay<S> {
        &self.source
    }

    /// Byte order of records.
    pub fn byte_order(&self) -> migrate::ByteOrder {
        self.catalog.byte_order(&self.header).into()
    }

    /// Fills `bytes`, which are as long as the extent, with its contents, and checks the checksums of its blocks.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn read_extent(&self, extent: &Extent, bytes: &mut [u8]) -> Result<()> {
        for (number, piece) in bytes.chunks_mut(PIECE as usize).enumerate() {
            // A piece is checked while it is still in the cache.
            self.read_blocks(extent.entry.at + number as u64 * PIECE, piece)?;
        }
        Ok(())
    }

    /// Fills `bytes` with whole blocks from `offset` on, and checks their checksums.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn read_blocks(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        read_exact(&self.source, offset, bytes)?;
        match &self.sums {
            Some(sums) => sums.check(&self.source, offset, bytes),
            None => Ok(()),
        }
    }

    /// The checksum that the bytes of a block had to have when they were read; `None` where none was asked for, as
    /// when the log touches the block.
    pub fn checked_sum(&self, block: u64) -> Option<u32> {
        self.sums.as_ref().filter(|_| !self.source.touches(block))?.get(block)
    }

    /// Checks the extents that the log says were written before their frames.
    ///
    /// # Errors
    /// Names the first whose bytes are not those that were written.
    pub fn check_published(&self) -> Result<()> {
        let mut buffer = zeroed(PIECE)?;
        for published in self.source.published() {
            let mut hasher = crc32fast::Hasher::new();
            let end = published.at + u64::from(published.len);
            let mut at = published.at;
            while at < end {
                let piece = &mut buffer[..(end - at).min(PIECE) as usize];
                read_exact(&self.source, at, piece)?;
                hasher.update(piece);
                at += piece.len() as u64;
            }
            let (stored, computed) = (published.crc, hasher.finalize());
            if stored != computed {
                let at = Place::Offset(published.at);
                return Err(Error::Corrupt { at, what: Corruption::Checksum { stored, computed } });
            }
        }
        Ok(())
    }

    /// Reads every region into memory.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged, or memory is short.
    pub fn load(&self) -> Result<Loaded> {
        let mut loaded = self.zeros()?;
        for (position, region) in self.catalog.regions().iter().enumerate() {
            let bytes = loaded.at_mut(position);
            for extent in self.catalog.extents_of(region) {
                let start = extent.entry.offset as usize;
                self.read_extent(extent, &mut bytes[start..start + extent.entry.len as usize])?;
            }
        }
        Ok(loaded)
    }

    /// Reads every region into memory, and shows all that lies behind the header's block in the part of the file that
    /// is used, in its order: of the regions the very bytes that are in memory then. So the file is read once, and
    /// looked at while the processor has it at hand.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged, or memory is short.
    pub fn load_showing(&self, mut show: impl FnMut(Shown<'_>)) -> Result<Loaded> {
        let mut loaded = self.zeros()?;
        let regions = self.catalog.regions().iter().enumerate();
        let extents = regions.flat_map(|(position, region)| {
            self.catalog.extents_of(region).iter().map(move |extent| (position, extent.entry))
        });
        // No two of them share a block.
        let mut extents: Vec<_> = extents.collect();
        extents.sort_unstable_by_key(|(_, extent)| extent.at);
        let mut between = zeroed(SHOWN)?;
        let mut at = BLOCK;
        // How much of each region has come; what comes too early does not count.
        let mut come = vec![0; self.catalog.regions().len()];
        for (position, extent) in extents {
            self.show(at..extent.at, &mut between, &mut show)?;
            let (region, offset, come) = (loaded.at_mut(position), extent.offset as usize, &mut come[position]);
            at = extent.at;
            for start in (offset..offset + extent.len as usize).step_by(SHOWN as usize) {
                let end = (start + SHOWN as usize).min(offset + extent.len as usize);
                self.read_blocks(at, &mut region[start..end])?;
                *come = if *come == start { end } else { *come };
                show(Shown { bytes: &region[start..end], region: Some((position, &region[..*come])) });
                at += (end - start) as u64;
            }
        }
        self.show(at..self.header.file_len, &mut between, &mut show)?;
        Ok(loaded)
    }

    /// Shows a part of the file that belongs to no region.
    fn show(&self, range: Range<u64>, buffer: &mut [u8], show: &mut impl FnMut(Shown<'_>)) -> Result<()> {
        let mut at = range.start;
        while at < range.end {
            let piece = &mut buffer[..(range.end - at).min(SHOWN) as usize];
            read_exact(&self.source, at, piece)?;
            show(Shown { bytes: piece, region: None });
            at += piece.len() as u64;
        }
        Ok(())
    }

    fn zeros(&self) -> Result<Loaded> {
        Loaded::zeros(self.catalog.regions().iter().map(|region| (region.number, region.len)))
    }
}

fn read_root<S: Source + ?Sized>(source: &S, limit: u64) -> Result<CatalogRoot> {
    let mut bytes = [0; ROOT_LEN];
    read_exact(source, ROOT_AT, &mut bytes)?;
    CatalogRoot::parse(&bytes, limit)
        .map_err(|fault| Error::Corrupt { at: Place::Offset(ROOT_AT + u64::from(fault.offset)), what: fault.into() })
}

/// Checks the blocks of the root and of all streams but the checksums themselves.
fn check_streams<S: Source>(source: &Overlay<S>, root: &CatalogRoot) -> Result<BlockSums> {
    let sums = BlockSums::read(source, root)?;
    let mut block = zeroed(BLOCK)?;
    let streams = [Stream::Tables, Stream::Extents, Stream::Roots, Stream::Registry, Stream::History];
    let runs = streams.map(|stream| root.streams[stream as usize]);
    for (at, len) in std::iter::once((ROOT_AT, BLOCK)).chain(runs.map(|run| (run.at, whole_blocks(run.len)))) {
        for offset in (at..at + len).step_by(BLOCK as usize) {
            read_exact(source, offset, &mut block)?;
            sums.check(source, offset, &block)?;
        }
    }
    Ok(sums)
}
