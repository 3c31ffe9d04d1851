//! Giving every record away, page by page, to another store.

use async_trait::async_trait;
use hallpass_core::{
    copy::{Giver, Kind, Page, Record},
    hash::KeyedHash,
    ids::GrantId,
    pass::PassRecord,
    ports::StoreError,
};
use sqlx::sqlite::SqliteRow;

use crate::{
    calls::call,
    database::{Database, store_error},
    grant_rows::{self, grant, id_bytes},
    interviews::row as interviews,
    packed::unpack,
    revocations::revocation,
    rows::{self, damaged, get, id, time},
    usage::columns as usage,
};

/// Records of one page.
const PAGE: i64 = 1000;

/// The records of a file that no server writes.
pub struct SqliteGiver {
    database: Database,
}

impl SqliteGiver {
    /// Gives the records of a database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    async fn rows(&self, sql: String, after: After<'_>) -> Result<Vec<SqliteRow>, StoreError> {
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        query = match after {
            After::Texts(texts) => texts
                .into_iter()
                .fold(query, |query, text| query.bind(text)),
            After::Number(number) => query.bind(number),
            After::Bytes(bytes) => query.bind(bytes),
            After::Text(text) => query.bind(text),
        };
        let rows = query.bind(PAGE).fetch_all(&self.database.pool).await;
        rows.map_err(store_error)
    }
}

/// Where a page begins.
enum After<'a> {
    Text(&'a str),
    Number(i64),
    Bytes(Vec<u8>),
    Texts(Vec<String>),
}

const fn table(kind: Kind) -> &'static str {
    match kind {
        Kind::Keys => "api_keys",
        Kind::Revocations => "revocations",
        Kind::Interviews => "interviews",
        Kind::Grants => "grants",
        Kind::Passes => "passes",
        Kind::Calls => "calls",
        Kind::Usage => "usage",
    }
}

#[async_trait]
impl Giver for SqliteGiver {
    async fn count(&self, kind: Kind) -> Result<u64, StoreError> {
        let sql = format!("SELECT COUNT(*) AS there FROM {}", table(kind));
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_one(&self.database.pool)
            .await
            .map_err(store_error)?;
        let there: i64 = get(&row, "there")?;
        Ok(u64::try_from(there).unwrap_or(0))
    }

    async fn page(&self, kind: Kind, after: Option<&str>) -> Result<Page, StoreError> {
        let rows = self.rows(select(kind), place(kind, after)?).await?;
        let records: Vec<Record> = rows
            .iter()
            .map(|row| record(kind, row))
            .collect::<Result<_, _>>()?;
        let full = i64::try_from(rows.len()).is_ok_and(|rows| rows == PAGE);
        let last = rows.last().filter(|_| full);
        let next = last.map(|row| mark(kind, row)).transpose()?;
        Ok(Page { records, next })
    }
}

fn select(kind: Kind) -> String {
    let from = |columns: &str, key: &str| {
        let table = table(kind);
        format!("SELECT {columns} FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT ?")
    };
    match kind {
        Kind::Keys | Kind::Revocations | Kind::Passes => from("*", "id"),
        Kind::Interviews => from(interviews::COLUMNS, "session_id"),
        Kind::Grants => from(&format!("n, {}", grant_rows::COLUMNS), "n"),
        Kind::Calls => from("*", "call_id"),
        Kind::Usage => format!(
            "SELECT * FROM usage WHERE ({keys}) > (?, ?, ?, ?, ?, ?, ?, ?) ORDER BY {keys} LIMIT ?",
            keys = usage::KEYS
        ),
    }
}

fn place(kind: Kind, after: Option<&str>) -> Result<After<'_>, StoreError> {
    Ok(match (kind, after) {
        (Kind::Grants, None) => After::Number(-1),
        (Kind::Grants, Some(mark)) => {
            After::Number(mark.parse().map_err(|error| damaged("n", error))?)
        }
        (Kind::Passes, None) => After::Bytes(Vec::new()),
        (Kind::Passes, Some(mark)) => {
            let id = GrantId::new(mark).map_err(|error| damaged("id", error))?;
            After::Bytes(id_bytes(&id))
        }
        (Kind::Usage, None) => After::Texts(vec![String::new(); 8]),
        (Kind::Usage, Some(mark)) => {
            let texts = serde_json::from_str(mark);
            After::Texts(texts.map_err(|error| damaged("usage", error))?)
        }
        (_, mark) => After::Text(mark.unwrap_or_default()),
    })
}

/// What asks for the rows after this one.
fn mark(kind: Kind, row: &SqliteRow) -> Result<String, StoreError> {
    match kind {
        Kind::Keys | Kind::Revocations => get(row, "id"),
        Kind::Interviews => get(row, "session_id"),
        Kind::Grants => Ok(get::<i64>(row, "n")?.to_string()),
        Kind::Passes => Ok(pass_id(row)?.to_string()),
        Kind::Calls => get(row, "call_id"),
        Kind::Usage => {
            let texts = usage::KEYS.split(", ").map(|column| get(row, column));
            let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
            rows::list_text(&texts)
        }
    }
}

fn record(kind: Kind, row: &SqliteRow) -> Result<Record, StoreError> {
    Ok(match kind {
        Kind::Keys => Record::Key(rows::key(row)?),
        Kind::Revocations => Record::Revocation(revocation(row)?),
        Kind::Interviews => Record::Interview(interviews::standing(row)?),
        Kind::Grants => Record::Grant(Box::new(grant(row)?)),
        Kind::Passes => {
            let (pass, spent) = pass(row)?;
            Record::Pass(pass, spent)
        }
        Kind::Calls => Record::Call(call(row)?),
        Kind::Usage => Record::Usage(usage::key(row)?, usage::usage(row)?),
    })
}

fn pass_id(row: &SqliteRow) -> Result<GrantId, StoreError> {
    let bytes: Vec<u8> = get(row, "id")?;
    let text = unpack("gr_", &bytes).ok_or_else(|| damaged("id", "not an id"))?;
    GrantId::new(text).map_err(|error| damaged("id", error))
}

fn pass(row: &SqliteRow) -> Result<(PassRecord, bool), StoreError> {
    let hash: Vec<u8> = get(row, "hash")?;
    let hash = <[u8; 32]>::try_from(hash).map_err(|_| damaged("hash", "not 32 bytes"))?;
    let record = PassRecord {
        grant: pass_id(row)?,
        hash: KeyedHash::from_bytes(hash),
        role: id(row, "role")?,
        session: get(row, "session")?,
        expires_at: time(row, "expires_at")?,
    };
    let spent: i64 = get(row, "spent")?;
    Ok((record, spent != 0))
}
