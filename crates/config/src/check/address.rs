//! Which hosts an address may name.

use std::net::IpAddr;

use url::{Host, Url};

/// Whether the host is this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}

/// Whether the host is written as one that no public service has.
///
/// Names are judged again where they are resolved; this is only what can be
/// seen in the file.
pub(super) fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(_)) => is_loopback(url),
        Some(Host::Ipv4(address)) => is_private_address(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => is_private_address(IpAddr::V6(address).to_canonical()),
        None => true,
    }
}

fn is_private_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, third, _] = v4.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            let is_benchmark = first == 198 && (second == 18 || second == 19);
            let is_protocol = first == 192 && second == 0 && third == 0;
            first == 0
                || first >= 224
                || is_shared
                || is_benchmark
                || is_protocol
                || v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
        }
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            let is_translated = first == 0x64 && second == 0xff9b;
            let is_6to4 = first == 0x2002;
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || is_translated
                || is_6to4
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(host: &str) -> Url {
        Url::parse(&format!("https://{host}/jwks.json")).unwrap()
    }

    #[test]
    fn addresses_that_are_not_public_are_private() {
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "localhost",
            "api.localhost",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[::ffff:10.0.0.1]",
            "[fc00::1]",
            "[fe80::1]",
            "[64:ff9b::a00:1]",
            "[2002:a00:1::]",
            "[ff02::1]",
        ] {
            assert!(is_private(&url(host)), "{host}");
        }
    }

    #[test]
    fn public_hosts_are_not_private() {
        for host in [
            "issuer.example.com",
            "93.184.216.34",
            "100.128.0.1",
            "[2606:2800:220:1::1]",
        ] {
            assert!(!is_private(&url(host)), "{host}");
        }
    }
}
