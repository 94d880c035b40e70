//! A flat record of 64 bytes, reordered, with an `f64` that becomes an `f32` and a new `u32`: a compiled conversion
//! against a loop written by hand over the same structs.

use std::hint::black_box;
use std::time::Instant;

use migrate::{
    Body, BodyStep, ByteOrder, Cast, Check, CheckKind, Conversion, Field, FieldAttributes, FieldStep, Fields, Float,
    Integer, Plan, Schema, Shape, Slots, SlotsMut, Source, TypeAttributes, TypeDescriptor, TypeStep, Value,
};

const COUNT: usize = 1_000_000;
const ROUNDS: usize = 15;

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Old {
    header: u64,
    id: u64,
    owner: u64,
    weight: f64,
    position: [u32; 3],
    kind: u32,
    color: u64,
    created: u64,
    flags: u32,
    level: u32,
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct New {
    header: u64,
    created: u64,
    flags: u32,
    weight: f32,
    id: u64,
    added: u32,
    kind: u32,
    color: u64,
    owner: u64,
    position: [u32; 3],
    level: u32,
}

fn main() {
    let conversion = Conversion::of_type(&plan(), 0, ByteOrder::NATIVE).unwrap();
    assert_eq!((conversion.old_size(), conversion.new_size()), (64, 64));
    let records: Vec<Old> = (0..COUNT as u64)
        .map(|id| Old {
            id,
            owner: id / 3,
            weight: id as f64,
            position: [id as u32, 1, 2],
            kind: 5,
            color: id * 7,
            created: id + 9,
            flags: 3,
            level: id as u32 % 9,
            header: 1,
        })
        .collect();
    let old_bytes: Vec<u8> = records.iter().flat_map(bytes_of).collect();
    let mut new_records = vec![New::default(); COUNT];
    let mut new_bytes = vec![0_u8; COUNT * 72];
    let (mut plain, mut compiled) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        by_hand(black_box(&records), black_box(&mut new_records));
        plain.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        let old = Slots { bytes: black_box(&old_bytes), first: 8, stride: 72 };
        let mut new = SlotsMut { bytes: black_box(&mut new_bytes), first: 8, stride: 72 };
        conversion.run_slots(old, &mut new, COUNT, |slot| old_bytes[slot * 72] == 1).unwrap();
        compiled.push(start.elapsed().as_secs_f64() * 1e3);
    }
    for (position, new) in new_records.iter().enumerate() {
        let at = position * 72 + 8;
        assert_eq!(new_bytes[at..at + 64], new_bytes_of(new)[8..]);
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (plain, compiled) = (median(plain), median(compiled));
    println!("by hand {plain:.2} ms, compiled {compiled:.2} ms, ratio {:.2}", compiled / plain);
}

#[inline(never)]
fn by_hand(old: &[Old], new: &mut [New]) {
    for (old, new) in old.iter().zip(new) {
        if old.header == 1 {
            let weight = old.weight as f32;
            assert!(f64::from(weight).to_bits() == old.weight.to_bits());
            *new = New {
                header: new.header,
                created: old.created,
                flags: old.flags,
                weight,
                id: old.id,
                added: 7,
                kind: old.kind,
                color: old.color,
                owner: old.owner,
                position: old.position,
                level: old.level,
            };
        }
    }
}

fn bytes_of(old: &Old) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(72);
    for word in [old.header, old.id, old.owner, old.weight.to_bits()] {
        bytes.extend(word.to_ne_bytes());
    }
    for word in old.position.iter().chain([&old.kind]) {
        bytes.extend(word.to_ne_bytes());
    }
    bytes.extend(old.color.to_ne_bytes());
    bytes.extend(old.created.to_ne_bytes());
    bytes.extend(old.flags.to_ne_bytes());
    bytes.extend(old.level.to_ne_bytes());
    bytes
}

fn new_bytes_of(new: &New) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(72);
    bytes.extend(new.header.to_ne_bytes());
    bytes.extend(new.created.to_ne_bytes());
    bytes.extend(new.flags.to_ne_bytes());
    bytes.extend(new.weight.to_ne_bytes());
    bytes.extend(new.id.to_ne_bytes());
    bytes.extend(new.added.to_ne_bytes());
    bytes.extend(new.kind.to_ne_bytes());
    bytes.extend(new.color.to_ne_bytes());
    bytes.extend(new.owner.to_ne_bytes());
    for word in new.position {
        bytes.extend(word.to_ne_bytes());
    }
    bytes.extend(new.level.to_ne_bytes());
    bytes
}

fn plan() -> Plan {
    let word = Shape::Integer(Integer { width: 8, signed: false, align: 8 });
    let half = Shape::Integer(Integer { width: 4, signed: false, align: 4 });
    let three = Shape::Array { element: Box::new(half.clone()), count: 3 };
    let (double, single) = (Shape::Float(Float { width: 8, align: 8 }), Shape::Float(Float { width: 4, align: 4 }));
    let old = [
        ("id", 0, &word),
        ("owner", 8, &word),
        ("weight", 16, &double),
        ("position", 24, &three),
        ("kind", 36, &half),
        ("color", 40, &word),
        ("created", 48, &word),
        ("flags", 56, &half),
        ("level", 60, &half),
    ];
    let new = [
        ("created", 0, &word),
        ("flags", 8, &half),
        ("weight", 12, &single),
        ("id", 16, &word),
        ("added", 24, &half),
        ("kind", 28, &half),
        ("color", 32, &word),
        ("owner", 40, &word),
        ("position", 48, &three),
        ("level", 60, &half),
    ];
    let described = |fields: &[(&str, u32, &Shape)]| {
        let field = |&(name, offset, shape): &(&str, u32, &Shape)| Field {
            name: name.into(),
            offset,
            shape: shape.clone(),
            attributes: FieldAttributes::default(),
        };
        let body = Body::Struct(fields.iter().map(field).collect());
        let attributes = TypeAttributes::default();
        Schema { types: vec![TypeDescriptor { name: "Item".into(), size: 64, align: 8, body, attributes }] }
    };
    let made = |(field, (name, ..)): (usize, &(&str, u32, &Shape))| {
        let source = match old.iter().position(|field| field.0 == *name) {
            None => Source::Value(Value::Integer(7)),
            Some(position) => Source::Field {
                path: vec![position],
                cast: if *name == "weight" { Cast::Number { check: Some(0) } } else { Cast::Copy },
            },
        };
        FieldStep { field, source }
    };
    let fields = Fields { made: new.iter().enumerate().map(made).collect(), dropped: vec![] };
    Plan {
        old: described(&old),
        new: described(&new),
        types: vec![TypeStep { old: Some(0), new: Some(0), body: BodyStep::Struct(fields), rewritten: true }],
        checks: vec![Check { record: 0, place: "weight".into(), kind: CheckKind::Exact, waived: false }],
        ..Plan::default()
    }
}
