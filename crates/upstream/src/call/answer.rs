//! OpenAI's answer to a call, checked before it is believed.

use http::{HeaderMap, StatusCode, header::LOCATION};
use serde_json::Value;

use super::Answered;
use crate::{envelope, failure::Failure, fault::Fault, reply::shows_key};

/// The longest id of a call that is kept.
const LONGEST_ID: usize = 128;

/// Reads a success.
pub(super) fn read(headers: &HeaderMap, body: &[u8], key: &str) -> Result<Answered, Fault> {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let call_id = location.and_then(call_id).ok_or(Fault::NotACall)?;
    let answer = std::str::from_utf8(body).map_err(|_| Fault::NotACall)?;
    if !answer.starts_with("v=0") {
        return Err(Fault::NotACall);
    }
    if shows_key(answer, key) || shows_key(call_id, key) {
        return Err(Fault::KeyShown);
    }
    Ok(Answered {
        call_id: call_id.to_owned(),
        answer: answer.to_owned(),
    })
}

/// The call's id: what follows the last `/calls/`, for OpenAI was seen to
/// write that twice, and to end with a slash.
fn call_id(location: &str) -> Option<&str> {
    let path = location.split(['?', '#']).next()?;
    let (_, id) = path.rsplit_once("/calls/")?;
    let id = id.trim_end_matches('/');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let usable = !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(plain);
    usable.then_some(id)
}

/// Judges a reply that is no success.
pub(super) fn judge(status: StatusCode, body: &[u8]) -> Failure {
    let reply: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &reply["error"];
    let of_offer = error["param"] == "sdp" || error["code"] == "invalid_offer";
    if status == StatusCode::BAD_REQUEST && of_offer {
        return Failure::from(Fault::OfferRejected).member(Some("sdp".to_owned()));
    }
    envelope::judge(status, body, &[])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "a-standard-key-of-the-test";

    fn answered(location: &str, body: &str) -> Result<String, Fault> {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, location.parse().unwrap());
        read(&headers, body.as_bytes(), KEY).map(|answered| answered.call_id)
    }

    #[test]
    fn the_id_is_found_in_every_form_that_was_seen() {
        for location in [
            "/v1/realtime/calls/rtc_u1_9c65",
            "/v1/realtime/calls/rtc_u1_9c65/",
            "/v1/realtime/calls/calls/rtc_u1_9c65",
            "https://api.openai.com/v1/realtime/calls/rtc_u1_9c65?x=1",
        ] {
            assert_eq!(answered(location, "v=0\r\n"), Ok("rtc_u1_9c65".to_owned()));
        }
    }

    #[test]
    fn what_could_not_be_hung_up_is_no_call() {
        let long = format!("/calls/{}", "r".repeat(129));
        for location in [
            "/v1/realtime/rtc_1",
            "/calls/",
            "/calls/a/b",
            "/calls/a%2f",
            &long,
        ] {
            assert_eq!(
                answered(location, "v=0\r\n"),
                Err(Fault::NotACall),
                "{location}"
            );
        }
        assert_eq!(answered("/calls/rtc_1", "{}"), Err(Fault::NotACall));
        assert!(read(&HeaderMap::new(), b"v=0\r\n", KEY).is_err());
        let shown = format!("v=0\r\na={KEY}\r\n");
        assert_eq!(answered("/calls/rtc_1", &shown), Err(Fault::KeyShown));
    }

    #[test]
    fn an_offer_that_is_refused_is_the_browsers_fault() {
        let body = json!({"error": {"code": "invalid_offer", "param": null}}).to_string();
        let failure = judge(StatusCode::BAD_REQUEST, body.as_bytes());
        assert_eq!(failure.fault(), Fault::OfferRejected);
        let body = json!({"error": {"code": "unknown_parameter", "param": "session.x"}});
        let failure = judge(StatusCode::BAD_REQUEST, body.to_string().as_bytes());
        assert_eq!(failure.fault(), Fault::Rejected);
    }
}
