//! Heaps that were migrated: what is kept of the heap before, and the way back to it, as the command sees them.

use std::fs;
use std::path::Path;

use heap::format::slot::Kind;
use heap::read::fixture::{Entries, Fixture};
use heap::read::{Checks, Reader};
use heap::{Error, Heap};
use migrate::{Body, Field, FieldAttributes, Integer, Shape, TypeAttributes, TypeDescriptor};
use serde_json::Value;

use crate::harness::Folder;

/// A heap of three scores, which are of so many bytes, with names.
fn scores(width: u8, name: &str) -> Fixture {
    let field =
        |name: &str, offset, shape| Field { name: name.into(), offset, shape, attributes: FieldAttributes::default() };
    let value = Shape::Integer(Integer { width, signed: false, align: width });
    let mut fixture = Fixture::new(vec![TypeDescriptor {
        name: "Score".into(),
        size: 16,
        align: 8,
        body: Body::Struct(vec![field("name", 0, Shape::Text), field("value", 8, value)]),
        attributes: TypeAttributes::default(),
    }]);
    for number in 0..3_u64 {
        let text = fixture.value(Kind::Text, name.len() as u32, name.as_bytes());
        let record = fixture.record("Score", &[fixture.word(text), fixture.word(number)].concat());
        fixture.root(&format!("score {number}"), record);
    }
    fixture
}

/// A heap of 8-byte scores that were 4-byte ones before, as the file after that migration.
fn migrated(folder: &Folder, change: impl FnOnce(&mut Entries)) {
    let mut after = scores(8, "a name");
    after.before = Some(Box::new(scores(4, "a canary")));
    fs::write(folder.file("scores.heap"), after.file_with(change)).unwrap();
}

fn holds_canary(path: &Path) -> bool {
    fs::read(path).unwrap().windows(8).any(|window| window == b"a canary")
}

fn json(folder: &Folder, words: &[&str]) -> Value {
    let said = folder.image(&[words, &["--json"]].concat());
    assert_eq!((said.exit, &*said.errors), (Some(0), ""), "{words:?}");
    said.json()
}

/// Width of a score's value.
fn width(path: &Path) -> u8 {
    let reader = Reader::open(fs::File::open(path).unwrap(), path, Checks::Strict).unwrap();
    let Body::Struct(fields) = &reader.catalog().registry().schema.types[0].body else { panic!("a score is a struct") };
    let Shape::Integer(integer) = fields[1].shape else { panic!("a value is an integer") };
    integer.width
}

#[test]
fn a_migration_is_rolled_back_once() {
    let folder = Folder::new();
    migrated(&folder, |_| {});
    let path = folder.file("scores.heap");
    assert_eq!(
        (width(&path), json(&folder, &["show", "scores.heap", ".\"score 1\".name"])["value"].clone()),
        (8, "a name".into())
    );
    let said = folder.image(&["migrate", "scores.heap", "--rollback"]).done();
    assert!(said.starts_with("rolled back to 01010101 (commit 6) in "), "{said}");
    assert!(said.trim_end().ends_with("; 0 commits were made since, none lost"), "{said}");
    assert_eq!(
        (width(&path), json(&folder, &["show", "scores.heap", ".\"score 1\".name"])["value"].clone()),
        (4, "a canary".into())
    );
    folder.image(&["verify", "scores.heap"]).done();
    assert_eq!(Heap::open(&path).unwrap().stats().records, 3);
    let said = folder.image(&["migrate", "scores.heap", "--rollback"]).failed(5, "IMG-0711");
    assert!(said.contains("nothing was changed") && said.contains("image info --history"), "{said}");
    let history = json(&folder, &["info", "scores.heap", "--history"])["history"].clone();
    let kinds: Vec<&str> =
        history.as_array().unwrap().iter().map(|receipt| receipt["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["migrated", "rolled-back"]);
    assert_eq!((&history[1]["from"], &history[1]["to"]), (&history[0]["to"], &history[0]["from"]));
}

#[test]
fn a_rollback_says_as_json_what_it_did() {
    let folder = Folder::new();
    migrated(&folder, |_| {});
    let report = json(&folder, &["migrate", "scores.heap", "--rollback"]);
    assert_eq!((&report["sequence"], &report["as_of"], &report["lost"]), (&8.into(), &6.into(), &0.into()));
    assert_eq!(
        (report["from"].as_str().unwrap(), report["to"].as_str().unwrap()),
        (&*"02".repeat(16), &*"01".repeat(16))
    );
}

#[test]
fn a_rollback_that_would_lose_commits_is_refused() {
    let folder = Folder::new();
    migrated(&folder, |entries| entries.header.sequence += 41);
    let said = folder.image(&["migrate", "scores.heap", "--rollback"]).failed(3, "IMG-0710");
    assert!(said.contains("41 commits were made since the migration; rolling back would lose them"), "{said}");
    assert!(said.contains("nothing was changed") && said.contains("down hook"), "{said}");
    assert_eq!(width(&folder.file("scores.heap")), 8);
    let report = json(&folder, &["migrate", "scores.heap", "--rollback", "--lose-commits", "41"]);
    assert_eq!((&report["lost"], &report["as_of"], &report["sequence"]), (&41.into(), &6.into(), &49.into()));
    assert_eq!(width(&folder.file("scores.heap")), 4);
}

/// It would be the heap after the rollback, and nobody has looked at its values since the migration.
#[test]
fn what_is_kept_is_verified_before_it_is_the_heap_again() {
    let folder = Folder::new();
    let mut after = scores(8, "a name");
    let mut before = scores(4, "a canary");
    // A text without an owner.
    before.text("leaked");
    after.before = Some(Box::new(before));
    fs::write(folder.file("scores.heap"), after.file()).unwrap();
    folder.image(&["migrate", "scores.heap", "--rollback"]).failed(4, "IMG-0405");
    folder.image(&["verify", "scores.heap"]).done();
    assert_eq!(width(&folder.file("scores.heap")), 8);
}

#[test]
fn a_way_back_is_given_up_once_by_command_or_program() {
    for by_program in [false, true] {
        let folder = Folder::new();
        migrated(&folder, |_| {});
        let path = folder.file("scores.heap");
        let info = json(&folder, &["info", "scores.heap"]);
        let kept = info["stats"]["kept_bytes"].as_u64().unwrap();
        assert!(kept > 0 && info["history"] == Value::Array(Vec::new()), "{info}");
        assert!(folder.image(&["info", "scores.heap"]).done().contains("of before the last migration; image keep"));
        if by_program {
            let heap = Heap::open(&path).unwrap();
            assert_eq!(heap.stats().kept_len, kept);
            folder.image(&["keep", "scores.heap"]).failed(8, "IMG-0801");
            heap.keep().unwrap();
            assert_eq!(heap.stats().kept_len, 0);
        } else {
            let report = json(&folder, &["keep", "scores.heap"]);
            assert_eq!((&report["bytes"], &report["sequence"]), (&kept.into(), &8.into()));
        }
        assert_eq!(json(&folder, &["info", "scores.heap"])["stats"]["kept_bytes"], 0);
        let said = folder.image(&["keep", "scores.heap"]).done();
        assert!(said.contains("keeps nothing"), "{said}");
        assert!(matches!(heap::rollback(&path), Err(Error::NothingKept { .. })));
        let said = folder.image(&["info", "scores.heap", "--history"]).done();
        assert!(said.contains("commit 7 migrated 01010101 → 02020202 by board 2"), "{said}");
        assert!(said.contains("    due is reserved: it was u32"), "{said}");
        assert!(said.contains("commit 8 gave up the way back of 01010101 → 02020202"), "{said}");
        folder.image(&["verify", "scores.heap"]).done();
        Heap::open(&path).unwrap();
    }
    let folder = Folder::new();
    folder.image(&["keep", "nothing.heap"]).failed(5, "IMG-0502");
    folder.image(&["migrate", "nothing.heap", "--rollback"]).failed(5, "IMG-0502");
    folder.image(&["migrate", "nothing.heap"]).failed(2, "IMG-0201");
}

/// Fields are dropped for a reason.
#[test]
fn nothing_of_before_a_migration_leaves_the_heap() {
    let folder = Folder::new();
    migrated(&folder, |_| {});
    assert!(holds_canary(&folder.file("scores.heap")));
    folder.image(&["dump", "scores.heap", "-o", "closed.img"]).done();
    let heap = Heap::open(folder.file("scores.heap")).unwrap();
    folder.image(&["dump", "scores.heap", "-o", "live.img"]).done();
    heap.save_as(folder.file("saved.heap")).unwrap();
    drop(heap);
    Heap::open_image(folder.file("closed.img")).unwrap().save_as(folder.file("opened.heap")).unwrap();
    for file in ["closed.img", "live.img", "saved.heap", "opened.heap"] {
        assert!(!holds_canary(&folder.file(file)), "{file}");
        folder.image(&["verify", file]).done();
        let info = json(&folder, &["info", file, "--history"]);
        assert_eq!(
            (&info["stats"]["kept_bytes"], &info["history"][0]["kind"]),
            (&0.into(), &"migrated".into()),
            "{file}"
        );
    }
    folder.image(&["keep", "closed.img"]).failed(3, "IMG-0309");
}
