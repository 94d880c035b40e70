#[derive(Record)]
pub struct Task {
    pub notes: List<Text>,
    pub state: State,
    pub priority: u64,
    pub id: u64,
    pub name: Text,
    pub x: f64,
    pub y: f64,
}
