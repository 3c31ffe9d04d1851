//! Where a caller's limits stand: `RateLimit-Policy`, `RateLimit`, `Retry-After`.

use std::time::Duration;

use hallpass_core::quota::LimitState;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Writes the limits that are the caller's own; those of all callers together
/// are nobody's business.
pub(crate) fn write<'a>(headers: &mut HeaderMap, limits: impl IntoIterator<Item = &'a LimitState>) {
    let (mut policy, mut state) = (String::new(), String::new());
    let mut number = itoa::Buffer::new();
    for limit in limits
        .into_iter()
        .filter(|limit| limit.name.starts_with("caller-"))
    {
        let mut member = |text: &mut String, name: &str, value: u64| {
            text.push_str(name);
            text.push_str(number.format(value));
        };
        for text in [&mut policy, &mut state] {
            text.push_str(if text.is_empty() { "\"" } else { ", \"" });
            text.push_str(limit.name);
            text.push('"');
        }
        member(&mut policy, ";q=", limit.rate.count.into());
        member(&mut policy, ";w=", limit.rate.seconds.into());
        member(&mut state, ";r=", limit.remaining.into());
        member(&mut state, ";t=", whole_seconds(limit.reset));
    }
    if policy.is_empty() {
        return;
    }
    if let (Ok(policy), Ok(state)) = (HeaderValue::try_from(policy), HeaderValue::try_from(state)) {
        headers.insert(HeaderName::from_static("ratelimit-policy"), policy);
        headers.insert(HeaderName::from_static("ratelimit"), state);
    }
}

/// Writes how long to wait.
pub(crate) fn retry_after(headers: &mut HeaderMap, wait: Duration) {
    headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
}

/// Seconds, rounded up: a caller who obeys is not early.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use hallpass_core::quota::Rate;

    use super::*;

    #[test]
    fn only_the_callers_own_limits_are_told() {
        let limit = |name| LimitState {
            name,
            rate: Rate::per_minute(5),
            remaining: 4,
            reset: Duration::from_millis(11_001),
        };
        let mut headers = HeaderMap::new();
        write(
            &mut headers,
            &[limit("caller-minute"), limit("global-minute")],
        );
        assert_eq!(headers["ratelimit-policy"], "\"caller-minute\";q=5;w=60");
        assert_eq!(headers["ratelimit"], "\"caller-minute\";r=4;t=12");
    }
}
