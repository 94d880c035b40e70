//! Migration: a program's types differ from the heap's, and every record follows.
//!
//! The [gate](gate) plans, has the live values scanned where a rule asks for it, and refuses, before anything is
//! written. What passes is [applied](apply): records are rewritten in memory, the new extents go beside the old ones, and
//! one commit flips. The program's [hooks](hook) run within that commit.
//!
//! A heap of another byte order passes the same way: it is [transcoded](transcode) before anything else is done to it, and
//! all its extents are new ones.

mod apply;
mod change;
mod gate;
mod hook;
mod how;
mod newer;
mod old;
mod outside;
mod parallel;
mod progress;
mod receipt;
mod references;
mod registry;
mod rewrite;
mod scan;
mod transcode;
mod visits;

pub(crate) use apply::Migration;
pub(crate) use gate::pass;
pub(crate) use hook::{Down, Hook, IntoDown, IntoHook};
pub use old::OldRecord;
pub use progress::{OnProgress, Progress};
pub(crate) use transcode::Foreign;
