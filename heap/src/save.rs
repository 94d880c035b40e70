//! Saving: what is in memory becomes a heap file of its own.
//!
//! The receipts of migrations come along; the way back, and the extents that are kept for it, do not.
//!
//! Its extents are those of the arena, side by side in the new file, the small ones first. They, the streams of the
//! catalog and the checksums are laid out before anything is written, so the file is written once.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::create::Drawn;
use crate::error::{Error, Result};
use crate::format::catalog::{CatalogRoot, ExtentEntry, ROOT_AT, RootEntry, Run, Stream};
use crate::format::header::{ByteOrder, FileState, Header, LogStart, MINOR, PAGE};
use crate::format::{BLOCK, REGION, whole_blocks};
use crate::open;
use crate::publish::publish;
use crate::raw::View;
use crate::shared::Shared;
use crate::state::State;

/// Writes the heap as of its last commit into a new file.
pub(crate) fn save(shared: &Shared, path: &Path) -> Result<()> {
    shared.check_usable()?;
    let guard = shared.gate.read(&shared.space, None).map_err(|refusal| shared.refused(refusal))?;
    let state = shared.state();
    let registry = shared.binder().registry().to_archive();
    let plan = Plan::of(&state, registry);
    let drawn = Drawn {
        heap_id: open::draw(&shared.options, 1),
        // Maps are ordered by it, and slots count from it.
        hash_key: shared.hash_key,
        first_generation: shared.first_generation,
    };
    let header = header(drawn, state.sequence, plan.len);
    let saved = publish(path, shared.options.mode, |file| plan.write(guard.view(), &header, file));
    saved.map_err(|source| {
        Error::no_room_or(source, |source| Error::Io { action: format!("save {}", path.display()), source })
    })
}

fn header(drawn: Drawn, sequence: u64, file_len: u64) -> Header {
    Header {
        minor: MINOR,
        write_flags: 0,
        ignorable_flags: 0,
        byte_order: ByteOrder::NATIVE,
        pointer_width: size_of::<usize>() as u8,
        state: FileState::Live,
        first_generation: drawn.first_generation,
        heap_id: drawn.heap_id,
        hash_key: drawn.hash_key,
        counter: 1,
        sequence,
        // The file alone is the heap.
        log: LogStart::default(),
        forced: 0,
        file_len,
        manifest_at: 0,
        manifest_len: 0,
        content_hash: [0; 32],
    }
}

/// What goes where.
struct Plan {
    root: CatalogRoot,
    /// The streams that hold something, but for the checksums.
    streams: Vec<(Run, Vec<u8>)>,
    /// The extents that hold something.
    extents: Vec<ExtentEntry>,
    len: u64,
}

impl Plan {
    fn of(state: &State, registry: Vec<u8>) -> Self {
        let catalog = &state.catalog;
        let mut extents = catalog.extents().to_vec();
        let tables = catalog.tables.iter().flat_map(|table| table.entry.to_bytes()).collect();
        let roots = catalog.roots().flat_map(RootEntry::to_bytes).collect();
        let history = catalog.history().without_kept().to_bytes();
        let sized = [
            (Stream::Registry, registry.len()),
            (Stream::Tables, catalog.tables.len() * crate::format::catalog::TABLE_ENTRY),
            (Stream::Extents, extents.len() * crate::format::catalog::EXTENT_ENTRY),
            (Stream::Roots, catalog.roots().count() * crate::format::catalog::ROOT_ENTRY),
            (Stream::History, history.len()),
        ];
        let mut root = CatalogRoot::default();
        let mut end = ROOT_AT + BLOCK;
        for (stream, len) in sized.into_iter().filter(|sized| sized.1 > 0) {
            let run = Run { at: end, capacity: whole_blocks(len as u64), len: len as u64 };
            root.streams[stream as usize] = run;
            end += run.capacity;
        }
        end = place(&mut extents, end);
        let written: Vec<u8> = extents.iter().flat_map(ExtentEntry::to_bytes).collect();
        let bytes = [(Stream::Registry, registry), (Stream::Tables, tables), (Stream::Extents, written)];
        let streams = bytes.into_iter().chain([(Stream::Roots, roots), (Stream::History, history)]);
        let streams = streams.map(|(stream, bytes)| (root.streams[stream as usize], bytes));
        let streams = streams.filter(|(run, _)| run.at != 0).collect();
        // One entry for each block, those of the checksums included.
        let before = end / BLOCK;
        let mut own = 1;
        while (before + own) * 4 > own * BLOCK {
            own += 1;
        }
        root.streams[Stream::Checksums as usize] = Run { at: end, capacity: own * BLOCK, len: (before + own) * 4 };
        extents.retain(|extent| extent.len > 0);
        Self { root, streams, extents, len: end + own * BLOCK }
    }

    fn write(&self, view: View<'_>, header: &Header, file: &mut File) -> io::Result<()> {
        file.set_len(self.len)?;
        let zero = crc32fast::hash(&[0; BLOCK as usize]);
        let mut sums = vec![zero; (self.len / BLOCK) as usize];
        let mut write = |at: u64, bytes: &[u8]| {
            for (number, block) in (at / BLOCK..).zip(bytes.chunks(BLOCK as usize)) {
                let mut hasher = crc32fast::Hasher::new();
                hasher.update(block);
                hasher.update(&ZEROS[block.len()..]);
                sums[number as usize] = hasher.finalize();
            }
            file.write_all_at(bytes, at)
        };
        write(ROOT_AT, &self.root.to_bytes())?;
        for (run, bytes) in &self.streams {
            write(run.at, bytes)?;
        }
        for extent in &self.extents {
            let start = view.space().region_at(extent.region) + u64::from(extent.offset);
            for offset in (0..extent.len).step_by(REGION as usize) {
                let len = REGION.min(extent.len - offset);
                write(extent.at + offset, view.slot_bytes(start + offset, len))?;
            }
        }
        let run = self.root.streams[Stream::Checksums as usize];
        sums[0] = 0;
        sums[(run.at / BLOCK) as usize..].fill(0);
        let sums: Vec<u8> = sums.into_iter().flat_map(u32::to_le_bytes).collect();
        file.write_all_at(&sums, run.at)?;
        let page: [u8; PAGE] = header.to_page();
        file.write_all_at(&page, 0)
    }
}

const ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];

/// Gives each extent its place from `end` on; where the last one ends. Large ones begin at multiples of 2 MiB, as in
/// every heap file.
fn place(extents: &mut [ExtentEntry], mut end: u64) -> u64 {
    for align in [BLOCK, REGION] {
        let fitting = |extent: &&mut ExtentEntry| extent.len > 0 && (extent.len >= REGION) == (align == REGION);
        for extent in extents.iter_mut().filter(fitting) {
            extent.at = end.next_multiple_of(align);
            end = extent.at + extent.len;
        }
    }
    end
}
