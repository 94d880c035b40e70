#[derive(heap::Record)]
struct Misfit {
    #[record(from = "c..d")]
    a: u64,
}

fn main() {}
