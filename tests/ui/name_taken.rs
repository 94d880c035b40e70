#[derive(heap::Record)]
struct Misfit {
    a: u64,
    #[record(name = "a")]
    b: u64,
}

fn main() {}
