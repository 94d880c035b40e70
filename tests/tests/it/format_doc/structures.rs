//! Structures as `heap::format` encodes them, against the offsets, sizes and values that the page gives.

use heap::format::catalog::{
    self, CatalogRoot, EXTENT_ENTRY, ExtentEntry, ROOT_ENTRY, ROOT_LEN, RootEntry, Run, STREAMS, Stream, TABLE_ENTRY,
    TableEntry, TableKind,
};
use heap::format::frame::{self, FRAME_HEADER, FrameHeader, Operation, SEGMENT_HEADER, SegmentHeader};
use heap::format::handle::{self, Handle};
use heap::format::header::{self, ByteOrder, FileState, Header, LogStart, PAGE};
use heap::format::history::{self, DroppedField, History, Kept, Receipt, ReceiptKind, TypeReceipt};
use heap::format::slot::{self, CLASSES, Kind};
use heap::format::{BLOCK, MAX_REGIONS, REGION};

use super::tables::{Document, Table};

type Result<T = (), E = String> = std::result::Result<T, E>;

/// Holds the whole page against the code.
///
/// # Errors
/// Says what lies elsewhere than the page says.
pub(super) fn check(document: &Document) -> Result {
    check_constants(document.table("constants")?)?;
    check_header(only(document, "heap/src/format/header.rs")?)?;
    check_catalog(document.section("heap/src/format/catalog.rs")?)?;
    check_history(document.section("heap/src/format/history.rs")?)?;
    check_kinds(document.table("kinds")?)?;
    check_classes(document.text("classes")?)?;
    check_slot(document.section("heap/src/format/slot.rs")?)?;
    check_handle(only(document, "heap/src/format/handle.rs")?)?;
    check_log(document.section("heap/src/format/frame.rs")?)
}

fn only<'d>(document: &'d Document, source: &str) -> Result<&'d Table> {
    match document.section(source)? {
        [table] => Ok(table),
        tables => Err(format!("{source} has {} tables instead of one", tables.len())),
    }
}

/// Every constant of the format by its name in the page.
#[allow(clippy::cast_lossless, clippy::unnecessary_cast)] // they are of all widths
pub(super) fn constants() -> Vec<(&'static str, u64)> {
    macro_rules! values {
        ($($($name:ident)::+),* $(,)?) => {
            vec![$((values!(@ $($name)::+), $($name)::+ as u64)),*]
        };
        (@ $name:ident) => { stringify!($name) };
        (@ $module:ident::$name:ident) => { concat!(stringify!($module), "::", stringify!($name)) };
    }
    values![
        BLOCK,
        REGION,
        MAX_REGIONS,
        header::PAGE,
        header::MAJOR,
        header::MINOR,
        header::WRITER_LOCK,
        header::RETAIN_LOCK,
        header::MAX_COUNTER,
        header::KNOWN_READ_FLAGS,
        header::KNOWN_WRITE_FLAGS,
        header::HOLDS_SECRETS,
        catalog::ROOT_AT,
        catalog::ROOT_LEN,
        catalog::STREAMS,
        catalog::TABLE_ENTRY,
        catalog::EXTENT_ENTRY,
        catalog::ROOT_ENTRY,
        catalog::MAX_ROOT_NAME,
        history::MAX_HISTORY,
        frame::SEGMENT,
        frame::SEGMENT_HEADER,
        frame::FRAME_HEADER,
        frame::MAX_PAYLOAD,
        handle::GENERATION_BITS,
        handle::REGION_BITS,
        handle::INDEX_BITS,
        handle::LAST_GENERATION,
        handle::EMPTY,
        slot::HEADER,
        slot::CLASS_COUNT,
    ]
}

fn check_constants(table: &Table) -> Result {
    let constants = constants();
    if table.rows.len() != constants.len() {
        return Err(format!("the page has {} constants, the code {}", table.rows.len(), constants.len()));
    }
    for (row, (name, value)) in constants.into_iter().enumerate() {
        let (found, shown) = (table.cell(row, "CONSTANT")?, table.cell(row, "VALUE")?);
        if found != format!("`{name}`") || shown != value.to_string() {
            return Err(format!("the page says {found} = {shown}, the code {name} = {value}"));
        }
    }
    Ok(())
}

fn check_header(table: &Table) -> Result {
    let sample = Header {
        minor: 0x0b0a,
        write_flags: 0x1413_1211,
        ignorable_flags: 0x1817_1615,
        byte_order: ByteOrder::Little,
        pointer_width: 8,
        state: FileState::Live,
        first_generation: 0x0022_2120,
        heap_id: *b"heap id, 16 byte",
        hash_key: *b"the key of maps!",
        counter: 0x4847_4645_4443_4241,
        sequence: 0x5857_5655_5453_5251,
        log: LogStart {
            epoch: 0x6867_6665_6463_6261,
            ordinal: 0x7877_7675_7473_7271,
            offset: 0x8483_8281,
            chain: 0x8887_8685,
        },
        forced: 0x9897_9695_9493_9291,
        file_len: 0xa8a7_a6a5_a4a3_a2a1,
        manifest_at: 0xb8b7_b6b5_b4b3_b2b1,
        manifest_len: 0xc8c7_c6c5_c4c3_c2c1,
        content_hash: *b"thirty-two bytes of content hash",
    };
    let page = sample.to_page();
    check_structure(
        table,
        &page,
        &[
            ("magic `IMGHEAP\\n`", b"IMGHEAP\n"),
            ("major version", &header::MAJOR.to_le_bytes()),
            ("minor version", &sample.minor.to_le_bytes()),
            ("feature flags: an unknown one refuses to read", &[0; 4]),
            ("feature flags: an unknown one refuses to write", &sample.write_flags.to_le_bytes()),
            ("feature flags: unknown ones are ignored", &sample.ignorable_flags.to_le_bytes()),
            ("byte order", &[1]),
            ("pointer width", &[sample.pointer_width]),
            ("state", &[0; 2]),
            ("first generation", &sample.first_generation.to_le_bytes()),
            ("heap id", &sample.heap_id),
            ("key of the hash maps", &sample.hash_key),
            ("counter", &sample.counter.to_le_bytes()),
            ("sequence", &sample.sequence.to_le_bytes()),
            ("epoch", &sample.log.epoch.to_le_bytes()),
            ("ordinal", &sample.log.ordinal.to_le_bytes()),
            ("offset in that segment", &sample.log.offset.to_le_bytes()),
            ("chain value", &sample.log.chain.to_le_bytes()),
            ("forced", &sample.forced.to_le_bytes()),
            ("length of the file", &sample.file_len.to_le_bytes()),
            ("images: offset of the manifest", &sample.manifest_at.to_le_bytes()),
            ("images: length of the manifest", &sample.manifest_len.to_le_bytes()),
            ("images: BLAKE3", &sample.content_hash),
            ("reserved", &[0; 3924]),
            ("CRC-32", &crc_32(&page[..PAGE - 4]).to_le_bytes()),
        ],
    )?;
    let number = |header: Header, at: usize| u64::from(header.to_page()[at]);
    let order = |byte_order| number(Header { byte_order, ..sample.clone() }, 24);
    check_numbers(table, 6, &[(order(ByteOrder::Little), "little"), (order(ByteOrder::Big), "big")])?;
    let state = |state| number(Header { state, ..sample.clone() }, 26);
    check_numbers(table, 8, &[(state(FileState::Live), "live heap"), (state(FileState::Image), "sealed image")])
}

fn check_catalog(tables: &[Table]) -> Result {
    let [root, table, extent, named] = tables else { return Err("the catalog has four tables".into()) };

    let run = |number: u64| Run { at: 0x1_0001 + number, capacity: 0x2_0001 + number, len: 0x3_0001 + number };
    let streams: [Run; STREAMS] = std::array::from_fn(|number| run(number as u64));
    let numbers: Vec<u8> =
        streams.iter().flat_map(|run| [run.at, run.capacity, run.len]).flat_map(u64::to_le_bytes).collect();
    // The rest of the root's block is never written.
    let mut block = vec![0; BLOCK as usize];
    block[..ROOT_LEN].copy_from_slice(&CatalogRoot { byte_order: Some(ByteOrder::Big), streams }.to_bytes());
    let rest = vec![0; BLOCK as usize - ROOT_LEN];
    check_structure(
        root,
        &block,
        &[
            ("magic `IMGCATLG`", b"IMGCATLG"),
            ("byte order of records", &[2]),
            ("reserved", &[0; 7]),
            ("stream s", &numbers),
            ("reserved", &rest),
        ],
    )?;
    let order = |byte_order| u64::from(CatalogRoot { byte_order, streams }.to_bytes()[8]);
    let orders = [
        (order(None), "as the header says"),
        (order(Some(ByteOrder::Little)), "little"),
        (order(Some(ByteOrder::Big)), "big"),
    ];
    check_numbers(root, 1, &orders)?;
    let stream = |stream: Stream, word| (stream as u64, word);
    check_numbers(
        root,
        3,
        &[
            stream(Stream::Tables, "tables"),
            stream(Stream::Extents, "extents"),
            stream(Stream::Roots, "roots"),
            stream(Stream::Registry, "registry"),
            stream(Stream::Checksums, "checksums"),
            stream(Stream::History, "history"),
        ],
    )?;

    let entry =
        |kind| TableEntry { kind, stride: 0x0c0b_0a09, first: 0x100f_0e0d, used: 0x1716_1514, live: 0x1f1e_1d1c };
    let records = entry(TableKind::Records(0x0807_0605));
    let bytes: [u8; TABLE_ENTRY] = records.to_bytes();
    check_structure(
        table,
        &bytes,
        &[
            ("kind", &1_u32.to_le_bytes()),
            ("records: shape number", &0x0807_0605_u32.to_le_bytes()),
            ("stride", &records.stride.to_le_bytes()),
            ("offset of the first slot", &records.first.to_le_bytes()),
            ("slots ever used", &records.used.to_le_bytes()),
            ("slots that live", &records.live.to_le_bytes()),
            ("reserved", &[0; 16]),
        ],
    )?;
    let kind = |kind| u64::from(entry(kind).to_bytes()[0]);
    check_numbers(
        table,
        0,
        &[
            (kind(TableKind::Records(0)), "records"),
            (kind(TableKind::Class(0)), "size class"),
            (kind(TableKind::Large), "large values"),
        ],
    )?;

    let sample = ExtentEntry { at: 0x0101, len: 0x0202, region: 0x0303, offset: 0x0404, table: 0x0505, slots: 0x0606 };
    let bytes: [u8; EXTENT_ENTRY] = sample.to_bytes();
    check_structure(
        extent,
        &bytes,
        &[
            ("offset in the file", &sample.at.to_le_bytes()),
            ("length in bytes", &sample.len.to_le_bytes()),
            ("region", &sample.region.to_le_bytes()),
            ("offset in the region", &sample.offset.to_le_bytes()),
            ("table", &sample.table.to_le_bytes()),
            ("slots the region may ever hold", &sample.slots.to_le_bytes()),
            ("schema tag: 0", &[0; 4]),
            ("reserved", &[0; 12]),
        ],
    )?;

    let sample = RootEntry { reference: 0x0807_0605_0403_0201, table: 0x0c0b_0a09, name: "n".repeat(240) };
    let bytes: [u8; ROOT_ENTRY] = sample.to_bytes();
    check_structure(
        named,
        &bytes,
        &[
            ("reference", &sample.reference.to_le_bytes()),
            ("table", &sample.table.to_le_bytes()),
            ("length of the name", &240_u16.to_le_bytes()),
            ("reserved", &[0; 2]),
            ("name", sample.name.as_bytes()),
        ],
    )
}

/// A history of one receipt, and what it is made of, each part from where the one around it ends.
fn check_history(tables: &[Table]) -> Result {
    let [history, receipt, described, text, kept] = tables else {
        return Err("the history has five tables".into());
    };

    let dropped = DroppedField { name: "dropped".into(), shape: "u32".into() };
    let census = vec!["a census".into(), "another".into()];
    let types =
        vec![TypeReceipt { name: "A type".into(), records: 0x0807_0605_0403_0201, census, dropped: vec![dropped] }];
    let sample = Receipt {
        kind: ReceiptKind::Kept,
        sequence: 0x1817_1615_1413_1211,
        time: 0x2827_2625_2423_2221,
        from: *b"the schema first",
        to: *b"the schema after",
        byte_order: Some(ByteOrder::Big),
        program: "a program".into(),
        types,
    };
    let held = Kept {
        sequence: 0x3837_3635_3433_3231,
        byte_order: Some(ByteOrder::Little),
        tables: vec![0x41; 0x43],
        extents: vec![0x42; 0x42],
        roots: vec![0x43; 0x41],
        registry: vec![0x44; 0x44],
    };
    let whole = History { receipts: vec![sample.clone()], kept: Some(held.clone()) }.to_bytes();
    let with = |receipts: Vec<Receipt>| History { receipts, kept: None }.to_bytes();
    let (one, plain) = (with(vec![sample.clone()]), Receipt { types: Vec::new(), ..sample.clone() });
    let texts = |texts: &[&str]| -> Vec<u8> {
        let one =
            |text: &&str| with(vec![Receipt { program: (*text).to_owned(), ..plain.clone() }])[16 + 64..].to_vec();
        texts.iter().flat_map(one).collect()
    };

    check_structure(
        history,
        &whole,
        &[
            ("number of receipts", &1_u32.to_le_bytes()),
            ("kept", &1_u32.to_le_bytes()),
            ("reserved", &[0; 8]),
            ("the receipts", &whole[16..]),
        ],
    )?;
    let number = |history: &[u8]| u64::from(history[4]);
    check_numbers(history, 1, &[(number(&one), "nothing"), (number(&whole), "the catalog as it was")])?;
    let bytes = &one[16..];
    let contents = [texts(&["a program"]), described_bytes(&one, &sample)].concat();
    check_structure(
        receipt,
        bytes,
        &[
            ("kind", &3_u32.to_le_bytes()),
            ("number of types", &1_u32.to_le_bytes()),
            ("sequence", &sample.sequence.to_le_bytes()),
            ("time in milliseconds since 1970", &sample.time.to_le_bytes()),
            ("fingerprint of the schema before", &sample.from),
            ("fingerprint of the schema after", &sample.to),
            ("byte order that all values were brought to", &[2]),
            ("reserved", &[0; 7]),
            ("text: the program", &contents),
        ],
    )?;
    let kind = |kind| u64::from(with(vec![Receipt { kind, ..sample.clone() }])[16]);
    check_numbers(
        receipt,
        0,
        &[
            (kind(ReceiptKind::Migrated), "migrated"),
            (kind(ReceiptKind::RolledBack), "rolled back"),
            (kind(ReceiptKind::Kept), "given up the way back"),
        ],
    )?;
    check_structure(
        described,
        &described_bytes(&one, &sample),
        &[
            ("number of records", &sample.types[0].records.to_le_bytes()),
            ("number of census lines", &2_u32.to_le_bytes()),
            ("number of dropped fields", &1_u32.to_le_bytes()),
            ("texts", &texts(&["A type", "a census", "another", "dropped", "u32"])),
        ],
    )?;
    check_structure(
        text,
        &texts(&["a program"]),
        &[("length in bytes", &9_u32.to_le_bytes()), ("characters", b"a program\0\0\0")],
    )?;
    let bytes = &whole[one.len()..];
    let padded = |stream: &Vec<u8>| [&stream[..], &vec![0; stream.len().next_multiple_of(8) - stream.len()]].concat();
    let streams = [&held.tables, &held.extents, &held.roots, &held.registry].map(padded).concat();
    check_structure(
        kept,
        bytes,
        &[
            ("sequence", &held.sequence.to_le_bytes()),
            ("length of the tables", &0x43_u64.to_le_bytes()),
            ("length of the extents", &0x42_u64.to_le_bytes()),
            ("length of the roots", &0x41_u64.to_le_bytes()),
            ("length of the registry", &0x44_u64.to_le_bytes()),
            ("reserved", &[0; 4]),
            ("byte order of the records as it was", &[1, 0, 0, 0]),
            ("these four streams", &streams),
        ],
    )
}

/// The types of a history of one receipt: what follows its program.
fn described_bytes(history: &[u8], receipt: &Receipt) -> Vec<u8> {
    history[16 + 64 + (4 + receipt.program.len()).next_multiple_of(8)..].to_vec()
}

fn check_kinds(table: &Table) -> Result {
    let mut row = 0;
    for number in 0..=15 {
        let Some(kind) = Kind::from_number(number) else { continue };
        let (found, name) = (table.cell(row, "NUMBER")?, table.cell(row, "KIND")?);
        let words = format!("{kind:?}");
        if found != number.to_string() || !words.eq_ignore_ascii_case(&name.replace([',', ' '], "")) {
            return Err(format!("the page says that kind {found} is {name}, the code that {number} is {words}"));
        }
        row += 1;
    }
    if row == table.rows.len() { Ok(()) } else { Err(format!("the page has more than {row} kinds")) }
}

fn check_classes(text: &str) -> Result {
    let found: Vec<u32> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    if found == CLASSES {
        Ok(())
    } else {
        Err(format!("the page has the size classes {found:?}, the code {CLASSES:?}"))
    }
}

fn check_slot(tables: &[Table]) -> Result {
    let [bits, _] = tables else { return Err("slots have two tables".into()) };
    // The highest number of a kind does not fill its bits, so they are what remains.
    let (generation, aux) = (slot::word(u32::MAX >> 6, Kind::Unused, 0), slot::word(0, Kind::Unused, u32::MAX));
    let kind = !(generation | aux | slot::TOUCHED | slot::UNOWNED);
    for number in 0..=15 {
        let Some(known) = Kind::from_number(number) else { continue };
        if slot::word(0, known, 0) & !kind != 0 || slot::kind(slot::word(u32::MAX >> 6, known, u32::MAX)) != Some(known)
        {
            return Err(format!("kind {known:?} is not in its bits"));
        }
    }
    check_bits(
        bits,
        &[
            ("generation", generation),
            ("unowned", slot::UNOWNED),
            ("touched", slot::TOUCHED),
            ("kind", kind),
            ("text, bytes: length in bytes", aux),
        ],
    )
}

fn check_handle(table: &Table) -> Result {
    let none = Handle { generation: 0, region: 0, index: 0 };
    check_bits(
        table,
        &[
            ("generation", Handle { generation: handle::LAST_GENERATION, ..none }.to_bits()),
            ("region", Handle { region: MAX_REGIONS - 1, ..none }.to_bits()),
            ("index", Handle { index: (1 << handle::INDEX_BITS) - 1, ..none }.to_bits()),
        ],
    )
}

fn check_log(tables: &[Table]) -> Result {
    let [segment, frame, operation] = tables else { return Err("the log has three tables".into()) };

    let sample = SegmentHeader { epoch: 0x0807_0605_0403_0201, ordinal: 0x100f_0e0d_0c0b_0a09, link: 0x1413_1211 };
    let (bytes, chain): ([u8; SEGMENT_HEADER], u32) = sample.to_bytes();
    check_structure(
        segment,
        &bytes,
        &[
            ("magic `IMGLOGSG`", b"IMGLOGSG"),
            ("epoch", &sample.epoch.to_le_bytes()),
            ("ordinal", &sample.ordinal.to_le_bytes()),
            ("link", &sample.link.to_le_bytes()),
            ("reserved", &[0; 32]),
            ("CRC-32", &crc_32(&bytes[..60]).to_le_bytes()),
        ],
    )?;
    if chain.to_le_bytes() != bytes[60..] {
        return Err("the chain value before a segment's first frame is not the CRC of the segment's header".into());
    }

    let payload = *b"a payload of 24 bytes...";
    let sample = FrameHeader { payload: payload.len() as u32, last: true, sequence: 0x0807_0605_0403_0201 };
    let (header, after): ([u8; FRAME_HEADER], u32) = sample.to_bytes(chain, &payload);
    let covered = [&chain.to_le_bytes(), &header[..16], &payload].concat();
    check_structure(
        frame,
        &[header.as_slice(), &payload].concat(),
        &[
            ("length of the payload", &sample.payload.to_le_bytes()),
            ("flags: 1 last frame of its transaction", &1_u32.to_le_bytes()),
            ("sequence", &sample.sequence.to_le_bytes()),
            ("CRC-32", &crc_32(&covered).to_le_bytes()),
            ("reserved", &[0; 4]),
            ("payload", &payload),
        ],
    )?;
    if after.to_le_bytes() != header[16..20] {
        return Err("the chain value after a frame is not its CRC".into());
    }

    let encoded = |operation: Operation<'_>| {
        let mut bytes = Vec::new();
        operation.encode(&mut bytes);
        bytes
    };
    let at = 0x0007_0605_0403_0201;
    let written = encoded(Operation::Write { at, bytes: b"ten bytes!" });
    let place = (at | 1 << 56).to_le_bytes();
    let fields: [(&str, &[u8]); 3] = [
        ("low 56 bits: offset in the heap file", &place),
        ("low 32 bits: length in bytes", &10_u64.to_le_bytes()),
        ("write: the bytes", b"ten bytes!\0\0\0\0\0\0"),
    ];
    check_structure(operation, &written, &fields)?;
    let published = encoded(Operation::Publish { at, len: 0x0403_0201, crc: 0x0807_0605 });
    if published[8..] != 0x0807_0605_0403_0201_u64.to_le_bytes() {
        return Err("a publish has not its length in the low and its CRC in the high 32 bits".into());
    }
    let zeroed = encoded(Operation::Zero { at, len: 1 });
    let kind = |bytes: &[u8]| u64::from(bytes[7]);
    check_numbers(operation, 0, &[(kind(&written), "write"), (kind(&zeroed), "zero"), (kind(&published), "publish")])
}

/// Whether `bytes` consist of exactly the rows of a table with OFFSET and SIZE, each with a meaning that begins as
/// that field's and with that field's bytes.
fn check_structure(table: &Table, bytes: &[u8], fields: &[(&str, &[u8])]) -> Result {
    if table.rows.len() != fields.len() {
        return Err(format!("{} rows for {} fields", table.rows.len(), fields.len()));
    }
    let mut end = 0;
    for (row, (name, value)) in fields.iter().enumerate() {
        let (offset, size, meaning) =
            (table.cell(row, "OFFSET")?, table.cell(row, "SIZE")?, table.cell(row, "MEANING")?);
        let next = (row + 1 < fields.len()).then(|| table.cell(row + 1, "OFFSET")).transpose()?;
        let (at, after) = extent(offset, size, next, bytes.len())
            .ok_or_else(|| format!("offset {offset:?} and size {size:?} ({meaning}) are not understood"))?;
        if !meaning.starts_with(name) {
            return Err(format!("row {row} is {meaning:?}, the code has {name:?} there"));
        }
        if at != end {
            return Err(format!("{name:?} is at {at}, and what is before it ends at {end}"));
        }
        if bytes.get(at..after) != Some(value) {
            return Err(format!("{name:?} is not what lies at {offset} in {size} bytes"));
        }
        end = after;
    }
    if end == bytes.len() { Ok(()) } else { Err(format!("the rows end at {end}, the structure at {}", bytes.len())) }
}

/// From where to where a row goes; `16+24s` repeats to the next row.
fn extent(offset: &str, size: &str, next: Option<&str>, len: usize) -> Option<(usize, usize)> {
    if let Some((first, step)) = offset.split_once('+') {
        let (first, step): (usize, usize) = (first.parse().ok()?, step.strip_suffix('s')?.parse().ok()?);
        let end: usize = next.map_or(Some(len), |next| next.parse().ok())?;
        let whole = size.parse() == Ok(step) && end.checked_sub(first)?.is_multiple_of(step);
        return whole.then_some((first, end));
    }
    let at: usize = offset.parse().ok()?;
    let end = if size == "…" { len } else { at + size.parse::<usize>().ok()? };
    Some((at, end))
}

/// Whether the rows of a table with BITS are these, in this order, and together all 64.
fn check_bits(table: &Table, fields: &[(&str, u64)]) -> Result {
    if table.rows.len() != fields.len() {
        return Err(format!("{} rows for {} fields", table.rows.len(), fields.len()));
    }
    let mut seen = 0;
    for (row, &(name, mask)) in fields.iter().enumerate() {
        let (bits, meaning) = (table.cell(row, "BITS")?, table.cell(row, "MEANING")?);
        let (low, high) = bits.split_once('–').unwrap_or((bits, bits));
        let (low, high): (u32, u32) = match (low.parse(), high.parse()) {
            (Ok(low), Ok(high)) if low <= high && high < 64 => (low, high),
            _ => return Err(format!("bits {bits:?} are not understood")),
        };
        let found = u64::MAX >> (63 - high) & u64::MAX << low;
        if found != mask || !meaning.starts_with(name) {
            return Err(format!("bits {bits} are {meaning:?} in the page, {name:?} is {mask:#x} in the code"));
        }
        seen |= mask;
    }
    if seen == u64::MAX { Ok(()) } else { Err(format!("bits {:#x} have no meaning", !seen)) }
}

/// Whether the meaning of a row names each of these numbers, as `1 little`.
fn check_numbers(table: &Table, row: usize, numbers: &[(u64, &str)]) -> Result {
    let meaning = table.cell(row, "MEANING")?;
    match numbers.iter().find(|(number, word)| !meaning.contains(&format!("{number} {word}"))) {
        Some((number, word)) => Err(format!("{word} is {number} in the code; the page says {meaning:?}")),
        None => Ok(()),
    }
}

/// CRC-32 as the page defines it, and not as the library computes it.
fn crc_32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}
