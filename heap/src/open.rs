//! Opening and closing: lock, recover, read, verify, bind.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use migrate::{ByteOrder, Programs, Registry};

use crate::announce;
use crate::binder::Binder;
use crate::catalog::Catalog;
use crate::checkpoint::{self, Checkpointer};
use crate::control;
use crate::create::{self, Drawn};
use crate::error::{Error, Result};
use crate::event;
use crate::file_space::FileSpace;
use crate::format::catalog::{ExtentEntry, ROOT_AT, TableKind};
use crate::format::handle::LAST_GENERATION;
use crate::format::header::{FileState, Header};
use crate::format::{BLOCK, REGION};
use crate::front::Heap;
use crate::log::Log;
use crate::migration::{self, Foreign, Migration};
use crate::options::Options;
use crate::publish::publish;
use crate::raw::{Arena, ForkMark, Gate, Space};
use crate::read::{self, Checks, Reader, Regions};
use crate::recover::{self, Recovered};
use crate::shared::Shared;
use crate::state::State;
use crate::storage::real::RealStorage;
use crate::storage::{File, Lock, LockMode, Storage};
use crate::table::Table;
use crate::types::Types;
use crate::verify;

/// How the file comes into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// It is read, checked and verified.
    Copied,
    /// It is mapped, and believed.
    Mapped,
}

/// Opens a heap file, or makes one.
pub(crate) fn open(path: &Path, options: Options, door: Door) -> Result<Heap> {
    check_page_size()?;
    if !path.exists() {
        make(path, &options)?;
    }
    let path = path.canonicalize().map_err(|source| failed("find", path, source))?;
    let storage: Arc<dyn Storage> = Arc::new(RealStorage::open(&path)?);
    open_storage(path, &storage, options, door)
}

/// Opens a heap over a storage that holds a heap's files.
pub(crate) fn open_storage(path: PathBuf, storage: &Arc<dyn Storage>, options: Options, door: Door) -> Result<Heap> {
    lock(&path, &**storage, &options)?;
    let opened = open_locked(path, storage, options, door);
    match &opened {
        Ok(heap) => event::opened(heap.path(), door, heap.stats().sequence),
        Err(error) => {
            event::refused(error);
            let _ = storage.lock(Lock::Writer, LockMode::Released);
        }
    }
    opened
}

fn open_locked(path: PathBuf, storage: &Arc<dyn Storage>, options: Options, door: Door) -> Result<Heap> {
    let header = check_writable(&path, storage)?;
    let is_migrated = options.types.is_some() || seems_foreign(&**storage, &header);
    let pass = |header: &Header| migration::pass(&**storage, BaseSource(storage), header, &options);
    let mut passed = if is_migrated { pass(&header)? } else { None };
    let Recovered { headers, log, checksums } =
        recover::recover(storage, &path, |counter| draw_epoch(&options, counter))?;
    let header = headers.header.clone();
    if passed.is_none() && seems_foreign(&**storage, &header) {
        // The log said so, of which the file knew nothing.
        passed = pass(&header)?;
    }
    // What is transcoded is in memory, and no map of the file.
    let is_foreign = passed.as_ref().is_some_and(|passed| passed.foreign.is_some());
    let door = if is_foreign { Door::Copied } else { door };
    let checks = if door == Door::Copied { Checks::Strict } else { Checks::None };
    let reader = Reader::open(BaseSource(storage), &path, checks)?;
    let shift = passed.as_ref().map_or(reader.catalog().shift(), |passed| Migration::shift(passed, reader.catalog()));
    let space = reserve(options.reserve, shift)?;
    load(&reader, &space, storage, door)?;
    let (_, mut catalog) = reader.into_catalog();
    let at_run_time = run_time_catalog(&catalog);
    if let Some(foreign) = passed.as_ref().and_then(|passed| passed.foreign.as_ref()) {
        foreign.transcode(&space, &mut catalog)?;
    }
    if door == Door::Copied {
        verify::verify(&ArenaRegions(&space, &catalog), &catalog, &header)?;
    }
    let on_progress = options.on_progress.clone();
    let mut migration = passed.map(|passed| Migration::begin(passed, &space, on_progress)).transpose()?;
    let mut contents = Contents { registry: catalog.registry().clone(), catalog: at_run_time, space };
    if let Some(migration) = &mut migration {
        migration.place(&mut contents.catalog, &contents.registry);
        contents.registry = migration.registry().clone();
    }
    let shared = Arc::new(assemble(path, storage, (options, door), &header, Some(log), contents)?);
    Checkpointer::start(&shared, headers, checksums)?;
    let heap = Heap { shared };
    if let Some(migration) = migration {
        migration.finish(&heap.shared).inspect_err(|_| abandon(&heap.shared))?;
    }
    announce::begin(&heap.shared);
    Ok(heap)
}

/// Only a live heap without what this version does not know may be written to.
pub(crate) fn check_writable(path: &Path, storage: &Arc<dyn Storage>) -> Result<Header> {
    let (header, _) = read::read_header(&BaseSource(storage), path)?;
    if header.state == FileState::Image {
        return Err(Error::WrongDoor { path: path.to_owned(), found: "a sealed image", remedy: "Heap::open_image" });
    }
    if header.write_flags & !crate::format::header::KNOWN_WRITE_FLAGS != 0 {
        let fault = crate::format::header::HeaderFault::Features(header.write_flags);
        return Err(Error::Header { path: path.to_owned(), fault });
    }
    Ok(header)
}

/// Opens an image as a scratch heap.
pub(crate) fn open_image(path: &Path, options: Options) -> Result<Heap> {
    check_page_size()?;
    let file = fs::File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::NotFound { path: path.to_owned() },
        _ => failed("open", path, source),
    })?;
    let reader = Reader::open(file, path, Checks::Strict)?;
    let header = reader.header().clone();
    if header.state == FileState::Live {
        return Err(Error::WrongDoor { path: path.to_owned(), found: "a live heap", remedy: "Heap::open" });
    }
    let byte_order = reader.byte_order();
    let space = reserve(options.reserve, reader.catalog().shift())?;
    for extent in reader.catalog().extents() {
        load_extent(&reader, &space, extent)?;
    }
    let (_, mut catalog) = reader.into_catalog();
    if byte_order != ByteOrder::NATIVE {
        Foreign::new(catalog.registry(), byte_order)?.transcode(&space, &mut catalog)?;
    }
    verify::verify(&ArenaRegions(&space, &catalog), &catalog, &header)?;
    let storage: Arc<dyn Storage> = Arc::new(crate::storage::Nowhere);
    let contents = Contents { registry: catalog.registry().clone(), catalog: run_time_catalog(&catalog), space };
    let shared = assemble(path.to_owned(), &storage, (options, Door::Copied), &header, None, contents)?;
    Ok(Heap { shared: Arc::new(shared) })
}

/// Ends a heap that nobody was given, without giving up the lock: that is for who took it.
fn abandon(shared: &Shared) {
    if let Some(checkpointer) = shared.checkpointer.get() {
        checkpointer.stop(shared);
    }
    shared.superseded.store(true, Ordering::Relaxed);
}

/// Opens a heap again for other types, under the lock that it holds. On an error the heap is open as it was, or, where
/// that is not possible either, refuses everything.
pub(crate) fn open_again(heap: &mut Heap, types: Types) -> Result<()> {
    let shared = Arc::clone(&heap.shared);
    shared.check_usable()?;
    let Some(checkpointer) = shared.checkpointer.get() else { return Err(Error::NoDisk) };
    // A snapshot shows the heap as it was, through what both share.
    if Arc::strong_count(&shared) > 2 + usize::from(checkpointer.has_thread()) {
        return Err(Error::Deadlock { held: "snapshot" });
    }
    checkpointer.stop(&shared);
    announce::end(&shared);
    shared.superseded.store(true, Ordering::Relaxed);
    // Whatever happens, a panic of who is told of the progress included: what it knows of the files is over.
    let _ = shared.poison.set("it was being opened for other types".into());
    let open = |options: Options| open_locked(shared.path.clone(), &shared.storage, options, shared.door);
    let migrated = open(Options { types: Some(types), ..shared.options.clone() });
    let failed = match migrated {
        Ok(migrated) => {
            *heap = migrated;
            return Ok(());
        }
        Err(failed) => failed,
    };
    match open(shared.options.clone()) {
        Ok(before) => *heap = before,
        Err(error) => shared.poison(&error),
    }
    Err(failed)
}

/// The last checkpoint, so that the file alone is the heap; then the locks go.
pub(crate) fn close(shared: &Shared) {
    if !shared.mark.is_here() {
        // A forked child has neither the checkpoint's thread nor the right to write.
        return;
    }
    if shared.superseded.load(Ordering::Relaxed) {
        // Another opening of the same files has the lock.
        return;
    }
    if let Some(checkpointer) = shared.checkpointer.get() {
        checkpointer.stop(shared);
    }
    announce::end(shared);
    if shared.log.is_some() {
        let _ = shared.storage.lock(Lock::Writer, LockMode::Released);
    }
}

fn failed(action: &str, path: &Path, source: io::Error) -> Error {
    Error::Io { action: format!("{action} {}", path.display()), source }
}

/// Blocks are mapped one by one, so pages may not be larger.
fn check_page_size() -> Result<()> {
    let page = rustix::param::page_size() as u64;
    if BLOCK.is_multiple_of(page) {
        return Ok(());
    }
    Err(Error::Platform(format!("this kernel's pages have {page} bytes; heaps need pages of at most {BLOCK}")))
}

/// Whether the heap's records are of another byte order, as the file says without its log.
fn seems_foreign(storage: &dyn Storage, header: &Header) -> bool {
    // A root that is damaged is for recovery to judge.
    let named = checkpoint::base_root(storage).ok().and_then(|root| root.byte_order);
    ByteOrder::NATIVE != named.unwrap_or(header.byte_order).into()
}

/// A new heap file appears whole, under a name that nobody has.
fn make(path: &Path, options: &Options) -> Result<()> {
    let drawn = Drawn {
        heap_id: draw(options, 1),
        hash_key: draw(options, 2),
        first_generation: 1 + draw_word(options, 4) as u32 % (LAST_GENERATION / 2),
    };
    let bytes = create::empty_heap(drawn);
    match publish(path, options.mode, |file| file.write_all(&bytes)) {
        // Somebody else made it meanwhile.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(|source| failed("make", path, source)),
    }
}

/// Sixteen bytes from the seed, or from the system.
pub(crate) fn draw(options: &Options, purpose: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&draw_word(options, purpose).to_le_bytes());
    bytes[8..].copy_from_slice(&draw_word(options, purpose + 100).to_le_bytes());
    bytes
}

/// A word from the seed by the finaliser of splitmix64, or from the system's randomness by the standard library's
/// keyed hasher.
fn draw_word(options: &Options, purpose: u64) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    let Some(seed) = options.seed else { return RandomState::new().hash_one(purpose) };
    let mut word = seed.wrapping_add(purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

/// An epoch for the log. Also with a seed each opening has its own: the counter of the header that it finds is another.
pub(crate) fn draw_epoch(options: &Options, counter: u64) -> u64 {
    draw_word(options, 3).wrapping_add(counter.wrapping_mul(0xd1b5_4a32_d192_ed03))
}

/// Takes the writer's lock, waiting as long as the options say.
pub(crate) fn lock(path: &Path, storage: &dyn Storage, options: &Options) -> Result<()> {
    let until = Instant::now() + options.wait;
    loop {
        let locked = storage.lock(Lock::Writer, LockMode::Exclusive);
        if locked.map_err(|source| failed("lock", path, source))? {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(Error::Busy { path: path.to_owned(), pid: control::for_heap(path).map(|info| info.pid) });
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Reserves an arena, half as large each time the system refuses.
pub(crate) fn reserve(len: u64, shift: u32) -> Result<Space> {
    let mut len = len.max(REGION << (shift - REGION.trailing_zeros())).next_power_of_two();
    loop {
        match Arena::reserve(len) {
            Ok(arena) => return Ok(Space::new(arena, shift)),
            Err(_) if len > 16 * REGION => len /= 2,
            Err(source) => return Err(Error::Io { action: format!("reserve {len} bytes of addresses"), source }),
        }
    }
}

fn load<S: read::Source>(reader: &Reader<S>, space: &Space, storage: &Arc<dyn Storage>, door: Door) -> Result<()> {
    if door == Door::Copied {
        return reader.catalog().extents().iter().try_for_each(|extent| load_extent(reader, space, extent));
    }
    let file = storage.descriptor(File::Base).ok_or(Error::NoDisk)?;
    // Neighbours in the file that are neighbours in the arena take one mapping.
    let mut runs: Vec<(u64, u64, u64)> = Vec::new();
    for extent in reader.catalog().extents() {
        let at = check_fits(space, &extent.entry)?;
        match runs.last_mut() {
            Some((start, len, offset)) if *start + *len == at && *offset + *len == extent.entry.at => {
                *len += extent.entry.len;
            }
            _ => runs.push((at, extent.entry.len, extent.entry.at)),
        }
    }
    for (at, len, offset) in runs {
        let mapped = space.arena().map_file(at, len, file, offset);
        mapped.map_err(|source| Error::Io { action: "map the heap file".into(), source })?;
    }
    Ok(())
}

fn load_extent<S: read::Source>(reader: &Reader<S>, space: &Space, extent: &read::Extent) -> Result<()> {
    let at = check_fits(space, &extent.entry)?;
    let mapped = space.arena().map_zeros(at, extent.entry.len);
    mapped.map_err(|source| Error::Io { action: format!("map {} bytes of memory", extent.entry.len), source })?;
    space.fill_with(at, extent.entry.len, |bytes| reader.read_extent(extent, bytes))
}

/// Offset of an extent in the arena, which must have room for it.
fn check_fits(space: &Space, extent: &ExtentEntry) -> Result<u64> {
    let at = space.region_at(extent.region) + u64::from(extent.offset);
    if at + extent.len <= space.arena().len() {
        return Ok(at);
    }
    Err(Error::ArenaFull { reserved: space.arena().len() })
}

/// What a heap consists of, in memory.
struct Contents {
    registry: Registry,
    catalog: Catalog,
    space: Space,
}

fn assemble(
    path: PathBuf,
    storage: &Arc<dyn Storage>,
    (options, door): (Options, Door),
    header: &Header,
    log: Option<Log>,
    Contents { registry, catalog, space }: Contents,
) -> Result<Shared> {
    let programs = Programs::compile(&registry)
        .map_err(|error| Error::Unsupported { name: "the schema".into(), why: error.to_string() })?;
    let mut state = State::new(catalog, &space, Arc::new(programs), header.sequence);
    let mut regions_of_shape: HashMap<u32, Vec<u32>> = HashMap::new();
    for table in &state.catalog.tables {
        if let TableKind::Records(shape) = table.entry.kind {
            regions_of_shape.insert(shape, table.regions.clone());
        }
    }
    let binder = Binder::new(registry, regions_of_shape);
    state.registry_news = binder.news();
    Ok(Shared {
        path,
        storage: Arc::clone(storage),
        gate: Gate::default(),
        state: Mutex::new(state),
        binder: Mutex::new(binder),
        log,
        checkpointer: OnceLock::new(),
        announcement: Mutex::new(None),
        first_generation: header.first_generation,
        hash_key: header.hash_key,
        poison: OnceLock::new(),
        door,
        figures: Mutex::default(),
        snapshots: Mutex::new(Vec::new()),
        mark: ForkMark::new().map_err(|source| Error::Io { action: "map a page".into(), source })?,
        owner: std::process::id(),
        superseded: AtomicBool::new(false),
        options,
        space,
    })
}

/// The catalog as it was read, for a writer.
pub(crate) fn run_time_catalog(catalog: &read::Catalog) -> Catalog {
    let root = *catalog.root();
    let mut taken = vec![(0, ROOT_AT + BLOCK)];
    taken.extend(root.streams.iter().filter(|run| run.at != 0).map(|run| (run.at, run.capacity)));
    taken.extend(catalog.extents().iter().map(|extent| (extent.entry.at, extent.entry.len)));
    // Nobody but a rollback reads what is kept; it is there until the program gives it up.
    taken.extend(catalog.kept_extents().iter().map(|extent| (extent.entry.at, extent.entry.len)));
    let tables = catalog.tables().iter().map(|table| {
        let first = table.regions.first().map(|&position| catalog.regions()[position as usize].slots);
        let slots = first.unwrap_or_else(|| match table.entry.kind {
            TableKind::Large => 1,
            _ => crate::table::slots_per_region(table.entry.first, table.entry.stride),
        });
        Table::new(table.entry, slots, table.type_number)
    });
    let mut extents = Vec::new();
    for extent in catalog.extents() {
        let number = extent.number as usize;
        extents.resize(extents.len().max(number + 1), ExtentEntry::default());
        extents[number] = extent.entry;
    }
    let mut roots = Vec::new();
    for root in catalog.roots() {
        let number = root.number as usize;
        roots.resize(roots.len().max(number + 1), None);
        roots[number] = Some(root.entry.clone());
    }
    Catalog::new(root, FileSpace::new(taken), tables.collect(), extents, roots, catalog.history().clone())
}

/// The base file as the readers take it.
pub(crate) struct BaseSource<'a>(pub(crate) &'a Arc<dyn Storage>);

impl read::Source for BaseSource<'_> {
    fn len(&self) -> io::Result<u64> {
        self.0.len(File::Base)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.0.read_at(File::Base, offset, bytes)
    }
}

/// The arena as the verifier takes it.
struct ArenaRegions<'a>(&'a Space, &'a read::Catalog);

impl Regions for ArenaRegions<'_> {
    fn region(&self, number: u32) -> Option<&[u8]> {
        let region = self.1.region(number)?;
        Some(self.0.loaded(number, region.len))
    }
}
