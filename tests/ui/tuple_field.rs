#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: (u32, u32),
}

fn main() {}
