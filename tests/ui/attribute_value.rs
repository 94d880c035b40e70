#[derive(heap::Record)]
#[record(name = 7)]
struct Misfit {
    a: u64,
}

#[derive(heap::Record)]
struct Other {
    #[record(default)]
    a: u64,
}

fn main() {}
