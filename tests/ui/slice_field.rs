#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: [u8],
}

fn main() {}
