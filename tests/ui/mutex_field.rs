#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: std::sync::Mutex<u32>,
}

fn main() {}
