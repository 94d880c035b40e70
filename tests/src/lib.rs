//! Tests of the whole system; they are in `tests/it`, the benchmark in `benches/board_graph`. The programs in the README are compiled as tests of this library.
#![forbid(unsafe_code)]

pub mod bank;
pub mod board;
pub mod workload;

/// The README, whose Rust programs are tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
