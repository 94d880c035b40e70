//! The one writer.

use std::any::TypeId;
use std::ops::IndexMut;
use std::sync::MutexGuard;

use crate::binder::Unknown;
use crate::commit;
use crate::error::{Error, Result};
use crate::event;
use crate::field::{Field, Record};
use crate::format::catalog::{MAX_ROOT_NAME, RootEntry, TableKind};
use crate::format::handle::Handle;
use crate::format::slot::{self, Kind};
use crate::guard::Reader as _;
use crate::handles::{Bytes, Ref, Text};
use crate::kept::{self, Flip};
use crate::list::Appending;
use crate::planted::planted;
use crate::raw::{self, Disjoint, Value, View, Writing};
use crate::shared::Shared;
use crate::state::{Cached, State};

/// How a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Durability {
    /// It survives a power cut: the log is synced before the commit returns.
    #[default]
    Disk,
    /// It survives the death of the process, and reaches the disk with the next sync.
    Process,
}

/// Number of a commit; the first has 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sequence(pub(crate) u64);

impl Sequence {
    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// The one writer of a heap: all that it did is there after [`commit`](Transaction::commit), or nothing.
///
/// Dropped without a commit — by an early return, `?`, or a panic — it takes everything back. It reads as well, and
/// sees its own changes. See [`Heap::write`](crate::Heap::write).
#[derive(Debug)]
pub struct Transaction<'h> {
    // Fields are dropped in this order: the state is free before the next writer is let in.
    pub(crate) state: MutexGuard<'h, State>,
    pub(crate) raw: Writing<'h>,
    pub(crate) shared: &'h Shared,
    pub(crate) appending: Option<Appending>,
}

impl<'h> Transaction<'h> {
    pub(crate) const fn new(shared: &'h Shared, raw: Writing<'h>, state: MutexGuard<'h, State>) -> Self {
        Self { state, raw, shared, appending: None }
    }

    #[inline(always)]
    pub(crate) const fn view(&self) -> View<'_> {
        self.raw.view()
    }

    /// Commits with the heap's own durability.
    ///
    /// # Errors
    /// As [`commit_with`](Transaction::commit_with).
    pub fn commit(self) -> Result<Sequence> {
        let durability = self.shared.options.durability;
        self.commit_with(durability)
    }

    /// Commits. With [`Durability::Disk`] it returns when the commit, and all before it, survive a power cut; others
    /// may read and write meanwhile.
    ///
    /// A transaction that changed nothing commits nothing and returns the last sequence.
    ///
    /// While the heap before a migration is kept, the first commit that changes anything in an extent of it writes this
    /// extent elsewhere and waits for the disk, whatever its strength; until [`Heap::keep`](crate::Heap::keep) the file may
    /// grow up to twice its size.
    ///
    /// # Errors
    /// [`Error::SecondOwner`] and [`Error::Dangling`] when handles were mixed up, [`Error::NoRoom`] and
    /// [`Error::ArenaFull`] when there is no room: everything is taken back, and the heap goes on. [`Error::NoDisk`]
    /// for strength Disk on a scratch heap. [`Error::Poisoned`] when writing failed so that nobody knows what reached
    /// the disk: the heap refuses everything until it is opened again.
    pub fn commit_with(self, durability: Durability) -> Result<Sequence> {
        self.commit_as(durability, None)
    }

    /// Commits as a migration: every extent that was changed is written to other room in the file, and the catalog
    /// before stays. See [`kept`].
    pub(crate) fn commit_flip(self, durability: Durability, flip: Flip) -> Result<Sequence> {
        self.commit_as(durability, Some(flip))
    }

    fn commit_as(mut self, durability: Durability, flip: Option<Flip>) -> Result<Sequence> {
        let shared = self.shared;
        if durability == Durability::Disk && shared.log.is_none() {
            return Err(Error::NoDisk);
        }
        shared.check_usable()?;
        if self.state.migrating && flip.is_none() {
            // A hook took the transaction that it was lent.
            let why = "a hook does not end its migration's transaction".to_owned();
            return Err(Error::Unsupported { name: "the migration".to_owned(), why });
        }
        if flip.is_some() || self.is_changed() {
            let prepared = commit::prepare(&mut self.state, shared, &mut self.raw, flip);
            let prepared = prepared.and_then(|registry| shared.append(&mut self.state).map(|()| registry));
            let registry = prepared.inspect_err(event::refused)?;
            kept::show_new_room(&self.state, shared).inspect_err(|error| shared.poison(error))?;
            if planted!(shared.storage, LeftRoomReused) && self.state.sharing.is_some() {
                let next = self.state.sequence + 1;
                for (_, extent) in self.state.replaced.clone() {
                    self.state.catalog.file.give_up(next, extent.at, extent.len);
                }
            }
            self.state.committed(&self.raw);
            if planted!(shared.storage, FreedRoomReusedAtOnce) {
                let sequence = self.state.sequence;
                self.state.catalog.file.release(sequence);
            }
            if registry == commit::Registry::Written {
                shared.binder().committed();
            }
            self.raw.finish();
        }
        let sequence = Sequence(self.state.sequence);
        drop(self);
        if durability == Durability::Disk {
            shared.wait_durable(sequence)?;
        }
        Ok(sequence)
    }

    fn is_changed(&self) -> bool {
        !self.raw.is_unchanged() || !self.state.roots_before.is_empty() || self.state.catalog.has_other_history()
    }

    /// Takes everything back; dropping the transaction does the same.
    pub fn rollback(self) {}

    /// The table of a record type; the type is bound, and the table made, where it is not.
    #[inline]
    fn table<T: Record>(&mut self) -> Result<u32> {
        let id = TypeId::of::<T>();
        match self.state.cache[raw::cache_slot::<T>()] {
            Some(Cached { id: cached, table: Some(table), .. }) if cached == id => Ok(table),
            _ => self.find_table::<T>(),
        }
    }

    #[cold]
    fn find_table<T: Record>(&mut self) -> Result<u32> {
        let shape =
            self.shared.binder().bind_record::<T>(self.raw.space(), Unknown::Add)?.expect("an unknown type was added");
        let type_number = self.shared.binder().type_number(shape);
        let (first, stride) = (raw::first_of::<T>() as u32, raw::stride_of::<T>() as u32);
        let table = self.state.record_table(shape, first, stride, type_number);
        self.state.cache[raw::cache_slot::<T>()] = Some(Cached { id: TypeId::of::<T>(), shape, table: Some(table) });
        Ok(table)
    }

    /// The shape number of a list's element or of a map.
    #[inline]
    pub(crate) fn shape<T: Field>(&mut self) -> Result<u32> {
        let id = TypeId::of::<T>();
        match self.state.cache[raw::cache_slot::<T>()] {
            Some(Cached { id: cached, shape, .. }) if cached == id => Ok(shape),
            _ => {
                let bound = self.shared.binder().bind_element::<T>(self.raw.space(), Unknown::Add)?;
                let shape = bound.expect("an unknown type was added");
                self.state.cache[raw::cache_slot::<T>()] = Some(Cached { id, shape, table: None });
                Ok(shape)
            }
        }
    }

    /// Stores a record.
    ///
    /// # Errors
    /// [`Error::NoRoom`] or [`Error::ArenaFull`] when there is no room; [`Error::Schema`], [`Error::SameName`] or
    /// [`Error::Unsupported`] when the type cannot be bound to this heap. The transaction goes on.
    #[inline]
    pub fn insert<T: Record>(&mut self, value: T) -> Result<Ref<T>> {
        const { assert!(!std::mem::needs_drop::<T>(), "records have no destructor") };
        let table = self.table::<T>()?;
        let header = self.state.give(self.shared, &mut self.raw, table, Kind::Record, 0)?;
        self.raw.write_record(header, value);
        Ok(Ref::from_bits(self.state.handle_bits(self.raw.view(), table, header)))
    }

    /// Removes a record, and with the commit what it owns. Its slot may be used again; handles to it are stale.
    ///
    /// # Errors
    /// [`Error::Stale`] or [`Error::Foreign`] when there is no such record.
    pub fn remove<T: Record>(&mut self, record: Ref<T>) -> Result<()> {
        self.get(record)?;
        let header = self.state.record_header(self.raw.space(), record.to_bits());
        let fresh = self.raw.view().word(header) & slot::UNOWNED != 0;
        self.state.free(&mut self.raw, header, fresh);
        Ok(())
    }

    /// A record, for writing in place.
    ///
    /// # Errors
    /// As [`get`](crate::Reader::get).
    #[inline(always)]
    pub fn get_mut<T: Record>(&mut self, record: Ref<T>) -> Result<&mut T> {
        let shared = self.shared;
        self.raw.record_mut(record.to_bits(), |view| shared.get_slowly(view, record).map(|_| ()))
    }

    /// Several different records at once, for writing in place.
    ///
    /// # Errors
    /// As [`get`](crate::Reader::get); [`Error::Overlap`] when one is asked for twice.
    pub fn get_disjoint_mut<T: Record, const N: usize>(&mut self, records: [Ref<T>; N]) -> Result<[&mut T; N]> {
        for record in records {
            self.get(record)?;
        }
        let shared = self.shared;
        match self.raw.records_mut(records.map(Ref::to_bits)) {
            Ok(records) => Ok(records),
            Err(Disjoint::Twice(position) | Disjoint::Stale(position)) => {
                Err(Error::Overlap(shared.name_of(records[position])))
            }
        }
    }

    /// The root of this name.
    ///
    /// # Errors
    /// [`Error::RootType`] when it holds a record of another type; [`Error::Schema`] when the type's layout differs.
    pub fn root<T: Record>(&self, name: &str) -> Result<Option<Ref<T>>> {
        self.shared.root(&self.state, self.view(), name)
    }

    /// The root of this name; where there is none, the record that `make` stores becomes it.
    ///
    /// # Errors
    /// Those of [`root`](Transaction::root), of `make`, and of [`insert`](Transaction::insert).
    pub fn root_or_insert<T: Record>(
        &mut self,
        name: &str,
        make: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<Ref<T>> {
        if let Some(root) = self.root(name)? {
            return Ok(root);
        }
        let record = make(self)?;
        let record = self.insert(record)?;
        self.set_root(name, record)?;
        Ok(record)
    }

    /// Makes a record the root of this name, in place of the one before.
    ///
    /// # Errors
    /// [`Error::RootName`] for an empty or too long name, [`Error::Stale`] or [`Error::Foreign`] for a bad handle.
    pub fn set_root<T: Record>(&mut self, name: &str, record: Ref<T>) -> Result<()> {
        if name.is_empty() || name.len() > MAX_ROOT_NAME {
            return Err(Error::RootName { len: name.len(), max: MAX_ROOT_NAME });
        }
        self.get(record)?;
        let table = self.table::<T>()?;
        let entry = RootEntry { reference: record.to_bits(), table, name: name.to_owned() };
        let before = self.state.catalog.set_root(name, Some(entry));
        self.state.roots_before.push((name.to_owned(), before));
        Ok(())
    }

    /// Removes the root of this name, not its record; whether there was one.
    pub fn remove_root(&mut self, name: &str) -> bool {
        let before = self.state.catalog.set_root(name, None);
        let was_there = before.is_some();
        if was_there {
            self.state.roots_before.push((name.to_owned(), before));
        }
        was_there
    }

    /// Names of the roots, in order.
    pub fn root_names(&self) -> Vec<String> {
        self.state.catalog.roots().map(|root| root.name.clone()).collect()
    }

    /// Stores a text.
    ///
    /// It belongs to the record, list or map that holds its handle at the commit; without one it is freed.
    ///
    /// # Errors
    /// [`Error::TooLong`] from 4 GiB on; [`Error::NoRoom`] or [`Error::ArenaFull`] when there is no room.
    #[inline]
    pub fn text(&mut self, text: &str) -> Result<Text> {
        if text.is_empty() {
            return Ok(Text::EMPTY);
        }
        self.give_bytes("a text", Kind::Text, text.as_bytes()).map(Text::from_bits)
    }

    /// Stores bytes, as [`text`](Transaction::text) does.
    ///
    /// # Errors
    /// As [`text`](Transaction::text).
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<Bytes> {
        if bytes.is_empty() {
            return Ok(Bytes::EMPTY);
        }
        self.give_bytes("a Bytes value", Kind::Bytes, bytes).map(Bytes::from_bits)
    }

    #[inline]
    fn give_bytes(&mut self, what: &'static str, kind: Kind, bytes: &[u8]) -> Result<u64> {
        let len = u32::try_from(bytes.len()).map_err(|_| Error::TooLong {
            what,
            len: bytes.len() as u64,
            max: u64::from(u32::MAX),
        })?;
        let header = self.state.give_value(self.shared, &mut self.raw, slot::HEADER + bytes.len() as u64, kind, len)?;
        self.raw.write_bytes(Value { at: header, word: 0 }, slot::HEADER, bytes);
        Ok(self.value_bits(header))
    }

    /// The handle to a live value's slot.
    #[inline]
    pub(crate) fn value_bits(&self, header: u64) -> u64 {
        let view = self.raw.view();
        let region = view.space().region_of(header);
        let within = header - view.space().region_at(region);
        let generation = slot::generation(view.word(header));
        Handle { generation, region, index: (within / 8) as u32 }.to_bits()
    }

    /// A text of its own with the same characters: for a second owner.
    ///
    /// # Errors
    /// [`Error::Stale`] for a handle that names no live text; else as [`text`](Transaction::text).
    pub fn copy_text(&mut self, text: Text) -> Result<Text> {
        let characters = self.get_text(text)?.to_owned();
        self.text(&characters)
    }

    /// Handles of all records of a type, in the order of their slots. The list does not borrow the transaction, so
    /// its body may write; records stored meanwhile are not in it.
    ///
    /// # Errors
    /// [`Error::Schema`] when the type's layout differs.
    pub fn records<T: Record>(&mut self) -> Result<Vec<Ref<T>>> {
        let table = self.table::<T>()?;
        Ok(self.shared.records_of(&self.state, self.view(), table).map(Ref::from_bits).collect())
    }

    /// How many records of a type there are.
    ///
    /// # Errors
    /// [`Error::Schema`] when the type's layout differs.
    pub fn count<T: Record>(&mut self) -> Result<u64> {
        let table = self.table::<T>()?;
        debug_assert!(matches!(self.state.catalog.tables[table as usize].entry.kind, TableKind::Records(_)));
        Ok(self.state.catalog.tables[table as usize].entry.live)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.is_changed() {
            self.state.roll_back(&mut self.raw);
        }
    }
}

impl<T: Record> IndexMut<Ref<T>> for Transaction<'_> {
    #[inline(always)]
    fn index_mut(&mut self, record: Ref<T>) -> &mut T {
        match self.get_mut(record) {
            Ok(record) => record,
            Err(error) => raw::give_up(&error),
        }
    }
}
