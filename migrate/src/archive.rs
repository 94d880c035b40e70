//! Registries as they lie in files: rkyv archives, which are checked whole before a byte of them is believed.

use std::num::NonZeroUsize;

use rkyv::api::{access_with_context, deserialize_using};
use rkyv::rancor;
use rkyv::validation::archive::ArchiveValidator;

use crate::layout::MAX_DEPTH;
use crate::schema::{ArchivedRegistry, Registry, SchemaError};

/// The longest archive that is read, in bytes.
pub const MAX_ARCHIVE: usize = 64 * 1024 * 1024;

impl Registry {
    /// The registry as an archive. The same registry gives the same bytes.
    pub fn to_archive(&self) -> Vec<u8> {
        match rkyv::to_bytes::<rancor::Error>(self) {
            Ok(bytes) => bytes.to_vec(),
            // Writing into memory fails only for archives beyond the reach of 32-bit offsets.
            Err(error) => panic!("descriptors do not fit an archive: {error}"),
        }
    }

    /// Reads an archive and [checks](Registry::check) what it says.
    ///
    /// Memory and time are linear in the length of the archive, and the stack is bounded, whatever it holds.
    ///
    /// # Errors
    /// When the bytes are not an archive, or describe types that cannot be.
    pub fn from_archive(bytes: &[u8]) -> Result<Self, SchemaError> {
        if bytes.len() > MAX_ARCHIVE {
            return Err(SchemaError::Archive(format!("{} bytes are too many", bytes.len())));
        }
        // The validator recurses where shapes hold shapes, so the archive's own depth must be bounded. Above the
        // shapes lie the types, their variants and fields; below them a name.
        let depth = NonZeroUsize::new(MAX_DEPTH as usize + 8);
        let mut validator = ArchiveValidator::with_max_depth(bytes, depth);
        let archived = access_with_context::<ArchivedRegistry, _, rancor::Error>(bytes, &mut validator)
            .map_err(|error| SchemaError::Archive(error.to_string()))?;
        let registry: Self = deserialize_using::<_, _, rancor::Error>(archived, &mut ())
            .map_err(|error| SchemaError::Archive(error.to_string()))?;
        registry.check()?;
        Ok(registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Body, Field, FieldAttributes, Integer, Schema, Shape, TypeAttributes, TypeDescriptor};

    fn record(name: &str, fields: Vec<(u32, Shape)>) -> TypeDescriptor {
        let field = |(offset, shape): (u32, Shape)| Field {
            name: format!("at{offset}"),
            offset,
            shape,
            attributes: FieldAttributes::default(),
        };
        TypeDescriptor {
            name: name.into(),
            size: 16,
            align: 8,
            body: Body::Struct(fields.into_iter().map(field).collect()),
            attributes: TypeAttributes::default(),
        }
    }

    fn inline(name: &str) -> Shape {
        Shape::Inline(name.into())
    }

    fn read(types: Vec<TypeDescriptor>, shapes: Vec<Shape>) -> Result<Registry, SchemaError> {
        Registry::from_archive(&Registry { schema: Schema { types }, shapes }.to_archive())
    }

    fn refusal(types: Vec<TypeDescriptor>, shapes: Vec<Shape>) -> String {
        read(types, shapes).unwrap_err().to_string()
    }

    #[test]
    fn a_registry_comes_back_equal() {
        let registry = Registry {
            schema: Schema { types: vec![record("A", vec![(0, Shape::Text), (8, Shape::Reference("A".into()))])] },
            shapes: vec![inline("A"), Shape::Map { key: Box::new(Shape::Text), value: Box::new(Shape::Bool) }],
        };
        assert_eq!(Registry::from_archive(&registry.to_archive()), Ok(registry));
    }

    #[test]
    fn contradictions_are_refused_by_name() {
        let word = Shape::Integer(Integer { width: 8, signed: false, align: 8 });
        assert_eq!(refusal(vec![record("A", vec![]); 2], vec![]), "A: is described twice");
        assert_eq!(
            refusal(vec![record("A", vec![(0, word.clone()), (4, Shape::Char)])], vec![]),
            "A.at4: overlaps at0"
        );
        assert_eq!(refusal(vec![record("A", vec![(16, Shape::Bool)])], vec![]), "A.at16: lies at 16..17 of 16 bytes");
        assert!(refusal(vec![record("A", vec![(!7, word)])], vec![]).contains("of 16 bytes"));
        assert!(refusal(vec![record("A", vec![(0, Shape::Reference("B".into()))])], vec![]).contains("\"B\""));
        assert_eq!(refusal(vec![], vec![Shape::Text, Shape::Text]), "shape 1: is the same as shape 0");
        let float = Shape::Float(crate::schema::Float { width: 8, align: 8 });
        let map = Shape::Map { key: Box::new(float), value: Box::new(Shape::Bool) };
        assert!(refusal(vec![], vec![map]).contains("key"));
        let huge = Shape::Array { element: Box::new(Shape::Char), count: u64::MAX };
        assert!(refusal(vec![], vec![huge]).contains("array"));
    }

    #[test]
    fn types_that_hold_themselves_by_value_are_refused() {
        let circle = vec![record("A", vec![(0, inline("B"))]), record("B", vec![(0, inline("A"))])];
        assert!(refusal(circle, vec![]).contains("holds itself by value"));
        let chain = |len: usize| {
            let inner = |at: usize| if at == 0 { vec![] } else { vec![(0, inline(&format!("T{}", at - 1)))] };
            (0..len).map(|at| record(&format!("T{at}"), inner(at))).collect::<Vec<_>>()
        };
        assert!(read(chain(60), vec![]).is_ok());
        assert!(refusal(chain(100), vec![]).contains("deep"));
    }

    #[test]
    fn shapes_nested_beyond_reason_are_refused_and_not_followed() {
        let mut shape = Shape::Text;
        for _ in 0..20_000 {
            shape = Shape::List(Box::new(shape));
        }
        let archive = Registry { schema: Schema::default(), shapes: vec![shape] };
        // Writing such an archive recurses; a roomy stack stands for the attacker's own tools.
        let writer = std::thread::Builder::new().stack_size(256 << 20);
        let bytes = writer
            .spawn(move || {
                let bytes = archive.to_archive();
                // Its drop recurses as well.
                drop(archive);
                bytes
            })
            .unwrap()
            .join()
            .unwrap();
        assert!(matches!(Registry::from_archive(&bytes), Err(SchemaError::Archive(_))));
    }

    #[test]
    fn a_million_types_take_linear_time() {
        let types: Vec<_> = (0..200_000).map(|at| record(&format!("T{at}"), vec![(0, Shape::Text)])).collect();
        let archive = Registry { schema: Schema { types }, shapes: vec![] }.to_archive();
        let started = std::time::Instant::now();
        assert_eq!(Registry::from_archive(&archive).unwrap().schema.types.len(), 200_000);
        assert!(started.elapsed().as_secs() < 5);
    }

    #[test]
    fn no_damaged_archive_does_harm() {
        let registry = Registry {
            schema: Schema {
                types: vec![record("A", vec![(0, Shape::Text), (8, Shape::List(Box::new(inline("A"))))])],
            },
            shapes: vec![inline("A")],
        };
        let archive = registry.to_archive();
        for bit in 0..archive.len() * 8 {
            let mut damaged = archive.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            if let Ok(registry) = Registry::from_archive(&damaged) {
                crate::program::Programs::compile(&registry).unwrap();
            }
        }
        for len in 0..archive.len() {
            let _ = Registry::from_archive(&archive[len..]);
            let _ = Registry::from_archive(&archive[..len]);
        }
    }
}
