#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: std::sync::Arc<u8>,
}

fn main() {}
