//! `image dump`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::ArgGroup;
use serde::Serialize;

use crate::commands::secrets;
use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::figures;
use crate::library;
use crate::output::Output;

/// What `image dump` takes.
// They are the flags of a command line, each independent of the others.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("source").required(true).args(["heap", "pid"])))]
pub(crate) struct Options {
    /// The heap, open in a program or not
    heap: Option<PathBuf>,
    /// The process that has the heap open
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Where the image goes
    #[arg(short, long, value_name = "FILE", required_unless_present = "dry_run")]
    pub(crate) output: Option<PathBuf>,
    /// Replace the output file if it exists, in one step, once the new one is whole
    #[arg(long)]
    pub(crate) force: bool,
    /// Only tell what would be written
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Keep the values of fields marked secret; for the heap's owner only
    #[arg(long)]
    pub(crate) include_secrets: bool,
    /// Why the secrets are needed; recorded in the image and in HEAP.audit
    #[arg(long, value_name = "TEXT", requires = "include_secrets")]
    pub(crate) reason: Option<String>,
    /// Do not ask for the heap's name before secrets are written
    #[arg(long, requires = "reason")]
    pub(crate) yes: bool,
    /// Leave out what differs between two dumps of one state: time, host, process
    #[arg(long)]
    pub(crate) reproducible: bool,
}

/// What is dumped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A heap file.
    Path(PathBuf),
    /// The heap that a process has open, and the paths by which it is reached best.
    #[cfg(target_os = "linux")]
    Process {
        /// What the process says about it.
        info: heap::control::Info,
        /// Its files.
        files: heap::control::Files,
    },
}

impl Source {
    /// Where the heap file is reached.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Path(path) => path,
            #[cfg(target_os = "linux")]
            Self::Process { files, .. } => &files.heap,
        }
    }

    /// The heap file as people know it.
    pub(crate) fn name(&self) -> &Path {
        match self {
            Self::Path(path) => path,
            #[cfg(target_os = "linux")]
            Self::Process { info, .. } => &info.heap,
        }
    }
}

impl Options {
    /// The file to dump.
    ///
    /// # Errors
    /// IMG-0501, IMG-0503 and IMG-0610 about the process; IMG-0201 when it has several heaps open.
    fn source(&self) -> Result<Source, Failure> {
        match (&self.heap, self.pid) {
            (Some(heap), _) => Ok(Source::Path(heap.clone())),
            (None, Some(pid)) => heap_of(pid),
            (None, None) => Err(Failure::new("IMG-0201", "neither a heap nor a process was given")),
        }
    }
}

#[cfg(target_os = "linux")]
fn heap_of(pid: u32) -> Result<Source, Failure> {
    let found = heap::control::for_pid(pid).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::new("IMG-0501", format!("no process {pid}"))
            .cause("no such entry under /proc")
            .help("image ps lists processes with open heaps"),
        ErrorKind::PermissionDenied => {
            Failure::new("IMG-0610", format!("the open files of process {pid} may not be seen"))
                .cause("it belongs to another user, and no control file speaks of it")
                .help("dump by path, or as the process's user: sudo -u USER image dump ...")
        }
        _ => Failure::new("IMG-0901", format!("looking into /proc/{pid} failed")).cause(error),
    })?;
    match found.as_slice() {
        [] => Err(Failure::new("IMG-0503", format!("process {pid} has no heap open"))
            .cause("no control file speaks of it, and none of its open files is a heap")
            .help("image ps lists processes with open heaps")),
        [info] => Ok(Source::Process { info: info.clone(), files: heap::control::files(info) }),
        several => {
            let paths: Vec<String> = several.iter().map(|info| info.heap.display().to_string()).collect();
            Err(Failure::new("IMG-0201", format!("process {pid} has {} heaps open", several.len()))
                .cause(paths.join(", "))
                .help("name the one to dump by its path"))
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn heap_of(_pid: u32) -> Result<Source, Failure> {
    Err(Failure::new("IMG-0707", "live heaps exist on Linux only").help("dump a heap by its path"))
}

/// What was dumped.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The heap.
    pub(crate) heap: String,
    /// Was another process writing to it meanwhile?
    pub(crate) live: bool,
    /// Fingerprint of the schema, shortened.
    pub(crate) schema: String,
    /// The commit that the image shows.
    pub(crate) sequence: u64,
    /// When the dump began, in milliseconds since 1970, UTC.
    pub(crate) time: u64,
    /// Was that commit on the disk at the time, by what the file says?
    pub(crate) durable: bool,
    /// How many records it holds.
    pub(crate) records: u64,
    /// Bytes of the heap's tables.
    pub(crate) arena_bytes: u64,
    /// The image; `None` for `--dry-run`.
    pub(crate) image: Option<String>,
    /// Length of the image in bytes, or about what it would be.
    pub(crate) bytes: u64,
    /// BLAKE3 of its content.
    pub(crate) blake3: Option<String>,
    /// Does it hold values of fields marked secret?
    pub(crate) holds_secrets: bool,
    /// How long it took.
    pub(crate) seconds: f64,
}

/// Makes the image.
pub(crate) fn run(options: &Options, output: &mut Output) -> Result<Exit, Failure> {
    if let Some(path) = options.output.as_deref().filter(|_| !options.force && !options.dry_run) {
        // The library's linking decides; asking first spares a copy in vain.
        refuse_existing(path)?;
    }
    let source = options.source()?;
    if options.include_secrets && !options.dry_run {
        secrets::permit(source.path(), source.name(), options.yes)?;
    }
    library::dump(&source, options)?.print(output)?;
    Ok(Exit::Done)
}

/// # Errors
/// IMG-0602 when something lies at `path`.
pub(crate) fn refuse_existing(path: &Path) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Ok(found) => {
            let failure = Failure::writing(path, &ErrorKind::AlreadyExists.into());
            let age = found.modified().map(|moment| figures::ago(moment, SystemTime::now()));
            Err(if let Ok(age) = age { failure.cause(format!("it was written {age}")) } else { failure })
        }
        Err(_) => Ok(()),
    }
}

impl Report {
    fn print(&self, output: &mut Output) -> Result<(), Failure> {
        if output.is_json() {
            return output.json(self);
        }
        let heap = visible(&self.heap);
        let (size, arena) = (figures::size(self.bytes), figures::size(self.arena_bytes));
        let pause = "pause  none: copies one committed version while the program goes on";
        let Some(image) = &self.image else {
            let schema = &self.schema;
            output
                .line(format_args!("heap   {heap} (schema {schema}), would write about {size} ({arena} in memory)"))?;
            return output.line(pause);
        };
        output.line(format_args!("  heap   {heap}{}", if self.live { ", open in a program" } else { "" }))?;
        output.line(format_args!(
            "  consistent point  commit {} at {} UTC",
            figures::count(self.sequence),
            figures::time_of_day(self.time)
        ))?;
        output.line(format_args!(
            "  copy   {}  {arena}  {}",
            figures::counted(self.records, "record"),
            figures::duration(Duration::from_secs_f64(self.seconds.max(0.0)))
        ))?;
        let hash = self.blake3.as_deref().map(|digits| format!("  blake3 {}", shortened(digits))).unwrap_or_default();
        output.line(format_args!("  write  {}  {size}{hash}", visible(image)))?;
        output.line(format_args!("  {pause}"))?;
        if self.holds_secrets {
            output.line("  note   holds the values of fields marked secret; keep it as safe as the heap")?;
        }
        Ok(())
    }
}

/// The beginning and the end of a hash, as people compare them; all of it is in the JSON.
fn shortened(digits: &str) -> String {
    match (digits.get(..8), digits.get(digits.len().saturating_sub(4)..)) {
        (Some(first), Some(last)) if digits.len() > 16 => format!("{first}…{last}"),
        _ => visible(digits),
    }
}
