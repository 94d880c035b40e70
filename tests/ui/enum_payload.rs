#[derive(heap::Record)]
#[repr(u8)]
enum Misfit {
    Named { text: String },
    Unnamed(u8, Vec<u8>),
}

fn main() {}
