//! Fetches an issuer's keys from its address.

use std::time::Duration;

use hallpass_auth::{
    FetchError, KeySource,
    jwt::{discovery_address, jwks_uri},
};
use hallpass_config::section;
use reqwest::Url;

use super::outbound::Outbound;
use crate::cli::Stop;

/// Largest document, in bytes.
const MAX_BYTES: usize = 1024 * 1024;
/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Where an issuer publishes its keys.
pub(crate) struct JwksAddress {
    outbound: Outbound,
    place: Place,
}

enum Place {
    /// The keys themselves.
    Keys(Url),
    /// The provider's description, which says where they are.
    Discovery { issuer: String, description: Url },
}

impl JwksAddress {
    /// The address a section names, directly or by discovery.
    pub(crate) fn new(section: &section::Jwt) -> Result<Self, Stop> {
        Ok(Self {
            outbound: Outbound::new(DEADLINE, section.allow_private_addresses)?,
            place: place(section)?,
        })
    }

    async fn get(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        self.outbound.judge(url).map_err(FetchError)?;
        let failed = |error: reqwest::Error| FetchError(error.without_url().to_string());
        let request = self.outbound.client().get(url.clone());
        let mut response = request.send().await.map_err(failed)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError(format!("it answered {}", response.status())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(FetchError("it is larger than 1 MiB".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    async fn keys_url(&self, issuer: &str, description: &Url) -> Result<Url, FetchError> {
        let document = self.get(description).await?;
        let address = jwks_uri(&document, issuer).map_err(|error| FetchError(error.to_string()))?;
        let url: Url = address
            .parse()
            .map_err(|_| FetchError("the provider's jwks_uri is no address".to_owned()))?;
        if url.scheme() != description.scheme() {
            return Err(FetchError(
                "the provider's keys are at an address of another scheme".to_owned(),
            ));
        }
        Ok(url)
    }
}

fn place(section: &section::Jwt) -> Result<Place, Stop> {
    if let Some(url) = &section.jwks_url {
        return Ok(Place::Keys(url.clone()));
    }
    Ok(Place::Discovery {
        issuer: section.issuer.clone(),
        description: discovery_address(&section.issuer).parse()?,
    })
}

#[async_trait::async_trait]
impl KeySource for JwksAddress {
    async fn fetch(&self) -> Result<Vec<u8>, FetchError> {
        match &self.place {
            Place::Keys(url) => self.get(url).await,
            Place::Discovery {
                issuer,
                description,
            } => {
                let url = self.keys_url(issuer, description).await?;
                self.get(&url).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A provider that answers with what its description and its keys are.
    async fn provider(description: impl Fn(&str) -> String) -> (String, JwksAddress) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/realm", listener.local_addr().unwrap());
        let description = description(&issuer);
        let router = axum::Router::new()
            .route(
                "/realm/.well-known/openid-configuration",
                axum::routing::get(move || async move { description }),
            )
            .route("/keys", axum::routing::get(|| async { "the keys" }));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let section = format!(
            "[[auth.jwt]]\nissuer = \"{issuer}\"\naudience = \"a\"\nalgorithms = [\"RS256\"]\n\
             discovery = true\nallow_private_addresses = true\n"
        );
        let loaded = hallpass_config::from_toml_str(&section, std::path::Path::new("")).unwrap();
        let address = JwksAddress::new(&loaded.config.auth.jwt[0]).unwrap();
        (issuer, address)
    }

    #[tokio::test]
    async fn a_providers_description_leads_to_its_keys() {
        let keys = |issuer: &str| issuer.replace("/realm", "/keys");
        let (_, good) =
            provider(|issuer| format!(r#"{{"issuer":"{issuer}","jwks_uri":"{}"}}"#, keys(issuer)))
                .await;
        assert_eq!(good.fetch().await.unwrap(), b"the keys");
    }

    #[tokio::test]
    async fn a_description_that_leads_elsewhere_is_not_followed() {
        let (_, other) =
            provider(|_| r#"{"issuer":"https://e.test","jwks_uri":"a"}"#.to_owned()).await;
        let told = other.fetch().await.unwrap_err().to_string();
        assert!(told.contains("another issuer"), "{told}");
        let (_, scheme) = provider(|issuer| {
            format!(r#"{{"issuer":"{issuer}","jwks_uri":"https://127.0.0.1/keys"}}"#)
        })
        .await;
        let told = scheme.fetch().await.unwrap_err().to_string();
        assert!(told.contains("another scheme"), "{told}");
    }

    #[tokio::test]
    async fn a_description_cannot_lead_to_this_machine() {
        let (issuer, mut address) =
            provider(|issuer| format!(r#"{{"issuer":"{issuer}","jwks_uri":"{issuer}"}}"#)).await;
        address.outbound = Outbound::new(DEADLINE, false).unwrap();
        let told = address.get(&issuer.parse().unwrap()).await.unwrap_err();
        assert_eq!(told.to_string(), "it is no public address");
    }
}
