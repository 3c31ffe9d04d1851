//! The grants callers hold now, read once at start.

use hallpass_core::{Timestamp, concurrency::Lease, ports::StoreError};

use crate::{
    database::store_error,
    grants::SqliteGrants,
    rows::{id, time},
};

impl SqliteGrants {
    /// A lease for each lineage with a grant that is unexpired at `now`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file can't be read.
    pub async fn held(&self, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        let rows = sqlx::query(
            "SELECT subject, lineage, MAX(expires_at) AS until FROM grants \
             WHERE expires_at > ? GROUP BY subject, lineage",
        )
        .bind(now.as_millisecond())
        .fetch_all(&self.database.pool)
        .await
        .map_err(store_error)?;
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
