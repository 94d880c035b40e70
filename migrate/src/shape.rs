//! Shapes as people read them: `list<ref Node>`, `map<text, u64>`, `[u8; 16]`.

use std::fmt;

use crate::schema::{Float, Integer, Shape};

/// How deep a shape is written. Shapes of programs are far shallower; a hostile one may not use up the stack.
const MAX_WRITTEN: u32 = 100;

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.signed { 'i' } else { 'u' }, 8 * u32::from(self.width))
    }
}

impl fmt::Display for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "f{}", 8 * u32::from(self.width))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self, MAX_WRITTEN, f)
    }
}

fn write(shape: &Shape, levels: u32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(levels) = levels.checked_sub(1) else { return f.write_str("…") };
    let pair = |f: &mut fmt::Formatter<'_>, map: &str, key: &Shape, value: &Shape| {
        write!(f, "{map}<")?;
        write(key, levels, f)?;
        f.write_str(", ")?;
        write(value, levels, f)?;
        f.write_str(">")
    };
    match shape {
        Shape::Integer(integer) => write!(f, "{integer}"),
        Shape::Float(float) => write!(f, "{float}"),
        Shape::Bool => f.write_str("bool"),
        Shape::Char => f.write_str("char"),
        Shape::Array { element, count } => {
            f.write_str("[")?;
            write(element, levels, f)?;
            write!(f, "; {count}]")
        }
        Shape::Inline(name) => f.write_str(name),
        Shape::Reference(name) => write!(f, "ref {name}"),
        Shape::Text => f.write_str("text"),
        Shape::Bytes => f.write_str("bytes"),
        Shape::List(element) => {
            f.write_str("list<")?;
            write(element, levels, f)?;
            f.write_str(">")
        }
        Shape::Map { key, value } => pair(f, "map", key, value),
        Shape::SortedMap { key, value } => pair(f, "sorted_map", key, value),
        Shape::Option { inner, .. } => {
            f.write_str("option<")?;
            write(inner, levels, f)?;
            f.write_str(">")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::OptionTag;

    #[test]
    fn shapes_are_written_as_people_read_them() {
        let unsigned = |width| Shape::Integer(Integer { width, signed: false, align: width });
        let signed = Shape::Integer(Integer { width: 16, signed: true, align: 16 });
        let reference = || Box::new(Shape::Reference("Node".into()));
        let niche = OptionTag::Niche { offset: 0, width: 8, none: 0 };
        let cases = [
            (unsigned(8), "u64"),
            (signed, "i128"),
            (Shape::Float(Float { width: 8, align: 8 }), "f64"),
            (Shape::Array { element: Box::new(unsigned(1)), count: 16 }, "[u8; 16]"),
            (Shape::Inline("Pair<u32, bool>".into()), "Pair<u32, bool>"),
            (Shape::List(reference()), "list<ref Node>"),
            (Shape::Map { key: Box::new(Shape::Text), value: reference() }, "map<text, ref Node>"),
            (Shape::SortedMap { key: Box::new(Shape::Char), value: Box::new(Shape::Bytes) }, "sorted_map<char, bytes>"),
            (Shape::Option { inner: reference(), size: 8, align: 8, tag: niche }, "option<ref Node>"),
        ];
        for (shape, text) in cases {
            assert_eq!(shape.to_string(), text);
        }
    }
}
