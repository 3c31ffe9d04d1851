//! What every handler can reach.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hallpass_core::{Timestamp, key_issuer::KeyIssuer, pipeline::Broker};
use hallpass_telemetry::Metrics;

use crate::{cross_origin::Origins, front_guard::FrontGuard, serve::TrustedProxies};

/// How OpenAI has answered lately.
#[derive(Debug, Clone, Default)]
pub struct UpstreamHealth {
    /// The upstream's name in the configuration.
    pub name: String,
    /// The last call that gave a secret.
    pub last_success: Option<Timestamp>,
    /// The last call that failed by OpenAI's fault, and its code.
    pub last_failure: Option<(Timestamp, &'static str)>,
    /// Failures since the last success.
    pub consecutive_failures: u32,
}

/// Tells how the parts are.
pub trait Health: Send + Sync {
    /// How OpenAI has answered lately.
    fn upstream(&self) -> UpstreamHealth;
    /// Grants in the trail that the registry's file does not hold yet.
    fn waiting_grants(&self) -> usize;
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
    /// How the parts are.
    pub health: Arc<dyn Health>,
    /// The pages that may call from a browser.
    pub origins: Origins,
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
    draining: AtomicBool,
    started: Timestamp,
}

impl App {
    /// Puts the parts together; the uptime counts from now.
    #[must_use]
    pub fn new(parts: AppParts) -> Self {
        let started = parts.broker.clock().now();
        Self(Arc::new(Shared {
            parts,
            draining: AtomicBool::new(false),
            started,
        }))
    }

    /// Answers "not ready" from now on, so that load balancers send no more.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::SeqCst);
    }

    pub(crate) fn draining(&self) -> bool {
        self.0.draining.load(Ordering::SeqCst)
    }

    pub(crate) fn broker(&self) -> &Arc<Broker> {
        &self.0.parts.broker
    }

    pub(crate) fn guard(&self) -> &FrontGuard {
        &self.0.parts.guard
    }

    pub(crate) fn keys(&self) -> &KeyIssuer {
        &self.0.parts.keys
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.parts.metrics
    }

    pub(crate) fn health(&self) -> &dyn Health {
        &*self.0.parts.health
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

    pub(crate) fn version(&self) -> &'static str {
        self.0.parts.version
    }

    pub(crate) fn uptime(&self) -> Duration {
        let now = self.broker().clock().now();
        now.duration_since(self.0.started).unsigned_abs()
    }
}
