//! The stream that keeps a page current: server-sent events.
//!
//! One event a second at most, and only where something changed. The stream
//! ends when the session behind it may read no more, and when the server stops.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::stream;
use hallpass_core::{
    audit::Action, caller::Caller, code::Code, permission::Permission, ports::StoreError,
    refusal::Refusal,
};
use http::{HeaderName, HeaderValue, StatusCode};
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    answer::known,
    cookie,
    live::Live,
    operator::Operator,
    pages::{
        alerts,
        overview::{self, Range},
        sessions, users,
    },
    visit::Visit,
};

/// How often a page is looked at anew.
const EVERY: Duration = Duration::from_secs(1);
/// How often a silent stream says that it is there.
const ALIVE: Duration = Duration::from_secs(15);

/// What a stream is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Overview(Range),
    Sessions,
    Alerts,
    Users,
}

impl View {
    /// What reading it asks for.
    const fn permission(self) -> Option<Permission> {
        match self {
            Self::Overview(_) => None,
            Self::Sessions => Some(Permission::SessionsRead),
            Self::Alerts => Some(Permission::AlertsRead),
            Self::Users => Some(Permission::UsageRead),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Overview(_) => "overview",
            Self::Sessions => "sessions",
            Self::Alerts => "alerts",
            Self::Users => "users",
        }
    }
}

/// Begins a stream. Who may not have one gets a bare status, at which browsers
/// ask no more.
pub(crate) async fn stream(visit: Visit) -> Response {
    let Some((sent, _)) = visit.session() else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let fields = visit.query();
    let view = match fields.get("view") {
        Some("sessions") => View::Sessions,
        Some("alerts") => View::Alerts,
        Some("users") => View::Users,
        _ => View::Overview(Range::of(fields.get("range"))),
    };
    let entered = match visit.enter(Action::ConsoleRead, view.permission()).await {
        Ok(entered) => entered,
        Err(response) if response.status().is_redirection() => {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        Err(response) => return response.status().into_response(),
    };
    let streams = visit.console.streams().clone();
    let Ok(place) = streams.try_acquire_owned() else {
        let full = Refusal::new(Code::Overloaded, "Too many pages of the console are open.");
        drop(entered.slip.refuse(full).await);
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let facts = vec![
        ("page", view.name().to_owned()),
        ("stream", "true".to_owned()),
    ];
    let operator = match entered.done(&visit, facts).await {
        Ok(operator) => operator,
        Err(response) => return response.status().into_response(),
    };
    let name = operator.name().clone();
    let feed = Feed {
        caller: operator.caller().clone(),
        visit,
        sent,
        view,
        last: String::new(),
        is_first: true,
        is_over: false,
        _place: place,
    };
    let events = stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((Ok::<_, Infallible>(event), feed))
    });
    let kept = KeepAlive::new().interval(ALIVE);
    let mut response = Sse::new(events).keep_alive(kept).into_response();
    // A proxy that gathers would hold every event back.
    let buffering = HeaderName::from_static("x-accel-buffering");
    let headers = response.headers_mut();
    headers.insert(buffering, HeaderValue::from_static("no"));
    known(response, &name)
}

/// One open stream.
struct Feed {
    visit: Visit,
    caller: Arc<Caller>,
    sent: cookie::Sent,
    view: View,
    last: String,
    is_first: bool,
    is_over: bool,
    _place: OwnedSemaphorePermit,
}

impl Feed {
    /// The next event, once something changed.
    async fn next(&mut self) -> Option<Event> {
        if self.is_over {
            return None;
        }
        loop {
            if !std::mem::take(&mut self.is_first) {
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => {}
                    () = self.visit.app.drained() => return Some(self.over("restart")),
                }
            }
            let Some(operator) = self.operator().await else {
                return Some(self.over("signed-out"));
            };
            let Ok(live) = self.live(&operator).await else {
                // The store is away: what is shown stays as it is.
                continue;
            };
            let text = serde_json::to_string(&live).ok()?;
            if text != self.last {
                let event = Event::default().event("view").data(&text);
                self.last = text;
                return Some(event);
            }
        }
    }

    fn over(&mut self, why: &str) -> Event {
        self.is_over = true;
        Event::default().event("over").data(why)
    }

    /// Who reads, by what is in force now; none where they may no more. Not
    /// recorded: that the stream was opened is.
    async fn operator(&self) -> Option<Operator> {
        let (visit, now) = (&self.visit, self.visit.now());
        let sessions = visit.console.sessions();
        let held = sessions.find(&self.sent.token, self.sent.secure, now)?;
        let found = visit.app.keys().directory().find(&held.key).await;
        let key = found.ok().flatten()?;
        let is_over = key.expires_at.is_some_and(|end| end <= now);
        if key.revoked_at.is_some() || is_over {
            return None;
        }
        let broker = visit.app.broker();
        let operator = Operator::of(broker, &self.caller, held.csrf);
        let permission = self.view.permission();
        let may = permission.is_none_or(|permission| operator.may(permission));
        (may && operator.may_enter() && operator.is_free(broker)).then_some(operator)
    }

    async fn live(&self, operator: &Operator) -> Result<Live, StoreError> {
        Ok(match self.view {
            View::Overview(range) => overview::live(&self.visit, operator, range).await,
            View::Sessions => sessions::live(&self.visit, operator),
            View::Alerts => alerts::live(&self.visit, operator).await?,
            View::Users => users::live(&self.visit),
        })
    }
}
