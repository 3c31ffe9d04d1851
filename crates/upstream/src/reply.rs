//! A client secret as it arrives, checked before it is believed.

use std::{borrow::Cow, time::Duration};

use hallpass_core::{Timestamp, expiry, profile::SessionKind, secret::ClientSecret};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{error::Category, value::RawValue};

use crate::fault::Fault;

/// The shortest and the longest text a secret may have.
const SECRET_LENGTH: std::ops::RangeInclusive<usize> = 10..=4096;
/// How far our clock and OpenAI's may differ.
const CLOCK_LEEWAY: Duration = Duration::from_secs(5 * 60);
/// Shorter keys, such as a local host's dummy, may stand in a text by chance.
const TELLING_KEY: usize = 16;
/// Our passes, our API keys, and OpenAI's standard keys.
const NOT_THEIRS: [&str; 3] = ["ek_hp_", "hp_", "sk-"];

/// What was asked for, and what must not come back.
pub(crate) struct Expected<'a> {
    /// The kind of session.
    pub(crate) kind: SessionKind,
    /// Our clock.
    pub(crate) now: Timestamp,
    /// The standard key.
    pub(crate) key: &'a SecretString,
}

/// A secret that passed every check.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The secret.
    pub(crate) secret: ClientSecret,
    /// When it stops opening sessions.
    pub(crate) expires_at: Timestamp,
    /// The session, as OpenAI wrote it.
    pub(crate) session: Box<RawValue>,
}

/// The reply's members; all others are passed over.
#[derive(Deserialize)]
struct UncheckedSecret<'a> {
    #[serde(borrow)]
    value: Cow<'a, str>,
    expires_at: i64,
    #[serde(borrow)]
    session: &'a RawValue,
}

/// The one member of the session that is looked at.
#[derive(Deserialize)]
struct UncheckedSession<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

/// Reads a success's body.
pub(crate) fn check(body: &[u8], expected: &Expected<'_>) -> Result<Checked, Fault> {
    let unchecked = parse(body)?;
    let key = expected.key.expose_secret();
    check_secret(&unchecked.value, key)?;
    check_session(unchecked.session, expected.kind, key)?;
    let expires_at = check_expiry(unchecked.expires_at, expected.now)?;
    Ok(Checked {
        secret: ClientSecret::new(unchecked.value.into_owned()),
        expires_at,
        session: unchecked.session.to_owned(),
    })
}

fn parse(body: &[u8]) -> Result<UncheckedSecret<'_>, Fault> {
    let unchecked = serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Data => Fault::NotASecret,
        Category::Io | Category::Syntax | Category::Eof => Fault::NotJson,
    })?;
    // serde reads a struct from an array, too.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Fault::NotASecret);
    }
    Ok(unchecked)
}

/// A secret travels in headers and in `Sec-WebSocket-Protocol`, so it must be a
/// token (RFC 9110, 5.6.2).
fn check_secret(value: &str, key: &str) -> Result<(), Fault> {
    if value == key || shows_key(value, key) {
        return Err(Fault::KeyShown);
    }
    if NOT_THEIRS.iter().any(|prefix| value.starts_with(prefix)) {
        return Err(Fault::SecretNotTheirs);
    }
    if !SECRET_LENGTH.contains(&value.len()) || !value.bytes().all(is_token_byte) {
        return Err(Fault::SecretMalformed);
    }
    Ok(())
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

fn check_session(session: &RawValue, kind: SessionKind, key: &str) -> Result<(), Fault> {
    let text = session.get();
    if shows_key(text, key) {
        return Err(Fault::KeyShown);
    }
    if !text.starts_with('{') {
        return Err(Fault::NotASecret);
    }
    if begins_with_kind(text, kind) {
        return Ok(());
    }
    let look: UncheckedSession<'_> = serde_json::from_str(text).map_err(|_| Fault::NotASecret)?;
    if look.kind != <&str>::from(kind) {
        return Err(Fault::OtherKind);
    }
    Ok(())
}

/// Whether the session's first member is the kind that was asked for.
///
/// OpenAI writes it first; a second pass over the whole session is for those
/// who don't.
fn begins_with_kind(session: &str, kind: SessionKind) -> bool {
    let after = |text: &'_ str, token: &str| text.trim_start().strip_prefix(token).map(str::len);
    let mut rest = session;
    for token in ["{", "\"type\"", ":", "\"", kind.into(), "\""] {
        let Some(left) = after(rest, token) else {
            return false;
        };
        rest = &rest[rest.len() - left..];
    }
    true
}

/// Whether a text that may leave for a browser or a log holds the standard key.
pub(crate) fn shows_key(text: &str, key: &str) -> bool {
    // A search is prepared in a time that grows with what is searched for, and
    // a prepared one would be a copy of the key: so the key's end is searched
    // for, and the rest compared where it is found.
    let (text, key) = (text.as_bytes(), key.as_bytes());
    let Some(end) = key.last_chunk::<TELLING_KEY>() else {
        return false;
    };
    let mut from = 0;
    while let Some(at) = memchr::memmem::find(&text[from..], end) {
        if text[..from + at + TELLING_KEY].ends_with(key) {
            return true;
        }
        from += at + 1;
    }
    false
}

fn check_expiry(seconds: i64, now: Timestamp) -> Result<Timestamp, Fault> {
    let expires_at = Timestamp::from_second(seconds).map_err(|_| Fault::ExpiryFar)?;
    if expires_at <= now {
        return Err(Fault::ExpiryPast);
    }
    let longest = Duration::from_secs(expiry::MAX_SECONDS.into()) + CLOCK_LEEWAY;
    let left = expires_at.duration_since(now).unsigned_abs();
    if left > longest {
        return Err(Fault::ExpiryFar);
    }
    Ok(expires_at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_756_310_410;
    const KEY: &str = "a-standard-key-of-the-test";

    #[test]
    fn the_quick_look_takes_only_the_kind_itself() {
        for (session, first) in [
            (r#"{"type":"realtime","model":"m"}"#, true),
            ("{ \n\"type\" : \"realtime\" }", true),
            (r#"{"type":"realtime_x"}"#, false),
            (r#"{"type":"transcription"}"#, false),
            (r#"{"object":"x","type":"realtime"}"#, false),
            (r#"{"type":null}"#, false),
            ("{", false),
            ("", false),
        ] {
            assert_eq!(
                begins_with_kind(session, SessionKind::Realtime),
                first,
                "{session}"
            );
        }
    }

    fn judge(body: &[u8], kind: SessionKind) -> Result<Checked, Fault> {
        let key = KEY.to_owned().into();
        let now = Timestamp::from_second(NOW).unwrap();
        let expected = Expected {
            kind,
            now,
            key: &key,
        };
        check(body, &expected)
    }

    fn good() -> Value {
        json!({"value": "ek_0123456789", "expires_at": NOW + 60, "session": {"type": "realtime"}})
    }

    fn with(pointer: &str, value: Value) -> Vec<u8> {
        let mut reply = good();
        *reply.pointer_mut(pointer).unwrap() = value;
        reply.to_string().into_bytes()
    }

    #[test]
    fn openais_own_example_passes_as_it_was_written() {
        let body = include_str!("../fixtures/client_secrets.response.realtime.json");
        let checked = judge(body.as_bytes(), SessionKind::Realtime).unwrap();
        assert_eq!(checked.secret.last4(), "63c2");
        assert_eq!(checked.expires_at.as_second(), 1_756_310_470);
        assert!(body.contains(checked.session.get()));
    }

    #[test]
    fn a_transcription_session_passes() {
        let body = include_str!("../fixtures/client_secrets.response.transcription.json");
        let mut reply: Value = serde_json::from_str(body).unwrap();
        // The example's value and time are cut out by its publisher.
        reply["value"] = json!("ek_0123456789");
        reply["expires_at"] = json!(NOW + 7200);
        let body = reply.to_string();
        assert!(judge(body.as_bytes(), SessionKind::Transcription).is_ok());
        assert_eq!(
            judge(body.as_bytes(), SessionKind::Realtime).err(),
            Some(Fault::OtherKind)
        );
    }

    #[test]
    fn members_that_are_not_plausible_are_refused() {
        let long = "e".repeat(4097);
        let holds_key = format!("ek_{KEY}");
        let cases = [
            ("/value", json!("ek_short"), Fault::SecretMalformed),
            ("/value", json!(""), Fault::SecretMalformed),
            ("/value", json!(long), Fault::SecretMalformed),
            ("/value", json!("ek_0123456789 "), Fault::SecretMalformed),
            ("/value", json!("ek_0123\r\n456789"), Fault::SecretMalformed),
            ("/value", json!("ek_0123456789,x"), Fault::SecretMalformed),
            ("/value", json!("ek_0123456789é"), Fault::SecretMalformed),
            ("/value", json!("ek_hp_0123456789"), Fault::SecretNotTheirs),
            ("/value", json!("hp_svc_0123456789"), Fault::SecretNotTheirs),
            ("/value", json!("sk-0123456789"), Fault::SecretNotTheirs),
            ("/value", json!(KEY), Fault::KeyShown),
            ("/value", json!(holds_key), Fault::KeyShown),
            ("/value", json!(7), Fault::NotASecret),
            ("/value", Value::Null, Fault::NotASecret),
            ("/expires_at", json!(NOW), Fault::ExpiryPast),
            ("/expires_at", json!(0), Fault::ExpiryPast),
            ("/expires_at", json!(-1), Fault::ExpiryPast),
            ("/expires_at", json!(NOW + 7501), Fault::ExpiryFar),
            ("/expires_at", json!(i64::MAX), Fault::ExpiryFar),
            ("/expires_at", json!(u64::MAX), Fault::NotASecret),
            ("/expires_at", json!("soon"), Fault::NotASecret),
            ("/session", json!([]), Fault::NotASecret),
            ("/session", json!(["realtime"]), Fault::NotASecret),
            ("/session", json!("realtime"), Fault::NotASecret),
            ("/session", Value::Null, Fault::NotASecret),
            ("/session", json!({}), Fault::NotASecret),
            ("/session", json!({"type": null}), Fault::NotASecret),
            (
                "/session",
                json!({"type": "transcription"}),
                Fault::OtherKind,
            ),
            (
                "/session",
                json!({"type": "realtime", "x": [KEY]}),
                Fault::KeyShown,
            ),
        ];
        for (pointer, value, fault) in cases {
            let verdict = judge(&with(pointer, value.clone()), SessionKind::Realtime);
            assert_eq!(verdict.err(), Some(fault), "{pointer} {value}");
        }
    }

    #[test]
    fn bounds_are_inclusive() {
        for (pointer, value) in [
            ("/value", json!("e".repeat(10))),
            ("/value", json!("e".repeat(4096))),
            ("/value", json!("!#$%&'*+-.^_`|~09azAZ")),
            ("/expires_at", json!(NOW + 1)),
            ("/expires_at", json!(NOW + 7500)),
        ] {
            let verdict = judge(&with(pointer, value.clone()), SessionKind::Realtime);
            assert!(verdict.is_ok(), "{pointer} {value}: {verdict:?}");
        }
    }

    #[test]
    fn bodies_that_are_no_reply_are_refused() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let twice = r#"{"value":"ek_0123456789","value":"ek_9876543210","expires_at":1756310470,"session":{"type":"realtime"}}"#;
        let array = format!(r#"["ek_0123456789",{},{{"type":"realtime"}}]"#, NOW + 60);
        let trailing = format!("{} {{}}", good());
        let bom = format!("\u{feff}{}", good());
        let cases: [(&[u8], Fault); 12] = [
            (b"", Fault::NotJson),
            (b"<!doctype html><title>Sign in</title>", Fault::NotJson),
            (b"{\"value\":\"ek_01234", Fault::NotJson),
            (b"\xff\xfe", Fault::NotJson),
            (b"{\"value\":\"\xff\xff\"}", Fault::NotJson),
            (trailing.as_bytes(), Fault::NotJson),
            (bom.as_bytes(), Fault::NotJson),
            (b"null", Fault::NotASecret),
            (b"{}", Fault::NotASecret),
            (twice.as_bytes(), Fault::NotASecret),
            (array.as_bytes(), Fault::NotASecret),
            (deep.as_bytes(), Fault::NotASecret),
        ];
        for (body, fault) in cases {
            let verdict = judge(body, SessionKind::Realtime).err();
            let shown = String::from_utf8_lossy(body.get(..40).unwrap_or(body));
            assert_eq!(verdict, Some(fault), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn a_key_is_found_wherever_it_stands(
            before in "[ab]{0,40}", key in "[ab]{16,24}", after in "[ab]{0,40}", other in "[ab]{16,24}",
        ) {
            let text = format!("{before}{key}{after}");
            prop_assert!(shows_key(&text, &key));
            prop_assert_eq!(shows_key(&text, &other), text.contains(&other));
        }

        #[test]
        fn no_body_panics(body in prop::collection::vec(any::<u8>(), 0..512)) {
            let _ = judge(&body, SessionKind::Realtime);
        }

        #[test]
        fn no_change_of_a_good_body_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut body = good().to_string().into_bytes();
            let at = at.index(body.len());
            body[at] = byte;
            if let Ok(checked) = judge(&body, SessionKind::Realtime) {
                prop_assert!(checked.secret.expose().bytes().all(is_token_byte));
            }
        }
    }
}
