//! What is told to `tracing`, under the target `heap`. Without the feature of that name nothing is.
#![cfg_attr(not(feature = "tracing"), allow(unused_variables, clippy::missing_const_for_fn))]

use std::path::Path;

use crate::error::Error;
use crate::open::Door;

/// A heap was opened.
pub(crate) fn opened(path: &Path, door: Door, sequence: u64) {
    #[cfg(feature = "tracing")]
    tracing::info!(target: "heap", path = ?path, door = ?door, sequence, "opened");
}

/// Opening found transactions in the log, and folded them into the base.
pub(crate) fn recovered(frames: u64, sequence: u64) {
    #[cfg(feature = "tracing")]
    tracing::info!(target: "heap", frames, sequence, "recovered");
}

/// The base holds the commit `sequence`; a recovery would read so many bytes of log.
pub(crate) fn checkpoint(sequence: u64, log_len: u64) {
    #[cfg(feature = "tracing")]
    tracing::debug!(target: "heap", sequence, log_len, "checkpoint");
}

/// An opening or a commit was refused.
pub(crate) fn refused(error: &Error) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "heap", code = error.code(), reason = %error, "refused");
}

/// Nobody knows what reached the disk: the heap is to be opened again.
pub(crate) fn poisoned(path: &Path, error: &Error) {
    #[cfg(feature = "tracing")]
    tracing::error!(target: "heap", path = ?path, reason = %error, "poisoned");
}
