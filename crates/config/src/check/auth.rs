//! `[auth]`: issuers, keys and session secrets.

use super::{Findings, address, repeated, secret};
use crate::load::Scope;
use crate::section::{Algorithm, Auth, Jwt, SessionCookie};

pub(super) fn check(auth: &Auth, scope: Scope, findings: &mut Findings<'_>) {
    for (index, jwt) in auth.jwt.iter().enumerate() {
        check_jwt(jwt, &format!("auth.jwt[{index}]"), scope, findings);
    }
    for (index, cookie) in auth.session_cookie.iter().enumerate() {
        session_cookie(
            cookie,
            &format!("auth.session_cookie[{index}]"),
            scope,
            findings,
        );
    }
    names(auth, findings);
    cookies(auth, findings);
    if !auth.api_keys && auth.jwt.is_empty() && auth.session_cookie.is_empty() {
        findings.refuse(
            "auth.api_keys",
            "nobody could authenticate",
            "Add `[[auth.jwt]]` or `[[auth.session_cookie]]`, or allow API keys",
        );
    }
}

/// A name says in the trail who vouched for a caller, so both lists share them.
fn names(auth: &Auth, findings: &mut Findings<'_>) {
    let jwt = auth.jwt.iter().map(|jwt| jwt.name.as_str());
    let cookies = auth
        .session_cookie
        .iter()
        .map(|cookie| cookie.name.as_str());
    let Some((index, name)) = repeated(jwt.chain(cookies)) else {
        return;
    };
    let path = match index.checked_sub(auth.jwt.len()) {
        None => format!("auth.jwt[{index}].name"),
        Some(index) => format!("auth.session_cookie[{index}].name"),
    };
    let what = format!("two logins are named `{name}`");
    findings.refuse(&path, &what, "Give each a `name` of its own");
}

/// A cookie that one entry cannot open is refused, so a second would never be asked.
fn cookies(auth: &Auth, findings: &mut Findings<'_>) {
    let Some((index, name)) = repeated(auth.session_cookie.iter().map(SessionCookie::cookie_name))
    else {
        return;
    };
    let what = format!("two entries read the cookie `{name}`");
    findings.refuse(
        &format!("auth.session_cookie[{index}].cookie"),
        &what,
        "Keep one, with the secrets of both",
    );
}

fn check_jwt(jwt: &Jwt, path: &str, scope: Scope, findings: &mut Findings<'_>) {
    if jwt.audience.as_slice().is_empty() || jwt.audience.as_slice().iter().any(String::is_empty) {
        let remedy = "Name the audience your issuer puts into tokens for Hallpass";
        findings.refuse(&format!("{path}.audience"), "an audience is empty", remedy);
    }
    key_source(jwt, path, findings);
    algorithms(jwt, path, findings);
    addresses(jwt, path, findings);
    inline_keys(jwt, path, scope, findings);
    if jwt
        .public_key
        .as_ref()
        .is_some_and(|pem| !pem.contains("BEGIN PUBLIC KEY"))
    {
        let remedy = "Write the PEM that begins with `-----BEGIN PUBLIC KEY-----`";
        findings.refuse(
            &format!("{path}.public_key"),
            "not a public key in PEM",
            remedy,
        );
    }
    if let Some(shared) = &jwt.secret {
        let name = if jwt.secret_file.is_some() {
            "secret_file"
        } else {
            "secret"
        };
        secret::check(shared, &format!("{path}.{name}"), scope, findings);
    }
}

fn key_sources(jwt: &Jwt) -> Vec<&'static str> {
    let sources = [
        ("jwks_file", jwt.jwks_file.is_some()),
        ("jwks_url", jwt.jwks_url.is_some()),
        ("discovery", jwt.discovery),
        ("jwks", jwt.jwks.is_some()),
        ("public_key", jwt.public_key.is_some()),
        ("public_key_file", jwt.public_key_file.is_some()),
        ("secret", jwt.secret.is_some() && jwt.secret_file.is_none()),
        ("secret_file", jwt.secret_file.is_some()),
    ];
    sources
        .into_iter()
        .filter(|(_, is_set)| *is_set)
        .map(|(name, _)| name)
        .collect()
}

fn key_source(jwt: &Jwt, path: &str, findings: &mut Findings<'_>) {
    let remedy = "Set exactly one of `jwks_file`, `jwks_url`, `discovery = true`, `jwks`, `public_key`, \
                  `public_key_file`, `secret`, `secret_file`";
    match key_sources(jwt).as_slice() {
        [_] => {}
        [] => findings.refuse(path, "no key would verify a token", remedy),
        several => {
            let what = format!("keys come from several places ({})", several.join(", "));
            findings.refuse(path, &what, remedy);
        }
    }
}

/// A token must not choose how its signature is checked: with `HS…` beside
/// public keys, a public key could serve as the shared secret.
fn algorithms(jwt: &Jwt, path: &str, findings: &mut Findings<'_>) {
    let path = format!("{path}.algorithms");
    let (symmetric, asymmetric): (Vec<Algorithm>, Vec<Algorithm>) = jwt
        .algorithms
        .iter()
        .partition(|algorithm| algorithm.is_symmetric());
    let has_secret = jwt.secret.is_some() || jwt.secret_file.is_some();
    match (symmetric.first(), asymmetric.first()) {
        (Some(hmac), Some(other)) => {
            let what = format!(
                "{} and {} must not share an issuer",
                hmac.name(),
                other.name()
            );
            findings.refuse(&path, &what, "Split it into two `[[auth.jwt]]`");
        }
        (Some(hmac), None) if !has_secret => {
            let what = format!("{} takes a shared secret, never public keys", hmac.name());
            findings.refuse(
                &path,
                &what,
                "Set `secret_file`, or choose RS256, ES256 or EdDSA",
            );
        }
        (None, Some(other)) if has_secret => {
            let what = format!("{} takes public keys, never a shared secret", other.name());
            findings.refuse(
                &path,
                &what,
                "Set `jwks_url` or `jwks_file`, or choose HS256",
            );
        }
        _ => {}
    }
}

fn addresses(jwt: &Jwt, path: &str, findings: &mut Findings<'_>) {
    if let Some(url) = &jwt.jwks_url {
        fetched(url, jwt, &format!("{path}.jwks_url"), findings);
    }
    if !jwt.discovery {
        return;
    }
    match url::Url::parse(&jwt.issuer) {
        Ok(url) => fetched(&url, jwt, &format!("{path}.issuer"), findings),
        Err(_) => findings.refuse(
            &format!("{path}.issuer"),
            "discovery needs the issuer to be an address",
            "Write `https://…` exactly as in `iss`, or set `jwks_url`",
        ),
    }
}

fn fetched(url: &url::Url, jwt: &Jwt, path: &str, findings: &mut Findings<'_>) {
    let is_allowed_loopback = jwt.allow_private_addresses && address::is_loopback(url);
    if url.scheme() != "https" && !is_allowed_loopback {
        return findings.refuse(
            path,
            "keys fetched in the clear can be replaced on the way",
            "Write `https://`",
        );
    }
    if address::is_private(url) && !jwt.allow_private_addresses {
        findings.refuse(
            path,
            "the address is private",
            "Write the issuer's public address, or set `allow_private_addresses = true`",
        );
    }
}

fn inline_keys(jwt: &Jwt, path: &str, scope: Scope, findings: &mut Findings<'_>) {
    let Some(set) = &jwt.jwks else {
        return;
    };
    let path = format!("{path}.jwks");
    let Some(keys) = set.0.get("keys").and_then(serde_json::Value::as_array) else {
        return findings.refuse(
            &path,
            "no key set: it has no list `keys`",
            "Write `{ keys = [ { kty = …, … } ] }`",
        );
    };
    let is_secret = |key: &serde_json::Value| key.get("d").is_some() || key.get("k").is_some();
    if !keys.iter().any(is_secret) {
        return;
    }
    let (what, remedy) = (
        "the key set holds a private or shared key",
        "Keep public members only; use `secret_file` for HS256",
    );
    match scope {
        Scope::All => findings.refuse(&path, what, remedy),
        Scope::AuthOnly => findings.warn(&path, what, remedy),
    }
}

fn session_cookie(cookie: &SessionCookie, path: &str, scope: Scope, findings: &mut Findings<'_>) {
    if cookie.secrets.is_empty() {
        return findings.refuse(
            path,
            "no secret would open a session",
            "Set `secrets_file` or `secrets`",
        );
    }
    for (index, secret) in cookie.secrets.iter().enumerate() {
        let path = match cookie.secrets_file {
            Some(_) => format!("{path}.secrets_file"),
            None => format!("{path}.secrets[{index}]"),
        };
        secret::check(secret, &path, scope, findings);
    }
}
