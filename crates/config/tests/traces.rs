//! `[traces]`, and OpenTelemetry's own variables over it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;

use hallpass_config::section::{TraceSampler, Traces};
use hallpass_config::{Loaded, Problems, Sources, load};
use secrecy::ExposeSecret;

/// In two pieces, so that no scanner takes it for a leak.
const CANARY: &str = concat!("cAnArY7Lr4Wb8Ys1Nc6", "Hd3Jf5Gp0RkT9vQ2mZx");

fn loaded(toml: &str, variables: &[(&str, &str)]) -> Result<Loaded, Problems> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hallpass.toml");
    std::fs::write(&file, toml).unwrap();
    std::fs::write(folder.path().join("otlp"), format!("x-key={CANARY}\n")).unwrap();
    let variables = variables
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let environment: BTreeMap<String, String> = variables.collect();
    load(Sources {
        file: Some(&file),
        environment: &environment,
        flags: &[],
    })
}

fn traces(toml: &str, variables: &[(&str, &str)]) -> Traces {
    let loaded = loaded(toml, variables).unwrap_or_else(|problems| panic!("{problems}"));
    loaded.config.traces
}

fn refused(toml: &str, variables: &[(&str, &str)]) -> String {
    loaded(toml, variables).map(drop).unwrap_err().to_string()
}

fn posted_to(traces: &Traces) -> Option<String> {
    traces.posted_to().map(|url| url.to_string())
}

#[test]
fn an_address_without_a_path_gets_the_usual_one() {
    for (endpoint, posted) in [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("http://collector:4318/", "http://collector:4318/v1/traces"),
        ("https://a.example/otlp", "https://a.example/otlp"),
    ] {
        let toml = format!("[traces]\nendpoint = \"{endpoint}\"\n");
        assert_eq!(posted_to(&traces(&toml, &[])).as_deref(), Some(posted));
    }
    assert_eq!(posted_to(&traces("", &[])), None);
}

#[test]
fn what_all_signals_share_gets_the_path_of_traces_and_their_own_is_kept() {
    let shared = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318/otlp/");
    let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://a.example/in");
    let found = traces("", &[shared]);
    assert_eq!(
        posted_to(&found).as_deref(),
        Some("http://127.0.0.1:4318/otlp/v1/traces")
    );
    let found = traces("[traces]\nendpoint = \"http://other\"\n", &[shared, own]);
    assert_eq!(posted_to(&found).as_deref(), Some("https://a.example/in"));
}

#[test]
fn every_variable_sets_its_member() {
    let found = traces(
        "",
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-a=1"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-a=2"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ("OTEL_SERVICE_NAME", "voice"),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "service.name=lost, host.name=a%2Cb",
            ),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "4096"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "64"),
        ],
    );
    assert_eq!(found.headers.unwrap().expose_secret(), "x-a=2");
    assert_eq!(found.timeout_ms, 2500);
    assert_eq!((found.sampler, found.ratio), (TraceSampler::Ratio, 0.25));
    assert_eq!(found.service_name, "voice");
    let attributes: Vec<_> = found.resource_attributes.into_iter().collect();
    assert_eq!(attributes, [("host.name".to_owned(), "a,b".to_owned())]);
    let sizes = (found.gather_ms, found.queue_spans, found.batch_spans);
    assert_eq!(sizes, (100, 4096, 64));
}

#[test]
fn variables_of_a_platform_mean_nothing_where_no_collector_is_named() {
    let platform = [
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_RESOURCE_ATTRIBUTES", "no list"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
    ];
    assert_eq!(posted_to(&traces("", &platform)), None);
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
    let told = refused("", &[&platform[..], &[endpoint]].concat());
    for (variable, _) in platform {
        assert!(told.contains(variable), "{variable} in {told}");
    }
}

#[test]
fn either_switch_turns_them_off() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
    for switch in [
        ("OTEL_SDK_DISABLED", "TRUE"),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("HALLPASS_TRACES_ENABLED", "false"),
    ] {
        assert_eq!(
            posted_to(&traces("", &[endpoint, switch])),
            None,
            "{switch:?}"
        );
    }
    let on = ("OTEL_SDK_DISABLED", "false");
    assert!(posted_to(&traces("", &[endpoint, on])).is_some());
}

#[test]
fn headers_come_from_a_file_and_are_in_no_text() {
    let toml = "[traces]\nendpoint = \"http://collector\"\nheaders_file = \"otlp\"\n";
    let found = loaded(toml, &[]).unwrap();
    let headers = found.config.traces.headers.clone().unwrap();
    assert_eq!(headers.expose_secret(), format!("x-key={CANARY}"));
    for text in [format!("{found:?}"), found.to_toml()] {
        assert!(!text.contains(&CANARY[..8]), "{text}");
    }
    let twice = format!("{toml}headers = \"a=b\"\n");
    assert!(refused(&twice, &[]).contains("Keep one of the two"));
    let bad = format!("[traces]\nheaders = \"{CANARY}\"\n");
    let told = refused(&bad, &[]);
    assert!(
        told.contains("a header has no `=`") && !told.contains(&CANARY[..8]),
        "{told}"
    );
}

#[test]
fn what_would_travel_in_the_clear_or_does_not_fit_is_refused() {
    let told = refused(
        "[traces]\nendpoint = \"http://collector.example.com\"\n",
        &[],
    );
    assert!(told.contains("traces would travel in the clear"), "{told}");
    let told = refused("[traces]\nbatch_spans = 9\nqueue_spans = 8\n", &[]);
    assert!(told.contains("traces.batch_spans"), "{told}");
    let told = refused("[traces]\nratio = 1.5\n", &[]);
    assert!(told.contains("traces.ratio"), "{told}");
}
