//! The gate: whether a heap's records can follow the program's types. Nothing is written before it is passed.

use migrate::{Answers, Findings, Plan, Registry};

use super::registry;
use crate::error::{Error, Result};
use crate::format::header::Header;
use crate::options::{Migrate, Options};
use crate::read::{Catalog, Checks, Overlay, Reader, Source};
use crate::storage::Storage;
use crate::types::Types;

/// A migration that may go on.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) plan: Plan,
    pub(crate) findings: Findings,
    /// The registry afterwards.
    pub(crate) registry: Registry,
    /// The program's types, with their hooks.
    pub(crate) types: Types,
}

/// Plans the way from the heap, as of its last commit, to the program's types; `None` when there is nothing to do.
pub(crate) fn pass<S: Source>(
    storage: &dyn Storage,
    base: S,
    header: &Header,
    types: &Types,
    options: &Options,
) -> Result<Option<Passed>> {
    let overlay = if header.log.epoch == 0 { Overlay::new(base)? } else { Overlay::under_log(storage, header, base)? };
    let reader = Reader::with_overlay(overlay, header.clone(), Checks::Strict)?;
    let Some((plan, registry)) = plan(reader.catalog(), types, &options.answers)? else { return Ok(None) };
    let findings = super::scan::scan(&reader, &plan)?;
    if options.migrate != Migrate::Automatic {
        return Err(Error::Pending { plan: Box::new(plan), findings: Box::new(findings) });
    }
    if let Err(refusal) = plan.decide(&findings) {
        return Err(Error::Refused { plan: Box::new(plan), refusal: Box::new(refusal) });
    }
    Ok(Some(Passed { plan, findings, registry, types: types.clone() }))
}

impl Types {
    /// How the records of a heap would follow these types, and what the live values say about it; `None` where nothing
    /// has to be done. `answers` are what people decided; where they name types with hooks, the plan counts on them.
    ///
    /// # Errors
    /// When the heap cannot be read, or has records that no plan leads to these types.
    pub fn plan<S: Source>(&self, reader: &Reader<S>, answers: &Answers) -> Result<Option<(Plan, Findings)>> {
        let Some((plan, _)) = plan(reader.catalog(), self, answers)? else { return Ok(None) };
        let findings = super::scan::scan(reader, &plan)?;
        Ok(Some((plan, findings)))
    }
}

/// The plan from the heap's types to the program's, and the registry afterwards; `None` when they are equal.
fn plan(catalog: &Catalog, types: &Types, answers: &Answers) -> Result<Option<(Plan, Registry)>> {
    let old = catalog.registry().schema.current();
    let is_equal = |described: &migrate::TypeDescriptor| match old.get(&described.name) {
        Some(known) => known == described,
        // A type that the heap does not know is added when it is first used, unless it has another name there.
        None => described.attributes.was.iter().all(|name| old.get(name).is_none()),
    };
    if types.schema().types.iter().all(is_equal) {
        return Ok(None);
    }
    let is_live = |name: &str| {
        let number = catalog.registry().schema.types.iter().position(|described| described.name == name);
        let table = number.and_then(|number| catalog.table_of_type(number as u32));
        table.is_some_and(|table| catalog.tables()[table as usize].entry.live > 0)
    };
    let mut answers = answers.clone();
    answers.hooks.extend(types.hooked().map(str::to_owned));
    let merged = registry::merged(&old, types.schema(), &answers, is_live)?;
    let plan = Plan::with_answers(&old, &merged, &answers);
    let registry = registry::migrated(catalog.registry(), &plan)?;
    Ok(Some((plan, registry)))
}
