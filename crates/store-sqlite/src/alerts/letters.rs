//! The outbox: letters in the order they were written, until they are taken.

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    alert::{Letter, Outbox},
    ports::StoreError,
};
use sqlx::{QueryBuilder, Sqlite, Transaction, sqlite::SqliteRow};

use super::{SqliteAlerts, alert, json};
use crate::{
    database::store_error,
    rows::{damaged, get, millis, time},
};

/// Letters of one cause wait for the one before, so that an end never comes
/// before its beginning.
const IS_FIRST: &str = "NOT EXISTS (SELECT 1 FROM letters AS before \
     WHERE before.receiver = letters.receiver \
       AND before.fingerprint = letters.fingerprint \
       AND before.number < letters.number)";

pub(super) async fn write(
    transaction: &mut Transaction<'static, Sqlite>,
    letter: &Letter,
) -> Result<(), StoreError> {
    let written = sqlx::query(
        "INSERT INTO letters (id, receiver, fingerprint, alert, written_at, due_at, tries) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&letter.id)
    .bind(&letter.receiver)
    .bind(letter.alert.fingerprint.as_str())
    .bind(json(&letter.alert)?)
    .bind(letter.written_at.as_millisecond())
    .bind(letter.written_at.as_millisecond())
    .bind(i64::from(letter.tries))
    .execute(&mut **transaction)
    .await;
    written.map(drop).map_err(store_error)
}

#[async_trait]
impl Outbox for SqliteAlerts {
    async fn due(
        &self,
        receiver: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        let sql = format!(
            "SELECT id, receiver, alert, written_at, tries FROM letters \
             WHERE receiver = ? AND due_at <= ? AND {IS_FIRST} ORDER BY number LIMIT ?"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(receiver)
            .bind(now.as_millisecond())
            .bind(i64::try_from(limit.max(1)).unwrap_or(i64::MAX))
            .fetch_all(&self.database.pool)
            .await;
        rows.map_err(store_error)?.iter().map(letter).collect()
    }

    async fn next_due(&self, receiver: &str) -> Result<Option<Timestamp>, StoreError> {
        let sql =
            format!("SELECT MIN(due_at) AS due_at FROM letters WHERE receiver = ? AND {IS_FIRST}");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(receiver)
            .fetch_one(&self.database.pool)
            .await
            .map_err(store_error)?;
        let due: Option<i64> = get(&row, "due_at")?;
        due.map(|due| millis("due_at", due)).transpose()
    }

    async fn remove(&self, id: &str) -> Result<(), StoreError> {
        let removed = sqlx::query("DELETE FROM letters WHERE id = ?")
            .bind(id)
            .execute(&self.database.pool)
            .await;
        removed.map(drop).map_err(store_error)
    }

    async fn put_off(&self, id: &str, until: Timestamp) -> Result<(), StoreError> {
        let put_off = sqlx::query("UPDATE letters SET due_at = ?, tries = tries + 1 WHERE id = ?")
            .bind(until.as_millisecond())
            .bind(id)
            .execute(&self.database.pool)
            .await;
        put_off.map(drop).map_err(store_error)
    }

    async fn waiting(&self, receiver: &str) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT COUNT(*) AS letters FROM letters WHERE receiver = ?")
            .bind(receiver)
            .fetch_one(&self.database.pool)
            .await
            .map_err(store_error)?;
        let letters: i64 = get(&row, "letters")?;
        u64::try_from(letters).map_err(|_| damaged("letters", letters))
    }

    async fn keep_only(&self, receivers: &[String]) -> Result<usize, StoreError> {
        let mut delete = QueryBuilder::<Sqlite>::new("DELETE FROM letters WHERE receiver NOT IN (");
        let mut names = delete.separated(", ");
        for receiver in receivers {
            names.push_bind(receiver);
        }
        delete.push(")");
        let gone = delete.build().execute(&self.database.pool).await;
        let gone = gone.map_err(store_error)?.rows_affected();
        Ok(usize::try_from(gone).unwrap_or(usize::MAX))
    }
}

fn letter(row: &SqliteRow) -> Result<Letter, StoreError> {
    let tries: i64 = get(row, "tries")?;
    Ok(Letter {
        id: get(row, "id")?,
        receiver: get(row, "receiver")?,
        alert: alert(row)?,
        written_at: time(row, "written_at")?,
        tries: u32::try_from(tries).map_err(|error| damaged("tries", error))?,
    })
}
