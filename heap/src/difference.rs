//! Where new bytes differ from old ones.

/// Words of one mask.
const WORDS: usize = 64;

/// Up to this many bytes are told apart word by word.
pub(crate) const LONGEST: usize = WORDS * 8;

/// Equal words between two changes that are not worth an operation of their own.
const GAP: u32 = 2;

/// A bit for each word of eight bytes that differs; a rest shorter than that is a word, too. At most [`LONGEST`] bytes.
#[inline]
pub(crate) fn words(old: &[u8], new: &[u8]) -> u64 {
    debug_assert!(old.len() == new.len() && old.len() <= LONGEST);
    let ((old, old_rest), (new, new_rest)) = (old.as_chunks::<8>(), new.as_chunks::<8>());
    let mut mask = 0;
    for (number, (old, new)) in old.iter().zip(new).enumerate() {
        mask |= u64::from(u64::from_ne_bytes(*old) != u64::from_ne_bytes(*new)) << number;
    }
    if old_rest == new_rest { mask } else { mask | 1 << old.len() }
}

/// The runs of words that differ, near ones as one: offset and end of each in bytes.
#[inline]
fn runs(mut mask: u64, len: usize, mut visit: impl FnMut(usize, usize)) {
    while mask != 0 {
        let start = mask.trailing_zeros();
        let mut end = start + 1;
        while let Some(rest) = mask.checked_shr(end).filter(|&rest| rest != 0) {
            let gap = rest.trailing_zeros();
            if gap > GAP {
                break;
            }
            end += gap + 1;
        }
        visit(start as usize * 8, (end as usize * 8).min(len));
        mask &= u64::MAX.checked_shl(end).unwrap_or(0);
    }
}

/// Shows offset and end of each run in which new bytes differ from old ones; equal bytes between near runs are part
/// of them.
#[inline]
pub(crate) fn each(old: &[u8], new: &[u8], mut visit: impl FnMut(usize, usize)) {
    for (number, (old, new)) in old.chunks(LONGEST).zip(new.chunks(LONGEST)).enumerate() {
        let base = number * LONGEST;
        // Equal pieces, the most of a long range, are compared faster than told apart.
        if old.len() < LONGEST || old != new {
            runs(words(old, new), new.len(), |start, end| visit(base + start, base + end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::each;

    /// What each run holds, laid over the old bytes.
    fn patched(old: &[u8], new: &[u8]) -> (Vec<u8>, usize) {
        let (mut bytes, mut count) = (old.to_vec(), 0);
        let mut last = 0;
        each(old, new, |start, end| {
            assert!(last <= start && start < end && end <= new.len());
            bytes[start..end].copy_from_slice(&new[start..end]);
            (last, count) = (end, count + 1);
        });
        (bytes, count)
    }

    #[test]
    fn the_runs_make_the_new_bytes_of_the_old() {
        let mut state = 1_u64;
        for len in (0..80).chain([511, 512, 513, 520, 1024, 1500]) {
            for changes in 0..9 {
                let old: Vec<u8> = (0..len).map(|at| at as u8).collect();
                let mut new = old.clone();
                for _ in 0..changes.min(len) {
                    state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                    new[(state >> 33) as usize % len] ^= 0x80;
                }
                let (bytes, count) = patched(&old, &new);
                assert_eq!(bytes, new);
                assert!(count <= changes && (count > 0) == (old != new));
            }
        }
    }

    #[test]
    fn near_changes_are_one_run_and_far_ones_are_not() {
        let old = [0; 64];
        let mut near = old;
        (near[0], near[24]) = (1, 1);
        assert_eq!(patched(&old, &near).1, 1);
        let mut far = old;
        (far[0], far[40]) = (1, 1);
        assert_eq!(patched(&old, &far).1, 2);
    }
}
