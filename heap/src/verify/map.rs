//! Hash maps and sorted maps.
//!
//! The layout of their buffers is described beside their code. Until a buffer's entries are checked here, a map that
//! has any is refused: what is not verified is not handed to a typed reader.

use super::values::{ElementFault, What};
use super::{Context, State, is_zero};

/// A hash map's slot, from its header to its end: count at 8, handle of the buffer at 16, buckets at 24.
pub(super) fn verify_map(_: &Context<'_>, _: &mut State, bytes: &[u8], _: u32) -> Result<(), ElementFault> {
    if is_zero(&bytes[8..]) { Ok(()) } else { Err(What::Entries.into()) }
}

/// A sorted map's slot, from its header to its end: count at 8, handle of the root node at 16, height at 24.
pub(super) fn verify_sorted(_: &Context<'_>, _: &mut State, bytes: &[u8], _: u32) -> Result<(), ElementFault> {
    if is_zero(&bytes[8..]) { Ok(()) } else { Err(What::Entries.into()) }
}
