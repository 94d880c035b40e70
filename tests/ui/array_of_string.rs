#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: [String; 2],
}

fn main() {}
