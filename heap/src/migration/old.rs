//! Old records by the names of their fields, as a hook sees them that serves every older layout.

mod place;
mod reading;

use std::fmt;

use migrate::{Shape, joined};

use self::place::{Place, Steps};
pub(crate) use self::reading::OldLayout;
use self::reading::Reading;
use super::outside::{Fault, Values};
use crate::error::{Error, RecordName, Result};
use crate::field::{Field, Key};
use crate::transaction::Transaction;

/// An old record, whatever its layout was: a hook asks it for its fields by their names.
///
/// A hook of the form `fn(&OldRecord<'_>, &mut Transaction<'_>) -> heap::Result<New>` serves every older layout of a
/// type, by looking at which fields there are. It is run where no hook with a typed old record fits the heap's layout.
///
/// ```
/// use heap::{OldRecord, Record, Text, Transaction};
///
/// #[derive(Record)]
/// #[record(hook = from_any)]
/// struct Task { title: Text, minutes: u64 }
///
/// fn from_any(old: &OldRecord<'_>, tx: &mut Transaction<'_>) -> heap::Result<Task> {
///     let title = if old.has("title") { old.get("title")? } else { tx.text("untitled")? };
///     let minutes = match old.has("hours") {
///         true => old.get::<u64>("hours")? * 60, // a `u32` in the oldest heaps
///         false => old.get("minutes")?,
///     };
///     Ok(Task { title, minutes })
/// }
/// ```
///
/// # Paths
///
/// `"title"` is a field, `"position.x"` one of a struct in it, `"state::Started.day"` one of an enum's variant (of the
/// record itself where it is an enum: `"::Started.day"`). A path leads through an option as if it were there; where there
/// is nothing, reading fails.
///
/// # What a field may be read as
///
/// Its own type, with the whole layout compared; and any other type that the rules of migrations lead to: an `i32` as
/// `i64`, a `T` as `Option<T>`, an enum or a struct of another layout by its names. Where a rule allows a change only if
/// every value survives it (an `u64` as `u8`), the one value must, or reading fails.
///
/// Texts, lists and maps are read as handles and may be moved into the new record; what is not moved is freed, as with a
/// typed old record. A reference is read as one to the type that its target has from now on; the transaction reaches
/// records that are converted already. The handle of a list or map whose *elements* have another layout from now on can
/// only be dropped: [`convert`](Self::convert) makes a new one of it, and [`elements`](Self::elements) and
/// [`entries`](Self::entries) read it.
pub struct OldRecord<'a> {
    layout: &'a OldLayout<'a>,
    bytes: &'a [u8],
    record: &'a RecordName,
}

impl<'a> OldRecord<'a> {
    /// Bytes that are a value of the old layout's.
    pub(crate) fn new(layout: &'a OldLayout<'a>, bytes: &'a [u8], record: &'a RecordName) -> Self {
        Self { layout, bytes: &bytes[..layout.described().size as usize], record }
    }

    /// The record's name, `Task#17`, by its type's name from now on.
    pub const fn record(&self) -> &RecordName {
        self.record
    }

    /// The declared name of the old type.
    pub fn type_name(&self) -> &str {
        &self.layout.described().name
    }

    /// The fingerprint of the old type's layout: what tells one old layout from another.
    pub const fn fingerprint(&self) -> [u8; 16] {
        self.layout.fingerprint
    }

    /// The fields of the old record, in its order; none where it is an enum.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.layout.fields()
    }

    /// Whether the old type has a field at this path, whatever its value is.
    pub fn has(&self, path: &str) -> bool {
        self.layout.place(path).is_ok()
    }

    /// The type of the field at this path, as plans write it: `u64`, `list<text>`, `ref Task`.
    pub fn shape(&self, path: &str) -> Option<String> {
        self.layout.place(path).ok().map(|place| place.shape.to_string())
    }

    /// The new type's fields that the old one does not have, by their names and former names; of an enum, its variants
    /// too (`::Started`).
    pub fn added(&self) -> impl Iterator<Item = &str> {
        self.layout.change.added.iter().map(|part| &*part.name)
    }

    /// The old type's fields that the new one does not have.
    pub fn dropped(&self) -> impl Iterator<Item = &str> {
        self.layout.change.dropped.iter().map(|part| &*part.name)
    }

    /// The value of a field.
    ///
    /// # Errors
    /// [`Error::OldField`] when there is no such field, when its type is none that a `T` could be made of, when this value
    /// does not survive as a `T`, and when only [`convert`](Self::convert) could make it.
    pub fn get<T: Field>(&self, path: &str) -> Result<T> {
        let reading = self.layout.reading::<T>(path)?;
        let bytes = self.value_at(&reading.steps, path)?;
        self.read(&reading, bytes, path)
    }

    /// The value of a field, where that takes making lists, maps or texts anew, as the migration itself would: the `T` is
    /// one of the new program's. Where nothing need be made, it is what [`get`](Self::get) gives.
    ///
    /// # Errors
    /// As [`get`](Self::get); when a part of the `T` has not the layout that the heap has from now on; when the heap is
    /// full.
    pub fn convert<T: Field>(&self, path: &str, tx: &mut Transaction<'_>) -> Result<T> {
        let reading = self.layout.reading::<T>(path)?;
        let Some(conversion) = reading.conversion.as_ref().filter(|conversion| !conversion.is_pure()) else {
            return self.get(path);
        };
        let mut values = self.values(path, tx)?;
        self.layout.check_makes::<T>(conversion).map_err(|why| self.fault(path, why))?;
        let bytes = self.value_at(&reading.steps, path)?;
        let mut made = vec![0; conversion.new_size()];
        let run = conversion.converter().run(bytes, &mut made, &mut values);
        run.map_err(|fault| self.outside_fault::<T>(fault, path, &reading.shape))?;
        reading.value.read(&made).map_err(|fault| self.fault(path, fault.to_string()))
    }

    /// The elements of a list, whatever their layout becomes.
    ///
    /// # Errors
    /// As [`get`](Self::get), for a field that is a list of what `T` could be made of.
    pub fn elements<T: Field>(&self, path: &str, tx: &mut Transaction<'_>) -> Result<Vec<T>> {
        let (steps, shape) = self.held(path)?;
        let Shape::List(element) = &shape else { return Err(self.fault(path, format!("is {shape}, no list"))) };
        let reading = self.layout.reading_of::<T>(element, path)?;
        let values = self.values(path, tx)?;
        let Some(handle) = self.handle_at(&steps, path)? else { return Ok(Vec::new()) };
        let bytes = values.elements(handle)?;
        let size = self.layout.size_of(element);
        bytes.chunks_exact(size).map(|bytes| self.read(&reading, bytes, path)).collect()
    }

    /// The entries of a map of either kind, whatever their layout becomes; those of a sorted one in its order.
    ///
    /// # Errors
    /// As [`get`](Self::get), for a field that is a map of what `K` and `V` could be made of.
    pub fn entries<K: Key, V: Field>(&self, path: &str, tx: &mut Transaction<'_>) -> Result<Vec<(K, V)>> {
        let (steps, shape) = self.held(path)?;
        let (Shape::Map { key, value } | Shape::SortedMap { key, value }) = &shape else {
            return Err(self.fault(path, format!("is {shape}, no map")));
        };
        let keys = self.layout.reading_of::<K>(key, path)?;
        let mapped = self.layout.reading_of::<V>(value, path)?;
        let values = self.values(path, tx)?;
        let Some(handle) = self.handle_at(&steps, path)? else { return Ok(Vec::new()) };
        let entries = values.entries(handle)?;
        let read =
            entries.iter().map(|(one, other)| Ok((self.read(&keys, one, path)?, self.read(&mapped, other, path)?)));
        read.collect()
    }

    /// The name of the variant that an enum's value is of; the path of a record that is an enum itself is empty.
    ///
    /// # Errors
    /// [`Error::OldField`] when there is no enum at this path.
    pub fn variant(&self, path: &str) -> Result<&str> {
        let Place { steps, shape } = self.layout.place(path).map_err(|why| self.fault(path, why))?;
        let bytes = self.value_at(&steps, path)?;
        let variant = self.layout.variant(&shape, bytes);
        variant.ok_or_else(|| self.fault(path, format!("is {shape}, no enum")))
    }

    /// A list's or map's place, and its shape without the option around it.
    fn held(&self, path: &str) -> Result<(Steps, Shape)> {
        let Place { steps, shape } = self.layout.place(path).map_err(|why| self.fault(path, why))?;
        let inner = if shape.is_optional_handle() { shape.parts().next().cloned() } else { None };
        Ok((steps, inner.unwrap_or(shape)))
    }

    /// What lies outside of the record, through a transaction of the heap that is migrated.
    fn values<'t, 'h>(&'t self, path: &str, tx: &'t mut Transaction<'h>) -> Result<Values<'t, 'h, 't>> {
        self.layout.check_heap(tx).map_err(|why| self.fault(path, why))?;
        Ok(Values::new(tx, self.layout.numbers, &[]))
    }

    /// A handle; none where it is an option that is nothing.
    fn handle_at(&self, steps: &Steps, path: &str) -> Result<Option<u64>> {
        let bytes = self.value_at(steps, path)?;
        let word = u64::from_ne_bytes(bytes[..8].try_into().expect("a handle has eight bytes"));
        Ok((word != 0).then_some(word))
    }

    /// The bytes from a place on.
    fn value_at(&self, steps: &Steps, path: &str) -> Result<&'a [u8]> {
        let at = self.layout.follow(steps, self.bytes).map_err(|why| self.fault(path, why))?;
        Ok(&self.bytes[at..])
    }

    /// The first of these bytes as a `T`.
    fn read<T: Field>(&self, reading: &Reading<T>, bytes: &[u8], path: &str) -> Result<T> {
        let converted;
        let bytes = match &reading.conversion {
            None => bytes,
            Some(conversion) if conversion.is_pure() => {
                let made = Reading::<T>::convert(conversion, bytes);
                converted = made.ok_or_else(|| self.unfit::<T>(path, &reading.shape))?;
                &converted
            }
            Some(_) => {
                let (stored, asked) = (&reading.shape, reading::asked::<T>());
                let why = format!("is {stored}, and only `convert` makes a new {asked} of it");
                return Err(self.fault(path, why));
            }
        };
        reading.value.read(bytes).map_err(|fault| self.fault(path, fault.to_string()))
    }

    fn fault(&self, path: &str, why: impl Into<String>) -> Error {
        Error::OldField { field: joined(self.type_name(), path), why: why.into() }
    }

    fn unfit<T: Field>(&self, path: &str, shape: &Shape) -> Error {
        let asked = reading::asked::<T>();
        self.fault(path, format!("is {shape}, and this value does not survive as {asked}"))
    }

    fn outside_fault<T: Field>(&self, fault: Fault, path: &str, shape: &Shape) -> Error {
        match fault {
            Fault::Heap(error) => error,
            _ => self.unfit::<T>(path, shape),
        }
    }
}

impl fmt::Debug for OldRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OldRecord").field("record", self.record).field("type_name", &self.type_name()).finish()
    }
}
