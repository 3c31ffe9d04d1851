//! Where a caller's limits stand: `RateLimit-Policy`, `RateLimit`, `Retry-After`.

use std::time::Duration;

use hallpass_core::quota::LimitState;
use http::{HeaderMap, HeaderName, HeaderValue, header};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// Bytes of a caller's three or four limits.
const USUAL: usize = 128;

/// Writes the limits that are the caller's own; those of all callers together
/// are nobody's business.
pub(crate) fn write<'a>(headers: &mut HeaderMap, limits: impl IntoIterator<Item = &'a LimitState>) {
    let mut policy = Vec::with_capacity(USUAL);
    let mut state = Vec::with_capacity(USUAL);
    for limit in limits
        .into_iter()
        .filter(|limit| limit.name.starts_with("caller-"))
    {
        push_name(&mut policy, limit.name);
        push_number(&mut policy, b";q=", limit.rate.count);
        push_number(&mut policy, b";w=", limit.rate.seconds);
        push_name(&mut state, limit.name);
        push_number(&mut state, b";r=", limit.remaining);
        push_number(&mut state, b";t=", whole_seconds(limit.reset));
    }
    if policy.is_empty() {
        return;
    }
    if let (Ok(policy), Ok(state)) = (HeaderValue::try_from(policy), HeaderValue::try_from(state)) {
        headers.insert(POLICY, policy);
        headers.insert(STATE, state);
    }
}

/// Begins the next member of a list.
fn push_name(list: &mut Vec<u8>, name: &str) {
    list.extend_from_slice(if list.is_empty() { b"\"" } else { b", \"" });
    list.extend_from_slice(name.as_bytes());
    list.push(b'"');
}

fn push_number(list: &mut Vec<u8>, parameter: &[u8; 3], value: impl itoa::Integer) {
    list.extend_from_slice(parameter);
    list.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
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
