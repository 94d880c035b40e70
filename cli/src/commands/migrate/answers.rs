//! The file of answers about a migration.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use migrate::{Answers, Fingerprint};

use crate::failure::Failure;

/// Where the answers are kept when nobody says: in the current folder, by what they lead from and to.
pub(super) fn default_file(old: Fingerprint, new: Fingerprint) -> PathBuf {
    Path::new("migrations").join(format!("{old}-{new}.toml"))
}

/// The answers in a file; none where there is no file.
pub(super) fn read(file: &Path) -> Result<Answers, Failure> {
    match fs::read_to_string(file) {
        Ok(text) => parse(file, &text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Answers::default()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(unreadable(file, &error)),
        Err(error) => Err(Failure::reading(file, &error)),
    }
}

fn parse(file: &Path, text: &str) -> Result<Answers, Failure> {
    Answers::from_toml(text).map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &Path, error: &dyn std::error::Error) -> Failure {
    // The first line says where, the last one what; between them is a picture of the place.
    let text = error.to_string();
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let cause = [lines.next(), lines.next_back()].into_iter().flatten().collect::<Vec<_>>().join(": ");
    let help = "correct the line, or remove the file and answer anew";
    Failure::new("IMG-0204", format!("{} is no file of answers", file.display())).cause(cause).help(help)
}

/// Writes the answers, in one step.
pub(super) fn write(file: &Path, answers: &Answers) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::writing(file, &error);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    let mut whole = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    io::Write::write_all(&mut whole, answers.to_toml().as_bytes()).map_err(failed)?;
    // People commit it: it is as readable as what an editor writes.
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    whole.as_file().set_permissions(readable).map_err(failed)?;
    whole.persist(file).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_comes_back_and_a_bad_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/a.toml");
        assert_eq!(read(&file).unwrap(), Answers::default());
        let answers = Answers::from_line("[Node] lossy = [\"a\"]").unwrap();
        write(&file, &answers).unwrap();
        assert_eq!(read(&file).unwrap(), answers);
        for bad in [&b"[Node"[..], b"\xff"] {
            fs::write(&file, bad).unwrap();
            assert_eq!(read(&file).unwrap_err().code, "IMG-0204");
        }
    }
}
