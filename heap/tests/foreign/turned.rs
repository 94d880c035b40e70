//! A heap file as a machine of the other byte order would have written it.
//!
//! Made from `docs/format.md` alone, by a plain recursive reading of the descriptors: lists and maps are followed to
//! their buffers, and of these only what counts as an element or an entry is turned.

use std::collections::BTreeMap;
use std::path::Path;

use heap::format::BLOCK;
use heap::format::catalog::{CatalogRoot, ROOT_AT, ROOT_LEN, Stream, TableKind};
use heap::format::handle::Handle;
use heap::format::header::{ByteOrder, PAGE};
use heap::format::slot::{self, Kind};
use heap::read::{Catalog, Checks, Reader, Regions, read_header};
use migrate::{Body, Field, OptionTag, Shape, TypeIndex};

/// The file with every number of its records, lists, maps and slot headers turned round, and its checksums right.
pub(crate) fn turned(file: &[u8]) -> Vec<u8> {
    let reader = Reader::open(file, Path::new("heap"), Checks::Strict).unwrap();
    let (catalog, loaded) = (reader.catalog(), reader.load().unwrap());
    let regions = catalog.regions().iter().map(|region| region.number);
    let old: BTreeMap<u32, Vec<u8>> = regions.map(|number| (number, loaded.region(number).unwrap().to_vec())).collect();
    let index = TypeIndex::new(&catalog.registry().schema);
    let mut turner = Turner { catalog, index, order: reader.byte_order(), new: old.clone(), old: &old };
    turner.turn();
    let new = turner.new;
    let mut turned = file.to_vec();
    for extent in catalog.extents() {
        let entry = extent.entry;
        let bytes = &new[&entry.region][entry.offset as usize..(u64::from(entry.offset) + entry.len) as usize];
        turned[entry.at as usize..(entry.at + entry.len) as usize].copy_from_slice(bytes);
    }
    let other = match catalog.byte_order(reader.header()) {
        ByteOrder::Little => ByteOrder::Big,
        ByteOrder::Big => ByteOrder::Little,
    };
    with_byte_order(&mut turned, other);
    turned
}

/// Has the header name this byte order, and the catalog none.
fn with_byte_order(file: &mut [u8], order: ByteOrder) {
    let (mut header, page) = read_header(&&file[..], Path::new("heap")).unwrap();
    header.byte_order = order;
    file[..2 * PAGE].fill(0);
    file[usize::from(page) * PAGE..(usize::from(page) + 1) * PAGE].copy_from_slice(&header.to_page());
    let root_at = ROOT_AT as usize;
    let root: [u8; ROOT_LEN] = file[root_at..root_at + ROOT_LEN].try_into().unwrap();
    let root = CatalogRoot { byte_order: None, ..CatalogRoot::parse(&root, file.len() as u64).unwrap() };
    file[root_at..root_at + ROOT_LEN].copy_from_slice(&root.to_bytes());
    sum(file);
}

/// Computes the checksums of all blocks.
pub(crate) fn sum(file: &mut [u8]) {
    let root: [u8; ROOT_LEN] = file[ROOT_AT as usize..ROOT_AT as usize + ROOT_LEN].try_into().unwrap();
    let sums = CatalogRoot::parse(&root, file.len() as u64).unwrap().streams[Stream::Checksums as usize];
    for block in 1..sums.len / 4 {
        let start = block * BLOCK;
        if !(sums.at..sums.at + sums.capacity).contains(&start) {
            let sum = crc32fast::hash(&file[start as usize..(start + BLOCK) as usize]);
            let at = (sums.at + 4 * block) as usize;
            file[at..at + 4].copy_from_slice(&sum.to_le_bytes());
        }
    }
}

/// A place in a region.
#[derive(Clone, Copy)]
struct At(u32, usize);

impl At {
    const fn behind(self, bytes: usize) -> Self {
        Self(self.0, self.1 + bytes)
    }

    const fn aligned(self, align: usize) -> Self {
        Self(self.0, self.1.next_multiple_of(align))
    }
}

struct Turner<'a> {
    catalog: &'a Catalog,
    index: TypeIndex<'a>,
    order: migrate::ByteOrder,
    old: &'a BTreeMap<u32, Vec<u8>>,
    new: BTreeMap<u32, Vec<u8>>,
}

impl Turner<'_> {
    fn number(&self, at: At, width: usize) -> u128 {
        self.order.unsigned(&self.old[&at.0][at.1..at.1 + width])
    }

    fn word(&self, at: At) -> u64 {
        self.number(at, 8) as u64
    }

    fn reverse(&mut self, at: At, width: usize) {
        self.new.get_mut(&at.0).unwrap()[at.1..at.1 + width].reverse();
    }

    /// The slot of a handle to a list's or map's buffer.
    fn slot(&self, handle: u64) -> At {
        let Handle { region, index, .. } = Handle::from_bits(handle);
        At(region, index as usize * 8)
    }

    fn turn(&mut self) {
        let catalog = self.catalog;
        for region in catalog.regions() {
            let entry = catalog.tables()[region.table as usize].entry;
            for index in 0..region.used as usize {
                let at = At(region.number, entry.first as usize - 8 + index * entry.stride as usize);
                let header = self.word(at);
                self.reverse(at, 8);
                let shape = |number: u32| catalog.registry().shapes[number as usize].clone();
                match slot::kind(header).unwrap() {
                    Kind::Record => {
                        let TableKind::Records(number) = entry.kind else { panic!("a record in another table") };
                        self.value(&shape(number), at.behind(8));
                    }
                    Kind::ListInline | Kind::ListSpilled => self.list(at, &shape(slot::aux(header))),
                    Kind::Map => self.map(at, &shape(slot::aux(header))),
                    Kind::SortedMap => self.sorted(at, &shape(slot::aux(header))),
                    // Buffers are turned with what owns them.
                    _ => {}
                }
            }
        }
    }

    fn size_align(&self, shape: &Shape) -> (usize, usize) {
        let (size, align) = self.index.size_align(shape).unwrap();
        (size as usize, align as usize)
    }

    fn value(&mut self, shape: &Shape, at: At) {
        match shape {
            Shape::Integer(integer) => self.reverse(at, integer.width.into()),
            Shape::Float(float) => self.reverse(at, float.width.into()),
            Shape::Bool => {}
            Shape::Char => self.reverse(at, 4),
            Shape::Array { element, count } => self.values(element, at, *count as usize),
            Shape::Inline(name) => match &self.index.get(name).unwrap().body.clone() {
                Body::Struct(fields) => self.fields(fields, at),
                Body::Enum { tag_offset, tag, variants } => {
                    let tag_at = at.behind(*tag_offset as usize);
                    let found = self.number(tag_at, tag.width.into());
                    self.reverse(tag_at, tag.width.into());
                    self.fields(&variants.iter().find(|variant| variant.tag == found).unwrap().fields, at);
                }
            },
            Shape::Option { inner, tag: OptionTag::Niche { offset, width, none }, .. } => {
                let niche = at.behind(*offset as usize);
                if self.number(niche, (*width).into()) == u128::from(*none) {
                    self.reverse(niche, (*width).into());
                } else {
                    self.value(inner, at);
                }
            }
            Shape::Option { inner, tag: OptionTag::Tagged { width, value_offset }, .. } => {
                if self.number(at, (*width).into()) == 1 {
                    self.value(inner, at.behind(*value_offset as usize));
                }
                self.reverse(at, (*width).into());
            }
            _ => self.reverse(at, 8),
        }
    }

    fn fields(&mut self, fields: &[Field], at: At) {
        for field in fields {
            self.value(&field.shape, at.behind(field.offset as usize));
        }
    }

    fn values(&mut self, shape: &Shape, at: At, count: usize) {
        let size = self.size_align(shape).0;
        for number in 0..count {
            self.value(shape, at.behind(number * size));
        }
    }

    fn list(&mut self, at: At, element: &Shape) {
        let len = self.word(at.behind(8)) as usize;
        let align = self.size_align(element).1;
        self.reverse(at.behind(8), 8);
        let elements = if slot::kind(self.word(at)) == Some(Kind::ListSpilled) {
            self.reverse(at.behind(16), 8);
            self.slot(self.word(at.behind(16))).behind(8)
        } else {
            at.behind(16)
        };
        self.values(element, elements.aligned(align), len);
    }

    /// The three words of a map's slot, which are turned; and the sizes and alignments of key and value.
    fn parts<'s>(&mut self, at: At, shape: &'s Shape) -> ([u64; 3], [&'s Shape; 2], [(usize, usize); 2]) {
        let (Shape::Map { key, value } | Shape::SortedMap { key, value }) = shape else { panic!("{shape}") };
        let words = [8, 16, 24].map(|offset| {
            self.reverse(at.behind(offset), 8);
            self.word(at.behind(offset))
        });
        (words, [key, value], [self.size_align(key), self.size_align(value)])
    }

    fn map(&mut self, at: At, shape: &Shape) {
        let ([_, buffer, log2], [key, value], [(key_size, key_align), (value_size, value_align)]) =
            self.parts(at, shape);
        if buffer == 0 {
            return;
        }
        let align = key_align.max(value_align);
        let value_at = key_size.next_multiple_of(value_align);
        let stride = (value_at + value_size).next_multiple_of(align);
        let groups = if log2 < 4 { 1 } else { 1 << (log2 - 3) };
        let table = self.slot(buffer).behind(8).aligned(align.max(8));
        let entries = table.behind((groups * 8_usize).next_multiple_of(align.max(8)));
        for group in 0..groups {
            for slot in 0..7 {
                if self.old[&table.0][table.1 + group * 8 + slot] & 0x80 != 0 {
                    let entry = entries.behind((group * 7 + slot) * stride);
                    self.value(key, entry);
                    self.value(value, entry.behind(value_at));
                }
            }
        }
    }

    fn sorted(&mut self, at: At, shape: &Shape) {
        let ([_, root, _], [key, value], sizes) = self.parts(at, shape);
        if root != 0 {
            self.node(root, (key, value), sizes);
        }
    }

    fn node(&mut self, handle: u64, (key, value): (&Shape, &Shape), sizes: [(usize, usize); 2]) {
        let [(key_size, key_align), (value_size, value_align)] = sizes;
        let node = self.slot(handle).behind(8).aligned(key_align.max(value_align).max(8));
        let count = self.number(node, 2) as usize;
        self.reverse(node, 2);
        let [level, small] = [2, 3].map(|offset| self.old[&node.0][node.1 + offset]);
        let keys_at = 8_usize.next_multiple_of(key_align);
        let parts = |capacity: usize| {
            let values_at = (keys_at + capacity * key_size).next_multiple_of(value_align);
            let end = values_at + capacity * value_size;
            let children_at = end.next_multiple_of(8);
            (values_at, children_at, if level > 0 { children_at + 8 * (capacity + 1) } else { end })
        };
        let largest = (6..1000).take_while(|&capacity| capacity == 6 || parts(capacity).2 <= 760).last().unwrap();
        let (values_at, children_at, _) = parts(if small == 1 { 4 } else { largest });
        self.values(key, node.behind(keys_at), count);
        self.values(value, node.behind(values_at), count);
        if level > 0 {
            for number in 0..=count {
                let child = node.behind(children_at + 8 * number);
                self.reverse(child, 8);
                self.node(self.word(child), (key, value), sizes);
            }
        }
    }
}
