#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: isize,
}

fn main() {}
