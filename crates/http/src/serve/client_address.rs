//! Whose request it is, when proxies stand in front.
//!
//! Anyone can write `X-Forwarded-For`; only what a listed proxy appended is
//! evidence. So the chain is walked from its end, through the listed proxies,
//! to the first address that is not one of them.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A network, as `10.0.0.0/8`, `2001:db8::/32` or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

/// Why a text is not a [`Network`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a network; write an address, or one with its prefix length as 10.0.0.0/8")]
pub struct NotANetwork(String);

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let refused = || NotANetwork(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| refused())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| refused())?,
            None => bits,
        };
        if prefix > bits {
            return Err(refused());
        }
        Ok(Self { address, prefix })
    }
}

impl Network {
    /// Whether `address` lies in this network.
    ///
    /// A v4 address written as v6 (`::ffff:10.0.0.1`) counts as v4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = u128::from(network.to_bits() ^ address.to_bits());
                differing >> (32 - self.prefix) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(128 - self.prefix).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// The proxies whose word about a client's address is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// Trusts the addresses in these networks.
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// Whether `address` is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

impl FromIterator<Network> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

/// The client's address, as far as it can be believed.
///
/// The socket's own, unless that is a trusted proxy: then the right-most
/// address of `X-Forwarded-For` or `Forwarded` that is not a trusted proxy. A
/// hop that cannot be read ends the walk at the proxy that reported it.
///
/// Proxies maintain one of the two fields and pass the other through. If both
/// are there and disagree, one is the client's invention, and nothing tells
/// which: the socket's address stands.
pub fn client_address(peer: SocketAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> IpAddr {
    let socket = peer.ip().to_canonical();
    if !trusted.contains(socket) {
        return socket;
    }
    let by_x = walk(socket, headers, &X_FORWARDED_FOR, trusted, address_of_hop);
    let by_standard = walk(socket, headers, &FORWARDED, trusted, address_of_element);
    match (by_x, by_standard) {
        (Some(x), Some(standard)) if x == standard => x,
        (Some(only), None) | (None, Some(only)) => only,
        _ => socket,
    }
}

/// Walks one field's hops from the right; `None` where the field is absent.
fn walk(
    socket: IpAddr,
    headers: &HeaderMap,
    name: &HeaderName,
    trusted: &TrustedProxies,
    read: fn(&str) -> Option<IpAddr>,
) -> Option<IpAddr> {
    let lines: Vec<_> = headers.get_all(name).iter().collect();
    if lines.is_empty() {
        return None;
    }
    let mut nearest = socket;
    // Lines are one list in order, so the last line's last hop comes first.
    let hops = lines
        .iter()
        .rev()
        .flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
    for hop in hops {
        let Some(address) = read(hop.trim()) else {
            break;
        };
        nearest = address;
        if !trusted.contains(address) {
            break;
        }
    }
    Some(nearest)
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`.
fn address_of_hop(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    let address = bare.unwrap_or(hop).parse::<IpAddr>();
    let with_port = || hop.parse::<SocketAddr>().map(|socket| socket.ip());
    let address = address.or_else(|_| with_port()).ok()?;
    Some(address.to_canonical())
}

/// The `for` of one `Forwarded` element, as `for="[2001:db8::1]:80";proto=https`.
///
/// A quoted comma would break an element in two; neither half then has a
/// readable `for`, which ends the walk, so it cannot forge a hop.
fn address_of_element(element: &str) -> Option<IpAddr> {
    let mut addresses = element.split(';').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    });
    let value = addresses.next()?.trim();
    if addresses.next().is_some() {
        return None;
    }
    let quoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    address_of_hop(quoted.unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted() -> TrustedProxies {
        ["10.0.0.0/8", "2001:db8:1::/48"]
            .map(|network| network.parse().unwrap())
            .into_iter()
            .collect()
    }

    fn found(peer: &str, lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let peer = SocketAddr::new(peer.parse().unwrap(), 4711);
        client_address(peer, &headers, &trusted()).to_string()
    }

    const X: &str = "x-forwarded-for";
    const F: &str = "forwarded";

    #[test]
    fn a_stranger_is_believed_about_nothing() {
        for lines in [
            &[][..],
            &[(X, "203.0.113.9")],
            &[(F, "for=203.0.113.9")],
            &[(X, "203.0.113.9, 10.0.0.1")],
            &[("x-real-ip", "203.0.113.9")],
        ] {
            assert_eq!(found("198.51.100.7", lines), "198.51.100.7", "{lines:?}");
        }
    }

    #[test]
    fn behind_a_proxy_the_right_most_stranger_counts() {
        let table: &[(&[(&'static str, &str)], &str)] = &[
            (&[], "10.0.0.1"),
            (&[(X, "203.0.113.9")], "203.0.113.9"),
            (&[(X, "203.0.113.9:5555")], "203.0.113.9"),
            (&[(X, "2001:db8::7")], "2001:db8::7"),
            (&[(X, "[2001:db8::7]:443")], "2001:db8::7"),
            (&[(X, "::ffff:203.0.113.9")], "203.0.113.9"),
            // The client wrote the left part itself.
            (&[(X, "1.2.3.4, 203.0.113.9")], "203.0.113.9"),
            (&[(X, "10.0.0.9, 203.0.113.9")], "203.0.113.9"),
            (&[(X, "1.2.3.4, 203.0.113.9, 10.0.0.2")], "203.0.113.9"),
            (&[(X, "1.2.3.4"), (X, "203.0.113.9")], "203.0.113.9"),
            (&[(X, "203.0.113.9, 2001:db8:1::5")], "203.0.113.9"),
            // All hops are ours: the farthest of them.
            (&[(X, "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
            // Unreadable hops end at whoever reported them.
            (&[(X, "203.0.113.9, unknown")], "10.0.0.1"),
            (&[(X, "203.0.113.9, garbage, 10.0.0.2")], "10.0.0.2"),
            (&[(X, "")], "10.0.0.1"),
            (&[(X, "203.0.113.9,")], "10.0.0.1"),
            (&[(F, "for=203.0.113.9;proto=https")], "203.0.113.9"),
            (&[(F, "For=\"[2001:db8::7]:443\"")], "2001:db8::7"),
            (&[(F, "for=1.2.3.4, for=203.0.113.9")], "203.0.113.9"),
            (&[(F, "for=_hidden")], "10.0.0.1"),
            (&[(F, "for=1.2.3.4;for=203.0.113.9")], "10.0.0.1"),
            (&[(F, "by=203.0.113.9")], "10.0.0.1"),
            // One of two that disagree is invented.
            (&[(X, "203.0.113.9"), (F, "for=1.2.3.4")], "10.0.0.1"),
            (&[(X, "203.0.113.9"), (F, "for=203.0.113.9")], "203.0.113.9"),
        ];
        for (lines, expected) in table {
            assert_eq!(found("10.0.0.1", lines), *expected, "{lines:?}");
            assert_eq!(
                found("::ffff:10.0.0.1", lines),
                *expected,
                "v4 in v6: {lines:?}"
            );
        }
    }

    #[test]
    fn networks_contain_what_their_prefix_says() {
        let table = [
            ("0.0.0.0/0", "203.0.113.9", true),
            ("::/0", "2001:db8::1", true),
            ("::/0", "203.0.113.9", false),
            ("192.0.2.0/25", "192.0.2.127", true),
            ("192.0.2.0/25", "192.0.2.128", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8::/33", "2001:db8:7fff::", true),
            ("2001:db8::/33", "2001:db8:8000::", false),
            ("::1", "::1", true),
        ];
        for (network, address, inside) in table {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside);
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/-1",
            "proxy",
            "10.0.0/8",
            "10.0.0.0/",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text:?}");
        }
    }
}
