//! A small heap for the tests of this crate.

use heap::format::slot::Kind;
use heap::read::fixture::Fixture;
use migrate::{
    Body, Field, FieldAttributes, Float, Integer, OptionTag, Shape, TypeAttributes, TypeDescriptor, Variant,
};

fn field(name: &str, offset: u32, shape: Shape) -> Field {
    Field { name: name.into(), offset, shape, attributes: FieldAttributes::default() }
}

fn described(name: &str, size: u32, align: u32, body: Body) -> TypeDescriptor {
    TypeDescriptor { name: name.into(), size, align, body, attributes: TypeAttributes::default() }
}

fn integer(width: u8, signed: bool) -> Shape {
    Shape::Integer(Integer { width, signed, align: width })
}

fn user() -> Shape {
    Shape::Reference("User".into())
}

fn types() -> Vec<TypeDescriptor> {
    let variant = |name: &str, tag, fields| Variant { name: name.into(), tag, fields, was: vec![] };
    let state = Body::Enum {
        tag_offset: 0,
        tag: Integer { width: 1, signed: false, align: 1 },
        variants: vec![variant("Open", 0, vec![]), variant("Done", 1, vec![field("by", 8, user())])],
    };
    let owner = Shape::Option {
        inner: Box::new(user()),
        size: 8,
        align: 8,
        tag: OptionTag::Niche { offset: 0, width: 8, none: 0 },
    };
    let tasks = Shape::List(Box::new(Shape::Reference("Task".into())));
    vec![
        described("Board", 16, 8, Body::Struct(vec![field("title", 0, Shape::Text), field("tasks", 8, tasks)])),
        described("User", 16, 8, Body::Struct(vec![field("name", 0, Shape::Text), field("open", 8, integer(4, true))])),
        described("State", 16, 8, state),
        described(
            "Task",
            80,
            16,
            Body::Struct(vec![
                field("id", 0, integer(16, false)),
                field("title", 16, Shape::Text),
                field("owner", 24, owner),
                field("state", 32, Shape::Inline("State".into())),
                field("score", 48, Shape::Float(Float { width: 8, align: 8 })),
                field("ratio", 56, Shape::Float(Float { width: 4, align: 4 })),
                field("sizes", 60, Shape::Array { element: Box::new(integer(2, false)), count: 2 }),
                field("blob", 64, Shape::Bytes),
                field("letter", 72, Shape::Char),
                field("urgent", 76, Shape::Bool),
            ]),
        ),
    ]
}

/// A board with `count` tasks, of two users.
pub(crate) fn board(count: u32) -> Fixture {
    let mut fixture = Fixture::new(types());
    let names = ["Ada", "Bo\u{202e}b"].map(|name| fixture.text(name));
    let users = names.map(|name| {
        let open = 1_i32;
        let record = [&name.to_ne_bytes()[..], &(-open).to_ne_bytes(), &[0; 4]].concat();
        fixture.record("User", &record)
    });
    let mut tasks = Vec::new();
    for number in 0..count {
        let title = fixture.text(&format!("task \"{number}\""));
        let blob = if number == 0 { fixture.value(Kind::Bytes, 2, &[0, 255]) } else { 1 };
        let mut record = vec![0; 80];
        let mut put = |at: usize, bytes: &[u8]| record[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &(if number == 0 { u128::MAX } else { number.into() }).to_ne_bytes());
        put(16, &title.to_ne_bytes());
        put(24, &(if number == 0 { 0 } else { users[1] }).to_ne_bytes());
        if number == 1 {
            put(32, &[1]);
            put(40, &users[0].to_ne_bytes());
        }
        put(48, &(if number == 0 { f64::NAN } else { 0.1 }).to_ne_bytes());
        put(56, &0.1_f32.to_ne_bytes());
        put(60, &7_u16.to_ne_bytes());
        put(62, &8_u16.to_ne_bytes());
        put(64, &blob.to_ne_bytes());
        put(72, &u32::from('é').to_ne_bytes());
        put(76, &[u8::from(number % 2 == 0)]);
        tasks.extend_from_slice(&fixture.record("Task", &record).to_ne_bytes());
    }
    let title = fixture.text("my board");
    let element = Shape::Reference("Task".into());
    let tasks = match count {
        0..=4 => fixture.inline_list(&element, count.into(), &tasks),
        _ => fixture.spilled_list(&element, count.into(), &tasks),
    };
    let board = fixture.record("Board", &[title.to_ne_bytes(), tasks.to_ne_bytes()].concat());
    fixture.root("board", board);
    fixture
}

/// A record with a hash map and a sorted map of `count` entries each, and maps in maps.
pub(crate) fn maps(count: u32) -> Fixture {
    let texts = || Shape::List(Box::new(Shape::Text));
    let by_name = Shape::Map { key: Box::new(Shape::Text), value: Box::new(integer(4, true)) };
    let by_number = Shape::SortedMap { key: Box::new(integer(4, true)), value: Box::new(texts()) };
    let fields = vec![field("by_name", 0, by_name), field("by_number", 8, by_number)];
    let mut fixture = Fixture::new(vec![described("Index", 16, 8, Body::Struct(fields))]);
    let mut names = Vec::new();
    let mut numbers = Vec::new();
    for number in 0..count {
        names.push((fixture.text(&format!("n{number}")).to_ne_bytes().to_vec(), number.to_ne_bytes().to_vec()));
        let text = fixture.text(&format!("v{number}"));
        let list = fixture.inline_list(&Shape::Text, 1, &text.to_ne_bytes());
        // Keys come in no order.
        let key = (number * 7) % count;
        numbers.push((key.to_ne_bytes().to_vec(), list.to_ne_bytes().to_vec()));
    }
    let maps = [
        fixture.hash_map(&Shape::Text, &integer(4, true), &names).0,
        fixture.sorted_map(&integer(4, true), &texts(), &numbers).0,
    ];
    let index = fixture.record("Index", &maps.map(u64::to_ne_bytes).concat());
    fixture.root("index", index);
    fixture
}
