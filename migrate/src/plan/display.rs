//! Plans as people read them.
//!
//! ```text
//! Node   1,000,000 records, 56 → 48 B, rewritten, references unchanged
//!   = id u64    = next ref Node
//!   ~ score  f64 → f32  12 of 1,000,000 change, first Node#17: 0.1
//!   + flags  u32        default 0
//!   ? name   text removed and title text added: rename, or drop and add?
//! 1 decision needed
//! ```
//!
//! `=` goes on unchanged, `~` is converted or renamed, `+` is new, `-` goes, `?` is asked.

use std::collections::HashMap;
use std::fmt;

use super::decide::write_finding;
use super::findings::Findings;
use super::model::{BodyStep, Cast, Dropped, Fields, Plan, Ruling, Source, TypeStep, Verdict};
use super::question::{Clean, Grouped, Question, joined};
use crate::schema::{Body, Field, Variant};

/// Columns after which a line of unchanged fields ends.
const MAX_LINE: usize = 100;
/// The widest column.
const MAX_COLUMN: usize = 28;
/// Rules whose rulings are told by a field's line itself.
const TOLD: [u8; 5] = [1, 5, 6, 8, 36];

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown::new(self, None).write(f)
    }
}

impl Plan {
    /// The plan, with what a scan found: numbers of records, what is lost, and which questions are left.
    pub fn display_with<'a>(&'a self, findings: &'a Findings) -> impl fmt::Display + 'a {
        struct With<'a>(&'a Plan, &'a Findings);
        impl fmt::Display for With<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Shown::new(self.0, Some(self.1)).write(f)
            }
        }
        With(self, findings)
    }
}

/// One line about a field or variant.
struct Line {
    mark: char,
    name: String,
    shape: String,
    note: String,
}

struct Shown<'a> {
    plan: &'a Plan,
    findings: Option<&'a Findings>,
    live: Vec<bool>,
    rulings: HashMap<usize, Vec<&'a Ruling>>,
    /// The questions that are open, by step.
    questions: HashMap<usize, Vec<&'a Question>>,
}

impl<'a> Shown<'a> {
    fn new(plan: &'a Plan, findings: Option<&'a Findings>) -> Self {
        let live = findings.map(|findings| plan.live_types(findings)).unwrap_or_default();
        let mut rulings: HashMap<usize, Vec<&Ruling>> = HashMap::new();
        for ruling in &plan.rulings {
            rulings.entry(ruling.step).or_default().push(ruling);
        }
        let mut questions: HashMap<usize, Vec<&Question>> = HashMap::new();
        for question in &plan.questions {
            if findings.is_none_or(|findings| plan.open(question, &live, findings).is_some()) {
                questions.entry(question.step).or_default().push(question);
            }
        }
        Self { plan, findings, live, rulings, questions }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(before) = self.plan.foreign {
            writeln!(f, "all values are transcoded from {before} to this machine's byte order, references unchanged")?;
        }
        let mut unchanged = 0_u64;
        for (number, step) in self.plan.types.iter().enumerate() {
            let says = self.rulings.contains_key(&number) || self.questions.contains_key(&number);
            if step.body == BodyStep::Same && !says {
                unchanged += 1;
                continue;
            }
            self.write_type(f, number, step)?;
        }
        if unchanged > 0 {
            let types = if unchanged == 1 { "type" } else { "types" };
            writeln!(f, "{} {types} unchanged", Grouped(unchanged))?;
        }
        for fault in &self.plan.faults {
            writeln!(f, "! {}: {}", Clean(&fault.place), Clean(&fault.what))?;
        }
        match self.questions.values().map(Vec::len).sum::<usize>() {
            0 => Ok(()),
            1 => writeln!(f, "1 decision needed"),
            several => writeln!(f, "{several} decisions needed"),
        }
    }

    fn write_type(&self, f: &mut fmt::Formatter<'_>, number: usize, step: &TypeStep) -> fmt::Result {
        let old = step.old.map(|old| &self.plan.old.types[old]);
        let new = step.new.map(|new| &self.plan.new.types[new]);
        let records = self.findings.and_then(|findings| self.plan.records(step, findings));
        let records = records.filter(|&records| records > 0);
        let (Some(old), Some(new)) = (old, new) else {
            return self.write_one_sided(f, number, step, records);
        };
        write!(f, "{}   ", Clean(&new.name))?;
        if old.name != new.name {
            write!(f, "was {}, ", Clean(&old.name))?;
        }
        if let Some(records) = records {
            write!(f, "{}, ", counted(records))?;
        }
        match &step.body {
            BodyStep::Same => f.write_str("unchanged layout")?,
            body => {
                if old.size == new.size {
                    write!(f, "{} B, ", new.size)?;
                } else {
                    write!(f, "{} → {} B, ", old.size, new.size)?;
                }
                f.write_str(match body {
                    BodyStep::Hook => "made by the program's hook",
                    BodyStep::Unanswered => "not convertible",
                    _ if step.rewritten => "rewritten",
                    _ => "same bytes",
                })?;
                if records.is_some() && step.rewritten {
                    f.write_str(", references unchanged")?;
                }
            }
        }
        let mut told = Vec::new();
        let mut lines = Vec::new();
        match (&step.body, &old.body, &new.body) {
            (BodyStep::Struct(fields), Body::Struct(before), Body::Struct(after)) => {
                lines = self.field_lines(number, fields, before, after, None, &mut told);
            }
            (BodyStep::Enum(steps), Body::Enum { variants: before, .. }, Body::Enum { variants: after, .. }) => {
                self.variant_lines(number, steps, before, after, &mut lines, &mut told);
            }
            _ => {}
        }
        self.write_notes(f, number, step, &new.name, &told)?;
        f.write_str("\n")?;
        write_lines(f, &lines)
    }

    /// A type that is new or gone.
    fn write_one_sided(
        &self,
        f: &mut fmt::Formatter<'_>,
        number: usize,
        step: &TypeStep,
        records: Option<u64>,
    ) -> fmt::Result {
        if let Some(new) = step.new {
            let new = &self.plan.new.types[new];
            let mark = if self.questions.contains_key(&number) { '?' } else { '+' };
            return writeln!(f, "{mark} {}   {} B, new", Clean(&new.name), new.size);
        }
        let Some(old) = step.old.map(|old| &self.plan.old.types[old]) else { return Ok(()) };
        match self.questions.get(&number).and_then(|questions| questions.first()) {
            Some(question) => {
                write!(f, "? {}   ", Clean(&old.name))?;
                if let Some(records) = records {
                    write!(f, "{}, ", counted(records))?;
                }
                writeln!(f, "{}", Clean(&question.what))
            }
            None => match records {
                Some(records) => writeln!(f, "- {}   {} dropped", Clean(&old.name), counted(records)),
                None => writeln!(f, "- {}   no type of the program any more", Clean(&old.name)),
            },
        }
    }

    /// What is said about the type or its places and no line of a field tells.
    fn write_notes(
        &self,
        f: &mut fmt::Formatter<'_>,
        number: usize,
        step: &TypeStep,
        name: &str,
        told: &[String],
    ) -> fmt::Result {
        let is_asked = |place: &str, rule: u8| {
            let mut questions = self.questions.get(&number).into_iter().flatten();
            questions.any(|question| question.rule == rule && question.place == joined(name, place))
        };
        for ruling in self.rulings.get(&number).into_iter().flatten() {
            let by_line = matches!(step.body, BodyStep::Struct(_) | BodyStep::Enum(_)) && !ruling.place.is_empty();
            let needless = TOLD.contains(&ruling.rule) || ruling.rule == 33 || ruling.verdict == Verdict::Hook;
            if by_line || needless || is_asked(&ruling.place, ruling.rule) {
                continue;
            }
            let place = Clean(&ruling.place);
            let joint = if ruling.place.is_empty() { "" } else { " " };
            write!(f, "; {place}{joint}{}", Clean(&ruling.what))?;
        }
        for question in self.questions.get(&number).into_iter().flatten() {
            if told.contains(&question.place) {
                continue;
            }
            let place = question.place.rsplit_once('.').map_or("", |(_, place)| place);
            let joint = if place.is_empty() { "" } else { " " };
            write!(f, "; {}{joint}{}  ← will be asked", Clean(place), Clean(&question.what))?;
        }
        Ok(())
    }

    fn field_lines(
        &self,
        number: usize,
        fields: &Fields,
        old: &[Field],
        new: &[Field],
        variants: Option<(&Variant, &Variant)>,
        told: &mut Vec<String>,
    ) -> Vec<Line> {
        let plan = self.plan;
        let step = &plan.types[number];
        let type_name = |number: Option<usize>, types: &'a [crate::schema::TypeDescriptor]| {
            number.map_or("", |number| &*types[number].name)
        };
        let (old_name, new_name) = (type_name(step.old, &plan.old.types), type_name(step.new, &plan.new.types));
        let place = |name: &str, variant: Option<&Variant>| match variant {
            Some(variant) => format!("::{}.{name}", variant.name),
            None => name.to_owned(),
        };
        let (old_variant, new_variant) = (variants.map(|pair| pair.0), variants.map(|pair| pair.1));
        let asked = |name: &str| -> Vec<&Question> {
            let full = joined(old_name, &place(name, old_variant));
            self.questions.get(&number).into_iter().flatten().filter(|asked| asked.place == full).copied().collect()
        };
        let candidates: Vec<&String> =
            self.questions.get(&number).into_iter().flatten().flat_map(|asked| &asked.candidates).collect();
        let mut lines = Vec::new();
        for made in &fields.made {
            let field = &new[made.field];
            let notes = self.notes(number, &place(&field.name, new_variant));
            let full = joined(new_name, &place(&field.name, new_variant));
            match &made.source {
                Source::Field { path, cast } => {
                    let Some(before) = plan.old_field(old, path) else { continue };
                    let before_name = before.1;
                    let before = before.0;
                    let questions: Vec<_> =
                        asked(&before_name).into_iter().filter(|asked| asked.rule != 5 && asked.rule != 4).collect();
                    let name = if before_name == field.name {
                        field.name.clone()
                    } else {
                        format!("{before_name} → {}", field.name)
                    };
                    let same = *cast == Cast::Copy && before_name == field.name && notes.is_empty();
                    if same && questions.is_empty() {
                        lines.push(Line { mark: '=', name, shape: field.shape.to_string(), note: String::new() });
                        continue;
                    }
                    let shape = if before.shape == field.shape {
                        field.shape.to_string()
                    } else {
                        format!("{} → {}", before.shape, field.shape)
                    };
                    let mut note = self.cast_note(cast);
                    let mut mark = '~';
                    for question in questions {
                        told.push(question.place.clone());
                        if question.unless.is_none() {
                            mark = '?';
                            add(&mut note, &question.what);
                        } else if self.findings.is_some() {
                            note.push_str("  ← will be asked");
                        }
                    }
                    for text in notes {
                        add(&mut note, &text);
                    }
                    lines.push(Line { mark, name, shape, note });
                }
                Source::Unanswered => {
                    let questions: Vec<_> = self
                        .questions
                        .get(&number)
                        .into_iter()
                        .flatten()
                        .filter(|question| question.place == full)
                        .collect();
                    told.push(full);
                    let note = questions.iter().map(|question| &*question.what).collect::<Vec<_>>().join("; ");
                    lines.push(Line { mark: '?', name: field.name.clone(), shape: field.shape.to_string(), note });
                }
                _ if candidates.contains(&&field.name) => {}
                Source::Hook => lines.push(Line {
                    mark: '+',
                    name: field.name.clone(),
                    shape: field.shape.to_string(),
                    note: "by the program's hook".into(),
                }),
                Source::Value(_) | Source::Gathered(_) => lines.push(Line {
                    mark: '+',
                    name: field.name.clone(),
                    shape: field.shape.to_string(),
                    note: self.notes_all(number, &place(&field.name, new_variant)).join("; "),
                }),
            }
        }
        for Dropped { path, check } in &fields.dropped {
            let Some((field, name)) = plan.old_field(old, path) else { continue };
            let full = joined(old_name, &place(&name, old_variant));
            let question = self.questions.get(&number).into_iter().flatten().find(|question| question.place == full);
            let (mark, shape, note) = match (question, check) {
                (Some(question), _) => ('?', String::new(), question.what.clone()),
                (None, Some(_)) if self.findings.is_some() => {
                    ('-', field.shape.to_string(), "dropped; every value is empty".into())
                }
                _ => ('-', field.shape.to_string(), "dropped".into()),
            };
            told.push(full);
            lines.push(Line { mark, name, shape, note });
        }
        // What goes on comes first, in a line of its own.
        lines.sort_by_key(|line| line.mark != '=');
        if let Some(moved) = moved(fields, old, new)
            && let Some(line) = lines.iter_mut().rev().find(|line| line.mark == '=')
        {
            line.note = moved;
        }
        lines
    }

    fn variant_lines(
        &self,
        number: usize,
        steps: &[super::model::VariantStep],
        old: &[Variant],
        new: &[Variant],
        lines: &mut Vec<Line>,
        told: &mut Vec<String>,
    ) {
        let old_name = self.plan.types[number].old.map_or("", |old| &*self.plan.old.types[old].name);
        let mut continued = vec![false; new.len()];
        for (step, before) in steps.iter().zip(old) {
            let Some(position) = step.new else {
                let full = joined(old_name, &format!("::{}", before.name));
                let question =
                    self.questions.get(&number).into_iter().flatten().find(|question| question.place == full);
                told.push(full);
                let (mark, note) = match question {
                    Some(question) => ('?', question.what.clone()),
                    None => ('-', "no value is of it".into()),
                };
                lines.push(Line { mark, name: before.name.clone(), shape: String::new(), note });
                continue;
            };
            continued[position] = true;
            let after = &new[position];
            let notes = self.notes_all(number, &format!("::{}", after.name));
            let inner =
                self.field_lines(number, &step.fields, &before.fields, &after.fields, Some((before, after)), told);
            let name = if before.name == after.name {
                after.name.clone()
            } else {
                format!("{} → {}", before.name, after.name)
            };
            let changes = !notes.is_empty() || before.name != after.name;
            let mark = if changes { '~' } else { '=' };
            lines.push(Line { mark, name, shape: String::new(), note: notes.join("; ") });
            let named = inner.into_iter().filter(|line| line.mark != '=');
            lines.extend(named.map(|line| Line { name: format!("{}.{}", after.name, line.name), ..line }));
        }
        for (variant, _) in new.iter().zip(continued).filter(|(_, continued)| !continued) {
            let full = format!(
                "{}::{}",
                self.plan.types[number].new.map_or("", |new| &*self.plan.new.types[new].name),
                variant.name
            );
            let question = self.questions.get(&number).into_iter().flatten().find(|question| question.place == full);
            let (mark, note) = match question {
                Some(question) => ('?', question.what.clone()),
                None => ('+', "new variant".into()),
            };
            told.push(full);
            lines.push(Line { mark, name: variant.name.clone(), shape: String::new(), note });
        }
    }

    /// What rulings say of a place that the line of a converted field does not.
    fn notes(&self, number: usize, place: &str) -> Vec<String> {
        let rulings = self.rulings.get(&number).into_iter().flatten();
        let said = rulings.filter(|ruling| ruling.place == place && matches!(ruling.rule, 39 | 40));
        said.map(|ruling| ruling.what.clone()).collect()
    }

    fn notes_all(&self, number: usize, place: &str) -> Vec<String> {
        let rulings = self.rulings.get(&number).into_iter().flatten();
        let said = rulings.filter(|ruling| ruling.place == place && ruling.rule != 31);
        said.map(|ruling| ruling.what.clone()).collect()
    }

    /// What the checks of a cast say.
    fn cast_note(&self, cast: &Cast) -> String {
        let mut note = String::new();
        for number in cast.all().filter_map(Cast::check) {
            let check = &self.plan.checks[number];
            let found = self.findings.and_then(|findings| findings.checks.get(number));
            let live = self.live.get(check.record).copied().unwrap_or(true);
            match found {
                Some(finding) if finding.failed > 0 && live => {
                    let text = Found(check.kind, finding).to_string();
                    add(&mut note, &text);
                    if check.waived {
                        add(&mut note, "accepted");
                    }
                }
                Some(_) => {}
                None if check.waived => add(&mut note, "the nearest value is taken"),
                None => add(&mut note, check.kind.condition()),
            }
        }
        note
    }
}

struct Found<'a>(super::model::CheckKind, &'a super::findings::Finding);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_finding(f, self.0, self.1)
    }
}

fn add(note: &mut String, text: &str) {
    if !note.is_empty() {
        note.push_str("; ");
    }
    note.push_str(text);
}

fn counted(records: u64) -> String {
    format!("{} {}", Grouped(records), if records == 1 { "record" } else { "records" })
}

/// `moved: next before id`, where fields that go on lie in another order.
fn moved(fields: &Fields, old: &[Field], new: &[Field]) -> Option<String> {
    let mut kept: Vec<(&Field, &Field)> = Vec::new();
    for made in &fields.made {
        if let Source::Field { path, .. } = &made.source
            && let [only] = path[..]
        {
            kept.push((&old[only], &new[made.field]));
        }
    }
    let mut before = kept.clone();
    before.sort_by_key(|(old, _)| old.offset);
    kept.sort_by_key(|(_, new)| new.offset);
    let first = before.iter().zip(&kept).find(|(one, other)| !std::ptr::eq(one.0, other.0))?;
    Some(format!("moved: {} before {}", first.1.1.name, first.0.1.name))
}

fn write_lines(f: &mut fmt::Formatter<'_>, lines: &[Line]) -> fmt::Result {
    let width = |text: &dyn Fn(&Line) -> usize| {
        lines.iter().filter(|line| line.mark != '=').map(text).max().unwrap_or_default().min(MAX_COLUMN)
    };
    let name_width = width(&|line| line.name.chars().count());
    let shape_width = width(&|line| line.shape.chars().count());
    let mut column = 0;
    for line in lines {
        if line.mark == '=' {
            let text = format!("= {} {}", Clean(&line.name), Clean(&line.shape));
            let text = text.trim_end();
            let len = text.chars().count();
            if column > 0 && column + len + 4 > MAX_LINE {
                f.write_str("\n")?;
                column = 0;
            }
            let gap = if column == 0 { "  " } else { "    " };
            write!(f, "{gap}{text}")?;
            column += gap.len() + len;
            if !line.note.is_empty() {
                write!(f, "    ({})", Clean(&line.note))?;
            }
            continue;
        }
        if std::mem::take(&mut column) > 0 {
            f.write_str("\n")?;
        }
        let name = Clean(&line.name).to_string();
        let shape = Clean(&line.shape).to_string();
        let text = if shape.is_empty() {
            format!("  {} {name:name_width$}  {}", line.mark, Clean(&line.note))
        } else {
            format!("  {} {name:name_width$}  {shape:shape_width$}  {}", line.mark, Clean(&line.note))
        };
        writeln!(f, "{}", text.trim_end())?;
    }
    if column > 0 { f.write_str("\n") } else { Ok(()) }
}

impl Cast {
    /// The check of this cast itself, not of its parts.
    pub(super) const fn check(&self) -> Option<usize> {
        match self {
            Self::Number { check }
            | Self::Unwrap { check, .. }
            | Self::Array { check, .. }
            | Self::Map { check, .. } => *check,
            Self::BytesToText { check }
            | Self::FromList { check, .. }
            | Self::FromListOption { check, .. }
            | Self::ListToMap { check, .. }
            | Self::FromReference { check, .. } => Some(*check),
            _ => None,
        }
    }
}
