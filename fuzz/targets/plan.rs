//! A plan between any two sets of descriptors: it is total, it is compiled or refused, and what is compiled stays in
//! the bytes of the records.

#![no_main]

use heap_fuzz::descriptors::registry;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use migrate::{
    Body, BodyStep, ByteOrder, Conversion, Field, Fields, Findings, Job, Lookup, Outside, Part, Plan, Scan, Schema,
    Shape, Slots, SlotsMut, Source, Unfit,
};

/// Time and memory are those of a plan that people could write.
const MAX_RECORD: usize = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Unstructured::new(bytes);
    let (Ok(old), Ok(new)) = (schema(&mut input), schema(&mut input)) else { return };
    if old.check().is_err() || new.check().is_err() {
        return;
    }
    let plan = Plan::between(&old, &new);
    is_total(&plan);
    let order = if input.ratio(1, 2).unwrap_or(true) { ByteOrder::Little } else { ByteOrder::Big };
    let rest = input.take_rest();
    let mut findings = Findings::new(plan.checks.len(), plan.old.types.len());
    for step in 0..plan.types.len() {
        run(&plan, step, order, rest, &mut findings);
    }
    let _ = plan.decide(&findings).map_err(|refusal| refusal.to_string());
    let _ = plan.display_with(&findings).to_string();
});

/// Descriptors with attributes.
fn schema(input: &mut Unstructured<'_>) -> Result<Schema> {
    let mut schema = registry(input)?.schema;
    for described in &mut schema.types {
        if input.ratio(1, 4)? {
            described.attributes.was.push(format!("T{}", input.int_in_range(0..=5)?));
        }
        if input.ratio(1, 4)? {
            described.attributes.dropped.push(format!("f{}", input.int_in_range(0..=4)?));
        }
        let variants = match &mut described.body {
            Body::Struct(fields) => vec![fields],
            Body::Enum { variants, .. } => variants.iter_mut().map(|variant| &mut variant.fields).collect(),
        };
        for field in variants.into_iter().flatten() {
            say(input, field)?;
        }
    }
    Ok(schema)
}

fn say(input: &mut Unstructured<'_>, field: &mut Field) -> Result<()> {
    match input.int_in_range(0..=9)? {
        0 => field.attributes.was.push(format!("f{}", input.int_in_range(0..=4)?)),
        1 => {
            let (outer, inner) = (input.int_in_range(0..=4)?, input.int_in_range(0..=4)?);
            field.attributes.from = Some(format!("f{outer}.f{inner}"));
        }
        2 => {
            let defaults = ["0", "7", "-1", "1e9", "\"a\"", "None", "[]", "[0; 3]", "true", "'x'", "T1::V0", "u8::MAX"];
            field.attributes.default = Some((*input.choose(&defaults)?).to_owned());
        }
        3 => field.name = format!("f{}", input.int_in_range(0..=4)?),
        _ => {}
    }
    Ok(())
}

/// Every new field has one source, and every old one goes somewhere or is dropped.
fn is_total(plan: &Plan) {
    let mut new = vec![0; plan.new.types.len()];
    let mut old = vec![0; plan.old.types.len()];
    for step in &plan.types {
        step.new.into_iter().for_each(|number| new[number] += 1);
        step.old.into_iter().for_each(|number| old[number] += 1);
        let (Some(before), Some(after)) = (step.old, step.new) else { continue };
        match (&step.body, &plan.old.types[before].body, &plan.new.types[after].body) {
            (BodyStep::Struct(fields), Body::Struct(before), Body::Struct(after)) => {
                fields_are_total(plan, fields, before, after);
            }
            (BodyStep::Enum(steps), Body::Enum { variants: before, .. }, Body::Enum { variants: after, .. }) => {
                assert_eq!(steps.len(), before.len());
                for (step, before) in steps.iter().zip(before) {
                    match step.new {
                        Some(number) => fields_are_total(plan, &step.fields, &before.fields, &after[number].fields),
                        None => assert!(step.check.is_some(), "a variant is gone, and nobody looks"),
                    }
                }
            }
            _ => {}
        }
    }
    assert!(new.iter().chain(&old).all(|&steps| steps == 1), "{plan:?}");
}

fn fields_are_total(plan: &Plan, fields: &Fields, old: &[Field], new: &[Field]) {
    let made: Vec<usize> = fields.made.iter().map(|step| step.field).collect();
    assert_eq!(made, (0..new.len()).collect::<Vec<_>>(), "{plan:?}");
    let mut used = vec![false; old.len()];
    fields.dropped.iter().for_each(|dropped| used[dropped.path[0]] = true);
    let mut open = vec![fields];
    while let Some(fields) = open.pop() {
        for step in &fields.made {
            match &step.source {
                Source::Field { path, .. } => used[path[0]] = true,
                Source::Gathered(inner) => open.push(inner),
                _ => {}
            }
        }
    }
    assert!(used.iter().all(|&used| used), "{plan:?}");
}

/// A scan and a conversion of records of any bytes.
fn run(plan: &Plan, step: usize, order: ByteOrder, bytes: &[u8], findings: &mut Findings) {
    let garbage = |len: usize| -> Vec<u8> {
        let mut garbage: Vec<u8> = bytes.iter().copied().cycle().take(if bytes.is_empty() { 0 } else { len }).collect();
        garbage.resize(len, 0);
        garbage
    };
    if let Ok(scan) = Scan::of_type(plan, step, order)
        && scan.size() <= MAX_RECORD
    {
        let records = garbage(scan.size() * 3);
        let slots = Slots { bytes: &records, first: 0, stride: scan.size().max(1) };
        scan.run_slots(slots, 3, |slot| slot != 1, findings, |slot| slot.to_string(), &Anything);
    }
    let Ok(conversion) = Conversion::of_type(plan, step, order) else { return };
    if conversion.old_size().max(conversion.new_size()) > MAX_RECORD {
        return;
    }
    let old = garbage(conversion.old_size());
    let mut new = vec![0; conversion.new_size()];
    let result = conversion.run(&old, &mut new, &mut Anything);
    if conversion.is_pure() {
        let mut again = vec![0; conversion.new_size()];
        let slots = Slots { bytes: &old, first: 0, stride: old.len() };
        let mut new_slots = SlotsMut { first: 0, stride: again.len(), bytes: &mut again };
        let at_once = conversion.run_slots(slots, &mut new_slots, 1, |_| true);
        assert_eq!(at_once.is_ok(), result.is_ok());
        assert!(result.is_err() || new == again);
    }
}

/// Answers anything, and changes nothing.
struct Anything;

impl Outside for Anything {
    type Error = Unfit;

    fn text(&mut self, _: &str) -> std::result::Result<u64, Unfit> {
        Ok(2)
    }

    fn empty(&mut self, _: &Shape) -> std::result::Result<u64, Unfit> {
        Ok(3)
    }

    fn is_empty(&mut self, _: &Shape, handle: u64) -> std::result::Result<bool, Unfit> {
        Ok(handle.is_multiple_of(3))
    }

    fn drop_value(&mut self, _: &Shape, _: u64) -> std::result::Result<(), Unfit> {
        Ok(())
    }

    fn to_bytes(&mut self, handle: u64) -> std::result::Result<u64, Unfit> {
        Ok(handle)
    }

    fn to_text(&mut self, handle: u64) -> std::result::Result<Option<u64>, Unfit> {
        Ok((!handle.is_multiple_of(5)).then_some(handle))
    }

    fn convert(&mut self, _: Job<'_>, handle: u64) -> std::result::Result<u64, Unfit> {
        Ok(handle)
    }

    fn make(&mut self, job: Job<'_>, old: &[u8]) -> std::result::Result<u64, Unfit> {
        assert_eq!(old.len(), job.value().old_size());
        Ok(4)
    }

    fn take(&mut self, job: Job<'_>, handle: u64, new: &mut [u8]) -> std::result::Result<usize, Unfit> {
        assert_eq!(new.len(), job.value().new_size());
        Ok((handle % 3) as usize)
    }
}

impl Lookup for Anything {
    fn is_empty(&self, _: &Shape, handle: u64) -> bool {
        handle.is_multiple_of(3)
    }

    fn is_utf8(&self, handle: u64) -> bool {
        handle.is_multiple_of(3)
    }

    fn count(&self, _: &Shape, handle: u64) -> usize {
        (handle % 3) as usize
    }

    fn text(&self, handle: u64, visit: &mut dyn FnMut(&[u8])) {
        visit(&handle.to_ne_bytes()[..(handle % 8) as usize]);
    }

    fn is_unshared(&self, _: &Shape, handle: u64) -> bool {
        handle.is_multiple_of(3)
    }

    fn each(&self, _: Job<'_>, _: u64, _: &mut dyn FnMut(Part, &[u8])) {}

    fn written(&self, shape: &Shape, handle: u64, _: usize) -> String {
        format!("{shape} {handle}")
    }
}
