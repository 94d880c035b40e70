#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: usize,
}

fn main() {}
