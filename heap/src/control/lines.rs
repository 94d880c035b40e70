//! The text of a control file.
//!
//! A file is lines of `key value`, the first `image-control 1`, the last `end`. Bytes of paths and names outside
//! printable ASCII are escaped as `\xNN`. Unknown keys are ignored.
//!
//! | KEY | VALUE |
//! |-----|-------|
//! | `pid` | the process, as it sees itself |
//! | `namespace` | in which namespace that number counts: only there can a reader tell that the process is gone |
//! | `started` | when it started: field 22 of `/proc/PID/stat` |
//! | `file` | device and inode of the heap: a copied or moved control file speaks of the same file |
//! | `heap`, `log` | absolute paths |
//! | `program` | what the process says it is |
//! | `types`, `records`, `sequence`, `schema`, `committed` | as of the last checkpoint; `committed` in milliseconds since 1970 |

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::{Figures, Info};

/// The first line of every control file.
const FIRST_LINE: &str = "image-control 1";

/// What a control file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) info: Info,
    pub(super) identity: Option<(u64, u64)>,
    pub(super) namespace: Option<String>,
}

/// The lines.
pub(super) fn to_text(said: &Said) -> String {
    let info = &said.info;
    let mut lines = vec![
        FIRST_LINE.to_owned(),
        format!("pid {}", info.pid),
        format!("started {}", info.started),
        format!("heap {}", escape(info.heap.as_os_str().as_bytes())),
        format!("log {}", escape(info.log.as_os_str().as_bytes())),
        format!("program {}", escape(info.program.as_bytes())),
    ];
    lines.extend(said.namespace.as_ref().map(|name| format!("namespace {}", escape(name.as_bytes()))));
    if let Some((device, inode)) = said.identity {
        lines.push(format!("file {device} {inode}"));
    }
    if let Some(figures) = &info.figures {
        lines.push(format!("types {}", figures.types));
        lines.push(format!("records {}", figures.records));
        lines.push(format!("schema {}", escape(figures.schema.as_bytes())));
        lines.push(format!("sequence {}", figures.sequence));
        let since_1970 = figures.committed.and_then(|when| when.duration_since(SystemTime::UNIX_EPOCH).ok());
        lines.extend(since_1970.map(|since| format!("committed {}", since.as_millis())));
    }
    lines.push("end\n".to_owned());
    lines.join("\n")
}

/// What the lines say; `None` where they are not a whole control file.
pub(super) fn from_text(text: &str) -> Option<Said> {
    let whole = text.strip_suffix("\nend\n")?;
    let mut lines = whole.lines();
    if lines.next()? != FIRST_LINE {
        return None;
    }
    let pairs: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(' ')).collect();
    let value = |key: &str| pairs.iter().find(|(found, _)| *found == key).map(|&(_, value)| value);
    let number = |key: &str| value(key).and_then(|digits| digits.parse::<u64>().ok());
    let path = |key: &str| {
        let bytes = unescape(value(key)?)?;
        Some(PathBuf::from(std::ffi::OsString::from_vec(bytes))).filter(|path| path.is_absolute())
    };
    let words = |key: &str| String::from_utf8(unescape(value(key)?)?).ok();
    let figures = number("sequence").map(|sequence| Figures {
        types: number("types").unwrap_or(0),
        records: number("records").unwrap_or(0),
        schema: words("schema").unwrap_or_default(),
        sequence,
        committed: number("committed")
            .and_then(|since| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(since))),
    });
    let identity = value("file").and_then(|pair| {
        let (device, inode) = pair.split_once(' ')?;
        Some((device.parse().ok()?, inode.parse().ok()?))
    });
    let info = Info {
        pid: value("pid")?.parse().ok()?,
        started: number("started")?,
        heap: path("heap")?,
        log: path("log")?,
        program: words("program")?,
        figures,
    };
    Some(Said { info, identity, namespace: words("namespace") })
}

fn escape(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b' '..=b'~' if byte != b'\\' => text.push(char::from(byte)),
            _ => write!(text, "\\x{byte:02x}").expect("a String takes everything"),
        }
    }
    text
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'\\' {
            let digits = after.strip_prefix(b"x")?.get(..2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = &after[3..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    Some(bytes)
}
