//! How a heap is opened.

use std::time::Duration;

use crate::migration::OnProgress;
use crate::transaction::Durability;
use crate::types::Types;

/// How a heap is opened. See [`Heap::open_with`](crate::Heap::open_with). Fields may be added: write
/// `..Options::default()`.
///
/// ```
/// use heap::{Durability, Options};
/// let options = Options { durability: Durability::Process, ..Options::default() };
/// assert_eq!(options.log_target, 64 << 20);
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    /// Address space to reserve, in bytes; halved until the system agrees. It bounds the heap's size, not its memory.
    /// Default 2 TiB.
    pub reserve: u64,
    /// Strength of [`Transaction::commit`](crate::Transaction::commit). Default [`Durability::Disk`].
    pub durability: Durability,
    /// Length in bytes at which the log is aimed: a checkpoint begins at half of it. Default 64 MiB.
    pub log_target: u64,
    /// Length in bytes up to which the log grows while a dump or snapshot needs its frames. Default 1 GiB.
    pub log_limit: u64,
    /// How long to wait for another process that has the heap open. Default: not at all.
    pub wait: Duration,
    /// Makes everything that is drawn at random when a heap is made follow from this number, so that the same program
    /// makes the same bytes. Default: drawn.
    pub seed: Option<u64>,
    /// Mode bits of a new heap file. Default `0o600`.
    pub mode: u32,
    /// Whether to tell other programs of the open heap by control files. Default true.
    pub announce: bool,
    /// Whether the heap has a thread that checkpoints as the log grows. Without it only
    /// [`Heap::checkpoint`](crate::Heap::checkpoint) and closing shorten the log. Default true.
    pub background: bool,
    /// The program's record types. When the heap's layouts differ from theirs, opening migrates it. Default: none are
    /// named; each type is compared with the heap's when it is first used, and must be equal.
    pub types: Option<Types>,
    /// What was decided about a migration, where the types do not say it. Default: nothing.
    pub answers: migrate::Answers,
    /// What opening does where the layouts differ. Default [`Migrate::Automatic`].
    pub migrate: Migrate,
    /// Is told how far a migration is. Default: nobody.
    pub on_progress: Option<OnProgress>,
    /// Has a migration come to regions in another order.
    #[cfg(test)]
    pub(crate) visits: Option<u64>,
}

/// What opening a heap does where its layouts differ from the program's [types](Options::types).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Migrate {
    /// It migrates the heap, when it is proved that no value is lost that the program did not give up; else it returns
    /// [`Error::Refused`](crate::Error::Refused).
    #[default]
    Automatic,
    /// It returns [`Error::Pending`](crate::Error::Pending), with the plan, and changes nothing. So it does with a heap of
    /// another byte order, whatever its types.
    PlanOnly,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            reserve: 2 << 40,
            durability: Durability::Disk,
            log_target: 64 << 20,
            log_limit: 1 << 30,
            wait: Duration::ZERO,
            seed: None,
            mode: 0o600,
            announce: true,
            background: true,
            types: None,
            answers: migrate::Answers::default(),
            migrate: Migrate::Automatic,
            on_progress: None,
            #[cfg(test)]
            visits: None,
        }
    }
}
