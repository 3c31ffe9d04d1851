//! Times, all in UTC, and how long things last.

use std::time::Duration;

use hallpass_core::{Timestamp, usage::day_of};

/// A time of today by its clock, another by its day too.
pub(crate) fn at(time: Timestamp, now: Timestamp) -> String {
    let format = match day_of(time) == day_of(now) {
        true => "%H:%M:%S",
        false => "%Y-%m-%d %H:%M",
    };
    time.strftime(format).to_string()
}

/// A time in full.
pub(crate) fn in_full(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()
}

/// A time for `datetime`.
pub(crate) fn machine(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// How long until a time, at a glance: "42 s", "12 min", "3 h 5 min".
pub(crate) fn until(time: Timestamp, now: Timestamp) -> String {
    let left = time.duration_since(now);
    match left.is_negative() {
        true => "over".to_owned(),
        false => lasting(left.unsigned_abs()),
    }
}

/// How long something lasts, at a glance.
pub(crate) fn lasting(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match seconds {
        ..120 => format!("{seconds} s"),
        120..3600 => format!("{minutes} min"),
        3600..86_400 => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_says_its_day_where_that_is_another() {
        let now: Timestamp = "2026-11-23T03:10:00Z".parse().unwrap();
        let at = |text: &str| at(text.parse().unwrap(), now);
        assert_eq!(at("2026-11-23T01:02:03.9Z"), "01:02:03");
        assert_eq!(at("2026-11-22T23:59:59Z"), "2026-11-22 23:59");
        assert_eq!(machine(now), "2026-11-23T03:10:00Z");
        assert_eq!(in_full(now), "2026-11-23 03:10:00.000 UTC");
    }

    #[test]
    fn what_lasts_long_is_told_coarsely() {
        let lasting = |seconds| lasting(Duration::from_secs(seconds));
        assert_eq!(lasting(0), "0 s");
        assert_eq!(lasting(119), "119 s");
        assert_eq!(lasting(754), "12 min");
        assert_eq!(lasting(11_100), "3 h 5 min");
        assert_eq!(lasting(200_000), "2 d 7 h");
        let now = Timestamp::from_second(100).unwrap();
        assert_eq!(until(Timestamp::from_second(90).unwrap(), now), "over");
    }
}
