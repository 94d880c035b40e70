//! What became of every part of a type, in lines that are kept when the plan itself is gone.

use std::fmt::Write as _;

use super::decide::write_change;
use super::findings::{Finding, Findings};
use super::model::{BodyStep, Cast, CheckKind, Dropped, Fields, Plan, Ruling, Source, VariantStep};
use super::question::Grouped;
use crate::schema::{Body, Field, Variant};

/// Rules that the line of a converted part tells by itself: 1, 6, 8, 10 to 37.
const fn is_told(rule: u8) -> bool {
    !matches!(rule, 2 | 3 | 4 | 39 | 40)
}

impl Plan {
    /// The line of a type whose values a hook makes.
    pub const MADE_BY_HOOK: &str = "~ each value is made by the program's hook";

    /// What becomes of each part of the type at this position of [`types`](Self::types), and what the scan proved of its
    /// values: a line for each field or variant, old and new.
    ///
    /// ```text
    /// = id u64
    /// ~ score f64 → f32: 12 of 1,000,000 change; worst Node#999983, by 1.2e-5 of its value; accepted
    /// + flags u32: default 0
    /// - name text: dropped
    /// ```
    ///
    /// Names come from the heap and are not escaped.
    pub fn census(&self, step: usize, findings: &Findings) -> Vec<String> {
        let mut census = Census { plan: self, findings, step, lines: Vec::new() };
        census.of_type();
        census.lines
    }
}

struct Census<'a> {
    plan: &'a Plan,
    findings: &'a Findings,
    step: usize,
    lines: Vec<String>,
}

impl<'a> Census<'a> {
    fn of_type(&mut self) {
        let plan = self.plan;
        let step = &plan.types[self.step];
        let old = step.old.map(|old| &plan.old.types[old]);
        let new = step.new.map(|new| &plan.new.types[new]);
        let (Some(old), Some(new)) = (old, new) else {
            let what = if old.is_some() { "- the type and its records" } else { "+ the type" };
            self.lines.push(what.to_owned());
            return;
        };
        if old.name != new.name {
            self.lines.push(format!("~ the type: was {}", old.name));
        }
        if old.size != new.size {
            self.lines.push(format!("~ {} → {} bytes", old.size, new.size));
        }
        for ruling in self.rulings("").filter(|ruling| matches!(ruling.rule, 28 | 40)) {
            self.lines.push(format!("~ the type: {}", ruling.what));
        }
        match (&step.body, &old.body, &new.body) {
            (BodyStep::Struct(fields), Body::Struct(before), Body::Struct(after)) => {
                self.fields(fields, before, after, ("", ""));
            }
            (BodyStep::Enum(steps), Body::Enum { variants: before, .. }, Body::Enum { variants: after, .. }) => {
                self.variants(steps, before, after);
            }
            (BodyStep::Hook, ..) => self.lines.push(Plan::MADE_BY_HOOK.to_owned()),
            _ => {}
        }
        // What is said of places that no line is about, such as marks of fields that stay as they are.
        if matches!(step.body, BodyStep::Same | BodyStep::Hook) {
            let said = plan.rulings.iter().filter(|ruling| ruling.step == self.step && !ruling.place.is_empty());
            let said = said.filter(|ruling| !is_told(ruling.rule));
            self.lines.extend(said.map(|ruling| format!("~ {}: {}", ruling.place, ruling.what)));
        }
    }

    fn rulings(&self, place: &str) -> impl Iterator<Item = &'a Ruling> + use<'a> {
        let (step, place) = (self.step, place.to_owned());
        self.plan.rulings.iter().filter(move |ruling| ruling.step == step && ruling.place == place)
    }

    /// `prefixes` stand before old and new names.
    fn fields(&mut self, fields: &Fields, old: &[Field], new: &[Field], prefixes: (&str, &str)) {
        for made in &fields.made {
            let field = &new[made.field];
            let name = format!("{}{}", prefixes.1, field.name);
            let mut notes: Vec<String> =
                self.rulings(&name).filter(|ruling| !is_told(ruling.rule)).map(|ruling| ruling.what.clone()).collect();
            let line = match &made.source {
                Source::Field { path, cast } => {
                    let Some((before, before_name)) = self.plan.old_field(old, path) else { continue };
                    let before_name = format!("{}{before_name}", prefixes.0);
                    self.proved(cast, &mut notes);
                    let same = *cast == Cast::Copy && before_name == name && before.shape == field.shape;
                    let mark = if same { '=' } else { '~' };
                    let names = if before_name == name { name } else { format!("{before_name} → {name}") };
                    format!("{mark} {names} {}", changed(&before.shape, &field.shape))
                }
                Source::Hook => {
                    notes.push("by the program's hook".to_owned());
                    format!("+ {name} {}", field.shape)
                }
                Source::Gathered(inner) => {
                    let parts = inner.made.iter().filter_map(|made| match &made.source {
                        Source::Field { path, .. } => self.plan.old_field(old, path).map(|(_, name)| name),
                        _ => None,
                    });
                    notes.push(format!("put together from {}", parts.collect::<Vec<_>>().join(", ")));
                    format!("+ {name} {}", field.shape)
                }
                Source::Value(_) | Source::Unanswered => format!("+ {name} {}", field.shape),
            };
            self.push(line, &notes);
        }
        for Dropped { path, check } in &fields.dropped {
            let Some((field, name)) = self.plan.old_field(old, path) else { continue };
            let mut notes = vec!["dropped".to_owned()];
            self.note(*check, &mut notes);
            self.push(format!("- {}{name} {}", prefixes.0, field.shape), &notes);
        }
    }

    fn variants(&mut self, steps: &[VariantStep], old: &[Variant], new: &[Variant]) {
        let mut is_new = vec![true; new.len()];
        for (step, before) in steps.iter().zip(old) {
            let Some(position) = step.new else {
                let mut notes = Vec::new();
                self.note(step.check, &mut notes);
                self.push(format!("- ::{}", before.name), &notes);
                continue;
            };
            is_new[position] = false;
            let after = &new[position];
            let mark = if before.name == after.name { "=" } else { "~" };
            self.push(format!("{mark} ::{}", changed(&before.name, &after.name)), &[]);
            let prefixes = (&*format!("::{}.", before.name), &*format!("::{}.", after.name));
            self.fields(&step.fields, &before.fields, &after.fields, prefixes);
        }
        for (variant, _) in new.iter().zip(is_new).filter(|(_, is_new)| *is_new) {
            self.push(format!("+ ::{}", variant.name), &[]);
        }
    }

    fn push(&mut self, mut line: String, notes: &[String]) {
        if !notes.is_empty() {
            // Writing into a string does not fail.
            let _ = write!(line, ": {}", notes.join("; "));
        }
        self.lines.push(line);
    }

    /// What the checks of a cast and of its parts proved.
    fn proved(&self, cast: &Cast, notes: &mut Vec<String>) {
        cast.all().for_each(|part| self.note(part.check(), notes));
    }

    fn note(&self, check: Option<usize>, notes: &mut Vec<String>) {
        let Some((check, finding)) =
            check.and_then(|number| Some((self.plan.checks.get(number)?, self.findings.checks.get(number)?)))
        else {
            return;
        };
        if finding.failed == 0 {
            notes.push(check.kind.proof(finding.seen));
            return;
        }
        let Finding { seen, failed, largest, .. } = finding;
        let mut note = format!("{} of {} changed", Grouped(*failed), Grouped(*seen));
        if let Some(change) = largest {
            note.push_str("; ");
            // Writing into a string does not fail.
            let _ = write_change(&mut note, change);
        }
        notes.push(note);
        notes.push("accepted".to_owned());
    }
}

/// `u64`, or `u64 → u8`.
fn changed<T: PartialEq + ToString + ?Sized>(before: &T, after: &T) -> String {
    if before == after { after.to_string() } else { format!("{} → {}", before.to_string(), after.to_string()) }
}

impl CheckKind {
    /// What a scan has proved of so many values.
    fn proof(self, seen: u64) -> String {
        let seen = Grouped(seen);
        match self {
            Self::Fits => format!("{seen} seen, all fit"),
            Self::Exact => format!("{seen} seen, none changes"),
            Self::Empty => format!("{seen} seen, all empty"),
            Self::NoSuchVariant => format!("{seen} seen, none of it"),
            Self::Present => format!("{seen} seen, none absent"),
            Self::Utf8 => format!("{seen} seen, all UTF-8"),
            Self::TailEmpty => format!("{seen} seen, what is cut off is empty"),
            Self::OneElement => format!("{seen} seen, all of one element"),
            Self::AtMostOneElement => format!("{seen} seen, none of more than one element"),
            Self::UniqueKeys => format!("{seen} seen, keys stay unique"),
            Self::Unshared => format!("{seen} seen, each the only reference to its record"),
            Self::NoRecords => "no records".to_owned(),
        }
    }
}
