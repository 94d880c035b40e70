//! What is remembered of a migration.

use migrate::{BodyStep, Findings, Plan, Ruling, TypeStep, Verdict};

use super::apply::DroppedRoot;
use super::change::{self, Change, Part};
use crate::format::header::ByteOrder;
use crate::format::history::{DroppedField, History, Receipt, ReceiptKind, TypeReceipt};
use crate::kept::Moment;

/// What the first line of a type that changes begins with, and what stands between the layouts' fingerprints.
const LAYOUT: &str = "~ layout ";
const ARROW: &str = " → ";

/// The rule of what is lost, which also says what was.
const LOST: u8 = 4;

/// The receipt of a plan that is applied, and of the roots that went with their records.
pub(crate) fn of(plan: &Plan, findings: &Findings, roots: &[DroppedRoot]) -> Receipt {
    let (from, to) = (plan.old.fingerprint().0, plan.new.fingerprint().0);
    let mut receipt = Moment::now().receipt(ReceiptKind::Migrated, 0, from, to);
    receipt.byte_order = plan.foreign.map(|_| ByteOrder::NATIVE);
    let by_names = ByNames::of(plan);
    receipt.types = (0..plan.types.len())
        .filter(|&step| is_told(plan, step))
        .filter_map(|step| of_type(plan, &by_names, findings, step))
        .collect();
    for DroppedRoot { type_name, root } in roots {
        let told = receipt.types.iter_mut().find(|told| told.name == *type_name);
        if let Some(told) = told {
            told.census.push(format!("- the root {root:?}"));
        }
    }
    receipt
}

/// `~ layout 9c41e0aa → e2b77d10`; none where the type goes.
fn layouts(plan: &Plan, step: usize) -> Option<String> {
    let TypeStep { old: Some(old), new: Some(new), .. } = plan.types[step] else { return None };
    let (before, after) = (plan.old.types[old].fingerprint(&plan.old), plan.new.types[new].fingerprint(&plan.new));
    Some(format!("{LAYOUT}{before}{ARROW}{after}"))
}

/// What a receipt tells of one type. Its lines are read as this file writes them; what it does not know says nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'r>(&'r TypeReceipt);

/// What a receipt tells of each type.
pub(crate) fn told(receipt: &Receipt) -> impl Iterator<Item = Told<'_>> {
    receipt.types.iter().map(Told)
}

impl<'r> Told<'r> {
    /// The first digits of the layouts' fingerprints, before and after.
    fn layouts(self) -> Option<(&'r str, &'r str)> {
        self.0.census.first()?.strip_prefix(LAYOUT)?.split_once(ARROW)
    }

    /// Whether it led from this layout.
    pub(crate) fn is_from(self, layout: &str) -> bool {
        self.layouts().is_some_and(|(before, _)| before == layout)
    }

    /// The first digits of the fingerprint of the layout that it led to.
    pub(crate) fn to(self) -> Option<&'r str> {
        self.layouts().map(|(_, after)| after)
    }

    /// Whether a hook made the values.
    pub(crate) fn is_hooked(self) -> bool {
        self.0.census.iter().any(|line| line == Plan::MADE_BY_HOOK)
    }

    /// Whether values of a field that were not empty were dropped.
    pub(crate) fn gave_up(self, field: &str) -> bool {
        let dropped = self.0.dropped.iter().filter(|dropped| dropped.name == field);
        dropped.into_iter().any(|DroppedField { name, shape }| {
            let line = format!("- {name} {shape}: dropped");
            self.0.census.contains(&line)
        })
    }

    /// The name that a field then had, where it was another one.
    pub(crate) fn renamed(self, field: &str) -> Option<&'r str> {
        let starts = format!("~ {field}{ARROW}");
        let rest = self.0.census.iter().find_map(|line| line.strip_prefix(&*starts))?;
        rest.split(' ').next()
    }

    /// Whether values of a field were rounded.
    pub(crate) fn rounded(self, field: &str) -> bool {
        let starts = format!("~ {field} ");
        self.0.census.iter().any(|line| line.starts_with(&starts) && line.ends_with("; accepted"))
    }
}

/// The migrations that were not rolled back, the oldest first.
pub(crate) fn standing(history: &History) -> Vec<&Receipt> {
    let mut stands: Vec<&Receipt> = Vec::new();
    for receipt in &history.receipts {
        match receipt.kind {
            ReceiptKind::Migrated => stands.push(receipt),
            ReceiptKind::RolledBack => drop(stands.pop()),
            ReceiptKind::Kept => {}
        }
    }
    stands
}

/// Whether anything happens to a type of the heap that a person could ask for later.
fn is_told(plan: &Plan, step: usize) -> bool {
    let said = |ruling: &Ruling| ruling.step == step && ruling.verdict != Verdict::Checked;
    plan.types[step].old.is_some() && (plan.types[step].rewritten || plan.rulings.iter().any(said))
}

fn of_type(plan: &Plan, by_names: &ByNames<'_>, findings: &Findings, step: usize) -> Option<TypeReceipt> {
    let old = plan.types[step].old?;
    let name = plan.types[step].new.map_or(&plan.old.types[old].name, |new| &plan.new.types[new].name);
    let change = by_names.change(step);
    let mut census: Vec<String> = layouts(plan, step).into_iter().chain(plan.census(step, findings)).collect();
    if plan.types[step].body == BodyStep::Hook {
        let line = |mark: char, part: &Part| match &part.shape {
            Some(shape) => format!("{mark} {} {shape}", part.name),
            None => format!("{mark} {}", part.name),
        };
        census.extend(change.added.iter().map(|part| line('+', part)));
        census.extend(change.dropped.iter().map(|part| line('-', part)));
    }
    let dropped = change
        .dropped
        .into_iter()
        .filter_map(|part| Some(DroppedField { name: part.name, shape: part.shape?.to_string() }));
    Some(TypeReceipt {
        name: name.clone(),
        records: findings.records.get(old).copied().unwrap_or(0),
        census,
        dropped: dropped.collect(),
    })
}

/// Has a plan say of every field that comes back that there was one of its name, what it was, and when it was dropped.
pub(crate) fn note_reserved(plan: &mut Plan, history: &History) {
    let reserved = reserved(history);
    if reserved.is_empty() {
        return;
    }
    let by_names = ByNames::of(plan);
    let mut rulings = Vec::new();
    for (step, types) in plan.types.iter().enumerate() {
        let (Some(old), Some(new)) = (types.old, types.new) else { continue };
        let names = [&plan.new.types[new].name, &plan.old.types[old].name];
        for part in by_names.change(step).added {
            let held = reserved.iter().rfind(|(name, field, _)| names.contains(name) && field.name == part.name);
            if let Some((_, field, receipt)) = held {
                let what = format!("it was {} until commit {} dropped it", field.shape, receipt.sequence);
                rulings.push(Ruling { step, place: part.name, rule: LOST, verdict: Verdict::Implicit, what });
            }
        }
    }
    plan.rulings.extend(rulings);
}

/// The fields that are no more: the type's name, the field, and what dropped it.
fn reserved(history: &History) -> Vec<(&String, &DroppedField, &Receipt)> {
    let stands = standing(history);
    let types = stands.into_iter().flat_map(|receipt| receipt.types.iter().map(move |types| (receipt, types)));
    types.flat_map(|(receipt, types)| types.dropped.iter().map(move |field| (&types.name, field, receipt))).collect()
}

/// A plan, and what it would be without hooks.
struct ByNames<'p> {
    plan: &'p Plan,
    without_hooks: Option<Plan>,
}

impl<'p> ByNames<'p> {
    fn of(plan: &'p Plan) -> Self {
        let has_hooks = plan.types.iter().any(|step| step.body == BodyStep::Hook);
        Self { plan, without_hooks: has_hooks.then(|| change::without_hooks(plan)) }
    }

    fn change(&self, step: usize) -> Change {
        match &self.without_hooks {
            Some(plan) if self.plan.types[step].body == BodyStep::Hook => Change::of(plan, step),
            _ => Change::of(self.plan, step),
        }
    }
}
