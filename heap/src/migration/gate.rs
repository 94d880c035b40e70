//! The gate: whether a heap's records can follow the program's types. Nothing is written before it is passed.

use std::collections::HashSet;

use migrate::{Answers, ByteOrder, Findings, Plan, Question, Registry};

use super::apply::{self, DroppedTable, TableWork};
use super::newer::{self, WayBack};
use super::scan::Scanned;
use super::transcode::Foreign;
use super::visits::Visits;
use super::{receipt, registry};
use crate::error::{Error, Result};
use crate::format::catalog::TableKind;
use crate::format::header::Header;
use crate::options::{Migrate, Options};
use crate::read::{Catalog, Checks, Overlay, Reader, Source};
use crate::storage::Storage;
use crate::types::Types;
use crate::verify;

/// A migration that may go on.
#[derive(Debug)]
pub(crate) struct Passed {
    /// How the heap's values come to this machine's byte order, where they have another one.
    pub(crate) foreign: Option<Foreign>,
    pub(crate) plan: Plan,
    pub(crate) findings: Findings,
    /// Handles of the records that become values by themselves.
    pub(crate) taken: HashSet<u64>,
    /// The tables that are rewritten, with the conversions of their records.
    pub(crate) tables: Vec<TableWork>,
    /// The tables whose records are dropped with their types.
    pub(crate) dropped: Vec<DroppedTable>,
    /// The registry afterwards.
    pub(crate) registry: Registry,
    /// The program's types, with their hooks.
    pub(crate) types: Types,
    /// In which order regions are rewritten.
    pub(crate) visits: Visits,
}

/// Plans the way from the heap, as of its last commit, to this machine and the program's types; `None` when there is
/// nothing to do.
pub(crate) fn pass<S: Source>(
    storage: &dyn Storage,
    base: S,
    header: &Header,
    options: &Options,
) -> Result<Option<Passed>> {
    // A program that names no types leaves them as they are.
    let types = options.types.clone().unwrap_or_default();
    let (overlay, _) = Overlay::under_log(storage, header, base)?;
    let reader = Reader::with_overlay(overlay, header.clone(), Checks::Strict)?;
    let planned = plan(&reader, &types, &options.answers, Unsaid::Kept)?;
    let Some((plan, registry, way_back)) = planned else { return Ok(None) };
    // What the program does after a migration of its types, it does not after one of bytes alone.
    let is_of_types = plan.foreign.is_none() || plan.old != plan.new;
    let types = if is_of_types { types } else { Types::default() };
    let foreign = plan.foreign.map(|from| Foreign::new(reader.catalog().registry(), from)).transpose()?;
    if foreign.is_some() {
        // After it was transcoded, nothing would tell damage from values, and recovery writes before that.
        reader.check_published()?;
        verify::verify(&reader.load()?, reader.catalog(), header)?;
    }
    let Scanned { findings, taken } = super::scan::scan(&reader, &plan)?;
    if options.migrate != Migrate::Automatic {
        return Err(Error::Pending { plan: Box::new(plan), findings: Box::new(findings) });
    }
    if let Err(refusal) = plan.decide(&findings) {
        return Err(Error::Refused { plan: Box::new(plan), refusal: Box::new(refusal) });
    }
    let tables = apply::tables(&plan, &registry, &types, reader.catalog(), &taken);
    let tables = tables.map_err(|error| way_back.explain(error))?;
    let dropped = apply::dropped(&plan, reader.catalog());
    let visits = Visits::of(options);
    Ok(Some(Passed { foreign, plan, findings, taken, tables, dropped, registry, types, visits }))
}

impl Types {
    /// How the records of a heap would follow these types, and what the live values say about it; `None` where nothing
    /// has to be done. A heap of another byte order has to be transcoded at least. `answers` are what people decided;
    /// where they name types with hooks, the plan counts on them.
    ///
    /// Where the program gives a field's secret mark up, that is a question of the plan; opening a heap for the types does
    /// not ask, and keeps the secret.
    ///
    /// # Errors
    /// When the heap cannot be read, or has records that no plan leads to these types.
    pub fn plan<S: Source>(&self, reader: &Reader<S>, answers: &Answers) -> Result<Option<(Plan, Findings)>> {
        let Some((plan, ..)) = plan(reader, self, answers, Unsaid::Asked)? else { return Ok(None) };
        let findings = super::scan::scan(reader, &plan)?.findings;
        Ok(Some((plan, findings)))
    }
}

/// What becomes of secret marks that the program does not give any more, and of which nobody said anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unsaid {
    /// The heap keeps them.
    Kept,
    /// They are questions.
    Asked,
}

/// The plan from the heap as it is to the program's types on this machine, and the registry afterwards; `None` when
/// there is nothing to do.
fn plan<S: Source>(
    reader: &Reader<S>,
    types: &Types,
    answers: &Answers,
    secrets: Unsaid,
) -> Result<Option<(Plan, Registry, WayBack)>> {
    let catalog = reader.catalog();
    let planned = plan_types(catalog, types, answers, secrets)?;
    let foreign = Some(reader.byte_order()).filter(|order| *order != ByteOrder::NATIVE);
    if planned.is_none() && foreign.is_none() {
        return Ok(None);
    }
    let (plan, registry, way_back) = planned.unwrap_or_else(|| {
        let plan = Plan::unchanged(&catalog.registry().schema.current());
        (plan, catalog.registry().clone(), WayBack::default())
    });
    Ok(Some((Plan { foreign, ..plan }, registry, way_back)))
}

/// The plan from the heap's types to the program's, and the registry afterwards; `None` when they are equal.
fn plan_types(
    catalog: &Catalog,
    types: &Types,
    answers: &Answers,
    secrets: Unsaid,
) -> Result<Option<(Plan, Registry, WayBack)>> {
    let old = catalog.registry().schema.current();
    let is_told = answers.types.values().any(|answers| !answers.unsecret.is_empty());
    let is_equal = |described: &migrate::TypeDescriptor| match old.get(&described.name) {
        // A mark that the program does not give any more is no reason, unless somebody says that the values may show: the
        // heap goes on keeping the secret.
        Some(known) => known == described || !is_told && *known == described.with_marks_of(known),
        // A type that the heap does not know is added when it is first used, unless it has another name there.
        None => described.attributes.was.iter().all(|name| old.get(name).is_none()),
    };
    let drops = answers.drop_types.iter().any(|name| old.get(name).is_some());
    if !drops && types.schema().types.iter().all(is_equal) {
        return Ok(None);
    }
    let is_live = |name: &str| {
        let table = catalog.table_of_name(name);
        table.is_some_and(|table| catalog.tables()[table as usize].entry.live > 0)
    };
    let mut answers = answers.clone();
    answers.hooks.extend(types.hooked().map(str::to_owned));
    let mut way_back = newer::way_back(catalog.history(), &old, types.schema(), &answers, is_live);
    let said = std::mem::replace(&mut answers, std::mem::take(&mut way_back.answers));
    answers.add(said);
    let merged = registry::merged(&old, types.schema(), &answers, is_live)?;
    let mut plan = Plan::with_answers(&old, &merged, &answers);
    if secrets == Unsaid::Kept && keep_secrets(&plan, &mut answers) {
        plan = Plan::with_answers(&old, &merged, &answers);
    }
    let tables: HashSet<usize> = catalog
        .tables()
        .iter()
        .filter_map(|table| if let TableKind::Records(shape) = table.entry.kind { Some(shape as usize) } else { None })
        .collect();
    let registry = registry::migrated(catalog.registry(), &plan, |number| tables.contains(&number))?;
    plan.faults.append(&mut way_back.faults);
    receipt::note_reserved(&mut plan, catalog.history());
    Ok(Some((plan, registry, way_back)))
}

/// Where the program does not give a mark any more, and nobody says that the values may show, the heap goes on keeping
/// them secret; whether there was such a mark.
fn keep_secrets(plan: &Plan, answers: &mut Answers) -> bool {
    let lost = plan.questions.iter().filter(|question| question.rule == Question::SECRET);
    let choices = lost.flat_map(|question| &question.choices).filter_map(|choice| choice.answer.as_deref());
    let mut any = false;
    for choice in choices.filter_map(Answers::from_line) {
        if choice.types.values().any(|answers| !answers.keep_secret.is_empty()) {
            any = true;
            answers.add(choice);
        }
    }
    any
}
