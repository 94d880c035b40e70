//! About how long a migration takes.

use std::time::Duration;

use migrate::{BodyStep, ByteOrder, Conversion, Findings, Plan};

use crate::figures;

/// What any migration takes: the log, two syncs, the streams of the catalog.
const AT_LEAST: Duration = Duration::from_millis(20);
/// Nanoseconds for each byte of old and new records that are rewritten, until they are durable: a million records of 56
/// bytes in 0.2 s.
const PER_BYTE: f64 = 1.6;
/// Nanoseconds for a record that a hook makes: 230 where it has the old struct, 650 where it reads four fields by name.
const PER_HOOK: f64 = 400.0;
/// Nanoseconds for a record whose lists, maps or texts are made anew: a list of four numbers. It depends on what is in
/// them.
const PER_REMADE: f64 = 1_800.0;
/// The constants were measured on two cores and an SSD; less than this is not worth a number.
const SHORTEST: Duration = Duration::from_millis(100);

/// How long it takes from the first record to the commit, about: records and bytes times what was measured.
pub(super) fn time(plan: &Plan, findings: &Findings) -> Duration {
    let mut nanoseconds = 0.0;
    for (number, step) in plan.types.iter().enumerate().filter(|(_, step)| step.rewritten) {
        let records = step.old.and_then(|old| findings.records.get(old)).map_or(0.0, |&records| records as f64);
        let (Some(old), Some(new)) = (step.old, step.new) else {
            nanoseconds += records * PER_HOOK;
            continue;
        };
        let len = |size: u32| f64::from(size) + 8.0;
        let bytes = len(plan.old.types[old].size) + len(plan.new.types[new].size);
        let is_pure =
            || Conversion::of_type(plan, number, ByteOrder::NATIVE).is_ok_and(|conversion| conversion.is_pure());
        let each = match &step.body {
            BodyStep::Hook => PER_HOOK,
            _ if is_pure() => 0.0,
            _ => PER_REMADE,
        };
        nanoseconds += records * bytes.mul_add(PER_BYTE, each);
    }
    // Numbers of records and sizes are those that a heap and a schema claim.
    AT_LEAST.saturating_add(Duration::try_from_secs_f64(nanoseconds / 1e9).unwrap_or(Duration::MAX))
}

/// `about 0.2 s`.
pub(super) fn shown(time: Duration) -> String {
    if time < SHORTEST {
        return "under 0.1 s".to_owned();
    }
    // One digit says as much as is known.
    let seconds = time.as_secs_f64();
    let digit = 10.0_f64.powi(seconds.log10().floor() as i32);
    let rounded = (seconds / digit).round() * digit;
    if rounded < 9.5 {
        return format!("about {rounded:.1} s");
    }
    format!("about {}", figures::duration(Duration::try_from_secs_f64(rounded).unwrap_or(Duration::MAX)))
}

#[cfg(test)]
mod tests {
    use migrate::Schema;

    use super::*;

    fn schema(fields: &str) -> Schema {
        let text = format!(
            r#"{{ "format": 1, "types": [{{ "name": "T", "size": 16, "align": 8, "fields": [
                {{ "name": "id", "offset": 0, "shape": "u64" }}, {fields} ] }}] }}"#
        );
        Schema::from_json(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    #[test]
    fn it_takes_longer_for_more_records_and_for_those_that_are_made_one_by_one() {
        let numbers = schema(r#"{ "name": "x", "offset": 8, "shape": "u32" }"#);
        let wider = schema(r#"{ "name": "x", "offset": 8, "shape": "u64" }"#);
        let list = schema(r#"{ "name": "x", "offset": 8, "shape": {"list":"u32"} }"#);
        let wider_list = schema(r#"{ "name": "x", "offset": 8, "shape": {"list":"u64"} }"#);
        let of = |old: &Schema, new: &Schema, records: u64| {
            let plan = Plan::between(old, new);
            let mut findings = Findings::new(plan.checks.len(), 1);
            findings.records[0] = records;
            time(&plan, &findings)
        };
        assert_eq!(of(&numbers, &numbers, 1 << 30), AT_LEAST);
        let [few, many] = [1_000, 1_000_000].map(|records| of(&numbers, &wider, records));
        assert!(AT_LEAST < few && few < many && many < Duration::from_millis(200), "{few:?} {many:?}");
        // Whatever a heap claims.
        let claimed = shown(of(&numbers, &wider, u64::MAX));
        assert!(claimed.starts_with("about "), "{claimed}");
        assert!(shown(Duration::MAX).starts_with("about "));
        let remade = of(&list, &wider_list, 1_000_000);
        assert!(remade > Duration::from_secs(1) && remade < Duration::from_secs(4), "{remade:?}");
    }

    #[test]
    fn times_are_told_with_one_digit() {
        let shown = [0, 99, 100, 234, 250, 1_849, 9_400, 12_000, 340_000].map(|ms| shown(Duration::from_millis(ms)));
        let expected = ["under 0.1 s", "under 0.1 s", "about 0.1 s", "about 0.2 s"];
        assert_eq!(shown[..4], expected);
        assert_eq!(shown[5..], ["about 2.0 s", "about 9.0 s", "about 10 s", "about 5 min"]);
    }
}
