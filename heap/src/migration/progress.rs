//! Telling how far a migration is.

use std::fmt;
use std::sync::Arc;

/// How far a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// The plan holds, and the heap is in memory: so many records are to be converted.
    Begun {
        /// How many.
        records: u64,
    },
    /// So many records are converted, in any order.
    Converted {
        /// How many so far.
        records: u64,
    },
    /// The new tables are durable, and are the heap now.
    Committed,
}

/// Is told how far a migration is, on any thread.
#[derive(Clone)]
pub struct OnProgress(Arc<dyn Fn(Progress) + Send + Sync>);

impl OnProgress {
    /// Calls this function.
    pub fn new(tell: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(crate) fn tell(&self, progress: Progress) {
        (self.0)(progress);
    }
}

impl fmt::Debug for OnProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnProgress")
    }
}
