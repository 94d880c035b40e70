#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: *const u8,
}

fn main() {}
