//! Where each new field's values come from, and what becomes of each old field.

use super::between::{At, Planner, answer_line, inline_name, rename_line};
use super::casts::Notes;
use super::ended::Rest;
use super::model::{Cast, FieldStep, Fields, Source, Verdict};
use super::names::{Clash, Matched, Named, Said, match_names};
use super::question::{Choice, Fault, Question, quoted};
use crate::schema::{Body, Field, Shape};

/// The old fields that something is made of, beside those that go on as a whole.
#[derive(Default)]
pub(super) struct Taken(pub(super) Vec<Vec<usize>>);

impl Taken {
    /// Whether the path, or anything around it or in it, is taken.
    pub(super) fn touches(&self, path: &[usize]) -> bool {
        self.0.iter().any(|taken| taken.starts_with(path) || path.starts_with(taken))
    }

    pub(super) fn has(&self, path: &[usize]) -> bool {
        self.0.iter().any(|taken| taken == path)
    }

    pub(super) fn has_within(&self, path: &[usize]) -> bool {
        self.0.iter().any(|taken| taken.len() > path.len() && taken.starts_with(path))
    }
}

impl<'a> Planner<'a> {
    /// How a struct's fields, or those of a variant, are made.
    pub(super) fn fields(&mut self, at: &At<'a>, old: &'a [Field], new: &'a [Field]) -> Fields {
        let (moved, mut taken) = self.moved_out(at, old, new);
        let (said_renames, said_prefix) = (at.answers.map(|answers| &answers.rename), at.answer_name(""));
        let said = Said { renames: said_renames, prefix: &said_prefix };
        let matched = {
            let ends: Vec<bool> = old.iter().map(|field| self.is_answered_dropped(at, &field.name)).collect();
            match_names(&named(old), &named(new), said, |number| ends[number], |number| moved[number].is_some())
        };
        self.two_owners(at, old, new, &moved, &matched);
        let mut fields = Fields { made: Vec::with_capacity(new.len()), dropped: Vec::new() };
        // New fields without an old one wait, because structs among them may be put together from what nobody took.
        let mut waiting = Vec::new();
        let mut given_up = vec![false; old.len()];
        for (number, field) in new.iter().enumerate() {
            let single;
            let path = match (&moved[number], matched.old_of[number]) {
                (Some(path), _) => &path[..],
                (None, Some(before)) => {
                    single = [before];
                    &single[..]
                }
                (None, None) => {
                    waiting.push((number, matched.clashes.iter().any(|clash| clash.new == number)));
                    continue;
                }
            };
            match self.continued(at, old, field, path) {
                Some(source) => fields.made.push(FieldStep { field: number, source }),
                None => {
                    given_up[path[0]] = true;
                    waiting.push((number, false));
                }
            }
        }
        self.field_clashes(at, &matched, old, new);
        for &(number, clashes) in &waiting {
            let source = if clashes {
                Source::Unanswered
            } else {
                let place = at.new_place(&new[number].name);
                self.added(at, old, &new[number], &place, &matched, &mut taken)
            };
            fields.made.push(FieldStep { field: number, source });
        }
        fields.made.sort_unstable_by_key(|step| step.field);
        let asked: Vec<usize> = matched.clashes.iter().flat_map(|clash| clash.old.iter().copied()).collect();
        let added: Vec<&Field> = waiting.iter().map(|&(number, _)| &new[number]).collect();
        for (number, field) in old.iter().enumerate() {
            if (matched.new_of[number].is_none() || given_up[number]) && !taken.has(&[number]) {
                let rest = Rest { taken: &taken, added: &added, new, is_asked: asked.contains(&number) };
                self.ended(at, vec![number], field, &field.name, &rest, &mut fields);
            }
        }
        self.note_moves(at, old, new, &fields);
        fields
    }

    /// The new fields that name a path into an old inline struct.
    fn moved_out(&mut self, at: &At<'a>, old: &[Field], new: &[Field]) -> (Vec<Option<Vec<usize>>>, Taken) {
        let (mut moved, mut taken) = (vec![None; new.len()], Taken::default());
        if new.iter().all(|field| field.attributes.from.is_none()) {
            return (moved, taken);
        }
        for (number, field) in new.iter().enumerate() {
            let Some(from) = &field.attributes.from else { continue };
            let same = old.iter().find(|before| before.name == field.name);
            if same.is_some_and(|before| before.attributes.from.as_ref() == Some(from)) {
                continue;
            }
            let Some((path, _)) = self.resolve(old, from) else {
                // A field that is there already has no need of it, nor has one with a default.
                if same.is_none() && field.attributes.default.is_none() {
                    self.fault(at.full_new(&field.name), format!("from = {} names no field of it", quoted(from)));
                }
                continue;
            };
            if path.len() == 1 {
                continue;
            }
            if same.is_some() {
                self.fault(at.full_new(&field.name), format!("goes on by name, and says from = {}", quoted(from)));
            } else if taken.touches(&path) {
                self.fault(at.full_new(&field.name), format!("{from} is taken twice"));
            } else {
                taken.0.push(path.clone());
                moved[number] = Some(path);
            }
        }
        (moved, taken)
    }

    /// What moves out of a struct that goes on is there twice, and may own nothing.
    fn two_owners(
        &mut self,
        at: &At<'a>,
        old: &'a [Field],
        new: &[Field],
        moved: &[Option<Vec<usize>>],
        matched: &Matched,
    ) {
        for (field, path) in new.iter().zip(moved).filter_map(|(field, path)| Some((field, path.as_ref()?))) {
            let owns = self.field_at(old, path).is_some_and(|it| self.old_facts.shape_owns(&self.old, &it.shape));
            if owns && matched.new_of[path[0]].is_some() {
                let (from, around) = (self.path_name(old, path), &old[path[0]].name);
                let what = format!("{from} owns what it holds, and {around} goes on: two would own it");
                self.fault(at.full_new(&field.name), what);
            }
        }
    }

    /// The field at a path of names through inline structs.
    pub(super) fn resolve(&self, old: &'a [Field], path: &str) -> Option<(Vec<usize>, &'a Shape)> {
        let mut fields = old;
        let mut positions = Vec::new();
        let mut names = path.split('.').peekable();
        while let Some(name) = names.next() {
            let position = fields.iter().position(|field| field.name == name)?;
            positions.push(position);
            let shape = &fields[position].shape;
            if names.peek().is_none() {
                return Some((positions, shape));
            }
            fields = self.old_struct(shape)?;
        }
        None
    }

    pub(super) fn old_struct(&self, shape: &Shape) -> Option<&'a [Field]> {
        match &self.old.get(inline_name(shape)?)?.body {
            Body::Struct(fields) => Some(fields),
            Body::Enum { .. } => None,
        }
    }

    pub(super) fn fault(&mut self, place: String, what: String) {
        self.faults.push(Fault { place, what });
    }

    /// A new field that goes on from an old one; `None` where its values cannot be converted and may go.
    fn continued(&mut self, at: &At<'a>, old: &'a [Field], field: &'a Field, path: &[usize]) -> Option<Source> {
        let before = self.field_at(old, path)?;
        let renamed = path.len() > 1 || before.name != field.name;
        if !renamed && self.is_same(&before.shape, &field.shape) {
            if before.attributes.default != field.attributes.default {
                self.rule_default(at, field);
            }
            return Some(Source::Field { path: path.to_vec(), cast: Cast::Copy });
        }
        let before_name = self.path_name(old, path);
        let (cast, notes) = self.cast_field(at, before, &before_name, field);
        if notes.refused.is_some() && path.len() == 1 && self.is_acknowledged(at, &before_name) {
            return None;
        }
        if renamed {
            self.rule_rename(at, field, &before_name, path.len() > 1, !notes.rules.is_empty());
        }
        self.rule_cast(at, before, &before_name, field, &at.new_place(&field.name), notes);
        if before.attributes.default != field.attributes.default {
            self.rule_default(at, field);
        }
        Some(Source::Field { path: path.to_vec(), cast })
    }

    /// The rules that a cast used, and the questions that it leaves.
    pub(super) fn rule_cast(
        &mut self,
        at: &At<'a>,
        before: &Field,
        before_name: &str,
        field: &Field,
        place: &str,
        mut notes: Notes,
    ) {
        let what = format!("{} → {}", before.shape, field.shape);
        notes.rules.sort_unstable();
        notes.rules.dedup();
        for &(rule, verdict) in &notes.rules {
            self.rule(at.step, place.to_owned(), rule, verdict, what.clone());
        }
        for check in notes.exact {
            self.ask_lossy(at, before_name, &what, check);
        }
        if let Some((rule, why)) = notes.refused {
            self.ask_for_hook(at, before_name, field, rule, format!("{what} has no rule: {why}"));
        }
    }

    pub(super) fn cast_field(
        &mut self,
        at: &At<'a>,
        before: &Field,
        before_name: &str,
        field: &Field,
    ) -> (Cast, Notes) {
        let lossy = at.answers.is_some_and(|answers| {
            answers.lossy.contains(&at.answer_name(before_name)) || answers.lossy.contains(&at.answer_new(&field.name))
        });
        let mut notes = Notes::new(at.old_number, at.old_place(before_name), lossy);
        notes.default.clone_from(&field.attributes.default);
        if notes.default.is_none() {
            let answered = at.answers.and_then(|answers| answers.default.get(&at.answer_new(&field.name)));
            notes.default = answered.cloned();
        }
        let before_checks = self.checks.len();
        let cast = self.cast(&before.shape, &field.shape, &mut notes);
        if let Some(what) = notes.fault.take() {
            self.fault(at.full_new(&field.name), what);
        }
        if notes.refused.is_some() {
            self.checks.truncate(before_checks);
            notes.exact.clear();
            return (Cast::Unanswered, notes);
        }
        (cast, notes)
    }

    fn rule_rename(&mut self, at: &At<'a>, field: &Field, before: &str, moved: bool, converted: bool) {
        let (rule, verdict) = if moved {
            (36, Verdict::Acknowledge)
        } else if field.attributes.was.iter().any(|was| was == before)
            || field.attributes.from.as_deref() == Some(before)
        {
            (if converted { 8 } else { 6 }, Verdict::Implicit)
        } else {
            (5, Verdict::Acknowledge)
        };
        self.rule(at.step, at.new_place(&field.name), rule, verdict, format!("was {before}"));
    }

    fn rule_default(&mut self, at: &At<'a>, field: &Field) {
        let what = match &field.attributes.default {
            Some(default) => format!("default is {default} now; stored values stay"),
            None => "has no default any more; stored values stay".into(),
        };
        self.rule(at.step, at.new_place(&field.name), 39, Verdict::Implicit, what);
    }

    /// What changed in the words of a type whose values are the same.
    pub(super) fn changed_defaults(&mut self, at: &At<'a>) {
        match (&at.old.body, &at.new.body) {
            (Body::Struct(old), Body::Struct(new)) => self.changed_defaults_of(at, old, new),
            (Body::Enum { variants: old, .. }, Body::Enum { variants: new, .. }) => {
                for (before, after) in old.iter().zip(new) {
                    let inner = At { variants: Some((before, after)), ..*at };
                    self.changed_defaults_of(&inner, &before.fields, &after.fields);
                }
            }
            _ => {}
        }
    }

    fn changed_defaults_of(&mut self, at: &At<'a>, old: &[Field], new: &[Field]) {
        for (before, after) in old.iter().zip(new) {
            if before.attributes.default != after.attributes.default {
                self.rule_default(at, after);
            }
        }
    }

    fn ask_lossy(&mut self, at: &At<'a>, before: &str, what: &str, check: usize) {
        let line = format!("lossy = [{}]", quoted(&at.answer_name(before)));
        self.questions.push(Question {
            step: at.step,
            place: at.full_old(before),
            rule: 14,
            verdict: Verdict::Acknowledge,
            what: format!("{what} is lossy"),
            candidates: Vec::new(),
            choices: vec![
                Choice::new("take the nearest value", None, Some(answer_line(&at.new.name, &line))),
                Choice::hook(&at.new.name),
            ],
            unless: Some(check),
        });
    }

    fn ask_for_hook(&mut self, at: &At<'a>, before: &str, field: &Field, rule: u8, what: String) {
        let answer_name = at.answer_name(before);
        let mut choices = vec![Choice::hook(&at.new.name)];
        if !before.contains('.') {
            choices.push(Choice::new(
                format!("drop the values; {} is new", field.name),
                Some(format!("#[record(dropped({}))] on {}", quoted(&answer_name), at.new.name)),
                Some(answer_line(&at.new.name, &drop_line(&answer_name))),
            ));
        }
        self.questions.push(Question {
            step: at.step,
            place: at.full_old(before),
            rule,
            verdict: Verdict::Hook,
            what,
            candidates: Vec::new(),
            choices,
            unless: None,
        });
    }

    fn field_clashes(&mut self, at: &At<'a>, matched: &Matched, old: &[Field], new: &[Field]) {
        for Clash { new: number, old: olds } in &matched.clashes {
            let name = &new[*number].name;
            let mut choices: Vec<_> = olds
                .iter()
                .map(|&before| {
                    let before = &old[before].name;
                    let line = rename_line(&at.new.name, &at.answer_name(before), &at.answer_new(name));
                    let means = if before == name { format!("{name} goes on") } else { format!("it was {before}") };
                    Choice::new(means, None, Some(line))
                })
                .collect();
            choices.push(Choice::hook(&at.new.name));
            let names: Vec<_> = olds.iter().map(|&before| &*old[before].name).collect();
            self.questions.push(Question {
                step: at.step,
                place: at.full_new(name),
                rule: 9,
                verdict: Verdict::Acknowledge,
                what: format!("could go on from {}, and its names do not decide it", names.join(" or ")),
                candidates: Vec::new(),
                choices,
                unless: None,
            });
        }
    }

    /// Says once what lies elsewhere now.
    fn note_moves(&mut self, at: &At<'a>, old: &[Field], new: &[Field], fields: &Fields) {
        let moves = |step: &FieldStep| match &step.source {
            Source::Field { path, .. } => match path[..] {
                [before] => old[before].offset != new[step.field].offset,
                _ => false,
            },
            _ => false,
        };
        if fields.made.iter().any(moves) {
            let place = at.variants.map(|(_, new)| format!("::{}", new.name)).unwrap_or_default();
            self.rule(at.step, place, 1, Verdict::Implicit, "fields lie elsewhere");
        }
    }

    /// An answer says that the field's values go.
    fn is_answered_dropped(&self, at: &At<'a>, name: &str) -> bool {
        at.answers.is_some_and(|answers| !answers.drop.is_empty() && answers.drop.contains(&at.answer_name(name)))
    }

    /// The program or an answer says that the field's values may go; what lies in it goes with it.
    pub(super) fn is_acknowledged(&self, at: &At<'a>, name: &str) -> bool {
        let mut name = name;
        loop {
            if self.is_answered_dropped(at, name) || at.new.attributes.dropped.contains(&at.answer_name(name)) {
                return true;
            }
            match name.rsplit_once('.') {
                Some((around, _)) => name = around,
                None => return false,
            }
        }
    }

    /// The old field at a path of positions.
    pub(super) fn field_at(&self, old: &'a [Field], path: &[usize]) -> Option<&'a Field> {
        let (&first, rest) = path.split_first()?;
        let mut field = old.get(first)?;
        for &position in rest {
            field = self.old_struct(&field.shape)?.get(position)?;
        }
        Some(field)
    }

    pub(super) fn path_name(&self, old: &'a [Field], path: &[usize]) -> String {
        let names = (1..=path.len()).filter_map(|len| self.field_at(old, &path[..len]));
        names.map(|field| &*field.name).collect::<Vec<_>>().join(".")
    }
}

fn named(fields: &[Field]) -> Vec<Named<'_>> {
    fields
        .iter()
        .map(|field| Named {
            // A path of one name is a former name.
            from: field.attributes.from.as_deref().filter(|from| !from.contains('.')),
            ..Named::new(&field.name, &field.attributes.was)
        })
        .collect()
}

pub(super) fn drop_line(name: &str) -> String {
    format!("drop = [{}]", quoted(name))
}
