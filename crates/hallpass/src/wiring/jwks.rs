//! Fetches an issuer's keys from its address.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hallpass_auth::{
    FetchError, KeySource,
    jwt::{discovery_address, jwks_uri},
};
use hallpass_config::section;
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};

use crate::cli::Stop;

/// Largest document, in bytes.
const MAX_BYTES: usize = 1024 * 1024;
/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Where an issuer publishes its keys.
pub(crate) struct JwksAddress {
    client: Client,
    place: Place,
    /// Whether addresses that are not of the open internet are connected to.
    allow_private: bool,
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
            allow_private: section.allow_private_addresses,
        })
    }

    async fn get(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        // A name is judged where it is resolved; an address is resolved nowhere.
        if !self.allow_private && names_hidden_address(url) {
            return Err(FetchError("it is no public address".to_owned()));
        }
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

/// Whether a host is written as an address that is not of the open internet.
fn names_hidden_address(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse().is_ok_and(|address| !is_public(address))
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
    fn an_address_in_place_of_a_name_is_judged_too() {
        let hidden = |url: &str| names_hidden_address(&url.parse().unwrap());
        for url in [
            "https://169.254.169.254/keys",
            "https://0x7f000001/keys",
            "https://2130706433/keys",
            "https://127.1/keys",
            "https://[::1]/keys",
            "https://[::ffff:10.0.0.1]/keys",
            "https://[fd00:ec2::254]/keys",
        ] {
            assert!(hidden(url), "{url}");
        }
        assert!(!hidden("https://1.1.1.1/keys"));
        assert!(!hidden("https://issuer.example.com/keys"));
    }

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
        address.allow_private = false;
        let told = address.get(&issuer.parse().unwrap()).await.unwrap_err();
        assert_eq!(told.to_string(), "it is no public address");
    }

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
