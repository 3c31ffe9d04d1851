//! A searchable copy of the trails of all replicas, a partition a day.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use hallpass_core::{Timestamp, ports::StoreError};
use sqlx::postgres::PgRow;

use crate::{
    database::Database,
    replica::ReplicaName,
    rows::{get, limit as most, number, time, whole},
    statement::{Statement, storable},
};

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;
/// Held by whoever makes or drops partitions, so that two don't at once.
const PARTITIONS: &str = "pg_advisory_xact_lock(hashtext('hallpass audit partitions'))";

/// A record of a trail, and what it is looked for by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailRecord {
    /// The replica whose trail it is of.
    pub replica: String,
    /// Its number within that trail.
    pub sequence: u64,
    /// When it happened.
    pub time: Timestamp,
    /// What was done.
    pub action: String,
    /// How it went.
    pub outcome: String,
    /// Who did it.
    pub subject: Option<String>,
    /// The grant it is about or announces.
    pub grant: Option<String>,
    /// That grant's lineage.
    pub lineage: Option<String>,
    /// The interview it belongs to.
    pub session_id: Option<String>,
    /// Where it came from.
    pub address: Option<String>,
    /// The record as it stands in the trail.
    pub line: String,
}

/// Which records are looked for; what is not given does not matter.
#[derive(Debug, Clone, Default)]
pub struct TrailQuery {
    /// Only of this replica.
    pub replica: Option<String>,
    /// Only this caller's.
    pub subject: Option<String>,
    /// Only about this grant, by its id or its lineage's.
    pub grant: Option<String>,
    /// Only of this interview.
    pub session_id: Option<String>,
    /// Only of this action.
    pub action: Option<String>,
    /// Only with this outcome.
    pub outcome: Option<String>,
    /// Only from this address.
    pub address: Option<String>,
    /// Only at or after this time.
    pub since: Option<Timestamp>,
    /// Only before this time.
    pub until: Option<Timestamp>,
    /// Only from this position on.
    pub from: u64,
    /// At most so many.
    pub limit: usize,
}

/// The copy of the trails in a database.
pub struct PgTrail {
    pub(crate) database: Database,
    pub(crate) replica: ReplicaName,
    /// Days whose partition is there.
    days: Mutex<HashSet<i64>>,
}

impl PgTrail {
    /// The copy, as one replica adds to it.
    #[must_use]
    pub fn new(database: Database, replica: ReplicaName) -> Self {
        Self {
            database,
            replica,
            days: Mutex::default(),
        }
    }

    /// Takes records of this replica's trail, each once however often it comes.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be written: none was taken then,
    /// or all were and that is not known.
    pub async fn take(&self, records: &[TrailRecord]) -> Result<(), StoreError> {
        self.see_to_days(records).await?;
        self.database.execute(self.insert(records)).await.map(drop)
    }

    /// Sees to the partitions of records.
    pub(crate) async fn see_to_days(&self, records: &[TrailRecord]) -> Result<(), StoreError> {
        for day in records.iter().map(|it| day_of(it.time)) {
            self.partition(day).await?;
        }
        Ok(())
    }

    fn insert(&self, records: &[TrailRecord]) -> Statement {
        let insert = Statement::new(format!(
            "INSERT INTO audit_records ({}) SELECT $1, * FROM {} \
             ON CONFLICT (replica, sequence, time) DO NOTHING",
            columns::NAMES,
            columns::ARRAYS,
        ));
        columns::bind(insert.bind(self.replica.as_str()), records)
    }

    /// Records that are looked for, in the order in which they came here; each
    /// with its position.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be asked.
    pub async fn find(&self, query: &TrailQuery) -> Result<Vec<(u64, TrailRecord)>, StoreError> {
        self.database.search_trail(query).await
    }

    /// Drops the partitions of days that ended before a time; how many.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be changed.
    pub async fn forget(&self, before: Timestamp) -> Result<usize, StoreError> {
        let asked = Statement::new(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid \
             WHERE inhparent = 'audit_records'::regclass AND relname < $1 ORDER BY relname",
        );
        let first_kept = partition_name(day_of(before));
        let rows = self.database.rows(asked.bind(first_kept)).await?;
        for row in &rows {
            let name: String = get(row, "relname")?;
            // What is kept begins after the last of each replica; its hash stands
            // at the end of its line.
            let drop = format!(
                "DO $$ BEGIN PERFORM {PARTITIONS}; \
                 IF to_regclass('{name}') IS NOT NULL THEN \
                 INSERT INTO audit_joints (replica, sequence, hash) \
                 SELECT DISTINCT ON (replica) replica, sequence, left(right(line, 69), 64) \
                 FROM {name} ORDER BY replica, sequence DESC ON CONFLICT DO NOTHING; \
                 DROP TABLE {name}; END IF; END $$"
            );
            self.database.execute(Statement::new(drop)).await?;
        }
        self.known().clear();
        let signed = Statement::new("DELETE FROM audit_checkpoints WHERE time < $1");
        let signed = signed.bind(day_of(before) * DAY);
        self.database.execute(signed).await?;
        Ok(rows.len())
    }

    /// Sees to a day's partition.
    async fn partition(&self, day: i64) -> Result<(), StoreError> {
        if self.known().contains(&day) {
            return Ok(());
        }
        let (name, from, to) = (partition_name(day), day * DAY, (day + 1) * DAY);
        let make = format!(
            "DO $$ BEGIN PERFORM {PARTITIONS}; \
             IF to_regclass('{name}') IS NULL THEN \
             CREATE TABLE {name} PARTITION OF audit_records FOR VALUES FROM ({from}) TO ({to}); \
             END IF; END $$"
        );
        self.database.execute(Statement::new(make)).await?;
        self.known().insert(day);
        Ok(())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<i64>> {
        self.days.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Database {
    /// Looks through the trails of all replicas; each record with its position.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be asked.
    pub async fn search_trail(
        &self,
        query: &TrailQuery,
    ) -> Result<Vec<(u64, TrailRecord)>, StoreError> {
        let rows = self.rows(select(query)).await?;
        let found = |row| Ok((number(row, "position")?, record(row)?));
        rows.iter().map(found).collect()
    }
}

fn select(query: &TrailQuery) -> Statement {
    let mut asked = Statement::new("SELECT * FROM audit_records WHERE position >= ");
    asked.push_bind(whole(query.from));
    let texts = [
        ("replica", &query.replica),
        ("subject", &query.subject),
        ("session_id", &query.session_id),
        ("action", &query.action),
        ("outcome", &query.outcome),
        ("address", &query.address),
    ];
    for (column, text) in texts {
        let Some(text) = text else { continue };
        asked
            .push(" AND ")
            .push(column)
            .push(" = ")
            .push_bind(text.as_str());
    }
    if let Some(id) = &query.grant {
        asked.push(" AND (grant_id = ").push_bind(id.as_str());
        asked
            .push(" OR lineage = ")
            .push_bind(id.as_str())
            .push(")");
    }
    if let Some(since) = query.since {
        asked
            .push(" AND time >= ")
            .push_bind(since.as_millisecond());
    }
    if let Some(until) = query.until {
        asked.push(" AND time < ").push_bind(until.as_millisecond());
    }
    asked.push(" ORDER BY position LIMIT ");
    asked.push_bind(most(query.limit));
    asked
}

fn record(row: &PgRow) -> Result<TrailRecord, StoreError> {
    Ok(TrailRecord {
        replica: get(row, "replica")?,
        sequence: number(row, "sequence")?,
        time: time(row, "time")?,
        action: get(row, "action")?,
        outcome: get(row, "outcome")?,
        subject: get(row, "subject")?,
        grant: get(row, "grant_id")?,
        lineage: get(row, "lineage")?,
        session_id: get(row, "session_id")?,
        address: get(row, "address")?,
        line: get(row, "line")?,
    })
}

/// The columns of records, as arrays of one statement.
pub(crate) mod columns {
    use super::{Statement, TrailRecord, storable, whole};

    /// The columns that are written; the first is the replica's name.
    pub(crate) const NAMES: &str = "replica, sequence, time, action, outcome, subject, \
         grant_id, lineage, session_id, address, line";

    /// All but the first, as rows.
    pub(crate) const ARRAYS: &str = "unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[], \
         $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])";

    /// Gives the arrays their values.
    pub(crate) fn bind(statement: Statement, records: &[TrailRecord]) -> Statement {
        let numbers =
            |number: fn(&TrailRecord) -> i64| -> Vec<i64> { records.iter().map(number).collect() };
        let texts = |text: fn(&TrailRecord) -> Option<&str>| -> Vec<Option<String>> {
            records.iter().map(|it| text(it).map(storable)).collect()
        };
        statement
            .bind(numbers(|it| whole(it.sequence)))
            .bind(numbers(|it| it.time.as_millisecond()))
            .bind(texts(|it| Some(&it.action)))
            .bind(texts(|it| Some(&it.outcome)))
            .bind(texts(|it| it.subject.as_deref()))
            .bind(texts(|it| it.grant.as_deref()))
            .bind(texts(|it| it.lineage.as_deref()))
            .bind(texts(|it| it.session_id.as_deref()))
            .bind(texts(|it| it.address.as_deref()))
            .bind(texts(|it| Some(&it.line)))
    }
}

/// Days since 1970, in UTC.
fn day_of(time: Timestamp) -> i64 {
    time.as_millisecond().div_euclid(DAY)
}

/// A partition's name; names sort as their days do.
fn partition_name(day: i64) -> String {
    let noon = Timestamp::from_millisecond(day * DAY + DAY / 2).unwrap_or(Timestamp::UNIX_EPOCH);
    let date = hallpass_core::usage::day_of(noon);
    format!("audit_records_{}", date.strftime("%Y%m%d"))
}
