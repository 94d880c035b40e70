//! What must hold of a value's bytes, compiled from its shape into a flat list of steps.
//!
//! One interpreter runs the steps, without recursion: the verifier checks values with it, the transaction layer
//! zeroes padding and walks the handles that a record holds. Steps name offsets from the start of the value (inside
//! arrays: of the element), so a struct in a struct costs nothing.

mod compile;
mod run;

pub use compile::Programs;

use crate::layout::{ByteOrder, MapLayout};

/// What a handle must name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// A record of the type at this position in the schema. Not owned.
    Reference(u32),
    /// A text.
    Text,
    /// Bytes.
    Bytes,
    /// A list whose element has this shape number, [`Target::NO_SHAPE`] when the registry has none.
    List(u32),
    /// A hash map with this shape number.
    Map(u32),
    /// A sorted map with this shape number.
    SortedMap(u32),
}

impl Target {
    /// The number of a shape that the registry does not have: no value of it exists.
    pub const NO_SHAPE: u32 = u32::MAX;

    /// Whether the value behind the handle belongs to the place that holds it.
    #[inline]
    pub const fn is_owned(self) -> bool {
        !matches!(self, Self::Reference(_))
    }
}

/// A handle met in a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandleAt {
    /// Offset in the value.
    pub offset: usize,
    /// What it must name.
    pub target: Target,
    /// Its bits, never zero.
    pub word: u64,
}

/// Handles side by side in every value of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandleRun {
    /// Offset of the first in the value.
    pub at: usize,
    /// How many there are.
    pub count: usize,
    /// What each must name.
    pub target: Target,
    /// Whether each may be zero.
    pub presence: Presence,
}

/// A byte of a value that its shape does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueFault {
    /// Fewer bytes than the shape has.
    #[error("a value is cut short after {0} bytes")]
    Short(usize),
    /// A byte between values that is not zero.
    #[error("padding at byte {0} is not zero")]
    Padding(usize),
    /// A bool that is neither 0 nor 1.
    #[error("the bool at byte {0} is neither 0 nor 1")]
    Bool(usize),
    /// Four bytes that are no Unicode scalar value.
    #[error("the char at byte {0} is none")]
    Char(usize),
    /// A tag that no variant has.
    #[error("the tag at byte {0} is none of the type's")]
    Tag(usize),
    /// A handle of zero bits.
    #[error("the handle at byte {0} is zero")]
    Zero(usize),
}

impl ValueFault {
    /// Offset in the value.
    pub const fn offset(self) -> usize {
        match self {
            Self::Short(at) | Self::Padding(at) | Self::Bool(at) | Self::Char(at) | Self::Tag(at) | Self::Zero(at) => {
                at
            }
        }
    }
}

/// The steps of one shape.
#[derive(Debug, Clone, Default)]
pub struct Program {
    steps: Vec<Step>,
    cases: Vec<Cases>,
    size: u32,
    align: u32,
    /// How deep loops lie in each other.
    loops: u32,
    /// Whether a value may have bytes that hold nothing.
    padding: bool,
    /// Whether a value may hold handles of values that it owns.
    owns: bool,
    /// Bit n: a handle may lie in the word at 8n; all bits where words behind the 64th, or loops, have handles.
    handle_words: u64,
}

/// The steps of a map's entries.
#[derive(Debug, Clone)]
pub struct EntryProgram {
    /// Where key and value lie.
    pub layout: MapLayout,
    /// The key alone.
    pub key: Program,
    /// The value alone.
    pub value: Program,
    /// The whole entry, the padding between and behind them included.
    pub entry: Program,
}

/// Offsets count from the base, which loops move. Jumps lead forwards, except [`Step::Again`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Zero {
        at: u32,
        len: u32,
    },
    Bool {
        at: u32,
    },
    /// Eight bytes in one look: the bits of `check` must be zero, in bools all but the lowest; those of `padding` are
    /// padding. The masks are in the order of the bytes, whatever the machine's.
    Mask {
        at: u32,
        check: u64,
        padding: u64,
    },
    Char {
        at: u32,
    },
    /// Handles side by side.
    Handles {
        at: u32,
        count: u32,
        target: Target,
        presence: Presence,
    },
    /// Jumps to `end` when nothing is there.
    Niche {
        at: u32,
        size: u32,
        niche: u32,
        width: u8,
        none: u32,
        end: u32,
    },
    /// Jumps to `end` when nothing is there.
    Tagged {
        at: u32,
        size: u32,
        width: u8,
        end: u32,
    },
    /// Jumps to the steps of the variant that the tag names.
    Enum {
        at: u32,
        width: u8,
        cases: u32,
        end: u32,
    },
    Jump {
        to: u32,
    },
    /// Moves the base, and remembers where it was.
    Repeat {
        at: u32,
        count: u32,
    },
    /// Moves the base on by `stride` and jumps behind the loop's start, or ends the loop.
    Again {
        stride: u32,
        start: u32,
    },
}

/// Whether a handle may be zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It may not.
    Always,
    /// Zero is nothing.
    Optional,
}

/// Where the steps of an enum's variants begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Cases {
    /// Sorted by tag.
    by_tag: Vec<(u128, u32)>,
    /// Whether the tags are 0, 1, 2, ….
    dense: bool,
}

impl Cases {
    #[inline]
    fn find(&self, tag: u128) -> Option<u32> {
        if self.dense {
            return usize::try_from(tag).ok().and_then(|tag| self.by_tag.get(tag)).map(|case| case.1);
        }
        self.by_tag.binary_search_by_key(&tag, |case| case.0).ok().map(|at| self.by_tag[at].1)
    }
}

impl Program {
    /// Size of a value in bytes.
    #[inline]
    pub const fn size(&self) -> usize {
        self.size as usize
    }

    /// Alignment of a value in bytes.
    #[inline]
    pub const fn align(&self) -> usize {
        self.align as usize
    }

    /// Notes what is asked of the steps again and again.
    fn with_facts(mut self) -> Self {
        let mut looping = false;
        for step in &self.steps {
            match *step {
                Step::Zero { .. } | Step::Niche { .. } | Step::Tagged { .. } | Step::Enum { .. } => self.padding = true,
                Step::Repeat { .. } => looping = true,
                Step::Mask { padding, .. } => self.padding |= padding != 0,
                Step::Handles { at, count, target, .. } => {
                    self.owns |= target.is_owned();
                    let words = (at / 8)..(at / 8).saturating_add(count);
                    self.handle_words |=
                        if looping || words.end > 64 { u64::MAX } else { words.fold(0, |mask, word| mask | 1 << word) };
                }
                Step::Bool { .. } | Step::Char { .. } | Step::Jump { .. } | Step::Again { .. } => {}
            }
        }
        self
    }

    /// Whether a value may have padding: bytes that hold nothing and must be zero.
    #[inline]
    pub const fn has_padding(&self) -> bool {
        self.padding
    }

    /// Whether a value may hold handles.
    #[inline]
    pub const fn holds_handles(&self) -> bool {
        self.handle_words != 0
    }

    /// Whether a value may hold handles of values that it owns.
    #[inline]
    pub const fn owns(&self) -> bool {
        self.owns
    }

    /// Whether a handle may lie in one of the words, a bit for each of the first 64; further words are not told
    /// apart from these.
    #[inline]
    pub const fn holds_handles_in(&self, words: u64) -> bool {
        self.handle_words & words != 0
    }

    /// Whether any bytes at all are a value of the shape, and none is a handle.
    #[inline]
    pub fn is_trivial(&self) -> bool {
        self.steps.is_empty()
    }

    /// What a value names, when it is one handle and nothing else, as the elements of most lists are.
    #[inline]
    pub fn only_handle(&self) -> Option<(Target, Presence)> {
        match self.steps[..] {
            [Step::Handles { at: 0, count: 1, target, presence }] if self.size == 8 => Some((target, presence)),
            _ => None,
        }
    }

    /// The handles of a value, when nothing else must hold of its bytes.
    pub fn only_handles(&self) -> Option<Vec<HandleRun>> {
        let run = |step: &Step| match *step {
            Step::Handles { at, count, target, presence } => {
                Some(HandleRun { at: at as usize, count: count as usize, target, presence })
            }
            _ => None,
        };
        self.steps.iter().map(run).collect()
    }

    /// Checks a value, and shows each handle in it to `visit`, in the order of their offsets.
    ///
    /// # Errors
    /// The first fault, or what `visit` returned.
    #[inline]
    pub fn run<E: From<ValueFault>>(
        &self,
        bytes: &[u8],
        order: ByteOrder,
        visit: impl FnMut(HandleAt) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(bytes) = bytes.get(..self.size()) else { return Err(ValueFault::Short(bytes.len()).into()) };
        run::drive(self, &mut run::Checking { bytes, visit, error: std::marker::PhantomData }, order)
    }

    /// Shows each handle of a value that is known to be one, apart from its padding.
    ///
    /// # Errors
    /// What `visit` returned.
    #[inline]
    pub fn handles<E>(
        &self,
        bytes: &[u8],
        order: ByteOrder,
        visit: impl FnMut(HandleAt) -> Result<(), E>,
    ) -> Result<(), E> {
        run::drive(self, &mut run::Walking { bytes: &bytes[..self.size()], visit }, order)
    }

    /// Makes the padding of a value zero: gaps between fields, the unused part of an enum's payload, and what lies
    /// behind the tag of nothing. The bytes are otherwise known to be a value.
    #[inline]
    pub fn zero_padding(&self, bytes: &mut [u8], order: ByteOrder) {
        let size = self.size();
        let Ok(()) = run::drive(self, &mut run::Zeroing { bytes: &mut bytes[..size] }, order);
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
