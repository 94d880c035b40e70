//! Slots that are used so often that their generations come to an end.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use heap::format::handle::LAST_GENERATION;
use heap::format::header::{Header, PAGE};
use heap::{Error, Heap, List, Reader as _, Record, Ref, Text};

#[derive(Record)]
struct Note {
    text: Text,
    parts: List<Text>,
}

/// Makes an empty heap whose slots begin with a generation near the last.
fn nearly_used_up(path: &Path) {
    drop(Heap::open(path).unwrap());
    let mut file = fs::read(path).unwrap();
    for page in file[..2 * PAGE].as_chunks_mut::<PAGE>().0 {
        if let Ok(mut header) = Header::parse(page) {
            header.first_generation = LAST_GENERATION - 3;
            *page = header.to_page();
        }
    }
    fs::write(path, file).unwrap();
}

/// No handle is ever given twice, and a heap with retired slots opens.
#[test]
fn a_slot_whose_generations_are_used_up_is_retired() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.heap");
    nearly_used_up(&path);
    let mut given: HashSet<u64> = HashSet::new();
    let mut gone: Vec<Ref<Note>> = Vec::new();
    let mut kept: Vec<(Ref<Note>, String)> = Vec::new();
    for round in 0..6 {
        let heap = Heap::open(&path).unwrap();
        for number in 0..10 {
            let mut tx = heap.write().unwrap();
            let name = format!("{round} {number}");
            let (text, part) = (tx.text(&name).unwrap(), tx.text(&name.repeat(50_000)).unwrap());
            let parts = tx.list_from([part]).unwrap();
            let note = tx.insert(Note { text, parts }).unwrap();
            assert!(given.insert(note.to_bits()), "a handle was given twice");
            if number % 3 == 2 {
                drop(tx);
                gone.push(note);
                continue;
            }
            if let Some((before, _)) = kept.pop() {
                tx.remove(before).unwrap();
                gone.push(before);
            }
            kept.push((note, name));
            tx.commit().unwrap();
        }
        let read = heap.read();
        assert!(gone.iter().all(|&note| matches!(read.get(note), Err(Error::Stale(_)))));
        assert!(kept.iter().all(|(note, name)| read[read[*note].text] == **name));
    }
    // Far more handles than the slots' three generations each.
    let stats = Heap::open(&path).unwrap().stats();
    assert_eq!(stats.records, 1);
    assert!(given.len() > 50);
}
