//! Steps that become one: those side by side, and those of an array's elements.

use super::code::Step;

/// Checks come first, each kind by where it reads; then constants and moves by where they write.
pub(super) const fn sort_key(step: Step) -> (u8, u32, u32) {
    match step {
        Step::Never { from, .. } => (0, from, 0),
        Step::Bool { from, .. } => (1, from, 0),
        Step::Char { from, .. } => (2, from, 0),
        Step::Present { from, .. } => (3, from, 0),
        Step::Zero { from, check, .. } => (4, check, from),
        Step::Equal { from, check, .. } => (5, check, from),
        Step::Number { from, to, .. } => (6, to, from),
        Step::Tag { from, to, .. } => (7, to, from),
        Step::Constant { to, .. } => (8, to, 0),
        Step::Move { from, to, .. } => (9, to, from),
        _ => (10, 0, 0),
    }
}

/// Two steps as one.
pub(super) fn join(one: Step, other: Step) -> Option<Step> {
    match (one, other) {
        (Step::Move { from, to, len }, Step::Move { from: next, to: onto, len: more })
            if (from + len, to + len) == (next, onto) =>
        {
            Some(Step::Move { from, to, len: len + more })
        }
        (Step::Constant { to, start, len }, Step::Constant { to: onto, start: next, len: more })
            if (to + len, start + len) == (onto, next) =>
        {
            Some(Step::Constant { to, start, len: len + more })
        }
        (
            Step::Number { from, to, count, cast, check },
            Step::Number { from: next, to: onto, count: more, cast: same, check: again },
        ) if (cast, check) == (same, again)
            && (from + count * cast.old.width(), to + count * cast.new.width()) == (next, onto) =>
        {
            Some(Step::Number { from, to, count: count + more, cast, check })
        }
        (Step::Bool { from, count }, Step::Bool { from: next, count: more }) if from + count == next => {
            Some(Step::Bool { from, count: count + more })
        }
        (Step::Char { from, count }, Step::Char { from: next, count: more }) if from + 4 * count == next => {
            Some(Step::Char { from, count: count + more })
        }
        (Step::Present { from, count }, Step::Present { from: next, count: more }) if from + 8 * count == next => {
            Some(Step::Present { from, count: count + more })
        }
        (Step::Zero { from, len, check }, Step::Zero { from: next, len: more, check: same })
            if (from + len, check) == (next, same) =>
        {
            Some(Step::Zero { from, len: len + more, check })
        }
        _ => None,
    }
}

/// A step for one element as a step for `count` of them side by side, where it is one for the whole element.
pub(super) fn scale(step: Step, (old, new): (u64, u64), count: u64) -> Option<Step> {
    let times = |number: u32| u32::try_from(u64::from(number).checked_mul(count)?).ok();
    let whole = |len: u32, stride: u64| u64::from(len) == stride;
    match step {
        Step::Move { from: 0, to: 0, len } if whole(len, old) && whole(len, new) => {
            Some(Step::Move { from: 0, to: 0, len: times(len)? })
        }
        Step::Number { from: 0, to: 0, count: each, cast, check }
            if whole(each * cast.old.width(), old) && whole(each * cast.new.width(), new) =>
        {
            Some(Step::Number { from: 0, to: 0, count: times(each)?, cast, check })
        }
        Step::Bool { from: 0, count: each } if whole(each, old) => Some(Step::Bool { from: 0, count: times(each)? }),
        Step::Char { from: 0, count: each } if whole(4 * each, old) => {
            Some(Step::Char { from: 0, count: times(each)? })
        }
        Step::Present { from: 0, count: each } if whole(8 * each, old) => {
            Some(Step::Present { from: 0, count: times(each)? })
        }
        Step::Zero { from: 0, len, check } if whole(len, old) => Some(Step::Zero { from: 0, len: times(len)?, check }),
        Step::Never { from, check } => Some(Step::Never { from, check }),
        _ => None,
    }
}

/// A step of a loop's body, outside of it.
pub(super) fn shift(step: Step, by: u32, onto: u32) -> Step {
    match step {
        Step::Move { from, to, len } => Step::Move { from: from + by, to: to + onto, len },
        Step::Number { from, to, count, cast, check } => {
            Step::Number { from: from + by, to: to + onto, count, cast, check }
        }
        Step::Bool { from, count } => Step::Bool { from: from + by, count },
        Step::Char { from, count } => Step::Char { from: from + by, count },
        Step::Present { from, count } => Step::Present { from: from + by, count },
        Step::Zero { from, len, check } => Step::Zero { from: from + by, len, check },
        Step::Never { from, check } => Step::Never { from: from + by, check },
        other => unreachable!("{other:?} is not scaled"),
    }
}
