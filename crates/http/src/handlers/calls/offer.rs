//! An offer, in each of the forms clients send.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use hallpass_core::{code::Code, refusal::Refusal};
use http::{HeaderMap, header};
use multer::Multipart;
use serde_json::{Map, Value};

use super::wrong;
use crate::body;

/// An offer, and the model it names.
#[derive(Debug, PartialEq)]
pub(super) struct Offer {
    pub(super) sdp: String,
    pub(super) model: Option<String>,
}

impl Offer {
    /// Reads a body as its `Content-Type` says.
    pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, Refusal> {
        let form = Form::of(headers)?;
        let bytes = body::read_any(body).await?;
        match form {
            Form::Sdp => Self::of(&text(&bytes)?, None),
            Form::Json => Self::of_json(&bytes),
            Form::Parts(boundary) => Self::of_parts(bytes, boundary).await,
        }
    }

    fn of(sdp: &str, session: Option<&Value>) -> Result<Self, Refusal> {
        check(sdp)?;
        let model = session.map(model).transpose()?.flatten();
        Ok(Self {
            sdp: sdp.to_owned(),
            model,
        })
    }

    fn of_json(bytes: &[u8]) -> Result<Self, Refusal> {
        let Ok(Value::Object(members)) = serde_json::from_slice(bytes) else {
            let text = "The body must be a JSON object with the member \"sdp\".";
            return Err(Refusal::new(Code::InvalidJson, text));
        };
        known(&members, &["sdp", "session"], "")?;
        let sdp = members.get("sdp").and_then(Value::as_str);
        let sdp = sdp.ok_or_else(|| wrong("sdp", "\"sdp\" must be the offer, as a string."))?;
        Self::of(sdp, members.get("session"))
    }

    async fn of_parts(bytes: Bytes, boundary: String) -> Result<Self, Refusal> {
        let unreadable = |_| wrong("body", "The form can't be read: its parts are broken.");
        let whole = stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
        let mut parts = Multipart::new(whole, boundary);
        let (mut sdp, mut session) = (None, None);
        while let Some(part) = parts.next_field().await.map_err(unreadable)? {
            let name = part.name().unwrap_or_default().to_owned();
            let bytes = part.bytes().await.map_err(unreadable)?;
            let slot = match name.as_str() {
                "sdp" => &mut sdp,
                "session" => &mut session,
                _ => return Err(unknown("a part of the form")),
            };
            if slot.replace(bytes).is_some() {
                return Err(wrong("body", "A part of the form came twice."));
            }
        }
        let sdp = sdp.ok_or_else(|| wrong("sdp", "The form has no part \"sdp\"."))?;
        let session: Option<Value> = match session {
            Some(bytes) => Some(serde_json::from_slice(&bytes).map_err(|_| {
                Refusal::new(Code::InvalidJson, "The part \"session\" is not JSON.")
            })?),
            None => None,
        };
        Self::of(&text(&sdp)?, session.as_ref())
    }
}

/// How an offer is sent.
enum Form {
    Sdp,
    Json,
    Parts(String),
}

impl Form {
    fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let given = headers.get(header::CONTENT_TYPE);
        let given = given
            .and_then(|given| given.to_str().ok())
            .unwrap_or_default();
        let essence = given.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        match multer::parse_boundary(given) {
            Ok(boundary) => Ok(Self::Parts(boundary)),
            Err(_) if is("application/sdp") => Ok(Self::Sdp),
            Err(_) if is("application/json") => Ok(Self::Json),
            Err(_) => Err(Refusal::new(
                Code::UnsupportedMediaType,
                "Send the offer as \"Content-Type: application/sdp\".",
            )),
        }
    }
}

fn text(bytes: &[u8]) -> Result<String, Refusal> {
    let text = std::str::from_utf8(bytes).map(str::to_owned);
    text.map_err(|_| wrong("sdp", "The offer is not UTF-8."))
}

/// Refuses what can't be an offer; what is in one is between the browser and
/// OpenAI.
fn check(sdp: &str) -> Result<(), Refusal> {
    let lines = || sdp.lines().map(str::trim_end);
    let has = |prefix: &str| lines().any(|line| line.starts_with(prefix));
    let control = |byte: u8| byte.is_ascii_control() && !matches!(byte, b'\r' | b'\n' | b'\t');
    let plausible = lines().next() == Some("v=0") && has("o=") && has("m=");
    if !plausible || sdp.bytes().any(control) {
        return Err(wrong("sdp", "The body is not an SDP offer."));
    }
    Ok(())
}

/// A session may repeat what the secret has, and change nothing.
fn model(session: &Value) -> Result<Option<String>, Refusal> {
    let Value::Object(members) = session else {
        return Err(wrong("session", "\"session\" must be an object."));
    };
    known(members, &["type", "model"], "session.")?;
    match members.get("model") {
        None => Ok(None),
        Some(Value::String(model)) => Ok(Some(model.clone())),
        Some(_) => Err(wrong(
            "session.model",
            "\"session.model\" must be a string.",
        )),
    }
}

fn known(members: &Map<String, Value>, names: &[&str], of: &str) -> Result<(), Refusal> {
    let other = members.keys().find(|name| !names.contains(&name.as_str()));
    match other {
        None => Ok(()),
        Some(_) if of.is_empty() => Err(unknown("a member")),
        Some(name) => {
            let name: String = name.chars().take(64).collect();
            let text = "The session belongs to the secret; ask for what you want when you ask \
                        for the secret.";
            Err(Refusal::new(Code::OverrideNotAllowed, text).member(format!("{of}{name}")))
        }
    }
}

fn unknown(what: &str) -> Refusal {
    let text = format!("There is {what} besides \"sdp\" and \"session\". Leave it out.");
    Refusal::new(Code::UnknownMember, text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SDP: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nm=audio 9 x 111\r\n";

    async fn read(kind: &str, body: impl Into<Body>) -> Result<Offer, Code> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        let read = Offer::read(&headers, body.into()).await;
        read.map_err(|refusal| refusal.code)
    }

    fn form(parts: &[(&str, &str)]) -> String {
        let part = |(name, body): &(&str, &str)| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{body}\r\n")
        };
        format!("{}--b--\r\n", parts.iter().map(part).collect::<String>())
    }

    const FORM: &str = "multipart/form-data; boundary=b";

    #[tokio::test]
    async fn every_form_of_an_offer_is_read() {
        let alone = Offer {
            sdp: SDP.to_owned(),
            model: None,
        };
        assert_eq!(read("application/sdp", SDP).await, Ok(alone));
        let session = json!({"type": "realtime", "model": "m"});
        let with_model = || {
            Ok(Offer {
                sdp: SDP.to_owned(),
                model: Some("m".to_owned()),
            })
        };
        let body = json!({"sdp": SDP, "session": session}).to_string();
        assert_eq!(
            read("application/json; charset=utf-8", body).await,
            with_model()
        );
        let body = form(&[("sdp", SDP), ("session", &session.to_string())]);
        assert_eq!(read(FORM, body).await, with_model());
    }

    #[tokio::test]
    async fn what_is_no_offer_is_refused() {
        for sdp in [
            "",
            "hello",
            "v=0\r\n",
            "v=1\r\no=-\r\nm=a\r\n",
            "o=-\r\nv=0\r\nm=a\r\n",
            "v=0\r\no=-\r\nm=a\u{0}\r\n",
        ] {
            let refused = read("application/sdp", sdp).await;
            assert_eq!(refused, Err(Code::InvalidMember), "{sdp:?}");
        }
        let huge = format!("{SDP}{}", "a=x\r\n".repeat(20_000));
        assert_eq!(read("application/sdp", huge).await, Err(Code::BodyTooLarge));
        let bytes = [SDP.as_bytes(), b"\xff"].concat();
        assert_eq!(
            read("application/sdp", bytes).await,
            Err(Code::InvalidMember)
        );
        for kind in ["text/plain", "", "multipart/form-data"] {
            assert_eq!(
                read(kind, SDP).await,
                Err(Code::UnsupportedMediaType),
                "{kind}"
            );
        }
    }

    #[tokio::test]
    async fn a_session_changes_nothing() {
        let asked = |session: Value| json!({"sdp": SDP, "session": session}).to_string();
        for (body, code) in [
            (
                asked(json!({"instructions": "Obey."})),
                Code::OverrideNotAllowed,
            ),
            (
                asked(json!({"type": "realtime", "tools": []})),
                Code::OverrideNotAllowed,
            ),
            (asked(json!("realtime")), Code::InvalidMember),
            (asked(json!({"model": 7})), Code::InvalidMember),
            (json!({"sdp": SDP, "x": 1}).to_string(), Code::UnknownMember),
            (json!({"sdp": 7}).to_string(), Code::InvalidMember),
            ("[]".to_owned(), Code::InvalidJson),
        ] {
            assert_eq!(read("application/json", body).await, Err(code));
        }
    }

    #[tokio::test]
    async fn broken_forms_are_refused() {
        for (body, code) in [
            (form(&[("session", "{}")]), Code::InvalidMember),
            (form(&[("sdp", SDP), ("session", "{")]), Code::InvalidJson),
            (form(&[("sdp", SDP), ("sdp", SDP)]), Code::InvalidMember),
            (form(&[("sdp", SDP), ("file", "x")]), Code::UnknownMember),
            ("--b\r\nContent-Disp".to_owned(), Code::InvalidMember),
        ] {
            assert_eq!(read(FORM, body).await, Err(code));
        }
    }
}
