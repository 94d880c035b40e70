//! Writes the seeds that can be computed, `cargo run --example seeds`. Those of `log`, `plan` and `program`, whose
//! inputs are no files, were found by fuzzing.

use std::fs;
use std::path::Path;

use heap::format::catalog::{CatalogRoot, ROOT_AT, Stream};
use heap::format::frame::Operation;
use heap::read::{Checks, Reader};
use heap_fuzz::samples;
use image::manifest::{Manifest, Provenance, RedactedField, Redaction, TypeTotal};

fn main() {
    let heap = &samples::heaps()[0].bytes;
    let header = &heap[..168];
    write("header", "one", &[header, &[0; 168]].concat());
    write("header", "two", &[header, header].concat());

    let mut payload = Vec::new();
    Operation::Write { at: 1 << 20, bytes: b"a new title" }.encode(&mut payload);
    Operation::Zero { at: 1 << 21, len: 4096 }.encode(&mut payload);
    Operation::Publish { at: 1 << 22, len: 1 << 20, crc: 7 }.encode(&mut payload);
    write("frame", "operations", &payload);

    for (number, archive) in samples::registries().iter().enumerate() {
        write("registry", &number.to_string(), archive);
        let registry = migrate::Registry::from_archive(archive).expect("the registry is valid");
        write("schema_json", &number.to_string(), registry.schema.to_json().as_bytes());
    }

    let manifest = Manifest {
        program: "board".into(),
        build: "1".into(),
        types: vec![TypeTotal { name: "Board".into(), records: 1 }, TypeTotal { name: "Task".into(), records: 2 }],
        redaction: Some(Redaction {
            fields: vec![RedactedField { field: "User.token".into(), mode: "token".into(), count: 2 }],
            left_out: 1,
            reason: Some("asked for".into()),
        }),
        provenance: Some(Provenance { host: "here".into(), time: 1, ..Provenance::default() }),
        ..Manifest::default()
    };
    let whole = manifest.to_bytes().expect("the manifest is short");
    write("manifest", "whole", &whole);
    write("manifest", "archive", &whole[..whole.len() - image::manifest::TRAILER]);

    let paths = [".board.tasks[1].owner.name", "Task#0.sizes[1]", ".\"my root\".x", "Pair<[u8; 2]>#3.0", "index"];
    for (number, path) in paths.iter().enumerate() {
        write("path", &number.to_string(), path.as_bytes());
    }

    let answers = [
        "drop_types = [\"Audit\"]\n\n[rename]\nOld = \"New\"\n",
        "[Node]\nrename = { name = \"title\" }\ndrop = [\"weight\"]\nlossy = [\"score\"]\ndefault = { flags = \"7\" }\n",
        "[User]\nunsecret = [\"*\", \"token\"]\nkeep_secret = [\"key\"]\nbecomes = { Square = \"Circle\" }\n",
    ];
    for (number, answers) in answers.iter().enumerate() {
        write("answers", &number.to_string(), answers.as_bytes());
    }

    for choice in 0..5 {
        let patch = |what, within, place: u16, value: u64| {
            [&[what, within][..], &place.to_le_bytes(), &value.to_le_bytes()].concat()
        };
        let patches = [patch(2, 0, 40, 41), patch(6, 4, 60, 1), patch(1, 3, 90, 255)].concat();
        write("heap", &choice.to_string(), &[&[choice][..], &patches].concat());
        write("image", &choice.to_string(), &[&[choice, 0][..], &patches].concat());
        write("heap", &format!("{choice}-whole"), &[choice]);
        write("image", &format!("{choice}-whole"), &[choice, 0]);
    }

    let migrated = &samples::heaps()[4].bytes;
    let reader = Reader::open(&migrated[..], samples::path(), Checks::Strict).expect("the heap opens");
    let history = reader.catalog().history();
    write("history", "kept", &history.to_bytes());
    write("history", "receipts", &history.without_kept().to_bytes());

    let root = heap[ROOT_AT as usize..].first_chunk().expect("the file has a root");
    let root = CatalogRoot::parse(root, heap.len() as u64).expect("the heap is valid");
    let stream = |stream: Stream| {
        let run = root.streams[stream as usize];
        &heap[run.at as usize..][..run.len as usize]
    };
    let [tables, extents, roots] = [Stream::Tables, Stream::Extents, Stream::Roots].map(stream);
    let counts = [30, (tables.len() / 48) as u8, (extents.len() / 48) as u8, (roots.len() / 256) as u8];
    write("catalog", "sample", &[&counts, tables, extents, roots].concat());
    write("catalog", "whole", &[&counts, tables, extents, roots, stream(Stream::Registry)].concat());
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    fs::create_dir_all(&folder).expect("the seeds can be written");
    fs::write(folder.join(name), bytes).expect("the seeds can be written");
}
