//! The simulator itself: its parts and the handle on them.

use std::{sync::Arc, time::Duration, time::SystemTime};

use axum::Router;
use jiff::Timestamp;
use tokio_util::task::TaskTracker;

use crate::{
    call::Calls,
    config::SimulatorConfig,
    fault::Faults,
    ids::Ids,
    log::{LogEntry, RequestLog},
    mint::Templates,
    router,
    secrets::{Gatekeeper, Secrets},
    sessions::{Ending, SessionSummary, Sessions},
};

/// The simulated OpenAI; clones share one state.
#[derive(Debug, Clone)]
pub struct Simulator {
    pub(crate) core: Arc<Core>,
}

/// Everything the handlers share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) config: SimulatorConfig,
    pub(crate) ids: Arc<Ids>,
    pub(crate) log: Arc<RequestLog>,
    pub(crate) faults: Faults,
    pub(crate) gatekeeper: Gatekeeper,
    pub(crate) templates: Templates,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) calls: Calls,
    /// Sockets that are open, or still closing.
    pub(crate) running: TaskTracker,
}

impl Simulator {
    /// A simulator that has seen nothing yet.
    #[must_use]
    pub fn new(config: SimulatorConfig) -> Self {
        let gatekeeper = Gatekeeper {
            standard_keys: config.standard_keys.clone(),
            secrets: Secrets::new(config.secret_capacity),
        };
        let core = Core {
            ids: Arc::new(Ids::new(config.seed)),
            log: Arc::new(RequestLog::new(config.log_capacity)),
            faults: Faults::default(),
            gatekeeper,
            templates: Templates::default(),
            sessions: Arc::default(),
            calls: Calls::new(config.call_capacity),
            running: TaskTracker::new(),
            config,
        };
        Self {
            core: Arc::new(core),
        }
    }

    /// All routes: `/v1/realtime…` and `/_sim/…`.
    pub fn router(&self) -> Router {
        router::router(&self.core)
    }

    /// The requests seen, oldest first, as many as the log keeps.
    #[must_use]
    pub fn log(&self) -> Vec<LogEntry> {
        self.core.log.latest(usize::MAX)
    }

    /// The sessions that are live now, oldest first.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionSummary> {
        self.core.live_sessions()
    }

    /// Closes every session with 1001, as when the program is to stop.
    pub fn close_all(&self) {
        let reason = "The simulator is stopping.".to_owned();
        self.core
            .sessions
            .end_all(&Ending::Close { code: 1001, reason });
    }
}

impl Core {
    /// The wall clock in unix seconds.
    pub(crate) fn now(&self) -> u64 {
        let since = (self.config.clock)().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or(Duration::ZERO).as_secs()
    }

    /// The wall clock as a timestamp.
    pub(crate) fn timestamp(&self) -> Timestamp {
        Timestamp::try_from((self.config.clock)()).unwrap_or_default()
    }

    /// Sockets, sidebands and calls.
    pub(crate) fn live_sessions(&self) -> Vec<SessionSummary> {
        self.sessions.live()
    }

    /// Whether a realtime session can be held with this model.
    pub(crate) fn is_realtime_model(&self, model: &str) -> bool {
        if !self.config.models.is_empty() {
            return self.config.models.iter().any(|known| known == model);
        }
        let family = REALTIME_FAMILIES
            .iter()
            .any(|family| model.starts_with(family));
        family && !OTHER_MODES.iter().any(|other| model.starts_with(other))
    }
}

const REALTIME_FAMILIES: [&str; 3] = [
    "gpt-realtime",
    "gpt-4o-realtime-preview",
    "gpt-4o-mini-realtime-preview",
];
const OTHER_MODES: [&str; 2] = ["gpt-realtime-whisper", "gpt-realtime-translate"];
