//! The one request we send.

use std::{borrow::Cow, fmt::Write as _};

use bytes::Bytes;
use hallpass_core::ports::MintOrder;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, USER_AGENT},
};
use secrecy::ExposeSecret;

use crate::{
    body::{Outgoing, Sent},
    fault::Fault,
    settings::{SettingsError, UpstreamKind, UpstreamSettings},
};

const API_KEY: HeaderName = HeaderName::from_static("api-key");
const ORGANIZATION: HeaderName = HeaderName::from_static("openai-organization");
const PROJECT: HeaderName = HeaderName::from_static("openai-project");
pub(crate) const SAFETY_IDENTIFIER: HeaderName =
    HeaderName::from_static("openai-safety-identifier");

/// All of the request that does not change.
///
/// `Debug` is not implemented: one header is the standard key.
pub(crate) struct Template {
    uri: Uri,
    headers: HeaderMap,
}

impl Template {
    /// Prepares the address and the constant headers.
    pub(crate) fn new(settings: &UpstreamSettings) -> Result<Self, SettingsError> {
        let base = settings.base_url.as_str().trim_end_matches('/');
        let uri = format!("{base}/realtime/client_secrets").parse()?;
        let json = HeaderValue::from_static("application/json");
        let mut headers = identity(settings)?;
        headers.extend([
            (CONTENT_TYPE, json.clone()),
            (ACCEPT, json),
            (ACCEPT_ENCODING, HeaderValue::from_static("identity")),
        ]);
        let headers = headers.into_iter().collect();
        Ok(Self { uri, headers })
    }

    /// The request for one order; `sent` tells when its body is taken.
    pub(crate) fn request(
        &self,
        order: &MintOrder,
        sent: Sent,
    ) -> Result<Request<Outgoing>, Fault> {
        let identifier = HeaderValue::from_str(&order.safety_identifier);
        let identifier = identifier.map_err(|_| Fault::Unsendable)?;
        let mut headers = self.headers.clone();
        headers.insert(SAFETY_IDENTIFIER, identifier);
        let mut request = Request::new(Outgoing::new(body(order), sent));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// The headers that say who we are, on requests of any kind.
pub(crate) fn identity(
    settings: &UpstreamSettings,
) -> Result<Vec<(HeaderName, HeaderValue)>, SettingsError> {
    let mut headers = vec![
        credential(settings)?,
        (USER_AGENT, value("user_agent", &settings.user_agent)?),
    ];
    if let Some(text) = &settings.organization {
        headers.push((ORGANIZATION, value("organization", text)?));
    }
    if let Some(text) = &settings.project {
        headers.push((PROJECT, value("project", text)?));
    }
    Ok(headers)
}

/// The header that says who we are.
fn credential(settings: &UpstreamSettings) -> Result<(HeaderName, HeaderValue), SettingsError> {
    let key = settings.api_key.expose_secret();
    let (name, text) = match settings.kind {
        UpstreamKind::OpenAi => (AUTHORIZATION, Cow::Owned(format!("Bearer {key}"))),
        UpstreamKind::Azure => (API_KEY, Cow::Borrowed(key)),
    };
    let mut header = value("api_key", &text)?;
    // Keeps it out of Debug and out of HTTP/2's header tables.
    header.set_sensitive(true);
    Ok((name, header))
}

fn value(setting: &'static str, text: &str) -> Result<HeaderValue, SettingsError> {
    HeaderValue::from_str(text).map_err(|_| SettingsError::Header(setting))
}

/// The session's text is put in as it is: it was written as JSON once, when the
/// profile was read.
fn body(order: &MintOrder) -> Bytes {
    const HEAD: &str = r#"{"expires_after":{"anchor":"created_at","seconds":"#;
    const MIDDLE: &str = r#"},"session":"#;
    const SECONDS: usize = 10;
    let session = order.session.as_json();
    let length = HEAD.len() + SECONDS + MIDDLE.len() + session.len() + 1;
    let mut text = String::with_capacity(length);
    text.push_str(HEAD);
    // Writing into a String can't fail.
    let _ = write!(text, "{}", order.expires_after_seconds);
    text.push_str(MIDDLE);
    text.push_str(session);
    text.push('}');
    text.into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hallpass_core::{journal::Journal, profile::SessionConfig};
    use serde_json::Value;
    use url::Url;

    use super::*;

    fn order(fixture: &str) -> (MintOrder, Value) {
        let expected: Value = serde_json::from_str(fixture).unwrap();
        let session = expected["session"].as_object().unwrap().clone();
        let seconds = expected["expires_after"]["seconds"].as_u64().unwrap();
        let order = MintOrder {
            session: SessionConfig::new(session).unwrap(),
            expires_after_seconds: u32::try_from(seconds).unwrap(),
            safety_identifier: "00ff".to_owned(),
            overridden: Vec::new(),
            deadline: Duration::from_secs(5),
            journal: Journal::default(),
        };
        (order, expected)
    }

    #[test]
    fn the_body_is_what_openai_documents() {
        for fixture in [
            include_str!("../fixtures/client_secrets.request.realtime.json"),
            include_str!("../fixtures/client_secrets.request.transcription.json"),
        ] {
            let (order, expected) = order(fixture);
            let written: Value = serde_json::from_slice(&body(&order)).unwrap();
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn the_head_is_ours_and_the_key_is_hidden() {
        let url = Url::parse("https://api.openai.com/v1/").unwrap();
        let mut settings = UpstreamSettings::new("main", url, "test-key".to_owned().into());
        settings.organization = Some("org".to_owned());
        settings.project = Some("proj".to_owned());
        let template = Template::new(&settings).unwrap();
        let (order, _) = order(include_str!(
            "../fixtures/client_secrets.request.realtime.json"
        ));
        let request = template.request(&order, Sent::default()).unwrap();
        assert_eq!(
            request.uri(),
            "https://api.openai.com/v1/realtime/client_secrets"
        );
        let head = format!("{:?}", request.headers());
        assert!(!head.contains("test-key") && !head.contains("openai-beta"));
        for (name, value) in [
            ("authorization", "Bearer test-key"),
            ("openai-safety-identifier", "00ff"),
            ("openai-organization", "org"),
            ("openai-project", "proj"),
        ] {
            assert_eq!(request.headers()[name], value);
        }
    }

    #[test]
    fn azure_is_shown_the_key_in_a_header_of_its_own() {
        let url = Url::parse("https://voice.openai.azure.com/openai/v1").unwrap();
        let mut settings = UpstreamSettings::new("main", url, "test-key".to_owned().into());
        settings.kind = UpstreamKind::Azure;
        let template = Template::new(&settings).unwrap();
        let (order, _) = order(include_str!(
            "../fixtures/client_secrets.request.realtime.json"
        ));
        let request = template.request(&order, Sent::default()).unwrap();
        assert_eq!(
            request.uri(),
            "https://voice.openai.azure.com/openai/v1/realtime/client_secrets"
        );
        assert_eq!(request.headers()["api-key"], "test-key");
        assert!(!request.headers().contains_key("authorization"));
        assert!(!format!("{:?}", request.headers()).contains("test-key"));
    }

    #[test]
    fn what_no_header_may_carry_is_refused_by_name() {
        let url = Url::parse("https://api.openai.com/v1").unwrap();
        let settings = UpstreamSettings::new("main", url, "test-key\n".to_owned().into());
        let error = Template::new(&settings).err().unwrap();
        assert!(matches!(error, SettingsError::Header("api_key")));
    }

    #[test]
    fn a_safety_identifier_never_adds_a_header() {
        let url = Url::parse("https://api.openai.com/v1").unwrap();
        let settings = UpstreamSettings::new("main", url, "test-key".to_owned().into());
        let template = Template::new(&settings).unwrap();
        let (mut order, _) = order(include_str!(
            "../fixtures/client_secrets.request.realtime.json"
        ));
        order.safety_identifier = "a\r\nopenai-beta: realtime=v1".to_owned();
        let refused = template.request(&order, Sent::default());
        assert_eq!(refused.err(), Some(Fault::Unsendable));
    }
}
