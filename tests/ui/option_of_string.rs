#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: Option<String>,
}

fn main() {}
