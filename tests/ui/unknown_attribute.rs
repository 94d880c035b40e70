#[derive(heap::Record)]
struct Misfit {
    #[record(rename = "b")]
    a: u64,
}

fn main() {}
