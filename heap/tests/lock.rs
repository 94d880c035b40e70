//! The schema lock as a program adds it: one line.

use heap::{List, Record, Ref, Text};

#[derive(Record)]
struct Board {
    title: Text,
    tasks: List<Ref<Task>>,
}

#[derive(Record)]
struct Task {
    id: u64,
    done: bool,
    #[record(secret)]
    note: Text,
}

heap::schema_lock!("tests/schema.lock", Board, Task);
