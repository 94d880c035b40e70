//! Types that people reach for and that no heap can keep, each with what to use instead.

use syn::{Error, GenericArgument, Ident, PathArguments, Result, Type, TypePath};

/// Refuses a field's type when its syntax alone says that it does not fit. Whatever passes is judged by the bounds of
/// the expansion. Names in `parameters` are the item's own generic parameters.
pub(crate) fn check(ty: &Type, parameters: &[&Ident]) -> Result<()> {
    let remedy = match ty {
        Type::Array(array) => return check(&array.elem, parameters),
        Type::Group(group) => return check(&group.elem, parameters),
        Type::Paren(paren) => return check(&paren.elem, parameters),
        Type::Path(path) => return check_path(ty, path, parameters),
        Type::Reference(reference) if is_str(&reference.elem) => {
            "a record cannot borrow a string: use `Text`, which the record owns"
        }
        Type::Reference(_) => "a record cannot borrow: use `Ref<T>` for another record, or hold the value itself",
        Type::Ptr(_) => "a pointer means nothing to the next process: use `Ref<T>`",
        Type::BareFn(_) => "code moves with every build: use an enum that says which function to call",
        Type::TraitObject(_) | Type::ImplTrait(_) => "nothing says what lies behind a trait: use an enum of the types",
        Type::Slice(_) => "a slice has no size: use `List<T>`, or `Bytes` for bytes",
        Type::Tuple(tuple) if tuple.elems.is_empty() => "`()` has nothing to keep: leave the field out",
        Type::Tuple(_) => "a tuple's fields have no names: use a struct with `#[derive(Record)]`",
        Type::Never(_) => "there are no values of `!` to keep",
        _ => return Ok(()),
    };
    Err(Error::new_spanned(ty, remedy))
}

fn is_str(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident("str"))
}

fn check_path(ty: &Type, path: &TypePath, parameters: &[&Ident]) -> Result<()> {
    let Some(last) = path.path.segments.last() else { return Ok(()) };
    if path.path.get_ident().is_some_and(|ident| parameters.contains(&ident)) {
        return Ok(());
    }
    let generic = !last.arguments.is_none();
    if let Some(remedy) = remedy(&last.ident.to_string(), generic) {
        return Err(Error::new_spanned(ty, remedy));
    }
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return Ok(()) };
    arguments.args.iter().try_for_each(|argument| match argument {
        GenericArgument::Type(inner) => check(inner, parameters),
        _ => Ok(()),
    })
}

/// A program may have a `Cell` or an `Instant` of its own, so a name that is generic in the standard library only
/// counts with arguments.
fn remedy(name: &str, generic: bool) -> Option<&'static str> {
    Some(match (name, generic) {
        ("String" | "str", false) => "a string lives outside the heap: use `Text`",
        ("Cow", true) => "borrowed or owned, it lives outside the heap: use `Text` or `Bytes`",
        ("OsString" | "PathBuf" | "OsStr" | "CString" | "CStr", false) => {
            "it lives outside the heap, and its form depends on the machine: use `Text` or `Bytes`"
        }
        ("Vec" | "VecDeque" | "LinkedList" | "BinaryHeap", true) => {
            "it lives outside the heap: use `List<T>`, or `Bytes` for bytes that never change"
        }
        ("HashMap", true) => "it lives outside the heap: use `Map<K, V>`",
        ("BTreeMap", true) => "it lives outside the heap: use `SortedMap<K, V>`",
        ("HashSet", true) => "it lives outside the heap: use `Map<K, bool>`",
        ("BTreeSet", true) => "it lives outside the heap: use `SortedMap<K, bool>`",
        ("Box" | "Rc" | "Arc" | "Weak", true) => {
            "a pointer means nothing to the next process: use `Ref<T>` and store the value as a record"
        }
        ("Cell" | "RefCell" | "UnsafeCell" | "OnceCell" | "OnceLock" | "LazyCell" | "LazyLock", true) => {
            "only a transaction changes a heap: use the plain type, and change it through `heap.write()`"
        }
        ("Mutex" | "RwLock", true) => {
            "the heap has one lock for all records: use the plain type, and change it through `heap.write()`"
        }
        (
            "AtomicBool" | "AtomicU8" | "AtomicU16" | "AtomicU32" | "AtomicU64" | "AtomicI8" | "AtomicI16"
            | "AtomicI32" | "AtomicI64" | "AtomicUsize" | "AtomicIsize",
            false,
        )
        | ("AtomicPtr", true) => {
            "a write past the transaction could not be logged: use a plain integer, and change it through \
             `heap.write()`"
        }
        ("usize", false) => "its width depends on the machine: use `u64`",
        ("isize", false) => "its width depends on the machine: use `i64`",
        _ => return None,
    })
}
