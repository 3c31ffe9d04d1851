//! The interview page of a development server, and what only it may ask.
//!
//! These routes hand out sign-ins and break things on request. They exist in
//! `hallpass dev` alone, which listens on loopback alone, and they answer only
//! pages of this machine.

mod page;
mod people;
mod trouble;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hallpass_config::section::Mode;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{announce::Addresses, credentials::Credentials};
use crate::{cli::Stop, wiring::admin_client::AdminClient};
use people::Person;
use trouble::{Kind, Troublemaker};

/// What the demo needs to know and to reach.
struct Demo {
    session_secret: SecretString,
    troublemaker: Troublemaker,
    simulated: bool,
    policy: String,
    /// How the profile lets an interview be had.
    modes: Vec<Mode>,
}

/// `/demo/` and what its page asks.
pub(super) fn routes(
    addresses: &Addresses,
    credentials: &Credentials,
    session_secret: &SecretString,
    modes: Vec<Mode>,
) -> Result<Router, Stop> {
    let admin: Url = format!("http://{}", addresses.admin).parse()?;
    let key = SecretString::from(credentials.admin_key.clone());
    let simulator = addresses.simulator_url();
    let demo = Arc::new(Demo {
        session_secret: session_secret.clone(),
        modes,
        simulated: simulator.is_some(),
        policy: page::policy(simulator.as_deref()),
        troublemaker: Troublemaker::new(AdminClient::new(admin, key)?, simulator)?,
    });
    Ok(Router::new()
        .route("/demo", get(page::move_in))
        .route("/demo/", get(index))
        .route("/demo/{file}", get(page::file))
        .route("/demo/api/place", get(place))
        .route("/demo/api/sign-in", post(sign_in))
        .route("/demo/api/sign-out", post(sign_out))
        .route("/demo/api/trouble", post(make_trouble))
        .layer(middleware::from_fn(only_own_pages))
        .with_state(demo))
}

/// Refuses what a page of elsewhere could have sent, also one whose name was
/// made to lead here.
async fn only_own_pages(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let site = text(headers, "sec-fetch-site");
    let same = site.is_none_or(|site| matches!(site, "same-origin" | "none"));
    let page = request.method().is_safe() && text(headers, "sec-fetch-mode") == Some("navigate");
    let host = text(headers, "host").is_some_and(is_loopback);
    if !host || !(same || page) {
        return refuse(
            StatusCode::FORBIDDEN,
            "The demo answers only its own page on this machine.",
        );
    }
    next.run(request).await
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn is_loopback(host: &str) -> bool {
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

async fn index(State(demo): State<Arc<Demo>>) -> Response {
    page::index(&demo.policy)
}

async fn place(State(demo): State<Arc<Demo>>, headers: HeaderMap) -> Response {
    let person = people::signed_in(&headers).map(|person| person.id);
    Json(json!({
        "upstream": if demo.simulated { "simulator" } else { "openai" },
        "modes": demo.modes,
        "people": people::PEOPLE,
        "person": person,
    }))
    .into_response()
}

#[derive(Deserialize)]
struct SignIn {
    person: String,
}

async fn sign_in(State(demo): State<Arc<Demo>>, Json(asked): Json<SignIn>) -> Response {
    let Some(person) = Person::of_id(&asked.person) else {
        return refuse(StatusCode::NOT_FOUND, "The demo has no such candidate.");
    };
    match person.cookies(&demo.session_secret) {
        Ok(cookies) => with_cookies(cookies),
        Err(_) => refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The session could not be sealed.",
        ),
    }
}

async fn sign_out() -> Response {
    with_cookies(people::no_cookies())
}

fn with_cookies(cookies: [String; 2]) -> Response {
    let cookies = cookies.map(|cookie| (header::SET_COOKIE, cookie));
    let headers = axum::response::AppendHeaders(cookies);
    (headers, Json(json!({}))).into_response()
}

#[derive(Deserialize)]
struct Trouble {
    kind: Kind,
}

async fn make_trouble(
    State(demo): State<Arc<Demo>>,
    headers: HeaderMap,
    Json(asked): Json<Trouble>,
) -> Response {
    let Some(person) = people::signed_in(&headers) else {
        return refuse(StatusCode::UNAUTHORIZED, "Sign in first.");
    };
    match demo.troublemaker.make(asked.kind, person).await {
        Ok(did) => Json(json!({ "did": did })).into_response(),
        Err(_) => refuse(
            StatusCode::BAD_GATEWAY,
            "That could not be done: simulator or admin API did not answer.",
        ),
    }
}

fn refuse(status: StatusCode, detail: &str) -> Response {
    (status, Json(json!({ "detail": detail }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_its_own() {
        for own in ["127.0.0.1:8787", "localhost:1", "[::1]:8787", "localhost"] {
            assert!(is_loopback(own), "{own}");
        }
        for other in [
            "evil.test",
            "127.0.0.1.evil.test:80",
            "localhost.evil.test",
            "",
        ] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
