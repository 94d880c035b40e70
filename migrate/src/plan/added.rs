//! New fields that nothing goes on as: a default, parts of the record put together, or the empty value.

use super::between::{At, Planner, answer_line, inline_name};
use super::fields::Taken;
use super::literal;
use super::model::{FieldStep, Fields, Source, Value, Verdict};
use super::names::Matched;
use super::question::{Choice, Question, joined, key};
use crate::schema::{Body, Field, Shape};

impl<'a> Planner<'a> {
    /// A new field without an old one.
    pub(super) fn added(
        &mut self,
        at: &At<'a>,
        old: &'a [Field],
        field: &'a Field,
        place: &str,
        matched: &Matched,
        taken: &mut Taken,
    ) -> Source {
        let answered = at.answers.and_then(|answers| answers.default.get(&at.answer_new(&field.name)));
        let again = at.old.attributes.dropped.contains(&field.name);
        let again = if again { "; a field of this name was dropped before" } else { "" };
        if let Some(text) = field.attributes.default.as_ref().or(answered) {
            return match literal::parse(text, &field.shape, &self.new, &self.new_facts) {
                Ok(value) => {
                    self.rule(at.step, place.into(), 2, Verdict::Implicit, format!("default {text}{again}"));
                    Source::Value(value)
                }
                Err(why) => {
                    self.fault(joined(&at.new.name, place), format!("default {text} is no {}: {why}", field.shape));
                    Source::Unanswered
                }
            };
        }
        if let Some(fields) = self.gathered(at, old, field, place, matched, taken) {
            self.rule(at.step, place.into(), 36, Verdict::Acknowledge, "put together from fields of the record");
            return Source::Gathered(fields);
        }
        if self.new_facts.shape_has_empty(&self.new, &field.shape) {
            self.rule(at.step, place.into(), 3, Verdict::Implicit, format!("empty{again}"));
            return Source::Value(Value::Empty);
        }
        let line = format!("default = {{ {} = \"…\" }}", key(&at.answer_new(&field.name)));
        let mut choices = vec![Choice::hook(&at.new.name)];
        if !matches!(field.shape, Shape::Reference(_)) {
            choices.insert(
                0,
                Choice::new(
                    "say what old records get",
                    Some(format!("#[record(default = …)] on {}", joined(&at.new.name, place))),
                    Some(answer_line(&at.new.name, &line)),
                ),
            );
        }
        self.questions.push(Question {
            step: at.step,
            place: joined(&at.new.name, place),
            rule: 3,
            verdict: Verdict::Hook,
            what: format!("{} is new, and has no empty value", field.shape),
            candidates: Vec::new(),
            choices,
            unless: None,
        });
        Source::Unanswered
    }

    /// A new inline struct whose fields say where they come from.
    fn gathered(
        &mut self,
        at: &At<'a>,
        old: &'a [Field],
        field: &'a Field,
        place: &str,
        matched: &Matched,
        taken: &mut Taken,
    ) -> Option<Fields> {
        let number = self.new.number(inline_name(&field.shape)?)? as usize;
        let described = &self.new.schema().types[number];
        let Body::Struct(inner) = &described.body else { return None };
        if !self.new_facts.says_sources[number] || self.gathers_left < inner.len() {
            return None;
        }
        self.gathers_left -= inner.len();
        // What a field of a type that was there before said already is no news: it was put together then.
        let before = self.matched.old_of[number].map(|number| &self.old.schema().types[number].body);
        let is_news = |part: &Field| match before {
            Some(Body::Struct(fields)) => {
                fields.iter().all(|field| field.name != part.name || field.attributes.from != part.attributes.from)
            }
            _ => true,
        };
        let mut made = Vec::with_capacity(inner.len());
        for (position, part) in inner.iter().enumerate() {
            let place = format!("{place}.{}", part.name);
            let from = part.attributes.from.as_ref().filter(|_| is_news(part));
            let found = from.and_then(|from| Some((from, self.resolve(old, from)?.0)));
            let source = match found {
                Some((from, path)) if taken.touches(&path) || matched.new_of[path[0]].is_some() => {
                    self.fault(joined(&at.new.name, &place), format!("{from} is taken twice"));
                    Source::Unanswered
                }
                Some((from, path)) => {
                    let before = self.field_at(old, &path)?;
                    let (cast, notes) = self.cast_field(at, before, from, part);
                    self.rule_cast(at, before, from, part, &place, notes);
                    taken.0.push(path.clone());
                    Source::Field { path, cast }
                }
                None => self.added(at, old, part, &place, matched, taken),
            };
            made.push(FieldStep { field: position, source });
        }
        Some(Fields { made, dropped: Vec::new() })
    }
}
