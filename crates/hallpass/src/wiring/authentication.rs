//! The schemes of the configuration as one chain.

use std::{path::Path, sync::Arc, time::Duration};

use hallpass_auth::{
    Algorithm, ApiKeys, Chain, ClaimNames, CookieFormat, CookieSettings, JwtKeys, JwtSettings,
    JwtVerifier, RemoteSettings, SessionCookies,
};
use hallpass_config::{Config, section};
use hallpass_core::{
    hash::Hasher,
    ports::{Clock, KeyDirectory},
};

use super::{jwks::JwksAddress, lifecycle::Tasks};
use crate::cli::Stop;

/// The chain of a server; keys behind an address are renewed by a task.
pub(crate) async fn chain(
    config: &Config,
    clock: Arc<dyn Clock>,
    directory: Arc<dyn KeyDirectory>,
    key_hasher: Hasher,
    tasks: &Tasks,
) -> Result<Arc<Chain>, Stop> {
    let verifier = verifier(config)?;
    let remote: Vec<_> = verifier
        .remote_keys()
        .map(|(name, keys)| (name.clone(), keys.clone()))
        .collect();
    for (name, keys) in remote {
        if let Err(error) = keys.refresh().await {
            tracing::warn!(issuer = %name, %error, "the keys of an issuer are not there yet; its tokens are refused until they are");
        }
        tasks.spawn("jwks-renewal", |stop| async move {
            tokio::select! {
                () = keys.renew_forever() => {}
                () = stop.cancelled() => {}
            }
        });
    }
    let mut chain = cookies(config, Chain::new(clock).with_jwt(verifier))?;
    if config.auth.api_keys {
        chain = chain.with_api_keys(ApiKeys::new(directory, key_hasher));
    }
    Ok(Arc::new(chain))
}

/// The chain of `auth check`: no API keys, which live in a store.
pub(crate) async fn offline_chain(config: &Config, clock: Arc<dyn Clock>) -> Result<Chain, Stop> {
    let verifier = verifier(config)?;
    for (name, keys) in verifier.remote_keys() {
        keys.refresh()
            .await
            .map_err(|error| Stop::usage(format!("the keys of \"{name}\": {error}")))?;
    }
    cookies(config, Chain::new(clock).with_jwt(verifier))
}

fn verifier(config: &Config) -> Result<JwtVerifier, Stop> {
    let settings: Result<Vec<JwtSettings>, Stop> = config.auth.jwt.iter().map(jwt).collect();
    Ok(JwtVerifier::new(settings?)?)
}

fn cookies(config: &Config, mut chain: Chain) -> Result<Chain, Stop> {
    for section in &config.auth.session_cookie {
        let mut settings = CookieSettings::new(
            section.name.as_str(),
            match section.format {
                section::CookieFormat::NextAuthV4 => CookieFormat::NextAuthV4,
                section::CookieFormat::AuthjsV5 => CookieFormat::AuthJsV5,
            },
            section.cookie_name(),
            section.secrets.clone(),
        );
        settings.leeway = Duration::from_secs(section.leeway_seconds);
        settings.claims = ClaimNames {
            roles: section.roles.clone(),
            ..ClaimNames::default()
        };
        chain = chain.with_session_cookie(SessionCookies::new(settings)?);
    }
    Ok(chain)
}

fn jwt(section: &section::Jwt) -> Result<JwtSettings, Stop> {
    let claims = &section.claims;
    Ok(JwtSettings {
        name: section.name.clone(),
        issuer: section.issuer.clone(),
        audiences: section.audience.as_slice().to_vec(),
        algorithms: section
            .algorithms
            .iter()
            .map(|algorithm| algorithm_of(*algorithm))
            .collect::<Result<_, _>>()?,
        keys: jwt_keys(section)?,
        leeway: Duration::from_secs(section.leeway_seconds),
        max_lifetime: section.max_lifetime_seconds.map(Duration::from_secs),
        claims: ClaimNames {
            subject: claims.subject.clone(),
            roles: claims.roles.clone(),
            session_id: claims.session_id.clone(),
            tenant: claims.tenant.clone(),
        },
    })
}

fn algorithm_of(algorithm: section::Algorithm) -> Result<Algorithm, Stop> {
    let name = algorithm.name();
    name.parse()
        .map_err(|_| Stop::usage(format!("the algorithm {name} is not known here")))
}

fn jwt_keys(section: &section::Jwt) -> Result<JwtKeys, Stop> {
    if let Some(secret) = &section.secret {
        return Ok(JwtKeys::Secret(secret.clone()));
    }
    if let Some(pem) = &section.public_key {
        return Ok(JwtKeys::Pem(pem.clone()));
    }
    if let Some(path) = &section.public_key_file {
        return Ok(JwtKeys::Pem(read(path)?));
    }
    if let Some(path) = &section.jwks_file {
        return Ok(JwtKeys::Jwks(read(path)?));
    }
    if let Some(set) = &section.jwks {
        return Ok(JwtKeys::Jwks(serde_json::to_string(set)?));
    }
    let address = JwksAddress::new(section)?;
    Ok(JwtKeys::Remote(RemoteSettings::new(Arc::new(address))))
}

fn read(path: &Path) -> Result<String, Stop> {
    std::fs::read_to_string(path)
        .map_err(|error| Stop::usage(format!("can't read {}: {error}", path.display())))
}
