//! Who may let secrets leave the machine: the heap's owner, who says so once more.

use std::fs::OpenOptions;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::escape::visible;
use crate::failure::Failure;

/// Asks for the permission to dump the heap at `path`, which people know as `named`, with its secrets. With
/// `confirmed` the owner is not asked for its name.
///
/// # Errors
/// IMG-0611 for anybody but the owner, the superuser included: who may read the file may still not decide.
/// IMG-0613 without a confirmation.
pub(crate) fn permit(path: &Path, named: &Path, confirmed: bool) -> Result<(), Failure> {
    let owner = path.metadata().map_err(|error| Failure::reading(path, &error))?.uid();
    check_owner(owner, rustix::process::geteuid().as_raw())?;
    if confirmed {
        return Ok(());
    }
    let name = named.file_name().unwrap_or_default().to_string_lossy();
    if !io::stdin().is_terminal() {
        return Err(unconfirmed("nobody can be asked here"));
    }
    // The question goes to standard error, for standard output may be redirected.
    let question =
        format!("the values of fields marked secret will be in the image; type {} to confirm: ", visible(&name));
    io::stderr().write_all(question.as_bytes()).map_err(|error| unconfirmed("the question failed").cause(error))?;
    ask(&name, &mut io::stdin().lock())
}

/// Writes down in `HEAP.audit` that an image with secrets is about to be made. What is written before it happens cannot
/// be left out by a crash.
///
/// # Errors
/// When it cannot be written; then no image is made.
pub(crate) fn record(heap: &Path, image: &Path, reason: Option<&str>, now: SystemTime) -> Result<(), Failure> {
    let mut path = heap.as_os_str().to_owned();
    path.push(".audit");
    let path = PathBuf::from(path);
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let user = rustix::process::geteuid().as_raw();
    let (image, reason) = (image.display().to_string(), reason.unwrap_or_default());
    let line = format!("{since} uid {user} dumps with secrets to {} because: {}\n", visible(&image), visible(reason));
    let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
    opened
        .and_then(|mut file| file.write_all(line.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(|error| Failure::writing(&path, &error))
}

fn check_owner(owner: u32, user: u32) -> Result<(), Failure> {
    if owner == user {
        return Ok(());
    }
    Err(Failure::new("IMG-0611", "only the heap's owner may dump secrets; nothing was written")
        .cause(format!("the heap belongs to uid {owner}; you are uid {user}"))
        .help(format!(
            "leave --include-secrets out, or: sudo -u '#{owner}' image dump … --include-secrets --reason \"…\""
        )))
}

fn ask(name: &str, answers: &mut impl BufRead) -> Result<(), Failure> {
    let mut answer = String::new();
    answers.read_line(&mut answer).map_err(|error| unconfirmed("the answer cannot be read").cause(error))?;
    if answer.trim_end_matches(['\n', '\r']) == name { Ok(()) } else { Err(unconfirmed("another name was typed")) }
}

fn unconfirmed(why: &str) -> Failure {
    Failure::new("IMG-0613", "the secrets were not confirmed; nothing was written")
        .cause(why)
        .help("confirm in advance with --yes and --reason TEXT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_may_and_not_even_root_for_him() {
        assert_eq!(check_owner(998, 998), Ok(()));
        for user in [0, 1000] {
            let failure = check_owner(998, user).unwrap_err();
            assert_eq!((failure.code, failure.exit as u8), ("IMG-0611", 6));
        }
    }

    #[test]
    fn only_the_whole_name_confirms() {
        for (typed, expected) in
            [("board.heap\n", true), ("board.heap", true), ("board\n", false), ("", false), ("y\n", false)]
        {
            assert_eq!(ask("board.heap", &mut typed.as_bytes()).is_ok(), expected, "{typed:?}");
        }
    }
}
