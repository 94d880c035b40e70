//! From two schemas to a plan.
//!
//! First the types are matched, then it is found which of them are the same through and through, then each gets its
//! step. Casts between named types name steps by position, so no step needs another one's content. Last it is found
//! whose bytes change, from the innermost types outwards.

use super::answers::{Answers, TypeAnswers};
use super::model::{BodyStep, Check, CheckKind, Plan, Ruling, TypeStep, VariantStep, Verdict};
use super::names::{Clash, Matched, Named, Said, match_names};
use super::question::{Choice, Fault, Question, joined, key, quoted};
use super::{bytes, secrets, takes};
use crate::layout::TypeIndex;
use crate::schema::{Body, Schema, Shape, TypeDescriptor, Variant};

/// How many names a question lists.
pub(super) const MAX_LISTED: usize = 8;
/// How many fields of structs may be put together from old fields in one plan: structs without bytes could hold each
/// other so often that no list of all fields ends.
const MAX_GATHERED: usize = 100_000;

impl Plan {
    /// What a program with the types of `new` makes of a heap with the types of `old`.
    ///
    /// Both schemas must have passed [`Schema::check`]. Time is linear in their size.
    pub fn between(old: &Schema, new: &Schema) -> Self {
        Self::with_answers(old, new, &Answers::default())
    }

    /// The same, with what has been answered, and with the names of the types that have a hook.
    ///
    /// An answer that says that a field stays secret marks it in [`Plan::new`].
    pub fn with_answers(old: &Schema, new: &Schema, answers: &Answers) -> Self {
        let mut marked = new.clone();
        secrets::keep(old, &mut marked, answers);
        let first = Planner::new(old, &marked, answers, vec![false; new.types.len()]).plan();
        let mut hooked = vec![false; new.types.len()];
        for (step, types) in first.types.iter().enumerate() {
            let Some(number) = types.new.filter(|_| types.old.is_some()) else { continue };
            let changed = || types.rewritten || first.questions.iter().any(|question| question.step == step);
            hooked[number] = answers.hooks.contains(&new.types[number].name) && changed();
        }
        let plan = if hooked.contains(&true) { Planner::new(old, &marked, answers, hooked).plan() } else { first };
        Self { old: old.clone(), new: marked, ..plan }
    }
}

pub(super) struct Planner<'a> {
    pub(super) old: TypeIndex<'a>,
    pub(super) new: TypeIndex<'a>,
    pub(super) answers: &'a Answers,
    hooked: Vec<bool>,
    pub(super) matched: Matched,
    /// Which new types are the same, name by name and byte by byte, as the old ones they continue, whatever lies in
    /// them included.
    pub(super) identical: Vec<bool>,
    pub(super) old_facts: bytes::Facts,
    pub(super) new_facts: bytes::Facts,
    pub(super) gathers_left: usize,
    pub(super) checks: Vec<Check>,
    pub(super) rulings: Vec<Ruling>,
    pub(super) questions: Vec<Question>,
    pub(super) faults: Vec<Fault>,
}

/// Whose fields are planned.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) step: usize,
    pub(super) old: &'a TypeDescriptor,
    pub(super) old_number: usize,
    pub(super) new: &'a TypeDescriptor,
    /// The old and the new variant whose payload it is.
    pub(super) variants: Option<(&'a Variant, &'a Variant)>,
    pub(super) answers: Option<&'a TypeAnswers>,
}

impl At<'_> {
    /// An old field as answers name it.
    pub(super) fn answer_name(&self, field: &str) -> String {
        match self.variants {
            Some((old, _)) => format!("{}.{field}", old.name),
            None => field.to_owned(),
        }
    }

    /// A new field as answers name it.
    pub(super) fn answer_new(&self, field: &str) -> String {
        match self.variants {
            Some((_, new)) => format!("{}.{field}", new.name),
            None => field.to_owned(),
        }
    }

    /// A field's place in the old type.
    pub(super) fn old_place(&self, field: &str) -> String {
        match self.variants {
            Some((old, _)) => format!("::{}.{field}", old.name),
            None => field.to_owned(),
        }
    }

    /// A field's place in the new type.
    pub(super) fn new_place(&self, field: &str) -> String {
        match self.variants {
            Some((_, new)) => format!("::{}.{field}", new.name),
            None => field.to_owned(),
        }
    }

    pub(super) fn full_old(&self, field: &str) -> String {
        joined(&self.old.name, &self.old_place(field))
    }

    pub(super) fn full_new(&self, field: &str) -> String {
        joined(&self.new.name, &self.new_place(field))
    }
}

/// An answer of one type, as a line of the file of answers.
pub(super) fn answer_line(name: &str, line: &str) -> String {
    format!("[{}] {line}", key(name))
}

pub(super) fn rename_line(name: &str, old: &str, new: &str) -> String {
    answer_line(name, &format!("rename = {{ {} = {} }}", key(old), quoted(new)))
}

impl<'a> Planner<'a> {
    fn new(old: &'a Schema, new: &'a Schema, answers: &'a Answers, hooked: Vec<bool>) -> Self {
        let matched = match_types(old, new, answers);
        let (old_index, new_index) = (TypeIndex::new(old), TypeIndex::new(new));
        let (old_facts, new_facts) = (bytes::Facts::of(&old_index), bytes::Facts::of(&new_index));
        let mut planner = Self {
            old: old_index,
            new: new_index,
            answers,
            hooked,
            identical: matched.old_of.iter().map(Option::is_some).collect(),
            matched,
            old_facts,
            new_facts,
            gathers_left: MAX_GATHERED,
            checks: Vec::new(),
            rulings: Vec::new(),
            questions: Vec::new(),
            faults: Vec::new(),
        };
        planner.find_identical();
        planner
    }

    /// A plan whose schemas are left out.
    fn plan(mut self) -> Plan {
        self.faults.extend(self.answers.faults(self.old.schema(), self.new.schema()));
        let old = self.old.schema();
        let mut types: Vec<TypeStep> =
            (0..self.new.schema().types.len()).map(|number| self.type_step(number)).collect();
        for number in 0..old.types.len() {
            if self.matched.new_of[number].is_some() {
                continue;
            }
            let step = types.len();
            self.gone(step, number);
            types.push(TypeStep { old: Some(number), new: None, body: BodyStep::Gone, rewritten: true });
        }
        self.type_clashes();
        bytes::find_rewritten(&mut types, &self.old, &self.new);
        self.hooks_by_value(&types);
        takes::refuse(&mut self, &types);
        secrets::ask(&mut self, &types);
        Plan {
            types,
            checks: self.checks,
            rulings: self.rulings,
            questions: self.questions,
            faults: self.faults,
            ..Plan::default()
        }
    }

    pub(super) fn rule(&mut self, step: usize, place: String, rule: u8, verdict: Verdict, what: impl Into<String>) {
        self.rulings.push(Ruling { step, place, rule, verdict, what: what.into() });
    }

    pub(super) fn check(&mut self, record: usize, place: String, kind: CheckKind, waived: bool) -> usize {
        self.checks.push(Check { record, place, kind, waived });
        self.checks.len() - 1
    }

    fn type_step(&mut self, number: usize) -> TypeStep {
        let new = &self.new.schema().types[number];
        let Some(old_number) = self.matched.old_of[number] else {
            return TypeStep { old: None, new: Some(number), body: BodyStep::Added, rewritten: true };
        };
        let old = &self.old.schema().types[old_number];
        let mut step = TypeStep { old: Some(old_number), new: Some(number), body: BodyStep::Same, rewritten: false };
        if old.name != new.name {
            let (rule, verdict) = if new.attributes.was.contains(&old.name) {
                (33, Verdict::Implicit)
            } else {
                (33, Verdict::Acknowledge)
            };
            self.rule(number, String::new(), rule, verdict, format!("was {}", old.name));
        }
        if self.hooked[number] {
            self.rule(number, String::new(), 38, Verdict::Hook, "the program's hook makes each value");
            step.body = BodyStep::Hook;
            return step;
        }
        let answers = self.answers.of(&new.name, &old.name);
        let at = At { step: number, old, old_number, new, variants: None, answers };
        step.body = match (&old.body, &new.body) {
            _ if self.identical[number] => {
                self.changed_defaults(&at);
                BodyStep::Same
            }
            (Body::Struct(before), Body::Struct(after)) => BodyStep::Struct(self.fields(&at, before, after)),
            (Body::Enum { variants: before, tag: one, .. }, Body::Enum { variants: after, tag: other, .. }) => {
                if one.width != other.width || one.signed != other.signed {
                    self.rule(number, String::new(), 28, Verdict::Implicit, format!("tag {one} → {other}"));
                }
                BodyStep::Enum(self.variants(&at, before, after))
            }
            (before, _) => {
                let (was, is) =
                    if matches!(before, Body::Struct(_)) { ("a struct", "an enum") } else { ("an enum", "a struct") };
                self.questions.push(Question {
                    step: number,
                    place: new.name.clone(),
                    rule: 38,
                    verdict: Verdict::Hook,
                    what: format!("was {was} and is {is}"),
                    candidates: Vec::new(),
                    choices: vec![Choice::hook(&new.name)],
                    unless: None,
                });
                BodyStep::Unanswered
            }
        };
        step
    }

    /// A type that nothing continues.
    fn gone(&mut self, step: usize, number: usize) {
        let old = &self.old.schema().types[number];
        if self.answers.drop_types.contains(&old.name) {
            self.rule(step, String::new(), 41, Verdict::Acknowledge, "its records go");
            return;
        }
        let check = self.check(number, String::new(), CheckKind::NoRecords, false);
        self.rule(step, String::new(), 41, Verdict::Checked, "goes, if it has no records");
        let mut choices: Vec<_> = self
            .type_candidates(old)
            .map(|new| {
                Choice::new(
                    format!("it is now {new}"),
                    Some(format!("#[record(was = {})] on {new}", quoted(&old.name))),
                    Some(format!("[rename] {} = {}", key(&old.name), quoted(new))),
                )
            })
            .collect();
        let rule = if choices.is_empty() { 41 } else { 33 };
        let drop = format!("drop_types = [{}]", quoted(&old.name));
        choices.push(Choice::new("drop its records", None, Some(drop)));
        self.questions.push(Question {
            step,
            place: old.name.clone(),
            rule,
            verdict: Verdict::Acknowledge,
            what: "is no type of the program any more".into(),
            candidates: Vec::new(),
            choices,
            unless: Some(check),
        });
    }

    /// New types of the same kind that share names with this one.
    fn type_candidates(&self, old: &TypeDescriptor) -> impl Iterator<Item = &'a str> {
        let new = self.new.schema();
        let added = (0..new.types.len()).filter(|&number| self.matched.old_of[number].is_none());
        // Only the first ones are looked at: many types that all came and went are not a rename of each.
        let names: Vec<&str> = part_names(old).collect();
        let alike = added.take(4 * MAX_LISTED).map(|number| &new.types[number]).filter(move |new| {
            let same_kind = std::mem::discriminant(&old.body) == std::mem::discriminant(&new.body);
            let shared = part_names(new).take(64).filter(|name| names.iter().take(64).any(|other| other == name));
            let shared = shared.count();
            same_kind && (2 * shared >= names.len().min(64) || part_names(new).count() == names.len())
        });
        alike.take(MAX_LISTED).map(|new| &*new.name)
    }

    fn type_clashes(&mut self) {
        for Clash { new, old } in std::mem::take(&mut self.matched.clashes) {
            let name = &self.new.schema().types[new].name;
            let olds: Vec<&String> = old.iter().map(|&old| &self.old.schema().types[old].name).collect();
            let choices = olds.iter().map(|old| {
                let answer = format!("[rename] {} = {}", key(old), quoted(name));
                Choice::new(format!("it was {old}"), None, Some(answer))
            });
            let choices = choices.collect();
            let listed: Vec<&str> = olds.iter().map(|name| &***name).collect();
            self.questions.push(Question {
                step: new,
                place: name.clone(),
                rule: 33,
                verdict: Verdict::Acknowledge,
                what: format!("{} could go on as it, and so could others", listed.join(" or ")),
                candidates: Vec::new(),
                choices,
                unless: None,
            });
        }
    }

    fn variants(&mut self, at: &At<'a>, old: &'a [Variant], new: &'a [Variant]) -> Vec<VariantStep> {
        let named = |variants: &'a [Variant]| -> Vec<Named<'a>> {
            variants.iter().map(|variant| Named::new(&variant.name, &variant.was)).collect()
        };
        let target = |number: usize| {
            let name = at.answers?.becomes.get(&old[number].name)?;
            new.iter().position(|variant| variant.name == *name)
        };
        let said = Said { renames: at.answers.map(|answers| &answers.rename), prefix: "" };
        let matched = match_names(&named(old), &named(new), said, |number| target(number).is_some(), |_| false);
        for (number, variant) in new.iter().enumerate() {
            if matched.old_of[number].is_none() {
                self.rule(at.step, format!("::{}", variant.name), 27, Verdict::Implicit, "is new");
            }
        }
        self.variant_clashes(at, &matched, old, new);
        let clashing: Vec<usize> = matched.clashes.iter().flat_map(|clash| clash.old.iter().copied()).collect();
        let mut steps = Vec::with_capacity(old.len());
        for (number, before) in old.iter().enumerate() {
            let continued = matched.new_of[number].or_else(|| target(number));
            let Some(position) = continued else {
                steps.push(self.variant_gone(at, before, &matched, new, clashing.contains(&number)));
                continue;
            };
            let after = &new[position];
            let place = || format!("::{}", after.name);
            if matched.new_of[number].is_none() {
                self.rule(at.step, place(), 30, Verdict::Acknowledge, format!("{} becomes it", before.name));
            } else if before.name != after.name {
                let declared = after.was.contains(&before.name);
                let verdict = if declared { Verdict::Implicit } else { Verdict::Acknowledge };
                self.rule(at.step, place(), 31, verdict, format!("was {}", before.name));
            }
            if before.tag != after.tag {
                self.rule(at.step, place(), 28, Verdict::Implicit, format!("tag {} → {}", before.tag, after.tag));
            }
            let inner = At { variants: Some((before, after)), ..*at };
            let fields = self.fields(&inner, &before.fields, &after.fields);
            steps.push(VariantStep { new: Some(position), check: None, fields });
        }
        steps
    }

    fn variant_gone(
        &mut self,
        at: &At<'a>,
        before: &Variant,
        matched: &Matched,
        new: &[Variant],
        clashes: bool,
    ) -> VariantStep {
        let place = format!("::{}", before.name);
        let check = self.check(at.old_number, place.clone(), CheckKind::NoSuchVariant, false);
        self.rule(at.step, place.clone(), 29, Verdict::Checked, "goes, if no value is of it");
        if !clashes {
            let old_name = &before.name;
            let added = (0..new.len()).filter(|&number| matched.old_of[number].is_none()).map(|number| &new[number]);
            let mut choices: Vec<_> = added
                .take(MAX_LISTED)
                .map(|variant| {
                    Choice::new(
                        format!("it is now {}", variant.name),
                        Some(format!("#[record(was = {})] on {}::{}", quoted(old_name), at.new.name, variant.name)),
                        Some(rename_line(&at.new.name, old_name, &variant.name)),
                    )
                })
                .collect();
            let rule = if choices.is_empty() { 30 } else { 31 };
            if let Some(target) = new.first() {
                let line = format!("becomes = {{ {} = {} }}", key(old_name), quoted(&target.name));
                let means = format!("its values become another variant, such as {}", target.name);
                choices.push(Choice::new(means, None, Some(answer_line(&at.new.name, &line))));
            }
            choices.push(Choice::hook("record that holds one"));
            self.questions.push(Question {
                step: at.step,
                place: joined(&at.old.name, &place),
                rule,
                verdict: Verdict::Acknowledge,
                what: "is no variant any more".into(),
                candidates: Vec::new(),
                choices,
                unless: Some(check),
            });
        }
        VariantStep { new: None, check: Some(check), fields: super::model::Fields::default() }
    }

    fn variant_clashes(&mut self, at: &At<'a>, matched: &Matched, old: &[Variant], new: &[Variant]) {
        for Clash { new: number, old: olds } in &matched.clashes {
            let name = &new[*number].name;
            let choices = olds.iter().map(|&before| {
                let before = &old[before].name;
                Choice::new(format!("it was {before}"), None, Some(rename_line(&at.new.name, before, name)))
            });
            self.questions.push(Question {
                step: at.step,
                place: format!("{}::{name}", at.new.name),
                rule: 31,
                verdict: Verdict::Acknowledge,
                what: "could go on from more than one variant, or shares one".into(),
                candidates: Vec::new(),
                choices: choices.collect(),
                unless: None,
            });
        }
    }

    /// Whoever holds a value that a hook makes needs a hook itself: the hook is asked for records.
    fn hooks_by_value(&mut self, types: &[TypeStep]) {
        for (step, held) in bytes::types_by_value(types).into_iter().enumerate() {
            for inner in held.into_iter().filter(|&inner| types[inner].body == BodyStep::Hook) {
                let (Some(holder), Some(inner)) = (types[step].new, types[inner].new) else { continue };
                let (holder, inner) = (&self.new.schema().types[holder].name, &self.new.schema().types[inner].name);
                self.questions.push(Question {
                    step,
                    place: holder.clone(),
                    rule: 35,
                    verdict: Verdict::Hook,
                    what: format!("holds a {inner} by value, and only a hook makes those"),
                    candidates: Vec::new(),
                    choices: vec![Choice::hook(holder)],
                    unless: None,
                });
            }
        }
    }
}

fn match_types<'a>(old: &'a Schema, new: &'a Schema, answers: &'a Answers) -> Matched {
    let named = |schema: &'a Schema| -> Vec<Named<'a>> {
        schema.types.iter().map(|described| Named::new(&described.name, &described.attributes.was)).collect()
    };
    let said = Said { renames: Some(&answers.rename), prefix: "" };
    match_names(
        &named(old),
        &named(new),
        said,
        |number| answers.drop_types.contains(&old.types[number].name),
        |_| false,
    )
}

fn part_names(described: &TypeDescriptor) -> impl Iterator<Item = &str> {
    let (fields, variants) = match &described.body {
        Body::Struct(fields) => (&fields[..], &[][..]),
        Body::Enum { variants, .. } => (&[][..], &variants[..]),
    };
    fields.iter().map(|field| &*field.name).chain(variants.iter().map(|variant| &*variant.name))
}

/// The named type that a shape is, by value.
pub(super) fn inline_name(shape: &Shape) -> Option<&str> {
    match shape {
        Shape::Inline(name) => Some(name),
        _ => None,
    }
}
