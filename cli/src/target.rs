//! Where the types that a heap is held against come from: a program that is asked, a schema's JSON, another heap or
//! image.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use heap::Types;
use migrate::Schema;
use tempfile::NamedTempFile;

use crate::failure::Failure;
use crate::library;
use crate::program;

/// The longest schema that is read, in bytes.
const LONGEST: u64 = 64 << 20;

/// Types, and who can migrate a heap to them.
#[derive(Debug)]
pub(crate) struct Target {
    /// The file that was named, or the program that brings a heap back to its types.
    pub(crate) path: PathBuf,
    /// The types, without hooks.
    pub(crate) types: Types,
    /// What the program said, where it is one.
    pub(crate) program: Option<Program>,
    /// The schema of an older program, as that is told.
    older: Option<NamedTempFile>,
}

/// A program with types.
#[derive(Debug)]
pub(crate) struct Program {
    /// What it calls itself.
    pub(crate) name: String,
    /// Names of the types that it makes by hooks.
    pub(crate) hooks: Vec<String>,
    /// Whether it does something with the whole heap when all records are converted.
    pub(crate) after: bool,
}

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Heap,
    Json,
    Other,
}

impl Target {
    /// A program, which is asked, or a schema's JSON.
    pub(crate) fn find(path: &Path) -> Result<Self, Failure> {
        let (types, program) = match kind(path)? {
            Kind::Heap => (types(path, library::schema(path)?)?, None),
            Kind::Json => (types(path, read_json(path)?)?, None),
            Kind::Other => {
                let said = program::introduction(path, None)?;
                let schema = Schema::from_json(&said.schema).map_err(|error| no_schema(path, &error))?;
                let program = Program { name: said.program, hooks: said.hooks, after: said.after };
                (types(path, schema)?, Some(program))
            }
        };
        Ok(Self { path: path.to_owned(), types, program, older: None })
    }

    /// These types, to which a newer program brings heaps back by its `down` hooks.
    pub(crate) fn with(self, newer: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::new("IMG-0901", "cannot write a temporary file").cause(&error);
        let mut older = NamedTempFile::new().map_err(failed)?;
        older.write_all(self.types.schema().to_json().as_bytes()).map_err(failed)?;
        let said = program::introduction(newer, Some(older.path()))?;
        let schema = Schema::from_json(&said.schema).map_err(|error| no_schema(newer, &error))?;
        if schema != *self.types.schema() {
            return Err(Failure::new("IMG-0709", format!("{} knows of no way back", newer.display()))
                .cause("it answers with its own types when it is asked for older ones")
                .help("build the program with the version of heap that this command is of"));
        }
        let program = Program { name: said.program, hooks: said.hooks, after: said.after };
        Ok(Self { path: newer.to_owned(), types: self.types, program: Some(program), older: Some(older) })
    }

    /// The file that tells the program of the older types.
    pub(crate) fn older(&self) -> Option<&Path> {
        self.older.as_ref().map(NamedTempFile::path)
    }

    /// Names of the types that hooks make.
    pub(crate) fn hooks(&self) -> &[String] {
        self.program.as_ref().map_or(&[], |program| &program.hooks)
    }
}

/// The schema of a heap, an image, or a schema's JSON. No program is started.
pub(crate) fn schema(path: &Path) -> Result<Schema, Failure> {
    match kind(path)? {
        Kind::Heap => library::schema(path),
        Kind::Json => read_json(path),
        Kind::Other => Err(Failure::new("IMG-0203", format!("{} is no heap, no image and no schema", path.display()))
            .help("image schema HEAP --json > schema.json")),
    }
}

/// The types of a schema.
pub(crate) fn types(path: &Path, schema: Schema) -> Result<Types, Failure> {
    Types::from_schema(schema).map_err(|error| no_schema(path, &error))
}

fn read_json(path: &Path) -> Result<Schema, Failure> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    match read {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(no_schema(path, &error)),
        read => read.map_err(|error| Failure::reading(path, &error))?,
    };
    Schema::from_json(&text).map_err(|error| no_schema(path, &error))
}

fn no_schema(path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::new("IMG-0203", format!("{} is no schema", path.display()))
        .cause(error)
        .help("image schema HEAP --json > schema.json")
}

fn kind(path: &Path) -> Result<Kind, Failure> {
    let mut start = Vec::new();
    let mut file = File::open(path).map_err(|error| Failure::reading(path, &error))?;
    (&mut file).take(4096).read_to_end(&mut start).map_err(|error| Failure::reading(path, &error))?;
    if start.starts_with(&heap::format::header::MAGIC) {
        return Ok(Kind::Heap);
    }
    // What is empty, or says it is JSON by its name, is no program either.
    let is_json = start.trim_ascii_start().first().is_none_or(|&byte| byte == b'{' || byte == b'[');
    let is_named = path.extension().is_some_and(|extension| extension == "json" || extension == "lock");
    Ok(if is_json || is_named { Kind::Json } else { Kind::Other })
}
