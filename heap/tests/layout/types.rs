//! The types that the tests describe and store.
#![allow(dead_code)] // some are only described

use heap::{Bytes, List, Map, Maybe, Record, Ref, SortedMap, Text};

#[derive(Record, Debug, Clone, Copy, PartialEq)]
pub(crate) struct Position {
    pub(crate) level: u8,
    pub(crate) x: f64,
    pub(crate) y: f32,
}

#[derive(Record, Debug, Clone, Copy, PartialEq)]
pub(crate) struct Everything {
    pub(crate) flag: bool,
    pub(crate) a: u8,
    pub(crate) b: i16,
    pub(crate) c: u32,
    pub(crate) d: i64,
    pub(crate) e: u128,
    pub(crate) letter: char,
    pub(crate) name: Text,
    pub(crate) raw: Bytes,
    pub(crate) grid: [[u16; 3]; 2],
    pub(crate) at: Position,
    pub(crate) parent: Option<Ref<Self>>,
    pub(crate) list: List<Position>,
    pub(crate) map: Map<Text, Option<u32>>,
    pub(crate) sorted: SortedMap<[u8; 4], Ref<Node>>,
    pub(crate) maybe: Maybe<Position>,
    pub(crate) perhaps: Option<char>,
}

#[derive(Record, Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: u64,
    pub(crate) next: Option<Ref<Node>>,
    pub(crate) edges: List<Ref<Edge>>,
}

#[derive(Record, Debug, Clone, Copy, PartialEq)]
pub(crate) struct Edge(pub(crate) Ref<Node>, pub(crate) Ref<Node>, pub(crate) f32);

#[derive(Record, Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tree {
    pub(crate) children: List<Tree>,
    pub(crate) label: Text,
}

#[derive(Record, Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pair<T> {
    pub(crate) first: T,
    pub(crate) second: T,
}

#[derive(Record, Debug, Clone, Copy, PartialEq)]
pub(crate) struct Buffer<T, const N: usize>
where
    T: Copy,
{
    pub(crate) len: u8,
    pub(crate) items: [T; N],
}

#[derive(Record, Debug)]
pub(crate) struct Link<T: Record> {
    pub(crate) to: Ref<T>,
}

/// Refers to itself through the argument of another type.
#[derive(Record, Debug)]
pub(crate) struct Knot {
    pub(crate) links: List<Link<Knot>>,
    pub(crate) pair: Pair<Option<Ref<Knot>>>,
}

#[derive(Record, Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Plain {
    Zero,
    Five = 5,
    Six,
    Last = 255,
}

#[derive(Record, Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub(crate) enum Signed {
    Below = -300,
    Next,
    Above = Signed::LIMIT,
}

impl Signed {
    const LIMIT: i16 = 0x1234;
}

#[derive(Record, Debug, Clone, Copy, PartialEq)]
#[repr(u8)]
pub(crate) enum Task {
    Nothing,
    Wait { seconds: u32, exact: bool },
    Visit(Position, Option<u16>) = 9,
    Write(Text, Option<Ref<Node>>),
    Again { of: List<Task> },
}

#[derive(Record, Debug, Clone, Copy, PartialEq)]
#[repr(i64)]
pub(crate) enum Wide<T> {
    Small(u8) = i64::MIN,
    Any(T),
    Two(u8, T) = -1,
}

#[derive(Record, Debug, Clone, Copy, PartialEq)]
#[repr(u128)]
pub(crate) enum Widest {
    Some(u8) = 1 << 100,
}

macro_rules! every_tag {
    ($($name:ident $tag:ident)*) => {$(
        #[derive(Record, Debug, Clone, Copy, PartialEq)]
        #[repr($tag)]
        pub(crate) enum $name {
            Bare,
            Odd(u8, u32) = $tag::MAX,
        }
    )*};
}

every_tag! {
    TagU8 u8 TagU16 u16 TagU32 u32 TagU64 u64 TagU128 u128
    TagI8 i8 TagI16 i16 TagI32 i32 TagI64 i64 TagI128 i128
}

#[derive(Record, Debug)]
#[record(name = "Account", was = "User", was = "Login", dropped("age", "street"), secret)]
#[repr(C)]
pub(crate) struct Attributed {
    #[record(name = "identity", was = "id")]
    pub(crate) number: u64,
    #[record(default = -1, secret(zero))]
    pub(crate) balance: i32,
    #[record(from = "position.x", secret(token))]
    pub(crate) x: f32,
    #[record(default = Kind::Open, secret(drop))]
    pub(crate) r#type: Kind,
}

#[derive(Record, Debug)]
#[repr(u16)]
pub(crate) enum Kind {
    #[record(was = "Fresh")]
    Open,
    #[record(name = "Shut")]
    Closed {
        #[record(was = "why")]
        reason: Text,
    },
}

#[derive(Record, Debug, Clone, Copy)]
#[repr(align(32))]
pub(crate) struct Aligned(pub(crate) u8);
