#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: dyn std::fmt::Debug,
}

fn main() {}
