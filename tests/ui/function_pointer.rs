#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: fn(u32) -> u32,
}

fn main() {}
