#[derive(heap::Record)]
struct Misfit {
    #[record(secret(blur))]
    a: u64,
}

fn main() {}
