//! `image ps`.

use std::time::SystemTime;

use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::figures;
use crate::output::Output;
use crate::table::{Align, Table};

/// Processes with open heaps.
#[derive(Debug, Serialize)]
struct Listing {
    processes: Vec<Row>,
}

/// One open heap. What a process does not say is null.
#[derive(Debug, Serialize)]
struct Row {
    pid: u32,
    program: String,
    heap: String,
    types: Option<u64>,
    records: Option<u64>,
    bytes: Option<u64>,
    schema: Option<String>,
    sequence: Option<u64>,
    /// Milliseconds since 1970, UTC.
    last_commit: Option<u64>,
}

/// Lists them.
pub(crate) fn run(output: &mut Output) -> Result<Exit, Failure> {
    Listing { processes: open_heaps()? }.print(SystemTime::now(), output)?;
    Ok(Exit::Done)
}

// Elsewhere it does fail.
#[allow(clippy::unnecessary_wraps)]
#[cfg(target_os = "linux")]
fn open_heaps() -> Result<Vec<Row>, Failure> {
    Ok(heap::control::list().into_iter().map(Row::from).collect())
}

#[cfg(not(target_os = "linux"))]
fn open_heaps() -> Result<Vec<Row>, Failure> {
    Err(Failure::new("IMG-0707", "live heaps exist on Linux only"))
}

#[cfg(target_os = "linux")]
impl From<heap::control::Info> for Row {
    fn from(info: heap::control::Info) -> Self {
        let bytes = std::fs::metadata(&info.heap).ok().map(|metadata| metadata.len());
        let figures = info.figures;
        let since_1970 = |moment: SystemTime| moment.duration_since(SystemTime::UNIX_EPOCH).ok();
        Self {
            pid: info.pid,
            program: info.program,
            heap: info.heap.display().to_string(),
            types: figures.as_ref().map(|figures| figures.types),
            records: figures.as_ref().map(|figures| figures.records),
            bytes,
            schema: figures.as_ref().map(|figures| figures.schema.clone()),
            sequence: figures.as_ref().map(|figures| figures.sequence),
            last_commit: figures
                .and_then(|figures| figures.committed)
                .and_then(since_1970)
                .map(|since| since.as_millis() as u64),
        }
    }
}

impl Listing {
    fn print(&self, now: SystemTime, output: &mut Output) -> Result<(), Failure> {
        if output.is_json() {
            return output.json(self);
        }
        if self.processes.is_empty() {
            return output.line("no process has a heap open");
        }
        output.table(&self.table(now))
    }

    fn table(&self, now: SystemTime) -> Table {
        let mut table = Table::new(&[
            ("PID", Align::Right),
            ("HEAP", Align::Left),
            ("TYPES", Align::Right),
            ("RECORDS", Align::Right),
            ("SIZE", Align::Right),
            ("SCHEMA", Align::Left),
            ("LAST COMMIT", Align::Left),
        ]);
        let or_dash = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".into());
        for row in &self.processes {
            let moment = |since| SystemTime::UNIX_EPOCH.checked_add(std::time::Duration::from_millis(since));
            table.row([
                row.pid.to_string(),
                row.heap.clone(),
                or_dash(row.types.map(figures::count)),
                or_dash(row.records.map(figures::count)),
                or_dash(row.bytes.map(figures::size)),
                or_dash(row.schema.as_ref().map(|digits| digits.chars().take(8).collect())),
                or_dash(row.last_commit.and_then(moment).map(|moment| figures::ago(moment, now))),
            ]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_that_of_the_manual() {
        let row = |pid, heap: &str, types, records, bytes, schema: &str, last_commit| Row {
            pid,
            program: "board".into(),
            heap: heap.into(),
            types: Some(types),
            records: Some(records),
            bytes: Some(bytes),
            schema: Some(schema.into()),
            sequence: Some(1),
            last_commit: Some(last_commit),
        };
        let listing = Listing {
            processes: vec![
                row(4127, "/var/lib/board/board.heap", 14, 1_107_540, 123 << 20, "9c41e0aa", 9_800),
                row(4390, "/var/lib/board/sessions.heap", 5, 48_211, 12 << 20, "77d0b2f1", 8_600),
            ],
        };
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(10);
        let lines: Vec<String> = listing.table(now).lines().collect();
        let expected = [
            " PID  HEAP                          TYPES    RECORDS      SIZE  SCHEMA    LAST COMMIT",
            "4127  /var/lib/board/board.heap        14  1,107,540   123 MiB  9c41e0aa  0.2 s ago",
            "4390  /var/lib/board/sessions.heap      5     48,211  12.0 MiB  77d0b2f1  1.4 s ago",
        ];
        assert_eq!(lines, expected);
    }
}
