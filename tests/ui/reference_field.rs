#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: &'static u64,
}

fn main() {}
