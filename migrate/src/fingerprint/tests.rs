use super::*;
use crate::schema::{FieldAttributes, TypeAttributes};

fn integer(width: u8) -> Shape {
    Shape::Integer(Integer { width, signed: false, align: width })
}

fn field(name: &str, offset: u32, shape: Shape) -> Field {
    Field { name: name.into(), offset, shape, attributes: FieldAttributes::default() }
}

fn described(name: &str, size: u32, fields: Vec<Field>) -> TypeDescriptor {
    TypeDescriptor {
        name: name.into(),
        size,
        align: 8,
        body: Body::Struct(fields),
        attributes: TypeAttributes::default(),
    }
}

fn choice(variants: Vec<Variant>) -> TypeDescriptor {
    let tag = Integer { width: 1, signed: false, align: 1 };
    TypeDescriptor { body: Body::Enum { tag_offset: 0, tag, variants }, ..described("Choice", 1, vec![]) }
}

fn variant(name: &str, tag: u128) -> Variant {
    Variant { name: name.into(), tag, fields: vec![], was: vec![] }
}

fn schema(types: &[TypeDescriptor]) -> Schema {
    Schema { types: types.to_vec() }
}

fn node() -> TypeDescriptor {
    described(
        "Node",
        24,
        vec![
            field("next", 0, Shape::Reference("Node".into())),
            field("place", 8, Shape::Inline("Place".into())),
            field("names", 16, Shape::List(Box::new(Shape::Text))),
        ],
    )
}

fn place() -> TypeDescriptor {
    described("Place", 8, vec![field("x", 0, integer(4)), field("y", 4, integer(4))])
}

fn fields_of(described: &mut TypeDescriptor) -> &mut Vec<Field> {
    match &mut described.body {
        Body::Struct(fields) => fields,
        Body::Enum { variants, .. } => &mut variants[0].fields,
    }
}

#[test]
fn order_and_advice_do_not_count() {
    let first = schema(&[node(), place(), choice(vec![variant("A", 0), variant("B", 1)])]);
    let (mut node, mut place) = (node(), place());
    fields_of(&mut node).reverse();
    fields_of(&mut place)[0].attributes.was = vec!["left".into()];
    fields_of(&mut place)[1].attributes.default = Some("7".into());
    node.attributes.was = vec!["Vertex".into()];
    node.attributes.dropped = vec!["weight".into()];
    let mut renamed = variant("B", 1);
    renamed.was = vec!["C".into()];
    let second = schema(&[choice(vec![renamed, variant("A", 0)]), place, node]);
    assert_eq!(first.fingerprint(), second.fingerprint());
    assert_eq!(first.types[0].fingerprint(&first), second.types[2].fingerprint(&second));
}

/// Every single edit of a layout gives another fingerprint than the layout and than every other edit.
#[test]
fn every_edit_of_a_layout_counts() {
    let edits: &[fn(&mut TypeDescriptor)] = &[
        |_| {},
        |node| node.size = 32,
        |node| node.align = 16,
        |node| node.attributes.secret = Some(SecretMode::Default),
        |node| node.attributes.secret = Some(SecretMode::Drop),
        |node| fields_of(node)[0].attributes.secret = Some(SecretMode::Default),
        |node| fields_of(node)[1].attributes.secret = Some(SecretMode::Default),
        |node| fields_of(node)[0].name = "previous".into(),
        |node| fields_of(node)[0].offset = 1,
        |node| fields_of(node)[0].shape = Shape::Reference("Place".into()),
        |node| fields_of(node)[0].shape = Shape::Inline("Node".into()),
        |node| fields_of(node)[2].shape = Shape::Text,
        |node| fields_of(node)[2].shape = Shape::Bytes,
        |node| fields_of(node)[2].shape = Shape::List(Box::new(Shape::Bytes)),
        |node| fields_of(node)[2].shape = Shape::List(Box::new(Shape::List(Box::new(Shape::Text)))),
        |node| fields_of(node)[2].shape = Shape::Map { key: Box::new(Shape::Text), value: Box::new(Shape::Bool) },
        |node| fields_of(node)[2].shape = Shape::Map { key: Box::new(Shape::Bool), value: Box::new(Shape::Text) },
        |node| fields_of(node)[2].shape = Shape::SortedMap { key: Box::new(Shape::Bool), value: Box::new(Shape::Text) },
        |node| fields_of(node)[2].shape = integer(8),
        |node| fields_of(node)[2].shape = Shape::Integer(Integer { width: 8, signed: true, align: 8 }),
        |node| fields_of(node)[2].shape = Shape::Integer(Integer { width: 8, signed: false, align: 4 }),
        |node| fields_of(node)[2].shape = Shape::Float(crate::schema::Float { width: 8, align: 8 }),
        |node| fields_of(node)[2].shape = Shape::Char,
        |node| fields_of(node)[2].shape = Shape::Array { element: Box::new(integer(1)), count: 7 },
        |node| fields_of(node)[2].shape = Shape::Array { element: Box::new(integer(1)), count: 8 },
        |node| fields_of(node)[2].shape = option(OptionTag::Tagged { width: 4, value_offset: 4 }),
        |node| fields_of(node)[2].shape = option(OptionTag::Tagged { width: 1, value_offset: 4 }),
        |node| fields_of(node)[2].shape = option(OptionTag::Niche { offset: 0, width: 4, none: 0 }),
        |node| fields_of(node)[2].shape = option(OptionTag::Niche { offset: 0, width: 4, none: 2 }),
        |node| drop(fields_of(node).pop()),
        |node| {
            let tag = Integer { width: 1, signed: false, align: 1 };
            let fields = std::mem::take(fields_of(node));
            node.body = Body::Enum { tag_offset: 0, tag, variants: vec![Variant { fields, ..variant("A", 0) }] };
        },
    ];
    let mut seen = HashMap::new();
    let mut seen_types = HashMap::new();
    for (number, edit) in edits.iter().enumerate() {
        let mut edited = node();
        edit(&mut edited);
        let schema = schema(&[edited, place()]);
        assert_eq!(seen.insert(schema.fingerprint(), number), None, "edit {number}");
        assert_eq!(seen_types.insert(schema.types[0].fingerprint(&schema), number), None, "edit {number}");
    }
    let tags = [vec![variant("A", 0)], vec![variant("A", 1)], vec![variant("B", 1)], vec![]];
    for (number, variants) in tags.into_iter().enumerate() {
        assert_eq!(seen.insert(schema(&[choice(variants)]).fingerprint(), 100 + number), None, "tags {number}");
    }
}

fn option(tag: OptionTag) -> Shape {
    Shape::Option { inner: Box::new(integer(4)), size: 8, align: 4, tag }
}

#[test]
fn a_type_changes_with_what_lies_in_it_and_not_with_what_it_refers_to() {
    let holders = |inner: fn(String) -> Shape| described("Holder", 8, vec![field("held", 0, inner("Place".into()))]);
    let mut moved = place();
    fields_of(&mut moved)[1].offset = 2;
    let cases: [(fn(String) -> Shape, bool); 4] = [
        (Shape::Inline, true),
        (|name| Shape::List(Box::new(Shape::Inline(name))), true),
        (|name| Shape::Map { key: Box::new(Shape::Text), value: Box::new(Shape::Inline(name)) }, true),
        (Shape::Reference, false),
    ];
    for (shape, changes) in cases {
        let holder = holders(shape);
        let before = holder.fingerprint(&schema(&[holder.clone(), place()]));
        let after = holder.fingerprint(&schema(&[holder.clone(), moved.clone()]));
        assert_eq!(before != after, changes, "{holder:?}");
        assert_eq!(before, holder.fingerprint(&schema(&[choice(vec![]), place()])), "other types do not count");
    }
    // At any depth.
    let outer = described("Outer", 8, vec![field("holder", 0, Shape::Inline("Holder".into()))]);
    let holder = holders(Shape::Inline);
    let before = outer.fingerprint(&schema(&[holder.clone(), place()]));
    assert_ne!(before, outer.fingerprint(&schema(&[holder.clone(), moved])));
    assert_ne!(before, outer.fingerprint(&schema(&[holder])), "a type that is not described is another than any");
}

/// A schema from a hostile file may hold types by value in a circle, and shapes of any depth.
#[test]
fn hostile_descriptors_end() {
    let circle = schema(&[
        described("A", 8, vec![field("b", 0, Shape::Inline("B".into()))]),
        described("B", 8, vec![field("a", 0, Shape::Inline("A".into())), field("b", 0, Shape::Inline("B".into()))]),
    ]);
    assert_ne!(circle.types[0].fingerprint(&circle), circle.types[1].fingerprint(&circle));

    let mut deep = Shape::Text;
    for _ in 0..10_000 {
        deep = Shape::List(Box::new(deep));
    }
    let deep = schema(&[described("Deep", 8, vec![field("deep", 0, deep)])]);
    assert_ne!(deep.types[0].fingerprint(&deep), circle.types[0].fingerprint(&deep));
    let Body::Struct(fields) = &deep.types[0].body else { unreachable!() };
    assert!(fields[0].shape.to_string().contains('…'));
}

/// Fingerprints are stored in heaps and receipts: these may never change.
#[test]
fn fingerprints_are_for_ever() {
    let schema = schema(&[node(), place(), choice(vec![variant("A", 0)])]);
    assert_eq!(format!("{:#}", schema.fingerprint()), "70c58c22e9b09a280ce4c36d5435857d");
    assert_eq!(format!("{:#}", schema.types[0].fingerprint(&schema)), "1568f50e3844e85a314769f64ae8574a");
    assert_eq!(schema.fingerprint().to_string(), format!("{:#}", schema.fingerprint())[..8]);
}
