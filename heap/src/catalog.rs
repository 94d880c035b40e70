//! The catalog at run time: tables, extents and roots, and how their changes become operations of a frame.
//!
//! The history is written anew as a whole when it changes.
//!
//! What grows — extents, tables, shapes, room for a stream — is not taken back with a transaction: it holds nothing
//! and serves the next one. Counts, roots and the history are.

use std::collections::BTreeMap;
use std::io;

use crate::file_space::FileSpace;
use crate::format::catalog::{
    CatalogRoot, EXTENT_ENTRY, ExtentEntry, ROOT_AT, ROOT_ENTRY, RootEntry, STREAMS, Stream, TABLE_ENTRY,
};
use crate::format::frame::Operation;
use crate::format::header::ByteOrder;
use crate::format::history::{History, Kept};
use crate::format::{BLOCK, whole_blocks};
use crate::storage::Storage;
use crate::table::Table;

/// The catalog.
#[derive(Debug)]
pub(crate) struct Catalog {
    /// The byte order that the root names.
    byte_order: Option<ByteOrder>,
    pub(crate) file: FileSpace,
    pub(crate) tables: Vec<Table>,
    streams: [StreamState; STREAMS],
    root_dirty: bool,
    extents: Vec<ExtentEntry>,
    free_extents: Vec<u32>,
    dirty_extents: Vec<u32>,
    /// Name to number of the entry.
    root_numbers: BTreeMap<String, u32>,
    roots: Vec<Option<RootEntry>>,
    dirty_roots: Vec<u32>,
    history: History,
    /// Length of its stream.
    history_len: u64,
    /// What the history was that the transaction changed.
    history_before: Option<History>,
}

#[derive(Debug, Clone, Copy, Default)]
struct StreamState {
    at: u64,
    capacity: u64,
    len: u64,
    /// Its whole content is to be written: it moved, or never was.
    rewrite: bool,
}

impl Catalog {
    /// A catalog as read from a file.
    pub(crate) fn new(
        root: CatalogRoot,
        file: FileSpace,
        tables: Vec<Table>,
        extents: Vec<ExtentEntry>,
        roots: Vec<Option<RootEntry>>,
        history: History,
    ) -> Self {
        let free_extents = (0..).zip(&extents).filter(|(_, extent)| extent.len == 0).map(|(number, _)| number);
        let named = (0..).zip(&roots).filter_map(|(number, root)| Some((root.as_ref()?.name.clone(), number)));
        Self {
            byte_order: root.byte_order,
            free_extents: free_extents.collect(),
            root_numbers: named.collect(),
            streams: root.streams.map(|run| StreamState {
                at: run.at,
                capacity: run.capacity,
                len: run.len,
                rewrite: false,
            }),
            root_dirty: false,
            file,
            tables,
            extents,
            dirty_extents: Vec::new(),
            roots,
            dirty_roots: Vec::new(),
            history_len: history.to_bytes().len() as u64,
            history,
            history_before: None,
        }
    }

    /// The extents, by number; one of length 0 is none.
    pub(crate) fn extents(&self) -> &[ExtentEntry] {
        &self.extents
    }

    /// Adds an extent; its number.
    pub(crate) fn add_extent(&mut self, extent: ExtentEntry) -> u32 {
        let number = self.free_extents.pop().unwrap_or_else(|| {
            self.extents.push(ExtentEntry::default());
            self.extents.len() as u32 - 1
        });
        self.set_extent(number, extent);
        number
    }

    /// Changes an extent.
    pub(crate) fn set_extent(&mut self, number: u32, extent: ExtentEntry) {
        self.extents[number as usize] = extent;
        self.dirty_extents.push(number);
    }

    /// Takes an extent out of the catalog; its bytes stay.
    pub(crate) fn keep_extent(&mut self, number: u32) {
        self.set_extent(number, ExtentEntry::default());
        self.forget_extent(number);
    }

    /// An extent's entry is free to be used again.
    pub(crate) fn forget_extent(&mut self, number: u32) {
        self.free_extents.push(number);
    }

    /// The byte order that the root names.
    pub(crate) const fn byte_order(&self) -> Option<ByteOrder> {
        self.byte_order
    }

    /// The values have this byte order from the next commit on.
    pub(crate) const fn set_byte_order(&mut self, order: ByteOrder) {
        self.byte_order = Some(order);
        self.root_dirty = true;
    }

    /// Adds a table; its number.
    pub(crate) fn add_table(&mut self, mut table: Table) -> u32 {
        table.dirty = true;
        self.tables.push(table);
        self.tables.len() as u32 - 1
    }

    /// The root of this name.
    pub(crate) fn root(&self, name: &str) -> Option<&RootEntry> {
        self.roots[*self.root_numbers.get(name)? as usize].as_ref()
    }

    /// All roots, by name.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &RootEntry> {
        self.root_numbers.values().filter_map(|&number| self.roots[number as usize].as_ref())
    }

    /// The entries of roots by number, as they are written.
    pub(crate) fn root_entries(&self) -> impl Iterator<Item = [u8; ROOT_ENTRY]> {
        self.roots.iter().map(|root| root.as_ref().map_or([0; ROOT_ENTRY], RootEntry::to_bytes))
    }

    /// Sets, or with `None` removes, the root of this name; what it was before.
    pub(crate) fn set_root(&mut self, name: &str, root: Option<RootEntry>) -> Option<RootEntry> {
        let number = match self.root_numbers.get(name) {
            Some(&number) => number,
            None if root.is_none() => return None,
            None => self.roots.iter().position(Option::is_none).unwrap_or_else(|| {
                self.roots.push(None);
                self.roots.len() - 1
            }) as u32,
        };
        if root.is_some() {
            self.root_numbers.insert(name.to_owned(), number);
        } else {
            self.root_numbers.remove(name);
        }
        self.dirty_roots.push(number);
        std::mem::replace(&mut self.roots[number as usize], root)
    }

    /// What migrations did, and the way back.
    pub(crate) const fn history(&self) -> &History {
        &self.history
    }

    /// Changes the history.
    pub(crate) fn set_history(&mut self, history: History) {
        self.history_len = history.to_bytes().len() as u64;
        let before = std::mem::replace(&mut self.history, history);
        self.history_before.get_or_insert(before);
    }

    /// Whether the history is another since the last commit.
    pub(crate) const fn has_other_history(&self) -> bool {
        self.history_before.is_some()
    }

    /// The transaction that changed the history is taken back.
    pub(crate) fn take_back_history(&mut self) {
        if let Some(before) = self.history_before.take() {
            self.history_len = before.to_bytes().len() as u64;
            self.history = before;
        }
    }

    /// Makes room in every stream for what it holds now, and for the checksum of every block of the file.
    ///
    /// Runs that move are given up with the commit `sequence`.
    pub(crate) fn make_room(
        &mut self,
        storage: &dyn Storage,
        sequence: u64,
        registry: Option<&[u8]>,
    ) -> io::Result<()> {
        self.make_stream_room(storage, sequence, Stream::Tables, (self.tables.len() * TABLE_ENTRY) as u64)?;
        self.make_stream_room(storage, sequence, Stream::Extents, (self.extents.len() * EXTENT_ENTRY) as u64)?;
        self.make_stream_room(storage, sequence, Stream::Roots, (self.roots.len() * ROOT_ENTRY) as u64)?;
        if let Some(registry) = registry {
            self.streams[Stream::Registry as usize].rewrite = true;
            self.make_stream_room(storage, sequence, Stream::Registry, registry.len() as u64)?;
        }
        self.streams[Stream::History as usize].rewrite |= self.has_other_history();
        self.make_stream_room(storage, sequence, Stream::History, self.history_len)?;
        self.make_checksum_room(storage, sequence)
    }

    /// Room for checksums needs checksums itself: once more after the file grew by them.
    fn make_checksum_room(&mut self, storage: &dyn Storage, sequence: u64) -> io::Result<()> {
        for _ in 0..2 {
            self.make_stream_room(storage, sequence, Stream::Checksums, self.file.end() / BLOCK * 4)?;
        }
        Ok(())
    }

    fn make_stream_room(&mut self, storage: &dyn Storage, sequence: u64, stream: Stream, len: u64) -> io::Result<()> {
        let state = &mut self.streams[stream as usize];
        if len > state.capacity {
            let capacity = whole_blocks(len.max(state.capacity * 2));
            let at = self.file.take(storage, capacity)?;
            if state.at != 0 {
                self.file.give_up(sequence, state.at, state.capacity);
            }
            *state = StreamState { at, capacity, len: state.len, rewrite: true };
            self.root_dirty = true;
        }
        if state.len != len {
            state.len = len;
            self.root_dirty = true;
        }
        Ok(())
    }

    /// Hands every change since the last commit to `emit`; [`Catalog::make_room`] went before.
    pub(crate) fn changes(&self, registry: Option<&[u8]>, mut emit: impl FnMut(Operation<'_>)) {
        self.stream_changes(
            Stream::Tables,
            (0..).zip(&self.tables).filter(|(_, table)| table.dirty).map(|(number, _)| number),
            self.tables.len() as u32,
            |number| self.tables[number as usize].entry.to_bytes(),
            &mut emit,
        );
        self.stream_changes(
            Stream::Extents,
            self.dirty_extents.iter().copied(),
            self.extents.len() as u32,
            |number| self.extents[number as usize].to_bytes(),
            &mut emit,
        );
        self.stream_changes(
            Stream::Roots,
            self.dirty_roots.iter().copied(),
            self.roots.len() as u32,
            |number| self.roots[number as usize].as_ref().map_or([0; ROOT_ENTRY], RootEntry::to_bytes),
            &mut emit,
        );
        if let Some(registry) = registry {
            self.whole_stream(Stream::Registry, registry, &mut emit);
        }
        // After a transaction that was taken back it may have to be written as it was, elsewhere.
        if self.streams[Stream::History as usize].rewrite {
            self.whole_stream(Stream::History, &self.history.to_bytes(), &mut emit);
        }
        if self.root_dirty {
            emit(Operation::Write { at: ROOT_AT, bytes: &self.catalog_root().to_bytes() });
        }
    }

    fn whole_stream(&self, stream: Stream, bytes: &[u8], emit: &mut impl FnMut(Operation<'_>)) {
        let StreamState { at, capacity, .. } = self.streams[stream as usize];
        if capacity > 0 {
            emit(Operation::Zero { at, len: capacity as u32 });
            write(at, bytes, emit);
        }
    }

    /// Makes room for the streams as they were, hands them to `emit` as a whole, and the history and the root with them.
    /// What the catalog itself says of tables, extents and roots is written no more.
    pub(crate) fn write_back(
        &mut self,
        storage: &dyn Storage,
        sequence: u64,
        kept: &Kept,
        mut emit: impl FnMut(Operation<'_>),
    ) -> io::Result<()> {
        self.byte_order = kept.byte_order;
        let history = self.history.to_bytes();
        let streams = [
            (Stream::Tables, &kept.tables),
            (Stream::Extents, &kept.extents),
            (Stream::Roots, &kept.roots),
            (Stream::Registry, &kept.registry),
            (Stream::History, &history),
        ];
        for (stream, bytes) in streams {
            self.make_stream_room(storage, sequence, stream, bytes.len() as u64)?;
        }
        self.make_checksum_room(storage, sequence)?;
        for (stream, bytes) in streams {
            self.whole_stream(stream, bytes, &mut emit);
        }
        emit(Operation::Write { at: ROOT_AT, bytes: &self.catalog_root().to_bytes() });
        Ok(())
    }

    fn stream_changes<const N: usize>(
        &self,
        stream: Stream,
        dirty: impl Iterator<Item = u32>,
        count: u32,
        bytes: impl Fn(u32) -> [u8; N],
        emit: &mut impl FnMut(Operation<'_>),
    ) {
        let StreamState { at, rewrite, .. } = self.streams[stream as usize];
        if rewrite {
            let all: Vec<u8> = (0..count).flat_map(bytes).collect();
            self.whole_stream(stream, &all, emit);
        } else {
            for number in dirty {
                emit(Operation::Write { at: at + u64::from(number) * N as u64, bytes: &bytes(number) });
            }
        }
    }

    /// The root as it is now.
    pub(crate) fn catalog_root(&self) -> CatalogRoot {
        CatalogRoot {
            byte_order: self.byte_order,
            streams: self.streams.map(|stream| crate::format::catalog::Run {
                at: stream.at,
                capacity: stream.capacity,
                len: stream.len,
            }),
        }
    }

    /// Every change was committed.
    pub(crate) fn committed(&mut self) {
        self.history_before = None;
        for table in &mut self.tables {
            table.dirty = false;
        }
        for stream in &mut self.streams {
            stream.rewrite = false;
        }
        self.root_dirty = false;
        self.dirty_extents.clear();
        self.dirty_roots.clear();
    }
}

/// Writes bytes in operations that fit a frame each.
fn write(at: u64, bytes: &[u8], emit: &mut impl FnMut(Operation<'_>)) {
    for (number, bytes) in bytes.chunks(PIECE).enumerate() {
        emit(Operation::Write { at: at + (number * PIECE) as u64, bytes });
    }
}

/// The longest operation in bytes: several fit a segment of the log.
pub(crate) const PIECE: usize = 64 * 1024;
