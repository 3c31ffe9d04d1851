//! Requests to addresses an operator wrote down: no redirects, no proxy of the
//! environment, and only to the open internet unless the operator says otherwise.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use reqwest::{
    Certificate, Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};

use crate::cli::Stop;

/// A client that is led nowhere it was not sent.
#[derive(Clone)]
pub(crate) struct Outbound {
    client: Client,
    /// Whether addresses that are not of the open internet are connected to.
    allow_private: bool,
}

impl Outbound {
    /// A client whose requests may take so long.
    pub(crate) fn new(deadline: Duration, allow_private: bool) -> Result<Self, Stop> {
        Self::trusting(deadline, allow_private, None)
    }

    /// The same with further certificates, as PEM, that are trusted.
    pub(crate) fn trusting(
        deadline: Duration,
        allow_private: bool,
        pem: Option<&[u8]>,
    ) -> Result<Self, Stop> {
        let mut client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .timeout(deadline);
        for certificate in pem
            .map(Certificate::from_pem_bundle)
            .transpose()?
            .unwrap_or_default()
        {
            client = client.add_root_certificate(certificate);
        }
        if !allow_private {
            client = client.dns_resolver(Arc::new(PublicOnly));
        }
        Ok(Self {
            client: client.build()?,
            allow_private,
        })
    }

    /// The client; what it is sent to has to be judged first.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// Whether it may be sent to an address; why not, where it may not. A name
    /// is judged where it is resolved; an address is resolved nowhere.
    pub(crate) fn judge(&self, url: &Url) -> Result<(), String> {
        match !self.allow_private && names_hidden_address(url) {
            true => Err("it is no public address".to_owned()),
            false => Ok(()),
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
