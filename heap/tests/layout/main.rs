//! What `#[derive(Record)]` says about a type is how the compiler lays it out.

mod described;
mod stored;
mod types;
