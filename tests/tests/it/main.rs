//! Tests of the whole system, in one binary.

mod cli;
mod foreign;
mod format_doc;
mod golden;
mod guards;
mod harness;
mod images;
mod kill;
mod live_dump;
mod lost_commits;
mod migrate_command;
mod migration;
mod terminal;
mod way_back;
