//! One credential of each kind, ready to be pasted.

use hallpass_auth::{jwt::sign_hs256, session::seal_next_auth_v4};
use hallpass_config::Config;
use hallpass_core::{
    ids::{RoleName, Subject},
    key::KeyKind,
    key_issuer::NewKey,
    ports::Ids,
};
use serde_json::json;

use super::{
    secrets::{ADMIN_KEY, SERVICE_KEY, Secrets},
    settings::{AUDIENCE, COOKIE, ISSUER},
};
use crate::{
    cli::Stop,
    wiring::{
        clock::{self, SystemIds},
        keyring::Keyring,
    },
};

/// How long the user's token and session are good, in seconds.
const LIFE: i64 = 7 * 86_400;

/// What `dev.json` hands out.
pub(crate) struct Credentials {
    pub(crate) api_key: String,
    pub(crate) admin_key: String,
    pub(crate) user_jwt: String,
    pub(crate) cookie_name: &'static str,
    pub(crate) cookie_value: String,
}

/// Makes what is not there yet.
pub(crate) async fn make(config: &Config, secrets: &Secrets) -> Result<Credentials, Stop> {
    let keyring = Keyring::of(config).await?;
    let keys = async {
        let api_key = api_key(&keyring, secrets, SERVICE_KEY, KeyKind::Svc, "service").await?;
        let admin_key = api_key_of_operator(&keyring, secrets).await?;
        Ok::<_, Stop>((api_key, admin_key))
    };
    let keys = keys.await;
    keyring.close().await;
    let (api_key, admin_key) = keys?;
    Ok(Credentials {
        api_key,
        admin_key,
        user_jwt: user_jwt(secrets)?,
        cookie_name: COOKIE,
        cookie_value: session(secrets)?,
    })
}

async fn api_key_of_operator(keyring: &Keyring, secrets: &Secrets) -> Result<String, Stop> {
    api_key(keyring, secrets, ADMIN_KEY, KeyKind::Adm, "operator").await
}

/// The kept key, if the store still takes it; else a new one.
async fn api_key(
    keyring: &Keyring,
    secrets: &Secrets,
    file: &str,
    kind: KeyKind,
    role: &str,
) -> Result<String, Stop> {
    if let Some(text) = secrets.api_key(file)
        && keyring.usable(&text).await?
    {
        return Ok(text);
    }
    let new = NewKey {
        name: Subject::new(format!("dev-{role}"))?,
        kind,
        roles: vec![RoleName::new(role)?],
        networks: Vec::new(),
        lasts: None,
    };
    let (key, _) = keyring.create(new).await?;
    secrets.keep_api_key(file, key.expose())?;
    Ok(key.expose().to_owned())
}

/// A token as the app would sign it for its demo user.
fn user_jwt(secrets: &Secrets) -> Result<String, Stop> {
    let now = clock::now().as_second();
    let claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "demo-user", "iat": now, "exp": now + LIFE });
    Ok(sign_hs256(secrets.jwt(), &claims)?)
}

/// A session as NextAuth v4 would seal it for the app's demo user.
fn session(secrets: &Secrets) -> Result<String, Stop> {
    let now = clock::now().as_second();
    let claims = json!({
        "name": "Demo User", "email": "demo@app.hallpass.test", "sub": "demo-user",
        "iat": now, "exp": now + LIFE, "jti": uuid::Uuid::now_v7(),
    });
    let mut iv = [0; 12];
    SystemIds.fill(&mut iv);
    Ok(seal_next_auth_v4(secrets.session(), &claims, iv)?)
}
