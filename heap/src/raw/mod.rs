//! All unsafe code of the project, and what it rests on.
//!
//! An *arena* is a reserved range of addresses. Parts of it are *mapped*: readable and writable private memory.
//! The invariants, which every `// SAFETY:` line names:
//!
//! - **M1 mapped.** A region's entry in [`Space`] counts only slots that lie wholly in mapped memory; mapped memory
//!   stays mapped, at the same address, until the arena is dropped or its slots were uncounted first.
//! - **M2 owned.** The arena's memory is private to this process and reached only through its `Space`, or it is a
//!   private mapping of a file that nobody changes (the caller of `open_mapped` promised).
//! - **M3 initialised.** Mapped memory holds initialised bytes: fresh pages are zeros, and before bytes are read that a
//!   typed value may have been written to, [`settle`] stands: past it the compiler can assume nothing about padding.
//! - **M4 valid.** A slot of kind record in a region bound to type `T` holds a valid `T`; a slot of kind text holds
//!   UTF-8 of the length its header gives, within the slot; a list's slot and its buffer hold as many valid elements
//!   of the type its shape number is bound to as its length says; each live entry of a map's buffer or node holds a valid
//!   key and value of the map its shape number is bound to. Files from outside are verified before binding, or
//!   vouched for by the caller of `open_mapped`; after that memory changes only through the functions of this module,
//!   which write whole valid values, or put back what they saved.
//! - **M5 bound.** A region or shape is bound to a `TypeId` only after the type's whole descriptor compared equal to
//!   the heap's; sizes and alignments are therefore the compiler's own.
//! - **M6 exclusive.** Memory is written only through [`Writing`], of which the [`Gate`] lets one exist while no
//!   [`Reading`] does; a `&mut` into the arena borrows it mutably, a `&` borrows it or a reading guard.
//! - **M7 aligned.** The arena's base is 2 MiB-aligned; regions begin at multiples of 2 MiB; contents begin where
//!   `first`, stride and [`crate::format::slot::contents_at`] put them, which keeps the alignment of the type.
#![allow(unsafe_code)]
// Words and records are aligned by M7, which the compiler cannot see in a byte pointer.
#![allow(clippy::cast_ptr_alignment)]

mod arena;
mod buffer;
mod bytes;
mod door;
pub(crate) mod field;
mod fork;
mod gate;
mod hook;
mod inherited;
#[cfg(all(test, feature = "simulated"))]
pub(crate) mod laws;
mod layout;
mod lock;
mod log_map;
mod read;
mod space;
mod write;
mod writeback;

pub(crate) use arena::Arena;
pub(crate) use buffer::Loose;
pub(crate) use bytes::ValueReader;
pub use bytes::{bytes_of, value_of};
pub(crate) use fork::ForkMark;
pub(crate) use gate::{Gate, Reading, Refusal};
pub(crate) use hook::{put_made, run_hook};
pub(crate) use inherited::take_inherited;
pub(crate) use lock::ofd_lock;
pub(crate) use log_map::LogMap;
pub(crate) use read::{Value, View, first_of, give_up, stride_of};
pub(crate) use space::{RegionPlan, Space, cache_slot};
pub(crate) use write::{Disjoint, Saved, Undo, What, Writing};
pub(crate) use writeback::{Writeback, writeback};

/// Makes every byte of the arena count as initialised, whatever padding was last written there.
///
/// An empty assembly block that the compiler must take for one that writes memory: typed moves may leave padding
/// undefined in the language's terms, and past the block they are whatever bytes the machine holds.
#[inline(always)]
pub(crate) fn settle(base: *mut u8) {
    // SAFETY: the block does nothing.
    unsafe { std::arch::asm!("/* {0} */", in(reg) base, options(nostack, preserves_flags)) }
}
