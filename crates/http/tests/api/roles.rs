//! Every operation of the document against every permission there is.
//!
//! The rules here are the product's promise; the document says which operations
//! there are. An operation without a rule fails the first test.

use std::{collections::BTreeSet, sync::Arc};

use hallpass_core::{
    permission::{Permission, PermissionRule},
    policy::Policy,
    role::ProfileRule,
};
use strum::IntoEnumIterator;

use crate::{
    fakes::{policy, role},
    service::{Answer, As, Service, json},
    unauthorised::{Listener, Operation, operations},
};

/// What an operation asks of its caller; none for those open to everyone.
const RULES: &[(&str, &str, Option<Permission>)] = &[
    (
        "POST",
        "/api/generate-client-secret",
        Some(Permission::GrantsCreate),
    ),
    (
        "POST",
        "/api/interview/realtime-token",
        Some(Permission::GrantsCreate),
    ),
    ("POST", "/api/setup/ai-sdk", Some(Permission::GrantsCreate)),
    (
        "POST",
        "/v1/realtime/client_secrets",
        Some(Permission::GrantsCreate),
    ),
    (
        "GET",
        "/api/client-secrets",
        Some(Permission::GrantsReadOwn),
    ),
    (
        "GET",
        "/api/client-secrets/{id}",
        Some(Permission::GrantsReadOwn),
    ),
    (
        "POST",
        "/api/client-secrets/{id}/refresh",
        Some(Permission::GrantsCreate),
    ),
    (
        "POST",
        "/api/client-secrets/{id}/revoke",
        Some(Permission::GrantsRevokeOwn),
    ),
    (
        "POST",
        "/api/client-secrets/{id}/events",
        Some(Permission::GrantsCreate),
    ),
    (
        "POST",
        "/api/admin/grants/{id}/revoke",
        Some(Permission::GrantsRevokeAny),
    ),
    (
        "GET",
        "/api/admin/revocations",
        Some(Permission::SessionsRead),
    ),
    (
        "POST",
        "/api/admin/revocations",
        Some(Permission::SessionsManage),
    ),
    (
        "POST",
        "/api/admin/revocations/{id}/lift",
        Some(Permission::SessionsManage),
    ),
    ("GET", "/api/admin/grants", Some(Permission::GrantsReadAny)),
    (
        "GET",
        "/api/admin/grants/{id}",
        Some(Permission::GrantsReadAny),
    ),
    (
        "POST",
        "/api/sessions/{id}/renew",
        Some(Permission::GrantsCreate),
    ),
    ("GET", "/api/admin/sessions", Some(Permission::SessionsRead)),
    (
        "GET",
        "/api/admin/sessions/{id}",
        Some(Permission::SessionsRead),
    ),
    (
        "POST",
        "/api/admin/sessions/{id}/end",
        Some(Permission::SessionsManage),
    ),
    ("GET", "/api/admin/usage", Some(Permission::UsageRead)),
    ("GET", "/api/admin/alerts", Some(Permission::AlertsRead)),
    (
        "POST",
        "/api/admin/alerts/{id}/acknowledge",
        Some(Permission::AlertsManage),
    ),
    ("GET", "/api/admin/audit", Some(Permission::AuditRead)),
    ("GET", "/api/admin/keys", Some(Permission::KeysRead)),
    ("POST", "/api/admin/keys", Some(Permission::KeysManage)),
    (
        "POST",
        "/api/admin/keys/{id}/revoke",
        Some(Permission::KeysManage),
    ),
    (
        "POST",
        "/api/admin/keys/{id}/rotate",
        Some(Permission::KeysManage),
    ),
    (
        "GET",
        "/api/admin/interviews",
        Some(Permission::InterviewsManage),
    ),
    (
        "POST",
        "/api/admin/interviews",
        Some(Permission::InterviewsManage),
    ),
    (
        "GET",
        "/api/admin/interviews/{session_id}",
        Some(Permission::InterviewsManage),
    ),
    (
        "POST",
        "/api/admin/interviews/{session_id}/end",
        Some(Permission::InterviewsManage),
    ),
    ("GET", "/v1/realtime", None),
    ("POST", "/v1/realtime/calls", None),
    ("GET", "/livez", None),
    ("GET", "/readyz", None),
    ("GET", "/health", None),
    (
        "GET",
        "/api/admin/upstreams",
        Some(Permission::UpstreamsManage),
    ),
    (
        "POST",
        "/api/admin/upstreams/{name}/breaker",
        Some(Permission::UpstreamsManage),
    ),
    ("GET", "/metrics", None),
    ("GET", "/openapi.json", None),
    ("GET", "/docs/errors", None),
];

fn rule_of(operation: &Operation) -> Option<&'static Option<Permission>> {
    let same = |(method, path, _): &&(&str, &str, Option<Permission>)| {
        *method == operation.method && *path == operation.path
    };
    RULES.iter().find(same).map(|(.., rule)| rule)
}

/// A role for each permission, which has it alone, and one that has all others.
fn one_role_a_permission() -> Policy {
    let mut rules = policy();
    for permission in Permission::iter() {
        let others = Permission::iter().filter(|other| *other != permission);
        let others: Vec<&str> = others.map(Permission::as_str).collect();
        for made in [
            role(&only(permission), &[permission.as_str()], ProfileRule::All),
            role(&all_but(permission), &others, ProfileRule::All),
        ] {
            rules.roles.insert(made.name.clone(), Arc::new(made));
        }
    }
    rules
}

/// Whether having one permission is having another: itself, or reading what it
/// manages.
fn gives(had: Permission, asked: Permission) -> bool {
    PermissionRule::Exact(had).covers(asked)
}

fn only(permission: Permission) -> String {
    format!("only-{}", permission.as_str().replace(':', "-"))
}

fn all_but(permission: Permission) -> String {
    format!("all-but-{}", permission.as_str().replace(':', "-"))
}

async fn ask(service: &Service, operation: &Operation, role: &str) -> Answer {
    let request = operation.request().by(&format!("alice {role}"));
    let request = match operation.method.as_str() {
        "GET" => crate::service::empty(request),
        _ => json(request, "{}"),
    };
    match operation.listener() {
        Listener::Public => service.ask(request).await,
        Listener::Admin => service.ask_admin(request).await,
    }
}

fn is_denied(answer: &Answer) -> bool {
    answer.status == 403 && answer.text().contains("permission_denied")
}

#[test]
fn every_operation_has_a_rule_and_every_rule_an_operation() {
    let without: Vec<String> = operations()
        .filter(|operation| rule_of(operation).is_none())
        .map(|operation| operation.to_string())
        .collect();
    assert_eq!(
        without, [""; 0],
        "say in RULES which permission these ask for"
    );
    let documented: BTreeSet<String> = operations().map(|o| o.to_string()).collect();
    for (method, path, _) in RULES {
        assert!(
            documented.contains(&format!("{method} {path}")),
            "{method} {path} is gone"
        );
    }
}

#[tokio::test]
async fn an_operation_lets_its_own_permission_in_and_no_other() {
    let service = Service::new();
    let broker = &service.world.broker;
    broker.set_policy(Arc::new(one_role_a_permission()));
    for operation in operations() {
        let rule = *rule_of(&operation).expect("a rule");
        for permission in Permission::iter() {
            let own = rule.is_none_or(|rule| gives(permission, rule));
            let with = ask(&service, &operation, &only(permission)).await;
            assert_eq!(
                is_denied(&with),
                !own,
                "{operation} with {permission} alone"
            );
            let mut others = Permission::iter().filter(|other| *other != permission);
            let denied = rule.is_some_and(|rule| !others.any(|other| gives(other, rule)));
            let without = ask(&service, &operation, &all_but(permission)).await;
            assert_eq!(
                is_denied(&without),
                denied,
                "{operation} with all but {permission}"
            );
        }
    }
}
