//! Which path leads to which handler.

use axum::{Router, routing::Route};
use tower::{layer::layer_fn, service_fn};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{
    app::App,
    credentials::Surface,
    document::Document,
    handlers::{
        alerts, audit, breaker, calls, docs, fallback, grants, health, interviews, keys, metrics,
        mint, refresh, reports, revocations, revoke, sessions, setup, usage,
    },
    observe::observe,
    relay,
};

/// The routes of the public listener.
fn public_routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(mint::generate))
        .routes(routes!(mint::interview))
        .routes(routes!(mint::drop_in))
        .routes(routes!(setup::ai_sdk))
        .routes(routes!(grants::list_own))
        .routes(routes!(grants::show_own))
        .routes(routes!(refresh::refresh))
        .routes(routes!(revoke::revoke_own))
        .routes(routes!(reports::report))
        .routes(routes!(sessions::renew_session))
        .routes(routes!(relay::relay_session))
        .routes(routes!(calls::create_call))
        .merge(probe_routes())
        .routes(routes!(docs::openapi))
        .routes(routes!(docs::errors))
}

/// The routes of the admin listener.
fn admin_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(grants::list_any))
        .routes(routes!(grants::show_any))
        .routes(routes!(revoke::revoke_any))
        .routes(routes!(revocations::list, revocations::add))
        .routes(routes!(revocations::lift))
        .routes(routes!(keys::list_keys, keys::create_key))
        .routes(routes!(keys::revoke_key))
        .routes(routes!(keys::rotate_key))
        .routes(routes!(
            interviews::list_interviews,
            interviews::register_interview
        ))
        .routes(routes!(interviews::show_interview))
        .routes(routes!(interviews::end_interview))
        .routes(routes!(breaker::list_upstreams))
        .routes(routes!(breaker::force_breaker))
        .routes(routes!(audit::search_audit))
        .routes(routes!(sessions::list_sessions))
        .routes(routes!(sessions::show_session))
        .routes(routes!(sessions::end_session))
        .routes(routes!(usage::read_usage))
        .routes(routes!(alerts::list_alerts))
        .routes(routes!(alerts::acknowledge_alert))
        .routes(routes!(metrics::metrics))
}

fn probe_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(health::health))
}

/// The document of all routes.
pub(crate) fn document() -> utoipa::openapi::OpenApi {
    public_routes().merge(admin_routes()).split_for_parts().1
}

/// The router of the public listener.
pub fn public(app: App) -> Router {
    let router: Router<App> = public_routes().split_for_parts().0;
    finish(
        router.merge(SwaggerUi::new("/docs").config(Config::from("/openapi.json"))),
        app,
        Surface::Public,
    )
}

/// The router of the admin listener: the API, and pages beside it.
///
/// The pages' requests are observed, guarded and hardened as the API's are.
pub fn admin(app: App, pages: Router<App>) -> Router {
    let router: Router<App> = admin_routes().merge(probe_routes()).split_for_parts().0;
    finish(router.merge(pages), app, Surface::Admin)
}

fn finish(router: Router<App>, app: App, surface: Surface) -> Router {
    router
        .method_not_allowed_fallback(fallback::method_not_allowed)
        .fallback(fallback::not_found)
        .layer(layer_fn({
            let app = app.clone();
            move |route: Route| {
                let app = app.clone();
                service_fn(move |request| observe(app.clone(), surface, route.clone(), request))
            }
        }))
        .with_state(app)
}
