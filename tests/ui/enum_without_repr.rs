#[derive(heap::Record)]
enum Misfit {
    Open,
    Closed,
}

#[derive(heap::Record)]
#[repr(C)]
enum LikeC {
    Open(u32),
    Closed,
}

fn main() {}
