//! Old fields that do not go on: their values may go, are empty, or are asked about.

use super::between::{At, MAX_LISTED, Planner, answer_line, rename_line};
use super::fields::{Taken, drop_line};
use super::model::{CheckKind, Dropped, Fields, Source, Value, Verdict};
use super::question::{Choice, Question, quoted};
use crate::schema::Field;

/// How many new fields are held against a field that went.
const MAX_TRIED: usize = 32;

/// What is known when the old fields that end are looked at.
pub(super) struct Rest<'r> {
    pub(super) taken: &'r Taken,
    /// The new fields that have no old one.
    pub(super) added: &'r [&'r Field],
    pub(super) new: &'r [Field],
    /// A question is about the field already.
    pub(super) is_asked: bool,
}

impl<'a> Planner<'a> {
    /// An old field that does not go on as a whole.
    pub(super) fn ended(
        &mut self,
        at: &At<'a>,
        path: Vec<usize>,
        field: &'a Field,
        name: &str,
        rest: &Rest<'_>,
        fields: &mut Fields,
    ) {
        if rest.taken.has(&path) {
            return;
        }
        if rest.taken.has_within(&path) {
            for (position, inner) in self.old_struct(&field.shape).unwrap_or_default().iter().enumerate() {
                let path = [&path[..], &[position]].concat();
                self.ended(at, path, inner, &format!("{name}.{}", inner.name), rest, fields);
            }
            return;
        }
        if self.is_acknowledged(at, name) {
            let rule = if rest.added.iter().any(|new| new.shape == field.shape) { 7 } else { 4 };
            self.rule(at.step, at.old_place(name), rule, Verdict::Acknowledge, "dropped");
            fields.dropped.push(Dropped { path, check: None });
            return;
        }
        let check = self.old_facts.shape_has_empty(&self.old, &field.shape).then(|| {
            let check = self.check(at.old_number, at.old_place(name), CheckKind::Empty, false);
            self.rule(at.step, at.old_place(name), 4, Verdict::Checked, "dropped, if every value is empty");
            check
        });
        fields.dropped.push(Dropped { path, check });
        if rest.is_asked {
            return;
        }
        let tried = rest.added.iter().take(MAX_TRIED).copied();
        let candidates: Vec<&Field> =
            tried.filter(|new| self.is_castable(&field.shape, &new.shape)).take(MAX_LISTED).collect();
        // A rename of empty values is not the same as a new field that gets another value.
        let gets_another = fields.made.iter().any(|step| {
            matches!(&step.source, Source::Value(value) if *value != Value::Empty)
                && candidates.iter().any(|&new| new.name == rest.new[step.field].name)
        });
        self.ask_removed(at, field, name, &candidates, check.filter(|_| !gets_another));
    }

    fn ask_removed(&mut self, at: &At<'a>, field: &Field, name: &str, candidates: &[&Field], unless: Option<usize>) {
        let answer_name = at.answer_name(name);
        let mut choices: Vec<_> = candidates
            .iter()
            .map(|new| {
                Choice::new(
                    format!("renamed to {}, keep the values", new.name),
                    Some(format!(
                        "#[record({} = {})] on {}",
                        if name.contains('.') { "from" } else { "was" },
                        quoted(name),
                        at.full_new(&new.name)
                    )),
                    (!name.contains('.')).then(|| rename_line(&at.new.name, &answer_name, &at.answer_new(&new.name))),
                )
            })
            .collect();
        choices.push(Choice::new(
            "drop the values",
            Some(format!("#[record(dropped({}))] on {}", quoted(&answer_name), at.new.name)),
            Some(answer_line(&at.new.name, &drop_line(&answer_name))),
        ));
        let what = match candidates {
            [] => format!("{} removed", field.shape),
            [only] => {
                format!("{} removed and {} {} added: rename, or drop and add?", field.shape, only.name, only.shape)
            }
            several => {
                let names: Vec<_> = several.iter().map(|new| &*new.name).collect();
                format!("{} removed and {} added: rename, or drop and add?", field.shape, names.join(", "))
            }
        };
        self.questions.push(Question {
            step: at.step,
            place: at.full_old(name),
            rule: if candidates.is_empty() { 4 } else { 5 },
            verdict: Verdict::Acknowledge,
            what,
            candidates: candidates.iter().map(|new| new.name.clone()).collect(),
            choices,
            unless,
        });
    }
}
