#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: std::cell::Cell<u32>,
}

fn main() {}
