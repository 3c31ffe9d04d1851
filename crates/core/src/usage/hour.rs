//! An hour in UTC: what usage is kept by.

use std::{fmt, str::FromStr};

use jiff::civil::Date;

use super::day_of;
use crate::Timestamp;

/// The last hour of a day.
const LAST: i8 = 23;

/// One hour in UTC, or a whole day of which the hours were not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hour {
    /// Its day.
    pub day: Date,
    /// Which of the day, 0 to 23; none where only the day is known.
    pub of_day: Option<i8>,
}

/// A text names neither a day nor an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a day (2026-11-22), an hour (2026-11-22T14:00Z) or a moment")]
pub struct InvalidHour;

impl Hour {
    /// The hour of a moment.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        let civil = jiff::tz::Offset::UTC.to_datetime(time);
        Self {
            day: day_of(time),
            of_day: Some(civil.hour()),
        }
    }

    /// The last hour of a day that is named as a whole; else the hour itself.
    #[must_use]
    pub fn or_last(self) -> Self {
        Self {
            of_day: self.of_day.or(Some(LAST)),
            ..self
        }
    }
}

impl FromStr for Hour {
    type Err = InvalidHour;

    /// Reads `2026-11-22`, `2026-11-22T14`, `2026-11-22T14:00Z` or a moment with
    /// its offset, of which the hour is taken.
    fn from_str(text: &str) -> Result<Self, InvalidHour> {
        if let Ok(moment) = text.parse() {
            return Ok(Self::of(moment));
        }
        let (day, hour) = match text.split_once('T') {
            Some((day, hour)) => (day, Some(hour)),
            None => (text, None),
        };
        Ok(Self {
            day: day.parse().map_err(|_| InvalidHour)?,
            of_day: hour.map(of_day).transpose()?,
        })
    }
}

fn of_day(text: &str) -> Result<i8, InvalidHour> {
    let digits = text.strip_suffix(":00Z").or_else(|| text.strip_suffix('Z'));
    let digits = digits.unwrap_or(text);
    let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let hour = digits.parse().ok().filter(|hour| plain && *hour <= LAST);
    hour.ok_or(InvalidHour)
}

impl fmt::Display for Hour {
    /// `2026-11-22T14:00Z`, or the day alone. As texts they sort as they do in
    /// time, a day before its hours.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.of_day {
            Some(hour) => write!(f, "{}T{hour:02}:00Z", self.day),
            None => write!(f, "{}", self.day),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        let hour: Option<Hour> = text.parse().ok();
        hour.map(|hour| hour.to_string())
    }

    #[test]
    fn a_day_an_hour_and_a_moment_are_read() {
        assert_eq!(read("2026-11-22").as_deref(), Some("2026-11-22"));
        for hour in [
            "2026-11-22T07",
            "2026-11-22T07Z",
            "2026-11-22T07:00Z",
            "2026-11-22T07:59:59Z",
            "2026-11-22T08:10:00+01:00",
        ] {
            assert_eq!(read(hour).as_deref(), Some("2026-11-22T07:00Z"), "{hour}");
        }
        for wrong in [
            "",
            "today",
            "2026-13-01",
            "2026-11-22T",
            "2026-11-22T24",
            "2026-11-22T-1",
            "2026-11-22T+1",
            "2026-11-22T7",
            "2026-11-22T07:30Z and more",
            "T07",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn texts_sort_as_hours_do() {
        let texts = [
            "2026-11-22",
            "2026-11-22T00:00Z",
            "2026-11-22T09:00Z",
            "2026-11-22T23:00Z",
            "2026-11-23",
        ];
        assert!(texts.is_sorted());
        let hours = texts.map(|text| text.parse::<Hour>().unwrap());
        assert!(hours.is_sorted());
        assert_eq!(hours[0].or_last(), hours[3]);
    }
}
