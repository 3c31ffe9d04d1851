//! `[[upstream]]`.

use secrecy::ExposeSecret;

use super::{Findings, address, is_placeholder, repeated};
use crate::section::{Upstream, UpstreamKind};

/// As many as one mint can tell apart.
const MOST: usize = 64;

pub(super) const NO_KEY: &str = "the upstream has no key";
pub(super) const SET_KEY: &str = "Set `api_key_file`, or `OPENAI_API_KEY` in the environment";

pub(super) fn check(upstreams: &[Upstream], findings: &mut Findings<'_>) {
    for (index, upstream) in upstreams.iter().enumerate() {
        one(upstream, &format!("upstream[{index}]"), findings);
    }
    if upstreams.len() > MOST {
        let what = format!("there are {} upstreams", upstreams.len());
        findings.refuse("upstream", &what, "Keep at most 64");
    }
    if let Some((index, name)) = repeated(upstreams.iter().map(|upstream| upstream.name.as_str())) {
        let what = format!("two upstreams are named `{name}`");
        findings.refuse(
            &format!("upstream[{index}].name"),
            &what,
            "Give each a name of its own",
        );
    }
}

fn one(upstream: &Upstream, path: &str, findings: &mut Findings<'_>) {
    let url = &upstream.base_url;
    if url.scheme() != "https" && !address::is_loopback(url) {
        findings.refuse(
            &format!("{path}.base_url"),
            "the key would travel in the clear",
            "Write `https://`; plain http is for loopback only",
        );
    }
    if url.as_str().ends_with('/') && url.path() != "/" {
        findings.refuse(
            &format!("{path}.base_url"),
            "the address ends in a slash",
            "Remove the last `/`",
        );
    }
    if upstream.kind == UpstreamKind::Azure {
        azure(upstream, path, findings);
    }
    if upstream.breaker.max_open_ms < upstream.breaker.open_ms {
        findings.refuse(
            &format!("{path}.breaker.max_open_ms"),
            "the longest opening is shorter than the first",
            "Raise it to at least `open_ms`",
        );
    }
    match &upstream.api_key {
        None => findings.warn(path, NO_KEY, SET_KEY),
        Some(key) => api_key(key.expose_secret(), &key_path(upstream, path), findings),
    }
}

fn azure(upstream: &Upstream, path: &str, findings: &mut Findings<'_>) {
    if !upstream.base_url.path().ends_with("/openai/v1") {
        findings.refuse(
            &format!("{path}.base_url"),
            "Azure OpenAI's client secrets are elsewhere",
            "Write `https://<resource>.openai.azure.com/openai/v1`",
        );
    }
    for (name, set) in [
        ("organization", upstream.organization.is_some()),
        ("project", upstream.project.is_some()),
    ] {
        if set {
            let path = format!("{path}.{name}");
            findings.refuse(&path, "Azure OpenAI has no such thing", "Remove it");
        }
    }
}

fn key_path(upstream: &Upstream, path: &str) -> String {
    let name = if upstream.api_key_file.is_some() {
        "api_key_file"
    } else {
        "api_key"
    };
    format!("{path}.{name}")
}

fn api_key(key: &str, path: &str, findings: &mut Findings<'_>) {
    if key.is_empty() {
        return findings.refuse(path, "the key is empty", SET_KEY);
    }
    if !key.chars().all(|c| c.is_ascii_graphic()) {
        let what = "the key holds a space, a line break or a character no key has";
        return findings.refuse(path, what, "Copy the key again, alone");
    }
    if is_placeholder(key) || key.contains("...") {
        findings.refuse(path, "the key is a placeholder", SET_KEY);
    }
}
