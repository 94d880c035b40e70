//! Hooks: the program's own code, which makes records of a changed type out of old ones.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use migrate::{Body, Schema, TypeDescriptor};

use super::old::OldRecord;
use crate::describe::Describer;
use crate::error::Result;
use crate::field::Record;
use crate::raw;
use crate::transaction::Transaction;

/// Makes a new record's bytes out of an old one's, which lie as the hook's old type does.
type RunTyped = dyn Fn(&[u8], &mut [u8], &mut Transaction<'_>) -> Result<()> + Send + Sync;

/// Makes a new record's bytes out of an old record of any layout.
type RunByName = dyn Fn(&OldRecord<'_>, &mut [u8], &mut Transaction<'_>) -> Result<()> + Send + Sync;

/// A hook of one record type.
#[derive(Debug, Clone)]
pub(crate) enum Hook {
    /// One that takes old records as an old type.
    Typed(TypedHook),
    /// One that takes them by the names of their fields.
    ByName(HookByName),
}

/// A hook over typed old records.
#[derive(Clone)]
pub(crate) struct TypedHook {
    /// The old type, and every type it names.
    pub(crate) old: Schema,
    /// The old type's declared name.
    pub(crate) name: String,
    run: Arc<RunTyped>,
}

/// A hook over old records by the names of their fields.
#[derive(Clone)]
pub(crate) struct HookByName(Arc<RunByName>);

impl TypedHook {
    fn new<O: Record, N: Record>(
        hook: impl Fn(&O, &mut Transaction<'_>) -> Result<N> + Send + Sync + 'static,
    ) -> Result<Self> {
        let old = Describer::describe_old::<O>()?.schema;
        let run = move |old: &[u8], new: &mut [u8], tx: &mut Transaction<'_>| {
            raw::run_hook::<O, N, _>(old, new, |old| hook(old, tx))
        };
        Ok(Self { old, name: O::name(), run: Arc::new(run) })
    }

    /// Makes a new record of an old one.
    ///
    /// Duty of the caller: the old bytes are a value of [`old`](Self::old)'s type, and lie as it does.
    pub(crate) fn run(&self, old: &[u8], new: &mut [u8], tx: &mut Transaction<'_>) -> Result<()> {
        (self.run)(old, new, tx)
    }
}

impl HookByName {
    /// Makes a new record of an old one.
    pub(crate) fn run(&self, old: &OldRecord<'_>, new: &mut [u8], tx: &mut Transaction<'_>) -> Result<()> {
        (self.0)(old, new, tx)
    }
}

impl fmt::Debug for TypedHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedHook").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for HookByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookByName").finish_non_exhaustive()
    }
}

/// What `#[record(hook = path)]` takes: a function from an old record, as a struct or as an [`OldRecord`], and the
/// migration's transaction to the new record. `M` only tells the forms apart.
pub trait IntoHook<N: Record, M> {
    /// The hook.
    #[doc(hidden)]
    fn into_hook(self) -> Result<HookOf<N>>;
}

/// Tells that a hook takes an [`OldRecord`].
#[derive(Debug)]
pub struct ByName(());

/// A hook that makes records of type `N`.
#[derive(Debug)]
pub struct HookOf<N>(pub(crate) Hook, PhantomData<fn() -> N>);

impl<O, N, F> IntoHook<N, fn(O) -> N> for F
where
    O: Record,
    N: Record,
    F: Fn(&O, &mut Transaction<'_>) -> Result<N> + Send + Sync + 'static,
{
    fn into_hook(self) -> Result<HookOf<N>> {
        Ok(HookOf(Hook::Typed(TypedHook::new::<O, N>(self)?), PhantomData))
    }
}

impl<N, F> IntoHook<N, ByName> for F
where
    N: Record,
    F: Fn(&OldRecord<'_>, &mut Transaction<'_>) -> Result<N> + Send + Sync + 'static,
{
    fn into_hook(self) -> Result<HookOf<N>> {
        let run = move |old: &OldRecord<'_>, new: &mut [u8], tx: &mut Transaction<'_>| {
            raw::put_made(self(old, tx)?, new);
            Ok(())
        };
        Ok(HookOf(Hook::ByName(HookByName(Arc::new(run))), PhantomData))
    }
}

/// A hook that makes old records of new ones.
#[derive(Debug, Clone)]
pub(crate) struct Down {
    /// The type that it makes, and every type in it.
    made: Schema,
    /// Declared name of the type that it makes.
    pub(crate) name: String,
    pub(crate) hook: TypedHook,
}

impl Down {
    /// Whether the records that it makes lie as those of a schema do.
    pub(crate) fn makes(&self, schema: &Schema) -> bool {
        let is_named = |described: &TypeDescriptor| {
            let known = schema.get(&described.name);
            known.is_some_and(|known| known.without_advice() == described.with_marks_of(known).without_advice())
        };
        // What references alone name is a struct without fields here; enums without fields are what they are.
        let is_unknown =
            |described: &TypeDescriptor| matches!(&described.body, Body::Struct(fields) if fields.is_empty());
        self.made.types.iter().filter(|described| !is_unknown(described)).all(is_named)
    }
}

/// What `#[record(down = path)]` takes: a function from a record and the migration's transaction to an old one.
pub trait IntoDown<N: Record, M> {
    /// The hook.
    #[doc(hidden)]
    fn into_down(self) -> Result<DownOf<N>>;
}

/// A hook that makes old records of those of type `N`.
#[derive(Debug)]
pub struct DownOf<N>(pub(crate) Down, PhantomData<fn() -> N>);

impl<O, N, F> IntoDown<N, fn(N) -> O> for F
where
    O: Record,
    N: Record,
    F: Fn(&N, &mut Transaction<'_>) -> Result<O> + Send + Sync + 'static,
{
    fn into_down(self) -> Result<DownOf<N>> {
        let made = Describer::describe_old::<O>()?.schema;
        Ok(DownOf(Down { made, name: O::name(), hook: TypedHook::new::<N, O>(self)? }, PhantomData))
    }
}
