//! One issuer: whose tokens, for whom, with which keys.

use std::sync::Arc;

use hallpass_core::{
    Timestamp,
    caller::{Caller, Scheme},
    ids::CredentialId,
};

use super::{
    Algorithm, JwtKeys, JwtSettings, KeySet, RemoteKeys, SharedKeys,
    compact::{Header, UnverifiedToken},
    key::VerifyingKey,
};
use crate::{
    ClaimNames, Reason, SettingsError,
    claims::{Leeway, Origin, Times, micros},
    json::{Json, Object},
};

/// An issuer ready to verify.
pub(super) struct Issuer {
    pub(super) name: CredentialId,
    pub(super) url: String,
    pub(super) keys: IssuerKeys,
    pub(super) leeway: Leeway,
    audiences: Vec<String>,
    algorithms: Vec<Algorithm>,
    max_lifetime: Option<i64>,
    claims: ClaimNames,
}

/// Keys that stay, or keys that are fetched.
pub(super) enum IssuerKeys {
    Fixed(SharedKeys),
    Remote(Arc<RemoteKeys>),
}

/// A caller with the bounds it is valid within.
pub(super) struct Proven {
    pub(super) caller: Arc<Caller>,
    pub(super) times: Times,
    /// Which set of keys proved it.
    pub(super) generation: u64,
}

impl Issuer {
    pub(super) fn new(settings: JwtSettings) -> Result<Self, SettingsError> {
        if settings.issuer.is_empty() {
            return Err(SettingsError::Missing("issuer"));
        }
        if settings.audiences.is_empty() || settings.audiences.iter().any(String::is_empty) {
            return Err(SettingsError::Missing("audience"));
        }
        let name = CredentialId::new(settings.name)?;
        Ok(Self {
            keys: IssuerKeys::new(&name, settings.keys, &settings.algorithms)?,
            name,
            url: settings.issuer,
            leeway: Leeway::new(settings.leeway)?,
            audiences: settings.audiences,
            algorithms: settings.algorithms,
            max_lifetime: settings.max_lifetime.map(micros),
            claims: settings.claims,
        })
    }

    pub(super) fn allows(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// Verifies a token whose `iss` is this one.
    pub(super) async fn verify(
        &self,
        token: &UnverifiedToken<'_>,
        header: &Header<'_>,
        claims: &Object<'_>,
        now: Timestamp,
    ) -> Result<Proven, Reason> {
        let (keys, generation) = self.keys.holding(header).await?;
        let key: &VerifyingKey = keys.select(header)?;
        key.verify(token.signed, &token.signature)?;
        let times = Times::read(claims)?;
        times.check(now, self.leeway)?;
        self.check_lifetime(&times, now)?;
        self.check_audience(claims)?;
        let origin = Origin {
            scheme: Scheme::Jwt,
            credential: &self.name,
            names: &self.claims,
        };
        Ok(Proven {
            caller: Arc::new(origin.caller(claims, &times)?),
            times,
            generation,
        })
    }

    fn check_lifetime(&self, times: &Times, now: Timestamp) -> Result<(), Reason> {
        match self.max_lifetime {
            Some(longest) if times.lifetime(now) > longest => Err(Reason::LifetimeTooLong),
            _ => Ok(()),
        }
    }

    /// `aud` is one text or an array of nothing but texts.
    fn check_audience(&self, claims: &Object<'_>) -> Result<(), Reason> {
        let ours = |name: &str| self.audiences.iter().any(|audience| audience == name);
        let named = match claims.get("aud") {
            None => return Err(Reason::AudienceMissing),
            Some(Json::Text(name)) => ours(name),
            Some(other) => other
                .as_texts()
                .is_some_and(|names| names.into_iter().any(ours)),
        };
        named.then_some(()).ok_or(Reason::AudienceMismatch)
    }
}

impl IssuerKeys {
    fn new(
        name: &CredentialId,
        keys: JwtKeys,
        algorithms: &[Algorithm],
    ) -> Result<Self, SettingsError> {
        if let JwtKeys::Secret(secret) = &keys {
            return Ok(Self::Fixed(Arc::new(KeySet::secret(secret, algorithms)?)));
        }
        // A public key must never be taken for a secret.
        let asymmetric = algorithms
            .iter()
            .all(|algorithm| algorithm.hmac().is_none());
        if algorithms.is_empty() || !asymmetric {
            return Err(SettingsError::Algorithms);
        }
        let set = match keys {
            JwtKeys::Secret(_) => return Err(SettingsError::Algorithms),
            JwtKeys::Pem(text) => KeySet::pem(&text, algorithms)?,
            JwtKeys::Jwks(document) => KeySet::parse(document.as_bytes(), algorithms)?,
            JwtKeys::Remote(settings) => {
                let remote = RemoteKeys::new(name.clone(), settings, algorithms.to_vec());
                return Ok(Self::Remote(Arc::new(remote)));
            }
        };
        Ok(Self::Fixed(Arc::new(set)))
    }

    /// The number of the present set; none while there is none to be used.
    pub(super) fn generation(&self) -> Option<u64> {
        match self {
            Self::Fixed(_) => Some(0),
            Self::Remote(remote) => remote.current().map(|(_, generation)| generation),
        }
    }

    /// The present set, asked for anew if it does not have the token's key.
    async fn holding(&self, header: &Header<'_>) -> Result<(SharedKeys, u64), Reason> {
        match self {
            Self::Fixed(set) => Ok((Arc::clone(set), 0)),
            Self::Remote(remote) => remote.holding(header).await,
        }
    }
}
