//! `image migrate` and `image schema`: the developer's session, with programs that answer, and with some that do not.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use heap::Heap;
use tests::board::{self, after, before, hooked, score};

use crate::harness::{Folder, Said};
use crate::terminal;

/// The program of these tests.
const PROGRAM: &str = env!("CARGO_BIN_EXE_tested-board");
/// How many nodes their heaps have.
const NODES: u64 = 12;

fn folder() -> Folder {
    let folder = Folder::new();
    board::make(&folder.file("board.heap"), NODES).unwrap();
    folder
}

/// The command, whose program behaves as `board` says.
fn command(folder: &Folder, board: &str, words: &[&str]) -> Command {
    let mut command = folder.command(words);
    command.env("BOARD", board);
    command
}

fn image(folder: &Folder, board: &str, words: &[&str]) -> Said {
    Said::of(command(folder, board, words).output().unwrap())
}

/// `image migrate board.heap --to PROGRAM` with more words.
fn migrate(folder: &Folder, board: &str, words: &[&str]) -> Said {
    image(folder, board, &[&["migrate", "board.heap", "--to", PROGRAM], words].concat())
}

/// Both files of the heap.
fn bytes(folder: &Folder) -> Vec<u8> {
    let mut bytes = fs::read(folder.file("board.heap")).unwrap();
    bytes.extend(fs::read(folder.file("board.heap.log")).unwrap());
    bytes
}

/// The one file of answers that was written.
fn answers_file(folder: &Folder) -> String {
    let mut files = fs::read_dir(folder.file("migrations")).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none());
    file.display().to_string()
}

/// Answers under the name that the command looks for.
fn write_answers(folder: &Folder, text: &str) {
    let said = migrate(folder, "1.5", &["--plan", "--json"]);
    let file = said.json()["answers"].as_str().unwrap().to_owned();
    fs::create_dir_all(folder.file("migrations")).unwrap();
    fs::write(folder.file(&file), text).unwrap();
}

/// The text with the two fingerprints of the session named.
fn masked(folder: &Folder, text: &str) -> String {
    let json = migrate(folder, "1.5", &["--plan", "--json"]).json();
    masked_as(text, json["answers"].as_str().unwrap())
}

/// The same, by the name of the file of answers.
fn masked_as(text: &str, answers: &str) -> String {
    let names = answers.rsplit('/').next().unwrap().trim_end_matches(".toml");
    let (old, new) = names.split_once('-').unwrap();
    text.replace(old, "OLD").replace(new, "NEW")
}

const PLAN: &str = "\
from OLD  to NEW (tested-board), under 0.1 s
Node   12 records, 40 B, rewritten, references unchanged
  = next option<ref Node>    = id u64    = edges list<ref Node>    (moved: next before id)
  ~ score  f64 → f32  3 of 12 change, first Node#0: 0.1; worst Node#6, by 1.7e-8 of its value  ← will be asked
  + flags  u32        default 0
  ? name   text removed and title text added: rename, or drop and add?
User   1 record, unchanged layout; token loses its secret mark: its values would appear in future dumps  ← will be asked
1 type unchanged
3 decisions needed; nothing was changed
";

const REFUSAL: &str = "\
error[IMG-0703]: 2 ambiguous changes need answers; nothing was changed
  cause: Node.score: f64 → f32 is lossy, 3 of 12 change, first Node#0: 0.1; worst Node#6, by 1.7e-8 of its value; Node.name (12 values): text removed and title text added: rename, or drop and add?; --yes never guesses about data
  help:  answer them in migrations/OLD-NEW.toml:  [Node] lossy = [\"score\"];   [Node] rename = { name = \"title\" }   or   [Node] drop = [\"name\"]
";

const QUESTIONS: &str = "\
Node.score: f64 → f32 is lossy: 3 of 12 change, first Node#0: 0.1; worst Node#6, by 1.7e-8 of its value
  [y] take the nearest value   [l] list   [q] quit   > y
Node.name (12 values, e.g. \"node-00000000000\"): text removed and title text added: rename, or drop and add?
  [r] renamed to title, keep the values   [d] drop the values   [v] view   [q] quit   > r
User.token: loses its secret mark: its values would appear in future dumps
  [k] keep it secret   [a] accept   [q] quit   > a
answers written to migrations/OLD-NEW.toml — commit it, then CI needs no questions
";

const ANSWERS: &str = "\
[Node]
rename = { name = \"title\" }
lossy = [\"score\"]

[User]
unsecret = [\"token\"]
";

#[test]
fn the_plan_is_printed_and_nothing_changed() {
    let folder = folder();
    let before = bytes(&folder);
    let said = migrate(&folder, "1.5", &["--plan"]);
    assert_eq!((said.exit, &*said.errors), (Some(3), ""));
    assert_eq!(masked(&folder, &said.out), PLAN);
    let json = migrate(&folder, "1.5", &["--plan", "--json"]);
    assert_eq!(json.exit, Some(3));
    let json = json.json();
    assert_eq!((&json["pending"], &json["decided"]), (&true.into(), &false.into()));
    assert_eq!(json["questions"].as_array().unwrap().len(), 3);
    assert_eq!(bytes(&folder), before);
    // The same types are no change.
    let said = migrate(&folder, "1.4", &["--plan"]).done();
    assert!(said.starts_with("up to date: "), "{said}");
    migrate(&folder, "1.4", &["--check"]).done();
    migrate(&folder, "1.4", &[]).done();
    assert_eq!(bytes(&folder), before);
}

#[test]
fn without_a_terminal_nothing_is_asked_or_guessed() {
    let folder = folder();
    let before = bytes(&folder);
    let errors = migrate(&folder, "1.5", &["--yes"]).failed(3, "IMG-0703");
    assert_eq!(masked(&folder, &errors), REFUSAL);
    migrate(&folder, "1.5", &[]).failed(3, "IMG-0703");
    let said = migrate(&folder, "1.5", &["--check"]);
    assert_eq!(said.exit, Some(1));
    assert!(said.out.starts_with("pending: ") && said.out.contains("(2 decisions needed)"), "{}", said.out);
    assert_eq!(bytes(&folder), before);
}

#[test]
fn a_person_is_asked_and_the_answers_are_kept() {
    let folder = folder();
    let to_program = ["migrate", "board.heap", "--to", PROGRAM];
    // Whoever goes away leaves nothing behind. What is no answer is asked again.
    let replies = [("> ", "zzz"), ("> ", "l"), ("> ", "v"), ("> ", "q")];
    let (exit, seen) = terminal::session(command(&folder, "1.5", &to_program), &replies);
    assert_eq!((exit, seen.matches("[q] quit").count()), (Some(3), 4), "{seen}");
    assert!(
        seen.contains("    Node#3  0.4\n") && !seen.contains("Node#1 "),
        "only what would change is listed: {seen}"
    );
    assert!(seen.contains("left undecided; nothing was changed"), "{seen}");
    assert!(!folder.file("migrations").exists());
    let replies = [("> ", "y"), ("> ", "r"), ("> ", "a")];
    let (exit, seen) = terminal::session(command(&folder, "1.5", &to_program), &replies);
    assert_eq!(exit, Some(0), "{seen}");
    let begin = seen.split("  rewrite").next().unwrap();
    assert_eq!(masked_as(begin, &answers_file(&folder)), QUESTIONS);
    assert!(seen.contains("counts equal") && seen.contains("undo with: image migrate board.heap --rollback"), "{seen}");
    assert!(!seen.contains("canary-token"), "{seen}");
    assert_eq!(fs::read_to_string(answers_file(&folder)).unwrap(), ANSWERS);
    assert_migrated(&folder);
    migrate(&folder, "1.5", &["--check"]).done();
}

#[test]
fn what_is_kept_secret_stays_so_until_somebody_says_otherwise() {
    let folder = folder();
    let (answered, _) = ANSWERS.split_once("\n[User]").unwrap();
    for (answers, is_secret) in
        [(answered, true), (&*ANSWERS.replace("unsecret", "keep_secret"), true), (ANSWERS, false)]
    {
        write_answers(&folder, answers);
        let said = migrate(&folder, "1.5", &["--yes"]).done();
        let note = "  note        User.token stays secret, until an answer says unsecret\n";
        assert_eq!(said.contains(note), is_secret, "{said}");
        let shown = folder.image(&["show", "board.heap", "User#0"]).done();
        assert_eq!(shown.contains("canary"), !is_secret, "{shown}");
        migrate(&folder, "1.5", &["--check"]).done();
        assert_migrated(&folder);
        if is_secret {
            folder.image(&["migrate", "board.heap", "--rollback"]).done();
        }
    }
}

fn assert_migrated(folder: &Folder) {
    let heap = Heap::open(folder.file("board.heap")).unwrap();
    let read = heap.read();
    let board = read.root::<after::Board>("board").unwrap().unwrap();
    assert_eq!(read[read[board].nodes].len() as u64, NODES);
    for (id, &node) in (0..).zip(&read[read[board].nodes]) {
        let node = &read[node];
        assert_eq!((node.id, node.score, node.flags), (id, score(id) as f32, 0));
        assert_eq!(&read[node.title], format!("node-{id:011}"));
    }
    let user = read[read[board].users][0];
    assert_eq!(&read[read[user].token], "canary-token");
}

#[test]
fn answers_in_a_file_are_used_and_the_migration_is_undone() {
    let folder = folder();
    write_answers(&folder, ANSWERS);
    let said = migrate(&folder, "1.5", &["--check"]);
    assert_eq!(said.exit, Some(1));
    assert!(said.out.contains("(plan answered, under 0.1 s)"), "{}", said.out);
    let plan = migrate(&folder, "1.5", &["--plan"]).done();
    assert!(plan.contains("; accepted\n") && plan.ends_with("1 type unchanged\nnothing was changed\n"), "{plan}");
    let said = migrate(&folder, "1.5", &["--yes"]).done();
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines[0].starts_with("  before      board.heap@") && lines[0].contains("(kept until: image keep"),
        "{said}"
    );
    assert!(lines[1].starts_with("  rewrite     1"), "{said}");
    assert!(lines[2].contains("references ") && lines[2].ends_with("ok · counts equal"), "{said}");
    assert!(lines[3].starts_with("migrated ") && lines.len() == 4, "{said}");
    assert!(!said.contains('\u{1b}'), "no escape codes in a pipe");
    assert_migrated(&folder);
    let rolled_back = folder.image(&["migrate", "board.heap", "--rollback"]);
    // Opening it to look made no commit.
    assert!(rolled_back.done().starts_with("rolled back to "));
    let heap = Heap::open_as::<before::Board>(folder.file("board.heap")).unwrap();
    let read = heap.read();
    let board = read.root::<before::Board>("board").unwrap().unwrap();
    for (id, &node) in (0..).zip(&read[read[board].nodes]) {
        assert_eq!((read[node].id, read[node].score), (id, score(id)));
    }
    drop(read);
    drop(heap);
    let json = migrate(&folder, "1.5", &["--json"]);
    assert_eq!(json.exit, Some(0), "{json:?}");
    let json = json.json();
    assert_eq!((&json["migrated"], &json["records"]), (&true.into(), &(NODES + 2).into()));
    folder.image(&["verify", "board.heap"]).done();
}

#[test]
fn answers_with_a_slip_are_refused() {
    let folder = folder();
    let before = bytes(&folder);
    write_answers(&folder, "[Node]\nrenam = { name = \"title\" }\n");
    migrate(&folder, "1.5", &["--yes"]).failed(2, "IMG-0204");
    write_answers_to(&folder, "own.toml", "[Node]\nrename = { nmae = \"title\" }\n");
    let errors = migrate(&folder, "1.5", &["--answers", "own.toml"]).failed(3, "IMG-0703");
    assert!(errors.contains("nmae"), "{errors}");
    migrate(&folder, "1.5", &["--yes", "--answers", "nothing.toml"]).failed(5, "IMG-0502");
    assert_eq!(bytes(&folder), before);
    write_answers_to(&folder, "own.toml", ANSWERS);
    migrate(&folder, "1.5", &["--answers", "own.toml"]).done();
    assert_migrated(&folder);
}

const MOVED_ON: &str = "\
error[IMG-0710]: 41 commits were made since the migration; rolling back would lose them; nothing was changed
  cause: old extents are kept as they were at commit 1
  help:  --lose-commits 41   confirms;   or migrate back with a down hook or an inverse plan
";

/// A program that goes on with the migrated heap: each commit changes a title and another node's score.
fn go_on(folder: &Folder, commits: u64) {
    let heap = Heap::open_as::<after::Board>(folder.file("board.heap")).unwrap();
    for number in 0..commits {
        let mut tx = heap.write().unwrap();
        let board = tx.root::<after::Board>("board").unwrap().unwrap();
        let (one, other) = (number % NODES, (number + 1) % NODES);
        let (one, other) = (tx[tx[board].nodes][one as usize], tx[tx[board].nodes][other as usize]);
        tx[one].title = tx.text(&format!("title {number}")).unwrap();
        tx[other].score += 1.0;
        tx.commit().unwrap();
    }
}

#[test]
fn commits_that_were_made_since_are_lost_when_their_number_is_said() {
    let folder = folder();
    write_answers(&folder, ANSWERS);
    let nodes = |folder: &Folder| {
        folder.image(&["export", "board.heap", "--format", "jsonl", "--force", "-o", "board.jsonl"]).done();
        fs::read_to_string(folder.file("board.jsonl")).unwrap()
    };
    let eve = nodes(&folder);
    migrate(&folder, "1.5", &["--yes"]).done();
    go_on(&folder, 41);
    let heap = fs::read(folder.file("board.heap")).unwrap();
    let now = nodes(&folder);
    assert!(now != eve);
    let said = folder.image(&["info", "board.heap"]).done();
    let line = said.lines().find(|line| line.starts_with("  way back  to ")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains(" as of commit 1; migrated ") && line.ends_with(", 41 commits since"), "{said}");
    let info = folder.image(&["info", "board.heap", "--json"]).json();
    assert_eq!((&info["way_back"]["as_of"], &info["way_back"]["commits"]), (&1.into(), &41.into()));
    assert!(info["stats"]["kept_bytes"].as_u64() > Some(0));
    let errors = folder.image(&["migrate", "board.heap", "--rollback"]).failed(3, "IMG-0710");
    assert_eq!(errors, MOVED_ON);
    for slip in ["40", "42", "1"] {
        let errors =
            folder.image(&["migrate", "board.heap", "--rollback", "--lose-commits", slip]).failed(3, "IMG-0710");
        let says = format!("41 commits were made since the migration, not {slip}; nothing was changed\n");
        assert!(errors.contains(&says) && errors.contains("--lose-commits 41   confirms"), "{errors}");
    }
    folder.image(&["migrate", "board.heap", "--lose-commits", "41"]).failed(2, "IMG-0201");
    assert!(nodes(&folder) == now);
    // Looking for the log's end renews the header and nothing else.
    assert!(fs::read(folder.file("board.heap")).unwrap()[16384..] == heap[16384..]);
    let said = folder.image(&["migrate", "board.heap", "--rollback", "--lose-commits", "41"]).done();
    assert!(said.starts_with("rolled back to ") && said.contains(" (commit 1) in "), "{said}");
    assert!(said.ends_with(" ms; 41 commits were made since, and are lost\n"), "{said}");
    assert!(nodes(&folder) == eve);
    folder.image(&["verify", "board.heap"]).done();
    let info = folder.image(&["info", "board.heap", "--history", "--json"]).json();
    assert_eq!((&info["sequence"], &info["way_back"]), (&44.into(), &serde_json::Value::Null));
    assert_eq!((&info["history"][1]["kind"], &info["history"][1]["sequence"]), (&"rolled-back".into(), &44.into()));
    folder.image(&["migrate", "board.heap", "--rollback", "--lose-commits", "41"]).failed(5, "IMG-0711");
    // Back to the new types, and back again with nothing lost.
    migrate(&folder, "1.5", &["--yes"]).done();
    let errors = folder.image(&["migrate", "board.heap", "--rollback", "--lose-commits", "3"]).failed(3, "IMG-0710");
    assert!(errors.contains("0 commits were made since the migration, not 3"), "{errors}");
    let said = folder.image(&["migrate", "board.heap", "--rollback"]).done();
    assert!(said.ends_with("; 0 commits were made since, none lost\n"), "{said}");
    assert!(nodes(&folder) == eve);
}

fn write_answers_to(folder: &Folder, name: &str, text: &str) {
    fs::write(folder.file(name), text).unwrap();
}

#[test]
fn hooks_run_in_the_program() {
    let folder = folder();
    let plan = migrate(&folder, "hook", &["--plan"]).done();
    assert!(plan.contains("made by the program's hook"), "{plan}");
    let said = migrate(&folder, "hook", &[]).done();
    assert!(said.contains("rewrite     12 records") && said.contains("counts equal"), "{said}");
    let heap = Heap::open_as::<hooked::Board>(folder.file("board.heap")).unwrap();
    let read = heap.read();
    let board = read.root::<hooked::Board>("board").unwrap().unwrap();
    for (id, &node) in (0..).zip(&read[read[board].nodes]) {
        assert_eq!((read[node].id, read[node].tenths), (id, (score(id) * 10.0).round() as i64));
        assert_eq!(&read[read[node].title], format!("node-{id:011}"));
    }
    drop(read);
    drop(heap);
    folder.image(&["migrate", "board.heap", "--rollback"]).done();
    drop(Heap::open_as::<before::Board>(folder.file("board.heap")).unwrap());
}

#[test]
fn a_newer_program_leads_back_by_its_down_hooks() {
    let folder = folder();
    let schema = folder.image(&["schema", "board.heap", "--json"]).done();
    fs::write(folder.file("1.4.json"), schema).unwrap();
    migrate(&folder, "hook", &[]).done();
    // A commit since: a rollback would lose it.
    let heap = Heap::open_as::<hooked::Board>(folder.file("board.heap")).unwrap();
    let mut tx = heap.write().unwrap();
    let board = tx.root::<hooked::Board>("board").unwrap().unwrap();
    let node = tx[tx[board].nodes][2];
    tx[node].tenths = 77;
    tx.commit().unwrap();
    drop(heap);
    folder.image(&["migrate", "board.heap", "--rollback"]).failed(3, "IMG-0710");
    // The older program knows nothing of the newer one, and the rules would take tenths for a figure nobody asked about.
    let said = migrate(&folder, "1.4", &["--yes"]);
    assert_eq!(said.exit, Some(3), "{said:?}");
    assert!(said.errors.contains("newer than the program"), "{said:?}");
    let words = ["migrate", "board.heap", "--to", "1.4.json", "--with", PROGRAM];
    // A program without such a hook is of no use.
    assert_eq!(image(&folder, "1.5", &words).exit, Some(3));
    let plan = image(&folder, "hook", &[&words[..], &["--plan"]].concat()).done();
    assert!(plan.contains("made by the program's hook"), "{plan}");
    let said = image(&folder, "hook", &words).done();
    assert!(said.contains("rewrite     12 records") && said.contains("counts equal"), "{said}");
    folder.image(&["verify", "board.heap"]).done();
    let heap = Heap::open_as::<before::Board>(folder.file("board.heap")).unwrap();
    let read = heap.read();
    let board = read.root::<before::Board>("board").unwrap().unwrap();
    for (id, &node) in (0..).zip(&read[read[board].nodes]) {
        let expected = if id == 2 { 7.7 } else { (score(id) * 10.0).round() / 10.0 };
        assert_eq!(read[node].score.to_bits(), expected.to_bits());
        assert_eq!(&read[read[node].name], format!("node-{id:011}"));
    }
    drop(read);
    drop(heap);
    let history = folder.image(&["info", "board.heap", "--history"]).done();
    assert!(history.contains("    ~ each value is made by the program's hook"), "{history}");
    assert!(history.contains("    title is reserved: it was text"), "{history}");
}

#[test]
fn a_hook_that_panics_changes_nothing() {
    let folder = folder();
    let dump = |name: &str| {
        folder
            .image(&[
                "dump",
                "board.heap",
                "--reproducible",
                "-o",
                name,
                "--include-secrets",
                "--yes",
                "--reason",
                "to compare",
            ])
            .done()
    };
    dump("before.img");
    let Said { exit, out, errors } = migrate(&folder, "panic", &[]);
    assert_eq!((exit, &*out), (Some(7), ""));
    assert!(errors.starts_with("error[IMG-0705]: "), "{errors}");
    assert!(errors.contains("migration hook of Node failed; the heap is unchanged (still "), "{errors}");
    assert!(errors.contains("Node#11: it panicked: negative score (tests/src/board.rs:"), "{errors}");
    assert!(errors.contains("image show board.heap 'Node#11'"), "{errors}");
    dump("after.img");
    let image = |name: &str| fs::read(folder.file(name)).unwrap();
    assert!(image("before.img") == image("after.img"));
    folder.image(&["show", "board.heap", "Node#11"]).done();
}

#[test]
fn a_program_that_never_answers_is_ended() {
    let folder = folder();
    let begun = Instant::now();
    let errors = migrate(&folder, "silent", &[]).failed(7, "IMG-0709");
    assert!(errors.contains("heap::answer") && errors.contains("it said nothing for 5 s and was ended"), "{errors}");
    assert!((Duration::from_secs(5)..Duration::from_secs(30)).contains(&begun.elapsed()));
    // What just runs, ends, or is no program at all, is told at once.
    let errors = migrate(&folder, "", &[]).failed(7, "IMG-0709");
    assert!(errors.contains("it ended without an answer"), "{errors}");
    let errors = migrate(&folder, "cut", &[]).failed(7, "IMG-0709");
    assert!(errors.contains("makes no sense"), "{errors}");
    fs::write(folder.file("text"), "no program").unwrap();
    image(&folder, "", &["migrate", "board.heap", "--to", "text"]).failed(6, "IMG-0610");
    image(&folder, "", &["migrate", "board.heap", "--to", "nothing"]).failed(5, "IMG-0502");
    image(&folder, "", &["migrate", "board.heap"]).failed(2, "IMG-0201");
}

#[test]
fn a_program_may_say_what_it_likes_elsewhere() {
    let folder = folder();
    write_answers(&folder, ANSWERS);
    migrate(&folder, "noisy", &["--yes"]).done();
    assert_migrated(&folder);
}

#[test]
fn a_busy_heap_is_planned_for_and_not_migrated() {
    let folder = folder();
    let heap = Heap::open(folder.file("board.heap")).unwrap();
    let errors = migrate(&folder, "1.5", &[]).failed(8, "IMG-0801");
    assert!(errors.contains("board.heap is open in process"), "{errors}");
    assert_eq!(migrate(&folder, "1.5", &["--plan"]).exit, Some(3));
    drop(heap);
    migrate(&folder, "1.5", &[]).failed(3, "IMG-0703");
}

#[test]
fn a_schema_is_a_target_too() {
    let folder = folder();
    write_answers(&folder, ANSWERS);
    migrate(&folder, "1.5", &[]).done();
    let json = folder.image(&["schema", "board.heap", "--json"]).done();
    fs::write(folder.file("schema.json"), &json).unwrap();
    folder.image(&["migrate", "board.heap", "--rollback"]).done();
    let said = folder.image(&["migrate", "board.heap", "--to", "schema.json", "--yes"]).done();
    assert!(said.contains("migrated "), "{said}");
    assert_migrated(&folder);
    // An image stays what it is.
    folder.image(&["dump", "board.heap", "-o", "board.img", "--include-secrets", "--yes", "--reason", "a test"]).done();
    folder.image(&["migrate", "board.img", "--to", "schema.json", "--check"]).done();
    let said = folder.image(&["migrate", "board.img", "--to", "schema.json"]);
    said.failed(3, "IMG-0309");
    assert!(!folder.file("board.img.log").exists());
}

#[test]
fn a_schema_that_is_none_is_refused() {
    let folder = folder();
    let before = bytes(&folder);
    let good = folder.image(&["schema", "board.heap", "--json"]).done();
    let mut bad =
        vec![String::new(), "{".into(), "[]".into(), "{}".into(), "[".repeat(100_000), "{\"types\":[7]}".into()];
    // Every cut, and every number made another one.
    bad.extend((1..good.trim_end().len()).step_by(97).map(|len| good[..len].to_owned()));
    bad.extend(
        [("8", "7"), ("8", "4294967295"), ("\"Node\"", "\"User\""), ("align", "\u{1b}[2J")]
            .map(|(from, to)| good.replacen(from, to, 3)),
    );
    for text in bad {
        fs::write(folder.file("schema.json"), &text).unwrap();
        let said = folder.image(&["migrate", "board.heap", "--to", "schema.json", "--plan"]);
        let start: String = text.chars().take(60).collect();
        assert!(matches!(said.exit, Some(2 | 3)), "{start}: {said:?}");
        assert!(!said.errors.contains("panicked") && !said.errors.contains('\u{1b}'), "{start}: {said:?}");
        assert!(!said.out.contains('\u{1b}'), "{start}: {said:?}");
    }
    fs::write(folder.file("schema.json"), b"{\xff").unwrap();
    folder.image(&["migrate", "board.heap", "--to", "schema.json"]).failed(2, "IMG-0203");
    assert_eq!(bytes(&folder), before);
}

#[test]
fn schemas_are_printed_and_compared() {
    let folder = folder();
    let text = folder.image(&["schema", "board.heap"]).done();
    assert!(text.starts_with("schema ") && text.contains("score  f64") && text.contains("text  (secret)"), "{text}");
    let lock = folder.image(&["schema", "board.heap", "--json"]).done();
    fs::write(folder.file("schema.lock"), &lock).unwrap();
    assert_eq!(folder.image(&["schema", "schema.lock", "--json"]).done(), lock);
    let said = folder.image(&["schema", "check", "board.heap", "--against", "schema.lock"]).done();
    assert_eq!(said, "ok: the types of board.heap are those of schema.lock\n");
    let said = folder.image(&["schema", "diff", "board.heap", "schema.lock"]).done();
    assert!(said.starts_with("same ("), "{said}");
    write_answers(&folder, ANSWERS);
    migrate(&folder, "1.5", &["--yes"]).done();
    for words in [
        &["schema", "check", "board.heap", "--against", "schema.lock"][..],
        &["schema", "diff", "schema.lock", "board.heap"],
    ] {
        let said = folder.image(words);
        assert_eq!((said.exit, &*said.errors), (Some(1), ""));
        assert!(said.out.contains("Node") && said.out.contains("score"), "{}", said.out);
        let json = folder.image(&[words, &["--json"]].concat());
        assert_eq!((json.exit, &json.json()["equal"]), (Some(1), &false.into()));
    }
    folder.image(&["schema", "nothing"]).failed(5, "IMG-0502");
    folder.image(&["schema"]).failed(2, "IMG-0201");
    folder.image(&["schema", "diff", "board.heap", PROGRAM]).failed(2, "IMG-0203");
}
