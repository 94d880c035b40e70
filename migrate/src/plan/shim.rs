#![allow(missing_docs)]
use super::*;
use crate::schema::*;
use std::collections::BTreeSet;
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub hooks: BTreeSet<String>,
}
#[derive(Debug, Clone)]
pub struct Refusal(pub String);
impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::fmt::Display for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("plan")
    }
}
impl Plan {
    pub fn between(old: &Schema, new: &Schema) -> Plan {
        Self::with_rules(old, new, &Rules::default())
    }
    pub fn decide(&self, _f: &Findings) -> Result<(), Refusal> {
        Ok(())
    }
    pub fn with_rules(old: &Schema, new: &Schema, rules: &Rules) -> Plan {
        let mut types = Vec::new();
        let pos =
            |n: &TypeDescriptor| old.types.iter().position(|o| o.name == n.name || n.attributes.was.contains(&o.name));
        for (i, n) in new.types.iter().enumerate() {
            types.push(TypeStep { old: pos(n), new: Some(i), body: BodyStep::Added, rewritten: false });
        }
        for (i, _) in old.types.iter().enumerate() {
            if !types.iter().any(|t| t.old == Some(i)) {
                types.push(TypeStep { old: Some(i), new: None, body: BodyStep::Gone, rewritten: false });
            }
        }
        // fixpoint of rewritten
        let same: Vec<bool> = new
            .types
            .iter()
            .map(|n| {
                pos(n).is_some_and(|p| {
                    let mut a = old.types[p].clone();
                    let mut b = n.clone();
                    strip(&mut a);
                    strip(&mut b);
                    a.name = b.name.clone();
                    a == b
                })
            })
            .collect();
        for t in &mut types {
            if let (Some(_), Some(n)) = (t.old, t.new) {
                t.rewritten = !same[n];
            }
        }
        loop {
            let mut changed = false;
            for i in 0..types.len() {
                let (Some(_), Some(n)) = (types[i].old, types[i].new) else { continue };
                if types[i].rewritten {
                    continue;
                }
                let text = format!("{:?}", new.types[n].body);
                let hit = types.iter().any(|t| {
                    t.rewritten && t.new.is_some_and(|m| text.contains(&format!("Inline({:?})", new.types[m].name)))
                });
                if hit {
                    types[i].rewritten = true;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        let snapshot = types.clone();
        for t in &mut types {
            let (Some(o), Some(n)) = (t.old, t.new) else { continue };
            if !t.rewritten {
                t.body = BodyStep::Same;
                continue;
            }
            if rules.hooks.contains(&new.types[n].name) {
                t.body = BodyStep::Hook;
                continue;
            }
            if let (Body::Struct(a), Body::Struct(b)) = (&old.types[o].body, &new.types[n].body) {
                let mut f = Fields::default();
                let mut used = vec![false; a.len()];
                for (i, field) in b.iter().enumerate() {
                    let src = a.iter().position(|x| x.name == field.name || field.attributes.was.contains(&x.name));
                    let source = match src {
                        Some(p) => {
                            used[p] = true;
                            Source::Field { path: vec![p], cast: cast(&snapshot, old, new, &a[p].shape, &field.shape) }
                        }
                        None => Source::Value(Value::Empty),
                    };
                    f.made.push(FieldStep { field: i, source });
                }
                for (p, u) in used.iter().enumerate() {
                    if !u {
                        f.dropped.push(Dropped { path: vec![p], check: None });
                    }
                }
                t.body = BodyStep::Struct(f);
            } else {
                t.body = BodyStep::Unanswered;
            }
        }
        Plan { old: old.clone(), new: new.clone(), types, checks: vec![] }
    }
}
fn strip(t: &mut TypeDescriptor) {
    t.attributes = Default::default();
    if let Body::Struct(f) = &mut t.body {
        for f in f.iter_mut() {
            f.attributes = Default::default();
        }
        f.sort_by(|a, b| a.name.cmp(&b.name));
    }
}
fn cast(types: &[TypeStep], old: &Schema, new: &Schema, a: &Shape, b: &Shape) -> Cast {
    match (a, b) {
        (Shape::Inline(x), Shape::Inline(y)) => {
            let i = types
                .iter()
                .position(|t| {
                    t.new.is_some_and(|n| new.types[n].name == *y) && t.old.is_some_and(|o| old.types[o].name == *x)
                })
                .unwrap();
            if types[i].rewritten { Cast::Type(i) } else { Cast::Copy }
        }
        (Shape::List(x), Shape::List(y)) => match cast(types, old, new, x, y) {
            Cast::Copy => Cast::Copy,
            c => Cast::List(Box::new(c)),
        },
        (
            Shape::Map { key: k, value: v } | Shape::SortedMap { key: k, value: v },
            Shape::Map { key: k2, value: v2 } | Shape::SortedMap { key: k2, value: v2 },
        ) if a != b => Cast::Map {
            key: Box::new(cast(types, old, new, k, k2)),
            value: Box::new(cast(types, old, new, v, v2)),
            check: None,
        },
        (Shape::Array { element: x, .. }, Shape::Array { element: y, .. }) => match cast(types, old, new, x, y) {
            Cast::Copy => Cast::Copy,
            c => Cast::Array { element: Box::new(c), fill: Value::Empty, check: None },
        },
        (Shape::Option { inner: x, .. }, Shape::Option { inner: y, .. }) => match cast(types, old, new, x, y) {
            Cast::Copy => Cast::Copy,
            c => Cast::Option(Box::new(c)),
        },
        (Shape::Integer(x), Shape::Integer(y)) if x == y => Cast::Copy,
        (Shape::Integer(_) | Shape::Float(_) | Shape::Bool, Shape::Integer(_) | Shape::Float(_) | Shape::Bool) => {
            if a == b { Cast::Copy } else { Cast::Number { check: None } }
        }
        (Shape::Text, Shape::Bytes) => Cast::TextToBytes,
        _ => Cast::Copy,
    }
}
