//! Control files: how a person finds the processes that have heaps open.
//!
//! A process that opens `NAME` writes `NAME.pid` beside it, and a copy into `$XDG_RUNTIME_DIR/image/` (else
//! `/run/image/`), where `image ps` looks. They only inform; the locks on the heap file decide. So nothing here can
//! keep a heap from opening: what cannot be written is left out, and what cannot be read is passed over.
//!
//! A control file counts when its process is alive under the same start time (a process id alone is soon used
//! again) and belongs to the file's owner: `/run/image` may be open to all, and nobody should speak for another.

mod lines;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::OFlags;

use crate::format::header::{FileState, Header, PAGE};
use lines::{Said, from_text, to_text};

/// No control file of ours is longer: two paths at their longest, every byte escaped, and some lines.
const LONGEST: u64 = 64 * 1024;

/// What a process says about a heap that it has open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The process.
    pub pid: u32,
    /// When it started, in clock ticks since the machine's boot.
    pub started: u64,
    /// The heap file.
    pub heap: PathBuf,
    /// The log beside it.
    pub log: PathBuf,
    /// What the program calls itself.
    pub program: String,
    /// What the heap held at its last checkpoint; `None` where only the open file told of the heap.
    pub figures: Option<Figures>,
}

/// What a heap held at its last checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// How many types have a table.
    pub types: u64,
    /// How many records live.
    pub records: u64,
    /// Fingerprint of the schema in hexadecimal digits, possibly shortened.
    pub schema: String,
    /// Sequence of the last commit.
    pub sequence: u64,
    /// When it was made.
    pub committed: Option<SystemTime>,
}

impl Info {
    /// A heap of the calling process.
    ///
    /// # Errors
    /// When `heap` cannot be made absolute, or `/proc` does not say when the process started.
    pub fn of_this_process(heap: &Path, log: &Path, program: &str, figures: Figures) -> io::Result<Self> {
        let pid = std::process::id();
        Ok(Self {
            pid,
            started: start_time(pid)?,
            heap: fs::canonicalize(heap).or_else(|_| std::path::absolute(heap))?,
            log: fs::canonicalize(log).or_else(|_| std::path::absolute(log))?,
            program: program.to_owned(),
            figures: Some(figures),
        })
    }

    /// Is the process that wrote this still running?
    pub fn is_alive(&self) -> bool {
        start_time(self.pid).is_ok_and(|started| started == self.started)
    }
}

/// The control files of one open heap. Dropping it removes them.
#[derive(Debug)]
pub struct ControlFile {
    paths: Vec<PathBuf>,
    identity: Option<(u64, u64)>,
    group_reads: bool,
    owner: u32,
}

impl ControlFile {
    /// Writes the control files of the heap at `heap`, as far as their folders allow it.
    pub fn create(heap: &Path, info: &Info) -> Self {
        Self::create_in(heap, info, own_runtime_folder())
    }

    fn create_in(heap: &Path, info: &Info, runtime: Option<PathBuf>) -> Self {
        let metadata = fs::metadata(heap).ok();
        let identity = metadata.as_ref().map(|found| (found.dev(), found.ino()));
        let mut paths = vec![beside(&info.heap)];
        if let (Some(folder), Some((device, inode))) = (runtime, identity) {
            paths.push(folder.join(format!("{}-{device:x}-{inode:x}.pid", info.pid)));
        }
        let group_reads = metadata.is_some_and(|found| found.mode() & 0o040 != 0);
        let control = Self { paths, identity, group_reads, owner: std::process::id() };
        control.update(info);
        control
    }

    /// Says anew what the heap holds. Meant for checkpoints, not for commits: it writes two small files.
    pub fn update(&self, info: &Info) {
        let text = to_text(&Said { info: info.clone(), identity: self.identity, namespace: namespace() });
        for path in &self.paths {
            // They only inform: a folder that takes no file is no reason to stop a program.
            let _ = write_whole(path, text.as_bytes(), if self.group_reads { 0o644 } else { 0o600 });
        }
    }
}

impl Drop for ControlFile {
    fn drop(&mut self) {
        // A forked child drops its copy while the parent still has the heap open.
        if self.owner == std::process::id() {
            for path in &self.paths {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// All heaps that processes of this machine say they have open, ordered by process and path.
pub fn list() -> Vec<Info> {
    let mut found: Vec<Info> = runtime_folders().iter().flat_map(|folder| list_in(folder)).collect();
    found.sort_by(|a, b| (a.pid, &a.heap).cmp(&(b.pid, &b.heap)));
    found.dedup_by(|a, b| a.pid == b.pid && a.heap == b.heap);
    found
}

/// Who has the heap at `path` open, as far as control files say.
pub fn for_heap(path: &Path) -> Option<Info> {
    let metadata = fs::metadata(path).ok()?;
    let identity = Some((metadata.dev(), metadata.ino()));
    // A copied folder brings the control file of the original along: the file must be the one it speaks of.
    let speaks_of_it = |entry: &Entry| entry.identity == identity && entry.counts();
    let near = fs::canonicalize(path).ok().and_then(|whole| read(&beside(&whole))).filter(speaks_of_it);
    let far = || runtime_folders().iter().flat_map(|folder| entries(folder)).find(speaks_of_it);
    near.or_else(far).map(|entry| entry.info)
}

/// The heaps that process `pid` has open: what control files say, else its open files that are heaps.
///
/// # Errors
/// `NotFound` without such a process; `PermissionDenied` when no control file speaks of it and its open files may
/// not be looked at.
pub fn for_pid(pid: u32) -> io::Result<Vec<Info>> {
    let started = start_time(pid)?;
    let mut said = list();
    said.retain(|info| info.pid == pid);
    if said.is_empty() { open_heaps(pid, started) } else { Ok(said) }
}

/// Where a reader of this process finds the files of an open heap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The heap file.
    pub heap: PathBuf,
    /// The log.
    pub log: PathBuf,
}

/// The files of a heap that a process has open: as entries of `/proc/PID/fd` where that is allowed, which lead to
/// the very files in whatever container they are and whatever was renamed since, else as the paths it told.
///
/// A descriptor can be closed at any time and its number used again: whoever opens one must look at what it is.
pub fn files(info: &Info) -> Files {
    let descriptors: Vec<(PathBuf, PathBuf)> = fs::read_dir(format!("/proc/{}/fd", info.pid))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((fs::read_link(entry.path()).ok()?, entry.path())))
        .collect();
    let reach = |told: &Path| {
        let open = descriptors.iter().find(|(target, _)| target == told);
        open.map_or_else(|| told.to_owned(), |(_, descriptor)| descriptor.clone())
    };
    Files { heap: reach(&info.heap), log: reach(&info.log) }
}

/// When process `pid` started, in clock ticks since boot.
///
/// # Errors
/// `NotFound` without such a process.
pub fn start_time(pid: u32) -> io::Result<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat"))?;
    // Field 2 is the program's name in parentheses and may itself hold spaces and parentheses. The state follows
    // its last one as field 3.
    let after = stat.iter().rposition(|&byte| byte == b')').map_or(0, |at| at + 1);
    let fields = String::from_utf8_lossy(&stat[after..]);
    let field = fields.split_ascii_whitespace().nth(22 - 3).and_then(|field| field.parse().ok());
    field.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no start time in /proc/PID/stat"))
}

/// A control file as it was read.
#[derive(Debug)]
struct Entry {
    info: Info,
    identity: Option<(u64, u64)>,
    namespace: Option<String>,
    path: PathBuf,
    owner: u32,
}

impl Entry {
    fn counts(&self) -> bool {
        self.info.is_alive() && user_of(self.info.pid) == Some(self.owner)
    }

    /// Left by a process that was killed, and ours to remove. A number of another namespace, such as a container's
    /// that shares the folder, says nothing here.
    fn is_leftover(&self) -> bool {
        let judged = self.namespace.is_some() && self.namespace == namespace();
        judged && !self.info.is_alive() && self.owner == rustix::process::geteuid().as_raw()
    }
}

fn list_in(folder: &Path) -> Vec<Info> {
    let mut living = Vec::new();
    for entry in entries(folder) {
        if entry.counts() {
            living.push(entry.info);
        } else if entry.is_leftover() {
            // Its name holds the process id, so the only file that could be removed wrongly is one that a new
            // process of the same id put there just now; its next checkpoint writes it again.
            let _ = fs::remove_file(&entry.path);
        }
    }
    living
}

fn entries(folder: &Path) -> Vec<Entry> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = names.map(|name| name.path()).filter(|path| path.extension().is_some_and(|end| end == "pid"));
    paths.filter_map(|path| read(&path)).collect()
}

/// Where this process puts its copy.
fn own_runtime_folder() -> Option<PathBuf> {
    let private = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let candidates = [private.map(|folder| (folder.join("image"), 0o700)), Some((PathBuf::from("/run/image"), 0o755))];
    candidates.into_iter().flatten().find_map(|(folder, mode)| {
        let made = fs::DirBuilder::new().mode(mode).create(&folder);
        let usable = made.is_ok() || rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK).is_ok();
        usable.then_some(folder)
    })
}

/// Everywhere that a process may have put its copy. The superuser sees the folders of all users.
fn runtime_folders() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("/run/image")];
    if let Some(private) = std::env::var_os("XDG_RUNTIME_DIR") {
        folders.push(PathBuf::from(private).join("image"));
    }
    let user = rustix::process::geteuid();
    folders.push(PathBuf::from(format!("/run/user/{}/image", user.as_raw())));
    if user.is_root() {
        folders.extend(fs::read_dir("/run/user").into_iter().flatten().flatten().map(|user| user.path().join("image")));
    }
    folders.sort();
    folders.dedup();
    folders
}

fn beside(heap: &Path) -> PathBuf {
    let mut name = heap.as_os_str().to_owned();
    name.push(".pid");
    name.into()
}

/// Writes beside the destination and renames, so that a reader sees all of a control file or none.
fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{}", std::process::id()));
    let unfinished = PathBuf::from(unfinished);
    // Only a killed process of the same id can have left one.
    let _ = fs::remove_file(&unfinished);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.set_permissions(fs::Permissions::from_mode(mode)))
        .and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// Reads a control file; anything else that lies there is `None`.
fn read(path: &Path) -> Option<Entry> {
    // A stranger may have put a pipe or a link there: neither wait for it nor follow it.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let metadata = file.metadata().ok().filter(|found| found.is_file() && found.len() <= LONGEST)?;
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    let said = from_text(&text)?;
    let (info, identity, namespace) = (said.info, said.identity, said.namespace);
    Some(Entry { info, identity, namespace, path: path.to_owned(), owner: metadata.uid() })
}

/// The namespace of process numbers that this process lives in.
fn namespace() -> Option<String> {
    fs::read_link("/proc/self/ns/pid").ok().map(|name| name.to_string_lossy().into_owned())
}

/// The effective user of a process. `/proc/PID/status` tells it to everybody; the owner of `/proc/PID` itself is
/// the superuser for processes that may not be dumped.
fn user_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The live heaps among the open files of a process.
fn open_heaps(pid: u32, started: u64) -> io::Result<Vec<Info>> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let mut heaps: Vec<PathBuf> = fs::read_dir(format!("/proc/{pid}/fd"))?
        .flatten()
        .map(|descriptor| descriptor.path())
        .filter(|descriptor| is_live_heap(descriptor))
        .filter_map(|descriptor| fs::read_link(descriptor).ok())
        .collect();
    heaps.sort();
    heaps.dedup();
    let of_process = |heap: PathBuf| {
        let mut log = heap.clone().into_os_string();
        log.push(".log");
        Info { pid, started, heap, log: log.into(), program: name.trim_end().to_owned(), figures: None }
    };
    Ok(heaps.into_iter().map(of_process).collect())
}

fn is_live_heap(path: &Path) -> bool {
    // Opening a device or a pipe can do things; only regular files are opened.
    if !fs::metadata(path).is_ok_and(|found| found.is_file()) {
        return false;
    }
    let mut pages = [0; 2 * PAGE];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut pages));
    read.is_ok() && Header::choose(&pages).is_ok_and(|(header, _)| header.state == FileState::Live)
}

#[cfg(test)]
mod tests;
