//! A client of a running server's admin API.

use reqwest::{Client, RequestBuilder, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::cli::Stop;

/// Which server, and with which key.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// The server's admin address
    #[arg(long, env = "HALLPASS_URL", default_value = "http://127.0.0.1:8788")]
    url: Url,
    /// An API key whose role may do this; better in the environment than here
    #[arg(long, env = "HALLPASS_ADMIN_KEY", hide_env_values = true, value_parser = secret)]
    admin_key: SecretString,
}

pub(crate) fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text.to_owned()))
}

/// What lies at the bottom of an error: the library's own words say too little.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

impl Place {
    /// A client for this place.
    pub(crate) fn client(self) -> Result<AdminClient, Stop> {
        AdminClient::new(self.url, self.admin_key)
    }
}

/// Asks the admin API.
pub(crate) struct AdminClient {
    client: Client,
    url: Url,
    key: SecretString,
}

impl AdminClient {
    /// A client of the server at an address.
    pub(crate) fn new(url: Url, key: SecretString) -> Result<Self, Stop> {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        Ok(Self {
            client: client.build()?,
            url,
            key,
        })
    }

    /// Reads `/api/admin/<path…>`.
    pub(crate) async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Value, Stop> {
        let mut url = self.address(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.send(self.client.get(url)).await
    }

    /// Reads `/api/admin/<path…>` as text, and whether it says that there is
    /// more.
    pub(crate) async fn get_text(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<(String, bool), Stop> {
        let mut url = self.address(path);
        url.query_pairs_mut().extend_pairs(query);
        let response = self.answer(self.client.get(url)).await?;
        if !response.status().is_success() {
            return Err(Self::read(response)
                .await
                .map_or_else(|stop| stop, |_| no_text()));
        }
        let more = response.headers().get("x-has-more");
        let more = more.is_some_and(|more| more == "true");
        let text = response.text().await.map_err(|_| no_text())?;
        Ok((text, more))
    }

    /// Asks `/api/admin/<path…>` to do something.
    pub(crate) async fn post(&self, path: &[&str], body: &Value) -> Result<Value, Stop> {
        let text = serde_json::to_vec(body)?;
        let request = self.client.post(self.address(path)).body(text);
        self.send(request.header("content-type", "application/json"))
            .await
    }

    fn address(&self, path: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments
                .pop_if_empty()
                .extend(["api", "admin"])
                .extend(path);
        }
        url
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value, Stop> {
        Self::read(self.answer(request).await?).await
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Response, Stop> {
        let request = request.bearer_auth(self.key.expose_secret());
        request.send().await.map_err(|error| {
            Stop::usage(format!(
                "can't reach the server at {}: {}. Is it running, and is this its admin address (HALLPASS_URL)?",
                self.url,
                root_cause(&error.without_url())
            ))
        })
    }

    async fn read(response: Response) -> Result<Value, Stop> {
        let good = response.status().is_success();
        let answer: Value = response
            .json()
            .await
            .map_err(|_| Stop::usage("the server's answer is not JSON"))?;
        if good {
            return Ok(answer);
        }
        let detail = answer["detail"].as_str().unwrap_or("the server refused");
        Err(Stop::no(format!(
            "{detail} ({})",
            answer["code"].as_str().unwrap_or("no code")
        )))
    }
}

fn no_text() -> Stop {
    Stop::usage("the server's answer can't be read")
}
