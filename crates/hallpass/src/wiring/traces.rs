//! Traces of the configuration: the collector over HTTP, and who they are of.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use hallpass_config::{Config, collector_headers, section};
use hallpass_core::{Timestamp, ids::hex, ports::Ids};
use hallpass_telemetry::{
    Metrics,
    traces::{Collector, Retry, TraceSampler, TraceSettings, Traces, Untaken},
};
use reqwest::{
    StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};
use secrecy::ExposeSecret;

use super::{
    clock::{SystemIds, now},
    lifecycle::Tasks,
    outbound::Outbound,
};
use crate::cli::Stop;

/// The largest answer that is read.
const MAX_ANSWER: usize = 64 * 1024;

/// Starts what the configuration says; without a collector, nothing.
pub(crate) fn start(
    config: &Config,
    version: &str,
    metrics: &Metrics,
    tasks: &Tasks,
) -> Result<(Traces, Option<Arc<HttpCollector>>), Stop> {
    let Some(url) = config.traces.posted_to() else {
        return Ok((Traces::default(), None));
    };
    tracing::info!(
        endpoint = url.as_str(),
        sampler = ?config.traces.sampler,
        ratio = config.traces.ratio,
        "traces are sent"
    );
    let collector = Arc::new(HttpCollector::new(&config.traces, url)?);
    metrics.traces.shown();
    let (traces, sender) = Traces::start(
        settings(config, version),
        collector.clone(),
        metrics.traces.clone(),
    );
    tasks.spawn("traces", |stop| sender.run(stop));
    Ok((traces, Some(collector)))
}

fn settings(config: &Config, version: &str) -> TraceSettings {
    let section = &config.traces;
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let (sampler, parent_based) = sampler(section);
    TraceSettings {
        sampler,
        parent_based,
        resource: resource(config, version),
        queue: count(section.queue_spans),
        batch: count(section.batch_spans),
        gather: Duration::from_millis(section.gather_ms),
        chance,
    }
}

const fn sampler(section: &section::Traces) -> (TraceSampler, bool) {
    use section::TraceSampler as Named;

    match section.sampler {
        Named::AlwaysOn => (TraceSampler::AlwaysOn, false),
        Named::AlwaysOff => (TraceSampler::AlwaysOff, false),
        Named::Ratio => (TraceSampler::Ratio(section.ratio), false),
        Named::ParentBasedAlwaysOn => (TraceSampler::AlwaysOn, true),
        Named::ParentBasedAlwaysOff => (TraceSampler::AlwaysOff, true),
        Named::ParentBasedRatio => (TraceSampler::Ratio(section.ratio), true),
    }
}

/// What the spans are of; what the operator says goes before what is known.
fn resource(config: &Config, version: &str) -> Vec<(String, String)> {
    let section = &config.traces;
    let instance = config.server.replica.clone().unwrap_or_else(|| {
        let mut bits = [0; 16];
        SystemIds.fill(&mut bits);
        hex(&bits)
    });
    let mut attributes = section.resource_attributes.clone();
    for (key, value) in [
        ("service.name", section.service_name.as_str()),
        ("service.version", version),
        ("service.instance.id", &instance),
        ("telemetry.sdk.name", "opentelemetry"),
        ("telemetry.sdk.language", "rust"),
    ] {
        let attribute = attributes.entry(key.to_owned());
        attribute.or_insert_with(|| value.to_owned());
    }
    attributes.into_iter().collect()
}

fn chance() -> f64 {
    let mut bits = [0; 2];
    SystemIds.fill(&mut bits);
    f64::from(u16::from_be_bytes(bits)) / 65_536.0
}

/// An OTLP collector at an address, with protobuf bodies.
pub(crate) struct HttpCollector {
    outbound: Outbound,
    url: Url,
    headers: HeaderMap,
    /// Since when it takes nothing, and why.
    failing: Mutex<Option<(Timestamp, String)>>,
}

impl HttpCollector {
    fn new(section: &section::Traces, url: Url) -> Result<Self, Stop> {
        let mut headers = HeaderMap::new();
        let text = section.headers.as_ref().map(ExposeSecret::expose_secret);
        let wrong = |_| Stop::usage("traces.headers can't be sent");
        for (name, value) in collector_headers(text.unwrap_or_default()).map_err(wrong)? {
            let name = HeaderName::try_from(name)?;
            let mut value = HeaderValue::try_from(value.expose_secret())?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        headers.insert(CONTENT_TYPE, protobuf);
        let pem = section.ca_file.as_ref().map(std::fs::read);
        let deadline = Duration::from_millis(section.timeout_ms);
        // A collector usually stands in the own network.
        let outbound = Outbound::trusting(deadline, true, pem.transpose()?.as_deref())?;
        Ok(Self {
            outbound,
            url,
            headers,
            failing: Mutex::default(),
        })
    }

    /// Since when it takes nothing, and why; none where it does.
    pub(crate) fn failing(&self) -> Option<(Timestamp, String)> {
        let failing = self.failing.lock();
        failing.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn became(&self, failure: Option<&Untaken>) {
        let failing = self.failing.lock();
        let mut failing = failing.unwrap_or_else(PoisonError::into_inner);
        let since = failing.take().map_or_else(now, |(since, _)| since);
        *failing = failure.map(|untaken| (since, untaken.why.clone()));
    }

    async fn post(&self, request: Bytes) -> Result<Bytes, Untaken> {
        let later = |why: String| Untaken {
            why,
            retry: Retry::After(None),
        };
        let request = self.outbound.client().post(self.url.clone()).body(request);
        let answer = request.headers(self.headers.clone()).send().await;
        let mut answer = answer.map_err(|error| later(cause(&error)))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(Untaken {
                why: format!("it answered {status}"),
                retry: retry(status, answer.headers()),
            });
        }
        let mut body = Vec::new();
        while let Ok(Some(piece)) = answer.chunk().await {
            if body.len() + piece.len() > MAX_ANSWER {
                break;
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.into())
    }
}

#[async_trait]
impl Collector for HttpCollector {
    async fn take(&self, request: Bytes) -> Result<Bytes, Untaken> {
        let taken = self.post(request).await;
        self.became(taken.as_ref().err());
        taken
    }
}

/// What failed, without the address: the innermost cause says most.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// What OTLP says of a status that is no success.
fn retry(status: StatusCode, headers: &HeaderMap) -> Retry {
    const AGAIN: [StatusCode; 4] = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
    ];
    if !AGAIN.contains(&status) {
        return Retry::Never;
    }
    let asked = headers.get(RETRY_AFTER).and_then(|wait| {
        let seconds = wait.to_str().ok()?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    });
    Retry::After(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let folder = std::path::Path::new("/tmp");
        hallpass_config::from_toml_str(text, folder).unwrap().config
    }

    #[test]
    fn the_resource_is_what_the_operator_says_before_what_is_known() {
        let text = "[server]\nreplica = \"a\"\n[traces]\nservice_name = \"voice\"\n\
            [traces.resource_attributes]\n\"deployment.environment.name\" = \"staging\"\n\
            \"service.version\" = \"mine\"\n";
        let found = resource(&config(text), "1.2.3");
        for (key, value) in [
            ("service.name", "voice"),
            ("service.instance.id", "a"),
            ("service.version", "mine"),
            ("deployment.environment.name", "staging"),
        ] {
            let attribute = (key.to_owned(), value.to_owned());
            assert!(found.contains(&attribute), "{key}: {found:?}");
        }
        let keys: std::collections::BTreeSet<_> = found.iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), found.len());
    }

    #[test]
    fn only_what_may_pass_is_sent_again() {
        let mut headers = HeaderMap::new();
        assert_eq!(retry(StatusCode::BAD_REQUEST, &headers), Retry::Never);
        assert_eq!(retry(StatusCode::FOUND, &headers), Retry::Never);
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        let after = Retry::After(Some(Duration::from_secs(7)));
        assert_eq!(retry(StatusCode::SERVICE_UNAVAILABLE, &headers), after);
    }
}
