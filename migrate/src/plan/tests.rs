//! What plans say, held against the rules.

mod census;
mod chains;
mod make;
mod rules;
mod shown;
mod total;
