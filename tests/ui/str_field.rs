#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: &'static str,
}

fn main() {}
