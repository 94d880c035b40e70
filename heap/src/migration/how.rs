//! How a table's records are made: from their own bytes, with values outside of them, or by one of the program's hooks.

use migrate::{BodyStep, ByteOrder, Conversion, Plan, Question, TypeDescriptor};

use super::hook::{Hook, TypedHook};
use crate::error::{Error, Result};
use crate::types::Types;

/// How a table's records are made.
#[derive(Debug)]
pub(super) enum How {
    /// There are none; nothing need be known of how they would be made.
    NotAtAll,
    /// From their own bytes.
    Alone(Conversion),
    /// With values outside of them, or one by one because others take some of them.
    WithOutside(Conversion),
    /// By the program's hook at this position.
    Hook(usize, Seen),
}

/// As what a hook sees old records.
#[derive(Debug)]
pub(super) enum Seen {
    /// As they lie, which is as its old type does.
    AsTheyAre,
    /// Converted to its old type first.
    Converted(Conversion),
    /// By the names of their fields.
    ByName,
}

impl How {
    /// Whether records can only be made when the new tables stand.
    pub(super) const fn needs_outside(&self) -> bool {
        matches!(self, Self::WithOutside(_) | Self::Hook(..))
    }
}

/// How the records of a step's type are made.
pub(super) fn how(plan: &Plan, types: &Types, step: usize) -> Result<How> {
    let type_step = &plan.types[step];
    let uncompiled = |error: migrate::ConversionError| Error::Unsupported {
        name: type_step.new.map_or_else(String::new, |new| plan.new.types[new].name.clone()),
        why: error.to_string(),
    };
    if type_step.body != BodyStep::Hook {
        let conversion = Conversion::of_type(plan, step, ByteOrder::NATIVE).map_err(uncompiled)?;
        return Ok(if conversion.is_pure() { How::Alone(conversion) } else { How::WithOutside(conversion) });
    }
    let (old, new) = (type_step.old.expect("a hook has an old type"), type_step.new.expect("and a new one"));
    let (old, new) = (&plan.old.types[old], &plan.new.types[new]);
    let mut refusal = None;
    let (mut by_name, mut converted) = (None, None);
    for (number, hook) in types.hooks(&new.name).iter().enumerate() {
        let Hook::Typed(hook) = hook else {
            by_name.get_or_insert(number);
            continue;
        };
        match seen_as(plan, old, hook) {
            // The heap's own layout, whatever else would do.
            Some(Ok(Seen::AsTheyAre)) => return Ok(How::Hook(number, Seen::AsTheyAre)),
            Some(Ok(seen)) => {
                converted.get_or_insert((number, seen));
            }
            Some(Err(why)) => refusal = Some(why),
            None => {}
        }
    }
    match (converted, by_name) {
        (Some((number, seen)), _) => Ok(How::Hook(number, seen)),
        (None, Some(number)) => Ok(How::Hook(number, Seen::ByName)),
        (None, None) => {
            let why = format!(
                "the old type of its hook is not the heap's {} as it is{}",
                old.name,
                refusal.map_or_else(String::new, |why| format!(": {why}"))
            );
            Err(Error::Unsupported { name: new.name.clone(), why })
        }
    }
}

/// As what a hook sees the heap's records; none where its old type is another one, and why not where it cannot.
fn seen_as(plan: &Plan, old: &TypeDescriptor, hook: &TypedHook) -> Option<Result<Seen, String>> {
    let mut target = hook.old.clone();
    // The hook's old type takes the name of the heap's; what only stood for that name makes room.
    target.types.retain(|described| described.name == hook.name || described.name != old.name);
    for described in &mut target.types {
        if described.name == hook.name {
            described.name.clone_from(&old.name);
        }
    }
    let before = Plan::between(&plan.old, &target);
    let step = before.types.iter().position(|step| {
        step.old.is_some_and(|number| before.old.types[number].name == old.name) && step.new.is_some()
    })?;
    if !before.types[step].rewritten {
        return Some(Ok(Seen::AsTheyAre));
    }
    // A value that the hook is not shown would be lost without a word.
    let held = before.old.held_by([&*old.name]);
    let is_held =
        |step: usize| before.types[step].old.is_some_and(|number| held.contains(&*before.old.types[number].name));
    let unsaid = before.questions.iter().find(|it| is_held(it.step) && it.rule != Question::SECRET);
    if let Some(question) = unsaid {
        let said = question.choices.iter().filter_map(|choice| choice.code.as_deref());
        let said: Vec<&str> = said.collect();
        let code = if said.is_empty() { String::new() } else { format!("; say there: {}", said.join(" or ")) };
        return Some(Err(format!("{}: {}{code}", question.place, question.what)));
    }
    Some(match Conversion::of_type(&before, step, ByteOrder::NATIVE) {
        Ok(conversion) if conversion.is_pure() => Ok(Seen::Converted(conversion)),
        Ok(_) => Err("values outside its records would have to be made anew before the hook".to_owned()),
        Err(error) => Err(error.to_string()),
    })
}
