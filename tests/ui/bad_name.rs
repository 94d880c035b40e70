#[derive(heap::Record)]
#[record(name = "list<u8>")]
struct Misfit {
    a: u64,
}

#[derive(heap::Record)]
#[record(name = "u64")]
struct Number {
    #[record(name = "a.b")]
    a: u64,
}

fn main() {}
