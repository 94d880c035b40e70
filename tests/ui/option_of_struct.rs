#[derive(heap::Record)]
struct Position {
    x: f64,
}

#[derive(heap::Record)]
struct Misfit {
    position: Option<Position>,
}

fn main() {}
