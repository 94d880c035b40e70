//! What descriptors say besides the layout.

use crate::schema::{Body, Field, FieldAttributes, TypeDescriptor};

impl TypeDescriptor {
    /// The same type, and what another one of its name marks as secret is secret here too.
    #[must_use]
    pub fn with_marks_of(&self, other: &Self) -> Self {
        let mut marked = self.clone();
        marked.attributes.secret = marked.attributes.secret.or(other.attributes.secret);
        match (&mut marked.body, &other.body) {
            (Body::Struct(fields), Body::Struct(others)) => mark(fields, others),
            (Body::Enum { variants, .. }, Body::Enum { variants: others, .. }) => {
                for variant in variants {
                    if let Some(other) = others.iter().find(|other| other.name == variant.name) {
                        mark(&mut variant.fields, &other.fields);
                    }
                }
            }
            _ => {}
        }
        marked
    }

    /// The same type without what its attributes say for migrations: former names, sources, defaults, drops.
    #[must_use]
    pub fn without_advice(&self) -> Self {
        let mut bare = self.clone();
        bare.attributes.was.clear();
        bare.attributes.dropped.clear();
        if let Body::Enum { variants, .. } = &mut bare.body {
            for variant in variants {
                variant.was.clear();
            }
        }
        for field in bare.fields_mut() {
            field.attributes = FieldAttributes { secret: field.attributes.secret, ..FieldAttributes::default() };
        }
        bare
    }
}

fn mark(fields: &mut [Field], others: &[Field]) {
    for field in fields {
        if let Some(other) = others.iter().find(|other| other.name == field.name) {
            field.attributes.secret = field.attributes.secret.or(other.attributes.secret);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{SecretMode, Shape, TypeAttributes};

    fn described(secret: Option<SecretMode>, was: &[&str]) -> TypeDescriptor {
        let was: Vec<String> = was.iter().map(|&name| name.to_owned()).collect();
        let attributes = FieldAttributes { was: was.clone(), secret, ..FieldAttributes::default() };
        let fields = vec![Field { name: "token".into(), offset: 0, shape: Shape::Text, attributes }];
        let attributes = TypeAttributes { was, ..TypeAttributes::default() };
        TypeDescriptor { name: "User".into(), size: 8, align: 8, body: Body::Struct(fields), attributes }
    }

    #[test]
    fn marks_are_taken_over_and_advice_is_left_out() {
        let (marked, bare) = (described(Some(SecretMode::Zero), &[]), described(None, &["key"]));
        assert_eq!(bare.with_marks_of(&marked).without_advice(), marked);
        assert_ne!(bare.with_marks_of(&marked), marked);
        assert_eq!(marked.with_marks_of(&bare), marked);
    }
}
