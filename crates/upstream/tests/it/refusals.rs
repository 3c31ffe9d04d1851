//! OpenAI's recorded refusals, each with what it becomes.

use std::time::Duration;

use hallpass_core::code::Code;
use serde_json::Value;

use crate::{scripted::reply, support::refused};

struct Case {
    status: u16,
    body: &'static str,
    code: Code,
    orphan_possible: bool,
    words: &'static str,
}

macro_rules! case {
    ($status:literal, $name:literal, $code:ident, $orphan:literal, $words:literal) => {
        Case {
            status: $status,
            body: include_str!(concat!("../../fixtures/http_error.", $name, ".json")),
            code: Code::$code,
            orphan_possible: $orphan,
            words: $words,
        }
    };
}

#[rustfmt::skip]
const CASES: [Case; 11] = [
    case!(400, "400.legacy_invalid_beta", UpstreamRejected, false, "type invalid_request_error, code invalid_beta"),
    case!(400, "400.missing_anchor", UpstreamRejected, false, "type invalid_request_error, code missing_required_parameter"),
    case!(400, "400.unknown_parameter", UpstreamRejected, false, "type invalid_request_error, code unknown_parameter"),
    case!(401, "401.invalid_api_key", UpstreamKeyRefused, false, "type invalid_request_error, code invalid_api_key"),
    case!(401, "401.missing_auth", UpstreamKeyRefused, false, "type invalid_request_error, code none"),
    case!(404, "404.call_id_not_found", UpstreamRejected, false, "type invalid_request_error, code call_id_not_found"),
    case!(429, "429.credit_balance_exhausted", UpstreamQuotaExhausted, false, "type insufficient_quota, code credit_balance_exhausted"),
    case!(429, "429.insufficient_quota", UpstreamQuotaExhausted, false, "type insufficient_quota, code insufficient_quota"),
    case!(429, "429.rate_limit_exceeded", UpstreamRateLimited, false, "type requests, code rate_limit_exceeded"),
    case!(500, "500", UpstreamUnavailable, true, "type server_error, code none"),
    case!(503, "503", UpstreamUnavailable, true, "type service_unavailable_error, code server_is_overloaded"),
];

#[tokio::test]
async fn every_recorded_reply_has_its_code_and_words() {
    for case in CASES {
        let failure = refused(reply(case.status, "x-request-id: req_7\r\n", case.body)).await;
        let internal = failure.refusal.internal.clone().unwrap();
        assert_eq!(failure.refusal.code, case.code, "{}", case.body);
        assert_eq!(failure.upstream.orphan_possible, case.orphan_possible);
        assert_eq!(failure.upstream.status, Some(case.status));
        assert_eq!(failure.upstream.request_id.as_deref(), Some("req_7"));
        let tail = format!("(status {}, {})", case.status, case.words);
        assert!(internal.ends_with(&tail), "{internal}");
    }
}

#[tokio::test]
async fn no_text_of_the_upstream_is_repeated() {
    for case in CASES {
        let failure = refused(reply(case.status, "", case.body)).await;
        let body: Value = serde_json::from_str(case.body).unwrap();
        let message = body["error"]["message"].as_str().unwrap();
        assert!(!format!("{failure:?}").contains(message), "{message}");
    }
}

#[tokio::test]
async fn the_status_decides_where_the_body_is_no_json() {
    let html = "<!doctype html><title>Bad gateway</title>";
    let cases = [
        (400, Code::UpstreamRejected),
        (401, Code::UpstreamKeyRefused),
        (403, Code::UpstreamForbidden),
        (404, Code::UpstreamRejected),
        (405, Code::UpstreamRejected),
        (408, Code::UpstreamTimeout),
        (422, Code::UpstreamRejected),
        (429, Code::UpstreamRateLimited),
        (500, Code::UpstreamUnavailable),
        (502, Code::UpstreamUnavailable),
        (504, Code::UpstreamUnavailable),
        (302, Code::UpstreamBadAnswer),
        (202, Code::UpstreamBadAnswer),
        (204, Code::UpstreamBadAnswer),
        (206, Code::UpstreamBadAnswer),
        (600, Code::UpstreamBadAnswer),
    ];
    for (status, code) in cases {
        let failure = refused(reply(status, "", html)).await;
        assert_eq!(failure.refusal.code, code, "{status}");
    }
}

#[tokio::test]
async fn a_refused_override_names_the_callers_member() {
    let body = r#"{"error": {"message": "Invalid value: 'bob'.", "type": "invalid_request_error", "param": "session.audio.output.voice", "code": "invalid_value"}}"#;
    let failure = refused(reply(400, "", body)).await;
    assert_eq!(failure.refusal.code, Code::OverrideRejected);
    assert_eq!(
        failure.refusal.member.as_deref(),
        Some("session.audio.output.voice")
    );
}

#[tokio::test]
async fn the_upstreams_wait_is_passed_on_within_a_minute() {
    let cases = [
        (429, "retry-after: 7\r\n", Some(7000)),
        (429, "retry-after: 7\r\nretry-after-ms: 250\r\n", Some(250)),
        (429, "retry-after: 9999\r\n", Some(60_000)),
        (429, "", Some(1000)),
        (503, "retry-after: 3\r\n", Some(3000)),
        (503, "", Some(2000)),
        (401, "retry-after: 3\r\n", None),
    ];
    for (status, headers, wait) in cases {
        let failure = refused(reply(status, headers, "{}")).await;
        let wait = wait.map(Duration::from_millis);
        assert_eq!(failure.refusal.retry_after, wait, "{status} {headers:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere =
        crate::scripted::Upstream::start(crate::scripted::Script::Answer(crate::support::good()))
            .await;
    let location = format!("location: http://{}/v1\r\n", elsewhere.address);
    for status in [301, 302, 303, 307, 308] {
        let failure = refused(reply(status, &location, "")).await;
        assert_eq!(failure.refusal.code, Code::UpstreamBadAnswer);
        assert!(!failure.upstream.orphan_possible);
    }
    assert_eq!(elsewhere.connections(), 0);
}
