//! Values as trees, and how they lie in bytes by a plain recursive reading of descriptors.

use super::Random;
use super::store::{Object, Store};
use crate::layout::ByteOrder;
use crate::schema::{Body, Field, OptionTag, Schema, Shape};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    /// Whether negative, and the magnitude.
    Integer(bool, u128),
    Single(u32),
    Double(u64),
    Bool(bool),
    Char(u32),
    Reference(u64),
    /// A reference to a new record, and what that is.
    Record(Box<Tree>),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Tree>),
    Map(Vec<(Tree, Tree)>),
    Array(Vec<Tree>),
    Struct(Vec<(String, Tree)>),
    Variant {
        name: String,
        tag: u128,
        fields: Vec<(String, Tree)>,
    },
    Nothing,
    Something(Box<Tree>),
}

fn bits(negative: bool, magnitude: u128) -> u128 {
    if negative { magnitude.wrapping_neg() } else { magnitude }
}

fn random_number(random: &mut Random, width: u32, signed: bool) -> Tree {
    let negative = signed && random.chance(30);
    let limit = if signed { (1 << (8 * width - 1)) - u128::from(!negative) } else { u128::MAX >> (128 - 8 * width) };
    let magnitude = if random.chance(92) {
        u128::from(random.below(3)).min(limit)
    } else {
        let shift = random.below(u64::from(8 * width)) as u32;
        [limit, limit - 1, (limit >> shift), (limit >> shift).saturating_add(1), 1 << shift, 255, 256]
            [random.below(7) as usize]
            .min(limit)
    };
    Tree::Integer(negative && magnitude != 0, magnitude)
}

fn random_float(random: &mut Random) -> f64 {
    const ODD: [f64; 16] = [
        0.5,
        -0.0,
        1e300,
        -1e-310,
        1e-40,
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.1,
        16_777_217.0,
        16_777_216.0,
        9_223_372_036_854_775_808.0,
        -9_223_372_036_854_775_808.0,
        1.7e38,
        3.402_823_466_385_288_6e38,
        255.0,
        -1.0,
    ];
    if random.chance(80) { random.below(3) as f64 } else { ODD[random.below(16) as usize] }
}

pub(crate) fn random_tree(random: &mut Random, shape: &Shape, schema: &Schema) -> Tree {
    match shape {
        Shape::Integer(integer) => random_number(random, integer.width.into(), integer.signed),
        Shape::Float(float) if float.width == 4 => {
            let nan = 0x7f80_0000 | random.below(1 << 32) as u32;
            Tree::Single(if random.chance(2) { nan } else { (random_float(random) as f32).to_bits() })
        }
        Shape::Float(_) => {
            let kept = [0, 1 << 51, 1 << 29, 1 << 28, 1][random.below(5) as usize];
            let nan = random.below(2) << 63 | 0x7ff << 52 | kept;
            Tree::Double(if random.chance(2) { nan } else { random_float(random).to_bits() })
        }
        Shape::Bool => Tree::Bool(random.chance(50)),
        Shape::Char => Tree::Char([0, 0x41, 0xd7ff, 0xe000, 0x10_ffff][random.below(5) as usize]),
        Shape::Reference(_) => Tree::Reference(1 + random.below(1 << 40)),
        Shape::Text => Tree::Text(["", "", "a", "längere"][random.below(4) as usize].into()),
        Shape::Bytes => Tree::Bytes([&b""[..], b"ab", b"c", &[0xff, 0xfe]][random.below(4) as usize].into()),
        Shape::List(element) => {
            let count = [0, 1, 1, 1, 2, 3][random.below(6) as usize];
            Tree::List((0..count).map(|_| random_tree(random, element, schema)).collect())
        }
        Shape::Map { key, value } | Shape::SortedMap { key, value } => {
            let mut entries: Vec<(Tree, Tree)> = Vec::new();
            for _ in 0..random.below(3) {
                let entry = (random_tree(random, key, schema), random_tree(random, value, schema));
                if entries.iter().all(|(key, _)| *key != entry.0) {
                    entries.push(entry);
                }
            }
            Tree::Map(entries)
        }
        Shape::Array { element, count } => {
            Tree::Array((0..*count).map(|_| random_tree(random, element, schema)).collect())
        }
        Shape::Option { inner, .. } => {
            if random.chance(25) {
                Tree::Nothing
            } else {
                Tree::Something(Box::new(random_tree(random, inner, schema)))
            }
        }
        Shape::Inline(name) => match &schema.get(name).unwrap().body {
            Body::Struct(fields) => Tree::Struct(random_fields(random, fields, schema)),
            Body::Enum { variants, .. } => {
                let variant = &variants[random.below(variants.len() as u64) as usize];
                let fields = random_fields(random, &variant.fields, schema);
                Tree::Variant { name: variant.name.clone(), tag: variant.tag, fields }
            }
        },
    }
}

fn random_fields(random: &mut Random, fields: &[Field], schema: &Schema) -> Vec<(String, Tree)> {
    fields.iter().map(|field| (field.name.clone(), random_tree(random, &field.shape, schema))).collect()
}

fn put(bytes: &mut [u8], width: usize, value: u128, order: ByteOrder) {
    match order {
        ByteOrder::Little => bytes[..width].copy_from_slice(&value.to_le_bytes()[..width]),
        ByteOrder::Big => bytes[..width].copy_from_slice(&value.to_be_bytes()[16 - width..]),
    }
}

/// Writes a value, and leaves bytes that are padding alone.
pub(crate) fn encode(
    tree: &Tree,
    shape: &Shape,
    schema: &Schema,
    order: ByteOrder,
    bytes: &mut [u8],
    store: &mut Store<'_>,
) {
    let mut word = |word: u64| put(bytes, 8, word.into(), order);
    let part = |store: &mut Store<'_>, tree: &Tree, shape: &Shape| {
        let mut bytes = vec![store.padding(); shape.size_align(schema).unwrap().0 as usize];
        encode(tree, shape, schema, order, &mut bytes, store);
        bytes
    };
    match (tree, shape) {
        (Tree::Integer(negative, magnitude), Shape::Integer(integer)) => {
            put(bytes, integer.width.into(), bits(*negative, *magnitude), order);
        }
        (Tree::Single(bits), _) => put(bytes, 4, (*bits).into(), order),
        (Tree::Double(bits), _) => put(bytes, 8, (*bits).into(), order),
        (Tree::Bool(value), _) => bytes[0] = (*value).into(),
        (Tree::Char(value), _) => put(bytes, 4, (*value).into(), order),
        (Tree::Reference(bits), _) => word(*bits),
        // Checked by what it names.
        (Tree::Record(_), _) => word(2),
        (Tree::Text(text), _) => word(store.add(Object::Text(text.clone()))),
        (Tree::Bytes(contents), _) => word(store.add(Object::Bytes(contents.clone()))),
        (Tree::List(elements), Shape::List(element)) => {
            let elements = elements.iter().map(|tree| part(store, tree, element)).collect();
            word(store.add(Object::List(elements)));
        }
        (Tree::Map(entries), Shape::Map { key, value } | Shape::SortedMap { key, value }) => {
            let entry = |(one, other): &(Tree, Tree)| (part(store, one, key), part(store, other, value));
            let entries = entries.iter().map(entry).collect();
            word(store.add(Object::Map(entries)));
        }
        (Tree::Array(trees), Shape::Array { element, .. }) => {
            let size = element.size_align(schema).unwrap().0 as usize;
            for (position, tree) in trees.iter().enumerate() {
                encode(tree, element, schema, order, &mut bytes[position * size..(position + 1) * size], store);
            }
        }
        (Tree::Nothing, Shape::Option { tag: OptionTag::Niche { width, none, .. }, .. }) => {
            put(bytes, (*width).into(), (*none).into(), order);
        }
        (Tree::Nothing, Shape::Option { tag: OptionTag::Tagged { width, .. }, .. }) => {
            put(bytes, (*width).into(), 0, order);
        }
        (Tree::Something(tree), Shape::Option { inner, tag, .. }) => {
            let mut at = 0;
            if let OptionTag::Tagged { width, value_offset } = tag {
                put(bytes, (*width).into(), 1, order);
                at = *value_offset as usize;
            }
            let len = inner.size_align(schema).unwrap().0 as usize;
            encode(tree, inner, schema, order, &mut bytes[at..at + len], store);
        }
        (Tree::Struct(trees), Shape::Inline(name)) => {
            let Body::Struct(fields) = &schema.get(name).unwrap().body else { panic!("{name}") };
            encode_fields(trees, fields, schema, order, bytes, store);
        }
        (Tree::Variant { name: variant, tag: value, fields: trees }, Shape::Inline(name)) => {
            let Body::Enum { tag, variants, .. } = &schema.get(name).unwrap().body else { panic!("{name}") };
            put(bytes, tag.width.into(), *value, order);
            let described = variants.iter().find(|described| described.name == *variant).unwrap();
            encode_fields(trees, &described.fields, schema, order, bytes, store);
        }
        (tree, shape) => panic!("{tree:?} as {shape}"),
    }
}

fn encode_fields(
    trees: &[(String, Tree)],
    fields: &[Field],
    schema: &Schema,
    order: ByteOrder,
    bytes: &mut [u8],
    store: &mut Store<'_>,
) {
    for ((_, tree), field) in trees.iter().zip(fields) {
        let (at, len) = (field.offset as usize, field.shape.size_align(schema).unwrap().0 as usize);
        encode(tree, &field.shape, schema, order, &mut bytes[at..at + len], store);
    }
}

/// The bytes are this value in the order of this machine, and zero elsewhere: the value is written into zeros, and
/// then only handles may differ, which must name what the tree says.
pub(crate) fn check(tree: &Tree, shape: &Shape, schema: &Schema, bytes: &[u8], store: &mut Store<'_>) {
    let mut expected = vec![0; bytes.len()];
    let mut places = Vec::new();
    let mut scratch = Store::new(schema, ByteOrder::NATIVE);
    encode(tree, shape, schema, ByteOrder::NATIVE, &mut expected, &mut scratch);
    handles(tree, shape, schema, 0, &mut places);
    for (at, named, shape) in &places {
        expected[*at..at + 8].copy_from_slice(&bytes[*at..at + 8]);
        let handle = u64::from_ne_bytes(bytes[*at..at + 8].try_into().unwrap());
        if handle == 1 {
            let empty = [Tree::Text(String::new()), Tree::Bytes(vec![])];
            assert!(empty.contains(named), "{named:?} is empty");
            continue;
        }
        check_object(named, shape, schema, &store.get(handle), store);
    }
    assert_eq!(bytes, expected, "{tree:?} as {shape}");
}

fn check_object(tree: &Tree, shape: &Shape, schema: &Schema, object: &Object, store: &mut Store<'_>) {
    match (tree, shape, object) {
        (Tree::Text(one), Shape::Text, Object::Text(other)) => assert_eq!(one, other),
        (Tree::Bytes(one), Shape::Bytes, Object::Bytes(other)) => assert_eq!(one, other),
        (Tree::Record(tree), Shape::Reference(name), Object::Record(bytes)) => {
            check(tree, &Shape::Inline(name.clone()), schema, bytes, store);
        }
        (Tree::List(trees), Shape::List(element), Object::List(elements)) => {
            assert_eq!(trees.len(), elements.len());
            for (tree, bytes) in trees.iter().zip(elements) {
                check(tree, element, schema, bytes, store);
            }
        }
        (Tree::Map(trees), Shape::Map { key, value } | Shape::SortedMap { key, value }, Object::Map(entries)) => {
            assert_eq!(trees.len(), entries.len());
            for (trees, entry) in trees.iter().zip(entries) {
                check(&trees.0, key, schema, &entry.0, store);
                check(&trees.1, value, schema, &entry.1, store);
            }
        }
        _ => panic!("{object:?} is not {tree:?}"),
    }
}

/// Places of owned handles in a value, with what they name.
pub(crate) fn handles<'t>(
    tree: &'t Tree,
    shape: &'t Shape,
    schema: &'t Schema,
    at: usize,
    places: &mut Vec<(usize, &'t Tree, &'t Shape)>,
) {
    let fields = |trees: &'t [(String, Tree)], fields: &'t [Field], places: &mut Vec<_>| {
        for ((_, tree), field) in trees.iter().zip(fields) {
            handles(tree, &field.shape, schema, at + field.offset as usize, places);
        }
    };
    match (tree, shape) {
        (Tree::Record(_), Shape::Reference(_)) => places.push((at, tree, shape)),
        (_, owned) if owned.is_owned_handle() => places.push((at, tree, shape)),
        (Tree::Array(trees), Shape::Array { element, .. }) => {
            let size = element.size_align(schema).unwrap().0 as usize;
            for (position, tree) in trees.iter().enumerate() {
                handles(tree, element, schema, at + position * size, places);
            }
        }
        (Tree::Something(tree), Shape::Option { inner, tag, .. }) => {
            let offset = if let OptionTag::Tagged { value_offset, .. } = tag { *value_offset as usize } else { 0 };
            handles(tree, inner, schema, at + offset, places);
        }
        (Tree::Struct(trees), Shape::Inline(name)) => {
            if let Body::Struct(described) = &schema.get(name).unwrap().body {
                fields(trees, described, places);
            }
        }
        (Tree::Variant { name: variant, fields: trees, .. }, Shape::Inline(name)) => {
            if let Body::Enum { variants, .. } = &schema.get(name).unwrap().body {
                let described = variants.iter().find(|described| described.name == *variant).unwrap();
                fields(trees, &described.fields, places);
            }
        }
        _ => {}
    }
}
