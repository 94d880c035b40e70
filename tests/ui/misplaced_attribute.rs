#[derive(heap::Record)]
#[record(default = 1)]
struct Misfit {
    a: u64,
}

#[derive(heap::Record)]
struct Other {
    #[record(dropped("b"))]
    a: u64,
}

#[derive(heap::Record)]
#[repr(u8)]
enum Third {
    #[record(secret)]
    A,
}

fn main() {}
