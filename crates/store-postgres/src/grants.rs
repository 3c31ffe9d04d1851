//! The registry of grants: one for all replicas.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    concurrency::Lease,
    grant::{Grant, GrantEvent},
    ids::GrantId,
    ports::{GrantFilter, Grants, StoreError, Withdrawn},
    revocation::Scope,
};

use crate::{
    database::Database,
    gather::Gather,
    grant_rows::{self, COLUMNS},
    life, query,
    rows::{how_many, id, time},
    statement::Statement,
};

/// The grants of one installation.
///
/// A grant is committed before it is answered, many at once in one statement;
/// every replica finds it then. Each change of one is a statement that only
/// the first of several replicas gets through.
pub struct PgGrants {
    database: Database,
    gather: Gather<Grant>,
}

impl PgGrants {
    /// The registry in a database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        let writes = database.clone();
        let gather = Gather::new(move |grants| {
            let database = writes.clone();
            Box::pin(async move { write(&database, grants).await })
        });
        Self { database, gather }
    }

    /// How many grants wait to be committed.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.gather.waiting()
    }

    /// A lease for each lineage with a grant that is unexpired at `now`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be asked.
    pub async fn held(&self, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        let asked = Statement::new(
            "SELECT subject, lineage, MAX(expires_at) AS until FROM grants \
             WHERE created_at > $1 AND expires_at > $2 GROUP BY subject, lineage",
        )
        .bind(now.as_millisecond() - life::LONGEST_SECRET)
        .bind(now.as_millisecond());
        let rows = self.database.rows(asked).await?;
        let lease = |row| {
            Ok(Lease {
                holder: id(row, "subject")?,
                lineage: id(row, "lineage")?,
                until: time(row, "until")?,
            })
        };
        rows.iter().map(lease).collect()
    }
}

/// Writes grants, each once: one statement can't change a row twice.
async fn write(database: &Database, grants: Vec<Grant>) -> Result<(), StoreError> {
    let mut each: BTreeMap<GrantId, Grant> = BTreeMap::new();
    for grant in grants {
        match each.get_mut(&grant.id) {
            Some(known) => known.merge(&grant),
            None => drop(each.insert(grant.id.clone(), grant)),
        }
    }
    let grants: Vec<Grant> = each.into_values().collect();
    database
        .execute(grant_rows::insert(&grants))
        .await
        .map(drop)
}

#[async_trait]
impl Grants for PgGrants {
    async fn record(&self, grant: Arc<Grant>) -> Result<(), StoreError> {
        self.gather.put(Arc::unwrap_or_clone(grant)).await
    }

    async fn find(&self, id: &GrantId) -> Result<Option<Grant>, StoreError> {
        let asked = Statement::new(format!("SELECT {COLUMNS} FROM grants WHERE id = $1"));
        let row = self.database.row(asked.bind(id.as_str())).await?;
        row.as_ref().map(grant_rows::grant).transpose()
    }

    async fn list(&self, filter: &GrantFilter) -> Result<Vec<Grant>, StoreError> {
        let rows = self.database.rows(query::select(filter)).await?;
        rows.iter().map(grant_rows::grant).collect()
    }

    async fn apply(&self, id: &GrantId, event: GrantEvent) -> Result<Option<Grant>, StoreError> {
        let moved = self.database.row(life::apply(id, event)).await?;
        match moved {
            Some(row) => grant_rows::grant(&row).map(Some),
            // There is none, or the event changes nothing.
            None => self.find(id).await,
        }
    }

    async fn supersede(&self, id: &GrantId, successor: &GrantId) -> Result<bool, StoreError> {
        // The same successor again is the same request, asked once more.
        let first = Statement::new(
            "UPDATE grants SET superseded_by = $2 \
             WHERE id = $1 AND (superseded_by IS NULL OR superseded_by = $2)",
        );
        let first = first.bind(id.as_str()).bind(successor.as_str());
        Ok(self.database.execute(first).await? == 1)
    }

    async fn withdraw(&self, scope: &Scope, now: Timestamp) -> Result<Withdrawn, StoreError> {
        let row = self.database.row(life::withdraw(scope, now)).await?;
        row.as_ref()
            .map_or(Ok(Withdrawn::default()), life::withdrawn)
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let moved = self.database.execute(life::expire(now, limit)).await;
        moved.map(how_many)
    }

    async fn prune(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let gone = self.database.execute(life::prune(before, limit)).await;
        gone.map(how_many)
    }
}
