//! How long the upstream wants us to wait.

use std::time::Duration;

use hallpass_core::Timestamp;
use http::{HeaderMap, HeaderName, header::RETRY_AFTER};
use jiff::fmt::rfc2822::DateTimeParser;

/// Longer waits are no advice to a person.
const LONGEST_SECONDS: f64 = 60.0;

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// The wait in a reply's head, at most a minute; the finer header wins.
pub(crate) fn read(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let milliseconds = text(RETRY_AFTER_MS)
        .and_then(number)
        .map(|value| value / 1000.0);
    let seconds = milliseconds.or_else(|| {
        let text = text(RETRY_AFTER)?;
        number(text).or_else(|| until(text, now))
    })?;
    Duration::try_from_secs_f64(seconds.clamp(0.0, LONGEST_SECONDS)).ok()
}

fn number(text: &str) -> Option<f64> {
    text.trim()
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
}

fn until(date: &str, now: Timestamp) -> Option<f64> {
    let date = DateTimeParser::new().parse_timestamp(date).ok()?;
    Some(date.duration_since(now).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    type Headers = &'static [(&'static str, &'static str)];

    fn wait(headers: Headers) -> Option<Duration> {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        // Sun, 06 Nov 1994 08:49:37 GMT.
        read(&headers, Timestamp::from_second(784_111_777).unwrap())
    }

    #[test]
    fn seconds_milliseconds_and_dates_are_read() {
        let cases: [(Headers, Option<u64>); 12] = [
            (&[], None),
            (&[("retry-after", "2")], Some(2000)),
            (&[("retry-after", "0.5")], Some(500)),
            (&[("retry-after-ms", "300")], Some(300)),
            (
                &[("retry-after", "9"), ("retry-after-ms", "300")],
                Some(300),
            ),
            (
                &[("retry-after", "9"), ("retry-after-ms", "soon")],
                Some(9000),
            ),
            (
                &[("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT")],
                Some(10_000),
            ),
            (&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")], Some(0)),
            (&[("retry-after", "86400")], Some(60_000)),
            (&[("retry-after", "1e300")], Some(60_000)),
            (&[("retry-after", "-1")], Some(0)),
            (&[("retry-after", "NaN")], None),
        ];
        for (headers, expected) in cases {
            assert_eq!(
                wait(headers),
                expected.map(Duration::from_millis),
                "{headers:?}"
            );
        }
    }
}
