#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: std::time::Duration,
}

fn main() {}
