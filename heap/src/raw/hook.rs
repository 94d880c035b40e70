//! Old records as a hook sees them.

use super::settle;
use crate::error::Result;
use crate::field::Record;

/// Shows old bytes as an `O`, and puts the bytes of the `N` made of it into `new`; its padding is the caller's to zero.
///
/// Duty of the caller: the bytes are a value of `O` by a descriptor that equals its own (M4, M5).
pub(crate) fn run_hook<O: Record, N: Record, F>(old: &[u8], new: &mut [u8], hook: F) -> Result<()>
where
    F: FnOnce(&O) -> Result<N>,
{
    assert!(old.len() >= size_of::<O>() && new.len() == size_of::<N>());
    let mut place = std::mem::MaybeUninit::<O>::uninit();
    // SAFETY: as many bytes as an `O` has are there, as just checked; the place is another.
    unsafe { place.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(old.as_ptr(), size_of::<O>()) };
    // SAFETY: by the duty above the bytes are a valid `O`. A `Field` is not dropped, so nothing is owned twice.
    let made = hook(unsafe { place.assume_init_ref() })?;
    put_made(made, new);
    Ok(())
}

/// Puts the bytes of a value that a hook made into `new`; its padding is the caller's to zero.
pub(crate) fn put_made<N: Record>(made: N, new: &mut [u8]) {
    let mut made = std::mem::MaybeUninit::new(made);
    settle(made.as_mut_ptr().cast());
    // SAFETY: the place is `size_of::<N>()` bytes long, and past `settle` each of them is initialised.
    new.copy_from_slice(unsafe { std::slice::from_raw_parts(made.as_ptr().cast::<u8>(), size_of::<N>()) });
}
