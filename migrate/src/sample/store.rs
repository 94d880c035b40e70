//! Texts, lists and maps as a heap would keep them.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::convert::{Job, JobKind, Lookup, Outside, Part, Unfit};
use crate::layout::ByteOrder;
use crate::schema::{Body, Field, OptionTag, Schema, Shape};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Object {
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Vec<u8>>),
    Map(Vec<(Vec<u8>, Vec<u8>)>),
    Record(Vec<u8>),
}

#[derive(Debug, Clone)]
pub(crate) struct Store<'a> {
    objects: HashMap<u64, Object>,
    next: u64,
    old: &'a Schema,
    order: ByteOrder,
    padding: u8,
}

impl<'a> Store<'a> {
    /// With garbage in the padding of the elements of lists and maps.
    pub(crate) fn new(old: &'a Schema, order: ByteOrder) -> Self {
        Self { objects: HashMap::new(), next: 0x0102_0304_0506_0708, old, order, padding: 0xa5 }
    }

    /// With zeros there, as in a heap.
    pub(crate) fn of_zeros(old: &'a Schema, order: ByteOrder) -> Self {
        Self { padding: 0, ..Self::new(old, order) }
    }

    pub(crate) const fn padding(&self) -> u8 {
        self.padding
    }

    pub(crate) fn add(&mut self, object: Object) -> u64 {
        match &object {
            Object::Text(text) if text.is_empty() => return 1,
            Object::Bytes(bytes) if bytes.is_empty() => return 1,
            _ => {}
        }
        self.next += 1;
        self.objects.insert(self.next, object);
        self.next
    }

    /// How many objects there are.
    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Handles of the objects that a value owns, and of those that these own, each as often as it is owned. What is
    /// empty and shared is not among them; records made on the way are.
    pub(crate) fn owned(&self, shape: &Shape, bytes: &[u8], schema: &Schema, order: ByteOrder) -> Vec<u64> {
        let mut all = Vec::new();
        let mut handles = Vec::new();
        owned_handles(shape, bytes, schema, order, &mut handles);
        for (shape, handle) in handles.into_iter().filter(|named| named.1 != 1) {
            let is_old_record = matches!(shape, Shape::Reference(_)) && !self.objects.contains_key(&handle);
            if is_old_record {
                continue;
            }
            all.push(handle);
            match (self.get(handle), shape) {
                (Object::List(elements), Shape::List(element)) => {
                    all.extend(elements.iter().flat_map(|bytes| self.owned(element, bytes, schema, order)));
                }
                (Object::Map(entries), Shape::Map { key, value } | Shape::SortedMap { key, value }) => {
                    all.extend(entries.iter().flat_map(|entry| self.owned(key, &entry.0, schema, order)));
                    all.extend(entries.iter().flat_map(|entry| self.owned(value, &entry.1, schema, order)));
                }
                (Object::Record(bytes), Shape::Reference(name)) => {
                    all.extend(self.owned(&Shape::Inline(name.clone()), &bytes, schema, order));
                }
                _ => {}
            }
        }
        all
    }

    /// The order of two old keys.
    fn compare_keys(&self, shape: &Shape, one: &[u8], other: &[u8]) -> Ordering {
        let word = |bytes: &[u8]| self.order.unsigned(bytes);
        match shape {
            Shape::Integer(integer) if integer.signed => {
                let signed = |bytes| (word(bytes).cast_signed()) << (128 - 8 * u32::from(integer.width));
                signed(one).cmp(&signed(other))
            }
            Shape::Text => {
                let text = |bytes| match self.objects.get(&(word(bytes) as u64)) {
                    Some(Object::Text(text)) => text.clone(),
                    _ => String::new(),
                };
                text(one).cmp(&text(other))
            }
            Shape::Array { element, .. } => {
                let size = element.size_align(self.old).unwrap().0 as usize;
                let mut pairs = one.chunks_exact(size).zip(other.chunks_exact(size));
                let unlike = pairs.find_map(|(one, other)| {
                    Some(self.compare_keys(element, one, other)).filter(|order| order.is_ne())
                });
                unlike.unwrap_or(Ordering::Equal)
            }
            _ => word(one).cmp(&word(other)),
        }
    }

    /// The object behind a handle. The empty text and the empty bytes share theirs.
    pub(crate) fn get(&self, handle: u64) -> Object {
        self.objects.get(&handle).cloned().unwrap_or_else(|| panic!("no object {handle:#x}"))
    }
}

fn owned_handles<'s>(
    shape: &'s Shape,
    bytes: &[u8],
    schema: &'s Schema,
    order: ByteOrder,
    handles: &mut Vec<(&'s Shape, u64)>,
) {
    let size = |shape: &Shape| shape.size_align(schema).unwrap().0 as usize;
    let mut fields = |fields: &'s [Field]| {
        for field in fields {
            let at = field.offset as usize;
            owned_handles(&field.shape, &bytes[at..at + size(&field.shape)], schema, order, handles);
        }
    };
    match shape {
        Shape::Inline(name) => match &schema.get(name).unwrap().body {
            Body::Struct(described) => fields(described),
            Body::Enum { tag, variants, .. } => {
                let tag = order.unsigned(&bytes[..usize::from(tag.width)]);
                fields(&variants.iter().find(|variant| variant.tag == tag).unwrap().fields);
            }
        },
        Shape::Array { element, count } => {
            let len = size(element);
            for position in 0..*count as usize {
                owned_handles(element, &bytes[position * len..(position + 1) * len], schema, order, handles);
            }
        }
        Shape::Option { inner, tag, .. } => {
            let (width, none, at) = match *tag {
                OptionTag::Niche { width, none, .. } => (width, none, 0),
                OptionTag::Tagged { width, value_offset } => (width, 0, value_offset as usize),
            };
            if order.unsigned(&bytes[..usize::from(width)]) != u128::from(none) {
                owned_handles(inner, &bytes[at..at + size(inner)], schema, order, handles);
            }
        }
        handle if handle.is_handle() => handles.push((handle, order.unsigned(&bytes[..8]) as u64)),
        _ => {}
    }
}

impl Outside for Store<'_> {
    type Error = Unfit;

    fn text(&mut self, text: &str) -> Result<u64, Unfit> {
        assert!(!text.is_empty());
        Ok(self.add(Object::Text(text.into())))
    }

    fn empty(&mut self, shape: &Shape) -> Result<u64, Unfit> {
        Ok(self.add(if matches!(shape, Shape::List(_)) { Object::List(vec![]) } else { Object::Map(vec![]) }))
    }

    fn is_empty(&mut self, _: &Shape, handle: u64) -> Result<bool, Unfit> {
        Ok(handle == 1
            || match &self.objects[&handle] {
                Object::Text(text) => text.is_empty(),
                Object::Bytes(bytes) => bytes.is_empty(),
                Object::List(elements) => elements.is_empty(),
                Object::Map(entries) => entries.is_empty(),
                Object::Record(_) => false,
            })
    }

    fn drop_value(&mut self, shape: &Shape, handle: u64) -> Result<(), Unfit> {
        let word = match self.order {
            ByteOrder::Little => handle.to_le_bytes(),
            ByteOrder::Big => handle.to_be_bytes(),
        };
        for inner in self.owned(shape, &word, self.old, self.order).into_iter().skip(1) {
            assert!(self.objects.remove(&inner).is_some());
        }
        let removed = self.objects.remove(&handle);
        match (removed, shape) {
            (None, Shape::Text | Shape::Bytes) => assert_eq!(handle, 1),
            (Some(Object::Text(_)), Shape::Text)
            | (Some(Object::Bytes(_)), Shape::Bytes)
            | (Some(Object::List(_)), Shape::List(_))
            | (Some(Object::Map(_)), Shape::Map { .. } | Shape::SortedMap { .. }) => {}
            other => panic!("{other:?} is dropped"),
        }
        Ok(())
    }

    fn to_bytes(&mut self, handle: u64) -> Result<u64, Unfit> {
        if handle == 1 {
            return Ok(1);
        }
        let Some(Object::Text(text)) = self.objects.remove(&handle) else { panic!("no text") };
        Ok(self.add(Object::Bytes(text.into_bytes())))
    }

    fn to_text(&mut self, handle: u64) -> Result<Option<u64>, Unfit> {
        if handle == 1 {
            return Ok(Some(1));
        }
        let Some(Object::Bytes(bytes)) = self.objects.remove(&handle) else { panic!("no bytes") };
        Ok(String::from_utf8(bytes).ok().map(|text| self.add(Object::Text(text))))
    }

    fn convert(&mut self, job: Job<'_>, handle: u64) -> Result<u64, Unfit> {
        let object = match (self.objects.remove(&handle), job.kind()) {
            (Some(Object::List(elements)), JobKind::List) => {
                let element = job.value();
                let mut converted = Vec::new();
                for old in elements {
                    let mut new = vec![0; element.new_size()];
                    element.run(&old, &mut new, self)?;
                    converted.push(new);
                }
                Object::List(converted)
            }
            (Some(Object::Map(entries)), JobKind::Map) => {
                let (key, value) = (job.key().unwrap(), job.value());
                let mut converted = Vec::new();
                for old in entries {
                    let mut new = (vec![0; key.new_size()], vec![0; value.new_size()]);
                    key.run(&old.0, &mut new.0, self)?;
                    value.run(&old.1, &mut new.1, self)?;
                    converted.push(new);
                }
                Object::Map(converted)
            }
            (Some(Object::List(elements)), JobKind::ListToMap) => {
                let (places, key, value) = (job.entry().unwrap(), job.key().unwrap(), job.value());
                let mut converted = Vec::new();
                for old in elements {
                    let mut new = (vec![0; key.new_size()], vec![0; value.new_size()]);
                    key.run(&old[places.key_at..][..key.old_size()], &mut new.0, self)?;
                    value.run(&old[places.value_at..][..value.old_size()], &mut new.1, self)?;
                    converted.push(new);
                }
                Object::Map(converted)
            }
            (Some(Object::Map(mut entries)), JobKind::MapToList) => {
                let (places, key, value) = (job.entry().unwrap(), job.key().unwrap(), job.value());
                let (Shape::Map { key: shape, .. } | Shape::SortedMap { key: shape, .. }) = job.old_shape() else {
                    panic!("no map")
                };
                entries.sort_by(|one, other| self.compare_keys(shape, &one.0, &other.0));
                let mut converted = Vec::new();
                for old in entries {
                    let mut new = vec![0; places.size];
                    key.run(&old.0, &mut new[places.key_at..][..key.new_size()], self)?;
                    value.run(&old.1, &mut new[places.value_at..][..value.new_size()], self)?;
                    converted.push(new);
                }
                Object::List(converted)
            }
            other => panic!("{other:?}"),
        };
        self.objects.insert(handle, object);
        Ok(handle)
    }

    fn make(&mut self, job: Job<'_>, old: &[u8]) -> Result<u64, Unfit> {
        let mut new = vec![0; job.value().new_size()];
        job.value().run(old, &mut new, self)?;
        Ok(match job.kind() {
            JobKind::ToList => self.add(Object::List(vec![new])),
            JobKind::ToReference => self.add(Object::Record(new)),
            other => panic!("{other:?} makes nothing"),
        })
    }

    fn take(&mut self, job: Job<'_>, handle: u64, new: &mut [u8]) -> Result<usize, Unfit> {
        assert_eq!(job.kind(), JobKind::FromList);
        let Some(Object::List(elements)) = self.objects.remove(&handle) else { panic!("no list") };
        if let [element] = &elements[..] {
            job.value().run(element, new, self)?;
        }
        Ok(elements.len())
    }
}

impl Lookup for Store<'_> {
    fn is_empty(&self, shape: &Shape, handle: u64) -> bool {
        Outside::is_empty(&mut self.clone(), shape, handle).unwrap()
    }

    fn is_utf8(&self, handle: u64) -> bool {
        handle == 1 || matches!(&self.objects[&handle], Object::Bytes(bytes) if std::str::from_utf8(bytes).is_ok())
    }

    fn count(&self, _: &Shape, handle: u64) -> usize {
        let Object::List(elements) = &self.objects[&handle] else { panic!("no list") };
        elements.len()
    }

    fn text(&self, handle: u64, visit: &mut dyn FnMut(&[u8])) {
        match self.objects.get(&handle) {
            Some(Object::Text(text)) => visit(text.as_bytes()),
            None => assert_eq!(handle, 1),
            other => panic!("{other:?} is no text"),
        }
    }

    /// References here name no records.
    fn is_unshared(&self, _: &Shape, _: u64) -> bool {
        false
    }

    fn each(&self, _: Job<'_>, handle: u64, visit: &mut dyn FnMut(Part, &[u8])) {
        match &self.objects[&handle] {
            Object::List(elements) => elements.iter().for_each(|element| visit(Part::Value, element)),
            Object::Map(entries) => {
                for (key, value) in entries {
                    visit(Part::Key, key);
                    visit(Part::Value, value);
                }
            }
            other => panic!("{other:?} has no elements"),
        }
    }

    fn written(&self, _: &Shape, handle: u64, _: usize) -> String {
        format!("{:?}", self.objects.get(&handle))
    }
}
