#[derive(Record)]
pub struct Task {
    pub notes: List<Text>,
    pub state: State,
    pub priority: u64,
    pub id: u64,
    #[record(was = "name")]
    pub title: Text,
    pub x: f64,
    pub y: f64,
}
