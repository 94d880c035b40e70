//! What is compiled from descriptors, over any bytes: checking, walking and zeroing agree with each other.

#![no_main]

use heap_fuzz::descriptors::registry;
use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use migrate::{ByteOrder, HandleAt, Program, Programs, ValueFault};

fuzz_target!(|bytes: &[u8]| {
    let mut input = Unstructured::new(bytes);
    let Ok(registry) = registry(&mut input) else { return };
    if registry.check().is_err() {
        return;
    }
    let Ok(programs) = Programs::compile(&registry) else { return };
    let order = if input.ratio(1, 2).unwrap_or(true) { ByteOrder::Little } else { ByteOrder::Big };
    let rest = input.take_rest();
    for number in 0..registry.shapes.len() as u32 {
        check(programs.value(number).expect("every shape has a program"), rest, order);
        if let Some(entry) = programs.entry(number) {
            [&entry.key, &entry.value, &entry.entry].into_iter().for_each(|program| check(program, rest, order));
        }
    }
});

fn check(program: &Program, bytes: &[u8], order: ByteOrder) {
    let mut value: Vec<u8> =
        bytes.iter().copied().cycle().take(if bytes.is_empty() { 0 } else { program.size() }).collect();
    value.resize(program.size(), 0);
    let checked = run(program, &value, order);
    if let Ok(handles) = &checked {
        assert_eq!(&walk(program, &value, order), handles, "walking and checking see the same handles");
    }
    let mut zeroed = value.clone();
    program.zero_padding(&mut zeroed, order);
    assert!(checked.is_err() || zeroed == value, "a value has no padding to zero");
    assert!(program.has_padding() || zeroed == value);
    let again = run(program, &zeroed, order);
    assert!(!matches!(again, Err(ValueFault::Padding(_))), "zeroed padding is padding: {again:?}");
    if let Ok(handles) = again {
        assert!(handles.is_empty() || program.holds_handles());
        assert_eq!(walk(program, &zeroed, order), handles);
    }
    let short = &value[..value.len().saturating_sub(1)];
    assert!(value.is_empty() || run(program, short, order) == Err(ValueFault::Short(short.len())));
}

fn run(program: &Program, bytes: &[u8], order: ByteOrder) -> Result<Vec<HandleAt>, ValueFault> {
    let mut found = Vec::new();
    program.run(bytes, order, |handle| {
        found.push(handle);
        Ok::<(), ValueFault>(())
    })?;
    Ok(found)
}

fn walk(program: &Program, bytes: &[u8], order: ByteOrder) -> Vec<HandleAt> {
    let mut found = Vec::new();
    let Ok(()) = program.handles(bytes, order, |handle| {
        found.push(handle);
        Ok::<(), std::convert::Infallible>(())
    });
    found
}
