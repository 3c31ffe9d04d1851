//! Plain HTTP clients and the answers they get.

use std::path::Path;

use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, Version, header::HeaderMap};
use serde_json::Value;

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{error} in {} {}", self.status, self.text))
    }

    /// The stable code of an error, in either shape.
    pub(crate) fn code(&self) -> String {
        let json = self.json();
        let code = json["code"].as_str().or(json["error"]["code"].as_str());
        code.unwrap_or("").to_owned()
    }

    /// The sentence of an error, in either shape.
    pub(crate) fn sentence(&self) -> String {
        let json = self.json();
        let text = json["detail"]
            .as_str()
            .or(json["error"]["message"].as_str());
        text.unwrap_or("").to_owned()
    }

    /// A header's text; empty where it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// Head and body, to be searched.
    pub(crate) fn whole(&self) -> String {
        format!("{} {:?}\n{}", self.status, self.headers, self.text)
    }
}

fn builder() -> ClientBuilder {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
}

/// A client with connections of its own.
pub(crate) fn client() -> Client {
    builder().build().unwrap()
}

/// A client that trusts one authority and no other.
pub(crate) fn trusting(
    ca_file: &Path,
    change: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Client {
    let pem = std::fs::read(ca_file).unwrap();
    let authority = Certificate::from_pem(&pem).unwrap();
    change(builder().tls_certs_only([authority]))
        .build()
        .unwrap()
}

/// Sends a request and reads the whole answer.
///
/// # Panics
///
/// When there is none.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    try_send(request).await.expect("an answer")
}

/// Sends a request to a server that may be killed meanwhile.
pub(crate) async fn try_send(request: RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = request.send().await?;
    let (status, version) = (response.status().as_u16(), response.version());
    let headers = response.headers().clone();
    Ok(Answer {
        status,
        version,
        headers,
        text: response.text().await?,
    })
}

/// A request with a bearer credential and a JSON body.
pub(crate) fn post(client: &Client, url: &str, bearer: &str, body: &Value) -> RequestBuilder {
    client.post(url).bearer_auth(bearer).json(body)
}
