

pub(crate) fn handles(_p: &migrate::Programs, _s: u32, _h: u64, _b: &[u8], _v: &mut impl FnMut(crate::walk::Held)) {}
