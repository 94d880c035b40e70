#[derive(heap::Record)]
struct Misfit {
    #[record(was = "b", from = "c.d")]
    a: u64,
}

fn main() {}
