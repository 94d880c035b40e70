#[derive(Record, Debug, Clone, Copy, PartialEq)]
#[repr(u8)]
pub enum State {
    Open,
    Started { day: u32 },
    #[record(was = "Done")]
    Finished,
}
