//! Revocations: written through, checked in memory, kept in step by revision.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    ids::{RevocationId, Subject},
    ports::{Revocations, StoreError},
    revocation::{Hit, InForce, Lifted, Question, Revocation, Scope, ScopeKind},
};
use sqlx::postgres::PgRow;

use crate::{
    database::Database,
    feed::NEXT_REVISION,
    rows::{damaged, get, how_many, id, limit as most, optional_id, optional_time, parsed, time},
    statement::{Statement, storable},
};

/// How often adding is tried where one of the same scope is lifted meanwhile.
const TRIES: usize = 8;

/// Revocations that came and that went.
pub(crate) type Changed = (Vec<Revocation>, Vec<Revocation>);

/// The revocations of one installation.
///
/// A change is in the database before it is in memory, and in both before it is
/// answered. Requests are checked against memory alone; what other replicas
/// change comes with [`PgFeed`](crate::PgFeed).
pub struct PgRevocations {
    database: Database,
    memory: RwLock<Memory>,
    epoch: AtomicU64,
    newest: AtomicI64,
    /// Held by whoever changes memory, from asking the database on.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Memory {
    in_force: InForce,
    by_id: HashMap<RevocationId, Revocation>,
}

impl Memory {
    fn insert(&mut self, revocation: &Revocation) {
        let id = revocation.id.clone();
        self.in_force.insert(id.clone(), &revocation.scope);
        self.by_id.insert(id, revocation.clone());
    }

    /// Takes out what is in force under this id; another of the same scope stays.
    fn remove(&mut self, id: &RevocationId) -> Option<Revocation> {
        let known = self.by_id.remove(id)?;
        if self.in_force.of(&known.scope) == Some(id) {
            self.in_force.remove(&known.scope);
        }
        Some(known)
    }
}

impl PgRevocations {
    /// Reads what is in force.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be asked.
    pub async fn load(database: Database) -> Result<Self, StoreError> {
        let revocations = Self {
            database,
            memory: RwLock::default(),
            epoch: AtomicU64::new(0),
            newest: AtomicI64::new(0),
            turn: tokio::sync::Mutex::default(),
        };
        revocations.follow(0, true).await?;
        Ok(revocations)
    }

    /// The newest revision of which this replica knows a change.
    pub(crate) fn newest(&self) -> i64 {
        self.newest.load(Ordering::SeqCst)
    }

    /// Reads what changed after a revision; `anew`, what memory has and the
    /// database has not is over, too.
    pub(crate) async fn follow(&self, since: i64, anew: bool) -> Result<Changed, StoreError> {
        let _turn = self.turn.lock().await;
        let asked = Statement::new(
            "SELECT * FROM revocations WHERE revision > $1 AND ($1 > 0 OR lifted_at IS NULL) \
             ORDER BY revision",
        );
        let rows = self.database.rows(asked.bind(since)).await?;
        let read: Vec<Revocation> = rows.iter().map(revocation).collect::<Result<_, _>>()?;
        if let Some(row) = rows.last() {
            self.newest
                .fetch_max(get(row, "revision")?, Ordering::SeqCst);
        }
        Ok(self.change(|memory| merged(memory, read, anew)))
    }

    fn read(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes memory; who sees the new epoch sees the change.
    fn change(&self, change: impl FnOnce(&mut Memory) -> Changed) -> Changed {
        let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut memory);
        if !(changed.0.is_empty() && changed.1.is_empty()) {
            self.epoch.fetch_add(1, Ordering::SeqCst);
        }
        changed
    }

    /// Takes a row that was just written or found into memory.
    fn learn(&self, row: &PgRow) -> Result<Revocation, StoreError> {
        let read = revocation(row)?;
        self.newest
            .fetch_max(get(row, "revision")?, Ordering::SeqCst);
        self.change(|memory| merged(memory, vec![read.clone()], false));
        Ok(read)
    }

    async fn row(&self, id: &RevocationId) -> Result<Option<PgRow>, StoreError> {
        let asked = Statement::new("SELECT * FROM revocations WHERE id = $1");
        self.database.row(asked.bind(id.as_str())).await
    }

    /// Adds one, or finds the one of its scope; none where that was lifted
    /// between the two.
    async fn add_once(&self, revocation: &Revocation) -> Result<Option<PgRow>, StoreError> {
        let kind = <&'static str>::from(revocation.scope.kind());
        let target = revocation.scope.target();
        let insert = Statement::new(format!(
            "{NEXT_REVISION} INSERT INTO revocations \
             (id, kind, target, reason, created_at, created_by, revision) \
             SELECT $1, $2, $3, $4, $5, $6, value FROM turn \
             ON CONFLICT (kind, COALESCE(target, '')) WHERE lifted_at IS NULL DO NOTHING \
             RETURNING *"
        ))
        .bind(revocation.id.as_str())
        .bind(kind)
        .bind(target.as_deref())
        .bind(revocation.reason.as_deref().map(storable))
        .bind(revocation.created_at.as_millisecond())
        .bind(revocation.created_by.as_str());
        if let Some(row) = self.database.row(insert).await? {
            return Ok(Some(row));
        }
        let known = Statement::new(
            "SELECT * FROM revocations \
             WHERE kind = $1 AND COALESCE(target, '') = COALESCE($2, '') AND lifted_at IS NULL",
        );
        self.database.row(known.bind(kind).bind(target)).await
    }
}

/// Holds what was read against memory.
fn merged(memory: &mut Memory, read: Vec<Revocation>, anew: bool) -> Changed {
    let (mut added, mut ended) = (Vec::new(), Vec::new());
    if anew {
        let there: HashSet<&RevocationId> = read.iter().map(|it| &it.id).collect();
        let known = memory.by_id.keys();
        let gone: Vec<RevocationId> = known.filter(|id| !there.contains(id)).cloned().collect();
        ended.extend(gone.iter().filter_map(|id| memory.remove(id)));
    }
    for revocation in read {
        if revocation.lifted.is_some() {
            ended.extend(memory.remove(&revocation.id).map(|_| revocation));
        } else if !memory.by_id.contains_key(&revocation.id) {
            memory.insert(&revocation);
            added.push(revocation);
        }
    }
    (added, ended)
}

#[async_trait]
impl Revocations for PgRevocations {
    fn check(&self, question: &Question<'_>) -> Option<Hit> {
        self.read().in_force.check(question)
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    async fn add(&self, revocation: &Revocation) -> Result<Revocation, StoreError> {
        let _turn = self.turn.lock().await;
        for _ in 0..TRIES {
            if let Some(row) = self.add_once(revocation).await? {
                return self.learn(&row);
            }
        }
        Err(StoreError(
            "PostgreSQL: the revocation is lifted as fast as it is added".to_owned(),
        ))
    }

    async fn lift(
        &self,
        id: &RevocationId,
        end: &Lifted,
    ) -> Result<Option<Revocation>, StoreError> {
        let _turn = self.turn.lock().await;
        let lift = Statement::new(format!(
            "{NEXT_REVISION} UPDATE revocations SET lifted_at = $2, lifted_by = $3, \
             revision = (SELECT value FROM turn) WHERE id = $1 AND lifted_at IS NULL RETURNING *"
        ))
        .bind(id.as_str())
        .bind(end.at.as_millisecond())
        .bind(end.by.as_str());
        let row = match self.database.row(lift).await? {
            Some(row) => Some(row),
            None => self.row(id).await?,
        };
        row.as_ref().map(|row| self.learn(row)).transpose()
    }

    async fn list(&self, lifted_too: bool, limit: usize) -> Result<Vec<Revocation>, StoreError> {
        let asked = Statement::new(
            "SELECT * FROM revocations WHERE $1 OR lifted_at IS NULL \
             ORDER BY created_at DESC, id DESC LIMIT $2",
        );
        let asked = asked.bind(lifted_too).bind(most(limit));
        let rows = self.database.rows(asked).await?;
        rows.iter().map(revocation).collect()
    }

    async fn prune(&self, before: Timestamp) -> Result<usize, StoreError> {
        const OVER: &str = "(lifted_at < $1 OR (created_at < $1 AND kind IN ('grant', 'lineage')))";
        let prune = Statement::new(format!(
            "WITH turn AS (UPDATE revisions SET value = value + 1, purged = value + 1 \
             WHERE name = 'access' AND EXISTS (SELECT FROM revocations WHERE {OVER}) \
             RETURNING value) \
             DELETE FROM revocations WHERE {OVER} AND EXISTS (SELECT FROM turn)"
        ));
        let prune = prune.bind(before.as_millisecond());
        let gone = self.database.execute(prune).await?;
        if gone > 0 {
            self.follow(0, true).await?;
        }
        Ok(how_many(gone))
    }
}

pub(crate) fn revocation(row: &PgRow) -> Result<Revocation, StoreError> {
    let kind: ScopeKind = parsed(row, "kind")?;
    let scope = Scope::new(kind, get(row, "target")?);
    Ok(Revocation {
        id: id(row, "id")?,
        scope: scope.map_err(|error| damaged("target", error))?,
        reason: get(row, "reason")?,
        created_at: time(row, "created_at")?,
        created_by: id(row, "created_by")?,
        lifted: lifted(
            optional_time(row, "lifted_at")?,
            optional_id(row, "lifted_by")?,
        ),
    })
}

fn lifted(at: Option<Timestamp>, by: Option<Subject>) -> Option<Lifted> {
    Some(Lifted { at: at?, by: by? })
}
