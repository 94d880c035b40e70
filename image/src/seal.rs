//! Sealing: a heap at one moment becomes an image.
//!
//! Blocks are copied in their order, once, and written [behind](write_behind). What no part of the catalog owns becomes zeros, and
//! the checksums move behind everything else, so that they and the content hash are known when they are written. What is
//! kept of the heap before a migration is no part of its state and stays behind; the receipts come along. The
//! same heap gives the same bytes, and sealing an image again gives that image.

use std::io::{Seek, SeekFrom, Write};

use heap::format::catalog::{CatalogRoot, ROOT_AT, Run, Stream};
use heap::format::header::{FileState, HOLDS_SECRETS, Header, LogStart, MINOR};
use heap::format::{BLOCK, whole_blocks};
use heap::read::{Reader, Source};

use crate::error::{Error, Result};
use crate::manifest::{Manifest, Provenance, Redaction, TypeTotal};
use crate::write_behind::{Pieces, write_behind};

/// Bytes copied at a time: whole blocks, as many as stay in the cache while they are checked, hashed and written.
const PIECE: u64 = 256 * 1024;

/// What is known about the image besides the heap's bytes.
#[derive(Debug, Clone, Default)]
pub struct SealOptions {
    /// The program whose heap it is.
    pub program: String,
    /// The program's build.
    pub build: String,
    /// Fingerprint of the schema.
    pub schema: [u8; 32],
    /// Sequence of the last commit laid over the file.
    pub sequence: u64,
    /// Epoch of the log.
    pub epoch: u64,
    /// Whether that commit was durable.
    pub durable: bool,
    /// What was done to secrets.
    pub redaction: Option<Redaction>,
    /// Whether values of fields marked secret are in it.
    pub holds_secrets: bool,
    /// Where and when; `None` makes images of one state equal.
    pub provenance: Option<Provenance>,
}

/// An image that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Length in bytes.
    pub len: u64,
    /// BLAKE3 of its content.
    pub content_hash: [u8; 32],
    /// What it says about itself.
    pub manifest: Manifest,
}

/// Writes the heap as an image into `target`, from its start.
///
/// # Errors
/// When the heap cannot be read or is damaged, or writing fails. What was written then is no image: its header comes
/// last.
pub fn seal<S: Source, W: Write + Seek + Send>(
    reader: &Reader<S>,
    options: &SealOptions,
    target: &mut W,
) -> Result<Sealed> {
    let layout = Layout::of(reader);
    let manifest = manifest(reader, options);
    let manifest_bytes = manifest.to_bytes()?;
    target.seek(SeekFrom::Start(0)).map_err(Error::writing)?;
    target.write_all(&vec![0; BLOCK as usize]).map_err(Error::writing)?;
    let content_hash = layout.write(reader, target)?;
    target.write_all(&manifest_bytes).map_err(Error::writing)?;
    let header = Header {
        minor: MINOR,
        ignorable_flags: if options.holds_secrets { HOLDS_SECRETS } else { 0 },
        byte_order: reader.catalog().byte_order(reader.header()),
        state: FileState::Image,
        counter: 1,
        sequence: options.sequence,
        log: LogStart::default(),
        forced: 0,
        file_len: layout.len,
        manifest_at: layout.len,
        manifest_len: manifest_bytes.len() as u64,
        content_hash,
        ..reader.header().clone()
    };
    target.seek(SeekFrom::Start(0)).map_err(Error::writing)?;
    target.write_all(&header.to_page()).map_err(Error::writing)?;
    target.flush().map_err(Error::writing)?;
    Ok(Sealed { len: layout.len + manifest_bytes.len() as u64, content_hash, manifest })
}

fn manifest<S: Source>(reader: &Reader<S>, options: &SealOptions) -> Manifest {
    let catalog = reader.catalog();
    let tables = catalog.tables().iter().enumerate().filter(|(_, table)| table.type_number.is_some());
    let types = tables
        .map(|(number, table)| TypeTotal { name: catalog.table_name(number as u32), records: table.entry.live })
        .collect();
    Manifest {
        program: options.program.clone(),
        build: options.build.clone(),
        schema: options.schema,
        sequence: options.sequence,
        epoch: options.epoch,
        durable: options.durable,
        types,
        redaction: options.redaction.clone(),
        provenance: options.provenance.clone(),
    }
}

/// Where things lie in the image.
struct Layout {
    root: CatalogRoot,
    /// What is copied, sorted: offset, bytes that mean something, and length in whole blocks.
    runs: Vec<(u64, u64, u64)>,
    /// The history as it travels; the file's may hold more.
    history: Vec<u8>,
    /// Length of the content with block 0.
    len: u64,
}

impl Layout {
    fn of<S: Source>(reader: &Reader<S>) -> Self {
        let catalog = reader.catalog();
        // The header names the byte order that the records have.
        let mut root = CatalogRoot { byte_order: None, ..*catalog.root() };
        let history = catalog.history().without_kept().to_bytes();
        let run = &mut root.streams[Stream::History as usize];
        *run = match history.len() as u64 {
            0 => Run::default(),
            len => Run { capacity: whole_blocks(len), len, ..*run },
        };
        let streams = root.streams.iter().enumerate().filter(|(number, _)| *number != Stream::Checksums as usize);
        let streams = streams.map(|(_, run)| (run.at, run.len, run.capacity)).filter(|run| run.2 > 0);
        let extents = catalog.extents().iter().map(|extent| (extent.entry.at, extent.entry.len, extent.entry.len));
        let mut runs: Vec<_> = streams.chain(extents).collect();
        runs.sort_unstable();
        let end = runs.last().map_or(ROOT_AT + BLOCK, |run| run.0 + run.2);
        // One entry for each block, those of the checksums included.
        let before = end / BLOCK;
        let mut own = 1;
        while (before + own) * 4 > own * BLOCK {
            own += 1;
        }
        let checksums = Run { at: end, capacity: own * BLOCK, len: (before + own) * 4 };
        root.streams[Stream::Checksums as usize] = checksums;
        Self { root, runs, history, len: end + checksums.capacity }
    }

    /// Writes everything behind block 0, and returns its hash.
    fn write<S: Source>(&self, reader: &Reader<S>, target: &mut (impl Write + Send)) -> Result<[u8; 32]> {
        write_behind(target, |pieces| {
            let mut copier = Copier { pieces, hasher: blake3::Hasher::new(), sums: vec![0; 4] };
            copier.blocks(BLOCK, |root, _| {
                let bytes = self.root.to_bytes();
                root[..bytes.len()].copy_from_slice(&bytes);
                root[bytes.len()..].fill(0);
                Ok(())
            })?;
            let mut at = ROOT_AT + BLOCK;
            for &(start, used, len) in &self.runs {
                copier.zeros(start - at)?;
                at = start;
                while at < start + len {
                    let piece_len = (start + len - at).min(PIECE);
                    copier.blocks(piece_len, |piece, sums| self.read_piece(reader, (start, used), at, piece, sums))?;
                    at += piece_len;
                }
            }
            copier.finish(self.root.streams[Stream::Checksums as usize])
        })
    }

    /// Reads a piece of a run that begins at an offset and whose first bytes mean something, and says which of its blocks'
    /// checksums are known.
    fn read_piece<S: Source>(
        &self,
        reader: &Reader<S>,
        (start, used): (u64, u64),
        at: u64,
        piece: &mut [u8],
        sums: &mut [Option<u32>],
    ) -> Result<()> {
        // Behind the used part of a stream there are no values, and no checksums that would have to be right.
        let meaning = (start + used).saturating_sub(at).min(piece.len() as u64);
        let blocks = whole_blocks(meaning) as usize;
        if start == self.root.streams[Stream::History as usize].at {
            let from = (at - start) as usize;
            piece[..meaning as usize].copy_from_slice(&self.history[from..from + meaning as usize]);
            piece[meaning as usize..].fill(0);
            // The file's history may be another, and so its checksums.
            return Ok(());
        }
        reader.read_blocks(at, &mut piece[..blocks])?;
        piece[meaning as usize..].fill(0);
        // Whole blocks are as they were read, and what they were checked against is their checksum still.
        for (number, sum) in (0..meaning / BLOCK).zip(sums) {
            *sum = reader.checked_sum(at / BLOCK + number);
        }
        Ok(())
    }
}

/// Has blocks written, and learns their checksums.
struct Copier<'a> {
    pieces: &'a Pieces,
    hasher: blake3::Hasher,
    sums: Vec<u8>,
}

impl Copier<'_> {
    /// Some blocks that `fill` fills; of some of them it says what checksum they have.
    fn blocks(&mut self, len: u64, fill: impl FnOnce(&mut [u8], &mut [Option<u32>]) -> Result<()>) -> Result<()> {
        let mut piece = self.pieces.buffer()?;
        piece.resize(len as usize, 0);
        let mut sums = [None; (PIECE / BLOCK) as usize];
        fill(&mut piece, &mut sums)?;
        for (block, known) in piece.chunks_exact(BLOCK as usize).zip(sums) {
            let sum = known.unwrap_or_else(|| crc32fast::hash(block));
            self.sums.extend_from_slice(&sum.to_le_bytes());
        }
        self.hasher.update(&piece);
        self.pieces.write(piece)
    }

    fn zeros(&mut self, len: u64) -> Result<()> {
        let mut left = len;
        while left > 0 {
            let piece = left.min(PIECE);
            self.blocks(piece, |bytes, _| {
                bytes.fill(0);
                Ok(())
            })?;
            left -= piece;
        }
        Ok(())
    }

    fn finish(mut self, run: Run) -> Result<[u8; 32]> {
        self.sums.resize(run.capacity as usize, 0);
        self.hasher.update(&self.sums);
        self.pieces.write(self.sums)?;
        Ok(*self.hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::path::Path;

    use heap::format::frame::Operation;
    use heap::read::Checks;

    use super::*;
    use crate::sample::board;
    use crate::verify::FileReport;

    fn options() -> SealOptions {
        SealOptions { program: "board".into(), sequence: 7, durable: true, ..SealOptions::default() }
    }

    fn sealed<S: Source>(reader: &Reader<S>) -> Vec<u8> {
        let mut target = Cursor::new(Vec::new());
        let sealed = seal(reader, &options(), &mut target).unwrap();
        assert_eq!(sealed.len, target.get_ref().len() as u64);
        target.into_inner()
    }

    fn open(file: &[u8]) -> Result<Reader<&[u8]>> {
        Ok(Reader::open(file, Path::new("test.img"), Checks::Strict)?)
    }

    fn verify(file: &[u8]) -> Result<FileReport> {
        FileReport::of(&open(file)?)
    }

    #[test]
    fn a_sealed_heap_is_a_whole_image_and_sealing_it_again_changes_nothing() {
        let file = board(3).file();
        let image = sealed(&open(&file).unwrap());
        let report = verify(&image).unwrap();
        assert_eq!(report.values, verify(&file).unwrap().values);
        let manifest = report.manifest.unwrap();
        assert_eq!((&*manifest.program, manifest.sequence, manifest.types.len()), ("board", 7, 3));
        assert_eq!(sealed(&open(&image).unwrap()), image);
    }

    #[test]
    fn what_no_part_owns_is_zero_in_the_image() {
        let mut file = board(3).file();
        let image = sealed(&open(&file).unwrap());
        // The old checksums' blocks belong to nothing now, and neither do blocks behind them.
        file.extend_from_slice(&vec![0xaa; 4 * BLOCK as usize]);
        assert_eq!(sealed(&open(&file).unwrap()), image);
    }

    /// What a migration dropped may be why it was made.
    #[test]
    fn what_is_kept_for_the_way_back_does_not_travel_and_the_receipts_do() {
        let file_after = |text: &str| {
            let mut fixture = board(3);
            let mut before = fixture.clone();
            before.text(text);
            fixture.before = Some(Box::new(before));
            fixture.file()
        };
        let (file, other) = (file_after("a canary"), file_after("a parrot"));
        let holds_canary = |file: &[u8]| file.windows(8).any(|window| window == b"a canary");
        assert!(holds_canary(&file) && verify(&file).is_ok());
        let image = sealed(&open(&file).unwrap());
        assert!(!holds_canary(&image));
        assert_eq!(image, sealed(&open(&other).unwrap()));
        verify(&image).unwrap();
        let (kept, image_opened) = (open(&file).unwrap(), open(&image).unwrap());
        let history = kept.catalog().history();
        assert!(history.kept.is_some() && !history.receipts.is_empty());
        assert_eq!(*image_opened.catalog().history(), history.without_kept());
        assert_eq!(sealed(&image_opened), image);
    }

    /// A history of more than a block, sealed while something was kept, had in its image the checksum of the block that it
    /// begins with in the heap: nobody could open the image.
    #[test]
    fn a_long_history_travels_as_well() {
        let mut fixture = board(3);
        fixture.before = Some(Box::new(board(3)));
        let file = fixture.file_with(|entries| {
            let receipts = &mut entries.history.receipts;
            *receipts = vec![receipts[0].clone(); 200];
        });
        let kept = open(&file).unwrap();
        let history = kept.catalog().history();
        assert!(history.kept.is_some() && history.without_kept().to_bytes().len() as u64 > BLOCK);
        let image = sealed(&kept);
        assert_eq!(*open(&image).unwrap().catalog().history(), history.without_kept());
        verify(&image).unwrap();
    }

    /// Sealing makes no such image, but somebody may.
    #[test]
    fn an_image_that_keeps_what_was_before_a_migration_is_refused() {
        let forged = |before: Option<Box<heap::read::fixture::Fixture>>| {
            let mut fixture = board(3);
            fixture.before = before;
            let mut file = fixture.file();
            let reader = open(&file).unwrap();
            let manifest = manifest(&reader, &options()).to_bytes().unwrap();
            let header = Header {
                state: FileState::Image,
                manifest_at: file.len() as u64,
                manifest_len: manifest.len() as u64,
                content_hash: *blake3::hash(&file[BLOCK as usize..]).as_bytes(),
                ..reader.header().clone()
            };
            file[..BLOCK as usize].fill(0);
            file[..4096].copy_from_slice(&header.to_page());
            file.extend_from_slice(&manifest);
            verify(&file)
        };
        forged(None).unwrap();
        let refused = forged(Some(Box::new(board(3)))).unwrap_err();
        assert!(refused.to_string().contains("before a migration"), "{refused}");
    }

    #[test]
    fn every_flipped_bit_of_an_image_is_found() {
        let image = sealed(&open(&board(2).file()).unwrap());
        let dense = (0..256).chain(4088..4100).chain(image.len() - 200..image.len());
        for at in dense.chain((256..image.len()).step_by(509)) {
            for bit in [0, 3, 7] {
                let mut damaged = image.clone();
                damaged[at] ^= 1 << bit;
                assert!(verify(&damaged).is_err(), "byte {at} bit {bit}");
            }
        }
        assert!(verify(&image[..image.len() - 1]).is_err());
        assert!(verify(&[&image[..], &[0]].concat()).is_err());
    }

    #[test]
    fn operations_of_the_log_are_in_the_image() {
        let before = board(3).file();
        let mut fixture = board(3);
        let board = fixture.roots[0].reference;
        let title = fixture.text("renamed");
        fixture.slot_mut(board)[8..16].copy_from_slice(&title.to_ne_bytes());
        let free = fixture.value(heap::format::slot::Kind::Text, 0, &[]);
        fixture.free(free);
        // The text that the title was has no owner any more; it stands for a half-applied commit.
        let after = fixture.file();
        assert!(verify(&after).is_err());
        assert_eq!(before.len(), after.len());
        let changed: Vec<usize> = (BLOCK as usize..before.len()).filter(|&at| before[at] != after[at]).collect();
        let operation = |&at: &usize| Operation::Write { at: at as u64, bytes: &after[at..=at] };
        let header = open(&before).unwrap().header().clone();
        let reader =
            Reader::with_operations(&before[..], header, changed.iter().map(operation), Checks::Strict).unwrap();
        let direct = open(&after).unwrap();
        assert_eq!(sealed(&reader), sealed(&direct));
    }
}
