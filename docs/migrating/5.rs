#[derive(Record)]
pub struct Task {
    pub notes: List<Text>,
    pub state: State,
    pub priority: u8,
    pub id: u64,
    pub title: Text,
    pub x: f64,
    pub y: f64,
}
