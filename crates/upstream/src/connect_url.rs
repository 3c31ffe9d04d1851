//! Where a browser connects with the secret it was given.

use std::fmt::Write as _;

use hallpass_core::profile::{SessionConfig, SessionKind};
use url::Url;

/// The upstream's WebSocket address, made once.
#[derive(Debug)]
pub(crate) struct ConnectUrl {
    realtime: String,
}

impl ConnectUrl {
    /// The address that belongs to an API's base: `wss:` for `https:`.
    pub(crate) fn new(base: &Url) -> Self {
        let base = base.as_str().trim_end_matches('/');
        // "http" is "ws" and "https" is "wss".
        let rest = base.strip_prefix("http").unwrap_or(base);
        Self {
            realtime: format!("ws{rest}/realtime"),
        }
    }

    /// The address for one session: its model, or that it transcribes.
    ///
    /// OpenAI refuses a transcription secret on an address with a model.
    pub(crate) fn of(&self, session: &SessionConfig) -> String {
        if session.kind() == SessionKind::Transcription {
            return format!("{}?intent=transcription", self.realtime);
        }
        let model = session.model().unwrap_or_default();
        let mut url = String::with_capacity(self.realtime.len() + 7 + model.len());
        url.push_str(&self.realtime);
        url.push_str("?model=");
        push_encoded(&mut url, model);
        url
    }
}

impl ConnectUrl {
    /// The address of a call's sideband.
    pub(crate) fn of_call(&self, id: &str) -> String {
        let mut url = format!("{}?call_id=", self.realtime);
        push_encoded(&mut url, id);
        url
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
fn push_encoded(url: &mut String, text: &str) {
    if text.bytes().all(is_unreserved) {
        return url.push_str(text);
    }
    for byte in text.bytes() {
        if is_unreserved(byte) {
            url.push(char::from(byte));
        } else {
            // Writing into a String can't fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn session(value: &Value) -> SessionConfig {
        SessionConfig::new(value.as_object().unwrap().clone()).unwrap()
    }

    fn url(base: &str, value: &Value) -> String {
        ConnectUrl::new(&Url::parse(base).unwrap()).of(&session(value))
    }

    #[test]
    fn a_realtime_session_connects_with_its_model() {
        let realtime = json!({"type": "realtime", "model": "gpt-realtime-2.1"});
        let cases = [
            (
                "https://api.openai.com/v1",
                "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1",
            ),
            (
                "https://api.openai.com/v1/",
                "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1",
            ),
            (
                "http://127.0.0.1:9",
                "ws://127.0.0.1:9/realtime?model=gpt-realtime-2.1",
            ),
            (
                "http://[::1]:9/a/b",
                "ws://[::1]:9/a/b/realtime?model=gpt-realtime-2.1",
            ),
        ];
        for (base, expected) in cases {
            assert_eq!(url(base, &realtime), expected);
        }
    }

    #[test]
    fn a_transcription_session_connects_without_a_model() {
        let transcription =
            json!({"type": "transcription", "audio": {"input": {"transcription": {"model": "m"}}}});
        assert_eq!(
            url("https://api.openai.com/v1", &transcription),
            "wss://api.openai.com/v1/realtime?intent=transcription"
        );
    }

    #[test]
    fn a_models_name_never_adds_parameters() {
        let model = json!({"type": "realtime", "model": "a b&call_id=1#é/%"});
        assert_eq!(
            url("https://h/v1", &model),
            "wss://h/v1/realtime?model=a%20b%26call_id%3D1%23%C3%A9%2F%25"
        );
    }
}
