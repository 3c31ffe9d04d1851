//! OpenAI's error replies, of which only known words are believed.

use http::StatusCode;
use serde_json::Value;

use crate::{failure::Failure, fault::Fault};

/// The values of `error.type` and `error.code` that may be repeated in a log.
const KNOWN: [&str; 36] = [
    "access_terminated",
    "authentication_error",
    "billing_hard_limit_reached",
    "billing_not_active",
    "call_id_not_found",
    "credit_balance_exhausted",
    "engine_overloaded",
    "insufficient_permissions",
    "insufficient_quota",
    "integer_above_max_value",
    "integer_below_min_value",
    "internal_error",
    "invalid_api_key",
    "invalid_beta",
    "invalid_issuer",
    "invalid_model",
    "invalid_organization",
    "invalid_project",
    "invalid_request_error",
    "invalid_type",
    "invalid_value",
    "ip_not_authorized",
    "missing_required_parameter",
    "model_not_found",
    "not_found_error",
    "permission_error",
    "rate_limit_error",
    "rate_limit_exceeded",
    "requests",
    "server_error",
    "server_is_overloaded",
    "service_unavailable_error",
    "slow_down",
    "tokens",
    "unknown_parameter",
    "unsupported_country_region_territory",
];

/// An error reply's `type` and `code`: known words, `none` or `unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words {
    /// `error.type`.
    pub(crate) kind: &'static str,
    /// `error.code`.
    pub(crate) code: &'static str,
}

/// Judges a reply that is no success.
///
/// The status decides; the body, which may be anything, only tells cases of one
/// status apart. `overridden` are the members the caller chose, dotted.
pub(crate) fn judge(status: StatusCode, body: &[u8], overridden: &[String]) -> Failure {
    let reply: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &reply["error"];
    let words = Words {
        kind: known(&error["type"]),
        code: known(&error["code"]),
    };
    let fault = match status.as_u16() {
        200..=299 => Fault::OddSuccess,
        300..=399 => Fault::Redirected,
        400 => return bad_request(&error["param"], overridden).words(words),
        401 => Fault::KeyRefused,
        403 => Fault::Forbidden,
        404 | 405 => Fault::NoSuchRoute,
        408 => Fault::RequestTimeout,
        429 if has_no_credit(words) => Fault::QuotaExhausted,
        429 => Fault::RateLimited,
        402..=499 => Fault::Rejected,
        500..=599 => Fault::Unavailable,
        _ => Fault::OddStatus,
    };
    Failure::from(fault).words(words)
}

fn known(word: &Value) -> &'static str {
    match word {
        Value::Null => "none",
        Value::String(text) => KNOWN
            .into_iter()
            .find(|known| known == text)
            .unwrap_or("unknown"),
        _ => "unknown",
    }
}

/// OpenAI has renamed the code once; the type stayed.
fn has_no_credit(words: Words) -> bool {
    let tells = |word| matches!(word, "insufficient_quota" | "credit_balance_exhausted");
    tells(words.code) || tells(words.kind)
}

fn bad_request(param: &Value, overridden: &[String]) -> Failure {
    let refused = param
        .as_str()
        .and_then(|param| param.strip_prefix("session."));
    let member = refused.and_then(|refused| overridden.iter().find(|own| covers(own, refused)));
    match member {
        // The caller reads their own path, never the upstream's text.
        Some(own) => Failure::from(Fault::OverrideRejected).member(Some(format!("session.{own}"))),
        None => Fault::Rejected.into(),
    }
}

/// Whether a path OpenAI names lies at or below one of ours.
fn covers(own: &str, refused: &str) -> bool {
    refused
        .strip_prefix(own)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn verdict(status: u16, body: &Value) -> Failure {
        let status = StatusCode::from_u16(status).unwrap();
        let overridden = ["audio.output.voice".to_owned(), "tools".to_owned()];
        judge(status, body.to_string().as_bytes(), &overridden)
    }

    fn none(fault: Fault) -> Failure {
        Failure::from(fault).words(Words {
            kind: "none",
            code: "none",
        })
    }

    #[test]
    fn the_status_decides() {
        let cases = [
            (101, Fault::OddStatus),
            (202, Fault::OddSuccess),
            (204, Fault::OddSuccess),
            (300, Fault::Redirected),
            (302, Fault::Redirected),
            (308, Fault::Redirected),
            (400, Fault::Rejected),
            (401, Fault::KeyRefused),
            (402, Fault::Rejected),
            (403, Fault::Forbidden),
            (404, Fault::NoSuchRoute),
            (405, Fault::NoSuchRoute),
            (408, Fault::RequestTimeout),
            (409, Fault::Rejected),
            (413, Fault::Rejected),
            (418, Fault::Rejected),
            (422, Fault::Rejected),
            (429, Fault::RateLimited),
            (431, Fault::Rejected),
            (499, Fault::Rejected),
            (500, Fault::Unavailable),
            (502, Fault::Unavailable),
            (503, Fault::Unavailable),
            (504, Fault::Unavailable),
            (529, Fault::Unavailable),
            (600, Fault::OddStatus),
            (999, Fault::OddStatus),
        ];
        for (status, fault) in cases {
            assert_eq!(verdict(status, &json!({})), none(fault), "{status}");
        }
    }

    #[test]
    fn an_overrides_refusal_names_our_own_path() {
        let cases = [
            (
                "session.audio.output.voice",
                Some("session.audio.output.voice"),
            ),
            (
                "session.audio.output.voice.id",
                Some("session.audio.output.voice"),
            ),
            ("session.tools[0].name", Some("session.tools")),
            ("session.audio.output.voices", None),
            ("session.audio.output", None),
            ("audio.output.voice", None),
            ("session.model", None),
            ("session", None),
            ("", None),
        ];
        for (param, member) in cases {
            let fault = member.map_or(Fault::Rejected, |_| Fault::OverrideRejected);
            let expected = none(fault).member(member.map(str::to_owned));
            let body = json!({"error": {"param": param}});
            assert_eq!(verdict(400, &body), expected, "{param:?}");
        }
    }

    #[test]
    fn no_credit_is_told_by_type_or_code() {
        let cases = [
            (json!({"type": "insufficient_quota"}), Fault::QuotaExhausted),
            (
                json!({"type": "insufficient_quota", "code": "new"}),
                Fault::QuotaExhausted,
            ),
            (json!({"code": "insufficient_quota"}), Fault::QuotaExhausted),
            (
                json!({"code": "credit_balance_exhausted"}),
                Fault::QuotaExhausted,
            ),
            (
                json!({"type": "tokens", "code": "slow_down"}),
                Fault::RateLimited,
            ),
        ];
        for (error, fault) in cases {
            let words = Words {
                kind: known(&error["type"]),
                code: known(&error["code"]),
            };
            let expected = Failure::from(fault).words(words);
            assert_eq!(verdict(429, &json!({"error": error})), expected);
        }
    }

    #[test]
    fn only_known_words_are_repeated() {
        assert_eq!(known(&json!("invalid_api_key")), "invalid_api_key");
        assert_eq!(known(&json!("invalid_api_key\n")), "unknown");
        assert_eq!(known(&json!(7)), "unknown");
        assert_eq!(known(&json!(["tokens"])), "unknown");
        assert_eq!(known(&Value::Null), "none");
        assert!(KNOWN.is_sorted());
    }

    proptest! {
        #[test]
        fn nothing_of_a_reply_is_repeated(status in 100_u16..1000, marker in "[a-z]{8}Q[a-z]{8}", place in 0_usize..6) {
            let bodies = [
                json!({"error": {"message": marker, "type": marker, "code": marker}}),
                json!({"error": {"param": format!("session.audio.output.voice.{marker}")}}),
                json!({"error": {"param": format!("session.{marker}")}}),
                json!({"error": marker}),
                json!([{"error": {marker.as_str(): marker}}]),
                json!(marker),
            ];
            let told = format!("{:?}", verdict(status, &bodies[place]));
            prop_assert!(!told.contains(&marker));
        }

        #[test]
        fn no_body_panics(status in 100_u16..1000, body in prop::collection::vec(any::<u8>(), 0..256)) {
            judge(StatusCode::from_u16(status).unwrap(), &body, &[String::new()]);
        }
    }
}
