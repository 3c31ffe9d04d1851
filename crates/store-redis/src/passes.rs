//! Passes that any replica takes, and one takes once.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    hash::KeyedHash,
    ids::{GrantId, RoleName},
    pass::{PassRecord, Passes, Spent},
    ports::{Clock, StoreError},
};

use crate::{
    link::Link,
    names::Tag,
    script::{Call, Script, script},
};

static KEEP: Script = script!("pass_keep.lua");
static SPEND: Script = script!("pass_spend.lua");

/// How long a pass is kept that is over, so that a late second use is still
/// told from a forgery. Later it is refused all the same; what is kept longer
/// is memory for nothing else.
const KEPT: Duration = Duration::from_secs(3600);

/// Passes in Redis. Without Redis none is made and none is taken.
///
/// A pass and the mark that it was used are one key: where it is lost, the
/// pass is unknown and opens nothing. A server that is restored from an older
/// state may have the pass and not the mark; the grant, which is in the
/// registry, then still says that it was used.
pub struct RedisPasses {
    link: Arc<Link>,
    clock: Arc<dyn Clock>,
}

impl RedisPasses {
    /// Keeps passes behind a link.
    #[must_use]
    pub fn new(link: Arc<Link>, clock: Arc<dyn Clock>) -> Self {
        Self { link, clock }
    }
}

fn name(grant: &GrantId) -> String {
    Tag::pass(grant.as_str()).name("pass")
}

#[async_trait]
impl Passes for RedisPasses {
    async fn keep(&self, pass: &PassRecord) -> Result<(), StoreError> {
        let left = pass.expires_at.duration_since(self.clock.now());
        let left = left.as_millis().saturating_add(millis(KEPT)).max(1);
        let call = Call::on([name(&pass.grant)])
            .with(left)
            .with("hash")
            .with(pass.hash.to_hex())
            .with("role")
            .with(&pass.role)
            .with("session")
            .with(&pass.session)
            .with("expires")
            .with(pass.expires_at);
        self.link.run::<i64>(&KEEP, &call).await.map(drop)
    }

    async fn find(&self, grant: &GrantId) -> Result<Option<PassRecord>, StoreError> {
        let mut read = redis::cmd("HMGET");
        read.arg(name(grant));
        read.arg(&["hash", "role", "session", "expires"]);
        let fields: Vec<Option<String>> = self.link.query(&read).await?;
        let [Some(hash), Some(role), Some(session), Some(expires)] = fields.as_slice() else {
            return Ok(None);
        };
        let record = PassRecord {
            grant: grant.clone(),
            hash: KeyedHash::from_hex(hash).ok_or_else(|| unreadable("hash"))?,
            role: RoleName::new(role.as_str()).map_err(|_| unreadable("role"))?,
            session: session.clone(),
            expires_at: expires.parse().map_err(|_| unreadable("expires"))?,
        };
        Ok(Some(record))
    }

    async fn spend(&self, grant: &GrantId) -> Result<Spent, StoreError> {
        let call = Call::on([name(grant)]);
        match self.link.run::<i64>(&SPEND, &call).await? {
            1 => Ok(Spent::First),
            2 => Ok(Spent::Again),
            _ => Ok(Spent::Unknown),
        }
    }

    /// They go by themselves, so there is none to forget.
    async fn forget(&self, _before: Timestamp) -> Result<usize, StoreError> {
        Ok(0)
    }
}

fn millis(time: Duration) -> i128 {
    i128::try_from(time.as_millis()).unwrap_or(i128::MAX)
}

fn unreadable(field: &str) -> StoreError {
    StoreError(format!("the \"{field}\" of a pass in Redis can't be read"))
}
