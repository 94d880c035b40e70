struct Position {
    x: f64,
}

#[derive(heap::Record)]
struct Misfit {
    position: Position,
}

fn main() {}
