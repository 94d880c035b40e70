//! Every command on real heaps and images: what it does, how it fails, and what it says as JSON.

use heap::{Durability, Heap, Record, Text};
use serde_json::Value;
use tests::bank::{self, Bulk, Random};

use crate::harness::{Folder, Said};

/// Commits that the heap of these tests has.
const COMMITS: u64 = 41;

/// A heap and an image of one state.
fn folder() -> Folder {
    let folder = Folder::new();
    let heap = Heap::open(folder.file("bank.heap")).unwrap();
    let bank = bank::found(&heap).unwrap();
    let mut random = Random(5);
    for _ in 1..COMMITS {
        bank::step(&heap, bank, &mut random, Durability::Process, Bulk::Never).unwrap();
    }
    drop(heap);
    folder.image(&["dump", "bank.heap", "-o", "bank.img"]).done();
    folder
}

/// Runs to success, as text and as JSON.
#[track_caller]
fn both(folder: &Folder, words: &[&str]) -> (String, Value) {
    let text = folder.image(words).done();
    let json = folder.image(&[words, &["--json"]].concat());
    assert_eq!((json.exit, &*json.errors), (Some(0), ""), "{words:?}");
    (text, json.json())
}

#[test]
fn dump_makes_an_image_once() {
    let folder = folder();
    let said = folder.image(&["dump", "bank.heap", "-o", "bank.img"]).failed(3, "IMG-0602");
    assert!(said.contains("nothing was written") && said.contains("--force"), "{said}");
    let (text, json) = both(&folder, &["dump", "bank.heap", "--force", "-o", "bank.img"]);
    assert!(text.contains("consistent point  commit 41 at ") && text.contains("pause  none"), "{text}");
    assert_eq!(json["sequence"], COMMITS);
    assert_eq!(json["bytes"], std::fs::metadata(folder.file("bank.img")).unwrap().len());
    let digits = json["blake3"].as_str().unwrap();
    assert!(digits.len() == 64 && text.contains(&digits[..8]), "{text}");
    assert_eq!((&json["live"], &json["durable"], &json["holds_secrets"]), (&false.into(), &true.into(), &false.into()));

    let (text, json) = both(&folder, &["dump", "bank.heap", "--dry-run"]);
    assert!(text.contains("would write about") && json["image"].is_null(), "{text}");
    folder.image(&["dump", "nothing.heap", "-o", "x.img"]).failed(5, "IMG-0502");
    folder.image(&["dump", "bank.heap", "-o", "no/such/folder/x.img"]).failed(5, "IMG-0502");
    let gone = folder.image(&["dump", "--pid", "99999999", "-o", "x.img", "--json"]);
    assert_eq!((gone.exit, gone.json()["error"]["code"].clone()), (Some(5), "IMG-0501".into()));
    // Two images of one state differ in nothing but where they come from.
    for name in ["a.img", "b.img"] {
        folder.image(&["dump", "bank.heap", "--reproducible", "-o", name]).done();
    }
    assert!(std::fs::read(folder.file("a.img")).unwrap() == std::fs::read(folder.file("b.img")).unwrap());
}

#[test]
fn a_heap_whose_log_is_lost_is_refused_and_not_dumped_without_its_last_commits() {
    let folder = Folder::new();
    let program = folder.program("bank.heap", &[]);
    program.wait_ready();
    program.wait_beyond(10);
    program.kill();
    std::fs::rename(folder.file("bank.heap.log"), folder.file("elsewhere")).unwrap();
    folder.image(&["dump", "bank.heap", "-o", "x.img"]).failed(4, "IMG-0405");
    folder.image(&["verify", "bank.heap"]).failed(4, "IMG-0405");
    assert!(Heap::open(folder.file("bank.heap")).is_err());
    std::fs::rename(folder.file("elsewhere"), folder.file("bank.heap.log")).unwrap();
    folder.image(&["dump", "bank.heap", "-o", "x.img"]).done();
    bank::check(&Heap::open_image(folder.file("x.img")).unwrap());
}

#[test]
fn info_tells_heap_and_image() {
    let folder = folder();
    for (file, kind) in [("bank.heap", "heap"), ("bank.img", "image")] {
        let (text, json) = both(&folder, &["info", file]);
        assert!(text.contains("commit 41") && text.contains("root      \"bank\" is Bank#0"), "{text}");
        assert_eq!((json["kind"].as_str(), &json["sequence"]), (Some(kind), &COMMITS.into()));
        assert_eq!(json["roots"][0]["record"], "Bank#0");
        assert_eq!(json["stats"]["checkpoint_lag"], 0);
        assert_eq!(json["stats"]["log_bytes"], 0);
        assert!(json["stats"]["slots_live"].as_u64() > json["records"].as_u64());
        assert_eq!(json["schema"].as_str().map(str::len), Some(32));
        assert_eq!(json["manifest"].is_null(), kind == "heap");
    }
    folder.image(&["info", "nothing.img"]).failed(5, "IMG-0502");
}

#[test]
fn types_are_counted_and_measured() {
    let folder = folder();
    let (text, json) = both(&folder, &["types", "bank.img"]);
    assert!(text.starts_with("TYPE") && !text.contains("RETAINED"), "{text}");
    let rows = json["types"].as_array().unwrap();
    let account = rows.iter().find(|row| row["name"] == "Account").unwrap();
    assert!(account["count"].as_u64() >= Some(20) && account["shallow"].as_u64() > Some(20 * 56), "{account}");
    let sizes: Vec<u64> = rows.iter().map(|row| row["shallow"].as_u64().unwrap()).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
    folder.image(&["types", "nothing.img"]).failed(5, "IMG-0502");
}

#[test]
fn show_follows_paths() {
    let folder = folder();
    for file in ["bank.heap", "bank.img"] {
        let (text, json) = both(&folder, &["show", file, "Bank#0"]);
        assert!(text.starts_with("Bank#0  ") && text.contains("= [") && text.contains("→ Account#"), "{text}");
        let commits = json["fields"].as_array().unwrap().iter().find(|field| field["name"] == "commits").unwrap();
        assert_eq!(commits["value"], COMMITS - 1);
        let (text, json) = both(&folder, &["show", file, ".bank.accounts[3].name"]);
        assert!(text.starts_with("\"account-"), "{text}");
        assert!(json["value"].as_str().unwrap().starts_with("account-"), "{json}");
        assert_eq!(both(&folder, &["show", file, "bank.commits"]).0.trim_end(), (COMMITS - 1).to_string());
        assert!(folder.image(&["show", file, ".bank.accounts[0]"]).done().starts_with("Account#"));
        assert!(folder.image(&["show", file, ".bnak"]).failed(5, "IMG-0504").contains("did you mean bank?"));
        folder.image(&["show", file, "Account#99999"]).failed(5, "IMG-0504");
        folder.image(&["show", file, "Acount#1"]).failed(5, "IMG-0504");
        assert!(folder.image(&["show", file, ".bank.comits"]).failed(2, "IMG-0210").contains("did you mean commits?"));
        folder.image(&["show", file, ".bank.accounts[9999]"]).failed(2, "IMG-0210");
        folder.image(&["show", file, ".bank..x"]).failed(2, "IMG-0201");
    }
}

#[test]
fn verify_says_ok_or_where() {
    let folder = folder();
    for file in ["bank.heap", "bank.img"] {
        let (text, json) = both(&folder, &["verify", file]);
        assert!(
            text.starts_with("ok: ") && text.contains(" 2 types") && text.trim_end().ends_with("; no damage"),
            "{text}"
        );
        assert_eq!(json["damages"], Value::Array(Vec::new()));
        assert!(json["references"].as_u64() > Some(20));
    }
    let mut bytes = std::fs::read(folder.file("bank.img")).unwrap();
    let at = bytes.windows(8).rposition(|window| window == b"account-").unwrap();
    bytes[at] = b'A';
    std::fs::write(folder.file("bad.img"), &bytes).unwrap();
    let errors = folder.image(&["verify", "bad.img"]).failed(4, "IMG-0403");
    assert!(errors.contains("bad.img is damaged in 1 place") && errors.contains("offset "), "{errors}");
    folder.image(&["verify", "nothing.img"]).failed(5, "IMG-0502");
}

#[test]
fn export_writes_every_record_once() {
    let folder = folder();
    let (text, json) = both(&folder, &["export", "bank.img", "--format", "jsonl", "--force", "-o", "bank.jsonl"]);
    assert!(text.starts_with("bank.jsonl  "), "{text}");
    let lines = std::fs::read_to_string(folder.file("bank.jsonl")).unwrap();
    assert_eq!(json["records"], lines.lines().count());
    assert_eq!(json["bytes"], lines.len());
    let records: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sum: i64 = records.iter().filter_map(|record| record["balance"].as_i64()).sum();
    assert_eq!(sum, bank::MONEY);
    folder.image(&["export", "bank.heap", "--format", "json", "-o", "bank.json"]).done();
    let whole: Value = serde_json::from_slice(&std::fs::read(folder.file("bank.json")).unwrap()).unwrap();
    assert_eq!(whole["roots"]["bank"]["$ref"], "Bank#0");
    assert_eq!(whole["records"]["Account"].as_array().unwrap().len(), records.len() - 1);
    folder.image(&["export", "bank.img", "--format", "json", "-o", "bank.json"]).failed(3, "IMG-0602");
    folder.image(&["export", "nothing.img", "--format", "json", "-o", "x.json"]).failed(5, "IMG-0502");
    folder.image(&["export", "bank.img", "--format", "xml", "-o", "x.xml"]).failed(2, "IMG-0201");
}

#[test]
fn open_summarises_on_a_pipe_and_answers_on_a_terminal() {
    let folder = folder();
    let (text, json) = both(&folder, &["open", "bank.img"]);
    assert!(text.contains("Account") && text.contains("root \"bank\" is Bank#0") && !text.contains("image>"), "{text}");
    assert_eq!(json["info"]["roots"][0]["name"], "bank");
    folder.image(&["open", "nothing.img"]).failed(5, "IMG-0502");

    // A terminal is what `script` makes; without it this half cannot be tested.
    let line = format!("{} open --color never bank.img", env!("CARGO_BIN_EXE_tested-image"));
    let typed = ".roots\n.bank.commits\n.bank.nothing\n.types\n.quit\n";
    let terminal = std::process::Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .current_dir(folder.file(""))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let Ok(mut terminal) = terminal else { return };
    std::io::Write::write_all(terminal.stdin.as_mut().unwrap(), typed.as_bytes()).unwrap();
    let said = Said::of(terminal.wait_with_output().unwrap());
    for shown in ["image> ", "bank  Bank#0", "40", "error[IMG-0210]"] {
        assert!(said.out.contains(shown), "{shown}: {}", said.out);
    }
    assert_eq!(said.exit, Some(0));
}

#[test]
fn ps_shows_who_has_which_heap_open() {
    let folder = Folder::new();
    let program = folder.program("bank.heap", &["checkpoint=1000"]);
    program.wait_ready();
    program.wait_beyond(200);
    let (text, json) = both(&folder, &["ps"]);
    let rows = json["processes"].as_array().unwrap();
    let ours: Vec<&Value> = rows.iter().filter(|row| row["pid"] == program.pid()).collect();
    assert_eq!(ours.len(), 1, "{json}");
    assert_eq!(ours[0]["program"], "tested-program");
    assert!(ours[0]["records"].as_u64() > Some(20) && ours[0]["types"].as_u64() >= Some(2), "{json}");
    assert!(ours[0]["sequence"].as_u64() > Some(1) && ours[0]["last_commit"].is_u64(), "{json}");
    assert!(text.contains("bank.heap"), "{text}");
    let pid = program.pid();
    program.kill();
    let json = folder.image(&["ps", "--json"]).json();
    assert!(json["processes"].as_array().unwrap().iter().all(|row| row["pid"] != pid), "{json}");
}

#[test]
fn explain_knows_every_code_that_the_library_has() {
    let folder = Folder::new();
    for code in heap::Error::CODES {
        let (text, json) = both(&folder, &["explain", code]);
        assert!(text.starts_with(code) && json["code"] == *code, "{text}");
    }
    folder.image(&["explain", "IMG-9999"]).failed(5, "IMG-0505");
}

#[test]
fn the_tour_keeps_its_files_where_it_is_told_to() {
    let folder = Folder::new();
    let steps = folder.image(&["demo", "--keep", "kept", "--json"]);
    assert_eq!((steps.exit, &*steps.errors), (Some(0), ""), "{}", steps.out);
    let names: Vec<Value> =
        steps.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["name"].clone()).collect();
    assert_eq!(names, ["build", "dump", "kill", "look", "check"]);
    for file in ["kept/demo.heap", "kept/demo.img"] {
        folder.image(&["verify", file]).done();
    }
    folder.image(&["demo", "--keep", "kept"]).failed(3, "IMG-0602");
    folder.image(&["demo", "--input", "kept/demo.img"]).failed(2, "IMG-0202");
}

/// Somebody with something to hide.
#[derive(Record)]
struct User {
    name: Text,
    #[record(secret)]
    token: Text,
    #[record(secret)]
    pin: u32,
}

const CANARY: &str = "canary-6f1c9b";

fn secret_heap(folder: &Folder) {
    let heap = Heap::open(folder.file("users.heap")).unwrap();
    let mut tx = heap.write().unwrap();
    let (name, token) = (tx.text("Ada").unwrap(), tx.text(CANARY).unwrap());
    let user = tx.insert(User { name, token, pin: 271_828 }).unwrap();
    tx.set_root("user", user).unwrap();
    tx.commit().unwrap();
}

#[test]
fn secrets_leave_by_the_owners_word_only() {
    let folder = Folder::new();
    secret_heap(&folder);
    for words in [&["dump", "users.heap", "-o", "users.img"][..], &["dump", "users.heap", "--dry-run"]] {
        let errors = folder.image(words).failed(6, "IMG-0612");
        assert!(errors.contains("User.token") && errors.contains("User.pin"), "{errors}");
    }
    assert!(!folder.file("users.img").exists() && !folder.file("users.heap.audit").exists());
    folder.image(&["dump", "users.heap", "-o", "users.img", "--include-secrets"]).failed(3, "IMG-0613");
    let words = ["dump", "users.heap", "-o", "users.img", "--include-secrets", "--yes", "--reason", "to test it"];
    assert!(folder.image(&words).done().contains("secret"));
    let audit = std::fs::read_to_string(folder.file("users.heap.audit")).unwrap();
    assert!(audit.contains("to test it") && audit.contains("users.img") && audit.lines().count() == 1, "{audit}");
    assert!(folder.image(&["info", "users.img"]).done().contains("HOLDS SECRETS"));
    let image = Heap::open_image(folder.file("users.img")).unwrap();
    let read = image.read();
    let user = read.root::<User>("user").unwrap().unwrap();
    assert_eq!((&read[read[user].token], read[user].pin), (CANARY, 271_828));
}

#[test]
fn no_command_prints_a_secret() {
    let folder = Folder::new();
    secret_heap(&folder);
    let words = ["dump", "users.heap", "-o", "users.img", "--include-secrets", "--yes", "--reason", "to test it"];
    folder.image(&words).done();
    for file in ["users.heap", "users.img"] {
        for look in [&["info"][..], &["types"], &["open"], &["verify"], &["show", ".user"], &["show", ".user.token"]] {
            for json in [&[][..], &["--json"]] {
                let said = folder.image(&[&look[..1], &[file], &look[1..], json].concat()).done();
                assert!(!said.contains(CANARY) && !said.contains("271828"), "{said}");
            }
        }
        for format in ["json", "jsonl"] {
            folder.image(&["export", file, "--format", format, "--force", "-o", "out"]).done();
            let out = std::fs::read_to_string(folder.file("out")).unwrap();
            assert!(out.contains("Ada") && !out.contains(CANARY) && !out.contains("271828"), "{out}");
        }
    }
}
