#[derive(heap::Record)]
struct Misfit;

#[derive(heap::Record)]
struct Hollow {}

fn main() {}
