//! The tour, led with a stand-in for the command: a script that says what the real one would say.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// Says it is ready and counts, keeps the count in a file, and answers the other commands. `$COUNT` and
/// `$TOKENS` are what it finds when the heap is opened again.
const STAND_IN: &str = r#"#!/bin/sh
case "$1 $3" in
"demo-program --check") echo "ready 3 ${TOKENS:-3000} ${COUNT:-$(cat count)}" ;;
"demo-program "*)
    echo heap > "$2"
    echo 0 > count
    echo ready 3 3000 0
    n=0
    while :; do n=$((n + 1)); echo $n > count.new; mv count.new count; echo transfers $n; sleep 0.005; done ;;
"dump $3") kill -0 "$3" && echo image > "$5" && echo dumped "$5" ;;
"verify "*) echo "ok: $2" ;;
"types "*) echo "TYPE  COUNT" ;;
"show "*) echo "Ledger#0" ;;
esac
"#;

fn lead(changes: &[(&str, &str)], json: bool) -> (Result<(), Failure>, String) {
    let folder = tempfile::tempdir().unwrap();
    let command = folder.path().join("image");
    let set: Vec<String> = changes.iter().map(|(name, value)| format!("\n{name}={value}")).collect();
    std::fs::write(&command, STAND_IN.replacen("#!/bin/sh", &format!("#!/bin/sh{}", set.concat()), 1)).unwrap();
    std::fs::set_permissions(&command, std::fs::Permissions::from_mode(0o700)).unwrap();
    // Another test may start a process while the script is open for writing here, and hold it open so for a moment.
    while Command::new(&command).output().is_err() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let guide = Guide { command, input: None, folder: folder.path().to_owned() };
    let (mut output, written) = Output::to_memory(json);
    let result = guide.lead(&mut Tour::new(&mut output), 3);
    output.flush().unwrap();
    let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    (result, text)
}

#[test]
fn every_step_is_shown_with_its_commands() {
    let (result, text) = lead(&[], false);
    assert_eq!(result, Ok(()), "{text}");
    let titles: Vec<&str> =
        text.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit())).collect();
    assert_eq!(titles.len(), 5, "{text}");
    for shown in
        ["$ image dump --pid ", "dumped demo.img", "$ kill -9 ", "$ image verify demo.img", "3,000 tokens in both"]
    {
        assert!(text.contains(shown), "{shown}: {text}");
    }
}

#[test]
fn as_json_every_step_is_an_object_on_its_line() {
    let (result, text) = lead(&[], true);
    assert_eq!(result, Ok(()), "{text}");
    let steps: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = steps.iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["build", "dump", "kill", "look", "check"]);
    assert!(steps[1]["facts"]["transfers_meanwhile"].as_u64().unwrap() > 0);
}

#[test]
fn a_lost_transfer_or_token_ends_the_tour() {
    for lie in [("COUNT", "0"), ("TOKENS", "2999")] {
        let (result, text) = lead(&[lie], false);
        assert_eq!(result.map_err(|failure| failure.code), Err("IMG-0110"), "{lie:?}: {text}");
    }
}
