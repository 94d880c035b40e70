#[derive(heap::Record)]
struct Misfit {
    #[record(default = 1)]
    #[record(default = 2)]
    a: u64,
}

fn main() {}
