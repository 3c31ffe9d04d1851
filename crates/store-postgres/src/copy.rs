//! Taking every record in from another store, and giving them again to be
//! compared.

mod columns;

use async_trait::async_trait;
use hallpass_core::{
    copy::{Giver, Kind, Page, Record, Taker},
    ports::StoreError,
};
use sqlx::postgres::PgRow;

use crate::{
    database::Database,
    grant_rows,
    rows::{damaged, get, number},
    statement::Statement,
    usage::columns as usage,
};

/// Records of one page.
const PAGE: i64 = 1000;

/// A database that no server uses yet.
pub struct PgTaker {
    database: Database,
}

impl PgTaker {
    /// Takes records into a database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

const fn table(kind: Kind) -> &'static str {
    match kind {
        Kind::Keys => "api_keys",
        Kind::Revocations => "revocations",
        Kind::Interviews => "interviews",
        Kind::Grants => "grants",
        Kind::Passes => "passes",
        Kind::Calls => "calls",
        Kind::Usage => "usage_hours",
    }
}

/// What rows of a kind are told apart by, and so ordered by.
fn keys(kind: Kind) -> Vec<&'static str> {
    match kind {
        Kind::Keys | Kind::Revocations | Kind::Grants | Kind::Passes => vec!["id"],
        Kind::Interviews => vec!["session_id"],
        Kind::Calls => vec!["call_id"],
        Kind::Usage => usage::KEYS.to_vec(),
    }
}

#[async_trait]
impl Giver for PgTaker {
    async fn count(&self, kind: Kind) -> Result<u64, StoreError> {
        let asked = format!("SELECT COUNT(*) AS there FROM {}", table(kind));
        let row = self.database.row(Statement::new(asked)).await?;
        row.map_or(Ok(0), |row| number(&row, "there"))
    }

    async fn page(&self, kind: Kind, after: Option<&str>) -> Result<Page, StoreError> {
        let keys = keys(kind);
        let columns = keys.join(", ");
        let mut asked = Statement::new(format!("SELECT * FROM {} WHERE true", table(kind)));
        if let Some(mark) = after {
            let places: Vec<String> =
                serde_json::from_str(mark).map_err(|error| damaged("mark", error))?;
            asked.push(" AND (").push(&columns).push(") > (");
            for (index, place) in places.into_iter().enumerate() {
                asked.push(if index == 0 { "" } else { ", " });
                asked.push_bind(place);
            }
            asked.push(")");
        }
        asked.push(" ORDER BY ").push(&columns).push(" LIMIT ");
        asked.push_bind(PAGE);
        let rows = self.database.rows(asked).await?;
        let records: Vec<Record> = rows
            .iter()
            .map(|row| columns::record(kind, row))
            .collect::<Result<_, _>>()?;
        let full = i64::try_from(rows.len()).is_ok_and(|rows| rows == PAGE);
        let last = rows.last().filter(|_| full);
        let next = last.map(|row| mark(&keys, row)).transpose()?;
        Ok(Page { records, next })
    }
}

/// What asks for the rows after this one.
fn mark(keys: &[&str], row: &PgRow) -> Result<String, StoreError> {
    let texts = keys.iter().map(|column| get(row, column));
    let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
    crate::rows::list_text(&texts)
}

fn name(copy: &str, kind: Kind) -> String {
    format!("{kind} of {copy}")
}

#[async_trait]
impl Taker for PgTaker {
    async fn mark(&self, copy: &str, kind: Kind) -> Result<Option<String>, StoreError> {
        let asked = Statement::new("SELECT mark FROM copies WHERE name = $1");
        let row = self.database.row(asked.bind(name(copy, kind))).await?;
        row.as_ref().map(|row| get(row, "mark")).transpose()
    }

    async fn take(
        &self,
        records: &[Record],
        copy: &str,
        kind: Kind,
        mark: &str,
    ) -> Result<(), StoreError> {
        if kind == Kind::Grants {
            let grants = records.iter().filter_map(|record| match record {
                Record::Grant(grant) => Some(grant.as_ref().clone()),
                _ => None,
            });
            let grants: Vec<_> = grants.collect();
            self.database.execute(grant_rows::insert(&grants)).await?;
        } else if !records.is_empty() {
            self.database
                .execute(columns::insert(kind, records))
                .await?;
        }
        // What is taken twice stays as it was, so the mark may come late.
        let note = Statement::new(
            "INSERT INTO copies (name, mark) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET mark = excluded.mark",
        );
        let note = note.bind(name(copy, kind)).bind(mark);
        self.database.execute(note).await.map(drop)
    }

    async fn finish(&self, copy: &str) -> Result<(), StoreError> {
        self.database.execute(columns::sum_usage()).await?;
        let forget = Statement::new("DELETE FROM copies WHERE name LIKE '% of ' || $1");
        self.database.execute(forget.bind(copy)).await.map(drop)
    }
}
