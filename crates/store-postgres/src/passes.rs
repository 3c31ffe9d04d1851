//! Passes: kept for all replicas, and spent once for all.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    ids::GrantId,
    pass::{PassRecord, Passes, Spent},
    ports::StoreError,
};

use crate::{
    database::Database,
    gather::Gather,
    replica::Replica,
    rows::{get, hash, how_many, id, time},
    statement::Statement,
};

/// The passes of one installation.
pub struct PgPasses {
    database: Database,
    gather: Gather<PassRecord>,
    /// Names this process's uses, each by a number of its own.
    process: String,
    uses: AtomicU64,
}

impl PgPasses {
    /// The passes in a database, as one replica uses them.
    #[must_use]
    pub fn new(database: Database, replica: &Replica) -> Self {
        let writes = database.clone();
        let gather = Gather::new(move |passes: Vec<PassRecord>| {
            let database = writes.clone();
            Box::pin(async move { database.execute(insert(&passes)).await.map(drop) })
        });
        Self {
            database,
            gather,
            process: replica.incarnation().to_owned(),
            uses: AtomicU64::new(0),
        }
    }
}

/// Keeps passes; one that is there, sent again after a broken connection, stays.
fn insert(passes: &[PassRecord]) -> Statement {
    let times = passes.iter().map(|it| it.expires_at.as_millisecond());
    Statement::new(
        "INSERT INTO passes (id, hash, role, session, expires_at) \
         SELECT * FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::bigint[]) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(texts(passes, |it| it.grant.to_string()))
    .bind(
        passes
            .iter()
            .map(|it| it.hash.as_bytes().to_vec())
            .collect::<Vec<_>>(),
    )
    .bind(texts(passes, |it| it.role.to_string()))
    .bind(texts(passes, |it| it.session.clone()))
    .bind(times.collect::<Vec<_>>())
}

fn texts(passes: &[PassRecord], text: impl Fn(&PassRecord) -> String) -> Vec<String> {
    passes.iter().map(text).collect()
}

#[async_trait]
impl Passes for PgPasses {
    async fn keep(&self, pass: &PassRecord) -> Result<(), StoreError> {
        self.gather.put(pass.clone()).await
    }

    async fn find(&self, grant: &GrantId) -> Result<Option<PassRecord>, StoreError> {
        let asked =
            Statement::new("SELECT hash, role, session, expires_at FROM passes WHERE id = $1");
        let row = self.database.row(asked.bind(grant.as_str())).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(PassRecord {
            grant: grant.clone(),
            hash: hash(&row, "hash")?,
            role: id(&row, "role")?,
            session: get(&row, "session")?,
            expires_at: time(&row, "expires_at")?,
        }))
    }

    async fn spend(&self, grant: &GrantId) -> Result<Spent, StoreError> {
        // Asked again after a broken connection, this use is told from another.
        let number = self.uses.fetch_add(1, Ordering::Relaxed);
        let by = format!("{}:{number}", self.process);
        let spent = Statement::new(
            "UPDATE passes SET spent_by = $2 \
             WHERE id = $1 AND (spent_by IS NULL OR spent_by = $2)",
        );
        let spent = spent.bind(grant.as_str()).bind(by);
        if self.database.execute(spent).await? == 1 {
            return Ok(Spent::First);
        }
        let known = self.find(grant).await?;
        Ok(known.map_or(Spent::Unknown, |_| Spent::Again))
    }

    async fn forget(&self, before: Timestamp) -> Result<usize, StoreError> {
        let gone = Statement::new("DELETE FROM passes WHERE expires_at < $1");
        let gone = gone.bind(before.as_millisecond());
        self.database.execute(gone).await.map(how_many)
    }
}
