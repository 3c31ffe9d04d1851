//! Every operation of the document refuses whoever may not.

use std::{collections::BTreeSet, fmt};

use http::request;
use serde_json::Value;

use crate::service::{Answer, As, Service, empty};

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Everyone who reaches the listener.
    Open,
    /// Callers with a permission.
    Guarded,
    /// Whoever brings a client secret to a WebSocket, and learns of a refusal
    /// there.
    Socket,
    /// Whoever brings a client secret.
    Pass,
}
use Access::{Guarded, Open, Pass, Socket};

/// One row for each operation there is; a new one needs a new row.
const ROWS: &[(&str, &str, Access)] = &[
    ("POST", "/api/generate-client-secret", Guarded),
    ("POST", "/api/interview/realtime-token", Guarded),
    ("POST", "/api/setup/ai-sdk", Guarded),
    ("POST", "/v1/realtime/client_secrets", Guarded),
    ("GET", "/api/client-secrets", Guarded),
    ("GET", "/api/client-secrets/{id}", Guarded),
    ("POST", "/api/client-secrets/{id}/refresh", Guarded),
    ("POST", "/api/client-secrets/{id}/revoke", Guarded),
    ("POST", "/api/client-secrets/{id}/events", Guarded),
    ("GET", "/api/admin/grants", Guarded),
    ("GET", "/api/admin/grants/{id}", Guarded),
    ("POST", "/api/admin/grants/{id}/revoke", Guarded),
    ("GET", "/api/admin/revocations", Guarded),
    ("POST", "/api/admin/revocations", Guarded),
    ("POST", "/api/admin/revocations/{id}/lift", Guarded),
    ("GET", "/v1/realtime", Socket),
    ("POST", "/v1/realtime/calls", Pass),
    ("POST", "/api/sessions/{id}/renew", Guarded),
    ("GET", "/api/admin/sessions", Guarded),
    ("GET", "/api/admin/sessions/{id}", Guarded),
    ("POST", "/api/admin/sessions/{id}/end", Guarded),
    ("GET", "/api/admin/usage", Guarded),
    ("GET", "/api/admin/alerts", Guarded),
    ("POST", "/api/admin/alerts/{id}/acknowledge", Guarded),
    ("GET", "/api/admin/audit", Guarded),
    ("GET", "/api/admin/keys", Guarded),
    ("POST", "/api/admin/keys", Guarded),
    ("POST", "/api/admin/keys/{id}/revoke", Guarded),
    ("POST", "/api/admin/keys/{id}/rotate", Guarded),
    ("GET", "/api/admin/interviews", Guarded),
    ("POST", "/api/admin/interviews", Guarded),
    ("GET", "/api/admin/interviews/{session_id}", Guarded),
    ("POST", "/api/admin/interviews/{session_id}/end", Guarded),
    ("GET", "/api/admin/upstreams", Guarded),
    ("POST", "/api/admin/upstreams/{name}/breaker", Guarded),
    ("GET", "/livez", Open),
    ("GET", "/readyz", Open),
    ("GET", "/health", Open),
    ("GET", "/metrics", Open),
    ("GET", "/openapi.json", Open),
    ("GET", "/docs/errors", Open),
];

/// Where an operation is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listener {
    Public,
    Admin,
}

/// One operation of the document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Operation {
    pub(crate) path: String,
    pub(crate) method: String,
}

impl Operation {
    pub(crate) fn listener(&self) -> Listener {
        match self.path.starts_with("/api/admin/") || self.path == "/metrics" {
            true => Listener::Admin,
            false => Listener::Public,
        }
    }

    /// A request for it, about a thing there is not.
    pub(crate) fn request(&self) -> request::Builder {
        let path = self
            .path
            .replace("{id}", "gr_ffffffffffffffffffffffffffffffff")
            .replace("{session_id}", "interview-0")
            .replace("{name}", "nobody");
        request::Builder::new()
            .method(self.method.as_str())
            .uri(path)
    }

    async fn ask(&self, service: &Service, who: Option<&str>) -> Answer {
        let request = self.request();
        let request = match who {
            Some(who) => request.by(who),
            None => request,
        };
        match self.listener() {
            Listener::Public => service.ask(empty(request)).await,
            Listener::Admin => service.ask_admin(empty(request)).await,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Every operation of the document.
pub(crate) fn operations() -> impl Iterator<Item = Operation> {
    let document: Value = serde_json::from_str(&hallpass_http::openapi_json()).unwrap();
    let paths = document["paths"].as_object().unwrap().clone();
    paths.into_iter().flat_map(|(path, operations)| {
        let methods: Vec<String> = operations.as_object().unwrap().keys().cloned().collect();
        methods.into_iter().map(move |method| Operation {
            path: path.clone(),
            method: method.to_uppercase(),
        })
    })
}

fn rows(access: impl Fn(Access) -> bool) -> Vec<Operation> {
    let rows = ROWS.iter().filter(|(.., row)| access(*row));
    let operation = |(method, path, _): &(&str, &str, Access)| Operation {
        path: (*path).to_owned(),
        method: (*method).to_owned(),
    };
    rows.map(operation).collect()
}

#[test]
fn every_operation_has_a_row_and_every_row_an_operation() {
    let documented: BTreeSet<Operation> = operations().collect();
    let listed: BTreeSet<Operation> = rows(|_| true).into_iter().collect();
    let unlisted: Vec<String> = documented
        .difference(&listed)
        .map(ToString::to_string)
        .collect();
    let gone: Vec<String> = listed
        .difference(&documented)
        .map(ToString::to_string)
        .collect();
    assert_eq!(unlisted, [""; 0], "say in ROWS who may ask for these");
    assert_eq!(gone, [""; 0], "no such operation: take these rows out");
}

#[tokio::test]
async fn a_guarded_operation_refuses_whoever_may_not() {
    for operation in rows(|access| access == Guarded) {
        for (who, status, code) in [
            (None, 401, "missing_credential"),
            (Some("malformed_credential"), 401, "malformed_credential"),
            (Some("invalid_credential"), 401, "invalid_credential"),
            (Some("expired_credential"), 401, "expired_credential"),
            (Some("revoked_credential"), 401, "revoked_credential"),
            (Some("alice locked"), 403, "permission_denied"),
            (Some("alice nosuchrole"), 403, "permission_denied"),
        ] {
            let service = Service::new();
            let answer = operation.ask(&service, who).await;
            assert_eq!(answer.status, status, "{operation} {who:?}");
            let openai = operation.path.starts_with("/v1/") && status == 401;
            let code = if openai { "invalid_api_key" } else { code };
            assert_eq!(answer.code(), code, "{operation} {who:?}");
            let challenge = answer.header("www-authenticate");
            assert_eq!(
                challenge,
                (status == 401).then_some("Bearer"),
                "{operation}"
            );
            assert_eq!(
                answer.header("x-should-retry"),
                Some("false"),
                "{operation}"
            );
            assert_eq!(service.world.audit.events().len(), 1, "{operation} {who:?}");
        }
    }
}

#[tokio::test]
async fn an_open_operation_answers_without_a_credential() {
    for operation in rows(|access| access == Open) {
        let answer = operation.ask(&Service::new(), None).await;
        assert_eq!(answer.status, 200, "{operation}");
    }
}

#[tokio::test]
async fn a_socket_is_nothing_without_an_upgrade() {
    for operation in rows(|access| access == Socket) {
        let answer = operation.ask(&Service::new(), None).await;
        assert_eq!(answer.status, 400, "{operation}");
    }
}

#[tokio::test]
async fn an_operation_for_client_secrets_refuses_whoever_brings_none() {
    for operation in rows(|access| access == Pass) {
        let service = Service::new();
        let answer = operation.ask(&service, None).await;
        assert_eq!(answer.status, 401, "{operation}");
        assert_eq!(answer.code(), "invalid_api_key", "{operation}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        assert_eq!(service.world.audit.events().len(), 1, "{operation}");
    }
}

#[tokio::test]
async fn the_document_says_of_each_operation_who_may_ask() {
    let document: Value = serde_json::from_str(&hallpass_http::openapi_json()).unwrap();
    for (method, path, access) in ROWS {
        let operation = &document["paths"][path][method.to_lowercase()];
        let secured = operation["security"]
            .as_array()
            .is_some_and(|all| !all.is_empty());
        let asks = matches!(access, Guarded | Pass);
        assert_eq!(secured, asks, "{method} {path}");
        for status in ["401", "403"] {
            let told = operation["responses"].get(status).is_some();
            assert_eq!(told, asks, "{method} {path} {status}");
        }
    }
}
