//! `image schema`: layouts, and how two of them differ.

use std::path::{Path, PathBuf};

use migrate::{Answers, Body, Field, Plan, Schema, TypeDescriptor};
use serde::Serialize;

use crate::escape::visible;
use crate::failure::{Exit, Failure};
use crate::figures;
use crate::library;
use crate::output::Output;
use crate::table::{Align, Table};
use crate::target;

/// What `image schema` takes.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Options {
    /// A heap file, an image, or a schema.json
    #[arg(value_name = "HEAP", required = true)]
    file: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What else can be asked about schemas.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Tell how the records of A would become those of B
    Diff {
        /// A heap file, an image, or a schema.json
        a: PathBuf,
        /// Another one
        b: PathBuf,
    },
    /// Tell whether a heap's types are those of a schema
    Check {
        /// A heap file or an image
        #[arg(value_name = "HEAP")]
        file: PathBuf,
        /// The schema.lock of a program, or a schema.json
        #[arg(long, value_name = "SCHEMA")]
        against: PathBuf,
    },
}

/// Does what was asked for.
pub(crate) fn run(options: &Options, output: &mut Output) -> Result<Exit, Failure> {
    match (&options.command, &options.file) {
        (Some(Command::Diff { a, b }), _) => diff(a, b, output),
        (Some(Command::Check { file, against }), _) => check(file, against, output),
        (None, Some(file)) => print(&target::schema(file)?, output),
        (None, None) => Err(Failure::new("IMG-0201", "no heap was given").help("image schema --help")),
    }
}

fn print(schema: &Schema, output: &mut Output) -> Result<Exit, Failure> {
    if output.is_json() {
        // The form that `--to`, `diff`, `check` and the schema lock read. It escapes what could not be seen.
        let json = schema.to_json();
        output.raw(json.as_bytes())?;
        if !json.ends_with('\n') {
            output.raw(b"\n")?;
        }
        return Ok(Exit::Done);
    }
    let types = figures::counted(schema.types.len() as u64, "type");
    output.line(format_args!("schema {}  {types}", schema.fingerprint()))?;
    for described in &schema.types {
        output.line("")?;
        let TypeDescriptor { name, size, align, attributes, .. } = described;
        let secret = if attributes.secret.is_some() { ", secret" } else { "" };
        let size = figures::size(u64::from(*size));
        output.line(format_args!("{}  {size}, aligned to {align}{secret}", visible(name)))?;
        let mut table = Table::new(&[("  OFFSET", Align::Right), ("FIELD", Align::Left), ("TYPE", Align::Left)]);
        match &described.body {
            Body::Struct(fields) => fields.iter().for_each(|field| row(&mut table, "", field)),
            Body::Enum { tag_offset, tag, variants } => {
                let sign = if tag.signed { "i" } else { "u" };
                let shape = format!("{sign}{}", u32::from(tag.width) * 8);
                table.row([tag_offset.to_string(), "(tag)".into(), shape]);
                for variant in variants {
                    table.row([String::new(), format!("::{}", variant.name), format!("tag {}", variant.tag)]);
                    let prefix = format!("::{}.", variant.name);
                    variant.fields.iter().for_each(|field| row(&mut table, &prefix, field));
                }
            }
        }
        output.table(&table)?;
    }
    Ok(Exit::Done)
}

fn row(table: &mut Table, prefix: &str, field: &Field) {
    let secret = if field.attributes.secret.is_some() { "  (secret)" } else { "" };
    table.row([field.offset.to_string(), format!("{prefix}{}", field.name), format!("{}{secret}", field.shape)]);
}

/// How two schemas differ, as JSON.
#[derive(Debug, Serialize)]
struct Difference {
    equal: bool,
    from: String,
    to: String,
    /// The plan in words.
    plan: Option<String>,
    /// Whether nobody has to decide anything, whatever the records hold.
    decided: bool,
}

fn diff(a: &Path, b: &Path, output: &mut Output) -> Result<Exit, Failure> {
    let (old, new) = (target::schema(a)?, target::schema(b)?);
    for (path, schema) in [(a, &old), (b, &new)] {
        // What a heap holds is checked already; a JSON may say anything.
        target::types(path, schema.clone())?;
    }
    let (from, to) = (old.fingerprint(), new.fingerprint());
    let equal = from == to;
    let plan = (!equal).then(|| Plan::with_answers(&old, &new, &Answers::default()));
    if output.is_json() {
        output.json(&Difference {
            equal,
            from: format!("{from:#}"),
            to: format!("{to:#}"),
            decided: plan.as_ref().is_none_or(|plan| plan.questions.is_empty() && plan.faults.is_empty()),
            plan: plan.as_ref().map(ToString::to_string),
        })?;
    } else if let Some(plan) = &plan {
        output.line(format_args!("from {from}  to {to}"))?;
        print_plan(&plan.to_string(), output)?;
    } else {
        output.line(format_args!("same ({from})"))?;
    }
    Ok(if equal { Exit::Done } else { Exit::No })
}

fn check(file: &Path, against: &Path, output: &mut Output) -> Result<Exit, Failure> {
    let types = target::types(against, target::schema(against)?)?;
    let (_, pending) = library::pending(file, &types, &Answers::default())?;
    // A heap of another byte order may have these very types.
    let pending = pending.filter(|pending| pending.plan.old != pending.plan.new);
    let (from, to) = (library::schema(file)?.fingerprint(), types.schema().fingerprint());
    let decided = pending.as_ref().is_none_or(|pending| pending.plan.decide(&pending.findings).is_ok());
    let plan = pending.as_ref().map(|pending| pending.plan.display_with(&pending.findings).to_string());
    let equal = plan.is_none();
    if output.is_json() {
        output.json(&Difference { equal, from: format!("{from:#}"), to: format!("{to:#}"), plan, decided })?;
    } else if let Some(plan) = &plan {
        output.line(format_args!("differs: from {from}  to {to}"))?;
        print_plan(plan, output)?;
    } else {
        let (file, against) = (file.display().to_string(), against.display().to_string());
        output.line(format_args!("ok: the types of {} are those of {}", visible(&file), visible(&against)))?;
    }
    Ok(if equal { Exit::Done } else { Exit::No })
}

/// The plan escapes what comes from a heap.
fn print_plan(plan: &str, output: &mut Output) -> Result<(), Failure> {
    plan.trim_end().lines().try_for_each(|line| output.line(line))
}
