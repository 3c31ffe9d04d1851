//! The requests of a call.

use std::fmt::Write as _;

use bytes::Bytes;
use hallpass_core::call::CallOrder;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request,
    header::{ACCEPT, CONTENT_TYPE},
    uri::InvalidUri,
};

use crate::{
    body::{Outgoing, Sent},
    fault::Fault,
    request::{SAFETY_IDENTIFIER, identity},
    settings::{SettingsError, UpstreamSettings},
};

/// All of the requests that does not change.
///
/// `Debug` is not implemented: one header is the standard key.
pub(crate) struct CallTemplate {
    base: String,
    identity: Vec<(HeaderName, HeaderValue)>,
}

impl CallTemplate {
    /// Prepares addresses and headers.
    pub(crate) fn new(settings: &UpstreamSettings) -> Result<Self, SettingsError> {
        let base = settings.base_url.as_str().trim_end_matches('/');
        Ok(Self {
            base: format!("{base}/realtime"),
            identity: identity(settings)?,
        })
    }

    /// The request that makes a call; `sent` tells when its body is taken.
    pub(crate) fn make(&self, order: &CallOrder, sent: Sent) -> Result<Request<Outgoing>, Fault> {
        let mut address = format!("{}/calls", self.base);
        if let Some(id) = order.channel_id {
            // Writing into a String can't fail.
            let _ = write!(address, "?dcid={id}");
        }
        let identifier = HeaderValue::from_str(&order.safety_identifier);
        let identifier = identifier.map_err(|_| Fault::Unsendable)?;
        let boundary = boundary(&order.offer, order.session.as_json());
        let kind = format!("multipart/form-data; boundary={boundary}");
        let kind = HeaderValue::from_str(&kind).map_err(|_| Fault::Unsendable)?;
        let body = Outgoing::new(parts(order, &boundary), sent);
        let mut request = self.post(&address, body).map_err(|_| Fault::Unsendable)?;
        let headers = request.headers_mut();
        headers.insert(SAFETY_IDENTIFIER, identifier);
        headers.insert(CONTENT_TYPE, kind);
        headers.insert(ACCEPT, HeaderValue::from_static("application/sdp"));
        Ok(request)
    }

    /// The request that ends a call.
    pub(crate) fn hang_up(&self, call_id: &str) -> Result<Request<Outgoing>, InvalidUri> {
        let address = format!("{}/calls/{call_id}/hangup", self.base);
        self.post(&address, Outgoing::new(Bytes::new(), Sent::default()))
    }

    fn post(&self, address: &str, body: Outgoing) -> Result<Request<Outgoing>, InvalidUri> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = address.parse()?;
        *request.headers_mut() = self.identity.iter().cloned().collect::<HeaderMap>();
        Ok(request)
    }
}

/// A line that is in neither part.
fn boundary(offer: &str, session: &str) -> String {
    let free = |mark: &String| !offer.contains(mark.as_str()) && !session.contains(mark.as_str());
    let marks = (0_u64..).map(|number| format!("hallpass-{number}"));
    marks.into_iter().find(free).unwrap_or_default()
}

fn parts(order: &CallOrder, boundary: &str) -> Bytes {
    let part = |name: &str, kind: &str, content: &str| {
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\
             Content-Type: {kind}\r\n\r\n{content}\r\n"
        )
    };
    let offer = part("sdp", "application/sdp", &order.offer);
    let session = part("session", "application/json", order.session.as_json());
    format!("{offer}{session}--{boundary}--\r\n").into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hallpass_core::{journal::Journal, profile::SessionConfig};
    use http_body_util::BodyExt as _;
    use serde_json::json;
    use url::Url;

    use super::*;

    fn order(instructions: &str) -> CallOrder {
        let session = json!({"type": "realtime", "model": "m", "instructions": instructions});
        CallOrder {
            offer: "v=0\r\no=-\r\n".to_owned(),
            session: SessionConfig::new(session.as_object().unwrap().clone()).unwrap(),
            safety_identifier: "00ff".to_owned(),
            channel_id: Some(7),
            deadline: Duration::from_secs(5),
            journal: Journal::default(),
        }
    }

    fn template() -> CallTemplate {
        let url = Url::parse("https://api.openai.com/v1/").unwrap();
        let settings = UpstreamSettings::new("main", url, "test-key".to_owned().into());
        CallTemplate::new(&settings).unwrap()
    }

    #[tokio::test]
    async fn a_call_is_asked_for_in_two_parts_with_the_standard_key() {
        let request = template().make(&order("Ask."), Sent::default()).unwrap();
        assert_eq!(
            request.uri(),
            "https://api.openai.com/v1/realtime/calls?dcid=7"
        );
        let headers = request.headers().clone();
        assert_eq!(headers["authorization"], "Bearer test-key");
        assert_eq!(headers["openai-safety-identifier"], "00ff");
        assert!(!headers.contains_key("openai-beta"));
        assert!(!format!("{headers:?}").contains("test-key"));
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let mark = headers["content-type"].to_str().unwrap();
        let mark = mark.split_once("boundary=").unwrap().1;
        let parts: Vec<_> = body.split(&format!("--{mark}")).collect();
        assert_eq!(parts.len(), 4, "{body}");
        assert!(parts[1].contains("name=\"sdp\"") && parts[1].ends_with("o=-\r\n\r\n"));
        assert!(parts[2].contains("name=\"session\"") && parts[2].contains("\"Ask.\""));
        assert_eq!(parts[3], "--\r\n");
    }

    #[test]
    fn no_text_of_a_callers_ends_a_part() {
        let cunning = order("hallpass-0 hallpass-1");
        assert_eq!(
            boundary(&cunning.offer, cunning.session.as_json()),
            "hallpass-2"
        );
    }

    #[test]
    fn a_hang_up_names_the_call() {
        let request = template().hang_up("rtc_u1_0").unwrap();
        assert_eq!(request.uri().path(), "/v1/realtime/calls/rtc_u1_0/hangup");
        assert_eq!(request.headers()["authorization"], "Bearer test-key");
    }
}
