//! Who may have a session: every check before anything is dialled.

use std::sync::Arc;

use hallpass_core::{
    audit::Action,
    code::Code,
    grant::Mode,
    pipeline::{Opened, PassUse},
    refusal::Refusal,
    request::RequestFacts,
};
use http::{header, request::Parts};

use super::{handshake, reject::Rejection};
use crate::app::App;

/// The subprotocol that carries the secret.
const SECRET: &str = "openai-insecure-api-key.";
/// The subprotocol of the retired beta.
const BETA: &str = "openai-beta.realtime-v1";
/// The subprotocol of clients that want to hear of us.
const OURS: &str = "hallpass.v1";

/// A session that was let in.
pub(super) struct Admitted {
    pub(super) opened: Opened,
    pub(super) hallpass_events: bool,
}

pub(super) async fn admit(
    app: &App,
    facts: &Arc<RequestFacts>,
    request: &Parts,
    offered: &[String],
) -> Result<Admitted, Rejection> {
    let headers = &request.headers;
    if let Some(origin) = headers.get(header::ORIGIN)
        && !app.origins().trusts(origin)
    {
        let text =
            "This page's origin may not open sessions here. Add it to server.allowed_origins.";
        return Err(refuse(app, facts, Refusal::new(Code::CrossSiteRequest, text)).await);
    }
    let beta = headers.get("openai-beta").is_some_and(|value| {
        let value = value.to_str().unwrap_or_default();
        value.contains("realtime=v1")
    });
    if beta || offered.iter().any(|offer| offer == BETA) {
        return Err(Rejection::beta());
    }
    let Some(token) = token(request, offered) else {
        let text = "The handshake carries no client secret. Offer the subprotocols \"realtime\" and \"openai-insecure-api-key.<secret>\", or send it as a bearer token.";
        return Err(refuse(app, facts, Refusal::new(Code::MissingCredential, text)).await);
    };
    let model = handshake::query(request, "model");
    let ask = PassUse {
        token: &token,
        mode: Mode::Relay,
        model: model.as_deref(),
    };
    let opened = app.broker().open_session(facts.clone(), &ask).await;
    let opened = opened.map_err(|refusal| Rejection::of(&refusal))?;
    Ok(Admitted {
        opened,
        hallpass_events: offered.iter().any(|offer| offer == OURS),
    })
}

async fn refuse(app: &App, facts: &Arc<RequestFacts>, refusal: Refusal) -> Rejection {
    let broker = app.broker();
    let refusal = broker.refuse(facts.clone(), Action::SessionStart, refusal);
    Rejection::of(&refusal.await)
}

/// The client secret: as a bearer token, or among the subprotocols.
fn token(request: &Parts, offered: &[String]) -> Option<String> {
    let bearer = request.headers.get(header::AUTHORIZATION);
    let bearer = bearer.and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim().to_owned())
    });
    bearer.or_else(|| {
        let mut secrets = offered
            .iter()
            .filter_map(|offer| offer.strip_prefix(SECRET));
        secrets.next().map(str::to_owned)
    })
}
