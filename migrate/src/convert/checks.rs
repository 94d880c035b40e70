//! Where a plan has anything to check.

use crate::plan::{BodyStep, Cast, Fields, Plan, Source, VariantStep};

/// Which of the plan's types have anything to check, in themselves or in what they hold and own.
pub(super) fn checked_types(plan: &Plan) -> Vec<bool> {
    let mut checked = vec![false; plan.types.len()];
    loop {
        let now: Vec<bool> = plan.types.iter().map(|step| body_has_checks(&step.body, &checked)).collect();
        if now == checked {
            return checked;
        }
        checked = now;
    }
}

pub(super) fn body_has_checks(body: &BodyStep, types: &[bool]) -> bool {
    match body {
        BodyStep::Struct(fields) => fields_have_checks(fields, types),
        BodyStep::Enum(variants) => {
            let checks = |step: &VariantStep| step.new.is_none() || fields_have_checks(&step.fields, types);
            variants.iter().any(checks)
        }
        _ => false,
    }
}

pub(super) fn fields_have_checks(fields: &Fields, types: &[bool]) -> bool {
    fields.dropped.iter().any(|dropped| dropped.check.is_some())
        || fields.made.iter().any(|step| match &step.source {
            Source::Field { cast, .. } => has_checks(cast, types),
            Source::Gathered(fields) => fields_have_checks(fields, types),
            _ => false,
        })
}

pub(super) fn has_checks(cast: &Cast, types: &[bool]) -> bool {
    let within = |cast: &Cast| has_checks(cast, types);
    match cast {
        Cast::Copy | Cast::TextToBytes | Cast::Unanswered => false,
        Cast::Number { check } => check.is_some(),
        Cast::BytesToText { .. }
        | Cast::FromList { .. }
        | Cast::FromListOption { .. }
        | Cast::ListToMap { .. }
        | Cast::FromReference { .. } => true,
        Cast::Type(step) => types.get(*step).copied().unwrap_or(false),
        Cast::Unwrap { value, check, .. } => check.is_some() || within(value),
        Cast::Array { element, check, .. } => check.is_some() || within(element),
        Cast::Map { key, value, check } => check.is_some() || within(key) || within(value),
        Cast::MapToList { key, value } => within(key) || within(value),
        Cast::Some(inner)
        | Cast::Option(inner)
        | Cast::One(inner)
        | Cast::ToList(inner)
        | Cast::List(inner)
        | Cast::ToReference(inner) => within(inner),
    }
}
