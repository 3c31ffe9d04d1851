//! The trace a request says it is a part of: W3C Trace Context.

use http::HeaderMap;

/// `00-` and the trace's id, the sender's span, and flags: all hexadecimal.
const LENGTH: usize = 55;

/// A trace's id, as `traceparent` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceParent<'a> {
    /// 32 lower-case hexadecimal digits, not all nought.
    pub(crate) trace_id: &'a str,
    /// Whether the sender keeps the trace.
    pub(crate) sampled: bool,
}

impl<'a> TraceParent<'a> {
    /// Reads the header; none where it is absent or not as the standard says.
    pub(crate) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let mut values = headers.get_all("traceparent").iter();
        let (value, None) = (values.next()?, values.next()) else {
            return None;
        };
        Self::read(value.to_str().ok()?)
    }

    fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace_id) = (parts.next()?, parts.next()?);
        let (span, flags) = (parts.next()?, parts.next()?);
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_id = |id: &str, length| {
            id.len() == length && id.bytes().all(digit) && id.bytes().any(|byte| byte != b'0')
        };
        let known = version == "00" && text.len() == LENGTH && parts.next().is_none();
        let whole = is_id(trace_id, 32) && is_id(span, 16) && flags.bytes().all(digit);
        if !known || !whole {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()?;
        Some(Self {
            trace_id,
            sampled: flags & 1 == 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_standard_says_is_a_trace() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let good = format!("00-{trace}-00f067aa0ba902b7-01");
        let read = TraceParent::read(&good).unwrap();
        assert_eq!((read.trace_id, read.sampled), (trace, true));
        let unsampled = good.replace("-01", "-00");
        assert!(!TraceParent::read(&unsampled).unwrap().sampled);
        for bad in [
            String::new(),
            "00".to_owned(),
            good.to_uppercase(),
            format!("ff-{trace}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("{good}-more"),
            format!("00-{trace}-00f067aa0ba902b7-é"),
            good.replace('4', "\""),
        ] {
            assert_eq!(TraceParent::read(&bad), None, "{bad}");
        }
    }
}
