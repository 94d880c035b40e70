#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: std::collections::HashSet<u32>,
}

fn main() {}
