//! `[traces]`: OpenTelemetry traces.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::hidden;

/// Where traces are sent, and how many.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Traces {
    /// Whether traces are sent where `endpoint` says.
    pub enabled: bool,
    /// The collector's OTLP address over HTTP; without a path, `/v1/traces` of
    /// it. Absent: no traces.
    #[schemars(with = "Option<String>", extend("format" = "url"))]
    pub endpoint: Option<Url>,
    /// Headers for the collector, as `name=value,name=value` with values
    /// percent-encoded. After loading it also holds what `headers_file` held.
    #[serde(serialize_with = "hidden::secret")]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub headers: Option<SecretString>,
    /// File with the headers; white space around them is dropped.
    pub headers_file: Option<PathBuf>,
    /// Certificates trusted for the collector besides the system's, as PEM.
    pub ca_file: Option<PathBuf>,
    /// Which traces are sent.
    pub sampler: TraceSampler,
    /// The part of all traces a sampler by ratio sends, chosen by their ids.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub ratio: f64,
    /// `service.name` of the spans.
    #[schemars(length(min = 1))]
    pub service_name: String,
    /// Further attributes of what the spans are of, such as
    /// `deployment.environment.name`. `service.instance.id` is the replica's name
    /// unless it is set here.
    pub resource_attributes: BTreeMap<String, String>,
    /// Milliseconds one request to the collector may take.
    #[schemars(range(min = 100, max = 60_000))]
    pub timeout_ms: u64,
    /// Spans that may wait to be sent; further ones are dropped and counted.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub queue_spans: u32,
    /// Spans sent together at most.
    #[schemars(range(min = 1, max = 10_000))]
    pub batch_spans: u32,
    /// Milliseconds a span may wait for others.
    #[schemars(range(min = 1, max = 60_000))]
    pub gather_ms: u64,
}

impl Default for Traces {
    fn default() -> Self {
        Self {
            enabled: true,
            endpoint: None,
            headers: None,
            headers_file: None,
            ca_file: None,
            sampler: TraceSampler::ParentBasedRatio,
            ratio: 1.0,
            service_name: "hallpass".to_owned(),
            resource_attributes: BTreeMap::new(),
            timeout_ms: 10_000,
            queue_spans: 2048,
            batch_spans: 512,
            gather_ms: 5000,
        }
    }
}

impl Traces {
    /// Where spans are posted to; none where no traces are sent.
    #[must_use]
    pub fn posted_to(&self) -> Option<Url> {
        let mut url = self.endpoint.clone().filter(|_| self.enabled)?;
        if url.path() == "/" {
            url.set_path("/v1/traces");
        }
        Some(url)
    }
}

/// Which traces are sent, by OpenTelemetry's names.
///
/// Those with `parentbased` follow the flag of the caller's `traceparent` where
/// there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TraceSampler {
    /// All.
    #[serde(rename = "always_on")]
    AlwaysOn,
    /// None.
    #[serde(rename = "always_off")]
    AlwaysOff,
    /// A part of all.
    #[serde(rename = "traceidratio")]
    Ratio,
    /// As the caller's flag says, else all.
    #[serde(rename = "parentbased_always_on")]
    ParentBasedAlwaysOn,
    /// As the caller's flag says, else none.
    #[serde(rename = "parentbased_always_off")]
    ParentBasedAlwaysOff,
    /// As the caller's flag says, else a part of all.
    #[serde(rename = "parentbased_traceidratio")]
    ParentBasedRatio,
}
