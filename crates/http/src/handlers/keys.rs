//! API keys: make, list, revoke and rotate them.
//!
//! A change is in the store before it is in the trail, and in both before it is
//! answered. So a key that can't be recorded is never shown, and one that was
//! to be revoked is revoked although the answer says that the trail is away.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Request, State},
    response::Response,
};
use hallpass_api::{
    keys::{self, KeyAnswer, KeyList, NewKeyAnswer, NewKeyRequest, RotateRequest},
    problem::Problem,
};
use hallpass_auth::is_network;
use hallpass_core::{
    audit::Action,
    code::Code,
    ids::{CredentialId, RoleName},
    key_issuer,
    permission::Permission,
    pipeline::AuditSlip,
    ports::StoredKey,
    refusal::Refusal,
    request::RequestFacts,
};
use http::StatusCode;

use super::admin::{Asked, answer, ask, known, store_refused};
use crate::{answer::good, app::App};

/// Make an API key
///
/// The key is shown this once. Its roles must be among the caller's own, unless
/// the caller has the permission `*`.
#[utoipa::path(
    post,
    path = "/api/admin/keys",
    tag = "admin",
    request_body(content = NewKeyRequest),
    responses(
        (status = 201, description = "The key", body = NewKeyAnswer<'static>),
        (status = 400, description = "A member is wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 413, description = "Body over 64 KiB", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 415, description = "Body not JSON", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The store or the trail is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn create_key(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let asked = ask(
        &app,
        &facts,
        request,
        (Action::KeyCreate, Permission::KeysManage),
    )
    .await;
    let result = match asked {
        Ok(asked) => known(asked.caller.clone(), create_known(&app, asked).await),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn create_known(app: &App, asked: Asked<'_>) -> Result<Response, Refusal> {
    let (slip, new) = asked.read(|body| keys::read_new(body, is_network)).await?;
    let slip = may_give(app, slip, &new.roles).await?;
    let (key, stored) = app.keys().make(new);
    if let Err(error) = app.keys().directory().insert(&stored).await {
        return Err(slip.refuse(store_refused(&error)).await);
    }
    slip.done(facts_of(&stored)).await?;
    Ok(good(StatusCode::CREATED, &NewKeyAnswer::new(&key, &stored)))
}

/// List all API keys
///
/// Newest first, revoked and expired ones too; never their secrets.
#[utoipa::path(
    get,
    path = "/api/admin/keys",
    tag = "admin",
    responses(
        (status = 200, description = "The keys", body = KeyList<'static>),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The store or the trail is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn list_keys(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let asked = ask(
        &app,
        &facts,
        request,
        (Action::AdminRequest, Permission::KeysRead),
    )
    .await;
    let result = match asked {
        Ok(asked) => known(asked.caller.clone(), list_known(&app, asked).await),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn list_known(app: &App, asked: Asked<'_>) -> Result<Response, Refusal> {
    let keys = match app.keys().directory().list().await {
        Ok(keys) => keys,
        Err(error) => return Err(asked.slip.refuse(store_refused(&error)).await),
    };
    let count = ("count", keys.len().to_string());
    asked.slip.done(vec![count]).await?;
    let data = keys.iter().map(KeyAnswer::new).collect();
    Ok(good(StatusCode::OK, &KeyList { data }))
}

/// Revoke an API key
///
/// It is refused from the next request on. A key revoked before stays so.
#[utoipa::path(
    post,
    path = "/api/admin/keys/{id}/revoke",
    tag = "admin",
    params(("id" = String, Path, description = "The key's public id")),
    responses(
        (status = 200, description = "The key, revoked", body = KeyAnswer<'static>),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 404, description = "No such key", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The store or the trail is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn revoke_key(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let asked = ask(
        &app,
        &facts,
        request,
        (Action::KeyRevoke, Permission::KeysManage),
    )
    .await;
    let result = match asked {
        Ok(asked) => known(asked.caller.clone(), revoke_known(&app, asked, &id).await),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn revoke_known(app: &App, asked: Asked<'_>, id: &str) -> Result<Response, Refusal> {
    let (slip, key) = find(app, asked.slip, id).await?;
    let directory = app.keys().directory();
    let now = app.broker().clock().now();
    if let Err(error) = directory.revoke(&key.id, now).await {
        return Err(slip.refuse(store_refused(&error)).await);
    }
    slip.done(facts_of(&key)).await?;
    let revoked = StoredKey {
        revoked_at: key.revoked_at.or(Some(now)),
        ..key
    };
    Ok(good(StatusCode::OK, &KeyAnswer::new(&revoked)))
}

/// Make a successor of an API key
///
/// The successor has the old key's name, roles and networks; the old key goes
/// on working for the overlap. The successor is shown this once.
#[utoipa::path(
    post,
    path = "/api/admin/keys/{id}/rotate",
    tag = "admin",
    params(("id" = String, Path, description = "The key's public id")),
    request_body(content = RotateRequest),
    responses(
        (status = 201, description = "The successor", body = NewKeyAnswer<'static>),
        (status = 400, description = "A member is wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 404, description = "No such key", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 409, description = "The key is revoked, expired or replaced", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 413, description = "Body over 64 KiB", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 415, description = "Body not JSON", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The store or the trail is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn rotate_key(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let asked = ask(
        &app,
        &facts,
        request,
        (Action::KeyRotate, Permission::KeysManage),
    )
    .await;
    let result = match asked {
        Ok(asked) => known(asked.caller.clone(), rotate_known(&app, asked, &id).await),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn rotate_known(app: &App, asked: Asked<'_>, id: &str) -> Result<Response, Refusal> {
    let (slip, overlap) = asked.read(|body| keys::read_rotate(body)).await?;
    let (slip, old) = find(app, slip, id).await?;
    let slip = may_give(app, slip, &old.roles).await?;
    if let Err(refusal) = key_issuer::rotatable(&old, app.broker().clock().now()) {
        return Err(slip.refuse(refusal).await);
    }
    let (key, successor) = app.keys().make_successor(&old);
    if let Err(error) = app.keys().replace(&old, &successor, overlap).await {
        return Err(slip.refuse(store_refused(&error)).await);
    }
    let mut facts = facts_of(&successor);
    facts.push(("replaces", old.id.to_string()));
    facts.push(("overlap_seconds", overlap.as_secs().to_string()));
    slip.done(facts).await?;
    let body = NewKeyAnswer::new(&key, &successor);
    Ok(good(StatusCode::CREATED, &body))
}

async fn find<'a>(
    app: &App,
    slip: AuditSlip<'a>,
    id: &str,
) -> Result<(AuditSlip<'a>, StoredKey), Refusal> {
    let found = match CredentialId::new(id) {
        Ok(id) => app.keys().directory().find(&id).await,
        Err(_) => Ok(None),
    };
    match found {
        Ok(Some(key)) => Ok((slip, key)),
        Ok(None) => Err(slip.refuse(not_found()).await),
        Err(error) => Err(slip.refuse(store_refused(&error)).await),
    }
}

async fn may_give<'a>(
    app: &App,
    slip: AuditSlip<'a>,
    roles: &[RoleName],
) -> Result<AuditSlip<'a>, Refusal> {
    let verdict = key_issuer::may_give(&app.broker().policy(), slip.caller(), roles);
    match verdict {
        Ok(()) => Ok(slip),
        Err(refusal) => Err(slip.refuse(refusal).await),
    }
}

fn facts_of(key: &StoredKey) -> Vec<(&'static str, String)> {
    let roles: Vec<&str> = key.roles.iter().map(RoleName::as_str).collect();
    vec![
        ("key", key.id.to_string()),
        ("name", key.name.to_string()),
        ("roles", roles.join(" ")),
    ]
}

fn not_found() -> Refusal {
    let text = "There is no key of this id. GET /api/admin/keys lists those there are.";
    Refusal::new(Code::NotFound, text)
}
