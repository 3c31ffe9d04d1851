//! The grants callers hold now, read once at start.

use hallpass_core::{Timestamp, concurrency::Lease, ports::StoreError};

use crate::{
    database::store_error,
    grant_rows::lineage_id,
    grants::SqliteGrants,
    life::LONGEST_SECRET,
    rows::{get, id, time},
};

impl SqliteGrants {
    /// A lease for each lineage with a grant that is unexpired at `now`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file can't be read.
    pub async fn held(&self, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        let rows = sqlx::query(
            "SELECT subject, COALESCE(lineage, id) AS line, MAX(expires_at) AS until FROM grants \
             WHERE created_at > ? AND expires_at > ? GROUP BY subject, line",
        )
        .bind(now.as_millisecond() - LONGEST_SECRET)
        .bind(now.as_millisecond())
        .fetch_all(&self.database.pool)
        .await
        .map_err(store_error)?;
        let lease = |row| {
            let line: Vec<u8> = get(row, "line")?;
            Ok(Lease {
                holder: id(row, "subject")?,
                lineage: lineage_id(&line)?,
                until: time(row, "until")?,
            })
        };
        rows.iter().map(lease).collect()
    }
}
