//! Finds records for the console, and tells how one stands.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use hallpass_audit::{Neighbour, Progress, Query, ReadError, Signed, Standing, StoredRecord};
use hallpass_console::{Beside, Place, Sealing, TrailDesk, TrailRecord};
use hallpass_core::ports::StoreError;
use hallpass_http::AuditQuery;
use tokio::sync::Semaphore;

/// Searches at once; each reads files in a thread of its own.
const AT_ONCE: usize = 2;

/// The trail of a directory, as the console reads it.
pub(super) struct Desk {
    dir: PathBuf,
    progress: Progress,
    turns: Arc<Semaphore>,
}

impl Desk {
    pub(super) fn new(dir: PathBuf, progress: Progress) -> Self {
        Self {
            dir,
            progress,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Reads in a thread, when it is its turn.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(PathBuf, u64) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let failed = |error: &dyn std::fmt::Display| StoreError(error.to_string());
        let turn = self.turns.clone().acquire_owned().await;
        let turn = turn.map_err(|error| failed(&error))?;
        let (dir, durable) = (self.dir.clone(), self.progress.durable());
        let reading = tokio::task::spawn_blocking(move || {
            let found = read(dir, durable);
            drop(turn);
            found
        });
        let found = reading.await.map_err(|error| failed(&error))?;
        found.map_err(|error| failed(&error))
    }
}

#[async_trait]
impl TrailDesk for Desk {
    async fn latest(
        &self,
        wanted: AuditQuery,
        before: Option<u64>,
    ) -> Result<Vec<TrailRecord>, StoreError> {
        let query = Query {
            subject: wanted.subject,
            grant: wanted.grant,
            session: wanted.session_id,
            action: wanted.action,
            outcome: wanted.outcome.and_then(|outcome| outcome.parse().ok()),
            address: wanted.address,
            since: wanted.since,
            until: wanted.until,
            limit: wanted.limit,
            ..Query::default()
        };
        let find = move |dir: PathBuf, durable: u64| {
            let before = before.map_or(durable, |before| before.min(durable));
            hallpass_audit::latest(&dir, &query, before)
        };
        let found = self.read(find).await?;
        Ok(found.into_iter().map(record).collect())
    }

    async fn place(&self, sequence: u64) -> Result<Option<Place>, StoreError> {
        let look = move |dir: PathBuf, durable| hallpass_audit::standing(&dir, sequence, durable);
        Ok(self.read(look).await?.map(place))
    }
}

fn place(standing: Standing) -> Place {
    let beside = |neighbour| match neighbour {
        Neighbour::Fits => Beside::Fits,
        Neighbour::Broken => Beside::Broken,
        Neighbour::Absent => Beside::Absent,
    };
    Place {
        line: standing.line,
        record: standing.record.map(record),
        is_erased: standing.is_erased,
        flaw: standing.flaw.map(|flaw| flaw.to_string()),
        before: beside(standing.before),
        after: beside(standing.after),
        sealed: match standing.signed {
            Signed::By(size) => Sealing::Signed(size),
            Signed::NotYet => Sealing::NotYet,
            Signed::Broken(why) => Sealing::Broken(why),
            Signed::Unasked => Sealing::Unasked,
        },
    }
}

fn record(record: StoredRecord) -> TrailRecord {
    let grant = record.grant_id().map(str::to_owned);
    let route = record.method.zip(record.route);
    TrailRecord {
        sequence: record.sequence,
        time: record.time,
        action: record.action,
        phase: record.phase.to_string(),
        outcome: record.outcome.to_string(),
        code: record.code,
        reason: record.reason,
        subject: record.subject,
        credential: record.credential,
        address: record.address,
        user_agent: record.user_agent,
        route: route.map(|(method, route)| format!("{method} {route}")),
        request_id: record.request_id,
        session_id: record.session_id,
        grant,
        facts: record.facts,
    }
}
