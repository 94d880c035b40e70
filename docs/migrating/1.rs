#[derive(Record)]
pub struct Task {
    pub id: u64,
    pub name: Text,
    pub x: f64,
    pub y: f64,
    pub state: State,
}

#[derive(Record, Debug, Clone, Copy, PartialEq)]
#[repr(u8)]
pub enum State {
    Open,
    Done,
}
