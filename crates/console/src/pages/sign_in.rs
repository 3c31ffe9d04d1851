//! Signing in with an API key, and out.

use std::time::Duration;

use axum::{body::Body, extract::Request, response::Response};
use hallpass_core::{
    audit::Action,
    caller::{Caller, Presented, Scheme},
    code::Code,
    refusal::Refusal,
};
use http::StatusCode;
use maud::{Markup, html};

use super::{SIGN_IN, status_of};
use crate::{
    answer::{go, known, page, with_cookie},
    cookie,
    form::Fields,
    layout,
    operator::Operator,
    origin::{self, Own},
    text::shown,
    visit::Visit,
};

/// The page with the form.
pub(crate) async fn show(visit: Visit) -> Response {
    if visit.session().is_some() {
        return go("/console/");
    }
    let told = visit
        .query()
        .get("over")
        .map(|_| "Your session is over: its time ran out, or its key was revoked. Sign in again.");
    page(StatusCode::OK, form("warn", told))
}

/// Exchanges a key for a session.
pub(crate) async fn enter(visit: Visit, request: Request) -> Response {
    let own = match origin::own(&visit.headers, &visit.uri) {
        Ok(own) => own,
        Err(why) => {
            let refusal = Refusal::new(Code::CrossSiteRequest, why.sentence());
            return refused(&visit.record(refusal).await);
        }
    };
    match visit.exchange(own, request.into_body()).await {
        Ok(response) => response,
        Err(refusal) => refused(&refusal),
    }
}

/// Ends the session.
pub(crate) async fn leave(visit: Visit, request: Request) -> Response {
    let fields = Fields::of_body(request.into_body()).await;
    let Some((sent, held)) = visit.session() else {
        return go(SIGN_IN);
    };
    let same = |fields: &Fields| fields.get("csrf") == Some(&*held.csrf);
    let own = origin::own(&visit.headers, &visit.uri).is_ok();
    if !own || !fields.as_ref().is_ok_and(same) {
        let refusal = Refusal::new(
            Code::CrossSiteRequest,
            "The form is not one of this session's. Nothing was done.",
        );
        return refused(&visit.record(refusal).await);
    }
    // Out is out, even where that can't be recorded.
    visit.console.sessions().end(&sent.token);
    let presented = Presented {
        proven: Some(held.key),
        address: visit.facts.address,
        ..Presented::default()
    };
    let broker = visit.app.broker();
    let guard = visit.app.guard();
    if let Ok(known) = guard.authenticate(broker, &visit.facts, &presented).await {
        let slip = known.open_audit(Action::ConsoleSignOut);
        let _ = slip.done(Vec::new()).await;
    }
    with_cookie(go(SIGN_IN), cookie::take(sent.secure))
}

impl Visit {
    async fn exchange(&self, own: Own, body: Body) -> Result<Response, Refusal> {
        if !own.secure && !own.loopback {
            let text = "The console takes keys over HTTPS, or over HTTP on the server's own machine. Put TLS in front of the admin listener, or use a tunnel: ssh -L 8788:127.0.0.1:8788 …";
            return Err(self
                .record(Refusal::new(Code::CrossSiteRequest, text))
                .await);
        }
        let fields = match Fields::of_body(body).await {
            Ok(fields) => fields,
            Err(refusal) => return Err(self.record(refusal).await),
        };
        let key = fields.get("key").unwrap_or("");
        let presented = Presented {
            authorization: Some(format!("Bearer {key}").into_bytes().into()),
            address: self.facts.address,
            ..Presented::default()
        };
        let (broker, guard) = (self.app.broker(), self.app.guard());
        let who = guard.authenticate(broker, &self.facts, &presented).await?;
        let caller = who.caller().clone();
        let slip = who.open_audit(Action::ConsoleSignIn);
        if let Err(refusal) = self.may_enter(&caller) {
            return Err(slip.refuse(refusal).await);
        }
        slip.done(Vec::new()).await?;
        let sessions = self.console.sessions();
        let key = caller.credential.clone();
        let token = sessions.begin(key, own.secure, &**broker.ids(), self.now());
        let lasts: Duration = sessions.whole_life();
        let response = with_cookie(go("/console/"), cookie::give(&token, own.secure, lasts));
        Ok(known(response, &caller.subject))
    }

    /// Lets an API key in that may see something here.
    fn may_enter(&self, caller: &std::sync::Arc<Caller>) -> Result<(), Refusal> {
        if caller.scheme != Scheme::ApiKey {
            let text = "This is no API key. Sign in with one, such as `hallpass keys create --kind adm` makes.";
            return Err(Refusal::new(Code::MalformedCredential, text));
        }
        if Operator::of(self.app.broker(), caller, "".into()).may_enter() {
            return Ok(());
        }
        let text = "No role of this key may see anything here. The console needs one of the permissions usage:read, sessions:read, alerts:read, audit:read, keys:read, grants:read:any or upstreams:manage.";
        Err(Refusal::new(Code::PermissionDenied, text))
    }

    async fn record(&self, refusal: Refusal) -> Refusal {
        let broker = self.app.broker();
        broker
            .refuse(self.facts.clone(), Action::ConsoleSignIn, refusal)
            .await
    }
}

fn refused(refusal: &Refusal) -> Response {
    let text = match refusal.code {
        Code::MalformedCredential => {
            "This is no API key, or not all of it. A key begins with hp_ and is shown once, when it is made."
        }
        Code::InvalidCredential => {
            "This key is not valid here. Check that it is whole, of this server, and may be used from your network."
        }
        Code::RevokedCredential => "This key was revoked.",
        Code::ExpiredCredential => "This key's time is over.",
        _ => &refusal.detail,
    };
    let mut response = page(status_of(refusal), form("bad", Some(text)));
    if let Some(wait) = refusal.retry_after {
        let seconds = http::HeaderValue::from(wait.as_secs().max(1));
        let headers = response.headers_mut();
        headers.insert(http::header::RETRY_AFTER, seconds);
    }
    response
}

fn form(state: &str, told: Option<&str>) -> Markup {
    let main = html! {
        section.card.narrow {
            h1 { "Sign in" }
            p.soft { "With an API key whose role may read here. The key itself is not kept: it is exchanged for a session of this browser." }
            @if let Some(told) = told { p.note data-state=(state) role="alert" { (shown(told)) } }
            form.stack method="post" action=(SIGN_IN) {
                label for="key" { "API key" }
                input #key type="password" name="key" autocomplete="current-password" required autofocus spellcheck="false" placeholder="hp_adm_…" maxlength="512";
                button.primary type="submit" { "Sign in" }
            }
        }
    };
    layout::outside("Sign in", &main)
}
