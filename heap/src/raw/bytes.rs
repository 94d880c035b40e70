//! A single value as the bytes its descriptor speaks of, and back: what binding rests on, where a test can reach it.

use std::any::type_name;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

use migrate::{ByteOrder, Program, Programs, Registry, SchemaError, ValueFault};

use super::settle;
use crate::describe::{Describer, Description};
use crate::error::{Error, Result};
use crate::field::Field;

/// The bytes of a value, padding zeroed as a commit does it.
///
/// # Errors
/// When the type cannot be described.
pub fn bytes_of<T: Field>(value: T) -> Result<Vec<u8>> {
    let program = program::<T>(Describer::describe_element::<T>()?)?;
    let mut place = MaybeUninit::new(value);
    settle(place.as_mut_ptr().cast());
    // SAFETY: the place is `size_of::<T>()` bytes long, and past `settle` each of them is initialised.
    let bytes = unsafe { std::slice::from_raw_parts(place.as_ptr().cast::<u8>(), size_of::<T>()) };
    let mut bytes = bytes.to_vec();
    program.zero_padding(&mut bytes, ByteOrder::NATIVE);
    Ok(bytes)
}

/// The value that bytes are, when by its descriptor they are one: what M4 rests on for files from outside.
///
/// # Errors
/// When the type cannot be described, or the bytes are no value of it.
pub fn value_of<T: Field>(bytes: &[u8]) -> Result<T> {
    let read = ValueReader::<T>::new()?.read(bytes);
    read.map_err(|fault| unsupported::<T>(format!("these bytes are no value of it: {fault}")))
}

/// Tells whether bytes are a value of `T`, and reads it.
pub(crate) struct ValueReader<T> {
    /// That of `T`'s own description.
    program: Program,
    of: PhantomData<fn() -> T>,
}

impl<T: Field> ValueReader<T> {
    /// Describes the type.
    pub(crate) fn new() -> Result<Self> {
        Self::described(Describer::describe_element::<T>()?)
    }

    /// Describes the type as one of which there are only old values.
    pub(crate) fn of_old() -> Result<Self> {
        Self::described(Describer::describe_old_element::<T>()?)
    }

    fn described(description: Description) -> Result<Self> {
        let program = program::<T>(description)?;
        assert_eq!(program.size(), size_of::<T>(), "the shape is as large as the type");
        Ok(Self { program, of: PhantomData })
    }

    /// The value that the first bytes are.
    pub(crate) fn read(&self, bytes: &[u8]) -> std::result::Result<T, ValueFault> {
        self.program.run(bytes, ByteOrder::NATIVE, |_| Ok::<(), ValueFault>(()))?;
        // SAFETY: the bytes are as many as `T` has (`run` refuses fewer) and a value that its shape admits, so by the
        // contract of `Field` one of `T`; the read does not ask for alignment, and a `Field` is not dropped, so nothing
        // is owned twice.
        Ok(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
    }
}

fn program<T: Field>(description: Description) -> Result<Program> {
    let unsupported = |error: SchemaError| unsupported::<T>(error.to_string());
    let shape = description.shape_of_element::<T>().cloned();
    let registry = Registry { schema: description.schema, shapes: shape.into_iter().collect() };
    registry.check().map_err(unsupported)?;
    let programs = Programs::compile(&registry).map_err(unsupported)?;
    Ok(programs.value(0).expect("an element's description has its shape").clone())
}

fn unsupported<T>(why: String) -> Error {
    Error::Unsupported { name: type_name::<T>().to_owned(), why }
}
