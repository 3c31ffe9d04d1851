//! What the console is made of, and its routes.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    routing::{get, post},
};
use hallpass_http::App;
use tokio::sync::Semaphore;

use crate::{
    assets, events, pages,
    pages::{
        alerts, audit, keys, overview, record, revocations, sessions, sign_in, upstreams, usage,
        users,
    },
    session::{Lives, Sessions},
    timeline::Timeline,
    trail::TrailDesk,
};

/// Streams open at once; each is one open page.
const MOST_STREAMS: usize = 256;

/// What the console needs beside the server's own parts.
pub struct ConsoleParts {
    /// What happened in each minute of the last day.
    pub timeline: Arc<Timeline>,
    /// Finds records of the trail and tells how they stand.
    pub trail: Arc<dyn TrailDesk>,
    /// How long an operator may do nothing before having to sign in again.
    pub idle: Duration,
    /// How long a sign-in lasts at most.
    pub life: Duration,
}

/// The console, as its handlers share it.
#[derive(Clone)]
pub(crate) struct Console(Arc<Shared>);

struct Shared {
    timeline: Arc<Timeline>,
    trail: Arc<dyn TrailDesk>,
    sessions: Sessions,
    streams: Arc<Semaphore>,
}

impl Console {
    pub(crate) fn timeline(&self) -> &Timeline {
        &self.0.timeline
    }

    pub(crate) fn trail(&self) -> &dyn TrailDesk {
        &*self.0.trail
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    pub(crate) fn streams(&self) -> &Arc<Semaphore> {
        &self.0.streams
    }
}

/// The console's routes, all below `/console`.
pub fn routes(parts: ConsoleParts) -> Router<App> {
    let lives = Lives {
        idle: parts.idle,
        whole: parts.life,
    };
    let console = Console(Arc::new(Shared {
        timeline: parts.timeline,
        trail: parts.trail,
        sessions: Sessions::new(lives),
        streams: Arc::new(Semaphore::new(MOST_STREAMS)),
    }));
    Router::new()
        .route("/console", get(pages::move_in))
        .route("/console/", get(overview::show))
        .route("/console/sign-in", get(sign_in::show).post(sign_in::enter))
        .route("/console/sign-out", post(sign_in::leave))
        .route("/console/events", get(events::stream))
        .route("/console/sessions", get(sessions::show))
        .route("/console/sessions/{id}/end", post(sessions::end))
        .route("/console/users", get(users::show))
        .route("/console/usage", get(usage::show))
        .route("/console/usage.csv", get(usage::table))
        .route("/console/alerts", get(alerts::show))
        .route(
            "/console/alerts/{id}/acknowledge",
            post(alerts::acknowledge),
        )
        .route("/console/audit", get(audit::show))
        .route("/console/audit/{sequence}", get(record::show))
        .route("/console/keys", get(keys::show))
        .route("/console/keys/{id}/revoke", post(keys::revoke))
        .route(
            "/console/revocations",
            get(revocations::show).post(revocations::add),
        )
        .route("/console/revocations/{id}/lift", post(revocations::lift))
        .route("/console/upstreams/{name}/breaker", post(upstreams::force))
        .route("/console/assets/{file}", get(assets::file))
        .route("/console/{*rest}", get(pages::not_found))
        .layer(Extension(console))
}
