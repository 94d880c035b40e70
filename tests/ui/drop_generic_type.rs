#[derive(heap::Record)]
struct Misfit<T> {
    value: T,
}

impl<T> Drop for Misfit<T> {
    fn drop(&mut self) {}
}

fn main() {
    let _ = heap::Describer::describe::<Misfit<u64>>();
}
