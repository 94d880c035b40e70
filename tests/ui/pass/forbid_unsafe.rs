//! A program that allows no unsafe code of its own derives all the same, under every lint.
#![forbid(unsafe_code, missing_docs, unused, nonstandard_style)]
#![deny(warnings, clippy::all, clippy::pedantic)]

use heap::{Describer, List, Map, Record, Ref, Text};


/// A generic record.
#[derive(Record)]
pub struct Pair<T, const N: usize = 2> {
    /// The items.
    pub items: [T; N],
}

/// A record.
#[derive(Record)]
#[record(name = "Node", was = "Vertex")]
pub struct Point {
    /// A field with the name of a local of the expansion.
    pub describer: u32,
    /// Itself.
    pub value: Option<Ref<Self>>,
    /// More.
    pub r#type: Map<Text, List<Pair<Shape>>>,
}

/// An enum.
#[derive(Record, Clone, Copy)]
#[repr(i8)]
pub enum Shape {
    /// Nothing.
    None = -1,
    /// A circle.
    Circle(f64),
    /// A polygon.
    Polygon {
        /// Its corners.
        corners: List<Ref<Point>>,
    },
}

fn main() {
    let shape = Shape::Circle(1.0);
    if let Shape::Circle(radius) = shape {
        assert!(radius > 0.0);
    }
    assert!(Describer::describe::<Point>().is_ok());
}
