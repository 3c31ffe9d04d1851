//! `[server]`.

use super::{Findings, address};
use crate::section::Server;

pub(super) fn check(server: &Server, findings: &mut Findings<'_>) {
    if server.listen == server.admin_listen && server.listen.port() != 0 {
        findings.refuse(
            "server.admin_listen",
            "the admin listener has the address of the public one",
            "Give it another port",
        );
    }
    if let Some(url) = &server.public_url
        && url.scheme() != "https"
        && !address::is_loopback(url)
    {
        findings.refuse(
            "server.public_url",
            "secrets would travel in the clear",
            "Write `https://`; plain http is for loopback only",
        );
    }
    for (index, origin) in server.allowed_origins.iter().enumerate() {
        let url = url::Url::parse(origin);
        if url.is_ok_and(|url| url.scheme() == "http" && !address::is_loopback(&url)) {
            findings.warn(
                &format!("server.allowed_origins[{index}]"),
                "pages over plain http can be changed on the way to the user",
                "Serve the app over https",
            );
        }
    }
    let is_open = server
        .trusted_proxies
        .iter()
        .position(|network| network.contains_everything());
    if let Some(index) = is_open {
        findings.refuse(
            &format!("server.trusted_proxies[{index}]"),
            "everyone would be believed about their address",
            "Name the network of your own proxies",
        );
    }
}
