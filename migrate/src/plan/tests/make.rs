//! Schemas in few words.

use crate::layout::TypeIndex;
use crate::plan::{Answers, CheckKind, Findings, Plan, Refusal, Verdict};
use crate::schema::{
    Body, Field, FieldAttributes, Float, Integer, OptionTag, Schema, SecretMode, Shape, TypeAttributes, TypeDescriptor,
    Variant,
};

pub(super) fn unsigned(width: u8) -> Shape {
    Shape::Integer(Integer { width, signed: false, align: width })
}

pub(super) fn signed(width: u8) -> Shape {
    Shape::Integer(Integer { width, signed: true, align: width })
}

pub(super) fn float(width: u8) -> Shape {
    Shape::Float(Float { width, align: width })
}

pub(super) fn inline(name: &str) -> Shape {
    Shape::Inline(name.into())
}

pub(super) fn reference(name: &str) -> Shape {
    Shape::Reference(name.into())
}

pub(super) fn list(element: Shape) -> Shape {
    Shape::List(Box::new(element))
}

pub(super) fn array(element: Shape, count: u64) -> Shape {
    Shape::Array { element: Box::new(element), count }
}

pub(super) fn map(key: Shape, value: Shape) -> Shape {
    Shape::Map { key: Box::new(key), value: Box::new(value) }
}

pub(super) fn sorted(key: Shape, value: Shape) -> Shape {
    Shape::SortedMap { key: Box::new(key), value: Box::new(value) }
}

/// An option as its layout follows from its content; the content is no inline type.
pub(super) fn option(inner: Shape) -> Shape {
    let (inner_size, inner_align) = inner.size_align(&Schema::default()).unwrap();
    let (size, tag) = if inner.is_handle() {
        (8, OptionTag::Niche { offset: 0, width: 8, none: 0 })
    } else {
        let value_offset = inner_align as u32;
        (inner_size as u32 + value_offset, OptionTag::Tagged { width: inner_align.min(16) as u8, value_offset })
    };
    Shape::Option { inner: Box::new(inner), size, align: inner_align as u32, tag }
}

/// A field; its offset follows from its struct.
pub(super) fn field(name: &str, shape: Shape) -> Field {
    Field { name: name.into(), offset: 0, shape, attributes: FieldAttributes::default() }
}

/// `was`, `from`, `default` and `secret` of a field.
pub(super) trait With: Sized {
    fn was(self, name: &str) -> Self;
    fn from(self, path: &str) -> Self;
    fn default(self, text: &str) -> Self;
    fn secret(self) -> Self;
}

impl With for Field {
    fn was(mut self, name: &str) -> Self {
        self.attributes.was.push(name.into());
        self
    }

    fn from(mut self, path: &str) -> Self {
        self.attributes.from = Some(path.into());
        self
    }

    fn default(mut self, text: &str) -> Self {
        self.attributes.default = Some(text.into());
        self
    }

    fn secret(mut self) -> Self {
        self.attributes.secret = Some(SecretMode::Default);
        self
    }
}

pub(super) fn record(name: &str, fields: Vec<Field>) -> TypeDescriptor {
    TypeDescriptor {
        name: name.into(),
        size: 0,
        align: 1,
        body: Body::Struct(fields),
        attributes: TypeAttributes::default(),
    }
}

pub(super) fn variant(name: &str, fields: Vec<Field>) -> Variant {
    Variant { name: name.into(), tag: 0, fields, was: vec![] }
}

/// An enum whose tags count from 0.
pub(super) fn choice(name: &str, variants: Vec<Variant>) -> TypeDescriptor {
    let numbered = variants.into_iter().zip(0..).map(|(variant, tag)| Variant { tag, ..variant });
    let tag = Integer { width: 1, signed: false, align: 1 };
    TypeDescriptor { body: Body::Enum { tag_offset: 0, tag, variants: numbered.collect() }, ..record(name, vec![]) }
}

/// Lays the types out in the order given; those that lie in others come first.
pub(super) fn schema(types: Vec<TypeDescriptor>) -> Schema {
    let mut schema = Schema { types: vec![] };
    // References may lead onwards, so the names are there before the layouts.
    schema.types.extend(types.iter().map(|described| record(&described.name, vec![])));
    for (number, mut described) in types.into_iter().enumerate() {
        let index = TypeIndex::new(&schema);
        let lay = |fields: &mut [Field], start: u64| {
            let (mut size, mut align) = (start, 1);
            for field in fields {
                let (field_size, field_align) = index.size_align(&field.shape).unwrap();
                size = size.next_multiple_of(field_align);
                field.offset = size as u32;
                size += field_size;
                align = align.max(field_align);
            }
            (size, align)
        };
        let (size, align) = match &mut described.body {
            Body::Struct(fields) => lay(fields, 0),
            Body::Enum { tag, variants, .. } => {
                variants.iter_mut().fold((u64::from(tag.width), u64::from(tag.align)), |all, variant| {
                    let (size, align) = lay(&mut variant.fields, tag.width.into());
                    (all.0.max(size), all.1.max(align))
                })
            }
        };
        described.size = size.next_multiple_of(align) as u32;
        described.align = align as u32;
        schema.types[number] = described;
    }
    schema.check().unwrap();
    schema
}

/// A type that is not laid out yet, with what the program says about it.
pub(super) trait Says: Sized {
    fn dropped(self, name: &str) -> Self;
    fn was_type(self, name: &str) -> Self;
}

impl Says for TypeDescriptor {
    fn dropped(mut self, name: &str) -> Self {
        self.attributes.dropped.push(name.into());
        self
    }

    fn was_type(mut self, name: &str) -> Self {
        self.attributes.was.push(name.into());
        self
    }
}

/// One record type `Node` with one field, before and after.
pub(super) fn one(old: Field, new: Field) -> (Schema, Schema) {
    (schema(vec![record("Node", vec![old])]), schema(vec![record("Node", vec![new])]))
}

pub(super) fn answers(text: &str) -> Answers {
    Answers::from_toml(text).unwrap()
}

/// A scan of a heap where each type has a thousand records, unless it lies in another one, in which nothing was found.
pub(super) fn clean(plan: &Plan) -> Findings {
    let mut findings = Findings::new(plan.checks.len(), plan.old.types.len());
    let held = crate::plan::bytes::holders(&plan.old, &TypeIndex::new(&plan.old));
    for (records, holders) in findings.records.iter_mut().zip(held) {
        *records = if holders.is_empty() { 1000 } else { 0 };
    }
    for finding in &mut findings.checks {
        finding.seen = 1000;
    }
    findings
}

/// The same, where each check fails.
pub(super) fn failing(plan: &Plan) -> Findings {
    let mut findings = clean(plan);
    for finding in &mut findings.checks {
        finding.failed = 3;
        finding.first = Some(crate::plan::Offender { record: "Node#77".into(), value: "4294967301".into() });
    }
    findings
}

/// The plan is carried out whatever the values are.
#[track_caller]
pub(super) fn implicit(plan: &Plan, rule: u8) {
    assert_eq!(plan.decide(&failing(plan)), Ok(()), "{plan}");
    ruled(plan, rule, Verdict::Implicit);
}

/// The plan is carried out, because somebody said so.
#[track_caller]
pub(super) fn acknowledged(plan: &Plan, rule: u8) {
    assert_eq!(plan.decide(&failing(plan)), Ok(()), "{plan}");
    ruled(plan, rule, Verdict::Acknowledge);
}

/// The plan is carried out if what it checks holds, and refused otherwise.
#[track_caller]
pub(super) fn checked(plan: &Plan, rule: u8, kind: CheckKind) -> Refusal {
    assert_eq!(plan.decide(&clean(plan)), Ok(()), "{plan}");
    ruled(plan, rule, Verdict::Checked);
    assert!(plan.checks.iter().any(|check| check.kind == kind), "{:?}", plan.checks);
    plan.decide(&failing(plan)).unwrap_err()
}

/// The plan asks, whatever the values are.
#[track_caller]
pub(super) fn asked(plan: &Plan, rule: u8, verdict: Verdict) -> Refusal {
    let refusal = plan.decide(&clean(plan)).unwrap_err();
    let is_asked = refusal.questions.iter().any(|(question, _)| (question.rule, question.verdict) == (rule, verdict));
    assert!(is_asked, "{refusal:?}");
    refusal
}

#[track_caller]
pub(super) fn ruled(plan: &Plan, rule: u8, verdict: Verdict) {
    let is_ruled = plan.rulings.iter().any(|ruling| (ruling.rule, ruling.verdict) == (rule, verdict));
    assert!(is_ruled, "{:?}", plan.rulings);
}
