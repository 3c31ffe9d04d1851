//! The client secrets issued, and who may do what with a credential.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::{credential::UnverifiedKey, error::ApiError, sync::lock};

/// One issued client secret.
#[derive(Debug, Clone)]
pub(crate) struct Secret {
    /// Unix seconds.
    pub(crate) expires_at: u64,
    /// The effective session as it was answered, JSON.
    pub(crate) session: Bytes,
    /// Whether the mint named a model, or got the default one.
    pub(crate) names_model: bool,
    pub(crate) safety_identifier: Option<Box<str>>,
}

impl Secret {
    /// The session configuration the secret carries.
    pub(crate) fn session(&self) -> Map<String, Value> {
        serde_json::from_slice(&self.session).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Issued {
    by_value: HashMap<Arc<str>, Arc<Secret>>,
    oldest_first: VecDeque<(u64, Arc<str>)>,
}

/// All secrets that can still be valid, up to a capacity.
#[derive(Debug)]
pub(crate) struct Secrets {
    capacity: usize,
    issued: Mutex<Issued>,
}

impl Secrets {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self {
            capacity,
            issued: Mutex::default(),
        }
    }

    /// Remembers a secret; forgets expired ones, and the oldest when full.
    pub(crate) fn insert(&self, value: &str, secret: Secret, now: u64) {
        let value: Arc<str> = value.into();
        let expires_at = secret.expires_at;
        let mut issued = lock(&self.issued);
        while let Some((expiry, _)) = issued.oldest_first.front() {
            if *expiry > now && issued.oldest_first.len() < self.capacity {
                break;
            }
            if let Some((_, forgotten)) = issued.oldest_first.pop_front() {
                issued.by_value.remove(&forgotten);
            }
        }
        issued
            .oldest_first
            .push_back((expires_at, Arc::clone(&value)));
        issued.by_value.insert(value, Arc::new(secret));
    }

    /// The secret of this value if it has not expired.
    pub(crate) fn find(&self, value: &str, now: u64) -> Option<Arc<Secret>> {
        let issued = lock(&self.issued);
        let secret = issued.by_value.get(value)?;
        (secret.expires_at > now).then(|| Arc::clone(secret))
    }
}

/// A checked credential.
#[derive(Debug, Clone)]
pub(crate) enum Identity {
    /// A standard key.
    Standard,
    /// A client secret that has not expired.
    Secret(Arc<Secret>),
}

impl Identity {
    /// The secret, where it is one.
    pub(crate) fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Standard => None,
            Self::Secret(secret) => Some(secret),
        }
    }
}

/// Which standard keys are accepted.
#[derive(Debug)]
pub(crate) struct Gatekeeper {
    pub(crate) standard_keys: Vec<String>,
    pub(crate) secrets: Secrets,
}

impl Gatekeeper {
    /// Accepts a standard key only: what minting takes.
    pub(crate) fn standard(&self, key: Option<&UnverifiedKey>) -> Result<(), ApiError> {
        let key = key.ok_or_else(ApiError::missing_auth)?;
        if self.is_standard(key.expose()) {
            return Ok(());
        }
        Err(ApiError::invalid_api_key(&key.masked()))
    }

    /// Accepts a standard key or a client secret.
    pub(crate) fn identify(
        &self,
        key: Option<&UnverifiedKey>,
        now: u64,
    ) -> Result<Identity, ApiError> {
        let unverified = key.ok_or_else(ApiError::missing_auth)?;
        if let Some(secret) = self.secrets.find(unverified.expose(), now) {
            return Ok(Identity::Secret(secret));
        }
        self.standard(key).map(|()| Identity::Standard)
    }

    fn is_standard(&self, key: &str) -> bool {
        if self.standard_keys.is_empty() {
            return key.starts_with("sk-");
        }
        self.standard_keys.iter().any(|accepted| accepted == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(expires_at: u64) -> Secret {
        let session = Bytes::from_static(b"{}");
        Secret {
            expires_at,
            session,
            names_model: false,
            safety_identifier: None,
        }
    }

    #[test]
    fn an_expired_secret_is_not_found() {
        let secrets = Secrets::new(10);
        secrets.insert("ek_1", secret(100), 40);
        assert!(secrets.find("ek_1", 99).is_some());
        assert!(secrets.find("ek_1", 100).is_none());
    }

    #[test]
    fn the_oldest_is_forgotten_when_full() {
        let secrets = Secrets::new(2);
        for value in ["ek_1", "ek_2", "ek_3"] {
            secrets.insert(value, secret(100), 40);
        }
        assert!(secrets.find("ek_1", 50).is_none());
        assert!(secrets.find("ek_2", 50).is_some());
        assert!(secrets.find("ek_3", 50).is_some());
    }
}
