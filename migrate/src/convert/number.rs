//! Numbers by value: every integer, float and bool as every other.

use crate::layout::ByteOrder;
use crate::schema::Shape;

/// Runs an expression with `$name` as the type of a kind.
macro_rules! with_kind {
    ($kind:expr, $name:ident => $body:expr) => {
        match $kind {
            Kind::U8 => {
                type $name = u8;
                $body
            }
            Kind::U16 => {
                type $name = u16;
                $body
            }
            Kind::U32 => {
                type $name = u32;
                $body
            }
            Kind::U64 => {
                type $name = u64;
                $body
            }
            Kind::U128 => {
                type $name = u128;
                $body
            }
            Kind::I8 => {
                type $name = i8;
                $body
            }
            Kind::I16 => {
                type $name = i16;
                $body
            }
            Kind::I32 => {
                type $name = i32;
                $body
            }
            Kind::I64 => {
                type $name = i64;
                $body
            }
            Kind::I128 => {
                type $name = i128;
                $body
            }
            Kind::F32 => {
                type $name = F32;
                $body
            }
            Kind::F64 => {
                type $name = F64;
                $body
            }
            Kind::Bool => {
                type $name = Bool;
                $body
            }
        }
    };
}
pub(super) use with_kind;

/// A kind of number as it lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    U8,
    U16,
    U32,
    U64,
    U128,
    I8,
    I16,
    I32,
    I64,
    I128,
    F32,
    F64,
    Bool,
}

impl Kind {
    pub(super) fn of(shape: &Shape) -> Option<Self> {
        Some(match shape {
            Shape::Bool => Self::Bool,
            Shape::Float(float) => match float.width {
                4 => Self::F32,
                8 => Self::F64,
                _ => return None,
            },
            Shape::Integer(integer) => match (integer.width, integer.signed) {
                (1, true) => Self::I8,
                (2, true) => Self::I16,
                (4, true) => Self::I32,
                (8, true) => Self::I64,
                (16, true) => Self::I128,
                (width, false) => return Self::unsigned(width.into()),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// The unsigned integer of this width: whatever else lies there, as bits.
    pub(super) const fn unsigned(width: u64) -> Option<Self> {
        Some(match width {
            1 => Self::U8,
            2 => Self::U16,
            4 => Self::U32,
            8 => Self::U64,
            16 => Self::U128,
            _ => return None,
        })
    }

    pub(super) const fn width(self) -> u32 {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
            Self::U128 | Self::I128 => 16,
        }
    }
}

/// What becomes of a value that the new kind does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    /// It is unfit.
    Exact,
    /// A float becomes the nearest; integers and bools stay exact.
    Nearest,
}

/// One kind of number becoming another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NumberCast {
    pub(super) old: Kind,
    pub(super) new: Kind,
    pub(super) order: ByteOrder,
    pub(super) rounding: Rounding,
}

/// A number of any kind. Floats are bits, since arithmetic may change those of a NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wide {
    Signed(i128),
    /// Beyond the signed ones, or not.
    Unsigned(u128),
    Float(u64),
}

impl Wide {
    /// As it lies in memory of this machine, in the first bytes; `None` where the kind has no such value.
    pub(super) fn encode(self, kind: Kind, rounding: Rounding) -> Option<[u8; 16]> {
        let mut bytes = [0; 16];
        with_kind!(kind, N => N::of_wide(self, rounding)?.store(&mut bytes));
        Some(bytes)
    }
}

/// The types behind [`Kind`].
pub(super) trait Number: Copy {
    const WIDTH: usize;
    /// The bytes, exactly [`Self::WIDTH`] of them, as they lie in the old heap.
    fn load(bytes: &[u8], order: ByteOrder) -> Self;
    /// Into the first [`Self::WIDTH`] bytes, in the order of this machine.
    fn store(self, bytes: &mut [u8]);
    /// `None` where the bits are no value.
    fn wide(self) -> Option<Wide>;
    /// `None` where there is no such value.
    fn of_wide(wide: Wide, rounding: Rounding) -> Option<Self>;
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        #[allow(clippy::cast_lossless, clippy::cast_sign_loss, reason = "the types differ in what is lossless")]
        impl Number for $integer {
            const WIDTH: usize = size_of::<$integer>();

            #[inline(always)]
            fn load(bytes: &[u8], order: ByteOrder) -> Self {
                let mut array = [0; size_of::<$integer>()];
                array.copy_from_slice(bytes);
                match order {
                    ByteOrder::Little => Self::from_le_bytes(array),
                    ByteOrder::Big => Self::from_be_bytes(array),
                }
            }

            #[inline(always)]
            fn store(self, bytes: &mut [u8]) {
                bytes[..Self::WIDTH].copy_from_slice(&self.to_ne_bytes());
            }

            #[inline(always)]
            fn wide(self) -> Option<Wide> {
                // Only a u128 can be too large, and is one then.
                Some(i128::try_from(self).map_or_else(|_| Wide::Unsigned(self as u128), Wide::Signed))
            }

            #[inline(always)]
            fn of_wide(wide: Wide, _: Rounding) -> Option<Self> {
                match wide {
                    Wide::Signed(value) => Self::try_from(value).ok(),
                    Wide::Unsigned(value) => Self::try_from(value).ok(),
                    Wide::Float(bits) => match whole(f64::from_bits(bits))? {
                        Wide::Signed(value) => Self::try_from(value).ok(),
                        Wide::Unsigned(value) => Self::try_from(value).ok(),
                        Wide::Float(_) => None,
                    },
                }
            }
        }
    )*};
}
integers!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128);

/// The bits of an `f32`.
#[derive(Debug, Clone, Copy)]
pub(super) struct F32(u32);

impl Number for F32 {
    const WIDTH: usize = 4;

    #[inline(always)]
    fn load(bytes: &[u8], order: ByteOrder) -> Self {
        Self(u32::load(bytes, order))
    }

    #[inline(always)]
    fn store(self, bytes: &mut [u8]) {
        self.0.store(bytes);
    }

    #[inline(always)]
    fn wide(self) -> Option<Wide> {
        let value = f32::from_bits(self.0);
        Some(Wide::Float(if value.is_nan() {
            let (sign, rest) = (u64::from(self.0 >> 31), u64::from(self.0 & 0x007f_ffff));
            sign << 63 | 0x7ff << 52 | rest << 29
        } else {
            f64::from(value).to_bits()
        }))
    }

    #[inline(always)]
    fn of_wide(wide: Wide, rounding: Rounding) -> Option<Self> {
        let nearest = rounding == Rounding::Nearest;
        match wide {
            Wide::Signed(value) => (nearest || is_exact(value.unsigned_abs(), f32::MANTISSA_DIGITS))
                .then(|| Self(i64::try_from(value).map_or(value as f32, |value| value as f32).to_bits())),
            Wide::Unsigned(value) => {
                (nearest || is_exact(value, f32::MANTISSA_DIGITS)).then(|| Self((value as f32).to_bits()))
            }
            Wide::Float(bits) => {
                let value = f64::from_bits(bits);
                if value.is_nan() {
                    return narrow_nan(bits, rounding).map(Self);
                }
                let narrow = value as f32;
                (nearest || f64::from(narrow).to_bits() == bits).then_some(Self(narrow.to_bits()))
            }
        }
    }
}

/// The bits of an `f64`.
#[derive(Debug, Clone, Copy)]
pub(super) struct F64(u64);

impl Number for F64 {
    const WIDTH: usize = 8;

    #[inline(always)]
    fn load(bytes: &[u8], order: ByteOrder) -> Self {
        Self(u64::load(bytes, order))
    }

    #[inline(always)]
    fn store(self, bytes: &mut [u8]) {
        self.0.store(bytes);
    }

    #[inline(always)]
    fn wide(self) -> Option<Wide> {
        Some(Wide::Float(self.0))
    }

    #[inline(always)]
    fn of_wide(wide: Wide, rounding: Rounding) -> Option<Self> {
        let nearest = rounding == Rounding::Nearest;
        match wide {
            Wide::Signed(value) => (nearest || is_exact(value.unsigned_abs(), f64::MANTISSA_DIGITS))
                .then(|| Self(i64::try_from(value).map_or(value as f64, |value| value as f64).to_bits())),
            Wide::Unsigned(value) => {
                (nearest || is_exact(value, f64::MANTISSA_DIGITS)).then(|| Self((value as f64).to_bits()))
            }
            Wide::Float(bits) => Some(Self(bits)),
        }
    }
}

/// A byte that should be 0 or 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bool(u8);

impl Number for Bool {
    const WIDTH: usize = 1;

    #[inline(always)]
    fn load(bytes: &[u8], order: ByteOrder) -> Self {
        Self(u8::load(bytes, order))
    }

    #[inline(always)]
    fn store(self, bytes: &mut [u8]) {
        bytes[0] = self.0;
    }

    #[inline(always)]
    fn wide(self) -> Option<Wide> {
        (self.0 <= 1).then_some(Wide::Signed(self.0.into()))
    }

    #[inline(always)]
    fn of_wide(wide: Wide, rounding: Rounding) -> Option<Self> {
        u8::of_wide(wide, rounding).filter(|&byte| byte <= 1).map(Self)
    }
}

/// One number of the old heap as one of another kind.
#[inline(always)]
pub(super) fn convert<S: Number, D: Number>(bytes: &[u8], order: ByteOrder, rounding: Rounding) -> Option<D> {
    D::of_wide(S::load(bytes, order).wide()?, rounding)
}

/// Whether an integer of this magnitude has no more significant bits than a float keeps. Converting there and back
/// would not tell: `i128::MAX` becomes 2^127, which comes back saturated as `i128::MAX`.
#[inline(always)]
const fn is_exact(magnitude: u128, bits: u32) -> bool {
    magnitude >> bits == 0 || 128 - magnitude.leading_zeros() - magnitude.trailing_zeros() <= bits
}

/// The integer that a float is.
#[expect(clippy::float_cmp, clippy::cast_sign_loss, reason = "exactness is the question; a sign would be out of range")]
#[inline(always)]
fn whole(value: f64) -> Option<Wide> {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    const TWO_127: f64 = TWO_63 * TWO_63 * 2.0;
    if value.abs() < TWO_63 {
        let integer = value as i64;
        return (integer as f64 == value).then_some(Wide::Signed(integer.into()));
    }
    // From here on every float is an integer; a NaN fails both comparisons.
    if (-TWO_127..TWO_127).contains(&value) {
        Some(Wide::Signed(value as i128))
    } else if (TWO_127..TWO_127 * 2.0).contains(&value) {
        Some(Wide::Unsigned(value as u128))
    } else {
        None
    }
}

/// A NaN keeps its sign and the bits that say which it is, or is unfit; the nearest is still a NaN.
#[inline]
const fn narrow_nan(bits: u64, rounding: Rounding) -> Option<u32> {
    let sign = ((bits >> 63) as u32) << 31;
    let kept = (bits >> 29 & 0x007f_ffff) as u32;
    let lost = bits & ((1 << 29) - 1);
    if lost == 0 && kept != 0 {
        return Some(sign | 0xff << 23 | kept);
    }
    match rounding {
        Rounding::Exact => None,
        Rounding::Nearest => Some(sign | 0xff << 23 | kept | 1 << 22),
    }
}

/// By how much a number changes that becomes the nearest float, over itself; 0 where it is no number at all.
pub(super) fn relative_change(bytes: &[u8], cast: NumberCast) -> f64 {
    let wide =
        with_kind!(cast.old, Old => bytes.get(..Old::WIDTH).and_then(|bytes| Old::load(bytes, cast.order).wide()));
    let nearest = wide.and_then(|wide| match cast.new {
        Kind::F32 => F32::of_wide(wide, Rounding::Nearest)?.wide(),
        _ => F64::of_wide(wide, Rounding::Nearest)?.wide(),
    });
    let (Some(wide), Some(Wide::Float(bits))) = (wide, nearest) else { return 0.0 };
    let nearest = f64::from_bits(bits);
    match wide {
        // A difference of integers that are far larger than it would be lost between floats.
        Wide::Signed(value) if nearest.abs() < 1e38 => {
            (value.abs_diff(nearest as i128) as f64 / value.unsigned_abs() as f64).max(0.0)
        }
        Wide::Signed(_) | Wide::Unsigned(_) if nearest.is_infinite() => f64::INFINITY,
        Wide::Signed(value) => difference(value as f64, nearest),
        Wide::Unsigned(value) => difference(value as f64, nearest),
        Wide::Float(bits) => difference(f64::from_bits(bits), nearest),
    }
}

fn difference(value: f64, nearest: f64) -> f64 {
    let relative = ((nearest - value) / value).abs();
    if relative.is_nan() { 0.0 } else { relative }
}
