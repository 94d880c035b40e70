//! What a scan of the live records found, for a plan to be decided by.

/// What the live values say about the checks of a plan.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Findings {
    /// For each of [`Plan::checks`](crate::Plan::checks), in their order, what was found.
    pub checks: Vec<Finding>,
    /// For each type of the old schema, in its order, how many live records it has; 0 for types that only lie in
    /// others.
    pub records: Vec<u64>,
}

/// What was found of one check.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Finding {
    /// How many values were looked at.
    pub seen: u64,
    /// Of how many it does not hold.
    pub failed: u64,
    /// The first of these.
    pub first: Option<Offender>,
    /// The value that changes most, for [`CheckKind::Exact`](crate::CheckKind::Exact).
    pub largest: Option<Change>,
}

/// A value of which a check does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offender {
    /// The record it belongs to, as people write it: `Node#77`.
    pub record: String,
    /// The value, as people write it; not escaped. Empty where the value is secret.
    pub value: String,
}

/// By how much a value changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The difference over the old value; infinite where something finite becomes infinite.
    pub relative: f64,
    /// The record it belongs to.
    pub record: String,
}

impl Findings {
    /// Nothing found yet, of a plan with this many checks and this many old types.
    pub fn new(checks: usize, types: usize) -> Self {
        Self { checks: vec![Finding::default(); checks], records: vec![0; types] }
    }

    /// Adds what was found later, in another part of the same heap. The first offender stays the first.
    pub fn merge(&mut self, later: Self) {
        if self.checks.len() < later.checks.len() {
            self.checks.resize_with(later.checks.len(), Finding::default);
        }
        if self.records.len() < later.records.len() {
            self.records.resize(later.records.len(), 0);
        }
        for (mine, other) in self.checks.iter_mut().zip(later.checks) {
            mine.merge(other);
        }
        for (mine, other) in self.records.iter_mut().zip(later.records) {
            *mine = mine.saturating_add(other);
        }
    }
}

impl Finding {
    /// Adds what was found later. The first offender stays the first.
    pub fn merge(&mut self, later: Self) {
        self.seen = self.seen.saturating_add(later.seen);
        self.failed = self.failed.saturating_add(later.failed);
        if self.first.is_none() {
            self.first = later.first;
        }
        let is_larger = match (&self.largest, &later.largest) {
            (Some(mine), Some(other)) => other.relative > mine.relative,
            (None, other) => other.is_some(),
            (Some(_), None) => false,
        };
        if is_larger {
            self.largest = later.largest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(failed: u64, record: &str, relative: f64) -> Finding {
        Finding {
            seen: 10,
            failed,
            first: Some(Offender { record: record.into(), value: "7".into() }),
            largest: Some(Change { relative, record: record.into() }),
        }
    }

    #[test]
    fn merged_findings_add_up_and_keep_the_first_and_the_largest() {
        let mut all = Findings::new(0, 1);
        all.merge(Findings { checks: vec![finding(1, "Node#3", 0.5)], records: vec![4, 9] });
        all.merge(Findings { checks: vec![finding(2, "Node#1", 0.75)], records: vec![u64::MAX] });
        all.merge(Findings { checks: vec![finding(2, "Node#2", 0.25)], records: vec![] });
        assert_eq!(all.records, [u64::MAX, 9]);
        let found = &all.checks[0];
        assert_eq!((found.seen, found.failed), (30, 5));
        assert_eq!(found.first.as_ref().unwrap().record, "Node#3");
        assert_eq!(found.largest.as_ref().unwrap().record, "Node#1");
    }
}
