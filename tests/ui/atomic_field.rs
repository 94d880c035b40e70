#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: std::sync::atomic::AtomicU64,
}

fn main() {}
