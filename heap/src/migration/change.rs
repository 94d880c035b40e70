//! What a migration does to a type by its names alone, where a hook makes the values.

use std::collections::BTreeMap;

use migrate::{Answers, Body, BodyStep, Field, Fields, Plan, Shape, Source, TypeStep};

/// The parts of a type that come and go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Change {
    /// Fields that no old one becomes, and variants.
    pub(crate) added: Vec<Part>,
    /// Fields that become nothing, and variants.
    pub(crate) dropped: Vec<Part>,
}

/// A field, or a variant (`::Square`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    /// Of a field.
    pub(crate) shape: Option<Shape>,
}

/// How the types of a plan are called afterwards, as an answer.
pub(crate) fn renames(plan: &Plan) -> BTreeMap<String, String> {
    let both = plan.types.iter().filter_map(|step| Some((step.old?, step.new?)));
    both.map(|(old, new)| (plan.old.types[old].name.clone(), plan.new.types[new].name.clone()))
        .filter(|(old, new)| old != new)
        .collect()
}

/// The plan as it would be if the program had no hooks: what its names say.
pub(crate) fn without_hooks(plan: &Plan) -> Plan {
    let answers = Answers { rename: renames(plan), ..Answers::default() };
    Plan::with_answers(&plan.old, &plan.new, &answers)
}

impl Change {
    /// What a plan [without hooks](without_hooks) says of the step at this position.
    pub(crate) fn of(plan: &Plan, step: usize) -> Self {
        let mut change = Self::default();
        let TypeStep { old: Some(old), new: Some(new), body, .. } = &plan.types[step] else { return change };
        match (body, &plan.old.types[*old].body, &plan.new.types[*new].body) {
            (BodyStep::Struct(fields), Body::Struct(before), Body::Struct(after)) => {
                change.fields(plan, fields, (before, ""), (after, ""));
            }
            (BodyStep::Enum(steps), Body::Enum { variants: before, .. }, Body::Enum { variants: after, .. }) => {
                let mut is_new = vec![true; after.len()];
                for (step, variant) in steps.iter().zip(before) {
                    let Some(position) = step.new else {
                        change.dropped.push(Part { name: format!("::{}", variant.name), shape: None });
                        continue;
                    };
                    is_new[position] = false;
                    let other = &after[position];
                    let prefixes = [variant, other].map(|variant| format!("::{}.", variant.name));
                    change.fields(plan, &step.fields, (&variant.fields, &prefixes[0]), (&other.fields, &prefixes[1]));
                }
                let added = after.iter().zip(is_new).filter(|(_, is_new)| *is_new);
                change.added.extend(added.map(|(it, _)| Part { name: format!("::{}", it.name), shape: None }));
            }
            _ => {}
        }
        change
    }

    /// Fields come with what stands before their names.
    fn fields(&mut self, plan: &Plan, fields: &Fields, old: (&[Field], &str), new: (&[Field], &str)) {
        for step in fields.made.iter().filter(|step| !matches!(step.source, Source::Field { .. })) {
            let field = &new.0[step.field];
            self.added.push(Part { name: format!("{}{}", new.1, field.name), shape: Some(field.shape.clone()) });
        }
        for dropped in &fields.dropped {
            if let Some((field, name)) = plan.old_field(old.0, &dropped.path) {
                self.dropped.push(Part { name: format!("{}{name}", old.1), shape: Some(field.shape.clone()) });
            }
        }
    }
}
