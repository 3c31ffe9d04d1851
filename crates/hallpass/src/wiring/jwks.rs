//! Fetches an issuer's keys from its address.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hallpass_auth::{FetchError, KeySource};
use hallpass_config::section;
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use serde::Deserialize;

use crate::cli::Stop;

/// Largest document, in bytes.
const MAX_BYTES: usize = 1024 * 1024;
/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Where an issuer publishes its keys.
pub(crate) struct JwksAddress {
    client: Client,
    place: Place,
}

enum Place {
    /// The keys themselves.
    Keys(Url),
    /// The provider's description, which says where they are.
    Discovery(Url),
}

/// What is read of a provider's description.
#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: Url,
}

impl JwksAddress {
    /// The address a section names, directly or by discovery.
    pub(crate) fn new(section: &section::Jwt) -> Result<Self, Stop> {
        let mut client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .timeout(DEADLINE);
        if !section.allow_private_addresses {
            client = client.dns_resolver(Arc::new(PublicOnly));
        }
        Ok(Self {
            client: client.build()?,
            place: place(section)?,
        })
    }

    async fn get(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        let failed = |error: reqwest::Error| FetchError(error.without_url().to_string());
        let mut response = self.client.get(url.clone()).send().await.map_err(failed)?;
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

    async fn keys_url(&self, description: &Url) -> Result<Url, FetchError> {
        let body = self.get(description).await?;
        let described: Description = serde_json::from_slice(&body)
            .map_err(|_| FetchError("the provider's description can't be read".to_owned()))?;
        let issuer = described.issuer.trim_end_matches('/');
        if description.as_str() != format!("{issuer}/.well-known/openid-configuration") {
            return Err(FetchError(
                "the provider's description names another issuer".to_owned(),
            ));
        }
        if described.jwks_uri.scheme() != description.scheme() {
            return Err(FetchError(
                "the provider's keys are at an address of another scheme".to_owned(),
            ));
        }
        Ok(described.jwks_uri)
    }
}

fn place(section: &section::Jwt) -> Result<Place, Stop> {
    if let Some(url) = &section.jwks_url {
        return Ok(Place::Keys(url.clone()));
    }
    let issuer = section.issuer.trim_end_matches('/');
    Ok(Place::Discovery(
        format!("{issuer}/.well-known/openid-configuration").parse()?,
    ))
}

#[async_trait::async_trait]
impl KeySource for JwksAddress {
    async fn fetch(&self) -> Result<Vec<u8>, FetchError> {
        match &self.place {
            Place::Keys(url) => self.get(url).await,
            Place::Discovery(description) => {
                let url = self.keys_url(description).await?;
                self.get(&url).await
            }
        }
    }
}

/// Resolves names to public addresses and to nothing else; the connection is
/// made to the very address that was judged.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err("the name leads to no public address".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether an address lies on the open internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let special = a == 0
                || a >= 224
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (18..20).contains(&b));
            let private =
                v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_documentation();
            !(shared || special || private)
        }
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            // Only global unicast, less the ranges that carry IPv4 addresses or
            // are for documentation.
            let global = segments[0] & 0xe000 == 0x2000;
            let carries_v4 = segments[0] == 0x2002 || (segments[0] == 0x2001 && segments[1] == 0);
            let documentation = segments[0] == 0x2001 && segments[1] == 0x0db8;
            global && !carries_v4 && !documentation
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_open_internet_is_public() {
        let public = ["1.1.1.1", "203.0.114.1", "2606:4700::1111"];
        let hidden = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.8",
            "198.18.0.1",
            "203.0.113.7",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:0:1::",
            "2001:db8::1",
            "fd00:ec2::254",
        ];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in hidden {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }
}
