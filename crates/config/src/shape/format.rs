//! Texts with a grammar of their own: addresses, origins, networks.

use std::net::SocketAddr;

use url::Url;

use crate::hidden::MASK;
use crate::network::Network;

/// Why a text is not of its format. It does not quote the text.
pub(super) struct Fault {
    pub(super) what: String,
    pub(super) remedy: String,
}

/// What is wrong with a text of this format, if anything.
pub(super) fn fault(format: &str, text: &str) -> Option<Fault> {
    match format {
        "socket-address" => socket_address(text),
        "url" => url(text),
        "origin" => origin(text),
        "network" => network(text),
        "cookie-name" => cookie_name(text),
        "replica-name" => replica_name(text),
        "durable-store" => store(
            text,
            "sqlite",
            &["postgres", "postgresql"],
            "postgres://user@host/database",
        ),
        "shared-store" => shared_store(text),
        _ => None,
    }
}

fn bad(what: &str, remedy: &str) -> Option<Fault> {
    Some(Fault {
        what: what.to_owned(),
        remedy: remedy.to_owned(),
    })
}

fn socket_address(text: &str) -> Option<Fault> {
    match text.parse::<SocketAddr>() {
        Ok(_) => None,
        Err(_) => bad(
            "not an address with a port",
            "Write an IP address and a port, such as `127.0.0.1:8787` or `[::1]:8787`",
        ),
    }
}

fn url(text: &str) -> Option<Fault> {
    let example = "Write a full address, such as `https://voice.example.com`";
    let Ok(url) = Url::parse(text) else {
        return bad("not an address", example);
    };
    if !matches!(url.scheme(), "http" | "https") {
        return bad("not an http or https address", example);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return bad(
            "the address holds a user name or password",
            "Remove the part before `@`",
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return bad(
            "the address has a query or fragment",
            "Remove what follows `?` or `#`",
        );
    }
    None
}

fn origin(text: &str) -> Option<Fault> {
    if text.contains('*') {
        return bad(
            "a wildcard admits pages you do not know",
            "List each origin, such as `https://app.example.com`",
        );
    }
    if text == "null" {
        return bad("`null` is the origin of every sandboxed page", "Remove it");
    }
    let example = "Write scheme, host and port only, such as `https://app.example.com`";
    let Ok(url) = Url::parse(text) else {
        return bad("not an origin", example);
    };
    if !matches!(url.scheme(), "http" | "https") {
        return bad("not an http or https origin", example);
    }
    let serialised = url.origin().ascii_serialization();
    if text == serialised {
        return None;
    }
    let what = if text.trim_end_matches('/') == serialised {
        "an origin has no trailing slash"
    } else {
        "not written as browsers send it"
    };
    bad(what, &format!("Write `{serialised}`"))
}

fn network(text: &str) -> Option<Fault> {
    match text.parse::<Network>() {
        Ok(_) => None,
        Err(_) => bad(
            "not an address or network",
            "Write an IP address, or a network such as `10.0.0.0/8`",
        ),
    }
}

fn cookie_name(text: &str) -> Option<Fault> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if !text.is_empty() && text.chars().all(is_token) {
        return None;
    }
    bad(
        "not a cookie name",
        "Write the name alone, such as `next-auth.session-token`",
    )
}

fn replica_name(text: &str) -> Option<Fault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if (1..=64).contains(&text.len()) && text.chars().all(plain) {
        return None;
    }
    bad(
        "not a replica's name",
        "Write 1 to 64 letters, digits, dots, hyphens and underscores",
    )
}

/// One server, a set under Sentinels, or a cluster, of which the latter two
/// name several hosts.
fn shared_store(text: &str) -> Option<Fault> {
    const SEVERAL: [&str; 4] = [
        "redis+sentinel",
        "rediss+sentinel",
        "redis+cluster",
        "rediss+cluster",
    ];
    let single = store(text, "memory", &["redis", "rediss"], "redis://user@host/0");
    let Some((scheme, rest)) = text.split_once("://") else {
        return single;
    };
    if !SEVERAL.contains(&scheme) || text.contains(MASK) {
        return single;
    }
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    let hosts = hosts.rsplit_once('@').map_or(hosts, |(_, hosts)| hosts);
    let is_host = |host: &str| !host.is_empty() && Url::parse(&format!("redis://{host}")).is_ok();
    if !hosts.split(',').all(is_host) {
        return bad(
            "a host is missing or none",
            "Write hosts and ports, parted by commas, such as `redis+cluster://a:6379,b:6379`",
        );
    }
    match (scheme.ends_with("sentinel"), path) {
        (true, "") => bad(
            "it does not say which primary the Sentinels are asked for",
            "Write its name after the hosts, such as `redis+sentinel://a:26379,b:26379/main`",
        ),
        (false, path) if !path.is_empty() => bad(
            "a cluster has no databases",
            "Remove what follows the hosts",
        ),
        _ => None,
    }
}

/// The text may hold a password, so nothing of it is repeated.
fn store(text: &str, embedded: &str, schemes: &[&str], example: &str) -> Option<Fault> {
    let is_address = |scheme: &&str| {
        text.strip_prefix(*scheme)
            .is_some_and(|rest| rest.starts_with("://"))
    };
    if text.contains(MASK) {
        return bad(
            "the password is hidden",
            "Write the address with its password, as `config print` was given it",
        );
    }
    if text == embedded || (schemes.iter().any(is_address) && Url::parse(text).is_ok()) {
        return None;
    }
    bad(
        "not a store",
        &format!("Write `{embedded}`, or an address such as `{example}`"),
    )
}
