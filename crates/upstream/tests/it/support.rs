//! A client, an order and a clock for the tests.

use std::{sync::Arc, time::Duration};

use hallpass_core::{
    Timestamp,
    journal::Journal,
    ports::{Clock, MintFailure, MintOrder, MintedSecret, Minter as _},
    profile::SessionConfig,
};
use hallpass_upstream::{OpenAi, UpstreamSettings};
use serde_json::json;
use url::Url;

use crate::scripted::{Script, Upstream, reply};

/// The tests' present: a minute before the documented example expires.
pub(crate) const NOW: i64 = 1_756_310_410;

/// OpenAI's documented example of a reply.
pub(crate) const SECRET: &str =
    include_str!("../../fixtures/client_secrets.response.realtime.json");

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }
}

/// A standard key of the tests; put together here so that no scanner trips.
pub(crate) fn key() -> String {
    ["sk", "canary", "4f1c9e7b2a6d8035"].join("-")
}

/// Settings for an upstream at this address.
pub(crate) fn settings(base_url: &str) -> UpstreamSettings {
    UpstreamSettings::new("main", Url::parse(base_url).unwrap(), key().into())
}

/// A client with these settings.
pub(crate) fn client_with(settings: UpstreamSettings) -> Arc<OpenAi> {
    Arc::new(OpenAi::new(settings, Arc::new(FixedClock)).unwrap())
}

/// A client for a scripted upstream.
pub(crate) fn client(upstream: &Upstream) -> Arc<OpenAi> {
    client_with(settings(&format!("http://{}/v1", upstream.address)))
}

/// An order for a realtime session whose voice the caller chose.
pub(crate) fn order() -> MintOrder {
    let session = json!({
        "type": "realtime", "model": "gpt-realtime-2.1", "audio": {"output": {"voice": "marin"}},
    });
    MintOrder {
        session: SessionConfig::new(session.as_object().unwrap().clone()).unwrap(),
        expires_after_seconds: 60,
        safety_identifier: "5afe1d".to_owned(),
        overridden: vec!["audio.output.voice".to_owned()],
        deadline: Duration::from_secs(30),
        journal: Journal::default(),
    }
}

/// The good reply.
pub(crate) fn good() -> Vec<u8> {
    reply(200, "x-request-id: req_1\r\n", SECRET)
}

/// Mints once at an upstream that follows this script.
pub(crate) async fn mint_at(script: Script) -> Result<MintedSecret, Box<MintFailure>> {
    let upstream = Upstream::start(script).await;
    client(&upstream).mint(order()).await
}

/// The failure of one mint at an upstream that sends this reply.
pub(crate) async fn refused(reply: Vec<u8>) -> Box<MintFailure> {
    let failure = mint_at(Script::Answer(reply)).await.unwrap_err();
    check_told(&failure);
    failure
}

/// What holds for every failure, whatever its cause.
pub(crate) fn check_told(failure: &MintFailure) {
    let internal = failure.refusal.internal.as_deref().unwrap();
    assert!(internal.starts_with("upstream main: "), "{internal}");
    assert_eq!(failure.upstream.name.as_deref(), Some("main"));
    assert!(!format!("{failure:?}").contains(&key()));
}
