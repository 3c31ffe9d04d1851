//! What every handler can reach.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hallpass_core::{
    Timestamp,
    alert::AlertBook,
    code::Code,
    key_issuer::KeyIssuer,
    pipeline::{Broker, Issued},
};
use hallpass_relay::call::CallDesk;
use hallpass_telemetry::{Metrics, traces::Traces};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    cross_origin::Origins,
    door::{Capacity, Door},
    front_guard::FrontGuard,
    handlers::audit::TrailSearch,
    idempotency::Fingerprints,
    relay::Relay,
    replay::Replays,
    serve::TrustedProxies,
};

/// How one upstream is: a key at a host.
#[derive(Debug, Clone)]
pub struct UpstreamStatus {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// A mark that tells its keys apart, and is no key.
    pub key: Arc<str>,
    /// Its share of the mints beside the others.
    pub weight: u32,
    /// `closed`, `open` or `half_open`.
    pub breaker: &'static str,
    /// Whether an operator holds the breaker so.
    pub forced: bool,
    /// Since when the breaker is so.
    pub since: Timestamp,
    /// The code of the failure that opened the breaker.
    pub cause: Option<&'static str>,
    /// When it is asked again; none when it would be now.
    pub retry_in: Option<Duration>,
    /// The last call that gave a secret.
    pub last_success: Option<Timestamp>,
    /// The last call that failed by OpenAI's fault, and its code.
    pub last_failure: Option<(Timestamp, &'static str)>,
    /// Failures since the last success.
    pub consecutive_failures: u32,
}

impl UpstreamStatus {
    /// An upstream nobody has asked yet.
    #[must_use]
    pub fn unasked(name: impl Into<Arc<str>>, since: Timestamp) -> Self {
        Self {
            name: name.into(),
            key: Arc::from(""),
            weight: 1,
            breaker: "closed",
            forced: false,
            since,
            cause: None,
            retry_in: None,
            last_success: None,
            last_failure: None,
            consecutive_failures: 0,
        }
    }
}

/// What an operator wants of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerWish {
    /// Ask this upstream no more.
    Open,
    /// Ask it whatever it answers.
    Closed,
    /// Start anew and go by its answers.
    Auto,
}

/// A part that is not well, and without which everything is served all the same.
#[derive(Debug, Clone)]
pub struct Unwell {
    /// Which one.
    pub part: &'static str,
    /// What it is; holds no secret.
    pub what: String,
    /// Since when.
    pub since: Timestamp,
}

/// Tells how the parts are, and lets an operator set them.
pub trait Health: Send + Sync {
    /// The upstreams, in the order of the configuration.
    fn upstreams(&self) -> Vec<UpstreamStatus>;
    /// Sets a breaker. False when there is no such upstream.
    fn force_breaker(&self, upstream: &str, wish: BreakerWish) -> bool;
    /// Grants in the trail that the registry's file does not hold yet.
    fn waiting_grants(&self) -> usize;
    /// Counts a secret that was not issued by this server's own fault; OpenAI's
    /// faults are counted where it is asked.
    fn mint_failed(&self, code: Code) {
        let _ = code;
    }
    /// The parts beside the way of requests that are not well.
    fn beside(&self) -> Vec<Unwell> {
        Vec::new()
    }
}

/// What an [`App`] is made of.
pub struct AppParts {
    /// The way from a request to a secret.
    pub broker: Arc<Broker>,
    /// Refuses addresses that ask too much.
    pub guard: Arc<FrontGuard>,
    /// Makes API keys.
    pub keys: Arc<KeyIssuer>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Makes spans of requests.
    pub traces: Traces,
    /// How the parts are.
    pub health: Arc<dyn Health>,
    /// The alerts that last, and those that ended.
    pub alerts: Arc<dyn AlertBook>,
    /// How many records of the trail are counted for usage.
    pub counted: Arc<AtomicU64>,
    /// Finds records of the audit trail.
    pub trail: Arc<dyn TrailSearch>,
    /// Relays sessions; none where nothing is relayed.
    pub relay: Option<Relay>,
    /// Makes calls; none where no calls are made.
    pub calls: Option<Arc<CallDesk>>,
    /// The pages that may call from a browser.
    pub origins: Origins,
    /// How many mints may be under way.
    pub capacity: Capacity,
    /// How long an `Idempotency-Key` gives the same answer again.
    pub idempotency: Duration,
    /// The proxies whose word on the client's address is taken.
    pub trusted_proxies: TrustedProxies,
    /// Whether this end speaks TLS to the world, so that browsers may be told
    /// to insist on it.
    pub https: bool,
    /// The program's version.
    pub version: &'static str,
}

/// The state of all routers.
#[derive(Clone)]
pub struct App(Arc<Shared>);

struct Shared {
    parts: AppParts,
    draining: CancellationToken,
    started: Timestamp,
    door: Door,
    replays: Arc<Replays<Issued>>,
    fingerprints: Fingerprints,
    sockets: TaskTracker,
}

impl App {
    /// Puts the parts together; the uptime counts from now.
    #[must_use]
    pub fn new(parts: AppParts) -> Self {
        let started = parts.broker.clock().now();
        let door = Door::new(parts.capacity, &parts.broker, &parts.metrics);
        let replays = Replays::new(parts.idempotency);
        Self(Arc::new(Shared {
            door,
            replays: Arc::new(replays),
            fingerprints: Fingerprints::new(),
            sockets: TaskTracker::new(),
            parts,
            draining: CancellationToken::new(),
            started,
        }))
    }

    /// Answers "not ready" from now on, so that load balancers send no more.
    pub fn drain(&self) {
        self.0.draining.cancel();
    }

    /// Ends every live session and takes no more; returns once each is recorded.
    pub async fn end_sessions(&self) {
        let ended = self.broker().sessions().live.drain();
        if ended > 0 {
            tracing::info!(
                sessions = ended,
                "stopping: live sessions are told to come back"
            );
        }
        self.0.sockets.close();
        self.0.sockets.wait().await;
        if let Some(desk) = self.calls() {
            desk.finish().await;
        }
    }

    pub(crate) fn calls(&self) -> Option<&Arc<CallDesk>> {
        self.0.parts.calls.as_ref()
    }

    pub(crate) fn relay(&self) -> Option<&Relay> {
        self.0.parts.relay.as_ref()
    }

    pub(crate) fn sockets(&self) -> &TaskTracker {
        &self.0.sockets
    }

    /// Writes what is still to be told about refused requests.
    pub async fn flush(&self) {
        self.0.door.flush().await;
    }

    pub(crate) fn door(&self) -> &Door {
        &self.0.door
    }

    pub(crate) fn replays(&self) -> &Arc<Replays<Issued>> {
        &self.0.replays
    }

    pub(crate) fn fingerprints(&self) -> &Fingerprints {
        &self.0.fingerprints
    }

    /// How many records of the trail are counted for usage.
    #[must_use]
    pub fn counted_records(&self) -> u64 {
        self.0.parts.counted.load(Ordering::Acquire)
    }

    /// The alerts that last, and those that ended.
    #[must_use]
    pub fn alerts(&self) -> &dyn AlertBook {
        &*self.0.parts.alerts
    }

    /// Finds records of the audit trail.
    #[must_use]
    pub fn trail(&self) -> &dyn TrailSearch {
        &*self.0.parts.trail
    }

    /// Returns once the server is told to stop.
    pub async fn drained(&self) {
        self.0.draining.cancelled().await;
    }

    /// Whether the server was told to stop.
    #[must_use]
    pub fn draining(&self) -> bool {
        self.0.draining.is_cancelled()
    }

    /// The way from a request to a secret, and the core's ports.
    #[must_use]
    pub fn broker(&self) -> &Arc<Broker> {
        &self.0.parts.broker
    }

    /// Refuses addresses that ask too much, and slows guessing.
    #[must_use]
    pub fn guard(&self) -> &FrontGuard {
        &self.0.parts.guard
    }

    /// Makes API keys, and leads to those there are.
    #[must_use]
    pub fn keys(&self) -> &KeyIssuer {
        &self.0.parts.keys
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.parts.metrics
    }

    /// How the parts are.
    #[must_use]
    pub fn health(&self) -> &dyn Health {
        &*self.0.parts.health
    }

    pub(crate) fn traces(&self) -> &Traces {
        &self.0.parts.traces
    }

    pub(crate) fn origins(&self) -> &Origins {
        &self.0.parts.origins
    }

    pub(crate) fn trusted_proxies(&self) -> &TrustedProxies {
        &self.0.parts.trusted_proxies
    }

    pub(crate) fn https(&self) -> bool {
        self.0.parts.https
    }

    /// The program's version.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.0.parts.version
    }

    /// How long it runs.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        let now = self.broker().clock().now();
        now.duration_since(self.0.started).unsigned_abs()
    }
}
