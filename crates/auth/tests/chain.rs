//! One scheme decides: a present but bad credential is never passed over.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod support;

use hallpass_auth::{
    Chain, CookieFormat, CookieSettings, JwtVerifier, SessionCookies, jwt, session,
};
use hallpass_core::{
    caller::{Authentication, Presented, Scheme},
    code::Code,
    ids::InvalidId,
    ports::Authenticator as _,
};
use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::{Value, json};
use support::{
    AUDIENCE, ISSUER, NOW, accepted, authorization, bearer, chain, cookies, hs256, refused,
};

const SECRET: &str = "a-secret-for-tests-that-guards-nothing";
const COOKIE: &str = "next-auth.session-token";

fn claims(subject: &str) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "email": "ada@example.test",
        "iat": NOW, "exp": NOW + 600, "roles": ["candidate"], "session_id": "int-7",
    })
}

fn token(claims: &Value) -> String {
    jwt::sign_hs256(&SecretString::from(SECRET), claims).unwrap()
}

fn session(claims: &Value) -> String {
    session::seal_next_auth_v4(&SecretString::from(SECRET), claims, [3; 12]).unwrap()
}

fn session_cookies(cookie: &str) -> SessionCookies {
    let secrets = vec![SecretString::from(SECRET)];
    let format = CookieFormat::NextAuthV4;
    let mut settings = CookieSettings::new("web", format, cookie, secrets);
    settings.claims.roles = Some("roles".to_owned());
    SessionCookies::new(settings).unwrap()
}

fn full() -> Chain {
    chain()
        .with_jwt(hs256(SECRET))
        .with_session_cookie(session_cookies(COOKIE))
}

#[tokio::test]
async fn nothing_presented_is_nothing_requested() {
    let unrelated = cookies(&[("theme", "dark"), ("next-auth.csrf-token", "x")]);
    for presented in [Presented::default(), unrelated] {
        let answer = full().authenticate(&presented).await;
        assert!(matches!(answer, Authentication::NotRequested));
    }
    let answer = chain().authenticate(&Presented::default()).await;
    assert!(matches!(answer, Authentication::NotRequested));
}

#[tokio::test]
async fn a_bad_authorization_is_never_passed_over_for_a_good_cookie() {
    let value = session(&claims("user-1"));
    let good_cookie = [(COOKIE, value.as_str())];
    accepted(full().authenticate(&cookies(&good_cookie)).await);
    let token = token(&claims("user-1"));
    for (header, reason) in [
        ("", "authorization_malformed"),
        ("Bearer", "authorization_malformed"),
        ("Bearer ", "authorization_malformed"),
        ("Basic dXNlcjpwYXNz", "authorization_malformed"),
        (&format!("Bearer  {token}"), "authorization_malformed"),
        (&format!("Bearer {token} "), "authorization_malformed"),
        (
            &format!("Bearer {token}, Bearer {token}"),
            "authorization_malformed",
        ),
        ("Bearer x", "token_shape"),
        ("Bearer hp_svc_x", "api_keys_not_configured"),
        ("Bearer a.b.c", "base64_invalid"),
        (&format!("Bearer {token}A"), "signature_invalid"),
        (&format!("Bearer {token}="), "base64_invalid"),
    ] {
        let presented = Presented {
            cookies: good_cookie.to_vec(),
            ..authorization(header)
        };
        let failure = refused(full().authenticate(&presented).await);
        assert_eq!(failure.reason, reason, "{header}");
        assert!(failure.code.is_unauthenticated());
    }
}

#[tokio::test]
async fn the_scheme_is_matched_without_case_and_the_token_with() {
    let token = token(&claims("user-1"));
    for header in [format!("Bearer {token}"), format!("bearer {token}")] {
        accepted(full().authenticate(&authorization(&header)).await);
    }
    let presented = authorization(&format!("Bearer {}", token.to_lowercase()));
    refused(full().authenticate(&presented).await);
}

#[tokio::test]
async fn one_e_mail_with_two_subjects_is_two_principals() {
    let chain = full();
    let mut subjects = Vec::new();
    for subject in ["user-1", "user-2"] {
        let claims = claims(subject);
        let by_token = accepted(chain.authenticate(&bearer(&token(&claims))).await);
        let value = session(&claims);
        let by_cookie = accepted(chain.authenticate(&cookies(&[(COOKIE, &value)])).await);
        assert_eq!(by_token.subject, by_cookie.subject);
        assert_eq!(by_cookie.scheme, Scheme::SessionCookie);
        assert_eq!(by_cookie.roles.len(), 1);
        subjects.push(by_token.subject);
    }
    assert_ne!(subjects[0], subjects[1]);
}

#[tokio::test]
async fn a_session_without_subject_is_nobodys() {
    let mut claims = claims("user-1");
    claims.as_object_mut().unwrap().remove("sub");
    let value = session(&claims);
    let failure = refused(full().authenticate(&cookies(&[(COOKIE, &value)])).await);
    assert_eq!(failure.reason, "subject_missing");
}

#[tokio::test]
async fn the_secure_name_is_accepted_only_as_configured() {
    let value = session(&claims("user-1"));
    let secure = format!("__Secure-{COOKIE}");
    let sent = cookies(&[(&secure, &value)]);
    let answer = full().authenticate(&sent).await;
    assert!(matches!(answer, Authentication::NotRequested));
    let on_https = chain().with_session_cookie(session_cookies(&secure));
    accepted(on_https.authenticate(&sent).await);
}

#[tokio::test]
async fn a_session_of_the_secret_before_is_still_opened() {
    let value = session(&claims("user-1"));
    let with_secrets = |secrets: &[&str]| {
        let secrets = secrets
            .iter()
            .map(|secret| SecretString::from(*secret))
            .collect();
        let settings = CookieSettings::new("web", CookieFormat::NextAuthV4, COOKIE, secrets);
        chain().with_session_cookie(SessionCookies::new(settings).unwrap())
    };
    let sent = cookies(&[(COOKIE, &value)]);
    let rotated = with_secrets(&["the-new-secret-of-the-app-for-tests", SECRET]);
    accepted(rotated.authenticate(&sent).await);
    let withdrawn = with_secrets(&["the-new-secret-of-the-app-for-tests"]);
    let failure = refused(withdrawn.authenticate(&sent).await);
    assert_eq!(failure.reason, "decrypt_failed");
}

#[tokio::test]
async fn a_refusal_holds_nothing_of_the_credential() {
    let canary = "canary-9f2c";
    let mut claims = claims(canary);
    claims["iss"] = json!(format!("https://{canary}.test"));
    let value = session(&json!({ "sub": canary, "exp": canary }));
    for presented in [
        bearer(&token(&claims)),
        bearer(&format!("hp_{canary}")),
        authorization(canary),
        cookies(&[(COOKIE, &value)]),
    ] {
        let failure = refused(full().authenticate(&presented).await);
        assert!(!format!("{failure:?}").contains(canary));
    }
}

#[tokio::test]
async fn a_session_kept_in_a_database_is_named_as_such() {
    let opaque = [(COOKIE, "6f1c1a52-0d0b-4c0e-9d6f-3a3a1b6a7c11")];
    let failure = refused(full().authenticate(&cookies(&opaque)).await);
    assert_eq!(failure.reason, "opaque_session");
    assert_eq!(failure.code, Code::InvalidCredential);
}

#[tokio::test]
async fn a_first_cookie_that_is_bad_is_not_passed_over_for_a_second() {
    let chain = full().with_session_cookie(session_cookies("second"));
    let value = session(&claims("user-1"));
    let both = cookies(&[(COOKIE, "bad"), ("second", &value)]);
    let failure = refused(chain.authenticate(&both).await);
    assert_eq!(failure.reason, "token_shape");
    accepted(chain.authenticate(&cookies(&[("second", &value)])).await);
}

#[test]
fn settings_that_cannot_hold_are_refused() {
    let cookie = |name: &str, cookie: &str, secrets: Vec<SecretString>| {
        let settings = CookieSettings::new(name, CookieFormat::AuthJsV5, cookie, secrets);
        SessionCookies::new(settings)
            .err()
            .map(|error| error.to_string())
    };
    let secret = || vec![SecretString::from(SECRET)];
    assert_eq!(cookie("web", COOKIE, secret()), None);
    assert!(
        cookie("web", COOKIE, Vec::new())
            .unwrap()
            .contains("secret")
    );
    assert!(cookie("web", "a;b", secret()).unwrap().contains("name"));
    assert!(cookie("web", "", secret()).unwrap().contains("name"));
    let unnamed = cookie("", COOKIE, secret()).unwrap();
    assert!(unnamed.contains(&InvalidId::Empty.to_string()));
    assert!(JwtVerifier::new([]).unwrap().is_empty());
}

proptest! {
    #[test]
    fn no_header_and_no_cookie_panics_or_is_accepted(
        header in prop::option::of(prop::collection::vec(any::<u8>(), 0..120)),
        value in "\\PC{0,120}",
        suffix in "(\\.[0-9]{0,3})?",
    ) {
        let name = format!("{COOKIE}{suffix}");
        let presented = Presented {
            authorization: header.map(Into::into),
            cookies: vec![(&name, &value)],
            ..Presented::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer = runtime.block_on(full().authenticate(&presented));
        prop_assert!(!matches!(answer, Authentication::Authenticated(_)));
    }

    #[test]
    fn no_changed_character_of_a_token_is_accepted(at in 0_usize..400, to in "[A-Za-z0-9_.-]") {
        let token = token(&claims("user-1"));
        prop_assume!(at < token.len() && token[at..=at] != to);
        let mut changed = token;
        changed.replace_range(at..=at, &to);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer = runtime.block_on(full().authenticate(&bearer(&changed)));
        prop_assert!(matches!(answer, Authentication::Failed(_)));
    }

    #[test]
    fn no_changed_character_of_a_session_is_accepted(at in 0_usize..400, to in "[A-Za-z0-9_.-]") {
        let value = session(&claims("user-1"));
        prop_assume!(at < value.len() && value[at..=at] != to);
        let mut changed = value;
        changed.replace_range(at..=at, &to);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer = runtime.block_on(full().authenticate(&cookies(&[(COOKIE, &changed)])));
        prop_assert!(matches!(answer, Authentication::Failed(_)));
    }
}
