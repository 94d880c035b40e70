#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: heap::Ref<u64>,
}

fn main() {}
