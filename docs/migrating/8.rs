#[derive(Record)]
#[record(hook = split_title)]
pub struct Task {
    pub notes: List<Text>,
    pub state: State,
    pub priority: u8,
    pub id: u64,
    pub project: Text,
    pub title: Text,
    pub place: Point,
}

#[derive(Record)]
#[record(name = "Task")]
struct OldTask {
    notes: List<Text>,
    state: State,
    priority: u8,
    id: u64,
    title: Text,
    place: Point,
}

fn split_title(old: &OldTask, tx: &mut Transaction<'_>) -> heap::Result<Task> {
    let whole = tx[old.title].to_owned();
    let (project, title) = whole.split_once(": ").unwrap_or(("none", &whole));
    Ok(Task {
        notes: old.notes,
        state: old.state,
        priority: old.priority,
        id: old.id,
        project: tx.text(project)?,
        title: tx.text(title)?,
        place: old.place,
    })
}
