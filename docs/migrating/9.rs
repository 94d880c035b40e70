#[derive(Record)]
#[record(hook = from_any)]
pub struct Task {
    pub id: u64,
    pub title: Text,
    pub place: Point,
    pub urgent: bool,
}

fn from_any(old: &OldRecord<'_>, tx: &mut Transaction<'_>) -> heap::Result<Task> {
    let title = if old.has("name") { old.get("name")? } else { old.get("title")? };
    let place = match old.has("place") {
        true => old.get("place")?,
        false => Point { x: old.get("x")?, y: old.get("y")? },
    };
    // A `u64` in some layouts and a `u8` in others.
    let priority = if old.has("priority") { old.get::<u64>("priority")? } else { 3 };
    let is_done = matches!(old.variant("state")?, "Done" | "Finished");
    let is_noted = old.has("notes") && !tx[old.get::<List<Text>>("notes")?].is_empty();
    Ok(Task { id: old.get("id")?, title, place, urgent: priority > 7 && is_noted && !is_done })
}
