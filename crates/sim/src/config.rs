//! What an embedding program may choose.

use std::{fmt, sync::Arc, time::Duration, time::SystemTime};

/// The wall clock, passed in so that tests decide what time it is.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Settings of a simulator; start from [`SimulatorConfig::new`].
#[derive(Clone)]
pub struct SimulatorConfig {
    /// Wall clock: expiry of secrets, `created_at`, times in the log.
    pub clock: Clock,
    /// Standard keys that are accepted. Empty accepts any key that begins `sk-`.
    pub standard_keys: Vec<String>,
    /// Models a session may use. Empty accepts every realtime model family.
    pub models: Vec<String>,
    /// Makes identifiers and fault draws repeatable; `None` is random.
    pub seed: Option<u64>,
    /// Time between WebSocket pings.
    pub ping_interval: Duration,
    /// Longest life of a session, after which it is closed with 1001.
    pub session_limit: Duration,
    /// Pause between the deltas of a response; zero sends all at once.
    pub response_pace: Duration,
    /// Requests the log keeps; the oldest are dropped first.
    pub log_capacity: usize,
    /// Client secrets remembered; the oldest are forgotten, so refused, first.
    pub secret_capacity: usize,
    /// WebRTC calls remembered; the oldest are forgotten first.
    pub call_capacity: usize,
}

impl SimulatorConfig {
    /// OpenAI's own timings, any `sk-` key, a random seed.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            standard_keys: Vec::new(),
            models: Vec::new(),
            seed: None,
            ping_interval: Duration::from_millis(20_300),
            session_limit: Duration::from_secs(60 * 60),
            response_pace: Duration::from_millis(20),
            log_capacity: 100_000,
            secret_capacity: 100_000,
            call_capacity: 10_000,
        }
    }
}

impl fmt::Debug for SimulatorConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatorConfig")
            .field("standard_keys", &self.standard_keys.len())
            .field("models", &self.models)
            .field("seed", &self.seed)
            .field("ping_interval", &self.ping_interval)
            .field("session_limit", &self.session_limit)
            .field("response_pace", &self.response_pace)
            .field("log_capacity", &self.log_capacity)
            .field("secret_capacity", &self.secret_capacity)
            .field("call_capacity", &self.call_capacity)
            .finish_non_exhaustive()
    }
}
