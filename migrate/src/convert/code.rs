//! The steps, and the tables they are kept in.

use std::collections::BTreeMap;

use super::number::NumberCast;
use crate::layout::ByteOrder;
use crate::plan::Cast;
use crate::schema::Shape;

/// No check of the plan, no job, no label.
pub(super) const NONE: u32 = u32::MAX;

/// A compiled conversion, and those of the lists, maps and records that it reaches.
#[derive(Debug, Clone)]
pub struct Conversion {
    pub(super) table: Table,
}

impl Conversion {
    /// The conversion of the whole value. Keep it at hand where many values are converted.
    #[inline]
    pub fn converter(&self) -> Converter<'_> {
        Converter { table: &self.table, code: &self.table.codes[0] }
    }

    /// Size of an old value in bytes.
    #[inline]
    pub fn old_size(&self) -> usize {
        self.converter().old_size()
    }

    /// Size of a new value in bytes.
    #[inline]
    pub fn new_size(&self) -> usize {
        self.converter().new_size()
    }

    /// As [`Converter::is_pure`].
    #[inline]
    pub fn is_pure(&self) -> bool {
        self.converter().is_pure()
    }
}

/// How one kind of value is converted: the whole value, or an element of a list on the way. Cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Converter<'a> {
    pub(super) table: &'a Table,
    pub(super) code: &'a Code,
}

impl Converter<'_> {
    /// Size of an old value in bytes.
    #[inline]
    pub const fn old_size(&self) -> usize {
        self.code.old_size as usize
    }

    /// Size of a new value in bytes.
    #[inline]
    pub const fn new_size(&self) -> usize {
        self.code.new_size as usize
    }

    /// Whether nothing outside the value's own bytes is needed, so that values may be converted in any order and on
    /// any thread.
    #[inline]
    pub const fn is_pure(&self) -> bool {
        self.code.pure
    }
}

/// A conversion of what a handle names.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    pub(super) table: &'a Table,
    pub(super) number: u32,
}

/// What a [`Job`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// A list, element by element.
    List,
    /// A map, entry by entry, of either kind.
    Map,
    /// A list of entries becomes a map of either kind: [`Job::entry`] says where an old element has its key and value.
    ListToMap,
    /// A map of either kind becomes a list of entries, in the order of the old keys: [`Job::entry`] says where a new
    /// element has its key and value.
    MapToList,
    /// A value becomes a list of one.
    ToList,
    /// A list of one becomes its element.
    FromList,
    /// A value becomes a record.
    ToReference,
    /// A record becomes a value.
    FromReference,
}

/// Where a list's element has the parts of a map's entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryPlaces {
    /// Size of the element in bytes.
    pub size: usize,
    /// Offset of its key.
    pub key_at: usize,
    /// Offset of its value.
    pub value_at: usize,
}

impl<'a> Job<'a> {
    fn data(self) -> &'a JobData {
        &self.table.jobs[self.number as usize]
    }

    /// What it is about.
    pub fn kind(self) -> JobKind {
        self.data().kind
    }

    /// Its position among the jobs of the conversion it belongs to.
    pub const fn number(self) -> usize {
        self.number as usize
    }

    /// The old shape: that of the list, map or reference; of the value where one is made.
    pub fn old_shape(self) -> &'a Shape {
        &self.data().old
    }

    /// The new shape: that of the list, map or reference; of the value where one is taken out.
    pub fn new_shape(self) -> &'a Shape {
        &self.data().new
    }

    /// The conversion of an element, of an entry's value, or of the record.
    pub fn value(self) -> Converter<'a> {
        Converter { table: self.table, code: &self.table.codes[self.data().value as usize] }
    }

    /// Where a list's element has its key and value, for [`JobKind::ListToMap`] and [`JobKind::MapToList`].
    pub fn entry(self) -> Option<EntryPlaces> {
        self.data().entry
    }

    /// The conversion of an entry's key.
    pub fn key(self) -> Option<Converter<'a>> {
        let code = self.table.codes.get(self.data().key as usize)?;
        Some(Converter { table: self.table, code })
    }

    /// Position of the check that must hold: that new keys are unique, that the list has one element, that the record
    /// is not shared.
    pub fn check(self) -> Option<usize> {
        let check = self.data().check;
        (check != NONE).then_some(check as usize)
    }
}

/// Codes name jobs, and jobs name codes, by position: a list may hold values that hold such lists.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// The first one is the whole value's.
    pub(super) codes: Vec<Code>,
    pub(super) jobs: Vec<JobData>,
    /// Shapes that the outside is asked about.
    pub(super) shapes: Vec<Shape>,
    /// Texts that are brought along.
    pub(super) texts: Vec<String>,
    /// For each check that is looked at in a scan: of values of which shape, and whether they are secret.
    pub(super) checked: BTreeMap<u32, (Shape, bool)>,
}

#[derive(Debug, Clone)]
pub(super) struct JobData {
    pub(super) kind: JobKind,
    pub(super) old: Shape,
    pub(super) new: Shape,
    /// Of the value, and of the key: what tells jobs apart.
    pub(super) casts: (Cast, Option<Cast>),
    pub(super) value: u32,
    pub(super) key: u32,
    pub(super) check: u32,
    /// Found when the job's parts are.
    pub(super) entry: Option<EntryPlaces>,
    /// Whether nothing of it may be shown.
    pub(super) secret: bool,
}

/// The steps of one kind of value.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) steps: Vec<Step>,
    pub(super) cases: Vec<Cases>,
    /// Bytes that are the same in every new value.
    pub(super) pool: Vec<u8>,
    /// Ranges of steps that branch or loop, in order; jumps stay inside them. All other steps are [flat](Step).
    pub(super) groups: Vec<(u32, u32)>,
    pub(super) old_size: u32,
    pub(super) new_size: u32,
    /// How deep loops lie in each other.
    pub(super) loops: u32,
    pub(super) pure: bool,
    /// The old heap's.
    pub(super) order: ByteOrder,
}

impl Code {
    pub(super) const fn new(old_size: u32, new_size: u32, order: ByteOrder) -> Self {
        Self {
            steps: Vec::new(),
            cases: Vec::new(),
            pool: Vec::new(),
            groups: Vec::new(),
            old_size,
            new_size,
            loops: 0,
            pure: false,
            order,
        }
    }
}

/// `from` counts from the old base and `to` from the new one; loops move both. Jumps lead forwards, except
/// [`Step::Again`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    // Flat steps, which look at nothing but the bytes: they may run for many records at once.
    /// Bytes are the same.
    Move {
        from: u32,
        to: u32,
        len: u32,
    },
    /// Bytes of the pool.
    Constant {
        to: u32,
        start: u32,
        len: u32,
    },
    /// Numbers side by side.
    Number {
        from: u32,
        to: u32,
        count: u32,
        cast: NumberCast,
        check: u32,
    },
    /// A tag becomes another, and there is no payload: `cases` leads to positions in the pool.
    Tag {
        from: u32,
        to: u32,
        old_width: u8,
        new_width: u8,
        cases: u32,
    },
    /// Bools side by side are 0 or 1.
    Bool {
        from: u32,
        count: u32,
    },
    /// Chars side by side are Unicode scalar values.
    Char {
        from: u32,
        count: u32,
    },
    /// Handles side by side are not zero.
    Present {
        from: u32,
        count: u32,
    },
    /// All bytes are zero, or the check fails.
    Zero {
        from: u32,
        len: u32,
        check: u32,
    },
    /// The integer is this one, or the check fails.
    Equal {
        from: u32,
        width: u8,
        value: u32,
        check: u32,
    },
    /// The check fails.
    Never {
        from: u32,
        check: u32,
    },
    /// Only in a scan: the check holds of a value.
    Holds {
        check: u32,
    },

    // Steps that branch and loop.
    /// Jumps when the option is nothing.
    Niche {
        from: u32,
        width: u8,
        none: u32,
        otherwise: u32,
    },
    /// Jumps when the option is nothing.
    Tagged {
        from: u32,
        width: u8,
        otherwise: u32,
    },
    /// Jumps to the steps of the variant that the tag names; all of them end at `end`.
    Choice {
        from: u32,
        width: u8,
        cases: u32,
        end: u32,
    },
    /// Only in a scan: the check holds of one value if those of all steps up to `end` do.
    Probe {
        from: u32,
        check: u32,
        end: u32,
    },
    Jump {
        to: u32,
    },
    /// Moves the bases, and remembers where they were.
    Repeat {
        from: u32,
        to: u32,
        count: u32,
    },
    /// Moves the bases on and jumps behind the loop's start, or ends the loop.
    Again {
        old_stride: u32,
        new_stride: u32,
        start: u32,
    },

    // Steps that ask the outside.
    /// A text that is brought along.
    Text {
        to: u32,
        text: u32,
    },
    /// An empty list or map.
    Empty {
        to: u32,
        shape: u32,
    },
    /// What the handle names is empty, or the check fails.
    EmptyHandle {
        from: u32,
        shape: u32,
        check: u32,
    },
    /// What the handle names is no longer wanted.
    Drop {
        from: u32,
        shape: u32,
    },
    ToBytes {
        from: u32,
        to: u32,
    },
    ToText {
        from: u32,
        to: u32,
        check: u32,
    },
    Convert {
        from: u32,
        to: u32,
        job: u32,
    },
    Make {
        from: u32,
        len: u32,
        to: u32,
        job: u32,
    },
    /// Jumps to `none` when there is no element; where that is no label, the check fails.
    Take {
        from: u32,
        to: u32,
        len: u32,
        job: u32,
        none: u32,
    },
}

impl Step {
    pub(super) const fn is_flat(self) -> bool {
        matches!(
            self,
            Self::Move { .. }
                | Self::Constant { .. }
                | Self::Number { .. }
                | Self::Tag { .. }
                | Self::Bool { .. }
                | Self::Char { .. }
                | Self::Present { .. }
                | Self::Zero { .. }
                | Self::Equal { .. }
                | Self::Never { .. }
                | Self::Holds { .. }
        )
    }

    pub(super) const fn asks_outside(self) -> bool {
        matches!(
            self,
            Self::Text { .. }
                | Self::Empty { .. }
                | Self::EmptyHandle { .. }
                | Self::Drop { .. }
                | Self::ToBytes { .. }
                | Self::ToText { .. }
                | Self::Convert { .. }
                | Self::Make { .. }
                | Self::Take { .. }
        )
    }
}

/// Where the steps of an enum's variants begin, or what their tags become.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cases {
    /// Sorted by tag.
    by_tag: Vec<(u128, u32)>,
    /// Whether the tags are 0, 1, 2, ….
    dense: bool,
}

impl Cases {
    pub(super) fn new(mut by_tag: Vec<(u128, u32)>) -> Self {
        by_tag.sort_unstable();
        let dense = by_tag.iter().zip(0..).all(|(case, position)| case.0 == position);
        Self { by_tag, dense }
    }

    #[inline]
    pub(super) fn find(&self, tag: u128) -> Option<u32> {
        if self.dense {
            return usize::try_from(tag).ok().and_then(|tag| self.by_tag.get(tag)).map(|case| case.1);
        }
        self.by_tag.binary_search_by_key(&tag, |case| case.0).ok().map(|at| self.by_tag[at].1)
    }
}
