//! Reading: what guards, snapshots and transactions have in common.

use std::ops::Index;

use crate::error::Result;
use crate::field::{Field, Record};
use crate::handles::{Bytes, List, Ref, Text};
use crate::raw::{self, Reading, View};
use crate::shared::Shared;
use crate::transaction::{Sequence, Transaction};

mod sealed {
    use crate::raw::View;
    use crate::shared::Shared;

    /// What a reader is made of.
    pub trait Inner {
        #[allow(private_interfaces)]
        fn view(&self) -> View<'_>;
        #[allow(private_interfaces)]
        fn shared(&self) -> &Shared;
    }
}
pub(crate) use sealed::Inner;

/// Whatever reads a heap: a [`Read`] guard, a [`Snapshot`](crate::Snapshot), or the [`Transaction`] itself.
///
/// The methods return errors; the indexing forms (`heap.read()[record]`) panic with the same message.
pub trait Reader: sealed::Inner {
    /// A record.
    ///
    /// # Errors
    /// [`Error::Stale`](crate::Error::Stale) when it was removed or rolled back,
    /// [`Error::Foreign`](crate::Error::Foreign) when the handle never was one of this heap's.
    #[inline(always)]
    fn get<T: Record>(&self, record: Ref<T>) -> Result<&T> {
        match self.view().record(record.to_bits()) {
            Some(record) => Ok(record),
            None => self.shared().get_slowly(self.view(), record),
        }
    }

    /// The characters of a text.
    ///
    /// # Errors
    /// As [`get`](Reader::get).
    #[inline(always)]
    fn get_text(&self, text: Text) -> Result<&str> {
        self.view().text(text.to_bits()).ok_or_else(|| self.shared().bad_value(self.view(), "text", text.to_bits()))
    }

    /// The bytes of a `Bytes`.
    ///
    /// # Errors
    /// As [`get`](Reader::get).
    #[inline(always)]
    fn get_bytes(&self, bytes: Bytes) -> Result<&[u8]> {
        self.view().bytes(bytes.to_bits()).ok_or_else(|| self.shared().bad_value(self.view(), "bytes", bytes.to_bits()))
    }

    /// The elements of a list.
    ///
    /// # Errors
    /// As [`get`](Reader::get).
    #[inline(always)]
    fn get_list<T: Field>(&self, list: List<T>) -> Result<&[T]> {
        match self.view().list::<T>(list.to_bits()) {
            Some(elements) => Ok(elements),
            None => self.shared().list_slowly(self.view(), list),
        }
    }
}

impl sealed::Inner for Transaction<'_> {
    #[allow(private_interfaces)]
    #[inline(always)]
    fn view(&self) -> View<'_> {
        self.raw.view()
    }

    #[allow(private_interfaces)]
    fn shared(&self) -> &Shared {
        self.shared
    }
}

impl Reader for Transaction<'_> {}

/// One of the readers of a heap; while it lives, no transaction begins. See [`Heap::read`](crate::Heap::read).
///
/// It belongs to the thread that asked for it, and may be shared with others by reference.
#[derive(Debug)]
pub struct Read<'h> {
    raw: Reading<'h>,
    shared: &'h Shared,
}

impl<'h> Read<'h> {
    pub(crate) const fn new(raw: Reading<'h>, shared: &'h Shared) -> Self {
        Self { raw, shared }
    }

    /// The root of this name.
    ///
    /// # Errors
    /// [`Error::RootType`](crate::Error::RootType) when it holds a record of another type;
    /// [`Error::Schema`](crate::Error::Schema) when the type's layout differs.
    pub fn root<T: Record>(&self, name: &str) -> Result<Option<Ref<T>>> {
        self.shared.root(&self.shared.state(), self.raw.view(), name)
    }

    /// Names of the roots, in order.
    pub fn root_names(&self) -> Vec<String> {
        self.shared.state().catalog.roots().map(|root| root.name.clone()).collect()
    }

    /// All records of a type with their handles, in the order of their slots.
    ///
    /// # Errors
    /// [`Error::Schema`](crate::Error::Schema) when the type's layout differs.
    #[allow(clippy::iter_not_returning_iterator, reason = "the type must be bound first, which may fail")]
    pub fn iter<T: Record>(&self) -> Result<impl Iterator<Item = (Ref<T>, &T)>> {
        self.shared.iterate(self.raw.view())
    }

    /// How many records of a type there are.
    ///
    /// # Errors
    /// As [`iter`](Read::iter).
    pub fn count<T: Record>(&self) -> Result<u64> {
        let state = self.shared.state();
        let table = self.shared.table_of::<T>(&state, self.raw.view())?;
        Ok(table.map_or(0, |table| state.catalog.tables[table as usize].entry.live))
    }

    /// Sequence of the last commit, whose state this is.
    pub fn sequence(&self) -> Sequence {
        Sequence(self.shared.state().sequence)
    }
}

impl sealed::Inner for Read<'_> {
    #[allow(private_interfaces)]
    #[inline(always)]
    fn view(&self) -> View<'_> {
        self.raw.view()
    }

    #[allow(private_interfaces)]
    fn shared(&self) -> &Shared {
        self.shared
    }
}

impl Reader for Read<'_> {}

/// The indexing forms of a reader.
macro_rules! indexing {
    ($reader:ty) => {
        impl<T: Record> Index<Ref<T>> for $reader {
            type Output = T;

            /// # Panics
            /// When the record is not alive; the message names it.
            #[inline(always)]
            fn index(&self, record: Ref<T>) -> &T {
                Reader::get(self, record).unwrap_or_else(|error| raw::give_up(&error))
            }
        }

        impl Index<Text> for $reader {
            type Output = str;

            #[inline(always)]
            fn index(&self, text: Text) -> &str {
                Reader::get_text(self, text).unwrap_or_else(|error| raw::give_up(&error))
            }
        }

        impl Index<Bytes> for $reader {
            type Output = [u8];

            #[inline(always)]
            fn index(&self, bytes: Bytes) -> &[u8] {
                Reader::get_bytes(self, bytes).unwrap_or_else(|error| raw::give_up(&error))
            }
        }

        impl<T: Field> Index<List<T>> for $reader {
            type Output = [T];

            #[inline(always)]
            fn index(&self, list: List<T>) -> &[T] {
                Reader::get_list(self, list).unwrap_or_else(|error| raw::give_up(&error))
            }
        }
    };
}
pub(crate) use indexing;

indexing!(Read<'_>);
indexing!(Transaction<'_>);
