//! Keys from an address: fetched, renewed, and kept while it is away.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use aws_lc_rs::digest;
use hallpass_core::ids::CredentialId;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::{
    Algorithm, SharedKeys,
    compact::Header,
    jwks::{JwksError, KeySet},
};
use crate::Reason;

/// Gets the JWKS document of one issuer.
///
/// The document is that of a fixed address; who implements this follows no
/// redirect, connects to public addresses only and stops reading at
/// [`MAX_JWKS_BYTES`](super::MAX_JWKS_BYTES).
#[async_trait]
pub trait KeySource: Send + Sync {
    /// Gets the document once.
    async fn fetch(&self) -> Result<Vec<u8>, FetchError>;
}

/// The document was not to be had.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// Why the keys were not renewed; the present ones stay.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RefreshError {
    /// The document was not to be had.
    #[error("the JWKS can't be fetched: {0}")]
    Fetch(#[from] FetchError),
    /// It did not arrive in time.
    #[error("the JWKS did not arrive within {0:?}")]
    Deadline(Duration),
    /// It can't be used.
    #[error("the JWKS can't be used: {0}")]
    Document(#[from] JwksError),
}

/// How keys are fetched and kept.
#[derive(Clone)]
pub struct RemoteSettings {
    /// Where they come from.
    pub source: Arc<dyn KeySource>,
    /// How often they are renewed.
    pub renew_every: Duration,
    /// The shortest time between two fetches that unknown key names cause.
    pub cooldown: Duration,
    /// How long one fetch may take.
    pub deadline: Duration,
    /// How long a set is used after it was last confirmed.
    pub max_age: Duration,
}

impl RemoteSettings {
    /// The defaults: renewed every 5 minutes, one refetch in 30 seconds,
    /// 5 seconds for a fetch, kept for a day.
    #[must_use]
    pub fn new(source: Arc<dyn KeySource>) -> Self {
        Self {
            source,
            renew_every: Duration::from_mins(5),
            cooldown: Duration::from_secs(30),
            deadline: Duration::from_secs(5),
            max_age: Duration::from_hours(24),
        }
    }
}

/// The last good key set of an address.
pub struct RemoteKeys {
    issuer: CredentialId,
    settings: RemoteSettings,
    algorithms: Vec<Algorithm>,
    present: ArcSwapOption<Fetched>,
    /// Held during each fetch, so that an older answer never replaces a newer.
    fetching: tokio::sync::Mutex<()>,
    /// Held while one waits for an unknown key; when the last such fetch began.
    refetch: tokio::sync::Mutex<Option<Instant>>,
    /// Why the last fetch failed.
    fault: Mutex<Option<RefreshError>>,
}

struct Fetched {
    set: SharedKeys,
    generation: u64,
    fingerprint: digest::Digest,
    confirmed: Instant,
}

impl RemoteKeys {
    pub(super) fn new(
        issuer: CredentialId,
        settings: RemoteSettings,
        algorithms: Vec<Algorithm>,
    ) -> Self {
        Self {
            issuer,
            settings,
            algorithms,
            present: ArcSwapOption::empty(),
            fetching: tokio::sync::Mutex::new(()),
            refetch: tokio::sync::Mutex::new(None),
            fault: Mutex::new(None),
        }
    }

    /// Renews the keys until dropped: at once where there are none yet, and then
    /// at the set interval. After a failure the next try comes sooner, from one
    /// second on.
    pub async fn renew_forever(&self) {
        let mut failures = 0_u32;
        if self.is_ready() {
            sleep(self.settings.renew_every).await;
        }
        loop {
            failures = match self.refresh().await {
                Ok(()) => 0,
                Err(_) => failures.saturating_add(1),
            };
            let backoff = Duration::from_secs(1_u64 << failures.saturating_sub(1).min(6));
            let pause = if failures == 0 {
                self.settings.renew_every
            } else {
                backoff.min(self.settings.renew_every)
            };
            sleep(pause).await;
        }
    }

    /// Fetches the keys once; what is bad leaves the present ones in place.
    ///
    /// # Errors
    ///
    /// [`RefreshError`] says why they were not renewed.
    pub async fn refresh(&self) -> Result<(), RefreshError> {
        let result = self.try_refresh().await;
        if let Err(error) = &result {
            warn!(issuer = %self.issuer, %error, "keys of an issuer were not renewed");
        }
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = result.clone().err();
        result
    }

    /// Why the last fetch failed; none when it succeeded.
    #[must_use]
    pub fn fault(&self) -> Option<RefreshError> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.clone()
    }

    /// Whether there is a set young enough to be used.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.current().is_some()
    }

    async fn try_refresh(&self) -> Result<(), RefreshError> {
        let _alone = self.fetching.lock().await;
        let limit = self.settings.deadline;
        let fetch = timeout(limit, self.settings.source.fetch());
        let document = fetch.await.map_err(|_| RefreshError::Deadline(limit))??;
        let fingerprint = digest::digest(&digest::SHA256, &document);
        let before = self.present.load();
        if let Some(before) = before.as_deref()
            && before.fingerprint.as_ref() == fingerprint.as_ref()
        {
            self.store(Arc::clone(&before.set), before.generation, fingerprint);
            return Ok(());
        }
        let set = KeySet::parse(&document, &self.algorithms)?;
        let generation = before.as_deref().map_or(1, |before| before.generation + 1);
        info!(
            issuer = %self.issuer,
            keys = set.len(),
            dropped = set.dropped().len(),
            "keys of an issuer changed"
        );
        self.store(Arc::new(set), generation, fingerprint);
        Ok(())
    }

    fn store(&self, set: SharedKeys, generation: u64, fingerprint: digest::Digest) {
        self.present.store(Some(Arc::new(Fetched {
            set,
            generation,
            fingerprint,
            confirmed: Instant::now(),
        })));
    }

    /// The present set and its number, while it is young enough.
    pub(super) fn current(&self) -> Option<(SharedKeys, u64)> {
        let present = self.present.load();
        let present = present.as_deref()?;
        let young = present.confirmed.elapsed() < self.settings.max_age;
        young.then(|| (Arc::clone(&present.set), present.generation))
    }

    /// The present set, asked for anew if it does not have the token's key.
    pub(super) async fn holding(
        self: &Arc<Self>,
        header: &Header<'_>,
    ) -> Result<(SharedKeys, u64), Reason> {
        let present = self.current();
        if let Some((set, generation)) = present {
            if !matches!(set.select(header), Err(Reason::KidUnknown)) {
                return Ok((set, generation));
            }
            self.refetch(Some(generation)).await;
        } else {
            self.refetch(None).await;
        }
        self.current().ok_or(Reason::KeysUnavailable)
    }

    /// Fetches at most once in a cooldown, whoever asks; those who come
    /// meanwhile wait for the one fetch under way.
    async fn refetch(self: &Arc<Self>, seen: Option<u64>) {
        let mut began = self.refetch.lock().await;
        let now_there = self.current().map(|(_, generation)| generation);
        if now_there != seen {
            return;
        }
        if began.is_some_and(|began| began.elapsed() < self.settings.cooldown) {
            return;
        }
        *began = Some(Instant::now());
        // A task of its own: a caller that hangs up must not use up the
        // cooldown without a result. The deadline ends it.
        let keys = Arc::clone(self);
        let fetch = tokio::spawn(async move { keys.refresh().await });
        if let Err(error) = fetch.await {
            warn!(issuer = %self.issuer, %error, "a fetch of keys ended early");
        }
    }
}
