//! The 64 bits of a reference or of a handle to text, bytes, a list or a map.
//!
//! | BITS  | MEANING |
//! |-------|---------|
//! | 38–63 | generation of the slot, at least 1; a stale handle is one whose generation is not the slot's |
//! | 18–37 | region |
//! | 0–17  | index: a slot number (references), or a position in 8-byte units of the slot's header (all others) |
//!
//! Never zero, so that an `Option` of it is as large. The value 1 (generation 0) is the empty text or bytes.

/// Width of the generation in bits.
pub const GENERATION_BITS: u32 = 26;
/// The generation at which a slot is retired instead of used again.
pub const LAST_GENERATION: u32 = (1 << GENERATION_BITS) - 1;
/// Width of the index in bits.
pub const INDEX_BITS: u32 = 18;
/// Width of the region in bits.
pub const REGION_BITS: u32 = 20;
/// The handle of the empty text and of empty bytes.
pub const EMPTY: u64 = 1;

/// A handle taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle {
    /// Generation of the slot.
    pub generation: u32,
    /// Region of the arena.
    pub region: u32,
    /// Slot number, or position in 8-byte units.
    pub index: u32,
}

impl Handle {
    /// Takes the bits apart; every value of the bits has a meaning, none is checked.
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Self {
        Self {
            generation: (bits >> (INDEX_BITS + REGION_BITS)) as u32,
            region: (bits >> INDEX_BITS) as u32 & ((1 << REGION_BITS) - 1),
            index: bits as u32 & ((1 << INDEX_BITS) - 1),
        }
    }

    /// Puts the bits together.
    #[inline(always)]
    pub const fn to_bits(self) -> u64 {
        (self.generation as u64) << (INDEX_BITS + REGION_BITS) | (self.region as u64) << INDEX_BITS | self.index as u64
    }
}
