//! What plans say, held against the rules.

mod make;
mod rules;
mod shown;
mod total;
