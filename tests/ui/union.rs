#[derive(heap::Record)]
union Misfit {
    number: u64,
    real: f64,
}

fn main() {}
