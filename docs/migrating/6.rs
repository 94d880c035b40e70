#[derive(Record)]
pub struct Task {
    pub notes: List<Text>,
    pub state: State,
    pub priority: u8,
    pub id: u64,
    pub title: Text,
    pub place: Point,
}

#[derive(Record, Debug, Clone, Copy, PartialEq)]
pub struct Point {
    #[record(from = "x")]
    pub x: f64,
    #[record(from = "y")]
    pub y: f64,
}
