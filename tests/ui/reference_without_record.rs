use heap::{Record, Ref};

#[derive(Record)]
struct Misfit<T> {
    to: Ref<T>,
}

fn main() {}
