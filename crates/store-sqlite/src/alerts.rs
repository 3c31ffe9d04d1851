//! Alerts, and what is to be sent of them.

mod letters;

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    alert::{Acknowledgement, Alert, AlertBook, AlertFilter, AlertId, Letter},
    ports::StoreError,
};
use sqlx::{QueryBuilder, Sqlite, Transaction, sqlite::SqliteRow};

use crate::{
    database::{Database, store_error},
    rows::{damaged, get},
};

/// Most alerts one question is answered with.
const MAX_ALERTS: usize = 1_000;

/// The alerts of one installation.
pub struct SqliteAlerts {
    database: Database,
}

impl SqliteAlerts {
    /// The alerts in a database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        let begun = self.database.pool.begin_with("BEGIN IMMEDIATE").await;
        begun.map_err(store_error)
    }
}

#[async_trait]
impl AlertBook for SqliteAlerts {
    async fn active(&self) -> Result<Vec<Alert>, StoreError> {
        let rows =
            sqlx::query("SELECT alert FROM alerts WHERE ended_at IS NULL ORDER BY started_at, id")
                .fetch_all(&self.database.pool)
                .await;
        rows.map_err(store_error)?.iter().map(alert).collect()
    }

    async fn keep(&self, alerts: &[Alert], letters: &[Letter]) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for alert in alerts {
            let known = find(&mut transaction, &alert.id).await?;
            let acknowledged = known.and_then(|known| known.acknowledged);
            let alert = Alert {
                acknowledged: acknowledged.or_else(|| alert.acknowledged.clone()),
                ..alert.clone()
            };
            write(&mut transaction, &alert).await?;
        }
        for letter in letters {
            letters::write(&mut transaction, letter).await?;
        }
        transaction.commit().await.map_err(store_error)
    }

    async fn list(&self, filter: &AlertFilter) -> Result<Vec<Alert>, StoreError> {
        let rows = select(filter).build().fetch_all(&self.database.pool).await;
        rows.map_err(store_error)?.iter().map(alert).collect()
    }

    async fn acknowledge(
        &self,
        id: &AlertId,
        by: &Acknowledgement,
    ) -> Result<Option<Alert>, StoreError> {
        let mut transaction = self.begin().await?;
        let Some(mut alert) = find(&mut transaction, id).await? else {
            return Ok(None);
        };
        alert.acknowledged.get_or_insert_with(|| by.clone());
        write(&mut transaction, &alert).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(Some(alert))
    }

    async fn forget(&self, before: Timestamp) -> Result<usize, StoreError> {
        let forgotten = sqlx::query("DELETE FROM alerts WHERE ended_at < ?")
            .bind(before.as_millisecond())
            .execute(&self.database.pool)
            .await
            .map_err(store_error)?;
        Ok(usize::try_from(forgotten.rows_affected()).unwrap_or(usize::MAX))
    }
}

fn select(filter: &AlertFilter) -> QueryBuilder<Sqlite> {
    let mut select = QueryBuilder::new("SELECT alert FROM alerts WHERE 1");
    match filter.active {
        Some(true) => drop(select.push(" AND ended_at IS NULL")),
        Some(false) => drop(select.push(" AND ended_at IS NOT NULL")),
        None => {}
    }
    let texts = [
        ("rule", filter.rule.clone()),
        ("severity", filter.severity.map(|it| it.to_string())),
        (
            "fingerprint",
            filter.fingerprint.as_ref().map(ToString::to_string),
        ),
    ];
    for (name, text) in texts {
        let Some(text) = text else { continue };
        select.push(" AND ").push(name).push(" = ").push_bind(text);
    }
    for (time, sign) in [(filter.since, ">="), (filter.until, "<")] {
        let Some(time) = time else { continue };
        select.push(format!(" AND started_at {sign} "));
        select.push_bind(time.as_millisecond());
    }
    if let Some((time, id)) = &filter.after {
        let millis = time.as_millisecond();
        select.push(" AND (started_at < ").push_bind(millis);
        select.push(" OR (started_at = ").push_bind(millis);
        select.push(" AND id > ").push_bind(id.to_string());
        select.push("))");
    }
    let limit = filter.limit.clamp(1, MAX_ALERTS);
    select.push(" ORDER BY started_at DESC, id LIMIT ");
    select.push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    select
}

async fn find(
    transaction: &mut Transaction<'static, Sqlite>,
    id: &AlertId,
) -> Result<Option<Alert>, StoreError> {
    let row = sqlx::query("SELECT alert FROM alerts WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(&mut **transaction)
        .await
        .map_err(store_error)?;
    row.as_ref().map(alert).transpose()
}

async fn write(
    transaction: &mut Transaction<'static, Sqlite>,
    alert: &Alert,
) -> Result<(), StoreError> {
    let written = sqlx::query(
        "INSERT INTO alerts (id, fingerprint, rule, severity, started_at, ended_at, alert) \
         VALUES (?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, alert = excluded.alert",
    )
    .bind(alert.id.as_str())
    .bind(alert.fingerprint.as_str())
    .bind(&alert.rule)
    .bind(<&'static str>::from(alert.severity))
    .bind(alert.started_at.as_millisecond())
    .bind(alert.ended_at.map(Timestamp::as_millisecond))
    .bind(json(alert)?)
    .execute(&mut **transaction)
    .await;
    written.map(drop).map_err(store_error)
}

fn json(alert: &Alert) -> Result<String, StoreError> {
    serde_json::to_string(alert).map_err(|error| StoreError(error.to_string()))
}

fn alert(row: &SqliteRow) -> Result<Alert, StoreError> {
    let text: String = get(row, "alert")?;
    serde_json::from_str(&text).map_err(|error| damaged("alert", error))
}
