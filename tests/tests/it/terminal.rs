//! A terminal that a command believes to talk to a person at.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::harness::PATIENCE;

/// Runs a command at a terminal. Each reply is typed when its text was seen, behind the one before it. The exit code, and
/// all that was seen.
pub(crate) fn session(mut command: Command, replies: &[(&str, &str)]) -> (Option<i32>, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let name = std::ffi::OsStr::from_bytes(name.to_bytes());
    let mut master = File::from(master);
    let slave = OpenOptions::new().read(true).write(true).open(name).unwrap();
    command.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
    let mut child = command.spawn().unwrap();
    // It holds the other end until it is dropped.
    drop(command);
    let (sender, heard) = mpsc::channel();
    let mut reader = master.try_clone().unwrap();
    let listener = std::thread::spawn(move || {
        let mut piece = [0; 4096];
        // Reading fails when nobody has the other end any more.
        while let Ok(len @ 1..) = reader.read(&mut piece) {
            if sender.send(piece[..len].to_vec()).is_err() {
                break;
            }
        }
    });
    let begun = Instant::now();
    let mut seen = Vec::new();
    let mut answered = 0;
    for (awaited, typed) in replies {
        loop {
            let text = String::from_utf8_lossy(&seen[answered..]).into_owned();
            if text.contains(awaited) {
                answered = seen.len();
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "no {awaited:?} in {text:?}");
            match heard.recv_timeout(Duration::from_millis(100)) {
                Ok(piece) => seen.extend(piece),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => panic!("it ended without {awaited:?}: {text:?}"),
            }
        }
        master.write_all(format!("{typed}\n").as_bytes()).unwrap();
    }
    seen.extend(heard.iter().flatten());
    listener.join().unwrap();
    let exit = child.wait().unwrap().code();
    (exit, String::from_utf8(seen).unwrap().replace("\r\n", "\n"))
}
