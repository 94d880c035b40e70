//! Images: equal to the heap, equal to each other, scratch heaps to programs, and never a way to crash one.

use std::path::Path;

use heap::read::Checks;
use heap::{Durability, Error, Heap, Options};
use image::export::{Format, export};
use image::inspect::View;
use image::{DumpOptions, DumpSource, Held, Replace, Secrets, dump, open_file};
use tests::bank::{self, Bulk, Random};

use crate::harness::{Folder, verify};

/// A heap on which so many transactions were made.
fn make(folder: &Folder, name: &str, transactions: u64) {
    let heap = Heap::open_with(folder.file(name), Options { seed: Some(7), ..Options::default() }).unwrap();
    let bank = bank::found(&heap).unwrap();
    let mut random = Random(5);
    for _ in 0..transactions {
        bank::step(&heap, bank, &mut random, Durability::Process, Bulk::OneIn(20)).unwrap();
    }
}

fn dump_to(folder: &Folder, heap: &str, image: &str, reproducible: bool) -> Vec<u8> {
    let options = DumpOptions { secrets: Secrets::Refuse, replace: Replace::Never, reproducible };
    dump(&DumpSource::of_path(&folder.file(heap)), &folder.file(image), &options).unwrap();
    std::fs::read(folder.file(image)).unwrap()
}

fn lines_of_heap(path: &Path) -> Vec<u8> {
    let held = Held::open(&DumpSource::of_path(path)).unwrap();
    let mut lines = Vec::new();
    held.read(|reader| export(&View::of_reader(reader)?, Format::JsonLines, &mut lines)).unwrap();
    lines
}

fn lines_of_image(path: &Path) -> Vec<u8> {
    let reader = open_file(path, Checks::Strict).unwrap();
    let mut lines = Vec::new();
    export(&View::of_reader(&reader).unwrap(), Format::JsonLines, &mut lines).unwrap();
    lines
}

#[test]
fn an_image_is_the_heap_record_by_record() {
    let folder = Folder::new();
    make(&folder, "bank.heap", 300);
    dump_to(&folder, "bank.heap", "bank.img", false);
    let lines = lines_of_image(&folder.file("bank.img"));
    assert!(lines.split(|&byte| byte == b'\n').count() > 21);
    assert!(lines == lines_of_heap(&folder.file("bank.heap")));
    let (heap, image) =
        (Heap::open(folder.file("bank.heap")).unwrap(), Heap::open_image(folder.file("bank.img")).unwrap());
    assert_eq!(bank::check(&heap), bank::check(&image));
    assert_eq!(heap.schema(), image.schema());
    // Under its log, the heap is the same.
    let bank = bank::found(&heap).unwrap();
    bank::step(&heap, bank, &mut Random(9), Durability::Process, Bulk::Never).unwrap();
    dump_to(&folder, "bank.heap", "later.img", false);
    assert!(lines_of_image(&folder.file("later.img")) == lines_of_heap(&folder.file("bank.heap")));
    assert!(lines_of_image(&folder.file("later.img")) != lines);
}

#[test]
fn one_state_sealed_twice_is_the_same_bytes() {
    let folder = Folder::new();
    make(&folder, "bank.heap", 100);
    let first = dump_to(&folder, "bank.heap", "first.img", true);
    let second = dump_to(&folder, "bank.heap", "second.img", true);
    assert!(first == second);
    // Opened and closed again it has another epoch, and another log, and the same state.
    drop(Heap::open(folder.file("bank.heap")).unwrap());
    assert!(first == dump_to(&folder, "bank.heap", "third.img", true));
    // Held open, too.
    let heap = Heap::open(folder.file("bank.heap")).unwrap();
    assert!(first == dump_to(&folder, "bank.heap", "fourth.img", true));
    drop(heap);
    // The moment, the machine and the number of the dump stand outside of what is hashed.
    let unlike = dump_to(&folder, "bank.heap", "fifth.img", false);
    assert!(unlike != first);
    let hash = |name: &str| open_file(&folder.file(name), Checks::Strict).unwrap().header().content_hash;
    assert_eq!(hash("fifth.img"), hash("first.img"));
}

#[test]
fn an_image_is_a_scratch_heap_to_a_program() {
    let folder = Folder::new();
    make(&folder, "bank.heap", 50);
    let bytes = dump_to(&folder, "bank.heap", "bank.img", false);
    let path = folder.file("bank.img");
    let scratch = Heap::open_image(&path).unwrap();
    let before = bank::check(&scratch).commits;
    let bank = bank::found(&scratch).unwrap();
    let mut random = Random(1);
    for _ in 0..40 {
        bank::step(&scratch, bank, &mut random, Durability::Process, Bulk::OneIn(10)).unwrap();
    }
    assert_eq!(bank::check(&scratch).commits, before + 40);
    let refused = bank::step(&scratch, bank, &mut random, Durability::Disk, Bulk::Never);
    assert!(matches!(refused, Err(Error::NoDisk)), "{refused:?}");
    assert!(matches!(scratch.checkpoint(), Err(Error::NoDisk)));
    assert_eq!(bank::check(&scratch).commits, before + 40);
    drop(scratch);
    assert!(std::fs::read(&path).unwrap() == bytes, "the image was changed");
    assert_eq!(bank::check(&Heap::open_image(&path).unwrap()).commits, before);
}

#[test]
fn a_scratch_heap_is_saved_as_a_heap_of_its_own() {
    let folder = Folder::new();
    make(&folder, "bank.heap", 200);
    dump_to(&folder, "bank.heap", "bank.img", false);
    let scratch = Heap::open_image(folder.file("bank.img")).unwrap();
    let bank = bank::found(&scratch).unwrap();
    let mut random = Random(2);
    for round in 0..60 {
        if round % 7 == 0 {
            // What is taken back leaves nothing in the file either.
            let mut tx = scratch.write().unwrap();
            for _ in 0..2_000 {
                let (name, history) = (tx.text("nobody").unwrap(), tx.list().unwrap());
                tx.insert(bank::Account { id: 0, balance: 1, name, history, peer: None }).unwrap();
            }
        }
        bank::step(&scratch, bank, &mut random, Durability::Process, Bulk::OneIn(10)).unwrap();
    }
    let path = folder.file("saved.heap");
    scratch.save_as(&path).unwrap();
    let found = bank::check(&scratch);
    verify(&path);
    let lines = lines_of_heap(&path);
    let saved = Heap::open(&path).unwrap();
    assert_eq!(bank::check(&saved), found);
    assert_eq!(saved.stats().sequence, scratch.stats().sequence);
    // It is a heap like any other from now on, and the two go their own ways.
    let theirs = bank::found(&saved).unwrap();
    for _ in 0..60 {
        bank::step(&saved, theirs, &mut random, Durability::Disk, Bulk::OneIn(10)).unwrap();
    }
    drop(saved);
    verify(&path);
    assert_eq!(bank::check(&Heap::open(&path).unwrap()).commits, found.commits + 60);
    assert_eq!(bank::check(&scratch), found);

    let before = std::fs::read(&path).unwrap();
    let exists = scratch.save_as(&path).unwrap_err();
    assert!(matches!(&exists, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists));
    assert!(std::fs::read(&path).unwrap() == before);
    // A heap with a disk behind it can be saved elsewhere as well, and the same records are the same lines.
    scratch.save_as(folder.file("twin.heap")).unwrap();
    let twin = Heap::open(folder.file("twin.heap")).unwrap();
    twin.save_as(folder.file("third.heap")).unwrap();
    assert!(lines_of_heap(&folder.file("third.heap")) == lines);
}

#[test]
fn each_door_names_the_other() {
    let folder = Folder::new();
    make(&folder, "bank.heap", 1);
    dump_to(&folder, "bank.heap", "bank.img", false);
    let wrong = Heap::open(folder.file("bank.img")).unwrap_err();
    assert!(matches!(&wrong, Error::WrongDoor { remedy: "Heap::open_image", .. }), "{wrong}");
    let wrong = Heap::open_image(folder.file("bank.heap")).unwrap_err();
    assert!(matches!(&wrong, Error::WrongDoor { remedy: "Heap::open", .. }), "{wrong}");
    folder.image(&["dump", "bank.img", "-o", "again.img"]).failed(3, "IMG-0309");
}

const LOOKS: &[&[&str]] = &[
    &["info"],
    &["types"],
    &["verify"],
    &["open"],
    &["show", ".bank"],
    &["export", "--format", "jsonl", "-o", "out.jsonl"],
    &["dump", "-o", "out.img"],
];

/// Every command that reads the file fails with this exit code and one of these error codes, and leaves nothing.
#[track_caller]
fn refused_by_all(folder: &Folder, file: &str, exit: i32, codes: &[&str]) {
    for look in LOOKS {
        let words = [&look[..1], &[file], &look[1..]].concat();
        let said = folder.image(&words);
        assert_eq!(said.exit, Some(exit), "{words:?}: {said:?}");
        assert!(codes.iter().any(|code| said.errors.starts_with(&format!("error[{code}]: "))), "{words:?}: {said:?}");
        assert!(!said.errors.contains("panicked"), "{said:?}");
        let json = folder.image(&[&words[..], &["--json"]].concat()).json();
        assert_eq!(json["error"]["exit"], exit, "{words:?}");
        assert!(!folder.file("out.jsonl").exists() && !folder.file("out.img").exists(), "{words:?}");
    }
    let path = folder.file(file);
    for opened in [Heap::open(&path), Heap::open_image(&path)] {
        let error = opened.unwrap_err();
        assert!(codes.contains(&error.code()), "{file}: {error}");
    }
}

#[test]
fn foreign_files_are_told_from_heaps() {
    let folder = Folder::new();
    let noise: Vec<u8> = (0..100_000).map(|seed| Random(seed).draw() as u8).collect();
    let files: [(&str, &[u8]); 6] = [
        ("empty", b""),
        ("short", b"IMGHEAP\n"),
        ("text", b"not a heap\n"),
        ("noise", &noise),
        ("png", &[&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &vec![0; 20_000]].concat()),
        ("sqlite", &[&b"SQLite format 3\0\x10\0\x01\x01"[..], &vec![0; 20_000]].concat()),
    ];
    for (name, bytes) in files {
        std::fs::write(folder.file(name), bytes).unwrap();
        refused_by_all(&folder, name, 4, &["IMG-0401"]);
        assert_eq!(std::fs::read(folder.file(name)).unwrap(), bytes, "{name} was changed");
    }
}

/// Sets bytes in both header pages and makes their checksums right again.
fn patch_headers(bytes: &mut [u8], at: usize, value: &[u8]) {
    use heap::format::header::PAGE;
    for page in bytes[..2 * PAGE].chunks_exact_mut(PAGE).filter(|page| page.starts_with(b"IMGHEAP\n")) {
        page[at..at + value.len()].copy_from_slice(value);
        let sum = crc32fast::hash(&page[..PAGE - 4]);
        page[PAGE - 4..].copy_from_slice(&sum.to_le_bytes());
    }
}

#[test]
fn files_of_other_versions_are_refused_with_7() {
    let folder = Folder::new();
    make(&folder, "bank.heap", 1);
    for (name, at, value) in [("major", 8, 2), ("read-flag", 12, 1)] {
        let mut bytes = std::fs::read(folder.file("bank.heap")).unwrap();
        patch_headers(&mut bytes, at, &[value]);
        std::fs::write(folder.file(name), bytes).unwrap();
        refused_by_all(&folder, name, 7, &["IMG-0701"]);
    }
    // What only a writer must know keeps nobody from reading; what is ignorable, nobody from anything.
    let mut bytes = std::fs::read(folder.file("bank.heap")).unwrap();
    patch_headers(&mut bytes, 16, &[1]);
    std::fs::write(folder.file("write-flag"), &bytes).unwrap();
    folder.image(&["verify", "write-flag"]).done();
    assert_eq!(Heap::open(folder.file("write-flag")).unwrap_err().code(), "IMG-0701");
    patch_headers(&mut bytes, 16, &[0, 0, 0, 0, 128]);
    std::fs::write(folder.file("ignorable"), &bytes).unwrap();
    bank::check(&Heap::open(folder.file("ignorable")).unwrap());
}

#[test]
fn cut_files_are_damaged_wherever_they_are_cut() {
    let folder = Folder::new();
    make(&folder, "bank.heap", 60);
    let image = dump_to(&folder, "bank.heap", "bank.img", false);
    let heap = std::fs::read(folder.file("bank.heap")).unwrap();
    for (name, bytes) in [("bank.img", &image), ("bank.heap", &heap)] {
        for len in [4_096, 8_192, 20_000, 40_000, bytes.len() / 2, bytes.len() - 16_384, bytes.len() - 1] {
            std::fs::write(folder.file("cut"), &bytes[..len]).unwrap();
            folder.image(&["verify", "cut"]).damaged(&format!("{name} cut to {len}"));
            for error in [Heap::open(folder.file("cut")), Heap::open_image(folder.file("cut"))].map(Result::unwrap_err)
            {
                assert!(error.code().starts_with("IMG-04") || error.code() == "IMG-0309", "{name} {len}: {error}");
            }
            let _ = std::fs::remove_file(folder.file("cut.log"));
        }
    }
}

#[test]
fn every_flipped_bit_of_an_image_is_found_by_the_command() {
    let folder = Folder::new();
    make(&folder, "bank.heap", 60);
    let image = dump_to(&folder, "bank.heap", "bank.img", false);
    let mut random = Random(11);
    for round in 0..60 {
        let at = match round {
            0..12 => random.below(4_096),
            12..20 => image.len() as u64 - 1 - random.below(400),
            _ => random.below(image.len() as u64),
        } as usize;
        let mut damaged = image.clone();
        damaged[at] ^= 1 << random.below(8);
        std::fs::write(folder.file("flipped.img"), &damaged).unwrap();
        let said = folder.image(&["verify", "flipped.img"]);
        assert!(matches!(said.exit, Some(4 | 7)) && !said.errors.contains("panicked"), "byte {at}: {said:?}");
        // Whatever else looks at it, looks or fails, and does not crash.
        for look in &LOOKS[..5] {
            let said = folder.image(&[&look[..1], &["flipped.img"], &look[1..]].concat());
            assert!(
                matches!(said.exit, Some(0 | 2 | 3 | 4 | 5 | 7)) && !said.errors.contains("panicked"),
                "{at}: {said:?}"
            );
        }
        if let Ok(opened) = Heap::open_image(folder.file("flipped.img")) {
            // Only what programs do not read can have been hit: the manifest, or what stands for the whole.
            bank::check(&opened);
        }
    }
}
