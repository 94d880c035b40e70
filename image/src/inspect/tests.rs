use std::path::Path as FilePath;

use heap::format::handle::Handle;
use heap::read::{Checks, Reader};

use super::*;
use crate::export::{Format, export};
use crate::sample::{board, maps};

/// Runs `look` over a view that reads pieces and over one in memory: both see the same.
fn with_views(file: &[u8], look: impl Fn(&View<'_>)) {
    let reader = Reader::open(file, FilePath::new("test.heap"), Checks::Strict).unwrap();
    look(&View::of_reader(&reader).unwrap());
    let loaded = reader.load().unwrap();
    look(&View::of_loaded(&loaded, reader.catalog(), reader.byte_order()).unwrap());
}

fn show_at(view: &View<'_>, path: &str) -> Result<String> {
    match view.find(&path.parse()?)? {
        Found::Record(record) => view.show(&record),
        Found::Value(_, value) => view.show_value(&value),
    }
}

#[test]
fn records_are_shown_with_what_they_hold() {
    with_views(&board(3).file(), |view| {
        let task = "Task#1  80 B + 24 B out of line\n  \
            id u128 1 · title string \"task \\\"1\\\"\" · owner → User#1 · state State Done { by: → User#0 } · score f64 0.1\n  \
            ratio f32 0.1 · sizes [2] 7 8 · blob bytes 0 bytes · letter 'é' · urgent false";
        assert_eq!(show_at(view, "Task#1").unwrap(), task);
        let shown = "Board#0  16 B + 64 B out of line\n  title string \"my board\" · tasks [3] → #0 #1 #2";
        assert_eq!(show_at(view, ".board").unwrap(), shown);
        assert!(show_at(view, "User#1").unwrap().contains("\"Bo\\u{202e}b\""));
    });
}

#[test]
fn paths_lead_through_references_lists_and_variants() {
    with_views(&board(100).file(), |view| {
        assert_eq!(show_at(view, ".board.tasks[42].title").unwrap(), "\"task \\\"42\\\"\"");
        assert_eq!(show_at(view, "board.tasks[1].state.by.name").unwrap(), "\"Ada\"");
        assert_eq!(show_at(view, "Task#5.sizes[1]").unwrap(), "8");
        assert!(show_at(view, "Board#0.tasks[1].owner").unwrap().starts_with("User#1"));
        assert_eq!(show_at(view, "User#0.open").unwrap(), "-1");
        let refusal = |path: &str| show_at(view, path).unwrap_err().to_string();
        assert_eq!(refusal(".board.tasks[100]"), ".board.tasks has no element 100, it has 100");
        assert_eq!(refusal(".bord"), "the heap has no root \"bord\"");
        assert_eq!(refusal("Task#100"), "the heap has no live record Task#100");
        assert_eq!(refusal(".board.title.x"), ".board.title has no fields, so no `x`");
        let error = show_at(view, ".board.tasks[0].tilte").unwrap_err();
        assert!(matches!(&error, Error::Nothing { instead, .. } if *instead == ["title"]), "{error}");
    });
}

#[test]
fn sizes_count_slots_and_what_they_own() {
    with_views(&board(10).file(), |view| {
        let tasks = view.table_sizes(view.table_of("Task").unwrap()).unwrap();
        assert_eq!(tasks, Sizes { records: 10 * 96, owned: 10 * 24 + 24 });
        // Its list is a header of 24 bytes and a buffer of 8 + 10 * 8.
        let boards = view.table_sizes(view.table_of("Board").unwrap()).unwrap();
        assert_eq!(boards, Sizes { records: 24, owned: 24 + 24 + 96 });
        let total: u64 = view.types().map(|summary| summary.records).sum();
        assert_eq!(total, 13);
    });
}

#[test]
fn json_is_exact_and_says_what_json_has_not() {
    with_views(&board(3).file(), |view| {
        let mut lines = Vec::new();
        export(view, Format::JsonLines, &mut lines).unwrap();
        let lines = String::from_utf8(lines).unwrap();
        let tasks: Vec<&str> = lines.lines().filter(|line| line.contains("\"Task\"")).collect();
        let first = r#"{"$id":"Task#0","$type":"Task","id":"340282366920938463463374607431768211455","title":"task \"0\"","owner":null,"state":"Open","score":"NaN","ratio":0.1,"sizes":[7,8],"blob":{"$bytes":"00ff"},"letter":"é","urgent":true}"#;
        assert_eq!(tasks[0], first);
        assert!(tasks[1].contains(r#""id":1,"#), "{}", tasks[1]);
        assert!(
            tasks[1].contains(
                r#""owner":{"$ref":"User#1"},"state":{"$variant":"Done","by":{"$ref":"User#0"}},"score":0.1"#
            )
        );
        let mut object = Vec::new();
        export(view, Format::Json, &mut object).unwrap();
        let object: serde_json::Value = serde_json::from_slice(&object).unwrap();
        assert_eq!(object["roots"]["board"]["$ref"], "Board#0");
        let exported: Vec<String> =
            lines.lines().map(|line| line.parse::<serde_json::Value>().unwrap()).map(|line| line.to_string()).collect();
        let types = object["records"].as_object().unwrap();
        let all: Vec<String> =
            types.values().flat_map(|records| records.as_array().unwrap()).map(ToString::to_string).collect();
        assert_eq!(all.len(), exported.len());
        assert!(exported.iter().all(|record| all.contains(record)));
    });
}

#[test]
fn a_damaged_heap_can_be_looked_into() {
    let mut fixture = board(3);
    let board = fixture.roots[0].reference;
    let task = |index| Handle {
        index,
        region: find_region(&fixture, "Task"),
        generation: Handle::from_bits(board).generation,
    };
    let (first, second) = (task(0).to_bits(), task(1).to_bits());
    fixture.slot_mut(first)[8 + 76] = 9;
    fixture.slot_mut(second)[8 + 16] ^= 0x10;
    with_views(&fixture.file(), |view| {
        assert!(show_at(view, "Task#0").unwrap_err().to_string().contains("a bool is 9"));
        assert!(show_at(view, "Task#1.title").is_err());
        assert_eq!(show_at(view, "Task#1.score").unwrap(), "0.1");
        assert_eq!(show_at(view, "Task#2.title").unwrap(), "\"task \\\"2\\\"\"");
    });
}

fn find_region(fixture: &heap::read::fixture::Fixture, type_name: &str) -> u32 {
    let shape = fixture.registry.shapes.iter().position(|shape| *shape == Shape::Inline(type_name.into())).unwrap();
    let table = fixture.tables.iter().position(|table| table.kind == TableKind::Records(shape as u32)).unwrap();
    fixture.regions.iter().position(|region| region.table == table as u32).unwrap() as u32
}

#[test]
fn opening_reads_a_part_of_the_file() {
    use std::cell::Cell;
    struct Counting<'f>(&'f [u8], &'f Cell<u64>);
    impl Source for Counting<'_> {
        fn len(&self) -> std::io::Result<u64> {
            Source::len(self.0)
        }
        fn read_at(&self, offset: u64, bytes: &mut [u8]) -> std::io::Result<()> {
            self.1.set(self.1.get() + bytes.len() as u64);
            self.0.read_at(offset, bytes)
        }
    }
    let file = board(30_000).file();
    let count = Cell::new(0);
    let reader = Reader::open(Counting(&file, &count), FilePath::new(""), Checks::Strict).unwrap();
    let view = View::of_reader(&reader).unwrap();
    assert!(show_at(&view, ".board.tasks[20000].title").is_ok());
    assert!(count.get() < file.len() as u64 / 8, "{} of {}", count.get(), file.len());
}

#[test]
fn the_entries_of_maps_are_all_there_and_sorted_ones_in_order() {
    for count in [0, 1, 5, 300] {
        let fixture = maps(count);
        with_views(&fixture.file(), |view| {
            let mut lines = Vec::new();
            export(view, Format::JsonLines, &mut lines).unwrap();
            let record: serde_json::Value = serde_json::from_slice(&lines).unwrap();
            let entries = |field: &str| record[field]["$map"].as_array().unwrap().clone();
            let mut names: Vec<i64> = entries("by_name").iter().map(|entry| entry[1].as_i64().unwrap()).collect();
            assert!(entries("by_name").iter().all(|entry| entry[0] == format!("n{}", entry[1])));
            names.sort_unstable();
            assert_eq!(names, (0..i64::from(count)).collect::<Vec<_>>());
            let numbers = entries("by_number");
            assert_eq!(numbers.len(), count as usize);
            for (expected, entry) in numbers.iter().enumerate() {
                assert_eq!(entry[0], expected);
                let text = entry[1][0].as_str().unwrap();
                assert_eq!(text[1..].parse::<usize>().unwrap() * 7 % count as usize, expected);
            }
            let index = view.table_of("Index").unwrap();
            let sizes = view.table_sizes(index).unwrap();
            let all: u64 = fixture.tables.iter().map(|table| table.live * u64::from(table.stride)).sum();
            assert_eq!(sizes.total(), all);
        });
    }
    with_views(&maps(2).file(), |view| {
        let shown = show_at(view, ".index").unwrap();
        assert!(shown.contains("by_number {2} 0: [1] \"v0\" 1: [1] \"v1\""), "{shown}");
    });
}

#[test]
fn looking_into_damage_is_an_error_never_a_panic_and_what_is_verified_is_no_damage() {
    let mut state = 11_u64;
    let mut random = |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % end
    };
    let (mut errors, mut accepted) = (0, 0);
    for file in [board(3).file(), board(40).file(), maps(3).file(), maps(40).file()] {
        let blocks = file.len() / heap::format::BLOCK as usize;
        for _ in 0..2000 {
            let mut damaged = file.clone();
            for _ in 0..=random(3) {
                let at = (2 + random(blocks - 2)) * heap::format::BLOCK as usize + random(800);
                // Small numbers and large ones, in whole words as well: lengths, counts and handles.
                match random(3) {
                    0 => damaged[at] ^= 1 << random(8),
                    1 => damaged[at] = random(256) as u8,
                    _ => damaged[at / 8 * 8..at / 8 * 8 + 8].copy_from_slice(&(u64::MAX >> random(64)).to_ne_bytes()),
                }
            }
            let Ok(reader) = Reader::open(&damaged[..], FilePath::new(""), Checks::None) else { continue };
            let Ok(view) = View::of_reader(&reader) else { continue };
            let before = errors;
            errors += usize::from(export(&view, Format::Json, &mut std::io::sink()).is_err());
            for summary in view.types() {
                errors += usize::from(view.table_sizes(summary.table).is_err());
                for record in view.records(summary.table).flatten() {
                    errors += usize::from(view.show(&record).is_err());
                }
            }
            let verified =
                reader.load().and_then(|loaded| heap::verify::verify(&loaded, reader.catalog(), reader.header()));
            accepted += usize::from(verified.is_ok());
            assert!(verified.is_err() || errors == before, "accepted, and cannot be read");
        }
    }
    assert!(errors > 1000 && accepted > 100, "{errors} {accepted}");
}
