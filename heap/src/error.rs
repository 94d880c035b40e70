//! What can go wrong, each with a stable code.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::format::catalog::CatalogFault;
use crate::format::header::HeaderFault;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. Each variant has a stable [code](Error::code), which the `image` command prints as well and
/// explains with `image explain`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A handle whose record was removed, rolled back, or never was in this heap.
    #[error("stale handle: {0} is not alive")]
    Stale(RecordName),
    /// A handle that names a record of another type, or nothing that can be one.
    #[error("foreign handle: {0} is not of type {1}")]
    Foreign(RecordName, String),
    /// A position behind the end of a list.
    #[error("index {index} is out of range for a list of {len}")]
    OutOfRange {
        /// The position asked for.
        index: u64,
        /// Length of the list.
        len: u64,
    },
    /// Two of the handles given to a disjoint access are the same.
    #[error("{0} was asked for twice")]
    Overlap(RecordName),

    /// A value with two owners at commit.
    #[error("{what} has two owners: {first} and {second}")]
    SecondOwner {
        /// The value.
        what: RecordName,
        /// One place that holds it.
        first: String,
        /// The other.
        second: String,
    },
    /// A written handle that owns nothing in this heap, or a reference to no table of its type.
    #[error("{place} holds {what}, which is no live value of this heap")]
    Dangling {
        /// The place that holds it.
        place: String,
        /// The handle.
        what: RecordName,
    },
    /// A commit that asks for more than the heap can give.
    #[error("this heap has no disk behind it: a commit of strength Disk is not possible")]
    NoDisk,
    /// The thread already holds the heap in a way that excludes what it asks for.
    #[error("this thread already holds a {held} guard of the heap, and would wait for itself")]
    Deadlock {
        /// "read" or "write".
        held: &'static str,
    },
    /// The name of a root is empty or too long.
    #[error("a root's name has 1 to {max} bytes; this one has {len}")]
    RootName {
        /// Its length in bytes.
        len: usize,
        /// The longest.
        max: usize,
    },
    /// A root of this name holds a record of another type.
    #[error("root {name:?} is a {found}, not a {asked}")]
    RootType {
        /// The root.
        name: String,
        /// The type of its record.
        found: String,
        /// The type asked for.
        asked: String,
    },
    /// A value longer than the format can hold.
    #[error("{what} of {len} bytes is longer than {max}")]
    TooLong {
        /// What it is.
        what: &'static str,
        /// Its length in bytes.
        len: u64,
        /// The longest possible, in bytes.
        max: u64,
    },
    /// So many keys of a map have colliding hashes that a larger table does not help: they were chosen to.
    #[error("the keys of a map of {count} entries collide")]
    Crowded {
        /// Number of entries.
        count: u64,
    },
    /// The process was forked; only the parent may write.
    #[error("this process is a fork of the one that opened the heap; only process {owner} may write")]
    Forked {
        /// The process that opened it.
        owner: u32,
    },
    /// An image cannot be opened as a heap, or a heap as an image.
    #[error("{path} is {found}; open it with {remedy}")]
    WrongDoor {
        /// The file.
        path: PathBuf,
        /// "a sealed image" or "a live heap".
        found: &'static str,
        /// What to call instead.
        remedy: &'static str,
    },

    /// The file is not a heap, of another version, or its header is damaged.
    #[error("{path}: {fault}")]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: HeaderFault,
    },
    /// A damaged structure in the file.
    #[error("damaged at {at}: {what}")]
    Corrupt {
        /// Where.
        at: Place,
        /// What is wrong.
        what: Corruption,
    },

    /// No such heap.
    #[error("{path} does not exist")]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// The heap's type has another layout than the program's.
    #[error("type {name} of the heap has another layout than the program's: {difference}")]
    Schema {
        /// The type's declared name.
        name: String,
        /// The first difference.
        difference: String,
    },
    /// The heap's layouts differ from the program's, and a value would be lost that the program did not give up.
    #[error("the heap is left as it is: {refusal}")]
    Refused {
        /// The whole plan.
        plan: Box<migrate::Plan>,
        /// What is not answered, with the lines to add.
        refusal: Box<migrate::Refusal>,
    },
    /// The heap's layouts or byte order are not the program's, and the program asked for the plan alone.
    #[error("the heap is to be migrated first{}", Foreign(plan))]
    Pending {
        /// The plan.
        plan: Box<migrate::Plan>,
        /// What the live values say about its checks.
        findings: Box<migrate::Findings>,
    },
    /// A migration's hook failed or panicked; the heap is left as it is.
    #[error("the migration hook of {record} failed: {what}")]
    Hook {
        /// The record it was given.
        record: RecordName,
        /// Its error or the message of its panic.
        what: String,
    },
    /// A record could not be converted, although nothing had spoken against it; the heap is left as it is.
    #[error("{record} cannot be converted: {what}")]
    Unconverted {
        /// The record.
        record: RecordName,
        /// Why not.
        what: String,
    },
    /// A hook asked an old record for what it does not have.
    #[error("old field {field}: {why}")]
    OldField {
        /// Where: `Task.priority`.
        field: String,
        /// What is there, and what was asked for.
        why: String,
    },
    /// Two types of the program have one declared name.
    #[error("two types of the program are both named {0}; give one of them #[record(name = \"...\")]")]
    SameName(String),
    /// A type of the program that no heap can hold.
    #[error("type {name}: {why}")]
    Unsupported {
        /// The type's declared name.
        name: String,
        /// Why not.
        why: String,
    },
    /// A migration cannot be rolled back without losing what was committed since; or that is another number of commits
    /// than was said.
    #[error("{} made since the migration{}; nothing was changed", Commits(*.commits), Loss { commits: *.commits, expected: *.expected })]
    MovedOn {
        /// How many commits.
        commits: u64,
        /// How many of them were said to be lost.
        expected: u64,
        /// The commit before the migration, whose state is kept.
        as_of: u64,
    },
    /// There is no migration to roll back.
    #[error("{path} keeps no way back from a migration; nothing was changed")]
    NothingKept {
        /// The file.
        path: PathBuf,
    },
    /// A file system, kernel or machine on which heaps do not work.
    #[error("{0}")]
    Platform(String),

    /// Another process has the heap open.
    #[error("{path} is open in {}", Owner(.pid))]
    Busy {
        /// The file.
        path: PathBuf,
        /// The process, where it said so.
        pid: Option<u32>,
    },
    /// The arena is full.
    #[error("the arena of {reserved} bytes is full; open the heap with a larger Options::reserve")]
    ArenaFull {
        /// Bytes of address space reserved.
        reserved: u64,
    },
    /// The disk is full; the transaction was rolled back.
    #[error("no room on the disk: {0}")]
    NoRoom(io::Error),
    /// The log was folded into the file over the head of a reader.
    #[error("the heap went on before it was read: its log outgrew its limit, or it was opened anew")]
    LostHold,
    /// A write or sync failed earlier; what reached the disk is unknown.
    #[error("an earlier write failed ({0}), so what reached the disk is unknown; open the heap again")]
    Poisoned(String),

    /// Reading or writing failed.
    #[error("{action}: {source}")]
    Io {
        /// What was being done, with the file's name.
        action: String,
        /// The system's answer.
        source: io::Error,
    },
}

/// A record or value as people name it: `Node#17`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordName {
    /// Name of the type.
    pub type_name: String,
    /// Number of the record within its table, from 0; the position of the slot for other values.
    pub number: u64,
    /// The generation that the handle asked for.
    pub generation: u32,
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{} (generation {})", self.type_name, self.number, self.generation)
    }
}

/// A place in a file or in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// An offset in the heap file or image.
    Offset(u64),
    /// An offset in the log.
    LogOffset(u64),
    /// A field of a record, or of another value.
    Record {
        /// The record.
        record: String,
        /// Path of field names in it, empty for the whole.
        field: String,
    },
    /// An entry of the catalog.
    Catalog {
        /// "table", "extent", "root", "registry".
        structure: &'static str,
        /// Number of the entry.
        index: u64,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offset(at) => write!(f, "offset {at}"),
            Self::LogOffset(at) => write!(f, "log offset {at}"),
            Self::Record { record, field } if field.is_empty() => write!(f, "{record}"),
            Self::Record { record, field } => write!(f, "{record}.{field}"),
            Self::Catalog { structure, index } => write!(f, "{structure} {index}"),
        }
    }
}

/// What is wrong with a damaged structure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Corruption {
    /// A block's bytes are not those that were written.
    #[error("checksum is {stored:08x}, computed {computed:08x}")]
    Checksum {
        /// As stored.
        stored: u32,
        /// From the bytes.
        computed: u32,
    },
    /// The file ends too early.
    #[error("the file ends here, {missing} bytes are missing")]
    Truncated {
        /// How many.
        missing: u64,
    },
    /// An entry of the catalog is impossible by itself.
    #[error(transparent)]
    Catalog(#[from] CatalogFault),
    /// Anything else, in words.
    #[error("{0}")]
    Structure(String),
}

/// What is to be done besides, in words, where the heap is one of another byte order.
struct Foreign<'a>(&'a migrate::Plan);

impl fmt::Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.foreign {
            Some(order) => write!(f, "; all its values would be transcoded from {order} to this machine's byte order"),
            None => Ok(()),
        }
    }
}

struct Commits(u64);

impl fmt::Display for Commits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => write!(f, "1 commit was"),
            commits => write!(f, "{commits} commits were"),
        }
    }
}

/// What becomes of commits when it was expected that so many are lost.
struct Loss {
    commits: u64,
    expected: u64,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { commits: 1, expected: 0 } => f.write_str("; rolling back would lose it"),
            Self { expected: 0, .. } => f.write_str("; rolling back would lose them"),
            Self { expected, .. } => write!(f, ", not {expected}"),
        }
    }
}

struct Owner<'a>(&'a Option<u32>);

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "process {pid}"),
            None => write!(f, "another process"),
        }
    }
}

impl Error {
    /// Every code that [`code`](Self::code) gives, in order. A released code keeps its meaning for ever.
    pub const CODES: &[&str] = &[
        "IMG-0101", "IMG-0102", "IMG-0103", "IMG-0104", "IMG-0301", "IMG-0302", "IMG-0303", "IMG-0304", "IMG-0305",
        "IMG-0306", "IMG-0307", "IMG-0308", "IMG-0309", "IMG-0310", "IMG-0401", "IMG-0402", "IMG-0403", "IMG-0404",
        "IMG-0405", "IMG-0502", "IMG-0701", "IMG-0702", "IMG-0703", "IMG-0704", "IMG-0705", "IMG-0706", "IMG-0707",
        "IMG-0708", "IMG-0709", "IMG-0710", "IMG-0711", "IMG-0712", "IMG-0801", "IMG-0802", "IMG-0803", "IMG-0804",
        "IMG-0901", "IMG-0902",
    ];

    /// The error for what the system answered: want of room, or what `otherwise` makes of it.
    #[cfg_attr(not(feature = "arena"), allow(dead_code, reason = "only the arena writes"))]
    pub(crate) fn no_room_or(source: io::Error, otherwise: impl FnOnce(io::Error) -> Self) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::NoRoom(source)
            }
            _ => otherwise(source),
        }
    }

    /// The stable code, `IMG-nnnn`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Stale(_) => "IMG-0101",
            Self::Foreign(..) => "IMG-0102",
            Self::OutOfRange { .. } => "IMG-0103",
            Self::Overlap(_) => "IMG-0104",
            Self::SecondOwner { .. } => "IMG-0301",
            Self::Dangling { .. } => "IMG-0302",
            Self::NoDisk => "IMG-0303",
            Self::Deadlock { .. } => "IMG-0304",
            Self::RootName { .. } => "IMG-0305",
            Self::RootType { .. } => "IMG-0306",
            Self::TooLong { .. } => "IMG-0307",
            Self::Forked { .. } => "IMG-0308",
            Self::Crowded { .. } => "IMG-0310",
            Self::WrongDoor { .. } => "IMG-0309",
            Self::Header { fault: HeaderFault::Magic, .. } => "IMG-0401",
            Self::Header { fault: HeaderFault::Version(..) | HeaderFault::Features(_), .. } => "IMG-0701",
            Self::Header { .. } => "IMG-0402",
            Self::Corrupt { what: Corruption::Checksum { .. }, .. } => "IMG-0403",
            Self::Corrupt { what: Corruption::Truncated { .. }, .. } => "IMG-0404",
            Self::Corrupt { .. } => "IMG-0405",
            Self::NotFound { .. } => "IMG-0502",
            Self::Schema { .. } => "IMG-0702",
            Self::Refused { .. } => "IMG-0703",
            Self::SameName(_) => "IMG-0704",
            Self::Hook { .. } => "IMG-0705",
            Self::Unsupported { .. } => "IMG-0706",
            Self::Platform(_) => "IMG-0707",
            Self::Pending { .. } => "IMG-0708",
            Self::Unconverted { .. } => "IMG-0709",
            Self::MovedOn { .. } => "IMG-0710",
            Self::NothingKept { .. } => "IMG-0711",
            Self::OldField { .. } => "IMG-0712",
            Self::Busy { .. } => "IMG-0801",
            Self::ArenaFull { .. } => "IMG-0802",
            Self::NoRoom(_) => "IMG-0803",
            Self::LostHold => "IMG-0804",
            Self::Poisoned(_) => "IMG-0902",
            Self::Io { .. } => "IMG-0901",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Error;

    /// The list of codes is kept by hand, and `code` is a match over variants, so the two are compared through the
    /// source text: there is no other way to reach the arms of a variant that no test constructs.
    #[test]
    fn the_list_of_codes_is_what_code_gives() {
        let source = include_str!("error.rs");
        let start = source.find("pub const fn code").expect("the function is there");
        let body = &source[start..start + source[start..].find("\n    }\n").expect("the function ends")];
        let mut given: Vec<&str> = body.match_indices("\"IMG-").map(|(at, _)| &body[at + 1..at + 9]).collect();
        given.sort_unstable();
        given.dedup();
        assert_eq!(given, Error::CODES);
    }
}
