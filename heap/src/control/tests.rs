use std::os::unix::ffi::OsStringExt;
use std::process::{Child, Command};
use std::time::Duration;

use super::*;
use crate::format::BLOCK;
use crate::format::header::{ByteOrder, LogStart};

/// A process that lives until the test ends.
struct Living(Child);

impl Living {
    fn start() -> Self {
        Self(Command::new("sleep").arg("600").spawn().expect("sleep starts"))
    }

    fn info(&self, heap: &Path) -> Info {
        let pid = self.0.id();
        Info { pid, started: start_time(pid).expect("it lives"), ..info(heap) }
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn info(heap: &Path) -> Info {
    let figures = Figures {
        types: 14,
        records: 1_107_540,
        schema: "9c41e0aa".into(),
        sequence: 8_813_207,
        committed: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_764_000_000_123)),
    };
    let log = PathBuf::from(format!("{}.log", heap.display()));
    Info::of_this_process(heap, &log, "board 1.4.0", figures).expect("this process runs")
}

/// A control file's text as this process would write it.
fn text(info: &Info) -> String {
    to_text(&Said { info: info.clone(), identity: Some((1, 2)), namespace: namespace() })
}

fn heap_in(folder: &Path, mode: u32) -> PathBuf {
    let heap = folder.join("board.heap");
    fs::write(&heap, b"").unwrap();
    fs::set_permissions(&heap, fs::Permissions::from_mode(mode)).unwrap();
    heap
}

#[test]
fn text_gives_back_what_was_said() {
    let hostile = PathBuf::from(std::ffi::OsString::from_vec(b"/tmp/a\nend\n\\x41 \xff\x1b[2J".to_vec()));
    let mut said = info(&hostile);
    said.program = "ünï \u{202e}\n\nsequence 1".into();
    let whole = Said { info: said.clone(), identity: Some((1, 2)), namespace: Some("pid:[7]".into()) };
    assert_eq!(from_text(&to_text(&whole)), Some(whole));
    said.figures = None;
    let least = Said { info: said, identity: None, namespace: None };
    assert_eq!(from_text(&to_text(&least)), Some(least));
}

#[test]
fn no_prefix_of_a_control_file_is_one() {
    let text = text(&info(Path::new("/a/b.heap")));
    for len in 0..text.len() {
        assert_eq!(from_text(&text[..len]), None, "{len} bytes");
    }
}

#[test]
fn hostile_text_is_no_control_file() {
    let good = text(&info(Path::new("/a/b.heap")));
    let bad_values =
        ["pid -1", "pid 99999999999999", "started x", "heap relative", "heap /\\x4", "heap /\\xéé", "log "];
    for bad in bad_values {
        let key = bad.split(' ').next().unwrap();
        let lines = good.lines().map(|line| if line.starts_with(&format!("{key} ")) { bad } else { line });
        let text = lines.collect::<Vec<_>>().join("\n") + "\n";
        assert_eq!(from_text(&text), None, "{bad}");
    }
    assert_eq!(from_text("image-control 1\nend\n"), None);
    assert_eq!(from_text("image-control 2\nend\n"), None);
}

#[test]
fn an_impossible_time_of_commit_is_left_out() {
    let text = text(&info(Path::new("/a/b.heap"))).replace("committed 1764000000123", "committed 18446744073709551615");
    let found = from_text(&text).expect("the rest is right");
    // Whether the sum is representable is up to the platform; the reading must not panic.
    assert!(found.info.figures.is_some());
}

#[test]
fn control_files_live_as_long_as_their_owner_and_follow_the_heaps_mode() {
    for (heap_mode, expected) in [(0o600, 0o600), (0o640, 0o644)] {
        let folder = tempfile::tempdir().unwrap();
        let runtime = folder.path().join("runtime");
        fs::create_dir(&runtime).unwrap();
        let heap = heap_in(folder.path(), heap_mode);
        let mut said = info(&heap);
        let control = ControlFile::create_in(&heap, &said, Some(runtime.clone()));
        let near = beside(&heap);
        assert_eq!(fs::metadata(&near).unwrap().mode() & 0o777, expected);
        assert_eq!(list_in(&runtime), [said.clone()]);
        assert_eq!(for_heap(&heap), Some(said.clone()));

        said.figures.as_mut().unwrap().sequence += 1;
        control.update(&said);
        assert_eq!(list_in(&runtime), [said]);

        drop(control);
        assert!(!near.exists());
        assert_eq!(fs::read_dir(&runtime).unwrap().count(), 0, "nothing is left behind");
    }
}

#[test]
fn a_folder_that_takes_no_file_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let heap = heap_in(folder.path(), 0o600);
    let control = ControlFile::create_in(&heap, &info(&heap), Some(PathBuf::from("/proc/self/nowhere")));
    assert!(beside(&heap).exists());
    drop(control);
    let nowhere = Path::new("/proc/self/nowhere/board.heap");
    drop(ControlFile::create_in(nowhere, &info(nowhere), None));
}

#[test]
fn a_killed_process_is_forgotten_and_its_file_removed() {
    let folder = tempfile::tempdir().unwrap();
    let heap = heap_in(folder.path(), 0o600);
    let process = Living::start();
    let said = process.info(&heap);
    let path = folder.path().join("1-1-1.pid");
    write_whole(&path, text(&said).as_bytes(), 0o600).unwrap();
    assert_eq!(list_in(folder.path()), [said]);
    drop(process);
    assert_eq!(list_in(folder.path()), []);
    assert!(!path.exists());
}

#[test]
fn a_process_of_another_namespace_is_not_taken_for_dead() {
    let folder = tempfile::tempdir().unwrap();
    let heap = heap_in(folder.path(), 0o600);
    let mut said = info(&heap);
    said.started += 1;
    for namespace in [None, Some("pid:[7]".to_owned())] {
        let path = folder.path().join("1-1-1.pid");
        let said = Said { info: said.clone(), identity: None, namespace };
        write_whole(&path, to_text(&said).as_bytes(), 0o600).unwrap();
        assert_eq!(list_in(folder.path()), []);
        assert!(path.exists());
    }
}

#[test]
fn another_process_under_the_same_number_is_not_meant() {
    let folder = tempfile::tempdir().unwrap();
    let heap = heap_in(folder.path(), 0o600);
    let process = Living::start();
    let mut said = process.info(&heap);
    said.started -= 1;
    write_whole(&folder.path().join("1-1-1.pid"), text(&said).as_bytes(), 0o600).unwrap();
    assert_eq!(list_in(folder.path()), []);
}

#[test]
fn a_copied_control_file_does_not_speak_of_the_copied_heap() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (heap, copy) = (heap_in(first.path(), 0o600), heap_in(second.path(), 0o600));
    let control = ControlFile::create_in(&heap, &info(&heap), None);
    fs::copy(beside(&heap), beside(&copy)).unwrap();
    assert!(for_heap(&heap).is_some());
    assert_eq!(for_heap(&copy), None);
    drop(control);
}

#[test]
fn a_heap_opened_through_a_link_is_found_by_both_names() {
    let folder = tempfile::tempdir().unwrap();
    let heap = heap_in(folder.path(), 0o600);
    let link = folder.path().join("link.heap");
    std::os::unix::fs::symlink(&heap, &link).unwrap();
    let control = ControlFile::create_in(&link, &info(&link), None);
    assert!(for_heap(&heap).is_some());
    assert_eq!(for_heap(&link), for_heap(&heap));
    drop(control);
}

#[test]
fn what_is_no_regular_file_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let heap = heap_in(folder.path(), 0o600);
    let outside = folder.path().join("outside");
    write_whole(&outside, text(&info(&heap)).as_bytes(), 0o600).unwrap();
    std::os::unix::fs::symlink(&outside, folder.path().join("link.pid")).unwrap();
    fs::create_dir(folder.path().join("folder.pid")).unwrap();
    fs::write(folder.path().join("noise.pid"), [0xff; 100]).unwrap();
    fs::write(folder.path().join("long.pid"), vec![b' '; LONGEST as usize + 1]).unwrap();
    let pipe = folder.path().join("pipe.pid");
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    assert_eq!(list_in(folder.path()), []);
}

#[test]
fn a_process_without_control_files_is_known_by_its_open_heap() {
    let folder = tempfile::tempdir().unwrap();
    let header = Header {
        minor: 0,
        write_flags: 0,
        ignorable_flags: 0,
        byte_order: ByteOrder::NATIVE,
        pointer_width: 8,
        state: FileState::Live,
        first_generation: 1,
        heap_id: [1; 16],
        hash_key: [2; 16],
        counter: 1,
        sequence: 0,
        log: LogStart::default(),
        forced: 0,
        file_len: 2 * BLOCK,
        manifest_at: 0,
        manifest_len: 0,
        content_hash: [0; 32],
    };
    let mut bytes = vec![0; 2 * BLOCK as usize];
    bytes[..PAGE].copy_from_slice(&header.to_page());
    let heap = folder.path().join("quiet.heap");
    fs::write(&heap, &bytes).unwrap();

    let child = Command::new("sleep").arg("600").stdin(File::open(&heap).unwrap()).spawn().unwrap();
    let process = Living(child);
    let found = for_pid(process.0.id()).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].heap.as_path(), found[0].program.as_str()), (heap.as_path(), "sleep"));
    assert!(found[0].is_alive());
    let reached = files(&found[0]);
    assert_eq!(reached.heap, PathBuf::from(format!("/proc/{}/fd/0", process.0.id())));
    assert_eq!(fs::read(&reached.heap).unwrap(), bytes);
    assert_eq!(reached.log, found[0].log, "it is not open, so its path must do");

    let other = Living::start();
    assert_eq!(for_pid(other.0.id()).unwrap(), []);
}

#[test]
fn no_process_is_not_found() {
    assert_eq!(for_pid(u32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
}

proptest::proptest! {
    /// Control files lie in folders that others may write to.
    #[test]
    fn whatever_lies_there_is_read_or_passed_over(lines in "(image-control 1\n)?((pid|started|heap|log|program|namespace|file|types|records|schema|sequence|committed|x) [ -~]{0,30}(\\\\x[0-9a-f+]{0,3})?\n){0,14}(end\n)?") {
        if let Some(said) = from_text(&lines) {
            proptest::prop_assert_eq!(from_text(&to_text(&said)), Some(said));
        }
    }

    #[test]
    fn any_numbers_and_paths_come_back(path in "/[ -~\\\\\n]{0,40}", numbers: [u64; 6], millis: Option<u64>) {
        let [started, types, records, sequence, device, inode] = numbers;
        let whole = Said {
            info: Info {
                pid: started as u32,
                started,
                heap: PathBuf::from(&path),
                log: PathBuf::from("/log"),
                program: path,
                figures: Some(Figures { types, records, schema: String::new(), sequence, committed: millis.map(|since| SystemTime::UNIX_EPOCH + Duration::from_millis(since >> 1)) }),
            },
            identity: Some((device, inode)),
            namespace: None,
        };
        proptest::prop_assert_eq!(from_text(&to_text(&whole)), Some(whole));
    }
}
