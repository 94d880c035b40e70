//! Single rules, each with the values at its edges.

use super::oracle;
use super::*;
use crate::plan::{BodyStep, Cast, Check, CheckKind, FieldStep, Fields, Plan, Source, TypeStep, Value};
use crate::schema::{
    Body, Field, FieldAttributes, Float, Integer, OptionTag, Schema, SecretMode, TypeAttributes, TypeDescriptor,
    Variant,
};
use crate::{Findings, MAX_DEPTH};

fn integer(width: u8, signed: bool) -> Shape {
    Shape::Integer(Integer { width, signed, align: width })
}

fn float(width: u8) -> Shape {
    Shape::Float(Float { width, align: width })
}

fn numbers() -> Vec<Shape> {
    let mut shapes = vec![Shape::Bool, float(4), float(8)];
    for width in [1, 2, 4, 8, 16] {
        shapes.extend([integer(width, false), integer(width, true)]);
    }
    shapes
}

fn check(kind: CheckKind, waived: bool) -> Check {
    Check { record: 0, place: "value".into(), kind, waived }
}

fn plan(old: Vec<TypeDescriptor>, new: Vec<TypeDescriptor>, types: Vec<TypeStep>, checks: Vec<Check>) -> Plan {
    Plan { old: Schema { types: old }, new: Schema { types: new }, types, checks, ..Plan::default() }
}

/// Numbers near every power of two, of both signs, and floats that are special or between the integers.
fn edges(shape: &Shape) -> Vec<Tree> {
    match shape {
        Shape::Bool => vec![Tree::Bool(false), Tree::Bool(true)],
        Shape::Integer(integer) => {
            let bits = 8 * u32::from(integer.width);
            let powers = (0..bits).flat_map(|shift| {
                let power = 1_u128 << shift;
                [power - 1, power, power + 1, (power << 1).wrapping_sub(1), power | 1 << (shift / 2)]
            });
            let magnitudes: Vec<u128> = powers.chain([u128::MAX]).collect();
            let fits = |negative: bool, magnitude: u128| match (integer.signed, negative) {
                (false, _) => !negative && magnitude <= u128::MAX >> (128 - bits),
                (true, false) => magnitude < 1 << (bits - 1),
                (true, true) => magnitude <= 1 << (bits - 1) && magnitude > 0,
            };
            let both = magnitudes.iter().flat_map(|&magnitude| [(false, magnitude), (true, magnitude)]);
            both.filter(|&(negative, magnitude)| fits(negative, magnitude))
                .map(|(negative, magnitude)| Tree::Integer(negative, magnitude))
                .collect()
        }
        Shape::Float(float) => {
            let mut values: Vec<f64> = (-160..1024).step_by(1).map(|power| 2_f64.powi(power)).collect();
            values.extend((0..130).map(|power| 2_f64.powi(power) - 1.0));
            values.extend([0.0, 0.1, 1.5, f64::MAX, f64::MIN_POSITIVE, f64::INFINITY, f64::from(f32::MAX)]);
            values.extend([5e-324, 1e-45, f64::from(f32::MIN_POSITIVE) / 2.0, f64::from(f32::MAX) * 1.000_000_1]);
            let negative: Vec<f64> = values.iter().map(|value| -value).collect();
            let all = values.into_iter().chain(negative);
            let nans = [1, 1 << 51, 1 << 29, 1 << 28, (1 << 52) - 1, 3 << 29].map(|payload| 0x7ff << 52 | payload);
            if float.width == 8 {
                let signs = nans.iter().flat_map(|&nan| [nan, nan | 1 << 63]);
                all.map(f64::to_bits).chain(signs).map(Tree::Double).collect()
            } else {
                let nans = [1, 1 << 22, 0x7f_ffff].map(|payload| 0x7f80_0000 | payload);
                let signs = nans.iter().flat_map(|&nan| [nan, nan | 1 << 31]);
                all.map(|value| (value as f32).to_bits()).chain(signs).map(Tree::Single).collect()
            }
        }
        other => panic!("{other} is no number"),
    }
}

#[test]
fn every_number_becomes_every_other_by_value_or_not_at_all() {
    let plan = plan(vec![], vec![], vec![], vec![check(CheckKind::Fits, false)]);
    for old in numbers() {
        for new in numbers() {
            for order in [ByteOrder::Little, ByteOrder::Big] {
                let cast = Cast::Number { check: Some(0) };
                let conversion = Conversion::of_shape(&plan, &old, &new, &cast, order).unwrap();
                let mut store = Store::new(&plan.old, order);
                for tree in edges(&old) {
                    let mut bytes = vec![0; conversion.old_size()];
                    encode(&tree, &old, &plan.old, order, &mut bytes, &mut store);
                    let mut converted = vec![0; conversion.new_size()];
                    let result = conversion.run(&bytes, &mut converted, &mut store);
                    let Some(expected) = oracle::number(&tree, &new) else {
                        assert_eq!(
                            result,
                            Err(Unfit { at: 0, what: Misfit::Check(0) }),
                            "{tree:?} from {old} to {new}"
                        );
                        continue;
                    };
                    assert_eq!(result, Ok(()), "{tree:?} from {old} to {new}");
                    let mut expected_bytes = vec![0; conversion.new_size()];
                    encode(&expected, &new, &plan.new, ByteOrder::NATIVE, &mut expected_bytes, &mut store);
                    assert_eq!(converted, expected_bytes, "{tree:?} from {old} to {new}");
                }
            }
        }
    }
}

#[test]
fn a_byte_that_is_no_bool_becomes_no_number() {
    let plan = plan(vec![], vec![], vec![], vec![]);
    for new in numbers() {
        for cast in [Cast::Number { check: None }, Cast::Copy] {
            let Ok(conversion) = Conversion::of_shape(&plan, &Shape::Bool, &new, &cast, ByteOrder::NATIVE) else {
                assert_ne!(new, Shape::Bool);
                continue;
            };
            let mut store = Store::new(&plan.old, ByteOrder::NATIVE);
            conversion.run(&[2], &mut vec![0; conversion.new_size()], &mut store).unwrap_err();
        }
    }
}

#[test]
fn the_nearest_float_is_taken_only_where_the_program_allows_it() {
    let narrow = |bits: u64, waived: bool| {
        let plan = plan(vec![], vec![], vec![], vec![check(CheckKind::Exact, waived)]);
        let cast = Cast::Number { check: Some(0) };
        let conversion = Conversion::of_shape(&plan, &float(8), &float(4), &cast, ByteOrder::NATIVE).unwrap();
        let mut new = [0; 4];
        let mut store = Store::new(&plan.old, ByteOrder::NATIVE);
        conversion.run(&bits.to_ne_bytes(), &mut new, &mut store).ok().map(|()| u32::from_ne_bytes(new))
    };
    for value in [0.1, 1e300, 1e-300, f64::from(f32::MAX) * 1.1] {
        assert_eq!(narrow(value.to_bits(), false), None);
        assert_eq!(narrow(value.to_bits(), true), Some((value as f32).to_bits()));
    }
    // A NaN whose bits do not fit stays a NaN of the same sign.
    let nan = narrow(0xfff0_0000_0000_0001, true).unwrap();
    assert!(f32::from_bits(nan).is_nan() && nan >> 31 == 1);
}

fn record(name: &str, size: u32, fields: &[(&str, u32, Shape)]) -> TypeDescriptor {
    let field = |(name, offset, shape): &(&str, u32, Shape)| Field {
        name: (*name).into(),
        offset: *offset,
        shape: shape.clone(),
        attributes: FieldAttributes::default(),
    };
    let body = Body::Struct(fields.iter().map(field).collect());
    TypeDescriptor { name: name.into(), size, align: 8, body, attributes: TypeAttributes::default() }
}

fn step(number: usize, made: Vec<Source>) -> TypeStep {
    let made = made.into_iter().enumerate().map(|(field, source)| FieldStep { field, source }).collect();
    let body = BodyStep::Struct(Fields { made, dropped: vec![] });
    TypeStep { old: Some(number), new: Some(number), body, rewritten: true }
}

fn from(position: usize, cast: Cast) -> Source {
    Source::Field { path: vec![position], cast }
}

/// One record for a value and one value for a record: what the outside is asked holds the sizes of both.
#[derive(Default)]
struct Records {
    made: Vec<Vec<u8>>,
    shared: bool,
}

impl Outside for Records {
    type Error = Unfit;

    fn text(&mut self, _: &str) -> Result<u64, Unfit> {
        unreachable!("there are no texts")
    }

    fn empty(&mut self, _: &Shape) -> Result<u64, Unfit> {
        unreachable!("there are no lists")
    }

    fn is_empty(&mut self, _: &Shape, _: u64) -> Result<bool, Unfit> {
        unreachable!("nothing is dropped")
    }

    fn drop_value(&mut self, _: &Shape, _: u64) -> Result<(), Unfit> {
        unreachable!("nothing is dropped")
    }

    fn to_bytes(&mut self, _: u64) -> Result<u64, Unfit> {
        unreachable!("there are no texts")
    }

    fn to_text(&mut self, _: u64) -> Result<Option<u64>, Unfit> {
        unreachable!("there are no texts")
    }

    fn convert(&mut self, _: Job<'_>, _: u64) -> Result<u64, Unfit> {
        unreachable!("there are no lists")
    }

    fn make(&mut self, job: Job<'_>, old: &[u8]) -> Result<u64, Unfit> {
        assert_eq!((job.kind(), job.new_shape()), (JobKind::ToReference, &Shape::Reference("Point".into())));
        let mut new = vec![0; job.value().new_size()];
        job.value().run(old, &mut new, self)?;
        self.made.push(new);
        Ok(100 + self.made.len() as u64)
    }

    fn take(&mut self, job: Job<'_>, handle: u64, new: &mut [u8]) -> Result<usize, Unfit> {
        assert_eq!((job.kind(), job.old_shape()), (JobKind::FromReference, &Shape::Reference("Point".into())));
        if self.shared {
            return Ok(2);
        }
        let old = self.made[handle as usize - 101].clone();
        job.value().run(&old, new, self)?;
        Ok(1)
    }
}

#[test]
fn a_value_becomes_a_record_and_a_record_becomes_a_value() {
    let narrow = record("Point", 8, &[("x", 0, integer(4, false))]);
    let wide = record("Point", 8, &[("x", 0, integer(8, false))]);
    let inline = record("Node", 8, &[("at", 0, Shape::Inline("Point".into()))]);
    let referring = record("Node", 8, &[("at", 0, Shape::Reference("Point".into()))]);
    let point = || step(0, vec![from(0, Cast::Number { check: None })]);
    let out = Cast::ToReference(Box::new(Cast::Type(0)));
    let there = plan(
        vec![narrow.clone(), inline.clone()],
        vec![wide.clone(), referring.clone()],
        vec![point(), step(1, vec![from(0, out)])],
        vec![],
    );
    let mut records = Records::default();
    let conversion = Conversion::of_type(&there, 1, ByteOrder::NATIVE).unwrap();
    assert!(!conversion.is_pure());
    let (mut old, mut new) = ([0; 8], [0; 8]);
    old[..4].copy_from_slice(&7_u32.to_ne_bytes());
    conversion.run(&old, &mut new, &mut records).unwrap();
    assert_eq!(u64::from_ne_bytes(new), 101);
    assert_eq!(records.made, [7_u64.to_ne_bytes()]);

    let into = Cast::FromReference { record: Box::new(Cast::Type(0)), check: 0 };
    let back = plan(
        vec![wide, referring],
        vec![narrow, inline],
        vec![point(), step(1, vec![from(0, into)])],
        vec![check(CheckKind::Unshared, false)],
    );
    let conversion = Conversion::of_type(&back, 1, ByteOrder::NATIVE).unwrap();
    let mut again = [0; 8];
    conversion.run(&new, &mut again, &mut records).unwrap();
    assert_eq!(again, old);
    records.shared = true;
    let unfit = conversion.run(&new, &mut [0; 8], &mut records).unwrap_err();
    assert_eq!(unfit, Unfit { at: 0, what: Misfit::Check(0) });
}

/// A list whose elements hold such lists: jobs that reach themselves end.
#[test]
fn a_type_may_own_lists_of_itself() {
    let tree = |width: u8| {
        let list = Shape::List(Box::new(Shape::Inline("Tree".into())));
        record("Tree", 16, &[("weight", 0, integer(width, false)), ("children", 8, list)])
    };
    let children = Cast::List(Box::new(Cast::Type(0)));
    let made = vec![from(0, Cast::Number { check: Some(0) }), from(1, children)];
    let plan = plan(vec![tree(8)], vec![tree(4)], vec![step(0, made)], vec![check(CheckKind::Fits, false)]);
    let conversion = Conversion::of_type(&plan, 0, ByteOrder::NATIVE).unwrap();
    assert_eq!(conversion.jobs().count(), 1);
    let mut store = Store::new(&plan.old, ByteOrder::NATIVE);
    let shape = Shape::Inline("Tree".into());
    let mut value = Tree::List(vec![]);
    for depth in 0..50 {
        let fields = vec![("weight".into(), Tree::Integer(false, depth)), ("children".into(), value)];
        value = Tree::List(vec![Tree::Struct(fields)]);
    }
    let Tree::List(mut roots) = value else { unreachable!() };
    let (mut old, mut new) = ([0; 16], [0; 16]);
    encode(&roots[0], &shape, &plan.old, ByteOrder::NATIVE, &mut old, &mut store);
    let scan = Scan::of_type(&plan, 0, ByteOrder::NATIVE).unwrap();
    let mut found = Findings::new(1, 1);
    let slots = Slots { bytes: &old, first: 0, stride: 16 };
    scan.run_slots(slots, 1, |_| true, &mut found, |slot| slot.to_string(), &store);
    assert_eq!((found.checks[0].seen, found.checks[0].failed), (50, 0));
    conversion.run(&old, &mut new, &mut store).unwrap();
    super::check(&roots.remove(0), &shape, &plan.new, &new, &mut store);
}

fn handle_option(inner: Shape) -> Shape {
    let tag = OptionTag::Niche { offset: 0, width: 8, none: 0 };
    Shape::Option { inner: Box::new(inner), size: 8, align: 8, tag }
}

fn tagged_option(inner: Shape, size: u32) -> Shape {
    let tag = OptionTag::Tagged { width: 1, value_offset: size / 2 };
    Shape::Option { inner: Box::new(inner), size, align: size / 2, tag }
}

#[test]
fn numbers_of_the_other_byte_order_are_turned_also_where_nothing_else_changes() {
    let text = Shape::Text;
    let list = Shape::List(Box::new(integer(4, false)));
    let optional = handle_option(list.clone());
    let fields = [
        ("a", 0, integer(8, true)),
        ("text", 8, text),
        ("list", 16, list),
        ("b", 24, Shape::Bool),
        ("maybe", 32, optional),
    ];
    let described = record("Item", 40, &fields);
    let same = TypeStep { old: Some(0), new: Some(0), body: BodyStep::Same, rewritten: false };
    let plan = plan(vec![described.clone()], vec![described], vec![same], vec![]);
    let foreign = if ByteOrder::NATIVE == ByteOrder::Little { ByteOrder::Big } else { ByteOrder::Little };
    let shape = Shape::Inline("Item".into());
    for order in [ByteOrder::NATIVE, foreign] {
        let mut store = Store::new(&plan.old, order);
        let tree = Tree::Struct(vec![
            ("a".into(), Tree::Integer(true, 2)),
            ("text".into(), Tree::Text("hello".into())),
            ("list".into(), Tree::List(vec![Tree::Integer(false, 1), Tree::Integer(false, 258)])),
            ("b".into(), Tree::Bool(true)),
            ("maybe".into(), Tree::Something(Box::new(Tree::List(vec![Tree::Integer(false, 3)])))),
        ]);
        let (mut old, mut new) = (vec![0x55; 40], vec![0; 40]);
        encode(&tree, &shape, &plan.old, order, &mut old, &mut store);
        let conversion = Conversion::of_type(&plan, 0, order).unwrap();
        assert_eq!(conversion.is_pure(), order == ByteOrder::NATIVE);
        conversion.run(&old, &mut new, &mut store).unwrap();
        super::check(&tree, &shape, &plan.new, &new, &mut store);
    }
}

#[test]
fn values_may_lie_as_deep_in_each_other_as_a_schema_allows() {
    let nested = |width: u8| {
        let mut types = vec![record("T0", 8, &[("x", 0, integer(width, false))])];
        for depth in 1..MAX_DEPTH - 1 {
            types.push(record(&format!("T{depth}"), 8, &[("x", 0, Shape::Inline(format!("T{}", depth - 1)))]));
        }
        types
    };
    let last = MAX_DEPTH as usize - 2;
    let steps = (0..=last).map(|number| {
        let cast = if number == 0 { Cast::Number { check: None } } else { Cast::Type(number - 1) };
        step(number, vec![from(0, cast)])
    });
    let plan = plan(nested(4), nested(8), steps.collect(), vec![]);
    plan.old.check().unwrap();
    let conversion = Conversion::of_type(&plan, last, ByteOrder::NATIVE).unwrap();
    let mut new = [0; 8];
    conversion.run(&[1, 0, 0, 0, 9, 9, 9, 9], &mut new, &mut Records::default()).unwrap();
    assert_eq!(new, if ByteOrder::NATIVE == ByteOrder::Little { 1_u64 } else { 1 << 24 }.to_ne_bytes());
    // A type that holds itself by value has no end.
    let mut circular = plan.clone();
    circular.old.types[0] = record("T0", 8, &[("x", 0, Shape::Inline(format!("T{last}")))]);
    circular.new.types[0] = circular.old.types[0].clone();
    circular.types[0] = step(0, vec![from(0, Cast::Type(last))]);
    assert_eq!(Conversion::of_type(&circular, last, ByteOrder::NATIVE).unwrap_err(), ConversionError::TooMany);
}

#[test]
fn a_plan_without_answers_is_not_compiled() {
    let item = |size| record("Item", size, &[("a", 0, integer(4, false))]);
    let compile = |made: Vec<Source>| {
        let plan = plan(vec![item(8)], vec![item(16)], vec![step(0, made)], vec![]);
        Conversion::of_type(&plan, 0, ByteOrder::NATIVE).map(|conversion| conversion.new_size())
    };
    assert_eq!(compile(vec![from(0, Cast::Copy)]), Ok(16));
    assert_eq!(compile(vec![Source::Unanswered]), Err(ConversionError::Unanswered("a".into())));
    assert!(matches!(compile(vec![from(0, Cast::Unanswered)]), Err(ConversionError::Unanswered(_))));
    assert!(matches!(compile(vec![]), Err(ConversionError::Mismatch(_))));
    assert!(matches!(compile(vec![from(1, Cast::Copy)]), Err(ConversionError::Mismatch(_))));
    assert!(matches!(compile(vec![from(0, Cast::TextToBytes)]), Err(ConversionError::Mismatch(_))));
    assert!(matches!(compile(vec![Source::Value(Value::Integer(1 << 40))]), Err(ConversionError::Mismatch(_))));
}

fn found_in(values: &[f64], secret: bool) -> Findings {
    let mut old = record("Item", 8, &[("score", 0, float(8))]);
    if let (Body::Struct(fields), true) = (&mut old.body, secret) {
        fields[0].attributes.secret = Some(SecretMode::Default);
    }
    let new = record("Item", 8, &[("score", 0, float(4))]);
    let made = vec![from(0, Cast::Number { check: Some(0) })];
    let plan = plan(vec![old], vec![new], vec![step(0, made)], vec![check(CheckKind::Exact, true)]);
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
    let mut found = Findings::new(1, 1);
    let scan = Scan::of_type(&plan, 0, ByteOrder::NATIVE).unwrap();
    let slots = Slots { bytes: &bytes, first: 0, stride: 8 };
    let outside = Store::new(&plan.old, ByteOrder::NATIVE);
    scan.run_slots(slots, values.len(), |slot| slot != 3, &mut found, |slot| format!("Item#{slot}"), &outside);
    found
}

/// What is waived is found nevertheless, so that it can be said.
#[test]
fn a_scan_names_the_first_offender_and_the_largest_change() {
    let found = found_in(&[1.0, 0.5, 0.1, 1e300, 16_777_217.0, 2.0], false);
    assert_eq!(found.records, [5]);
    let check = &found.checks[0];
    assert_eq!((check.seen, check.failed), (5, 2));
    let first = check.first.as_ref().unwrap();
    assert_eq!((&*first.record, &*first.value), ("Item#2", "0.1"));
    let largest = check.largest.as_ref().unwrap();
    assert_eq!(largest.record, "Item#4");
    assert!((largest.relative - 1.0 / 16_777_217.0).abs() < 1e-12, "{}", largest.relative);
    // The slot that is not live would have been the largest.
    let infinite = found_in(&[1e300], false);
    assert!(infinite.checks[0].largest.as_ref().unwrap().relative.is_infinite());
}

#[test]
fn a_scan_shows_no_secret() {
    let found = found_in(&[0.1], true);
    let first = found.checks[0].first.as_ref().unwrap();
    assert_eq!((&*first.record, &*first.value), ("Item#0", ""));
}

#[test]
fn a_type_that_is_gone_may_have_no_records() {
    let old = record("Item", 8, &[("a", 0, integer(4, false))]);
    let gone = TypeStep { old: Some(0), new: None, body: BodyStep::Gone, rewritten: true };
    let plan = plan(vec![old], vec![], vec![gone], vec![check(CheckKind::NoRecords, false)]);
    let scan = Scan::of_type(&plan, 0, ByteOrder::NATIVE).unwrap();
    let mut found = Findings::new(1, 1);
    let slots = Slots { bytes: &[0; 32], first: 0, stride: 8 };
    let outside = Store::new(&plan.old, ByteOrder::NATIVE);
    scan.run_slots(slots, 4, |slot| slot % 2 == 1, &mut found, |slot| format!("Item#{slot}"), &outside);
    assert_eq!((found.records[0], found.checks[0].seen, found.checks[0].failed), (2, 2, 2));
    assert_eq!(found.checks[0].first.as_ref().unwrap().record, "Item#1");
}

fn choice(name: &str, tags: &[(&str, u128)]) -> TypeDescriptor {
    let variant = |(name, tag): &(&str, u128)| Variant { name: (*name).into(), tag: *tag, fields: vec![], was: vec![] };
    let variants = tags.iter().map(variant).collect();
    let body = Body::Enum { tag_offset: 0, tag: Integer { width: 1, signed: false, align: 1 }, variants };
    TypeDescriptor { name: name.into(), size: 1, align: 1, body, attributes: TypeAttributes::default() }
}

/// Whatever the heap's own check of values would have refused is not carried over either.
#[test]
fn bytes_that_are_no_value_are_not_copied() {
    let kind = choice("Kind", &[("A", 0), ("B", 5)]);
    let same = TypeStep { old: Some(0), new: Some(0), body: BodyStep::Same, rewritten: false };
    let plan = plan(vec![kind.clone()], vec![kind], vec![same], vec![]);
    let valid_and_not: [(Shape, &[u8], &[u8]); 7] = [
        (Shape::Bool, &[1], &[2]),
        (Shape::Char, &0xd7ff_u32.to_ne_bytes(), &0xd800_u32.to_ne_bytes()),
        (Shape::Text, &1_u64.to_ne_bytes(), &0_u64.to_ne_bytes()),
        (Shape::Reference("Kind".into()), &1_u64.to_ne_bytes(), &0_u64.to_ne_bytes()),
        (Shape::Inline("Kind".into()), &[5], &[1]),
        (tagged_option(integer(2, false), 4), &[1, 0, 7, 7], &[2, 0, 7, 7]),
        (Shape::Array { element: Box::new(Shape::Bool), count: 3 }, &[0, 1, 1], &[0, 1, 3]),
    ];
    for (shape, valid, invalid) in valid_and_not {
        let conversion = Conversion::of_shape(&plan, &shape, &shape, &Cast::Copy, ByteOrder::NATIVE).unwrap();
        let mut new = vec![0; valid.len()];
        conversion.run(valid, &mut new, &mut Records::default()).unwrap();
        assert_eq!(new, valid, "{shape}");
        let unfit = conversion.run(invalid, &mut new, &mut Records::default()).unwrap_err();
        assert_eq!(unfit.what, Misfit::Invalid, "{shape}");
    }
    let conversion = Conversion::of_shape(&plan, &Shape::Bool, &Shape::Bool, &Cast::Copy, ByteOrder::NATIVE).unwrap();
    let unfit = conversion.run(&[], &mut [0], &mut Records::default()).unwrap_err();
    assert_eq!(unfit.what, Misfit::Short);
}

#[test]
fn a_value_that_a_plan_brings_along_lies_as_its_shape_says() {
    let kinds = choice("Kind", &[("A", 3), ("B", 5)]);
    let empty = TypeDescriptor { size: 0, align: 1, ..record("Item", 0, &[]) };
    let pair = Shape::Array { element: Box::new(integer(2, false)), count: 2 };
    let bytes_of = |shape: Shape, value: Value| {
        let mut new = record("Item", 16, &[("value", 0, shape)]);
        new.align = 16;
        let types = vec![step(0, vec![Source::Value(value)])];
        let plan = plan(vec![empty.clone()], vec![new, kinds.clone()], types, vec![]);
        let conversion = Conversion::of_type(&plan, 0, ByteOrder::NATIVE)?;
        let mut new = [0; 16];
        conversion.run(&[], &mut new, &mut Records::default()).unwrap();
        Ok::<_, ConversionError>(new.to_vec())
    };
    let padded = |bytes: &[u8]| [bytes, &[0; 16][bytes.len()..]].concat();
    let seven = || Box::new(Value::Integer(7));
    let tagged = padded(&[[1, 0], 7_u16.to_ne_bytes()].concat());
    assert_eq!(bytes_of(tagged_option(integer(2, false), 4), Value::Some(seven())), Ok(tagged));
    assert_eq!(bytes_of(tagged_option(integer(2, false), 4), Value::Empty), Ok(padded(&[])));
    let two = Value::Array(vec![Value::Integer(1), Value::Integer(2)]);
    let expected = padded(&[1_u16.to_ne_bytes(), 2_u16.to_ne_bytes()].concat());
    assert_eq!(bytes_of(pair.clone(), two), Ok(expected));
    assert_eq!(bytes_of(Shape::Inline("Kind".into()), Value::Variant("B".into())), Ok(padded(&[5])));
    assert_eq!(bytes_of(integer(16, false), Value::Unsigned(u128::MAX)), Ok(vec![0xff; 16]));
    assert_eq!(bytes_of(float(4), Value::Float(0.1)), Ok(padded(&0.1_f32.to_ne_bytes())));
    let empty_option = handle_option(Shape::Text);
    assert_eq!(bytes_of(empty_option.clone(), Value::Empty), Ok(padded(&[])));
    let empty_text = Value::Some(Box::new(Value::Text(String::new())));
    assert_eq!(bytes_of(empty_option, empty_text), Ok(padded(&1_u64.to_ne_bytes())));
    // What the shape does not have is not made to fit.
    for (shape, value) in [
        (integer(1, false), Value::Integer(256)),
        (integer(1, true), Value::Float(1.0)),
        (Shape::Bool, Value::Integer(1)),
        (pair, Value::Array(vec![Value::Empty])),
        (Shape::Inline("Kind".into()), Value::Empty),
        (Shape::Inline("Kind".into()), Value::Variant("C".into())),
        (Shape::Reference("Kind".into()), Value::Empty),
        (Shape::Bytes, Value::Text("x".into())),
    ] {
        assert!(matches!(bytes_of(shape.clone(), value), Err(ConversionError::Mismatch(_))), "{shape}");
    }
}
