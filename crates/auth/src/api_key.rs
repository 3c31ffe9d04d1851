//! API keys: found by id, compared by keyed hash.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use hallpass_core::{
    Timestamp,
    caller::{Caller, Scheme},
    hash::{Hasher, KeyedHash},
    ids::CredentialId,
    key::{ApiKey, KeyFormatError},
    ports::{KeyDirectory, StoredKey},
};
use tracing::warn;

use crate::{Reason, network};

/// How long a key's last use stays as noted.
const TOUCH_SECONDS: i64 = 60;
/// What an unknown key is compared with, so that it takes as long as a known one.
const NO_HASH: KeyedHash = KeyedHash::from_bytes([0; 32]);

/// Verifies API keys against a directory.
///
/// Nothing is kept between requests but when a key's use was last noted: a
/// revoked key is refused at once.
pub struct ApiKeys {
    directory: Arc<dyn KeyDirectory>,
    hasher: Hasher,
    /// By good keys alone, so that it does not grow with guesses.
    touched: Mutex<HashMap<CredentialId, Timestamp>>,
}

/// A refusal, with the key's id where it could be read.
#[derive(Debug)]
pub(crate) struct RefusedKey {
    pub(crate) reason: Reason,
    pub(crate) id: Option<CredentialId>,
}

impl ApiKeys {
    /// Takes the directory and the hasher of
    /// [`Purpose::ApiKey`](hallpass_core::hash::Purpose::ApiKey).
    #[must_use]
    pub fn new(directory: Arc<dyn KeyDirectory>, hasher: Hasher) -> Self {
        Self {
            directory,
            hasher,
            touched: Mutex::default(),
        }
    }

    /// Verifies the text of a key that comes from this address.
    pub(crate) async fn verify(
        &self,
        text: &str,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Caller, RefusedKey> {
        let key = ApiKey::parse(text).map_err(|error| RefusedKey {
            reason: unreadable(error),
            id: None,
        })?;
        match self.check(&key, address, now).await {
            Ok(stored) => {
                self.touch(&stored.id, now).await;
                Ok(caller(stored))
            }
            Err(reason) => Err(RefusedKey {
                reason,
                id: Some(key.id().clone()),
            }),
        }
    }

    /// Finds the key of a session that began with it, and holds it against
    /// everything but its text.
    pub(crate) async fn resume(
        &self,
        id: &CredentialId,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Caller, RefusedKey> {
        let refused = |reason| RefusedKey {
            reason,
            id: Some(id.clone()),
        };
        let stored = self.find(id).await.map_err(refused)?;
        let stored = stored.ok_or_else(|| refused(Reason::KeyUnknown))?;
        usable(&stored, address, now).map_err(refused)?;
        self.touch(&stored.id, now).await;
        Ok(caller(stored))
    }

    async fn find(&self, id: &CredentialId) -> Result<Option<StoredKey>, Reason> {
        self.directory.find(id).await.map_err(|error| {
            warn!(%error, "the key directory did not answer");
            Reason::DirectoryUnavailable
        })
    }

    /// Only who holds the whole key learns what became of it.
    async fn check(
        &self,
        key: &ApiKey,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<StoredKey, Reason> {
        let presented = self.hasher.hash(key.expose().as_bytes());
        let found = self.find(key.id()).await?;
        let expected = found.as_ref().map_or(NO_HASH, |stored| stored.hash);
        let same = presented == expected;
        let stored = found.ok_or(Reason::KeyUnknown)?;
        if !same || stored.kind != key.kind() {
            return Err(Reason::KeyMismatch);
        }
        usable(&stored, address, now)?;
        Ok(stored)
    }

    /// Notes the use at most once a minute; failing to is no reason to refuse.
    async fn touch(&self, id: &CredentialId, now: Timestamp) {
        if !self.is_touch_due(id, now) {
            return;
        }
        if let Err(error) = self.directory.touch(id, now).await {
            warn!(%error, key_id = %id, "the use of a key was not noted");
        }
    }

    fn is_touch_due(&self, id: &CredentialId, now: Timestamp) -> bool {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = touched.get_mut(id) else {
            touched.insert(id.clone(), now);
            return true;
        };
        let due = now.as_second().saturating_sub(last.as_second()) >= TOUCH_SECONDS;
        if due {
            *last = now;
        }
        due
    }
}

/// Whether a known key may be used now, from here.
fn usable(stored: &StoredKey, address: Option<IpAddr>, now: Timestamp) -> Result<(), Reason> {
    if stored.revoked_at.is_some() {
        return Err(Reason::KeyRevoked);
    }
    if stored.expires_at.is_some_and(|end| end <= now) {
        return Err(Reason::Expired);
    }
    if !is_allowed_from(&stored.networks, address) {
        return Err(Reason::NetworkNotAllowed);
    }
    Ok(())
}

const fn unreadable(error: KeyFormatError) -> Reason {
    match error {
        KeyFormatError::Checksum => Reason::KeyChecksum,
        KeyFormatError::NotAKey | KeyFormatError::Shape => Reason::KeyMalformed,
    }
}

/// Without a list from anywhere; with one, never from an unknown address.
fn is_allowed_from(networks: &[String], address: Option<IpAddr>) -> bool {
    if networks.is_empty() {
        return true;
    }
    let within = |address| {
        networks
            .iter()
            .any(|network| network::contains(network, address))
    };
    address.is_some_and(within)
}

fn caller(stored: StoredKey) -> Caller {
    Caller {
        subject: stored.name,
        scheme: Scheme::ApiKey,
        credential: stored.id,
        roles: stored.roles,
        session_id: None,
        tenant: None,
        issued_at: Some(stored.created_at),
        expires_at: stored.expires_at,
    }
}
