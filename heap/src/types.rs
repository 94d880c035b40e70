//! The record types of a program, named when a heap is opened.

use std::fmt;
use std::sync::Arc;

use migrate::Schema;

use crate::describe::{self, Describer, Hooks};
use crate::error::{Error, Result};
use crate::field::Record;
use crate::migration::Hook;
use crate::transaction::Transaction;

/// The record types that a program keeps in a heap, and every type they name: what opening a heap compares its layouts
/// with, and migrates it to.
///
/// ```
/// use heap::{List, Record, Ref, Types};
///
/// #[derive(Record)]
/// struct Board { tasks: List<Ref<Task>> }
///
/// #[derive(Record)]
/// struct Task { id: u64, done: bool }
///
/// # fn main() -> heap::Result<()> {
/// let types = Types::of::<Board>()?; // `Task` is named by `Board`
/// assert_eq!(types.schema().types.len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Types {
    schema: Schema,
    hooks: Hooks,
    after: Option<Arc<After>>,
}

/// What runs when all records of a migration are converted.
type After = dyn Fn(&mut Transaction<'_>) -> Result<()> + Send + Sync;

impl Types {
    /// A record type, or a tuple of several, and every type they name.
    ///
    /// # Errors
    /// [`Error::SameName`] when two types have one name, [`Error::Unsupported`] when no heap can hold one.
    pub fn of<S: TypeSet>() -> Result<Self> {
        let mut describer = Describer::with_hooks();
        S::describe_all(&mut describer);
        let (description, hooks) = describer.finish_with_hooks()?;
        let types = Self { schema: description.schema, hooks, after: None };
        types
            .schema
            .check()
            .map_err(|error| Error::Unsupported { name: "the types".into(), why: error.to_string() })?;
        Ok(types)
    }

    /// Types that are known by their descriptors alone, such as another program's: a heap can be migrated to them, when no
    /// hook is needed.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the descriptors contradict themselves or each other, or no heap can hold one.
    pub fn from_schema(schema: Schema) -> Result<Self> {
        if let Some(former) = schema.types.iter().find(|described| described.is_former()) {
            let why = "the name is that of a former layout".to_owned();
            return Err(Error::Unsupported { name: former.name.clone(), why });
        }
        let checked =
            schema.check().map_err(|error| Error::Unsupported { name: "the types".into(), why: error.to_string() });
        checked.and_then(|()| describe::check_sizes(&schema))?;
        Ok(Self { schema, ..Self::default() })
    }

    /// The types of an older program, with the `down` hooks of these that make records as they lie there: what a heap is
    /// opened with, by the newer program, to go back to the older one.
    ///
    /// Where there is no such hook, records go back by the rules, and what migrations renamed by its old names.
    ///
    /// ```
    /// use heap::{Heap, Options, Record, Transaction, Types};
    ///
    /// #[derive(Record)]
    /// #[record(down = to_hours)]
    /// struct Job { minutes: u64 }
    ///
    /// #[derive(Record)]
    /// #[record(name = "Job")]
    /// struct OldJob { hours: u32 }
    ///
    /// fn to_hours(job: &Job, _: &mut Transaction<'_>) -> heap::Result<OldJob> {
    ///     Ok(OldJob { hours: (job.minutes / 60) as u32 })
    /// }
    ///
    /// # fn main() -> heap::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("jobs.heap");
    /// # let heap = Heap::open_as::<Job>(&path)?;
    /// # let mut tx = heap.write()?;
    /// # tx.insert(Job { minutes: 180 })?;
    /// # tx.commit()?;
    /// # drop(heap);
    /// let older = Types::of::<OldJob>()?; // or the schema that `image schema` printed of an older heap
    /// let types = Types::of::<Job>()?.back_to(older.schema().clone())?;
    /// drop(Heap::open_with(&path, Options { types: Some(types), ..Options::default() })?);
    /// let heap = Heap::open_as::<OldJob>(&path)?;
    /// # assert!(heap.read().iter::<OldJob>()?.all(|(_, job)| job.hours == 3));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`from_schema`](Self::from_schema).
    pub fn back_to(&self, older: Schema) -> Result<Self> {
        let mut types = Self::from_schema(older)?;
        for down in self.hooks.down.iter().filter(|down| down.makes(&types.schema)) {
            types.hooks.up.entry(down.name.clone()).or_default().push(Hook::Typed(down.hook.clone()));
        }
        Ok(types)
    }

    /// Has a migration run this over the whole heap, when all its records are converted and before its commit: for types
    /// that are joined or split across records. When it fails or panics, nothing was migrated.
    #[must_use]
    pub fn after(mut self, run: impl Fn(&mut Transaction<'_>) -> Result<()> + Send + Sync + 'static) -> Self {
        self.after = Some(Arc::new(run));
        self
    }

    /// What is to run when all records are converted.
    pub(crate) fn after_all(&self) -> Option<&After> {
        self.after.as_deref()
    }

    /// The descriptors.
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The hooks that make records of a type out of old ones.
    pub(crate) fn hooks(&self, name: &str) -> &[Hook] {
        self.hooks.up.get(name).map_or(&[], |hooks| hooks)
    }

    /// Names of the types that have hooks.
    pub(crate) fn hooked(&self) -> impl Iterator<Item = &str> {
        self.hooks.up.keys().map(|name| &**name)
    }
}

impl fmt::Debug for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.schema.types.iter().map(|described| &described.name);
        f.debug_set().entries(names).finish()
    }
}

/// A record type, or a tuple of up to twelve.
pub trait TypeSet {
    /// Describes each.
    #[doc(hidden)]
    fn describe_all(describer: &mut Describer);
}

impl<T: Record> TypeSet for T {
    fn describe_all(describer: &mut Describer) {
        T::describe(describer);
    }
}

macro_rules! tuples {
    ($first:ident $($rest:ident)*) => {
        impl<$first: Record, $($rest: Record),*> TypeSet for ($first, $($rest,)*) {
            fn describe_all(describer: &mut Describer) {
                $first::describe(describer);
                $($rest::describe(describer);)*
            }
        }
        tuples!($($rest)*);
    };
    () => {};
}

tuples!(A B C D E F G H I J K L);
