//! Layouts that a heap's values lay by once.
//!
//! A migration goes through states in which old values and new ones are there at once, so the registry names both
//! layouts. The former one's name is the declared one, `@`, and its fingerprint: `Node@9c41e0aa`. No type can be
//! declared under such a name.

use crate::schema::{Schema, Shape, TypeDescriptor};

/// What separates the name of a former layout from its fingerprint.
const MARK: char = '@';

impl TypeDescriptor {
    /// The name that the layout has once no value lies by it any more.
    pub fn former_name(&self, schema: &Schema) -> String {
        format!("{}{MARK}{}", self.name, self.fingerprint(schema))
    }

    /// Whether no value lies by the layout any more.
    pub fn is_former(&self) -> bool {
        self.name.contains(MARK)
    }
}

impl Schema {
    /// The types without former layouts: what a program or a person asks for.
    #[must_use]
    pub fn current(&self) -> Self {
        Self { types: self.types.iter().filter(|described| !described.is_former()).cloned().collect() }
    }
}

impl Shape {
    /// Whether a value of this shape holds, by itself or in the lists and maps it owns, one of a former layout.
    pub fn is_former(&self) -> bool {
        // Shapes are checked to be shallow where they come from.
        matches!(self, Self::Inline(name) if name.contains(MARK)) || self.parts().any(Self::is_former)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Body, TypeAttributes};

    #[test]
    fn a_former_layout_is_known_by_its_name() {
        let described = TypeDescriptor {
            name: "Node".into(),
            size: 8,
            align: 8,
            body: Body::Struct(Vec::new()),
            attributes: TypeAttributes::default(),
        };
        let mut former = described.clone();
        former.name = described.former_name(&Schema::default());
        assert!(former.name.starts_with("Node@") && former.name.len() == 13, "{}", former.name);
        assert!(Shape::List(Box::new(Shape::Inline(former.name.clone()))).is_former());
        assert!(!Shape::Reference(former.name.clone()).is_former(), "a reference holds nothing by value");
        let schema = Schema { types: vec![described.clone(), former] };
        assert_eq!(schema.current().types, [described]);
    }
}
