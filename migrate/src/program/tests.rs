use super::*;
use crate::schema::*;

fn integer(width: u8) -> Shape {
    Shape::Integer(Integer { width, signed: false, align: width.min(8) })
}

fn field(name: &str, offset: u32, shape: Shape) -> Field {
    Field { name: name.into(), offset, shape, attributes: FieldAttributes::default() }
}

fn structure(name: &str, size: u32, align: u32, fields: Vec<Field>) -> TypeDescriptor {
    TypeDescriptor { name: name.into(), size, align, body: Body::Struct(fields), attributes: TypeAttributes::default() }
}

/// A registry of one shape, and its program.
fn compile(types: Vec<TypeDescriptor>, shape: Shape) -> Program {
    let registry = Registry { schema: Schema { types }, shapes: vec![shape] };
    registry.check().unwrap();
    Programs::compile(&registry).unwrap().value(0).unwrap().clone()
}

fn handles(program: &Program, bytes: &[u8]) -> Result<Vec<(usize, u64)>, ValueFault> {
    let mut found = Vec::new();
    program.run(bytes, ByteOrder::Little, |handle| {
        found.push((handle.offset, handle.word));
        Ok::<(), ValueFault>(())
    })?;
    Ok(found)
}

#[test]
fn padding_between_fields_must_be_zero_and_is_made_zero() {
    let record = structure("R", 16, 8, vec![field("a", 0, integer(1)), field("b", 8, integer(4))]);
    let program = compile(vec![record], Shape::Inline("R".into()));
    for at in 0..16 {
        let mut bytes = [0; 16];
        bytes[at] = 9;
        let padding = (1..8).contains(&at) || at >= 12;
        assert_eq!(handles(&program, &bytes).is_err(), padding, "{at}");
        program.zero_padding(&mut bytes, ByteOrder::Little);
        assert_eq!(bytes[at], if padding { 0 } else { 9 });
    }
}

#[test]
fn nothing_in_an_option_leaves_only_padding() {
    let tagged = Shape::Option {
        inner: Box::new(Shape::Text),
        size: 16,
        align: 8,
        tag: OptionTag::Tagged { width: 4, value_offset: 8 },
    };
    let program = compile(vec![], tagged);
    let mut bytes = [0; 16];
    assert_eq!(handles(&program, &bytes), Ok(vec![]));
    bytes[8] = 7;
    assert_eq!(handles(&program, &bytes), Err(ValueFault::Padding(8)));
    bytes[0] = 1;
    assert_eq!(handles(&program, &bytes), Ok(vec![(8, 7)]));
    bytes[0] = 2;
    assert_eq!(handles(&program, &bytes), Err(ValueFault::Tag(0)));

    let niche = |none| Shape::Option {
        inner: Box::new(Shape::Bool),
        size: 1,
        align: 1,
        tag: OptionTag::Niche { offset: 0, width: 1, none },
    };
    let program = compile(vec![], niche(2));
    assert!(handles(&program, &[2]).is_ok() && handles(&program, &[1]).is_ok());
    assert_eq!(handles(&program, &[3]), Err(ValueFault::Bool(0)));
}

#[test]
fn an_enum_is_checked_as_the_variant_its_tag_names() {
    let variant = |name: &str, tag, fields| Variant { name: name.into(), tag, fields, was: vec![] };
    let body = Body::Enum {
        tag_offset: 0,
        tag: Integer { width: 1, signed: true, align: 1 },
        variants: vec![
            variant("Text", 0xff, vec![field("0", 8, Shape::Text)]),
            variant("Flag", 3, vec![field("0", 1, Shape::Bool)]),
            variant("Nothing", 4, vec![]),
        ],
    };
    let choice = TypeDescriptor { name: "E".into(), size: 16, align: 8, body, attributes: TypeAttributes::default() };
    let pair = Shape::Array { element: Box::new(Shape::Inline("E".into())), count: 2 };
    let program = compile(vec![choice], pair);
    let mut bytes = [0; 32];
    (bytes[0], bytes[8], bytes[16], bytes[17]) = (0xff, 5, 3, 1);
    assert_eq!(handles(&program, &bytes), Ok(vec![(8, 5)]));
    (bytes[16], bytes[17]) = (4, 0);
    assert_eq!(handles(&program, &bytes), Ok(vec![(8, 5)]));
    bytes[31] = 1;
    assert_eq!(handles(&program, &bytes), Err(ValueFault::Padding(31)));
    program.zero_padding(&mut bytes, ByteOrder::Little);
    assert_eq!(handles(&program, &bytes), Ok(vec![(8, 5)]));
    bytes[16] = 0;
    assert_eq!(handles(&program, &bytes), Err(ValueFault::Tag(16)));
}

#[test]
fn arrays_in_arrays_are_walked_without_unrolling() {
    let inner = Shape::Array { element: Box::new(Shape::Text), count: 3 };
    let pair = structure("P", 32, 8, vec![field("texts", 0, inner), field("flag", 24, Shape::Bool)]);
    let shape = Shape::Array { element: Box::new(Shape::Inline("P".into())), count: 1000 };
    let program = compile(vec![pair], shape);
    assert!(program.steps.len() < 10);
    let mut bytes = vec![0; 32_000];
    for (number, word) in bytes.chunks_exact_mut(8).enumerate().filter(|(number, _)| number % 4 != 3) {
        word[..4].copy_from_slice(&(number as u32 + 1).to_le_bytes());
    }
    let found = handles(&program, &bytes).unwrap();
    assert_eq!(found.len(), 3000);
    assert!(found.iter().all(|&(offset, word)| offset as u64 / 8 + 1 == word));
    bytes[31_999] = 1;
    assert_eq!(handles(&program, &bytes), Err(ValueFault::Padding(31_999)));
}

#[test]
fn what_needs_no_check_has_no_steps() {
    let numbers = Shape::Array { element: Box::new(integer(8)), count: 1 << 15 };
    assert!(compile(vec![], numbers).is_trivial());
}

#[test]
fn enums_in_every_variant_of_enums_are_refused_before_they_explode() {
    let mut types = Vec::new();
    for level in 0..32_u32 {
        let payload =
            || if level == 0 { vec![] } else { vec![field("0", 1, Shape::Inline(format!("E{}", level - 1)))] };
        let variants =
            (0..8).map(|tag| Variant { name: format!("V{tag}"), tag, fields: payload(), was: vec![] }).collect();
        types.push(TypeDescriptor {
            name: format!("E{level}"),
            size: level + 1,
            align: 1,
            body: Body::Enum { tag_offset: 0, tag: Integer { width: 1, signed: false, align: 1 }, variants },
            attributes: TypeAttributes::default(),
        });
    }
    let registry = Registry { schema: Schema { types }, shapes: vec![Shape::Inline("E31".into())] };
    registry.check().unwrap();
    assert!(Programs::compile(&registry).is_err());
}

#[test]
fn bytes_of_the_other_order_are_read_in_it() {
    let program = compile(vec![], Shape::Char);
    let run = |order| program.run(&0x0010_ffff_u32.to_be_bytes(), order, |_| Ok::<(), ValueFault>(()));
    assert_eq!((run(ByteOrder::Big), run(ByteOrder::Little)), (Ok(()), Err(ValueFault::Char(0))));
}
