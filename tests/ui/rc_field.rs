#[derive(heap::Record)]
struct Misfit {
    good: u64,
    wrong: std::rc::Rc<u8>,
}

fn main() {}
