//! What all guards of a heap share.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use migrate::Shape;

use crate::binder::{Binder, Unknown};
use crate::checkpoint::Checkpointer;
use crate::control::ControlFile;
use crate::error::{Error, RecordName, Result};
use crate::event;
use crate::field::{Field, Record};
use crate::format::handle::Handle;
use crate::format::slot::{self, Kind};
use crate::handles::{List, Ref};
use crate::log::Log;
use crate::open::Door;
use crate::options::Options;
use crate::planted::planted;
use crate::raw::{ForkMark, Gate, Refusal, Space, Value, View};
use crate::snapshot::Shown;
use crate::state::State;
use crate::stats::Stats;
use crate::storage::{File, Storage};
use crate::transaction::{Sequence, Transaction};

/// An open heap.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    pub(crate) options: Options,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) space: Space,
    pub(crate) gate: Gate,
    pub(crate) state: Mutex<State>,
    pub(crate) binder: Mutex<Binder>,
    /// `None` for a scratch heap over an image.
    pub(crate) log: Option<Log>,
    pub(crate) checkpointer: OnceLock<Checkpointer>,
    /// The control files that tell others of the open heap.
    pub(crate) announcement: Mutex<Option<ControlFile>>,
    pub(crate) first_generation: u32,
    pub(crate) hash_key: [u8; 16],
    /// Why the heap refuses everything until it is opened again.
    pub(crate) poison: OnceLock<String>,
    pub(crate) door: Door,
    /// Snapshots that may still show pages of the base.
    pub(crate) snapshots: Mutex<Vec<Shown>>,
    /// The figures last asked for, for when a transaction holds the state.
    pub(crate) figures: Mutex<Stats>,
    pub(crate) mark: ForkMark,
    /// The process that opened the heap.
    pub(crate) owner: u32,
    /// The heap was opened again in its place; files and locks are the new one's.
    pub(crate) superseded: AtomicBool,
}

impl Shared {
    /// The state, for a moment; a transaction holds it for as long as it lives.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic in a transaction is a rollback: the state is whole after it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The binder, for a moment.
    pub(crate) fn binder(&self) -> MutexGuard<'_, Binder> {
        self.binder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Snapshots that may still show pages of the base.
    pub(crate) fn snapshots(&self) -> MutexGuard<'_, Vec<Shown>> {
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a snapshot may still show pages of the base.
    pub(crate) fn has_snapshots(&self) -> bool {
        let mut snapshots = self.snapshots();
        snapshots.retain(Shown::is_alive);
        !snapshots.is_empty()
    }

    /// Whether the heap may be used at all.
    pub(crate) fn check_usable(&self) -> Result<()> {
        if let Some(why) = self.poison.get() {
            return Err(Error::Poisoned(why.clone()));
        }
        if !self.mark.is_here() {
            return Err(Error::Forked { owner: self.owner });
        }
        Ok(())
    }

    /// From now on nobody knows what reached the disk.
    pub(crate) fn poison(&self, error: &Error) {
        if self.poison.set(error.to_string()).is_ok() {
            event::poisoned(&self.path, error);
        }
    }

    /// A failed allocation: no room, which leaves everything as it was, or worse, which poisons the heap.
    pub(crate) fn no_room(&self, error: io::Error) -> Error {
        Error::no_room_or(error, |error| self.poisoned("allocate room in", error))
    }

    /// What waits for the transaction to end cannot be asked for by the thread that has it.
    pub(crate) fn refuse_within_transaction(&self) -> Result<()> {
        if self.gate.is_writer_here() { Err(Error::Deadlock { held: "write" }) } else { Ok(()) }
    }

    /// Begins a transaction.
    pub(crate) fn write(&self, wait: Option<std::time::Duration>) -> Result<Transaction<'_>> {
        self.check_usable()?;
        let raw = self.gate.write(&self.space, wait).map_err(|refusal| self.refused(refusal))?;
        Ok(Transaction::new(self, raw, self.state()))
    }

    pub(crate) fn refused(&self, refusal: Refusal) -> Error {
        match refusal {
            Refusal::Deadlock { held } => Error::Deadlock { held },
            Refusal::TimedOut => Error::Busy { path: self.path.clone(), pid: Some(self.owner) },
        }
    }

    /// Appends the frame in `state.payload`; a checkpoint may be due then. After any failure but want of room the heap is poisoned.
    pub(crate) fn append(&self, state: &mut State) -> Result<()> {
        let Some(log) = &self.log else { return Ok(()) };
        let sequence = state.sequence + 1;
        match log.append(sequence, &state.payload) {
            Ok(len) => {
                if let Some(checkpointer) = self.checkpointer.get() {
                    checkpointer.notice(len);
                }
                Ok(())
            }
            Err(error @ Error::NoRoom(_)) => Err(error),
            Err(error) => {
                self.poison(&error);
                Err(error)
            }
        }
    }

    /// Waits until a commit survives a power cut.
    pub(crate) fn wait_durable(&self, sequence: Sequence) -> Result<()> {
        let Some(log) = &self.log else { return Err(Error::NoDisk) };
        self.check_usable()?;
        if planted!(self.storage, AcknowledgedBeforeSync) {
            return Ok(());
        }
        log.sync_sequence(sequence.number()).inspect_err(|error| self.poison(error))
    }

    /// Writes a part of a fresh extent to the base; it is published by the frame that follows.
    pub(crate) fn write_fresh(&self, at: u64, bytes: &[u8]) -> Result<()> {
        self.storage.write_at(File::Base, at, bytes).map_err(|error| self.poisoned("write", error))?;
        // The disk is busy with this piece while the next one is copied.
        self.storage.begin_sync(File::Base, at, bytes.len() as u64);
        Ok(())
    }

    /// Makes what was written to fresh extents durable, and the file's length.
    pub(crate) fn sync_fresh(&self) -> Result<()> {
        self.storage.sync(File::Base).map_err(|error| self.poisoned("sync", error))
    }

    fn poisoned(&self, what: &str, source: io::Error) -> Error {
        let error = Error::Io { action: format!("{what} {}", self.path.display()), source };
        self.poison(&error);
        error
    }

    /// Why a handle names no live record; or the record, when its type had only not been bound yet.
    #[cold]
    pub(crate) fn get_slowly<'a, T: Record>(&self, view: View<'a>, record: Ref<T>) -> Result<&'a T> {
        self.bind_in::<T>(view.space())?;
        if let Some(found) = view.record(record.to_bits()) {
            return Ok(found);
        }
        let handle = Handle::from_bits(record.to_bits());
        let name = RecordName { type_name: T::name(), number: u64::from(handle.index), generation: handle.generation };
        let own =
            view.space().is_bound_to::<T>(handle.region) && handle.index < view.space().record_slots(handle.region);
        Err(if own { Error::Stale(name) } else { Error::Foreign(name, T::name()) })
    }

    /// Binds a record type the heap knows, in its own space and in a snapshot's; its shape number.
    pub(crate) fn bind_in<T: Record>(&self, space: &Space) -> Result<Option<u32>> {
        let shape = self.binder().bind_record::<T>(&self.space, Unknown::Leave)?;
        if !std::ptr::eq(space, &raw const self.space) {
            self.space.copy_bindings_to(space);
        }
        Ok(shape)
    }

    /// Why a handle names no live list of such elements; or the list, when its type had only not been bound yet, or
    /// shares its shape with another.
    #[cold]
    pub(crate) fn list_slowly<'a, T: Field>(&self, view: View<'a>, list: List<T>) -> Result<&'a [T]> {
        let bits = list.to_bits();
        if let Some(value) = view.value(bits)
            && matches!(slot::kind(value.word), Some(Kind::ListInline | Kind::ListSpilled))
        {
            let shape = slot::aux(value.word);
            // A reader adds no shapes: what the heap does not know it cannot hold.
            if self.binder().bind_element::<T>(&self.space, Unknown::Leave)? == Some(shape)
                && let Some(elements) = view.list_of_shape::<T>(bits, shape)
            {
                return Ok(elements);
            }
        }
        Err(self.bad_value(view, "list", bits))
    }

    /// Why a handle names no live map of this type; or the map's slot, when its type had only not been bound yet, or
    /// shares its shape with another.
    #[cold]
    pub(crate) fn map_slowly<M: Field>(&self, view: View<'_>, bits: u64, kind: Kind) -> Result<Value> {
        if let Some(value) = view.value(bits)
            && slot::kind(value.word) == Some(kind)
            && self.binder().bind_element::<M>(&self.space, Unknown::Leave)? == Some(slot::aux(value.word))
        {
            return Ok(value);
        }
        Err(self.bad_value(view, if kind == Kind::Map { "map" } else { "sorted map" }, bits))
    }

    /// Why a handle names no live value of a kind.
    #[cold]
    pub(crate) fn bad_value(&self, view: View<'_>, kind: &str, bits: u64) -> Error {
        let handle = Handle::from_bits(bits);
        let name =
            RecordName { type_name: kind.to_owned(), number: u64::from(handle.index), generation: handle.generation };
        if view.space().is_of_values(handle.region) && view.value(bits).is_none() {
            Error::Stale(name)
        } else {
            Error::Foreign(name, kind.to_owned())
        }
    }

    /// The name of a record by its handle.
    pub(crate) fn name_of<T: Record>(&self, record: Ref<T>) -> RecordName {
        let handle = Handle::from_bits(record.to_bits());
        RecordName { type_name: T::name(), number: u64::from(handle.index), generation: handle.generation }
    }

    /// The root of this name, when it holds a `T`.
    pub(crate) fn root<T: Record>(&self, state: &State, view: View<'_>, name: &str) -> Result<Option<Ref<T>>> {
        let Some(root) = state.catalog.root(name) else { return Ok(None) };
        let bound = self.bind_in::<T>(view.space())?;
        let holds = state.shape_of_table(root.table);
        if holds.is_none() || holds != bound {
            let binder = self.binder();
            let found = holds.and_then(|shape| binder.registry().shapes.get(shape as usize));
            return Err(Error::RootType {
                name: name.to_owned(),
                found: found.map_or_else(|| "value".to_owned(), Shape::to_string),
                asked: T::name(),
            });
        }
        Ok(Some(Ref::from_bits(root.reference)))
    }

    /// The table of a record type, if the heap has one.
    pub(crate) fn table_of<T: Record>(&self, state: &State, view: View<'_>) -> Result<Option<u32>> {
        let shape = self.bind_in::<T>(view.space())?;
        Ok(shape.and_then(|shape| state.record_tables.get(&shape).copied()))
    }

    /// Bits of the handles of a table's live records, in the order of their slots.
    pub(crate) fn records_of<'a>(
        &self,
        state: &'a State,
        view: View<'a>,
        table: u32,
    ) -> impl Iterator<Item = u64> + use<'a> {
        let table = &state.catalog.tables[table as usize];
        (0..table.entry.used).filter_map(move |number| {
            let (region, index) = table.place(number);
            let word = view.word(view.space().region_at(region) + table.header_in_region(index));
            (slot::kind_number(word) == Kind::Record as u8)
                .then(|| Handle { generation: slot::generation(word), region, index }.to_bits())
        })
    }

    /// All records of a type with their handles.
    pub(crate) fn iterate<'a, T: Record>(
        &self,
        view: View<'a>,
    ) -> Result<impl Iterator<Item = (Ref<T>, &'a T)> + use<'a, T>> {
        let state = self.state();
        let table = self.table_of::<T>(&state, view)?;
        let regions = table.map(|table| state.catalog.tables[table as usize].regions.clone()).unwrap_or_default();
        Ok(regions
            .into_iter()
            .flat_map(move |region| view.region_records::<T>(region))
            .map(|(bits, record)| (Ref::from_bits(bits), record)))
    }

    /// Folds the log into the base now.
    pub(crate) fn checkpoint_now(&self) -> Result<()> {
        self.refuse_within_transaction()?;
        self.checkpointer.get().ok_or(Error::NoDisk)?.now(self)
    }

    /// Adds what the log knows to the figures.
    pub(crate) fn add_log_figures(&self, stats: &mut Stats) {
        if let Some(log) = &self.log {
            let figures = log.figures();
            stats.log_len = figures.len;
            stats.durable_sequence = figures.durable_sequence;
            stats.syncs = figures.syncs;
            stats.sync_nanoseconds = figures.nanoseconds;
        }
        stats.checkpoint_sequence = self.checkpointer.get().map_or(stats.sequence, Checkpointer::sequence);
    }
}
