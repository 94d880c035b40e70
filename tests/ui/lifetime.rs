#[derive(heap::Record)]
struct Misfit<'a> {
    name: &'a str,
}

fn main() {}
