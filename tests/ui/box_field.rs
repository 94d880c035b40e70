#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: Box<Misfit>,
}

fn main() {}
