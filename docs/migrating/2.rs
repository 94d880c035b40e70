#[derive(Record)]
pub struct Task {
    pub id: u64,
    pub name: Text,
    pub x: f64,
    pub y: f64,
    pub state: State,
    #[record(default = 3)]
    pub priority: u64,
    pub notes: List<Text>,
}
