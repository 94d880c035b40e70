//! Plans that contradict themselves, and bytes that are no values.

use super::edit::{self, Pair};
use super::*;
use crate::plan::{BodyStep, Cast, Fields, Plan, Source};
use crate::schema::{Body, Field, OptionTag, Schema};

/// Answers anything, and changes nothing.
struct Anything;

impl Outside for Anything {
    type Error = Unfit;

    fn text(&mut self, _: &str) -> Result<u64, Unfit> {
        Ok(2)
    }

    fn empty(&mut self, _: &Shape) -> Result<u64, Unfit> {
        Ok(3)
    }

    fn is_empty(&mut self, _: &Shape, handle: u64) -> Result<bool, Unfit> {
        Ok(handle.is_multiple_of(3))
    }

    fn drop_value(&mut self, _: &Shape, _: u64) -> Result<(), Unfit> {
        Ok(())
    }

    fn to_bytes(&mut self, handle: u64) -> Result<u64, Unfit> {
        Ok(handle)
    }

    fn to_text(&mut self, handle: u64) -> Result<Option<u64>, Unfit> {
        Ok(Some(handle))
    }

    fn convert(&mut self, job: Job<'_>, handle: u64) -> Result<u64, Unfit> {
        for converter in [Some(job.value()), job.key()].into_iter().flatten() {
            assert!(converter.old_size() <= crate::MAX_SIZE as usize);
        }
        Ok(handle)
    }

    fn make(&mut self, job: Job<'_>, old: &[u8]) -> Result<u64, Unfit> {
        assert_eq!(old.len(), job.value().old_size());
        Ok(4)
    }

    fn take(&mut self, job: Job<'_>, handle: u64, new: &mut [u8]) -> Result<usize, Unfit> {
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

    fn each(&self, job: Job<'_>, _: u64, visit: &mut dyn FnMut(Part, &[u8])) {
        // Zeros hold no further handles that would be looked at without an end.
        visit(Part::Value, &vec![0; job.value().old_size()]);
        visit(Part::Key, &[]);
    }

    fn written(&self, shape: &Shape, handle: u64, _: usize) -> String {
        format!("{shape} {handle}")
    }
}

fn fields_of<'s>(random: &mut Random, schema: &'s mut Schema) -> Option<&'s mut Vec<Field>> {
    let number = random.below(schema.types.len() as u64) as usize;
    match &mut schema.types[number].body {
        Body::Struct(fields) => Some(fields),
        Body::Enum { variants, .. } => {
            let number = random.below(variants.len() as u64 + 1) as usize;
            variants.get_mut(number).map(|variant| &mut variant.fields)
        }
    }
}

fn steps_of<'s>(random: &mut Random, plan: &'s mut Plan) -> Option<&'s mut Fields> {
    let number = random.below(plan.types.len() as u64) as usize;
    match &mut plan.types[number].body {
        BodyStep::Struct(fields) => Some(fields),
        BodyStep::Enum(variants) => {
            let number = random.below(variants.len() as u64 + 1) as usize;
            variants.get_mut(number).map(|variant| &mut variant.fields)
        }
        _ => None,
    }
}

/// Another number nearby, or one far away.
fn bent(random: &mut Random, number: u32) -> u32 {
    [0, 1, number.wrapping_add(1), number.wrapping_sub(1), number / 2, u32::MAX, 1 << 20, number ^ 4]
        [random.below(8) as usize]
}

fn bend_schema(random: &mut Random, schema: &mut Schema) {
    let number = random.below(schema.types.len() as u64) as usize;
    match random.below(6) {
        0 => schema.types[number].size = bent(random, schema.types[number].size),
        1 => {
            if let Body::Enum { tag_offset, tag, variants } = &mut schema.types[number].body {
                match random.below(3) {
                    0 => *tag_offset = bent(random, *tag_offset),
                    1 => tag.width = bent(random, tag.width.into()) as u8,
                    _ => drop(variants.pop()),
                }
            }
        }
        _ => {
            let other = fields_of(random, schema).and_then(|fields| fields.first().cloned());
            let Some(fields) = fields_of(random, schema) else { return };
            let position = random.below(fields.len() as u64 + 1) as usize;
            let Some(field) = fields.get_mut(position) else { return };
            match (random.below(3), &mut field.shape, other) {
                (0, ..) => field.offset = bent(random, field.offset),
                (1, shape, Some(other)) => *shape = other.shape,
                (_, Shape::Array { count, .. }, _) => {
                    *count = [0, 1, 7, 1 << 20, 1 << 40, u64::MAX][random.below(6) as usize];
                }
                (_, Shape::Option { size, tag, .. }, _) => match (random.below(3), tag) {
                    (0, _) => *size = bent(random, *size),
                    (_, OptionTag::Niche { offset, .. }) => *offset = bent(random, *offset),
                    (1, OptionTag::Tagged { width, .. }) => *width = bent(random, (*width).into()) as u8,
                    (_, OptionTag::Tagged { value_offset, .. }) => *value_offset = bent(random, *value_offset),
                },
                (_, Shape::Integer(integer), _) => integer.width = bent(random, integer.width.into()) as u8,
                (_, shape, _) => *shape = Shape::Inline(format!("T{}", random.below(4))),
            }
        }
    }
}

fn bend_steps(random: &mut Random, plan: &mut Plan) {
    let number = random.below(plan.types.len() as u64) as usize;
    let usize_of = |random: &mut Random, number: usize| bent(random, number as u32) as usize;
    match random.below(8) {
        0 => plan.types[number].old = plan.types[number].old.map(|old| usize_of(random, old)),
        1 => plan.types[number].new = plan.types[number].new.map(|new| usize_of(random, new)),
        2 => plan.types[number].body = plan.types[0].body.clone(),
        3 => {
            plan.checks.pop();
        }
        _ => {
            let other = steps_of(random, plan).and_then(|fields| fields.made.first().cloned());
            let Some(fields) = steps_of(random, plan) else { return };
            let position = random.below(fields.made.len() as u64 + 1) as usize;
            let Some(step) = fields.made.get_mut(position) else { return };
            match (random.below(5), &mut step.source, other) {
                (0, ..) => step.field = usize_of(random, step.field),
                (1, source, Some(other)) => *source = other.source,
                (2, Source::Field { path, .. }, _) => path[0] = usize_of(random, path[0]),
                (3, Source::Field { cast, .. }, _) => {
                    let inner = Box::new(cast.clone());
                    *cast = match random.below(9) {
                        0 => Cast::Copy,
                        1 => Cast::Type(number),
                        2 => Cast::Some(inner),
                        3 => Cast::Option(inner),
                        4 => Cast::ToReference(inner),
                        5 => Cast::FromReference { record: inner, check: 0 },
                        6 => Cast::Unwrap { value: inner, none: None, check: None },
                        7 => Cast::List(inner),
                        _ => Cast::Number { check: None },
                    };
                }
                (_, Source::Field { path, .. }, _) => path.push(position),
                _ => drop(fields.made.pop()),
            }
        }
    }
}

/// A plan that was changed anywhere is compiled or is an error, and what is compiled reads and writes nothing but the
/// values, whatever their bytes. Slices would panic.
#[test]
fn a_plan_that_contradicts_itself_does_no_harm() {
    let (mut compiled, mut refused, mut unfit) = (0, 0, 0);
    for seed in 0..20_000_u64 {
        let random = &mut Random::new(seed);
        let Pair { mut plan, step, .. } = edit::pair(random);
        for _ in 0..=random.below(3) {
            match random.below(3) {
                0 => bend_schema(random, &mut plan.old),
                1 => bend_schema(random, &mut plan.new),
                _ => bend_steps(random, &mut plan),
            }
        }
        let order = if random.chance(50) { ByteOrder::Big } else { ByteOrder::Little };
        let mut zeros = random.below(100);
        let mut garbage = |len: usize| -> Vec<u8> {
            zeros = (zeros * 7 + 3) % 100;
            (0..len).map(|_| if random.below(100) < zeros { 0 } else { random.below(256) as u8 }).collect()
        };
        if let Ok(scan) = Scan::of_type(&plan, step, order) {
            let old = garbage(scan.size() * 3);
            let mut findings = crate::Findings::default();
            let slots = Slots { bytes: &old, first: 0, stride: scan.size().max(1) };
            scan.run_slots(slots, 3, |_| true, &mut findings, |slot| slot.to_string(), &Anything);
        }
        let Ok(conversion) = Conversion::of_type(&plan, step, order) else {
            refused += 1;
            continue;
        };
        compiled += 1;
        for converter in conversion.converters() {
            let old = garbage(converter.old_size());
            let mut new = vec![0; converter.new_size()];
            unfit += u32::from(converter.run(&old, &mut new, &mut Anything).is_err());
            if converter.is_pure() {
                let slots = Slots { bytes: &old, first: 0, stride: old.len() };
                let mut new = SlotsMut { first: 0, stride: new.len(), bytes: &mut new };
                // The new bytes are no longer zero, which does no harm either.
                let _ = converter.run_slots(slots, &mut new, 1, |_| true);
            }
        }
    }
    assert!(compiled > 1_000 && refused > 1_000 && unfit > 1_000, "{compiled} {refused} {unfit}");
}
