//! Networks in CIDR notation.

use std::net::IpAddr;

/// Whether an address lies in a network such as `10.0.0.0/8` or `2001:db8::/32`.
///
/// What is no network holds no address. An IPv4 address within IPv6 is taken
/// for what it is.
pub(crate) fn contains(network: &str, address: IpAddr) -> bool {
    let Some((base, bits)) = parse(network) else {
        return false;
    };
    match (base, address.to_canonical()) {
        (IpAddr::V4(base), IpAddr::V4(address)) => {
            let differing = base.to_bits() ^ address.to_bits();
            bits <= 32 && differing.leading_zeros() >= bits
        }
        (IpAddr::V6(base), IpAddr::V6(address)) => {
            let differing = base.to_bits() ^ address.to_bits();
            bits <= 128 && differing.leading_zeros() >= bits
        }
        _ => false,
    }
}

/// Whether a text is an address, or a network in CIDR notation.
#[must_use]
pub fn is_network(text: &str) -> bool {
    let width = |base: IpAddr| if base.is_ipv4() { 32 } else { 128 };
    parse(text).is_some_and(|(base, bits)| bits <= width(base))
}

fn parse(network: &str) -> Option<(IpAddr, u32)> {
    let Some((base, bits)) = network.split_once('/') else {
        let address: IpAddr = network.parse().ok()?;
        return Some((address, if address.is_ipv4() { 32 } else { 128 }));
    };
    let digits = bits.bytes().all(|byte| byte.is_ascii_digit());
    let bits = bits.parse().ok().filter(|_| digits)?;
    Some((base.parse().ok()?, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_with_too_many_bits_is_none() {
        for (text, expected) in [
            ("10.0.0.0/8", true),
            ("192.0.2.7", true),
            ("::/0", true),
            ("2001:db8::/128", true),
            ("10.0.0.0/33", false),
            ("2001:db8::/129", false),
            ("office", false),
            ("", false),
        ] {
            assert_eq!(is_network(text), expected, "{text}");
        }
    }

    #[test]
    fn a_network_holds_its_own_addresses_alone() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7/32", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "::1", true),
            ("10.0.0.0/33", "10.0.0.0", false),
            ("10.0.0.0/+8", "10.0.0.0", false),
            ("10.0.0.0/", "10.0.0.0", false),
            ("office", "10.0.0.0", false),
            ("", "10.0.0.0", false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(contains(network, address), expected, "{network} {address}");
        }
    }
}
