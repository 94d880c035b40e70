#[derive(Record)]
#[record(hook = from_any, down = to_split)]
pub struct Task {
    pub id: u64,
    pub title: Text,
    pub place: Point,
    pub urgent: bool,
}

fn to_split(task: &Task, tx: &mut Transaction<'_>) -> heap::Result<Split> {
    Ok(Split {
        notes: tx.list()?,
        state: State::Open,
        priority: if task.urgent { 9 } else { 3 },
        id: task.id,
        project: tx.text("none")?,
        title: task.title,
        place: task.place,
    })
}
