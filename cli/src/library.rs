//! Everything that the command asks of the image library, in one place. The modules of [`commands`](crate::commands)
//! know only the answers, as structs of their own.
//!
//! A heap may be open in a program that writes to it. It is looked at as a dump looks at it: under its log, which is
//! retained meanwhile, so that what is read is one committed state.

mod migration;
mod values;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use heap::control;
use heap::format::catalog::TableKind;
use heap::format::header::{ByteOrder, FileState, HOLDS_SECRETS, Header};
use heap::format::history::{DroppedField, History, Receipt, ReceiptKind, TypeReceipt};
use heap::read::{Catalog, Checks, Reader, read_header};
use image::inspect::{Found, View};
use image::manifest::Manifest;
use image::{DumpOptions, DumpSource, Dumped, FileReport, Held, OutputFile, Replace, Secrets};

use crate::commands::{dump, export, info, keep, migrate, secrets, show, types, verify};
use crate::failure::Failure;

pub(crate) use migration::{Pending, State, lock, migrate, pending, sample, schema, verified};

/// A file, opened for looking.
enum Opened {
    /// An image, which nobody changes.
    Image(Box<Reader<File>>),
    /// A heap, which somebody may be writing to.
    Heap(Box<Held>),
}

impl Opened {
    fn open(path: &Path) -> Result<Self, image::Error> {
        let file = File::open(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => heap::Error::NotFound { path: path.to_owned() }.into(),
            _ => image::Error::Io { action: format!("opening {}", path.display()), source },
        })?;
        let (header, _) = read_header(&file, path)?;
        match header.state {
            FileState::Image => Ok(Self::Image(Box::new(Reader::open(file, path, Checks::Strict)?))),
            FileState::Live => Ok(Self::Heap(Box::new(Held::open(&DumpSource::of_path(path))?))),
        }
    }

    /// Reads something of it. What was read of a heap whose hold was lost is not handed out.
    fn read<T>(&self, read: impl FnOnce(&Reader<File>) -> Result<T, image::Error>) -> Result<T, image::Error> {
        match self {
            Self::Image(reader) => read(reader),
            Self::Heap(held) => held.read(read),
        }
    }

    fn sequence(&self) -> u64 {
        match self {
            Self::Image(reader) => reader.header().sequence,
            Self::Heap(held) => held.sequence(),
        }
    }
}

/// Opens a file and reads something of it.
fn look<T>(path: &Path, read: impl FnOnce(&Opened, &Reader<File>) -> Result<T, image::Error>) -> Result<T, Failure> {
    let looked = Opened::open(path).and_then(|opened| opened.read(|reader| read(&opened, reader)));
    looked.map_err(|error| Failure::about(path, error))
}

/// Makes an image, or with `--dry-run` only finds out what it would hold.
pub(crate) fn dump(source: &dump::Source, options: &dump::Options) -> Result<dump::Report, Failure> {
    let name = source.name();
    let writer = match source {
        dump::Source::Path(path) => control::for_heap(path),
        dump::Source::Process { info, .. } => Some(info.clone()),
    };
    let program = writer.as_ref().map_or_else(String::new, |info| info.program.clone());
    let from = match source {
        dump::Source::Path(path) => DumpSource { program, ..DumpSource::of_path(path) },
        dump::Source::Process { files, .. } => DumpSource { heap: files.heap.clone(), log: files.log.clone(), program },
    };
    let begun = SystemTime::now();
    let Some(output) = options.output.as_deref().filter(|_| !options.dry_run) else {
        let report = would_dump(&from, options, writer.is_some());
        return report
            .map(|report| dump::Report { heap: name.display().to_string(), ..report })
            .map_err(|error| Failure::about(name, error));
    };
    if options.include_secrets {
        secrets::record(name, output, options.reason.as_deref(), begun)?;
    }
    let dump_options = DumpOptions {
        secrets: wanted(options),
        replace: if options.force { Replace::Force } else { Replace::Never },
        reproducible: options.reproducible,
    };
    let dumped = image::dump(&from, output, &dump_options).map_err(|error| Failure::about(name, error))?;
    let Dumped { sealed, arena_len, took } = dumped;
    Ok(dump::Report {
        heap: name.display().to_string(),
        live: writer.is_some(),
        schema: hexadecimal(&sealed.manifest.schema[..4]),
        sequence: sealed.manifest.sequence,
        time: since_1970(begun),
        durable: sealed.manifest.durable,
        records: sealed.manifest.types.iter().map(|total| total.records).sum(),
        arena_bytes: arena_len,
        image: Some(output.display().to_string()),
        bytes: sealed.len,
        blake3: Some(hexadecimal(&sealed.content_hash)),
        holds_secrets: sealed.manifest.redaction.is_some(),
        seconds: took.as_secs_f64(),
    })
}

fn wanted(options: &dump::Options) -> Secrets {
    if options.include_secrets { Secrets::Include { reason: options.reason.clone() } } else { Secrets::Refuse }
}

fn would_dump(from: &DumpSource, options: &dump::Options, live: bool) -> Result<dump::Report, image::Error> {
    let begun = (SystemTime::now(), Instant::now());
    let held = Held::open(from)?;
    let fields = image::secret_fields(&held.reader().catalog().registry().schema.current());
    if !fields.is_empty() && wanted(options) == Secrets::Refuse {
        return Err(image::Error::Secrets { fields });
    }
    held.read(|reader| {
        let catalog = reader.catalog();
        let streams: u64 = catalog.root().streams.iter().map(|run| run.capacity).sum();
        Ok(dump::Report {
            heap: String::new(),
            live,
            schema: catalog.registry().schema.current().fingerprint().to_string(),
            sequence: held.sequence(),
            time: since_1970(begun.0),
            durable: held.sequence() == reader.header().sequence,
            records: records(catalog),
            arena_bytes: held.arena_len(),
            image: None,
            bytes: held.arena_len() + streams,
            blake3: None,
            holds_secrets: !fields.is_empty(),
            seconds: begun.1.elapsed().as_secs_f64(),
        })
    })
}

/// What the file is.
pub(crate) fn info(file: &Path) -> Result<info::Report, Failure> {
    look(file, |opened, reader| {
        let (header, catalog) = (reader.header(), reader.catalog());
        let view = View::of_reader(reader)?;
        let roots =
            view.roots().map(|(name, reference)| info::Root { name: name.into(), record: view.name(reference) });
        Ok(info::Report {
            file: file.display().to_string(),
            kind: if header.state == FileState::Image { info::Kind::Image } else { info::Kind::Heap },
            bytes: std::fs::metadata(file).map_or(header.file_len, |found| found.len()),
            heap_id: hexadecimal(&header.heap_id),
            schema: format!("{:#}", catalog.registry().schema.current().fingerprint()),
            sequence: opened.sequence(),
            byte_order: name_of_order(catalog.byte_order(header)),
            pointer_width: header.pointer_width,
            types: view.types().count() as u64,
            records: records(catalog),
            roots: roots.collect(),
            stats: stats(opened, header, catalog),
            manifest: manifest(reader)?,
            open_in: control::for_heap(file).map(|info| info.pid),
            way_back: way_back(catalog.history(), opened.sequence()),
            history: catalog.history().receipts.iter().map(receipt).collect(),
        })
    })
}

const fn name_of_order(order: ByteOrder) -> &'static str {
    match order {
        ByteOrder::Little => "little",
        ByteOrder::Big => "big",
    }
}

fn way_back(history: &History, sequence: u64) -> Option<info::WayBack> {
    let migrated = history.kept.as_ref()?.sequence;
    let receipt = history.receipts.iter().rfind(|receipt| receipt.sequence == migrated)?;
    Some(info::WayBack {
        as_of: migrated.saturating_sub(1),
        to: hexadecimal(&receipt.from),
        since: receipt.time,
        commits: sequence.saturating_sub(migrated),
    })
}

fn receipt(receipt: &Receipt) -> info::Receipt {
    let dropped = |field: &DroppedField| info::Dropped { name: field.name.clone(), shape: field.shape.clone() };
    let converted = |described: &TypeReceipt| info::Converted {
        name: described.name.clone(),
        records: described.records,
        census: described.census.clone(),
        dropped: described.dropped.iter().map(dropped).collect(),
    };
    info::Receipt {
        kind: match receipt.kind {
            ReceiptKind::Migrated => info::ReceiptKind::Migrated,
            ReceiptKind::RolledBack => info::ReceiptKind::RolledBack,
            ReceiptKind::Kept => info::ReceiptKind::Kept,
        },
        sequence: receipt.sequence,
        time: receipt.time,
        from: hexadecimal(&receipt.from),
        to: hexadecimal(&receipt.to),
        byte_order: receipt.byte_order.map(name_of_order),
        program: receipt.program.clone(),
        types: receipt.types.iter().map(converted).collect(),
    }
}

/// Gives up the way back.
pub(crate) fn keep(file: &Path) -> Result<keep::Report, Failure> {
    let given_up = heap::keep(file).map_err(|error| Failure::about(file, error.into()))?;
    Ok(keep::Report {
        file: file.display().to_string(),
        sequence: given_up.as_ref().map(|given_up| given_up.sequence.number()),
        bytes: given_up.map_or(0, |given_up| given_up.len),
    })
}

/// Undoes the last migration, and so many commits that were made since.
pub(crate) fn rollback(file: &Path, losing: u64) -> Result<migrate::RolledBack, Failure> {
    let begun = Instant::now();
    let done = heap::rollback_losing(file, losing).map_err(|error| Failure::about(file, error.into()))?;
    Ok(migrate::RolledBack {
        file: file.display().to_string(),
        from: hexadecimal(&done.from),
        to: hexadecimal(&done.to),
        sequence: done.sequence.number(),
        as_of: done.as_of.number(),
        lost: done.lost,
        seconds: begun.elapsed().as_secs_f64(),
    })
}

fn stats(opened: &Opened, header: &Header, catalog: &Catalog) -> info::Stats {
    let tables = || catalog.tables().iter().map(|table| table.entry);
    let log_bytes = match opened {
        Opened::Image(_) => 0,
        Opened::Heap(held) => held.log_len(),
    };
    info::Stats {
        arena_bytes: catalog.extents().iter().map(|extent| extent.entry.len).sum(),
        slots_live: tables().map(|entry| entry.live).sum(),
        slots_free: tables().map(|entry| entry.used - entry.live).sum(),
        kept_bytes: catalog.kept_len(),
        log_bytes,
        checkpoint_sequence: header.sequence,
        checkpoint_lag: opened.sequence() - header.sequence,
    }
}

fn manifest(reader: &Reader<File>) -> Result<Option<info::Manifest>, image::Error> {
    let header = reader.header();
    if header.state != FileState::Image {
        return Ok(None);
    }
    let manifest = Manifest::read(reader.source().base(), header.manifest_at, header.manifest_len)?;
    let holds_secrets = header.ignorable_flags & HOLDS_SECRETS != 0;
    let provenance = manifest.provenance;
    Ok(Some(info::Manifest {
        program: manifest.program,
        made: provenance.as_ref().map(|provenance| provenance.time.saturating_mul(1000)),
        host: provenance.map(|provenance| provenance.host).filter(|host| !host.is_empty()),
        redacted: manifest.redaction.is_some() && !holds_secrets,
        holds_secrets,
    }))
}

/// The types in the file.
pub(crate) fn types(file: &Path) -> Result<types::Report, Failure> {
    look(file, |_, reader| {
        let view = View::of_reader(reader)?;
        let rows = view.types().map(|summary| {
            let shallow = view.table_sizes(summary.table)?.total();
            Ok(types::Row { name: summary.name.to_owned(), count: summary.records, shallow, retained: None })
        });
        let mut types = rows.collect::<Result<Vec<_>, image::Error>>()?;
        types.sort_by(|a, b| b.shallow.cmp(&a.shallow).then_with(|| a.name.cmp(&b.name)));
        Ok(types::Report { types })
    })
}

/// A record of the file, or a value in one.
pub(crate) fn show(file: &Path, place: &image::inspect::Path) -> Result<show::Report, Failure> {
    look(file, |_, reader| {
        let view = View::of_reader(reader)?;
        match view.find(place)? {
            Found::Record(record) => values::record(&view, &record).map(show::Report::Record),
            Found::Value(reference, value) => Ok(show::Report::Value(show::Inner {
                path: place.to_string(),
                record: view.name(reference),
                value: values::value(&view, &value)?,
            })),
        }
    })
}

/// Checks the whole file.
pub(crate) fn verify(file: &Path) -> Result<verify::Report, Failure> {
    let name = file.display().to_string();
    let nothing = verify::Report::of(name.clone());
    look(file, |_, reader| {
        let FileReport { header, manifest, blocks, values } = match FileReport::of(reader) {
            Ok(report) => report,
            Err(error) => return damage(&error).map(|damage| nothing.with(damage)).ok_or(error),
        };
        Ok(verify::Report {
            file: name,
            blocks,
            records: records(reader.catalog()),
            references: values.references,
            stale_references: values.stale_references,
            types: reader.catalog().tables().iter().filter(|table| table.type_number.is_some()).count() as u64,
            redacted: manifest.is_some_and(|manifest| manifest.redaction.is_some())
                && header.ignorable_flags & HOLDS_SECRETS == 0,
            damages: Vec::new(),
            further_damages: 0,
        })
    })
}

/// A damaged place, if that is what went wrong.
fn damage(error: &image::Error) -> Option<verify::Damage> {
    let code = error.code();
    match error {
        image::Error::Heap(heap::Error::Corrupt { at, what }) => {
            Some(verify::Damage { code, at: at.to_string(), what: what.to_string() })
        }
        image::Error::Manifest(what) => Some(verify::Damage { code, at: "the manifest".into(), what: what.clone() }),
        image::Error::Content(what) => Some(verify::Damage { code, at: "the content".into(), what: what.clone() }),
        _ => None,
    }
}

/// Writes the file's records in another format.
pub(crate) fn export(options: &export::Options) -> Result<export::Report, Failure> {
    let replace = if options.force { Replace::Force } else { Replace::Never };
    let format = match options.format {
        export::Format::Json => image::export::Format::Json,
        export::Format::Jsonl => image::export::Format::JsonLines,
    };
    let (file, records) = look(&options.file, |_, reader| {
        let mut out = BufWriter::with_capacity(1 << 20, OutputFile::create(&options.output, replace)?);
        image::export::export(&View::of_reader(reader)?, format, &mut out)?;
        let writing = |source| image::Error::Io { action: format!("writing {}", options.output.display()), source };
        out.flush().map_err(writing)?;
        let file = out.into_inner().map_err(|error| writing(error.into_error()))?;
        Ok((file, records(reader.catalog())))
    })?;
    file.finish().map_err(|error| Failure::about(&options.output, error))?;
    let bytes = std::fs::metadata(&options.output).map_or(0, |found| found.len());
    Ok(export::Report { file: options.output.display().to_string(), bytes, records })
}

/// Live records.
fn records(catalog: &Catalog) -> u64 {
    let tables = catalog.tables().iter().map(|table| table.entry);
    tables.filter(|entry| matches!(entry.kind, TableKind::Records(_))).map(|entry| entry.live).sum()
}

fn since_1970(moment: SystemTime) -> u64 {
    moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis() as u64
}

fn hexadecimal(bytes: &[u8]) -> String {
    show::hexadecimal(bytes)
}
