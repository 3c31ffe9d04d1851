//! `[traces]`.

use secrecy::ExposeSecret;
use url::{Host, Url};

use super::{Findings, address};
use crate::{collector_headers, section::Traces};

pub(super) fn check(traces: &Traces, findings: &mut Findings<'_>) {
    check_headers(traces, findings);
    for key in traces.resource_attributes.keys() {
        if key.trim().is_empty() {
            let what = "an attribute has no name";
            findings.refuse("traces.resource_attributes", what, "Remove it");
        }
    }
    if traces.batch_spans > traces.queue_spans {
        findings.refuse(
            "traces.batch_spans",
            "more spans would be sent together than can wait",
            "Lower it to at most `queue_spans`",
        );
    }
    if let Some(url) = &traces.endpoint
        && url.scheme() == "http"
        && !is_near(url)
    {
        findings.refuse(
            "traces.endpoint",
            "traces would travel in the clear",
            "Write `https://`; plain http is for hosts of your own network only",
        );
    }
}

fn check_headers(traces: &Traces, findings: &mut Findings<'_>) {
    let path = match traces.headers_file {
        Some(_) => "traces.headers_file",
        None => "traces.headers",
    };
    let Some(text) = &traces.headers else { return };
    if let Err(what) = collector_headers(text.expose_secret()) {
        let remedy = "Write `name=value,name=value`, values percent-encoded";
        findings.refuse(path, what, remedy);
    }
}

/// Whether the host is one that can only be of the own network: an address of
/// it, a bare name as containers have, or below a suffix nobody can register.
fn is_near(url: &Url) -> bool {
    const SUFFIXES: [&str; 5] = [".svc", ".cluster.local", ".local", ".internal", ".lan"];
    match url.host() {
        Some(Host::Domain(name)) => {
            !name.contains('.')
                || SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
                || address::is_loopback(url)
        }
        _ => address::is_private(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_dot_is_of_the_own_network() {
        let near = |text: &str| is_near(&Url::parse(text).unwrap());
        for url in [
            "http://collector:4318",
            "http://127.0.0.1:4318",
            "http://10.1.2.3:4318",
            "http://otel.monitoring.svc:4318",
            "http://otel.monitoring.svc.cluster.local:4318",
        ] {
            assert!(near(url), "{url}");
        }
        for url in [
            "http://collector.example.com",
            "http://1.1.1.1",
            "http://svc.example",
        ] {
            assert!(!near(url), "{url}");
        }
    }
}
