//! Migration: a program's types differ from the heap's, and every record follows.
//!
//! The [gate](gate) plans, has the live values scanned where a rule asks for it, and refuses, before anything is
//! written. What passes is [applied](apply): records are rewritten in memory, the new extents go beside the old ones, and
//! one commit flips. The program's [hooks](hook) run within that commit.

mod apply;
mod gate;
mod hook;
mod outside;
mod parallel;
mod progress;
mod receipt;
mod references;
mod registry;
mod rewrite;
mod scan;
mod visits;

pub(crate) use apply::Migration;
pub(crate) use gate::pass;
pub(crate) use hook::Hook;
pub(crate) use hook::IntoHook;
pub use progress::{OnProgress, Progress};
