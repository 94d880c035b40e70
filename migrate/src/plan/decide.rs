//! Whether a plan may be carried out, once the live records have been looked at.

use std::fmt;

use super::bytes::types_by_value;
use super::findings::{Change, Finding, Findings, Offender};
use super::model::{CheckKind, Plan, TypeStep};
use super::question::{Clean, Fault, Grouped, Question, joined};
use crate::layout::TypeIndex;

/// How much of a value is shown, in chars.
const MAX_SHOWN: usize = 60;
/// The number of the rule about marks that keep values out of dumps: the values need not be there yet.
const SECRETS: u8 = 40;

/// Why a plan may not be carried out. Nothing has been changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Refusal {
    /// What the program or an answer says and cannot be.
    pub faults: Vec<Fault>,
    /// What nobody has said, each with what the scan found about it.
    pub questions: Vec<(Question, Option<Failure>)>,
    /// What does not hold of the live values.
    pub failures: Vec<Failure>,
}

/// A check that does not hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Position in [`Plan::checks`].
    pub check: usize,
    /// Where: `Node.score`.
    pub place: String,
    /// The type whose hook could help.
    pub name: String,
    /// What does not hold.
    pub kind: CheckKind,
    /// What was found; `None` where nobody looked.
    pub finding: Option<Finding>,
}

/// A question that is still one, with what was found about it.
pub(super) struct Open {
    failure: Option<Failure>,
}

impl Plan {
    /// Whether the plan may be carried out on a heap of which this is known.
    ///
    /// What has no live values can lose none: questions and checks about it are settled, apart from those about
    /// secrets, which are about values to come as well.
    ///
    /// # Errors
    /// With everything that stands against it.
    pub fn decide(&self, findings: &Findings) -> Result<(), Refusal> {
        let live = self.live_types(findings);
        let mut refusal = Refusal { faults: self.faults.clone(), ..Refusal::default() };
        let mut is_asked = vec![false; self.checks.len()];
        for question in &self.questions {
            if let Some(check) = question.unless {
                is_asked[check] = true;
            }
            if let Some(Open { failure }) = self.open(question, &live, findings) {
                refusal.questions.push((question.clone(), failure));
            }
        }
        for check in (0..self.checks.len()).filter(|&check| !is_asked[check] && !self.checks[check].waived) {
            refusal.failures.extend(self.failure(check, &live, findings));
        }
        let is_clear = refusal.faults.is_empty() && refusal.questions.is_empty() && refusal.failures.is_empty();
        if is_clear { Ok(()) } else { Err(refusal) }
    }

    /// Whether a question is still one.
    pub(super) fn open(&self, question: &Question, live: &[bool], findings: &Findings) -> Option<Open> {
        let is_live = self.types[question.step].old.is_none_or(|old| live[old]);
        match question.unless {
            _ if !is_live && question.rule != SECRETS => None,
            Some(check) => self.failure(check, live, findings).map(|failure| Open { failure: Some(failure) }),
            None => Some(Open { failure: None }),
        }
    }

    /// The check, if it does not hold.
    pub(super) fn failure(&self, number: usize, live: &[bool], findings: &Findings) -> Option<Failure> {
        let check = &self.checks[number];
        if !live[check.record] {
            return None;
        }
        let described = &self.old.types[check.record];
        let failure = |finding| Failure {
            check: number,
            place: joined(&described.name, &check.place),
            name: described.name.clone(),
            kind: check.kind,
            finding,
        };
        if check.kind == CheckKind::NoRecords {
            // Values of a type that only lies in others are looked at there.
            let Some(seen) = findings.records.get(check.record).copied() else { return Some(failure(None)) };
            return (seen > 0).then(|| failure(Some(Finding { seen, failed: seen, ..Finding::default() })));
        }
        match findings.checks.get(number) {
            Some(finding) if finding.failed == 0 => None,
            finding => Some(failure(finding.cloned())),
        }
    }

    /// The old types that have live values: records, and whatever lies in live ones. What becomes of the records that
    /// live ones refer to must be known too where values by themselves are made of them, even if no reference is there.
    pub(super) fn live_types(&self, findings: &Findings) -> Vec<bool> {
        let index = TypeIndex::new(&self.old);
        let known = |number: usize| findings.records.get(number).copied();
        let mut live: Vec<bool> = (0..self.old.types.len()).map(|number| known(number) != Some(0)).collect();
        let mut open: Vec<usize> = (0..live.len()).filter(|&number| live[number]).collect();
        let mut made_of: Vec<Vec<usize>> = vec![Vec::new(); live.len()];
        for (step, inner) in self.types.iter().zip(types_by_value(&self.types)) {
            let made_of = step.old.and_then(|old| made_of.get_mut(old));
            let inner = inner.into_iter().filter_map(|inner| self.types.get(inner)?.old);
            if let Some(made_of) = made_of {
                made_of.extend(inner);
            }
        }
        while let Some(number) = open.pop() {
            let held = self.old.types[number].held().filter_map(|name| index.number(name));
            for inner in held.map(|inner| inner as usize).chain(made_of[number].iter().copied()) {
                if !std::mem::replace(&mut live[inner], true) {
                    open.push(inner);
                }
            }
        }
        live
    }

    /// Live records of a step's old type.
    pub(super) fn records(&self, step: &TypeStep, findings: &Findings) -> Option<u64> {
        step.old.and_then(|old| findings.records.get(old).copied())
    }
}

impl CheckKind {
    /// What holds, as a condition.
    pub(super) const fn condition(self) -> &'static str {
        match self {
            Self::Fits => "if every value fits",
            Self::Exact => "if no value changes",
            Self::Empty => "if every value is empty",
            Self::NoSuchVariant => "if no value is of it",
            Self::Present => "if none is absent",
            Self::Utf8 => "if all is UTF-8",
            Self::TailEmpty => "if what is cut off is empty",
            Self::OneElement => "if each has one element",
            Self::AtMostOneElement => "if none has more than one element",
            Self::UniqueKeys => "if keys stay unique",
            Self::Unshared => "if each is the only reference to its record",
            Self::NoRecords => "if it has no records",
        }
    }

    /// What does not hold, after a number.
    const fn fault(self) -> &'static str {
        match self {
            Self::Fits => "do not fit",
            Self::Exact => "change",
            Self::Empty => "are not empty",
            Self::NoSuchVariant => "are of it",
            Self::Present => "are absent",
            Self::Utf8 => "are not UTF-8",
            Self::TailEmpty => "lose elements that are not empty",
            Self::OneElement => "do not have one element",
            Self::AtMostOneElement => "have more than one element",
            Self::UniqueKeys => "have a key twice",
            Self::Unshared => "are shared, name no record, or lead in a circle",
            Self::NoRecords => "records would go",
        }
    }
}

/// `3 of 1,000,000 do not fit, first Node#77: 4294967301`.
pub(super) fn write_finding(f: &mut fmt::Formatter<'_>, kind: CheckKind, finding: &Finding) -> fmt::Result {
    if kind == CheckKind::NoRecords {
        return write!(f, "{} {}", Grouped(finding.failed), kind.fault());
    }
    write!(f, "{} of {} {}", Grouped(finding.failed), Grouped(finding.seen), kind.fault())?;
    if let Some(Offender { record, value }) = &finding.first {
        write!(f, ", first {}", Clean(record))?;
        if !value.is_empty() {
            let end = value.char_indices().nth(MAX_SHOWN).map_or(value.len(), |(at, _)| at);
            let more = if end < value.len() { "…" } else { "" };
            write!(f, ": {}{more}", Clean(&value[..end]))?;
        }
    }
    match &finding.largest {
        Some(change) => {
            f.write_str("; ")?;
            write_change(f, change)
        }
        None => Ok(()),
    }
}

/// `worst Node#17, by 1.2e-5 of its value`.
pub(super) fn write_change(f: &mut impl fmt::Write, change: &Change) -> fmt::Result {
    write!(f, "worst {}, by {:.1e} of its value", Clean(&change.record), change.relative)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.finding {
            Some(finding) => write_finding(f, self.kind, finding),
            None => write!(f, "{}: nobody looked", self.kind.condition()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = LineBreaks { first: true };
        for Fault { place, what } in &self.faults {
            line.start(f)?;
            write!(f, "{}: {}", Clean(place), Clean(what))?;
        }
        for failure in &self.failures {
            line.start(f)?;
            write!(
                f,
                "{}: {failure}\n  mend the records, or write a hook for {}",
                Clean(&failure.place),
                Clean(&failure.name)
            )?;
        }
        for (question, failure) in &self.questions {
            line.start(f)?;
            write!(f, "{}: {}", Clean(&question.place), Clean(&question.what))?;
            if let Some(failure) = failure {
                write!(f, "\n  {failure}")?;
            }
            for choice in &question.choices {
                write!(f, "\n  {}", Clean(&choice.to_string()))?;
            }
        }
        Ok(())
    }
}

/// Lines with breaks between them.
struct LineBreaks {
    first: bool,
}

impl LineBreaks {
    fn start(&mut self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if std::mem::replace(&mut self.first, false) { Ok(()) } else { f.write_str("\n") }
    }
}

impl std::error::Error for Refusal {}
