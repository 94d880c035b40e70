#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: std::collections::HashMap<u32, u32>,
}

fn main() {}
