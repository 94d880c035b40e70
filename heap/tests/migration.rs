//! Migration as a program sees it.

use heap::{Record, Ref, Result, Text, Transaction, Types};

#[derive(Record)]
#[record(name = "Task")]
struct OldTask {
    id: u64,
    title: Text,
    next: Option<Ref<Task>>,
}

#[derive(Record)]
#[record(hook = from_old)]
struct Task {
    id: u64,
    title: Text,
    next: Option<Ref<Task>>,
    length: u32,
}

fn from_old(old: &OldTask, tx: &mut Transaction<'_>) -> Result<Task> {
    use heap::Reader as _;
    let length = tx.get_text(old.title)?.len() as u32;
    Ok(Task { id: old.id, title: old.title, next: old.next, length })
}

#[test]
fn types_know_their_hooks() {
    let types = Types::of::<(Task,)>().unwrap();
    assert_eq!(types.schema().types.len(), 1);
}
