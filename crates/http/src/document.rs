//! The OpenAPI document, generated from the routers.

use utoipa::{
    Modify, OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
};

use crate::router;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hallpass",
        description = "Gives an app's own users realtime AI voice without ever giving them a key.",
    ),
    modifiers(&Credentials),
    tags(
        (name = "client secrets", description = "What an app's pages and backend ask for."),
        (name = "drop-in", description = "OpenAI's own routes, for its SDKs."),
        (name = "admin", description = "For operators, on the admin listener."),
        (name = "health", description = "For probes and Prometheus."),
        (name = "documentation", description = "What you are reading."),
    ),
)]
pub(crate) struct Document;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_with(Default::default);
        let bearer = || Http::new(HttpAuthScheme::Bearer);
        components.add_security_scheme("api_key", SecurityScheme::Http(bearer()));
        components.add_security_scheme("jwt", SecurityScheme::Http(bearer()));
        components.add_security_scheme("client_secret", SecurityScheme::Http(bearer()));
        let cookie = ApiKey::Cookie(ApiKeyValue::new("next-auth.session-token"));
        components.add_security_scheme("session_cookie", SecurityScheme::ApiKey(cookie));
    }
}

/// The document as JSON text.
#[must_use]
pub fn openapi_json() -> String {
    router::document().to_pretty_json().unwrap_or_default()
}
