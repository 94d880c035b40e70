//! `image info`.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::escape::{quoted, visible};
use crate::failure::{Exit, Failure};
use crate::figures;
use crate::library;
use crate::output::Output;

/// What `image info` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A heap file or an image
    #[arg(value_name = "HEAP")]
    pub(crate) file: PathBuf,
    /// Also tell what migrations did
    #[arg(long)]
    history: bool,
}

/// What a file is. What it does not say is null.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The file.
    pub(crate) file: String,
    /// Heap or image.
    pub(crate) kind: Kind,
    /// Its length in bytes.
    pub(crate) bytes: u64,
    /// Identity of the heap, in hexadecimal digits.
    pub(crate) heap_id: String,
    /// Fingerprint of the schema, in hexadecimal digits.
    pub(crate) schema: String,
    /// Sequence of the last commit.
    pub(crate) sequence: u64,
    /// `little` or `big`.
    pub(crate) byte_order: &'static str,
    /// Pointer width of the writer in bytes.
    pub(crate) pointer_width: u8,
    /// How many types have a table.
    pub(crate) types: u64,
    /// How many records live.
    pub(crate) records: u64,
    /// The named entry records.
    pub(crate) roots: Vec<Root>,
    /// Figures about what it holds.
    pub(crate) stats: Stats,
    /// What the manifest of an image says.
    pub(crate) manifest: Option<Manifest>,
    /// The process that has the heap open.
    pub(crate) open_in: Option<u32>,
    /// Where the way back from the last migration leads; null where there is none.
    pub(crate) way_back: Option<WayBack>,
    /// What migrations did, the oldest first.
    pub(crate) history: Vec<Receipt>,
}

/// A heap or an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A live heap.
    Heap,
    /// A sealed image.
    Image,
}

/// A named entry record.
#[derive(Debug, Serialize)]
pub(crate) struct Root {
    /// Its name.
    pub(crate) name: String,
    /// `Board#1`.
    pub(crate) record: String,
}

/// Figures about what a file holds.
#[derive(Debug, Serialize)]
pub(crate) struct Stats {
    /// Bytes of its tables.
    pub(crate) arena_bytes: u64,
    /// Slots of all kinds that are in use.
    pub(crate) slots_live: u64,
    /// Slots that were in use before and are free.
    pub(crate) slots_free: u64,
    /// Bytes of the file that are kept for the way back from a migration.
    pub(crate) kept_bytes: u64,
    /// Bytes of the log that a recovery would read.
    pub(crate) log_bytes: u64,
    /// Sequence of the last commit that the file itself holds.
    pub(crate) checkpoint_sequence: u64,
    /// Commits after that, which are in the log only.
    pub(crate) checkpoint_lag: u64,
}

/// Where an image comes from.
#[derive(Debug, Serialize)]
pub(crate) struct Manifest {
    /// The program that wrote the heap.
    pub(crate) program: String,
    /// The machine, unless the dump was anonymous.
    pub(crate) host: Option<String>,
    /// When it was made, in milliseconds since 1970, unless the dump was reproducible.
    pub(crate) made: Option<u64>,
    /// Were fields marked secret left out?
    pub(crate) redacted: bool,
    /// Does it hold values of fields marked secret?
    pub(crate) holds_secrets: bool,
}

/// What a rollback would lead to.
#[derive(Debug, Serialize)]
pub(crate) struct WayBack {
    /// The commit whose state is kept.
    pub(crate) as_of: u64,
    /// Fingerprint of the schema that the heap had then, in hexadecimal digits.
    pub(crate) to: String,
    /// When the migration was, in milliseconds since 1970.
    pub(crate) since: u64,
    /// Commits since the migration, which would be lost.
    pub(crate) commits: u64,
}

/// A change of schema, or its end.
#[derive(Debug, Serialize)]
pub(crate) struct Receipt {
    /// What happened.
    pub(crate) kind: ReceiptKind,
    /// The commit that did it.
    pub(crate) sequence: u64,
    /// When, in milliseconds since 1970.
    pub(crate) time: u64,
    /// Fingerprint of the schema before, in hexadecimal digits.
    pub(crate) from: String,
    /// Fingerprint of the schema from then on.
    pub(crate) to: String,
    /// The byte order that all values were brought to, where they had the other one: `little` or `big`.
    pub(crate) byte_order: Option<&'static str>,
    /// The program that did it.
    pub(crate) program: String,
    /// The types whose records were converted.
    pub(crate) types: Vec<Converted>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ReceiptKind {
    /// A migration.
    Migrated,
    /// It was undone.
    RolledBack,
    /// The way back was given up.
    Kept,
}

/// What a migration did to one type.
#[derive(Debug, Serialize)]
pub(crate) struct Converted {
    /// Its declared name.
    pub(crate) name: String,
    /// How many records were converted.
    pub(crate) records: u64,
    /// What became of each field, and what was proved of its values.
    pub(crate) census: Vec<String>,
    /// The fields that are no more.
    pub(crate) dropped: Vec<Dropped>,
}

/// A field that is no more.
#[derive(Debug, Serialize)]
pub(crate) struct Dropped {
    /// Its name, which is reserved.
    pub(crate) name: String,
    /// What it held.
    pub(crate) shape: String,
}

/// Tells what the file is.
pub(crate) fn run(options: &Options, output: &mut Output) -> Result<Exit, Failure> {
    let mut report = library::info(&options.file)?;
    if !options.history {
        report.history.clear();
    }
    report.print(output)?;
    Ok(Exit::Done)
}

impl Report {
    /// One line that says the most.
    pub(crate) fn headline(&self) -> String {
        let mark = self.manifest.as_ref().map_or("", |manifest| match (manifest.redacted, manifest.holds_secrets) {
            (_, true) => "  HOLDS SECRETS",
            (true, false) => "  REDACTED",
            (false, false) => "",
        });
        let facts = [
            figures::counted(self.types, "type"),
            figures::counted(self.records, "record"),
            figures::size(self.bytes),
            format!("commit {}", figures::count(self.sequence)),
        ];
        format!("{}{mark}  {}", visible(&self.file), facts.join("  "))
    }

    /// As lines or as JSON.
    pub(crate) fn print(&self, output: &mut Output) -> Result<(), Failure> {
        if output.is_json() {
            return output.json(self);
        }
        output.line(self.headline())?;
        self.facts().into_iter().try_for_each(|(name, value)| output.line(format_args!("  {name:<8}  {value}")))?;
        for root in &self.roots {
            output.line(format_args!("  root      {} is {}", quoted(&root.name, 64), visible(&root.record)))?;
        }
        self.history.iter().try_for_each(|receipt| receipt.print(output))
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let kind = match self.kind {
            Kind::Heap => "live heap",
            Kind::Image => "sealed image",
        };
        let mut facts = vec![
            ("kind", kind.to_owned()),
            ("heap id", visible(&self.heap_id)),
            ("schema", visible(&self.schema)),
            ("machine", format!("{} endian, {} bit", self.byte_order, u32::from(self.pointer_width) * 8)),
        ];
        let stats = &self.stats;
        let (live, free) = (figures::counted(stats.slots_live, "slot"), figures::count(stats.slots_free));
        facts.push(("tables", format!("{}, {live} in use, {free} free", figures::size(stats.arena_bytes))));
        if self.kind == Kind::Heap {
            let lag = figures::counted(stats.checkpoint_lag, "commit");
            facts.push(("log", format!("{}, {lag} after the last checkpoint", figures::size(stats.log_bytes))));
        }
        if stats.kept_bytes > 0 {
            let kept = figures::size(stats.kept_bytes);
            facts.push(("kept", format!("{kept} of before the last migration; image keep gives them up")));
        }
        if let Some(way_back) = &self.way_back {
            let (commit, to) = (figures::count(way_back.as_of), &way_back.to[..8]);
            let migrated = ago(way_back.since).map(|ago| format!("migrated {ago}, ")).unwrap_or_default();
            let commits = figures::counted(way_back.commits, "commit");
            facts.push(("way back", format!("to {to} as of commit {commit}; {migrated}{commits} since")));
        }
        if let Some(pid) = self.open_in {
            facts.push(("open in", format!("process {pid}")));
        }
        if let Some(manifest) = &self.manifest {
            facts.push(("program", visible(&manifest.program)));
            facts.extend(manifest.host.as_ref().map(|host| ("host", visible(host))));
            facts.extend(manifest.made.and_then(ago).map(|made| ("made", made)));
        }
        facts
    }
}

impl Receipt {
    fn print(&self, output: &mut Output) -> Result<(), Failure> {
        let what = match self.kind {
            ReceiptKind::Migrated if self.byte_order.is_some() && self.from == self.to => "transcoded",
            ReceiptKind::Migrated => "migrated",
            ReceiptKind::RolledBack => "rolled back",
            ReceiptKind::Kept => "gave up the way back of",
        };
        let (from, to, program) = (&self.from[..8], &self.to[..8], visible(&self.program));
        let change = if self.from == self.to { to.to_owned() } else { format!("{from} → {to}") };
        let when = ago(self.time).map(|ago| format!(", {ago}")).unwrap_or_default();
        let commit = figures::count(self.sequence);
        output.line(format_args!("commit {commit} {what} {change} by {program}{when}"))?;
        if let Some(order) = self.byte_order {
            output.line(format_args!("  all values are {order} endian since"))?;
        }
        for converted in &self.types {
            let records = figures::counted(converted.records, "record");
            output.line(format_args!("  {}  {records}", visible(&converted.name)))?;
            for line in &converted.census {
                output.line(format_args!("    {}", visible(line)))?;
            }
            for field in &converted.dropped {
                let (name, shape) = (visible(&field.name), visible(&field.shape));
                output.line(format_args!("    {name} is reserved: it was {shape}"))?;
            }
        }
        Ok(())
    }
}

/// How long ago a moment in milliseconds since 1970 is, as far as calendars go.
fn ago(since: u64) -> Option<String> {
    let moment = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(since))?;
    Some(figures::ago(moment, SystemTime::now()))
}
