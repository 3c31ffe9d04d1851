//! Whatever is sent, nothing breaks and errors are JSON.

use std::sync::Arc;

use axum::body::Body;
use hallpass_auth::{Chain, CookieFormat, CookieSettings, SessionCookies};
use http::{HeaderValue, Request, header};
use proptest::{collection::vec, prelude::*, sample::select};
use secrecy::SecretString;
use serde_json::Value;

use crate::{
    fakes::FakeClock,
    service::{Answer, As, MINT_ROUTES, Service, json, post},
};

fn ask(service: &Service, request: Request<Body>) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(service.ask(request))
}

/// A 4xx with a JSON body and a code, or a secret.
fn assert_sound(answer: &Answer) -> Result<(), TestCaseError> {
    prop_assert!(answer.status.as_u16() < 500, "{}", answer.show());
    let body = answer.json();
    prop_assert!(body.is_object());
    if !answer.status.is_success() {
        let kind = answer.header("content-type").unwrap_or_default();
        prop_assert!(kind == "application/json" || kind == "application/problem+json");
        prop_assert!(!answer.code().is_empty());
    }
    Ok(())
}

/// The real chain, which knows API keys and tokens by their looks alone.
fn chain() -> Chain {
    let secret = SecretString::from("long-enough-and-known-to-nobody-else");
    let settings = CookieSettings::new("web", CookieFormat::NextAuthV4, "session", vec![secret]);
    Chain::new(Arc::new(FakeClock::default()))
        .with_session_cookie(SessionCookies::new(settings).unwrap())
}

/// JSON that uses the names the routes know.
fn near_miss() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        select(vec![
            "interview",
            "bound",
            "relay",
            "direct",
            "created_at",
            "realtime",
            "marin",
            ""
        ])
        .prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    let names = prop_oneof![
        select(vec![
            "profile",
            "session_id",
            "mode",
            "expires_after",
            "anchor",
            "seconds",
            "session",
            "type",
            "model",
            "audio",
            "output",
            "voice",
            "tools",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
    ];
    leaf.prop_recursive(5, 32, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec((names.clone(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn header_bytes() -> impl Strategy<Value = HeaderValue> {
    let bytes = prop_oneof![
        vec(any::<u8>(), 0..200),
        "Bearer [ -~]{0,80}".prop_map(String::into_bytes),
        "Bearer (hp_(svc|adm)_)?[0-9A-Za-z._-]{0,80}".prop_map(String::into_bytes),
        "session(\\.[0-9])?=[0-9A-Za-z._=; -]{0,80}".prop_map(String::into_bytes),
    ];
    bytes.prop_filter_map("HTTP carries no such value", |bytes| {
        HeaderValue::from_bytes(&bytes).ok()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_as_a_body(route in select(MINT_ROUTES.to_vec()), body in vec(any::<u8>(), 0..2000)) {
        let service = Service::new();
        assert_sound(&ask(&service, json(post(route).by("alice service"), body)))?;
        prop_assert_eq!(service.world.audit.finals().len(), 1);
    }

    #[test]
    fn any_json_as_a_body(route in select(MINT_ROUTES.to_vec()), body in near_miss()) {
        let service = Service::new();
        assert_sound(&ask(&service, json(post(route).by("alice service"), body.to_string())))?;
        prop_assert_eq!(service.world.audit.finals().len(), 1);
    }

    #[test]
    fn any_credential(route in select(MINT_ROUTES.to_vec()), authorization in vec(header_bytes(), 0..3), cookies in vec(header_bytes(), 0..3)) {
        let service = Service::with_authenticator(chain());
        let mut request = json(post(route), "{}");
        for value in authorization {
            request.headers_mut().append(header::AUTHORIZATION, value);
        }
        for value in cookies {
            request.headers_mut().append(header::COOKIE, value);
        }
        let answer = ask(&service, request);
        assert_sound(&answer)?;
        prop_assert_eq!(answer.status.as_u16(), 401);
        prop_assert_eq!(service.world.audit.finals().len(), 1);
    }

    #[test]
    fn any_head(route in select(MINT_ROUTES.to_vec()), names in vec(select(vec!["origin", "content-type", "x-request-id", "sec-fetch-site", "user-agent", "x-forwarded-for", "access-control-request-method"]), 0..4), value in header_bytes()) {
        let mut request = json(post(route).by("alice service"), "{}");
        for name in names {
            request.headers_mut().append(name, value.clone());
        }
        assert_sound(&ask(&Service::new(), request))?;
    }
}
