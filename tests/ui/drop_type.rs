#[derive(heap::Record)]
struct Misfit {
    number: u64,
}

impl Drop for Misfit {
    fn drop(&mut self) {}
}

fn main() {}
