#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: std::cell::RefCell<u32>,
}

fn main() {}
