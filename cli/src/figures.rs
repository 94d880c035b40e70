//! Numbers as people read them.

use std::time::{Duration, SystemTime};

/// `1,107,540`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 record`, `2 records`.
pub(crate) fn counted(number: u64, one: &str) -> String {
    format!("{} {one}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `56 B`, `94.1 KiB`, `123 MiB`: powers of 1024, at least two digits.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    // What would be rounded to 1024 of a unit is 1.0 of the next.
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", short(value), UNITS[unit])
}

/// `145 ns`, `0.4 ms`, `31 ms`, `0.31 s`, `12.5 s`, `2 min`, `3 h`, `4 d`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        ..1e-6 => format!("{} ns", time.as_nanos()),
        ..1e-4 => format!("{} µs", short(seconds * 1e6)),
        ..0.1 => format!("{} ms", short(seconds * 1e3)),
        ..9.995 => format!("{seconds:.2} s"),
        ..99.5 => format!("{seconds:.0} s"),
        ..5_400.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.0} h", seconds / 3_600.0),
        _ => format!("{:.0} d", seconds / 86_400.0),
    }
}

/// The time of day in UTC of a moment in milliseconds since 1970.
pub(crate) fn time_of_day(moment: u64) -> String {
    let (seconds, thousandths) = (moment / 1000 % 86_400, moment % 1000);
    format!("{:02}:{:02}:{:02}.{thousandths:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// `1.4 s ago`, `2 h ago`. A moment that this machine's clock has not reached yet is `just now`.
pub(crate) fn ago(moment: SystemTime, now: SystemTime) -> String {
    match now.duration_since(moment) {
        Ok(age) if age < Duration::from_millis(50) => "just now".into(),
        Ok(age) if age < Duration::from_secs(10) => format!("{:.1} s ago", age.as_secs_f64()),
        Ok(age) => format!("{} ago", duration(age)),
        Err(_) => "just now".into(),
    }
}

/// One digit behind the point below 100, none above.
fn short(value: f64) -> String {
    if value < 99.95 { format!("{value:.1}") } else { format!("{value:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators() {
        let shown = [0, 12, 999, 1_000, 123_456, 1_107_540, u64::MAX].map(count);
        assert_eq!(shown, ["0", "12", "999", "1,000", "123,456", "1,107,540", "18,446,744,073,709,551,615"]);
        assert_eq!([counted(1, "record"), counted(0, "record")], ["1 record", "0 records"]);
    }

    #[test]
    fn sizes_keep_their_unit_until_the_next_is_whole() {
        let shown = [0, 1023, 1024, 96_358, 102_348, 102_400, 128_974_848, u64::MAX].map(size);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "94.1 KiB", "99.9 KiB", "100 KiB", "123 MiB", "16.0 EiB"]);
        assert_eq!(size(1024 * 1024 - 1), "1.0 MiB");
    }

    #[test]
    fn durations_have_two_to_three_digits() {
        let shown = [0, 145, 1_430, 400_000, 31_000_000, 310_000_000, 12_500_000_000, 120_000_000_000]
            .map(|nanoseconds| duration(Duration::from_nanos(nanoseconds)));
        assert_eq!(shown, ["0 ns", "145 ns", "1.4 µs", "0.4 ms", "31.0 ms", "0.31 s", "12 s", "2 min"]);
        assert_eq!(duration(Duration::from_hours(3)), "3 h");
        assert_eq!(duration(Duration::from_hours(100)), "4 d");
    }

    #[test]
    fn ages_are_never_negative() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(1_000);
        let aged = |milliseconds| ago(now - Duration::from_millis(milliseconds), now);
        assert_eq!([aged(200), aged(1_400), aged(7_200_000)], ["0.2 s ago", "1.4 s ago", "2 h ago"]);
        assert_eq!(ago(now + Duration::from_secs(5), now), "just now");
    }
}
