//! The door for files that are believed.

use std::path::Path;

use crate::error::Result;
use crate::front::Heap;
use crate::open::{self, Door};
use crate::options::Options;

impl Heap {
    /// Opens a heap by mapping its file: in constant time at any size, without verifying it.
    ///
    /// ```
    /// # use heap::{Heap, Options};
    /// # fn main() -> heap::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("tasks.heap");
    /// // SAFETY: this program alone writes the file, in a folder that is its own.
    /// let heap = unsafe { Heap::open_mapped(&path, Options::default())? };
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Safety
    /// The file was written by this library, and nobody else changes or cuts it while it is open. A lock keeps other
    /// programs that use this library away; it binds nobody else. A file from elsewhere goes through
    /// [`Heap::open`] first.
    ///
    /// # Errors
    /// As [`Heap::open`], apart from damage to records, which nobody looks for.
    pub unsafe fn open_mapped(path: impl AsRef<Path>, options: Options) -> Result<Self> {
        open::open(path.as_ref(), options, Door::Mapped)
    }
}
