#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: Vec<u32>,
}

fn main() {}
