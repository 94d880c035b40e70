//! The command from outside: exit codes, the shape of errors, escaping, colours, pipes.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// The command, away from the heaps and habits of whoever runs the tests.
fn image(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_image"));
    command.args(words).env_remove("XDG_RUNTIME_DIR").env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

fn output(words: &[&str]) -> Output {
    image(words).output().expect("the command starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the command prints UTF-8")
}

/// Runs to a failure and gives standard error, which must have the three lines.
fn failure(words: &[&str], exit: i32) -> String {
    let output = output(words);
    let errors = text(&output.stderr).to_owned();
    assert_eq!(output.status.code(), Some(exit), "{words:?}: {errors}");
    assert_eq!(text(&output.stdout), "", "{words:?}");
    let lines: Vec<&str> = errors.lines().collect();
    assert!(lines[0].starts_with("error[IMG-"), "{words:?}: {errors}");
    assert!((2..=3).contains(&lines.len()) && lines.last().unwrap().starts_with("  help:  "), "{words:?}: {errors}");
    assert!(lines.len() == 2 || lines[1].starts_with("  cause: "), "{words:?}: {errors}");
    errors
}

/// The same failure as one JSON object on standard output.
fn failure_object(words: &[&str], exit: i32) -> Value {
    let output = output(words);
    assert_eq!(output.status.code(), Some(exit), "{words:?}");
    assert_eq!(text(&output.stderr), "", "{words:?}");
    let object: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(object["error"]["exit"], exit);
    assert!(object["error"]["help"].is_string() && object["error"]["message"].is_string(), "{object}");
    object["error"].clone()
}

#[test]
fn usage_errors_have_one_shape_and_exit_2() {
    let wrong: &[&[&str]] = &[
        &[],
        &["dmup"],
        &["ps", "--nonsense"],
        &["dump"],
        &["dump", "a.heap"],
        &["dump", "a.heap", "--pid", "1", "-o", "b"],
        &["dump", "--pid", "-1", "-o", "b"],
        &["dump", "a.heap", "-o", "b", "--reason", "x"],
        &["show", "a.img", ".a..b"],
        &["export", "a.img", "--format", "yaml", "-o", "b"],
        &["completions", "tcsh"],
        &["--color", "sometimes", "ps"],
    ];
    for words in wrong {
        assert!(failure(words, 2).starts_with("error[IMG-0201]: "));
        assert_eq!(failure_object(&[words, &["--json"][..]].concat(), 2)["code"], "IMG-0201");
    }
    assert!(failure(&["dmup"], 2).contains("dump"), "a similar command is named");
}

#[test]
fn help_and_version_are_no_errors() {
    for words in [&["--help"][..], &["-h"], &["--version"], &["dump", "--help"], &["help", "ps"]] {
        let output = output(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{words:?}");
        assert!(!output.stdout.contains(&0x1b), "{words:?}");
    }
    let help = output(&["--help"]);
    assert!(!text(&help.stdout).contains("demo-program"));
}

#[test]
fn a_missing_process_is_told_as_in_the_manual() {
    let expected = r#"{"error":{"code":"IMG-0501","message":"no process 99999999","cause":"no such entry under /proc","help":"image ps lists processes with open heaps","exit":5}}"#;
    let output = output(&["dump", "--pid", "99999999", "-o", "x.img", "--json"]);
    assert_eq!(text(&output.stdout).trim_end(), expected);
    assert_eq!(output.status.code(), Some(5));
}

#[test]
fn a_process_without_a_heap_is_told_from_none() {
    let me = std::process::id().to_string();
    assert!(failure(&["dump", "--pid", &me, "-o", "x.img"], 5).starts_with("error[IMG-0503]"));
}

#[test]
fn files_that_cannot_be_read_or_written_exit_with_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.img");
    let missing = missing.to_str().unwrap();
    for command in ["info", "types", "verify", "open"] {
        assert!(failure(&[command, missing], 5).starts_with("error[IMG-0502]"));
    }
    let old = folder.path().join("old.img");
    fs::write(&old, "precious").unwrap();
    let old_name = old.to_str().unwrap();
    assert!(failure(&["dump", missing, "-o", old_name], 3).starts_with("error[IMG-0602]"));
    assert!(failure(&["export", missing, "--format", "json", "-o", old_name], 3).starts_with("error[IMG-0602]"));
    assert_eq!(fs::read(&old).unwrap(), b"precious");
}

#[test]
fn secrets_leave_only_by_their_owners_confirmation() {
    let folder = tempfile::tempdir().unwrap();
    let heap = folder.path().join("board.heap");
    fs::write(&heap, "").unwrap();
    let heap_name = heap.to_str().unwrap();
    let words = ["dump", heap_name, "-o", "/nowhere/x.img", "--include-secrets"];
    assert!(failure(&words, 3).starts_with("error[IMG-0613]"));
    assert!(failure(&[&words[..], &["--yes"]].concat(), 2).contains("--reason"));
    // Only the superuser can give a file away; for others the law is tested inside.
    if std::os::unix::fs::chown(&heap, Some(12_345), None).is_ok() {
        let errors = failure(&[&words[..], &["--reason", "test", "--yes"]].concat(), 6);
        assert!(errors.starts_with("error[IMG-0611]") && errors.contains("uid 12345"), "{errors}");
    }
}

#[test]
fn hostile_names_do_not_drive_the_terminal() {
    let hostile = "no\u{1b}[2J\u{9b}31m\u{202e}such\u{200b}\r\nfile";
    for words in [&["info", hostile][..], &[hostile], &["explain", hostile], &["info", "--json", hostile]] {
        let output = output(words);
        let all = [output.stdout, output.stderr].concat();
        let all = text(&all);
        assert!(all.contains("31m"), "the name is shown: {all}");
        let allowed = |character: char| character == '\n' || !character.is_control();
        assert!(all.chars().all(allowed), "{all:?}");
        assert!(!all.contains(['\u{202e}', '\u{200b}']), "{all:?}");
    }
}

#[test]
fn colours_come_only_when_asked_for_in_a_pipe() {
    let colored = |words: &[&str], no_color: bool| {
        let mut command = image(words);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let output = command.output().unwrap();
        [output.stdout, output.stderr].concat().contains(&0x1b)
    };
    for words in [&["explain"][..], &["--help"], &["dmup"]] {
        assert!(!colored(words, false), "{words:?} in a pipe");
        assert!(!colored(&[&["--color", "never"][..], words].concat(), false), "{words:?} never");
        assert!(colored(&[&["--color=always"][..], words].concat(), false), "{words:?} always");
    }
}

/// A terminal is what `script` makes; without it this law cannot be tested.
#[test]
fn a_terminal_has_colours_unless_no_color_is_set() {
    let on_terminal = |no_color: &str| {
        let line = format!("{} explain", env!("CARGO_BIN_EXE_image"));
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).env("NO_COLOR", no_color).stdin(Stdio::null());
        command.output().ok().filter(|output| output.status.success()).map(|output| output.stdout)
    };
    if let (Some(with), Some(without)) = (on_terminal(""), on_terminal("1")) {
        assert!(with.contains(&0x1b));
        assert!(!without.contains(&0x1b));
    }
}

#[test]
fn every_listed_code_is_explained_and_others_are_not_found() {
    let list = output(&["explain"]);
    let codes: Vec<&str> = text(&list.stdout).lines().skip(1).map(|line| &line[.."IMG-0000".len()]).collect();
    assert!(codes.contains(&"IMG-0403") && codes.len() > 30);
    for code in [codes[0], "IMG-0403", codes[codes.len() - 1]] {
        let one = output(&["explain", code]);
        assert!(text(&one.stdout).starts_with(code));
        let one: Value = serde_json::from_slice(&output(&["explain", code, "--json"]).stdout).unwrap();
        assert_eq!(one["code"], code);
    }
    failure(&["explain", "IMG-9999"], 5);
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = output(&["completions", shell]);
        assert!(script.status.success());
        assert!(text(&script.stdout).contains("verify"), "{shell}");
    }
}

#[test]
fn manual_pages_are_printed_or_written_for_each_command() {
    let printed = output(&["man"]);
    assert_eq!(text(&printed.stdout).matches(".TH ").count(), 18);
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    assert!(output(&["man", "--dir", pages.to_str().unwrap()]).status.success());
    let mut names: Vec<String> =
        fs::read_dir(&pages).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names.len(), 18);
    assert!(names.contains(&"image.1".into()) && names.contains(&"image-dump.1".into()), "{names:?}");
    for name in &names {
        let page = fs::read_to_string(pages.join(name)).unwrap();
        assert!(page.contains(".SH NAME") && page.len() > 200, "{name}");
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let mut child = image(&["man"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!((child.wait().unwrap().code(), errors.as_str()), (Some(0), ""));
}

#[test]
fn a_full_disk_behind_standard_output_is_a_failure() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = image(&["man"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(9));
    assert!(text(&output.stderr).starts_with("error[IMG-0903]"));
}

#[test]
fn the_tour_refuses_what_is_no_lock_file_and_a_used_folder() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("Cargo.lock");
    fs::write(&input, "[package]\nname = 'not a lock'").unwrap();
    assert!(failure(&["demo", "--input", input.to_str().unwrap()], 2).starts_with("error[IMG-0202]"));
    fs::write(folder.path().join("demo.heap"), "precious").unwrap();
    assert!(failure(&["demo", "--keep", folder.path().to_str().unwrap()], 3).starts_with("error[IMG-0602]"));
}

/// A child that lives until the test ends.
struct Living(Child);

impl Drop for Living {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn control_file(folder: &Path, pid: u32, started: u64, heap: &Path) {
    let text = format!(
        "image-control 1\npid {pid}\nstarted {started}\nheap {0}\nlog {0}.log\nprogram board\nnamespace {1}\n\
         types 14\nrecords 1107540\nschema 9c41e0aa\nsequence 8813207\nend\n",
        heap.display(),
        fs::read_link("/proc/self/ns/pid").unwrap().display()
    );
    fs::write(folder.join(format!("{pid}-{started}.pid")), text).unwrap();
}

#[test]
fn ps_shows_the_living_and_forgets_the_dead() {
    let runtime = tempfile::tempdir().unwrap();
    let folder = runtime.path().join("image");
    fs::create_dir(&folder).unwrap();
    let heap = runtime.path().join("board.heap");
    fs::write(&heap, vec![0; 64 * 1024]).unwrap();
    let child = Living(Command::new("sleep").arg("600").spawn().unwrap());
    let pid = child.0.id();
    let started = heap::control::start_time(pid).unwrap();
    control_file(&folder, pid, started, &heap);
    // The same process number at another time, and a half-written file.
    control_file(&folder, pid, started + 1, &heap);
    fs::write(folder.join("half.pid"), "image-control 1\npid 1\nstarted").unwrap();

    let ps = |words: &[&str]| {
        let output = image(words).env("XDG_RUNTIME_DIR", runtime.path()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).to_owned()
    };
    let listing: Value = serde_json::from_str(&ps(&["ps", "--json"])).unwrap();
    let ours: Vec<&Value> = listing["processes"].as_array().unwrap().iter().filter(|row| row["pid"] == pid).collect();
    assert_eq!(ours.len(), 1, "{listing}");
    assert_eq!(ours[0]["heap"], heap.to_str().unwrap());
    assert_eq!(ours[0]["bytes"], fs::metadata(&heap).unwrap().size());
    let table = ps(&["ps"]);
    let line = table.lines().find(|line| line.trim_start().starts_with(&format!("{pid} "))).expect(&table);
    for cell in ["board.heap", "14", "1,107,540", "64.0 KiB", "9c41e0aa"] {
        assert!(line.contains(cell), "{line}");
    }
    assert!(!folder.join(format!("{pid}-{}.pid", started + 1)).exists(), "the stale one is removed");

    drop(child);
    assert!(!ps(&["ps"]).contains("1,107,540"));
}
