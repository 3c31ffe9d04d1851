//! The trace a request says it is a part of: W3C Trace Context.

use std::str::FromStr;

use http::{HeaderMap, HeaderName};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The trace's id, the sender's span, and flags: all hexadecimal.
const LENGTH: usize = 55;
/// Longer `tracestate`s are dropped; the standard asks for 512 characters.
const MAX_STATE: usize = 4096;

/// The sender's span, as `traceparent` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parent<'a> {
    /// 32 lower-case hexadecimal digits, not all nought.
    pub(super) trace_id: &'a str,
    span_id: &'a str,
    /// Whether the sender keeps the trace.
    pub(super) sampled: bool,
}

impl<'a> Parent<'a> {
    /// Reads the header; none where it is absent or not as the standard says.
    pub(super) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (value, None) = (values.next()?, values.next()) else {
            return None;
        };
        Self::read(value.to_str().ok()?)
    }

    fn read(text: &'a str) -> Option<Self> {
        if !text.is_ascii() || text.len() < LENGTH {
            return None;
        }
        // Versions to come may add fields behind these four.
        let (known, rest) = text.split_at(LENGTH);
        let mut parts = known.split('-');
        let (version, trace_id) = (parts.next()?, parts.next()?);
        let (span_id, flags) = (parts.next()?, parts.next()?);
        let is_hex = |text: &str, length| {
            let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            text.len() == length && text.bytes().all(digit)
        };
        let is_id = |id: &str, length| is_hex(id, length) && id.bytes().any(|byte| byte != b'0');
        let is_version = is_hex(version, 2) && version != "ff";
        let ends = rest.is_empty() || (version != "00" && rest.starts_with('-'));
        let whole = is_id(trace_id, 32) && is_id(span_id, 16) && is_hex(flags, 2);
        if !is_version || !ends || !whole || parts.next().is_some() {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()?;
        Some(Self {
            trace_id,
            span_id,
            sampled: flags & 1 == 1,
        })
    }

    /// The sender's span, with the `tracestate` that came with it.
    pub(super) fn context(self, headers: &HeaderMap) -> SpanContext {
        let trace_id = TraceId::from_hex(self.trace_id).unwrap_or(TraceId::INVALID);
        let span_id = SpanId::from_hex(self.span_id).unwrap_or(SpanId::INVALID);
        let flags = TraceFlags::default().with_sampled(self.sampled);
        SpanContext::new(trace_id, span_id, flags, true, state(headers))
    }
}

/// The lists of all `tracestate` headers as one; empty where one is not as the
/// standard says.
fn state(headers: &HeaderMap) -> TraceState {
    let mut whole = String::new();
    for value in headers.get_all("tracestate") {
        let Ok(text) = value.to_str() else {
            return TraceState::default();
        };
        if !whole.is_empty() {
            whole.push(',');
        }
        whole.push_str(text);
        if whole.len() > MAX_STATE {
            return TraceState::default();
        }
    }
    TraceState::from_str(&whole).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn good() -> String {
        format!("00-{TRACE}-00f067aa0ba902b7-01")
    }

    #[test]
    fn only_what_the_standard_says_is_a_trace() {
        let good = good();
        let read = Parent::read(&good).unwrap();
        assert_eq!((read.trace_id, read.sampled), (TRACE, true));
        let unsampled = good.replace("-01", "-00");
        assert!(!Parent::read(&unsampled).unwrap().sampled);
        for bad in [
            String::new(),
            "00".to_owned(),
            good.to_uppercase(),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("0g-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-00f067aa0ba902b7-0"),
            format!("00-{TRACE}-00f067aa0ba902b7-0x"),
            format!("00-{TRACE}-00f067aa0ba902b-701"),
            format!("{good}-more"),
            format!("01-{TRACE}-00f067aa0ba902b7-01more"),
            format!("00-{TRACE}-00f067aa0ba902b7-é"),
            good.replace('4', "\""),
        ] {
            assert_eq!(Parent::read(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_version_to_come_is_read_as_far_as_it_is_known() {
        for text in [
            format!("01-{TRACE}-00f067aa0ba902b7-01"),
            format!("cc-{TRACE}-00f067aa0ba902b7-09-what-is-to-come"),
        ] {
            assert_eq!(Parent::read(&text).unwrap().trace_id, TRACE, "{text}");
        }
    }

    #[test]
    fn two_traceparents_are_none() {
        let mut headers = HeaderMap::new();
        headers.append("traceparent", HeaderValue::from_str(&good()).unwrap());
        assert!(Parent::of(&headers).is_some());
        headers.append("traceparent", HeaderValue::from_str(&good()).unwrap());
        assert!(Parent::of(&headers).is_none());
    }

    #[test]
    fn the_state_of_several_headers_is_one_list() {
        let mut headers = HeaderMap::new();
        for text in ["rojo=00f067aa0ba902b7", " congo=t61rcWkgMzE , "] {
            headers.append("tracestate", HeaderValue::from_str(text).unwrap());
        }
        let good = good();
        let context = Parent::read(&good).unwrap().context(&headers);
        let carried = context.trace_state().header();
        assert_eq!(carried, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
        assert!(context.is_remote() && context.is_sampled() && context.is_valid());
    }

    #[test]
    fn a_bad_state_is_dropped_and_the_trace_kept() {
        let long = format!("a={}", "x".repeat(MAX_STATE));
        for bad in ["no list", "A=b", "a=b=c", long.as_str()] {
            let mut headers = HeaderMap::new();
            headers.append("tracestate", HeaderValue::from_str(bad).unwrap());
            let good = good();
            let context = Parent::read(&good).unwrap().context(&headers);
            assert_eq!(context.trace_state().header(), "", "{bad}");
            assert!(context.is_valid());
        }
    }
}
