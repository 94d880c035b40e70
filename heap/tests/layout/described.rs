//! Descriptions: names, sizes, offsets, tags.

use std::any::TypeId;
use std::mem::offset_of;

use heap::{Describer, Description, Error, Field, List, Map, Maybe, Record, Ref, Text};
use migrate::{Body, Field as FieldDescriptor, OptionTag, Registry, SecretMode, Shape, TypeDescriptor};

use crate::types::*;

/// The description, which must be one that any heap accepts.
fn describe<T: Record>() -> Description {
    let description = Describer::describe::<T>().unwrap();
    let mut shapes = Vec::new();
    let records = description.records.iter().map(|record| Shape::Inline(record.name.clone()));
    for shape in records.chain(description.elements.iter().map(|(_, shape)| shape.clone())) {
        if !shapes.contains(&shape) {
            shapes.push(shape);
        }
    }
    Registry { schema: description.schema.clone(), shapes }.check().unwrap();
    description
}

fn descriptor<T: Record>() -> TypeDescriptor {
    let descriptor = describe::<T>().schema.types.into_iter().find(|described| described.name == T::name()).unwrap();
    assert_eq!(descriptor.size as usize, size_of::<T>());
    assert_eq!(descriptor.align as usize, align_of::<T>());
    descriptor
}

fn fields<T: Record>() -> Vec<FieldDescriptor> {
    match descriptor::<T>().body {
        Body::Struct(fields) => fields,
        Body::Enum { .. } => panic!("{} is an enum", T::name()),
    }
}

fn type_names(description: &Description) -> Vec<&str> {
    let mut names: Vec<_> = description.schema.types.iter().map(|described| &*described.name).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_field_is_where_the_compiler_puts_it() {
    let found = fields::<Everything>();
    let found: Vec<_> =
        found.iter().map(|field| (&*field.name, field.offset as usize, field.shape.to_string())).collect();
    macro_rules! expected {
        ($($field:ident: $shape:literal,)*) => {
            vec![$((stringify!($field), offset_of!(Everything, $field), $shape.to_owned())),*]
        };
    }
    let expected = expected! {
        flag: "bool",
        a: "u8",
        b: "i16",
        c: "u32",
        d: "i64",
        e: "u128",
        letter: "char",
        name: "text",
        raw: "bytes",
        grid: "[[u16; 3]; 2]",
        at: "Position",
        parent: "option<ref Everything>",
        list: "list<Position>",
        map: "map<text, option<u32>>",
        sorted: "sorted_map<[u8; 4], ref Node>",
        maybe: "option<Position>",
        perhaps: "option<char>",
    };
    assert_eq!(found, expected);
    assert_eq!(type_names(&describe::<Everything>()), ["Edge", "Everything", "Node", "Position"]);
    assert_eq!(fields::<Aligned>()[0].offset, 0);
}

#[test]
fn a_description_names_the_rust_types() {
    let description = describe::<Everything>();
    let named = |id: TypeId| description.records.iter().find(|record| record.id == id).map(|record| &*record.name);
    assert_eq!(named(TypeId::of::<Everything>()), Some("Everything"));
    assert_eq!(named(TypeId::of::<Edge>()), Some("Edge"));
    let element = |id: TypeId| {
        description.elements.iter().find(|(element, _)| *element == id).map(|(_, shape)| shape.to_string())
    };
    assert_eq!(element(TypeId::of::<Position>()).as_deref(), Some("Position"));
    assert_eq!(element(TypeId::of::<Ref<Edge>>()).as_deref(), Some("ref Edge"));
    assert_eq!(element(TypeId::of::<Map<Text, Option<u32>>>()).as_deref(), Some("map<text, option<u32>>"));
    assert_eq!(element(TypeId::of::<Text>()), None, "neither the element of a list nor a map");
}

#[test]
fn types_that_name_each_other_are_described_once() {
    assert_eq!(type_names(&describe::<Node>()), ["Edge", "Node"]);
    assert_eq!(type_names(&describe::<Edge>()), ["Edge", "Node"]);
    assert_eq!(type_names(&describe::<Tree>()), ["Tree"]);
    assert_eq!(type_names(&describe::<Knot>()), ["Knot", "Link<Knot>", "Pair<option<ref Knot>>"]);
    assert_eq!(fields::<Edge>()[1].name, "1");
    assert_eq!(fields::<Edge>()[1].offset as usize, offset_of!(Edge, 1));
}

#[test]
fn the_name_of_a_generic_type_has_its_arguments() {
    assert_eq!(Pair::<u32>::name(), "Pair<u32>");
    assert_eq!(Pair::<Pair<Text>>::name(), "Pair<Pair<text>>");
    assert_eq!(Buffer::<Position, 16>::name(), "Buffer<Position, 16>");
    assert_eq!(Pair::<Attributed>::name(), "Pair<Account>");
    assert_eq!(Link::<Link<Node>>::name(), "Link<Link<Node>>");
    assert_eq!(fields::<Pair<[u8; 3]>>()[1].offset as usize, offset_of!(Pair<[u8; 3]>, second));
    assert_eq!(fields::<Buffer<u64, 2>>()[1].shape.to_string(), "[u64; 2]");
}

#[test]
fn an_owner_is_what_holds_a_handle_that_owns() {
    const {
        assert!(Everything::OWNER && Tree::OWNER && Task::OWNER && Kind::OWNER);
        assert!(Pair::<Text>::OWNER && Buffer::<List<u8>, 2>::OWNER && Maybe::<Text>::OWNER && Option::<Text>::OWNER);
        assert!(!Pair::<u8>::OWNER && !Edge::OWNER && !Position::OWNER && !Wide::<Ref<Node>>::OWNER && !Plain::OWNER);
    }
}

fn tags<T: Record>() -> (String, Vec<(String, u128)>) {
    let Body::Enum { tag_offset, tag, variants } = descriptor::<T>().body else { panic!("{} is a struct", T::name()) };
    assert_eq!(tag_offset, 0);
    (tag.to_string(), variants.into_iter().map(|variant| (variant.name, variant.tag)).collect())
}

#[test]
fn a_tag_is_the_discriminant() {
    let named = |tags: &[(&str, u128)]| tags.iter().map(|&(name, tag)| (name.to_owned(), tag)).collect::<Vec<_>>();
    assert_eq!(tags::<Plain>(), ("u8".into(), named(&[("Zero", 0), ("Five", 5), ("Six", 6), ("Last", 255)])));
    let signed = named(&[("Below", 0x1_0000 - 300), ("Next", 0x1_0000 - 299), ("Above", 0x1234)]);
    assert_eq!(tags::<Signed>(), ("i16".into(), signed));
    assert_eq!(tags::<Task>().1[2..4], named(&[("Visit", 9), ("Write", 10)]));
    let wide = named(&[("Small", 1 << 63), ("Any", (1 << 63) + 1), ("Two", u64::MAX.into())]);
    assert_eq!(tags::<Wide<u8>>(), ("i64".into(), wide));
    assert_eq!(tags::<Widest>(), ("u128".into(), named(&[("Some", 1 << 100)])));
    assert_eq!(tags::<TagI8>().1[1].1, 127);
    assert_eq!(tags::<TagU128>().1[1].1, u128::MAX);
}

#[test]
fn attributes_are_as_written() {
    let described = descriptor::<Attributed>();
    assert_eq!(described.name, "Account");
    assert_eq!(described.attributes.was, ["User", "Login"]);
    assert_eq!(described.attributes.dropped, ["age", "street"]);
    assert_eq!(described.attributes.secret, Some(SecretMode::Default));
    let fields = fields::<Attributed>();
    let names: Vec<_> = fields.iter().map(|field| &*field.name).collect();
    assert_eq!(names, ["identity", "balance", "x", "type"]);
    assert_eq!(fields[0].attributes.was, ["id"]);
    let secrets: Vec<_> = fields.iter().map(|field| field.attributes.secret).collect();
    assert_eq!(secrets, [None, Some(SecretMode::Zero), Some(SecretMode::Token), Some(SecretMode::Drop)]);
    let defaults: Vec<_> = fields.iter().map(|field| field.attributes.default.as_deref()).collect();
    assert_eq!(defaults, [None, Some("-1"), None, Some("Kind::Open")]);
    assert_eq!(fields[2].attributes.from.as_deref(), Some("position.x"));
    let Body::Enum { variants, .. } = descriptor::<Kind>().body else { panic!("an enum") };
    assert_eq!(variants[0].was, ["Fresh"]);
    assert_eq!(variants[1].name, "Shut");
    assert_eq!(variants[1].fields[0].attributes.was, ["why"]);
}

#[test]
fn an_option_says_how_nothing_is_told() {
    #[derive(Record)]
    struct Options {
        tagged: Option<u128>,
        reference: Option<Ref<Node>>,
        flag: Option<bool>,
        maybe: Maybe<[u32; 3]>,
    }
    let expected = [
        (OptionTag::Tagged { width: 16, value_offset: 16 }, 32),
        (OptionTag::Niche { offset: 0, width: 8, none: 0 }, 8),
        (OptionTag::Niche { offset: 0, width: 1, none: 2 }, 1),
        (OptionTag::Tagged { width: 1, value_offset: 4 }, 16),
    ];
    for (field, expected) in fields::<Options>().iter().zip(expected) {
        let Shape::Option { size, tag, .. } = field.shape else { panic!("{} is an option", field.name) };
        assert_eq!((tag, size), expected, "{}", field.name);
    }
}

#[test]
fn two_types_of_one_name_are_refused() {
    mod other {
        #[derive(heap::Record)]
        pub(crate) struct Position(u8);
    }
    #[derive(Record)]
    struct Both(Position, Ref<other::Position>);
    assert!(matches!(Describer::describe::<Both>(), Err(Error::SameName(name)) if name == "Position"));
}

#[test]
fn what_no_slot_holds_is_refused() {
    #[derive(Record)]
    struct Largest([u8; 256 * 1024 - 64]);
    #[derive(Record)]
    struct Larger([u8; 256 * 1024 - 63]);
    #[derive(Record)]
    #[repr(align(64))]
    struct MostAligned(u8);
    #[derive(Record)]
    #[repr(align(128))]
    struct MoreAligned(u8);
    #[derive(Record)]
    struct Empty([u8; 0]);
    #[derive(Record)]
    struct Element(List<[u64; 1 << 20]>);
    #[derive(Record)]
    struct Entry(Map<u8, [u8; 256 * 1024 - 64]>);
    #[derive(Record)]
    struct Nowhere(List<[Text; 0]>);

    fn refused<T: Record>() -> bool {
        match Describer::describe::<T>() {
            Ok(_) => false,
            Err(Error::Unsupported { .. }) => true,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(!refused::<Largest>() && !refused::<MostAligned>());
    assert!(refused::<Larger>() && refused::<MoreAligned>() && refused::<Empty>());
    assert!(refused::<Element>() && refused::<Entry>() && refused::<Nowhere>());
}
