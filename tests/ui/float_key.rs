#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: heap::Map<f64, u32>,
}

fn main() {}
