//! Files that appear whole or not at all.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What happens to a file of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// It stays, and is an error.
    Never,
    /// It is replaced, in one step.
    Force,
}

/// A file being written. It has its name only after [`finish`](Self::finish); dropped before, it leaves nothing.
/// Its mode is 0600.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    replace: Replace,
    file: Unfinished,
    /// Where the next write goes, and up to where the disk was asked to begin.
    at: u64,
    begun: u64,
}

/// The disk is asked to begin with what was written whenever it is this much, in bytes: it is busy while the next
/// bytes are made, and the sync at the end has little left to wait for.
const BEGUN: u64 = 2 << 20;

#[derive(Debug)]
enum Unfinished {
    /// A file without a name.
    #[cfg(target_os = "linux")]
    Unnamed(File),
    /// A file with a name of its own, for file systems that know no other.
    Named(tempfile::NamedTempFile),
}

impl OutputFile {
    /// Begins a file that will be named `path`.
    ///
    /// # Errors
    /// When there is such a file already and it may not be replaced, or the folder cannot be written to.
    pub fn create(path: &Path, replace: Replace) -> Result<Self> {
        if replace == Replace::Never && path.symlink_metadata().is_ok() {
            return Err(Error::Exists { path: path.to_owned() });
        }
        let file = Unfinished::create(folder_of(path)).map_err(|error| Self::failed(path, error))?;
        Ok(Self { path: path.to_owned(), replace, file, at: 0, begun: 0 })
    }

    fn failed(path: &Path, source: io::Error) -> Error {
        if source.kind() == io::ErrorKind::AlreadyExists {
            return Error::Exists { path: path.to_owned() };
        }
        Error::io(format!("writing {}", path.display()), source)
    }

    fn file(&self) -> &File {
        match &self.file {
            #[cfg(target_os = "linux")]
            Unfinished::Unnamed(file) => file,
            Unfinished::Named(file) => file.as_file(),
        }
    }

    /// Makes the file durable and gives it its name, and makes the name durable.
    ///
    /// # Errors
    /// When a file of the name appeared meanwhile and may not be replaced, or the disk fails. Nothing is left then.
    pub fn finish(self) -> Result<()> {
        let path = self.path.clone();
        self.publish().map_err(|error| Self::failed(&path, error))
    }

    fn publish(self) -> io::Result<()> {
        // The bytes must be durable before the name is: a name in sight promises a whole file.
        self.file().sync_all()?;
        let folder = folder_of(&self.path).to_owned();
        match self.file {
            #[cfg(target_os = "linux")]
            Unfinished::Unnamed(file) => link(&file, &self.path, &folder, self.replace)?,
            Unfinished::Named(file) => {
                let persisted = match self.replace {
                    Replace::Never => file.persist_noclobber(&self.path),
                    Replace::Force => file.persist(&self.path),
                };
                persisted.map_err(|error| error.error)?;
            }
        }
        #[cfg(unix)]
        File::open(&folder)?.sync_all()?;
        Ok(())
    }
}

#[cfg(all(feature = "dump", target_os = "linux"))]
use heap::storage::real::begin_writeback;

/// Elsewhere the sync at the end does it all.
#[cfg(not(all(feature = "dump", target_os = "linux")))]
const fn begin_writeback(_: &File, _: u64, _: u64) {}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Unfinished {
    fn create(folder: &Path) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{Mode, OFlags, open};
            let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
            // Some file systems have no files without a name.
            if let Ok(descriptor) = open(folder, flags, Mode::RUSR | Mode::WUSR) {
                return Ok(Self::Unnamed(descriptor.into()));
            }
        }
        tempfile::Builder::new().prefix(".image-").tempfile_in(folder).map(Self::Named)
    }
}

/// Gives a file without a name one.
#[cfg(target_os = "linux")]
fn link(file: &File, path: &Path, folder: &Path, replace: Replace) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    use std::os::fd::AsRawFd;

    let source = format!("/proc/self/fd/{}", file.as_raw_fd());
    let link_to = |target: &Path| linkat(CWD, &*source, CWD, target, AtFlags::SYMLINK_FOLLOW).map_err(io::Error::from);
    match (link_to(path), replace) {
        (Err(error), Replace::Force) if error.kind() == io::ErrorKind::AlreadyExists => {
            // A link cannot replace a name; a rename can, so a name of its own comes first. The folder in which that
            // name is made is dropped, and with it the name if the rename fails.
            let private = tempfile::Builder::new().prefix(".image-").tempdir_in(folder)?;
            let named = private.path().join("file");
            link_to(&named)?;
            std::fs::rename(&named, path)
        }
        (linked, _) => linked,
    }
}

impl Read for OutputFile {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.file().read(bytes)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file().write(bytes)?;
        self.at += count as u64;
        if self.at >= self.begun + BEGUN {
            begin_writeback(self.file(), self.begun, self.at - self.begun);
            self.begun = self.at;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for OutputFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file().seek(to)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.img");
        let mut output = OutputFile::create(&path, Replace::Never).unwrap();
        output.write_all(b"half").unwrap();
        drop(output);
        assert_eq!(names(folder.path()), [""; 0]);

        let write = |bytes: &[u8], replace| -> Result<()> {
            let mut output = OutputFile::create(&path, replace)?;
            output.write_all(bytes).unwrap();
            output.finish()
        };
        write(b"first", Replace::Never).unwrap();
        assert!(matches!(write(b"second", Replace::Never), Err(Error::Exists { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        write(b"third", Replace::Force).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"third");
        assert_eq!(names(folder.path()), ["out.img"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_file_that_appeared_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.img");
        let output = OutputFile::create(&path, Replace::Never).unwrap();
        std::fs::write(&path, b"theirs").unwrap();
        assert!(matches!(output.finish(), Err(Error::Exists { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
        assert_eq!(names(folder.path()), ["out.img"]);
    }
}
