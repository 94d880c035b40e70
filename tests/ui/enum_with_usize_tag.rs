#[derive(heap::Record)]
#[repr(usize)]
enum Misfit {
    Open,
    Closed,
}

fn main() {}
