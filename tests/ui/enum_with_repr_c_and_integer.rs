#[derive(heap::Record)]
#[repr(C, u8)]
enum Misfit {
    Open(u32),
    Closed,
}

fn main() {}
