//! Types of the program's own that have names of the standard library, and modules that hide it.
#![allow(dead_code)]

mod core {}
mod std {}

use heap::Record;

#[derive(Record)]
struct Cell {
    alive: bool,
}

#[derive(Record)]
struct Board {
    cells: [Cell; 9],
}

#[derive(Record)]
#[repr(u8)]
enum Option {
    Some,
    None,
}

#[derive(Record)]
struct Menu {
    #[record(default = Option::None)]
    chosen: Option,
}

#[derive(Record)]
struct Wrapper<String> {
    inner: String,
}

macro_rules! record {
    ($name:ident { $($field:ident: $ty:ty),* }) => {
        #[derive(Record)]
        struct $name { $($field: $ty),* }
    };
}

record!(Made { number: u64, wrapper: Wrapper<u8> });

fn main() {
    assert!(heap::Describer::describe::<Board>().is_ok());
    assert!(heap::Describer::describe::<Menu>().is_ok());
    assert!(heap::Describer::describe::<Made>().is_ok());
}
