#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: heap::List<Vec<u8>>,
}

fn main() {}
