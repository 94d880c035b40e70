#[derive(heap::Record)]
#[repr(C, packed)]
struct Misfit {
    letter: u8,
    number: u64,
}

#[derive(heap::Record)]
#[repr(packed(2))]
struct Tight(u64);

fn main() {}
